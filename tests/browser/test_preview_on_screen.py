"""The preview of an edition as editors have it on screen: with a script, without one, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Frame, Page, expect

from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LIGHT_PAPER, DARK_PAPER = "rgb(245, 241, 232)", "rgb(19, 18, 17)"
LONG = "Extraordinarily" + "long" * 40


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    """A draft whose first tool has an endless name, readers of every kind."""
    with served(tmp_path_factory.mktemp("preview"), _migrated_sqlite) as found:
        with found.services.database.writing() as session:
            make.taken_in(session, make.comparison(make.tool(LONG, category="Gaming")), now=make.SEEN)
            for topics in ("", "Gaming", "Knitting", LONG):
                make.subscriber(session, f"r{len(topics)}@example.com", name=LONG[:150], topics=topics)
        make.draft(found.services)
        yield found


@contextmanager
def opened(site: Site, chromium: Browser, *, scripts: bool = True) -> Iterator[Page]:
    """A page with Edda signed in; whatever breaks its own security policy fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=scripts)
    site.sign_in(context, "edda@example.com")
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.set_default_timeout(20_000)
    yield page
    context.close()
    # A link in a frame leads to a page of ours that refuses to stand in one: that is what should happen.
    assert [] == [each for each in said if "frame-ancestors" not in each and "404" not in each]


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    with opened(site, chromium) as found:
        yield found


def show(site: Site, page: Page, query: str = "") -> None:
    page.goto(f"{site.address}/desk/{make.WEEK}/preview?{query}")


def mail_in(page: Page, place: str = "desktop") -> Frame:
    handle = page.locator(f".{place} iframe:not(.next)").element_handle()
    frame = handle.content_frame()
    assert frame is not None
    return frame


def paper(page: Page, place: str = "desktop") -> str:
    """What is behind the mail."""
    colour: str = mail_in(page, place).evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


