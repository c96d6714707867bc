"""Lists of people in and out: CSV import in resumable chunks, CSV and JSON export as a stream.

Both keep flat memory whatever the length. Importing the same file twice does nothing the second time.
"""

from __future__ import annotations

import csv
import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, BinaryIO, TextIO

from sqlalchemy.orm import Session

from database import Database
from subscribers import addresses, consent, spreadsheets
from subscribers.addresses import BadAddress
from subscribers.consent import Newcomer
from subscribers.consent.outcomes import LONGEST_NAME
from subscribers.letters import LetterOwed
from subscribers.models import Subscriber
from subscribers.policy import Decision
from subscribers.spreadsheets import BadLine, Row, Table, guarded, read_list, written_list
from subscribers.texts import one_line, shortened

CHUNK = 2_000
"""People per transaction: well under half a second, so that nobody waits long for the write lock."""

LONGEST_TOPIC, MOST_TOPICS = 300, 100
FIRST_YEAR = 1970
CLOCK_SLACK = timedelta(days=1)

Owe = Callable[[Session, Sequence[LetterOwed]], None]
"""Takes the letters that one chunk owes, in that chunk's transaction."""


@dataclass
class Report:
    """What an import did, or would do: lines = added + confirmed + unchanged + duplicates + bad."""

    lines: int = 0
    added: int = 0
    confirmed: int = 0
    """Pending people who became active by the basis of consent."""
    unchanged: Counter[str] = field(default_factory=Counter)
    """People left as they are, by reason."""
    duplicates: int = 0
    """Lines with an address that stands further up in the same file."""
    bad: int = 0
    letters: int = 0
    """Confirmation letters owed; not part of the sum."""

    def note(self, decision: Decision) -> None:
        if not decision.recorded:
            self.unchanged[decision.why] += 1
        elif decision.before is None:
            self.added += 1
        else:
            self.confirmed += 1
        self.letters += decision.letter is not None


def bring_in(
    database: Database,
    stream: BinaryIO,
    *,
    basis: str | None,
    now: datetime,
    source: str,
    owe: Owe,
    on_bad: Callable[[BadLine], None],
    on_chunk: Callable[[int], None] = lambda _: None,
    dry_run: bool = False,
) -> Report:
    """Add everybody in a CSV file with an `email` column, and perhaps `name`, `topics` and `created_at`.

    Each chunk is one transaction; interrupted, run it again. `basis` is how these people agreed, in words; without it
    they are pending and owed a confirmation letter. `on_bad` gets every line that could not be used, `on_chunk` how
    many lines are done. A dry run reads and reports, and writes nothing.
    Raises UnreadableFile (nothing, or no more, was written) and NoBasis.
    """
    report = Report()
    with spreadsheets.opened(stream, required="email") as table, closing(_Seen()) as seen:
        for chunk in _chunks(table):
            newcomers = _sorted_out(chunk, seen, report, on_bad, now)
            for decision in _settled(database, newcomers, basis, now=now, source=source, owe=owe, dry_run=dry_run):
                report.note(decision)
            on_chunk(len(chunk))
    return report


def _sorted_out(
    chunk: Sequence[Row | BadLine], seen: _Seen, report: Report, on_bad: Callable[[BadLine], None], now: datetime
) -> list[Newcomer]:
    """The people of a chunk, each once; what is wrong or double is in the report."""
    read = [found if isinstance(found, BadLine) else _newcomer(found, now) for found in chunk]
    fresh = seen.fresh([person.address.key for person in read if isinstance(person, Newcomer)])
    newcomers = []
    for person in read:
        report.lines += 1
        if isinstance(person, BadLine):
            report.bad += 1
            on_bad(person)
        elif person.address.key in fresh:
            fresh.remove(person.address.key)
            newcomers.append(person)
        else:
            report.duplicates += 1
    return newcomers


def _settled(
    database: Database,
    newcomers: Sequence[Newcomer],
    basis: str | None,
    *,
    now: datetime,
    source: str,
    owe: Owe,
    dry_run: bool,
) -> list[Decision]:
    """What becomes of one chunk, in one transaction."""
    if dry_run:
        with database.reading() as session:
            return consent.forecast(session, newcomers, basis=basis)
    with database.writing() as session:
        added = consent.add_all(session, newcomers, basis=basis, now=now, source=source)
        owe(session, [one.letter for one in added if one.letter])
    return [one.decision for one in added]


def _chunks(table: Table) -> Iterator[list[Row | BadLine]]:
    records = iter(table)
    while chunk := list(itertools.islice(records, CHUNK)):
        yield chunk


def _newcomer(row: Row, now: datetime) -> Newcomer | BadLine:
    try:
        return Newcomer(
            addresses.parse(row.cells.get("email", "")),
            name=_name(row.cells.get("name", "")),
            topics=_topics(row.cells.get("topics", "")),
            created_at=_moment(row.cells.get("created_at", ""), now),
        )
    except (BadAddress, _BadCell) as why:
        return BadLine(row.line, str(why))


class _BadCell(Exception):
    """A cell that cannot be used, with the reason as a sentence."""


def _name(cell: str) -> str | None:
    name = one_line(cell)
    if len(name) > LONGEST_NAME:
        raise _BadCell(f"The name is longer than {LONGEST_NAME} characters.")
    return name or None


@lru_cache(maxsize=1_024)  # whole columns of a list say the same
def _topics(cell: str) -> tuple[str, ...]:
    topics = tuple(filter(None, map(one_line, read_list(cell))))
    if len(topics) > MOST_TOPICS or any(len(topic) > LONGEST_TOPIC for topic in topics):
        raise _BadCell(f"There are more than {MOST_TOPICS} topics, or one is longer than {LONGEST_TOPIC} characters.")
    return topics


def _moment(cell: str, now: datetime) -> datetime | None:
    """ISO 8601; without a zone it is UTC."""
    text = cell.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadCell(f"created_at is no time such as 2026-03-01T09:00:00Z: {shortened(text, 40)}") from None
    if moment.year < FIRST_YEAR:
        raise _BadCell(f"created_at lies before {FIRST_YEAR}.")
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now + CLOCK_SLACK:
        raise _BadCell("created_at lies in the future.")
    return moment


class _Seen:
    """The addresses met so far, in a temporary file that goes away with it: a million must not fill the memory."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID").close()

    def fresh(self, keys: Sequence[str]) -> set[str]:
        """Those never asked about before; from now on they were."""
        insert = "INSERT OR IGNORE INTO seen SELECT value FROM json_each(?) WHERE true RETURNING key"
        with closing(self._file.execute(insert, (json.dumps(keys),))) as rows:
            return {key for (key,) in rows}

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
