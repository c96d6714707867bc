"""Who may enter: editors, operators, admins. Only the people here get notices and test mails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.errors import DigestError
from digest.models import Role, Staff
from subscribers import addresses


class NotOnTheStaff(DigestError):
    """Nobody with that address is on the staff."""


def add_staff(session: Session, email: str, role: Role, *, now: datetime) -> Staff:
    """Put somebody on the staff, or change their role. Raises addresses' error for what is no address."""
    address = addresses.parse(email)
    known = session.scalars(sa.select(Staff).where(Staff.email_key == address.key)).one_or_none()
    if known is None:
        known = Staff(email=address.typed, email_key=address.key, role=role, added_at=now)
        session.add(known)
    known.role, known.removed_at = role, None
    session.flush()
    return known


def remove_staff(session: Session, email: str, *, now: datetime) -> Staff:
    """Take somebody off the staff; the row stays, for what they did. Raises NotOnTheStaff."""
    address = addresses.parse(email)
    known = session.scalars(
        sa.select(Staff).where(Staff.email_key == address.key, Staff.removed_at.is_(None))
    ).one_or_none()
    if known is None:
        raise NotOnTheStaff(f"{email} is not on the staff; `digest staff list` shows who is.")
    known.removed_at = now
    return known


def on_staff(session: Session) -> Sequence[Staff]:
    """Everybody on the staff, by address."""
    return session.scalars(sa.select(Staff).where(Staff.removed_at.is_(None)).order_by(Staff.email)).all()
