"""Taking events in beside bare inserts of the same rows: events a second, the ratio, and how long one post takes.

    python -m tests.benchmarks.events                                   # both databases, 200,000 events
    python -m tests.benchmarks.events --events 1000000 --database postgresql --signals 0

The events of one edition, shuffled: three of each delivery, one in fifty told twice, and of every 500 deliveries one
with a bounce, a complaint or an opt-out that reaches consent (`--signals`; 0: none). Taking in is all that the door
does with a post of 500: the signature over the raw bytes, reading, both keys, the stamps, the batches, consent and its
proof, the commit. The bare insert writes the rows that came of it, prepared beforehand, into another table of the same
shape with the same keys and indexes, by the driver's own `executemany`, as many in a transaction; on PostgreSQL as
columns too, which is faster. All take turns post by post in one database, so that whatever else the machine does meets
them alike. At the end everything that was stored is told again and compared.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from database import NAMING, Base, Database
from digest import event_rows, outcomes, replaying_events, sendgrid_events
from digest.event_rows import Row
from digest.models import Batch, BatchState, Delivery, Edition, EditionState
from subscribers import addresses, consent, secrecy
from tests.benchmarks.importing import DATABASES, NOW, fresh_database
from tests.benchmarks.tables import print_table
from tests.signing import Signer, body_of

WEEK = "2026-W47"
POST, BATCH = 500, 500
STAMP = "1795000000"
TOLD = NOW + timedelta(hours=2)
SIGNER = Signer()
OTHER = "bare_events"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.events", description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--signals", type=int, default=500, help="one delivery in so many; 0: none")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rows = [_measure(kind, options.events, options.signals) for kind in options.database or DATABASES]
    head = ("", "events/s", "bare/s", "of bare", "bare columns/s", "of those", "post, median", "99 of 100", "longest")
    print_table(f"{options.events:,} events in posts of {POST}", head, rows)


def _measure(kind: str, events: int, signals: int) -> tuple[str, ...]:
    with (
        tempfile.TemporaryDirectory(prefix="verdict-bench-") as folder,
        fresh_database(kind, Path(folder) / kind) as url,
    ):
        database = Database(url)
        secrecy.equip(database, ("a secret for measuring only",))
        _hand_over(database, -(-events // 3))
        posts = _posts(events, signals)
        ways = _ways(database)
        taken: dict[str, list[float]] = {name: [] for name in ("taken in", *ways)}
        for body in posts:
            prepared = _prepared(database, body)
            turns: dict[str, Callable[[], object]] = {
                "taken in": lambda body=body: _take_in(database, body),  # type: ignore[misc]
                **{name: lambda way=way, rows=prepared: way(rows) for name, way in ways.items()},  # type: ignore[misc]
            }
            for name, do in turns.items():
                start = time.perf_counter()
                do()
                taken[name].append(time.perf_counter() - start)
        found = replaying_events.check(database, now=TOLD)
        assert not found.count, found.said
        database.dispose()
    return _line(kind, events, taken)


def _line(kind: str, events: int, taken: dict[str, list[float]]) -> tuple[str, ...]:
    rate = {name: events / sum(each) for name, each in taken.items()}
    ours, posts = rate["taken in"], sorted(taken["taken in"])
    columns = rate.get("columns")
    return (
        kind,
        f"{ours:,.0f}",
        f"{rate['rows']:,.0f}",
        f"{ours / rate['rows']:.0%}",
        f"{columns:,.0f}" if columns else "–",
        f"{ours / columns:.0%}" if columns else "–",
        f"{statistics.median(posts) * 1000:.1f} ms",
        f"{posts[int(len(posts) * 0.99)] * 1000:.1f} ms",
        f"{posts[-1] * 1000:.1f} ms",
    )


def _take_in(database: Database, body: bytes) -> None:
    signature = SIGNER_OF[body]
    events = sendgrid_events.read(body, signature=signature, timestamp=STAMP, public_key=SIGNER.public_key)
    outcomes.take_in(database, events, now=TOLD)


def _prepared(database: Database, body: bytes) -> list[Row]:
    """The rows of a post, made beforehand."""
    with database.reading() as session:
        keyed = outcomes.keyed(session, sendgrid_events.parse(body), TOLD)
    return sorted(row for row, _ in keyed)


SIGNER_OF: dict[bytes, str] = {}


def _posts(count: int, signals: int) -> list[bytes]:
    chance = random.Random(47)
    events: list[dict[str, Any]] = []
    for number in range(-(-count // 3)):
        at = int(NOW.timestamp()) + chance.randrange(3_600)
        kinds = ["processed", "delivered", "open"]
        if signals and number % signals == 0:
            kinds[2] = chance.choice(["spamreport", "unsubscribe", "bounce"])
        events += [_event(number + 1, kind, at + place) for place, kind in enumerate(kinds)]
    chance.shuffle(events)
    events = events[:count]
    for place in range(0, count - 50, 50):
        events[place] = events[chance.randrange(count)]
    posts = [body_of(events[start : start + POST]) for start in range(0, count, POST)]
    SIGNER_OF.update((body, SIGNER.signature(body, STAMP)) for body in posts)
    return posts


def _event(delivery: int, kind: str, at: int) -> dict[str, Any]:
    """As SendGrid writes one."""
    said = {
        "email": f"reader{delivery}@example.com",
        "timestamp": at,
        "smtp-id": f"<{delivery}.{at}@geopod-ismtpd-6>",
        "event": kind,
        "category": ["digest"],
        "sg_event_id": f"{kind}-{delivery}-Zm9vYmFyLTEyMzQ1Njc4OTA",
        "sg_message_id": f"14c5d75ce93.dfd.{delivery // BATCH}.filter0001.16648.5515E0B88.{delivery % BATCH}",
        "vd_delivery": str(delivery),
        "vd_week": WEEK,
        "vd_batch": str((delivery - 1) // BATCH + 1),
        "vd_attempt": "1",
    }
    more: dict[str, dict[str, Any]] = {
        "delivered": {"response": "250 2.0.0 OK 1795000000 ffacd0b85a97d", "tls": 1, "ip": "203.0.113.7"},
        "open": {"useragent": "Mozilla/4.0 (compatible; MSIE 6.1; Windows XP)", "ip": "203.0.113.8"},
        "bounce": {"type": "bounce", "reason": "550 5.1.1 no such user", "bounce_classification": "Invalid Address"},
    }
    return said | more.get(kind, {})


# — the least that writes them down —


def _ways(database: Database) -> dict[str, Callable[[Sequence[Row]], None]]:
    """By name: how the same rows are written bare, each into a table of its own."""
    table = Base.metadata.tables["provider_events"]
    ways: dict[str, Callable[[Sequence[Row]], None]] = {}
    for name in ("rows", "columns")[: 1 if database.is_sqlite else 2]:
        copy = table.to_metadata(sa.MetaData(naming_convention=NAMING), name=f"{OTHER}_{name}")
        for index in copy.indexes:
            index.name = sa.quoted_name(f"{index.name}_{name}", quote=None)
        copy.primary_key.name = None
        copy.create(database.engine)
        ways[name] = _bare(database, copy.name, name)
    return ways


def _bare(database: Database, table: str, way: str) -> Callable[[Sequence[Row]], None]:
    mark = "?" if database.is_sqlite else "%s"
    into = ", ".join(Row._fields)
    by_rows = f"INSERT INTO {table} ({into}) VALUES ({', '.join([mark] * len(Row._fields))}) ON CONFLICT DO NOTHING"  # noqa: S608
    by_columns = event_rows.INTO_POSTGRES.replace("INTO provider_events", f"INTO {table}").partition(" RETURNING")[0]

    def write(rows: Sequence[Row]) -> None:
        values: Any = rows
        if database.is_sqlite:
            values = [(*r[:4], event_rows.in_sqlite(r[4]), event_rows.in_sqlite(r[5]), *r[6:]) for r in rows]
        with database.writing() as session, closing(session.connection().connection.cursor()) as cursor:
            if way == "columns":
                cursor.execute(by_columns, [list(column) for column in zip(*values, strict=True)])
            else:
                cursor.executemany(by_rows, values)

    return write


def _hand_over(database: Database, readers: int) -> None:
    """One edition, accepted, to so many."""
    with database.writing() as session:
        for start in range(0, readers, 10_000):
            some = range(start + 1, min(start + 10_000, readers) + 1)
            people = [consent.Newcomer(addresses.parse(f"reader{number}@example.com")) for number in some]
            consent.bring_in(session, people, basis="a benchmark", now=NOW - timedelta(days=30), source="benchmark")
        at = {"window_start": NOW, "window_end": NOW, "planned_at": NOW, "send_at": NOW, "created_at": NOW}
        edition = Edition(week=WEEK, state=EditionState.SENDING, rules={}, prepared_at=NOW, begun_at=NOW, **at)
        edition.candidates = readers
        session.add(edition)
        session.flush()
        numbers = sa.text(
            "INSERT INTO deliveries (id, edition_id, subscriber_id, variant) SELECT row_number() OVER (ORDER BY id), "
            ":edition, id, 'all' FROM (SELECT id, CAST(substr(email, 7, length(email) - 18) AS integer) AS number "
            "FROM subscribers) AS people ORDER BY number"
        )
        session.execute(numbers, {"edition": edition.id})
        for first in range(1, readers + 1, BATCH):
            last = min(first + BATCH - 1, readers)
            ours = {"edition_id": edition.id, "variant": "all", "first_delivery": first, "last_delivery": last}
            session.add(Batch(state=BatchState.ACCEPTED, attempt=1, called_at=NOW, accepted_at=NOW, **ours))
        assert session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == readers


if __name__ == "__main__":
    main()
