"""The read side: who is subscribed, what one person's record holds, and how many want what. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import addresses
from subscribers.addresses import BadAddress
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import State
from subscribers.texts import one_line

PAGE = 1_000

SHORTEST_PART = 3
"""Characters. Shorter text stands in nearly everybody's address; it is taken for the beginning of one."""


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


def wishes_there_are(session: Session) -> list[tuple[str, bool]]:
    """Every combination of topics and format an active subscriber wants: a third of what counting them costs."""
    active = sa.select(Subscriber.topics, Subscriber.plain_text).where(Subscriber.state == State.ACTIVE)
    return [(topics, plain_text) for topics, plain_text in session.execute(active.distinct())]


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


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search. Where there is `more`, it comes after the id of the last of `people`."""

    people: Sequence[Subscriber]
    """In the order to show them: `exact` first, then the others by their ids. Nobody stands on two pages."""
    more: bool
    exact: Subscriber | None
    """Who has exactly the address searched for. Only on the first page, where they are one more than its limit."""


def search(session: Session, text: str, *, state: State | None = None, after: int = 0, limit: int = 50) -> Found:
    """People whose address or name holds `text`, whatever its case; no text finds everybody.

    Text shorter than `SHORTEST_PART` is looked for at the beginning of the address. No character has a meaning of its
    own. `after` is the id of the last person on the page before. What it costs is at most one look through an index.
    """
    exact = _exactly(session, text, state)
    wanted = _matching(session, text, state, exact).where(Subscriber.id > after)
    if exact is not None:
        wanted = wanted.where(Subscriber.id != exact.id)
    ids = session.scalars(_in_order(wanted).limit(limit + 1)).all()
    others = _people(session, ids[:limit])
    if exact is not None and after == 0:
        return Found([exact, *others], more=len(ids) > limit, exact=exact)
    return Found(others, more=len(ids) > limit, exact=None)


def count_matching(session: Session, text: str, *, state: State | None = None) -> int:
    """How many people `search` finds on all its pages together."""
    wanted = _matching(session, text, state, _exactly(session, text, state))
    return session.scalar(sa.select(sa.func.count()).select_from(wanted.subquery())) or 0


def everybody(session: Session, *, state: State | None = None, containing: str = "") -> Iterator[Subscriber]:
    """All that a search finds, by id, one person at a time, in flat memory."""
    wanted = _in_order(_matching(session, containing, state, _exactly(session, containing, state))).limit(PAGE)
    after = 0
    while ids := session.scalars(wanted.where(Subscriber.id > after)).all():
        yield from _people(session, ids)
        after = ids[-1]
        session.expunge_all()


def _exactly(session: Session, text: str, state: State | None) -> Subscriber | None:
    try:
        person = find(session, text)
    except BadAddress:
        return None
    return person if person is not None and state in (None, person.state) else None


def _matching(session: Session, text: str, state: State | None, exact: Subscriber | None) -> sa.Select[int]:
    """The ids, in no order. Only columns of `ix_subscribers_search` are read."""
    wanted = sa.select(Subscriber.id)
    part = one_line(text).casefold()
    if not part:
        return wanted if state is None else wanted.where(Subscriber.state == state)
    wanted = wanted.where(sa.or_(_holds(session, part), *([Subscriber.id == exact.id] if exact else [])))
    return wanted if state is None else wanted.where(_is_in(session, state))


def _holds(session: Session, part: str) -> sa.ColumnElement[bool]:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    look = sa.func.instr if is_sqlite else sa.func.strpos
    if len(part) >= SHORTEST_PART:
        return look(Subscriber.search, part) > 0
    begins = sa.func.substr(Subscriber.search, 1, len(part))
    # PostgreSQL expects few to be equal to anything: it would read all the wide rows in order to sort those.
    return begins == part if is_sqlite else look(begins, part) > 0


def _is_in(session: Session, state: State) -> sa.ColumnElement[bool]:
    """SQLite would else prefer the index of states, and look up the wide row of everybody in that state."""
    if session.get_bind().dialect.name == "sqlite":
        return sa.literal_column("+subscribers.state", Subscriber.state.type) == state
    return Subscriber.state == state


def _in_order(ids: sa.Select[int]) -> sa.Select[int]:
    """By id. The other columns change nothing, but make PostgreSQL read the index instead of the wide rows."""
    return ids.order_by(Subscriber.id, Subscriber.state, Subscriber.search)


def _people(session: Session, ids: Sequence[int]) -> Sequence[Subscriber]:
    return session.scalars(sa.select(Subscriber).where(Subscriber.id.in_(ids)).order_by(Subscriber.id)).all()
