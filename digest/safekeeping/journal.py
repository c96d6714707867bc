"""The journal: what must survive the loss of the database, written and fsynced before the transaction commits.

It is written ahead: a line whose transaction then failed does no harm, a commit without its line would. A restored
backup is made to obey it before anything else may happen (`digest.safekeeping.restoring`). One file for each host.

The format, version 1: JSON Lines in UTF-8, one object a line, never changed and only added to.

    {"v":1,"what":"journal","id":"<32 hexadecimal digits>"}
    {"v":1,"what":"left","at":"<ISO 8601>","key":"<key id>","person":"<64 digits>","address":"<64 digits>"}
    {"v":1,"what":"begun","at":"<ISO 8601>","week":"2026-W47"}
    {"v":1,"what":"healed"}

The first line names the journal. `what` is one of `subscribers.notes.What`; "begun" stands there before the first
hand-over of an edition, "moved" with the address that somebody moved away from. `person` and `address` are keyed
hashes (`subscribers.secrecy`): no line holds an address, and `key` says which of our keys made them. "healed" follows
a line that a crash left unfinished; its transaction never committed.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import orjson
from sqlalchemy.orm import Session

from digest.errors import DigestError
from subscribers.notes import Note, What, noted

VERSION = 1
_FACTS: frozenset[str] = frozenset(get_args(What))
_HEAD, _HEALED = "journal", "healed"
_HASH = re.compile(r"[0-9a-f]{64}")
_WEEK = re.compile(r"\d{4}-W\d{2}")


class JournalFailed(DigestError):
    """The journal could not be written, so nothing was changed."""


class JournalUnreadable(DigestError):
    """This is not a journal, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a journal had come: its own id and its length in octets."""

    id: str
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """One fact as read back. `key` is the id of the key its hashes were made with; None for an edition's.

    `begins`: at which octet of its file.
    """

    note: Note
    key: str | None = None
    begins: int = 0


class Journal:
    """One file that any number of threads and processes of this host add to."""

    def __init__(self, path: Path, *, key_id: str) -> None:
        self.path = path
        self._key_id = key_id

    def keep(self, session: Session) -> None:
        """Write what a transaction has noted: to be called before it commits. Raises JournalFailed."""
        if notes := noted(session):
            self.write(notes)

    def write(self, notes: Sequence[Note]) -> None:
        """Add a line for each and wait until the disk has them. Raises JournalFailed."""
        lines = b"".join(_line(**_fields(note, self._key_id)) for note in notes)
        with self._ours() as (descriptor, begun):
            _write(descriptor, begun + lines)

    def mark(self) -> Mark:
        """How far it has come; begins it where there is none. Raises JournalFailed or JournalUnreadable."""
        with self._ours() as (descriptor, begun):
            if begun:
                _write(descriptor, begun)
            size = os.fstat(descriptor).st_size
        return Mark(mark(self.path).id, size)

    @contextmanager
    def _ours(self) -> Iterator[tuple[int, bytes]]:
        """The file for us alone, and what must be written first: its head, or the end of an unfinished line.

        Opened each time: a lock on a shared descriptor would not keep two threads apart.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor, self._beginning(descriptor)
            finally:
                os.close(descriptor)
        except OSError as why:
            raise JournalFailed(
                f"The journal {self.path} cannot be written: {why.strerror}. Nothing was changed; see DIGEST_JOURNAL."
            ) from why

    def _beginning(self, descriptor: int) -> bytes:
        size = os.fstat(descriptor).st_size
        head = _line(what=_HEAD, id=secrets.token_hex(16))
        if size == 0:
            sync_folder(self.path.parent)
            return head
        if os.pread(descriptor, 1, size - 1) == b"\n":
            return b""
        is_head = b"\n" not in os.pread(descriptor, len(head), 0)
        return b"\n" + _line(what=_HEALED) + (head if is_head else b"")


def sync_folder(folder: Path) -> None:
    """A new or renamed file is only safe once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fields(note: Note, key_id: str) -> dict[str, Any]:
    fields = {"what": note.what, "at": note.at.isoformat()}
    if note.week is not None:
        return {**fields, "week": note.week}
    return {**fields, "key": key_id, "person": note.person, "address": note.address}


def _line(**fields: Any) -> bytes:
    return orjson.dumps({"v": VERSION, **fields}) + b"\n"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


# — reading —


def mark(path: Path) -> Mark:
    """A journal's id and length. Raises JournalUnreadable."""
    with _opened(path) as lines:
        for number, raw in lines:
            found = _parsed(path, number, raw)
            if isinstance(found, dict) and found.get("what") == _HEAD:
                return Mark(str(found.get("id")), path.stat().st_size)
            if number > 2:  # noqa: PLR2004 - only its own unfinished beginning and the mending stand before a head
                break
    raise JournalUnreadable(f"{path} is not a journal of this program: its first line names none.")


def read(path: Path) -> Iterator[Line]:
    """Every fact, in its order. Raises JournalUnreadable, naming the line.

    An unfinished line is passed over where a crash left it: at the very end, or before a line that says so.
    """
    mark(path)
    unfinished = begins = 0
    with _opened(path) as lines:
        for number, raw in lines:
            found = _parsed(path, number, raw)
            healed = isinstance(found, dict) and found.get("what") == _HEALED
            if unfinished and not healed:
                raise _damaged(path, unfinished)
            unfinished = number if found is None and raw.endswith(b"\n") else 0
            if isinstance(found, Line):
                yield replace(found, begins=begins)
            begins += len(raw)
    if unfinished:
        raise _damaged(path, unfinished)


def keys_in(path: Path) -> set[str]:
    """The ids of all keys that its hashes were made with. Raises JournalUnreadable."""
    return {line.key for line in read(path) if line.key is not None}


def merged(journals: Iterable[Iterable[Line]]) -> Iterator[Line]:
    """The facts of several hosts' journals: each in its own order, put together by their times."""
    return heapq.merge(*journals, key=lambda line: line.note.at)


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[tuple[int, bytes]]]:
    try:
        with path.open("rb") as file:
            yield enumerate(file, start=1)
    except OSError as why:
        raise JournalUnreadable(f"The journal {path} cannot be read: {why.strerror}.") from why


def _parsed(path: Path, number: int, raw: bytes) -> Line | dict[str, Any] | None:
    """A fact, a line about the journal itself, or None for what is no line of ours."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("v"), int):
        return None
    if found["v"] > VERSION:
        raise JournalUnreadable(f"{path}, line {number} was written by a newer version of this program.")
    return found if found.get("what") in (_HEAD, _HEALED) else _fact(found)


def _fact(found: dict[str, Any]) -> Line | None:
    what, week, hashes = found.get("what"), found.get("week"), [found.get("person"), found.get("address")]
    try:
        at = datetime.fromisoformat(str(found.get("at")))
    except ValueError:
        return None
    if what not in _FACTS or at.tzinfo is None:
        return None
    if what == "begun":
        return Line(Note("begun", at, week=week)) if isinstance(week, str) and _WEEK.fullmatch(week) else None
    if not all(isinstance(each, str) and _HASH.fullmatch(each) for each in hashes):
        return None
    return Line(Note(what, at, *hashes), str(found.get("key")))


def _damaged(path: Path, number: int) -> JournalUnreadable:
    return JournalUnreadable(
        f"{path}, line {number} is damaged. Nothing was restored: an opt-out may have stood there. "
        f"Put back a whole copy of this file."
    )
