"""Real processes that tests interrupt: the whole program wired as its environment says, and many runs of a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from digest import editions, stats
from digest.bootstrap import Services, bootstrap
from digest.settings import Settings
from tests import make
from tests.conftest import Program
from tests.sendgrid_stub import KEY, Stub

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
"""Seconds a test waits for what should take a few: the machine may be busy."""

LAST_LINE = "accepted "
"""How a line at the end of what `digest edition send` prints begins."""

# Forks a child for each line, so that a run costs no start. The child is not reaped before it is asked for: until then
# its number can belong to nobody else.
_NURSERY = """
import os, sys
from digest.cli.app import run

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        said = os.open("said.txt", os.O_WRONLY | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = open(1, "w")
        sys.stderr = open(2, "w")
        code = run(line.split())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(pid, flush=True)
    sys.stdin.readline()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def to_the_outbox(program: Program, **more: str) -> Services:
    """The program's services in this process; its mails go to a folder."""
    program.environ |= {
        "DIGEST_OUTBOX_DIR": str(program.folder / "outbox"),
        "DIGEST_POSTAL_ADDRESS": "1 Test Street, 10115 Berlin",
        "DIGEST_LOG": "json",
        **more,
    }
    return replace(bootstrap(Settings.from_env(program.environ)), timing=make.QUICK)


def through(stub: Stub, program: Program, **more: str) -> Services:
    """The program's services in this process; its mails go through the real adapter to a stand-in."""
    sender = {
        "SENDGRID_API_KEY": KEY,
        "SENDGRID_HOST": stub.url,
        "DIGEST_FROM_EMAIL": "verdicts@example.com",
        "DIGEST_FROM_NAME": "Weekly AI Tool Verdicts",
        "DIGEST_REPLY_TO": "editor@example.com",
        "DIGEST_JOURNAL": str(program.folder / "digest-journal.jsonl"),
    }
    return to_the_outbox(program, **sender, **more)


def numbers(services: Services, week: str = make.WEEK) -> stats.Numbers:
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, week))


def until(true: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Come back when it is true. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def mails(program: Program, week: str) -> list[str]:
    """The names of all mails of an edition in the outbox, wherever they lie."""
    return sorted(path.name for path in (program.folder / "outbox" / week).rglob("*.eml"))


@contextmanager
def started(program: Program, *command: str, unheard: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A long-running process, killed at the end if it is still there; what it says is in `said.txt`.

    `unheard`: its stderr is a pipe that nobody reads any more.
    """
    reads, writes = os.pipe()
    os.close(reads)
    with (program.folder / "said.txt").open("a") as said, os.fdopen(writes, "w") as nowhere:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=program.folder,
            env=program.env(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=nowhere if unheard else said,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


class Nursery:
    """Runs `digest …` again and again, each time in a process of its own, and ends some of them early."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._said = program.folder / "said.txt"
        self._process: subprocess.Popen[str] | None = None

    def run(
        self, *arguments: str, send: Sequence[signal.Signals] = (), once: str = "", after: float = 0, apart: float = 0
    ) -> int:
        """The exit code, negative for a signal it died of.

        Signals are sent `after` so many seconds, counted from when it has printed `once`, and `apart` from each other.
        """
        self._said.write_text("")
        pid = int(self._ask(" ".join(arguments)))
        if once:
            until(lambda: once in self.said() or LAST_LINE in self.said())
        time.sleep(after)
        for each in send:
            os.kill(pid, each)
            time.sleep(apart)
        return int(self._ask("reap"))

    def said(self) -> str:
        """What the latest run printed."""
        return self._said.read_text()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _ask(self, line: str) -> str:
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        return process.stdout.readline()

    def _start(self) -> subprocess.Popen[str]:
        """At the first run, when the program's environment is complete."""
        return subprocess.Popen(
            [sys.executable, "-c", _NURSERY],
            cwd=self._program.folder,
            env=self._program.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
