"""The posters: a few threads that do nothing but call the provider and put its answer in a queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

import structlog

from digest.batches import Claimed
from digest.transport import Accepted, Request, Transport, TransportError, Unavailable, Uncertain

log = structlog.get_logger()

Clock = Callable[[], datetime]

# How long the ledger thread waits for an answer before it looks up whether it was asked to stop.
GLANCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """A batch that was handed over. The call begins at once, or by `begin_by`, or not at all."""

    request: Request
    claimed: Claimed
    begin_by: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call."""

    request: Request
    claimed: Claimed
    outcome: Accepted | TransportError


class Posters:
    """`free` of them wait for work. Used by one thread, the ledger's."""

    def __init__(self, transport: Transport, count: int, *, clock: Clock) -> None:
        self.count = self.free = count
        self._transport = transport
        self._clock = clock
        self._work: SimpleQueue[Call | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()

    def __enter__(self) -> Self:
        for number in range(self.count):
            # Daemons: a second Ctrl-C must not wait for the network.
            threading.Thread(target=self._post_all, daemon=True, name=f"poster-{number}").start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        for _ in range(self.count):
            self._work.put(None)

    def post(self, call: Call) -> None:
        self.free -= 1
        self._work.put(call)

    def answers(self, *, wait: bool) -> list[Answer]:
        """Every answer that is there; with `wait`, at least one if it comes within a glance."""
        found: list[Answer] = []
        try:
            if wait:
                found.append(self._answers.get(timeout=GLANCE_SECONDS))
            while True:
                found.append(self._answers.get_nowait())
        except Empty:
            self.free += len(found)
            return found

    def _post_all(self) -> None:
        while (call := self._work.get()) is not None:
            self._answers.put(Answer(call.request, call.claimed, outcome=self._post(call)))

    def _post(self, call: Call) -> Accepted | TransportError:
        # A process that was frozen between the hand-over and here may find its batch in other hands, or its fence
        # about to open. What can freeze after this line is said in docs/decisions/006.
        if self._clock() > call.begin_by:
            return Unavailable("Nothing was called: the process stood still for too long after the hand-over.")
        try:
            return self._transport.post(call.request)
        except TransportError as problem:
            return problem
        except Exception as problem:
            log.exception("the call ended in an unforeseen way", batch=call.claimed.id)
            return Uncertain(f"The call ended in an unforeseen way: {type(problem).__name__}.")
