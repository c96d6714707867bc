"""The audit log: chained, gapless, without addresses, and honest about every cell that was changed."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import Database
from digest.models import AuditLine
from digest.staff import audit
from digest.staff.audit import BEGINNING, Broken, Head

NOW = datetime(2026, 11, 20, 9, 0, 0, 123456, tzinfo=UTC)


def noted(database: Database, count: int) -> None:
    """Some lines, each in a transaction of its own."""
    for number in range(count):
        with database.writing() as session:
            audit.note(
                session,
                by="staff 3",
                what="person erased",
                about=f"subscriber {number}",
                now=NOW + timedelta(seconds=number),
                reason="Grüße 🙂",
                counts={"b": 1, "a": [None, True, 0.5]},
            )


def broken(database: Database, kept: Head | None = None) -> Broken | None:
    with database.reading() as session:
        return audit.verify(session, kept=kept)


def head(database: Database) -> Head:
    with database.reading() as session:
        return audit.head(session)


def execute(database: Database, statement: str, **values: Any) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def tamper(database: Database, line: int, cell: str, value: Any) -> None:
    execute(database, f'UPDATE audit_log SET "{cell}" = :value WHERE id = :line', value=value, line=line)  # noqa: S608


def test_lines_are_numbered_and_chained(database: Database) -> None:
    """1, 2, 3 …; the first follows 64 zeros, each other one the hash before it."""
    assert Head(0, BEGINNING) == head(database)
    noted(database, 3)
    with database.reading() as session:
        lines = session.scalars(sa.select(AuditLine).order_by(AuditLine.id)).all()

    assert [1, 2, 3] == [line.id for line in lines]
    assert [BEGINNING, lines[0].hash, lines[1].hash] == [line.previous for line in lines]
    assert Head(3, lines[2].hash) == head(database)
    assert broken(database) is None


def test_a_hash_can_be_worked_out_by_anybody(sqlite: Database) -> None:
    """It is the sha256 of a JSON array that a few lines of any language can write."""
    import hashlib

    noted(sqlite, 1)
    words = [
        1,
        "2026-11-20T09:00:00.123456+00:00",
        "staff 3",
        "person erased",
        "subscriber 0",
        {"counts": {"a": [None, True, 0.5], "b": 1}, "reason": "Grüße 🙂"},
        BEGINNING,
    ]
    spelled = json.dumps(words, separators=(",", ":"), sort_keys=True)

    assert hashlib.sha256(spelled.encode()).hexdigest() == head(sqlite).hash


def test_two_lines_of_one_transaction_follow_each_other(database: Database) -> None:
    """Whoever does two things at once notes both; a transaction that fails notes neither."""
    with database.writing() as session:
        for what in ("one", "other"):
            audit.note(session, by="command line", what=what, about=None, now=NOW)
    with pytest.raises(RuntimeError), database.writing() as session:
        audit.note(session, by="command line", what="third", about=None, now=NOW)
        raise RuntimeError

    assert head(database).id == 2
    assert broken(database) is None


@pytest.mark.parametrize(
    "given_",
    [
        {"by": "ada@example.com"},
        {"what": "wrote to ada@example.com"},
        {"about": "ada@example.com"},
        {"reason": "asked by ada@example.com"},
        {"deep": [{"reason": ["@"]}]},
        {"deep": {"ada@example.com": 1}},
    ],
)
def test_no_address_enters(database: Database, given_: dict[str, Any]) -> None:
    """Anything with an @ is refused before it is written, wherever it stands."""
    line: dict[str, Any] = {"by": "staff 1", "what": "x", "about": None, **given_}
    with pytest.raises(ValueError, match="no address"), database.writing() as session:
        audit.note(session, now=NOW, **line)

    assert head(database).id == 0


@given(st.text())
def test_own_words_can_be_made_fit(words: str) -> None:
    """Whatever somebody wrote as a reason, nothing like an address is left of it, and the rest is."""
    fit = audit.without_addresses(words)

    assert "@" not in fit
    assert fit == words or "@" in words


CELLS = ["id", "at", "by", "what", "about", "details", "previous", "hash"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.integers(1, 6), cell=st.sampled_from(CELLS), seed=st.integers(1, 10**9))
def test_any_changed_cell_names_its_line(sqlite: Database, line: int, cell: str, seed: int) -> None:
    """Whichever cell of whichever line is changed, the first line that is wrong is named."""
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_log")
    noted(sqlite, 6)
    values: dict[str, Any] = {
        "id": 1000 + seed,
        "at": f"20{seed % 90 + 10}-01-01 00:00:00.000000",
        "details": json.dumps({"reason": str(seed)}),
        "previous": f"{seed:064x}",
        "hash": f"{seed:064x}",
    }
    tamper(sqlite, line, cell, values.get(cell, str(seed)))
    found = broken(sqlite)

    assert found is not None
    assert found.line == line


@pytest.mark.parametrize("rubbish", ["", "no time at all", "{", "[", 7, b"\xff"])
@pytest.mark.parametrize("cell", ["at", "by", "what", "about", "details"])
def test_what_cannot_be_read_is_named_too(sqlite: Database, cell: str, rubbish: Any) -> None:
    """A cell that holds no time, no JSON or no text at all ends in a sentence, not in a failure."""
    noted(sqlite, 3)
    tamper(sqlite, 2, cell, rubbish)

    assert (found := broken(sqlite)) is not None
    assert found.line == 2


def test_text_that_is_none_is_named_too(sqlite: Database) -> None:
    """Octets that are no UTF-8, called text: the driver itself would fail on them."""
    noted(sqlite, 3)
    execute(sqlite, "UPDATE audit_log SET what = CAST(x'ff' AS TEXT) WHERE id = 3")

    assert Broken(3, "it cannot be read") == broken(sqlite)


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_missing_line_is_named(database: Database, gone: int) -> None:
    """Taken out of the front or the middle it shows by itself."""
    noted(database, 4)
    execute(database, "DELETE FROM audit_log WHERE id = :gone", gone=gone)
    found = broken(database)

    assert found is not None
    assert (gone, True) == (found.line, "missing" in found.why)


def test_a_cut_end_shows_against_a_backup(database: Database) -> None:
    """The chain alone cannot know what followed; a head kept elsewhere does."""
    noted(database, 4)
    kept = head(database)
    execute(database, "DELETE FROM audit_log WHERE id > 2")

    assert broken(database) is None
    assert Broken(3, "it is missing: the backup knows lines up to 4") == broken(database, kept)


def test_a_log_written_anew_shows_against_a_backup(database: Database) -> None:
    """Whoever writes the whole chain again, each hash right, cannot write the backup again."""
    noted(database, 4)
    kept = head(database)
    execute(database, "DELETE FROM audit_log")
    with database.writing() as session:
        for number in range(9):
            audit.note(session, by="staff 1", what="nothing at all", about=None, now=NOW, number=number)

    assert broken(database) is None
    found = broken(database, kept)
    assert found is not None
    assert found.line == 4


def test_a_log_that_went_on_holds_its_backups_head(database: Database) -> None:
    """What was kept stays true however much is written after it; an empty log's head fits every log."""
    noted(database, 2)
    kept = head(database)
    noted(database, 3)

    assert broken(database, kept) is None
    assert broken(database, Head(0, BEGINNING)) is None


def test_threads_write_one_chain(database: Database) -> None:
    """Many at once on either database: one line after the other, without a gap."""
    failed: list[Exception] = []

    def write() -> None:
        try:
            noted(database, 10)
        except Exception as why:  # noqa: BLE001 - told below
            failed.append(why)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert [] == failed
    assert head(database).id == 40
    assert broken(database) is None


def test_newest_lines_come_first_and_page_by_number(database: Database) -> None:
    """What a page of the log shows, and the page after it."""
    noted(database, 5)
    with database.reading() as session:
        assert [5, 4] == [line.id for line in audit.lines(session, limit=2)]
        assert [3, 2] == [line.id for line in audit.lines(session, before=4, limit=2)]
