"""Lists of people in and out: CSV import in resumable chunks, CSV and JSON export as a stream.

Both keep flat memory whatever the length. Importing the same file twice does nothing the second time.
"""

from __future__ import annotations

import csv
import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, BinaryIO, TextIO

from sqlalchemy.orm import Session

from database import Database
from subscribers import addresses, consent, dialects, spreadsheets
from subscribers.addresses import Address, BadAddress
from subscribers.consent import Newcomer
from subscribers.consent.outcomes import LONGEST_NAME
from subscribers.dialects import Reading
from subscribers.letters import LetterOwed
from subscribers.models import Subscriber
from subscribers.policy import Decision
from subscribers.spreadsheets import BadLine, Row, Table, guarded, read_list, unguarded, written_list
from subscribers.texts import one_line, shortened

CHUNK = 3_000
"""People per transaction: well under half a second, so that nobody waits long for the write lock."""

LONGEST_TOPIC, MOST_TOPICS = 300, 100
FIRST_YEAR = 1970
CLOCK_SLACK = timedelta(days=1)

Owe = Callable[[Session, Sequence[LetterOwed]], None]
"""Takes the letters that one chunk owes, in that chunk's transaction."""


def _ignored(_: Any) -> None:
    """For callers who do not ask."""


@dataclass
class Report:
    """What an import did, or would do: lines = added + confirmed + unchanged + left there + duplicates + bad."""

    dialect: str = ""
    """Whose list it is, see `dialects`."""
    caution: str | None = None
    """What such a list does not say."""
    lines: int = 0
    added: int = 0
    confirmed: int = 0
    """Pending people who became active by the basis of consent."""
    unchanged: Counter[str] = field(default_factory=Counter)
    """People left as they are, by reason; among them the refused, of whom we remember only that they are."""
    left_there: Counter[str] = field(default_factory=Counter)
    """People the file itself does not show as subscribed, by reason: nothing was done about them."""
    duplicates: int = 0
    """Lines with an address that stands further up in the same file."""
    bad: int = 0
    letters: int = 0
    """Confirmation letters owed; not part of the sum."""

    def add(self, chunk: _SortedOut, decided: Mapping[Decision, int]) -> None:
        """One more chunk, and what became of its newcomers."""
        self.lines += chunk.lines
        self.bad += len(chunk.bad)
        self.duplicates += chunk.duplicates
        self.left_there.update(who.reason for who in chunk.left_there)
        for decision, people in decided.items():
            self._add(decision, people)

    def _add(self, decision: Decision, people: int) -> None:
        if not decision.recorded:
            self.unchanged[decision.why] += people
        elif decision.before is None:
            self.added += people
        else:
            self.confirmed += people
        self.letters += people * (decision.letter is not None)


def bring_in(
    database: Database,
    stream: BinaryIO,
    *,
    basis: str | None,
    now: datetime,
    source: str,
    owe: Owe,
    on_bad: Callable[[BadLine], None],
    on_left_there: Callable[[BadLine], None] = _ignored,
    on_chunk: Callable[[int], None] = _ignored,
    dry_run: bool = False,
) -> Report:
    """Add everybody in a CSV file with addresses, and perhaps names, topics and times; see `dialects` for its columns.

    Each chunk is one transaction; interrupted, run it again. `basis` is how these people agreed, in words; without it
    they are pending and owed a confirmation letter. Whom the file does not show as subscribed is left there, whatever
    the basis: `on_left_there` gets each such line, `on_bad` every line that could not be used, `on_chunk` how many
    lines are done. A dry run reads and reports, and writes nothing.
    Raises UnreadableFile (nothing, or no more, was written) and NoBasis.
    """
    with spreadsheets.opened(stream, required=dialects.EMAIL_COLUMNS) as table, closing(_Seen()) as seen:
        reading = dialects.reading(table.columns)
        report = Report(reading.dialect.name, reading.dialect.caution)
        with closing(_ahead(_sorted_out(table, _Reader(reading, now), seen))) as chunks:
            for chunk in chunks:
                for bad in chunk.bad:
                    on_bad(bad)
                for who in chunk.left_there:
                    on_left_there(BadLine(who.line, f"This person {who.reason}."))
                people = chunk.newcomers
                decided = _settled(database, people, basis, now=now, source=source, owe=owe, dry_run=dry_run)
                report.add(chunk, decided)
                on_chunk(chunk.lines)
    return report


@dataclass(slots=True)
class _SortedOut:
    """What the records of one chunk are, each exactly one of these."""

    lines: int
    newcomers: list[Newcomer] = field(default_factory=list)
    left_there: list[_LeftThere] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    duplicates: int = 0


def _sorted_out(table: Table, reader: _Reader, seen: _Seen) -> Iterator[_SortedOut]:
    """The records of a file in chunks, everybody once."""
    records = iter(table)
    while chunk := list(itertools.islice(records, CHUNK)):
        read = [found if isinstance(found, BadLine) else reader.read(found) for found in chunk]
        fresh = seen.fresh([one.address.key for one in read if not isinstance(one, BadLine)])
        done = _SortedOut(len(chunk))
        for one in read:
            if isinstance(one, BadLine):
                done.bad.append(one)
            elif one.address.key not in fresh:
                done.duplicates += 1
            else:
                fresh.remove(one.address.key)
                if isinstance(one, Newcomer):
                    done.newcomers.append(one)
                else:
                    done.left_there.append(one)
        yield done


