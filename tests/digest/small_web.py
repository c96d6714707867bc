"""A web of our own on loopback: real servers that answer as told, however badly."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Asked:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]


@dataclass
class Web:
    """One server. `seen` are the requests it got, `connections` how many it was dialled for."""

    port: int = 0
    seen: list[Asked] = field(default_factory=list)
    connections: int = 0
    _answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.place}{path}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.seen]

    def page(
        self, path: str, body: bytes | str = b"", *, status: int = 200, media_type: str = "text/html", **headers: str
    ) -> str:
        """Serve this at `path`; header names are written with underscores. Returns the whole address."""
        octets = body.encode() if isinstance(body, str) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            sent = {"Content-Type": media_type, "Content-Length": str(len(octets))}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in sent.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(octets)

        return self.on(path, answer)

    def redirect(self, path: str, to: str, status: int = 302, *, after: float = 0) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            time.sleep(after)
            handler.send_response(status)
            handler.send_header("Location", to)
            handler.send_header("Content-Length", "9")
            handler.end_headers()
            handler.wfile.write(b"see there")

        return self.on(path, answer)

    def silence(self, path: str, *pieces: bytes) -> str:
        """Say this much, then nothing more until the other side hangs up."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            handler.wfile.write(b"".join(pieces))
            handler.connection.recv(1)

        return self.on(path, answer)

    def conditional(self, path: str, body: str, etag: str) -> str:
        """A page that answers 304 to whoever has this ETag."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            if handler.headers.get("If-None-Match") == etag:
                handler.send_response(304)
                handler.end_headers()
                return
            handler.send_response(200)
            handler.send_header("ETag", etag)
            handler.send_header("Content-Length", str(len(body.encode())))
            handler.end_headers()
            handler.wfile.write(body.encode())

        return self.on(path, answer)

    def raw(self, path: str, *pieces: bytes, again: bytes = b"", pause: float = 0) -> str:
        """Write these bytes as they are, then `again` for ever if given, with a pause before each, and hang up."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            for piece in pieces:
                handler.wfile.write(piece)
            while again:
                handler.wfile.write(again)
                time.sleep(pause)

        return self.on(path, answer)

    def on(self, path: str, answer: Answer) -> str:
        self._answers[path] = answer
        return self.url(path)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append(Asked(handler.path, dict(handler.headers.items())))
        answer = self._answers.get(handler.path)
        if answer is None:
            handler.send_error(404)
        else:
            answer(handler)


@dataclass
class Names:
    """A name server of our own; remembers what it was asked."""

    answers: dict[str, Sequence[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[host]


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """A server in a thread, on a port of its own."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            web._answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            web.connections += 1
            return connection, address

        def handle_error(self, *_: Any) -> None:
            """Clients that hang up in the middle are what many tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        # The handshake belongs to the thread of the connection: a refused certificate must not stop the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
