"""The stored events told again: what deliveries, batches and consent must be by them, and whether they are.

Everything an event does is earliest times and acts that do nothing twice, so telling all of them again does no harm:
it mends what a lost write or a restored backup has left behind. Read delivery by delivery, in pieces: memory stays
flat however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import outcomes, settling, tidying
from digest.event_rows import STAMPS
from digest.models import Batch, BatchState, Delivery, Edition, ProviderEvent
from digest.outcomes import Told
from digest.sendgrid_events import parse_one
from digest.sendgrid_policy import meaning_of
from subscribers.consent.outcomes import decide

DELIVERIES_AT_ONCE = 2_000
EVENTS_AT_ONCE = 2_000
MOST_SAID = 100
"""Differences told one by one; of more than that, how many there are."""


@dataclass
class Differences:
    """What is not as the events say. `said`: the first of them in words; `count` counts all."""

    events: int = 0
    count: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.count += 1
        if len(self.said) < MOST_SAID:
            self.said.append(sentence)


def check(database: Database, *, now: datetime) -> Differences:
    """Compare, and change nothing."""
    found = Differences()
    for told in _told(database):
        found.events += len(told)
        with database.reading() as session:
            weeks = outcomes.editions_of(session, told)
            _compare_stamps(session, told, weeks, found)
            _compare_batches(session, told, found)
            _compare_consent(session, told, weeks, found)
    _find_unexplained(database, found, now=now)
    return found


def apply(database: Database, *, now: datetime) -> int:
    """Tell everything again; says how many events that were."""
    events = 0
    for told in _told(database):
        events += len(told)
        with database.writing() as session:
            weeks = outcomes.editions_of(session, told)
            outcomes.stamp(session, told, weeks)
            outcomes.settle(session, (each.event for each in told), now=now)
        acting = _acting(told)
        for start in range(0, len(acting), outcomes.SIGNALS_AT_ONCE):
            with database.writing() as session:
                some = acting[start : start + outcomes.SIGNALS_AT_ONCE]
                outcomes.reach_consent(session, some, weeks, now=now, again=True)
    return events


def _told(database: Database) -> Iterator[list[Told]]:
    """Every stored event, those of one delivery together; then those that name none."""
    named = sa.select(ProviderEvent).where(ProviderEvent.delivery_id.is_not(None))
    place = sa.tuple_(ProviderEvent.delivery_id, ProviderEvent.id)
    at: tuple[int, int] = (0, 0)
    while rows := _read(database, named.where(place > at).order_by(ProviderEvent.delivery_id, ProviderEvent.id)):
        yield [_as_told(row) for row in rows]
        at = (rows[-1].delivery_id or 0, rows[-1].id)
    others = sa.select(ProviderEvent).where(ProviderEvent.delivery_id.is_(None)).order_by(ProviderEvent.id)
    last = 0
    while rows := _read(database, others.where(ProviderEvent.id > last)):
        yield [_as_told(row) for row in rows]
        last = rows[-1].id


def _read(database: Database, wanted: sa.Select[ProviderEvent]) -> Sequence[ProviderEvent]:
    with database.reading() as session:
        return session.scalars(wanted.limit(EVENTS_AT_ONCE)).all()


def _as_told(row: ProviderEvent) -> Told:
    """The time is the row's: what was told without one happened when we heard of it."""
    event = parse_one(row.raw)
    return Told(event, meaning_of(event), row.happened_at)


def _acting(told: Sequence[Told]) -> list[Told]:
    return [each for each in told if each.meaning.act is not None and each.event.is_ours]


# — compared —


def _compare_stamps(session: Session, told: Sequence[Told], weeks: Mapping[str, int], found: Differences) -> None:
    """No event may tell of an earlier time than the stamp's."""
    by_column = outcomes.earliest(told, weeks)
    numbers = {delivery for times in by_column.values() for delivery, _ in times}
    rows = {row.id: row for row in session.scalars(sa.select(Delivery).where(Delivery.id.in_(sorted(numbers))))}
    for column, times in by_column.items():
        for (delivery, edition), at in sorted(times.items()):
            row = rows.get(delivery)
            if row is None or row.edition_id != edition:
                continue
            stands: datetime | None = getattr(row, column)
            if stands is None or stands > at:
                was = f"{stands:%Y-%m-%d %H:%M:%S}" if stands else "nothing"
                found.say(f"delivery {delivery}: {column} is {was}, by the events it is {at:%Y-%m-%d %H:%M:%S}")


def _find_unexplained(database: Database, found: Differences, *, now: datetime) -> None:
    """No stamp may stand that no event tells of, unless it is so old that its event has been forgotten."""
    stamped = sa.or_(*(getattr(Delivery, column).is_not(None) for column in STAMPS))
    last = 0
    while True:
        with database.reading() as session:
            page = sa.select(Delivery, Edition.week).join(Edition, Edition.id == Delivery.edition_id)
            rows = session.execute(
                page.where(stamped, Delivery.id > last).order_by(Delivery.id).limit(DELIVERIES_AT_ONCE)
            ).all()
            if not rows:
                return
            about = ProviderEvent.delivery_id.between(rows[0].Delivery.id, rows[-1].Delivery.id)
            told = [_as_told(row) for row in session.scalars(sa.select(ProviderEvent).where(about))]
        explained = {
            (each.event.delivery, each.event.week, column, each.at) for each in told for column in each.meaning.stamps
        }
        for delivery, week in rows:
            for column in STAMPS:
                at: datetime | None = getattr(delivery, column)
                is_kept = at is not None and at > now - tidying.KEEP_EVENTS
                if is_kept and (delivery.id, week, column, at) not in explained:
                    found.say(f"delivery {delivery.id}: {column} is {at:%Y-%m-%d %H:%M:%S}, and no event says so")
        last = rows[-1].Delivery.id


def _compare_batches(session: Session, told: Sequence[Told], found: Differences) -> None:
    named = outcomes.attempts(each.event for each in told)
    if not named:
        return
    rows = session.execute(
        sa.select(Edition.week, Batch.id, Batch.attempt, Batch.state)
        .join(Edition, Edition.id == Batch.edition_id)
        .where(
            Batch.id.in_({each.batch for each in named}),
            Batch.state.not_in((BatchState.ACCEPTED, BatchState.REFUSED)),
            sa.not_(outcomes.was_called_back()),
        )
    )
    for week, batch, attempt, state in rows:
        if settling.Seen(week, batch, attempt) in named:
            found.say(f"batch {batch} of {week} is {state}, by the events it is accepted")


def _compare_consent(session: Session, told: Sequence[Told], weeks: Mapping[str, int], found: Differences) -> None:
    for signal in outcomes.signals(session, _acting(told), weeks):
        if signal.is_overtaken:
            continue
        decision = decide(session, signal.person, signal.act, signal.told.at)
        if decision.recorded:
            found.say(f"subscriber {signal.person.id} is {signal.person.state}, by the events: {decision.why}")
