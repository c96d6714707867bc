"""Backups: one consistent snapshot as a SQLite file of the same tables, whatever the database is.

So that a backup of one kind of database can be restored into the other, and opened with a tool that is everywhere. It
holds people's addresses: it is written for its owner only, aside, and put in place when the disk has all of it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from database import Database, UtcDateTime
from digest import migrations
from digest.bootstrap import KEY_FILE, Services
from digest.errors import DigestError
from digest.safekeeping import journal, tables
from digest.staff import audit

FORMAT = 1
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite writes beside a database, after its name."""

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""

INFO = sa.Table(
    "backup_info",
    sa.MetaData(),
    sa.Column("format", sa.Integer),
    sa.Column("made_at", UtcDateTime),
    sa.Column("revision", sa.String(40)),
    sa.Column("audit_id", sa.Integer),
    sa.Column("audit_hash", sa.String(64)),
    sa.Column("journal_id", sa.String(40)),
    sa.Column("journal_size", sa.Integer),
    sa.Column("counts", sa.JSON),
    sa.Column("numbers", sa.JSON),
)
"""One row: what the file holds, and the head of the audit log and the length of the journal when it was made.

`counts`: rows by table; `numbers`: by table, the highest id ever given, which a deleted row may have had.
"""


class AlreadyThere(DigestError):
    """A file of that name exists; nothing was written."""


class NeverThere(DigestError):
    """No backup can be written there; nothing was written."""


class NotMade(DigestError):
    """The database could not be copied; nothing was written."""


class NotABackup(DigestError):
    """This file is not a backup of this program."""


class Damaged(DigestError):
    """This backup is damaged."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a backup says of itself. `journal` None: no journal was kept where it was made."""

    made_at: datetime
    revision: str
    audit: audit.Head
    journal: journal.Mark | None
    counts: Mapping[str, int]
    numbers: Mapping[str, int]


def nothing(_done: int, _total: int) -> None:
    """No progress to show."""


def make(
    services: Services,
    target: Path,
    *,
    by: str,
    now: datetime,
    replace: bool,
    needed: Iterable[Path] = (),
    progress: Progress = nothing,
) -> Info:
    """Write a backup. Nobody who writes meanwhile has to wait. `needed`: files besides our own that must not be lost.

    Raises NeverThere, AlreadyThere, NotMade, Damaged, JournalFailed or OSError.
    """
    _check_place(
        target, replace=replace, in_use=[*_own_files(services), *((path, "read for settings") for path in needed)]
    )
    mark = services.journal.mark() if services.journal else None
    with _written_aside(target, replace=replace) as aside:
        if services.database.is_sqlite:
            _snapshot_sqlite(services.database, aside, progress)
        else:
            _snapshot(services.database, aside, progress)
        _describe(aside, mark, now, services.database)
    info = read_info(target)
    with services.database.writing() as session:
        audit.note(session, by=by, what="made a backup", about=None, now=now, people=info.counts["subscribers"])
    return info


# — where —


def _check_place(target: Path, *, replace: bool, in_use: Iterable[tuple[Path, str]]) -> None:
    """A slip in the name must not cost the very thing that is to be kept. Raises NeverThere or AlreadyThere."""
    for path, what in in_use:
        if _same(target, path):
            raise NeverThere(f"{target} is {what}; nothing was written. Name another file.")
    if not target.parent.exists():
        raise NeverThere(f"The folder {target.parent} does not exist; nothing was written.")
    if not target.exists():
        return
    if not _is_backup(target):
        raise AlreadyThere(
            f"{target} exists and is not a whole backup of this program; nothing was written. Name another file."
        )
    if not replace:
        raise AlreadyThere(f"{target} exists; nothing was written. Add --replace, or name another file.")


def _own_files(services: Services) -> Iterator[tuple[Path, str]]:
    """What the program lives on, whether it exists yet or not, each with a word for what it is."""
    if services.database.is_sqlite:
        database = Path(services.database.url.database or "digest.db").resolve()
        yield database, "the database itself"
        for suffix in BESIDE:
            yield database.with_name(database.name + suffix), "a part of the database"
        yield database.with_name(KEY_FILE), "the secret that signs the links"
    if services.settings.journal:
        yield services.settings.journal, "the journal"
    if services.journal:
        yield services.journal.path, "the journal"


def _same(one: Path, other: Path) -> bool:
    """The same name, or two names of the same file."""
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _is_backup(path: Path) -> bool:
    # Only files are opened: a pipe would keep us waiting.
    if not path.is_file():
        return False
    try:
        read_info(path)
    except (NotABackup, Damaged):
        return False
    return True


@contextmanager
def _written_aside(target: Path, *, replace: bool) -> Iterator[Path]:
    """A new file for its owner only, which takes its name when all of it is on the disk; otherwise it is gone."""
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as why:
        raise OSError(why.errno, why.strerror, str(target)) from None
    try:
        yield aside
        sync(aside)
        if replace:
            aside.replace(target)
        else:
            _link(aside, target)
        journal.sync_folder(target.parent)
    finally:
        for suffix in ("", *BESIDE):
            aside.with_name(aside.name + suffix).unlink(missing_ok=True)


def _link(aside: Path, target: Path) -> None:
    """Unlike a rename this takes nobody's place."""
    try:
        target.hardlink_to(aside)
    except FileExistsError:
        raise AlreadyThere(f"{target} has just come into being; nothing was written.") from None


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# — the snapshot —


