"""How tests and benchmarks start the stand-in and talk to it. The same words for a thread and for a process."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from tests.sendgrid_stub.server import Server
from tests.sendgrid_stub.world import World

KEY = "SG.a-key-for-tests"
_ROOT = Path(__file__).resolve().parents[2]


class Stub:
    """A running stand-in. `url` is what SENDGRID_HOST would be."""

    def __init__(self, url: str) -> None:
        self.url = url

    def faults(self, *script: str, chances: Mapping[str, float] | None = None, seed: int | None = None) -> None:
        """Treat the next Mail Send requests so, one fault each; after the script by chance (see faults.py)."""
        document: dict[str, Any] = {"next": script}
        if chances is not None:
            document |= {"chances": dict(chances), "seed": seed}
        self._call("POST", "faults", document)

    def answer(self, what: str, status: int, document: Any) -> None:
        """Answer `what` ("GET /v3/scopes") so from now on."""
        self._call("POST", "answers", {"to": what, "status": status, "with": document})

    def reset(self) -> None:
        """Forget all mail, faults and answers."""
        self._call("POST", "reset", {})

    def hang_up(self) -> None:
        """Close every connection, kept ones too."""
        self._call("POST", "hang-up", {})

    def state(self) -> dict[str, Any]:
        """connections, mail_requests, taken_requests, recipients, answers by status, followed_redirects."""
        state: dict[str, Any] = self._call("GET", "state")
        return state

    def taken(self, *, delivery: int | None = None, address: str | None = None) -> list[dict[str, Any]]:
        """Requests that were taken, all or those that handed over one delivery or address, oldest first."""
        query = {"delivery": delivery} if delivery is not None else {"address": address} if address else {}
        taken: list[dict[str, Any]] = self._call("GET", "taken?" + urlencode(query))
        return taken

    def twice(self) -> dict[int, int]:
        """Deliveries handed over more than once, with how often."""
        return {int(delivery): times for delivery, times in self._call("GET", "twice")["twice"].items()}

    def distinct(self) -> int:
        """How many different deliveries were handed over."""
        distinct: int = self._call("GET", "twice")["distinct"]
        return distinct

    def mail(self, address: str) -> dict[str, Any] | None:
        """The newest mail to an address, as it would arrive; None when its request is no longer kept whole."""
        mail: dict[str, Any] | None = self._call("GET", "mail?" + urlencode({"address": address}))["mail"]
        return mail

    def requests(self) -> list[dict[str, Any]]:
        """method, path and headers (names in lower case) of the latest requests, oldest first."""
        requests: list[dict[str, Any]] = self._call("GET", "requests")
        return requests

    def _call(self, method: str, path: str, document: Any = None) -> Any:
        where = urlsplit(self.url)
        if where.scheme == "https":
            # Ours, on loopback, with a certificate made for one test.
            connection: HTTPConnection = HTTPSConnection(where.netloc, context=ssl._create_unverified_context())  # noqa: S323
        else:
            connection = HTTPConnection(where.netloc)
        try:
            connection.request(method, f"/_stub/{path}", None if document is None else orjson.dumps(document))
            response = connection.getresponse()
            told = orjson.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(told)
        return told


@contextlib.contextmanager
def running_stub(
    *, seed: int = 0, key: str | None = None, whole_bodies: int = 16, tls: ssl.SSLContext | None = None
) -> Iterator[Stub]:
    """A stand-in on a thread of this process: quick to start, for tests."""
    server = Server(World(key=key, seed=seed, whole_bodies=whole_bodies), tls=tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Stub(server.url)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def stub_process(*, seed: int = 0, whole_bodies: int = 16) -> Iterator[Stub]:
    """A stand-in in a process of its own: it does not share the interpreter lock, for benchmarks."""
    command = [sys.executable, "-m", "tests.sendgrid_stub", "--port", "0", "--seed", str(seed)]
    command += ["--whole-bodies", str(whole_bodies)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Stub(process.stdout.readline().split()[-1])
        finally:
            process.terminate()
