"""The floor: instants, claims, and the two kinds of transaction."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from database import Base, Database, claim
from digest import migrations
from digest.migrations.env_options import OPTIONS
from digest.models import JobRun, Source

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)


def test_an_instant_survives_in_any_zone(database: Database) -> None:
    """A time in Berlin comes back as the same instant, in UTC."""
    berlin = datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    with database.writing() as session:
        session.add(Source(url="https://example.com/", due_at=berlin))
    with database.reading() as session:
        stored = session.scalars(sa.select(Source.due_at)).one()

    assert stored == berlin
    assert stored is not None
    assert stored.utcoffset() == timedelta(0)


def test_a_naive_time_is_refused(database: Database) -> None:
    """A time without a zone never reaches a row."""
    with pytest.raises(sa.exc.StatementError, match="time zone"), database.writing() as session:
        session.add(Source(url="https://example.com/", due_at=datetime(2026, 7, 1, 9)))  # noqa: DTZ001
        session.flush()


def test_a_row_is_claimed_by_exactly_one(database: Database) -> None:
    """Eight threads claim the same thirty rows: each row has one owner."""
    with database.writing() as session:
        session.add_all(Source(url=f"https://example.com/{n}", due_at=NOON) for n in range(30))
    won: list[str] = []

    def work() -> None:
        for n in range(30):
            with database.writing() as session:
                url = f"https://example.com/{n}"
                if claim(
                    session,
                    Source,
                    Source.url == url,
                    Source.due_at <= NOON,
                    values={"due_at": NOON + timedelta(hours=1)},
                ):
                    won.append(url)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(won) == sorted({f"https://example.com/{n}" for n in range(30)})


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    """What was written before the error is gone."""
    with pytest.raises(ZeroDivisionError), database.writing() as session:
        session.add(Source(url="https://example.com/"))
        session.flush()
        1 / 0  # noqa: B018
    with database.reading() as session:
        assert session.scalars(sa.select(Source)).all() == []


def test_migrations_make_what_the_models_say(database: Database) -> None:
    """The migrated database and the models do not differ."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=OPTIONS)
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_twice_is_harmless(database: Database) -> None:
    """A second upgrade changes nothing and keeps the rows."""
    with database.writing() as session:
        session.add(JobRun(job="tidy", process="p", started_at=NOON, finished_at=NOON, ok=True, said=""))
    migrations.upgrade(database)

    assert migrations.revision(database) == migrations.head()
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(JobRun)) == 1
