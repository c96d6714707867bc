"""The pages of the staff on screen: in by a printed link, with a keyboard, on a phone, in light and dark."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from database import Database
from digest.bootstrap import Services
from digest.models import Role
from digest.staff import add_staff, audit, member, sessions, tokens
from digest.web.app import create_app
from tests import make

pytestmark = pytest.mark.browser

LONG = "an.extraordinarily.long.name.for.a.box.that.somebody.really.has@a-long-name-for-a-company.example.com"


@dataclass
class Site:
    """The program on a port of its own."""

    address: str
    services: Services

    def way_in(self, email: str = "anna@example.com") -> str:
        """What `digest staff link` prints."""
        with self.services.database.writing() as session:
            return sessions.sign_in_url(session, self.services.links, member(session, email), datetime.now(UTC))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    """Anna looks after a staff with long addresses, after tokens, and after a log of several pages."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(_migrated_sqlite, folder / "digest.db")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        services = make.services(Database(f"sqlite:///{folder / 'digest.db'}"), folder, DIGEST_SITE_URL=address)
        fill(services)
        server = uvicorn.Server(
            uvicorn.Config(create_app(services), log_config=None, access_log=False, lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield Site(address, services)
        server.should_exit = True
        thread.join(timeout=10)
    services.close()


def fill(services: Services) -> None:
    now = datetime.now(UTC)
    with services.database.writing() as session:
        for email, role in (
            ("anna@example.com", Role.ADMIN),
            ("edda@example.com", Role.EDITOR),
            ("otto@example.com", Role.OPERATOR),
            (LONG, Role.OPERATOR),
        ):
            add_staff(session, email, role, now=now)
        tokens.make(session, "the site", list(tokens.SCOPES), now=now)
        unused, _ = tokens.make(session, "An old program with a name that goes on", ["editions:read"], now=now)
        tokens.revoke(session, unused.id, now=now)
        for number in range(120):
            audit.note(
                session,
                by="staff 4",
                what="person suppressed",
                about=f"subscriber {number}",
                now=now,
                reason="They wrote to us on paper and asked never to hear from us again, whatever happens",
            )


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    found = chromium.new_page(viewport={"width": 375, "height": 800})
    found.set_default_timeout(10_000)
    yield found
    found.close()


def signed_in(site: Site, page: Page, path: str = "/staff") -> None:
    page.goto(site.way_in())
    page.get_by_role("button").click()
    page.goto(f"{site.address}{path}")


def door(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/sign-in")


def door_refused(site: Site, page: Page) -> None:
    door(site, page)
    page.get_by_label("address").fill("nobody@nowhere")
    page.get_by_role("button").click()
    page.get_by_role("alert").wait_for()


def button(site: Site, page: Page) -> None:
    page.goto(site.way_in())


def used_up(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/sign-in/x")
    page.get_by_role("button").click()
    page.get_by_text("used up").first.wait_for()


def own(site: Site, page: Page) -> None:
    signed_in(site, page)


def own_refused(site: Site, page: Page) -> None:
    signed_in(site, page)
    page.get_by_label("Address").fill("edda@example.com")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("alert").wait_for()


def log(site: Site, page: Page) -> None:
    signed_in(site, page, "/staff/audit")


def not_for_you(site: Site, page: Page) -> None:
    page.goto(site.way_in("edda@example.com"))
    page.get_by_role("button").click()
    page.goto(f"{site.address}/staff/audit")


PAGES: list[Callable[[Site, Page], None]] = [
    door,
    door_refused,
    button,
    used_up,
    own,
    own_refused,
    log,
    not_for_you,
]


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.__name__)
def test_a_page_reads_well_on_a_phone(site: Site, page: Page, shown: Callable[[Site, Page], None]) -> None:
    """In light and in dark axe finds nothing; nothing scrolls sideways at 375 and 320 px; controls are big enough."""
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    shown(site, page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page).response["violations"]
        assert [] == [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    for width in (375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.eval_on_selector_all(
        "main button, main select, main input:not([type=hidden]):not(.trap input)",
        """
        (all) => all.map((each) => each.getBoundingClientRect().height)""",
    )
    assert all(height >= 44 for height in heights), heights
    assert [] == refused


def test_one_comes_in_and_goes_out_with_a_keyboard(site: Site, page: Page) -> None:
    """The link, one key, the page; from there to the way out, with the focus always to be seen."""
    page.goto(site.way_in())
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Sign in here":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/people")
    page.goto(f"{site.address}/staff")
    for _ in range(60):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        if page.evaluate("document.activeElement.textContent") == "Sign out":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    page.goto(f"{site.address}/staff")

    assert page.url == f"{site.address}/sign-in?next=/staff"


def test_the_cookie_is_not_for_scripts(site: Site, page: Page) -> None:
    """No script of a page can read it."""
    signed_in(site, page)

    assert page.evaluate("document.cookie") == ""
    assert [("digest", True, "Lax")] == [
        (each["name"], each["httpOnly"], each["sameSite"]) for each in page.context.cookies()
    ]


def test_another_sites_form_is_refused(site: Site, page: Page) -> None:
    """A real browser, with the cookie, on a page of somebody else that sends our form by script."""
    signed_in(site, page)
    with site.services.database.reading() as session:
        edda = member(session, "edda@example.com")
    form = f'<form method="post" action="{site.address}/staff/people/{edda.id}/remove"><button>x</button></form>'
    page.route("http://evil.example/**", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto("http://evil.example/")
    page.get_by_role("button").click()
    page.get_by_text("nothing was changed").wait_for()
    with site.services.database.reading() as session:
        assert member(session, "edda@example.com").removed_at is None


def test_an_admin_changes_the_staff_on_screen(site: Site, page: Page) -> None:
    """Each thing done is said."""
    signed_in(site, page)
    page.get_by_label("Address").fill("newcomer@example.com")
    page.get_by_label("Role", exact=True).select_option("operator")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("status").wait_for()
    assert "on the staff now" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Remove newcomer@example.com").click()
    page.wait_for_url("**/staff?done=removed")

    assert page.get_by_text("newcomer@example.com").count() == 0
