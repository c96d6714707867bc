"""A restored backup: nobody is mailed twice, nobody comes back, and it happens wholly or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Base, Database
from digest import (
    approving,
    audit,
    backups,
    drafting,
    editions,
    jobs,
    journal,
    migrations,
    restoring,
    sending,
    stats,
    tables,
)
from digest.backups import Damaged
from digest.bootstrap import Services
from digest.journal import Journal, JournalUnreadable
from digest.models import (
    Batch,
    BatchState,
    Edition,
    EditionState,
    Letter,
    LetterState,
    Request,
    StaffSession,
)
from digest.restoring import InUse, NoJournal, NotEmpty, Restored, UnknownKey
from digest.submitting import Submitter
from digest.weeks import Week
from subscribers import addresses, consent, secrecy
from subscribers.links import Confirmation
from subscribers.models import ConsentEvent, RefusedAddress, State, Subscriber
from subscribers.policy import Act, Refusal
from tests import make
from tests.fakes import ScriptedTransport

NOW = make.SEND + timedelta(hours=1)
LATER = make.SEND + timedelta(days=1)


@pytest.fixture
def kept(scripted: Services, tmp_path: Path) -> Services:
    """A program that keeps a journal, in batches of ten, its transport a script."""
    return journaled(scripted, tmp_path / "digest-journal.jsonl")


def journaled(services: Services, path: Path) -> Services:
    keeper = Journal(path, key_id=services.links.key_ids[0])
    services.database.before_commit = [keeper.keep]
    given = services.settings.model_copy(update={"digest_journal": path})
    return replace(services, journal=keeper, settings=given)


def back_up(services: Services, folder: Path, *, now: datetime = NOW) -> Path:
    target = folder / "backup"
    backups.make(services, target, by=audit.COMMAND_LINE, now=now, replace=True)
    return target


def lose(services: Services) -> None:
    """The database is gone: its file, or every row."""
    services.database.dispose()
    if services.database.is_sqlite:
        for path in Path(str(services.database.url.database)).parent.glob("digest.db*"):
            path.unlink()
        return
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE")


def restored(services: Services, file: Path, **given: Any) -> Restored:
    options: dict[str, Any] = {"journals": [], "without_journal": False, "replace": False, "now": LATER}
    return restoring.restore(services, file, by=audit.COMMAND_LINE, **(options | given))


def people(services: Services) -> dict[str, State]:
    with services.database.reading() as session:
        return {each.email.partition("@")[0]: each.state for each in session.scalars(sa.select(Subscriber))}


def edition_of(services: Services, week: str = make.WEEK) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, week)


def send(services: Services, *, batches: int | None = None) -> None:
    """Hand over everything, or so many batches."""
    stop = threading.Event()
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    if batches is not None:
        transport = services.transport
        assert isinstance(transport, ScriptedTransport)
        transport.before_post = lambda _: stop.set() if len(transport.calls) + 1 >= batches else None
    one = services.settings.model_copy(update={"digest_send_concurrency": 1})
    Submitter(replace(services, settings=one), clock=lambda: datetime.now(UTC), stop=stop).run()


def calls(services: Services) -> int:
    assert isinstance(services.transport, ScriptedTransport)
    return len(services.transport.calls)


def with_person(services: Services, email: str, act: Callable[[Session, Subscriber], object]) -> None:
    with services.database.writing() as session:
        act(session, session.scalars(sa.select(Subscriber).where(Subscriber.email == email)).one())


# — people —


def leave(session: Session, person: Subscriber) -> None:
    consent.unsubscribe(session, person, now=NOW, source="one-click")


def suppress(act: Act) -> Callable[[Session, Subscriber], object]:
    return lambda session, person: consent.suppress(session, person, act, because="test", now=NOW, source="test")


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


def everything(services: Services) -> dict[str, list[tuple[object, ...]]]:
    with services.database.engine.connect() as connection:
        return {
            table.name: sorted((tuple(map(str, row)) for row in connection.execute(sa.select(table))), key=str)
            for table in tables.ours()
            if table.name != "audit_log"
        }


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


# — editions —


def test_what_went_out_since_never_goes_out_again(kept: Services, tmp_path: Path) -> None:
    """Approved in the backup, sent since: it comes back halted, and nothing but stopping it is possible."""
    make.approved(kept, readers=25)
    file = back_up(kept, tmp_path, now=make.APPROVED)
    send(kept)
    lose(kept)
    before = calls(kept)

    done = restored(kept, file)

    found = edition_of(kept)
    assert ([make.WEEK], EditionState.HALTED) == (done.editions.went_out, found.state)
    assert found.journaled_begun_at is not None
    refused: tuple[Callable[[Session, Edition], object], ...] = (
        lambda s, e: editions.resume(s, e, why="x", by="x", now=LATER, stale=True),
        lambda s, e: editions.advance(s, e, EditionState.APPROVED, by="x", now=LATER),
        lambda s, e: editions.advance(s, e, EditionState.SENDING, by="x", now=LATER),
    )
    for attempt in refused:
        with pytest.raises(editions.WentOutBefore, match="never goes out again"), kept.database.writing() as session:
            attempt(session, editions.find(session, make.WEEK))
    with pytest.raises(editions.WentOutBefore):
        approving.approve(kept, make.WEEK, by="edda", send_at=None, seen_hash=None, now=LATER)
    with pytest.raises(editions.WentOutBefore):
        sending.send_now(
            kept, make.WEEK, by="x", clock=lambda: LATER, now=LATER, skip_undo=True, stop=threading.Event()
        )
    look(kept, make.SEND)
    assert before == calls(kept)

    with kept.database.writing() as session:
        editions.stop(session, editions.find(session, make.WEEK), why="it is known to have gone out", by="x", now=LATER)
    assert EditionState.STOPPED is edition_of(kept).state


def look(services: Services, now: datetime) -> list[str]:
    """One look of every job that makes or sends editions."""
    shift = jobs.Shift(clock=lambda: now, stop=threading.Event())
    return [job(services, shift) for job in (jobs.draft, jobs.send, jobs.rescue, jobs.send)]


@pytest.mark.parametrize("known", ["nothing", "a draft", "skipped"])
def test_an_automatic_clock_does_not_send_a_week_again(kept: Services, tmp_path: Path, known: str) -> None:
    """Whatever the backup knew of the week: the clock that made, approved and sent it does not do so again."""
    automatic = make.with_settings(kept, digest_approval="auto", digest_undo_minutes=0)
    with kept.database.writing() as session:
        make.audience(session, 5)
        make.taken_in(session, *(make.comparison() for _ in range(3)), now=make.SEEN)
        if known != "nothing":
            made = drafting.draft(session, Week.parse(make.WEEK), kept.settings, by="test", now=make.CUTOFF).edition
        if known == "skipped":
            editions.skip(session, made, why="test", by="test", now=make.CUTOFF)
    file = back_up(automatic, tmp_path, now=make.CUTOFF)
    if known == "skipped":
        with kept.database.writing() as session:
            editions.reopen(session, editions.find(session, make.WEEK), why="test", by="test", now=make.CUTOFF)
        approving.approve(automatic, make.WEEK, by="edda", send_at=None, seen_hash=None, now=make.APPROVED)
    look(automatic, make.APPROVED)
    look(automatic, make.SEND)
    assert (EditionState.SENT, 1) == (edition_of(kept).state, calls(kept))
    lose(kept)

    restored(automatic, file)
    for hour in range(4):
        look(automatic, make.SEND + timedelta(hours=hour))

    assert (EditionState.HALTED, 1) == (edition_of(kept).state, calls(kept))


def test_a_backup_from_the_middle_of_a_send(kept: Services, tmp_path: Path) -> None:
    """What was accepted stays so; of the rest nobody can know: uncertain, halted, and resuming hands nothing over."""
    make.approved(kept, readers=45)
    send(kept, batches=2)
    file = back_up(kept, tmp_path)
    sent_by_then = calls(kept)
    Submitter(kept, clock=lambda: datetime.now(UTC)).run()
    assert (5, "sent") == (calls(kept), edition_of(kept).state)
    lose(kept)

    done = restored(kept, file)

    assert ([make.WEEK], 5 - sent_by_then) == (done.editions.halted, done.editions.uncertain)
    with kept.database.reading() as session:
        found = stats.numbers(session, editions.find(session, make.WEEK))
        whys = {each.why for each in session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN))}
    assert (10 * sent_by_then, 45 - 10 * sent_by_then, True) == (found.accepted, found.uncertain, found.adds_up)
    assert ["cannot be known"] == [str(why)[-15:] for why in whys]
    with kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="test", by="test", now=LATER)
    Submitter(kept, clock=lambda: datetime.now(UTC)).run()
    assert (5, EditionState.HALTED) == (calls(kept), edition_of(kept).state)


def test_prepared_but_begun_since(kept: Services, tmp_path: Path) -> None:
    """The backup fell between preparing and the first hand-over: nothing of it is handed over again."""
    make.approved(kept, readers=15)
    sending.prepare(kept, make.WEEK, by="test", now=make.SEND)
    file = back_up(kept, tmp_path)
    send(kept)
    lose(kept)
    restored(kept, file)

    with kept.database.reading() as session:
        found = stats.numbers(session, editions.find(session, make.WEEK))
    assert ("halted", 15, 0, True) == (found.state, found.uncertain, found.waiting, found.adds_up)
    with pytest.raises(editions.WentOutBefore), kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="x", by="x", now=LATER)


def test_what_had_not_begun_can_still_go_out(kept: Services, tmp_path: Path) -> None:
    """The journal says so: it comes back halted, and a person resumes it. Everybody gets it once."""
    make.approved(kept, readers=15)
    sending.prepare(kept, make.WEEK, by="test", now=make.SEND)
    file = back_up(kept, tmp_path)
    lose(kept)
    done = restored(kept, file)

    assert ([make.WEEK], []) == (done.editions.halted, done.editions.went_out)
    look(kept, make.SEND)
    assert 0 == calls(kept)
    with kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="test", by="test", now=LATER)
    Submitter(kept, clock=lambda: datetime.now(UTC)).run()
    assert (2, "sent") == (calls(kept), edition_of(kept).state)


def test_without_a_journal_whatever_may_have_begun_has(kept: Services, tmp_path: Path) -> None:
    """Approved, being sent, and weeks cut off since: none of them can go out again; drafts wait for a person."""
    automatic = make.with_settings(kept, digest_approval="auto", digest_undo_minutes=0)
    make.approved(kept, readers=15)
    with kept.database.writing() as session:
        make.taken_in(session, *(make.comparison() for _ in range(3)), now=make.CUTOFF)
    file = back_up(kept, tmp_path)
    lose(kept)
    much_later = make.SEND + timedelta(days=15)

    done = restored(automatic, file, without_journal=True, now=much_later)

    assert ([make.WEEK], ["2026-W48", "2026-W49"]) == (done.editions.went_out, done.editions.skipped)
    look(automatic, much_later)
    assert 0 == calls(kept)
    with pytest.raises(editions.WentOutBefore), kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="x", by="x", now=LATER)


def test_without_a_journal_no_draft_approves_itself(kept: Services, tmp_path: Path) -> None:
    """It may have gone out since; a person must look."""
    automatic = make.with_settings(kept, digest_approval="auto", digest_undo_minutes=0)
    make.draft(kept)
    file = back_up(kept, tmp_path)
    lose(kept)

    done = restored(automatic, file, without_journal=True, now=make.SEND)
    look(automatic, make.SEND)

    assert ([make.WEEK], EditionState.DRAFT) == (done.editions.drafts, edition_of(kept).state)


def test_what_waited_is_given_up(kept: Services, tmp_path: Path) -> None:
    """No letter is posted twice, nobody is still signed in, and no stored request is carried out again."""
    with kept.database.writing() as session:
        make.staff(session)
        session.add(
            Letter(kind="confirm", email="a@example.com", context={}, state="queued", queued_at=NOW, not_before=NOW)
        )
        session.add(StaffSession(staff_id=1, token_hash="x", made_at=NOW, seen_at=NOW, expires_at=LATER))
        session.add(Request(kind="sign-up", email="a@example.com", asked_at=NOW, not_before=NOW, source="x"))
    file = back_up(kept, tmp_path)
    lose(kept)

    done = restored(kept, file)

    assert (1, 1) == (done.editions.letters, done.editions.requests)
    with kept.database.reading() as session:
        assert LetterState.GIVEN_UP is session.scalars(sa.select(Letter)).one().state
        assert [0, 0] == [session.query(table).count() for table in (StaffSession, Request)]


# — which journal —


def test_nothing_is_guessed_without_a_journal(kept: Services, tmp_path: Path) -> None:
    """None, a fresh one, a cut one, one of another key, a damaged one: each is refused in a sentence."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    with_person(kept, "ada@example.com", leave)
    file = back_up(kept, tmp_path)
    lose(kept)
    path = tmp_path / "digest-journal.jsonl"
    whole = path.read_bytes()

    path.unlink()
    refused(kept, file, NoJournal, "There is no journal")
    Journal(path, key_id="abcdef").mark()
    refused(kept, file, NoJournal, "not among those given")
    path.write_bytes(whole[: whole.index(b"\n") + 1])
    refused(kept, file, NoJournal, "shorter than when this backup was made")
    path.write_bytes(whole.replace(kept.links.key_ids[0].encode(), b"00face"))
    refused(kept, file, UnknownKey, r"\(00face\)")
    path.write_bytes(whole + b"nonsense\n")
    refused(kept, file, JournalUnreadable, "line 3 is damaged")

    path.unlink()
    (elsewhere := tmp_path / "rescued").write_bytes(whole)
    done = restored(kept, file, journals=[elsewhere])
    assert [elsewhere] == done.journals


