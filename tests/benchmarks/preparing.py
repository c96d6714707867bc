"""Preparing an edition beside a bare INSERT … SELECT of the same rows: seconds, and how many times as long.

    python -m tests.benchmarks.preparing                                # both databases, 100,000 and a million
    python -m tests.benchmarks.preparing --database sqlite --sizes 100000

Preparing is all that `digest edition send` does before the first call: the approval checked, the audience weighed, a
first wave of 2 % drawn, deliveries and batches written, the sum checked, committed. The bare statement copies the
deliveries that came of it, in their order, out of a table of exactly their columns into the same empty table with the
same indexes: less cannot be done to write them down. Both take turns in one database; the best of each counts.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import sending
from digest.bootstrap import Services
from digest.models import Batch, Delivery, Edition, EditionState, LeftOut
from digest.rehearsal import SENT_AT
from tests.benchmarks import send
from tests.benchmarks.importing import DATABASES, fresh_database
from tests.benchmarks.tables import print_table

SIZES = (100_000, 1_000_000)
ROUNDS = 3

BARE = sa.text(
    "INSERT INTO deliveries (id, edition_id, subscriber_id, variant) "
    "SELECT id, edition_id, subscriber_id, variant FROM same_rows ORDER BY id"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.preparing", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    for kind in options.database or DATABASES:
        sizes = map(int, options.sizes.split(","))
        _print(kind, [_measure(kind, size, options.rounds) for size in sizes])


def _measure(kind: str, size: int, rounds: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="verdict-bench-") as folder,
        fresh_database(kind, Path(folder) / kind) as url,
    ):
        services = send.services(url, first_wave="auto")
        send.approved(services, size)
        prepared, bare = [], []
        for _ in range(rounds):
            prepared.append(_timed(lambda: sending.prepare(services, send.WEEK, by="benchmark", now=SENT_AT)))
            rows = _written(services)
            _keep_the_rows(services.database)
            _empty(services.database)
            bare.append(_timed(lambda: _insert(services.database)))
            assert _count(services.database) == rows["deliveries"], "the bare statement wrote other rows"
            _empty(services.database)
        services.close()
    return {"size": size, "prepared": min(prepared), "bare": min(bare), "worst": max(prepared), **rows}


def _timed(do: Callable[[], None]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def _insert(database: Database) -> None:
    with database.writing() as session:
        session.execute(BARE)


def _written(services: Services) -> dict[str, int]:
    with services.database.reading() as session:
        waves = sa.select(Batch.wave, sa.func.sum(Batch.last_delivery - Batch.first_delivery + 1)).group_by(Batch.wave)
        by_wave = {wave: int(people) for wave, people in session.execute(waves)}
        batches = session.scalar(sa.select(sa.func.count()).select_from(Batch)) or 0
    return {
        "deliveries": sum(by_wave.values()),
        "batches": batches,
        "first_wave": by_wave[1] if len(by_wave) > 1 else 0,
    }


def _count(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Delivery)) or 0


def _keep_the_rows(database: Database) -> None:
    with database.writing() as session:
        session.execute(sa.text("DROP TABLE IF EXISTS same_rows"))
        session.execute(
            sa.text(
                "CREATE TABLE same_rows AS SELECT id, edition_id, subscriber_id, variant FROM deliveries ORDER BY id"
            )
        )


def _empty(database: Database) -> None:
    """As before the edition was prepared, on disk too: neither side is to find room or a log left by the other."""
    with database.writing() as session:
        _forget_batches(session)
        session.execute(sa.delete(Delivery) if database.is_sqlite else sa.text("TRUNCATE deliveries"))
    if database.is_sqlite:
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
            server.exec_driver_sql("VACUUM ANALYZE subscribers, same_rows, deliveries")
            server.exec_driver_sql("CHECKPOINT")


def _forget_batches(session: Session) -> None:
    session.execute(sa.delete(Batch))
    session.execute(sa.delete(LeftOut))
    session.execute(sa.update(Edition).values(state=EditionState.APPROVED, prepared_at=None, candidates=None))


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    head = ("deliveries", "first wave", "batches", "preparing s", "worst s", "bare s", "times")
    table = [
        (
            f"{row['deliveries']:,}",
            f"{row['first_wave']:,}",
            f"{row['batches']:,}",
            f"{row['prepared']:.2f}",
            f"{row['worst']:.2f}",
            f"{row['bare']:.2f}",
            f"{row['prepared'] / row['bare']:.2f}",
        )
        for row in rows
    ]
    print_table(kind, head, table)


if __name__ == "__main__":
    main()
