"""A restore wants its journal, takes its place wholly or not at all, and loses no value on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from database import Database
from digest import editions, migrations
from digest.bootstrap import Services
from digest.safekeeping import backups, journal
from digest.safekeeping.backups import Damaged
from digest.safekeeping.journal import Journal, JournalUnreadable
from digest.safekeeping.recalling import NOTHING_NEWER, JournalThere, NoJournal, UnknownKey
from digest.safekeeping.restoring import InUse, NotEmpty
from digest.staff import audit
from subscribers import addresses, consent, secrecy
from subscribers.links import Confirmation
from subscribers.models import State, Subscriber
from subscribers.notes import Note
from subscribers.policy import Act
from tests import make
from tests.digest.lost import (
    LATER,
    NOW,
    back_up,
    edition_of,
    everything,
    journaled,
    leave,
    lose,
    people,
    restored,
    send,
    suppress,
    with_person,
)
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
    assert [elsewhere] == [each.path for each in done.journals]


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


def test_a_journal_that_is_there_is_not_passed_over(kept: Services, tmp_path: Path) -> None:
    """--no-journal is refused while it would do; once it is gone, the report says loudly what is not known."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    file = back_up(kept, tmp_path)
    with_person(kept, "ada@example.com", leave)
    lose(kept)
    with pytest.raises(JournalThere, match=r"digest-journal\.jsonl is there, .* leave out --no-journal"):
        restored(kept, file, without_journal=True)

    (tmp_path / "digest-journal.jsonl").unlink()
    done = restored(kept, file, without_journal=True)
    assert ["people who left since may be written to again."] == [each[-46:] for each in done.warnings]
    assert {"ada": State.ACTIVE} == people(kept)


def test_of_a_journal_that_will_not_do_what_it_says_counts(kept: Services, tmp_path: Path) -> None:
    """Cut short, or begun anew: it cannot tell everything, but nobody of whom it does tell comes back."""
    with kept.database.writing() as session:
        for name in ("ada", "ben"):
            make.subscriber(session, f"{name}@example.com")
    file = back_up(kept, tmp_path)
    path = tmp_path / "digest-journal.jsonl"
    with_person(kept, "ada@example.com", leave)
    path.unlink()
    with_person(kept, "ben@example.com", leave)
    lose(kept)

    done = restored(kept, file, without_journal=True)

    assert {"ada": State.ACTIVE, "ben": State.UNSUBSCRIBED} == people(kept)
    assert "are not known" in done.warnings[-1]


def test_an_old_copy_of_the_journal_is_called_in_doubt(kept: Services, tmp_path: Path) -> None:
    """How new it is is always said; with nothing newer than the backup, loudly, and in the edition's own reason."""
    make.approved(kept, readers=2)
    with_person(kept, "reader0@example.com", leave)
    file = back_up(kept, tmp_path)
    path = tmp_path / "digest-journal.jsonl"
    stale = path.read_bytes()
    with_person(kept, "reader1@example.com", leave)
    newest = path.read_bytes()
    for content, newer in ((newest, 1), (stale, 0)):
        path.write_bytes(content)
        lose(kept)
        done = restored(kept, file)
        assert [(path, NOW, newer)] == [(each.path, each.last, each.newer) for each in done.journals]
        assert (newer == 0) == any(NOTHING_NEWER[1:] in each for each in done.warnings)
        why = edition_of(kept).why
        assert why is not None
        assert (newer == 0) == (NOTHING_NEWER in why)


# — the second witness —


