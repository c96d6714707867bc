"""A restored backup brings nobody back, whatever happened since and in whatever order."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Database
from digest.bootstrap import Services
from digest.staff import audit
from subscribers import addresses, consent, secrecy
from subscribers.links import Confirmation
from subscribers.models import AddressChange, ConsentEvent, RefusedAddress, State, Subscriber
from subscribers.policy import Act, Refusal
from tests import make
from tests.digest.lost import (
    LATER,
    NOW,
    back_up,
    everything,
    journaled,
    leave,
    lose,
    people,
    restored,
    suppress,
    with_person,
)


@pytest.fixture
def kept(scripted: Services, tmp_path: Path) -> Services:
    """A program that keeps a journal, in batches of ten, its transport a script."""
    return journaled(scripted, tmp_path / "digest-journal.jsonl")


# — people —


def test_nobody_comes_back(kept: Services, tmp_path: Path) -> None:
    """Whatever kept somebody out since the backup keeps them out of what is restored, with its own time and proof."""
    names = ("leaves", "bounces", "complains", "unwanted", "erased", "stays")
    with kept.database.writing() as session:
        for name in names:
            make.subscriber(session, f"{name}@example.com")
    file = back_up(kept, tmp_path)
    with_person(kept, "leaves@example.com", leave)
    with_person(kept, "bounces@example.com", suppress(Act.BOUNCE))
    with_person(kept, "complains@example.com", suppress(Act.COMPLAIN))
    with_person(kept, "unwanted@example.com", suppress(Act.SUPPRESS))
    with_person(kept, "erased@example.com", lambda session, person: consent.erase(session, person, now=NOW))
    lose(kept)

    done = restored(kept, file)

    suppressed = dict.fromkeys(("bounces", "complains", "unwanted"), State.SUPPRESSED)
    assert {"leaves": State.UNSUBSCRIBED, "stays": State.ACTIVE, **suppressed} == people(kept)
    assert {"unsubscribed": 1, "suppressed": 3, "erased": 1} == done.people.became
    with kept.database.reading() as session:
        events = session.scalars(sa.select(ConsentEvent).where(ConsentEvent.source.startswith("journal of"))).all()
        assert [NOW] * 4 == [event.happened_at for event in events]
        assert audit.verify(session) is None
        assert "restored a backup" in [line.what for line in audit.lines(session)]


OLD_LIST = ("leaves", "bounces", "complains", "erased", "left-again")


def test_an_old_list_revives_nobody(kept: Services, tmp_path: Path) -> None:
    """People the backup never knew are remembered by hash: a list with a basis does not bring them in again."""
    file = back_up(kept, tmp_path)
    with kept.database.writing() as session:
        for name in OLD_LIST:
            make.subscriber(session, f"{name}@example.com")
    with_person(kept, "leaves@example.com", leave)
    with_person(kept, "bounces@example.com", suppress(Act.BOUNCE))
    with_person(kept, "complains@example.com", suppress(Act.COMPLAIN))
    with_person(kept, "erased@example.com", lambda session, person: consent.erase(session, person, now=NOW))
    with_person(kept, "left-again@example.com", leave)
    with_person(kept, "left-again@example.com", lambda session, person: consent.erase(session, person, now=NOW))
    lose(kept)

    done = restored(kept, file)

    assert (len(OLD_LIST), {}) == (done.people.refused, people(kept))
    newcomers = [consent.Newcomer(addresses.parse(f"{name}@example.com")) for name in (*OLD_LIST, "new")]
    with kept.database.writing() as session:
        consent.add_all(session, newcomers, basis=make.BASIS, now=LATER, source="import")
        hashes = secrecy.hashes(session)
        why = {name: session.get(RefusedAddress, hashes.of(f"{name}@example.com")) for name in OLD_LIST}
    assert {"new": State.ACTIVE} == people(kept)
    assert {
        "leaves": Refusal.LEFT,
        "bounces": Refusal.LEFT,
        "complains": Refusal.FOR_EVER,
        "erased": Refusal.ERASED,
        "left-again": Refusal.ERASED,
    } == {name: row and row.because for name, row in why.items()}


def test_who_left_can_come_back_by_themselves(kept: Services, tmp_path: Path) -> None:
    """Their own sign-up and confirmation, before the loss or after it, counts."""
    file = back_up(kept, tmp_path)
    with kept.database.writing() as session:
        for name in ("before", "after"):
            make.subscriber(session, f"{name}@example.com")
    for name in ("before", "after"):
        with_person(kept, f"{name}@example.com", leave)
    sign_up(kept, "before@example.com", NOW + timedelta(minutes=1))
    lose(kept)
    restored(kept, file)

    with kept.database.writing() as session:
        consent.add(
            session, consent.Newcomer(addresses.parse("before@example.com")), basis=make.BASIS, now=LATER, source="x"
        )
    sign_up(kept, "after@example.com", LATER)
    assert {"before": State.ACTIVE, "after": State.ACTIVE} == people(kept)


def sign_up(services: Services, email: str, now: datetime) -> None:
    with services.database.writing() as session:
        person = consent.sign_up(session, addresses.parse(email), now=now, source="test").subscriber
        assert person.pending_since is not None
        link = Confirmation(person.link_id, person.pending_since, now + timedelta(hours=1))
        consent.confirm(session, person, link, now=now, source="test")


def test_what_the_backup_knows_is_not_done_again(kept: Services, tmp_path: Path) -> None:
    """Who left, came back and waits for their letter when the backup is taken still waits, and no event is doubled."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    with_person(kept, "ada@example.com", leave)
    with kept.database.writing() as session:
        consent.sign_up(session, addresses.parse("ada@example.com"), now=NOW + timedelta(hours=1), source="test")
    file = back_up(kept, tmp_path)
    lose(kept)

    done = restored(kept, file)
    first = everything(kept)
    assert ({"ada": State.PENDING}, {}, 0) == (people(kept), done.people.became, done.people.refused)

    restored(kept, back_up(kept, tmp_path), replace=True)
    assert first == everything(kept)


