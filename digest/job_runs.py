"""What the clock's jobs did, kept run by run: the proof that it still looks, and what failed last."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import workers
from digest.bootstrap import Services
from digest.models import JobRun

# One row for a quiet hour rather than one for every look.
QUIET_ROW = timedelta(hours=1)


def note_run(
    services: Services,
    job: str,
    *,
    started: datetime,
    finished: datetime,
    ok: bool,
    said: str,
    process: str | None = None,
) -> None:
    """Keep what a run said. Runs that had nothing to say are counted in one row an hour: it is the heartbeat.

    `process` is who ran it; this process, unless said otherwise.
    """
    process = process or workers.owner_name("clock")
    with services.database.writing() as session:
        if ok and not said and _count_quiet(session, job, process, finished):
            return
        session.add(
            JobRun(job=job, process=process, started_at=started, finished_at=finished, times=1, ok=ok, said=said)
        )


def _count_quiet(session: Session, job: str, process: str, finished: datetime) -> bool:
    last = session.scalars(
        sa.select(JobRun).where(JobRun.job == job, JobRun.process == process).order_by(JobRun.id.desc()).limit(1)
    ).one_or_none()
    if last is None or last.said or not last.ok or finished - last.started_at > QUIET_ROW:
        return False
    last.finished_at, last.times = finished, last.times + 1
    return True


def last_heartbeat(session: Session) -> datetime | None:
    """When any clock last finished a look; None when none ever ran here."""
    return session.scalar(sa.select(sa.func.max(JobRun.finished_at)))


def last_failures(session: Session) -> list[JobRun]:
    """Jobs whose latest run failed, by job."""
    later = sa.orm.aliased(JobRun)
    since = sa.exists().where(
        later.job == JobRun.job,
        # By its end, not its number: the row of a quiet hour is older than what came in that hour.
        sa.tuple_(later.finished_at, later.id) > sa.tuple_(JobRun.finished_at, JobRun.id),
    )
    return list(session.scalars(sa.select(JobRun).where(JobRun.ok.is_(False), sa.not_(since)).order_by(JobRun.job)))
