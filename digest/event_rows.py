"""The statements by which `outcomes` writes events and stamps deliveries. Called from there and nowhere else.

Both databases have their own fastest shape: SQLite takes row after row through one prepared statement, PostgreSQL
takes whole columns as binary arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy.orm import Session


class Row(NamedTuple):
    """One event as it is stored."""

    event_key: str
    content_key: str
    post: int
    kind: str
    happened_at: datetime
    received_at: datetime
    delivery_id: int | None
    batch_id: int | None
    attempt: int | None
    address_hash: str | None
    raw: str


_COLUMNS = ", ".join(Row._fields)
_KINDS = ("text", "text", "bigint", "text", "timestamptz", "timestamptz", "bigint", "bigint", "int", "text", "text")

_INTO_SQLITE = (
    f"INSERT INTO provider_events ({_COLUMNS}) VALUES ({', '.join('?' * len(_KINDS))}) ON CONFLICT DO NOTHING"  # noqa: S608 - names of ours
)
_NEW_IN_SQLITE = "SELECT event_key FROM provider_events WHERE id > ?"
# Binary: as text, psycopg writes each array element by element in Python, which takes longer than storing it.
INTO_POSTGRES = (
    f"INSERT INTO provider_events ({_COLUMNS}) SELECT * FROM unnest({', '.join(f'%b::{kind}[]' for kind in _KINDS)})"  # noqa: S608
    " ON CONFLICT DO NOTHING RETURNING event_key"
)

STAMPS = (
    "delivered_at",
    "deferred_at",
    "dropped_at",
    "bounced_at",
    "hard_bounced_at",
    "complained_at",
    "unsubscribed_at",
    "opened_at",
    "clicked_at",
)


def insert(session: Session, rows: Sequence[Row]) -> set[str]:
    """Store what is not there yet, by the one key or the other; gives the event keys of what was new.

    In the order of their content: two posts that bring the same events must not wait for each other.
    """
    ordered = sorted(rows, key=lambda row: row.content_key)
    if not ordered:
        return set()
    run = session.connection().exec_driver_sql
    if not _is_sqlite(session):
        return set(run(INTO_POSTGRES, _columns(ordered)).scalars())
    # Nobody else writes in this transaction: what is above this one is ours.
    last = run("SELECT coalesce(max(id), 0) FROM provider_events").scalar_one()
    received = in_sqlite(ordered[0].received_at)  # they came together
    run(_INTO_SQLITE, [(*row[:4], in_sqlite(row.happened_at), received, *row[6:]) for row in ordered])
    return set(run(_NEW_IN_SQLITE, (last,)).scalars())


Times = Mapping[tuple[int, int], datetime]
"""The earliest time reported, by delivery and edition."""


def stamp(session: Session, stamps: Mapping[str, Times]) -> None:
    """Write each time into its column where none, or a later one, stands."""
    if unknown := stamps.keys() - set(STAMPS):
        raise ValueError(f"deliveries have no column “{min(unknown)}”")
    run = session.connection().exec_driver_sql
    if not _is_sqlite(session):
        about = sorted({each for times in stamps.values() for each in times})
        columns = tuple(sorted(stamps))
        run(
            _earliest_of_all_columns(columns), (*_columns(about), *([stamps[c].get(a) for a in about] for c in columns))
        )
        return
    for column, times in stamps.items():
        rows = [(in_sqlite(at), *about, in_sqlite(at)) for about, at in sorted(times.items())]
        run(_earliest(column), rows)


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


def _earliest(column: str) -> str:
    return (
        f"UPDATE deliveries SET {column} = ? WHERE id = ? AND edition_id = ?"  # noqa: S608 - a name of ours
        f" AND ({column} IS NULL OR {column} > ?)"
    )


@cache
def _earliest_of_all_columns(columns: tuple[str, ...]) -> str:
    """One statement. It locks in one order first: two posts about the same deliveries must not wait for each other."""
    arrays = ", ".join(["%b::bigint[]", "%b::bigint[]", *("%b::timestamptz[]" for _ in columns)])
    least = {column: f"least(d.{column}, told.{column})" for column in columns}
    return (
        f"WITH told (id, edition_id, {', '.join(columns)}) AS (SELECT * FROM unnest({arrays})),"  # noqa: S608 - names of ours
        " locked AS (SELECT d.id FROM deliveries AS d JOIN told USING (id, edition_id)"
        " ORDER BY d.id FOR NO KEY UPDATE OF d)"
        f" UPDATE deliveries AS d SET {', '.join(f'{column} = {value}' for column, value in least.items())}"
        " FROM told JOIN locked USING (id) WHERE d.id = told.id"
        f" AND ({' OR '.join(f'd.{column} IS DISTINCT FROM {value}' for column, value in least.items())})"
    )


LENGTH = len("2026-11-20 09:00:00.000000")


def in_sqlite(at: datetime) -> str:
    """An instant in UTC as `database.UtcDateTime` has SQLite keep it."""
    return at.isoformat(" ", "microseconds")[:LENGTH]


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
