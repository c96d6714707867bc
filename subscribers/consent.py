"""The only writer of subscribers and their consent events: each change of consent is a row and its proof, together.

The caller opens the transaction (`Database.writing()`), passes the time, and hands on the letter an outcome owes, in
the same transaction. What may happen is decided in `policy`; nothing here is HTTP or mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy, rows, standings, wishes
from subscribers.addresses import Address, on_the_wire
from subscribers.errors import PeopleError
from subscribers.letters import LetterOwed
from subscribers.links import Confirmation, new_link_id
from subscribers.models import Subscriber
from subscribers.policy import Act, Decision, Standing, State
from subscribers.rows import Gone, Proof
from subscribers.texts import one_line, shortened
from subscribers.wishes import Wishes

__all__ = [
    "Added",
    "Chosen",
    "Gone",
    "LetterOwed",
    "Newcomer",
    "NoBasis",
    "Outcome",
    "Proof",
    "add",
    "add_all",
    "choose_wishes",
    "confirm",
    "forecast",
    "lift",
    "sign_up",
    "suppress",
    "unsubscribe",
]

LONGEST_NAME, LONGEST_REASON, LONGEST_EVIDENCE = 200, 500, 2_000
NO_PROOF = Proof()
BY_OPERATORS = "by the people who make this newsletter"
"""What a letter says of who entered the address, where it was not its reader; the event names the door."""
UNKNOWN = (0, Standing(None))


class NoBasis(PeopleError):
    """A basis of consent says in words how these people agreed, in at most 500 characters."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. `changed`: something was recorded; `why` completes "this person …"."""

    subscriber: Subscriber
    letter: LetterOwed | None
    changed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody an operator adds. All but the address matters only for a person not known yet."""

    address: Address
    name: str | None = None
    topics: tuple[str, ...] = ()
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one newcomer."""

    newcomer: Newcomer
    decision: Decision
    letter: LetterOwed | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of somebody's wishes. Equal `before` and `after`: nothing was recorded."""

    before: Wishes
    after: Wishes


def sign_up(session: Session, address: Address, *, now: datetime, source: str, proof: Proof = NO_PROOF) -> Outcome:
    """Somebody, most likely the person, asks for the newsletter at this address. Owes a confirmation letter."""
    is_new = bool(rows.insert(session, [_row(Newcomer(address), basis=None, now=now)]))
    subscriber = _there(session, address)
    rows.lock(session, subscriber)
    standing = Standing(None) if is_new else standings.of(session, subscriber)
    decision = policy.decide(Act.SIGN_UP, standing)
    if decision.recorded:
        subscriber.pending_since = policy.pending_since(standing, subscriber.pending_since, now)
    return _carry_out(session, subscriber, decision, Act.SIGN_UP, now=now, source=source, proof=proof)


def confirm(
    session: Session,
    subscriber: Subscriber,
    link: Confirmation,
    *,
    now: datetime,
    source: str,
    proof: Proof = NO_PROOF,
) -> Outcome:
    """The person pressed the button behind a confirm link. A second press is harmless."""
    if link.link_id != subscriber.link_id:
        raise ValueError("this link is somebody else's")
    rows.lock(session, subscriber)
    standing = standings.of(session, subscriber)
    problem = policy.link_problem(
        waiting_since=subscriber.pending_since, link_since=link.pending_since, expires_at=link.expires_at, now=now
    )
    if standing.state is State.PENDING and problem:
        decision = policy.nothing(standing, problem)
    else:
        decision = policy.decide(Act.CONFIRM, standing)
    if decision.recorded:
        subscriber.confirmed_at = now
        subscriber.basis = None
    return _carry_out(session, subscriber, decision, Act.CONFIRM, now=now, source=source, proof=proof)


def unsubscribe(
    session: Session,
    subscriber: Subscriber,
    *,
    now: datetime,
    source: str,
    proof: Proof = NO_PROOF,
    reported_at: datetime | None = None,
) -> Outcome:
    """Stored, it counts: from the commit on no batch is handed over with this person in it.

    `reported_at`: when the provider says it happened; an opt-out older than the last confirmation does nothing.
    """
    rows.lock(session, subscriber)
    decision = _decide(session, subscriber, Act.UNSUBSCRIBE, reported_at)
    return _carry_out(
        session, subscriber, decision, Act.UNSUBSCRIBE, now=now, source=source, proof=proof, reported_at=reported_at
    )


