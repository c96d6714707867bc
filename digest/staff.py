"""Who may enter: editors, operators, admins. Only the people here get notices and test mails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.errors import DigestError
from digest.models import Role, Staff
from subscribers import addresses
from subscribers.addresses import Address, BadAddress


class NotOnTheStaff(DigestError):
    """Nobody with that address is on the staff."""


class NotAnAddress(DigestError):
    """This is not a mail address."""


def add_staff(session: Session, email: str, role: Role, *, now: datetime) -> Staff:
    """Put somebody on the staff, or change their role. Raises NotAnAddress."""
    address = _address(email)
    known = _known(session, address)
    if known is None:
        known = Staff(email=address.on_the_wire, email_key=address.key, role=role, added_at=now)
        session.add(known)
    elif known.removed_at is not None:
        known.added_at = now
    known.role, known.removed_at = role, None
    session.flush()
    return known


def remove_staff(session: Session, email: str, *, now: datetime) -> Staff:
    """Take somebody off the staff; the row stays, for what they did. Raises NotOnTheStaff or NotAnAddress."""
    known = _known(session, _address(email))
    if known is None or known.removed_at is not None:
        raise NotOnTheStaff(f"{email} is not on the staff; `digest staff list` shows who is.")
    known.removed_at = now
    return known


def on_staff(session: Session) -> Sequence[Staff]:
    """Everybody on the staff, by address."""
    return session.scalars(sa.select(Staff).where(Staff.removed_at.is_(None)).order_by(Staff.email_key)).all()


def _known(session: Session, address: Address) -> Staff | None:
    """The row of an address, whether on the staff or no longer."""
    return session.scalars(sa.select(Staff).where(Staff.email_key == address.key)).one_or_none()


def _address(email: str) -> Address:
    try:
        return addresses.parse(email)
    except BadAddress as why:
        raise NotAnAddress(str(why)) from None
