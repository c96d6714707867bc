"""Editions that have gone out, and events about them as the provider writes them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import outcomes, sendgrid_events
from digest.bootstrap import Services
from digest.event_rows import STAMPS
from digest.models import Batch, BatchState, Delivery, Edition, EditionState
from digest.outcomes import Recorded
from subscribers import standings
from subscribers.models import State, Subscriber
from tests import make

ACCEPTED = make.SEND + timedelta(minutes=1)
TOLD = make.SEND + timedelta(minutes=10)
"""When events come in, unless a test says otherwise."""

BATCH = 10

_ids = itertools.count(1)


@dataclass(frozen=True)
class Reader:
    """One delivery of an edition that has gone out."""

    delivery: int
    subscriber: int
    email: str
    batch: int
    week: str = make.WEEK


def sent(services: Services, readers: int = 3, *, accepted: bool = True, week: str = make.WEEK) -> list[Reader]:
    """An edition handed over to everybody active, with so many readers more; every batch accepted, or else uncertain.

    Its rows by hand: what comes before is not the point here, and takes a hundred times as long.
    """
    with services.database.writing() as session:
        if readers:
            make.audience(session, readers)
        people = session.scalars(sa.select(Subscriber).where(Subscriber.state == State.ACTIVE).order_by(Subscriber.id))
        return _handed_over(session, week, people.all(), BatchState.ACCEPTED if accepted else BatchState.UNCERTAIN)


def _handed_over(session: Session, week: str, people: Sequence[Subscriber], state: BatchState) -> list[Reader]:
    edition = Edition(
        week=week,
        state=EditionState.SENDING,
        window_start=make.SEEN,
        window_end=make.CUTOFF,
        planned_at=make.SEND,
        send_at=make.SEND,
        rules={},
        subject="Corbelkit sweeps the panel",
        created_at=make.CUTOFF,
        prepared_at=make.SEND,
        begun_at=make.SEND,
        candidates=len(people),
    )
    session.add(edition)
    session.flush()
    first = (session.scalar(sa.select(sa.func.max(Delivery.id))) or 0) + 1
    found = []
    for start in range(0, len(people), BATCH):
        some = people[start : start + BATCH]
        batch = Batch(
            edition_id=edition.id,
            variant="all",
            first_delivery=first + start,
            last_delivery=first + start + len(some) - 1,
            state=state,
            attempt=1,
            called_at=make.SEND,
            accepted_at=ACCEPTED if state is BatchState.ACCEPTED else None,
        )
        session.add(batch)
        session.flush()
        for number, person in enumerate(some, start=first + start):
            session.add(Delivery(id=number, edition_id=edition.id, subscriber_id=person.id, variant="all"))
            found.append(Reader(number, person.id, person.email, batch.id, week))
    return found


def event(reader: Reader | None, kind: str, *, after: float = 0, **given: Any) -> dict[str, Any]:
    """One event about a reader's mail, or about other mail; `after` in seconds since it was handed over."""
    number = next(_ids)
    said: dict[str, Any] = {
        "email": reader.email if reader else "somebody@example.org",
        "event": kind,
        "timestamp": int(make.SEND.timestamp() + after),
        "sg_event_id": f"event-{number}",
        "sg_message_id": f"message-{reader.batch if reader else 0}.recvd-{number}",
        "smtp-id": f"<{number}@geopod>",
        "category": ["digest"],
    }
    if reader:
        said |= {
            "vd_delivery": str(reader.delivery),
            "vd_week": reader.week,
            "vd_batch": str(reader.batch),
            "vd_attempt": "1",
        }
    return {name: value for name, value in (said | given).items() if value is not None}


def bounce(
    reader: Reader | None, *, classification: str | None = "Mailbox Unavailable", **given: Any
) -> dict[str, Any]:
    """A hard bounce."""
    said = {"type": "bounce", "reason": "550 5.1.1 no such user", "status": "5.1.1"}
    return event(reader, "bounce", **({**said, "bounce_classification": classification} | given))


def tell(services: Services, *events: dict[str, Any], now: datetime = TOLD) -> Recorded:
    """One post of these events, past its signature."""
    return outcomes.take_in(services.database, sendgrid_events.parse(orjson.dumps(list(events))), now=now)


def times(services: Services, delivery: int) -> dict[str, float]:
    """The stamps of a delivery, in seconds since it was handed over."""
    with services.database.reading() as session:
        row = session.get_one(Delivery, delivery)
        stamps = {name: getattr(row, name) for name in STAMPS}
    return {name: (at - make.SEND).total_seconds() for name, at in stamps.items() if at is not None}


def consent_of(services: Services, subscriber: int) -> tuple[Any, ...]:
    """Where somebody stands: state, the weightiest reason against them, and whether they said no."""
    with services.database.reading() as session:
        stands = standings.of(session, session.get_one(Subscriber, subscriber))
    # Of who has left, `standings` looks up no more than that.
    return stands.state, stands.suppressed_by, stands.opted_out or stands.state is State.UNSUBSCRIBED