def test_who_confirmed_since_must_confirm_again(kept: Services, tmp_path: Path) -> None:
    """The journal proves that they did, not how: they are as the backup has them, and the report counts them."""
    with kept.database.writing() as session:
        person = make.subscriber(session, "ada@example.com")
        consent.unsubscribe(session, person, now=make.SEEN + timedelta(hours=1), source="test")
    file = back_up(kept, tmp_path)
    sign_up(kept, "ada@example.com", NOW)
    lose(kept)

    assert 1 == restored(kept, file).people.confirmed_since
    assert {"ada": State.UNSUBSCRIBED} == people(kept)


def test_somebody_elses_word_at_the_same_address_counts(kept: Services, tmp_path: Path) -> None:
    """Ada moved away and Bob signed up at her old address, then left: the address is not written to again."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    file = back_up(kept, tmp_path)

    def move(_: Session, person: Subscriber) -> None:
        person.email = person.email_key = "ada@example.org"

    with_person(kept, "ada@example.com", move)
    sign_up(kept, "ada@example.com", NOW)
    with_person(kept, "ada@example.com", lambda s, p: consent.unsubscribe(s, p, now=LATER, source="test"))
    lose(kept)
    restored(kept, file)

    assert {"ada": State.UNSUBSCRIBED} == people(kept)


def move(services: Services, email: str, to: str, now: datetime) -> None:
    with services.database.writing() as session:
        person = session.scalars(sa.select(Subscriber).where(Subscriber.email == email)).one()
        consent.ask_to_change_address(session, person, addresses.parse(to), now=now, source="test")
        consent.change_address(session, session.scalars(sa.select(AddressChange)).one(), now=now, source="test")


def test_an_old_address_is_not_written_to_again(kept: Services, tmp_path: Path) -> None:
    """Who moved since is set aside, whatever they did at the new address; who signed up again at the old one is not."""
    with kept.database.writing() as session:
        for name in ("moved", "returned", "renewed", "stays"):
            make.subscriber(session, f"{name}@example.com")
    file = back_up(kept, tmp_path)
    for name in ("moved", "returned", "renewed"):
        move(kept, f"{name}@example.com", f"{name}@example.org", NOW)
    with_person(kept, "renewed@example.org", lambda s, p: consent.unsubscribe(s, p, now=LATER, source="test"))
    sign_up(kept, "renewed@example.org", LATER + timedelta(minutes=1))
    lose(kept)

    done = restored(kept, file)
    sign_up(kept, "returned@example.com", LATER + timedelta(hours=1))

    aside = {"moved": State.UNSUBSCRIBED, "renewed": State.UNSUBSCRIBED}
    assert {**aside, "returned": State.ACTIVE, "stays": State.ACTIVE} == people(kept)
    assert {"moved": 3} == done.people.became
    with kept.database.reading() as session:
        events = session.scalars(sa.select(ConsentEvent).where(ConsentEvent.source.startswith("journal of"))).all()
        assert ["they moved to another address"] * 3 == [str(event.wording)[:29] for event in events]
        assert [NOW] * 3 == [event.happened_at for event in events]
    restored(kept, back_up(kept, tmp_path), replace=True)
    assert {**aside, "returned": State.ACTIVE, "stays": State.ACTIVE} == people(kept)


def test_a_move_that_the_backup_knows_sets_nobody_aside(kept: Services, tmp_path: Path) -> None:
    """There and back again before it was taken: they are at home, and stay a reader."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    move(kept, "ada@example.com", "ada@example.org", NOW)
    move(kept, "ada@example.org", "ada@example.com", NOW + timedelta(minutes=1))
    file = back_up(kept, tmp_path)
    lose(kept)

    assert ({}, {"ada": State.ACTIVE}) == (restored(kept, file).people.became, people(kept))


