"""The read side: who is subscribed, and what one person's record holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from database import Database
from subscribers import consent, roster
from subscribers.addresses import BadAddress
from subscribers.policy import State
from subscribers.roster import Found, Wish
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
        first = roster.search(session, "", limit=3)
        rest = roster.search(session, "", limit=3, after=first.people[-1].id)
        assert [person.email for person in (*first.people, *rest.people)] == [ADA, BEN, CLEO, DOV]
        assert (first.more, rest.more) == (True, False)
        assert roster.search(session, "", after=rest.people[-1].id) == Found([], more=False, exact=None)
        assert not roster.search(session, "", limit=4).more


def test_a_search_looks_into_addresses_and_names(database: Database) -> None:
    """Whatever the case and the script; every character stands for itself; under three it is how an address begins."""
    with database.writing() as session:
        everyone(session)
        for email, name in (
            ("under_score@example.com", "Élodie Straße"),
            ("per%cent@example.com", "Zoë\u0308  O'Neil"),
            ("ivo@bücher.example", "ТАТЬЯНА Ada"),
        ):
            consent.add(session, newcomer(email, name), basis=None, now=NOW, source="x")
    with database.reading() as session:

        def found(text: str, state: State | None = None) -> list[str]:
            people = roster.search(session, text, state=state).people
            assert roster.count_matching(session, text, state=state) == len(people)
            assert sorted(person.id for person in people) == [
                person.id for person in roster.everybody(session, state=state, containing=text)
            ]
            return [person.email for person in people]

        assert found(" EXAMPLE.ORG ") == [CLEO, DOV]
        assert found("élodie STRASSE") == ["under_score@example.com"]
        assert found("e\u0301lod") == ["under_score@example.com"]
        assert found("татьяна") == ["ivo@bücher.example"]
        assert found("BÜCHER") == found("xn--bcher") == found("IVO@bücher.example") == ["ivo@bücher.example"]
        assert found("r_s") == ["under_score@example.com"]
        assert found("r%c") == ["per%cent@example.com"]
        assert found("o'n") == ["per%cent@example.com"]
        for wild in ("%", "_", "%%%", "___", "*", "***", "\\", "[a-z]", "' OR 1=1 --", "\x00"):
            assert found(wild) == (found("") if wild == "\x00" else [])
        assert found("a") == [ADA]
        assert found("ad") == [ADA]
        assert found("ada") == [ADA, "ivo@bücher.example"]
        assert found("example", State.SUPPRESSED) == [DOV]
        assert found("ben", State.PENDING) == [BEN]
        assert found("ben", State.ACTIVE) == []


def test_who_has_exactly_the_address_comes_first(database: Database) -> None:
    """Once, however many pages there are, and only where the state asked for is theirs."""
    with database.writing() as session:
        people = [newcomer(f"x{number}.ada@example.com") for number in range(5)]
        consent.add_all(session, people, basis="fair", now=NOW, source="x")
        ada = everyone(session)[ADA]
        first = roster.search(session, " ADA@example.com ", limit=2)
        assert (first.people[0], first.exact, len(first.people), first.more) == (ada, ada, 3, True)

        seen, after, more = [*first.people], first.people[-1].id, first.more
        while more:
            page = roster.search(session, ADA, limit=2, after=after)
            assert page.exact is None
            seen, after, more = [*seen, *page.people], page.people[-1].id, page.more
        assert len(seen) == len({person.id for person in seen}) == roster.count_matching(session, ADA) == 6
        assert roster.search(session, ADA, state=State.PENDING) == Found([], more=False, exact=None)


def test_everybody_is_listed_page_by_page(database: Database) -> None:
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
