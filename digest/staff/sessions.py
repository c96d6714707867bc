"""How staff come in without a password: a link by mail, good once and for fifteen minutes, opens a session.

Of a session's secret only the hash is kept. It ends twelve hours after it was last used and fourteen days after it
was opened, when somebody signs out, and when its owner leaves the staff.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database, claim
from digest.models import Letter, LetterState, Role, SignInLink, Staff, StaffSession
from digest.staff import audit
from subscribers.addresses import Address
from subscribers.links import SIGN_IN_WITHIN, Links, new_link_id

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=14)
SEEN_NOTED_EVERY = timedelta(minutes=5)

_LONGEST_AGENT = 400
_LONGEST_SECRET = 64


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who a session belongs to, with the role they have at this moment."""

    session_id: int
    staff_id: int
    email: str
    role: Role
    seen_at: datetime


# — links —


def offer_sign_in(session: Session, address: Address, *, now: datetime) -> None:
    """Owe the owner of this address a notice with a way in; nothing at all where they are not on the staff."""
    known = session.scalars(
        sa.select(Staff).where(Staff.email_key == address.key, Staff.removed_at.is_(None))
    ).one_or_none()
    if known is None:
        return
    link = sign_in_link(session, known, now=now)
    session.add(
        Letter(
            kind="sign-in",
            email=known.email,
            subscriber_id=None,
            context={
                "link_id": link.link_id,
                "expires_at": link.expires_at.isoformat(),
                "asked_at": now.isoformat(),
            },
            state=LetterState.QUEUED,
            queued_at=now,
            not_before=now,
        )
    )


def sign_in_link(session: Session, staff: Staff, *, now: datetime) -> SignInLink:
    """A new way in for somebody on the staff; `Links.sign_in_url` seals its id into an address."""
    link = SignInLink(link_id=new_link_id(), staff_id=staff.id, made_at=now, expires_at=now + SIGN_IN_WITHIN)
    session.add(link)
    session.flush()
    return link


def sign_in_url(session: Session, links: Links, staff: Staff, now: datetime) -> str:
    """The address of a new way in, for whoever runs the command line: who has it, is in. It is noted."""
    link = sign_in_link(session, staff, now=now)
    audit.note(session, by=audit.COMMAND_LINE, what="sign-in link made", about=f"staff {staff.id}", now=now)
    return links.sign_in_url(link.link_id, link.expires_at)


# — sessions —


def open_with(session: Session, link_id: str, *, now: datetime, user_agent: str | None) -> str | None:
    """Use up a link and open a session: the secret for the cookie, or None where the link is used, old or unknown."""
    on_the_staff = sa.select(Staff.id).where(Staff.removed_at.is_(None))
    still_good = (
        SignInLink.link_id == link_id,
        SignInLink.used_at.is_(None),
        SignInLink.expires_at > now,
        SignInLink.staff_id.in_(on_the_staff),
    )
    if not claim(session, SignInLink, *still_good, values={"used_at": now}):
        return None
    staff_id = session.scalars(sa.select(SignInLink.staff_id).where(SignInLink.link_id == link_id)).one()
    secret = secrets.token_urlsafe(32)
    opened = StaffSession(
        staff_id=staff_id,
        token_hash=_hash(secret),
        made_at=now,
        seen_at=now,
        expires_at=now + LONGEST,
        user_agent=(user_agent or "")[:_LONGEST_AGENT] or None,
    )
    session.add(opened)
    session.flush()
    audit.note(session, by=f"staff {staff_id}", what="signed in", about=f"session {opened.id}", now=now)
    return secret


def who(session: Session, cookie: str, *, now: datetime) -> SignedIn | None:
    """Whose session this secret opens; None for one that has ended or never was. Only reads."""
    if not 0 < len(cookie) <= _LONGEST_SECRET:
        return None
    found = session.execute(
        sa.select(StaffSession.id, StaffSession.seen_at, Staff.id.label("staff_id"), Staff.email, Staff.role)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .where(StaffSession.token_hash == _hash(cookie), *_alive(now))
    ).one_or_none()
    return None if found is None else SignedIn(found.id, found.staff_id, found.email, found.role, found.seen_at)


def shown(database: Database, cookie: str, *, now: datetime) -> SignedIn | None:
    """What a door does with a cookie it is shown: ask `who`, and note at most every five minutes that it was used."""
    with database.reading() as session:
        visitor = who(session, cookie, now=now)
    if visitor is not None and visitor.seen_at <= now - SEEN_NOTED_EVERY:
        with database.writing() as session:
            claim(session, StaffSession, StaffSession.id == visitor.session_id, values={"seen_at": now})
    return visitor


def open_ones(session: Session, staff_id: int, *, now: datetime) -> Sequence[StaffSession]:
    """Where somebody is signed in, the browser used last first."""
    alive = sa.select(StaffSession).join(Staff, Staff.id == StaffSession.staff_id)
    return session.scalars(
        alive.where(StaffSession.staff_id == staff_id, *_alive(now)).order_by(StaffSession.seen_at.desc())
    ).all()


def revoke(session: Session, session_id: int, *, now: datetime, by: str) -> bool:
    """Sign out of one browser. False where that session had ended already."""
    this = (StaffSession.id == session_id, StaffSession.revoked_at.is_(None))
    if not claim(session, StaffSession, *this, values={"revoked_at": now}):
        return False
    audit.note(session, by=by, what="signed out", about=f"session {session_id}", now=now)
    return True


def revoke_all(session: Session, staff_id: int, *, now: datetime, by: str) -> int:
    """Sign somebody out everywhere, and let no link still under way sign them in again. How many sessions ended."""
    ended = len(open_ones(session, staff_id, now=now))
    end_all(session, staff_id, now=now)
    audit.note(session, by=by, what="signed out everywhere", about=f"staff {staff_id}", now=now, sessions=ended)
    return ended


def end_all(session: Session, staff_id: int, *, now: datetime) -> None:
    """Close every way in somebody has, as when they leave the staff; whoever calls notes why."""
    theirs = sa.update(StaffSession).where(StaffSession.staff_id == staff_id, StaffSession.revoked_at.is_(None))
    session.execute(theirs.values(revoked_at=now))
    unused = sa.update(SignInLink).where(SignInLink.staff_id == staff_id, SignInLink.used_at.is_(None))
    session.execute(unused.values(used_at=now))


def _alive(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        StaffSession.revoked_at.is_(None),
        StaffSession.expires_at > now,
        StaffSession.seen_at > now - IDLE,
        Staff.removed_at.is_(None),
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
