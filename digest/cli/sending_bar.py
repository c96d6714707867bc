"""Hand an edition over with a bar to look at; Ctrl-C and SIGTERM end it gently, a second Ctrl-C at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType

from digest import editions, sending, stats, submitting
from digest.bootstrap import Services
from digest.cli import console
from digest.models import EditionState

INTERRUPTED = 130
LONGEST_NAP = timedelta(seconds=5)


def send_with_bar(services: Services, week: str, *, by: str, now: datetime, skip_undo: bool) -> None:
    """Hand over until nothing is left to do, or until somebody asks to stop."""
    with _stopping() as stop:
        while True:
            _one_round(services, week, by=by, now=now, skip_undo=skip_undo, stop=stop)
            with services.database.reading() as session:
                waits = submitting.waiting(session, editions.find(session, week), now=console.real_now())
            if waits is None or stop.is_set():
                break
            if waits.until is None:
                console.note(f"waiting until somebody lifts this: {waits.why}")
                break
            console.note(f"waiting until {waits.until:%H:%M:%S} UTC: {waits.why}")
            stop.wait(min(waits.until - console.real_now(), LONGEST_NAP).total_seconds())
    if stop.is_set():
        _say_where_it_stands(services, week)


def _one_round(
    services: Services, week: str, *, by: str, now: datetime, skip_undo: bool, stop: threading.Event
) -> None:
    with services.database.reading() as session:
        edition = editions.find(session, week)
        before = stats.numbers(session, edition)
    total = before.deliveries or _audience(services)
    done = before.deliveries - before.waiting - before.in_flight if before.deliveries else 0
    with console.progress_bar(f"{week} handed over", total) as advance:
        advance(done)
        sending.send_now(
            services,
            week,
            by=by,
            clock=console.real_now,
            now=now,
            skip_undo=skip_undo,
            stop=stop,
            progress=advance,
        )


def _audience(services: Services) -> int:
    with services.database.reading() as session:
        return stats.audience(session)


def _say_where_it_stands(services: Services, week: str) -> None:
    with services.database.reading() as session:
        edition = editions.find(session, week)
        numbers = stats.numbers(session, edition)
    if edition.state is EditionState.SENDING:
        console.note(
            f"Stopped: {numbers.accepted:,} of {numbers.deliveries:,} accepted, {numbers.waiting:,} waiting. "
            f"Run the same command again to go on."
        )


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second SIGINT ends the process where it stands."""
    stop = threading.Event()

    def asked(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()
        console.note("finishing the calls in flight; once more ends at once and leaves them uncertain")

    before = {each: signal.signal(each, asked) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