TARGETS = """[...document.querySelectorAll('main a, main button, main select, main input:not([type=hidden])')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""
SIZES = """[...document.querySelectorAll('main *')].filter(it => it.checkVisibility() && it.innerText)
    .map(it => parseFloat(getComputedStyle(it).fontSize))"""


@pytest.mark.parametrize(
    "query", ["", "as=dark", "view=text", "view=row", "view=source", "reader=1", "variant=all-text"]
)
def test_the_page_is_for_everybody(site: Site, page: Page, query: str) -> None:
    """Axe finds nothing serious around the frames in light or dark; nothing scrolls the page sideways or is too
    small to read or hit."""
    show(site, page, query)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page).response["violations"]
        grave = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert [] == [(scheme, each["id"], each["nodes"][0]["html"]) for each in grave]
    for width in (1280, 768, 375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert width == page.evaluate("document.documentElement.scrollWidth")
        assert [] == page.evaluate(TARGETS)
        assert 14 <= min(page.evaluate(SIZES))


@pytest.mark.parametrize("view", ["text", "row", "source"])
def test_the_small_pages_are_for_everybody(site: Site, page: Page, view: str) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{site.address}/desk/{make.WEEK}/mail?view={view}")
        # The mail's own policy lets no script in, axe not either: the same page without it.
        copy = page.context.new_page()
        copy.emulate_media(color_scheme=scheme)
        copy.set_content(page.content())
        found = Axe().run(copy).response["violations"]
        assert [] == [each["id"] for each in found if each["impact"] in {"serious", "critical"}]
        for width in (640, 375, 320):
            copy.set_viewport_size({"width": width, "height": 600})
            assert width == copy.evaluate("document.documentElement.scrollWidth")
        copy.close()


def test_a_desk_and_a_phone_stand_side_by_side(site: Site, page: Page) -> None:
    """At the widths they say: 640 and more, and 375."""
    show(site, page)

    assert 375 == mail_in(page, "phone").evaluate("innerWidth")
    assert 640 <= mail_in(page, "desktop").evaluate("innerWidth")
    desk, phone = (page.locator(f".{place} iframe").bounding_box() for place in ("desktop", "phone"))
    assert desk
    assert phone
    assert desk["x"] + desk["width"] < phone["x"]


def test_a_phone_shows_the_phone_at_its_width(site: Site, page: Page) -> None:
    """From edge to edge; the desk beneath keeps its 640 pixels."""
    page.set_viewport_size({"width": 375, "height": 800})
    show(site, page)

    assert 375 == mail_in(page, "phone").evaluate("innerWidth")
    assert 640 == mail_in(page, "desktop").evaluate("innerWidth")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_light_is_light_on_every_machine(site: Site, page: Page, scheme: Literal["light", "dark"]) -> None:
    """And dark is dark; only as sent it follows the machine."""
    page.emulate_media(color_scheme=scheme)
    for query, expected in (
        ("", LIGHT_PAPER),
        ("as=dark", DARK_PAPER),
        ("as=sent", DARK_PAPER if scheme == "dark" else LIGHT_PAPER),
    ):
        show(site, page, query)
        assert expected == paper(page) == paper(page, "phone")


def test_switching_keeps_the_page_and_the_focus(site: Site, page: Page) -> None:
    """With the keyboard alone: the frames change, the page stays, it is said, and back goes back."""
    show(site, page)
    page.evaluate("window.sameAsBefore = true")
    dark = page.get_by_role("link", name="Dark", exact=True)
    dark.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="Dark", exact=True)).to_have_attribute("aria-current", "true")
    expect(page.locator("#shown")).to_contain_text("HTML. Dark. simulation")
    expect(page.locator("iframe")).to_have_count(2)
    assert DARK_PAPER == paper(page) == paper(page, "phone")
    assert "Dark" == page.evaluate("document.activeElement.textContent")
    assert page.url.endswith("as=dark")
    page.go_back()
    expect(page.get_by_role("link", name="Light", exact=True)).to_have_attribute("aria-current", "true")
    expect(page.locator("iframe")).to_have_count(2)
    assert LIGHT_PAPER == paper(page)
    page.get_by_role("link", name="Source").click()
    expect(page.locator(".is-source iframe")).to_have_count(1)
    page.get_by_label("Reader").select_option("text-only")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("dd code").first).to_have_text("all-text")
    assert page.evaluate("window.sameAsBefore")


def test_the_newest_switch_wins(site: Site, page: Page) -> None:
    """Pressed one after another without waiting."""
    show(site, page)
    for name in ("Dark", "Dark by force", "Images off", "Light", "Dark"):
        page.get_by_role("link", name=name, exact=True).click()

    expect(page.get_by_role("link", name="Dark", exact=True)).to_have_attribute("aria-current", "true")
    expect(page.locator("iframe")).to_have_count(2)
    assert DARK_PAPER == paper(page) == paper(page, "phone")


def test_without_a_script_every_switch_is_a_link(site: Site, chromium: Browser) -> None:
    with opened(site, chromium, scripts=False) as page:
        show(site, page)
        page.get_by_role("link", name="Dark", exact=True).click()
        page.wait_for_url("**as=dark")
        assert "as=dark" in (page.locator("iframe").first.get_attribute("src") or "")
        page.get_by_label("Reader").select_option("markup")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url("**persona=markup**")
        page.get_by_label("Their address").fill("r0@example.com")
        page.get_by_role("button", name="Show as this subscriber").click()
        page.wait_for_url("**reader=1**")


def test_a_link_in_the_mail_leads_nowhere(site: Site, page: Page) -> None:
    """The frame cannot be left: the mail comes back, and it is said where its links are."""
    show(site, page)
    page.wait_for_load_state("load")
    mail_in(page).get_by_role("link", name="All editions").click()

    expect(page.locator("#shown")).to_contain_text("Links do not open in here")
    expect(page.locator(".desktop iframe")).to_have_count(1)
    assert LIGHT_PAPER == paper(page)
    assert page.url.startswith(f"{site.address}/desk/")
    expect(page.locator(".links")).to_contain_text("All editions")


def test_nothing_in_a_mail_runs(site: Site, page: Page) -> None:
    """Whatever got into it: the frame has no scripts, no forms, and an origin of its own."""
    show(site, page)

    assert "" == page.locator("iframe").first.get_attribute("sandbox")
    assert "null" == mail_in(page).evaluate("origin")
