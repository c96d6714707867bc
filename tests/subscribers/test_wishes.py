"""What a subscriber wants to get: stored in one form, recorded once, and nobody is revived by wishing."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from database import Database
from subscribers import consent, roster, wishes
from subscribers.links import LINK_ID_LENGTH, Links
from subscribers.models import ConsentEvent, State, Subscriber
from subscribers.rows import Proof
from subscribers.transfer import record
from subscribers.wishes import Rhythm, Wishes
from tests.subscribers.cast import ADA, BEN, CLEO, DOV, NOW, confirmed, everyone, kinds

DESIGN = Wishes(frozenset({"Design", "Agents"}), Rhythm.MONTHLY, True, NOW + timedelta(weeks=2))
HOUR = timedelta(hours=1)

topics = st.frozensets(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), max_size=4)
zones = st.sampled_from([UTC, ZoneInfo("America/New_York")])
moments = st.builds(
    lambda zone, after: (NOW + after).astimezone(zone), zones, st.timedeltas(timedelta(), timedelta(weeks=27))
)
any_wishes = st.builds(Wishes, topics, st.sampled_from(Rhythm), st.booleans(), st.none() | moments)


def test_wishes_are_stored_in_one_form(database: Database) -> None:
    """Topics one a line and sorted, an instant in UTC: equal wishes are equal rows."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        chosen = consent.choose_wishes(session, ada, DESIGN, now=NOW, source="preferences page")
    with database.reading() as session:
        stored = session.get_one(Subscriber, ada.id)

    assert ("Agents\nDesign", Rhythm.MONTHLY, True) == (stored.topics, stored.rhythm, stored.plain_text)
    assert (Wishes(), DESIGN, DESIGN) == (chosen.before, chosen.after, stored.wishes)


def test_a_choice_leaves_its_proof(database: Database) -> None:
    """One event: what it was, what it became, the words beside the button, from where."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        proof = Proof("Save these wishes.", ip="203.0.113.7", user_agent="a browser")
        consent.choose_wishes(session, ada, DESIGN, now=NOW, source="preferences page", proof=proof)
    with database.reading() as session:
        event = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.id.desc()).limit(1)).one()

    assert ("wishes changed", NOW, "preferences page", "203.0.113.7", "a browser") == (
        event.kind,
        event.happened_at,
        event.source,
        event.ip,
        event.user_agent,
    )
    assert event.wording == (
        "Agents, Design (was every topic); monthly (was weekly); plain text only (was HTML and text); "
        "paused until 2026-12-04 09:00 UTC (was not paused); shown: Save these wishes."
    )


def test_the_same_again_is_not_recorded(database: Database) -> None:
    """Pressing twice is harmless, and a pause that is over differs from none in nothing."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        consent.choose_wishes(session, ada, DESIGN, now=NOW, source="test")
        again = consent.choose_wishes(session, ada, DESIGN, now=NOW + HOUR, source="test")
        later = NOW + timedelta(weeks=3)
        over = consent.choose_wishes(session, ada, DESIGN, now=later, source="test")

        assert (again.before, over.before) == (again.after, over.after)
        assert ["signed up", "confirmed", "wishes changed"] == kinds(session, ada)
        assert NOW == ada.changed_at


def test_only_the_active_have_wishes_to_change(database: Database) -> None:
    """Of the pending, unsubscribed and suppressed nothing changes, and nothing is recorded."""
    with database.writing() as session:
        people = everyone(session)
        before = {email: (record(person), kinds(session, person)) for email, person in people.items()}
        for email in (BEN, CLEO, DOV):
            chosen = consent.choose_wishes(session, people[email], DESIGN, now=NOW, source="test")
            assert chosen.before == chosen.after
            assert before[email] == (record(people[email]), kinds(session, people[email]))


def test_only_wishes_change(database: Database) -> None:
    """State, name, confirmation and links stay; so do the people's counts."""
    untouched = ("email", "name", "state", "confirmed_at", "basis", "created_at", "pending_since")
    with database.writing() as session:
        ada = confirmed(session, ADA)
        before = {column: getattr(ada, column) for column in (*untouched, "link_id", "email_key")}
        consent.choose_wishes(session, ada, DESIGN, now=NOW, source="test")

        assert before == {column: getattr(ada, column) for column in before}
        assert 1 == roster.counts(session)[State.ACTIVE]
        assert [("Agents\nDesign", True, 1)] == roster.wishes(session)


def test_what_was_read_before_somebody_left_changes_nothing(database: Database) -> None:
    """The row is read again under the lock: a page opened before an opt-out cannot undo it."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
    with database.writing() as session:
        consent.unsubscribe(session, session.get_one(Subscriber, ada.id), now=NOW, source="test")
    with database.writing() as session:
        stale = session.merge(ada, load=False)
        consent.choose_wishes(session, stale, DESIGN, now=NOW + HOUR, source="test")
    with database.reading() as session:
        stored = session.get_one(Subscriber, ada.id)

    assert (State.UNSUBSCRIBED, "") == (stored.state, stored.topics)


@given(any_wishes)
def test_packed_wishes_come_back(wanted: Wishes) -> None:
    """Whatever the topics are called."""
    assert wanted == wishes.unpacked(wishes.packed(wanted))


@given(any_wishes, any_wishes)
def test_only_differences_are_put_in_words(before: Wishes, after: Wishes) -> None:
    """Nothing for equal wishes, else one clause for each field that differs."""
    said = wishes.in_words(before, after)

    assert ("" == said) == (before == after)
    assert said.count(" (was ") >= len(wishes.changed(before, after))


@given(any_wishes)
def test_an_undo_gives_back_only_what_was_sealed(wanted: Wishes) -> None:
    """The seal holds for one person and breaks with a single letter; no other link passes for it."""
    links = Links("https://verdicts.example.com", ["new", "old"])
    ours, theirs = "a" * LINK_ID_LENGTH, "b" * LINK_ID_LENGTH
    token = links.undo_token(ours, wishes.packed(wanted))
    swapped = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]

    assert wishes.packed(wanted) == links.read_undo(token, ours)
    assert wishes.packed(wanted) == Links("https://elsewhere.example", ["newer", "new"]).read_undo(token, ours)
    assert (None, None) == (links.read_undo(token, theirs), links.read_undo(swapped, ours))
    assert links.read_preferences(token) is None


@pytest.mark.parametrize("token", ["", "x", "💥" * 60, "a" * 60, "\x00" * 60, "a" * 50_000])
def test_nonsense_is_no_undo(token: str) -> None:
    """Whatever is posted there."""
    links = Links("https://verdicts.example.com", ["key"])

    assert links.read_undo(token, "a" * LINK_ID_LENGTH) is None
    assert links.read_undo(links.key_ids[0] + token, "a" * LINK_ID_LENGTH) is None
    preferences = links.preferences_url("a" * LINK_ID_LENGTH).rpartition("/")[2]
    assert links.read_undo(preferences, "a" * LINK_ID_LENGTH) is None