def test_what_is_replaced_knows_what_an_old_journal_does_not(kept: Services, tmp_path: Path) -> None:
    """Who left, complained or was erased by it, and what went out, stays so although the journal is an old copy."""
    make.approved(kept, readers=2)
    names = ("leaves", "complains", "unwanted", "erased", "waits")
    with kept.database.writing() as session:
        for name in names:
            make.subscriber(session, f"{name}@example.com")
    file = back_up(kept, tmp_path, now=make.APPROVED)
    path = tmp_path / "digest-journal.jsonl"
    stale = path.read_bytes()
    send(kept)
    for name in ("leaves", "waits"):
        with_person(kept, f"{name}@example.com", leave)
    with kept.database.writing() as session:
        consent.sign_up(session, addresses.parse("waits@example.com"), now=NOW, source="test")
    with_person(kept, "complains@example.com", suppress(Act.COMPLAIN))
    with_person(kept, "unwanted@example.com", suppress(Act.SUPPRESS))
    with_person(kept, "erased@example.com", lambda session, person: consent.erase(session, person, now=NOW))
    path.write_bytes(stale)
    kept.database.dispose()

    done = restored(kept, file, replace=True)

    out = {"leaves": State.UNSUBSCRIBED, "waits": State.UNSUBSCRIBED}
    out |= dict.fromkeys(("complains", "unwanted"), State.SUPPRESSED)
    assert {**out, "reader0": State.ACTIVE, "reader1": State.ACTIVE} == people(kept)
    assert ([make.WEEK], 6) == (done.editions.went_out, done.witness)
    with kept.database.writing() as session:
        unwanted = session.scalars(sa.select(Subscriber).where(Subscriber.email == "unwanted@example.com")).one()
        assert consent.lift(session, unwanted, because="test", now=LATER, source="test").changed


def test_it_is_heard_without_a_journal_too(kept: Services, tmp_path: Path) -> None:
    """The journal is gone and the old database is there."""
    make.draft(kept)
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    file = back_up(kept, tmp_path, now=make.CUTOFF)
    with_person(kept, "ada@example.com", leave)
    with kept.database.writing() as session:
        editions.find(session, make.WEEK).begun_at = NOW
    (tmp_path / "digest-journal.jsonl").unlink()
    kept.database.dispose()

    done = restored(kept, file, replace=True, without_journal=True)

    assert ({"ada": State.UNSUBSCRIBED}, [make.WEEK]) == (people(kept), done.editions.went_out)


def test_it_takes_back_nothing(kept: Services, tmp_path: Path) -> None:
    """Left long ago and confirmed again before the backup: an older database put there by mistake sends nobody away."""
    with kept.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    with_person(kept, "ada@example.com", leave)
    (elsewhere := tmp_path / "older").mkdir()
    older = back_up(kept, elsewhere)
    with kept.database.writing() as session:
        person = consent.sign_up(session, addresses.parse("ada@example.com"), now=LATER, source="test").subscriber
        assert person.pending_since is not None
        link = Confirmation(person.link_id, person.pending_since, LATER + timedelta(hours=1))
        consent.confirm(session, person, link, now=LATER, source="test")
    newer = back_up(kept, tmp_path, now=LATER)
    lose(kept)
    restored(kept, older)
    assert {"ada": State.UNSUBSCRIBED} == people(kept)
    kept.database.dispose()

    restored(kept, newer, replace=True)

    assert {"ada": State.ACTIVE} == people(kept)


@pytest.mark.parametrize("content", [b"no database\n" * 500, None])
def test_a_broken_database_is_no_witness(sqlite: Database, tmp_path: Path, content: bytes | None) -> None:
    """Something else, or one damaged in the middle: it is replaced all the same, and the report says so."""
    kept = journaled(make.services(sqlite, tmp_path), tmp_path / "digest-journal.jsonl")
    with sqlite.writing() as session:
        make.audience(session, 500)
    file = back_up(kept, tmp_path)
    sqlite.dispose()
    there = tmp_path / "digest.db"
    if content is None:
        whole = there.read_bytes()
        content = whole[:4096] + b"\xff" * (len(whole) - 4096)
    there.write_bytes(content)

    done = restored(kept, file, replace=True)

    assert done.witness is None
    assert any("could not be asked who left" in each for each in done.warnings)
    assert 500 == len(people(kept))


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