def refused(services: Services, file: Path, why: type[Exception], words: str) -> None:
    with pytest.raises(why, match=words):
        restored(services, file)
    if services.database.is_sqlite:
        assert not Path(str(services.database.url.database)).exists()
    assert not list(file.parent.glob(".digest-restoring-*"))


def test_all_hosts_journals_count(kept: Services, tmp_path: Path) -> None:
    """Two hosts, two files: who left at either does not come back."""
    other = Journal(tmp_path / "other", key_id=kept.links.key_ids[0])
    with kept.database.writing() as session:
        for name in ("here", "there"):
            make.subscriber(session, f"{name}@example.com")
    file = back_up(kept, tmp_path)
    with_person(kept, "here@example.com", leave)
    kept.database.before_commit = [other.keep]
    with_person(kept, "there@example.com", leave)
    lose(kept)

    restored(kept, file, journals=[other.path])

    assert {"here": State.UNSUBSCRIBED, "there": State.UNSUBSCRIBED} == people(kept)


def test_a_key_that_was_rotated_is_still_recognised(kept: Services, tmp_path: Path) -> None:
    """Lines keyed with yesterday's key count as long as it stands behind the new one."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    file = back_up(kept, tmp_path)
    with_person(kept, "ada@example.com", leave)
    lose(kept)
    from subscribers.links import Links

    keys = ("a newer secret, long enough", make.SECRET)
    secrecy.equip(kept.database, keys)
    rotated = replace(kept, links=Links(kept.settings.digest_site_url, keys))

    restored(rotated, file)

    assert {"ada": State.UNSUBSCRIBED} == people(kept)


# — in place —


def test_what_is_there_is_not_lost_unasked(kept: Services, tmp_path: Path) -> None:
    """A database that holds anything is refused; replaced, a SQLite file is kept beside it, whole."""
    with kept.database.writing() as session:
        make.subscriber(session, "old@example.com")
    file = back_up(kept, tmp_path)
    with kept.database.writing() as session:
        make.subscriber(session, "new@example.com")
    with pytest.raises(NotEmpty, match="--replace"):
        restored(kept, file)
    assert {"old", "new"} == people(kept).keys()

    kept.database.dispose()
    done = restored(kept, file, replace=True)

    assert {"old"} == people(kept).keys()
    assert (done.kept_aside is not None) == kept.database.is_sqlite
    if done.kept_aside:
        before = Database(f"sqlite:///{done.kept_aside}")
        with before.reading() as session:
            assert 2 == session.query(Subscriber).count()
        before.dispose()


def test_a_file_somebody_works_on_is_not_replaced(sqlite: Database, tmp_path: Path) -> None:
    """The clock and the web pages would go on with the old one."""
    kept = journaled(make.services(sqlite, tmp_path), tmp_path / "digest-journal.jsonl")
    file = back_up(kept, tmp_path)
    sqlite.dispose()
    other = Database(sqlite.url.render_as_string())
    with other.reading() as session:
        session.query(Subscriber).count()
        with pytest.raises(InUse, match="Stop `digest serve`"):
            restored(kept, file, replace=True)
    other.dispose()
    assert restored(kept, file, replace=True).kept_aside is not None


def test_a_log_left_behind_is_not_taken_for_the_new_files(sqlite: Database, tmp_path: Path) -> None:
    """Somebody removed digest.db and not digest.db-wal beside it."""
    kept = journaled(make.services(sqlite, tmp_path), tmp_path / "digest-journal.jsonl")
    with sqlite.writing() as session:
        make.audience(session, 50)
    file = back_up(kept, tmp_path)
    with sqlite.writing() as session:
        make.subscriber(session, "late@example.com")
    log = (tmp_path / "digest.db-wal").read_bytes()
    sqlite.dispose()
    (tmp_path / "digest.db").unlink()
    (tmp_path / "digest.db-wal").write_bytes(log)

    restored(kept, file)

    assert 50 == len(people(kept))


def test_a_damaged_backup_touches_nothing(kept: Services, tmp_path: Path) -> None:
    """It is found out before anything is written."""
    with kept.database.writing() as session:
        make.subscriber(session, "old@example.com")
    file = back_up(kept, tmp_path)
    content = bytearray(file.read_bytes())
    content[-1000] ^= 1
    file.write_bytes(content)
    kept.database.dispose()
    with pytest.raises(Damaged):
        restored(kept, file, replace=True)

    assert {"old"} == people(kept).keys()


def test_a_number_is_never_given_twice(kept: Services, tmp_path: Path) -> None:
    """The next person's number is higher than that of anybody ever, erased ones too."""
    with kept.database.writing() as session:
        make.audience(session, 5)
        last = make.subscriber(session, "last@example.com")
        consent.erase(session, last, now=NOW)
    file = back_up(kept, tmp_path)
    lose(kept)
    restored(kept, file)

    with kept.database.writing() as session:
        assert make.subscriber(session, "next@example.com").id > last.id


