"""Hand an edition over with a bar to look at; Ctrl-C and SIGTERM end it gently, a second one at once."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from digest import editions, finishing, logs, sending, stats, stopping
from digest.bootstrap import Services
from digest.cli import console
from digest.models import EditionState

FINISHING = "finishing the calls in flight; once more ends at once and leaves them uncertain"
LONGEST_NAP = timedelta(seconds=5)


def send_with_bar(services: Services, week: str, *, by: str, now: datetime, skip_undo: bool) -> None:
    """Hand over until nothing is left to do, or until somebody asks to stop."""
    if console.err.is_terminal:
        logs.configure(services.settings.digest_log, quiet=True)  # the bar tells it better than a line a batch
    said = ""
    with stopping.asked_to_stop(lambda: console.note(FINISHING)) as stop:
        while True:
            _one_round(services, week, by=by, now=now, skip_undo=skip_undo, stop=stop)
            with services.database.reading() as session:
                edition = editions.find(session, week)
                waits = finishing.waiting(session, edition, now=console.real_now())
            if stop.is_set() or (waits is None and edition.state is not EditionState.SENDING):
                break
            if waits is None:
                continue  # what was put off became free while we looked
            words = _in_words(waits)
            if words != said:
                console.note(words)
                said = words
            if waits.until is None:
                break
            stop.wait(min(waits.until - console.real_now(), LONGEST_NAP).total_seconds())
    if stop.is_set():
        _say_where_it_stands(services, week)


def _in_words(waits: finishing.Waiting) -> str:
    if waits.until is None:
        return f"waiting until somebody lifts this: {waits.why}"
    return f"waiting until {waits.until:%H:%M:%S} UTC: {waits.why}"


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
