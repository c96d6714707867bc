"""One person's dossier for operators: all that is known, in one timeline, and what may be done.

Read in one transaction, so that the summary and the timeline are of the same instant. The sentences are in
`people_words`; who may see this is the door's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import wording
from digest.models import Batch, Delivery, Edition, Letter, LetterState, Staff
from digest.people import reports
from digest.people import words as people_words
from digest.people.reports import Report
from digest.people.words import Choice, Fate
from digest.rendering.typography import typeset
from subscribers import policy, roster, standings
from subscribers.models import AddressChange, ConsentEvent, Subscriber
from subscribers.policy import Act, State
from subscribers.wishes import Wishes

Kind = Literal["consent", "letter", "delivery", "event"]
Tone = Literal["good", "bad", "doubt", "quiet"]

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing: Hangul fillers and the empty Braille cell."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line below a happening. An instant is shown in the newsletter's zone by whoever shows it."""

    label: str
    value: str | datetime


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to somebody, or to a mail for them."""

    at: datetime
    kind: Kind
    what: str
    tone: Tone
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    """One person, as operators see them. `timeline`: the newest first. `fates`: how many deliveries met which."""

    person: Subscriber
    name: str | None
    state_in_words: str
    remembered: str | None
    why_they_get_it: str | None
    wishes: tuple[tuple[str, str], ...]
    moving: AddressChange | None
    choices: tuple[Choice, ...]
    proof: tuple[Happening, ...]
    """The yes that counts, an operator's basis or their own confirmation, this with the request it answers."""
    timeline: tuple[Happening, ...]
    fates: Counter[Fate]


def dossier(session: Session, number: int, *, now: datetime, zone: ZoneInfo) -> Dossier | None:
    """All that is known of the person with this number; None where there is none, or no longer."""
    person = session.get(Subscriber, number)
    if person is None:
        return None
    stands = standings.of(session, person)
    events = roster.dossier(session, person).events
    deliveries = deliveries_of(session, person)
    staff = _staff(session)
    happenings = [
        *(_of_consent(event, staff) for event in events),
        *_letters(session, person),
        *map(_of_delivery, deliveries),
        *map(_of_report, reports.of(session, person)),
    ]
    wishes = _local(person.wishes.at(now), zone)
    since = person.pending_since.astimezone(zone).date() if person.pending_since else None
    return Dossier(
        person=person,
        name=shown_name(person.name),
        state_in_words=people_words.state_in_words(stands, wishes, since),
        remembered=people_words.remembered(stands),
        why_they_get_it=_why(person, zone),
        wishes=people_words.wishes_in_words(wishes),
        moving=session.get(AddressChange, person.id),
        choices=people_words.choices(stands),
        proof=_proof(events, staff),
        timeline=_latest_first(happenings),
        fates=Counter(each.fate for each in deliveries),
    )


def shown_name(name: str | None) -> str | None:
    """A name on one line without controls; None where nothing of it could be seen."""
    line = typeset(name or "")
    return line if any(_can_be_seen(character) for character in line) else None


def _can_be_seen(character: str) -> bool:
    return character.isprintable() and not character.isspace() and character not in _BLANK


def _latest_first(happenings: Sequence[Happening]) -> tuple[Happening, ...]:
    """What happened at one instant was written in its order, so that is turned around as well."""
    numbered = enumerate(happenings)
    return tuple(each for _, each in sorted(numbered, key=lambda pair: (pair[1].at, pair[0]), reverse=True))


def _why(person: Subscriber, zone: ZoneInfo) -> str | None:
    if person.state is not State.ACTIVE:
        return None
    return wording.why_you_get_this(person.confirmed_at, person.basis, zone=zone)


def _local(wishes: Wishes, zone: ZoneInfo) -> Wishes:
    return replace(wishes, paused_until=wishes.paused_until and wishes.paused_until.astimezone(zone))


# — consent —

