"""What every act on somebody's consent shares: one decision carried out, its proof, its note and its letter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy, rows, standings
from subscribers.addresses import on_the_wire
from subscribers.errors import PeopleError
from subscribers.letters import LetterKind, LetterOwed
from subscribers.models import RefusedAddress, Subscriber
from subscribers.notes import Note, What, remember
from subscribers.policy import Act, Decision, State
from subscribers.rows import Gone, Proof
from subscribers.secrecy import hashes
from subscribers.texts import shortened
from subscribers.wishes import Wishes

LONGEST_NAME, LONGEST_REASON, LONGEST_EVIDENCE = 200, 500, 2_000
NO_PROOF = Proof()
BY_OPERATORS = "by the people who make this newsletter"
"""What a letter says of who entered the address, where it was not its reader; the event names the door."""

# What must survive the loss of the database. Who was added by an import may be imported again.
_NOTES: dict[Act, What] = {
    Act.CONFIRM: "confirmed",
    Act.UNSUBSCRIBE: "left",
    Act.BOUNCE: "bounced",
    Act.SUPPRESS: "suppressed",
    Act.COMPLAIN: "complained",
    Act.LIFT: "lifted",
}


class AddressRefused(PeopleError):
    """This address is refused, because of what is remembered of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. `changed`: something was recorded; `why` completes "this person …"."""

    subscriber: Subscriber
    letter: LetterOwed | None
    changed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of somebody's wishes. Equal `before` and `after`: nothing was recorded."""

    before: Wishes
    after: Wishes


def there(session: Session, key: str) -> Subscriber:
    """The person with this address, as the row is now. Somebody else may have erased them: raises Gone."""
    row = sa.select(Subscriber).where(Subscriber.email_key == key)
    found = session.scalars(row, execution_options={"populate_existing": True}).one_or_none()
    if found is None:
        raise Gone
    return found


def evidence(because: str) -> Proof:
    return Proof(wording=shortened(because, LONGEST_EVIDENCE))


def decide(session: Session, subscriber: Subscriber, act: Act, reported_at: datetime | None) -> Decision:
    """What an act does to somebody locked. `reported_at`: when a provider says it happened."""
    standing = standings.of(session, subscriber)
    if reported_at is not None:
        last_yes = standings.last_yes(session, subscriber)
        if policy.is_outdated(act, happened_at=reported_at, last_yes=last_yes):
            return policy.nothing(standing, "has confirmed, or was let in again, after this happened")
    return policy.decide(act, standing)


def carry_out(
    session: Session,
    subscriber: Subscriber,
    decision: Decision,
    act: Act,
    *,
    now: datetime,
    source: str,
    proof: Proof,
    reported_at: datetime | None = None,
) -> Outcome:
    """Write what was decided, with its proof, and say which letter it owes."""
    through = source if act is Act.SIGN_UP else BY_OPERATORS
    letter = letter_of(decision.letter, subscriber, now=now, through=through)
    if not decision.recorded or decision.after is None:
        return Outcome(subscriber, letter, changed=False, why=decision.why)
    subscriber.state = decision.after
    subscriber.changed_at = now
    if decision.after is not State.PENDING:
        subscriber.pending_since = None
    session.flush()
    rows.record(session, [subscriber.id], act, happened_at=reported_at or now, source=source, proof=proof)
    if act in _NOTES:
        note(session, subscriber, _NOTES[act], at=reported_at or now)
    return Outcome(subscriber, letter, changed=True, why=decision.why)


def note(session: Session, subscriber: Subscriber, what: What, *, at: datetime) -> None:
    """Remember this beyond the database."""
    keyed = hashes(session)
    person, address = keyed.of(subscriber.link_id), keyed.of(subscriber.email_key)
    remember(session, Note(what, at, person=person, address=address))


def no_longer_refused(session: Session, key: str) -> None:
    """The owner of this address has confirmed it."""
    session.execute(sa.delete(RefusedAddress).where(RefusedAddress.address_hash.in_(hashes(session).all_of(key))))


def letter_of(kind: LetterKind | None, subscriber: Subscriber, *, now: datetime, through: str) -> LetterOwed | None:
    """The letter of this kind to somebody, if any."""
    if kind is None:
        return None
    address = on_the_wire(subscriber.email, subscriber.email_key)
    return letter_to(kind, address, subscriber.id, now=now, through=through)


def letter_to(kind: LetterKind, email: str, subscriber: int, *, now: datetime, through: str) -> LetterOwed:
    context = {"asked_at": now.isoformat(), "asked_through": shortened(through, rows.LONGEST_SOURCE)}
    return LetterOwed(kind, email, subscriber, context)
