"""Fenced mode: every attempt is scheduled a little ahead under a batch id of the provider's, so that one whose answer
was lost can be called back, and handed over again without anybody getting it twice (docs/decisions/006)."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from queue import Full, Queue
from types import TracebackType
from typing import Self

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from digest import halting
from digest.batches import ACCEPTED, PENDING, UNCERTAIN, move
from digest.bootstrap import Services
from digest.models import Batch, FencedAttempt
from digest.posting import GLANCE_SECONDS
from digest.transport import Fencing, Misconfigured, TransportError, Unavailable

log = structlog.get_logger()

MOST_CANCELLED = 80
"""The provider keeps at most 100 cancelled or paused ids in an account, and others may use it too."""
RELEASE_AFTER = timedelta(hours=72)
"""Before that, the provider may still send what was cancelled and is no longer."""
FENCES = "the fences"


class Supply:
    """Fresh batch ids, fetched ahead by a thread of their own: whoever keeps the ledger never waits for the network."""

    def __init__(self, fencing: Fencing, *, ahead: int, patience: timedelta) -> None:
        self._fencing = fencing
        self._patience = patience.total_seconds()
        self._ready: Queue[str | TransportError] = Queue(maxsize=ahead)
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._fetch, daemon=True, name="fences").start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._over.set()

    def take(self) -> str:
        """The next id. Raises what the provider said instead of one."""
        found = self._ready.get()
        if isinstance(found, TransportError):
            raise found
        return found

    def _fetch(self) -> None:
        while not self._over.is_set():
            item = self._next()
            while not self._over.is_set():
                try:
                    self._ready.put(item, timeout=GLANCE_SECONDS)
                    break
                except Full:
                    continue
            if isinstance(item, TransportError):
                self._over.wait(self._patience)

    def _next(self) -> str | TransportError:
        try:
            return self._fencing.new()
        except TransportError as problem:
            return problem
        except Exception as problem:
            log.exception("asking for a batch id ended in an unforeseen way")
            return Unavailable(f"No batch id could be had: {type(problem).__name__}.")


def call_back(services: Services, *, now: datetime) -> int:
    """Cancel every uncertain attempt that still can be; each one the provider confirms is free again. How many."""
    fencing = services.transport.fencing
    if fencing is None:
        return 0
    freed = 0
    with services.database.reading() as session:
        found = session.execute(_uncertain(now + services.timing.cancel_margin)).all()
    for batch_id, attempt, provider_batch_id, edition_id in found:
        if _too_many(services, edition_id, now=now):
            break
        if not _asked(services, batch_id, attempt, now=now):
            continue
        try:
            fencing.cancel(provider_batch_id)
        except Misconfigured as why:
            with services.database.writing() as session:
                halting.halt(session, edition_id, why=str(why), by=FENCES, now=now)
            break
        except TransportError as why:
            log.warning("an attempt could not be called back yet", batch=batch_id, attempt=attempt, why=str(why))
            continue
        with services.database.writing() as session:
            freed += _called_back(session, batch_id, attempt, now=now)
    return freed


def _uncertain(latest: datetime) -> sa.Select[int, int, str, int]:
    """Uncertain attempts whose time is later than this."""
    return (
        sa.select(Batch.id, FencedAttempt.attempt, FencedAttempt.provider_batch_id, Batch.edition_id)
        .join(FencedAttempt, sa.and_(FencedAttempt.batch_id == Batch.id, FencedAttempt.attempt == Batch.attempt))
        .where(Batch.state == UNCERTAIN, FencedAttempt.cancelled_at.is_(None), FencedAttempt.send_at > latest)
        .order_by(FencedAttempt.send_at, Batch.id)
    )


def _too_many(services: Services, edition_id: int, *, now: datetime) -> bool:
    with services.database.writing() as session:
        kept = sa.select(sa.func.count()).select_from(FencedAttempt)
        count = session.scalar(kept.where(FencedAttempt.cancelled_at.is_not(None), FencedAttempt.released_at.is_(None)))
        if (count or 0) < MOST_CANCELLED:
            return False
        why = (
            f"{count} cancelled attempts are in the provider's books, which hold 100: no more can be called back "
            f"before the oldest is three days past its time"
        )
        halting.halt(session, edition_id, why=why, by=FENCES, now=now)
        return True


def _asked(services: Services, batch_id: int, attempt: int, *, now: datetime) -> bool:
    """Written before the call, so that a yes that comes late cannot count a cancelled attempt as accepted."""
    with services.database.writing() as session:
        batch = session.get_one(Batch, batch_id, with_for_update=True)
        if batch.state is not UNCERTAIN or batch.attempt != attempt:
            return False
        fenced = session.get_one(FencedAttempt, (batch_id, attempt))
        fenced.asked_at = fenced.asked_at or now
        return True


def _called_back(session: Session, batch_id: int, attempt: int, *, now: datetime) -> bool:
    """The provider confirmed it."""
    session.get_one(FencedAttempt, (batch_id, attempt)).cancelled_at = now
    free = {"owner": None, "lease_until": None, "called_at": None, "not_before": None}
    why = f"attempt {attempt} was called back, and the provider confirmed it"
    moved = move(session, batch_id, UNCERTAIN, PENDING, Batch.attempt == attempt, why=why, **free)
    if moved:
        log.info("batch called back", batch=batch_id, attempt=attempt)
    else:
        _contradicted(session, batch_id, attempt, now=now)
    return moved


def _contradicted(session: Session, batch_id: int, attempt: int, *, now: datetime) -> None:
    """Between our asking and the provider's yes somebody settled it, most likely an event: one of the two is wrong."""
    batch = session.get_one(Batch, batch_id, populate_existing=True)
    if batch.attempt != attempt or batch.state is not ACCEPTED:
        return
    why = (
        f"attempt {attempt} of batch {batch_id} is accepted, and the provider says that it was cancelled: "
        f"its readers may not get this edition"
    )
    halting.raise_alarm(session, batch.edition_id, why=why, by=FENCES, now=now)
    halting.halt(session, batch.edition_id, why=f"{why}.", by=FENCES, now=now)


def release(services: Services, *, now: datetime) -> int:
    """Take cancellings that have done their work out of the provider's books. How many."""
    fencing = services.transport.fencing
    if fencing is None:
        return 0
    old = sa.select(FencedAttempt).where(
        FencedAttempt.cancelled_at.is_not(None),
        FencedAttempt.released_at.is_(None),
        FencedAttempt.send_at < now - RELEASE_AFTER,
    )
    released = 0
    with services.database.reading() as session:
        found = session.scalars(old.order_by(FencedAttempt.send_at).limit(MOST_CANCELLED)).all()
    for each in found:
        try:
            fencing.release(each.provider_batch_id)
        except TransportError as why:
            log.warning("a cancelling could not be released yet", batch=each.batch_id, why=str(why))
            break
        with services.database.writing() as session:
            session.get_one(FencedAttempt, (each.batch_id, each.attempt)).released_at = now
        released += 1
    return released