# — any history —

NAMES = ("ada", "ben", "cleo")
DOINGS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["add", "sign up", "confirm", "leave", "bounce", "suppress", "complain", "lift", "erase"]),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(DOINGS, max_size=12), after=st.lists(DOINGS, max_size=12))
def test_whatever_happened_nobody_comes_back(
    sqlite: Database, tmp_path: Path, before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    """Whatever the history and wherever the backup fell: only who was a reader at the end is one after it."""
    folder = tmp_path / "history"
    folder.mkdir(exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    source = sqlite.url.database
    sqlite.dispose()
    (folder / "digest.db").write_bytes(Path(str(source)).read_bytes())
    database = Database(f"sqlite:///{folder / 'digest.db'}")
    services = journaled(make.services(database, folder), folder / "journal")
    clock = iter(make.SEEN + timedelta(minutes=n) for n in range(100))
    for name, doing in before:
        _do(services, name, doing, next(clock))
    file = back_up(services, folder)
    knew, then = _readers(services), people(services)
    for name, doing in after:
        _do(services, name, doing, next(clock))
    truth, readers = people(services), _readers(services)
    lose(services)
    restored(services, file)

    # Nobody who was out at the end is in, and nobody who was in all the time is out.
    assert knew & readers <= _readers(services) <= knew
    assert {name for name, state in people(services).items() if state is State.ACTIVE} <= {
        name for name, state in truth.items() if state is State.ACTIVE
    }
    _import_everybody(services)
    found = people(services)
    for name in NAMES:
        out = truth.get(name) in (State.UNSUBSCRIBED, State.SUPPRESSED) or (name in then and name not in truth)
        assert not (out and found.get(name) is State.ACTIVE), name
    services.database.dispose()


def _readers(services: Services) -> set[str]:
    """The link ids of everybody active."""
    with services.database.reading() as session:
        return set(session.scalars(sa.select(Subscriber.link_id).where(Subscriber.state == State.ACTIVE)))


def _import_everybody(services: Services) -> None:
    newcomers = [consent.Newcomer(addresses.parse(f"{name}@example.com")) for name in NAMES]
    with services.database.writing() as session:
        consent.add_all(session, newcomers, basis=make.BASIS, now=LATER, source="import")


def _do(services: Services, name: str, doing: str, now: datetime) -> None:
    address = addresses.parse(f"{name}@example.com")
    given: dict[str, Any] = {"now": now, "source": "test"}
    with services.database.writing() as session:
        row = session.scalars(sa.select(Subscriber).where(Subscriber.email_key == address.key)).one_or_none()
        if doing == "add":
            consent.add_all(session, [consent.Newcomer(address)], basis=make.BASIS, **given)
        elif doing == "sign up":
            try:
                consent.sign_up(session, address, **given)
            except consent.AddressRefused:
                return
        elif row is None:
            return
        elif doing == "confirm" and row.pending_since is not None:
            link = Confirmation(row.link_id, row.pending_since, now + timedelta(hours=1))
            consent.confirm(session, row, link, **given)
        elif doing == "leave":
            consent.unsubscribe(session, row, **given)
        elif doing in ("bounce", "suppress", "complain"):
            act = {"bounce": Act.BOUNCE, "suppress": Act.SUPPRESS, "complain": Act.COMPLAIN}[doing]
            consent.suppress(session, row, act, because="test", **given)
        elif doing == "lift":
            consent.lift(session, row, because="test", **given)
        elif doing == "erase":
            consent.erase(session, row, now=now)
