"""Every mail we render, in every variant and every dress: nothing serious or critical stands in anybody's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from digest.personal import Person, fill, substitutions
from digest.personas import PERSONAS, Persona
from digest.rendering import TEMPLATES, EditionCopy, render, render_mail
from digest.rendering.simulations import SIMULATIONS
from digest.variants import EVERYTHING, Variant, variant_of, wishes_there_can_be
from tests import make_mail as make
from tests.browser.test_mail_on_screen import MAILS as LOOKED_AT

pytestmark = pytest.mark.browser

GOLDEN = {f"golden {path.stem}": path for path in sorted((Path(__file__).parent.parent / "golden").glob("*.html"))}
WEEK = make.week()
NOTICES = ("alarm", "drafted", "halted", "not-approved", "reminder", "skipped", "voided")


def variants(copy: EditionCopy) -> list[Variant]:
    """Every variant with HTML that any wish leads to."""
    found = [variant_of(copy.entries, topics) for topics in wishes_there_can_be(copy.entries)]
    return list({each.key: each for each in found}.values())


def mail(copy: EditionCopy, variant: Variant, person: Person = make.ADA) -> str:
    html = render(copy, make.IMPRINT, variant).html
    assert html is not None
    return fill(html, substitutions(copy.week, person))


def for_persona(persona: Persona) -> str:
    return mail(make.edition(), Variant(EVERYTHING), replace(make.ADA, name=persona.name))


def notice(kind: str) -> str:
    """One notice to staff, with all that any of them says."""
    said = {
        "week": WEEK.week,
        "why": "the page of entry 2 is gone",
        "subject_line": WEEK.subject,
        "send_at": "Friday 20 November 2026, 09:00 UTC",
        "site_url": make.IMPRINT.site_url,
        "passed": True,
        "who": "edda@example.com",
    }
    return render_mail(kind, make.IMPRINT, said).html


def mails() -> dict[str, Callable[[], str]]:
    """Each is rendered when its turn comes."""
    found = {name: made for name, made in LOOKED_AT.items() if f"golden {name}" not in GOLDEN}
    found |= {name: path.read_text for name, path in GOLDEN.items()}
    found |= {f"variant {each.key}": partial(mail, WEEK, each) for each in variants(WEEK) if each.topics is not None}
    found |= {f"notice {kind}": partial(notice, kind) for kind in NOTICES}
    return found | {f"as {key}": partial(for_persona, persona) for key, persona in PERSONAS.items()}


MAILS = mails()


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """One page for all of them: a new one takes longer than looking at a mail."""
    found = chromium.new_page(viewport={"width": 375, "height": 800})
    yield found
    found.close()


def grave(page: Page, html: str, **options: Any) -> list[tuple[str, str]]:
    page.set_content(html)
    found: list[dict[str, Any]] = (
        Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    )
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in {"serious", "critical"}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", MAILS)
def test_nothing_serious_stands_in_anybodys_way(page: Page, name: str, scheme: Literal["light", "dark"]) -> None:
    """As sent, on a machine set to light and on one set to dark."""
    page.emulate_media(color_scheme=scheme)

    assert [] == grave(page, MAILS[name]())


@pytest.mark.parametrize("key", ["dark", "forced-dark", "outlook-dark"])
@pytest.mark.parametrize("name", MAILS)
def test_everything_can_be_read_in_every_dark(page: Page, name: str, key: str) -> None:
    """Only colours differ there, so only contrast is looked at."""
    assert [] == grave(page, SIMULATIONS[key].rewrite(MAILS[name]()), runOnly=["color-contrast"])


@pytest.mark.parametrize("key", ["no-images", "no-style-sheets", "no-styles"])
@pytest.mark.parametrize("name", GOLDEN)
def test_nothing_serious_is_uncovered(page: Page, name: str, key: str) -> None:
    """By what clients drop."""
    assert [] == grave(page, SIMULATIONS[key].rewrite(MAILS[name]()))


def test_no_kind_of_mail_is_left_out() -> None:
    """Every folder of templates is a letter, a notice, or the edition."""
    kinds = {path.parent.name for path in TEMPLATES.glob("*/subject.txt")}

    assert kinds == {"edition", *make.LETTERS, *NOTICES}
