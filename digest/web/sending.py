"""Editions on their way, for editors and operators: how far each is, what it waits for, and what only a person can say.

Looking changes nothing; what can be pressed here is in `sending_acts`. The page works without its script, which only
fetches the part that changes while one looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from digest import answers, bars, editions, finishing, pauses, progress, staff, stats, unsettled, watching
from digest.answers import Answered
from digest.bars import Part
from digest.breaker import Counted, Measure
from digest.models import BatchState, Edition, EditionLog, EditionState, Pause
from digest.pauses import KILL_SWITCH
from digest.progress import Progress
from digest.staff import audit
from digest.web import sending_words as words
from digest.web.numbers import share
from digest.web.pages import environment, services_of
from digest.web.sending_words import Wait
from digest.web.staff_door import EditorOrOperator, Visitor
from digest.web.staff_pages import staff_page
from digest.weeks import BadWeek, Week

router = APIRouter()

PAGE = 20
SHOWN_BATCHES = 50
SHOWN_AT_ONCE = 20
"""Lines of the log; the older ones unfold."""
SOON = timedelta(minutes=15)
"""So long before an edition leaves, its page begins to look by itself."""

# What was done, by the word in the address after the redirect: no text of anybody's comes in that way.
SAID = {
    "held": "Held. No call begins any more; what is in flight at this moment comes back first.",
    "resumed": "Resumed.",
    "stopped": "Stopped. Whoever had not got it never will.",
    "accepted": "Settled: the provider has that batch.",
    "again": "Settled: that batch is free to be handed over again.",
    "killed": "The kill switch is on. Nothing goes out until somebody turns it off.",
    "lifted": "The kill switch is off. Mails may go out again.",
    "unchanged": "Nothing was changed: that had been done already.",
}

# In the order of the bar; the pattern tells them apart where colours cannot.
PATTERNS = {
    "accepted": "solid",
    "in flight": "hatched",
    "waiting": "empty",
    "uncertain": "dotted",
    "withheld": "lined",
    "refused": "crossed",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One part of the bar in words."""

    word: str
    count: int
    share: str
    meaning: str
    swatch: Markup


@dataclass(frozen=True, slots=True)
class Live:
    """What changes while one looks."""

    edition: Edition
    progress: Progress
    bar: Markup
    parts: Sequence[Shown]
    waits: Sequence[Wait]
    wave: str | None
    pace: str | None
    is_going: bool
    sentence: str
    moved: EditionLog | None
    kill_switch: Pause | None
    now: datetime

    @property
    def essence(self) -> str:
        """The same as long as nothing moved, however the time went by."""
        counts = [str(part.count) for part in self.parts]
        return " ".join([self.edition.state, *counts, *(wait.why for wait in self.waits)])


