"""How a long-running process hears that it should end: gently at the first signal, at once at the second."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

ENOUGH = 0  # no signal has this number


@contextmanager
def asked_to_stop(heard: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets; then `heard` is called, in a thread of its own.

    The second one ends the process where it stands, with the exit code shells give to that signal. What was ignored
    before stays ignored, as `nohup` wants it. For the main thread.
    """
    stop = threading.Event()
    # A handler runs between any two steps of the main thread, which may hold the very lock that setting an event or
    # printing a line would wait for. Putting into this queue waits for nothing; the rest is done by another thread.
    signals: SimpleQueue[int] = SimpleQueue()
    watcher = threading.Thread(target=_watch, args=[signals, stop, heard], name="signals", daemon=True)
    watcher.start()
    before = {each: signal.signal(each, lambda number, _: signals.put(number)) for each in _signals()}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        signals.put(ENOUGH)
        watcher.join(timeout=1)


def _watch(signals: SimpleQueue[int], stop: threading.Event, heard: Callable[[], None]) -> None:
    if signals.get() == ENOUGH:
        return
    stop.set()
    # Telling may fail where nobody reads any more; the second signal must be heard all the same.
    with suppress(OSError, ValueError):
        heard()
    second = signals.get()
    if second != ENOUGH:
        os._exit(128 + second)


def _signals() -> list[signal.Signals]:
    """Those of this platform that nobody has chosen to ignore."""
    named = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    return [each for each in named if each is not None and signal.getsignal(each) is not signal.SIG_IGN]
