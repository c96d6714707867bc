"""The page behind a mail's preferences link: what it offers, how its form is filled in, read, and answered.

The person is whoever holds the link, and a mail may be forwarded: nothing here shows who it is, and only wishes change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.errors import DigestError
from digest.models import Tool
from digest.rendering.typography import spoken_day
from subscribers import consent, wishes
from subscribers.consent import Proof
from subscribers.links import Links
from subscribers.models import Subscriber
from subscribers.wishes import Rhythm, Wishes

MOST_WEEKS = 26
EVERYTHING, ONLY = "everything", "only"
NO_PAUSE = "no"
SOURCE = "preferences page"

Part = Literal["topics", "rhythm", "pause", "undo"]


class NotSaved(DigestError):
    """The wishes cannot be saved as they were posted, so nothing was changed. `part` says which part of the form."""

    def __init__(self, part: Part, why: str) -> None:
        super().__init__(f"{why} Nothing was changed.")
        self.part = part


@dataclass(frozen=True, slots=True)
class Form:
    """The form as somebody filled it in; any of it may be anything.

    `scope` is EVERYTHING or ONLY, `pause` NO_PAUSE or the ISO day from which on editions come again.
    """

    scope: str
    topics: frozenset[str]
    rhythm: str
    plain_text: bool
    pause: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One category to choose. `known`: a tool we have taken in has it."""

    name: str
    known: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause to choose, in words short enough for a phone; editions come again from the day `ends` on."""

    words: str
    ends: date


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the page shows: the form with its choices, and what was just done.

    `saved`: what is new, in words; empty where it was like that already, None where nothing was pressed.
    """

    form: Form
    topics: Sequence[Topic]
    pauses: Sequence[Pause]
    saved: Sequence[str] | None = None
    undo: str | None = None
    problem: NotSaved | None = None


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button: when, what was shown beside it, and the zone and links of the newsletter."""

    now: datetime
    proof: Proof
    zone: tzinfo
    links: Links


def opened(session: Session, person: Subscriber, *, now: datetime, zone: tzinfo) -> Sheet:
    """What somebody gets, beside what else there is."""
    current = person.wishes.at(now)
    return _sheet(session, filled(current, zone), current, now, zone)


def save(session: Session, person: Subscriber, form: Form, press: Press) -> Sheet:
    """Store the wishes of a form. Of somebody not active nothing changes."""
    current = person.wishes.at(press.now)
    try:
        wanted = read(form, offered=offered(session), current=current, now=press.now, zone=press.zone)
    except NotSaved as problem:
        return _sheet(session, form, current, press.now, press.zone, problem=problem)
    return _chosen(session, person, wanted, press)


def undo(session: Session, person: Subscriber, token: str, press: Press) -> Sheet:
    """Give back the wishes sealed in a token. Of somebody not active nothing changes."""
    sealed = press.links.read_undo(token, person.link_id)
    if sealed is None:
        current = person.wishes.at(press.now)
        problem = NotSaved("undo", "This cannot be undone by itself; choose again below.")
        return _sheet(session, filled(current, press.zone), current, press.now, press.zone, problem=problem)
    return _chosen(session, person, wishes.unpacked(sealed), press)


def offered(session: Session) -> list[str]:
    """The categories of the tools taken in, in no order."""
    category = Tool.facts["category"].as_string()
    return [name for name in session.scalars(sa.select(category).distinct()) if name]


def filled(current: Wishes, zone: tzinfo) -> Form:
    """The form with somebody's wishes in it."""
    return Form(
        scope=ONLY if current.topics else EVERYTHING,
        topics=current.topics,
        rhythm=current.rhythm.value,
        plain_text=current.plain_text,
        pause=NO_PAUSE if current.paused_until is None else _day(current.paused_until, zone).isoformat(),
    )


def read(form: Form, *, offered: Collection[str], current: Wishes, now: datetime, zone: tzinfo) -> Wishes:
    """The wishes a form holds. Raises NotSaved for anything the page does not offer."""
    return Wishes(
        topics=_topics(form, {*offered, *current.topics}),
        rhythm=_rhythm(form.rhythm),
        plain_text=form.plain_text,
        paused_until=_paused_until(form.pause, current, now, zone),
    )


