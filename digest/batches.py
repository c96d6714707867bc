"""The life of a batch in the ledger: claimed, handed over, answered, rescued. Rows only; no network, no threads.

Every move is a conditional update that names the state and the attempt it starts from, so that a worker who comes
back too late changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import UtcDateTime, claim, table_of
from digest import pauses
from digest.models import Batch, BatchState, Delivery, Edition, EditionState, FencedAttempt
from digest.transport import Fence
from digest.wording import QUARTER_SECONDS
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
    wave: int
    first: int
    last: int
    attempt: int
    owner: str
    begun: bool = False
    """Whether anything of its edition has been handed over before."""


class Reader(NamedTuple):
    """One active subscriber of a claimed batch, with what the personal fields need."""

    delivery: int
    email: str
    name: str | None
    link_id: str
    confirmed: int | None
    """When, in whole quarters of an hour since 1970: all that the day in a mail needs, and quick to carry."""
    basis: str | None


def move(
    session: Session, batch: int, frm: BatchState, to: BatchState, *where: sa.ColumnElement[bool], **values: Any
) -> bool:
    """Move one batch if it still is as `frm` and `where` say. True means that we moved it."""
    if to not in MOVES[frm]:
        raise ValueError(f"a batch never goes from {frm} to {to}")
    moved = claim(session, Batch, Batch.id == batch, Batch.state == frm, *where, values={"state": to, **values})
    if moved and to is PENDING:
        _withhold_if_stopped(session, batch)
    return moved


def _withhold_if_stopped(session: Session, batch: int) -> None:
    """What comes back from a call after its edition was stopped waits for nothing any more."""
    edition = sa.select(Batch.edition_id).where(Batch.id == batch).scalar_subquery()
    # Locked, whatever its state: who stops it at this moment reads the batches after us, or we its state after them.
    locked = sa.select(Edition.state, Edition.why).where(Edition.id == edition).with_for_update(key_share=True)
    state, why = session.execute(locked).one()
    if state is EditionState.STOPPED:
        _withhold_batches(session, Batch.id == batch, why=f"stopped: {why}")


# The statements of the hot path are made once: making one takes as long as running it.
_batches = table_of(Batch)
_editions = table_of(Edition)
_deliveries = table_of(Delivery)
_people = table_of(Subscriber)
_now = sa.bindparam("now", type_=UtcDateTime)


@cache
def _claim(*, of_one_week: bool) -> sa.Executable:
    free = (
        sa.select(_batches.c.id)
        .join(_editions, _editions.c.id == _batches.c.edition_id)
        .where(
            _batches.c.state == PENDING,
            sa.or_(_batches.c.not_before.is_(None), _batches.c.not_before <= _now),
            _editions.c.state == EditionState.SENDING,
            sa.or_(_batches.c.wave == 1, _editions.c.wave_until <= _now),
            sa.not_(pauses.stops(_batches.c.edition_id, _now)),
        )
    )
    if of_one_week:
        free = free.where(_editions.c.week == sa.bindparam("of_week"))
    oldest = free.order_by(_batches.c.id).limit(1).with_for_update(of=_batches, skip_locked=True)
    return (
        sa.update(_batches)
        .where(_batches.c.id == oldest.scalar_subquery(), _batches.c.state == PENDING)
        .values(
            state=SUBMITTING,
            attempt=_batches.c.attempt + 1,
            owner=sa.bindparam("worker"),
            lease_until=sa.bindparam("leased_until"),
            called_at=None,
            not_before=None,
        )
        .returning(
            _batches.c.id,
            _batches.c.edition_id,
            _batches.c.variant,
            _batches.c.wave,
            _batches.c.first_delivery,
            _batches.c.last_delivery,
            _batches.c.attempt,
        )
    )


def _flushed(session: Session) -> sa.Connection:
    """The connection beneath a session, which must see what the session has not written yet: a pause, say."""
    session.flush()
    return session.connection()


_EDITION = sa.select(_editions.c.week, _editions.c.begun_at).where(_editions.c.id == sa.bindparam("edition"))


def claim_next(
    session: Session, *, owner: str, now: datetime, lease: timedelta, week: str | None = None
) -> Claimed | None:
    """The oldest free batch of an edition that is being sent, made ours; None when there is nothing to do now."""
    connection = _flushed(session)
    bound = {"worker": owner, "now": now, "leased_until": now + lease} | ({"of_week": week} if week else {})
    taken = connection.execute(_claim(of_one_week=week is not None), bound).one_or_none()
    if taken is None:
        return None
    number, edition, variant, wave, first, last, attempt = taken
    edition_week, begun_at = connection.execute(_EDITION, {"edition": edition}).one()
    return Claimed(
        id=number,
        edition_id=edition,
        week=edition_week,
        variant=variant,
        wave=wave,
        first=first,
        last=last,
        attempt=attempt,
        owner=owner,
        begun=begun_at is not None,
    )


_in_range = sa.and_(
    _deliveries.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
    _deliveries.c.withheld_because.is_(None),
    _deliveries.c.refused_because.is_(None),
)

# On SQLite as one value: fetched row by row, each row would fight the posters for the interpreter.
_READERS_SQLITE = sa.text(
    """
    SELECT json_group_array(json_array(d.id, s.email, s.name, s.link_id,
                                       CAST(strftime('%s', s.confirmed_at) AS INTEGER) / 900, s.basis))
    FROM (SELECT id, subscriber_id FROM deliveries
          WHERE id BETWEEN :first AND :last AND withheld_because IS NULL AND refused_because IS NULL
          ORDER BY id) AS d
    JOIN subscribers AS s ON s.id = d.subscriber_id
    WHERE s.state = 'active'
    """
)
_READERS = (
    sa.select(
        _deliveries.c.id,
        _people.c.email,
        _people.c.name,
        _people.c.link_id,
        sa.cast(sa.func.floor(sa.extract("epoch", _people.c.confirmed_at) / QUARTER_SECONDS), sa.BigInteger),
        _people.c.basis,
    )
    .join(_people, _people.c.id == _deliveries.c.subscriber_id)
    .where(_in_range, _people.c.state == State.ACTIVE)
    .order_by(_deliveries.c.id)
)


def readers(session: Session, claimed: Claimed) -> list[Reader]:
    """Everybody in the batch who still wants the edition, in delivery order."""
    connection = _flushed(session)
    bound = {"first": claimed.first, "last": claimed.last}
    if connection.dialect.name == "sqlite":
        rows = orjson.loads(connection.execute(_READERS_SQLITE, bound).scalar_one())
    else:
        rows = connection.execute(_READERS, bound).all()
    return list(map(Reader._make, rows))


@dataclass(frozen=True, slots=True)
class HandOver:
    """Whether the call may begin: the batch is ours and nobody it was built for has `gone`."""

    ours: bool
    gone: frozenset[int] = frozenset()
    """Deliveries it must be built again without."""


_NO_LONGER_WILLING = (
    sa.select(_deliveries.c.id, _people.c.state)
    .outerjoin(_people, _people.c.id == _deliveries.c.subscriber_id)
    .where(_in_range, sa.or_(_people.c.id.is_(None), _people.c.state != State.ACTIVE))
)
_HAND_OVER = (
    sa.update(_batches)
    .where(
        _batches.c.id == sa.bindparam("batch"),
        _batches.c.state == SUBMITTING,
        _batches.c.attempt == sa.bindparam("same_attempt"),
        _batches.c.owner == sa.bindparam("same_owner"),
        # The edition may have been held, everything paused, or the batch taken over since we claimed it.
        _batches.c.lease_until > _now,
        sa.exists().where(_editions.c.id == _batches.c.edition_id, _editions.c.state == EditionState.SENDING),
        sa.not_(pauses.stops(_batches.c.edition_id, _now)),
    )
    .values(called_at=_now, body_sha256=sa.bindparam("digest"), lease_until=sa.bindparam("leased_until"))
)
_BEGIN = (
    sa.update(_editions)
    .where(_editions.c.id == sa.bindparam("edition"), _editions.c.begun_at.is_(None))
    .values(begun_at=_now)
)


def hand_over(
    session: Session,
    claimed: Claimed,
    built_for: Collection[int],
    *,
    body_sha256: str,
    now: datetime,
    lease: timedelta,
    fence: Fence | None = None,
) -> HandOver:
    """The last consent read before the call. Everybody built for is still willing, or the batch is built again."""
    connection = _flushed(session)
    no_longer = connection.execute(_NO_LONGER_WILLING, {"first": claimed.first, "last": claimed.last}).all()
    if no_longer:
        _withhold(session, {delivery: f"{state or 'erased'} meanwhile" for delivery, state in no_longer})
        gone = frozenset(delivery for delivery, _ in no_longer)
        if not gone.isdisjoint(built_for):
            return HandOver(ours=False, gone=gone)
    bound = {"batch": claimed.id, "same_attempt": claimed.attempt, "same_owner": claimed.owner}
    changed = connection.execute(
        _HAND_OVER, {**bound, "now": now, "digest": body_sha256, "leased_until": now + lease}
    ).rowcount
    if changed:
        if fence is not None:
            session.add(_fenced(claimed, fence))
        if not claimed.begun and connection.execute(_BEGIN, {"edition": claimed.edition_id, "now": now}).rowcount:
            # The first hand-over of an edition: noted in the transaction that must commit before the call.
            remember(session, Note("begun", now, week=claimed.week))
    return HandOver(ours=changed == 1)


def _withhold(session: Session, reasons: Mapping[int, str]) -> None:
    for delivery, reason in reasons.items():
        session.execute(sa.update(Delivery).where(Delivery.id == delivery).values(withheld_because=reason))


def _fenced(claimed: Claimed, fence: Fence) -> FencedAttempt:
    return FencedAttempt(
        batch_id=claimed.id, attempt=claimed.attempt, provider_batch_id=fence.batch_id, send_at=fence.send_at
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


_ACCEPT = (
    sa.update(_batches)
    .where(
        _batches.c.id == sa.bindparam("batch"),
        _batches.c.state == SUBMITTING,
        _batches.c.attempt == sa.bindparam("same_attempt"),
    )
    .values(
        state=ACCEPTED,
        message_id=sa.bindparam("provider_id"),
        accepted_at=_now,
        lease_until=None,
        why=sa.bindparam("because"),
    )
)


def accepted(
    session: Session, claimed: Claimed, *, message_id: str | None, now: datetime, why: str | None = None
) -> None:
    """The provider said yes. True even of a batch that others had to call uncertain meanwhile: this is the evidence.

    But not of an attempt that is being called back: what was taken then may be thrown away.
    """
    bound = {"batch": claimed.id, "same_attempt": claimed.attempt, "provider_id": message_id, "because": why}
    if _flushed(session).execute(_ACCEPT, {**bound, "now": now}).rowcount:
        return
    # Locked before the fence is read: whoever asks for the cancelling holds the batch.
    session.get(Batch, claimed.id, with_for_update=True)
    fenced = session.get(FencedAttempt, (claimed.id, claimed.attempt))
    if fenced is None or fenced.asked_at is None:
        values = {"message_id": message_id, "accepted_at": now, "lease_until": None, "why": why}
        move(session, claimed.id, UNCERTAIN, ACCEPTED, Batch.attempt == claimed.attempt, **values)


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
        rest = Batch(
            edition_id=claimed.edition_id,
            variant=claimed.variant,
            wave=claimed.wave,
            first_delivery=middle + 1,
            last_delivery=claimed.last,
            state=PENDING,
            attempt=0,
            why=why,
        )
        session.add(rest)
        session.flush()
        _withhold_if_stopped(session, rest.id)


def withhold_rest(session: Session, edition: Edition, *, why: str) -> None:
    """What has not been handed over never will be: its deliveries carry the reason, and no batch is left waiting."""
    _withhold_batches(session, Batch.edition_id == edition.id, Batch.state == PENDING, why=why)


def _withhold_batches(session: Session, *which: sa.ColumnElement[bool], why: str) -> None:
    for first, last in session.execute(sa.select(Batch.first_delivery, Batch.last_delivery).where(*which)).all():
        untouched = sa.update(Delivery).where(
            Delivery.id.between(first, last), Delivery.withheld_because.is_(None), Delivery.refused_because.is_(None)
        )
        session.execute(untouched.values(withheld_because=why[:200]))
