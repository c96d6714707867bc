"""The safe way out: GET one address of the open web, within limits of time and size.

Where it may go is decided in `reach`. Here the decision is kept: the name is looked up once, every address it leads
to is judged, and the connection goes to a judged address by number, so that a second lookup cannot lead elsewhere;
certificate and Host line are still those of the name. Each redirect goes through the same gate. Nothing is taken
from the environment: no proxies, no .netrc; and no cookies are kept.
"""

from __future__ import annotations

import http
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from typing import Final, Self

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from digest.errors import DigestError
from digest.sources import reach
from digest.sources.reach import NotFetchable
from digest.sources.wire import (
    MEGABYTE,
    PATIENCE,
    Failure,
    Meter,
    Patience,
    PlainConnection,
    TlsConnection,
    Unpacking,
    too_large,
)

MAX_BYTES: Final = 5 * MEGABYTE
MAX_REDIRECTS: Final = 5
AGENT: Final = "weekly-verdict-digest (newsletter of AI tool comparisons)"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_PIECE = 65_536
_MAX_ADDRESSES = 4
_MAX_POOLS = 4
_LONGEST_VALIDATOR = {"etag": 500, "last-modified": 100}

Resolver = Callable[[str, int], Sequence[str]]


class FetchError(DigestError):
    """A page could not be fetched. `why` is the reason as a clause; `status` the answer's, where there was one."""

    def __init__(self, url: str, why: str, *, status: int | None = None) -> None:
        self.url = reach.without_credentials(url)
        self.why = why
        self.status = status
        super().__init__(f"{self.url} was not fetched: {why}")


class FetchRefused(FetchError):
    """We will not go there: not an address we fetch, or not a place the open web can see."""


class FetchFailed(FetchError):
    """We went there and did not get it: no answer, a broken or oversized one, or a status that is not a page."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer worth having: 200 with a body, 304 (unchanged since the validators given), or 404 and 410 (gone).

    `url` is where the answer came from, after redirects and without fragment. `media_type` is lower-case and without
    parameters. `etag` and `last_modified` are as received, to be sent back next time.
    """

    url: str
    status: int
    body: bytes = b""
    media_type: str | None = None
    charset: str | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def gone(self) -> bool:
        return self.status in _GONE

    @property
    def unchanged(self) -> bool:
        return self.status == http.HTTPStatus.NOT_MODIFIED


def look_up(host: str, port: int) -> Sequence[str]:
    """Every IP address of a name, in the system's order of preference. Raises OSError or UnicodeError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Fetcher:
    """Keeps a few connections open, so that the pages of one site travel over one. For one thread at a time.

    `allow` holds `host:port` places (normal form: `reach.place`) that may be reached although not public or not on
    80 or 443, also by redirects. The name lookup is the system's and keeps the system's own time-outs.
    """

    def __init__(
        self,
        allow: frozenset[str] = frozenset(),
        *,
        patience: Patience = PATIENCE,
        agent: str = AGENT,
        resolve: Resolver = look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow = frozenset(reach.place(entry) for entry in allow)
        self._patience = patience
        self._agent = agent
        self._resolve = resolve
        self._given_tls = tls
        self._meter = Meter()
        self._pools: OrderedDict[tuple[str, str, int, str], urllib3.HTTPConnectionPool] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._pools:
            self._pools.popitem()[1].close()

    def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Fetched:
        """Raises FetchRefused or FetchFailed. `max_bytes` counts the body as received and as unpacked."""
        self._meter.start(self._patience, max_bytes)
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in conditions.items() if value and _sendable(value)}
        try:
            return self._follow(reach.target(url), headers, max_bytes)
        except NotFetchable as no:
            raise FetchRefused(url, str(no)) from no
        except Failure as no:
            raise FetchFailed(url, str(no), status=no.status) from no

    def _follow(self, to: reach.Target, headers: Mapping[str, str], max_bytes: int) -> Fetched:
        for hop in range(MAX_REDIRECTS + 1):
            addresses = self._judged_addresses(to, hop)
            response = self._ask(to, addresses, headers)
            try:
                if response.status not in _REDIRECTS:
                    return _answer(to, response, max_bytes, conditional=bool(headers))
                onward = _location(response)
                _finish(response)
            except HTTPError as broken:
                raise Failure(self._in_words(broken, to)) from broken
            finally:
                response.close()
            try:
                to = reach.redirected(to, onward)
            except NotFetchable as no:
                raise NotFetchable(f"it redirects to {reach.without_credentials(onward)}, and {no}") from no
        raise Failure(f"it redirects more than {MAX_REDIRECTS} times")

    def _judged_addresses(self, to: reach.Target, hop: int) -> Sequence[str]:
        """Where the name leads, all of it judged. The port is judged first: a lookup tells its owner we came."""
        addresses: Sequence[str] = ()
        no = reach.objection(to, addresses, self._allow)
        if no is None:
            addresses = [to.literal] if to.literal else self._lookup(to)
            no = reach.objection(to, addresses, self._allow)
        if no is not None:
            raise NotFetchable(f"it redirects to {to.url}, and {no}" if hop else no)
        return addresses

    def _lookup(self, to: reach.Target) -> Sequence[str]:
        try:
            addresses = self._resolve(to.host, to.port)
        except (OSError, UnicodeError) as unknown:
            raise Failure(f"the name {to.host} could not be looked up") from unknown
        if not addresses:
            raise Failure(f"the name {to.host} leads nowhere")
        return addresses

    def _ask(self, to: reach.Target, addresses: Sequence[str], headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The head of the answer, from the first address that takes a connection."""
        unreachable: HTTPError | None = None
        for address in addresses[:_MAX_ADDRESSES]:
            try:
                return self._call(to, address, headers)
            except (NewConnectionError, ConnectTimeoutError) as nobody:
                unreachable = nobody
            except HTTPError as broken:
                raise Failure(self._in_words(broken, to)) from broken
        raise Failure(f"nothing answers at {to.place}") from unreachable

    def _call(self, to: reach.Target, address: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        pool, used = self._pool(to, address)
        try:
            return self._send(pool, to, headers)
        except ProtocolError:
            # A kept connection may be closed by the other side in the moment we speak: once more, on a fresh one.
            if not used:
                raise
            return self._send(pool, to, headers)

    def _send(self, pool: urllib3.HTTPConnectionPool, to: reach.Target, headers: Mapping[str, str]) -> BaseHTTPResponse:
        left = self._meter.seconds_left()
        return pool.urlopen(
            "GET",
            to.path,
            headers={
                "Host": to.host_line,
                "User-Agent": self._agent,
                "Accept": "text/html, application/json, application/xml;q=0.9, text/plain;q=0.9, */*;q=0.1",
                "Accept-Encoding": "gzip",
                **headers,
            },
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=min(self._patience.connect, left), read=min(self._patience.read, left)),
            preload_content=False,
            decode_content=False,
        )

    def _pool(self, to: reach.Target, address: str) -> tuple[urllib3.HTTPConnectionPool, bool]:
        """The connection to this very address for this very name, and whether it has been used before."""
        key = (to.scheme, to.host, to.port, address)
        known = self._pools.pop(key, None)
        pool = self._pools[key] = known or self._new_pool(to, address)
        while len(self._pools) > _MAX_POOLS:
            self._pools.popitem(last=False)[1].close()
        return pool, known is not None

    def _new_pool(self, to: reach.Target, address: str) -> urllib3.HTTPConnectionPool:
        if to.scheme == "http":
            plain = urllib3.HTTPConnectionPool(address, to.port, maxsize=1, meter=self._meter)
            plain.ConnectionCls = PlainConnection
            return plain
        tls = urllib3.HTTPSConnectionPool(
            address, to.port, maxsize=1, meter=self._meter, ssl_context=self._tls, server_hostname=to.host
        )
        tls.ConnectionCls = TlsConnection
        return tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The system's authorities; the certificate must be for `server_hostname`, the name in the address."""
        return self._given_tls or ssl.create_default_context()

    def _in_words(self, broken: HTTPError, to: reach.Target) -> str:
        if isinstance(broken, ReadTimeoutError):
            return f"{to.place} said nothing for {self._patience.read:g} seconds"
        if isinstance(broken, SSLError):
            cause = broken.args[0] if broken.args else None
            reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "no agreement"
            return f"{to.place} could not prove that it is {to.host} ({reason})"
        return "the answer broke off or is not proper HTTP"


