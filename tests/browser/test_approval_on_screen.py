"""Approving as an editor does it: a hasty double click, a countdown, second thoughts, and coming too late."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from digest import approving, drafting, editing, editions, sending, weeks
from digest.models import AuditLine, Edition, EditionState, Role
from digest.staff import add_staff
from digest.weeks import Week, WeekTime
from subscribers.models import Rhythm
from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
FIRST = Week.parse("2026-W30")
EARLIER = str(FIRST)
_weeks = itertools.accumulate(itertools.repeat(FIRST.next), lambda week, _: week.next)


def now() -> datetime:
    return datetime.now(UTC)


def fill(site: Site) -> None:
    """Readers of every kind, and an edition that fifty of them got."""
    with site.services.database.writing() as session:
        for number in range(50):
            make.subscriber(
                session,
                f"early{number}@example.com",
                topics=("", "Health", "Gaming\nHealth", "Poetry")[number % 4],
                plain_text=number % 5 == 0,
                rhythm=Rhythm.MONTHLY if number % 7 == 0 else Rhythm.WEEKLY,
            )
    draft(site, FIRST, leaves=now() - timedelta(hours=1))
    approving.approve(site.services, EARLIER, by="edda", send_at=now(), seen_hash=None, now=now() - timedelta(hours=2))
    sending.send_now(site.services, EARLIER, by="test", clock=now, now=now(), skip_undo=True, stop=threading.Event())
    with site.services.database.writing() as session:
        make.audience(session, 110)
        for number in range(9):
            paused = now() + timedelta(days=20 + number)
            make.subscriber(session, f"paused{number}@example.com", paused_until=paused)
        for email in ("edda@example.com", "a-colleague-with-quite-a-long-name@editorial.example.com"):
            add_staff(session, email, Role.EDITOR, now=now())


def draft(site: Site, week: Week, *, leaves: datetime) -> str:
    """A draft of three entries in three categories that is planned for then."""
    at = weeks.cutoff(week, WeekTime.parse("thu 18:00"), UTC)
    with site.services.database.writing() as session:
        facts = [
            make.comparison(
                make.tool(f"{category} {week} one", category=category),
                make.tool(f"{category} {week} two", category=category),
            )
            for category in ("Health", "Gaming", "Developer Tools")
        ]
        make.taken_in(session, *facts, now=at - timedelta(days=1))
        edition = drafting.draft(session, week, site.services.settings, by="test", now=at).edition
        edition.send_at = edition.planned_at = leaves
    return str(week)


def a_draft(site: Site, *, leaves: timedelta = timedelta(hours=15)) -> str:
    return draft(site, next(_weeks), leaves=now() + leaves)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("approval"), _migrated_sqlite, DIGEST_TIMEZONE="Europe/Berlin") as found:
        fill(found)
        yield found


@contextmanager
def opened(site: Site, chromium: Browser, *, scripts: bool = True) -> Iterator[Page]:
    """A page with Edda signed in."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=scripts)
    site.sign_in(context, "edda@example.com")
    found = context.new_page()
    found.set_default_timeout(20_000)
    yield found
    context.close()


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    with opened(site, chromium) as found:
        yield found


def edition(site: Site, week: str) -> Edition:
    with site.services.database.reading() as session:
        return editions.find(session, week)


def approvals(site: Site, week: str) -> int:
    with site.services.database.reading() as session:
        lines = sa.select(sa.func.count()).where(AuditLine.about == week, AuditLine.what == "edition approved")
        return session.scalar(lines) or 0


def approve(page: Page, site: Site, week: str) -> None:
    page.goto(f"{site.address}/desk/{week}/approval")
    page.get_by_label(re.compile("Yes, this is right")).check()
    page.get_by_role("button", name=re.compile("Approve for")).click()
    page.get_by_text("Approved. Nothing has left yet").wait_for()


@pytest.mark.parametrize("scripts", [True, False], ids=["with script", "without"])
def test_a_double_click_approves_once(site: Site, chromium: Browser, scripts: bool) -> None:
    """Two quick clicks on the button, as mice give them: one approval, and no error in anybody's face."""
    week = a_draft(site)
    with opened(site, chromium, scripts=scripts) as page:
        page.goto(f"{site.address}/desk/{week}/approval")
        page.get_by_label(re.compile("Yes, this is right")).check()
        page.get_by_role("button", name=re.compile("Approve for")).dblclick(no_wait_after=True)
        page.get_by_role("status").filter(has_text=re.compile("Approved|You had approved it already")).wait_for()
        expect(page.get_by_role("alert")).to_have_count(0)
    assert edition(site, week).state is EditionState.APPROVED
    assert approvals(site, week) == 1


