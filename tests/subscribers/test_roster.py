"""The read side: who is subscribed, and what one person's record holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from database import Database
from subscribers import consent, roster
from subscribers.addresses import BadAddress
from subscribers.policy import State
from subscribers.roster import Wish
from tests.subscribers.cast import ADA, BEN, CLEO, DOV, EARLIER, NOW, everyone, newcomer


def test_every_state_is_counted(database: Database) -> None:
    """All four states are there, also the empty ones; only the active are candidates."""
    with database.reading() as session:
        assert roster.counts(session) == dict.fromkeys(State, 0)
        assert roster.count_active(session) == 0
    with database.writing() as session:
        everyone(session)
    with database.reading() as session:
        assert roster.counts(session) == dict.fromkeys(State, 1)
        assert roster.count_active(session) == 1


def test_anybody_is_found_however_the_address_is_written(database: Database) -> None:
    """Case and white space do not matter; somebody unknown is None, and what is no address says so."""
    with database.writing() as session:
        ada = everyone(session)[ADA]

        assert roster.find(session, " ADA@Example.com ") is ada
        assert roster.find(session, "nobody@example.com") is None
        assert roster.by_link_id(session, ada.link_id) is ada
        assert roster.by_link_id(session, "x" * 22) is None
        with pytest.raises(BadAddress):
            roster.find(session, "ada")


def test_a_dossier_is_the_whole_proof(database: Database) -> None:
    """Everything that happened to one person, the oldest first, and nothing of others."""
    with database.writing() as session:
        cast = everyone(session)
        events = roster.dossier(session, cast[CLEO]).events

    assert [event.kind for event in events] == ["signed up", "confirmed", "unsubscribed"]
    assert {event.subscriber_id for event in events} == {cast[CLEO].id}


def test_wishes_are_those_of_active_subscribers(database: Database) -> None:
    """Counted by topics and format, the most wanted first; their sum is the number of candidates."""
    with database.writing() as session:
        everyone(session)
        for number, topics in enumerate([("Design", "Code"), ("Code", "Design"), ("Code",)]):
            consent.add(session, newcomer(f"p{number}@example.com", None, topics), basis="fair", now=NOW, source="x")
        plain = roster.find(session, "p2@example.com")
        assert plain is not None
        plain.plain_text = True

    with database.reading() as session:
        wishes = roster.wishes(session)
        assert wishes == [Wish("Code\nDesign", False, 2), Wish("", False, 1), Wish("Code", True, 1)]
        assert sum(wish.people for wish in wishes) == roster.count_active(session)


def test_pages_go_on_where_the_last_one_ended(database: Database) -> None:
    """By id, so that people who come and go between two pages shift nobody."""
    with database.writing() as session:
        everyone(session)
    with database.reading() as session:
        first = roster.page(session, limit=3)
        rest = roster.page(session, limit=3, after=first[-1].id)
        assert [person.email for person in (*first, *rest)] == [ADA, BEN, CLEO, DOV]
        assert roster.page(session, after=rest[-1].id) == []


def test_a_list_can_be_narrowed(database: Database) -> None:
    """To a state, and to a part of the address, taken literally and whatever its case."""
    with database.writing() as session:
        everyone(session)
        consent.add(session, newcomer("under_score@example.com"), basis=None, now=NOW, source="x")
    with database.reading() as session:

        def found(**filters: object) -> list[str]:
            return [person.email for person in roster.everybody(session, **filters)]  # type: ignore[arg-type]

        assert found(state=State.SUPPRESSED) == [DOV]
        assert found(containing="EXAMPLE.ORG") == [CLEO, DOV]
        assert found(containing="r_s") == ["under_score@example.com"]
        assert found(containing="%") == []
        assert found(state=State.PENDING, containing="ben") == [BEN]


def test_everybody_is_listed_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list longer than a page is whole, in order, and holds nobody twice."""
    with database.writing() as session:
        people = [newcomer(f"p{number:04}@example.com") for number in range(2_500)]
        consent.add_all(session, people, basis="fair", now=NOW, source="x")
    with database.reading() as session:
        listed = [person.email for person in roster.everybody(session)]

    assert sorted(listed) == [person.address.typed for person in people]


def test_events_are_counted_by_kind_from_a_moment_on(database: Database) -> None:
    """Only what happened since then counts."""
    with database.writing() as session:
        everyone(session)
        consent.add(session, newcomer("new@example.com"), basis=None, now=NOW, source="x")
    with database.reading() as session:
        assert roster.events_since(session, NOW) == {"added": 1}
        assert roster.events_since(session, EARLIER + timedelta(minutes=1)) == {
            "added": 1,
            "bounced": 1,
            "unsubscribed": 1,
        }
