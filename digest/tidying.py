"""What is no longer needed goes, a little at a time: nobody else is to wait for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from database import Base
from digest import fences, idempotency, pauses
from digest.bootstrap import Services
from digest.models import JobRun, Letter, LetterState, LinkCheck, ProviderEvent, SignInLink
from digest.people import erasing, imports, limits, reports
from digest.transport import Outbox
from subscribers import consent
from subscribers.models import Subscriber

KEEP_RUNS = timedelta(days=14)
KEEP_LETTERS = timedelta(days=90)
KEEP_SIGN_IN_LINKS = timedelta(days=7)
# What an edition at home links to is asked each day: what was not asked for a month is in none.
KEEP_LINK_CHECKS = timedelta(days=30)
# A year and a month: this week can be held against the same week a year ago, event by event.
KEEP_EVENTS = timedelta(days=400)
# Nobody writes one batch into the outbox for so long: what is older was left by a process that died.
KEEP_HALF_WRITTEN = timedelta(days=1)

ROWS_AT_ONCE = 2_000
PEOPLE_AT_ONCE = 10  # each costs about ten statements

Stopped = Callable[[], bool]


def tidy(services: Services, *, now: datetime, stopped: Stopped) -> dict[str, int]:
    """Forget what is over; says how many of what."""
    with services.database.writing() as session:
        pauses.forget_over(session, now=now)
    gone = {what: _in_steps(services, step, stopped) for what, step in _steps(now)}
    return {
        **gone,
        "unconfirmed requests": forget_unconfirmed(services, now=now, stopped=stopped),
        "half-written batches": _clear_outbox(services, now),
        "cancelled attempts": fences.release(services, now=now),
    }


Step = Callable[[Services], int]
"""Forgets at most ROWS_AT_ONCE rows and says how many."""


def _steps(now: datetime) -> Iterator[tuple[str, Step]]:
    old_letter = sa.and_(Letter.state != LetterState.QUEUED, Letter.queued_at < now - KEEP_LETTERS)
    yield "runs", _rows(JobRun, JobRun.id, JobRun.finished_at < now - KEEP_RUNS)
    yield "letters", _rows(Letter, Letter.id, old_letter)
    yield "sign-in links", _rows(SignInLink, SignInLink.id, SignInLink.expires_at < now - KEEP_SIGN_IN_LINKS)
    yield "link checks", _rows(LinkCheck, LinkCheck.url, LinkCheck.checked_at < now - KEEP_LINK_CHECKS)
    yield "events", _oldest(ProviderEvent, ProviderEvent.id, ProviderEvent.received_at < now - KEEP_EVENTS)
    yield "late events", _written(lambda session: reports.forget_late(session, most=ROWS_AT_ONCE))
    yield "answers", _written(lambda session: idempotency.forget_expired(session, now=now))
    yield "undecided lists", _written(lambda session: imports.forget_undecided(session, now=now))
    yield "address changes", _written(lambda session: consent.forget_changes(session, now=now))
    yield "counts", _written(lambda session: limits.forget(session, now=now, most=ROWS_AT_ONCE))


Key = InstrumentedAttribute[int] | InstrumentedAttribute[str]


def _rows(table: type[Base], key: Key, over: sa.ColumnElement[bool]) -> Step:
    """Looked for without holding anybody up: most tables have no index by which the old ones are found."""

    def step(services: Services) -> int:
        with services.database.reading() as session:
            found = session.scalars(sa.select(key).where(over).limit(ROWS_AT_ONCE)).all()
        if found:
            with services.database.writing() as session:
                session.execute(sa.delete(table).where(key.in_(found)).execution_options(synchronize_session=False))
        return len(found)

    return step


def _oldest(table: type[Base], key: InstrumentedAttribute[int], over: sa.ColumnElement[bool]) -> Step:
    """For a table of millions: rows come in the order of their time, so only its beginning is looked at."""
    first = sa.select(key, over.label("is_over")).order_by(key).limit(ROWS_AT_ONCE)

    def step(services: Services) -> int:
        with services.database.reading() as session:
            found = [number for number, is_over in session.execute(first) if is_over]
        if found:
            with services.database.writing() as session:
                session.execute(sa.delete(table).where(key.in_(found)).execution_options(synchronize_session=False))
        return len(found)

    return step


def _written(forget: Callable[[Session], int]) -> Step:
    def step(services: Services) -> int:
        with services.database.writing() as session:
            return forget(session)

    return step


def _in_steps(services: Services, step: Step, stopped: Stopped) -> int:
    """A transaction for each step, until one finds less than it may forget."""
    total = 0
    while not stopped():
        count = step(services)
        total += count
        if count < ROWS_AT_ONCE:
            break
    return total


def forget_unconfirmed(services: Services, *, now: datetime, stopped: Stopped) -> int:
    """Erase who asked, or was added, and did not confirm within 30 days; says how many."""
    total = 0
    while not stopped():
        with services.database.reading() as session:
            found = consent.unconfirmed(session, now=now, most=ROWS_AT_ONCE)
            session.expunge_all()
        for start in range(0, len(found), PEOPLE_AT_ONCE):
            if stopped():
                break
            with services.database.writing() as session:
                total += sum(_forget(session, person, now) for person in found[start : start + PEOPLE_AT_ONCE])
        if len(found) < ROWS_AT_ONCE:
            break
    return total


def _forget(session: Session, person: Subscriber, now: datetime) -> bool:
    """False where somebody was quicker, or where there is an earlier no to be kept in mind."""
    session.add(person)
    try:
        gone = consent.forget_unconfirmed(session, person, now=now)
    except consent.Gone:
        return False
    if gone is None:
        return False
    # A request of theirs that came in just now is a new one, and stays.
    reports.forget(session, gone)
    erasing.forget_letters(session, gone)
    return True


def _clear_outbox(services: Services, now: datetime) -> int:
    """Remove the folders that a process died while writing: nothing in them was ever accepted."""
    if not isinstance(services.transport, Outbox):
        return 0
    left = [path for path in services.transport.folder.glob("*/.batch-*") if _is_old(path, now)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _is_old(path: Path, now: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC) < now - KEEP_HALF_WRITTEN
    except FileNotFoundError:
        return False  # written whole or cleared away just now
