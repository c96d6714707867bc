"""People an operator adds, one or a million: active with a basis of consent, else pending."""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

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
from subscribers.links import LINK_ID_LENGTH, new_link_id
from subscribers.policy import Act, Decision, Standing, State
from subscribers.rows import NewRow, Proof
from subscribers.texts import one_line, searchable, shortened
from subscribers.wishes import stored_topics

UNKNOWN = (0, Standing(None))

_RANDOM_AT_ONCE = LINK_ID_LENGTH * 3 * 64
"""Octets: as many in threes as make whole link ids of the characters they are written in."""


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


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """What became of thousands: how many people each decision is about, and the letters owed."""

    decisions: Counter[Decision]
    letters: list[LetterOwed]


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
    act = _act(_basis(basis))
    known = standings.by_key(session, [newcomer.address.key for newcomer in newcomers])
    return [policy.decide(act, known.get(newcomer.address.key, UNKNOWN)[1]) for newcomer in newcomers]


def add_all(
    session: Session, newcomers: Sequence[Newcomer], *, basis: str | None, now: datetime, source: str
) -> list[Added]:
    """Like `add` for many at once, in their order, by bulk statements; no address may come twice.

    Re-adding never changes anybody's name, topics or state, except that a basis makes those active who are pending
    because an operator added them. Raises NoBasis for an empty or endless one.
    """
    done = _carried_out(session, newcomers, _basis(basis), now=now, source=source)

    def added(newcomer: Newcomer) -> Added:
        key = newcomer.address.key
        if key not in done.made:
            return Added(newcomer, done.others[key])
        return Added(newcomer, done.as_new, _letter(newcomer, done.as_new, done.made[key], now))

    return [added(newcomer) for newcomer in newcomers]


def bring_in(
    session: Session, newcomers: Sequence[Newcomer], *, basis: str | None, now: datetime, source: str
) -> BroughtIn:
    """Like `add_all`, counted: for thousands at a time."""
    done = _carried_out(session, newcomers, _basis(basis), now=now, source=source)
    decisions = Counter(done.others.values())
    decisions[done.as_new] += len(done.made)
    if done.as_new.letter is None:
        return BroughtIn(decisions, [])
    letters = [
        _letter(newcomer, done.as_new, done.made[newcomer.address.key], now)
        for newcomer in newcomers
        if newcomer.address.key in done.made
    ]
    return BroughtIn(decisions, [letter for letter in letters if letter])


class _Done(NamedTuple):
    """What became of many: who is new, by address key with their ids, and what was decided of all others."""

    as_new: Decision
    made: Mapping[str, int]
    others: Mapping[str, Decision]


def _carried_out(
    session: Session, newcomers: Sequence[Newcomer], basis: str | None, *, now: datetime, source: str
) -> _Done:
    act = _act(basis)
    as_new = policy.decide(act, Standing(None))
    made = _insert_strangers(session, newcomers, basis=basis, now=now)
    keys = [newcomer.address.key for newcomer in newcomers if newcomer.address.key not in made]
    known = standings.by_key(session, keys) if keys else {}
    people = {key: known.get(key, UNKNOWN) for key in keys}
    decisions = {key: policy.decide(act, stands) for key, (_, stands) in people.items()}

    waiting = [id_ for key, (id_, _) in people.items() if decisions[key].recorded]
    upgraded = rows.give_basis(session, waiting, basis=basis, now=now) if basis and waiting else set()
    rows.record(session, [*made.values(), *upgraded], act, happened_at=now, source=source, proof=Proof(wording=basis))
    others = {
        key: policy.overtaken(decision) if decision.recorded and people[key][0] not in upgraded else decision
        for key, decision in decisions.items()
    }
    return _Done(as_new, made, others)


def _insert_strangers(
    session: Session, newcomers: Sequence[Newcomer], *, basis: str | None, now: datetime
) -> dict[str, int]:
    """Those of whom nothing is known have a row now; gives their ids by address key.

    What is remembered of an address is looked at afterwards: somebody may be erased while we insert.
    """
    people = [_new_row(newcomer, link_id, now) for newcomer, link_id in zip(newcomers, _new_link_ids(), strict=False)]
    made = rows.insert_all(session, people, _alike(basis, now))
    refused = standings.refusals(session, list(made)) if made else {}
    if refused:
        rows.take_back(session, [made.pop(key) for key in refused])
    return made


def _new_link_ids() -> Iterator[str]:
    """Like `new_link_id`, from one piece of randomness for hundreds: each asking costs a call of the system."""
    while True:
        drawn = base64.urlsafe_b64encode(secrets.token_bytes(_RANDOM_AT_ONCE)).decode()
        yield from (drawn[at : at + LINK_ID_LENGTH] for at in range(0, len(drawn), LINK_ID_LENGTH))


def _letter(newcomer: Newcomer, decision: Decision, subscriber: int, now: datetime) -> LetterOwed | None:
    if decision.letter is None:
        return None
    return letter_to(decision.letter, newcomer.address.on_the_wire, subscriber, now=now, through=BY_OPERATORS)


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
    return _new_row(newcomer, new_link_id(), now)._asdict() | _alike(basis, now)


def _new_row(newcomer: Newcomer, link_id: str, now: datetime) -> NewRow:
    """What is this person's own."""
    typed, key = newcomer.address.typed, newcomer.address.key
    name = shortened(newcomer.name, LONGEST_NAME) or None if newcomer.name else None
    topics = _stored(newcomer.topics) if newcomer.topics else ""
    return NewRow(link_id, typed, key, name, searchable(typed, key, name), topics, newcomer.created_at or now)


def _alike(basis: str | None, now: datetime) -> dict[str, Any]:
    """What all have in common who are added at once."""
    begun = {"pending_since": now} if basis is None else {"confirmed_at": now, "basis": basis}
    return {**begun, "state": State.PENDING if basis is None else State.ACTIVE, "changed_at": now}


@lru_cache(maxsize=1_024)  # whole lists of people want the same
def _stored(topics: tuple[str, ...]) -> str:
    return stored_topics(frozenset(map(one_line, topics)) - {""})
