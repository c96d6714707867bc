"""What became of an edition that went out: its numbers, by variant, over time, and beside the edition before.

Everything is derived when asked, in a fixed number of statements that read each delivery at most twice more than
`stats.numbers` does, whatever the size of the edition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import archive, stats
from digest.models import Batch, BatchState, Delivery, Edition
from digest.stats import HELD, OUTCOMES, Numbers

_Moment = sa.ColumnElement[Any] | sa.orm.InstrumentedAttribute[Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """How time since the first hand-over is cut: into at most so many spans of a width; the rest is later."""

    width: timedelta
    most: int


HOURLY = Scale(timedelta(hours=1), 24)
"""What providers tell comes within hours …"""
DAILY = Scale(timedelta(days=1), 14)
"""… and what readers do, within days."""


@dataclass(frozen=True, slots=True)
class OfVariant:
    """What became of the deliveries of one variant."""

    key: str
    deliveries: int
    accepted: int
    delivered: int
    bounced: int
    complained: int
    unsubscribed: int


@dataclass(frozen=True, slots=True)
class Span:
    """An hour or a day since the first hand-over, with what was told to have happened in it."""

    starts: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Course:
    """Some kinds of news over time, span by span up to now; `later` came after the last one."""

    kinds: Sequence[str]
    spans: Sequence[Span]
    later: Mapping[str, int]

    def total(self, kind: str) -> int:
        return sum(span.counts[kind] for span in self.spans) + self.later[kind]


@dataclass(frozen=True, slots=True)
class Reading:
    """Opens and clicks, where any are told of: our mails ask for neither."""

    opened: int
    clicked: int


@dataclass(frozen=True, slots=True)
class Report:
    numbers: Numbers
    variants: Sequence[OfVariant]
    arriving: Course
    """Accepted, delivered and bounced, hour by hour."""
    leaving: Course
    """Complaints and unsubscribes, day by day."""
    reading: Reading
    before: Numbers | None
    """The numbers of the edition that went out before this one."""


def report(session: Session, edition: Edition, *, now: datetime) -> Report:
    """Everything about an edition that has begun to go out."""
    begun = edition.begun_at or edition.send_at
    batches = _by_batch(session, edition)
    hours = {"accepted": _accepted(batches, begun), "delivered": _delivered(session, edition, begun)}
    days: dict[str, Counter[int]] = {}
    hours["bounced"], days["complained"], days["unsubscribed"] = _news(session, edition, begun)
    variants = _variants(batches)
    totals = Counter({kind: sum(getattr(each, kind) for each in variants) for kind in (*hours, *days)})
    before, _ = archive.neighbours(session, edition)
    earlier = archive.of_week(session, before) if before else None
    return Report(
        numbers=stats.numbers(session, edition),
        variants=variants,
        arriving=_course(hours, totals, begun, HOURLY, now),
        leaving=_course(days, totals, begun, DAILY, now),
        reading=Reading(sum(each.opened for each in batches), sum(each.clicked for each in batches)),
        before=stats.numbers(session, earlier) if earlier else None,
    )


class _OfBatch(NamedTuple):
    """What became of one batch, or of several of one variant that were accepted at the same instant."""

    variant: str
    accepted_at: datetime | None
    deliveries: int
    accepted: int
    delivered: int
    bounced: int
    complained: int
    unsubscribed: int
    opened: int
    clicked: int


_ACCEPTED = sa.and_(Batch.state == BatchState.ACCEPTED, HELD)


def _by_batch(session: Session, edition: Edition) -> list[_OfBatch]:
    """One walk through the edition. Grouped by the number of the batch, SQLite takes it from the wrong end, and fifty
    times as long."""
    told = [OUTCOMES[kind] for kind in ("delivered", "bounced", "complained", "unsubscribed")]
    told += [Delivery.opened_at.is_not(None), Delivery.clicked_at.is_not(None)]
    counts = [sa.func.count(), sa.func.count().filter(_ACCEPTED)]
    counts += [sa.func.count().filter(_ACCEPTED, condition) for condition in told]
    rows = session.execute(
        _deliveries(edition)
        .with_only_columns(Batch.variant, Batch.accepted_at, *counts)
        .group_by(Batch.variant, Batch.accepted_at)
    )
    return [_OfBatch._make(row) for row in rows]


def _accepted(batches: Iterable[_OfBatch], begun: datetime) -> Counter[int]:
    found: Counter[int] = Counter()
    for batch in batches:
        if batch.accepted_at is not None:
            found[(batch.accepted_at - begun) // HOURLY.width] += batch.accepted
    return found


def _delivered(session: Session, edition: Edition, begun: datetime) -> Counter[int]:
    """Whoever opened, clicked or complained had it by then, even where nobody said that it was delivered."""
    at = sa.func.coalesce(Delivery.delivered_at, Delivery.opened_at, Delivery.clicked_at, Delivery.complained_at)
    hour = _span(session, at, begun, HOURLY)
    rows = session.execute(
        _deliveries(edition)
        .with_only_columns(hour, sa.func.count())
        .where(_ACCEPTED, OUTCOMES["delivered"], at < begun + HOURLY.most * HOURLY.width)
        .group_by(hour)
    )
    return Counter({number: count for number, count in rows})


def _news(session: Session, edition: Edition, begun: datetime) -> tuple[Counter[int], Counter[int], Counter[int]]:
    """Deliveries that bounced, or whose reader complained or left, by when: a few of all."""
    spans = [
        sa.case((OUTCOMES["bounced"], _span(session, Delivery.bounced_at, begun, HOURLY))),
        _span(session, Delivery.complained_at, begun, DAILY),
        _span(session, Delivery.unsubscribed_at, begun, DAILY),
    ]
    rows = session.execute(
        _deliveries(edition)
        .with_only_columns(*spans, sa.func.count())
        .where(_ACCEPTED, sa.or_(*(OUTCOMES[kind] for kind in ("bounced", "complained", "unsubscribed"))))
        .group_by(*spans)
    )
    found: tuple[Counter[int], Counter[int], Counter[int]] = (Counter(), Counter(), Counter())
    for *numbers, count in rows:
        for kind, number in zip(found, numbers, strict=True):
            if number is not None:
                kind[number] += count
    return found


def _deliveries(edition: Edition) -> sa.Select[int]:
    """By ranges of ids alone, as `stats` does: one walk through the edition."""
    return (
        sa.select(Delivery.id)
        .select_from(Batch)
        .join(Delivery, Delivery.id.between(Batch.first_delivery, Batch.last_delivery))
        .where(Batch.edition_id == edition.id)
    )


def _span(session: Session, at: _Moment, begun: datetime, scale: Scale) -> sa.ColumnElement[int]:
    """Which span since the first hand-over a time lies in; NULL for none."""
    return (_epoch(session, at) - int(begun.timestamp())) // int(scale.width.total_seconds())


def _epoch(session: Session, at: _Moment) -> sa.ColumnElement[int]:
    """Whole seconds since 1970."""
    if session.get_bind().dialect.name == "sqlite":
        return sa.cast(sa.func.strftime("%s", at), sa.BigInteger)
    return sa.cast(sa.func.floor(sa.extract("epoch", at)), sa.BigInteger)


def _variants(batches: Iterable[_OfBatch]) -> list[OfVariant]:
    """The largest first."""
    found: dict[str, list[int]] = {}
    for batch in batches:
        so_far = found.setdefault(batch.variant, [0] * len(_COUNTS))
        found[batch.variant] = [one + getattr(batch, kind) for one, kind in zip(so_far, _COUNTS, strict=True)]
    variants = [OfVariant(key, *counts) for key, counts in found.items()]
    return sorted(variants, key=lambda each: (-each.deliveries, each.key))


_COUNTS = ("deliveries", "accepted", "delivered", "bounced", "complained", "unsubscribed")


def _course(
    told: Mapping[str, Counter[int]], totals: Mapping[str, int], begun: datetime, scale: Scale, now: datetime
) -> Course:
    """Only spans that have begun. What a wrong clock tells of before the first is in it; the rest is later."""
    shown = min(scale.most, max(1, -((begun - now) // scale.width)))
    counts = [{kind: told[kind][number] for kind in told} for number in range(shown)]
    for kind, by_span in told.items():
        counts[0][kind] += sum(count for number, count in by_span.items() if number < 0)
    spans = [Span(begun + number * scale.width, each) for number, each in enumerate(counts)]
    later = {kind: totals[kind] - sum(each[kind] for each in counts) for kind in told}
    return Course(tuple(told), spans, later)
