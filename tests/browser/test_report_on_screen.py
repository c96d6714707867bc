"""The report of an edition, and a correction on its page in the archive, as somebody has them on screen."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from digest import corrections, editions, sending
from digest.models import Batch, BatchState, Delivery, Edition, EditionState, Role
from digest.staff import add_staff
from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

BEFORE = "2026-W46"
READERS = 3000
LONG = "x" * 300


def _went_out(site: Site, week: str, begun: datetime, chance: random.Random) -> None:
    """An edition to some thousand readers, and what was told of it in the days after."""

    def after(low: float, high: float) -> datetime:
        return begun + timedelta(seconds=chance.triangular(low, high, low))

    with site.services.database.writing() as session:
        edition = session.scalars(sa.select(Edition).where(Edition.week == week)).one_or_none()
        if edition is None:
            edition = Edition(
                week=week, window_start=begun, window_end=begun, planned_at=begun, rules={}, created_at=begun
            )
            session.add(edition)
        edition.state, edition.subject = EditionState.SENT, f"Plumb sweeps the panel 4–0; {LONG[:40]} splits it"
        edition.send_at = edition.prepared_at = edition.begun_at = begun
        edition.candidates = READERS
        session.flush()
        first = (session.scalar(sa.select(sa.func.max(Delivery.id))) or 0) + 1
        for number, variant in enumerate(("all", "all-text", "t-3f2a9c01")):
            start = first + number * 1000
            accepted = begun + timedelta(minutes=40 * number)
            session.add(
                Batch(
                    edition_id=edition.id,
                    variant=variant,
                    first_delivery=start,
                    last_delivery=start + 999,
                    state=BatchState.ACCEPTED,
                    attempt=1,
                    called_at=accepted,
                    accepted_at=accepted,
                )
            )
        for number in range(READERS):
            delivery = Delivery(id=first + number, edition_id=edition.id, subscriber_id=number + 1, variant="all")
            if chance.random() < 0.02:
                delivery.bounced_at = after(600, 30_000)
                delivery.hard_bounced_at = delivery.bounced_at if chance.random() < 0.6 else None
            elif chance.random() < 0.985:
                delivery.delivered_at = after(60, 60_000)
                delivery.unsubscribed_at = after(3_600, 900_000) if chance.random() < 0.01 else None
                delivery.complained_at = after(3_600, 500_000) if chance.random() < 0.002 else None
            session.add(delivery)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    chance = random.Random(47)
    now = datetime.now(UTC)
    with served(tmp_path_factory.mktemp("report"), _migrated_sqlite) as found:
        _went_out(found, BEFORE, now - timedelta(days=11), chance)
        make.approved(found.services, readers=1)
        sending.send_now(
            found.services,
            make.WEEK,
            by="test",
            clock=lambda: datetime.now(UTC),
            now=make.SEND,
            skip_undo=True,
            stop=threading.Event(),
        )
        with found.services.database.writing() as session:
            this = editions.find(session, make.WEEK)
            session.execute(sa.delete(Batch).where(Batch.edition_id == this.id))
            session.execute(sa.delete(Delivery).where(Delivery.edition_id == this.id))
        _went_out(found, make.WEEK, now - timedelta(days=4), chance)
        with found.services.database.writing() as session:
            add_staff(session, "edda@example.com", Role.EDITOR, now=now)
            edition = editions.find(session, make.WEEK)
            for days, words in (
                (2, "Birch costs $9 a week, not $9 a month."),
                (1, f"The Skeptic scored it 70, not 7. {LONG}"),
            ):
                at = now - timedelta(days=days)
                corrections.add(session, edition, words=words, by="edda@example.com", now=at)
        yield found


@pytest.fixture
def context(site: Site, chromium: Browser) -> Iterator[BrowserContext]:
    found = chromium.new_context()
    site.sign_in(found, "edda@example.com")
    yield found
    found.close()


def opened(context: BrowserContext, address: str, width: int, scheme: str) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    return page


@pytest.mark.parametrize("path", [f"/desk/{make.WEEK}", f"/archive/{make.WEEK}"])
def test_nothing_serious_stands_in_anybodys_way(site: Site, context: BrowserContext, path: str) -> None:
    """By the accessibility checker, in light and dark, wide and narrow; nobody scrolls sideways."""
    for width, scheme in ((1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")):
        page = opened(context, site.address + path, width, scheme)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        found = Axe().run(page).response["violations"]
        grave = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
        assert not [(width, scheme, each["id"], each["nodes"][0]["html"]) for each in grave]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.close()


def test_an_editor_publishes_a_correction_with_the_keyboard(site: Site, context: BrowserContext) -> None:
    """From the report to the top of the page in the archive; without a script."""
    page = opened(context, f"{site.address}/desk/{make.WEEK}", 1280, "light")
    page.get_by_label(f"A note on {make.WEEK}").focus()
    page.keyboard.type("Alder is free for students.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Published")
    page.get_by_role("link", name="Its page in the archive").click()
    note = page.get_by_text("Alder is free for students.")
    expect(note).to_be_visible()
    top = note.bounding_box()
    assert top is not None
    assert top["y"] < 200