def _snapshot_sqlite(database: Database, aside: Path, progress: Progress) -> None:
    """VACUUM INTO reads one instant and keeps no writer waiting; what was erased is not in its free pages either."""
    with _said(), closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as source:
        source.execute("pragma busy_timeout=30000")
        total = _pragma(source, "page_count") * _pragma(source, "page_size")

        def look() -> int:
            progress(min(aside.stat().st_size, total), total)
            return 0

        source.set_progress_handler(look, 200_000)
        source.execute("VACUUM INTO ?", [str(aside)])
        progress(total, total)


@contextmanager
def _said() -> Iterator[None]:
    """What the driver cannot do, as a sentence. Raises NotMade."""
    try:
        yield
    except sqlite3.Error as why:
        raise NotMade(
            f"The database could not be copied ({why}); nothing was written. See `digest db check`."
        ) from None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"pragma {name}").fetchone()[0])


def _snapshot(database: Database, aside: Path, progress: Progress) -> None:
    """Table by table in chunks, all within one transaction that sees one instant."""
    copy = Database(f"sqlite:///{aside}")
    try:
        migrations.upgrade(copy)
        with database.reading() as session, copy.engine.begin() as target:
            tables.copy(session.connection(), target, progress)
            tables.go_on_from(target, tables.numbers(session.connection()))
    finally:
        copy.dispose()


def _describe(aside: Path, mark: journal.Mark | None, now: datetime, database: Database) -> None:
    """Add the table that says what this is. Counted in the copy itself: the database has gone on meanwhile."""
    with opened(aside) as connection:
        wrong = connection.scalar(sa.text("pragma quick_check(1)"))
        if wrong != "ok":
            raise Damaged(f"The copy of the database is damaged ({wrong}); nothing was written. See `digest db check`.")
        head = connection.execute(
            sa.text("SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1")
        ).one_or_none() or audit.Head(0, audit.BEGINNING)
        INFO.create(connection)
        connection.execute(
            INFO.insert().values(
                format=FORMAT,
                made_at=now,
                revision=migrations.revision(database),
                audit_id=head.id,
                audit_hash=head.hash,
                journal_id=mark and mark.id,
                journal_size=mark and mark.size,
                counts=tables.count(connection),
                numbers=tables.numbers(connection),
            )
        )
    with _said():
        alone(aside)
    _seal(aside)


def alone(path: Path) -> None:
    """One file again, without a log beside it that would have to travel along."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=delete")


@contextmanager
def opened(path: Path) -> Iterator[sa.Connection]:
    """One transaction on a SQLite file, as it lies there."""
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


# — reading —


def read_info(path: Path) -> Info:
    """What a backup says of itself. Raises NotABackup, Damaged or OSError."""
    with path.open("rb") as file:
        begins = file.read(16)
    if begins != b"SQLite format 3\x00":
        raise NotABackup(f"{path} is not a backup of this program: it is no SQLite file.")
    try:
        return _info(path)
    except sa.exc.DatabaseError as why:
        if "no such table" in str(why.orig):
            raise NotABackup(
                f"{path} is not a backup of this program: `digest backup FILE` makes one from a running database."
            ) from None
        raise Damaged(f"{path} is damaged: {why.orig}.") from None
    except (ValueError, TypeError, KeyError) as why:
        raise Damaged(f"{path} is damaged: what it says of itself cannot be read.") from why


def _info(path: Path) -> Info:
    with opened(path) as connection:
        row = connection.execute(sa.select(INFO)).one()
    if row.format != FORMAT:
        raise NotABackup(f"{path} was made by a newer version of this program. Install that version to restore it.")
    return Info(
        made_at=row.made_at,
        revision=row.revision,
        audit=audit.Head(row.audit_id, row.audit_hash),
        journal=journal.Mark(row.journal_id, row.journal_size) if row.journal_id else None,
        counts={**row.counts},
        numbers={**row.numbers},
    )


def check(path: Path) -> None:
    """Whether it is, octet for octet, what was written. Raises Damaged or OSError."""
    with path.open("rb") as file:
        file.seek(_SEAL_AT)
        sealed = int.from_bytes(file.read(_SEAL_LENGTH), "big")
    if sealed != _sum(path):
        raise Damaged(f"{path} is damaged, or was changed: it is not what was written. Nothing was restored from it.")


# — the seal —

# The place SQLite's file format leaves to programs as the "user version" (a big-endian 32-bit number).
_SEAL_AT, _SEAL_LENGTH = 60, 4


def _seal(path: Path) -> None:
    """Write the sum of all other octets into the file."""
    total = _sum(path)
    with path.open("r+b") as file:
        file.seek(_SEAL_AT)
        file.write(total.to_bytes(_SEAL_LENGTH, "big"))


def _sum(path: Path) -> int:
    """CRC-32 of the file, the seal's place taken as zeros."""
    with path.open("rb") as file:
        begins = bytearray(file.read(1 << 20))
        begins[_SEAL_AT : _SEAL_AT + _SEAL_LENGTH] = bytes(_SEAL_LENGTH)
        total = zlib.crc32(begins)
        while part := file.read(1 << 20):
            total = zlib.crc32(part, total)
    return total
