"""The journal: durable before the commit, whole lines whatever happens, and no address anywhere in it."""

from __future__ import annotations

import multiprocessing
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from database import Database
from digest import sending
from digest.bootstrap import Services, bootstrap
from digest.models import Batch
from digest.safekeeping import journal
from digest.safekeeping.journal import Journal, JournalFailed, JournalUnreadable
from digest.settings import Settings
from digest.submitting import Submitter
from digest.web.app import create_app
from subscribers import consent, policy
from subscribers.models import State, Subscriber
from subscribers.notes import Note
from tests import make

KEY_ID = "abcdef"
AT = datetime(2026, 11, 20, 9, 0, 0, 123456, tzinfo=UTC)


def left(person: str = "a", address: str = "b", at: datetime = AT) -> Note:
    return Note("left", at, person=person * 64, address=address * 64)


def begun(week: str = make.WEEK) -> Note:
    return Note("begun", AT, week=week)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digest-journal.jsonl"


@pytest.fixture
def kept(path: Path) -> Journal:
    return Journal(path, key_id=KEY_ID)


def notes(path: Path) -> list[Note]:
    return [line.note for line in journal.read(path)]


# — writing —


def test_what_is_written_is_read_back(kept: Journal, path: Path) -> None:
    """Every field, to the microsecond, with the key its hashes were made with; readable by its owner only."""
    kept.write([left(), begun()])

    lines = list(journal.read(path))
    assert [left(), begun()] == [line.note for line in lines]
    assert [KEY_ID, None] == [line.key for line in lines]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_it_is_only_added_to(kept: Journal, path: Path) -> None:
    """A later line leaves every earlier octet as it was, and the journal keeps its id."""
    kept.write([left()])
    before = path.read_bytes()
    mark = kept.mark()
    kept.write([begun()])

    assert path.read_bytes().startswith(before)
    assert (mark.id, mark.size) == (journal.mark(path).id, len(before))


def test_marking_begins_it(kept: Journal, path: Path) -> None:
    """A backup can say which journal stood beside it before anybody ever left."""
    mark = kept.mark()

    assert [] == notes(path)
    assert mark == kept.mark()
    assert mark.size == path.stat().st_size


