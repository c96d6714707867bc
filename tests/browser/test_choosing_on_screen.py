"""Selection and differences as editors have them on screen: for everybody, with a keyboard, and without a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from digest import editing, editions
from tests import make
from tests.browser import choosing_scene
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (1280, 600, 375, 320)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    """A draft that editors have been at, after an edition that went out."""
    with served(tmp_path_factory.mktemp("choosing"), _migrated_sqlite) as found:
        choosing_scene.fill(found.services)
        yield found


@pytest.fixture
def own_site(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Site]:
    """The same, to be changed."""
    with served(tmp_path, _migrated_sqlite) as found:
        choosing_scene.fill(found.services, count=20)
        yield found


@contextmanager
def opened(site: Site, chromium: Browser, *, scripts: bool = True) -> Iterator[Page]:
    """A page with Edda signed in; the mail as it is now is another page's business."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, java_script_enabled=scripts)
    site.sign_in(context, "edda@example.com")
    found = context.new_page()
    found.set_default_timeout(20_000)
    found.route("**/mail?variant=all", lambda route: route.fulfill(content_type="text/html", body="<p>A mail</p>"))
    yield found
    context.close()


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    with opened(site, chromium) as found:
        yield found


TARGETS = """[...document.querySelectorAll('main a, main button, main summary')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""
SIZES = """[...document.querySelectorAll('main *')]
    .filter(it => it.checkVisibility() && it.innerText && !it.closest('svg'))
    .map(it => parseFloat(getComputedStyle(it).fontSize))"""
SHOWN = {
    "weighed": "selection",
    "parts unfolded": "selection?parts=all",
    "found": "selection?q=plumb",
    "other rules": "selection?max_entries=5&per_tool=1&distance=60",
    "nonsense": "selection?max_entries=5&min_entries=9",
    "against the last": "differences",
    "against the draft": "differences?against=drafted",
    "no such version": "differences?against=r999",
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_for_everybody(site: Site, page: Page, name: str) -> None:
    """Axe finds nothing serious in light or dark; nothing scrolls the page sideways or is too small to read or hit;
    nothing breaks the page's own security policy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(f"{site.address}/desk/{make.WEEK}/{SHOWN[name]}")
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 800})
            found = Axe().run(page, options={"iframes": False}).response["violations"]
            grave = [each for each in found if each["impact"] in {"serious", "critical"}]
            assert [] == [(scheme, width, each["id"], each["nodes"][0]["html"]) for each in grave]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert width == page.evaluate("document.documentElement.scrollWidth")
        assert [] == page.evaluate(TARGETS)
        assert 16 <= min(page.evaluate(SIZES))
    assert [] == [message for message in said if "status of 4" not in message]


def test_a_bar_shows_what_the_score_is_made_of(site: Site, page: Page) -> None:
    """Seven fields as wide as they weigh; together they are filled as far as the score is of a hundred."""
    page.goto(f"{site.address}/desk/{make.WEEK}/selection")
    bar = page.locator(".weighed .score-bar").first
    width = "all => all.reduce((sum, each) => sum + each.getBoundingClientRect().width, 0)"
    earned, most = bar.locator(".earned").evaluate_all(width), bar.locator(".most").evaluate_all(width)
    score = int(page.locator(".weighed-score strong").first.inner_text())

    assert bar.locator(".most").count() == 7
    assert abs(earned / most - score / 100) < 0.01


def order(site: Site) -> tuple[int, ...]:
    with site.services.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK)).order


@pytest.mark.parametrize("scripts", [True, False])
def test_rules_are_tried_and_applied_by_keyboard(own_site: Site, chromium: Browser, scripts: bool) -> None:
    """With and without scripts: open the form, type, look, press; and the pinned entry keeps its place."""
    before = order(own_site)
    with opened(own_site, chromium, scripts=scripts) as page:
        page.goto(f"{own_site.address}/desk/{make.WEEK}/selection")
        page.locator("#rules > summary").press("Enter")
        box = page.get_by_label("Entries at most")
        box.fill("4")
        box.press("Enter")
        expect(page.get_by_role("heading", name="What these rules would change")).to_be_visible()
        assert before == order(own_site)
        page.get_by_role("button", name="Select again by these rules").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Selected again by these rules.")
    with own_site.services.database.reading() as session:
        found = editing.read(session, editions.find(session, make.WEEK))
    (pinned,) = [entry.comparison for entry in found.entries if entry.pinned]

    assert len(found.order) == 4
    assert found.order.index(pinned) == before.index(pinned)


def test_the_two_mails_stand_side_by_side_and_can_do_nothing(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/desk/{make.WEEK}/differences?against=drafted")
    frames = page.locator("iframe")
    boxes = [frames.nth(number).bounding_box() for number in range(2)]
    frames.first.scroll_into_view_if_needed()

    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert ["", ""] == frames.evaluate_all("all => all.map(each => each.getAttribute('sandbox'))")
    expect(page.frame_locator("iframe").first.locator("h1")).to_be_visible()
    assert frames.first.evaluate("each => each.contentDocument") is None


def test_what_changed_since_one_last_looked_is_offered(own_site: Site, chromium: Browser) -> None:
    """The browser remembers; looking twice forgets nothing, and the server is told nothing."""
    place = f"{own_site.address}/desk/{make.WEEK}/differences"
    offer = "What changed since you last looked"
    with opened(own_site, chromium) as page:
        page.goto(place)
        expect(page.get_by_role("link", name=offer)).to_be_hidden()
        with own_site.services.database.reading() as session:
            seen = editions.find(session, make.WEEK).revision
        found = order(own_site)
        editing.drop(own_site.services.database, make.WEEK, found[1], by="staff 1", now=datetime.now(UTC))
        for _ in range(2):
            page.goto(place)
            expect(page.get_by_role("link", name=offer)).to_be_visible()
        page.get_by_role("link", name=offer).click()

        assert page.url == f"{place}?against=r{seen}"
        expect(page.locator("tr.is-went")).to_have_count(1)
        expect(page.get_by_role("link", name=offer)).to_be_hidden()
