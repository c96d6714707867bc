"""The newsletter's week: which edition a moment belongs to, when it is cut off, when it leaves, what it covers.

Pure: the zone and `now` come in, instants go out in UTC. Wall times are meant as a clock in the newsletter's zone
shows them, so 18:00 stays 18:00 when the clocks change.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self

from digest.errors import DigestError
from digest.facts import clean

# Years a newsletter can be about; also what catches "20226-W47" and keeps date arithmetic from overflowing.
FIRST_YEAR, LAST_YEAR = 1970, 2999

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORTEST_DAY = 3


class BadWeek(DigestError):
    """This is not a week; write it like 2026-W47."""


class BadWeekTime(DigestError):
    """This is not a weekly time; write it like thu 18:00."""


@dataclass(frozen=True, order=True, slots=True)
class Week:
    """One ISO 8601 week. Ordered; written 2026-W47, and the written form sorts alike. Raises BadWeek."""

    year: int
    number: int

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= self.year <= LAST_YEAR:
            raise BadWeek(f"{self} is outside the calendar: years run from {FIRST_YEAR} to {LAST_YEAR}.")
        last = weeks_in(self.year)
        if not 1 <= self.number <= last:
            raise BadWeek(f"There is no week {self}: {self.year} has weeks 01 to {last}.")

    def __str__(self) -> str:
        return f"{self.year:04}-W{self.number:02}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads 2026-W47. Raises BadWeek with what is wrong and how to write it."""
        written = re.fullmatch(r"([0-9]{4})-W([0-9]{2})", text.strip(), re.IGNORECASE)
        if written is None:
            raise BadWeek(f'"{clean(text)[:40]}" is not a week; write it like 2026-W47.')
        return cls(int(written[1]), int(written[2]))

    @classmethod
    def containing(cls, day: date) -> Self:
        """The week of a calendar day. Of an aware datetime it is the day its own zone shows."""
        iso = day.isocalendar()
        return cls(iso.year, iso.week)

    @property
    def monday(self) -> date:
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def next(self) -> Self:
        return self.containing(self.monday + timedelta(weeks=1))

    @property
    def previous(self) -> Self:
        return self.containing(self.monday - timedelta(weeks=1))

    def since(self, earlier: Week) -> int:
        """How many weeks this one is after `earlier`; negative when it is before."""
        return (self.monday - earlier.monday).days // 7


def weeks_in(year: int) -> int:
    """52 or 53: 28 December is always in the last week (ISO 8601)."""
    return date(year, 12, 28).isocalendar().week


@dataclass(frozen=True, order=True, slots=True)
class WeekTime:
    """A weekday (0 is Monday) and a wall time: when something happens every week. Ordered from Monday 00:00."""

    weekday: int
    at: time

    def __str__(self) -> str:
        return f"{WEEKDAYS[self.weekday][:SHORTEST_DAY]} {self.at:%H:%M}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "thu 18:00"; days may be written out, capitals do not matter. Raises BadWeekTime."""
        written = re.fullmatch(r"([a-z]+) +([0-9]{1,2}):([0-9]{2})", text.strip().lower())
        days = [] if written is None else _days_called(written[1])
        if written is None or not days or int(written[2]) > 23 or int(written[3]) > 59:  # noqa: PLR2004 - a clock's
            raise BadWeekTime(f'must be a weekday and a 24-hour time such as thu 18:00, got "{clean(text)[:40]}"')
        return cls(days[0], time(int(written[2]), int(written[3])))


def _days_called(word: str) -> list[int]:
    """Any beginning of a day's English name from three letters on: thu, thurs, thursday."""
    return [day for day, name in enumerate(WEEKDAYS) if len(word) >= SHORTEST_DAY and name.startswith(word)]


def cutoff(week: Week, when: WeekTime, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which clocks in the zone first show that weekday and time of that week, or later.

    So a wall time that the spring change jumps over is the instant of the jump, and one that autumn repeats is its
    first showing. Unlike shifting by the gap, this keeps wall times in their order: what is set for 02:30 never
    comes after what is set for 03:00.
    """
    wall = datetime.combine(week.monday + timedelta(days=when.weekday), when.at)
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if _wall(first, zone) == wall:
        return first
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # PEP 495: in a gap, fold 1 lies before the jump
    seconds = range(int((first - before).total_seconds()) + 1)
    jump = bisect_left(seconds, True, key=lambda s: _wall(before + timedelta(seconds=s), zone) >= wall)
    return before + timedelta(seconds=jump)


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def send_time(week: Week, cutoff_at: WeekTime, send_at: WeekTime, zone: tzinfo) -> datetime:
    """When the edition of that week leaves: the first send time after its cut-off, perhaps in the next ISO week.

    Decided on wall times, so each week has its own send time: the same day and time as the cut-off means a week
    later, and a clock change between the two never moves an edition into the following week's place.
    """
    return cutoff(week if send_at > cutoff_at else week.next, send_at, zone)


def latest_cutoff(now: datetime, when: WeekTime, zone: tzinfo) -> Week:
    """The week whose cut-off is the latest one at or before `now`."""
    week = Week.containing(now.astimezone(zone))
    return week if cutoff(week, when, zone) <= now else week.previous


def upcoming(now: datetime, when: WeekTime, zone: tzinfo) -> Week:
    """The week whose cut-off comes next, strictly after `now`."""
    return latest_cutoff(now, when, zone).next


def missed(last: Week | None, latest: Week) -> list[Week]:
    """The weeks between the last one with an edition and the latest cut-off, oldest first: downtime took them.

    None before the first edition: a newsletter has missed nothing before it began.
    """
    weeks: list[Week] = []
    week = latest if last is None else last.next
    while week < latest:
        weeks.append(week)
        week = week.next
    return weeks


@dataclass(frozen=True, slots=True)
class Window:
    """The time one edition covers, in UTC: after `start`, up to and including `end`. Never negative, may be empty.

    Closed at its end because a comparison stands for selection when it was first seen *by* the window's end.
    """

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start < moment <= self.end

    def news_since(self, new_days: int) -> datetime:
        """What was published before this is no news any more: `new_days` times 24 hours before the window."""
        return self.start - timedelta(days=new_days)


def window(week: Week, *, previous_end: datetime | None, now: datetime, when: WeekTime, zone: tzinfo) -> Window:
    """What the edition of `week`, drafted at `now`, covers.

    `previous_end` is the latest end of any window stored so far. The window starts there, so windows tile time
    whatever happens in between; without one it starts at the cut-off of the week before. It ends at its own cut-off,
    or at `now` when the draft is made early.

    When the zone or the cut-off was changed, or an earlier week is drafted late, that end may lie before
    `previous_end`. The window is then empty, at `previous_end`: nothing is covered twice, and what was seen by then
    and not yet sent still stands.
    """
    end = min(now, cutoff(week, when, zone)).astimezone(UTC)
    if previous_end is None:
        return Window(min(cutoff(week.previous, when, zone), end), end)
    start = previous_end.astimezone(UTC)
    return Window(start, max(start, end))
