"""Backups: one instant of everything, for the owner's eyes only, and never half a file under the name asked for."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from database import Database
from digest.bootstrap import Services
from digest.models import Edition
from digest.safekeeping import backups, tables
from digest.safekeeping.backups import AlreadyThere, Damaged, NeverThere, NotABackup, NotMade
from digest.safekeeping.journal import Journal
from digest.staff import audit
from subscribers import consent
from tests import make
from tests.conftest import Program

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
LONGEST_WAIT = 0.5
"""Seconds anybody who writes may have to wait for a backup."""


def made(services: Services, target: Path, *, replace: bool = False) -> backups.Info:
    return backups.make(services, target, by=audit.COMMAND_LINE, now=NOW, replace=replace)


def journaled(services: Services, folder: Path) -> Services:
    """The same program with a journal."""
    from dataclasses import replace

    kept = Journal(folder / "digest-journal.jsonl", key_id=services.links.key_ids[0])
    services.database.before_commit.append(kept.keep)
    return replace(services, journal=kept)


def everything(connection: sa.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the audit log, in one order."""
    return {
        table.name: sorted((tuple(map(str, row)) for row in connection.execute(sa.select(table))), key=str)
        for table in tables.ours()
        if table.name != "audit_log"
    }


def test_it_holds_everything_there_is(services: Services, tmp_path: Path) -> None:
    """Every row of every table, NULLs as NULLs; what it says of itself is true."""
    make.approved(services, readers=30)
    with services.database.writing() as session:
        make.cast(session)
        edition = session.scalars(sa.select(Edition)).one()
        edition.introduction = "Grüße – 🜁"
        session.add(Edition(**_another(edition)))
    target = tmp_path / "backup"
    info = made(journaled(services, tmp_path), target)

    with services.database.engine.connect() as there, backups.opened(target) as here:
        assert everything(there) == everything(here)
        nulls = sa.text("SELECT count(*) FROM editions WHERE envelope IS NULL")
        assert (1, 1) == (there.scalar(nulls), here.scalar(nulls))
    backups.check(target)
    assert (NOW, 34) == (info.made_at, info.counts["subscribers"])
    assert info.journal is not None
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert {"backup", "digest-journal.jsonl"} >= {path.name for path in tmp_path.iterdir() if "backup" in path.name}


def _another(edition: Edition) -> dict[str, object]:
    """A draft, whose envelope is not known."""
    kept = ("window_start", "window_end", "planned_at", "send_at", "rules", "created_at", "also_compared")
    return {"week": "2026-W48", "state": "draft", **{name: getattr(edition, name) for name in kept}}


def test_the_audit_log_knows_of_it_and_it_keeps_the_head(services: Services, tmp_path: Path) -> None:
    """Lines cut off after the backup show against the head it keeps."""
    first = made(services, tmp_path / "one")
    second = made(services, tmp_path / "two")

    assert (0, 1) == (first.audit.id, second.audit.id)
    with services.database.reading() as session:
        assert [audit.COMMAND_LINE] * 2 == [line.by for line in audit.lines(session)]
        assert audit.verify(session, kept=second.audit) is None


def test_numbers_given_are_remembered(services: Services, tmp_path: Path) -> None:
    """The number of somebody erased is never given again, in whatever database this is restored to."""
    with services.database.writing() as session:
        people = [make.subscriber(session, f"p{n}@example.com") for n in range(3)]
        highest = people[-1].id
        consent.erase(session, people[-1], now=NOW)
    target = tmp_path / "backup"
    info = made(services, target)

    assert highest == info.numbers["subscribers"]
    with backups.opened(target) as connection:
        assert highest == tables.numbers(connection)["subscribers"]


def test_nothing_is_overwritten_unasked(services: Services, tmp_path: Path) -> None:
    """The last good backup is not lost to a wrong name."""
    target = tmp_path / "backup"
    made(services, target)
    before = target.read_bytes()
    with pytest.raises(AlreadyThere, match="Add --replace"):
        made(services, target)
    assert before == target.read_bytes()

    made(services, target, replace=True)
    assert before != target.read_bytes()
    assert backups.read_info(target).made_at == NOW


