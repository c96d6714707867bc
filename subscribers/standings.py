"""Where people stand, as `policy` wants to know it: read from their rows and from what happened to them before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import Act, Standing, State


def of(session: Session, subscriber: Subscriber) -> Standing:
    """Where one person stands."""
    return _by_id(session, {subscriber.id: subscriber.state})[subscriber.id]


def by_key(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, Standing]]:
    """Who of these addresses is known, by key: their id and where they stand. At most a few thousand at a time."""
    known = session.execute(
        sa.select(Subscriber.email_key, Subscriber.id, Subscriber.state).where(Subscriber.email_key.in_(keys))
    ).all()
    standings = _by_id(session, {row.id: row.state for row in known})
    return {row.email_key: (row.id, standings[row.id]) for row in known}


def last_yes(session: Session, subscriber: Subscriber) -> datetime | None:
    """When the person last confirmed, was added with a basis, or was let in again."""
    kinds = [act.value for act in (*policy.YES, Act.LIFT)]
    return session.scalar(
        sa.select(sa.func.max(ConsentEvent.happened_at)).where(
            ConsentEvent.subscriber_id == subscriber.id, ConsentEvent.kind.in_(kinds)
        )
    )


def _by_id(session: Session, states: Mapping[int, State]) -> dict[int, Standing]:
    """Only of the pending and the suppressed does any decision ask what happened before."""
    asked = [id_ for id_, state in states.items() if state in (State.PENDING, State.SUPPRESSED)]
    events: dict[int, dict[Act, int]] = {}
    if asked:
        latest = (
            sa.select(ConsentEvent.subscriber_id, ConsentEvent.kind, sa.func.max(ConsentEvent.id))
            .where(ConsentEvent.subscriber_id.in_(asked), ConsentEvent.kind.in_([act.value for act in Act]))
            .group_by(ConsentEvent.subscriber_id, ConsentEvent.kind)
        )
        for subscriber_id, kind, number in session.execute(latest):
            events.setdefault(subscriber_id, {})[Act(kind)] = number
    return {id_: policy.standing(state, events.get(id_, {})) for id_, state in states.items()}
