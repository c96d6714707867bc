"""Editions on their way as staff have them on screen: moving by themselves, with a keyboard, without a script."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy.orm import Session

from digest import editions, pauses, sending
from digest.bootstrap import Services
from digest.models import (
    Batch,
    BatchState,
    Delivery,
    Edition,
    EditionState,
    FencedAttempt,
    LeftOut,
    Pause,
    Role,
)
from digest.sendgrid_send import SendGrid
from digest.submitting import Submitter
from tests import make
from tests.browser.sites import Site, served
from tests.sendgrid_stub import KEY, running_stub

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LONG = "Extraordinarily" + "long" * 60
SIZE = 30
ACCEPTED, REFUSED, UNCERTAIN, SUBMITTING = (
    BatchState.ACCEPTED,
    BatchState.REFUSED,
    BatchState.UNCERTAIN,
    BatchState.SUBMITTING,
)


def now() -> datetime:
    return datetime.now(UTC)


# — editions in every state —


def an_edition(session: Session, week: str, *states: BatchState, subject: str = "Plumb sweeps the panel") -> Edition:
    """One that was prepared and is being sent, with a batch in each of these states; others wait."""
    then = now() - timedelta(minutes=12)
    last = session.scalar(sa.select(sa.func.coalesce(sa.func.max(Delivery.id), 0))) or 0
    edition = Edition(
        week=week,
        state=EditionState.SENDING,
        window_start=then,
        window_end=then,
        planned_at=then,
        send_at=then,
        rules={},
        subject=subject,
        created_at=then,
        prepared_at=then,
        begun_at=then,
        candidates=len(states) * SIZE + 7,
    )
    session.add(edition)
    session.flush()
    session.add(LeftOut(edition_id=edition.id, reason="paused until 2026-12-13", count=7))
    editions.log(session, edition, by="the clock", what="approved → sending", why="prepared", now=then)
    for number, state in enumerate(states):
        first = last + number * SIZE + 1
        batch = Batch(
            edition_id=edition.id,
            variant="t-3f2a9c01-text" if number % 3 else "all",
            first_delivery=first,
            last_delivery=first + SIZE - 1,
            state=state,
            attempt=1,
        )
        batch.called_at = batch.accepted_at = now() if state is not BatchState.PENDING else None
        batch.owner, batch.body_sha256 = "mill-1/4711/9f0c22aa.5d01b7e2", "c0de" * 16
        batch.why = f"The answer did not come in time. {LONG}" if state in (UNCERTAIN, REFUSED) else None
        session.add(batch)
        for delivery in range(first, first + SIZE):
            session.add(Delivery(id=delivery, edition_id=edition.id, subscriber_id=delivery, variant=batch.variant))
    session.flush()
    return edition


def fill(session: Session) -> None:
    pending = BatchState.PENDING
    an_edition(session, "2026-W41", ACCEPTED, ACCEPTED, SUBMITTING, pending, pending, UNCERTAIN, REFUSED, subject=LONG)
    session.execute(sa.update(Delivery).where(Delivery.id < 4).values(withheld_because="unsubscribed meanwhile"))
    session.execute(sa.update(Delivery).where(Delivery.id == 5).values(refused_because=f"550 {LONG}"))
    wave = an_edition(session, "2026-W42", ACCEPTED, pending, pending, pending)
    wave.wave_until = now() + timedelta(minutes=11)
    session.execute(sa.update(Batch).where(Batch.edition_id == wave.id, Batch.state == pending).values(wave=2))
    halted = an_edition(session, "2026-W43", ACCEPTED, pending, UNCERTAIN, UNCERTAIN)
    editions.hold(session, halted, why="2 batches are uncertain; settle them, then resume.", by="the sender", now=now())
    first, _ = session.scalars(sa.select(Batch).where(Batch.edition_id == halted.id, Batch.state == UNCERTAIN)).all()
    session.add(FencedAttempt(batch_id=first.id, attempt=1, provider_batch_id="NmIxZjhkYzU" * 4, send_at=now()))
    sent = an_edition(session, "2026-W44", ACCEPTED, ACCEPTED)
    editions.advance(session, sent, EditionState.SENT, by="the sender", now=now())
    session.execute(sa.update(Delivery).where(Delivery.edition_id == sent.id).values(delivered_at=now()))
    gap = an_edition(session, "2026-W45", ACCEPTED, ACCEPTED)
    editions.advance(session, gap, EditionState.SENT, by="the sender", now=now())
    session.execute(sa.delete(Delivery).where(Delivery.id == sa.select(sa.func.max(Delivery.id)).scalar_subquery()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    """An edition in each state, with endless subjects and reasons."""
    with served(tmp_path_factory.mktemp("sending"), _migrated_sqlite) as found:
        with found.services.database.writing() as session:
            fill(session)
        yield found


def sign_in(site: Site, context: BrowserContext) -> None:
    site.sign_in(context, "otto@example.com", Role.OPERATOR)


@contextmanager
def opened(site: Site, chromium: Browser, *, scripts: bool = True) -> Iterator[Page]:
    """A page with Otto signed in."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, java_script_enabled=scripts)
    sign_in(site, context)
    found = context.new_page()
    found.set_default_timeout(20_000)
    yield found
    context.close()


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    with opened(site, chromium) as found:
        yield found


