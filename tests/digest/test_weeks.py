"""The newsletter's week: names, cut-offs and send times across clock changes, windows that tile time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.weeks import (
    BadWeek,
    BadWeekTime,
    Week,
    WeekTime,
    Window,
    cutoff,
    latest_cutoff,
    missed,
    send_time,
    upcoming,
    weeks_in,
    window,
)

BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Santiago",  # goes ahead at midnight
        "Australia/Lord_Howe",  # half an hour of summer time
        "Asia/Kathmandu",
        "Pacific/Apia",  # had no 30 December 2011
        "Africa/Casablanca",  # goes back for Ramadan
    )
]
THURSDAY = WeekTime.parse("thu 18:00")

weeks = st.builds(Week.containing, st.dates(date(2009, 1, 1), date(2030, 12, 31)))
week_times = st.builds(WeekTime, st.integers(0, 6), st.times().map(lambda at: at.replace(second=0, microsecond=0)))
zones = st.sampled_from(ZONES)
moments = st.datetimes(datetime(2009, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - naive by contract
few_seconds = st.integers(-40 * 86_400, 40 * 86_400).map(lambda s: timedelta(seconds=s))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# — a week and its name —


@given(st.dates(date(1970, 1, 1), date(2999, 12, 20)))
def test_a_week_reads_what_it_writes(day: date) -> None:
    """Every week survives being written and read, and holds its own day between its Monday and the next."""
    week = Week.containing(day)

    assert week == Week.parse(str(week))
    assert week.monday <= day < week.next.monday
    assert week == week.next.previous
    assert week.next.since(week) == 1


@given(weeks, weeks)
def test_weeks_and_their_names_sort_alike(one: Week, other: Week) -> None:
    """A column of week names sorts as the weeks do."""
    assert (one < other) == (str(one) < str(other)) == (one.since(other) < 0)


def test_the_iso_year_is_not_the_calendar_year() -> None:
    """1 January 2027 is a Friday in week 53 of 2026."""
    assert Week(2026, 53) == Week.containing(date(2027, 1, 1))
    assert str(Week(2027, 1).previous) == "2026-W53"


@pytest.mark.parametrize("text", ["2026-W47", " 2026-w47 "])
def test_capitals_and_blanks_around_a_week_do_not_matter(text: str) -> None:
    """What a person types is read; what we write has one form."""
    assert str(Week.parse(text)) == "2026-W47"


@pytest.mark.parametrize(
    "text", ["", "W47", "2026-47", "2026W47", "2026-W7", "2026-W477", "latest", "٢٠٢٦-W47", "2026-W47\n1", "x" * 9000]
)
def test_nonsense_is_refused_with_an_example(text: str) -> None:
    """What is not a week is answered by one short sentence that shows how to write one."""
    with pytest.raises(BadWeek, match=r"^[^\n]{,50}is not a week; write it like 2026-W47\.$") as refusal:
        Week.parse(text)

    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-W54", "There is no week 2026-W54: 2026 has weeks 01 to 53."),
        ("2025-W53", "There is no week 2025-W53: 2025 has weeks 01 to 52."),
        ("2026-W00", "There is no week 2026-W00: 2026 has weeks 01 to 53."),
        ("0000-W01", "0000-W01 is outside the calendar: years run from 1970 to 2999."),
    ],
)
def test_a_week_that_does_not_exist_is_refused_with_those_that_do(text: str, why: str) -> None:
    """A week of the right shape still has to be in the calendar."""
    with pytest.raises(BadWeek) as refusal:
        Week.parse(text)

    assert why == str(refusal.value)


def test_some_years_have_53_weeks() -> None:
    """A year has 53 weeks when it begins or ends on a Thursday."""
    assert [year for year in range(2001, 2033) if weeks_in(year) == 53] == [2004, 2009, 2015, 2020, 2026, 2032]


# — a weekly time —


@pytest.mark.parametrize("text", ["thu 18:00", "THU 18:00", "Thursday 18:00", " thurs   18:00 "])
def test_a_weekly_time_may_be_written_in_many_ways(text: str) -> None:
    """Days may be written out or shortened, in any case; the written form is one."""
    assert WeekTime(3, time(18)) == WeekTime.parse(text)
    assert str(WeekTime.parse(text)) == "thu 18:00"


@given(week_times)
def test_a_weekly_time_reads_what_it_writes(when: WeekTime) -> None:
    """Every weekly time survives being written and read."""
    assert when == WeekTime.parse(str(when))


@pytest.mark.parametrize(
    "text", ["", "thu", "18:00", "thu 24:00", "thu 18:60", "thu 18", "thu 18:00:00", "t 18:00", "4 18:00", "thx 18:00"]
)
def test_a_bad_weekly_time_is_refused_with_an_example(text: str) -> None:
    """What cannot be read is quoted beside an example of what can."""
    with pytest.raises(BadWeekTime) as refusal:
        WeekTime.parse(text)

    assert f'must be a weekday and a 24-hour time such as thu 18:00, got "{text}"' == str(refusal.value)


# — the cut-off —


def test_the_cut_off_keeps_its_wall_time_across_clock_changes() -> None:
    """18:00 in Berlin is 17:00 UTC in winter and 16:00 UTC in summer."""
    assert utc("2026-03-26T17:00") == cutoff(Week(2026, 13), THURSDAY, BERLIN)
    assert utc("2026-04-02T16:00") == cutoff(Week(2026, 14), THURSDAY, BERLIN)


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("sun 01:59", "2026-03-29T00:59"),
        ("sun 02:00", "2026-03-29T01:00"),
        ("sun 02:30", "2026-03-29T01:00"),
        ("sun 03:00", "2026-03-29T01:00"),
        ("sun 03:01", "2026-03-29T01:01"),
    ],
)
def test_a_time_the_spring_jumps_over_is_the_instant_of_the_jump(wall: str, instant: str) -> None:
    """On 29 March 2026 Berlin has no 02:30: what is set for then is due when the clocks jump."""
    assert utc(instant) == cutoff(Week(2026, 13), WeekTime.parse(wall), BERLIN)


def test_a_time_the_autumn_repeats_is_its_first_showing() -> None:
    """On 25 October 2026 Berlin has 02:30 twice; the first one counts."""
    assert utc("2026-10-25T00:30") == cutoff(Week(2026, 43), WeekTime.parse("sun 02:30"), BERLIN)


def test_a_day_left_out_of_the_calendar_ends_at_once() -> None:
    """Apia had no Friday 30 December 2011: its Friday cut-off is the midnight from Thursday to Saturday."""
    assert utc("2011-12-30T10:00") == cutoff(Week(2011, 52), WeekTime.parse("fri 09:00"), APIA)


@given(weeks, week_times, zones)
def test_a_cut_off_is_the_first_instant_that_shows_its_wall_time(week: Week, when: WeekTime, zone: ZoneInfo) -> None:
    """At the cut-off the clock shows the wall time or, after a jump, later; a second before, it did not yet."""
    wall = datetime.combine(week.monday + timedelta(days=when.weekday), when.at)
    instant = cutoff(week, when, zone)

    assert instant.astimezone(zone).replace(tzinfo=None) >= wall
    assert (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) < wall


@given(weeks, week_times, week_times, zones)
def test_cut_offs_keep_the_order_of_wall_times(week: Week, one: WeekTime, other: WeekTime, zone: ZoneInfo) -> None:
    """What is set for earlier in the week is never due later, and every week comes after the one before."""
    first, second = sorted((one, other))

    assert cutoff(week, first, zone) <= cutoff(week, second, zone) < cutoff(week.next, first, zone)


# — the send time —


@pytest.mark.parametrize(
    ("cut", "send", "leaves"),
    [
        ("thu 18:00", "fri 09:00", "2026-11-20T09:00"),
        ("thu 18:00", "thu 18:01", "2026-11-19T18:01"),
        ("sun 20:00", "mon 08:00", "2026-11-23T08:00"),
        ("thu 18:00", "thu 18:00", "2026-11-26T18:00"),
        ("thu 18:00", "thu 17:59", "2026-11-26T17:59"),
    ],
)
def test_an_edition_leaves_at_the_first_send_time_after_its_cut_off(cut: str, send: str, leaves: str) -> None:
    """The send time may be in the next ISO week; the cut-off's own instant does not count as after it."""
    assert utc(leaves) == send_time(Week(2026, 47), WeekTime.parse(cut), WeekTime.parse(send), ZoneInfo("UTC"))


