"""How far editions are, cheap enough to be asked every two seconds while a million deliveries are handed over.

A batch is a range of deliveries, so that the batches tell how many there are in each state; only what was set aside is
counted row by row, by its index. `stats` counts every delivery: where the two differ the ledger has a gap.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import Batch, BatchState, Delivery, Edition

LATELY = timedelta(minutes=1)

_SIZE = Batch.last_delivery - Batch.first_delivery + 1


@dataclass(frozen=True, slots=True)
class Progress:
    """deliveries = waiting + in_flight + accepted + withheld + refused + uncertain."""

    waiting: int = 0
    in_flight: int = 0
    accepted: int = 0
    withheld: int = 0
    refused: int = 0
    uncertain: int = 0

    @property
    def deliveries(self) -> int:
        return self.waiting + self.in_flight + self.accepted + self.withheld + self.refused + self.uncertain

    @property
    def handed_over(self) -> int:
        """What is behind us, whatever came of it."""
        return self.deliveries - self.waiting - self.in_flight


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave of an edition: its deliveries, and those in batches that wait or are in flight."""

    deliveries: int
    unanswered: int


def of_edition(session: Session, edition: Edition) -> Progress:
    """Where every delivery of one edition stands."""
    return of_editions(session, [edition.id])[edition.id]


def of_editions(session: Session, ids: Collection[int]) -> Mapping[int, Progress]:
    """Where every delivery of each of these editions stands; zeros for one that is not prepared."""
    ranges = session.execute(
        sa.select(Batch.edition_id, Batch.state, sa.func.sum(_SIZE))
        .where(Batch.edition_id.in_(ids))
        .group_by(Batch.edition_id, Batch.state)
    )
    held: dict[int, dict[BatchState, int]] = {each: dict.fromkeys(BatchState, 0) for each in ids}
    for edition, state, count in ranges:
        held[edition][state] = int(count)
    aside = dict.fromkeys(ids, (0, 0))
    for edition, state, withheld, refused in session.execute(_set_aside(ids)):
        held[edition][state] -= withheld + refused
        aside[edition] = (aside[edition][0] + withheld, aside[edition][1] + refused)
    return {each: _progress(held[each], *aside[each]) for each in ids}


def _progress(held: Mapping[BatchState, int], withheld: int, refused: int) -> Progress:
    return Progress(
        waiting=held[BatchState.PENDING],
        in_flight=held[BatchState.SUBMITTING],
        accepted=held[BatchState.ACCEPTED],
        withheld=withheld,
        refused=held[BatchState.REFUSED] + refused,
        uncertain=held[BatchState.UNCERTAIN],
    )


def _set_aside(ids: Collection[int]) -> sa.Select[int, BatchState, int, int]:
    """Deliveries withheld or refused one by one, by the state of their batch."""
    # In the very words of the index, so that both databases know that it holds them all.
    is_aside = sa.or_(Delivery.withheld_because.is_not(None), Delivery.refused_because.is_not(None))
    return (
        sa.select(
            Batch.edition_id,
            Batch.state,
            sa.func.count(Delivery.withheld_because),
            sa.func.count().filter(Delivery.withheld_because.is_(None)),
        )
        .join(Delivery, sa.and_(Delivery.edition_id == Batch.edition_id, _in_range()))
        .where(Batch.edition_id.in_(ids), is_aside)
        .group_by(Batch.edition_id, Batch.state)
    )


def _in_range() -> sa.ColumnElement[bool]:
    return Delivery.id.between(Batch.first_delivery, Batch.last_delivery)


def accepted_lately(session: Session, edition: Edition, *, now: datetime) -> int:
    """Deliveries in batches accepted within the last minute: how fast it goes."""
    recent = sa.select(sa.func.coalesce(sa.func.sum(_SIZE), 0)).where(
        Batch.edition_id == edition.id, Batch.state == BatchState.ACCEPTED, Batch.accepted_at > now - LATELY
    )
    return int(session.scalar(recent) or 0)


def waves(session: Session, edition: Edition) -> Mapping[int, Wave]:
    """Each wave by its number."""
    unanswered = sa.case((Batch.state.in_((BatchState.PENDING, BatchState.SUBMITTING)), _SIZE), else_=0)
    rows = session.execute(
        sa.select(Batch.wave, sa.func.sum(_SIZE), sa.func.sum(unanswered))
        .where(Batch.edition_id == edition.id)
        .group_by(Batch.wave)
        .order_by(Batch.wave)
    )
    return {wave: Wave(int(deliveries), int(left)) for wave, deliveries, left in rows}


def by_variant(session: Session, edition: Edition) -> Mapping[str, int]:
    """How many deliveries of each variant, the most first."""
    count = sa.func.sum(_SIZE)
    rows = session.execute(
        sa.select(Batch.variant, count)
        .where(Batch.edition_id == edition.id)
        .group_by(Batch.variant)
        .order_by(count.desc(), Batch.variant)
    )
    return {variant: int(deliveries) for variant, deliveries in rows}


def refused_by(session: Session, edition: Edition) -> Mapping[str, int]:
    """Deliveries refused one by one, by the provider's words."""
    rows = session.execute(
        sa.select(Delivery.refused_because, sa.func.count())
        .where(Delivery.edition_id == edition.id, Delivery.refused_because.is_not(None))
        .group_by(Delivery.refused_because)
        .order_by(sa.func.count().desc(), Delivery.refused_because)
    )
    return {str(reason): count for reason, count in rows}