def test_the_tick_is_asked_for(site: Site, page: Page) -> None:
    """The browser itself does not let the button go without the yes to numbers far from last time's."""
    week = a_draft(site)
    page.goto(f"{site.address}/desk/{week}/approval")
    expect(page.get_by_label(re.compile(f"169 candidates, after 50 in {EARLIER}"))).not_to_be_checked()
    page.get_by_role("button", name=re.compile("Approve for")).click()

    assert page.evaluate("document.querySelector('input[name=moved]').validity.valueMissing")
    assert edition(site, week).state is EditionState.DRAFT


def test_it_counts_down_and_can_be_taken_back(site: Site, page: Page) -> None:
    """The seconds go by on every page of the edition; the button there makes it a draft again."""
    week = a_draft(site, leaves=timedelta(minutes=3))
    approve(page, site, week)
    page.goto(f"{site.address}/desk/{week}")
    count = page.locator(".undo-count")
    expect(count).to_have_text(re.compile(r"^in (9:5\d|10:00)$"))
    before = count.inner_text()
    expect(count).not_to_have_text(before)
    page.get_by_role("button", name="Take it back").click()

    page.get_by_text("Taken back: it is a draft again").wait_for()
    expect(page.locator("#undo")).to_have_count(0)
    assert edition(site, week).state is EditionState.DRAFT
    page.get_by_role("button", name=re.compile("Approve for")).wait_for()


def test_an_approval_voided_meanwhile_is_said(site: Site, chromium: Browser) -> None:
    """Another browser takes it back: here nothing counts on, and nothing is left to press but to load again."""
    week = a_draft(site)
    with opened(site, chromium) as page, opened(site, chromium) as other:
        approve(page, site, week)
        for path in ("/preview", "/approval"):
            tab = page if path == "/approval" else page.context.new_page()
            tab.goto(f"{site.address}/desk/{week}{path}")
        other.goto(f"{site.address}/desk/{week}")
        for tab in page.context.pages:
            tab.evaluate("scrollTo(0, document.body.scrollHeight)")
        other.get_by_role("button", name="Take it back").click()
        other.get_by_text("Taken back: it is a draft again").wait_for()
        for tab in page.context.pages:
            said = tab.get_by_role("alert").filter(has_text="no longer approved")
            expect(said).to_be_in_viewport(timeout=15_000)
            expect(tab.locator(".undo-count")).to_be_hidden()
            expect(tab.get_by_role("button", name="Take it back")).to_be_hidden()
        page.get_by_role("link", name="Load the page again").click()
        page.get_by_role("button", name=re.compile("Approve for")).wait_for()


def test_what_changes_before_one_approves_is_said(site: Site, chromium: Browser) -> None:
    week = a_draft(site)
    with opened(site, chromium) as page:
        page.goto(f"{site.address}/desk/{week}/approval")
        database = site.services.database
        editing.write(database, week, "introduction", was="", words="Hello.", by="staff 9", now=now())
        expect(page.get_by_role("alert")).to_contain_text("Somebody has changed this edition", timeout=15_000)
        expect(page.get_by_role("button", name=re.compile("Approve for"))).to_be_disabled()
        page.get_by_role("link", name="Load the page again").click()
        expect(page.get_by_role("button", name=re.compile("Approve for"))).to_be_enabled()


def test_the_end_of_the_count_is_said(site: Site, page: Page) -> None:
    """At nought it says that its time has come, to who listens too, and counts no further."""
    week = a_draft(site)
    approve(page, site, week)
    with site.services.database.writing() as session:
        session.execute(
            sa.update(Edition)
            .where(Edition.week == week)
            .values(send_at=now() + timedelta(seconds=4), approved_at=now() - timedelta(hours=1))
        )
    page.goto(f"{site.address}/desk/{week}/approval")
    expect(page.locator(".undo-count")).to_have_text(re.compile("^in 0:0[1-4]$"))
    expect(page.locator("#undo [role=status]")).to_have_text(re.compile("its? time has come", re.IGNORECASE))
    expect(page.locator(".undo-leaves")).to_have_text("Its time has come: it leaves at the clock’s next look.")


