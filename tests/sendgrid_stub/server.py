"""The stand-in on the wire: a thread for each connection, so that hanging and cutting are one line each."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from tests.sendgrid_stub.account import NOT_FOUND, Reply
from tests.sendgrid_stub.faults import Fault
from tests.sendgrid_stub.judge import Judged, error
from tests.sendgrid_stub.limits import LARGEST_BODY
from tests.sendgrid_stub.world import World

MAIL_SEND = "/v3/mail/send"
CONTROL = "/_stub/"
ELSEWHERE = "/elsewhere"
TOO_LARGE = b"<html><head><title>413 Request Entity Too Large</title></head><body>nginx</body></html>"


class Server(socketserver.ThreadingTCPServer):
    """Port 0 takes a free one. `tls` serves https."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, world: World, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.world = world
        self.stopping = threading.Event()
        self._tls = tls
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    @property
    def open(self) -> int:
        """How many connections somebody holds."""
        return len(self._open)

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        if self._tls:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._open.add(sock)
        return sock, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Close every connection there is, kept ones too."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def server_close(self) -> None:
        self.stopping.set()
        self.hang_up()
        super().server_close()
        self.world.close()


class Connection(BaseHTTPRequestHandler):
    """One client's connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _counted = False

    def do(self) -> None:
        path = urlsplit(self.path)
        if path.path.startswith(CONTROL):
            self._control(path.path.removeprefix(CONTROL), dict(parse_qsl(path.query)))
            return
        if not self._counted:
            self._counted = True
            self.server.world.opened()
        self.server.world.asked(self.command, self.path, {n.lower(): v for n, v in self.headers.items()})
        if path.path == ELSEWHERE:
            self.server.world.followed()
            self._answer(202, headers={"X-Message-Id": "elsewhere"})
        elif not self.server.world.knows(self.headers.get("Authorization", "")):
            self._body()
            self._refuse(401, "The provided authorization grant is invalid, expired, or revoked")
        elif path.path == MAIL_SEND and self.command == "POST":
            self._mail_send(self.server.world.draw())
        else:
            self._account(path.path.removeprefix("/v3/"), dict(parse_qsl(path.query)))

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Tests ask for the state instead."""

    def _control(self, path: str, query: dict[str, str]) -> None:
        if path == "hang-up":
            self._body()
            self._answer(200, {})
            self.wfile.flush()
            self.server.hang_up()
            return
        if path == "open":
            self._answer(200, {"open": self.server.open - 1})
            return
        self._reply(self.server.world.control(self.command, path, query, self._document()))

    # Everything else under /v3/

    def _account(self, path: str, query: dict[str, str]) -> None:
        document = self._document()
        fault = self.server.world.draw_for_account()
        if fault.name == "slow":
            self.server.stopping.wait(fault.seconds)
        reply = NOT_FOUND
        if fault.accept or fault.name in ("ok", "slow"):
            reply = self.server.world.reply(self.command, path, query, document)
        if fault.name == "cut":
            self._cut(fault)
        elif fault.status:
            self._refuse(fault.status, "so the script says")
        else:
            self._reply(reply)

    # Mail Send

    def _mail_send(self, fault: Fault) -> None:
        if fault.name == "midway":
            self.rfile.read(int(self.headers["Content-Length"]) // 2)
            self._cut(fault)
            return
        if fault.name == "early":
            self._answer_early(int(fault.value))
            return
        body = self._body()
        if fault.name == "slow":
            self.server.stopping.wait(fault.seconds)
        if len(body) >= LARGEST_BODY:
            self._answer(413, raw=TOO_LARGE, kind="text/html")
            return
        if not self.headers.get("Content-Type", "").startswith("application/json"):
            self._refuse(415, "Content-Type should be application/json.")
            return
        judged = self.server.world.judge(body)
        if judged.errors:
            self._answer(400, {"errors": judged.errors})
            return
        taken = fault.accept or fault.name in ("ok", "slow", "close", "no-id", "drip")
        message_id = self.server.world.take(judged, body) if taken else ""
        self._misbehave(fault, judged, message_id)

    def _misbehave(self, fault: Fault, judged: Judged, message_id: str) -> None:
        ways: dict[str, Callable[[], None]] = {
            "no-id": lambda: self._answer(202),
            "413": lambda: self._answer(413, raw=TOO_LARGE, kind="text/html"),
            "429": lambda: self._limit_rate(fault),
            "400": lambda: self._refuse(400, "Does not contain a valid address.", fault.value or None),
            "redirect": lambda: self._answer(307, headers={"Location": self.server.url + ELSEWHERE}),
            "garbage": self._talk_nonsense,
            "cut": lambda: self._cut(fault),
            "half": self._break_off,
            "hang": self._hang,
        }
        if way := ways.get(fault.name):
            way()
        elif fault.status >= 300:
            self._refuse(fault.status, "so the script says")
        elif fault.status:
            self._answer(fault.status)
        else:
            self._take(fault, judged, message_id)

    def _take(self, fault: Fault, judged: Judged, message_id: str) -> None:
        headers = {} if judged.sandbox else {"X-Message-Id": message_id}
        self._answer(200 if judged.sandbox else 202, headers=headers, drip=fault.seconds if fault.name == "drip" else 0)
        if fault.name == "close":
            self.close_connection = True

    def _limit_rate(self, fault: Fault) -> None:
        reset = str(int(self.server.world.clock.now() + fault.seconds))
        headers = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        self._answer(429, {"errors": [error("too many requests")]}, headers=headers)

    def _answer_early(self, status: int) -> None:
        """The answer and the end of the line, while the client still speaks."""
        self._refuse(status, "too early")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.server.stopping.wait(0.2)
        self.close_connection = True

    def _talk_nonsense(self) -> None:
        self.server.world.answered("garbage")
        self.wfile.write(b"\x00\xff\xfe what do you mean, send?\r\n\r\n")
        self.close_connection = True

    def _break_off(self) -> None:
        self.server.world.answered("half")
        self.wfile.write(b"HTTP/1.1 202 Accep")
        self.close_connection = True

    def _hang(self) -> None:
        """Until the client has had enough."""
        self.server.world.answered("hang")
        self.connection.settimeout(0.1)
        while not self.server.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        self.close_connection = True

    def _cut(self, fault: Fault) -> None:
        """A reset, not a polite end: what was not read yet is lost."""
        self.server.world.answered(fault.name)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    # The wire

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _document(self) -> Any:
        try:
            return orjson.loads(self._body() or b"{}")
        except orjson.JSONDecodeError:
            return None

    def _refuse(self, status: int, message: str, where: str | None = None) -> None:
        self._answer(status, {"errors": [error(message, where)]})

    def _reply(self, reply: Reply) -> None:
        self._answer(reply.status, reply.document)

    def _answer(
        self,
        status: int,
        document: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes = b"",
        kind: str = "application/json",
        drip: float = 0,
    ) -> None:
        body = orjson.dumps(document) if document is not None else raw
        if not self.path.startswith(CONTROL):
            self.server.world.answered(str(status))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if drip:
            self._drip(drip)
            return
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, seconds: float) -> None:
        letters = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer: list[bytes] = []
        for letter in letters:
            self.wfile.write(bytes([letter]))
            self.wfile.flush()
            if self.server.stopping.wait(seconds):
                return
