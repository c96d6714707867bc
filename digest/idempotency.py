"""The answers to writes made through the API, kept a day for whoever sends the same write again.

A program whose line broke cannot know whether its write was done. It sends it again under the same key, and gets the
first answer instead of a second write. Key and request are kept as keyed hashes: either may hold an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from database import claim
from digest.errors import DigestError
from digest.models import IdempotencyKey
from subscribers import secrecy

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=5)
"""A write still under way after that was interrupted: whoever sends it again does it."""

MOST_AT_ONCE = 2_000
"""Of expired answers deleted in one transaction, so that nobody waits for it."""

_UNDER_WAY = 0


class KeyUsed(DigestError):
    """This idempotency key was used for another request."""


class UnderWay(DigestError):
    """A request with this idempotency key is being worked on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON object."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """One write of one program: the token it came with, the key it was given, and all that it says, as text."""

    token_id: int
    key: str
    request: str
    at: datetime


def begin(session: Session, write: Write) -> Answer | None:
    """None: it is ours to do, and `finish` or `abandon` ends it. An answer: it was done before.

    On PostgreSQL this waits for a write with the same key whose transaction has not ended. Raises KeyUsed, UnderWay.
    """
    _forget(session, write)
    if _reserved(session, write):
        return None
    found = session.scalars(_row(session, write).with_for_update()).one_or_none()
    if found is None:  # abandoned between the two statements: the next try finds it free
        raise UnderWay
    if found.request_hash not in secrecy.hashes(session).all_of(write.request):
        raise KeyUsed
    if found.status != _UNDER_WAY:
        return Answer(found.status, found.body)
    if found.made_at > write.at - LEASE:
        raise UnderWay
    found.made_at = write.at
    session.flush()
    return None


def finish(session: Session, write: Write, answer: Answer) -> None:
    """Keep the answer; nothing where somebody else has taken the write over meanwhile."""
    claim(session, IdempotencyKey, _ours(session, write), values={"status": answer.status, "body": answer.body})


def abandon(session: Session, write: Write) -> None:
    """It was not done, or only in part: whoever sends it again may do it."""
    session.execute(sa.delete(IdempotencyKey).where(_ours(session, write)))


def forget_expired(session: Session, *, now: datetime, most: int = MOST_AT_ONCE) -> int:
    """Delete answers that were kept long enough, at most so many; says how many those were."""
    which = (IdempotencyKey.token_id, IdempotencyKey.key_hash)
    over = sa.select(*which).where(IdempotencyKey.made_at <= now - KEPT).limit(most)
    gone = session.execute(
        sa.delete(IdempotencyKey).where(sa.tuple_(*which).in_(over)).execution_options(synchronize_session=False)
    )
    return int(getattr(gone, "rowcount", 0))


def _forget(session: Session, write: Write) -> None:
    """A key is free again after a day, whether or not somebody has tidied up."""
    old = (_is_key(session, write), IdempotencyKey.made_at <= write.at - KEPT)
    session.execute(sa.delete(IdempotencyKey).where(*old).execution_options(synchronize_session=False))


def _reserved(session: Session, write: Write) -> bool:
    """True for exactly one of those who try at the same time."""
    hashes = secrecy.hashes(session)
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = {
        "token_id": write.token_id,
        "key_hash": hashes.of(write.key),
        "request_hash": hashes.of(write.request),
        "status": _UNDER_WAY,
        "body": {},
        "made_at": write.at,
    }
    if session.scalars(_row(session, write)).one_or_none() is not None:  # under an older secret
        return False
    reserved = dialect.insert(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.token_id)
    return session.scalars(reserved).one_or_none() is not None


def _row(session: Session, write: Write) -> sa.Select[IdempotencyKey]:
    return sa.select(IdempotencyKey).where(_is_key(session, write)).execution_options(populate_existing=True)


def _is_key(session: Session, write: Write) -> sa.ColumnElement[bool]:
    known = secrecy.hashes(session).all_of(write.key)
    return sa.and_(IdempotencyKey.token_id == write.token_id, IdempotencyKey.key_hash.in_(known))


def _ours(session: Session, write: Write) -> sa.ColumnElement[bool]:
    under_way = sa.and_(IdempotencyKey.status == _UNDER_WAY, IdempotencyKey.made_at == write.at)
    return sa.and_(_is_key(session, write), under_way)