def test_each_transaction_waits_for_the_disk_once(kept: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand notes are one fsync; a new file's folder is synced too."""
    synced: list[int] = []
    kept.mark()
    monkeypatch.setattr(os, "fsync", synced.append)
    kept.write([left()] * 1000)

    assert 1 == len(synced)


def test_a_line_is_there_before_the_commit(database: Database, path: Path) -> None:
    """Written ahead: at the commit itself the line is on the disk; a transaction without notes writes nothing."""
    seen: list[int] = []
    database.before_commit.append(Journal(path, key_id=KEY_ID).keep)
    database.before_commit.append(lambda _: seen.append(len(notes(path)) if path.exists() else 0))
    with database.writing() as session:
        person = make.subscriber(session)
    with database.writing() as session:
        consent.unsubscribe(session, session.get_one(Subscriber, person.id), now=AT, source="test")

    assert [0, 1] == seen
    assert ["left"] == [note.what for note in notes(path)]


def test_nothing_commits_without_its_line(database: Database, tmp_path: Path) -> None:
    """A folder that is gone, a disk that is full: the opt-out is refused, not half stored."""
    database.before_commit.append(Journal(tmp_path / "gone" / "journal", key_id=KEY_ID).keep)
    with database.writing() as session:
        person = make.subscriber(session)
    with pytest.raises(JournalFailed, match="cannot be written"), database.writing() as session:
        consent.unsubscribe(session, session.get_one(Subscriber, person.id), now=AT, source="test")

    with database.reading() as session:
        assert session.get_one(Subscriber, person.id).state is State.ACTIVE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said() -> None:
    """The reason stands in the sentence."""
    with pytest.raises(JournalFailed, match="No space left on device"):
        Journal(Path("/dev/full"), key_id=KEY_ID).write([left()])


def test_a_page_never_says_done_without_it(database: Database, tmp_path: Path) -> None:
    """An opt-out that could not be written down is answered with 503, so that whoever asked tries again."""
    services = make.services(database, tmp_path)
    with database.writing() as session:
        person = make.subscriber(session)
    database.before_commit.append(Journal(tmp_path / "gone" / "journal", key_id=KEY_ID).keep)
    path = services.links.unsubscribe_url(person.link_id).removeprefix(services.settings.digest_site_url)

    answer = TestClient(create_app(services)).post(path, data={"List-Unsubscribe": "One-Click"})

    assert (503, "60") == (answer.status_code, answer.headers["retry-after"])


# — what is noted —


def test_no_line_holds_an_address(database: Database, path: Path) -> None:
    """Everything that can happen to somebody leaves hashes only."""
    database.before_commit.append(Journal(path, key_id=KEY_ID).keep)
    with database.writing() as session:
        cast = make.cast(session)
        consent.suppress(session, cast["ada"], policy.Act.COMPLAIN, because="spam", now=AT, source="test")
        consent.lift(session, cast["dov"], because="mended", now=AT, source="test")
        consent.erase(session, cast["cleo"], now=AT)

    assert {"left", "bounced", "complained", "lifted", "erased"} == {note.what for note in notes(path)}
    text = path.read_text().lower()
    # Not "ada": a hash may spell it.
    assert not [word for word in ("@", "example", "ben", "cleo", "dov") if word in text]


def test_an_edition_is_noted_once_before_its_first_call(scripted: Services, path: Path) -> None:
    """At the first hand-over the line is on the disk; later batches note nothing."""
    kept = Journal(path, key_id=KEY_ID)
    scripted.database.before_commit.append(kept.keep)
    make.approved(scripted, readers=25)
    seen: list[list[str | None]] = []
    scripted.transport.before_post = lambda _: seen.append([note.week for note in notes(path)])  # type: ignore[attr-defined]
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    Submitter(scripted, clock=lambda: datetime.now(UTC)).run()

    with scripted.database.reading() as session:
        assert 3 == session.query(Batch).count()
    assert [[make.WEEK]] * 3 == seen


def test_the_whole_program_keeps_one(tmp_path: Path) -> None:
    """Wired from settings alone, it stands beside a SQLite database and says which key made its hashes."""
    services = bootstrap(Settings.from_env({"DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}"}))
    assert services.journal is not None
    services.journal.write([left()])
    services.close()

    found = list(journal.read(tmp_path / "digest-journal.jsonl"))
    assert [services.links.key_ids[0]] == [line.key for line in found]
    assert [services.journal.keep] == services.database.before_commit


def test_doctor_looks_at_it(services: Services, kept: Journal, path: Path) -> None:
    """Where nobody could be recognised after a restore, that is found out before there is one."""
    from digest.examination import _journal

    def found(given: Journal | None) -> tuple[bool | None, str]:
        finding = next(_journal(replace(services, journal=given), AT))
        return finding.ok, finding.words

    ours = Journal(path, key_id=services.links.key_ids[0])
    ours.write([left(), begun()])
    assert found(ours)[0] is True
    assert found(None)[0] is None
    kept.write([left()])
    assert (False, True) == (found(ours)[0], KEY_ID in found(ours)[1])
    assert found(Journal(path / "in-the-way", key_id=KEY_ID))[0] is False


# — crashes and damage —


@settings(max_examples=40)
@given(cut=st.integers(min_value=1, max_value=400))
def test_a_line_a_crash_left_unfinished_is_healed(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Cut off anywhere: the whole lines before it are read at once, and all that are written after it too."""
    path = tmp_path_factory.mktemp("torn") / "journal"
    kept = Journal(path, key_id=KEY_ID)
    kept.write([left(), left("c", "d")])
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 1)])
    ends = [left(), left("c", "d")][: whole[: max(len(whole) - cut, 1)].count(b"\n") - 1] if cut < len(whole) else []
    if path.read_bytes().count(b"\n"):
        assert notes(path)[: len(ends)] == ends

    kept.write([begun()])
    kept.write([left("e", "f")])

    found = notes(path)
    assert found[-2:] == [begun(), left("e", "f")]
    assert found[:-2][: len(ends)] == ends


@pytest.mark.parametrize(
    "damaged",
    [
        b"\x00" * 20,
        b'{"v":1,"what":"left"}',
        b'{"v":1,"what":"left","at":"2026-11-20T09:00:00","key":"abcdef","person":"%s","address":"%s"}'
        % (b"a" * 64, b"b" * 64),
        b'{"v":1,"what":"begun","at":"2026-11-20T09:00:00Z","week":"47"}',
        b'{"v":1,"what":"revived","at":"2026-11-20T09:00:00Z"}',
        b"[]",
    ],
)
def test_damage_is_named_by_its_line(kept: Journal, path: Path, damaged: bytes) -> None:
    """A line that no crash explains may have been an opt-out: nothing is guessed."""
    kept.write([left()])
    with path.open("ab") as file:
        file.write(damaged + b"\n")
    kept.write([begun()])
    with pytest.raises(JournalUnreadable, match="line 3 is damaged"):
        notes(path)


def test_a_newer_format_is_not_guessed_at(kept: Journal, path: Path) -> None:
    """Its lines may mean what this version does not know."""
    kept.write([left()])
    with path.open("ab") as file:
        file.write(orjson.dumps({"v": 2, "what": "left"}) + b"\n")
    with pytest.raises(JournalUnreadable, match="line 3 was written by a newer version"):
        notes(path)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"SQLite format 3\x00" + b"\x00" * 500])
def test_another_file_is_not_a_journal(path: Path, content: bytes) -> None:
    """Said rather than read as one that holds nothing."""
    path.write_bytes(content)
    with pytest.raises(JournalUnreadable, match="is not a journal"):
        notes(path)


# — many writers —

WRITERS, TIMES = 4, 60


def _write_often(path: str, name: str) -> None:
    kept = Journal(Path(path), key_id=KEY_ID)
    for number in range(TIMES):
        kept.write([left(name, f"{number % 16:x}")] * 3)


def test_processes_that_write_at_once_never_mix(path: Path) -> None:
    """Every line is whole, none is lost, each process's own stand in its order, and there is one head."""
    context = multiprocessing.get_context("spawn")
    names = "0123"[:WRITERS]
    workers: list[Any] = [context.Process(target=_write_often, args=[str(path), name]) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    found = notes(path)
    assert WRITERS * TIMES * 3 == len(found)
    for name in names:
        own = [note.address for note in found if note.person == name * 64]
        assert [f"{number % 16:x}" * 64 for number in range(TIMES) for _ in range(3)] == own
    assert 1 == path.read_bytes().count(b'"what":"journal"')


def test_several_hosts_journals_are_read_by_time(tmp_path: Path) -> None:
    """Each in its own order; between them the earlier line comes first."""
    paths = [tmp_path / "one", tmp_path / "two"]
    times = {paths[0]: (0, 4, 2), paths[1]: (1, 3)}
    for path, minutes in times.items():
        Journal(path, key_id=KEY_ID).write([left(at=AT + timedelta(minutes=each)) for each in minutes])

    order = [(line.note.at - AT) // timedelta(minutes=1) for line in journal.merged(map(journal.read, paths))]

    assert [0, 1, 3, 4, 2] == order
