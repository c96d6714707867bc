"""What of a journal still holds: the order decides, and nobody is brought back by what they did not say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Database
from digest import migrations
from digest.safekeeping.last_words import refusal, still_held
from subscribers import addresses, consent, secrecy
from subscribers.addresses import Address
from subscribers.links import Confirmation
from subscribers.models import RefusedAddress, State, Subscriber
from subscribers.notes import Note, What, noted
from subscribers.policy import SUPPRESSING, Act, Refusal
from tests import make

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def notes(*whats: What) -> list[Note]:
    return [Note(what, AT + timedelta(hours=n), person="a", address="b") for n, what in enumerate(whats)]


def held(*whats: What) -> list[str]:
    return [note.what for note in still_held(notes(*whats))]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["left"], ["left"]),
        (["confirmed", "left"], ["left"]),
        (["left", "confirmed"], []),
        (["erased", "confirmed"], []),
        (["bounced", "lifted"], []),
        (["bounced", "left", "lifted"], ["left"]),
        (["suppressed", "lifted"], ["left"]),
        (["complained", "lifted", "confirmed"], ["complained"]),
        (["left", "lifted"], ["left"]),
        (["lifted", "bounced"], ["bounced"]),
        (["moved"], []),
        (["left", "moved"], ["left"]),
    ],
)
def test_the_last_word_counts(said: list[What], expected: list[str]) -> None:
    """A confirmation takes back what came before it, a lift only a bounce, and nothing a complaint."""
    assert expected == held(*said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["left"], Refusal.LEFT),
        (["bounced"], Refusal.LEFT),
        (["left", "erased"], Refusal.ERASED),
        (["erased", "bounced"], Refusal.LEFT),
        (["complained", "erased"], Refusal.FOR_EVER),
        (["suppressed"], Refusal.FOR_EVER),
        (["suppressed", "lifted"], Refusal.LEFT),
        (["left", "confirmed"], None),
        ([], None),
    ],
)
def test_an_address_without_a_row_stays_refused(said: list[What], expected: Refusal | None) -> None:
    """As heavily as the heaviest that holds."""
    assert expected == refusal(still_held(notes(*said)))


# — the same as what happened —

DOINGS = st.lists(
    st.sampled_from(["sign up", "confirm", "leave", "bounce", "suppress", "complain", "lift", "erase"]), max_size=14
)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database whose transactions are never committed."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('people') / 'digest.db'}")
    migrations.upgrade(database)
    secrecy.equip(database, (make.SECRET,))
    yield database
    database.dispose()


class _RollBack(Exception):
    """Nothing went wrong."""


@settings(max_examples=50)
@given(doings=DOINGS)
def test_it_holds_exactly_while_nobody_may_write(people: Database, doings: list[str]) -> None:
    """Whatever happens to an address: notes are in force whenever its owner is out, and none is while they are in."""
    address = addresses.parse("ada@example.com")
    try:
        with people.writing() as session:
            for number, doing in enumerate(doings):
                now = AT + timedelta(minutes=number)
                row = session.query(Subscriber).one_or_none()
                _do(session, doing, row, address, now)
            row = session.query(Subscriber).one_or_none()
            in_force = still_held(noted(session))
            refused = session.query(RefusedAddress).one_or_none()
            if row is not None and row.state is State.ACTIVE:
                assert [] == in_force
            if row is not None and row.state in (State.UNSUBSCRIBED, State.SUPPRESSED):
                assert in_force
            if row is None and refused is not None:
                assert refused.because == refusal(in_force)
            raise _RollBack  # noqa: TRY301 - nothing is to stay
    except _RollBack:
        pass


def _do(session: Session, doing: str, row: Subscriber | None, address: Address, now: datetime) -> None:
    source: dict[str, Any] = {"now": now, "source": "test"}
    if doing == "sign up":
        try:
            consent.sign_up(session, address, **source)
        except consent.AddressRefused:
            return
    if row is None:
        return
    if doing == "confirm" and row.pending_since is not None:
        link = Confirmation(row.link_id, row.pending_since, now + timedelta(hours=1))
        consent.confirm(session, row, link, **source)
    if doing == "leave":
        consent.unsubscribe(session, row, **source)
    acts = {"bounce": Act.BOUNCE, "suppress": Act.SUPPRESS, "complain": Act.COMPLAIN}
    if doing in acts:
        assert acts[doing] in SUPPRESSING
        consent.suppress(session, row, acts[doing], because="test", **source)
    if doing == "lift":
        consent.lift(session, row, because="test", **source)
    if doing == "erase":
        consent.erase(session, row, now=now)
