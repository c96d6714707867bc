"""Selecting a week's edition out of a small and a large archive: milliseconds, best and median, and where they go.

    python -m tests.benchmarks.selecting                       # both databases, archives of 1,000 and 100,000
    python -m tests.benchmarks.selecting --profile             # and what a profiler says of the largest

An archive is what so many weeks leave behind: 500 comparisons a week, dated, of tools with six takes each, and an
edition of eight entries for every week that is over; no longer news since three weeks. The 500 of this week are the
same in every archive: forty new tools, each beside some of two hundred known ones. Measured is all that a draft does
before it writes a row: the query what stands, its facts read and remarks resolved, what readers know of each tool, the
score, the choice and every reason. The archives take turns, each time in a new transaction.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import pstats
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import drafting
from digest.bootstrap import Services
from digest.facts import verdict_by_percent
from digest.models import Comparison, Edition, EditionState, Entry, Featured, Take, Tool
from digest.selection import Selection, choose
from digest.weeks import Week, Window
from tests import make
from tests.benchmarks import send
from tests.benchmarks.importing import DATABASES, fresh_database
from tests.benchmarks.tables import print_table

SIZES = (1_000, 100_000)
TRIES = 15
A_WEEK, ENTRIES = 500, 8
NEW_TOOLS, KNOWN_TOOLS, OLDER_TOOLS = 40, 200, 40
REVIEWERS = ("Builder", "Skeptic", "Futurist", "Creator", "Founder", "Analyst")
CATEGORIES = ("Developer Tools", "Gaming", "Health", "Finance", "Writing", "Design", "Data", "Music")
WEEKLY = timedelta(weeks=1)
WINDOW = Window(make.CUTOFF - WEEKLY, make.CUTOFF)
THIS_WEEK = Week.parse(make.WEEK)
CHUNK = 5_000
GAP = 4
"""Weeks after which what was not chosen is no longer news."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.selecting", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    for kind in options.database or DATABASES:
        _measure(kind, sizes, profile=options.profile)


def _measure(kind: str, sizes: list[int], *, profile: bool) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verdict-bench-")))
        programs = {}
        for size in sizes:
            url = stack.enter_context(fresh_database(kind, folder / f"{kind}{size}"))
            programs[size] = send.services(url)
            fill(programs[size].database, size)
        taken: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
        for _ in range(TRIES):
            for size in sizes:
                taken[size].append(_select(programs[size])[:2])
        _print(kind, {size: (taken[size], _select(programs[size])[2]) for size in sizes})
        if profile:
            _profile(programs[sizes[-1]])
        for program in programs.values():
            program.close()


def _select(program: Services) -> tuple[float, float, Selection]:
    """Seconds to read what stands, seconds to choose, and the choice."""
    with program.database.reading() as session:
        start = time.perf_counter()
        standing = drafting.standing_for(session, WINDOW, program.settings)
        read = time.perf_counter()
        selection = choose(standing, week=THIS_WEEK, rules=drafting.rules_of(program.settings))
        return read - start, time.perf_counter() - read, selection


def _profile(program: Services) -> None:
    with cProfile.Profile() as profiler:
        _select(program)
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("cumulative").print_stats(40)


# — an archive —


def fill(database: Database, size: int) -> None:
    chance = random.Random(4)
    weeks = size // A_WEEK
    with database.writing() as session:
        known = _tools(session, KNOWN_TOOLS, 0, make.CUTOFF - WEEKLY * weeks)
        new = _tools(session, NEW_TOOLS, 1_000_000, make.CUTOFF - WEEKLY / 2)
        ids = itertools.count(1)
        this_week = list(itertools.islice(((one, other) for other in known for one in new), None))
        _compare(session, chance.sample(this_week, A_WEEK), ids, make.CUTOFF - WEEKLY / 2)
    for ago in range(GAP, GAP + weeks - 1):
        with database.writing() as session:
            at = make.CUTOFF - WEEKLY * (ago + 0.5)
            tools = [*known, *_tools(session, OLDER_TOOLS, ago * 1_000, at)]
            pairs: set[tuple[int, ...]] = set()
            while len(pairs) < A_WEEK:
                pairs.add(tuple(chance.sample(tools, 2)))
            compared = _compare(session, sorted(pairs), ids, at)
            _feature(session, ago, compared[:ENTRIES])
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # As the server does by itself a minute after so many rows came in.
            connection.exec_driver_sql("VACUUM ANALYZE")