@pytest.mark.parametrize("content", ["", "precious", "SQLite format 3\x00 cut off"])
def test_what_is_no_backup_is_never_replaced(services: Services, tmp_path: Path, content: str) -> None:
    """However it is asked, and nobody is told to ask that way."""
    target = tmp_path / "letter.txt"
    target.write_text(content)
    for replace in (False, True):
        with pytest.raises(AlreadyThere, match=r"not a whole backup of this program.*Name another file\.$"):
            made(services, target, replace=replace)

    assert content == target.read_text()
    assert [] == list(tmp_path.glob(".letter*"))


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "name", ["digest.db-wal", "digest.db-shm", "digest.db-journal", "digest-journal.jsonl", ".digest-secret"]
)
def test_what_the_program_lives_on_is_never_replaced(
    sqlite: Database, tmp_path: Path, name: str, *, there: bool
) -> None:
    """Not by another way to it, not where it is not there yet, and not where it looks like a backup."""
    services = journaled(make.services(sqlite, tmp_path), tmp_path)
    if there:
        made(services, tmp_path / "good")
        sqlite.dispose()
        (tmp_path / "good").rename(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path)
    before = (tmp_path / name).read_bytes() if there else None
    for target in (tmp_path / name, tmp_path / "link" / name):
        for replace in (True, False):
            with pytest.raises(NeverThere, match=r"nothing was written\. Name another file\.$"):
                made(services, target, replace=replace)

    assert before == ((tmp_path / name).read_bytes() if (tmp_path / name).exists() else None)


def test_the_database_is_never_replaced(sqlite: Database, tmp_path: Path) -> None:
    """By none of its names."""
    services = make.services(sqlite, tmp_path)
    sqlite.dispose()
    database = tmp_path / "digest.db"
    before = database.read_bytes()
    (tmp_path / "soft").symlink_to(database)
    (tmp_path / "hard").hardlink_to(database)
    for name in ("digest.db", "soft", "hard"):
        with pytest.raises(NeverThere, match=f"{name} is the database itself; nothing was written"):
            made(services, tmp_path / name, replace=True)

    assert before == database.read_bytes()


def test_what_settings_were_read_from_is_never_replaced(program: Program, tmp_path: Path) -> None:
    """Neither `.env` nor a file that a setting names."""
    (tmp_path / "key").write_text("a secret of thirty-two octets or more")
    (tmp_path / ".env").write_text("DIGEST_POSTAL_ADDRESS_FILE=address\n")
    (tmp_path / "address").write_text("1 Example Street")
    before = {name: (tmp_path / name).read_bytes() for name in ("key", ".env", "address")}
    for name in before:
        done = program("backup", name, "--replace", DIGEST_SECRET_KEY="", DIGEST_SECRET_KEY_FILE="key")
        assert 1 == done.returncode
        assert f"{name} is read for settings; nothing was written. Name another file." in done.stderr

    assert before == {name: (tmp_path / name).read_bytes() for name in before}


def test_a_missing_folder_is_said(services: Services, tmp_path: Path) -> None:
    """By its own name, not by that of a file nobody asked for."""
    with pytest.raises(NeverThere, match=f"The folder {tmp_path}/nowhere does not exist"):
        made(services, tmp_path / "nowhere" / "backup")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory") as said:
        made(services, tmp_path / "file" / "backup")
    assert str(tmp_path / "file" / "backup") == said.value.filename


