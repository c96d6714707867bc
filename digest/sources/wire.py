"""Bytes from a stranger, measured: how long they may take, how many there may be, and how far they may unpack.

The HTTP library waits for bytes, not for answers: a byte a second, or headers without end, never trip its time-outs.
So the connections made here look at a meter before and after every read.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import zlib
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection

MEGABYTE: Final = 1_000_000
_BESIDE_THE_BODY: Final = MEGABYTE
"""Headers and chunk marks of an honest answer never come near this."""


class Failure(Exception):
    """Why an answer was not had, as a clause; `status` where it had one. Becomes `fetching.FetchFailed`."""

    def __init__(self, why: str, *, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: to connect, to wait for the next bytes, and for everything together, redirects included."""

    connect: float = 5
    read: float = 10
    total: float = 30


PATIENCE: Final = Patience()


def too_large(size: int | None, limit: int) -> str:
    """The clause for a document over the limit, both in bytes. None: more than the limit, who knows how much."""
    if size is None:
        return f"it is larger than {limit / MEGABYTE:g} MB, the most that is read"
    # Rounded up: "5 MB; at most 5 MB are read" would explain nothing.
    tenths = -(-size * 10 // MEGABYTE)
    return f"it is {f'{tenths / 10:,.1f}'.removesuffix('.0')} MB; at most {limit / MEGABYTE:g} MB are read"


class Meter:
    """What one question may still use: seconds of the wall, and bytes off the wire per answer."""

    def start(self, patience: Patience, max_bytes: int) -> None:
        self._patience = patience
        self._deadline = time.monotonic() + patience.total
        self._max_bytes = max_bytes

    def answer_begins(self) -> None:
        self._bytes_left = self._max_bytes + _BESIDE_THE_BODY

    def seconds_left(self) -> float:
        """More than 0. Raises Failure when the time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Failure(f"it took longer than {self._patience.total:g} seconds")
        return left

    def before_read(self, sock: socket.socket) -> None:
        sock.settimeout(min(self._patience.read, self.seconds_left()))

    def after_read(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise Failure(too_large(None, self._max_bytes))


class _Metered(io.RawIOBase):
    def __init__(self, wire: io.RawIOBase, sock: socket.socket, meter: Meter) -> None:
        self._wire = wire
        self._sock = sock
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._meter.before_read(self._sock)
        try:
            count = self._wire.readinto(buffer)
        except TimeoutError:
            self._meter.seconds_left()
            raise
        self._meter.after_read(count or 0)
        return count

    def close(self) -> None:
        self._wire.close()
        super().close()


class _MeteredResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, meter: Meter, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        meter.answer_begins()
        self.fp = io.BufferedReader(_Metered(self.fp.detach(), sock, meter))


class PlainConnection(HTTPConnection):
    """http, metered."""

    def __init__(self, *args: Any, meter: Meter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.response_class = partial(_MeteredResponse, meter=meter)  # type: ignore[assignment] # called, never asked


class TlsConnection(HTTPSConnection):
    """https, metered. The handshake has its own time-out, of the whole handshake."""

    def __init__(self, *args: Any, meter: Meter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.response_class = partial(_MeteredResponse, meter=meter)  # type: ignore[assignment] # as above


class Unpacking:
    """Undoes the Content-Encoding of one answer, never making more than there is room for."""

    def __init__(self, encoding: str) -> None:
        """Raises Failure for a compression that was not asked for."""
        match encoding.strip().lower():
            case "" | "identity":
                self._packed = False
            case "gzip" | "x-gzip":
                self._packed = True
            case _:
                raise Failure("it came in a compression that was not asked for")
        self._member: zlib._Decompress | None = None

    def feed(self, piece: bytes, room: int) -> bytes:
        """At most `room` bytes. RFC 1952 allows several compressed members in a row. Raises Failure."""
        if not self._packed:
            return piece[:room]
        made = bytearray()
        while piece and len(made) < room:
            if self._member is None or self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
            try:
                made += self._member.decompress(piece, room - len(made))
            except zlib.error as broken:
                raise Failure("its compression is broken") from broken
            piece = self._member.unconsumed_tail or self._member.unused_data
        return bytes(made)

    def end(self) -> None:
        """Raises Failure where the compressed stream was cut off; a plain one is counted by the connection."""
        if self._member is not None and not self._member.eof:
            raise Failure("its compression ends too early")
