"""The work on uploaded lists: checking them, and bringing them in.

A worker holds a list by a lease that it renews after every chunk; when it dies, the next one begins again at the
first line, which is safe because bringing in is idempotent: whoever is in stays as they are. All that one import adds
carries the moment somebody pressed the button, so that its events can be counted exactly, however often it was
interrupted.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, undefer

from database import Database, WriteLockTimeout, claim
from digest import postman
from digest.errors import DigestError
from digest.models import ImportState, Letter, ListImport
from digest.people.imports import Tally, without_addresses
from subscribers import policy, transfer
from subscribers.errors import PeopleError
from subscribers.letters import LetterOwed
from subscribers.models import ConsentEvent
from subscribers.policy import Act, State
from subscribers.spreadsheets import BadLine
from subscribers.transfer import Report

log = structlog.get_logger()

MOST_BAD_LINES = 200
"""How many a report keeps, with their reasons."""
LEASE = timedelta(minutes=1)

_RUNNING = (ImportState.CHECKING, ImportState.BRINGING_IN)


class Overtaken(DigestError):
    """Another worker has taken this import over, or somebody has decided otherwise."""


class Interrupted(DigestError):
    """The process was asked to stop; this import goes on where there is a worker."""


def work_next(
    database: Database, *, clock: Callable[[], datetime], stopped: Callable[[], bool] = lambda: False
) -> str | None:
    """Check or bring in the list that has waited longest, to its end; says what became of it, None when none is due.

    Raises what the database raises: the lease runs out and somebody tries again.
    """
    run = _claimed(database, clock)
    if run is None:
        return None
    try:
        return run.to_the_end(stopped)
    except Overtaken:
        return f"import {run.number} left to somebody else"
    except Interrupted:
        run.release()
        return f"import {run.number} interrupted"
    except PeopleError as why:
        run.fail(str(why))
    except (SQLAlchemyError, WriteLockTimeout, DigestError, OSError):
        raise
    except Exception as why:
        # Begun again, it would only fail again; somebody has to look.
        log.exception("an import failed in an unforeseen way", number=run.number)
        run.fail(f"It failed in an unforeseen way: {type(why).__name__}.")
    return f"import {run.number} failed"


def _claimed(database: Database, clock: Callable[[], datetime]) -> _Run | None:
    now = clock()
    due = (
        sa.select(ListImport)
        .where(ListImport.state.in_(_RUNNING), sa.or_(ListImport.lease_until.is_(None), ListImport.lease_until <= now))
        .order_by(ListImport.id)
        .limit(1)
    )
    # Looking takes no write lock: there is nothing to do nearly always.
    with database.reading() as session:
        if session.scalars(due).one_or_none() is None:
            return None
    with database.writing() as session:
        found = session.scalars(
            due.options(undefer(ListImport.content)).with_for_update(skip_locked=True)
        ).one_or_none()
        if found is None:
            return None
        found.lease_until = now + LEASE
        found.lines_done = 0
        return _Run(database, clock, found, found.lease_until)


class _Run:
    """One worker's turn at one import, for as long as its lease is the one in the row."""

    def __init__(self, database: Database, clock: Callable[[], datetime], found: ListImport, lease: datetime) -> None:
        self.number = found.id
        self._database = database
        self._clock = clock
        self._found = found
        self._lease = lease
        self._lines = 0
        self._bad: list[BadLine] = []

    def to_the_end(self, stopped: Callable[[], bool]) -> str:
        """Raises Overtaken, Interrupted, and what `transfer.bring_in` raises."""
        is_check = self._found.state is ImportState.CHECKING
        # What the row says of a run begins when somebody wanted it, whoever does it in the end.
        begun = self._clock() if is_check else datetime.fromisoformat((self._found.report or {})["begun_at"])
        with io.BufferedReader(gzip.GzipFile(fileobj=io.BytesIO(self._found.content or b""))) as stream:
            report = transfer.bring_in(
                self._database,
                stream,
                basis=self._found.basis,
                now=begun,
                source=_source(self._found),
                owe=lambda session, letters: self._owe(session, letters, begun),
                on_bad=self._note_bad,
                on_chunk=lambda lines: self._go_on(lines, stopped),
                dry_run=is_check,
            )
        tally = self._tally(report)
        if is_check:
            self._move(ImportState.CHECKED, report=tally.model_dump(), lines_done=tally.lines)
            return f"import {self.number} checked: {tally.lines:,} lines"
        self._complete(tally, begun)
        return f"import {self.number} brought in: {tally.brought_in:,} people"

    def release(self) -> None:
        """Let somebody else go on at once."""
        ours = (ListImport.id == self.number, ListImport.lease_until == self._lease)
        with self._database.writing() as session:
            claim(session, ListImport, *ours, values={"lease_until": None})

    def fail(self, problem: str) -> None:
        """The end, with what is wrong; people brought in so far stay in."""
        problem = without_addresses(problem)
        try:
            self._move(ImportState.FAILED, problem=problem, content=None, finished_at=self._clock())
        except Overtaken:
            log.info("a failure came too late to count", number=self.number, problem=problem)

    def _complete(self, tally: Tally, begun: datetime) -> None:
        """Count what this import has done altogether, also before an interruption, and drop the content."""
        with self._database.reading() as session:
            people, letters = _traces(session, _source(self._found), begun)
        tally.earlier = max(0, people - tally.added - tally.confirmed)
        tally.letters = letters
        tally.unchanged = _counted_once(tally.unchanged, tally.earlier, self._found.basis)
        self._move(
            ImportState.DONE,
            report=tally.model_dump(),
            lines_done=tally.lines,
            content=None,
            finished_at=self._clock(),
        )

    def _tally(self, report: Report) -> Tally:
        return Tally(
            lines=report.lines,
            added=report.added,
            confirmed=report.confirmed,
            unchanged=dict(report.unchanged),
            left_there=dict(report.left_there),
            duplicates=report.duplicates,
            bad=report.bad,
            bad_lines=[asdict(line) for line in self._bad],
            letters=report.letters,
            dialect=report.dialect,
            caution=report.caution,
        )

    def _note_bad(self, line: BadLine) -> None:
        if len(self._bad) < MOST_BAD_LINES:
            self._bad.append(BadLine(line.line, without_addresses(line.reason)))

    def _owe(self, session: Session, letters: Sequence[LetterOwed], now: datetime) -> None:
        postman.queue_all(session, letters, now=now)

    def _go_on(self, lines: int, stopped: Callable[[], bool]) -> None:
        """After each chunk: say how far it is, hold the lease, and stop where that was asked."""
        self._lines += lines
        until = max(self._clock() + LEASE, self._lease + timedelta(microseconds=1))
        self._hold(lease_until=until, lines_done=self._lines)
        self._lease = until
        if stopped():
            raise Interrupted

    def _move(self, state: ImportState, **values: Any) -> None:
        self._hold(state=state, lease_until=None, **values)

    def _hold(self, **values: Any) -> None:
        """Write to the row, if it is still ours. Raises Overtaken."""
        ours = (
            ListImport.id == self.number,
            ListImport.state == self._found.state,
            ListImport.lease_until == self._lease,
        )
        with self._database.writing() as session:
            if not claim(session, ListImport, *ours, values=values):
                raise Overtaken


