"""The statements by which `consent` writes subscribers and their consent events. Called from there and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from subscribers.errors import PeopleError
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import State
from subscribers.texts import shortened

# The bare tables: through the mapped classes a bulk insert takes half as long again.
_SUBSCRIBERS = cast("sa.Table", Subscriber.__table__)
_EVENTS = cast("sa.Table", ConsentEvent.__table__)

LONGEST_SOURCE, LONGEST_AGENT, LONGEST_IP = 200, 400, 45


class Gone(PeopleError):
    """This person was erased a moment ago."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was shown beside the button or given as a reason, and who pressed it."""

    wording: str | None = None
    wording_version: str | None = None
    ip: str | None = None
    user_agent: str | None = None


def lock(session: Session, subscriber: Subscriber) -> None:
    """Read the row again, for us alone until the commit: a decision on a stale row could revive somebody."""
    locked = (
        sa.select(Subscriber)
        .where(Subscriber.id == subscriber.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if session.scalars(locked).one_or_none() is None:
        raise Gone


def insert(session: Session, people: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Insert those whose address is not there yet; gives their ids by address key."""
    if not people:
        return {}
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(_SUBSCRIBERS).on_conflict_do_nothing(index_elements=["email_key"])
    inserted = session.execute(statement.returning(_SUBSCRIBERS.c.email_key, _SUBSCRIBERS.c.id), people)
    return dict(inserted.all())


def give_basis(session: Session, ids: Sequence[int], *, basis: str, now: datetime) -> set[int]:
    """Make the pending among these active; gives those who still were pending."""
    if not ids:
        return set()
    changed = (
        sa.update(Subscriber)
        .where(Subscriber.id.in_(ids), Subscriber.state == State.PENDING)
        .values(state=State.ACTIVE, confirmed_at=now, basis=basis, pending_since=None, changed_at=now)
        .returning(Subscriber.id)
        .execution_options(synchronize_session=False)
    )
    return set(session.scalars(changed))


def record(
    session: Session, subscribers: Sequence[int], kind: str, *, happened_at: datetime, source: str, proof: Proof
) -> None:
    """One consent event for each, in one statement: what they share crosses over once."""
    if not subscribers:
        return
    values = {
        _EVENTS.c.kind: str(kind),
        _EVENTS.c.happened_at: happened_at,
        _EVENTS.c.source: shortened(source, LONGEST_SOURCE),
        _EVENTS.c.wording: proof.wording,
        _EVENTS.c.wording_version: proof.wording_version,
        _EVENTS.c.ip: None if proof.ip is None else proof.ip[:LONGEST_IP],
        _EVENTS.c.user_agent: None if proof.user_agent is None else shortened(proof.user_agent, LONGEST_AGENT),
    }
    shared = [sa.literal(value, column.type) for column, value in values.items()]
    people = sa.select(_SUBSCRIBERS.c.id, *shared).where(_SUBSCRIBERS.c.id.in_(subscribers)).order_by(_SUBSCRIBERS.c.id)
    session.execute(sa.insert(_EVENTS).from_select([_EVENTS.c.subscriber_id, *values], people))
