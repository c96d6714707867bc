"""Hand-over of whole editions beside the limit of the machine: recipients a second, memory, calls.

    python -m tests.benchmarks.send                                   # both databases, 10,000 to a million
    python -m tests.benchmarks.send --database postgresql --sizes 100000

The limit: bodies with the same, all different, addresses, built beforehand, posted in the same batches over as many
connections by the same transport, to the same stand-in (`limit`: in a process of its own, it parses, counts, answers).
They do not all fit into memory, so they are built in slices while the clock stands, and posted while it runs.

Sending and the limit take turns, each in a fresh process against a fresh stand-in; the best of each counts, because
whatever else the machine does only makes them slower. The edition is prepared once; before it is sent again its ledger
is put back to that moment. The stand-in must have counted as many recipients as there are readers, all accepted.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from database import Database
from digest import approving, batches, drafting, editions, gathering, logs, rehearsal, sending, stats
from digest.bootstrap import Services, bootstrap
from digest.models import Batch, BatchState, Edition, EditionState
from digest.presses import press_of
from digest.settings import Settings
from digest.sources.fetching import Fetcher
from digest.submitting import Submitter
from digest.transport import Request
from subscribers.links import new_link_id
from subscribers.models import Rhythm, State, Subscriber
from tests.benchmarks.importing import DATABASES, fresh_database
from tests.benchmarks.limit import limit_process
from tests.benchmarks.tables import print_table

SIZES = (10_000, 100_000, 1_000_000)
BATCH = 1_000
CONCURRENCY = 4
SLICE = 100
"""Bodies in memory at a time, a megabyte each."""
ROUNDS = 3
WEEK = "2026-W47"
NOWHERE = "http://127.0.0.1:9"
TOPICS = ("", "", "", "", "Developer Tools", "Gaming\nHealth")


def main() -> None:
    options = _options()
    if options.child:
        sys.stdout.write(json.dumps(_CHILDREN[options.child](options.url, options.stub)))
        return
    for kind in options.database or DATABASES:
        sizes = map(int, options.sizes.split(","))
        _print(kind, [_measure(kind, size, options.rounds) for size in sizes])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.send", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--child", choices=sorted(_CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--stub", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(kind: str, size: int, rounds: int) -> dict[str, Any]:
    """One size: a fresh database, then sending and the limit by turns."""
    with (
        tempfile.TemporaryDirectory(prefix="verdict-bench-") as folder,
        fresh_database(kind, Path(folder) / kind) as url,
    ):
        _set_the_scene(url, size)
        sent, bare = [], []
        for _ in range(rounds):
            sent.append(_run_child("send", url, size))
            bare.append(_run_child("limit", url, size))
    found: dict[str, Any] = min(sent, key=lambda one: one["seconds"])
    return {
        **found,
        "size": size,
        "limit": min(one["seconds"] for one in bare),
        "megabytes": max(one["megabytes"] for one in sent),
    }


def _run_child(what: str, url: str, size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.send", "--child", what, "--url", url]
    with limit_process() as stub:
        done = subprocess.run([*command, "--stub", stub.url], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        counted = stub.counted()
    assert counted.recipients == size, f"{counted.recipients:,} recipients were posted of {size:,}"
    return {**json.loads(done.stdout), "calls": counted.requests}


def services(url: str, stub: str = NOWHERE, *, first_wave: str = "0") -> Services:
    """The program as it is measured: the real transport, in front of a stand-in."""
    logs.configure("json", quiet=True)
    return bootstrap(
        Settings.from_env(
            {
                "DATABASE_URL": url,
                "DIGEST_SECRET_KEY": "a secret for measuring only",
                "SENDGRID_API_KEY": "SG.measuring",
                "SENDGRID_HOST": stub,
                "DIGEST_JOURNAL": str(_gone_at_exit() / "journal.jsonl"),
                "DIGEST_FROM_EMAIL": "verdicts@example.com",
                "DIGEST_FROM_NAME": "Weekly AI Tool Verdicts",
                "DIGEST_REPLY_TO": "editors@example.com",
                "DIGEST_POSTAL_ADDRESS": "1 Sample Street, 10115 Berlin",
                "DIGEST_BATCH_SIZE": str(BATCH),
                "DIGEST_SEND_CONCURRENCY": str(CONCURRENCY),
                "DIGEST_FIRST_WAVE": first_wave,
                "DIGEST_LOG": "json",
            }
        )
    )


def _gone_at_exit() -> Path:
    folder = tempfile.mkdtemp(prefix="verdict-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _set_the_scene(url: str, size: int) -> None:
    program = services(url)
    approved(program, size)
    sending.prepare(program, WEEK, by="benchmark", now=rehearsal.SENT_AT)
    program.close()


def approved(program: Services, size: int) -> None:
    """The bundled pages drafted and approved for so many readers, a third of whom chose topics."""
    with Fetcher() as fetcher:
        for outcome in gathering.gather(
            program.database, str(rehearsal.SAMPLES), fetcher=fetcher, now=rehearsal.GATHERED_AT
        ):
            assert outcome.news in ("new", "unchanged", "changed", "bad"), outcome
    _people(program.database, size)
    with program.database.writing() as session:
        week = drafting.week_to_draft(session, program.settings, now=rehearsal.DRAFTED_AT)
        drafting.draft(session, week, program.settings, by="benchmark", now=rehearsal.DRAFTED_AT)
    approving.approve(
        program, WEEK, by="benchmark", send_at=rehearsal.SENT_AT, seen_hash=None, now=rehearsal.APPROVED_AT
    )


def _people(database: Database, size: int) -> None:
    now = datetime.now(UTC)
    for start in range(0, size, 10_000):
        rows = [
            {
                "link_id": new_link_id(),
                "email": f"reader{number}@example.com",
                "email_key": f"reader{number}@example.com",
                "name": f"Reader {number}",
                "state": State.ACTIVE,
                "topics": TOPICS[number % len(TOPICS)],
                "plain_text": False,
                "rhythm": Rhythm.WEEKLY,
                "confirmed_at": now - timedelta(minutes=number % 500_000),
                "created_at": now,
                "changed_at": now,
            }
            for number in range(start, min(start + 10_000, size))
        ]
        with database.writing() as session:
            session.execute(sa.insert(Subscriber), rows)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # As the server does by itself a minute after so many rows came in.
            connection.exec_driver_sql("VACUUM ANALYZE subscribers")


def _send(url: str, stub: str) -> dict[str, Any]:
    """Hand over, as `digest edition send` does; memory beside that of the same process idle."""
    program = services(url, stub)
    _put_back(program.database)
    gc.collect()
    idle = _megabytes("VmRSS")
    start = time.perf_counter()
    Submitter(program, clock=lambda: datetime.now(UTC), stop=threading.Event()).run(WEEK)
    seconds = time.perf_counter() - start
    peak = _megabytes("VmHWM")
    with program.database.reading() as session:
        numbers = stats.numbers(session, editions.find(session, WEEK))
    assert numbers.adds_up, numbers.gaps()
    assert numbers.accepted == numbers.deliveries, numbers
    return {"seconds": seconds, "megabytes": peak - idle, "batches": sum(numbers.batches.values())}


def _put_back(database: Database) -> None:
    """The ledger as it was when the edition had just been prepared."""
    with database.writing() as session:
        session.execute(
            sa.update(Batch).values(
                state=BatchState.PENDING,
                attempt=0,
                owner=None,
                lease_until=None,
                called_at=None,
                body_sha256=None,
                message_id=None,
                accepted_at=None,
            )
        )
        session.execute(sa.update(Edition).values(state=EditionState.SENDING, begun_at=None, finished_at=None))


def _megabytes(what: str) -> float:
    """Of this process: in memory now (VmRSS), or at the most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def _limit(url: str, stub: str) -> dict[str, Any]:
    """The same bodies, built beforehand, over as many connections."""
    program = services(url, stub)
    gc.disable()
    seconds = 0.0
    with ThreadPoolExecutor(CONCURRENCY) as posters:
        bodies = _bodies(program)
        while requests := list(islice(bodies, SLICE)):
            start = time.perf_counter()
            list(posters.map(program.transport.post, requests))
            seconds += time.perf_counter() - start
    return {"seconds": seconds}


