"""One act on everybody a search finds: counted first, done in small transactions, safe to run again.

The count that somebody saw is carried along: where it is no longer true, nothing is done. Each person is decided on
by themselves, as if the button on their own page had been pressed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import postman
from digest.errors import DigestError
from digest.staff import audit
from subscribers import consent, policy, roster
from subscribers.consent import Outcome, Proof
from subscribers.models import State, Subscriber
from subscribers.secrecy import hashes
from subscribers.texts import shortened

MOST = 10_000
"""People at one press."""
CHUNK = 50
"""People in one transaction: a tenth of a second, so that sign-ups and opt-outs get in between."""
LONGEST_REASON = 500


class CountChanged(DigestError):
    """The number of people found is no longer the one that was shown, so nothing was done. `now` is the new one."""

    def __init__(self, seen: int, now: int) -> None:
        super().__init__(
            f"This search found {seen:,} when the page was shown and finds {now:,} now, so nothing was done."
        )
        self.now = now


class TooMany(DigestError):
    """More than 10,000 people at one press. Narrow the search, or do it in parts."""


class NoReason(DigestError):
    """A reason is needed: it is kept with each person’s record."""


class BulkAct(StrEnum):
    """What can be done to many at once. Both only ever make mail stop."""

    UNSUBSCRIBE = "unsubscribe"
    SUPPRESS = "suppress"


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom a search finds: by part of an address or name, and by state. Empty text and no state: everybody."""

    text: str = ""
    state: State | None = None

    @property
    def is_everybody(self) -> bool:
        return not self.text and self.state is None


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many a selection finds, by state, and what an act would do to each state."""

    count: int
    by_state: dict[State, int]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of everybody selected. `left_by` counts those to whom nothing happened, by reason.

    `unreached`: how many there was no time for; the same press again goes on with them.
    """

    changed: int
    left_by: Counter[str]
    unreached: int = 0

    @property
    def left(self) -> int:
        return self.left_by.total()


def forecast(session: Session, selection: Selection) -> Forecast:
    """How many people this is about, exactly, at this moment."""
    states = [selection.state] if selection.state else list(State)
    by_state = {state: roster.count_matching(session, selection.text, state=state) for state in states}
    return Forecast(sum(by_state.values()), by_state)


def act_on_all(
    database: Database,
    selection: Selection,
    act: BulkAct,
    *,
    seen: int,
    because: str,
    by: str,
    now: datetime,
    goes_on: Callable[[], bool] = lambda: True,
) -> Done:
    """Do it to everybody found, in short transactions of their own. Interrupted, it is simply done again.

    `goes_on` is asked before each transaction but the first: who waits for the answer does not wait for ever.
    Raises CountChanged where the selection is not `seen` people any more, TooMany and NoReason.
    """
    reason = shortened(because, LONGEST_REASON)
    if not reason:
        raise NoReason
    people = _people(database, selection, seen)
    done = Done(0, Counter())
    for start in range(0, len(people), CHUNK):
        if start and not goes_on():
            return Done(done.changed, done.left_by, unreached=len(people) - start)
        with database.writing() as session:
            part = _on_some(session, people[start : start + CHUNK], selection, act, reason=reason, by=by, now=now)
            if start == 0:
                # With the first change rather than after the last: nothing is done that the log does not know.
                _note(session, selection, act, len(people), by=by, now=now)
        done = Done(done.changed + part.changed, done.left_by + part.left_by)
    return done


def _people(database: Database, selection: Selection, seen: int) -> list[int]:
    """The numbers of everybody found, all of one instant."""
    with database.reading() as session:
        count = roster.count_matching(session, selection.text, state=selection.state)
        if count != seen:
            raise CountChanged(seen, count)
        if count > MOST:
            raise TooMany
        found = roster.everybody(session, state=selection.state, containing=selection.text)
        return sorted(person.id for person in found)


def _on_some(
    session: Session, ids: Sequence[int], selection: Selection, act: BulkAct, *, reason: str, by: str, now: datetime
) -> Done:
    changed, left_by = 0, Counter[str]()
    locked = sa.select(Subscriber).where(Subscriber.id.in_(ids)).order_by(Subscriber.id).with_for_update()
    people = session.scalars(locked).all()
    if gone := len(ids) - len(people):
        left_by["was erased meanwhile"] = gone
    for person in people:
        if selection.state not in (None, person.state):
            left_by[f"has become {person.state} meanwhile"] += 1
            continue
        outcome = _on_one(session, person, act, reason=reason, by=by, now=now)
        if outcome.letter is not None:
            postman.queue(session, outcome.letter, now=now)
        if outcome.changed:
            changed += 1
        else:
            left_by[outcome.why] += 1
    return Done(changed, left_by)


def _on_one(session: Session, person: Subscriber, act: BulkAct, *, reason: str, by: str, now: datetime) -> Outcome:
    if act is BulkAct.SUPPRESS:
        return consent.suppress(session, person, policy.Act.SUPPRESS, because=reason, now=now, source=by)
    return consent.unsubscribe(session, person, now=now, source=by, proof=Proof(wording=reason))


def _note(session: Session, selection: Selection, act: BulkAct, count: int, *, by: str, now: datetime) -> None:
    """One line for all of them."""
    state = str(selection.state) if selection.state else "any"
    searched = search_noted(session, selection.text)
    audit.note(
        session, by=by, what=f"{act} everybody found", about=None, now=now, people=count, state=state, search=searched
    )


def search_noted(session: Session, text: str) -> str:
    """What was searched for, as the audit log may know it: it may be somebody's address, so only its keyed hash."""
    return hashes(session).of(text)[:16] if text else "none"
