"""All our tables from one kind of database to the other, as they are: nothing is interpreted on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlalchemy.sql.elements import ColumnElement

import digest.models as _paper
import subscribers.models as _people
from database import Base

TABLES_OF = (_paper, _people)  # imported so that their tables are in the metadata
CHUNK = 2_000


class _JsonText(sa.types.TypeDecorator[str]):
    """PostgreSQL's JSON as its text: a NULL stays apart from a JSON null, and no number is written differently."""

    impl = sa.Text
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> ColumnElement[Any]:
        return sa.cast(bindvalue, sa.JSON)

    def column_expression(self, column: Any) -> ColumnElement[Any]:
        return sa.cast(column, sa.Text)


def ours() -> list[Table]:
    """Every table of the program, parents before children."""
    return list(Base.metadata.sorted_tables)


def copy(source: Connection, target: Connection, progress: Callable[[int, int], None]) -> None:
    """Every row of every table into empty ones. Both have the newest shape. `progress`: rows done, of how many."""
    total, done = sum(count(source).values()), 0
    progress(done, total)
    for table in ours():
        read, write = _plain(table, source), _plain(table, target)
        found = source.execute(sa.select(read), execution_options={"yield_per": _chunk(table)})
        for part in found.mappings().partitions():
            target.execute(write.insert(), [dict(row) for row in part])
            done += len(part)
            progress(done, total)


def count(connection: Connection) -> dict[str, int]:
    """How many rows each table holds."""
    return {each.name: connection.scalar(sa.select(sa.func.count()).select_from(each)) or 0 for each in ours()}


def _plain(table: Table, connection: Connection) -> Table:
    """The same table with its values as the database keeps them."""
    text = sa.Text() if _is_sqlite(connection) else _JsonText()
    return sa.Table(
        table.name,
        sa.MetaData(),
        *(sa.Column(each.name, _plain_type(each.type, text), primary_key=each.primary_key) for each in table.columns),
    )


def _plain_type(kind: Any, json: sa.types.TypeEngine[str]) -> Any:
    if isinstance(kind, sa.JSON):
        return json
    return sa.String() if isinstance(kind, sa.Enum) else kind


def _chunk(table: Table) -> int:
    """Rows with whole files in them one at a time."""
    return 1 if any(isinstance(each.type, sa.LargeBinary) for each in table.columns) else CHUNK


# — numbers are never given twice —


def numbers(connection: Connection) -> dict[str, int]:
    """The highest id each table ever gave by itself, also to a row that is gone, as far as the database knows."""
    if not _is_sqlite(connection):
        return {table.name: _last_of(connection, sequence) for table, sequence in _sequences(connection)}
    kept: dict[str, int] = {}
    if sa.inspect(connection).has_table("sqlite_sequence"):
        kept = {name: int(last) for name, last in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}
    return {
        table.name: max(
            kept.get(table.name, 0), connection.scalar(sa.select(sa.func.max(table.autoincrement_column))) or 0
        )
        for table in ours()
        if table.autoincrement_column is not None
    }


def go_on_from(connection: Connection, highest: Mapping[str, int]) -> None:
    """Let every table count on from these numbers."""
    if not _is_sqlite(connection):
        for table, sequence in _sequences(connection):
            last = highest.get(table.name, 0)
            connection.execute(sa.select(sa.func.setval(sequence, max(last, 1), last > 0)))
        return
    for table in ours():
        if table.dialect_options["sqlite"]["autoincrement"] and table.name in highest:
            named = {"name": table.name, "last": highest[table.name]}
            connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), named)
            connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), named)


def _sequences(connection: Connection) -> Iterator[tuple[Table, str]]:
    for table in ours():
        if table.autoincrement_column is not None:
            column = table.autoincrement_column.name
            sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column)))
            if sequence:
                yield table, sequence


def _last_of(connection: Connection, sequence: str) -> int:
    row = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608 - its own name
    return int(row.last_value) if row.is_called else 0


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
