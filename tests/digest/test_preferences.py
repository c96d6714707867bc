"""The preferences form: what it offers, and how it is read whatever somebody writes into it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database import Database
from digest.people import preferences
from digest.people.preferences import MOST_WEEKS, Form, NotSaved, filled, pauses, read
from subscribers.wishes import Rhythm, Wishes
from tests import make

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
OFFERED = ("Agents", "Design", "Research & Science")

zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), NEW_YORK, ZoneInfo("Pacific/Kiritimati")])
moments = st.timedeltas(timedelta(), timedelta(days=400)).map(lambda after: NOW + after)
known_topics = st.frozensets(st.sampled_from([*OFFERED, "Sealing wax"]))
any_wishes = st.builds(Wishes, known_topics, st.sampled_from(Rhythm), st.booleans(), st.none() | moments)
words = st.text(max_size=20) | st.sampled_from(
    ["everything", "only", "weekly", "monthly", "no", "27", "2026-12-05", "2027-01-01", "9999-12-31", "0001-01-01"]
)
any_form = st.builds(Form, words, st.frozensets(words | st.sampled_from(OFFERED)), words, st.booleans(), words)


@given(any_wishes, moments, zones)
def test_a_form_left_as_it_is_changes_nothing(wanted: Wishes, now: datetime, zone: ZoneInfo) -> None:
    """What is filled in is read back, to the microsecond, also topics that nobody offers any more."""
    current = wanted.at(now)

    assert current == read(filled(current, zone), offered=OFFERED, current=current, now=now, zone=zone)


@given(any_form, any_wishes, moments, zones)
def test_any_form_is_read_or_refused(form: Form, wanted: Wishes, now: datetime, zone: ZoneInfo) -> None:
    """Whatever stands in it: only what is offered comes out, and no pause longer than there is or can be chosen."""
    current = wanted.at(now)
    try:
        wishes = read(form, offered=OFFERED, current=current, now=now, zone=zone)
    except NotSaved:
        return
    assert wishes.topics <= {*OFFERED, *current.topics}
    if wishes.paused_until not in (None, current.paused_until):
        longest = datetime.combine(pauses(now, zone)[-1].ends, time(), zone)
        assert now < wishes.paused_until <= longest


@given(moments, zones, st.integers(1, MOST_WEEKS))
def test_a_pause_of_some_weeks_leaves_out_that_many_editions(now: datetime, zone: ZoneInfo, weeks: int) -> None:
    """Clocks may go forward or back in between; only where an edition is still to come that day it is one more."""
    ends = pauses(now, zone)[weeks - 1].ends
    form = Form("everything", frozenset(), "weekly", False, ends.isoformat())
    until = read(form, offered=(), current=Wishes(), now=now, zone=zone).paused_until
    assert until is not None
    today = now.astimezone(zone).date()
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    editions = [datetime.combine(friday + timedelta(weeks=week), time(9), zone) for week in range(MOST_WEEKS + 2)]
    left_out = sum(now < edition < until for edition in editions)
    to_come_today = friday == today and now < editions[0]

    assert weeks + to_come_today == left_out


def test_pauses_say_when_they_end() -> None:
    """From one week to half a year, in the newsletter's own calendar."""
    offered = pauses(datetime(2026, 11, 21, 3, tzinfo=UTC), NEW_YORK)

    assert [(each.words, each.ends) for each in (offered[0], offered[-1])] == [
        ("1 week, to 28 Nov 2026", date(2026, 11, 28)),
        ("26 weeks, to 22 May 2027", date(2027, 5, 22)),
    ]
    assert MOST_WEEKS == len(offered)


@pytest.mark.parametrize("day", ["2026-11-20", "2026-11-01", "0001-01-01"])
def test_a_pause_that_is_over_is_none(day: str) -> None:
    """A page that was left open for weeks holds nobody back."""
    form = Form("everything", frozenset(), "weekly", False, day)

    assert Wishes() == read(form, offered=(), current=Wishes(), now=NOW, zone=NEW_YORK)


def test_topics_are_the_categories_of_the_tools_taken_in(database: Database) -> None:
    """Each once; a tool without a category offers none."""
    with database.writing() as session:
        tools = [make.tool(f"T{n}", category=name) for n, name in enumerate(["Design", None, "Agents", "Design"])]
        make.taken_in(session, make.comparison(tools[0], tools[1]), make.comparison(tools[2], tools[3]))

        assert Counter({"Agents": 1, "Design": 1}) == Counter(preferences.offered(session))
