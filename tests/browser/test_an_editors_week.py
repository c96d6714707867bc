"""An editor's whole week on screen, with a provider at its end: what was seen is what was sent, byte for byte."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import APIResponse, Browser, BrowserContext, Locator, Page, expect

from digest import editing, editions, gathering, jobs, stats
from digest.models import Edition, EditionState, RenderingRow
from digest.previewing import SAMPLE_LINK
from digest.sendgrid_send import SendGrid
from digest.sources.fetching import Fetcher
from subscribers.models import Subscriber
from tests import make
from tests.browser.sites import Site, served
from tests.sendgrid_stub import KEY, Stub, running_stub

pytestmark = pytest.mark.browser

SAMPLES = Path(__file__).parent.parent.parent / "digest" / "samples"
EDDA, EVE = "edda@example.com", "eve@example.com"
HEADLINE = "A headline that only an editor writes"
SUBJECT = "What the panel made of thirteen tools"
DAY = timedelta(days=1)


def at(moment: datetime) -> jobs.Shift:
    return jobs.Shift(clock=lambda: moment, stop=threading.Event())


def week_around(now: datetime) -> dict[str, str]:
    """Cut off an hour ago, leaving tomorrow: whatever day it is when this runs."""
    return {
        "DIGEST_CUTOFF": f"{now - timedelta(hours=1):%a %H:%M}".lower(),
        "DIGEST_SEND_AT": f"{now + DAY:%a %H:%M}".lower(),
        "DIGEST_FIRST_WAVE": "0",
    }


def sign_in(site: Site, context: BrowserContext) -> None:
    site.sign_in(context, EDDA)


def newest(site: Site) -> Edition:
    with site.services.database.reading() as session:
        return editions.find(session, "latest")


def order(site: Site) -> tuple[int, ...]:
    with site.services.database.reading() as session:
        return editing.read(session, editions.find(session, "latest")).order


def saved(page: Page) -> None:
    """Come back when the desk says that everything is kept."""
    expect(page.locator("#saved-state")).to_have_text(re.compile("saved", re.IGNORECASE), timeout=15_000)


def until_order(desk: Desk, wanted: tuple[int, ...]) -> None:
    for _ in range(200):
        if order(desk.site) == wanted:
            return
        desk.page.wait_for_timeout(50)
    assert wanted == order(desk.site)


def drag(page: Page, moved: Locator, above: Locator) -> None:
    """With the mouse, in steps as a hand does it."""
    moved.scroll_into_view_if_needed()
    start, end = moved.bounding_box(), above.bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + 20, end["y"] + 6, steps=12)
    page.mouse.up()


@dataclass
class Desk:
    """Edda's browser at the desk of one week, and the provider at its end."""

    site: Site
    page: Page
    stub: Stub
    eve: Subscriber
    week: str = ""

    @property
    def address(self) -> str:
        return f"{self.site.address}/desk/{self.week}"

    def approve(self) -> None:
        self.page.get_by_role("button", name=re.compile("Approve for 22 readers")).click()
        expect(self.page.locator(".undo-band")).to_be_visible()
        assert newest(self.site).state is EditionState.APPROVED


