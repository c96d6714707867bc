"""What stands on the provider's suppression lists reaches the people we know, and nothing else does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from database import Database
from digest import jobs, suppression_sync
from digest.bootstrap import Services
from digest.models import SuppressionSync
from digest.sendgrid_send import SendGrid
from digest.suppression_sync import Unread
from subscribers import consent
from subscribers.models import State, Subscriber
from subscribers.policy import Act
from tests import make
from tests.make_events import TOLD, Reader, bounce, consent_of, sent, tell
from tests.sendgrid_stub import KEY, Stub

DAY = timedelta(days=1)
AT = int(TOLD.timestamp())


@pytest.fixture
def sending(database: Database, tmp_path: Path, stub: Stub) -> Iterator[Services]:
    transport = SendGrid(KEY, host=stub.url, read=5.0)
    yield make.services(database, tmp_path, transport=transport)
    transport.close()


def look(services: Services, *, now: datetime = TOLD + timedelta(hours=1)) -> str:
    return jobs.suppressions(services, jobs.Shift(clock=lambda: now, stop=threading.Event()))


def stands(services: Services, reader: Reader) -> tuple[State, Act | None]:
    state, by, _ = consent_of(services, reader.subscriber)
    return state, by


def test_each_list_means_what_it_says(sending: Services, stub: Stub) -> None:
    """Bounces and invalid addresses suppress, spam for ever, opt-outs are opt-outs, blocks are nothing."""
    people = sent(sending, 6)
    lists = ["bounces", "invalid_emails", "spam_reports", "unsubscribes", "blocks"]
    for name, reader in zip(lists, people, strict=False):
        stub.suppress(name, reader.email.upper(), at=AT, reason="550 5.1.1 unknown")
        stub.suppress(name, f"stranger-{name}@example.com", at=AT)
    said = look(sending)

    assert [
        (State.SUPPRESSED, Act.BOUNCE),
        (State.SUPPRESSED, Act.BOUNCE),
        (State.SUPPRESSED, Act.COMPLAIN),
        (State.UNSUBSCRIBED, None),
        (State.ACTIVE, None),
        (State.ACTIVE, None),
    ] == [stands(sending, reader) for reader in people]
    assert "spam reports: 2 read, 1 people changed" in said
    with sending.database.reading() as session:
        evidence = session.get_one(Subscriber, people[0].subscriber).suppressed_because
        assert "on SendGrid's list of bounces: 550 5.1.1 unknown" == evidence
        assert 6 == session.scalar(sa.select(sa.func.count()).select_from(Subscriber))


def test_lists_are_read_once_a_day_from_where_the_last_reading_ended(sending: Services, stub: Stub) -> None:
    """Less a day, for what shows late; who is no longer on a list stays as they are."""
    ada, ben, cleo = sent(sending, 3)
    now = TOLD + timedelta(hours=1)
    stub.suppress("bounces", ada.email, at=AT)
    assert look(sending, now=now)
    stub.suppress("bounces", ben.email, at=AT - 1_000)
    stub.suppress("bounces", cleo.email, at=AT - 200_000)

    assert "" == look(sending, now=now + 23 * timedelta(hours=1))
    assert State.ACTIVE is stands(sending, ben)[0]
    stub.answer("GET /v3/suppression/blocks", 200, [])
    assert "bounces: 2 read, 1 people changed" in look(sending, now=now + DAY)
    assert [State.SUPPRESSED, State.SUPPRESSED, State.ACTIVE] == [stands(sending, each)[0] for each in (ada, ben, cleo)]


def test_a_long_list_is_read_to_its_end(sending: Services, stub: Stub) -> None:
    """Page by page."""
    readers = sent(sending, 120)
    for number in range(1_100):
        email = readers[number // 10].email if number % 10 == 0 else f"stranger{number}@example.com"
        stub.suppress("unsubscribes", email, at=AT - number)
    said = look(sending)

    assert "unsubscribes: 1,100 read, 110 people changed" in said
    assert [State.UNSUBSCRIBED] * 110 + [State.ACTIVE] * 10 == [stands(sending, each)[0] for each in readers]


def test_what_the_person_has_overtaken_does_nothing(sending: Services, stub: Stub) -> None:
    """An entry from before their last yes; a complaint counts all the same."""
    ada, ben, _ = sent(sending, 3)
    with sending.database.writing() as session:
        for each in (ada, ben):
            person = session.get_one(Subscriber, each.subscriber)
            consent.suppress(session, person, Act.BOUNCE, because="550", now=make.SEND, source="test")
            consent.lift(session, person, because="mended", now=TOLD + timedelta(minutes=5), source="test")
    stub.suppress("bounces", ada.email, at=AT)
    stub.suppress("spam_reports", ben.email, at=AT)
    look(sending)

    assert (State.ACTIVE, None) == stands(sending, ada)
    assert (State.SUPPRESSED, Act.COMPLAIN) == stands(sending, ben)


def test_a_bounce_that_was_our_fault_suppresses_nobody_by_this_way_either(sending: Services, stub: Stub) -> None:
    """The list does not say how a bounce was classified; the event did."""
    ada, ben, cleo = sent(sending, 3)
    tell(sending, bounce(ada, classification="Reputation"), bounce(ben, classification="Unclassified"))
    for each in (ada, ben, cleo):
        stub.suppress("bounces", each.email, at=AT - 300)
    look(sending)

    assert [State.ACTIVE, State.SUPPRESSED, State.SUPPRESSED] == [stands(sending, each)[0] for each in (ada, ben, cleo)]


def test_a_list_that_cannot_be_read_is_said_and_tried_again(sending: Services, stub: Stub) -> None:
    """The others are read; what was done stays done."""
    ada, ben, _ = sent(sending, 3)
    stub.suppress("bounces", ada.email, at=AT)
    stub.suppress("unsubscribes", ben.email, at=AT)
    stub.answer("GET /v3/suppression/bounces", 500, {"errors": []})
    with pytest.raises(Unread, match="suppression/bounces could not be read"):
        look(sending)

    assert [State.ACTIVE, State.UNSUBSCRIBED] == [stands(sending, each)[0] for each in (ada, ben)]
    stub.answer("GET /v3/suppression/bounces", 200, [{"email": ada.email, "created": AT, "reason": "550"}])
    assert look(sending).startswith("bounces: 1 read, 1 people changed")
    assert State.SUPPRESSED is stands(sending, ada)[0]


@pytest.mark.parametrize(
    "answer",
    [
        [{"email": "reader0@example.com"}, {"created": AT}, 7, None, {"email": "x", "created": AT}],
        [{"email": "reader0@example.com", "created": 10**15}, {"email": ["a"], "created": "soon"}],
        [],
    ],
)
def test_odd_entries_are_passed_over(sending: Services, stub: Stub, answer: list[object]) -> None:
    """One without a time cannot be held against a confirmation."""
    ada, *_ = sent(sending, 1)
    stub.answer("GET /v3/suppression/bounces", 200, answer)

    assert "bounces: 0 read" in look(sending)
    assert State.ACTIVE is stands(sending, ada)[0]


def test_an_answer_that_is_no_list_is_said(sending: Services, stub: Stub) -> None:
    """And the list is due still."""
    stub.answer("GET /v3/suppression/blocks", 200, {"result": []})
    with pytest.raises(Unread, match="something else than a suppression list"):
        look(sending)

    with sending.database.reading() as session:
        assert ["blocks"] == suppression_sync.due(session, now=TOLD + timedelta(hours=1))


def test_with_a_folder_there_are_no_lists(services: Services) -> None:
    """Nothing is read, and nothing noted but that nobody is out of reach."""
    assert "" == look(services)
    with services.database.reading() as session:
        assert ["unreachable"] == list(session.scalars(sa.select(SuppressionSync.name)))
