"""The clock itself: its doors, its rows, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
import sqlalchemy as sa

import scheduler
from database import Database
from digest import jobs, sending, settling, workers
from digest.bootstrap import Services
from digest.models import Batch, JobRun
from digest.transport import Request
from scheduler import JOBS, Clock, Job, run_once
from tests import make, running
from tests.conftest import Program
from tests.fakes import ScriptedTransport
from tests.sendgrid_stub import Stub, running_stub

CLOCK = str(running.ROOT / "scheduler.py")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running_stub(seed=5) as found:
        yield found


@pytest.fixture
def on_sqlite(sqlite: Database, tmp_path: Path) -> Program:
    """For facts of processes that no database can change."""
    return Program(tmp_path, {"DATABASE_URL": str(sqlite.url), "DIGEST_SECRET_KEY": "a secret for tests only"})


def being_sent(services: Services, readers: int) -> Services:
    """An edition whose audience is fixed, due long ago or far ahead, so that only handing over is left."""
    make.approved(services, readers=readers)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    services.database.dispose()
    return services


def runs(database: Database) -> list[JobRun]:
    with database.reading() as session:
        return list(session.scalars(sa.select(JobRun).order_by(JobRun.id)))


# — one look —


def test_a_look_leaves_a_row(services: Services) -> None:
    """Its job, its times, and what it said."""
    before = datetime.now(UTC)
    said = run_once(Job("try", 1, "", lambda *_: "did it"), services, stop=threading.Event())
    (run,) = runs(services.database)

    assert (said, run.job, run.ok, run.said, run.times) == ("did it", "try", True, "did it", 1)
    assert before <= run.started_at <= run.finished_at <= datetime.now(UTC)


def test_a_failed_look_leaves_a_row_too(services: Services) -> None:
    """The error goes on to whoever asked; the row says it failed and why, without the statement and its values."""

    def fail(services: Services, _: jobs.Shift) -> str:
        with services.database.reading() as session:
            session.execute(sa.text("SELECT :address FROM nowhere"), {"address": "ada@example.com"})
        return "never"

    with pytest.raises(sa.exc.DBAPIError):
        run_once(Job("try", 1, "", fail), services, stop=threading.Event())
    (run,) = runs(services.database)

    assert run.ok is False
    assert "nowhere" in run.said
    assert "ada@example.com" not in run.said
    assert "\n" not in run.said


# — the door —


@pytest.fixture
def door(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """`scheduler.main` in this process, with the program's environment."""
    running.to_the_outbox(program).close()
    for name, value in program.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(program.folder)
    return program


def exit_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        scheduler.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_it_lists_its_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, without any setting or database."""
    scheduler.main(["--list"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [job.name for job in JOBS]


def test_one_look_says_what_it_did(door: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """`--once` is for cron: nothing to do is said, too, and quiet looks of it are one row an hour."""
    for _ in range(3):
        scheduler.main(["--once", "draft"])
    assert capsys.readouterr().out == "nothing to do\n" * 3
    with closing(running.to_the_outbox(door)) as services:
        (run,) = runs(services.database)
        assert (run.job, run.times, run.process.endswith("/once")) == ("draft", 3, True)


def test_every_job_can_be_looked_at_once(door: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """On a fresh database each of them has nothing to do."""
    for job in JOBS:
        scheduler.main(["--once", job.name])

    assert capsys.readouterr().out == "nothing to do\n" * len(JOBS)


def test_an_unknown_job_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the names there are."""
    assert exit_of("--once", "nap") == 2
    assert "draft" in capsys.readouterr().err