_TONES: dict[str, Tone] = {
    Act.CONFIRM: "good",
    Act.ADD_WITH_BASIS: "good",
    Act.LIFT: "good",
    Act.BOUNCE: "bad",
    Act.COMPLAIN: "bad",
    Act.SUPPRESS: "bad",
    Act.UNSUBSCRIBE: "bad",
}


def _staff(session: Session) -> dict[str, str]:
    """Members of staff, as events name them, with what operators know them by."""
    rows = session.execute(sa.select(Staff.id, Staff.email))
    return {f"staff {number}": f"{email} (staff {number})" for number, email in rows}


def _proof(events: Sequence[ConsentEvent], staff: Mapping[str, str]) -> tuple[Happening, ...]:
    yes = max((event for event in events if event.kind in policy.YES), key=lambda event: event.id, default=None)
    if yes is None:
        return ()
    asked = [event for event in events if event.kind in (Act.SIGN_UP, Act.ADD) and event.id < yes.id]
    before = asked[-1:] if yes.kind == Act.CONFIRM else []
    return tuple(_of_consent(event, staff) for event in (yes, *before))


def _of_consent(event: ConsentEvent, staff: Mapping[str, str]) -> Happening:
    label = people_words.LABELS.get(event.kind, "Shown")
    facts = _facts(
        ("Through", staff.get(event.source, event.source)),
        (label, event.wording),
        ("Version", event.wording_version),
        ("IP address", event.ip),
        ("Program", event.user_agent),
    )
    what = event.kind[:1].upper() + event.kind[1:]
    return Happening(event.happened_at, "consent", what, _TONES.get(event.kind, "quiet"), facts)


def _facts(*given: tuple[str, str | datetime | None]) -> tuple[Fact, ...]:
    """What is known of these."""
    return tuple(Fact(label, value) for label, value in given if value)


# — letters —


_LETTER_STATES: dict[LetterState, tuple[str, Tone]] = {
    LetterState.QUEUED: ("waiting to be posted", "doubt"),
    LetterState.ACCEPTED: ("accepted", "good"),
    LetterState.GIVEN_UP: ("given up", "bad"),
}


def _letters(session: Session, person: Subscriber) -> Iterator[Happening]:
    found = sa.select(Letter).where(Letter.subscriber_id == person.id).order_by(Letter.id)
    for letter in session.scalars(found):
        yield _of_letter(letter, person)


def _of_letter(letter: Letter, person: Subscriber) -> Happening:
    elsewhere = letter.email if letter.email.casefold() != person.email.casefold() else None
    became, tone = _LETTER_STATES[letter.state]
    waits = letter.state is LetterState.QUEUED
    facts = _facts(
        ("To", elsewhere),
        ("Queued", letter.queued_at),
        ("Accepted", letter.accepted_at),
        ("Tried", f"{letter.attempts} times" if letter.attempts > 1 else None),
        ("Next try", letter.not_before if waits and letter.attempts else None),
        ("Why", letter.last_problem),
    )
    name = people_words.LETTERS.get(letter.kind, f"Letter “{letter.kind}”")
    return Happening(letter.queued_at, "letter", f"{name}: {became}", tone, facts)


