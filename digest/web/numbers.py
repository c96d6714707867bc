"""People over time, for operators: plots, and the same figures in a table beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from digest import plots
from digest.people import numbers as people_numbers
from digest.people.numbers import CAME, LEFT, PeopleNumbers, WeekOfPeople
from digest.plots import Axis, Caption, Frame, Series
from digest.rendering.typography import spoken_day
from digest.web.pages import services_of
from digest.web.staff_door import Operator
from digest.web.staff_pages import staff_page
from subscribers.policy import Act, State

router = APIRouter()

WORDS = {
    Act.CONFIRM: "confirmed",
    Act.ADD_WITH_BASIS: "added with a basis",
    Act.LIFT: "let in again",
    Act.UNSUBSCRIBE: "unsubscribed",
    Act.BOUNCE: "bounced",
    Act.COMPLAIN: "complained",
    Act.SUPPRESS: "suppressed by staff",
}
STATES = (State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.SUPPRESSED)
_WEEK = timedelta(days=7)
_WEEKS_FOR_A_NAME = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stack: its word, how many in all, and its pattern."""

    word: str
    people: int
    swatch: Markup


@dataclass(frozen=True, slots=True)
class Figure:
    """One plot, wide and narrow, with its heading and what its patterns mean."""

    key: str
    heading: str
    words: str
    plots: Sequence[Markup]
    parts: Sequence[Part] = ()


@router.get("/people/numbers")
def numbers(request: Request, visitor: Operator) -> Response:
    """Half a year, week by week."""
    services = services_of(request)
    zone, now = services.settings.digest_timezone, datetime.now(UTC)
    with services.database.reading() as session:
        found = people_numbers.numbers(session, zone=zone, now=now)
    return staff_page(
        request,
        visitor,
        "people/numbers.html",
        found=found,
        figures=[_active(found), _came(found), _left(found), _net(found)],
        states=[(state, found.states[state], share(found.states[state], found.known)) for state in STATES],
        left_by=[(WORDS[act], people, share(people, sum(found.left.values()))) for act, people in found.left.items()],
        came_words=[WORDS[act] for act in CAME],
        left_words=[WORDS[act] for act in LEFT],
        rows=[_row(week) for week in reversed(found.weeks)],
        confirmed_share=share(found.confirmed_of_them, found.asked_lately),
        lately_days=people_numbers.LATELY.days,
        zone=zone,
        now=now,
    )


def share(part: int, whole: int) -> str:
    """A part of a whole as a percentage; where there is no whole there is no share."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return "<\u00a00.1\u00a0%" if 0 < percent < 0.1 else f"{percent:.1f}\u00a0%"  # noqa: PLR2004 - what one decimal can show


def _row(week: WeekOfPeople) -> dict[str, object]:
    left = sum(week.left.values())
    return {
        "week": week.week,
        "monday": week.week.monday,
        "came": [week.came[act] for act in CAME],
        "left": [week.left[act] for act in LEFT],
        "left_share": share(left, week.active_before),
        "net": plots.signed(week.net),
        "active": week.active_after,
        "asked": week.asked,
        "erased": week.erased,
    }


def _active(found: PeopleNumbers) -> Figure:
    first, last = found.weeks[0], found.weeks[-1]
    said = (
        f"From {first.active_after:,} at the end of {first.week} to {last.active_after:,} now; "
        f"the most was {max(week.active_after for week in found.weeks):,}."
    )
    series = Series("active", [week.active_after for week in found.weeks])
    return _figure(
        "active",
        "Active",
        f"People who get editions, at the end of each week. {said}",
        found.weeks,
        lambda axis, caption, frame: plots.steps(series, axis, caption, frame),
    )


def _came(found: PeopleNumbers) -> Figure:
    total = sum(found.came.values())
    words = f"People who became active, each week: {total:,} in {len(found.weeks)} weeks.{_cut(found.weeks)}"
    return _stacked("came", "Came", words, found.weeks, CAME)


def _cut(weeks: Sequence[WeekOfPeople]) -> str:
    """Says which bar is shorter than it should be."""
    totals = [sum(week.came.values()) for week in weeks]
    highest = max(totals)
    if plots.end_of_axis(totals) == highest:
        return ""
    return f" The bar of {weeks[totals.index(highest)].week} is cut short: it stands for {highest:,}."


def _left(found: PeopleNumbers) -> Figure:
    total = sum(found.left.values())
    words = (
        f"People who were active and no longer are, each week, by what ended it: {total:,} in {len(found.weeks)} weeks."
    )
    return _stacked("left", "Left", words, found.weeks, LEFT)


def _net(found: PeopleNumbers) -> Figure:
    growing = sum(week.net > 0 for week in found.weeks)
    shrinking = sum(week.net < 0 for week in found.weeks)
    total = plots.signed(sum(week.net for week in found.weeks))
    series = Series("net", [week.net for week in found.weeks])
    return _figure(
        "net",
        "Net growth",
        f"Came less left, each week: {total} in all, {growing} weeks of growth and {shrinking} of loss.",
        found.weeks,
        lambda axis, caption, frame: plots.balance(series, axis, caption, frame),
    )


def _stacked(key: str, heading: str, words: str, weeks: Sequence[WeekOfPeople], acts: Sequence[Act]) -> Figure:
    series = [Series(WORDS[act], [{**week.came, **week.left}[act] for week in weeks]) for act in acts]
    parts = [
        Part(each.name, sum(each.values), plots.swatch(number, f"{key}-key-{number}"))
        for number, each in enumerate(series)
    ]
    figure = _figure(
        key, heading, words, weeks, lambda axis, caption, frame: plots.stacks(series, axis, caption, frame)
    )
    return replace(figure, parts=parts)


def _figure(
    key: str, heading: str, words: str, weeks: Sequence[WeekOfPeople], drawn: Callable[[Axis, Caption, Frame], Markup]
) -> Figure:
    axis = _axis([week.week.monday for week in weeks], [str(week.week) for week in weeks])
    frames = {"wide": plots.WIDE, "narrow": plots.NARROW}
    made = [drawn(axis, Caption(f"{key}-{name}", heading, words), frame) for name, frame in frames.items()]
    return Figure(key, heading, words, made)


def _axis(mondays: Sequence[date], names: Sequence[str]) -> Axis:
    """Each week by its name; the first week of each month carries the month, January its year too."""
    months = [
        (place, monday) for place, monday in enumerate(mondays) if place == 0 or monday.month != (monday - _WEEK).month
    ]
    # A month of which only the end is here gives its place to the next.
    begun = months[1:] if len(months) > 1 and months[1][0] < _WEEKS_FOR_A_NAME else months
    marks = [(place, monday.strftime("%b %Y" if monday.month == 1 else "%b")) for place, monday in begun]
    full = [f"{name}, from {spoken_day(monday)}" for name, monday in zip(names, mondays, strict=True)]
    return Axis(full, marks)
