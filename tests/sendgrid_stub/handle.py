"""How tests and benchmarks start the stand-in and talk to it. The same words for a thread and for a process."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from tests.sendgrid_stub.server import Server
from tests.sendgrid_stub.world import CANCEL_MARGIN, World

KEY = "SG.a-key-for-tests"
_ROOT = Path(__file__).resolve().parents[2]


class Stub:
    """A running stand-in. `url` is what SENDGRID_HOST would be."""

    def __init__(self, url: str) -> None:
        self.url = url

    def faults(self, *script: str, chances: Mapping[str, float] | None = None, seed: int | None = None) -> None:
        """Treat the next Mail Send requests so, one fault each; after the script by chance (see faults.py)."""
        self._script("faults", script, chances, seed)

    def account_faults(self, *script: str, chances: Mapping[str, float] | None = None, seed: int | None = None) -> None:
        """The same for every other request: batch ids, scheduled sends, lists."""
        self._script("account-faults", script, chances, seed)

    def _script(self, whose: str, script: Sequence[str], chances: Mapping[str, float] | None, seed: int | None) -> None:
        document: dict[str, Any] = {"next": script}
        if chances is not None:
            document |= {"chances": dict(chances), "seed": seed}
        self._call("POST", whose, document)

    def answer(self, what: str, status: int, document: Any) -> None:
        """Answer `what` ("GET /v3/scopes") so from now on."""
        self._call("POST", "answers", {"to": what, "status": status, "with": document})

    def as_usual(self, what: str) -> None:
        """Answer that by itself again."""
        self._call("POST", "as-usual", {"to": what})

    def reset(self) -> None:
        """Forget all mail, faults and answers."""
        self._call("POST", "reset", {})

    def hang_up(self) -> None:
        """Close every connection, kept ones too."""
        self._call("POST", "hang-up", {})

    # time

    def now(self) -> float:
        """The account's time, in unix seconds."""
        now: float = self._call("GET", "clock")["now"]
        return now

    def forward(self, seconds: float) -> None:
        """Move the account's time: what was scheduled until then goes out, or is discarded."""
        self._call("POST", "clock", {"forward": seconds})

    # what becomes of mails

    def webhook(self, url: str | None, *, most: int = 500, every: float = 0.1) -> None:
        """Post signed events there from now on, at most so many at a time: of mail taken from now on."""
        self._call("POST", "webhook", {"url": url, "most": most, "every": every})

    def fortune(self, address: str, *events: str) -> None:
        """What becomes of every mail to this address from now on (see events.py)."""
        self._call("POST", "fortunes", {"addresses": {address: events}})

    def fortunes(self, chances: Mapping[str, float], *, seed: int | None = None) -> None:
        """What becomes of mails by chance (see fortunes.py); none: all are processed and delivered."""
        self._call("POST", "fortunes", {"chances": dict(chances), "seed": seed})

    def happen(self, address: str, *events: str) -> None:
        """These events of the newest mail that has gone out to this address, now."""
        self._call("POST", "happen", {"address": address, "events": events})

    def post_events(self, *events: Mapping[str, Any]) -> None:
        """Exactly these, signed."""
        self._call("POST", "events", {"events": [dict(event) for event in events]})

    def mischief(self, chances: Mapping[str, float], *, seed: int | None = None) -> None:
        """What goes wrong on the way to the webhook, by chance (see mischief.py)."""
        self._call("POST", "mischief", {"chances": dict(chances), "seed": seed})

    def events(self) -> dict[str, Any]:
        """public_key, waiting, later, events, posts, lost, answers and forged by status."""
        events: dict[str, Any] = self._call("GET", "events")
        return events

    def acknowledged(self, *, within: float = 30) -> dict[str, Any]:
        """Come back when everything that is due was posted and answered 2xx. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while (events := self.events())["waiting"]:
            if time.monotonic() > deadline:
                raise TimeoutError(events)
            time.sleep(0.02)
        return events

    def suppress(self, name: str, email: str, **more: Any) -> None:
        """Put an address on a suppression list; `at` is the unix second, other fields as its entry shows them."""
        self._call("POST", "suppressions", {"list": name, "email": email, **more})

    # what it knows

    def state(self) -> dict[str, Any]:
        """connections, mail_requests, taken_requests, recipients, fates, answers by status …"""
        state: dict[str, Any] = self._call("GET", "state")
        return state

    def left_alone(self, *, within: float = 30) -> None:
        """Come back when nobody holds a connection: whatever a dead client sent was taken by then, or never will be.

        Raises TimeoutError.
        """
        deadline = time.monotonic() + within
        while self._call("GET", "open")["open"]:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.02)

    def taken(self, *, delivery: int | None = None, address: str | None = None) -> list[dict[str, Any]]:
        """Requests that were taken, all or those that handed over one delivery or address, oldest first."""
        query = {"delivery": delivery} if delivery is not None else {"address": address} if address else {}
        taken: list[dict[str, Any]] = self._call("GET", "taken?" + urlencode(query))
        return taken

    def twice(self, *, ever: bool = False) -> dict[int, int]:
        """Deliveries that went or will go out more than once, with how often; `ever` counts discarded ones too."""
        return {int(delivery): times for delivery, times in self._counted(ever)["twice"].items()}

    def distinct(self, *, ever: bool = False) -> int:
        """How many different deliveries went or will go out."""
        distinct: int = self._counted(ever)["distinct"]
        return distinct

    def deliveries(self, *, ever: bool = False) -> set[int]:
        """The deliveries that went or will go out."""
        return set(self._call("GET", "deliveries?ever=1" if ever else "deliveries"))

    def _counted(self, ever: bool) -> dict[str, Any]:
        counted: dict[str, Any] = self._call("GET", "twice?ever=1" if ever else "twice")
        return counted

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
    *,
    seed: int = 0,
    key: str | None = None,
    whole_bodies: int = 16,
    margin: float = CANCEL_MARGIN,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Stub]:
    """A stand-in on a thread of this process: quick to start, for tests. `margin` as `--cancel-margin`."""
    server = Server(World(key=key, seed=seed, whole_bodies=whole_bodies, margin=margin), tls=tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Stub(server.url)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def stub_process(*, seed: int = 0, whole_bodies: int = 16, margin: float = CANCEL_MARGIN) -> Iterator[Stub]:
    """A stand-in in a process of its own: it does not share the interpreter lock, for benchmarks."""
    command = [sys.executable, "-m", "tests.sendgrid_stub", "--port", "0", "--seed", str(seed)]
    command += ["--whole-bodies", str(whole_bodies), "--cancel-margin", str(margin)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Stub(process.stdout.readline().split()[-1])
        finally:
            process.terminate()