def test_without_a_script_there_is_a_time(site: Site, chromium: Browser) -> None:
    week = a_draft(site)
    with opened(site, chromium, scripts=False) as page:
        approve(page, site, week)
        leaves = edition(site, week).send_at
        expect(page.locator(".undo-leaves time")).to_be_visible()
        shown = datetime.fromisoformat(page.locator(".undo-leaves time").get_attribute("datetime") or "")
        assert abs(shown - leaves) < timedelta(seconds=1)
        expect(page.locator(".undo-count")).to_be_hidden()
        page.get_by_role("button", name="Take it back").click()
        page.get_by_text("Taken back: it is a draft again").wait_for()


def test_a_late_approval_asks_for_a_time(site: Site, page: Page) -> None:
    """Nothing is chosen for anybody: the button wants to know, and the time given is the time it leaves."""
    week = a_draft(site, leaves=-timedelta(hours=1))
    page.goto(f"{site.address}/desk/{week}/approval")
    page.get_by_text("That has passed, so say when.").wait_for()
    expect(page.get_by_label(re.compile("As planned"))).to_have_count(0)
    expect(page.get_by_label(re.compile("^Now: when the undo window is over"))).not_to_be_checked()
    page.get_by_label(re.compile("Yes, this is right")).check()
    page.get_by_role("button", name=re.compile("Approve for")).click()
    assert page.evaluate("document.querySelector('input[name=when]').validity.valueMissing")
    assert edition(site, week).state is EditionState.DRAFT

    page.get_by_label("At another time").check()
    zone = site.services.settings.digest_timezone
    wanted = (now().astimezone(zone) + timedelta(days=1)).replace(second=0, microsecond=0, tzinfo=zone)
    page.get_by_label("Day and time in Europe/Berlin").fill(f"{wanted:%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name=re.compile("Approve for")).click()
    page.get_by_text("Approved. Nothing has left yet").wait_for()
    assert edition(site, week).send_at == wanted


def test_a_test_mail(site: Site, page: Page) -> None:
    """One press, to me: in the folder, marked, with the headers of the real one."""
    week = a_draft(site)
    page.goto(f"{site.address}/desk/{week}/approval")
    page.get_by_role("button", name="Send the test").click()
    page.get_by_text("The test was accepted.").wait_for()

    mail = site.mailbox("edda@example.com")[-1]
    assert mail["Subject"] == f"[TEST] {edition(site, week).subject}"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def blocked(site: Site) -> str:
    week = a_draft(site)
    with site.services.database.writing() as session:
        editions.find(session, week).subject = "x"
    return week


def approved(site: Site) -> str:
    week = a_draft(site)
    approving.approve(site.services, week, by="staff 1", send_at=now(), seen_hash=None, now=now())
    return week


def skipped(site: Site) -> str:
    week = a_draft(site)
    with site.services.database.writing() as session:
        editions.skip(session, editions.find(session, week), why="a holiday " * 40, by="staff 1", now=now())
    return week


SHOWN: dict[str, Callable[[Site], str]] = {
    "draft": a_draft,
    "late": lambda site: a_draft(site, leaves=-timedelta(hours=1)),
    "blocked": blocked,
    "approved": approved,
    "skipped": skipped,
    "sent": lambda site: EARLIER,  # noqa: ARG005
}
TARGETS = """[...document.querySelectorAll('main a, main button, main summary, main label.pick, main select')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_for_everybody(site: Site, page: Page, name: str) -> None:
    """Axe finds nothing serious in light or dark, wide or narrow; nothing scrolls sideways or is too small to hit;
    nothing breaks the page's own security policy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(f"{site.address}/desk/{SHOWN[name](site)}/approval")
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    page.locator("input[value=at]").evaluate_all("all => all.forEach(each => each.checked = true)")
    for scheme, width in itertools.product(SCHEMES, (1280, 375)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page).response["violations"]
        grave = [each for each in found if each["impact"] in {"serious", "critical"}]
        assert [] == [(scheme, width, each["id"], each["nodes"][0]["html"]) for each in grave]
    for width in (1280, 600, 375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert width == page.evaluate("document.documentElement.scrollWidth")
        assert [] == page.evaluate(TARGETS)
    assert [] == said
