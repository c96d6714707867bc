"""What became of a batch whose answer nobody has: settled by evidence, by its fence, or by a named person. Never by
guessing (docs/decisions/001).

1. A worker died before it called: the batch is free again.
2. The transport knows (an outbox looks into its folder): as it says.
3. An event carries the number of the attempt: the provider had it, so it is accepted.
4. A fence stands before it (docs/decisions/006): it is cancelled, and once that is confirmed the batch is free again.
5. Nothing of all that: it is uncertain, and waits for a person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from digest import editions, halting
from digest.batches import ACCEPTED, PENDING, REFUSED, SUBMITTING, UNCERTAIN, move
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Batch, BatchState, Edition, EditionState, FencedAttempt
from digest.workers import owner_is_gone

log = structlog.get_logger()

EVENTS = "the provider's events"


class NoSuchBatch(DigestError):
    """There is no batch with that number."""


class NotUncertain(DigestError):
    """Only an uncertain batch can be settled."""


class Stopped(DigestError):
    """The edition is stopped, so nothing of it is handed over again. Nothing was changed."""


class BeingCalledBack(DigestError):
    """This attempt is being called back, so what the provider took of it may be thrown away. Nothing was changed."""


# — what dead workers left —


@dataclass(frozen=True, slots=True)
class Dead:
    """A batch whose worker is gone, and whether its call had begun."""

    id: int
    week: str
    attempt: int
    called: bool


def dead(session: Session, *, now: datetime) -> list[Dead]:
    """Batches whose lease has ended, or whose process on this machine is gone."""
    rows = session.execute(
        sa.select(Batch.id, Edition.week, Batch.attempt, Batch.called_at, Batch.owner, Batch.lease_until)
        .join(Edition, Edition.id == Batch.edition_id)
        .where(Batch.state == SUBMITTING)
    )
    return [
        Dead(row.id, row.week, row.attempt, row.called_at is not None)
        for row in rows
        if row.lease_until is None or row.lease_until <= now or owner_is_gone(row.owner)
    ]


def rescue(services: Services, *, now: datetime) -> int:
    """Free or settle what dead workers left; returns how many batches were moved."""
    with services.database.reading() as session:
        found = dead(session, now=now)
    moved = 0
    for each in found:
        evidence = services.transport.evidence(edition=each.week, batch=each.id, attempt=each.attempt)
        with services.database.writing() as session:
            to = _rescue(session, each, evidence=evidence, now=now)
        if to is not None:
            moved += 1
            log.warning("batch rescued", edition=each.week, batch=each.id, attempt=each.attempt, now_is=str(to))
    return moved


def _rescue(session: Session, found: Dead, *, evidence: bool | None, now: datetime) -> BatchState | None:
    """Where a dead worker's batch goes: free when nothing was called, else as the evidence says, else uncertain.

    Wrongly thinking a worker dead costs nothing but certainty: it finds that the attempt is no longer its own.
    """
    same = Batch.attempt == found.attempt
    free = {"owner": None, "lease_until": None, "called_at": None, "not_before": None}
    if not found.called:
        return (
            PENDING if move(session, found.id, SUBMITTING, PENDING, same, Batch.called_at.is_(None), **free) else None
        )
    if evidence is None:
        why = "the process that made the call ended before it could note the answer"
        return UNCERTAIN if move(session, found.id, SUBMITTING, UNCERTAIN, same, why=why, lease_until=None) else None
    if evidence:
        return (
            ACCEPTED if move(session, found.id, SUBMITTING, ACCEPTED, same, accepted_at=now, lease_until=None) else None
        )
    return PENDING if move(session, found.id, SUBMITTING, PENDING, same, **free) else None


# — by events —


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """An attempt that an event of the provider names: it had that request, whatever became of the mail."""

    week: str
    batch: int
    attempt: int


def seen(session: Session, attempts: Collection[Seen], *, now: datetime) -> None:
    """Settle what these attempts prove, in any order and any number of times. The caller commits.

    An attempt that should never have gone out (cancelled, refused, or followed by another) halts its edition.
    """
    if not attempts:
        return
    # Locked, in order, before the fences are read: whoever asks for an attempt to be cancelled holds its batch, and two
    # calls of the webhook must not wait for each other.
    found = sa.select(Batch, Edition.week).join(Edition, Edition.id == Batch.edition_id)
    named = found.where(Batch.id.in_({each.batch for each in attempts})).order_by(Batch.id).with_for_update(of=Batch)
    by_id = {(week, batch.id): batch for batch, week in session.execute(named)}
    fences = _cancelled(session, by_id.values())
    for each in sorted(attempts):
        batch = by_id.get((each.week, each.batch))
        if batch is not None:
            _seen(session, batch, each, cancelled=(batch.id, each.attempt) in fences, now=now)


def _seen(session: Session, batch: Batch, attempt: Seen, *, cancelled: bool, now: datetime) -> None:
    if attempt.attempt < batch.attempt or cancelled or batch.state is REFUSED:
        _should_not_have_gone(session, batch, attempt, cancelled=cancelled, now=now)
        return
    for frm in (SUBMITTING, UNCERTAIN, PENDING):
        taken = {"accepted_at": now, "lease_until": None, "why": "an event proves that it was taken"}
        if move(session, batch.id, frm, ACCEPTED, Batch.attempt <= attempt.attempt, **taken):
            log.info("batch accepted", edition=attempt.week, batch=batch.id, attempt=attempt.attempt, why=taken["why"])
            return


def _should_not_have_gone(session: Session, batch: Batch, attempt: Seen, *, cancelled: bool, now: datetime) -> None:
    what = "was cancelled" if cancelled else "was given up"
    why = (
        f"attempt {attempt.attempt} of batch {batch.id} {what}, and an event says that it went out all the same: "
        f"its readers may get this edition twice"
    )
    if halting.raise_alarm(session, batch.edition_id, why=why, by=EVENTS, now=now):
        log.error("an attempt went out that should not have", batch=batch.id, attempt=attempt.attempt)
        halting.halt(session, batch.edition_id, why=f"{why}.", by=EVENTS, now=now)


def _cancelled(session: Session, found: Collection[Batch]) -> set[tuple[int, int]]:
    rows = session.execute(
        sa.select(FencedAttempt.batch_id, FencedAttempt.attempt).where(
            FencedAttempt.batch_id.in_([batch.id for batch in found]), FencedAttempt.cancelled_at.is_not(None)
        )
    )
    return {(batch, attempt) for batch, attempt in rows}


# — by a person —


def settle(session: Session, batch_id: int, *, was_accepted: bool, why: str, by: str, now: datetime) -> Batch:
    """A named person knows what became of an uncertain batch; the edition's log says who.

    Raises NoSuchBatch, NotUncertain, Stopped or BeingCalledBack.
    """
    batch = session.get(Batch, batch_id, with_for_update=True)
    if batch is None:
        raise NoSuchBatch(f"There is no batch {batch_id}; `digest batches` lists them.")
    edition = session.get_one(Edition, batch.edition_id)
    if not was_accepted and edition.state is EditionState.STOPPED:
        raise Stopped
    fenced = session.get(FencedAttempt, (batch.id, batch.attempt))
    if was_accepted and fenced and fenced.asked_at and not fenced.cancelled_at and fenced.send_at > now:
        raise BeingCalledBack
    note = f"settled by {by}: {why}"
    if was_accepted:
        moved = move(session, batch_id, UNCERTAIN, ACCEPTED, accepted_at=now, why=note)
    else:
        moved = move(session, batch_id, UNCERTAIN, PENDING, owner=None, called_at=None, not_before=None, why=note)
    if not moved:
        raise NotUncertain(f"Batch {batch_id} is {batch.state}; only an uncertain one can be settled.")
    what = f"batch {batch_id} settled: {'the provider has it' if was_accepted else 'to be handed over again'}"
    editions.log(session, edition, by=by, what=what, why=why, now=now)
    session.refresh(batch)
    return batch
