"""Whose mail never arrives: three editions in a row put off or turned away, and none delivered.

One such edition says nothing of a mailbox; three do. Silence does not count: somebody of whom nothing was told is
left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest.models import Batch, BatchState, Delivery, Edition, SuppressionSync
from subscribers import consent
from subscribers.models import State, Subscriber
from subscribers.policy import Act

EDITIONS_IN_A_ROW = 3
TRIED_FOR = timedelta(hours=72)
"""So long the provider tries: before that, a delivery that was put off may still arrive."""
LATELY, LOOKS_BACK = timedelta(days=35), timedelta(days=400)
"""Monthly readers get three editions in three months; whose last edition is older was not written to lately."""
EVERY = timedelta(days=1)
PEOPLE_AT_ONCE = 50
NAME = "unreachable"
"""The row that says when this was last looked at, beside those of the provider's lists."""
BY = "the clock"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Somebody with the editions that did not arrive. `since`: when the first of these three failures was told."""

    subscriber: int
    weeks: tuple[str, ...]
    since: datetime


def is_due(session: Session, *, now: datetime) -> bool:
    """Once a day."""
    last = session.scalar(sa.select(SuppressionSync.synced_at).where(SuppressionSync.name == NAME))
    return last is None or last <= now - EVERY


def suppress(database: Database, *, now: datetime, stopped: Callable[[], bool]) -> int:
    """Suppress everybody unreachable, which staff may lift; says how many."""
    with database.reading() as session:
        found = [each.subscriber for each in find(session, now=now)]
    changed = 0
    for start in range(0, len(found), PEOPLE_AT_ONCE):
        if stopped():
            return changed
        with database.writing() as session:
            # Looked at once more: a delivery may have been told of meanwhile.
            still = find(session, now=now, among=found[start : start + PEOPLE_AT_ONCE])
            changed += sum(_suppress(session, each, now) for each in still)
    with database.writing() as session:
        session.merge(SuppressionSync(name=NAME, read_until=now, synced_at=now))
    return changed


def _suppress(session: Session, found: Unreachable, now: datetime) -> bool:
    because = f"{len(found.weeks)} editions in a row did not arrive, and none was delivered: {', '.join(found.weeks)}"
    person = session.get(Subscriber, found.subscriber)
    if person is None:
        return False
    try:
        return consent.suppress(
            session, person, Act.BOUNCE, because=because, now=now, source=BY, reported_at=found.since
        ).changed
    except consent.Gone:
        return False


def find(session: Session, *, now: datetime, among: Sequence[int] | None = None) -> list[Unreachable]:
    """Everybody active whose last three accepted deliveries all failed, the youngest more than 72 hours ago."""
    ranked = _ranked(_suspects(now, among), now)
    latest = sa.select(ranked).where(ranked.c.rank <= EDITIONS_IN_A_ROW).order_by(ranked.c.subscriber_id, ranked.c.rank)
    found: dict[int, list[Any]] = {}
    for row in session.execute(latest):
        found.setdefault(row.subscriber_id, []).append(row)
    return [
        Unreachable(subscriber, tuple(row.week for row in reversed(rows)), min(row.failed_at for row in rows))
        for subscriber, rows in found.items()
        if len(rows) == EDITIONS_IN_A_ROW
        and all(row.failed_at is not None and row.delivered_at is None for row in rows)
        and rows[0].accepted_at <= now - TRIED_FOR
    ]


def _failed() -> sa.ColumnElement[bool]:
    return sa.and_(
        Delivery.delivered_at.is_(None), sa.or_(Delivery.bounced_at.is_not(None), Delivery.deferred_at.is_not(None))
    )


def _suspects(now: datetime, among: Sequence[int] | None) -> sa.Select[int | None]:
    """Who lately did not get an edition: few, and all others are never looked at."""
    lately = sa.select(Edition.id).where(Edition.begun_at > now - LATELY)
    suspects = sa.select(Delivery.subscriber_id).where(
        Delivery.edition_id.in_(lately), Delivery.subscriber_id.is_not(None), _failed()
    )
    return suspects if among is None else suspects.where(Delivery.subscriber_id.in_(among))


def _ranked(suspects: sa.Select[int | None], now: datetime) -> sa.Subquery:
    """The accepted deliveries of these people, each person's newest edition first."""
    back = sa.select(Edition.id).where(Edition.begun_at > now - LOOKS_BACK)
    rank = sa.func.row_number().over(partition_by=Delivery.subscriber_id, order_by=Edition.week.desc())
    return (
        sa.select(
            Delivery.subscriber_id,
            Edition.week,
            Delivery.delivered_at,
            sa.func.coalesce(Delivery.bounced_at, Delivery.deferred_at, type_=Delivery.bounced_at.type).label(
                "failed_at"
            ),
            Batch.accepted_at,
            rank.label("rank"),
        )
        .join(Edition, Edition.id == Delivery.edition_id)
        .join(
            Batch,
            sa.and_(
                Batch.edition_id == Delivery.edition_id,
                Delivery.id.between(Batch.first_delivery, Batch.last_delivery),
                Batch.state == BatchState.ACCEPTED,
            ),
        )
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(
            Subscriber.state == State.ACTIVE,
            Delivery.edition_id.in_(back),
            Delivery.subscriber_id.in_(suspects),
            Delivery.withheld_because.is_(None),
            Delivery.refused_because.is_(None),
        )
        .subquery()
    )