def _source(found: ListImport) -> str:
    """What consent events say of where these people came from; the same for every run of one import."""
    return f"import {found.id} of {found.file_name}, {found.by}"


def _traces(session: Session, source: str, begun: datetime) -> tuple[int, int]:
    """How many people one import brought in, and how many letters it owes, in all its runs."""
    people = sa.select(sa.func.count()).where(
        ConsentEvent.kind.in_([Act.ADD.value, Act.ADD_WITH_BASIS.value]),
        ConsentEvent.happened_at == begun,
        ConsentEvent.source == source,
    )
    letters = sa.select(sa.func.count()).where(Letter.kind == "confirm", Letter.queued_at == begun)
    return session.scalars(people).one(), session.scalars(letters).one()


def _counted_once(unchanged: Mapping[str, int], earlier: int, basis: str | None) -> dict[str, int]:
    """The people left as they are, without those whom an interrupted run of this import brought in.

    The next run found them as that one made them, unless they have moved on since.
    """
    made = policy.nothing(policy.Standing(State.PENDING if basis is None else State.ACTIVE)).why
    rest = dict(unchanged)
    for why in sorted(rest, key=lambda why: (why == made, rest[why]), reverse=True):
        taken = min(earlier, rest[why])
        rest[why] -= taken
        earlier -= taken
    return {why: people for why, people in rest.items() if people}