def _answer(to: reach.Target, response: BaseHTTPResponse, max_bytes: int, *, conditional: bool) -> Fetched:
    status = response.status
    if status == http.HTTPStatus.OK:
        media_type, charset = _content_type(response)
        return Fetched(
            url=to.url,
            status=status,
            body=_body(response, max_bytes),
            media_type=media_type,
            charset=charset,
            etag=_validator(response, "etag"),
            last_modified=_validator(response, "last-modified"),
        )
    if status in _GONE or (conditional and status == http.HTTPStatus.NOT_MODIFIED):
        _finish(response)
        return Fetched(url=to.url, status=status)
    raise Failure(f"{to.host} answered {status}{_phrase(status)}", status=status)


def _body(response: BaseHTTPResponse, max_bytes: int) -> bytes:
    declared = response.length_remaining
    if declared is not None and declared > max_bytes:
        raise Failure(too_large(declared, max_bytes))
    unpack = Unpacking(response.headers.get("Content-Encoding", ""))
    body = bytearray()
    for piece in response.stream(_PIECE, decode_content=False):
        body += unpack.feed(piece, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            raise Failure(too_large(None, max_bytes))
    unpack.end()
    return bytes(body)


def _finish(response: BaseHTTPResponse) -> None:
    """Read a short body nobody wants, so that the connection can be kept; a long one costs the connection."""
    response.read(_PIECE, decode_content=False)


def _location(response: BaseHTTPResponse) -> str:
    raw = response.headers.get("Location")
    if not raw:
        raise Failure(f"it answered {response.status} without saying where to", status=response.status)
    try:
        # Header bytes reach us as Latin-1; servers that send them unescaped mean UTF-8.
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return raw


def _content_type(response: BaseHTTPResponse) -> tuple[str | None, str | None]:
    declared = response.headers.get("Content-Type")
    if not declared:
        return None, None
    message = Message()
    message["Content-Type"] = declared
    return message.get_content_type(), message.get_content_charset()


def _validator(response: BaseHTTPResponse, name: str) -> str | None:
    """An ETag or a date as received; one that could not be kept and sent back unharmed is as good as none."""
    value = response.headers.get(name)
    return value if value and len(value) <= _LONGEST_VALIDATOR[name] and _sendable(value) else None


def _sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _phrase(status: int) -> str:
    try:
        return f" ({http.HTTPStatus(status).phrase})"
    except ValueError:
        return ""
