"""Who may enter, and what they may do: editors, operators, admins. Only people here get notices and test mails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.errors import DigestError
from digest.models import Role, Staff
from digest.staff import audit, sessions
from subscribers import addresses
from subscribers.addresses import Address, BadAddress


class Right(StrEnum):
    """One kind of thing that not everybody on the staff may do."""

    EDIT = "edit"
    APPROVE = "approve"
    OPERATE = "operate"
    ADMINISTER = "administer"


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.EDITOR: frozenset({Right.EDIT, Right.APPROVE}),
    Role.OPERATOR: frozenset({Right.OPERATE}),
    Role.ADMIN: frozenset(Right),
}


class NotOnTheStaff(DigestError):
    """Nobody with that address is on the staff."""


class OnTheStaffAlready(DigestError):
    """They are on the staff already; the list lets you change their role."""


class NotAnAddress(DigestError):
    """This is not a mail address."""


def add_staff(session: Session, email: str, role: Role, *, now: datetime, by: str = audit.COMMAND_LINE) -> Staff:
    """Put somebody on the staff, or change their role, which counts at once. Raises NotAnAddress."""
    address = _address(email)
    known = _known(session, address)
    if known is None:
        known = Staff(email=address.on_the_wire, email_key=address.key, role=role, added_at=now)
        session.add(known)
        what = "staff added"
    elif known.removed_at is not None:
        known.added_at = now
        what = "staff added"
    elif known.role != role:
        what = "staff role changed"
    else:
        return known
    known.role, known.removed_at = role, None
    session.flush()
    audit.note(session, by=by, what=what, about=f"staff {known.id}", now=now, role=role.value)
    return known


def remove_staff(session: Session, email: str, *, now: datetime, by: str = audit.COMMAND_LINE) -> Staff:
    """Take somebody off the staff and out of every browser; the row stays, for what they did.

    Raises NotOnTheStaff or NotAnAddress.
    """
    known = member(session, email)
    known.removed_at = now
    sessions.end_all(session, known.id, now=now)
    audit.note(session, by=by, what="staff removed", about=f"staff {known.id}", now=now)
    return known


def member(session: Session, email: str) -> Staff:
    """Who on the staff has this address. Raises NotOnTheStaff or NotAnAddress."""
    known = _known(session, _address(email))
    if known is None or known.removed_at is not None:
        raise NotOnTheStaff(f"{email} is not on the staff; `digest staff list` shows who is.")
    return known


def is_member(session: Session, email: str) -> bool:
    """Whether somebody with this address is on the staff now. Raises NotAnAddress."""
    known = _known(session, _address(email))
    return known is not None and known.removed_at is None


def numbered(session: Session, staff_id: int) -> Staff:
    """Who on the staff has this number. Raises NotOnTheStaff."""
    known = session.get(Staff, staff_id)
    if known is None or known.removed_at is not None:
        raise NotOnTheStaff("They are not on the staff any more.")
    return known


def on_staff(session: Session) -> Sequence[Staff]:
    """Everybody on the staff, by address."""
    return session.scalars(sa.select(Staff).where(Staff.removed_at.is_(None)).order_by(Staff.email_key)).all()


def has_anybody(session: Session) -> bool:
    """Whether anybody would get a notice."""
    return session.scalar(sa.select(sa.exists().where(Staff.removed_at.is_(None)))) or False


def names(session: Session) -> dict[str, str]:
    """Whose address stands behind each "staff 3" of the audit log, those who left included."""
    return {f"staff {row.id}": row.email for row in session.execute(sa.select(Staff.id, Staff.email))}


def known_as(session: Session, by: str) -> str:
    """The "staff 3" behind an address of somebody who is or was on the staff; anybody else as they were named."""
    try:
        known = _known(session, _address(by))
    except NotAnAddress:
        return by
    return by if known is None else f"staff {known.id}"


def _known(session: Session, address: Address) -> Staff | None:
    """The row of an address, whether on the staff or no longer."""
    return session.scalars(sa.select(Staff).where(Staff.email_key == address.key)).one_or_none()


def _address(email: str) -> Address:
    try:
        return addresses.parse(email)
    except BadAddress as why:
        raise NotAnAddress(str(why)) from None
