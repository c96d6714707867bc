"""The cast of the people's room: Ada is active, Ben pending, Cleo unsubscribed, Dov suppressed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import addresses, consent
from subscribers.consent import Newcomer
from subscribers.links import CONFIRM_WITHIN, Confirmation
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import Act

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(days=30)

ADA, BEN, CLEO, DOV = "ada@example.com", "ben@example.com", "cleo@example.org", "dov@example.org"


def newcomer(email: str, name: str | None = None, topics: tuple[str, ...] = ()) -> Newcomer:
    return Newcomer(addresses.parse(email), name=name, topics=topics)


def good_link(person: Subscriber, *, at: datetime | None = None) -> Confirmation:
    """What a confirm link made just now for this person says."""
    assert person.pending_since is not None
    return Confirmation(person.link_id, person.pending_since, (at or person.pending_since) + CONFIRM_WITHIN)


def signed_up(session: Session, email: str, at: datetime = EARLIER) -> Subscriber:
    return consent.sign_up(session, addresses.parse(email), now=at, source="sign-up page").subscriber


def confirmed(session: Session, email: str, at: datetime = EARLIER) -> Subscriber:
    person = signed_up(session, email, at)
    return consent.confirm(session, person, good_link(person), now=at, source="confirm page").subscriber


def unsubscribed(session: Session, email: str, at: datetime = EARLIER) -> Subscriber:
    person = confirmed(session, email, at)
    return consent.unsubscribe(session, person, now=at + timedelta(hours=1), source="one-click").subscriber


def suppressed(
    session: Session, email: str, act: Act = Act.BOUNCE, because: str = "550 no such user", at: datetime = EARLIER
) -> Subscriber:
    person = confirmed(session, email, at)
    later = at + timedelta(hours=1)
    return consent.suppress(session, person, act, because=because, now=later, source="SendGrid").subscriber


def everyone(session: Session) -> dict[str, Subscriber]:
    """The four of them, by address."""
    return {
        ADA: confirmed(session, ADA),
        BEN: signed_up(session, BEN),
        CLEO: unsubscribed(session, CLEO),
        DOV: suppressed(session, DOV),
    }


def kinds(session: Session, person: Subscriber) -> list[str]:
    """What happened to somebody, in order."""
    events = sa.select(ConsentEvent.kind).where(ConsentEvent.subscriber_id == person.id).order_by(ConsentEvent.id)
    return list(session.scalars(events))
