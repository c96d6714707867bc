"""A provider with nothing to it, in a process of its own: it parses, counts the recipients and answers 202.

What can be posted to it in a second is the limit of the machine: no sender, however made, hands over faster here. It
judges nothing and remembers nothing but two numbers; the stand-in that does is `tests/sendgrid_stub`.
"""

from __future__ import annotations

import contextlib
import gc
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import orjson

COUNTED = b"GET /counted "
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Counted:
    """What came in since the start."""

    requests: int = 0
    recipients: int = 0


@dataclass(frozen=True)
class Limit:
    """The running process. `url` is what SENDGRID_HOST would be."""

    url: str

    def counted(self) -> Counted:
        connection = HTTPConnection(urlsplit(self.url).netloc)
        try:
            connection.request("GET", "/counted")
            return Counted(**orjson.loads(connection.getresponse().read()))
        finally:
            connection.close()


@contextlib.contextmanager
def limit_process() -> Iterator[Limit]:
    """It does not share the interpreter lock of whoever posts to it."""
    command = [sys.executable, "-m", "tests.benchmarks.limit"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Limit(process.stdout.readline().strip())
        finally:
            process.terminate()


def main() -> None:
    counted, lock, numbers = Counted(), threading.Lock(), count(1)
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    # Nothing here makes cycles, and a collection in the middle of a body would be counted as the machine's limit.
    gc.disable()
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, counted, lock, numbers), daemon=True).start()


def _serve(connection: socket.socket, counted: Counted, lock: threading.Lock, numbers: count[int]) -> None:
    """One connection, kept until the other side closes it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, contextlib.suppress(ConnectionError):
        while request := _read(connection):
            head, body = request
            if head.startswith(COUNTED):
                _answer(connection, b"200 OK", body=orjson.dumps(counted))
                continue
            recipients = len(orjson.loads(body)["personalizations"])
            with lock:
                counted.requests += 1
                counted.recipients += recipients
            _answer(connection, b"202 Accepted", b"X-Message-Id: limit-%d\r\n" % next(numbers))


def _read(connection: socket.socket) -> tuple[bytes, bytearray] | None:
    """The head and the body of the next request; None when there is none. Nobody sends the next before our answer."""
    head = b""
    while (end := head.find(b"\r\n\r\n")) < 0:
        if not (got := connection.recv(1 << 16)):
            return None
        head += got
    length = _LENGTH.search(head, 0, end)
    body = bytearray(int(length[1]) if length else 0)
    filled = len(head) - end - len(b"\r\n\r\n")
    body[:filled] = head[end + len(b"\r\n\r\n") :]
    with memoryview(body) as view:
        while filled < len(body):
            if not (came := connection.recv_into(view[filled:])):
                return None
            filled += came
    return head[:end], body


def _answer(connection: socket.socket, status: bytes, headers: bytes = b"", *, body: bytes = b"") -> None:
    connection.sendall(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body))


if __name__ == "__main__":
    main()
