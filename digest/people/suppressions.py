"""The suppression list: whom we never write to, why, since when, on what evidence, and whether that may be lifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy, standings
from subscribers.models import ConsentEvent, RefusedAddress, State, Subscriber
from subscribers.policy import SUPPRESSING, Act, Refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = [act.value for act in SUPPRESSING]
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page of the list ends."""

    changed_at: datetime
    person: int

    def __str__(self) -> str:
        return f"{(self.changed_at - _EPOCH) // timedelta(microseconds=1)}-{self.person}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for text that is no mark."""
        at, _, person = text.partition("-")
        if not all(part.isascii() and part.isdecimal() and len(part) <= _DIGITS for part in (at, person)):
            return None
        try:
            return cls(_EPOCH + timedelta(microseconds=int(at)), int(person))
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One person on the list. `by` is the weightiest reason in force, `evidence` what was said of it."""

    person: Subscriber
    by: Act | None
    at: datetime
    source: str | None
    evidence: str | None
    why_not_lifted: str | None
    """None where staff may lift it."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the list, the latest change first; `following` is where the next page begins."""

    found: Sequence[Suppressed]
    following: Mark | None


def page(session: Session, *, by: Act | None = None, after: Mark | None = None, limit: int = 50) -> Page:
    """Who is suppressed, perhaps for one reason only."""
    wanted = (
        sa.select(Subscriber)
        .where(Subscriber.state == State.SUPPRESSED)
        .order_by(Subscriber.changed_at.desc(), Subscriber.id.desc())
        .limit(limit + 1)
    )
    if by is not None:
        wanted = wanted.where(_reason() == by.value)
    if after is not None:
        earlier = sa.and_(Subscriber.changed_at == after.changed_at, Subscriber.id < after.person)
        wanted = wanted.where(sa.or_(Subscriber.changed_at < after.changed_at, earlier))
    people = session.scalars(wanted).all()
    shown = people[:limit]
    following = Mark(shown[-1].changed_at, shown[-1].id) if len(people) > limit else None
    return Page(_with_reasons(session, shown), following)


def refused(session: Session) -> dict[Refusal, int]:
    """How many addresses are remembered as hashes alone, by why; all reasons are there."""
    found = session.execute(sa.select(RefusedAddress.because, sa.func.count()).group_by(RefusedAddress.because))
    return dict.fromkeys(Refusal, 0) | dict(found.all())


def _reason() -> sa.ScalarSelect[str]:
    """The last act that suppressed somebody: only one that outweighs those before it is ever recorded."""
    return (
        sa.select(ConsentEvent.kind)
        .where(ConsentEvent.subscriber_id == Subscriber.id, ConsentEvent.kind.in_(_KINDS))
        .order_by(ConsentEvent.id.desc())
        .limit(1)
        .correlate(Subscriber)
        .scalar_subquery()
    )


def _with_reasons(session: Session, people: Sequence[Subscriber]) -> list[Suppressed]:
    events = sa.select(ConsentEvent).where(
        ConsentEvent.subscriber_id.in_([person.id for person in people]), ConsentEvent.kind.in_(_KINDS)
    )
    latest = {event.subscriber_id: event for event in session.scalars(events.order_by(ConsentEvent.id))}
    stands = standings.by_key(session, [person.email_key for person in people])
    return [_suppressed(person, latest.get(person.id), stands[person.email_key][1]) for person in people]


def _suppressed(person: Subscriber, event: ConsentEvent | None, stands: policy.Standing) -> Suppressed:
    lifted = policy.decide(Act.LIFT, stands)
    return Suppressed(
        person=person,
        by=stands.suppressed_by,
        at=event.happened_at if event else person.changed_at,
        source=event.source if event else None,
        evidence=person.suppressed_because,
        why_not_lifted=None if lifted.recorded else lifted.why,
    )
