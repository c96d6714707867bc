"""The wire to SendGrid: pooled connections that keep deadlines and a secret, and the official client run on them.

The client alone opens a connection per call, waits for ever, follows redirects with the key in hand and logs what it
sends. Here connections are kept, nothing is retried or followed, and neither key nor addresses reach a log line.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.request import Request as ClientRequest

import urllib3
from python_http_client.client import Client
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST_IDLE = 4.0
"""Seconds after which a kept connection is not trusted: shorter than the shortest common keep-alive (5 s), because
a server that closes just as we send leaves us unable to tell a taken batch from a lost one."""

LARGEST_ANSWER = 4_000_000
"""Bytes read of an answer; the rest is left unread and the connection closed."""

_BROKEN = (HTTPError, http.client.HTTPException, OSError)


class NoAnswer(Exception):
    """The connection gave no answer. The message is half a sentence: what happened to it."""


class Masked(bytes):
    """Bytes that a log line or a traceback shows only the size of."""

    def __format__(self, _spec: str) -> str:
        return f"<{len(self)} bytes>"

    def __repr__(self) -> str:
        return format(self)

    __str__ = __repr__


class Payload(Masked):
    """A body on its way out, which must have left whole by `deadline` (monotonic seconds) or not at all.

    `sent` tells whether every byte was handed to the operating system. While it is False nobody can have the whole
    body, and so nobody can have taken it.
    """

    deadline: float
    sent: bool

    def __new__(cls, body: bytes, *, deadline: float) -> Self:
        payload = super().__new__(cls, body)
        payload.deadline = deadline
        payload.sent = False
        return payload

    def encode(self, _encoding: str = "utf-8") -> Payload:
        """The client encodes whatever it is given; this is encoded already."""
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, in the shape the official client reads. A body cut short is empty: the status line decides."""

    status: int
    headers: Mapping[str, str]
    body: Masked

    def getcode(self) -> int:
        return self.status

    def read(self) -> Masked:
        return self.body

    def info(self) -> Mapping[str, str]:
        return self.headers


class _Secret(str):
    """Goes on the wire as it is and into tracebacks as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _UntilDeadline(io.RawIOBase):
    """Reads a socket, with one time-out for all reads together: an answer that drips ends too."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._deadline is not None:
            self._sock.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """An answer that must be in, headers and body, within the read time-out of its socket."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_UntilDeadline(sock))


class _Watched(HTTPConnection):
    """A connection that knows when a payload has left whole, and that goes stale."""

    response_class = _BoundedResponse
    _last_used = 0.0

    @property
    def is_connected(self) -> bool:
        fresh = time.monotonic() - self._last_used < LONGEST_IDLE
        return fresh and super().is_connected

    def send(self, data: Any) -> None:
        if not isinstance(data, Payload):
            super().send(data)
            return
        self.sock.settimeout(_left(data.deadline))
        super().send(data)
        data.sent = True

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        response = super().getresponse()
        self._last_used = time.monotonic()
        return response


class _WatchedSecure(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _WatchedSecure


class Line:
    """Pooled connections to one host. Safe to call from many threads; opens nothing until the first call."""

    def __init__(self, api_key: str, *, connect: float, read: float, connections: int) -> None:
        self._authorization = _Secret(f"Bearer {api_key}")
        # Not blocking: a call that waited for a connection would act on a consent read that has grown old.
        self._pools = urllib3.PoolManager(
            num_pools=1,
            maxsize=connections,
            block=False,
            timeout=urllib3.Timeout(connect=connect, read=read),
            retries=False,
            ssl_context=ssl.create_default_context(),
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def call(self, method: str, url: str, headers: Mapping[str, str], body: Payload | None) -> Answer:
        """One request, never repeated, never redirected. Raises NoAnswer."""
        try:
            response = self._pools.urlopen(
                method,
                url,
                body=body,
                headers={**headers, "Authorization": self._authorization},
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except _BROKEN as error:
            what_happened = _in_words(error)
        else:
            return _received(response)
        # Raised out here, unchained: the frames of the failed call hold the key, and tracebacks may show locals.
        raise NoAnswer(what_happened)

    def close(self) -> None:
        self._pools.clear()


class LineClient(Client):  # type: ignore[misc]  # the package is untyped
    """The official client on our line. Its own headers never hold the key, so its log lines cannot."""

    def __init__(self, line: Line, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._line = line

    def _build_client(self, name: str | None = None) -> LineClient:
        return LineClient(
            self._line,
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
        )

    def _make_request(self, _opener: object, request: ClientRequest, timeout: float | None = None) -> Answer:  # noqa: ARG002
        body = request.data if isinstance(request.data, Payload) else None
        headers = {name: value for name, value in request.headers.items() if name != "Content-type"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._line.call(request.get_method(), request.full_url, headers, body)


def client(line: Line, *, host: str, headers: Mapping[str, str]) -> LineClient:
    """The root of the API. The odd content type inside keeps the client from writing our JSON as JSON once more."""
    inside = {**headers, "Content-Type": "application/json; written"}
    inside.pop("Authorization", None)
    return LineClient(line, host=host, version=3, request_headers=inside)


def _left(deadline: float) -> float:
    """Seconds until then. Raises TimeoutError when there are none."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def _received(response: BaseHTTPResponse) -> Answer:
    """The answer off the wire. Read to the end, its connection is back in the pool by now; otherwise it is closed."""
    try:
        body = response.read(LARGEST_ANSWER)
    except _BROKEN:
        body = b""
    finally:
        response.close()
    return Answer(response.status, response.headers, Masked(body))


def _in_words(error: Exception) -> str:
    """Half a sentence on what happened. No text of the library: it may quote what was sent."""
    cause = error.args[-1] if error.args else None
    match error:
        case NameResolutionError():
            return "its name could not be resolved"
        case NewConnectionError():
            reason = getattr(error.__cause__, "strerror", None)
            return f"no connection could be made ({reason})" if reason else "no connection could be made"
        case ConnectTimeoutError():
            return "no connection was made in time"
        case SSLError():
            reason = getattr(cause, "verify_message", None)
            return f"TLS failed ({reason})" if reason else "TLS failed"
        case ReadTimeoutError():
            return "it ran out of time"
        case ProtocolError() if isinstance(cause, TimeoutError):
            return "it ran out of time"
        case ProtocolError() if isinstance(cause, http.client.RemoteDisconnected | OSError):
            return "the connection was lost"
        case _:
            return "what came back was not HTTP"
