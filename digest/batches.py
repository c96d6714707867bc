"""The life of a batch in the ledger: claimed, handed over, answered, rescued. Rows only; no network, no threads.

Every move is a conditional update that names the state and the attempt it starts from, so that a worker who comes
back too late changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import claim
from digest import pauses
from digest.models import Batch, BatchState, Delivery, Edition, EditionState
from subscribers.models import State, Subscriber
from subscribers.notes import Note, remember

PENDING, SUBMITTING, ACCEPTED, REFUSED, UNCERTAIN = BatchState

MOVES: dict[BatchState, set[BatchState]] = {
    PENDING: {SUBMITTING, ACCEPTED},  # accepted: an event proves that what was thought untaken was taken
    SUBMITTING: {PENDING, ACCEPTED, REFUSED, UNCERTAIN},
    UNCERTAIN: {ACCEPTED, PENDING},  # by evidence, or by a named person
    ACCEPTED: set(),
    REFUSED: set(),
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A batch that is ours until its lease ends."""

    id: int
    edition_id: int
    week: str
    variant: str
    first: int
    last: int
    attempt: int
    owner: str


@dataclass(frozen=True, slots=True)
class Reader:
    """One active subscriber of a claimed batch, with what the personal fields need."""

    delivery: int
    email: str
    name: str | None
    link_id: str
    confirmed_at: datetime | None
    basis: str | None


def move(
    session: Session, batch: int, frm: BatchState, to: BatchState, *where: sa.ColumnElement[bool], **values: Any
) -> bool:
    """Move one batch if it still is as `frm` and `where` say. True means that we moved it."""
    if to not in MOVES[frm]:
        raise ValueError(f"a batch never goes from {frm} to {to}")
    return claim(session, Batch, Batch.id == batch, Batch.state == frm, *where, values={"state": to, **values})


def claim_next(
    session: Session, *, owner: str, now: datetime, lease: timedelta, week: str | None = None
) -> Claimed | None:
    """The oldest free batch of an edition that is being sent, made ours; None when there is nothing to do now."""
    free = _free(now)
    if week:
        free = free.where(Edition.week == week)
    chosen = free.with_only_columns(Batch.id).order_by(Batch.id).limit(1).with_for_update(of=Batch, skip_locked=True)
    taken = session.execute(
        sa.update(Batch)
        .where(Batch.id == chosen.scalar_subquery(), Batch.state == PENDING)
        .values(
            state=SUBMITTING,
            attempt=Batch.attempt + 1,
            owner=owner,
            lease_until=now + lease,
            called_at=None,
            not_before=None,
        )
        .returning(Batch.id, Batch.edition_id, Batch.variant, Batch.first_delivery, Batch.last_delivery, Batch.attempt)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        return None
    edition_week = session.scalars(sa.select(Edition.week).where(Edition.id == taken.edition_id)).one()
    return Claimed(
        id=taken.id,
        edition_id=taken.edition_id,
        week=edition_week,
        variant=taken.variant,
        first=taken.first_delivery,
        last=taken.last_delivery,
        attempt=taken.attempt,
        owner=owner,
    )


def _free(now: datetime) -> sa.Select[Any]:
    return (
        sa.select(Batch)
        .join(Edition, Edition.id == Batch.edition_id)
        .where(
            Batch.state == PENDING,
            sa.or_(Batch.not_before.is_(None), Batch.not_before <= now),
            Edition.state == EditionState.SENDING,
            sa.or_(Batch.wave == 1, Edition.wave_until <= now),
            sa.not_(pauses.stops(Batch.edition_id, now)),
        )
    )


def _in_range(claimed: Claimed) -> sa.ColumnElement[bool]:
    return sa.and_(
        Delivery.id.between(claimed.first, claimed.last),
        Delivery.withheld_because.is_(None),
        Delivery.refused_because.is_(None),
    )


def readers(session: Session, claimed: Claimed) -> list[Reader]:
    """Everybody in the batch who still wants the edition, in delivery order."""
    rows = session.execute(
        sa.select(
            Delivery.id,
            Subscriber.email,
            Subscriber.name,
            Subscriber.link_id,
            Subscriber.confirmed_at,
            Subscriber.basis,
        )
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(_in_range(claimed), Subscriber.state == State.ACTIVE)
        .order_by(Delivery.id)
    )
    return [Reader(*row) for row in rows]


def hand_over(
    session: Session, claimed: Claimed, built_for: Sequence[int], *, body_sha256: str, now: datetime, lease: timedelta
) -> HandOver:
    """The last consent read before the call. Everybody built for is still willing, or the batch is built again."""
    gone = _no_longer_willing(session, claimed)
    for delivery, reason in gone.items():
        session.execute(sa.update(Delivery).where(Delivery.id == delivery).values(withheld_because=reason))
    if gone.keys() & set(built_for):
        return HandOver(ours=True, built_again=True)
    # The edition may have been held, or the batch taken over, since we claimed it.
    sending = sa.exists().where(Edition.id == Batch.edition_id, Edition.state == EditionState.SENDING)
    values = {"called_at": now, "body_sha256": body_sha256, "lease_until": now + lease}
    ours = claim(session, Batch, *_still_ours(claimed), Batch.lease_until > now, sending, values=values)
    if ours:
        _begin(session, claimed, now)
    return HandOver(ours=ours, built_again=False)


@dataclass(frozen=True, slots=True)
class HandOver:
    """Whether the call may begin. `built_again`: somebody left meanwhile, so build without them and ask once more."""

    ours: bool
    built_again: bool


def _no_longer_willing(session: Session, claimed: Claimed) -> dict[int, str]:
    rows = session.execute(
        sa.select(Delivery.id, Subscriber.state)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(_in_range(claimed), sa.or_(Subscriber.id.is_(None), Subscriber.state != State.ACTIVE))
    )
    return {delivery: f"{state or 'erased'} meanwhile" for delivery, state in rows}


def _begin(session: Session, claimed: Claimed, now: datetime) -> None:
    """The first hand-over of an edition: noted in the transaction that must commit before the call."""
    if claim(session, Edition, Edition.id == claimed.edition_id, Edition.begun_at.is_(None), values={"begun_at": now}):
        remember(session, Note("begun", now, week=claimed.week))


def _still_ours(claimed: Claimed) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Batch.id == claimed.id,
        Batch.state == SUBMITTING,
        Batch.attempt == claimed.attempt,
        Batch.owner == claimed.owner,
    )


