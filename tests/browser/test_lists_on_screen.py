"""Lists in and out, numbers and suppressions as an operator has them on screen: without a script, on a small phone."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from digest.models import Role
from digest.people import importing, imports
from subscribers import addresses, consent
from subscribers.consent import Newcomer
from subscribers.models import State, Subscriber
from subscribers.policy import Act
from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

LONG = f"{'l' * 60}@{'o' * 60}.{'n' * 60}.example.com"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
OVER = imports.MANY_LETTERS + 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    """Somebody left for every reason, somebody has an endless address, and lists wait at every stage."""
    with served(tmp_path_factory.mktemp("lists"), _migrated_sqlite) as found:
        now = datetime.now(UTC)
        with found.services.database.writing() as session:
            make.audience(session, 40)
            for name, act in {"bo": Act.BOUNCE, "co": Act.COMPLAIN, "su": Act.SUPPRESS}.items():
                newcomer = Newcomer(addresses.parse(f"{name}@example.com"))
                person = consent.add(session, newcomer, basis=make.BASIS, now=now, source="test").subscriber
                consent.suppress(session, person, act, because=f"{name} {'x' * 90}", now=now, source="SendGrid")
            person = make.subscriber(session, LONG)
            consent.suppress(session, person, Act.BOUNCE, because="550 5.1.1", now=now, source="SendGrid")
        for name, content in LISTS.items():
            uploaded(found, name, content)
        work(found)
        yield found


LISTS = {
    "some.csv": "email,name\nnew@example.com,New\nnobody at all,\n" + "broken\n" * 60,
    "many.csv": "email\n" + "".join(f"reader{number}@example.net\n" for number in range(OVER)),
    f"{'long' * 24}.csv": "name\nAda\n",
}


def uploaded(site: Site, name: str, content: str) -> int:
    with site.services.database.writing() as session:
        kept = imports.compressed(io.BytesIO(content.encode()))
        return imports.receive(session, kept, file_name=name, by="staff 1", now=datetime.now(UTC)).id


def work(site: Site) -> None:
    """What the clock does within seconds."""
    while importing.work_next(site.services.database, clock=lambda: datetime.now(UTC)):
        pass


def sign_in(site: Site, context: BrowserContext) -> None:
    site.sign_in(context, "otto@example.com", Role.OPERATOR)


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    """Signed in, on a wide screen, without scripts: none of these pages has any."""
    yield from opened(site, chromium, java_script_enabled=False)


@pytest.fixture
def looked_at(site: Site, chromium: Browser) -> Iterator[Page]:
    """The same with scripts, for what examines the page."""
    yield from opened(site, chromium, java_script_enabled=True)


def opened(site: Site, chromium: Browser, *, java_script_enabled: bool) -> Iterator[Page]:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, java_script_enabled=java_script_enabled, accept_downloads=True
    )
    sign_in(site, context)
    found = context.new_page()
    found.set_default_timeout(20_000)
    yield found
    context.close()


def test_a_list_goes_in_without_a_script(site: Site, page: Page) -> None:
    """Choose a file, upload, see the report appear by itself, say how they agreed, and see them in."""
    page.goto(f"{site.address}/people/import")
    page.get_by_label("List, as a CSV file").set_input_files(
        {"name": "stand.csv", "mimeType": "text/csv", "buffer": b"email\nann@example.org\nnobody\n"}
    )
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_text("The list is being checked").wait_for()
    work(site)
    page.get_by_text("Line 3").wait_for()
    page.get_by_label("They have agreed").check()
    page.get_by_label("How, in your words").fill("they wrote their address down at our stand")
    page.get_by_role("button", name="Bring in").click()
    page.get_by_text("The list is being brought in").wait_for()
    work(site)
    page.get_by_text("Brought in: 1 person.").wait_for()

    with site.services.database.reading() as session:
        ann = session.query(Subscriber).filter_by(email="ann@example.org").one()
    assert (State.ACTIVE, "they wrote their address down at our stand") == (ann.state, ann.basis)


def test_many_letters_are_asked_about_on_screen(site: Site, page: Page) -> None:
    """Without the tick the page says why nothing happened; then the list is left behind."""
    page.goto(f"{site.address}/people/import/{uploaded(site, 'many.csv', LISTS['many.csv'])}?still=yes")
    work(site)
    page.reload()
    page.get_by_label("Ask each of them first").check()
    page.get_by_role("button", name="Bring in").click()
    assert f"{OVER} people would get a letter" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Ask each of them first").is_checked()
    page.get_by_role("button", name="Leave the list behind").click()

    page.get_by_text("Nobody was added.").wait_for()


def test_too_large_a_file_is_said_on_screen(site: Site, page: Page, tmp_path: Path) -> None:
    """Not the browser's own error: it is let finish sending, and then reads our sentence."""
    large = tmp_path / "large.csv"
    large.write_bytes(b"email\n" + b"x" * (imports.LONGEST_FILE + 2 * 1024**2))
    page.goto(f"{site.address}/people/import")
    page.get_by_label("List, as a CSV file").set_input_files(large)
    page.get_by_role("button", name="Upload and check").click()

    page.get_by_text("more than 32 MB").wait_for()


