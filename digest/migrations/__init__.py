"""The database's shape over time, brought up to date by `digest db upgrade`. Migrations never import our models."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from database import Database
from digest.errors import DigestError

HERE = Path(__file__).parent
# Two processes that start at once must not both make the tables.
ADVISORY_LOCK = 0x76657264


class DatabaseBehind(DigestError):
    """The database is older than this program. Run `digest db upgrade` (and take a backup first)."""


class DatabaseAhead(DigestError):
    """The database was made by a newer version of this program. Install that version, or restore a backup."""


def upgrade(database: Database) -> None:
    """Bring the database to the newest shape; harmless when it already is."""
    with database.engine.connect() as connection:
        _take_turn(connection, database)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def revision(database: Database) -> str | None:
    """The shape the database has now; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest shape this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def ensure_current(database: Database) -> None:
    """Make the tables of an empty database; raise DatabaseBehind or DatabaseAhead where the shape differs."""
    found = revision(database)
    if found == head():
        return
    if found is None and _is_empty(database):
        upgrade(database)
    elif found is None or found in _known():
        raise DatabaseBehind
    else:
        raise DatabaseAhead


def _is_empty(database: Database) -> bool:
    with database.engine.connect() as connection:
        return not set(inspect(connection).get_table_names()) - {"alembic_version"}


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _take_turn(connection: Connection, database: Database) -> None:
    """Hold the database for ourselves until the commit."""
    if database.is_sqlite:
        connection = connection.execution_options(digest_begin="IMMEDIATE")
        connection.begin()
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
