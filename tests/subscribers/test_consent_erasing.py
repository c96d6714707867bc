"""The end of a record: what is gone, what is remembered, and who alone brings it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Base, Database
from subscribers import addresses, consent, notes, policy, roster, secrecy
from subscribers.consent import AddressRefused, Gone
from subscribers.models import RefusedAddress, Subscriber
from subscribers.policy import Act, Refusal, State
from tests.make import SECRET
from tests.subscribers.cast import ADA, BEN, NOW, confirmed, good_link, newcomer, signed_up, suppressed, unsubscribed

DAY = timedelta(days=1)


def all_that_is_stored(session: Session) -> str:
    """Every cell of every table."""
    tables = Base.metadata.sorted_tables
    return " ".join(str(cell) for table in tables for row in session.execute(sa.select(table)) for cell in row)


def test_erasing_leaves_nothing_but_a_hash(database: Database) -> None:
    """Person and consent events are gone; what is left cannot be read back into an address."""
    with database.writing() as session:
        ada = confirmed(session, "Ada.L@Example.com")
        erased = consent.erase(session, ada, now=NOW)
        left = all_that_is_stored(session)

    assert "ada" not in left.casefold()
    assert erased.address_hashes[0] in left
    assert len(erased.address_hashes[0]) == 64


@pytest.mark.parametrize("basis", [None, "a paper form"])
def test_an_erased_person_is_added_by_nobody(database: Database, basis: str | None) -> None:
    """Not one by one, not in a list, not under another spelling; the reason is said."""
    with database.writing() as session:
        consent.erase(session, confirmed(session, ADA), now=NOW)
        with pytest.raises(AddressRefused, match="was erased; only their own sign-up"):
            consent.add(session, newcomer(ADA.upper()), basis=basis, now=NOW, source="import")
        people = [newcomer(ADA), newcomer(BEN)]
        added = consent.add_all(session, people, basis=basis, now=NOW, source="import")
        predicted = consent.forecast(session, people, basis=basis)

        assert [one.decision.recorded for one in added] == [False, True]
        assert added[0].letter is None
        assert not predicted[0].recorded
        assert roster.find(session, ADA) is None


def test_an_erased_person_comes_back_by_their_own_confirmation(database: Database) -> None:
    """Signing up leaves them refused to everybody else; confirming lifts it."""
    with database.writing() as session:
        consent.erase(session, confirmed(session, ADA), now=NOW)
        ada = signed_up(session, ADA, NOW + DAY)
        assert not consent.add(session, newcomer(ADA), basis="paper", now=NOW + DAY, source="import").changed
        assert session.scalar(sa.select(sa.func.count()).select_from(RefusedAddress)) == 1

        consent.confirm(session, ada, good_link(ada), now=NOW + DAY, source="confirm page")

        assert ada.state is State.ACTIVE
        assert session.scalar(sa.select(sa.func.count()).select_from(RefusedAddress)) == 0


@pytest.mark.parametrize("act", [Act.COMPLAIN, Act.SUPPRESS])
def test_erasing_after_a_complaint_is_for_ever(database: Database, act: Act) -> None:
    """Who complained, or was never to be written to again, is not written to, whoever signs them up."""
    with database.writing() as session:
        consent.erase(session, suppressed(session, ADA, act), now=NOW)
        with pytest.raises(AddressRefused, match="for ever"):
            consent.sign_up(session, addresses.parse(ADA), now=NOW, source="form")

        assert roster.find(session, ADA) is None


def test_erasing_twice_is_said(database: Database) -> None:
    """The second of two presses finds nobody."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        consent.erase(session, ada, now=NOW)
        with pytest.raises(Gone):
            consent.erase(session, ada, now=NOW)


def test_an_older_key_still_recognises_whom_it_remembered(database: Database) -> None:
    """After a new secret came first, an erased person stays refused."""
    with database.writing() as session:
        consent.erase(session, confirmed(session, ADA), now=NOW)
    secrecy.equip(database, ("another secret, much newer than the first", SECRET))
    with database.writing() as session, pytest.raises(AddressRefused):
        consent.add(session, newcomer(ADA), basis="paper", now=NOW, source="import")


