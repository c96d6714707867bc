"""What became of an edition: the same numbers as the ledger's, by variant and over time, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from digest import edition_reports, editions
from digest.bootstrap import Services
from digest.edition_reports import DAILY, HOURLY, Report
from digest.models import Batch, Delivery
from tests import make
from tests.make_events import sent
from tests.make_outcomes import stamp

BEGUN = make.SEND
HOUR, HOURS = HOURLY.width, HOURLY.most
DAY, DAYS = DAILY.width, DAILY.most
NOW = BEGUN + timedelta(days=30)


def report(services: Services, now: datetime = NOW, week: str = make.WEEK) -> Report:
    with services.database.reading() as session:
        return edition_reports.report(session, editions.find(session, week), now=now)


def change(services: Services, statement: sa.Update) -> None:
    with services.database.writing() as session:
        session.execute(statement, execution_options={"synchronize_session": False})


@pytest.fixture
def ids(services: Services) -> list[int]:
    """Thirty deliveries, all accepted within the first hour."""
    return [reader.delivery for reader in sent(services, readers=30)]


def test_its_sums_are_those_of_the_ledger(services: Services, ids: list[int]) -> None:
    """Whatever else is told of a delivery: by variant and over time it is where `stats` has it."""
    stamp(services, "delivered_at", deliveries=ids[:20], at=BEGUN + HOUR)
    stamp(services, "opened_at", deliveries=ids[20:21], at=BEGUN + 2 * HOUR)
    stamp(services, "bounced_at", "hard_bounced_at", deliveries=ids[18:24], at=BEGUN + 3 * HOUR)
    stamp(services, "dropped_at", deliveries=ids[23:25], at=BEGUN)
    stamp(services, "complained_at", deliveries=[ids[0], ids[25]], at=BEGUN + 2 * DAY)
    stamp(services, "unsubscribed_at", deliveries=ids[:3], at=BEGUN + 3 * DAY)
    change(services, sa.update(Delivery).where(Delivery.id == ids[26]).values(withheld_because="left meanwhile"))
    change(services, sa.update(Batch).where(Batch.last_delivery == ids[29]).values(variant="all-text"))

    found = report(services)

    numbers = found.numbers
    for kind in ("delivered", "bounced", "complained", "unsubscribed", "accepted"):
        of_all = getattr(numbers, kind)
        assert sum(getattr(variant, kind) for variant in found.variants) == of_all
        course = found.leaving if kind in found.leaving.kinds else found.arriving
        assert (course.total(kind), of_all > 0) == (of_all, True)
    assert [(each.key, each.deliveries) for each in found.variants] == [("all", 20), ("all-text", 10)]
    assert numbers.adds_up


def test_each_hour_and_day_has_its_own(services: Services, ids: list[int]) -> None:
    """An hour ends where the next begins; what came before the hand-over by a wrong clock is in the first."""
    times = (-HOUR, timedelta(0), HOUR - timedelta(seconds=1), HOUR, (HOURS - 1) * HOUR, HOURS * HOUR, 9 * DAY)
    for number, after in enumerate(times):
        stamp(services, "delivered_at", deliveries=[ids[number]], at=BEGUN + after)
        stamp(services, "unsubscribed_at", deliveries=[ids[number]], at=BEGUN + after * 24)

    found = report(services)

    hours = [span.counts["delivered"] for span in found.arriving.spans]
    assert (hours[0], hours[1], hours[-1], sum(hours)) == (3, 1, 1, 5)
    assert (len(hours), found.arriving.later["delivered"]) == (HOURS, 2)
    days = [span.counts["unsubscribed"] for span in found.leaving.spans]
    assert (days[0], days[1], len(days), found.leaving.later["unsubscribed"]) == (3, 1, DAYS, 3)
    assert found.arriving.spans[1].starts == BEGUN + HOUR


@pytest.mark.parametrize(
    ("after", "hours", "days"),
    [(timedelta(0), 1, 1), (timedelta(minutes=61), 2, 1), (timedelta(hours=24), 24, 1), (timedelta(hours=25), 24, 2)],
)
def test_only_what_has_begun_is_shown(
    services: Services, ids: list[int], after: timedelta, hours: int, days: int
) -> None:
    found = report(services, now=BEGUN + after)

    assert (len(found.arriving.spans), len(found.leaving.spans)) == (hours, days)


def test_what_is_not_accepted_is_in_no_column(services: Services) -> None:
    """A batch nobody knows of is no outcome of anything; the gap shows in the sums."""
    ids = [reader.delivery for reader in sent(services, readers=10, accepted=False)]
    stamp(services, "delivered_at", deliveries=ids[:2], at=BEGUN)

    found = report(services)

    (variant,) = found.variants
    assert (variant.deliveries, variant.accepted, variant.delivered) == (10, 0, 0)
    assert found.arriving.total("delivered") == 0
    assert not found.numbers.adds_up


def test_the_edition_before_is_the_one_that_went_out(services: Services, ids: list[int]) -> None:
    """A draft or a skipped week between them is none."""
    assert report(services).before is None
    make.draft(services, week="2026-W48", now=make.CUTOFF + timedelta(days=7))
    sent(services, readers=0, week="2026-W50")

    before = report(services, week="2026-W50").before

    assert before is not None
    assert (before.week, before.accepted) == (make.WEEK, 30)


def test_opens_are_told_only_where_any_were(services: Services, ids: list[int]) -> None:
    assert (report(services).reading.opened, report(services).reading.clicked) == (0, 0)
    stamp(services, "opened_at", "clicked_at", deliveries=ids[:2], at=BEGUN)
    assert (report(services).reading.opened, report(services).reading.clicked) == (2, 2)


def test_it_asks_the_same_however_many_there_are(services: Services) -> None:
    """So many statements for ten readers as for two hundred."""
    few, many = _asked(services, 10, "2026-W40"), _asked(services, 190, "2026-W41")

    assert few <= 20
    assert many == few + _OF_THE_EDITION_BEFORE


_OF_THE_EDITION_BEFORE = 7  # its own numbers, and finding it


def _asked(services: Services, readers: int, week: str) -> int:
    sent(services, readers, week=week)
    said: list[str] = []
    with services.database.reading() as session:
        edition = editions.find(session, week)

        @sa.event.listens_for(services.database.engine, "before_cursor_execute")
        def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            said.append(statement)

        edition_reports.report(session, edition, now=NOW)
        sa.event.remove(services.database.engine, "before_cursor_execute", hear)
    return len(said)
