"""A database with people in it is brought up to date without losing anybody or anything they said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import make_url

from database import Database
from digest import migrations
from subscribers import roster

NOW = "2026-11-20 09:00:00+00:00"
LEFT_OVER = "digest_older"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a single table."""
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path / 'older.db'}")
    else:
        server = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {LEFT_OVER} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {LEFT_OVER}")
        engine.dispose()
        found = Database(server.set(database=LEFT_OVER).render_as_string(hide_password=False))
    yield found
    found.dispose()


def at_first_shape(database: Database) -> None:
    """As the first version left it, with two people who said something."""
    with database.engine.connect() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()
    with database.writing() as session:
        for number, (email, key, name) in enumerate(
            [("Ada@Bücher.example", "ada@xn--bcher-kva.example", "Ada Łove"), ("b@example.com", "b@example.com", None)],
            start=1,
        ):
            session.execute(
                sa.text(
                    "INSERT INTO subscribers (id, link_id, email, email_key, name, state, topics, plain_text, rhythm, "
                    "created_at, changed_at) VALUES (:id, :link, :email, :key, :name, 'active', '', :no, 'weekly', "
                    ":now, :now)"
                ),
                {"id": number, "link": f"l{number}", "email": email, "key": key, "name": name, "no": False, "now": NOW},
            )
            session.execute(
                sa.text(
                    "INSERT INTO consent_events (subscriber_id, kind, happened_at, source) "
                    "VALUES (:id, 'confirmed', :now, 'confirm link')"
                ),
                {"id": number, "now": NOW},
            )


def test_people_are_found_and_keep_their_consent(empty: Database) -> None:
    """From the first shape to the newest: nobody and no consent event is lost, and a search finds them."""
    at_first_shape(empty)

    migrations.upgrade(empty)

    with empty.reading() as session:
        ada = roster.find(session, "ada@bücher.example")
        assert ada is not None
        assert ada.search == "ada@xn--bcher-kva.example ada@bücher.example ada łove"
        assert [event.kind for event in roster.dossier(session, ada).events] == ["confirmed"]
        assert sum(roster.counts(session).values()) == 2


def test_tools_of_editions_that_went_out_stay_known(empty: Database) -> None:
    """What entries say is found by tool from then on: by slug or by words, the badge or what the percentage means."""
    at_first_shape(empty)
    sides = [
        {"slug": "loom", "name": "Loom", "verdict": "skip", "panel_ship_percent": 90},
        {"name": "Shuttle", "tagline": "It weaves", "panel_ship_percent": 50},
        {"slug": "heddle", "name": "Heddle"},
    ]
    with empty.writing() as session:
        session.execute(
            sa.text(
                "INSERT INTO editions (id, week, state, window_start, window_end, planned_at, send_at, rules, subject, "
                "breath, also_compared, created_at) "
                "VALUES (7, '2026-W46', 'sent', :now, :now, :now, :now, '{}', '', '', '[]', :now)"
            ),
            {"now": NOW},
        )
        session.execute(
            sa.text(
                "INSERT INTO tools (id, slug, name, facts, first_seen_at, changed_at) "
                "VALUES (1, 'loom', 'Loom', '{}', :now, :now)"
            ),
            {"now": NOW},
        )
        for number, tools in enumerate([sides[:2], sides[::2]], start=1):
            values = {"now": NOW, "id": number, "facts": json.dumps({"tools": tools})}
            session.execute(
                sa.text(
                    "INSERT INTO comparisons (id, slug, left_id, right_id, loose_remarks, content_hash, first_seen_at, "
                    "changed_at) VALUES (:id, CAST(:id AS VARCHAR(9)), 1, 1, '[]', '', :now, :now)"
                ),
                values,
            )
            session.execute(
                sa.text(
                    "INSERT INTO entries (edition_id, position, comparison_id, facts, summary) "
                    "VALUES (7, :id, :id, :facts, '{}')"
                ),
                values,
            )

    migrations.upgrade(empty)

    with empty.reading() as session:
        found = session.execute(sa.text("SELECT identity, edition_id, verdict FROM featured ORDER BY identity")).all()
    assert sorted(tuple(row) for row in found) == [
        ("Shuttle\nIt weaves", 7, "mixed"),
        ("heddle", 7, None),
        ("loom", 7, "skip"),
    ]


def test_an_upgrade_can_be_taken_back(empty: Database) -> None:
    """Down to the first shape and up again: the same people."""
    at_first_shape(empty)
    migrations.upgrade(empty)
    with empty.engine.connect() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.commit()
    migrations.upgrade(empty)

    with empty.reading() as session:
        assert sum(roster.counts(session).values()) == 2
