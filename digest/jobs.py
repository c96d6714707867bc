"""What the clock wakes up for. Each job looks at rows, does what is due, and says in words what it did, or nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database import claim
from digest import approving, batches, drafting, gathering, postman, sending, submitting, weeks
from digest.bootstrap import Services
from digest.models import Edition, EditionState, JobRun, Letter, LetterState, Staff
from digest.submitting import Clock

REMIND_BEFORE = timedelta(hours=3)
KEEP_RUNS = timedelta(days=14)
KEEP_LETTERS = timedelta(days=90)
# One row for a quiet hour rather than one for every look.
QUIET_ROW = timedelta(hours=1)


@dataclass(frozen=True)
class Shift:
    """One process's time and its wish to stop."""

    clock: Clock
    stop: threading.Event


def gather(services: Services, shift: Shift) -> str:
    """Read the sources that are due."""
    polled = gathering.poll(services.database, services.settings, now=shift.clock())
    return str(polled) if polled.sources else ""


def draft(services: Services, shift: Shift) -> str:
    """Draft the latest week whose cut-off has passed; weeks nobody was there for are skipped."""
    now, settings = shift.clock(), services.settings
    latest = weeks.latest_cutoff(now, settings.digest_cutoff, settings.digest_timezone)
    with services.database.reading() as session:
        if not drafting.is_wanted(session, latest, settings):
            return ""
    try:
        with services.database.writing() as session:
            missed = drafting.skip_missed(session, latest, settings, now=now)
            made = drafting.draft(session, latest, settings, by=drafting.CLOCK, now=now)
            if not made.made:
                return ""
            _tell(session, made.edition, settings.digest_site_url, now)
            said = f"{made.edition.week} made as {made.edition.state}"
    except IntegrityError:
        return ""  # another clock made it at the same moment
    if settings.digest_approval == "auto" and made.edition.state is EditionState.DRAFT:
        said += f"; {approving.approve_automatically(services, str(latest), now=now)}"
    return ", ".join([*(f"{week} skipped" for week in missed), said])


def _tell(session: Session, edition: Edition, site_url: str, now: datetime) -> None:
    kind = "drafted" if edition.state is EditionState.DRAFT else "skipped"
    context = {
        "week": edition.week,
        "subject_line": edition.subject,
        "why": edition.why or "",
        "send_at": f"{edition.send_at:%A %d %B %Y, %H:%M} UTC",
        "site_url": site_url,
    }
    postman.tell_staff(session, kind=kind, context=context, now=now)


def remind(services: Services, shift: Shift) -> str:
    """One notice for each draft nobody has approved shortly before it should leave."""
    now = shift.clock()
    with services.database.writing() as session:
        waiting = session.scalars(
            sa.select(Edition).where(
                Edition.state == EditionState.DRAFT,
                Edition.reminded_at.is_(None),
                Edition.send_at <= now + REMIND_BEFORE,
            )
        ).all()
        reminded = [edition for edition in waiting if _remind(session, edition, services.settings.digest_site_url, now)]
    return ", ".join(f"reminded of {edition.week}" for edition in reminded)


def _remind(session: Session, edition: Edition, site_url: str, now: datetime) -> bool:
    ours = claim(session, Edition, Edition.id == edition.id, Edition.reminded_at.is_(None), values={"reminded_at": now})
    if ours:
        context = {
            "week": edition.week,
            "subject_line": edition.subject,
            "send_at": f"{edition.send_at:%A %d %B %Y, %H:%M} UTC",
            "passed": edition.send_at <= now,
            "site_url": site_url,
        }
        postman.tell_staff(session, kind="reminder", context=context, now=now)
    return ours


def send(services: Services, shift: Shift) -> str:
    """Prepare what is due and hand over what is being sent."""
    return sending.send_due(services, clock=shift.clock, stop=shift.stop)


def letters(services: Services, shift: Shift) -> str:
    """Post what the postman holds."""
    posted = postman.post_due(services, now=shift.clock())
    parts = {"posted": posted.accepted, "put off": posted.put_off, "given up": posted.given_up}
    return ", ".join(f"{count} {word}" for word, count in parts.items() if count)


def rescue(services: Services, shift: Shift) -> str:
    """Free the batches of workers that are gone, and finish what is complete."""
    now = shift.clock()
    moved = submitting.rescue(services, now=now)
    submitting.finish(services, now=now)
    return f"{moved} batches rescued" if moved else ""


def tidy(services: Services, shift: Shift) -> str:
    """Forget old runs, letters long accepted, and pauses that are over."""
    now = shift.clock()
    with services.database.writing() as session:
        runs = session.execute(sa.delete(JobRun).where(JobRun.finished_at < now - KEEP_RUNS))
        old = session.execute(
            sa.delete(Letter).where(Letter.state != LetterState.QUEUED, Letter.queued_at < now - KEEP_LETTERS)
        )
        batches.forget_pauses(session, now=now)
    gone = int(getattr(runs, "rowcount", 0)), int(getattr(old, "rowcount", 0))
    return f"forgot {gone[0]} runs and {gone[1]} letters" if any(gone) else ""


# — heartbeat —


def note_run(services: Services, job: str, *, started: datetime, finished: datetime, ok: bool, said: str) -> None:
    """Keep what a run said. Runs that had nothing to say are counted in one row an hour: it is the heartbeat."""
    process = batches.owner_name("clock")
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


def has_staff(session: Session) -> bool:
    """Whether anybody would get a notice."""
    return session.scalar(sa.select(sa.exists().where(Staff.removed_at.is_(None)))) or False


def last_failures(session: Session) -> list[JobRun]:
    """Jobs whose latest run failed."""
    latest = sa.select(sa.func.max(JobRun.id)).group_by(JobRun.job)
    return list(
        session.scalars(sa.select(JobRun).where(JobRun.id.in_(latest), JobRun.ok.is_(False)).order_by(JobRun.job))
    )
