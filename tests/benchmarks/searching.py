"""Looking for people among many: milliseconds a page, against a bare look through the same index.

    python -m tests.benchmarks.searching                     # both databases, 100,000 people
    python -m tests.benchmarks.searching --rows 1000000 --database postgresql

Terms that many hold, that few hold and that nobody holds, in everybody and in one state; each the best and the worst
of several. The baseline reads the index to its end and looks for nothing: no search without an index of parts of words
can be faster where nobody is found.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from subscribers import roster
from subscribers.models import Subscriber
from subscribers.policy import State
from subscribers.texts import searchable
from subscribers.wishes import Rhythm
from tests.benchmarks.importing import DATABASES, NOW, fresh_database

TRIES = 7
TERMS = ("", "a", "qx", "example", "lindberg", "ada999", "nobody here", "ada9@mail9.example.com")
STATES = (None, State.ACTIVE, State.SUPPRESSED)
_NAMES = ("Ada", "Ben", "Cleo", "Dov", "Erin", "Faye", "Gus")
_LAST = ("Lindberg", "Moreau", "Okafor", "Petrov", "Quispe", "Rossi", "Sato", "Tanaka", "Ueda", "Varga", "Weiss")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.searching", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    options = parser.parse_args()
    for kind in options.database or DATABASES:
        with (
            tempfile.TemporaryDirectory(prefix="verdict-bench-") as folder,
            fresh_database(kind, Path(folder) / kind) as url,
        ):
            database = Database(url)
            _fill(database, options.rows)
            _print(kind, options.rows, database)
            database.dispose()


def _fill(database: Database, rows: int) -> None:
    for start in range(0, rows, 10_000):
        people = [_person(number, rows) for number in range(start, min(start + 10_000, rows))]
        with database.writing() as session:
            session.execute(sa.insert(Subscriber), people)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # As the server does by itself a minute after so many rows came in.
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def _person(number: int, rows: int) -> dict[str, Any]:
    first, last = _NAMES[number % len(_NAMES)], _LAST[number % len(_LAST)]
    email = f"{first}{number}@mail{number % 40}.example.com"
    name = f"{first} {last}" if number % 5 else None
    at = NOW - timedelta(seconds=rows - number)
    return {
        "link_id": secrets.token_urlsafe(16),
        "email": email,
        "email_key": email.lower(),
        "name": name,
        "search": searchable(email, email.lower(), name),
        "state": State.SUPPRESSED if number % 100 == 0 else State.UNSUBSCRIBED if number % 10 == 0 else State.ACTIVE,
        "topics": "",
        "plain_text": False,
        "rhythm": Rhythm.WEEKLY,
        "created_at": at,
        "changed_at": at,
    }


def _print(kind: str, rows: int, database: Database) -> None:
    print(f"{kind}, {rows:,} people, milliseconds (best – worst of {TRIES}) and how many on the page")
    print(f"{'term':>24}  " + "  ".join(f"{state or 'everybody':>22}" for state in STATES) + f"  {'counted':>15}")
    for term in TERMS:
        pages = [_timed(database, partial(_on_page, term=term, state=state)) for state in STATES]
        count = _timed(database, partial(roster.count_matching, text=term)).split(" –")[0]
        print(f"{term or '(nothing)':>24}  " + "  ".join(f"{page:>22}" for page in pages) + f"  {count:>15}")
    whole = sa.select(sa.func.count()).where(sa.func.length(Subscriber.search) == 0)
    print(f"{'the index to its end':>24}  {_timed(database, partial(Session.scalar, statement=whole)):>22}")


def _on_page(session: Session, term: str, state: State | None) -> int:
    return len(roster.search(session, term, state=state).people)


def _timed(database: Database, look: Callable[[Session], Any]) -> str:
    taken = []
    for _ in range(TRIES):
        with database.reading() as session:
            start = time.perf_counter()
            found = look(session)
            taken.append((time.perf_counter() - start) * 1000)
    return f"{min(taken):.1f} – {max(taken):.1f} ({found:,})"


if __name__ == "__main__":
    main()
