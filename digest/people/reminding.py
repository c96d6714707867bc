"""The one reminder for whoever asked for the newsletter and did not press the button in the letter.

Only who asked themselves is reminded: to people whom somebody else brought, silence is an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest import postman
from digest.bootstrap import Services
from digest.letter_caps import CONFIRMING
from digest.models import Letter, LetterState
from subscribers import addresses
from subscribers.letters import LetterOwed
from subscribers.links import CONFIRM_WITHIN
from subscribers.models import ConsentEvent, State, Subscriber
from subscribers.policy import GIVE_UP_AFTER, REMIND_AFTER, Act

PEOPLE_AT_ONCE = 50
OPENING = (Act.SIGN_UP, Act.ADD, Act.LIFT)
"""What makes somebody pending; the latest of these says who opened the request."""


def remind_unconfirmed(services: Services, *, now: datetime, stopped: Callable[[], bool]) -> int:
    """Owe the reminder to everybody it is due to; says how many got one."""
    total, after = 0, 0
    while not stopped():
        with services.database.reading() as session:
            found = session.scalars(
                sa.select(Subscriber.id)
                .where(Subscriber.id > after, *_due(now))
                .order_by(Subscriber.id)
                .limit(PEOPLE_AT_ONCE)
            ).all()
        if not found:
            break
        with services.database.writing() as session:
            total += postman.queue_all(session, _letters(session, found, now), now=now)
        after = found[-1]
    return total


def _due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Who has waited long enough, with one letter whose link has expired, and still has the time that a new link is
    good for before the request is forgotten. Who asked twice has had their second letter.
    """
    theirs = (Letter.subscriber_id == Subscriber.id, Letter.kind.in_(CONFIRMING))
    letters = sa.select(sa.func.count()).where(*theirs, Letter.queued_at >= Subscriber.pending_since).scalar_subquery()
    fresh = sa.or_(Letter.state == LetterState.QUEUED, Letter.accepted_at > now - REMIND_AFTER)
    return (
        Subscriber.state == State.PENDING,
        Subscriber.pending_since <= now - REMIND_AFTER,
        Subscriber.pending_since > now - GIVE_UP_AFTER + CONFIRM_WITHIN,
        sa.exists().where(ConsentEvent.id == _opening(), ConsentEvent.kind == Act.SIGN_UP.value),
        letters <= 1,
        sa.not_(sa.exists().where(*theirs, fresh)),
    )


def _opening() -> sa.ScalarSelect[int]:
    """The event that opened somebody's request."""
    opening = aliased(ConsentEvent)
    latest = sa.select(sa.func.max(opening.id)).where(
        opening.subscriber_id == Subscriber.id, opening.kind.in_([act.value for act in OPENING])
    )
    return latest.correlate(Subscriber).scalar_subquery()


def _letters(session: Session, people: Sequence[int], now: datetime) -> list[LetterOwed]:
    """The reminders of those to whom they are still due, their rows held until they are queued."""
    due = (
        sa.select(Subscriber, ConsentEvent)
        .join(ConsentEvent, ConsentEvent.id == _opening())
        .where(Subscriber.id.in_(people), *_due(now))
        .order_by(Subscriber.id)
        .with_for_update(of=Subscriber)
    )
    return [_letter(person, asked) for person, asked in session.execute(due)]


def _letter(person: Subscriber, asked: ConsentEvent) -> LetterOwed:
    email = addresses.on_the_wire(person.email, person.email_key)
    context = {"asked_at": asked.happened_at.isoformat(), "asked_through": asked.source}
    return LetterOwed("confirm-again", email, person.id, context)
