"""The checks as editors have them on screen: wide and narrow, light and dark, by keyboard, with and without script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from digest import checking, editing, editions, intake, manuscript, overrides
from digest.models import Comparison
from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
LONG = "Extraordinarily" + "long" * 40


def now() -> datetime:
    return datetime.now(UTC)


def write(site: Site, part: str, words: str) -> None:
    with site.services.database.reading() as session:
        seen = manuscript.words_of(editing.read(session, editions.find(session, make.WEEK)), part)
    editing.write(site.services.database, make.WEEK, part, was=seen, words=words, by="staff 1", now=now())


@pytest.fixture
def site(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Site]:
    """A draft with a problem of each kind, one of them overridden."""
    with served(tmp_path, _migrated_sqlite) as found:
        make.draft(found.services, entries=4)
        write(found, "introduction", f"TODO, then [insert {LONG[:20]} here]. {LONG}")
        write(found, "subject", "The cheapest 17 tools of the week")
        known = checking.look(found.services, make.WEEK, now=now()).problems
        key = next(problem.key for problem in known if problem.code == "subject-figures")
        with found.services.database.writing() as session:
            edition = editions.find(session, make.WEEK)
            overrides.put(session, edition, known, key, why=f"Readers know {LONG}", by="staff 1", now=now())
            slug = session.get_one(Comparison, editions.entries_of(session, edition)[3].comparison_id).slug
            assert slug is not None
            intake.withdraw(session, slug, why="the prices were wrong", by="staff 1", now=now())
        yield found


@contextmanager
def edda(
    browser: Browser, site: Site, *, width: int = 1280, scheme: Scheme = "light", script: bool = True
) -> Iterator[Page]:
    """Signed in at the checks."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    site.sign_in(context, "edda@example.com")
    page = context.new_page()
    page.goto(f"{site.address}/desk/{make.WEEK}/checks")
    yield page
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1280, 375, 320])
def test_it_fits_and_axe_finds_nothing(chromium: Browser, site: Site, width: int, scheme: Scheme) -> None:
    with edda(chromium, site, width=width, scheme=scheme) as page:
        page.locator("details").evaluate_all("all => all.forEach(each => (each.open = true))")

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        violations = Axe().run(page).response["violations"]
        assert [each["id"] for each in violations if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("script", [True, False])
def test_a_problem_is_overridden_and_lifted_by_keyboard(chromium: Browser, site: Site, *, script: bool) -> None:
    with edda(chromium, site, script=script) as page:
        problem = page.locator(".found", has_text="“TODO”")
        problem.locator("summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("It is the name of a song")
        page.keyboard.press("Enter")

        expect(page.get_by_role("status").filter(has_text="Kept with your name")).to_be_visible()
        answered = page.locator(".found.is-overridden", has_text="“TODO”")
        expect(answered).to_contain_text("Overridden by edda@example.com")
        answered.get_by_role("button", name="Lift").press("Enter")
        expect(page.locator(".found.is-block", has_text="“TODO”")).to_be_visible()


def test_back_from_mending_the_page_looks_again(chromium: Browser, site: Site) -> None:
    """Unless a reason is being written."""
    with edda(chromium, site) as page:
        write(site, "introduction", "Good morning.")
        page.evaluate("window.dispatchEvent(new Event('focus'))")

        expect(page.locator(".found", has_text="“TODO”")).to_have_count(0)
        spoken = "Checked again: 1 problem blocks, 1 overridden, 4 warnings."
        expect(page.locator("#checks-spoken")).to_have_text(spoken)
