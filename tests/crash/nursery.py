"""Gives birth to processes that run the real command or the real clock, and tells what became of them.

It loads the program once and forks: a process costs a few hundredths of a second instead of a second. The forked one
does what a process of its own would do from there: it reads its settings, opens its database and its connections.

Reads one JSON document a line, and answers each with one:

    {"run": ["edition", "send", …], "said": FILE, "ticket": FILE,
     "fate": [BOUNDARY, NTH, SIGNAL] or null, "machine": NAME or null}      →  {"pid": PID}
    {"signal": SIGNAL, "pid": PID}                                          →  {"sent": true}
    {}                                                                      →  {"ended": {PID: CODE}}

`["clock"]` runs the clock, `["clock", "--once", JOB]` one look.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import database
import scheduler
from digest import bootstrap, finishing, sendgrid_send, workers  # noqa: F401 - loaded once, before the forks
from digest.bootstrap import Timing
from digest.cli import app, edition  # noqa: F401
from tests.crash import boundaries

#: Seconds where the program takes minutes.
QUICK = Timing(
    connect=timedelta(seconds=1),
    send=timedelta(seconds=1),
    read=timedelta(seconds=1),
    lease=timedelta(seconds=6),
    backoff=timedelta(seconds=0.02),
    longest_backoff=timedelta(seconds=0.1),
    longest_pause=timedelta(seconds=1),
    look_around=timedelta(seconds=0.5),
)
OFTEN = ("send", "rescue")
ABANDONED_SECONDS = 5


def main() -> None:
    wakes, woken = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended: dict[int, int] = {}
    living: set[int] = set()
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), wakes], [], [])
        if wakes in ready:
            os.read(wakes, 4096)
        _reap(ended)
        if sys.stdin.fileno() not in ready:
            continue
        line = sys.stdin.readline()
        if not line:
            _end(living - ended.keys())
            return
        asked = json.loads(line)
        # Only here are children reaped, so a number that has not ended is nobody else's.
        if "run" in asked:
            answer: dict[str, Any] = {"pid": _fork(asked)}
            living.add(answer["pid"])
        elif "signal" in asked:
            answer = {"sent": asked["pid"] not in ended}
            if answer["sent"]:
                os.kill(asked["pid"], asked["signal"])
        else:
            answer = {"ended": ended}
            living -= ended.keys()
            ended = {}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def _reap(ended: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ended[pid] = os.waitstatus_to_exitcode(status)


def _end(living: Iterable[int]) -> None:
    for pid in living:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _alone(asked["said"], asked["machine"])
            if asked["fate"]:
                fate = boundaries.Fate(*asked["fate"], ticket=Path(asked["ticket"]))
                boundaries.watch(fate.reached)
            code = _run(asked["run"])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid


def _alone(said: str, machine: str | None) -> None:
    """As if it had been started by itself; on another machine, if one is named."""
    if machine is not None:
        socket.gethostname = lambda: machine
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    workers._LIFE = secrets.token_hex(4)
    database.ABANDONED_SECONDS = ABANDONED_SECONDS
    finishing.LOOK_AGAIN = QUICK.backoff
    bootstrap.Timing = lambda: QUICK  # type: ignore[misc,assignment]
    often = [replace(job, every=1 if job.name in OFTEN else job.every) for job in scheduler.JOBS]
    scheduler.JOBS = tuple(often)  # type: ignore[assignment]


def _run(arguments: list[str]) -> int:
    if arguments[0] != "clock":
        return app.run(arguments)
    try:
        scheduler.main(arguments[1:])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


if __name__ == "__main__":
    main()