def test_a_damaged_database_is_said(sqlite: Database, tmp_path: Path) -> None:
    """In a sentence, and no half backup is left."""
    services = make.services(sqlite, tmp_path)
    with sqlite.writing() as session:
        make.audience(session, 2_000)
    sqlite.dispose()
    database = tmp_path / "digest.db"
    content = bytearray(database.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    database.write_bytes(content)
    with pytest.raises(NotMade, match=r"could not be copied.*nothing was written"):
        made(services, tmp_path / "backup")

    assert [] == [*tmp_path.glob("backup*"), *tmp_path.glob(".backup*")]


def test_a_backup_that_fails_leaves_nothing(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of that name, and none beside it."""

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "sync", full)
    (folder := tmp_path / "backups").mkdir()
    with pytest.raises(OSError, match="No space"):
        made(services, folder / "backup")

    assert [] == list(folder.iterdir())


def test_what_was_erased_is_not_in_it(sqlite: Database, tmp_path: Path) -> None:
    """SQLite leaves deleted rows in free pages: the copy has none."""
    services = make.services(sqlite, tmp_path)
    with sqlite.writing() as session:
        person = make.subscriber(session, "zyxwvu@example.com")
        consent.erase(session, person, now=NOW)
    target = tmp_path / "backup"
    made(services, target)

    assert b"zyxwvu" not in target.read_bytes()


def test_nobody_waits_for_it(sqlite: Database, tmp_path: Path) -> None:
    """Whoever writes meanwhile never waits for more than half a second, and the copy is of one instant."""
    services = make.services(sqlite, tmp_path)
    with sqlite.writing() as session:
        make.audience(session, 30_000)
    waits: list[float] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            began = time.monotonic()
            with sqlite.writing() as session:
                # Two rows of one transaction: a copy with one of them is not of one instant.
                make.subscriber(session, f"one{number}@example.com")
                make.subscriber(session, f"two{number}@example.com")
            waits.append(time.monotonic() - began)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    target = tmp_path / "backup"
    made(services, target)
    stop.set()
    writer.join()

    assert max(waits) < LONGEST_WAIT
    with closing(sqlite3.connect(target)) as copy:
        ones, twos = (
            copy.execute("SELECT count(*) FROM subscribers WHERE email LIKE ?", [f"{name}%"]).fetchone()[0]
            for name in ("one", "two")
        )
    assert ones == twos


# — what is no backup —


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\x00" + b"\x00" * 4080])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """In a sentence that names it."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises((NotABackup, Damaged), match=str(path)):
        backups.read_info(path)


def test_a_database_is_not_a_backup(sqlite: Database, tmp_path: Path) -> None:
    """A file copied by hand may lack what its log still held."""
    sqlite.dispose()
    with pytest.raises(NotABackup, match="makes one from a running database"):
        backups.read_info(tmp_path / "digest.db")


def test_damage_is_found(services: Services, tmp_path: Path) -> None:
    """An octet that changed anywhere, a file cut short, a row taken out: all are said before anything is touched."""
    with services.database.writing() as session:
        make.audience(session, 500)
    whole = tmp_path / "whole"
    made(services, whole)
    backups.check(whole)
    content = whole.read_bytes()
    for place in [*range(70, len(content), len(content) // 20), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1
        (tmp_path / "changed").write_bytes(changed)
        with pytest.raises(Damaged):
            backups.check(tmp_path / "changed")
    (tmp_path / "short").write_bytes(content[: len(content) // 2])
    with pytest.raises(Damaged):
        backups.check(tmp_path / "short")
    with closing(sqlite3.connect(whole)) as connection, connection:
        connection.execute("DELETE FROM consent_events WHERE id = 7")
    with pytest.raises(Damaged, match="is damaged, or was changed"):
        backups.check(whole)


def test_looking_at_it_does_not_damage_it(services: Services, tmp_path: Path) -> None:
    """Any SQLite tool may read it, and it is still what was written."""
    target = tmp_path / "backup"
    made(services, target)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM subscribers").fetchone() == (0,)

    backups.check(target)
    assert [] == list(tmp_path.glob("backup-*"))


def test_every_table_is_copied(services: Services) -> None:
    """The tables copied are all there are."""
    with services.database.engine.connect() as connection:
        there = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
    assert there == {table.name for table in tables.ours()}