def suppress(
    session: Session,
    subscriber: Subscriber,
    act: Act,
    *,
    because: str,
    now: datetime,
    source: str,
    reported_at: datetime | None = None,
) -> Outcome:
    """Never write here again: `act` is one of `policy.SUPPRESSING`, `because` its evidence in words.

    `reported_at`: when the provider says it happened; a bounce older than the last confirmation or lift does nothing.
    """
    if act not in policy.SUPPRESSING:
        raise ValueError(f"“{act}” suppresses nobody")
    rows.lock(session, subscriber)
    decision = _decide(session, subscriber, act, reported_at)
    if decision.recorded:
        subscriber.suppressed_because = shortened(because, LONGEST_REASON)
    return _carry_out(
        session, subscriber, decision, act, now=now, source=source, proof=_evidence(because), reported_at=reported_at
    )


def lift(session: Session, subscriber: Subscriber, *, because: str, now: datetime, source: str) -> Outcome:
    """Staff take a suppression back, never a complaint. Nobody who said no becomes active by it."""
    rows.lock(session, subscriber)
    decision = _decide(session, subscriber, Act.LIFT, None)
    if decision.recorded:
        subscriber.suppressed_because = None
        subscriber.pending_since = now
    return _carry_out(session, subscriber, decision, Act.LIFT, now=now, source=source, proof=_evidence(because))


def choose_wishes(
    session: Session, subscriber: Subscriber, wanted: Wishes, *, now: datetime, source: str, proof: Proof = NO_PROOF
) -> Chosen:
    """Somebody active says what they want to get. It changes wishes and nothing else; of others it changes nothing."""
    rows.lock(session, subscriber)
    before, after = subscriber.wishes.at(now), wanted.at(now)
    if subscriber.state is not State.ACTIVE or before == after:
        return Chosen(before, before)
    subscriber.topics = wishes.stored_topics(after.topics)
    subscriber.rhythm = after.rhythm
    subscriber.plain_text = after.plain_text
    subscriber.paused_until = after.paused_until
    subscriber.changed_at = now
    session.flush()
    said = [wishes.in_words(before, after), *([f"shown: {proof.wording}"] if proof.wording else [])]
    proof = replace(proof, wording="; ".join(said))
    rows.record(session, [subscriber.id], wishes.CHANGED, happened_at=now, source=source, proof=proof)
    return Chosen(before, after)


def add(session: Session, newcomer: Newcomer, *, basis: str | None, now: datetime, source: str) -> Outcome:
    """An operator adds one person: active with a basis of consent, else pending and owed a confirmation letter."""
    added = add_all(session, [newcomer], basis=basis, now=now, source=source)[0]
    subscriber = _there(session, newcomer.address)
    return Outcome(subscriber, added.letter, changed=added.decision.recorded, why=added.decision.why)


def forecast(session: Session, newcomers: Sequence[Newcomer], *, basis: str | None) -> list[Decision]:
    """What adding them would do, in their order; writes nothing. At most a few thousand at a time. Raises NoBasis."""
    return [decision for _, _, decision in _weighed(session, newcomers, _basis(basis))]


def add_all(
    session: Session, newcomers: Sequence[Newcomer], *, basis: str | None, now: datetime, source: str
) -> list[Added]:
    """Like `add` for many at once, in their order, by bulk statements; no address may come twice.

    Re-adding never changes anybody's name, topics or state, except that a basis makes those active who are pending
    because an operator added them. Raises NoBasis for an empty or endless one.
    """
    basis = _basis(basis)
    weighed = _weighed(session, newcomers, basis)
    unknown = [newcomer for newcomer, (_, stands), _ in weighed if stands.state is None]
    waiting = [id_ for _, (id_, stands), decision in weighed if decision.recorded and stands.state is not None]

    made = rows.insert(session, [_row(newcomer, basis=basis, now=now) for newcomer in unknown])
    upgraded = rows.give_basis(session, waiting, basis=basis, now=now) if basis else set()
    written = [*made.values(), *upgraded]
    rows.record(session, written, _act(basis), happened_at=now, source=source, proof=Proof(wording=basis))

    return [
        _added(newcomer, decision, made.get(newcomer.address.key) or (id_ if id_ in upgraded else None), now)
        for newcomer, (id_, _), decision in weighed
    ]