@pytest.fixture
def small(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Site]:
    """A site of its own, with one edition ready to be sent to forty readers in twenty batches."""
    with served(tmp_path, _migrated_sqlite, DIGEST_BATCH_SIZE="2", DIGEST_SEND_CONCURRENCY="1", **SENDER) as found:
        yield found


SENDER = {
    "DIGEST_FROM_EMAIL": "verdicts@example.com",
    "DIGEST_FROM_NAME": "Weekly AI Tool Verdicts",
    "DIGEST_REPLY_TO": "editor@example.com",
}


# — for everybody —


def listed(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/sending")


def of_week(week: str) -> Callable[[Site, Page], None]:
    def show(site: Site, page: Page) -> None:
        page.goto(f"{site.address}/sending/{week}")
        page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")

    return show


def killed(site: Site, page: Page) -> None:
    with site.services.database.writing() as session:
        pauses.limit_rate(session, because=LONG, until=now() + timedelta(minutes=5), now=now())
        pauses.kill(session, because=LONG, by="staff 1", now=now())
    of_week("2026-W41")(site, page)
    page.get_by_text("The kill switch is on").wait_for()
    with site.services.database.writing() as session:
        session.execute(sa.delete(Pause))


def stop(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/sending/2026-W43/stop")


def again(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/sending/2026-W43")
    page.get_by_role("link", name="It does not, hand over again").first.click()


def refused(site: Site, page: Page) -> None:
    again(site, page)
    page.locator("form [required]").evaluate_all("all => all.forEach(each => each.required = false)")
    page.get_by_role("button", name="Hand it over again").click()
    page.get_by_role("alert").wait_for()


SHOWN = {
    "list": listed,
    "midway": of_week("2026-W41"),
    "first wave": of_week("2026-W42"),
    "halted": of_week("2026-W43"),
    "sent": of_week("2026-W44"),
    "gap": of_week("2026-W45"),
    "killed": killed,
    "stop": stop,
    "again": again,
    "refused": refused,
}
TARGETS = """[...document.querySelectorAll('main a, main button, main summary, main label.pick')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""
SIZES = """[...document.querySelectorAll('main *')]
    .filter(it => it.checkVisibility() && it.innerText && !it.closest('svg'))
    .map(it => parseFloat(getComputedStyle(it).fontSize))"""


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_for_everybody(site: Site, page: Page, name: str) -> None:
    """Axe finds nothing serious in light or dark; nothing scrolls the page sideways or is too small to read or hit;
    nothing breaks the page's own security policy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    SHOWN[name](site, page)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page).response["violations"]
        grave = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert [] == [(scheme, each["id"], each["nodes"][0]["html"]) for each in grave]
    for width in (1280, 600, 375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert width == page.evaluate("document.documentElement.scrollWidth")
        assert [] == page.evaluate(TARGETS)
        assert 16 <= min(page.evaluate(SIZES))
    assert [] == [message for message in said if "422" not in message]


def test_without_colours_the_parts_are_told_apart(site: Site, page: Page) -> None:
    """Each part of the bar has a pattern of its own and stands in words beneath, with the same pattern beside it."""
    of_week("2026-W41")(site, page)
    kinds = page.locator("#live > svg.bar > rect").evaluate_all("all => all.map(each => each.classList[0])")
    words = page.locator(".legend dt").all_inner_texts()

    assert sorted(["solid", "hatched", "empty", "dotted", "lined", "crossed"]) == sorted(kinds)
    assert ["Accepted", "In flight", "Waiting", "Uncertain", "Withheld", "Refused"] == words
    assert kinds == page.locator(".legend svg > rect").evaluate_all("all => all.map(each => each.classList[0])")


def test_an_edition_is_held_by_keyboard_alone(site: Site, page: Page) -> None:
    """Tab to the button, open it, say why, press enter; one always sees where one is."""
    page.goto(f"{site.address}/sending/2026-W42")
    for _ in range(40):
        page.keyboard.press("Tab")
        assert "solid" == page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        if page.evaluate("document.activeElement.textContent") == "Hold":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("the sender name is wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Held.")).to_be_visible()
    assert "halted" == page.locator("#live .badge").inner_text()
    assert "The sender name is wrong" in page.locator("#live").inner_text()


# — while it moves —


def running(site: Site, url: str) -> Services:
    """The site's program with SendGrid's stand-in as its way out, an edition prepared for forty readers."""
    services = replace(site.services, transport=SendGrid(KEY, host=url, connect=2, send=2, read=5))
    make.approved(services, readers=40)
    sending.prepare(services, make.WEEK, by="the clock", now=make.SEND)
    return services


@contextmanager
def handing_over(services: Services) -> Iterator[threading.Event]:
    """The clock's work in a thread of its own, until it is done or told to stop."""
    end = threading.Event()
    thread = threading.Thread(target=Submitter(services, clock=now, stop=end).run)
    thread.start()
    try:
        yield end
    finally:
        end.set()
        thread.join(timeout=30)
        services.transport.close()


def accepted(page: Page) -> int:
    return int(page.locator(".legend dd").first.inner_text().split()[0].replace(",", ""))


def test_progress_moves_by_itself(small: Site, chromium: Browser) -> None:
    """Each batch takes its time; the numbers rise without a reload, the end is seen and said once, the sums follow,
    and then nothing is asked any more."""
    with running_stub() as stub, opened(small, chromium) as page:
        services = running(small, stub.url)
        stub.faults(chances={"slow:0.4": 1.0}, seed=1)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{small.address}/sending/{make.WEEK}")
        page.evaluate("window.sameAsBefore = true")
        seen = {accepted(page)}
        with handing_over(services):
            deadline = time.monotonic() + 60
            while page.locator("#live").get_attribute("data-state") != "sent" and time.monotonic() < deadline:
                seen.add(accepted(page))
                page.wait_for_timeout(200)
            expect(page.locator("#spoken")).to_contain_text("is sent. All of 40 deliveries accepted.")
        expect(page.locator(".equation").nth(1)).to_contain_text(re.compile(r"40\s*accepted"))
        expect(page.locator("#possible")).not_to_contain_text("Hold …")

        assert len([count for count in seen if 0 < count < 40]) >= 2, seen
        assert page.evaluate("window.sameAsBefore")
        assert "sent" in page.title()
        before = len(asked)
        page.wait_for_timeout(2_600)
        assert before == len(asked)
        assert {40} == {stub.state()["recipients"]}


def test_what_somebody_writes_is_left_alone(small: Site, chromium: Browser) -> None:
    """A half-written reason stays while the numbers move; when the state has changed, the page says so."""
    with running_stub() as stub, opened(small, chromium) as page:
        services = running(small, stub.url)
        stub.faults(chances={"slow:0.4": 1.0}, seed=1)
        page.goto(f"{small.address}/sending/{make.WEEK}")
        page.locator("summary", has_text="Hold").click()
        page.locator("#hold-reason").fill("half a rea")
        with handing_over(services):
            expect(page.locator("#live")).to_have_attribute("data-state", "sent", timeout=60_000)
        expect(page.locator("#moved")).to_be_visible()

        assert "half a rea" == page.locator("#hold-reason").input_value()
        page.get_by_role("button", name=f"Hold {make.WEEK}").click()
        expect(page.get_by_role("alert").filter(has_text=f"Edition {make.WEEK} is sent")).to_be_visible()


def test_whoever_is_signed_out_meanwhile_is_led_to_the_door(small: Site, chromium: Browser) -> None:
    """Looking again is asking again."""
    with running_stub() as stub, opened(small, chromium) as page:
        services = running(small, stub.url)
        page.goto(f"{small.address}/sending/{make.WEEK}")
        page.context.clear_cookies()
        page.wait_for_url(re.compile(rf"/sign-in\?next=/sending/{make.WEEK}$"))
        services.transport.close()


def test_without_a_script_it_all_works(small: Site, chromium: Browser) -> None:
    """Look again by the link; hold, settle both ways, resume, and see it out."""
    with running_stub() as stub, opened(small, chromium, scripts=False) as page:
        services = running(small, stub.url)
        stub.faults("accept-cut", "cut")
        page.goto(f"{small.address}/sending/latest")
        with handing_over(services) as end:
            while not stub.state()["mail_requests"]:
                time.sleep(0.02)
            end.wait(10)
        page.get_by_role("link", name="Look again").click()
        expect(page.get_by_role("heading", name="2 uncertain batches, 4 readers")).to_be_visible()
        assert "halted" == page.locator("#live .badge").inner_text()

        page.get_by_text("The provider has it: batch 1").click()
        page.locator("#accepted-1-reason").fill("its log has the call")
        page.get_by_role("button", name="Settle batch 1 as accepted").click()
        expect(page.get_by_role("heading", name="1 uncertain batch, 2 readers")).to_be_visible()
        page.get_by_role("link", name=re.compile(r"hand over again\s*: batch 2")).click()
        page.get_by_label("Reason").fill("its log has no such call")
        page.get_by_label("Yes, I know").check()
        page.get_by_role("button", name="Hand it over again").click()
        page.locator("summary", has_text="Resume").click()
        page.locator("#resume-reason").fill("all is settled")
        page.get_by_role("button", name=f"Resume {make.WEEK}").click()
        services = replace(services, transport=SendGrid(KEY, host=stub.url, connect=2, send=2, read=5))
        with handing_over(services) as end:
            end.wait(5)
        page.get_by_role("link", name="Look again").click()

        expect(page.locator("#live .badge")).to_have_text("sent")
        assert {} == stub.twice()
        assert 40 == stub.distinct()
