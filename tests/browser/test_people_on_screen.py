"""The operators' pages of people as one has them on screen: typed into, walked with the keyboard, on a small phone."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from database import Database
from digest.bootstrap import Services
from digest.models import Role
from digest.staff import add_staff, sessions
from digest.web.app import create_app
from digest.web.staff_door import cookie_name
from subscribers import consent
from subscribers.addresses import parse
from subscribers.models import State, Subscriber
from subscribers.policy import Act
from tests import make

pytestmark = pytest.mark.browser

LONG = f"{'l' * 60}@{'o' * 60}.{'n' * 60}.example.com"
READERS = 120


@dataclass
class Site:
    """The program on a port of its own, with people in it and an operator's cookie."""

    address: str
    services: Services
    people: dict[str, Subscriber]
    secret: str

    def path(self, name: str, act: str = "") -> str:
        return f"{self.address}/people/{self.people[name].id}{act}"

    def state(self, name: str) -> State:
        with self.services.database.reading() as session:
            return session.get_one(Subscriber, self.people[name].id).state

    def sign_in(self, page: Page) -> None:
        name = cookie_name(self.services.settings.digest_site_url)
        page.context.add_cookies([{"name": name, "value": self.secret, "url": self.address}])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("people")
    shutil.copy(_migrated_sqlite, folder / "digest.db")
    services = make.services(Database(f"sqlite:///{folder / 'digest.db'}"), folder)
    people, secret = filled(services)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(create_app(services), log_config=None, access_log=False, lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", services, people, secret)
        server.should_exit = True
        thread.join(timeout=10)
    services.close()


def filled(services: Services) -> tuple[dict[str, Subscriber], str]:
    """Ada, Ben, Cleo, Dov; Wim to be unsubscribed; Lola with a long address and name; and many readers."""
    now = datetime.now(UTC)
    with services.database.writing() as session:
        people = make.cast(session)
        wim = consent.Newcomer(parse("wim@example.com"), name="Wim Wander")
        people["wim"] = consent.add(session, wim, basis=make.BASIS, now=make.SEEN, source="test").subscriber
        people["lola"] = make.subscriber(session, LONG, name="W" * 200, topics="Agents\nDesign")
        consent.suppress(session, people["lola"], Act.BOUNCE, because="x" * 300, now=now, source="provider")
        newcomers = [consent.Newcomer(parse(f"reader{n}@example.com"), name=f"Reader {n}") for n in range(READERS)]
        consent.add_all(session, newcomers, basis=make.BASIS, now=make.SEEN, source="test")
        staff = add_staff(session, "otto@example.com", Role.OPERATOR, now=now)
        link = sessions.sign_in_link(session, staff, now=now)
        secret = sessions.open_with(session, link.link_id, now=now, user_agent="a test")
    assert secret
    return people, secret


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    found = context.new_page()
    found.set_default_timeout(10_000)
    site.sign_in(found)
    yield found
    context.close()


def shown(page: Page) -> list[str]:
    return page.locator("#rows tbody th a").all_inner_texts()


# — typing —


def test_typing_finds(site: Site, page: Page) -> None:
    """Rows, the number that is read out and the address follow what is typed, without a new page."""
    page.goto(f"{site.address}/people")
    page.evaluate("window.still_here = true")
    page.get_by_label("Part of an address or name").press_sequentially("READER11", delay=20)
    expect(page.get_by_role("status")).to_have_text("11 people found")

    assert 11 == len(shown(page))
    assert page.evaluate("window.still_here")
    assert f"{site.address}/people?q=READER11" == page.url
    page.get_by_role("radio", name="Unsubscribed").check()
    expect(page.get_by_role("status")).to_have_text("Nobody found")
    assert f"{site.address}/people?q=READER11&state=unsubscribed" == page.url
    page.get_by_label("Part of an address or name").fill("")
    expect(page.get_by_role("status")).to_have_text("1 person found")
    assert ["cleo@example.com"] == shown(page)
    page.reload()
    assert ["cleo@example.com"] == shown(page)


def test_a_late_answer_never_replaces_a_newer_one(site: Site, page: Page) -> None:
    """However the answers overtake each other, what stands there belongs to what was typed last."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "q=rea&" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page.goto(f"{site.address}/people")
    page.route("**/people?*fragment=rows*", hold)
    box = page.get_by_label("Part of an address or name")
    with page.expect_request("**/people?q=rea&fragment=rows"):
        box.fill("rea")
    box.fill("wim")
    expect(page.get_by_role("status")).to_have_text("1 person found")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)

    assert 1 == len(held)
    assert ["wim@example.com"] == shown(page)
    assert page.url.endswith("?q=wim")


def test_a_failure_while_typing_is_said(site: Site, page: Page) -> None:
    """Not an empty list, as if nobody were there; typing on tries again."""
    page.goto(f"{site.address}/people")
    page.route("**/people?*fragment=rows*", lambda route: route.fulfill(status=503), times=1)
    box = page.get_by_label("Part of an address or name")
    box.fill("wim")
    expect(page.get_by_role("status")).to_contain_text("Press Search to try again")
    assert len(shown(page)) > 1
    box.fill("wim@")
    expect(page.get_by_role("status")).to_have_text("1 person found")


def test_who_was_signed_out_is_led_to_the_door(site: Site, page: Page) -> None:
    """And back to the same search after that."""
    page.goto(f"{site.address}/people")
    page.context.clear_cookies()
    page.get_by_label("Part of an address or name").fill("wim")
    page.wait_for_url(re.compile(r"/sign-in\?next="))

    assert "q%3Dwim" in page.url


def test_without_scripts_the_form_finds_as_well(site: Site, chromium: Browser) -> None:
    """With its button; and the pages of the list are links."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    site.sign_in(page)
    page.goto(f"{site.address}/people")
    page.get_by_role("link", name="Next page").click()
    assert "after=" in page.url
    page.get_by_label("Part of an address or name").fill("wim")
    page.get_by_role("button", name="Search").click()

    assert ["wim@example.com"] == shown(page)
    context.close()


# — by keyboard —


def press(page: Page, *keys: str) -> None:
    """After each key the focus can be seen, on something that is shown."""
    for key in keys:
        page.keyboard.press(key)
        seen = page.evaluate(
            """(at => { const look = getComputedStyle(at.closest('label:has(:focus-visible)') ?? at);
            return parseFloat(look.outlineWidth) >= 2 && look.outlineStyle == 'solid' && at.checkVisibility(); }
            )(document.activeElement)"""
        )
        assert seen, key


def until(page: Page, words: str, key: str = "Tab", most: int = 25) -> None:
    """Press until that has the focus."""
    for _ in range(most):
        press(page, key)
        if words in page.evaluate("(at => (at.labels?.[0] ?? at).innerText)(document.activeElement)"):
            return
    raise AssertionError(f"{words} was not reached")


def test_somebody_is_found_and_unsubscribed_by_keyboard_alone(site: Site, page: Page) -> None:
    """Typed, opened, unfolded, given a reason and pressed, and the answer is announced."""
    page.goto(f"{site.address}/people")
    until(page, "Part of an address")
    page.keyboard.type("wander")
    expect(page.get_by_role("status")).to_have_text("1 person found")
    until(page, "wim@example.com")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    until(page, "Unsubscribe")
    press(page, "Enter")
    until(page, "Reason")
    page.keyboard.type("wrote to us")
    until(page, "Unsubscribe")
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert State.UNSUBSCRIBED is site.state("wim")
    assert "Unsubscribed." in page.get_by_role("status").inner_text()
    assert "wrote to us" in page.locator(".timeline").inner_text()


# — for everybody —


def everybody(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people")


def found(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people?q={'l' * 20}")


def nobody(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people?q={'z' * 200}&state=pending")


def person(site: Site, page: Page) -> None:
    page.goto(site.path("lola"))
    for summary in page.locator("summary").all():
        summary.click()


def person_refused(site: Site, page: Page) -> None:
    page.goto(site.path("dov"))
    page.locator("summary", has_text="Lift").click()
    page.locator("#lift-reason").evaluate("field => field.required = false")
    page.get_by_role("button", name="Lift").click()


def erase(site: Site, page: Page) -> None:
    page.goto(site.path("lola", "/erase"))


def add(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/add")


def add_refused(site: Site, page: Page) -> None:
    add(site, page)
    page.get_by_label("Address").fill("x" * 300)
    page.get_by_role("button", name="Add").click()


def bulk(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/bulk?q={'l' * 60}")


def bulk_everybody(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/bulk")


def bulk_done(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/people/bulk?q=cleo")
    page.locator("#unsubscribe-reason").fill("asked")
    page.get_by_role("button", name="Unsubscribe").click()


PAGES = (
    everybody,
    found,
    nobody,
    person,
    person_refused,
    erase,
    add,
    add_refused,
    bulk,
    bulk_everybody,
    bulk_done,
)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
PRESSED = "main a, main button, main summary, main label:has(> input), main .field input"
TARGETS = """pressed => [...document.querySelectorAll(pressed)]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""


@pytest.mark.parametrize("opened", PAGES)
def test_a_page_is_for_everybody(site: Site, page: Page, opened: Callable[[Site, Page], None]) -> None:
    """Nothing serious stands in anybody's way, in light and in dark; on the smallest phone nothing scrolls sideways."""
    opened(site, page)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        report = Axe().run(page)
        serious = [each for each in report.response["violations"] if each["impact"] in ("serious", "critical")]
        assert [] == [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious]
    for width in (600, 375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert not page.evaluate(SCROLLS), width
        assert [] == page.evaluate(TARGETS, PRESSED), width
    assert 1 == page.locator("h1").count()
