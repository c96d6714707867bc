"""After sending: what became of it, and the notes that correct it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from digest import corrections, edition_reports, plots, staff
from digest.edition_reports import Course, Report, Span
from digest.errors import DigestError
from digest.plots import Axis, Caption, Frame, Series
from digest.rendering.typography import spoken_day
from digest.staff import audit
from digest.stats import Numbers
from digest.web import forms
from digest.web import sending_words as words
from digest.web.desk.shell import desk_page
from digest.web.numbers import share
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.staff_door import Editor, Visitor

router = APIRouter()

SAID = {
    "corrected": "Published: the note is on the archive page, in the feeds, and offered to the next edition.",
    "unchanged": "Nothing was changed: this note stands there already.",
}
_EVERY = {"arriving": 6, "leaving": 2}
"""How many spans lie between two that are named under a plot."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One plot, wide and narrow; `parts` are the words of its patterns, with how many of each."""

    key: str
    heading: str
    words: str
    plots: Sequence[Markup]
    parts: Sequence[tuple[str, int, Markup]] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One number beside that of the edition before, both with their shares of the same whole."""

    name: str
    of: str
    count: int
    share: str
    before: int | None
    share_before: str
    change: str


@dataclass(frozen=True, slots=True)
class Timed:
    """The figures of a plot as a table: a name and the counts of each span."""

    key: str
    heading: str
    kinds: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


def report_page(
    request: Request,
    visitor: Visitor,
    week: str,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
    given: str = "",
) -> Response:
    """What became of an edition that has begun to go out. `given`: the words of a correction that was refused."""
    services, now = services_of(request), datetime.now(UTC)
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        edition = edition_of(session, week)
        found = edition_reports.report(session, edition, now=now)
        notes = corrections.notes_on(session, edition)
        names = staff.names(session)
    return desk_page(
        request,
        visitor,
        edition,
        "report.html",
        names=names,
        status=status,
        said=said or SAID.get(request.query_params.get("done", "")),
        problem=problem,
        report=found,
        numbers=found.numbers,
        compared=_compared(found),
        figures=[_delivered(found, zone), _bounced(found, zone), _leaving(found, zone)],
        tables=[
            _timed("hours", "Hour by hour", found.arriving, lambda span, _: _hour(span, zone)),
            _timed("days", "Day by day", found.leaving, lambda span, number: _day(span, number, zone)),
        ],
        variants=[(words.variant(each.key), each) for each in found.variants],
        share=share,
        fine_share=words.fine_share,
        notes=notes,
        longest=corrections.LONGEST,
        given=given,
        now=now,
    )


@router.post("/desk/{week}/corrections")
def correct(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """Publish a note on an edition that went out; it is never changed or taken back."""
    services, now = services_of(request), datetime.now(UTC)
    given = forms.word(form, "words")
    try:
        with services.database.writing() as session:
            edition = edition_of(session, week)
            added = corrections.add(session, edition, words=given, by=visitor.by, now=now)
            if added:
                audit.note(session, by=visitor.by, what="edition corrected", about=edition.week, now=now)
    except corrections.NotOutYet as problem:
        raise HTTPException(409, str(problem)) from None
    except DigestError as problem:
        return report_page(request, visitor, week, problem=str(problem), status=422, given=given)
    return RedirectResponse(f"/desk/{edition.week}?done={'corrected' if added else 'unchanged'}", status_code=303)


# — beside the edition before —


def _compared(found: Report) -> list[Compared]:
    """Each number is a share of the one it is part of, and of the same one in both editions."""
    return [
        _compare("Deliveries", "candidates", found, lambda of: (of.deliveries, of.candidates)),
        _compare("Accepted", "deliveries", found, lambda of: (of.accepted, of.deliveries)),
        _compare("Delivered", "accepted", found, lambda of: (of.delivered, of.accepted)),
        _compare("Bounced", "accepted", found, lambda of: (of.bounced, of.accepted)),
        _compare("Hard bounces", "accepted", found, lambda of: (of.hard_bounced, of.accepted)),
        _compare("Complaints", "delivered", found, lambda of: (of.complained, of.delivered)),
        _compare("Unsubscribed", "delivered", found, lambda of: (of.unsubscribed, of.delivered)),
    ]


def _compare(name: str, of: str, found: Report, counted: Callable[[Numbers], tuple[int, int]]) -> Compared:
    part, whole = counted(found.numbers)
    shared = words.fine_share if of == "delivered" else share
    if found.before is None:
        return Compared(name, of, part, shared(part, whole), None, "", "")
    was, whole_then = counted(found.before)
    return Compared(
        name, of, part, shared(part, whole), was, shared(was, whole_then), _points(part, whole, was, whole_then)
    )


def _points(part: int, whole: int, was: int, whole_then: int) -> str:
    """How far two shares lie apart, in percentage points."""
    if not whole or not whole_then:
        return "–"
    points = round(100 * part / whole - 100 * was / whole_then, 2)
    return f"{points:+.2f} points".replace("-", "−") if points else "as before"


# — over time —


def _delivered(found: Report, zone: ZoneInfo) -> Figure:
    course = found.arriving
    so_far = list(accumulate(span.counts["delivered"] for span in course.spans))
    of_all = found.numbers.accepted
    said = (
        f"Delivered so far, at the end of each hour since the first hand-over: {so_far[-1]:,} of {of_all:,} accepted "
        f"({share(so_far[-1], of_all)}) within {_spans(course, 'hour')}{_later(course, ['delivered'])}."
    )
    series = Series("delivered", so_far)
    return _figure("delivered", "Delivered", said, _hours(course, zone), lambda *how: plots.steps(series, *how))


def _bounced(found: Report, zone: ZoneInfo) -> Figure:
    course = found.arriving
    series = Series("bounced", [span.counts["bounced"] for span in course.spans])
    said = (
        f"Bounced in each hour: {sum(series.values):,} of {found.numbers.accepted:,} accepted "
        f"({share(sum(series.values), found.numbers.accepted)}) within {_spans(course, 'hour')}"
        f"{_later(course, ['bounced'])}; {found.numbers.hard_bounced:,} of all are hard."
    )
    return _figure("bounced", "Bounced", said, _hours(course, zone), lambda *how: plots.stacks([series], *how))


def _leaving(found: Report, zone: ZoneInfo) -> Figure:
    course, numbers = found.leaving, found.numbers
    kinds = ("unsubscribed", "complained")
    series = [Series(kind, [span.counts[kind] for span in course.spans]) for kind in kinds]
    said = (
        f"Readers who unsubscribed or complained, each day since the first hand-over: {numbers.unsubscribed:,} and "
        f"{numbers.complained:,} of {numbers.delivered:,} delivered{_later(course, kinds, 'of them came')}."
    )
    axis = _axis([_day(span, number, zone) for number, span in enumerate(course.spans)], _EVERY["leaving"], "day {}")
    parts = [
        (each.name, sum(each.values), plots.swatch(number, f"leaving-key-{number}"))
        for number, each in enumerate(series)
    ]
    drawn = _figure("leaving", "How readers took it", said, axis, lambda *how: plots.stacks(series, *how))
    return Figure(drawn.key, drawn.heading, drawn.words, drawn.plots, parts)


def _figure(key: str, heading: str, said: str, axis: Axis, drawn: Callable[[Axis, Caption, Frame], Markup]) -> Figure:
    frames = {"wide": plots.WIDE, "narrow": plots.NARROW}
    made = [drawn(axis, Caption(f"{key}-{name}", heading, said), frame) for name, frame in frames.items()]
    return Figure(key, heading, said, made)


def _hours(course: Course, zone: ZoneInfo) -> Axis:
    marks = [
        (number, f"{span.starts.astimezone(zone):%H:%M}")
        for number, span in enumerate(course.spans)
        if number % _EVERY["arriving"] == 0
    ]
    return Axis([_hour(span, zone) for span in course.spans], marks)


def _axis(names: Sequence[str], every: int, mark: str) -> Axis:
    return Axis(names, [(number, mark.format(number + 1)) for number in range(0, len(names), every)])


def _timed(key: str, heading: str, course: Course, named: Callable[[Span, int], str]) -> Timed:
    rows = [
        (named(span, number), [span.counts[kind] for kind in course.kinds]) for number, span in enumerate(course.spans)
    ]
    if any(course.later.values()):
        rows.append(("later", [course.later[kind] for kind in course.kinds]))
    return Timed(key, heading, course.kinds, rows)


def _hour(span: Span, zone: ZoneInfo) -> str:
    begins, ends = span.starts.astimezone(zone), (span.starts + edition_reports.HOURLY.width).astimezone(zone)
    return f"{spoken_day(begins.date())}, {begins:%H:%M} to {ends:%H:%M}"


def _day(span: Span, number: int, zone: ZoneInfo) -> str:
    begins = span.starts.astimezone(zone)
    return f"day {number + 1}, from {spoken_day(begins.date())}, {begins:%H:%M}"


def _spans(course: Course, unit: str) -> str:
    count = len(course.spans)
    return f"the first {unit}" if count == 1 else f"{count} {unit}s"


def _later(course: Course, kinds: Iterable[str], how: str = "more came") -> str:
    later = sum(course.later[kind] for kind in kinds)
    return f"; {later:,} {how} later than is shown" if later else ""
