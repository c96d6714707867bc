"""The harness by hand; see the package."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.crash import boundaries
from tests.crash.checks import Violation
from tests.crash.rounds import ANY_MOMENT, Player, Tally
from tests.crash.scene import Nursery, Scene, program_on, server_for
from tests.sendgrid_stub import stub_process

HEAD = ("database", "processes", "fenced", "signal", "kills", "rounds", "uncertain", "twice", "lost", "seconds")


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and end what was started
    databases = ("sqlite", "postgresql") if options.database == "both" else (options.database,)
    processes = (options.processes,) if options.processes else (1, 3)
    print("".join(f"{word:>11}" for word in HEAD), flush=True)
    at = [_play(database, count, options) for database in databases for count in processes]
    _say_where(at, fenced=options.fenced)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500, help="processes ended in each line of the table")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--processes", type=int, choices=[1, 3], help="at a time (default: one line for each)")
    parser.add_argument("--fenced", action="store_true", help="with DIGEST_FENCE_MINUTES: nothing may stay uncertain")
    parser.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readers", type=int, default=90)
    return parser.parse_args()


def _play(database: str, processes: int, options: argparse.Namespace) -> Tally:
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="verdict-crash-") as name,
        server_for(database, Path(name) / "pg") as server,
        stub_process(seed=options.seed) as stub,
    ):
        program = program_on(Path(name) / "program", server)
        with (
            closing(Scene(program, stub, readers=options.readers, fenced=options.fenced)) as scene,
            closing(Nursery(program)) as nursery,
        ):
            number = signal.Signals[f"SIG{options.signal}"]
            player = Player(scene, nursery, processes=processes, number=number, seed=options.seed)
            try:
                tally = player.play(options.kills)
            except Violation as broken:
                done = player.tally
                print(f"\nbroken on {database}, {processes} at a time, round {done.rounds}, after {done.kills} kills")
                print(f"(--seed {options.seed}): {broken}")
                sys.exit(1)
    fenced, seconds = "yes" if options.fenced else "no", f"{time.monotonic() - began:.0f}"
    cells = (database, processes, fenced, options.signal, tally.kills, tally.rounds, tally.uncertain, 0, 0, seconds)
    print("".join(f"{cell:>11}" for cell in cells), flush=True)
    return tally


def _say_where(tallies: list[Tally], *, fenced: bool) -> None:
    everywhere = (*boundaries.BEGINNING, *boundaries.MIDDLE, *boundaries.ENDING, *(boundaries.FENCED if fenced else ()))
    print()
    for boundary in (*everywhere, ANY_MOMENT):
        print(f"{boundary:<40} {'  '.join(f'{tally.at[boundary]:>5}' for tally in tallies)}")


if __name__ == "__main__":
    main()