@dataclass(frozen=True, slots=True)
class Listed:
    """One edition in the list."""

    edition: Edition
    progress: Progress
    bar: Markup
    tone: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What the circuit breaker counts of one thing that goes wrong, and where its lines are."""

    name: str
    wrong: int
    of: str
    whole: int
    share: str
    alarms_at: int
    stops_at: int
    past: str
    """The line that is reached: "", "the alarm line" or "the line to stop at"."""


@router.get("/sending")
def index(request: Request, visitor: EditorOrOperator, before: str = "", done: str = "") -> Response:
    """Every edition, the newest first, each with its one-line sum."""
    return list_page(request, visitor, before=before, said=SAID.get(done))


def list_page(
    request: Request,
    visitor: Visitor,
    *,
    before: str = "",
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    """The list, and the kill switch for those who may."""
    services, last = services_of(request), _week(before)
    wanted = sa.select(Edition).order_by(Edition.week.desc()).limit(PAGE + 1)
    with services.database.reading() as session:
        found = session.scalars(wanted.where(Edition.week < last) if last else wanted).all()
        shown = found[:PAGE]
        standing = progress.of_editions(session, [each.id for each in shown])
        switch = pauses.kill_switch(session)
        names = staff.names(session)
    return staff_page(
        request,
        visitor,
        "sending/list.html",
        status=status,
        said=said,
        problem=problem,
        editions=[_listed(each, standing[each.id]) for each in shown],
        older=shown[-1].week if len(found) > PAGE else None,
        newest=last is None,
        kill_switch=switch,
        named=lambda by: names.get(by, by),
        zone=services.settings.digest_timezone,
        given="",
    )


def _week(text: str) -> str | None:
    """The week that a page of the list begins after; None for what is none."""
    try:
        return str(Week.parse(text))
    except BadWeek:
        return None


@router.get("/sending/{week}")
def show(request: Request, visitor: EditorOrOperator, week: str, done: str = "", fragment: str = "") -> Response:
    """One edition, or with `fragment=live` only what changes, for the script that looks again."""
    if fragment == "live":
        return _fragment(request, week)
    return edition_page(request, visitor, week, said=SAID.get(done))


def edition_of(session: Session, week: str) -> Edition:
    """The edition a page is about. Raises HTTPException 404."""
    try:
        return editions.find(session, week)
    except BadWeek:
        raise HTTPException(404, "There is no page with that address.") from None
    except editions.NoSuchEdition:
        words = "There is no edition yet." if week == "latest" else f"There is no edition of {Week.parse(week)}."
        raise HTTPException(404, words) from None


def edition_page(
    request: Request,
    visitor: Visitor,
    week: str,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
    at_fault: str = "",
    given: str = "",
) -> Response:
    """All that is known of one edition on its way. `at_fault`: the form that was refused, with what was `given`."""
    services, now = services_of(request), _now()
    with services.database.reading() as session:
        edition = edition_of(session, week)
        live = _live(session, edition, request, now)
        numbers = stats.numbers(session, edition)
        answered = answers.answered(session, edition.id)
        values = {
            "doubts": unsettled.uncertain(session, edition, limit=SHOWN_BATCHES),
            "refused_batches": unsettled.refused(session, edition, limit=SHOWN_BATCHES),
            "refused_by": _without_addresses(progress.refused_by(session, edition)),
            "variants": {words.variant(key): count for key, count in progress.by_variant(session, edition).items()},
            "log": list(reversed(editions.log_of(session, edition))),
            "newer": editions.newer_begun(session, edition),
            "watched": _watched(session, edition, answered),
            "withdrawn": editions.withdrawn_entries(session, edition),
        }
        names = staff.names(session)
    return staff_page(
        request,
        visitor,
        "sending/edition.html",
        status=status,
        said=said,
        problem=problem,
        at_fault=at_fault,
        given=given,
        numbers=numbers,
        answered=answered,
        gaps=_gaps(numbers, live.progress),
        resuming=_resuming(edition, numbers, request, now),
        shown_at_once=SHOWN_AT_ONCE,
        shown_batches=SHOWN_BATCHES,
        share=share,
        fine_share=words.fine_share,
        **_shown(request, live, names),
        **values,
    )


def _fragment(request: Request, week: str) -> Response:
    with services_of(request).database.reading() as session:
        live = _live(session, edition_of(session, week), request, _now())
        names = staff.names(session)
    return HTMLResponse(environment().get_template("sending/live.html").render(_shown(request, live, names)))


def _shown(request: Request, live: Live, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "live": live,
        "edition": live.edition,
        "tone": words.TONES[live.edition.state],
        "sentence_of": words.sentence_of,
        "spoken": words.spoken(live.edition, live.progress),
        "span": words.span,
        "counted": words.counted,
        "named": lambda by: names.get(by, by),
        "zone": services_of(request).settings.digest_timezone,
    }


def _live(session: Session, edition: Edition, request: Request, now: datetime) -> Live:
    settings = services_of(request).settings
    found = progress.of_edition(session, edition)
    parts = _parts(found)
    is_sending = edition.state is EditionState.SENDING
    is_due = edition.state is EditionState.APPROVED and edition.send_at <= now + SOON
    waits, switch = _waits(session, edition, now), pauses.kill_switch(session)
    held_back = edition.wave_until is not None and edition.wave_until > now and not found.in_flight
    stands_still = is_sending and bool(waits or switch or held_back)
    lately = progress.accepted_lately(session, edition, now=now) if is_sending and not stands_still else 0
    return Live(
        edition=edition,
        progress=found,
        bar=bars.bar(parts, "bar"),
        parts=[
            Shown(part.word, part.count, share(part.count, found.deliveries), words.MEANINGS[part.word], _swatch(part))
            for part in parts
        ],
        waits=waits,
        wave=words.wave(
            progress.waves(session, edition), edition, settings.digest_wave_minutes, settings.digest_timezone, now
        ),
        pace=words.pace(found, lately),
        is_going=is_sending or is_due or found.in_flight > 0,
        sentence=words.STANDS_STILL if stands_still else words.STATES[edition.state],
        moved=_moved(session, edition),
        kill_switch=switch,
        now=now,
    )


def _parts(found: Progress) -> list[Part]:
    counts = {
        "accepted": found.accepted,
        "in flight": found.in_flight,
        "waiting": found.waiting,
        "uncertain": found.uncertain,
        "withheld": found.withheld,
        "refused": found.refused,
    }
    return [Part(word, counts[word], pattern) for word, pattern in PATTERNS.items()]


def _swatch(part: Part) -> Markup:
    return bars.swatch(part, "key")


def _waits(session: Session, edition: Edition, now: datetime) -> list[Wait]:
    """Everything that keeps it from going on at this moment, but the kill switch, which has its own place."""
    if edition.state is not EditionState.SENDING:
        return []
    standing = pauses.standing(session, edition, now=now)
    if standing:
        return [
            Wait("No call of any edition begins", pause.because, pause.until, pause.since, pause.by)
            for pause in standing
            if pause.kind is not KILL_SWITCH
        ]
    waiting = finishing.waiting(session, edition, now=now)
    # The wait after the first wave is told with the wave.
    if waiting is None or waiting.why == finishing.FIRST_WAVE:
        return []
    return [Wait("Nothing can be handed over", waiting.why, waiting.until)]


def _moved(session: Session, edition: Edition) -> EditionLog | None:
    """The move that brought it into its state."""
    into = sa.select(EditionLog).where(
        EditionLog.edition_id == edition.id, EditionLog.what.endswith(f"→ {edition.state}")
    )
    return session.scalars(into.order_by(EditionLog.id.desc()).limit(1)).one_or_none()


def _gaps(numbers: stats.Numbers, found: Progress) -> list[str]:
    """Each sum that does not come out; the deliveries counted one by one must be those of the batches, too."""
    gaps = numbers.gaps()
    if found.deliveries != numbers.deliveries:
        gaps.append(f"deliveries is {numbers.deliveries} but the batches hold {found.deliveries}")
    return gaps


def _watched(session: Session, edition: Edition, answered: Answered) -> list[Watched]:
    """What it counts at this moment: all that was handed over, or what was since a person went on after its halt."""
    if edition.begun_at is None:
        return []
    counts = watching.counts(session, edition.id, answered.since)
    return [_measured(measure, counted) for measure, counted in counts.items()]


def _measured(measure: Measure, counted: Counted) -> Watched:
    alarms_at, stops_at = measure.alarms_at(counted.of), measure.stops_at(counted.of)
    lines = {"the line to stop at": stops_at, "the alarm line": alarms_at}
    return Watched(
        measure.name,
        counted.wrong,
        measure.of,
        counted.of,
        words.fine_share(counted.wrong, counted.of),
        alarms_at,
        stops_at,
        past=next((line for line, at in lines.items() if counted.wrong >= at), ""),
    )


def _resuming(edition: Edition, numbers: stats.Numbers, request: Request, now: datetime) -> str:
    zone = services_of(request).settings.digest_timezone
    return words.resuming(edition, numbers.waiting, numbers.batches.get(BatchState.UNCERTAIN, 0), zone, now)


def _without_addresses(by: Mapping[str, int]) -> dict[str, int]:
    """The provider's words without the address they are about, so that the same reason stands once."""
    found: dict[str, int] = {}
    for reason, count in by.items():
        plain = audit.without_addresses(reason)
        found[plain] = found.get(plain, 0) + count
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _listed(edition: Edition, found: Progress) -> Listed:
    return Listed(edition, found, bars.bar(_parts(found), f"bar-{edition.id}"), words.TONES[edition.state])


def _now() -> datetime:
    return datetime.now(UTC)
