"""The clock: wakes somebody up to look. What is due, who has it and what was done stand in rows, never here.

Every job may run twice, late, or in two processes at once; the rows decide who does the work. Run it alone with
`python scheduler.py` (or `digest-clock`), or inside `digest serve`.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from database import WriteLockTimeout
from digest import job_runs, jobs, logs, settings, stopping
from digest.bootstrap import Services, bootstrap
from digest.errors import DigestError
from digest.migrations import ensure_current
from digest.settings import SettingsProblem

log = structlog.get_logger()

GLANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """One thing to look at every so often; returns what it did, in words, or nothing."""

    name: str
    every: int
    """Seconds between two looks."""
    does: str
    run: Callable[[Services, jobs.Shift], str]


JOBS = (
    Job("gather", 60, "read the sources that are due for their hourly reading", jobs.gather),
    Job("links", 60, "ask the pages that editions at home link to, each once a day", jobs.ask_links),
    Job("examine", 3600, "ask the provider whether it takes our mail, without handing any over", jobs.examine),
    Job("draft", 30, "draft the edition whose cut-off has passed", jobs.draft),
    Job("remind", 60, "remind staff of a draft that nobody has approved", jobs.remind),
    Job("send", 10, "send what is approved and due", jobs.send),
    Job("requests", 2, "do what follows from what was asked at the public doors", jobs.settle_requests),
    Job("unconfirmed", 600, "remind whoever asked for the newsletter and did not confirm", jobs.remind_unconfirmed),
    Job("letters", 5, "post letters and notices", jobs.letters),
    Job("imports", 3, "check and bring in the lists that staff have uploaded", jobs.bring_in_lists),
    Job("suppressions", 600, "read the provider's suppression lists once a day", jobs.suppressions),
    Job("watch", 15, "stop an edition that does harm, or tell staff", jobs.watch),
    Job("rescue", 30, "free what dead workers left behind", jobs.rescue),
    Job("tidy", 3600, "forget what is no longer needed", jobs.tidy),
)


class Clock:
    """All jobs in one process, each in its own thread, none twice at a time. With `stop` set no job begins."""

    def __init__(self, services: Services, *, stop: threading.Event | None = None) -> None:
        self._services = services
        self._stop = stop or threading.Event()
        # It warns of every look that finds the last one still at work, which is how a long send looks.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        # max_instances and grace belong in job_defaults: given to the scheduler itself they are silently ignored.
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(JOBS))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        for job in JOBS:
            self._scheduler.add_job(
                self._run, "interval", args=[job], seconds=job.every, id=job.name, next_run_time=real_now()
            )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Finish the calls in flight, release what is claimed, and come back when that is done."""
        self._stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def _run(self, job: Job) -> None:
        if self._stop.is_set():
            return
        # Nothing may escape: the scheduler would only log it, and the run would leave no row.
        try:
            run_once(job, self._services, stop=self._stop)
        except Exception:
            log.exception("job failed", job=job.name)


def run_once(job: Job, services: Services, *, stop: threading.Event, process: str | None = None) -> str:
    """One look. What it did is kept in `job_runs`, also when it failed; then the error goes on.

    `process` is who looked, this process unless said otherwise; quiet looks of the same are counted together.
    """
    shift = jobs.Shift(clock=real_now, stop=stop)
    started = real_now()
    try:
        said = job.run(services, shift)
    except Exception as why:
        problem = f"{type(why).__name__}: {_in_one_sentence(why)}"
        job_runs.note_run(
            services, job.name, started=started, finished=real_now(), ok=False, said=problem, process=process
        )
        raise
    job_runs.note_run(services, job.name, started=started, finished=real_now(), ok=True, said=said, process=process)
    return said


def real_now() -> datetime:
    return datetime.now(UTC)


def main(arguments: Sequence[str] | None = None) -> None:
    """The clock alone, until SIGTERM or Ctrl-C; a second one ends it at once."""
    options = _options(arguments)
    if options.list:
        for job in JOBS:
            sys.stdout.write(f"{job.name:<12} every {job.every:>5} s  {job.does}\n")
        return
    try:
        _work(options.once)
    except SettingsProblem as problem:
        sys.exit(_complain(str(problem), 2))
    except (DigestError, WriteLockTimeout, SQLAlchemyError, OSError) as problem:
        sys.exit(_complain(_in_one_sentence(problem), 1))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="digest-clock", description="The clock of the weekly verdict digest.")
    parser.add_argument("--once", metavar="JOB", choices=[job.name for job in JOBS], help="run one job once and end")
    parser.add_argument("--list", action="store_true", help="list the jobs and end")
    return parser.parse_args(arguments)


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code


def _in_one_sentence(problem: Exception) -> str:
    """What a database says comes with the whole statement and its values, which may be people's addresses."""
    if isinstance(problem, DBAPIError):
        said = f"The database said: {problem.orig}"
        return f"{said.strip().splitlines()[0].rstrip('.')}; see `digest doctor`."
    return str(problem).strip() or type(problem).__name__


def _work(once: str | None) -> None:
    found = settings.load()
    logs.configure(found.digest_log)
    services = bootstrap(found)
    try:
        ensure_current(services.database)
        if once is None:
            _until_stopped(services)
        else:
            _one_look(once, services)
    finally:
        services.close()


def _until_stopped(services: Services) -> None:
    with stopping.asked_to_stop(_say_it_stops) as stop:
        clock = Clock(services, stop=stop)
        clock.start()
        log.info("the clock runs", jobs=[job.name for job in JOBS])
        # Not one long wait: a signal that arrives just before it begins, or in another thread, is heard when it ends.
        while not stop.wait(GLANCE_SECONDS):
            pass
        clock.stop()


def _one_look(name: str, services: Services) -> None:
    job = next(job for job in JOBS if job.name == name)
    with stopping.asked_to_stop(_say_it_stops) as stop:
        said = run_once(job, services, stop=stop, process=f"{socket.gethostname()}/once")
    sys.stdout.write(f"{said or 'nothing to do'}\n")


def _say_it_stops() -> None:
    log.info("asked to stop: finishing the calls in flight; once more ends at once")


if __name__ == "__main__":
    main()
