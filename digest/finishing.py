"""An edition that is being sent: when its first wave is over, what it waits for, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest import editions, halting, pauses
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Edition, EditionState, FencedAttempt
from digest.recording import SENDER

FIRST_WAVE = "the first wave is out; the rest follows unless the circuit breaker stops it"
CALLING_BACK = "attempts whose answer was lost are being called back"
LOOK_AGAIN = timedelta(seconds=5)
UNFINISHED = (BatchState.PENDING, BatchState.SUBMITTING)


def end_first_waves(session: Session, *, wait: timedelta, now: datetime) -> bool:
    """Where the first wave has been answered for, say when the rest may follow; each edition once. True: it was."""
    first, rest = aliased(Batch), aliased(Batch)
    answered = sa.select(Edition).where(
        Edition.state == EditionState.SENDING,
        Edition.wave_until.is_(None),
        ~sa.exists().where(first.edition_id == Edition.id, first.wave == 1, first.state.in_(UNFINISHED)),
        sa.exists().where(rest.edition_id == Edition.id, rest.wave > 1),
    )
    found = session.scalars(answered.with_for_update(skip_locked=True)).all()
    for edition in found:
        edition.wave_until = now + wait
        if wait:
            why = f"the rest follows {edition.wave_until:%H:%M:%S} UTC, unless the circuit breaker stops it"
            editions.log(session, edition, by=SENDER, what="first wave is out", why=why, now=now)
    return bool(found)


def finish(services: Services, *, now: datetime) -> None:
    """Editions with nothing left to hand over: sent, or halted while any batch is uncertain.

    Not while one can still be called back: a provider that does not listen for a moment costs no person's time.
    """
    sending = sa.select(Edition).where(Edition.state == EditionState.SENDING).order_by(Edition.id)
    with services.database.writing() as session:
        # Skipped when locked: then another worker is finishing it at this moment.
        for edition in session.scalars(sending.with_for_update(skip_locked=True)).all():
            _finish(session, edition, margin=services.timing.cancel_margin, now=now)


def _finish(session: Session, edition: Edition, *, margin: timedelta, now: datetime) -> None:
    by_state = sa.select(Batch.state, sa.func.count()).where(Batch.edition_id == edition.id).group_by(Batch.state)
    counted = {state: count for state, count in session.execute(by_state)}
    if counted.get(BatchState.PENDING) or counted.get(BatchState.SUBMITTING):
        return
    unknown = counted.get(BatchState.UNCERTAIN, 0)
    if unknown and session.scalar(sa.select(_can_be_called_back(edition, now + margin))):
        return
    if unknown:
        which = "batch is" if unknown == 1 else "batches are"
        halting.halt(
            session,
            edition.id,
            why=f"{unknown} {which} uncertain; see `digest batches {edition.week}`, settle them, then resume.",
            by=SENDER,
            now=now,
        )
        return
    editions.advance(session, edition, EditionState.SENT, by=SENDER, now=now, finished_at=now)


def _can_be_called_back(edition: Edition, latest: datetime) -> sa.Exists:
    """Whether an uncertain attempt has a fence whose time is later than this."""
    return sa.exists().where(
        Batch.edition_id == edition.id,
        Batch.state == BatchState.UNCERTAIN,
        FencedAttempt.batch_id == Batch.id,
        FencedAttempt.attempt == Batch.attempt,
        FencedAttempt.cancelled_at.is_(None),
        FencedAttempt.send_at > latest,
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why nothing can be handed over at this moment, and when it can again (None: only a person can tell)."""

    why: str
    until: datetime | None


def waiting(session: Session, edition: Edition, *, now: datetime) -> Waiting | None:
    """What an edition being sent waits for; None when nothing is left or something is free now."""
    if edition.state is not EditionState.SENDING:
        return None
    for pause in pauses.standing(session, edition, now=now):
        return Waiting(pause.because, pause.until)
    held_back = edition.wave_until is None or edition.wave_until > now
    unfinished = session.execute(
        sa.select(Batch.state, Batch.wave, Batch.not_before, Batch.lease_until, Batch.why).where(
            Batch.edition_id == edition.id, Batch.state.in_(UNFINISHED)
        )
    ).all()
    if not unfinished and session.scalar(sa.select(_can_be_called_back(edition, now))):
        return Waiting(CALLING_BACK, now + LOOK_AGAIN)
    now_due = [row for row in unfinished if row.wave == 1 or not held_back]
    if not now_due and unfinished and edition.wave_until is not None:
        return Waiting(FIRST_WAVE, edition.wave_until)
    if not now_due or any(row.state is BatchState.PENDING and (row.not_before or now) <= now for row in now_due):
        return None
    soonest = min(
        (row.not_before or row.lease_until or now, row.why or "another process is handing over") for row in now_due
    )
    return Waiting(soonest[1], soonest[0])