def _bodies(program: Services) -> Iterator[Request]:
    now = datetime.now(UTC)
    with program.database.reading() as session:
        for batch in session.scalars(sa.select(Batch).order_by(Batch.id)):
            claimed = batches.Claimed(
                batch.id,
                batch.edition_id,
                WEEK,
                batch.variant,
                batch.wave,
                batch.first_delivery,
                batch.last_delivery,
                1,
                "limit",
            )
            people = batches.readers(session, claimed)
            press = press_of(session, claimed.edition_id, claimed.variant, program)
            yield program.transport.build(press.outgoing(claimed, people, at=now))


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    head = (
        "recipients",
        "recipients/s",
        "limit/s",
        "of limit",
        "MB above idle",
        "s per 100,000",
        "batches",
        "calls",
    )
    table = [
        (
            f"{row['size']:,}",
            f"{row['size'] / row['seconds']:,.0f}",
            f"{row['size'] / row['limit']:,.0f}",
            f"{row['limit'] / row['seconds']:.0%}",
            f"{row['megabytes']:.0f}",
            f"{row['seconds'] / row['size'] * 100_000:.2f}",
            f"{row['batches']:,}",
            f"{row['calls']:,}",
        )
        for row in rows
    ]
    print_table(f"{kind}, batches of {BATCH:,}, {CONCURRENCY} connections", head, table)


_CHILDREN = {"send": _send, "limit": _limit}

if __name__ == "__main__":
    main()
