"""The archive: every edition from its first hand-over on, read from its frozen entries, with nothing personal in it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import Edition


def published(session: Session, *, most: int | None = None) -> Sequence[Edition]:
    """The newest first."""
    return session.scalars(_published().order_by(Edition.week.desc()).limit(most)).all()


def latest(session: Session) -> Edition | None:
    """The newest; None before the first has gone out."""
    return session.scalars(_published().order_by(Edition.week.desc()).limit(1)).one_or_none()


def of_week(session: Session, week: str) -> Edition | None:
    """The edition of `2026-W47`; None where there is none, or none has seen it yet."""
    return session.scalars(_published().where(Edition.week == week)).one_or_none()


def neighbours(session: Session, edition: Edition) -> tuple[str | None, str | None]:
    """The weeks of the editions before and after."""
    week = sa.select(Edition.week).where(Edition.begun_at.is_not(None))
    before = week.where(Edition.week < edition.week).order_by(Edition.week.desc()).limit(1)
    after = week.where(Edition.week > edition.week).order_by(Edition.week).limit(1)
    return session.scalars(before).one_or_none(), session.scalars(after).one_or_none()


def _published() -> sa.Select[Edition]:
    return sa.select(Edition).where(Edition.begun_at.is_not(None))
