"""People over time: the sums add up and are those that a diary of the same days would have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Base, Database
from digest.people import numbers as people_numbers
from digest.people.numbers import PeopleNumbers, WeekOfPeople
from digest.weeks import Week
from subscribers import addresses, consent, roster
from subscribers.consent import Newcomer
from subscribers.errors import PeopleError
from subscribers.links import Confirmation
from subscribers.models import Subscriber
from subscribers.policy import Act, Refusal, State

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)  # a Friday, in 2026-W47
DAY = timedelta(days=1)
BASIS = "they ticked the box"


def counted(database: Database, *, now: datetime = NOW, most: int = 4) -> PeopleNumbers:
    with database.reading() as session:
        return people_numbers.numbers(session, zone=BERLIN, now=now, most=most)


def last(database: Database, *, now: datetime = NOW) -> WeekOfPeople:
    return counted(database, now=now).weeks[-1]


def known(session: Session, name: str) -> Subscriber | None:
    return roster.find(session, f"{name}@example.com")


def act(session: Session, name: str, what: str, now: datetime) -> None:
    """One thing that happens to somebody, as its door does it; what is not possible does not happen."""
    address, person = addresses.parse(f"{name}@example.com"), known(session, name)
    if what == "sign up":
        consent.sign_up(session, address, now=now, source="test")
    elif what == "add":
        consent.add(session, Newcomer(address), basis=None, now=now, source="test")
    elif what == "basis":
        consent.add(session, Newcomer(address), basis=BASIS, now=now, source="test")
    elif person is None:
        return
    elif what == "confirm" and person.pending_since:
        link = Confirmation(person.link_id, person.pending_since, now + DAY)
        consent.confirm(session, person, link, now=now, source="test")
    elif what == "unsubscribe":
        consent.unsubscribe(session, person, now=now, source="test")
    elif what in SUPPRESSING:
        consent.suppress(session, person, SUPPRESSING[what], because="evidence", now=now, source="test")
    elif what == "lift":
        consent.lift(session, person, because="a mistake", now=now, source="test")


SUPPRESSING = {"bounce": Act.BOUNCE, "complain": Act.COMPLAIN, "suppress": Act.SUPPRESS}
ACTS = ("sign up", "confirm", "add", "basis", "unsubscribe", "lift", *SUPPRESSING)
happenings = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(ACTS), st.integers(0, 60)), min_size=1, max_size=25
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings)
def test_every_week_ends_as_a_diary_says(sqlite: Database, happened: list[tuple[str, str, int]]) -> None:
    """Whatever happens to whom in which order: the people active at the end of each week are those counted then."""
    diary: dict[Week, int] = {}
    now = NOW - 26 * DAY
    with sqlite.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        for name, what, hours in happened:
            now += timedelta(hours=hours)
            try:
                with session.begin_nested():
                    act(session, name, what, now)
            except PeopleError:
                pass
            diary[Week.containing(now.astimezone(BERLIN))] = roster.count_active(session)
    found = counted(sqlite, now=now, most=14)

    assert diary[found.weeks[-1].week] == found.states[State.ACTIVE] == found.weeks[-1].active_after
    for week in found.weeks:
        assert diary.get(week.week, week.active_after) == week.active_after
        assert week.active_before + sum(week.came.values()) - sum(week.left.values()) == week.active_after
    for before, after in zip(found.weeks, found.weeks[1:], strict=False):
        assert before.active_after == after.active_before
    assert 0 == found.weeks[0].active_before


def test_who_comes_and_leaves_is_counted_by_reason(database: Database) -> None:
    """Each once, by the act that made them active or ended it."""
    with database.writing() as session:
        for name in "abcdefg":
            act(session, name, "sign up", NOW - DAY)
        for name in "abcde":
            act(session, name, "confirm", NOW - DAY)
        act(session, "h", "basis", NOW)
        for name, what in {"a": "unsubscribe", "b": "bounce", "c": "complain", "d": "suppress"}.items():
            act(session, name, what, NOW)
    week = last(database)

    assert {Act.CONFIRM: 5, Act.ADD_WITH_BASIS: 1, Act.LIFT: 0} == week.came
    assert {Act.UNSUBSCRIBE: 1, Act.BOUNCE: 1, Act.COMPLAIN: 1, Act.SUPPRESS: 1} == week.left
    assert (7, 2, 2) == (week.asked, week.net, week.active_after)


def test_nobody_leaves_twice(database: Database) -> None:
    """Who unsubscribed and then complains left once; who never confirmed did not leave at all."""
    with database.writing() as session:
        for what in ("basis", "unsubscribe", "complain"):
            act(session, "a", what, NOW)
        for what in ("sign up", "unsubscribe", "suppress"):
            act(session, "b", what, NOW)
    week = last(database)

    assert {Act.UNSUBSCRIBE: 1, Act.BOUNCE: 0, Act.COMPLAIN: 0, Act.SUPPRESS: 0} == week.left


@pytest.mark.parametrize(
    ("before", "back"),
    [(["basis", "bounce"], 1), (["sign up", "bounce"], 0), (["basis", "unsubscribe", "bounce", "suppress"], 0)],
)
def test_a_lift_counts_where_it_brings_somebody_back(database: Database, before: list[str], back: int) -> None:
    """After a bounce consent stands where it stood; an opt-out stays one."""
    with database.writing() as session:
        for what in [*before, "lift"]:
            act(session, "a", what, NOW)

    assert back == last(database).came[Act.LIFT] == counted(database).states[State.ACTIVE]


def test_weeks_begin_on_monday_as_the_newsletter_has_it(database: Database) -> None:
    """Sunday 23:30 UTC is Monday in Berlin; the clock change of October moves no week."""
    monday = datetime(2026, 10, 25, 23, 0, tzinfo=UTC)  # 26 October 00:00 in Berlin, winter time again
    with database.writing() as session:
        act(session, "a", "basis", monday - timedelta(seconds=1))
        act(session, "b", "basis", monday)
        act(session, "c", "basis", monday + timedelta(minutes=30))
    found = counted(database, now=monday + DAY)

    assert ["2026-W43", "2026-W44"] == [str(week.week) for week in found.weeks[-2:]]
    assert [1, 2] == [week.came[Act.ADD_WITH_BASIS] for week in found.weeks[-2:]]


def test_a_provider_whose_clock_is_fast_is_counted_too(database: Database) -> None:
    """A bounce reported for tomorrow belongs to the running week: the sum comes out."""
    with database.writing() as session:
        act(session, "a", "basis", NOW)
        person = known(session, "a")
        assert person is not None
        tomorrow = NOW + 9 * DAY
        consent.suppress(session, person, Act.BOUNCE, because="550", now=NOW, source="SendGrid", reported_at=tomorrow)
    week = last(database)

    assert (1, 0, 0) == (week.left[Act.BOUNCE], week.active_before, week.active_after)


def test_the_erased_are_in_no_figure_but_their_own(database: Database) -> None:
    """Their history goes with them, on both sides of the sum."""
    with database.writing() as session:
        for name in "ab":
            act(session, name, "basis", NOW - 10 * DAY)
        person = known(session, "a")
        assert person is not None
        consent.erase(session, person, now=NOW)
    found = counted(database)

    assert [0, 0, 1, 1] == [week.active_after for week in found.weeks]
    assert [0, 0, 0, 1] == [week.erased for week in found.weeks]
    assert (1, 1) == (found.known, found.refused[Refusal.ERASED])


def test_the_share_that_confirms_has_a_denominator(database: Database) -> None:
    """Of the people who signed up within four weeks, how many have confirmed; repeated requests count once."""
    long_ago = NOW - people_numbers.LATELY - DAY
    with database.writing() as session:
        for name, at in {"a": NOW - DAY, "b": NOW - DAY, "c": NOW - DAY, "d": long_ago}.items():
            act(session, name, "sign up", at)
        act(session, "a", "sign up", NOW)
        act(session, "a", "confirm", NOW)
        act(session, "d", "confirm", NOW)
    found = counted(database)

    assert (3, 1) == (found.asked_lately, found.confirmed_of_them)


def test_nobody_yet_is_no_mistake(database: Database) -> None:
    """An empty list has 26 weeks of nothing."""
    found = counted(database, most=people_numbers.MOST_WEEKS)

    assert 26 == len(found.weeks)
    assert {0} == {week.active_after for week in found.weeks} | {found.known, found.asked_lately}
