"""Somebody moves to another address: asked for at the old one, confirmed at the new one."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from subscribers import addresses, consent, roster
from subscribers.consent import Outcome
from subscribers.models import AddressChange, Subscriber
from subscribers.notes import noted
from subscribers.policy import Act, Refusal, State
from subscribers.secrecy import hashes
from tests.subscribers.cast import ADA, BEN, NOW, confirmed, kinds, newcomer, signed_up, suppressed, unsubscribed

NEW = "Ada@New.example"


def asked(session: Session, person: Subscriber, to: str = NEW) -> AddressChange:
    consent.ask_to_change_address(session, person, addresses.parse(to), now=NOW, source="my data")
    return session.scalars(sa.select(AddressChange).where(AddressChange.subscriber_id == person.id)).one()


def moved(session: Session, change: AddressChange) -> Outcome:
    return consent.change_address(session, change, now=NOW + timedelta(hours=1), source="letter to the new address")


def test_a_move_is_asked_for_here_and_confirmed_there(database: Database) -> None:
    """The letter goes to the new address; the person keeps record, consent and wishes; the old address is told."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        before = ada.confirmed_at
        letter = consent.ask_to_change_address(session, ada, addresses.parse(NEW), now=NOW, source="my data")
        assert letter is not None
        assert (letter.kind, letter.email, ada.email) == ("change-address", NEW, ADA)

        outcome = moved(session, session.scalars(sa.select(AddressChange)).one())

        assert (ada.email, ada.email_key, ada.state) == (NEW, "ada@new.example", State.ACTIVE)
        assert ada.search == "ada@new.example"
        assert ada.confirmed_at == before
        assert outcome.letter is not None
        assert (outcome.letter.kind, outcome.letter.email) == ("address-changed", ADA)
        assert kinds(session, ada)[-1] == "address changed"
        assert session.scalars(sa.select(AddressChange)).all() == []


def test_the_move_is_noted_with_the_address_they_left(database: Database) -> None:
    """Beyond the database: a backup from before the move must not be written to at the old address."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        moved(session, asked(session, ada))

        note, keyed = noted(session)[-1], hashes(session)
        assert ("moved", NOW + timedelta(hours=1)) == (note.what, note.at)
        assert (keyed.of(ada.link_id), keyed.of("ada@example.com")) == (note.person, note.address)


def test_only_the_last_wish_counts(database: Database) -> None:
    """Asking for another address takes the first one back."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        first = asked(session, ada, "typo@new.example").link_id
        second = asked(session, ada).link_id

        assert first != second
        assert session.scalars(sa.select(AddressChange.email)).all() == [NEW]


def test_only_somebody_active_moves(database: Database) -> None:
    """Nobody pending, unsubscribed or suppressed gets round their state by another address."""
    with database.writing() as session:
        people = [signed_up(session, "a@example.com"), unsubscribed(session, "b@example.com")]
        people.append(suppressed(session, "c@example.com"))
        for person in people:
            assert (
                consent.ask_to_change_address(session, person, addresses.parse(NEW), now=NOW, source="my data") is None
            )
        ada = confirmed(session, ADA)
        change = asked(session, ada)
        consent.unsubscribe(session, ada, now=NOW, source="one-click")

        assert not moved(session, change).changed
        assert ada.email == ADA


def test_nobody_moves_onto_somebody_else(database: Database) -> None:
    """An address with a record of its own, whatever its state, is not taken over."""
    with database.writing() as session:
        ada, _ = confirmed(session, ADA), unsubscribed(session, BEN)
        outcome = moved(session, asked(session, ada, BEN))

        assert (outcome.changed, outcome.letter, ada.email) == (False, None, ADA)


def test_a_complaint_is_not_left_behind_by_moving_back(database: Database) -> None:
    """An address refused for ever takes nobody in; one erased is its owner's to confirm."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        refused = addresses.parse(NEW).key
        consent.refuse(session, hashes(session).of(refused), Refusal.FOR_EVER, since=NOW)
        assert not moved(session, asked(session, ada)).changed

        gone = confirmed(session, "gone@example.com")
        consent.erase(session, gone, now=NOW)
        assert moved(session, asked(session, ada, "gone@example.com")).changed
        assert ada.email == "gone@example.com"


def test_the_old_address_is_free_again(database: Database) -> None:
    """Whoever has it next is somebody new."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        moved(session, asked(session, ada))
        other = consent.add(session, newcomer(ADA), basis="paper", now=NOW, source="import").subscriber

        assert other.id != ada.id
        found = roster.find(session, NEW)
        assert found is not None
        assert found.id == ada.id


def test_a_bounce_at_the_old_address_after_the_move_is_outdated_by_nothing(database: Database) -> None:
    """Moving is no new consent: the last yes is still the confirmation."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        moved(session, asked(session, ada))
        report = consent.suppress(session, ada, Act.BOUNCE, because="550", now=NOW, source="SendGrid", reported_at=NOW)

        assert report.changed


def test_an_address_nobody_confirmed_is_forgotten(database: Database) -> None:
    """Four days after it was asked for no link to it works, and nothing is kept of it."""
    with database.writing() as session:
        asked(session, confirmed(session, ADA))
        assert consent.forget_changes(session, now=NOW + timedelta(days=4, seconds=-1)) == 0
        assert consent.forget_changes(session, now=NOW + timedelta(days=4)) == 1


def test_nobody_moves_to_an_address_that_was_erased_meanwhile(database: Database) -> None:
    """Erasing it takes along what others wished for it."""
    with database.writing() as session:
        ada, ben = confirmed(session, ADA), confirmed(session, BEN)
        asked(session, ada, BEN)
        consent.erase(session, ben, now=NOW)

        assert session.scalars(sa.select(AddressChange)).all() == []