def test_a_mistake_in_the_settings_is_said(
    door: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 with the name of the setting."""
    monkeypatch.setenv("DIGEST_CUTOFF", "someday")
    assert exit_of("--once", "draft") == 2
    assert "DIGEST_CUTOFF" in capsys.readouterr().err


def test_a_job_that_fails_is_one_sentence(
    door: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1: no traceback, no statement, no values."""
    with closing(running.to_the_outbox(door)) as services, services.database.writing() as session:
        session.execute(sa.text("ALTER TABLE letters RENAME TO lost"))

    assert exit_of("--once", "letters") == 1
    said = capsys.readouterr().err
    assert said.startswith("The database said: ")
    assert said.count("\n") == 1
    assert "SELECT" not in said


# — the clock in a process —


def test_a_failing_job_does_not_stop_the_others(sqlite: Database, tmp_path: Path) -> None:
    """Its failure is a row, its next look comes all the same, and so do those of the others."""
    services = make.services(sqlite, tmp_path)
    looked: list[str] = []

    def fail(*_: object) -> str:
        looked.append("fail")
        raise RuntimeError("no")

    def work(*_: object) -> str:
        looked.append("work")
        return ""

    clock = of(services, Job("fail", 1, "", fail), Job("work", 1, "", work))
    clock.start()
    running.until(lambda: min(looked.count("fail"), looked.count("work")) >= 2)
    clock.stop()

    assert {(run.job, run.ok) for run in runs(sqlite)} == {("fail", False), ("work", True)}


def of(services: Services, *these: Job, stop: threading.Event | None = None) -> Clock:
    """A clock with jobs of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "JOBS", these)
        return Clock(services, stop=stop)


def test_no_job_runs_twice_at_a_time(sqlite: Database, tmp_path: Path) -> None:
    """A job longer than its rhythm is not begun again before it is done."""
    at_work, most = [0], [0]

    def slow(*_: object) -> str:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(1.3)
        at_work[0] -= 1
        return ""

    clock = of(make.services(sqlite, tmp_path), Job("slow", 1, "", slow))
    clock.start()
    time.sleep(2.5)
    clock.stop()

    assert most == [1]


def test_stopping_waits_for_the_call_in_flight(sqlite: Database, tmp_path: Path) -> None:
    """While a batch is at the provider, `stop` waits; then its answer is recorded and nothing stays claimed."""
    transport, called, answer = ScriptedTransport(), threading.Event(), threading.Event()
    settings = {"DIGEST_BATCH_SIZE": "10", "DIGEST_SEND_CONCURRENCY": "1"}
    services = being_sent(make.services(sqlite, tmp_path, transport=transport, **settings), 30)

    def hold(_: Request) -> None:
        called.set()
        answer.wait(running.PATIENCE)

    transport.before_post = hold
    clock = Clock(services)
    clock.start()
    assert called.wait(running.PATIENCE)
    stopping = threading.Thread(target=clock.stop)
    stopping.start()
    stopping.join(0.5)
    waited = stopping.is_alive()
    answer.set()
    stopping.join(running.PATIENCE)

    assert waited
    assert not stopping.is_alive()
    found = running.numbers(services)
    assert (found.accepted, found.waiting, found.in_flight, found.adds_up) == (10, 20, 0, True)


def test_after_stop_no_job_begins(sqlite: Database, tmp_path: Path) -> None:
    """Asked to stop before a job's turn: it leaves no row. Stopping twice, or before starting, is harmless."""
    stop = threading.Event()
    stop.set()
    clock = of(make.services(sqlite, tmp_path), Job("work", 1, "", lambda *_: "worked"), stop=stop)
    clock.stop()
    clock.start()
    time.sleep(0.3)
    clock.stop()
    clock.stop()

    assert runs(sqlite) == []


# — real processes —


def in_a_call(stub: Stub) -> bool:
    """Whether a second call has arrived, the first being answered."""
    state = stub.state()
    return bool(state["mail_requests"] == 2 and state["taken_requests"] == 1)


def test_sigterm_in_a_slow_call_finishes_it(program: Program, stub: Stub) -> None:
    """The answer is waited for and recorded, the rest is left free, exit code 0."""
    settings = {"DIGEST_BATCH_SIZE": "2", "DIGEST_SEND_CONCURRENCY": "1"}
    with closing(being_sent(running.through(stub, program, **settings), 20)) as services:
        stub.faults("ok", "slow:2")
        with running.started(program, CLOCK) as clock:
            running.until(lambda: in_a_call(stub))
            clock.send_signal(signal.SIGTERM)
            code = clock.wait(running.PATIENCE)
        found = running.numbers(services)

        assert code == 0
        assert (found.accepted, found.waiting, found.in_flight, found.uncertain) == (4, 16, 0, 0)
        assert (stub.distinct(), stub.twice()) == (4, {})
        assert [run.said for run in runs(services.database) if run.job == "send"] == ["4 deliveries answered"]


HEARD_ELSEWHERE = """
import signal, threading, time
import scheduler

def end():
    time.sleep(2)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

threading.Thread(target=end, daemon=True).start()
scheduler.main([])
"""


def test_a_signal_that_wakes_nobody_is_heard_all_the_same(on_sqlite: Program) -> None:
    """It may come to any thread, or just before the main one lies down: the clock ends as if it had been woken."""
    with closing(running.to_the_outbox(on_sqlite)), running.started(on_sqlite, "-c", HEARD_ELSEWHERE) as clock:
        assert clock.wait(running.PATIENCE) == 0


def test_a_second_signal_ends_at_once(on_sqlite: Program, stub: Stub) -> None:
    """A provider that hangs is not waited for any longer; a clock started on this machine sees at once who is gone."""
    settings = {"DIGEST_BATCH_SIZE": "2", "DIGEST_SEND_CONCURRENCY": "1"}
    with closing(being_sent(running.through(stub, on_sqlite, **settings), 4)) as services:
        stub.faults("ok", "hang")
        with running.started(on_sqlite, CLOCK) as clock:
            running.until(lambda: stub.state()["mail_requests"] == 2)
            clock.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            still_there = clock.poll() is None
            clock.send_signal(signal.SIGTERM)
            code = clock.wait(5)

        assert still_there
        assert code == 128 + signal.SIGTERM
        assert settling.rescue(services, now=datetime.now(UTC)) == 1
        assert running.numbers(services).uncertain == 2


def test_the_dead_of_this_machine_need_no_lease_to_end(services: Services, program: Program) -> None:
    """A batch of a process that is gone is free at once; one of another machine waits for its lease."""
    being_sent(services, 1)
    with running.started(program, "-c", "pass") as process:
        process.wait(running.PATIENCE)
    machine = workers.owner_name("x").split("/")[0]

    assert workers.owner_is_gone(f"{machine}/{process.pid}/x")
    assert not workers.owner_is_gone(workers.owner_name("x"))
    assert not workers.owner_is_gone(f"another-{machine}/{process.pid}/x")
    assert not workers.owner_is_gone(f"{machine[:-1]}/{process.pid}/x")
    assert workers.owner_is_gone(f"{machine}/{os.getpid()}/an-earlier-life")
    with services.database.writing() as session:
        session.execute(
            sa.update(Batch).values(
                state="submitting", owner=f"{machine}/{process.pid}/x", lease_until=datetime(2199, 1, 1, tzinfo=UTC)
            )
        )
    assert settling.rescue(services, now=datetime.now(UTC)) == 1
    assert running.numbers(services).waiting == 1


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_serving_ends_cleanly_in_a_call(on_sqlite: Program, stub: Stub, asked: signal.Signals) -> None:
    """Pages and clock in one process: the call in flight is finished and recorded, then exit code 0."""
    settings = {"DIGEST_BATCH_SIZE": "2", "DIGEST_SEND_CONCURRENCY": "1"}
    with closing(being_sent(running.through(stub, on_sqlite, **settings), 20)) as services:
        stub.faults("ok", "slow:2")
        port = free_port()
        with running.started(on_sqlite, "-m", "digest", "serve", "--port", str(port)) as serving:
            running.until(lambda: in_a_call(stub))
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                assert answer.status == 200
            began = time.monotonic()
            serving.send_signal(asked)
            code = serving.wait(running.PATIENCE)
        found = running.numbers(services)

        assert code == 0
        assert time.monotonic() - began < 20
        assert (found.accepted, found.waiting, found.in_flight, found.uncertain) == (4, 16, 0, 0)
        assert stub.twice() == {}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
