"""The floor both rooms stand on: engine, sessions, UTC instants and the conditional claim.

SQLite and PostgreSQL are both first class. `reading()` opens a plain transaction; `writing()` takes the write lock at
once on SQLite (`BEGIN IMMEDIATE`), because a transaction that reads first and writes later can be refused there.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.url import URL
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_SECONDS = 30
ABANDONED_SECONDS = 120
"""How long PostgreSQL keeps the locks of a transaction whose machine froze or vanished in the middle of it."""

OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of the program, in both rooms."""

    metadata = sa.MetaData(naming_convention=NAMING)


def table_of(row: type[Base]) -> sa.Table:
    """The table behind a class of rows, for statements where the ORM would cost more than the database."""
    found = sa.inspect(row).local_table
    if not isinstance(found, sa.Table):
        raise TypeError(f"{row.__name__} has no table of its own")
    return found


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An instant: refuses naive values, stores UTC, gives back aware UTC.

    Without it SQLite drops the offset and a time in Berlin comes back two hours wrong.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone, got the naive {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only for INTEGER."""


class WriteLockTimeout(Exception):
    """The database was busy for half a minute, so nothing was written. Try again."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Database:
    """One database and the two kinds of transaction we use on it."""

    def __init__(self, url: str) -> None:
        self.url: URL = driver_url(url)
        self.engine: Engine = _engine(self.url)
        self._writing_engine = self.engine.execution_options(digest_begin="IMMEDIATE")
        # On SQLite a reading transaction sees one instant by itself; numbers that must add up need the same elsewhere.
        self._reading_engine = (
            self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        )
        # SQLite's busy handler sleeps up to 100 ms between tries, so a thread that writes in a loop would starve
        # the others of this process. A lock in front of it is fair.
        self._turn = threading.Lock() if self.is_sqlite else None
        self.info: dict[str, Any] = {}
        """What every session of this database carries in its `info`; see `subscribers.secrecy`."""
        self.before_commit: list[Callable[[Session], None]] = []
        """Called at the end of every writing transaction; when one raises, nothing is committed."""

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads, all of it of one instant; it is rolled back at the end."""
        with Session(self._reading_engine, expire_on_commit=False, info=dict(self.info)) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes: committed at the end of the block, rolled back when the block raises."""
        with (
            self._my_turn(),
            Session(self._writing_engine, expire_on_commit=False, info=dict(self.info)) as session,
            session.begin(),
        ):
            yield session
            session.flush()
            for hook in self.before_commit:
                hook(session)

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise WriteLockTimeout
        try:
            yield
        finally:
            self._turn.release()

    def sessions_of_others(self, *, patience: float = 2) -> int:
        """How many others are connected to this PostgreSQL database, of those still there after `patience` seconds.

        Our own idle connections are closed first; the server takes a moment to notice.
        """
        self.engine.dispose()
        until = time.monotonic() + patience
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while (found := connection.scalar(OTHERS) or 0) and time.monotonic() < until:
                time.sleep(0.05)
        return found

    def dispose(self) -> None:
        self.engine.dispose()


def driver_url(url: str) -> URL:
    """`postgresql://` and the older `postgres://` mean psycopg 3.

    Raises sqlalchemy.exc.ArgumentError for text that is no URL.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _engine(url: URL) -> Engine:
    # The values of a statement that fails are people's addresses: they stay out of every message and log.
    if url.get_backend_name() != "sqlite":
        engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        event.listen(engine, "connect", _prepare_postgres)
        return engine
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )
    event.listen(engine, "do_connect", _make_for_owner_only)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_for_owner_only(_dialect: Dialect, _record: Any, arguments: Sequence[Any], _named: Mapping[str, Any]) -> None:
    """A database that SQLite is about to make holds addresses: nobody else may read it, nor the log beside it.

    What keeps us from making it keeps SQLite from opening it, which says so; a file that exists keeps its mode.
    """
    if arguments[0] == ":memory:" or arguments[0].startswith("file:"):
        return
    with contextlib.suppress(OSError):
        os.close(os.open(os.path.realpath(arguments[0]), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # Autocommit mode of the driver: we say BEGIN ourselves, below.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=wal",
        # Not NORMAL: a claim lost in a power cut would let its batch go out a second time.
        "synchronous=full",
        "foreign_keys=on",
        "cache_size=-8192",
    ):
        connection.execute(f"pragma {pragma}").close()


def _prepare_postgres(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """Without this everybody else waits for a machine that lost its power until the server misses it: two hours."""
    connection.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED_SECONDS}s'")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get("digest_begin", "")
    connection.exec_driver_sql(f"BEGIN {kind}".rstrip())


def claim(session: Session, row: type[Base], *where: sa.ColumnElement[bool], values: Mapping[str, Any]) -> bool:
    """Change one row if it still is as `where` says. True means that we, and nobody else, changed it."""
    changed = session.execute(sa.update(row).where(*where).values(values).execution_options(synchronize_session=False))
    return int(getattr(changed, "rowcount", 0)) == 1
