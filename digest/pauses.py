"""Why no call to the provider may begin, for editions and letters alike, in all processes: rows, looked at before
each call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.errors import DigestError
from digest.models import Edition, Pause, PauseKind

RATE_LIMIT, KILL_SWITCH = PauseKind


class AlreadyOff(DigestError):
    """The kill switch is on already; nothing goes out."""


class NotOff(DigestError):
    """The kill switch is not on, so there is nothing to lift."""


Now = datetime | sa.BindParameter[datetime]


def in_force(now: Now) -> sa.ColumnElement[bool]:
    """Whether a pause still stands."""
    return sa.or_(Pause.until.is_(None), Pause.until > now)


def stops(edition_id: sa.ColumnElement[int], now: Now) -> sa.Exists:
    """Whether anything stops the calls of an edition."""
    return sa.exists().where(sa.or_(Pause.edition_id.is_(None), Pause.edition_id == edition_id), in_force(now))


def stops_everything(now: Now) -> sa.Exists:
    """Whether anything stops every call, letters too."""
    return sa.exists().where(Pause.edition_id.is_(None), in_force(now))


def standing(session: Session, edition: Edition | None = None, *, now: datetime) -> Sequence[Pause]:
    """The pauses that stand for everybody and for this edition: the one that ends by itself soonest first."""
    whom = (
        Pause.edition_id.is_(None)
        if edition is None
        else sa.or_(Pause.edition_id.is_(None), Pause.edition_id == edition.id)
    )
    found = session.scalars(sa.select(Pause).where(whom, in_force(now)).order_by(Pause.id)).all()
    return sorted(found, key=lambda pause: (pause.until is None, pause.until or now))


def limit_rate(session: Session, *, because: str, until: datetime, now: datetime) -> None:
    """The provider asks for a rest: no call of anybody begins before `until`. One such pause stands at a time."""
    session.execute(sa.delete(Pause).where(Pause.kind == RATE_LIMIT, Pause.edition_id.is_(None)))
    session.add(Pause(kind=RATE_LIMIT, edition_id=None, because=because, since=now, until=until))


def kill(session: Session, *, because: str, by: str, now: datetime) -> Pause:
    """The kill switch: nothing at all goes out until a person lifts it. Raises AlreadyOff."""
    if kill_switch(session) is not None:
        raise AlreadyOff
    pause = Pause(kind=KILL_SWITCH, edition_id=None, because=because, by=by, since=now, until=None)
    session.add(pause)
    return pause


def lift(session: Session) -> None:
    """Mails may go out again. Raises NotOff."""
    # All of them: two people may have thrown it at the same moment.
    if not session.scalars(sa.delete(Pause).where(Pause.kind == KILL_SWITCH).returning(Pause.id)).all():
        raise NotOff


def kill_switch(session: Session) -> Pause | None:
    """Since when, by whom and why nothing goes out; None while it is off."""
    return session.scalars(sa.select(Pause).where(Pause.kind == KILL_SWITCH).order_by(Pause.id)).first()


def forget_over(session: Session, *, now: datetime) -> None:
    """Pauses that have ended by themselves."""
    session.execute(sa.delete(Pause).where(Pause.until.is_not(None), Pause.until <= now))