def test_everybody_is_taken_out_with_one_press(site: Site, page: Page) -> None:
    """Each format is a button; the file has a name that says what it is."""
    page.goto(f"{site.address}/people/import")
    page.get_by_label("Who").select_option("suppressed")
    names = []
    for button in ("CSV", "JSON Lines"):
        with page.expect_download() as download:
            page.get_by_role("button", name=button, exact=True).click()
        names.append(download.value.suggested_filename)
        assert 4 <= len(download.value.path().read_text().splitlines()) <= 5

    today = datetime.now(UTC).date()
    assert [f"suppressed-{today}.csv", f"suppressed-{today}.jsonl"] == names


# — for everybody —


def lists(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/import")


def no_file(site: Site, page: Page) -> None:
    lists(site, page)
    page.locator("#list").evaluate("field => field.required = false")
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_role("alert").wait_for()


def report(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/import/1")
    page.locator("summary").click()


def many(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/import/2")


def failed(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/import/3")


def running(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/import/{uploaded(site, 'waits.csv', 'email')}?still=yes")


def numbers(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/numbers")


def suppressed(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/suppressed")


def nobody(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/suppressed?after=0-0")


TARGETS = """[...document.querySelectorAll('main a, main button, main select, main summary, main label.pick, #list')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""
# A title inside a drawing is read, not shown.
SIZES = """[...document.querySelectorAll('main *')]
    .filter(it => it.checkVisibility() && it.innerText && !it.closest('svg'))
    .map(it => parseFloat(getComputedStyle(it).fontSize))"""
DRAWN = """[...document.querySelectorAll('svg.plot[role=img]')].filter(it => it.checkVisibility())
    .map(it => [it.getBoundingClientRect().width, it.viewBox.baseVal.width, 14])
    .map(([shown, units, letters]) => shown / units * letters)"""


@pytest.mark.parametrize("shown", [lists, no_file, report, many, failed, running, numbers, suppressed, nobody])
def test_a_page_is_for_everybody(site: Site, looked_at: Page, shown: Callable[[Site, Page], None]) -> None:
    """Axe finds nothing serious in light or dark; nothing scrolls the page sideways or is too small to read or hit."""
    shown(site, looked_at)
    for scheme in SCHEMES:
        looked_at.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(looked_at).response["violations"]
        grave = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert [] == [(scheme, each["id"], each["nodes"][0]["html"]) for each in grave]
    for width in (1280, 600, 375, 320):
        looked_at.set_viewport_size({"width": width, "height": 800})
        assert width == looked_at.evaluate("document.documentElement.scrollWidth")
        assert [] == looked_at.evaluate(TARGETS)
        assert 16 <= min(looked_at.evaluate(SIZES))
        assert all(size >= 12.5 for size in looked_at.evaluate(DRAWN))


def test_a_plot_comes_in_the_size_of_the_screen(site: Site, looked_at: Page) -> None:
    """Four of them, wide on a wide screen and narrow on a phone, each named by its title."""
    numbers(site, looked_at)
    for width, kind in ((1280, "wide"), (375, "narrow")):
        looked_at.set_viewport_size({"width": width, "height": 800})
        shown = looked_at.locator("svg.plot[role=img]").filter(visible=True)
        assert [f"plot {kind}"] * 4 == [each.get_attribute("class") for each in shown.all()]
    named = [
        looked_at.get_by_role("img", name=name, exact=True).count() for name in ("Active", "Came", "Left", "Net growth")
    ]
    assert [1] * 4 == named