def test_a_clock_change_between_cut_off_and_send_time_costs_no_week() -> None:
    """With both inside the hour that is jumped over, the edition still leaves that day."""
    leaves = send_time(Week(2026, 13), WeekTime.parse("sun 02:15"), WeekTime.parse("sun 02:45"), BERLIN)

    assert utc("2026-03-29T01:00") == leaves


@given(weeks, week_times, week_times, zones)
def test_each_week_has_its_own_send_time(week: Week, cut: WeekTime, send: WeekTime, zone: ZoneInfo) -> None:
    """A send time is never before its cut-off, at most about a week after it, and before the next week's."""
    leaves = send_time(week, cut, send, zone)

    assert cutoff(week, cut, zone) <= leaves < send_time(week.next, cut, send, zone)
    assert leaves - cutoff(week, cut, zone) <= timedelta(days=8)


# — which week it is —


@given(moments, week_times, zones)
def test_the_latest_cut_off_has_passed_and_the_upcoming_has_not(now: datetime, when: WeekTime, zone: ZoneInfo) -> None:
    """Every moment lies between two neighbouring cut-offs."""
    latest, following = latest_cutoff(now, when, zone), upcoming(now, when, zone)

    assert cutoff(latest, when, zone) <= now < cutoff(following, when, zone)
    assert latest.next == following