def test_a_database_opened_without_its_keys_refuses_to_work(database: Database) -> None:
    """Rather than to forget whom it must refuse."""
    with database.writing() as session:
        consent.erase(session, confirmed(session, ADA), now=NOW)
    database.info.clear()
    with pytest.raises(LookupError, match="without its keys"), database.writing() as session:
        consent.add(session, newcomer(BEN), basis="paper", now=NOW, source="import")


def test_who_never_confirmed_is_forgotten_after_thirty_days(database: Database) -> None:
    """Nothing is kept of them, not even a hash: they may be signed up, or added, like anybody new."""
    with database.writing() as session:
        signed_up(session, ADA, NOW)
        almost = NOW + policy.GIVE_UP_AFTER - timedelta(seconds=1)
        assert not consent.unconfirmed(session, now=almost, most=10)
        [ada] = consent.unconfirmed(session, now=NOW + policy.GIVE_UP_AFTER, most=10)

        assert consent.forget_unconfirmed(session, ada, now=almost) is None
        assert consent.forget_unconfirmed(session, ada, now=NOW + policy.GIVE_UP_AFTER) is not None

        assert ADA not in all_that_is_stored(session)
        assert session.scalar(sa.select(sa.func.count()).select_from(RefusedAddress)) == 0


def test_who_once_left_stays_unsubscribed_when_they_do_not_confirm(database: Database) -> None:
    """Forgetting them would forget their no."""
    with database.writing() as session:
        unsubscribed(session, ADA)
        ada = signed_up(session, ADA, NOW)

        assert consent.forget_unconfirmed(session, ada, now=NOW + policy.GIVE_UP_AFTER) is None

        assert (ada.state, ada.pending_since) == (State.UNSUBSCRIBED, None)
        added = consent.add(session, newcomer(ADA), basis="paper", now=NOW + 31 * DAY, source="import")
        assert (added.changed, ada.state) == (False, State.UNSUBSCRIBED)


def test_for_ever_is_never_weakened(database: Database) -> None:
    """Erasing somebody a second time does not make a complaint a mere erasure."""
    with database.writing() as session:
        consent.refuse(session, "h" * 64, Refusal.FOR_EVER, since=NOW)
        consent.refuse(session, "h" * 64, Refusal.ERASED, since=NOW + DAY)

        assert session.get_one(RefusedAddress, "h" * 64).because is Refusal.FOR_EVER


def test_what_must_outlive_the_database_is_noted_without_an_address(database: Database) -> None:
    """A yes, a no, a complaint, an erasure: each leaves a note of keyed hashes, in the transaction that makes it."""
    written: list[notes.Note] = []
    database.before_commit.append(lambda session: written.extend(notes.noted(session)))
    with database.writing() as session:
        ada = confirmed(session, ADA)
        consent.unsubscribe(session, ada, now=NOW, source="one-click")
        ben = confirmed(session, BEN)
        consent.suppress(session, ben, Act.COMPLAIN, because="spam button", now=NOW, source="SendGrid")
        consent.erase(session, ben, now=NOW)
        keyed = secrecy.hashes(session)

    assert [note.what for note in written] == ["confirmed", "left", "confirmed", "complained", "erased"]
    assert {note.address for note in written} == {keyed.of(ADA), keyed.of(BEN)}
    assert written[0].person == written[1].person == keyed.of(ada.link_id)
    assert "@" not in str(written)


def test_when_a_note_cannot_be_written_nothing_is_committed(database: Database) -> None:
    """An opt-out that the journal does not hold is not promised to anybody."""

    def full(_session: Session) -> None:
        raise OSError("no space left")

    with database.writing() as session:
        ada = confirmed(session, ADA)
    database.before_commit.append(full)
    with pytest.raises(OSError, match="no space"), database.writing() as session:
        consent.unsubscribe(session, session.get_one(Subscriber, ada.id), now=NOW, source="one-click")
    database.before_commit.clear()
    with database.reading() as session:
        assert session.get_one(Subscriber, ada.id).state is State.ACTIVE
