"""The desk's pages of selection and differences in a week of 500 comparisons: milliseconds of processor a request.

    python -m tests.benchmarks.desk_selection                  # both databases
    python -m tests.benchmarks.desk_selection --database sqlite

Measured is the whole request, signed in, through the application as a server calls it; on PostgreSQL what its server
does comes on top of it. `/staff` is beside them: what any page of the staff costs. The last two are
transactions with everything weighed in them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from fastapi.testclient import TestClient

from digest import drafting, editing, editions, reselecting
from digest.bootstrap import Services
from digest.models import Role
from digest.selection import Rules
from digest.web.app import create_app
from tests import make
from tests.benchmarks import selecting, send
from tests.benchmarks.importing import DATABASES, fresh_database
from tests.benchmarks.tables import print_table
from tests.web.staff_client import sign_in

TRIES = 11
EDDA = "staff 1"
FEWER = Rules(max_entries=5)
PAGES = {
    "any staff page": "/staff",
    "what was weighed": f"/desk/{make.WEEK}/selection",
    "its last page": f"/desk/{make.WEEK}/selection?page=99",
    "found by name": f"/desk/{make.WEEK}/selection?q=tool+11",
    "other rules": f"/desk/{make.WEEK}/selection?max_entries=5&distance=50",
    "differences": f"/desk/{make.WEEK}/differences?against=drafted",
    "the mail then": f"/desk/{make.WEEK}/differences/mail?against=drafted",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.desk_selection", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--database", choices=DATABASES, action="append")
    for kind in parser.parse_args().database or DATABASES:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verdict-bench-")))
            program = send.services(stack.enter_context(fresh_database(kind, folder / kind)))
            selecting.fill(program.database, selecting.A_WEEK)
            with program.database.writing() as session:
                drafting.draft(session, selecting.THIS_WEEK, program.settings, by="a benchmark", now=make.CUTOFF)
            _print(kind, program)
            program.close()


def _print(kind: str, program: Services) -> None:
    table = []
    with TestClient(create_app(program)) as client:
        sign_in(client, program, Role.ADMIN)
        for name, path in PAGES.items():
            taken = [_measured(partial(client.get, path)) for _ in range(TRIES)]
            table.append((name, f"{min(taken):.0f}", f"{statistics.median(taken):.0f}"))
    there, back = [], []
    for _ in range(TRIES):
        there.append(_measured(partial(_select_again, program)))
        back.append(_measured(partial(_undo, program)))
    for name, taken in (("seen, and selected again", there), ("undo", back)):
        table.append((name, f"{min(taken):.0f}", f"{statistics.median(taken):.0f}"))
    print_table(f"{kind}, {selecting.A_WEEK} comparisons, {TRIES} times", ("", "best ms", "median ms"), table)


def _measured(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return (time.process_time() - start) * 1000


def _select_again(program: Services) -> None:
    with program.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        revision = edition.revision
        found = editing.read(session, edition)
        seen = reselecting.propose(session, edition, found, FEWER, program.settings).mark
    again = reselecting.by_rules(FEWER, program.settings, seen=seen)
    editing.select_again(program.database, make.WEEK, again, seen_revision=revision, by=EDDA, now=make.CUTOFF)


def _undo(program: Services) -> None:
    editing.undo(program.database, make.WEEK, by=EDDA, now=make.CUTOFF)


if __name__ == "__main__":
    main()