# — deliveries —


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery with its edition, its batch and what became of it."""

    delivery: Delivery
    edition: Edition
    batch: Batch
    fate: Fate


def deliveries_of(session: Session, person: Subscriber) -> list[Delivered]:
    """Every edition prepared for somebody, the oldest first.

    Editions are few and known, so that the unique key (edition, subscriber) finds the deliveries.
    """
    editions = session.scalars(sa.select(Edition.id).where(Edition.prepared_at.is_not(None))).all()
    in_batch = sa.and_(
        Batch.edition_id == Delivery.edition_id, Delivery.id.between(Batch.first_delivery, Batch.last_delivery)
    )
    rows = session.execute(
        sa.select(Delivery, Edition, Batch)
        .join(Edition, Edition.id == Delivery.edition_id)
        .join(Batch, in_batch)
        .where(Delivery.edition_id.in_(editions), Delivery.subscriber_id == person.id)
        .order_by(Delivery.id)
    )
    return [Delivered(delivery, edition, batch, _fate(delivery, batch)) for delivery, edition, batch in rows]


def _fate(delivery: Delivery, batch: Batch) -> Fate:
    return people_words.fate(
        withheld=delivery.withheld_because is not None,
        refused=delivery.refused_because is not None,
        batch_state=batch.state,
    )


_FATES: dict[Fate, Tone] = {
    Fate.WAITING: "quiet",
    Fate.IN_FLIGHT: "doubt",
    Fate.ACCEPTED: "quiet",
    Fate.WITHHELD: "quiet",
    Fate.REFUSED: "bad",
    Fate.UNCERTAIN: "doubt",
}
_BUCKETS: dict[str, Tone] = {"dropped": "bad", "bounced": "bad", "delivered": "good", "unreported": "quiet"}


def _of_delivery(found: Delivered) -> Happening:
    delivery, edition, batch = found.delivery, found.edition, found.batch
    handed_over = batch.called_at if found.fate not in (Fate.WITHHELD, Fate.WAITING) else None
    became, tone = str(found.fate), _FATES[found.fate]
    if found.fate is Fate.ACCEPTED:
        reported = people_words.bucket(
            dropped=delivery.dropped_at is not None,
            bounced=delivery.bounced_at is not None,
            delivered=delivery.delivered_at is not None,
        )
        became, tone = f"accepted, {reported}", _BUCKETS[reported]
        if delivery.complained_at is not None:
            became, tone = f"{became}, reported as spam", "bad"
    set_aside = delivery.withheld_because or delivery.refused_because
    facts = _facts(
        ("Subject", edition.subject),
        ("Variant", delivery.variant if delivery.variant != "all" else None),
        ("Prepared", edition.prepared_at),
        ("Handed over", handed_over),
        ("Accepted", batch.accepted_at if found.fate is Fate.ACCEPTED else None),
        ("Delivered", delivery.delivered_at),
        ("Put off", delivery.deferred_at),
        ("Dropped", delivery.dropped_at),
        ("Bounced", delivery.bounced_at),
        ("Bounced for good", delivery.hard_bounced_at),
        ("Reported as spam", delivery.complained_at),
        ("Unsubscribed", delivery.unsubscribed_at),
        ("Opened", delivery.opened_at),
        ("Clicked", delivery.clicked_at),
        ("Why", set_aside or (batch.why if found.fate is not Fate.ACCEPTED else None)),
        ("Batch", f"{batch.id}, attempt {batch.attempt}" if handed_over else None),
    )
    at = handed_over or edition.prepared_at or edition.created_at
    return Happening(at, "delivery", f"Edition {edition.week}: {became}", tone, facts)


# — events —

_BAD = frozenset({"bounce", "dropped", "spamreport"})
_EVENT_TONES: dict[str, Tone] = {"delivered": "good", "deferred": "doubt"}


def _of_report(report: Report) -> Happening:
    row, event = report.row, report.event
    if event.week and event.delivery:
        about: str | None = f"edition {event.week}"
    else:
        about = f"letter {event.letter}" if event.letter else "other mail of the account"
    facts = _facts(
        ("Of", about),
        ("Classified", event.classification),
        ("Said", event.reason),
        ("Address clicked", event.detail if row.kind == "click" else None),
        ("Try", event.detail if row.kind == "deferred" else None),
        ("Told", row.received_at),
        ("Batch", f"{event.batch}, attempt {event.attempt}" if event.batch and event.attempt else None),
    )
    what = people_words.event_in_words(row.kind, hard=event.type == "bounce", by_machine=event.by_machine)
    tone: Tone = "bad" if row.kind in _BAD else _EVENT_TONES.get(row.kind, "quiet")
    return Happening(row.happened_at, "event", what, tone, facts)