def give_back(session: Session, claimed: Claimed) -> None:
    """Nothing was called: the batch is free again."""
    move(
        session,
        claimed.id,
        SUBMITTING,
        PENDING,
        Batch.attempt == claimed.attempt,
        Batch.called_at.is_(None),
        owner=None,
        lease_until=None,
    )


def accepted(
    session: Session, claimed: Claimed, *, message_id: str | None, now: datetime, why: str | None = None
) -> None:
    """The provider said yes. True even of a batch that others had to call uncertain meanwhile: this is the evidence."""
    for frm in (SUBMITTING, UNCERTAIN):
        if move(
            session,
            claimed.id,
            frm,
            ACCEPTED,
            Batch.attempt == claimed.attempt,
            message_id=message_id,
            accepted_at=now,
            lease_until=None,
            why=why,
        ):
            return


def later(session: Session, claimed: Claimed, *, why: str, not_before: datetime | None) -> None:
    """The provider took nothing of this attempt, and says so: free again, from `not_before` on."""
    for frm in (SUBMITTING, UNCERTAIN):
        if move(
            session,
            claimed.id,
            frm,
            PENDING,
            Batch.attempt == claimed.attempt,
            why=why,
            not_before=not_before,
            owner=None,
            lease_until=None,
            called_at=None,
        ):
            return


def uncertain(session: Session, claimed: Claimed, *, why: str) -> None:
    """We cannot know whether the provider has this attempt; it is not handed over again by itself."""
    move(session, claimed.id, SUBMITTING, UNCERTAIN, Batch.attempt == claimed.attempt, why=why, lease_until=None)


def refused(session: Session, claimed: Claimed, *, why: str) -> None:
    """The provider will never take this batch as it is; the others go on."""
    move(session, claimed.id, SUBMITTING, REFUSED, Batch.attempt == claimed.attempt, why=why, lease_until=None)


def set_aside(session: Session, claimed: Claimed, delivery: int, *, why: str) -> None:
    """One recipient is refused and the rest of the batch is free again."""
    session.execute(sa.update(Delivery).where(Delivery.id == delivery).values(refused_because=why[:500]))
    later(session, claimed, why=why, not_before=None)


def halve(session: Session, claimed: Claimed, *, why: str) -> None:
    """Too large: its second half becomes a batch of its own, and both are free. One delivery alone is refused."""
    if claimed.first == claimed.last:
        refused(session, claimed, why=why)
        return
    middle = (claimed.first + claimed.last) // 2
    ours = move(
        session,
        claimed.id,
        SUBMITTING,
        PENDING,
        Batch.attempt == claimed.attempt,
        last_delivery=middle,
        why=why,
        owner=None,
        lease_until=None,
        called_at=None,
    )
    if ours:
        session.add(
            Batch(
                edition_id=claimed.edition_id,
                variant=claimed.variant,
                first_delivery=middle + 1,
                last_delivery=claimed.last,
                state=PENDING,
                attempt=0,
                why=why,
            )
        )


def withhold_rest(session: Session, edition: Edition, *, why: str) -> None:
    """What has not been handed over never will be: its deliveries carry the reason, and no batch is left waiting."""
    waiting = sa.select(Batch.first_delivery, Batch.last_delivery).where(
        Batch.edition_id == edition.id, Batch.state == PENDING
    )
    for first, last in session.execute(waiting).all():
        untouched = sa.update(Delivery).where(
            Delivery.id.between(first, last), Delivery.withheld_because.is_(None), Delivery.refused_because.is_(None)
        )
        session.execute(untouched.values(withheld_because=why[:200]))
