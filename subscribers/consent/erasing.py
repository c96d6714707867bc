"""The end of somebody's record: erased because they asked, or forgotten because they never confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy, rows, standings
from subscribers.consent.outcomes import NO_PROOF, carry_out, note
from subscribers.models import AddressChange, RefusedAddress, Subscriber
from subscribers.policy import Act, Refusal, State
from subscribers.secrecy import hashes

CLOCK = "the clock"


@dataclass(frozen=True, slots=True)
class Erased:
    """Whose traces the caller must now remove elsewhere; nothing of them is left here but the hash."""

    subscriber_id: int
    email_key: str
    address_hashes: tuple[str, ...]


def erase(session: Session, subscriber: Subscriber, *, now: datetime) -> Erased:
    """Everything held about somebody is gone; a keyed hash keeps everybody but themselves from bringing them back.

    Raises Gone when that has happened already.
    """
    rows.lock(session, subscriber)
    because = policy.refusal_after_erasing(standings.of(session, subscriber))
    note(session, subscriber, "erased", at=now)
    gone = Erased(subscriber.id, subscriber.email_key, hashes(session).all_of(subscriber.email_key))
    session.execute(sa.delete(Subscriber).where(Subscriber.id == subscriber.id))
    session.expunge(subscriber)
    # Somebody else may have wished to move to this address.
    session.execute(sa.delete(AddressChange).where(AddressChange.email_key == gone.email_key))
    refuse(session, gone.address_hashes[0], because, since=now)
    return gone


def refuse(session: Session, address_hash: str, because: Refusal, *, since: datetime) -> None:
    """Remember an address by its hash alone. "For ever" is never weakened."""
    known = session.get(RefusedAddress, address_hash)
    if known is None:
        session.add(RefusedAddress(address_hash=address_hash, because=because, since=since))
    elif known.because is not Refusal.FOR_EVER:
        known.because, known.since = because, since
    session.flush()


def unconfirmed(session: Session, *, now: datetime, most: int) -> Sequence[Subscriber]:
    """Those whose request was never confirmed and is too old to keep."""
    too_old = sa.select(Subscriber).where(
        Subscriber.state == State.PENDING, Subscriber.pending_since <= now - policy.GIVE_UP_AFTER
    )
    return session.scalars(too_old.order_by(Subscriber.id).limit(most)).all()


def forget_unconfirmed(session: Session, subscriber: Subscriber, *, now: datetime) -> Erased | None:
    """Nothing is kept of who never confirmed; but who once said no goes back to that, which gives None.

    Raises Gone.
    """
    rows.lock(session, subscriber)
    is_too_old = subscriber.pending_since is not None and subscriber.pending_since <= now - policy.GIVE_UP_AFTER
    if subscriber.state is not State.PENDING or not is_too_old:
        return None
    standing = standings.of(session, subscriber)
    if standing.opted_out or standing.confirmed:
        decision = policy.decide(Act.GIVE_UP, standing)
        carry_out(session, subscriber, decision, Act.GIVE_UP, now=now, source=CLOCK, proof=NO_PROOF)
        return None
    gone = Erased(subscriber.id, subscriber.email_key, hashes(session).all_of(subscriber.email_key))
    session.execute(sa.delete(Subscriber).where(Subscriber.id == subscriber.id))
    session.expunge(subscriber)
    return gone
