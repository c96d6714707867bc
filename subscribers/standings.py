"""Where people stand, as `policy` wants to know it: read from their rows and from what happened to them before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy, rows
from subscribers.models import ConsentEvent, RefusedAddress, Subscriber
from subscribers.policy import Act, Refusal, Standing, State
from subscribers.secrecy import hashes

FOR_EVER = Refusal.FOR_EVER
_ACTS = frozenset(act.value for act in Act)


def of(session: Session, subscriber: Subscriber) -> Standing:
    """Where one person stands."""
    refused = refusals(session, [subscriber.email_key])
    return _by_id(session, {subscriber.id: (subscriber.state, refused.get(subscriber.email_key))})[subscriber.id]


def by_key(session: Session, keys: Sequence[str]) -> dict[str, tuple[int, Standing]]:
    """Who of these addresses is known, by key: their id and where they stand. At most a few thousand at a time.

    The id is 0 where nothing is known but that the address is refused.
    """
    known = session.execute(
        sa.select(Subscriber.email_key, Subscriber.id, Subscriber.state).where(
            rows.among(session, Subscriber.email_key, keys)
        )
    ).all()
    refused = refusals(session, keys)
    standings = _by_id(session, {row.id: (row.state, refused.get(row.email_key)) for row in known})
    strangers = {key: (0, Standing(None, refused=why)) for key, why in refused.items()}
    return strangers | {row.email_key: (row.id, standings[row.id]) for row in known}


def refusals(session: Session, keys: Sequence[str]) -> dict[str, Refusal]:
    """Which of these addresses are refused by what is remembered of them, whatever row they have."""
    some_are = session.scalar(sa.select(sa.exists(sa.select(RefusedAddress.address_hash))))
    if not some_are:
        return {}
    known_as = {hashed: key for key in keys for hashed in hashes(session).all_of(key)}
    found = session.execute(
        sa.select(RefusedAddress.address_hash, RefusedAddress.because).where(
            rows.among(session, RefusedAddress.address_hash, list(known_as))
        )
    )
    # Nobody's "for ever" is hidden by an older key's "erased".
    return {known_as[row.address_hash]: row.because for row in sorted(found, key=lambda row: row.because is FOR_EVER)}


def last_yes(session: Session, subscriber: Subscriber) -> datetime | None:
    """When the person last confirmed, was added with a basis, or was let in again."""
    # One person's events are few. Asked for by kind too, a planner may prefer the index by kind, and read everybody's.
    kinds = {act.value for act in (*policy.YES, Act.LIFT)}
    events = sa.select(ConsentEvent.kind, ConsentEvent.happened_at).where(ConsentEvent.subscriber_id == subscriber.id)
    return max((event.happened_at for event in session.execute(events) if event.kind in kinds), default=None)


def _by_id(session: Session, known: Mapping[int, tuple[State, Refusal | None]]) -> dict[int, Standing]:
    """Only of the pending and the suppressed does any decision ask what happened before."""
    asked = [id_ for id_, (state, _) in known.items() if state in (State.PENDING, State.SUPPRESSED)]
    events: dict[int, dict[Act, int]] = {}
    if asked:
        latest = (
            sa.select(ConsentEvent.subscriber_id, ConsentEvent.kind, sa.func.max(ConsentEvent.id))
            .where(
                rows.among(session, ConsentEvent.subscriber_id, asked),
                ConsentEvent.kind.in_([act.value for act in Act]),
            )
            .group_by(ConsentEvent.subscriber_id, ConsentEvent.kind)
        )
        for subscriber_id, kind, number in session.execute(latest):
            if kind in _ACTS:  # wishes change too, and change nobody's consent
                events.setdefault(subscriber_id, {})[Act(kind)] = number
    return {id_: policy.standing(state, events.get(id_, {}), refused) for id_, (state, refused) in known.items()}
