"""The audit log: what members of staff and programs did, each line chained to the one before.

A line's hash covers its own words and the hash before it, so that a line changed, taken out or put in between shows.
Lines cut off at the end show against a head kept elsewhere: every backup keeps one. No line holds an address: people
stand in it as numbers, and stay erased.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import AuditLine

COMMAND_LINE = "command line"
BEGINNING = "0" * 64
"""What stands as the hash before the first line."""

_LOCK = 0x6175646974  # "audit": the one advisory lock all processes on one PostgreSQL queue at
_CHUNK = 1000
_BEFORE_ALL = -(2**63)
_ADDRESS = re.compile(r"[^\s@]{0,200}@\S*")


_Cells = sa.Row[*tuple[Any, ...]]
"""One line as the database holds it."""

_WORDS = ("at", "by", "what", "about", "details", "previous", "hash")


class Head(NamedTuple):
    """The last line: its number, 0 before the first, and its hash."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that is not as it was written, and what is wrong with it."""

    line: int
    why: str


def note(session: Session, *, by: str, what: str, about: str | None, now: datetime, **details: Any) -> None:
    """Write one line: `by` is "staff 3", "token 2" or "command line", `about` such as "subscriber 17".

    Call it at the end of a transaction: on PostgreSQL whoever else has something to note waits from here until the
    commit. `details` are plain JSON values. Raises ValueError for anything with an @ in it: no address is written
    here (see `without_addresses`).
    """
    _await_turn(session)
    last = head(session)
    line = AuditLine(
        id=last.id + 1, at=now.astimezone(UTC), by=by, what=what, about=about, details=details, previous=last.hash
    )
    text = _canonical(line.id, line.at, by, what, about, details, last.hash)
    if "@" in text:
        raise ValueError(f'an audit line must hold no address, and "{what}" was given one')
    line.hash = _hash(text)
    session.add(line)
    session.flush()


def head(session: Session) -> Head:
    """The last line; number 0 and 64 zeros where nothing was noted yet."""
    last = session.execute(sa.select(AuditLine.id, AuditLine.hash).order_by(AuditLine.id.desc()).limit(1)).first()
    return Head(last.id, last.hash) if last else Head(0, BEGINNING)


def without_addresses(text: str) -> str:
    """Somebody's own words, such as a reason, fit for a line: whatever looks like an address is left out."""
    return _ADDRESS.sub("(an address)", text)


def lines(session: Session, *, before: int | None = None, limit: int = 100) -> Sequence[AuditLine]:
    """The newest lines, or those before one; newest first."""
    wanted = sa.select(AuditLine).order_by(AuditLine.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(AuditLine.id < before)
    return session.scalars(wanted).all()


def verify(session: Session, *, kept: Head | None = None) -> Broken | None:
    """The first line that is not as it was written; None when the chain is whole and still holds the kept head."""
    last, previous = 0, BEGINNING
    for row in _raw(session):
        last += 1
        wrong = _wrong(row, last, previous)
        if wrong is not None:
            return Broken(last, wrong)
        previous = _text(row.hash)
        if kept is not None and kept.id == last and kept.hash != previous:
            return Broken(last, "it is not the line that the backup knows by this number")
    if kept is not None and kept.id > last:
        return Broken(last + 1, f"it is missing: the backup knows lines up to {kept.id}")
    return None


def _await_turn(session: Session) -> None:
    """One at a time, or two lines would follow the same one. On SQLite whoever writes is alone already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _canonical(*words: Any) -> str:
    """One text for one line, whatever the database gives its cells back as: id, at, by, what, about, details, previous.

    Raises ValueError or TypeError for what is no plain JSON.
    """
    spelled = [word.isoformat(timespec="microseconds") if isinstance(word, datetime) else word for word in words]
    return json.dumps(spelled, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _raw(session: Session) -> Iterator[_Cells]:
    """Every line in order, its cells as octets: one that was tampered with may be no text, no time and no JSON."""
    cells = sa.select(AuditLine.id, *(_octets(session, name).label(name) for name in _WORDS))
    after = _BEFORE_ALL
    while found := session.execute(cells.where(AuditLine.id > after).order_by(AuditLine.id).limit(_CHUNK)).all():
        yield from found
        after = found[-1].id


def _octets(session: Session, name: str) -> sa.ColumnElement[Any]:
    column: sa.ColumnElement[Any] = AuditLine.__table__.c[name]
    if session.get_bind().dialect.name == "sqlite":
        return sa.cast(column, sa.LargeBinary)
    # PostgreSQL lets nothing but a time into this column, and writes it as each session likes.
    return column if name == "at" else sa.func.convert_to(sa.cast(column, sa.Text), "UTF8")


def _wrong(row: _Cells, expected: int, previous: str) -> str | None:
    if row.id != expected:
        return f"it is missing: line {row.id} follows line {expected - 1}"
    try:
        at, by, what, about, details, follows, written = map(_text, row[1:])
        text = _canonical(row.id, _instant(at), by, what, about, json.loads(details), follows)
    except (TypeError, ValueError):
        return "it cannot be read"
    if follows != previous:
        return "it does not follow the line before it"
    return None if _hash(text) == written else "it is not as it was written"


def _text(cell: Any) -> Any:
    """A cell of octets as text. Raises ValueError for what is no text."""
    return cell.decode() if isinstance(cell, bytes) else cell


def _instant(stored: Any) -> datetime:
    found = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
