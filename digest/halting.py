"""Stop an edition that is being sent, or say what a person should know of it; either is told to staff once."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions, postman
from digest.models import Edition, EditionLog, EditionState

ALARM = "alarm"


def halt(session: Session, edition_id: int, *, why: str, by: str, now: datetime) -> bool:
    """Nothing more begins until somebody has mended it. False where it is not being sent (any more)."""
    # Locked: two workers that find the same cause at the same moment halt it once.
    edition = session.get_one(Edition, edition_id, populate_existing=True, with_for_update=True)
    if edition.state is not EditionState.SENDING:
        return False
    editions.hold(session, edition, why=why, by=by, now=now)
    postman.tell_staff(session, kind="halted", context={"week": edition.week, "why": why}, now=now)
    return True


def raise_alarm(session: Session, edition_id: int, *, why: str, by: str, now: datetime) -> bool:
    """Something is wrong that stops nothing: logged, and staff are told. False where exactly this was said before."""
    edition = session.get_one(Edition, edition_id, populate_existing=True, with_for_update=True)
    said = sa.exists().where(EditionLog.edition_id == edition.id, EditionLog.what == ALARM, EditionLog.why == why)
    if session.scalar(sa.select(said)):
        return False
    editions.log(session, edition, by=by, what=ALARM, why=why, now=now)
    postman.tell_staff(session, kind="alarm", context={"week": edition.week, "why": why}, now=now)
    return True
