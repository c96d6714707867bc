"""The read side: who is subscribed, what one person's record holds, and how many want what. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import addresses
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import State

PAGE = 1_000


class Wish(NamedTuple):
    """How many active subscribers want these topics in this format. `topics` as stored: one a line, "" for all."""

    topics: str
    plain_text: bool
    people: int


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is held about one person, the oldest event first."""

    subscriber: Subscriber
    events: Sequence[ConsentEvent]


def counts(session: Session) -> dict[State, int]:
    """How many people are in each state; all four are there."""
    found = session.execute(sa.select(Subscriber.state, sa.func.count()).group_by(Subscriber.state))
    return dict.fromkeys(State, 0) | dict(found.all())


def count_active(session: Session) -> int:
    """How many candidates an edition prepared now would have."""
    active = sa.select(sa.func.count()).select_from(Subscriber).where(Subscriber.state == State.ACTIVE)
    return session.scalars(active).one()


def wishes(session: Session) -> list[Wish]:
    """The topics and formats active subscribers want, the most wanted first."""
    people = sa.func.count().label("people")
    found = session.execute(
        sa.select(Subscriber.topics, Subscriber.plain_text, people)
        .where(Subscriber.state == State.ACTIVE)
        .group_by(Subscriber.topics, Subscriber.plain_text)
        .order_by(people.desc(), Subscriber.topics, Subscriber.plain_text)
    )
    return [Wish(*row) for row in found]


def events_since(session: Session, since: datetime) -> dict[str, int]:
    """How often each kind of consent event happened from `since` on."""
    found = session.execute(
        sa.select(ConsentEvent.kind, sa.func.count())
        .where(ConsentEvent.happened_at >= since)
        .group_by(ConsentEvent.kind)
        .order_by(ConsentEvent.kind)
    )
    return dict(found.all())


def find(session: Session, email: str) -> Subscriber | None:
    """The person with this address, however it is written. Raises addresses.BadAddress for text that is none."""
    key = addresses.parse(email).key
    return session.scalars(sa.select(Subscriber).where(Subscriber.email_key == key)).one_or_none()


def by_link_id(session: Session, link_id: str) -> Subscriber | None:
    """The person a link names; None once they are erased."""
    return session.scalars(sa.select(Subscriber).where(Subscriber.link_id == link_id)).one_or_none()


def dossier(session: Session, subscriber: Subscriber) -> Dossier:
    """One person's record with the proof of their consent."""
    events = sa.select(ConsentEvent).where(ConsentEvent.subscriber_id == subscriber.id).order_by(ConsentEvent.id)
    return Dossier(subscriber, session.scalars(events).all())


def page(
    session: Session,
    *,
    state: State | None = None,
    containing: str | None = None,
    after: int = 0,
    limit: int = PAGE,
) -> Sequence[Subscriber]:
    """At most `limit` people with ids greater than `after`, in the order of their ids.

    `containing` looks for a part of the address, in its normal form, so that case does not matter.
    """
    wanted = sa.select(Subscriber).where(Subscriber.id > after).order_by(Subscriber.id).limit(limit)
    if state is not None:
        wanted = wanted.where(Subscriber.state == state)
    if containing:
        wanted = wanted.where(Subscriber.email_key.contains(containing.casefold(), autoescape=True))
    return session.scalars(wanted).all()


def everybody(session: Session, *, state: State | None = None, containing: str | None = None) -> Iterator[Subscriber]:
    """All the pages, one person at a time, in flat memory."""
    after = 0
    while found := page(session, state=state, containing=containing, after=after):
        yield from found
        after = found[-1].id
        session.expunge_all()
