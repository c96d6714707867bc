"""People an operator adds, one or a million: active with a basis of consent, else pending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from subscribers import policy, rows, standings
from subscribers.addresses import Address
from subscribers.consent.outcomes import (
    BY_OPERATORS,
    LONGEST_NAME,
    LONGEST_REASON,
    AddressRefused,
    Outcome,
    letter_to,
    there,
)
from subscribers.errors import PeopleError
from subscribers.letters import LetterOwed
from subscribers.links import new_link_id
from subscribers.policy import Act, Decision, Standing, State
from subscribers.rows import Proof
from subscribers.texts import one_line, searchable, shortened

UNKNOWN = (0, Standing(None))


class NoBasis(PeopleError):
    """A basis of consent says in words how these people agreed, in at most 500 characters."""


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


def add(session: Session, newcomer: Newcomer, *, basis: str | None, now: datetime, source: str) -> Outcome:
    """An operator adds one person: active with a basis of consent, else pending and owed a confirmation letter.

    Raises NoBasis, and AddressRefused for somebody who was erased.
    """
    added = add_all(session, [newcomer], basis=basis, now=now, source=source)[0]
    if added.decision.before is None and not added.decision.recorded:
        raise AddressRefused(f"This address {added.decision.why}.")
    subscriber = there(session, newcomer.address.key)
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
    unknown = [newcomer for newcomer, (_, stands), decision in weighed if decision.recorded and stands.state is None]
    waiting = [id_ for _, (id_, stands), decision in weighed if decision.recorded and stands.state is not None]

    made = rows.insert(session, [row_of(newcomer, basis=basis, now=now) for newcomer in unknown])
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
    letter = letter_to(decision.letter, newcomer.address.on_the_wire, subscriber, now=now, through=BY_OPERATORS)
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


def row_of(newcomer: Newcomer, *, basis: str | None, now: datetime) -> Mapping[str, Any]:
    """All columns of a new person's row but what has a default."""
    name = shortened(newcomer.name or "", LONGEST_NAME) or None
    begun = {"pending_since": now} if basis is None else {"confirmed_at": now, "basis": basis}
    return {
        **begun,
        "link_id": new_link_id(),
        "email": newcomer.address.typed,
        "email_key": newcomer.address.key,
        "state": State.PENDING if basis is None else State.ACTIVE,
        "name": name,
        "search": searchable(newcomer.address.typed, newcomer.address.key, name),
        "topics": "\n".join(sorted(set(map(one_line, newcomer.topics)) - {""})),
        "created_at": newcomer.created_at or now,
        "changed_at": now,
    }