def _ahead(chunks: Iterator[_SortedOut]) -> Generator[_SortedOut, None, None]:
    """The same chunks, each made in another thread while the one before it is worked on.

    Reading takes the interpreter, writing takes the database: one does not wait for the other.
    """
    with ThreadPoolExecutor(1, "reading ahead") as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _settled(
    database: Database,
    newcomers: Sequence[Newcomer],
    basis: str | None,
    *,
    now: datetime,
    source: str,
    owe: Owe,
    dry_run: bool,
) -> Counter[Decision]:
    """What becomes of one chunk, in one transaction."""
    if dry_run:
        with database.reading() as session:
            return Counter(consent.forecast(session, newcomers, basis=basis))
    with database.writing() as session:
        done = consent.bring_in(session, newcomers, basis=basis, now=now, source=source)
        owe(session, done.letters)
    return done.decisions


class _BadCell(Exception):
    """A cell that cannot be used, with the reason as a sentence."""


@dataclass(frozen=True, slots=True)
class _LeftThere:
    """A record of somebody whom its own source does not show as subscribed."""

    line: int
    address: Address
    reason: str


class _Reader:
    """Makes people of the records of one file."""

    def __init__(self, reading: Reading, now: datetime) -> None:
        self._reading = reading
        self._latest = now + CLOCK_SLACK

    def read(self, row: Row) -> Newcomer | _LeftThere | BadLine:
        line, cells = row
        reading = self._reading
        try:
            address = addresses.parse(unguarded(cells[reading.email]))
            reason = reading.left_there(cells) if reading.signs else None
            if reason is not None:
                return _LeftThere(line, address, reason)
            return Newcomer(
                address,
                _name(reading.name(cells)) if reading.names else None,
                _topics(cells[reading.topics]) if reading.topics is not None else (),
                self._created_at(cells) if reading.created else None,
            )
        except (BadAddress, _BadCell) as why:
            return BadLine(line, str(why))

    def _created_at(self, cells: Sequence[str]) -> datetime | None:
        column, cell = self._reading.created_at(cells)
        if not cell:
            return None
        moment = dialects.moment(cell)
        if moment is None:
            # What is said of a line may be kept for longer than the person is.
            said = "an address" if "@" in cell else shortened(cell, 40)
            raise _BadCell(f"{column} is no time such as 2026-03-01T09:00:00Z: {said}")
        if moment.year < FIRST_YEAR:
            raise _BadCell(f"{column} lies before {FIRST_YEAR}.")
        if moment > self._latest:
            raise _BadCell(f"{column} lies in the future.")
        return moment


def _name(cell: str) -> str | None:
    if not cell:
        return None
    name = one_line(unguarded(cell))
    if len(name) > LONGEST_NAME:
        raise _BadCell(f"The name is longer than {LONGEST_NAME} characters.")
    return name or None


@lru_cache(maxsize=1_024)  # whole columns of a list say the same
def _topics(cell: str) -> tuple[str, ...]:
    topics = tuple(filter(None, map(one_line, read_list(unguarded(cell)))))
    if len(topics) > MOST_TOPICS or any(len(topic) > LONGEST_TOPIC for topic in topics):
        raise _BadCell(f"There are more than {MOST_TOPICS} topics, or one is longer than {LONGEST_TOPIC} characters.")
    return topics


class _Seen:
    """The addresses met so far, in a temporary file that goes away with it: a million must not fill the memory.

    Kept as numbers of 64 bits: that two of a million addresses share one happens once in 37 million lists.
    """

    def __init__(self) -> None:
        # Asked in one thread at a time, though not always in the same.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = off",
            "PRAGMA synchronous = off",
            "PRAGMA cache_size = -16384",
            "CREATE TABLE seen (address INTEGER PRIMARY KEY)",
            "BEGIN",
        ):
            self._file.execute(statement).close()

    def fresh(self, keys: Sequence[str]) -> set[str]:
        """Those never asked about before; from now on they were."""
        numbers = dict(zip(map(hash, keys), keys, strict=True))
        asked = (json.dumps(list(numbers)),)
        # One row and no loop: the driver lets go of the interpreter at every row it gives or takes.
        known = "SELECT json_group_array(address) FROM seen WHERE address IN (SELECT value FROM json_each(?))"
        with closing(self._file.cursor()) as cursor:
            for number in json.loads(cursor.execute(known, asked).fetchone()[0]):
                del numbers[number]
            cursor.execute("INSERT OR IGNORE INTO seen SELECT value FROM json_each(?)", asked)
        return set(numbers.values())

    def close(self) -> None:
        self._file.close()


COLUMNS = (
    "email",
    "name",
    "topics",
    "created_at",
    "state",
    "confirmed_at",
    "basis",
    "pending_since",
    "suppressed_because",
    "plain_text",
    "rhythm",
    "paused_until",
    "changed_at",
)


def record(person: Subscriber) -> dict[str, Any]:
    """What is held about one person, as plain values; times are aware."""
    values = {column: getattr(person, column) for column in COLUMNS}
    return values | {"topics": person.topics.splitlines(), "state": person.state.value, "rhythm": person.rhythm.value}


def write_csv(people: Iterable[Subscriber], out: TextIO) -> int:
    """A header and one line per person, safe to open in a spreadsheet; gives how many people."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for person in people:
        writer.writerow([guarded(_cell(value)) for value in record(person).values()])
        count += 1
    return count


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return written_list(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