def test_an_older_shape_is_brought_up_to_date(sqlite: Database, tmp_path: Path) -> None:
    """A backup made before the last upgrade is restored by the program of today."""
    kept = journaled(make.services(sqlite, tmp_path), tmp_path / "digest-journal.jsonl")
    with sqlite.writing() as session:
        make.subscriber(session, "ada@example.com")
    file = back_up(kept, tmp_path)
    with backups.opened(file) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        for table in ("sign_in_links", "sessions", "address_changes", "requests", "refused_addresses", "limits"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        for table in ("imports", "idempotency_keys", "audit_log", "api_tokens"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        for index in ("ix_subscribers_search", "ix_letters_address_hash_queued_at"):
            connection.exec_driver_sql(f"DROP INDEX {index}")
        for column in ("subscribers.search", "letters.address_hash", "editions.journaled_begun_at"):
            table, name = column.split(".")
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")
        connection.exec_driver_sql("ALTER TABLE consent_events DROP COLUMN wording_version")
    backups._seal(file)
    lose(kept)
    restored(kept, file)

    assert migrations.head() == migrations.revision(kept.database)
    assert {"ada": State.ACTIVE} == people(kept)


def test_a_newer_shape_is_refused(kept: Services, tmp_path: Path) -> None:
    """Its rows may mean what this program does not know."""
    file = back_up(kept, tmp_path)
    with backups.opened(file) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    backups._seal(file)
    lose(kept)
    with pytest.raises(migrations.DatabaseAhead):
        restored(kept, file)


@pytest.fixture
def other_kind(kept: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Services]:
    """The same program on the other kind of database."""
    if kept.database.is_sqlite:
        from tests.conftest import USED_AGAIN, _emptied, _named, _run_on

        server, template = request.getfixturevalue("postgres_url"), request.getfixturevalue("_migrated_postgres")
        url = _named(server, USED_AGAIN)
        if not _emptied(server, url):
            _run_on(server, f"DROP DATABASE IF EXISTS {USED_AGAIN} WITH (FORCE)")
            _run_on(server, f"CREATE DATABASE {USED_AGAIN} TEMPLATE {template}")
        database = Database(url)
    else:
        database = Database(f"sqlite:///{tmp_path / 'other' / 'digest.db'}")
        (tmp_path / "other").mkdir()
    services = make.services(database, tmp_path, transport=ScriptedTransport(), DIGEST_BATCH_SIZE="10")
    yield journaled(services, tmp_path / "digest-journal.jsonl")
    database.dispose()


def test_from_one_kind_of_database_to_the_other_and_back(kept: Services, other_kind: Services, tmp_path: Path) -> None:
    """Every value of every row arrives, and after the way back all is as it was; the audit log is whole."""
    make.approved(kept, readers=25)
    send(kept)
    with kept.database.writing() as session:
        make.cast(session)
        audit.note(session, by="staff 1", what="a line", about="x", now=NOW, number=1.5, words="ü", nothing=None)
    before = everything(kept)

    restored(other_kind, back_up(kept, tmp_path))
    assert before == everything(other_kind)
    with other_kind.database.reading() as session:
        assert audit.verify(session) is None
    with other_kind.database.writing() as session:
        again = make.subscriber(session, "next@example.com").id
    assert again > max(int(str(row[0])) for row in before["subscribers"])
    file = back_up(other_kind, tmp_path)
    at_the_other = everything(other_kind)
    lose(kept)
    restored(kept, file)

    assert at_the_other == everything(kept)
    assert journal.mark(tmp_path / "digest-journal.jsonl").size > 0
