"""Put a backup in the place of a database that was lost, so that nobody is mailed twice and nobody comes back.

All of it is done to a copy that no other process knows: brought up to date, its editions halted (`aftermath`), the
journals obeyed (`replaying`). Only then does it take its place, in one step: a rename, or one transaction on
PostgreSQL. Whenever this is interrupted, the database is what it was before.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from database import Database
from digest import migrations
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.safekeeping import aftermath, backups, journal, recalling, replaying, tables, witness
from digest.safekeeping.backups import Info, Progress
from digest.safekeeping.journal import Line
from digest.staff import audit

# What a program that has just been started on an empty database writes by itself.
WRITTEN_BY_ITSELF = {"alembic_version", "job_runs", "limits", "sources"}
BESIDE = ("-wal", "-shm", "-journal")
_ASIDE = ".digest-restoring-"


class NotEmpty(DigestError):
    """The database is not empty."""


class InUse(DigestError):
    """Another process works on the database."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a backup. `kept_aside`: where the database that was there before lies now.

    `witness`: how many lines that database knew, None where it was not asked; `warnings`: what nobody may overlook.
    """

    info: Info
    journals: Sequence[recalling.Age]
    witness: int | None
    warnings: Sequence[str]
    editions: aftermath.Settled
    people: replaying.Replayed
    kept_aside: Path | None


def restore(
    services: Services,
    file: Path,
    *,
    journals: Sequence[Path],
    without_journal: bool,
    replace: bool,
    by: str,
    now: datetime,
    progress: Progress = backups.nothing,
) -> Restored:
    """Raises NotABackup, Damaged, NotEmpty, InUse, DatabaseBehind or DatabaseAhead, and what `recalling.recall` does.

    What it replaces is asked too, where it can be: it may know what an old copy of the journal does not.
    """
    info = backups.read_info(file)
    backups.check(file)
    holds_anything = _holds_anything(services.database)
    if holds_anything and not replace:
        raise NotEmpty(
            f"The database is not empty, so nothing was restored. --replace puts the backup of "
            f"{info.made_at:%Y-%m-%d %H:%M} UTC in its place{_what_becomes_of_it(services.database)}."
        )
    _nobody_else(services.database)
    known_there, warnings = _asked(services.database) if holds_anything else (None, [])
    recalled = recalling.recall(services, journals, info, without_journal=without_journal, witness=known_there or ())
    memory = recalled.memory
    warnings += _doubts(recalled, info)
    with _work_folder(services.database, file) as folder:
        copy = folder / "digest.db"
        _copied(file, copy)
        database = Database(f"sqlite:///{copy}")
        database.info.update(services.database.info)
        try:
            _bring_up_to_date(database)
            editions = aftermath.settle(
                database,
                services.settings,
                memory.begun,
                complete=recalled.complete,
                doubt=recalled.doubt,
                made_at=info.made_at,
                now=now,
            )
            people = replaying.replay(database, memory, by=by, now=now, progress=progress)
            with database.writing() as session:
                audit.note(
                    session,
                    by=by,
                    what="restored a backup",
                    about=None,
                    now=now,
                    made_at=info.made_at.isoformat(),
                    journals=len(recalled.journals),
                    lines=memory.lines,
                )
        finally:
            database.dispose()
        kept = _put_in_place(services.database, copy, info, recalled.sizes, now=now, progress=progress)
    asked = None if known_there is None else len(known_there)
    return Restored(info, recalled.journals, asked, warnings, editions, people, kept)


# — what is there —


def _holds_anything(database: Database) -> bool:
    """Whether anybody would miss what is there; what cannot be read may be missed too."""
    if database.is_sqlite and not _file_of(database).exists():
        return False
    try:
        with database.engine.connect() as connection:
            names = set(sa.inspect(connection).get_table_names()) - WRITTEN_BY_ITSELF
            return any(
                connection.scalar(sa.select(sa.exists(sa.text("1")).select_from(sa.table(each)))) for each in names
            )
    except sa.exc.DatabaseError:
        if database.is_sqlite:
            return True
        raise
    finally:
        database.dispose()


def _what_becomes_of_it(database: Database) -> str:
    return " and keeps the old file beside it" if database.is_sqlite else "; all that is there now is then gone"


def _asked(database: Database) -> tuple[list[Line] | None, list[str]]:
    """What it knows; where it cannot be asked, a warning that says so."""
    try:
        return witness.ask(database), []
    except witness.NoWitness as why:
        return None, [str(why)]


def _doubts(recalled: recalling.Recalled, info: Info) -> list[str]:
    since = f"{info.made_at:%Y-%m-%d %H:%M} UTC"
    doubts = [] if recalled.doubt is None else [f"{recalled.doubt[0].upper()}{recalled.doubt[1:]}"]
    if not recalled.complete:
        doubts.append(
            f"Without the journal, opt-outs and erasures since {since} are not known: people who left since may be "
            f"written to again."
        )
    return doubts


# — the copy —


@contextmanager
def _work_folder(database: Database, file: Path) -> Iterator[Path]:
    """A folder for its owner only, on the disk where the result must lie. What a killed restore left goes first."""
    where = _file_of(database).parent if database.is_sqlite else file.resolve().parent
    for left in where.glob(f"{_ASIDE}*"):
        with _held(left) as ours:
            if ours:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=where))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether it is ours alone while this lasts."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _copied(file: Path, copy: Path) -> None:
    shutil.copyfile(file, copy)
    copy.chmod(0o600)
    with backups.opened(copy) as connection:
        backups.INFO.drop(connection)


def _bring_up_to_date(database: Database) -> None:
    """Raises DatabaseAhead for a backup that a newer version made."""
    try:
        migrations.ensure_current(database)
    except migrations.DatabaseBehind:
        migrations.upgrade(database)


# — in place —


def _put_in_place(
    database: Database, copy: Path, info: Info, sizes: Mapping[Path, int], *, now: datetime, progress: Progress
) -> Path | None:
    _nobody_else(database)
    if database.is_sqlite:
        backups.alone(copy)
        backups.sync(copy)
        _nothing_noted_since(sizes)
        return _rename(copy, _file_of(database), now)
    _load(database, copy, info, sizes, progress)
    return None


def _nothing_noted_since(sizes: Mapping[Path, int]) -> None:
    """What was noted after the journals were read would be lost. Raises InUse."""
    for path, size in sizes.items():
        if path.stat().st_size != size:
            raise InUse(
                f"Something was written to {path} meanwhile, so nothing was restored. Stop every process of this "
                f"program first, on every host."
            )


def _rename(copy: Path, target: Path, now: datetime) -> Path | None:
    """One rename; the file that was there before keeps its content under another name."""
    kept = target.with_name(f"{target.name}.before-restore-{now:%Y%m%d-%H%M%S-%f}") if target.exists() else None
    if kept is not None:
        kept.hardlink_to(target)
    # Left beside a file that was removed, a log would be taken for that of the new one.
    for suffix in BESIDE:
        beside = target.with_name(target.name + suffix)
        if beside.exists():
            beside.replace(target.with_name(f"{target.name}.before-restore-{now:%Y%m%d-%H%M%S-%f}{suffix}"))
    copy.replace(target)
    journal.sync_folder(target.parent)
    return kept


def _nobody_else(database: Database) -> None:
    """Raises InUse."""
    if database.is_sqlite:
        _nobody_else_opened(database)
    elif others := database.sessions_of_others():
        raise InUse(
            f"Another program works on this database (connections: {others}), so nothing was restored. Stop "
            f"`digest serve` and the clock first, on every host."
        )


def _nobody_else_opened(database: Database) -> None:
    """Leaving the log mode needs the file alone, so it tells whether anybody has it open. Raises InUse."""
    target = _file_of(database)
    database.dispose()
    if not target.exists():
        return
    try:
        with closing(sqlite3.connect(target, timeout=2)) as connection:
            connection.execute("pragma journal_mode=delete").fetchone()
    except sqlite3.OperationalError as why:
        raise InUse(
            f"Another process works on {target} ({why}), so nothing was restored. Stop `digest serve` and the clock "
            f"first."
        ) from None
    except sqlite3.DatabaseError:
        return  # not a database any more: nobody can work on it


def _load(database: Database, copy: Path, info: Info, sizes: Mapping[Path, int], progress: Progress) -> None:
    """All rows in one transaction: others see what was there before, or all of the new."""
    migrations.ensure_current(database)
    names = ", ".join(f'"{table.name}"' for table in tables.ours())
    with backups.opened(copy) as source, database.engine.begin() as target:
        target.exec_driver_sql(f"TRUNCATE {names}")
        # Looked at when nobody else can commit any more: a line is written before its commit, with its rows locked.
        _nothing_noted_since(sizes)
        tables.copy(source, target, progress)
        highest = tables.numbers(source)
        tables.go_on_from(target, {name: max(last, info.numbers.get(name, 0)) for name, last in highest.items()})


def _file_of(database: Database) -> Path:
    return Path(database.url.database or "digest.db").resolve()