def _weighed(
    session: Session, newcomers: Sequence[Newcomer], basis: str | None
) -> list[tuple[Newcomer, tuple[int, Standing], Decision]]:
    """Each newcomer, who that is and where they stand, and what adding them does."""
    known = standings.by_key(session, [newcomer.address.key for newcomer in newcomers])
    people = [(newcomer, known.get(newcomer.address.key, UNKNOWN)) for newcomer in newcomers]
    return [(newcomer, person, policy.decide(_act(basis), person[1])) for newcomer, person in people]


def _added(newcomer: Newcomer, decision: Decision, subscriber: int | None, now: datetime) -> Added:
    if not decision.recorded:
        return Added(newcomer, decision)
    if subscriber is None:
        return Added(newcomer, policy.overtaken(decision))
    if decision.letter is None:
        return Added(newcomer, decision)
    letter = _letter(decision, newcomer.address.on_the_wire, subscriber, now=now, through=BY_OPERATORS)
    return Added(newcomer, decision, letter)


def _act(basis: str | None) -> Act:
    return Act.ADD if basis is None else Act.ADD_WITH_BASIS


def _basis(text: str | None) -> str | None:
    if text is None:
        return None
    basis = one_line(text)
    if not basis or len(basis) > LONGEST_REASON:
        raise NoBasis
    return basis


def _evidence(because: str) -> Proof:
    return Proof(wording=shortened(because, LONGEST_EVIDENCE))


def _row(newcomer: Newcomer, *, basis: str | None, now: datetime) -> Mapping[str, Any]:
    """All columns of a new person's row but what has a default."""
    begun = {"pending_since": now} if basis is None else {"confirmed_at": now, "basis": basis}
    return {
        **begun,
        "link_id": new_link_id(),
        "email": newcomer.address.typed,
        "email_key": newcomer.address.key,
        "state": State.PENDING if basis is None else State.ACTIVE,
        "name": shortened(newcomer.name or "", LONGEST_NAME) or None,
        "topics": "\n".join(sorted(set(map(one_line, newcomer.topics)) - {""})),
        "created_at": newcomer.created_at or now,
        "changed_at": now,
    }


def _there(session: Session, address: Address) -> Subscriber:
    """The person with this address, as the row is now. Somebody else may have erased them: raises Gone."""
    row = sa.select(Subscriber).where(Subscriber.email_key == address.key)
    found = session.scalars(row, execution_options={"populate_existing": True}).one_or_none()
    if found is None:
        raise Gone
    return found


def _decide(session: Session, subscriber: Subscriber, act: Act, reported_at: datetime | None) -> Decision:
    standing = standings.of(session, subscriber)
    if reported_at is not None:
        last_yes = standings.last_yes(session, subscriber)
        if policy.is_outdated(act, happened_at=reported_at, last_yes=last_yes):
            return policy.nothing(standing, "has confirmed, or was let in again, after this happened")
    return policy.decide(act, standing)


def _carry_out(
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
    if not decision.recorded or decision.after is None:
        return Outcome(subscriber, None, changed=False, why=decision.why)
    subscriber.state = decision.after
    subscriber.changed_at = now
    if decision.after is not State.PENDING:
        subscriber.pending_since = None
    session.flush()
    rows.record(session, [subscriber.id], act, happened_at=reported_at or now, source=source, proof=proof)
    address = on_the_wire(subscriber.email, subscriber.email_key)
    through = source if act is Act.SIGN_UP else BY_OPERATORS
    letter = _letter(decision, address, subscriber.id, now=now, through=through)
    return Outcome(subscriber, letter, changed=True, why=decision.why)


def _letter(decision: Decision, email: str, subscriber: int, *, now: datetime, through: str) -> LetterOwed | None:
    if decision.letter is None:
        return None
    context = {"asked_at": now.isoformat(), "asked_through": shortened(through, rows.LONGEST_SOURCE)}
    return LetterOwed(decision.letter, email, subscriber, context)