def pauses(now: datetime, zone: tzinfo) -> list[Pause]:
    """Every pause there is to choose.

    Each ends with its last day: a week chosen on reading one edition leaves out the next, and that whole day.
    """
    today = _day(now, zone)
    ends = [today + timedelta(weeks=weeks, days=1) for weeks in range(1, MOST_WEEKS + 1)]
    return [Pause(f"{n} {'week' if n == 1 else 'weeks'}, to {_short(day)}", day) for n, day in enumerate(ends, start=1)]


def _topics(form: Form, known: Collection[str]) -> frozenset[str]:
    if form.scope == EVERYTHING:
        return frozenset()
    if form.scope != ONLY:
        raise NotSaved("topics", "Choose every topic, or only some.")
    if not form.topics:
        raise NotSaved("topics", "Tick at least one topic, or choose every topic.")
    if not form.topics <= set(known):
        raise NotSaved("topics", "One of these topics is not known here; choose among those shown.")
    return form.topics


def _rhythm(word: str) -> Rhythm:
    try:
        return Rhythm(word)
    except ValueError:
        raise NotSaved("rhythm", "Choose weekly or monthly.") from None


def _paused_until(posted: str, current: Wishes, now: datetime, zone: tzinfo) -> datetime | None:
    """The day that stood beside the choice, however long ago the page was opened; a pause that is over is none."""
    if posted == NO_PAUSE:
        return None
    if current.paused_until is not None and posted == _day(current.paused_until, zone).isoformat():
        return current.paused_until
    try:
        ends = date.fromisoformat(posted)
    except ValueError:
        raise _no_such_pause() from None
    if ends > pauses(now, zone)[-1].ends:
        raise _no_such_pause()
    return datetime.combine(ends, time(), zone) if ends > _day(now, zone) else None


def _no_such_pause() -> NotSaved:
    return NotSaved("pause", f"Choose a pause of at most {MOST_WEEKS} weeks.")


def _chosen(session: Session, person: Subscriber, wanted: Wishes, press: Press) -> Sheet:
    now, zone = press.now, press.zone
    chosen = consent.choose_wishes(session, person, wanted, now=now, source=SOURCE, proof=press.proof)
    before, after = chosen.before, chosen.after
    saved = _said(after, wishes.changed(before, after), zone)
    token = press.links.undo_token(person.link_id, wishes.packed(before)) if saved else None
    return _sheet(session, filled(after, zone), after, now, zone, saved=saved, undo=token)


def _said(now_wanted: Wishes, names: Iterable[str], zone: tzinfo) -> list[str]:
    until = now_wanted.paused_until
    said = {
        "topics": f"Topics: {', '.join(sorted(now_wanted.topics, key=str.casefold)) or 'all of them'}",
        "rhythm": f"Rhythm: {now_wanted.rhythm.value}",
        "plain_text": f"Format: {'plain text only' if now_wanted.plain_text else 'with layout and colours'}",
        "paused_until": f"Pause: editions come again from {spoken_day(_day(until, zone))}" if until else "No pause",
    }
    return [said[name] for name in names]


def _sheet(
    session: Session,
    form: Form,
    current: Wishes,
    now: datetime,
    zone: tzinfo,
    *,
    saved: Sequence[str] | None = None,
    undo: str | None = None,
    problem: NotSaved | None = None,
) -> Sheet:
    known = set(offered(session))
    topics = [Topic(name, name in known) for name in sorted(known | current.topics, key=lambda name: name.casefold())]
    return Sheet(form, topics, _pauses_beside(current, now, zone), saved, undo, problem)


def _pauses_beside(current: Wishes, now: datetime, zone: tzinfo) -> list[Pause]:
    """All pauses, with the one there is among them in its place."""
    choices = pauses(now, zone)
    if current.paused_until is None:
        return choices
    ends = _day(current.paused_until, zone)
    if all(choice.ends != ends for choice in choices):
        choices.append(Pause(f"As now, to {_short(ends)}", ends))
    return sorted(choices, key=lambda choice: choice.ends)


def _short(day: date) -> str:
    """20 Nov 2026."""
    number, month, year = spoken_day(day).split(" ")
    return f"{number} {month[:3]} {year}"


def _day(moment: datetime, zone: tzinfo) -> date:
    return moment.astimezone(zone).date()
