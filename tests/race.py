"""People leave all the while an edition goes out, through the real door: whose no was stored before their batch's
hand-over is in no request, and nobody is lost.

    python -m tests.race --people 100000 --database both

Everything is a process of its own: `digest edition send`, `digest serve`, the stand-in, the database. Those who leave
stand just before the place where the edition has got to, where the race is.
"""

from __future__ import annotations

import argparse
import http.client
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from digest import approving, migrations, sending, stats
from digest.bootstrap import Services
from digest.models import Batch, Delivery
from subscribers.models import State, Subscriber
from tests import make, running
from tests.conftest import Program
from tests.crash.rounds import SEND
from tests.crash.scene import program_on, server_for
from tests.sendgrid_stub import Stub, stub_process

BATCH = 250
CLIENTS = 4
CHUNK = 20_000
SETTINGS = {
    "DIGEST_BATCH_SIZE": str(BATCH),
    "DIGEST_FIRST_WAVE": "0",
    "DIGEST_UNDO_MINUTES": "0",
    "DIGEST_TRUSTED_PROXIES": "127.0.0.1/32",
}
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Person:
    """Somebody in the edition, and the way to their one-click door."""

    subscriber: int
    path: str


@dataclass(frozen=True)
class Found:
    """What became of everybody. `broken` are promises, in words; none should be."""

    people: int
    left_in_time: int
    left_too_late: int
    in_doubt: int
    """Their no was being stored while their batch was handed over: either is right."""
    seconds: float
    broken: Sequence[str]


def run(program: Program, stub: Stub, *, people: int, seed: int) -> Found:
    """One edition and everybody who leaves meanwhile."""
    with closing(running.through(stub, program, **SETTINGS)) as services:
        in_order = _set_the_scene(services, people)
        stub.faults(chances={"slow:0.05": 1.0}, seed=seed)
        left: dict[int, tuple[float, float]] = {}
        with _served(program) as port:
            began = time.monotonic()
            with running.started(program, "-m", "digest", *SEND) as edition:
                _leave(port, in_order, left, stub, is_over=lambda: edition.poll() is not None, seed=seed)
                code = edition.wait(running.PATIENCE)
            seconds = time.monotonic() - began
        return _judged(services, stub, left, code=code, seconds=seconds)


def _set_the_scene(services: Services, people: int) -> list[Person]:
    """A prepared edition; everybody in the order of their deliveries."""
    migrations.upgrade(services.database)
    now = datetime.now(UTC)
    for first in range(0, people, CHUNK):
        with services.database.writing() as session:
            make.audience(session, min(CHUNK, people - first), first=first)
    make.draft(services)
    approving.approve(services, make.WEEK, by="edda@example.com", send_at=now, seen_hash=None, now=now)
    sending.prepare(services, make.WEEK, by="test", now=now)
    with services.database.reading() as session:
        rows = session.execute(
            sa.select(Subscriber.id, Subscriber.link_id)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .order_by(Delivery.id)
        )
        start = len(services.settings.digest_site_url.rstrip("/"))
        found = [Person(row.id, services.links.unsubscribe_url(row.link_id)[start:]) for row in rows]
    services.database.dispose()
    return found


# — leaving —


class Crowd:
    """Who leaves next: mostly somebody just before the place where the edition has got to."""

    def __init__(self, in_order: Sequence[Person], seed: int) -> None:
        self.place = 0
        self._in_order = in_order
        self._chance = random.Random(seed)
        self._gone: set[int] = set()
        self._lock = threading.Lock()

    def next(self) -> Person | None:
        """None when nobody can be found any more."""
        with self._lock:
            for _ in range(100):
                near = self._chance.random() < 0.8
                ahead = self.place + self._chance.randrange(-BATCH, 8 * BATCH) if near else None
                number = self._chance.randrange(len(self._in_order)) if ahead is None else max(ahead, 0)
                if number < len(self._in_order) and number not in self._gone:
                    self._gone.add(number)
                    return self._in_order[number]
        return None


