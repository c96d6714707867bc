"""Everything held about one person, for that person: on a page in plain words, or to take along.

Read in one transaction. What is here and what `erasing` removes must stay the same list.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import Letter
from digest.people import dossiers, reports, words
from digest.people.dossiers import Delivered
from digest.people.reports import Report
from subscribers import roster
from subscribers.models import AddressChange, ConsentEvent, State, Subscriber

STATES = {
    State.PENDING: "You were asked to confirm your address and have not done so; no edition comes to you.",
    State.ACTIVE: "You are subscribed: editions come to you.",
    State.UNSUBSCRIBED: "You have unsubscribed; no edition comes to you.",
    State.SUPPRESSED: "Nothing is sent to your address.",
}


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """One thing that happened to the subscription, and the proof kept of it."""

    at: datetime
    what: str
    through: str
    wording: str | None
    wording_version: str | None
    ip_address: str | None
    program: str | None


@dataclass(frozen=True, slots=True)
class HeldLetter:
    """One letter about the subscription. `what` in words; times None where it did not happen."""

    what: str
    to: str
    queued_at: datetime
    posted_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """One edition prepared for this person. Times are those reported first; None: never reported."""

    week: str
    subject: str
    became: str
    because: str | None
    delivered_at: datetime | None
    deferred_at: datetime | None
    dropped_at: datetime | None
    bounced_at: datetime | None
    hard_bounced_at: datetime | None
    complained_at: datetime | None
    unsubscribed_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldReport:
    """One thing the mail provider told of a mail to this person: in words, and exactly as it was told."""

    at: datetime
    what: str
    edition: str | None
    told_at: datetime
    exactly: str


@dataclass(frozen=True, slots=True)
class Held:
    """All of it. `events`, `letters`, `deliveries` and `reports` the oldest first."""

    number: int
    link_id: str
    email: str
    name: str | None
    state: State
    suppressed_because: str | None
    topics: tuple[str, ...]
    rhythm: str
    plain_text: bool
    paused_until: datetime | None
    created_at: datetime
    confirmed_at: datetime | None
    basis: str | None
    asked_at: datetime | None
    changed_at: datetime
    moving_to: str | None
    events: tuple[HeldEvent, ...]
    letters: tuple[HeldLetter, ...]
    deliveries: tuple[HeldDelivery, ...]
    reports: tuple[HeldReport, ...]


def held(session: Session, person: Subscriber) -> Held:
    """Everything about somebody, as it is now."""
    moving = session.get(AddressChange, person.id)
    letters = session.scalars(sa.select(Letter).where(Letter.subscriber_id == person.id).order_by(Letter.id))
    return Held(
        number=person.id,
        link_id=person.link_id,
        email=person.email,
        name=person.name,
        state=person.state,
        suppressed_because=person.suppressed_because,
        topics=tuple(sorted(person.wishes.topics)),
        rhythm=person.rhythm.value,
        plain_text=person.plain_text,
        paused_until=person.paused_until,
        created_at=person.created_at,
        confirmed_at=person.confirmed_at,
        basis=person.basis,
        asked_at=person.pending_since,
        changed_at=person.changed_at,
        moving_to=moving.email if moving else None,
        events=tuple(map(_event, roster.dossier(session, person).events)),
        letters=tuple(map(_letter, letters)),
        deliveries=tuple(map(_delivery, dossiers.deliveries_of(session, person))),
        reports=tuple(map(_report, reports.of(session, person))),
    )


def to_take_along(everything: Held, *, newsletter: str, now: datetime) -> bytes:
    """One readable JSON document in UTF-8; times are ISO 8601 in UTC."""
    document = {"newsletter": newsletter, "made_at": now, **asdict(everything)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def _event(event: ConsentEvent) -> HeldEvent:
    return HeldEvent(
        at=event.happened_at,
        what=event.kind,
        through=event.source,
        wording=event.wording,
        wording_version=event.wording_version,
        ip_address=event.ip,
        program=event.user_agent,
    )


LETTERS = {
    "confirm": "Please confirm",
    "confirm-again": "Please confirm, once more",
    "welcome": "Welcome",
    "links": "Your links",
    "my-data": "Link to your data",
    "change-address": "Confirm the new address",
    "address-changed": "Address changed",
}


def _letter(letter: Letter) -> HeldLetter:
    what = LETTERS.get(letter.kind, letter.kind)
    return HeldLetter(what, letter.email, letter.queued_at, letter.accepted_at, letter.state.value)


def _delivery(found: Delivered) -> HeldDelivery:
    delivery = found.delivery
    return HeldDelivery(
        week=found.edition.week,
        subject=found.edition.subject,
        became=found.fate.value,
        because=delivery.withheld_because or delivery.refused_because,
        delivered_at=delivery.delivered_at,
        deferred_at=delivery.deferred_at,
        dropped_at=delivery.dropped_at,
        bounced_at=delivery.bounced_at,
        hard_bounced_at=delivery.hard_bounced_at,
        complained_at=delivery.complained_at,
        unsubscribed_at=delivery.unsubscribed_at,
        opened_at=delivery.opened_at,
        clicked_at=delivery.clicked_at,
    )


def _report(found: Report) -> HeldReport:
    row, event = found.row, found.event
    what = words.event_in_words(row.kind, hard=event.type == "bounce", by_machine=event.by_machine)
    return HeldReport(row.happened_at, what, event.week, row.received_at, row.raw)
