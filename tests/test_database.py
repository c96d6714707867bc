"""The floor: instants, claims, and the two kinds of transaction."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
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


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It will hold every address; so will the log beside it. Through a link, too."""
    (tmp_path / "link.db").symlink_to("real.db")
    for name, made in (("new.db", "new.db"), ("link.db", "real.db")):
        database = Database(f"sqlite:///{tmp_path / name}")
        migrations.upgrade(database)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob(f"{made}*")}
        database.dispose()
        assert {made: 0o600, f"{made}-wal": 0o600, f"{made}-shm": 0o600} == modes


def test_a_file_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    """Who may read it is for its owner to say."""
    path = tmp_path / "digest.db"
    path.touch()
    path.chmod(0o640)
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    database.dispose()

    assert 0o640 == stat.S_IMODE(path.stat().st_mode)


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    """SQLite says that it cannot open the file, and nothing has come into being."""
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'digest.db'}")
    with pytest.raises(sa.exc.OperationalError, match="unable to open"):
        migrations.upgrade(database)

    assert [] == list(tmp_path.iterdir())


def test_others_at_work_are_counted(postgres_url: str) -> None:
    """Every other client of this database, and neither our own connections nor those of another database."""
    ours, others = Database(postgres_url), Database(postgres_url)
    try:
        with ours.engine.connect() as one, ours.engine.connect() as two:
            one.execute(sa.text("SELECT 1"))
            two.execute(sa.text("SELECT 1"))
        assert ours.sessions_of_others() == 0
        with others.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
            assert ours.sessions_of_others(patience=0.2) == 1
        others.dispose()
        assert ours.sessions_of_others() == 0
    finally:
        ours.dispose()
        others.dispose()


def test_a_transaction_nobody_ends_is_ended(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that vanished while it held a lock does not keep the others from working for long."""
    monkeypatch.setattr("database.ABANDONED_SECONDS", 1)
    vanished, others = Database(postgres_url), Database(postgres_url)
    with others.writing() as session:
        session.execute(sa.text("CREATE TABLE held AS SELECT 'nobody' AS by_whom"))
    try:
        with pytest.raises(sa.exc.DBAPIError, match="idle-in-transaction"), vanished.writing() as session:
            session.execute(sa.text("UPDATE held SET by_whom = 'the vanished'"))
            with others.writing() as other:
                other.execute(sa.text("UPDATE held SET by_whom = 'another'"))
        with others.reading() as session:
            assert session.scalar(sa.text("SELECT by_whom FROM held")) == "another"
    finally:
        with others.writing() as session:
            session.execute(sa.text("DROP TABLE held"))
        for each in (vanished, others):
            each.dispose()