def _leave(
    port: int,
    in_order: Sequence[Person],
    left: dict[int, tuple[float, float]],
    stub: Stub,
    *,
    is_over: Callable[[], bool],
    seed: int,
) -> None:
    """Through the door, from several clients, until the edition is over; `left` tells between which times each left."""
    crowd, over = Crowd(in_order, seed), threading.Event()

    def go(client: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        number = 0
        while not over.is_set() and (person := crowd.next()) is not None:
            number += 1
            proxied = {"X-Forwarded-For": f"10.{client}.{number >> 8 & 255}.{number & 255}", **FORM_TYPE}
            began = time.time()
            line.request("POST", person.path, ONE_CLICK, proxied)
            answer = line.getresponse()
            answer.read()
            if answer.status == http.HTTPStatus.OK:
                left[person.subscriber] = (began, time.time())
        line.close()

    clients = [threading.Thread(target=go, args=[client]) for client in range(CLIENTS)]
    for each in clients:
        each.start()
    while not is_over():
        crowd.place = stub.state()["recipients"]
        time.sleep(0.02)
    over.set()
    for each in clients:
        each.join()


@contextmanager
def _served(program: Program) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with running.started(program, "-m", "digest", "serve", "--no-scheduler", "--port", str(port)):
        running.until(lambda: _answers(port))
        yield port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# — judging —


def _judged(
    services: Services, stub: Stub, left: dict[int, tuple[float, float]], *, code: int, seconds: float
) -> Found:
    stub.left_alone()
    there = stub.deliveries(ever=True)
    numbers = running.numbers(services)
    broken = [] if code == 0 else [f"the command ended with {code}"]
    in_time = too_late = doubtful = 0
    for row in _everybody(services):
        began, stored = left.get(row.subscriber_id or 0, (None, None))
        if row.called_at is None:
            broken.append(f"delivery {row.id} was never handed over")
            continue
        called = row.called_at.timestamp()
        if stored is None or began is None:
            if row.withheld_because or row.id not in there:
                broken.append(f"delivery {row.id} did not leave, and is not at the provider: {row.withheld_because}")
        elif stored < called:
            in_time += 1
            if row.id in there or not row.withheld_because:
                broken.append(f"delivery {row.id} left {called - stored:.3f} s before its hand-over, and went out")
        else:
            too_late += began > called
            doubtful += began <= called
            if (row.id in there) == bool(row.withheld_because):
                broken.append(f"delivery {row.id} is at the provider and withheld, or neither")
    broken += _sums(services, numbers, stub, there)
    return Found(numbers.deliveries, in_time, too_late, doubtful, seconds, broken)


def _sums(services: Services, numbers: stats.Numbers, stub: Stub, there: set[int]) -> Iterator[str]:
    yield from numbers.gaps()
    if twice := stub.twice():
        yield f"twice: {twice}"
    if numbers.state != "sent" or numbers.accepted != len(there):
        yield f"{numbers.state}, {numbers.accepted:,} accepted, {len(there):,} at the provider"
    with services.database.reading() as session:
        stayed = session.scalar(sa.select(sa.func.count()).where(Subscriber.state == State.ACTIVE))
    if stayed is None or numbers.accepted < stayed:
        yield f"{stayed} stayed, and only {numbers.accepted:,} have it"


def _everybody(services: Services) -> Sequence[sa.Row[int, int | None, str | None, datetime | None]]:
    with services.database.reading() as session:
        return session.execute(
            sa.select(Delivery.id, Delivery.subscriber_id, Delivery.withheld_because, Batch.called_at).join(
                Batch, Delivery.id.between(Batch.first_delivery, Batch.last_delivery)
            )
        ).all()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.race", description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    head = ("database", "people", "left in time", "in doubt", "too late", "wrong", "seconds")
    print("".join(f"{word:>14}" for word in head), flush=True)
    for database in ("sqlite", "postgresql") if options.database == "both" else (options.database,):
        with (
            tempfile.TemporaryDirectory(prefix="verdict-race-") as name,
            server_for(database, Path(name) / "pg") as server,
            stub_process(seed=options.seed) as stub,
        ):
            found = run(program_on(Path(name) / "program", server), stub, people=options.people, seed=options.seed)
        cells = (database, found.people, found.left_in_time, found.in_doubt, found.left_too_late, len(found.broken))
        print("".join(f"{cell:>14,}" if isinstance(cell, int) else f"{cell:>14}" for cell in cells), end="")
        print(f"{found.seconds:>14.0f}", flush=True)
        if found.broken:
            sys.exit("\n".join([*found.broken[:20], f"(--seed {options.seed})"]))


if __name__ == "__main__":
    main()