@given(weeks, week_times, zones)
def test_a_cut_off_belongs_to_its_own_week(week: Week, when: WeekTime, zone: ZoneInfo) -> None:
    """At the very instant of a cut-off its week is the latest; a microsecond before, it is upcoming."""
    instant = cutoff(week, when, zone)

    assert week == latest_cutoff(instant, when, zone)
    assert week == upcoming(instant - timedelta(microseconds=1), when, zone)


def test_the_zone_decides_which_week_it_is() -> None:
    """When it is Monday noon in Apia it is still Sunday in New York."""
    now, monday = utc("2026-11-15T23:30"), WeekTime.parse("mon 12:00")

    assert Week(2026, 47) == latest_cutoff(now, monday, APIA)
    assert Week(2026, 46) == latest_cutoff(now, monday, ZoneInfo("America/New_York"))


def test_downtime_misses_the_weeks_in_between() -> None:
    """The latest week takes the gap; those between it and the last edition are missed."""
    assert [str(week) for week in missed(Week(2026, 51), Week(2027, 2))] == ["2026-W52", "2026-W53", "2027-W01"]


@pytest.mark.parametrize("last", [None, Week(2026, 46), Week(2026, 47), Week(2026, 48)])
def test_nothing_is_missed_without_a_gap(last: Week | None) -> None:
    """Before the first edition, a week after the last, or with a later one drafted early: no week is missed."""
    assert missed(last, Week(2026, 47)) == []


# — windows —


def covers(week: Week, previous_end: datetime | None, now: datetime) -> Window:
    return window(week, previous_end=previous_end, now=now, when=THURSDAY, zone=ZoneInfo("UTC"))


W46_CUT, W47_CUT = utc("2026-11-12T18:00"), utc("2026-11-19T18:00")


