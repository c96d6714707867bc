"""A restore wants its journal, takes its place wholly or not at all, and loses no value on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command

from database import Database
from digest import migrations
from digest.bootstrap import Services
from digest.safekeeping import backups, journal
from digest.safekeeping.backups import Damaged
from digest.safekeeping.journal import Journal, JournalUnreadable
from digest.safekeeping.restoring import InUse, NoJournal, NotEmpty, UnknownKey
from digest.staff import audit
from subscribers import consent, secrecy
from subscribers.models import State, Subscriber
from subscribers.notes import Note
from tests import make
from tests.digest.lost import NOW, back_up, everything, journaled, leave, lose, people, restored, send, with_person
from tests.fakes import ScriptedTransport


@pytest.fixture
def kept(scripted: Services, tmp_path: Path) -> Services:
    """A program that keeps a journal, in batches of ten, its transport a script."""
    return journaled(scripted, tmp_path / "digest-journal.jsonl")


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


def test_a_database_somebody_works_on_is_not_replaced(kept: Services, tmp_path: Path) -> None:
    """The clock and the web pages would go on with the old one, or send from what is half the new one."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    file = back_up(kept, tmp_path)
    with_person(kept, "ada@example.com", leave)
    kept.database.dispose()
    other = Database(kept.database.url.render_as_string(hide_password=False))
    with other.reading() as session:
        session.query(Subscriber).count()
        with pytest.raises(InUse, match=r"so nothing was restored\. Stop `digest serve`"):
            restored(kept, file, replace=True, without_journal=True)
    other.dispose()
    assert {"ada": State.UNSUBSCRIBED} == people(kept)

    done = restored(kept, file, replace=True)
    assert {"ada": State.UNSUBSCRIBED} == people(kept)
    assert kept.database.is_sqlite == (done.kept_aside is not None)


def test_whoever_still_works_is_not_lost(kept: Services, tmp_path: Path) -> None:
    """An opt-out stored while the backup is being restored: the restore gives way, and the database is as it was."""
    with kept.database.writing() as session:
        for name in ("ada", "ben"):
            make.subscriber(session, f"{name}@example.com")
    with_person(kept, "ada@example.com", leave)
    file = back_up(kept, tmp_path)
    assert kept.journal is not None
    note = Note("left", NOW, person="a" * 64, address="b" * 64)
    keeper = kept.journal
    with pytest.raises(InUse, match="Something was written to"):
        restored(kept, file, replace=True, progress=lambda *_: keeper.write([note]))

    assert {"ada": State.UNSUBSCRIBED, "ben": State.ACTIVE} == people(kept)
    with kept.database.reading() as session:
        assert ["made a backup"] == [line.what for line in audit.lines(session)]


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
    """A backup made by the first version is restored by the program of today."""
    kept = journaled(make.services(sqlite, tmp_path), tmp_path / "digest-journal.jsonl")
    Journal(tmp_path / "digest-journal.jsonl", key_id="abcdef").mark()
    file = tmp_path / "backup"
    with backups.opened(file) as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO subscribers (id, link_id, email, email_key, state, topics, plain_text, rhythm, created_at,"
            " changed_at) VALUES (7, 'x', 'ada@example.com', 'ada@example.com', 'active', '', 0, 'weekly',"
            " '2026-11-17 10:00:00', '2026-11-17 10:00:00')"
        )
        backups.INFO.create(connection)
        said = {"format": 1, "made_at": NOW, "revision": "0001", "audit_id": 0, "audit_hash": audit.BEGINNING}
        connection.execute(backups.INFO.insert().values(counts={"subscribers": 1}, numbers={}, **said))
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
