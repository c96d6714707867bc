"""One edition a week: windows that tile time, weeks missed and skipped said so, and two clocks making one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from database import Database
from digest import drafting, editions, jobs
from digest.bootstrap import Services
from digest.models import Considered, Edition, EditionState, Entry, Letter
from digest.weeks import Week
from tests import make
from tests.digest.drafts import (
    DAY,
    W47,
    W48,
    W49,
    WEEKLY,
    drafted,
    editions_there,
    entered,
    moved,
    seen,
    slugs,
    windows,
)
from tests.make import CUTOFF, WEEK

# — windows —


def test_windows_tile_time(services: Services) -> None:
    """Each starts where the last one ended: drafted early, on time, and after an early one."""
    early = CUTOFF - DAY
    seen(services, early - DAY)
    drafted(services, W47, now=early)
    between = seen(services, early + timedelta(hours=1))
    drafted(services, W48, now=CUTOFF + WEEKLY)

    assert windows(services) == [(WEEK, CUTOFF - WEEKLY, early), (str(W48), early, CUTOFF + WEEKLY)]
    assert entered(services, W48) == slugs(between)


def test_weeks_that_were_missed_are_skipped(services: Services) -> None:
    """Three weeks down: two skipped with that reason, and the latest takes the whole gap."""
    seen(services, CUTOFF - DAY)
    drafted(services)
    pages = [*seen(services, CUTOFF + DAY), *seen(services, CUTOFF + WEEKLY + DAY)]
    latest, now = Week.parse("2026-W50"), CUTOFF + 3 * WEEKLY + DAY
    with services.database.writing() as session:
        assert drafting.skip_missed(session, latest, services.settings, now=now) == [W48, W49]
        drafting.draft(session, latest, services.settings, by="test", now=now)
        why = {edition.week: edition.why for edition in session.scalars(sa.select(Edition))}

    assert windows(services)[1:] == [
        ("2026-W48", CUTOFF, CUTOFF),
        ("2026-W49", CUTOFF, CUTOFF),
        ("2026-W50", CUTOFF, CUTOFF + 3 * WEEKLY),
    ]
    assert entered(services, latest) == slugs(pages)
    assert "the program was not running" in (why["2026-W48"] or "")
    assert "2026-W50" in (why["2026-W49"] or "")


def test_a_new_newsletter_has_missed_nothing(services: Services) -> None:
    """No edition yet: no week is skipped."""
    with services.database.writing() as session:
        assert drafting.skip_missed(session, W47, services.settings, now=CUTOFF) == []
        assert editions_there(session) == []


# — once —


def test_a_second_draft_changes_nothing(services: Services) -> None:
    """Whatever came meanwhile, and whatever state the edition is in."""
    seen(services, CUTOFF - DAY)
    first = drafted(services)
    seen(services, CUTOFF - DAY)
    moved(services, W47, EditionState.APPROVED)
    second = drafted(services, now=CUTOFF + DAY)

    assert (second.made, second.edition.id, second.edition.state) == (False, first.edition.id, EditionState.APPROVED)
    assert len(entered(services)) == 1


def test_two_clocks_at_once_make_one_edition(services: Services) -> None:
    """Four processes draft the same week at the same moment: one made it, the others found it."""
    seen(services, CUTOFF - DAY)
    made: list[bool] = []
    ready = threading.Barrier(4)

    def work() -> None:
        own = Database(services.database.url.render_as_string(hide_password=False))
        ready.wait(timeout=30)
        with own.writing() as session:
            made.append(drafting.draft(session, W47, services.settings, by="test", now=CUTOFF).made)
        own.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [False, False, False, True]
    with services.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Entry)) == 1


# — too few, too early —


def test_too_few_before_the_cut_off_leave_no_row(services: Services) -> None:
    """There is time for more: an error that says when, and nothing is stored."""
    services = make.with_settings(services, digest_min_entries=2)
    seen(services, CUTOFF - 2 * DAY)
    with pytest.raises(drafting.TooFewYet, match="cut off Thursday 19 November 2026 at 18:00"):
        drafted(services, now=CUTOFF - DAY)

    with services.database.reading() as session:
        assert editions_there(session) == []


def test_too_few_at_the_cut_off_skip_the_week(services: Services) -> None:
    """With a reason that counts, everything weighed, and what came too late for it; then it carries over."""
    services = make.with_settings(services, digest_min_entries=2)
    one = seen(services, CUTOFF - DAY)
    late = seen(services, CUTOFF + timedelta(hours=1))
    edition = drafted(services, now=CUTOFF + timedelta(hours=2)).edition

    assert edition.state is EditionState.SKIPPED
    assert edition.why == (
        "Only one comparison stood, and an edition needs at least two. 1 comparison was first seen after the window "
        "ended (2026-11-19 18:00 UTC) and can stand for 2026-W48."
    )
    with services.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Considered)) == 1
        assert editions.entries_of(session, editions.find(session, WEEK)) == []
    drafted(services, W48, now=CUTOFF + WEEKLY)
    assert entered(services, W48) == slugs([*one, *late])


def test_a_skipped_week_is_never_silent(services: Services) -> None:
    """The clock tells staff, with the reason, once."""
    with services.database.writing() as session:
        make.staff(session)
    services = make.with_settings(services, digest_min_entries=2)
    seen(services, CUTOFF - DAY)
    shift = jobs.Shift(clock=lambda: CUTOFF, stop=threading.Event())

    assert jobs.draft(services, shift) == "2026-W47 made as skipped"
    assert jobs.draft(services, shift) == ""
    with services.database.reading() as session:
        (notice,) = session.scalars(sa.select(Letter).where(Letter.kind == "skipped"))
    assert "an edition needs at least two" in notice.context["why"]


def test_a_week_far_ahead_is_too_early(services: Services) -> None:
    """Only the next one to be cut off can be drafted; the error names it."""
    seen(services, CUTOFF - DAY)
    with pytest.raises(drafting.TooEarly, match=r"2026-W48 lies too far ahead; the next one .* is 2026-W47"):
        drafted(services, W48, now=CUTOFF - timedelta(hours=1))

    with services.database.reading() as session:
        assert editions_there(session) == []


def test_nothing_to_write_about_yet(services: Services) -> None:
    """A newsletter that has seen no page is not wanted by the clock; one page seen by the cut-off changes that."""

    def wanted() -> bool:
        with services.database.reading() as session:
            return drafting.is_wanted(session, W47, services.settings)

    assert not wanted()
    seen(services, CUTOFF + DAY)
    assert not wanted()
    seen(services, CUTOFF)
    assert wanted()
    drafted(services)
    assert not wanted()


@pytest.mark.parametrize(
    ("now", "week"),
    [(CUTOFF - DAY, W47), (CUTOFF, W47), (CUTOFF + DAY, W47), (CUTOFF + WEEKLY, W48)],
    ids=["before", "at the cut-off", "after", "a week later"],
)
def test_which_week_a_draft_made_now_is_for(services: Services, now: datetime, week: Week) -> None:
    """The week just cut off while it has no edition, else the one cut off next."""
    seen(services, CUTOFF - 2 * DAY)
    with services.database.writing() as session:
        assert drafting.week_to_draft(session, services.settings, now=now) == week
        drafting.draft(session, week, services.settings, by="test", now=now)
        assert drafting.week_to_draft(session, services.settings, now=max(now, CUTOFF)) == max(week.next, W48)


def test_the_newsletter_s_zone_decides(services: Services) -> None:
    """18:00 in Auckland is early in the morning in UTC, and the week is named by the day there."""
    services = make.with_settings(services, digest_timezone=ZoneInfo("Pacific/Auckland"))
    seen(services, CUTOFF - 3 * DAY)
    edition = drafted(services).edition

    assert edition.window_end == datetime(2026, 11, 19, 5, tzinfo=UTC)
    assert edition.send_at == datetime(2026, 11, 19, 20, tzinfo=UTC)