def test_the_first_window_starts_at_the_cut_off_of_the_week_before() -> None:
    """Without an earlier window an edition covers its own week, however late it is drafted."""
    assert Window(W46_CUT, W47_CUT) == covers(Week(2026, 47), None, W47_CUT + timedelta(hours=5))


def test_a_window_closes_with_its_end() -> None:
    """What was first seen at the very end is in; what was seen at the start belongs to the window before."""
    window = Window(W46_CUT, W47_CUT)

    assert W47_CUT in window
    assert W46_CUT not in window
    assert W46_CUT + timedelta(microseconds=1) in window


def test_a_draft_made_early_ends_its_window_at_that_moment() -> None:
    """The next window takes up from there."""
    early = W47_CUT - timedelta(days=2)

    assert Window(W46_CUT, early) == covers(Week(2026, 47), W46_CUT, early)
    assert early == covers(Week(2026, 48), early, W47_CUT + timedelta(days=7)).start


def test_a_first_draft_before_its_week_has_begun_is_empty_now() -> None:
    """A window never ends in the future."""
    now = W46_CUT - timedelta(days=1)

    assert Window(now, now) == covers(Week(2026, 47), None, now)


def test_after_downtime_one_window_takes_the_whole_gap() -> None:
    """Three weeks down: the latest edition starts where the last one ended."""
    assert Window(utc("2026-10-29T18:00"), W47_CUT) == covers(Week(2026, 47), utc("2026-10-29T18:00"), W47_CUT)


def test_moving_the_cut_off_ahead_leaves_an_empty_window_rather_than_a_negative_one() -> None:
    """With the last window ending after the new cut-off, the edition covers no new time."""
    late = W47_CUT + timedelta(hours=3)

    assert Window(late, late) == covers(Week(2026, 47), late, late + timedelta(days=1))


def test_news_is_counted_from_the_windows_start() -> None:
    """With 14 days, what was published two weeks before the window is the oldest news."""
    assert utc("2026-10-29T18:00") == Window(W46_CUT, W47_CUT).news_since(14)


@given(weeks, week_times, zones, st.integers(1, 20))
def test_windows_drafted_on_time_run_from_cut_off_to_cut_off(
    first: Week, when: WeekTime, zone: ZoneInfo, count: int
) -> None:
    """With a steady rhythm each window is exactly one week of the newsletter's own clock."""
    week, end = first, None
    for _ in range(count):
        due = cutoff(week, when, zone)
        drafted = window(week, previous_end=end, now=due + timedelta(seconds=30), when=when, zone=zone)

        assert Window(cutoff(week.previous, when, zone), due) == drafted
        week, end = week.next, drafted.end


@given(
    weeks,
    st.lists(st.tuples(st.integers(-2, 3), few_seconds, week_times, zones), min_size=1, max_size=12),
    st.lists(st.integers(0, 10**9), max_size=5),
)
def test_windows_tile_time_whatever_happens(
    first: Week, drafts: list[tuple[int, timedelta, WeekTime, ZoneInfo]], probes: list[int]
) -> None:
    """Early, late, repeated and missing drafts, changed zones and cut-offs: no gap, no overlap, none negative."""
    week, end, windows = first, None, []
    for step, lateness, when, zone in drafts:
        week = Week.containing(week.monday + timedelta(weeks=step))
        now = cutoff(week, when, zone) + lateness
        windows.append(window(week, previous_end=end, now=now, when=when, zone=zone))
        end = windows[-1].end

    assert all(one.start <= one.end for one in windows)
    assert all(earlier.end == later.start for earlier, later in pairwise(windows))
    whole = Window(windows[0].start, windows[-1].end)
    edges = [edge for one in windows for edge in (one.start, one.end)]
    inside = [whole.start + (whole.end - whole.start) * (probe / 10**9) for probe in probes]
    for moment in edges + inside:
        assert sum(moment in one for one in windows) == (moment in whole)
