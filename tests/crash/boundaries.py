"""Where a process can be made to die: before and after each commit that matters, and at each step on the wire.

Watched from outside, in the process that is to die: the product has no hooks for it. Commits are told apart by what
was written in them, steps on the wire by what is being asked.
"""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

# What a transaction wrote says which step it was; one transaction may be several.
_WRITES = {
    "preparing": re.compile(r"INSERT INTO deliveries\b"),
    "claim": re.compile(r"UPDATE batches SET (?:(?!\bWHERE\b).)*\battempt\s*=", re.DOTALL),
    "hand-over": re.compile(r"UPDATE batches SET (?:(?!\bWHERE\b).)*\bbody_sha256\s*=", re.DOTALL),
    "answer": re.compile(r"UPDATE batches SET (?:(?!\bWHERE\b).)*\bwhy\s*=", re.DOTALL),
    "finishing": re.compile(r"UPDATE editions SET (?:(?!\bWHERE\b|\bprepared_at\b).)*\bstate\s*=", re.DOTALL),
}
_FENCE = re.compile(r"(?:INTO|UPDATE) fenced_attempts\b")

_COMMITS = {what: (f"before the commit of {what}", f"after the commit of {what}") for what in _WRITES}
WIRE = (
    "before the request",
    "half of the request sent",
    "the whole request sent",
    "the answer arrived, unread",
    "the answer read",
)
BEGINNING = _COMMITS["preparing"]
MIDDLE = (*_COMMITS["claim"], *_COMMITS["hand-over"], *WIRE, *_COMMITS["answer"])
ENDING = _COMMITS["finishing"]
"""Sent, or halted: an edition's last transaction of each kind."""
FENCED = (
    *(f"{when} the commit of a fence" for when in ("before", "after")),
    *(f"{when} {what}" for what in ("asking for a batch id", "a cancel") for when in ("before", "after")),
)

_ASKED = {"/v3/mail/batch": "asking for a batch id", "/v3/user/scheduled_sends": "a cancel"}
_SEND = "/v3/mail/send"

Reached = Callable[[str], None]


def take(ticket: Path) -> bool:
    """Whether the signal is ours to send: a process gets one, from itself or from outside."""
    try:
        ticket.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Fate:
    """Ends its own process with a signal when it reaches a boundary for the n-th time."""

    def __init__(self, boundary: str, nth: int, number: int, *, ticket: Path) -> None:
        self._boundary = boundary
        self._ticket = ticket
        self._left = nth
        self._signal = signal.Signals(number)
        self._lock = threading.Lock()

    def reached(self, boundary: str) -> None:
        if boundary != self._boundary:
            return
        with self._lock:
            self._left -= 1
            mine = self._left == 0
        if mine and take(self._ticket):
            os.kill(os.getpid(), self._signal)


def watch(reached: Reached) -> None:
    """Call `reached` with the name of each boundary from now on, in whatever thread comes by."""
    _watch_commits(reached)
    _watch_the_wire(reached)


def _watch_commits(reached: Reached) -> None:
    writes = threading.local()
    commit = DefaultDialect.do_commit

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        steps = [step for step, pattern in _WRITES.items() if pattern.search(statement)]
        if _FENCE.search(statement):
            steps.append("a fence")
        for step in steps:
            writes.__dict__.setdefault("steps", {})[step] = None

    def begin(_conn: Any) -> None:
        writes.steps = {}

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        steps = list(getattr(writes, "steps", ()))
        for step in steps:
            reached(f"before the commit of {step}")
        commit(self, connection)  # type: ignore[no-untyped-call]
        writes.steps = {}
        for step in steps:
            reached(f"after the commit of {step}")

    sa.event.listen(Engine, "before_cursor_execute", note)
    sa.event.listen(Engine, "begin", begin)
    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _watch_the_wire(reached: Reached) -> None:
    connection = http.client.HTTPConnection
    send, getresponse, putrequest = connection.send, connection.getresponse, connection.putrequest

    def noted(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        self.digest_asks = _step(method, url)
        if self.digest_asks == _SEND:
            reached(WIRE[0])
        elif self.digest_asks:
            reached(f"before {self.digest_asks}")
        putrequest(self, method, url, *args, **kwargs)

    def halved(self: Any, data: Any) -> None:
        is_body = isinstance(data, bytes) and not data.startswith(b"POST ")
        if getattr(self, "digest_asks", None) != _SEND or not is_body:
            send(self, data)
            return
        middle = len(data) // 2
        send(self, bytes(data[:middle]))
        reached(WIRE[1])
        send(self, bytes(data[middle:]))
        reached(WIRE[2])

    def awaited(self: Any) -> http.client.HTTPResponse:
        asks = getattr(self, "digest_asks", None)
        if asks == _SEND:
            select.select([self.sock], [], [], self.sock.gettimeout())
            reached(WIRE[3])
        response = getresponse(self)
        if asks:
            reached(WIRE[4] if asks == _SEND else f"after {asks}")
        return response

    connection.send = halved  # type: ignore[method-assign]
    connection.getresponse = awaited  # type: ignore[method-assign]
    connection.putrequest = noted  # type: ignore[method-assign]


def _step(method: str, url: str) -> str | None:
    path = url.partition("?")[0]
    if method != "POST":
        return None
    return _SEND if path.endswith(_SEND) else next((what for end, what in _ASKED.items() if path.endswith(end)), None)
