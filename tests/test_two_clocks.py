"""Two real clocks on one database do everything once."""

from __future__ import annotations

import signal
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from digest import weeks
from digest.bootstrap import Services
from digest.models import Edition, EditionLog, EditionState, JobRun, Letter, LetterState
from tests import make, running
from tests.conftest import Program

READERS = 40
CLOCK = str(running.ROOT / "scheduler.py")


def weekly(moment: datetime) -> str:
    """That moment's weekday and time, as a setting."""
    return f"{weeks.WEEKDAYS[moment.weekday()][:3]} {moment:%H:%M}"


def seeded(services: Services, now: datetime) -> None:
    """Pages read a day ago, readers, and somebody who gets the notices."""
    with services.database.writing() as session:
        for _ in range(3):
            make.taken_in(session, now=now - timedelta(days=1))
        make.audience(session, READERS)
        make.staff(session)
    services.database.dispose()


def state(services: Services) -> EditionState | None:
    with services.database.reading() as session:
        return session.scalars(sa.select(Edition.state)).one_or_none()


def leave_now(services: Services) -> None:
    """The send time has come: it is moved, because waiting for a full minute is all a test could do else."""
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(send_at=datetime.now(UTC)))


def everything_is_done(services: Services) -> bool:
    with services.database.reading() as session:
        owed = session.scalar(sa.select(sa.func.count()).where(Letter.state == LetterState.QUEUED))
    return state(services) is EditionState.SENT and owed == 0


def test_two_clocks_do_everything_once(program: Program) -> None:
    """Started together a minute after the cut-off: one draft, one approval, one notice, each mail once, none failed."""
    now = datetime.now(UTC)
    settings = {
        "DIGEST_CUTOFF": weekly(now - timedelta(minutes=1)),
        "DIGEST_SEND_AT": weekly(now + timedelta(hours=1)),
        "DIGEST_APPROVAL": "auto",
        "DIGEST_UNDO_MINUTES": "0",
        "DIGEST_BATCH_SIZE": "3",
    }
    with closing(running.to_the_outbox(program, **settings)) as services, ExitStack() as both:
        seeded(services, now)
        clocks = [both.enter_context(running.started(program, CLOCK)) for _ in range(2)]
        running.until(lambda: state(services) is EditionState.APPROVED)
        leave_now(services)
        running.until(lambda: everything_is_done(services))
        for clock in clocks:
            clock.send_signal(signal.SIGTERM)
        codes = [clock.wait(running.PATIENCE) for clock in clocks]

        assert codes == [0, 0]
        with services.database.reading() as session:
            edition = session.scalars(sa.select(Edition)).one()
            log = session.scalars(sa.select(EditionLog.what).order_by(EditionLog.id)).all()
            letters = session.scalars(sa.select(Letter)).all()
            failed = session.scalars(sa.select(JobRun.said).where(JobRun.ok.is_(False))).all()
            looked = session.scalars(sa.select(JobRun.process).distinct()).all()
        assert log == ["made as draft", "draft → approved", "approved → sending", "sending → sent"]
        assert [(letter.kind, letter.state, letter.attempts) for letter in letters] == [("drafted", "accepted", 1)]
        assert len(running.mails(program, "letters")) == 1
        found = running.numbers(services, edition.week)
        assert (found.accepted, found.deliveries, found.adds_up) == (READERS, READERS, True)
        names = running.mails(program, edition.week)
        assert len(names) == len(set(names)) == READERS
        assert failed == []
        assert len(looked) == 2