def _tools(session: Session, count: int, first: int, at: Any) -> list[int]:
    numbers = range(first + 1, first + count + 1)
    session.execute(sa.insert(Tool), [_tool(number, at) for number in numbers])
    session.execute(sa.insert(Take), [take for number in numbers for take in _takes(number)])
    return list(numbers)


def _tool(number: int, at: Any) -> dict[str, Any]:
    chance = random.Random(number)
    ship = chance.randint(0, len(REVIEWERS))
    facts = {
        "name": f"Tool {number}",
        "tagline": f"What tool {number} does",
        "category": chance.choice(CATEGORIES),
        "description": "A sentence or two on what it is, for whom, and how it differs from the others. " * 3,
        "entry": "Paid",
        "pricing": f"From {number % 90} dollars a month",
        "best_for": "Teams that have outgrown the last one",
        "panel_ship_percent": round(100 * ship / len(REVIEWERS), 1),
        "split": {"ship": ship, "skip": len(REVIEWERS) - ship},
        "community": {"ship_percent": chance.randint(0, 100), "votes": chance.randint(1, 900)},
    }
    return {
        "id": number,
        "slug": f"tool-{number}",
        "name": facts["name"],
        "tagline": facts["tagline"],
        "facts": facts,
        "first_seen_at": at,
        "changed_at": at,
    }


def _takes(number: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(-number)
    for position, reviewer in enumerate(REVIEWERS):
        score = chance.randint(20, 95)
        yield {
            "tool_id": number,
            "reviewer": reviewer,
            "score": score,
            "call": "ship" if score > 55 else "skip",
            "remark": f"What {reviewer} thinks of tool {number}, in a sentence that goes on for a little while.",
            "position": position,
        }


def _compare(session: Session, pairs: list[Any], ids: Iterator[int], at: Any) -> list[dict[str, Any]]:
    rows = []
    for one, other in pairs:
        left, right = sorted((one, other), key=lambda number: f"tool-{number}")
        slug = f"tool-{left}-vs-tool-{right}"
        number = next(ids)
        rows.append(
            {
                "id": number,
                "slug": f"{slug}-{number}" if at < WINDOW.start else slug,
                "url": f"https://compare.example.com/compare/{slug}",
                "left_id": left,
                "right_id": right,
                "published_at": at,
                "loose_remarks": [],
                "content_hash": "0" * 64,
                "first_seen_at": at,
                "changed_at": at,
            }
        )
    for start in range(0, len(rows), CHUNK):
        session.execute(sa.insert(Comparison), rows[start : start + CHUNK])
    return rows


def _feature(session: Session, ago: int, compared: list[dict[str, Any]]) -> None:
    """The edition of so many weeks ago, gone out, with these for its entries."""
    week = THIS_WEEK
    for _ in range(ago):
        week = week.previous
    end = WINDOW.end - WEEKLY * ago
    edition = Edition(
        week=str(week),
        state=EditionState.SENT,
        window_start=end - WEEKLY,
        window_end=end,
        planned_at=end,
        send_at=end,
        rules={},
        created_at=end,
        begun_at=end,
        finished_at=end,
    )
    session.add(edition)
    session.flush()
    for position, row in enumerate(compared, start=1):
        tools = [
            {**_tool(number, end)["facts"], "slug": f"tool-{number}", "takes": list(_takes(number))}
            for number in (row["left_id"], row["right_id"])
        ]
        facts = {"slug": row["slug"], "url": row["url"], "tools": tools, "published_at": end.isoformat()}
        session.add(Entry(edition_id=edition.id, position=position, comparison_id=row["id"], facts=facts, summary={}))
        for tool in tools:
            verdict = verdict_by_percent(tool["panel_ship_percent"])
            session.merge(Featured(identity=tool["slug"], edition_id=edition.id, verdict=verdict))


def _print(kind: str, found: dict[int, tuple[list[tuple[float, float]], Selection]]) -> None:
    head = ("archive", "stood", "chosen", "best ms", "median ms", "of it reading", "choosing")
    table = []
    for size, (taken, selection) in found.items():
        whole = [read + chose for read, chose in taken]
        table.append(
            (
                f"{size:,}",
                f"{len(selection.considered)}",
                f"{len(selection.chosen)}",
                f"{min(whole) * 1000:.1f}",
                f"{statistics.median(whole) * 1000:.1f}",
                f"{min(read for read, _ in taken) * 1000:.1f}",
                f"{min(chose for _, chose in taken) * 1000:.1f}",
            )
        )
    print_table(f"{kind}, {A_WEEK} comparisons of this week, {TRIES} times", head, table)


if __name__ == "__main__":
    main()