@pytest.fixture
def desk(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """The program with a stand-in for SendGrid as its way out; 22 readers; nothing drafted yet."""
    with running_stub() as stub, chromium.new_context(viewport={"width": 1280, "height": 1000}) as context:
        way_out = SendGrid(KEY, host=stub.url, connect=2, send=2, read=5)
        migrated = request.getfixturevalue("_migrated_sqlite")
        with served(tmp_path, migrated, way_out, **week_around(datetime.now(UTC))) as site:
            with site.services.database.writing() as session:
                eve = make.subscriber(session, EVE, name="Eve")
                make.subscriber(session, "dev@example.com", topics="Developer Tools")
                make.audience(session, 20)
            sign_in(site, context)
            yield Desk(site, context.new_page(), stub, eve)


def test_an_editors_week(desk: Desk) -> None:
    """A draft appears; it is ordered, rewritten, mended, tried, approved, taken back, approved again, and sent."""
    it_appears(desk)
    it_is_reordered(desk)
    it_is_rewritten(desk)
    a_blocker_is_mended(desk)
    seen = desk.page.request.get(f"{desk.address}/mail?variant=all&view=html&reader={desk.eve.id}")
    a_test_is_sent(desk)
    desk.approve()
    desk.page.get_by_role("button", name="Take it back").click()
    expect(desk.page.get_by_role("button", name=re.compile("Approve for"))).to_be_visible()
    assert newest(desk.site).state is EditionState.DRAFT
    desk.approve()
    it_is_sent_as_it_was_seen(desk, seen)
    it_becomes_its_report(desk)


def it_appears(desk: Desk) -> None:
    """The clock makes the draft, and it stands on the desk."""
    page, services, now = desk.page, desk.site.services, datetime.now(UTC)
    page.goto(f"{desk.site.address}/desk")
    expect(page.get_by_text("Nothing on the desk yet")).to_be_visible()
    with Fetcher() as fetcher:
        list(gathering.gather(services.database, str(SAMPLES), fetcher=fetcher, now=now - 2 * DAY))
    assert "made as draft" in jobs.draft(services, at(now))
    desk.week = newest(desk.site).week
    page.goto(f"{desk.site.address}/desk")
    page.get_by_role("link", name=re.compile(desk.week)).first.click()
    page.wait_for_url(desk.address)


def it_is_reordered(desk: Desk) -> None:
    """By keyboard, then by mouse."""
    page = desk.page
    first, second, third, *rest = order(desk.site)
    page.locator(f"#handle-{first}").focus()
    for key in ("Space", "ArrowDown", "Space"):
        page.keyboard.press(key)
    until_order(desk, (second, first, third, *rest))
    drag(page, page.locator(f"#handle-{third}"), page.locator(f"#entry-{second}"))
    until_order(desk, (third, second, first, *rest))
    saved(page)


def it_is_rewritten(desk: Desk) -> None:
    """The mail beside it follows."""
    top = order(desk.site)[0]
    desk.page.locator(f"#entry-{top}").get_by_label("Headline").fill(HEADLINE)
    expect(desk.page.frame_locator(".preview iframe:not(.is-coming)").get_by_text(HEADLINE).first).to_be_visible(
        timeout=15_000
    )
    saved(desk.page)


def a_blocker_is_mended(desk: Desk) -> None:
    """A subject nobody could send is said and cannot be approved; another can."""
    page = desk.page
    page.get_by_label("Subject", exact=True).fill("Hm")
    saved(page)
    expect(page.locator("#checks")).to_contain_text("ubject", timeout=15_000)
    page.goto(f"{desk.address}/approval")
    expect(page.get_by_text("Not possible yet")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Approve for")).count() == 0
    page.goto(desk.address)
    page.get_by_label("Subject", exact=True).fill(SUBJECT)
    saved(page)


def a_test_is_sent(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.address}/approval")
    page.get_by_role("button", name="Send the test").click()
    expect(page.get_by_text(re.compile("accepted", re.IGNORECASE)).first).to_be_visible()
    test = desk.stub.mail(EDDA)
    assert test is not None
    assert f"[TEST] {SUBJECT}" == test["subject"]
    assert HEADLINE in test["html"]
    assert desk.stub.state()["recipients"] == 1


def it_is_sent_as_it_was_seen(desk: Desk, seen: APIResponse) -> None:
    """What the provider got for Eve is what Edda saw, and its seal is the frozen one."""
    edition = newest(desk.site)
    jobs.send(desk.site.services, at(edition.send_at + timedelta(minutes=1)))
    got = desk.stub.mail(EVE)
    assert got is not None
    assert SUBJECT == got["subject"]
    assert seen.body().decode() == without_her_keys(desk, got["html"])
    frozen = sa.select(RenderingRow.sha256).where(RenderingRow.edition_id == edition.id, RenderingRow.variant == "all")
    with desk.site.services.database.reading() as session:
        assert seen.headers["x-rendering-sha256"] == session.scalars(frozen).one()
        numbers = stats.numbers(session, editions.find(session, desk.week))
    assert (22, True) == (numbers.accepted, numbers.adds_up)
    assert desk.stub.twice() == {}


def without_her_keys(desk: Desk, html: str) -> str:
    """With links that do nothing: an editor sees what a reader gets, but not the keys to their subscription."""
    links = desk.site.services.links
    for urls in (links.unsubscribe_urls, links.preferences_urls):
        hers, sample = urls([desk.eve.link_id, SAMPLE_LINK])
        html = html.replace(hers, sample)
    return html


def it_becomes_its_report(desk: Desk) -> None:
    """And readers find it in the archive."""
    desk.page.goto(desk.address)
    expect(desk.page.get_by_text("accepted").first).to_be_visible()
    desk.page.goto(f"{desk.site.address}/archive/{desk.week}")
    expect(desk.page.get_by_text(HEADLINE).first).to_be_visible()
