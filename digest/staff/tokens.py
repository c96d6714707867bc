"""Bearer tokens for programs: shown once, kept as a hash, good for what their scopes name and nothing else."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database, claim
from digest.errors import DigestError
from digest.models import ApiToken
from digest.staff import audit

SCOPES = {
    "comparisons:write": "take in comparisons",
    "subscribers:write": "start the opt-in of new subscribers",
    "editions:read": "read editions",
}
"""Everything a token can be good for, in words."""

USE_NOTED_EVERY = timedelta(minutes=1)

_SHAPE = re.compile(r"vd_[A-Za-z0-9_-]{43}")
_LONGEST_NAME = 100


class BadToken(DigestError):
    """A token needs a name and at least one scope."""


class NoSuchToken(DigestError):
    """There is no such token, or it is revoked already."""


def make(
    session: Session, name: str, scopes: Iterable[str], *, now: datetime, by: str = audit.COMMAND_LINE
) -> tuple[ApiToken, str]:
    """A new token and its text, which is kept nowhere: whoever asked must be shown it now. Raises BadToken."""
    name, wanted = _name(name), _scopes(scopes)
    text = f"vd_{secrets.token_urlsafe(32)}"
    token = ApiToken(name=name, token_hash=_hash(text), scopes=wanted, made_at=now)
    session.add(token)
    session.flush()
    audit.note(session, by=by, what="token made", about=f"token {token.id}", now=now, scopes=wanted)
    return token, text


def revoke(session: Session, token_id: int, *, now: datetime, by: str = audit.COMMAND_LINE) -> ApiToken:
    """From now on it is as good as unknown. Raises NoSuchToken."""
    if not claim(session, ApiToken, ApiToken.id == token_id, ApiToken.revoked_at.is_(None), values={"revoked_at": now}):
        raise NoSuchToken(f"There is no token {token_id}, or it is revoked already; `digest staff tokens` lists them.")
    audit.note(session, by=by, what="token revoked", about=f"token {token_id}", now=now)
    return session.get_one(ApiToken, token_id, populate_existing=True)


def find(session: Session, text: str, *, now: datetime) -> ApiToken | None:  # noqa: ARG001 - tokens do not expire yet
    """The token with this text; None alike for one that is revoked, unknown or no token at all. Only reads."""
    if not _SHAPE.fullmatch(text):
        return None
    good = sa.select(ApiToken).where(ApiToken.token_hash == _hash(text), ApiToken.revoked_at.is_(None))
    return session.scalars(good).one_or_none()


def shown(database: Database, text: str, *, now: datetime) -> ApiToken | None:
    """What a door does with a token it is shown: `find` it, and note at most once a minute that it was used."""
    with database.reading() as session:
        token = find(session, text, now=now)
    if token is not None and (token.last_used_at is None or token.last_used_at <= now - USE_NOTED_EVERY):
        with database.writing() as session:
            claim(session, ApiToken, ApiToken.id == token.id, values={"last_used_at": now})
    return token


def every(session: Session) -> Sequence[ApiToken]:
    """All tokens ever made, the newest first."""
    return session.scalars(sa.select(ApiToken).order_by(ApiToken.id.desc())).all()


def names(session: Session) -> dict[str, str]:
    """What the program behind each "token 2" of the audit log is called."""
    named = session.execute(sa.select(ApiToken.id, ApiToken.name))
    return {f"token {row.id}": f"{row.name} (token {row.id})" for row in named}


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadToken(f"A token needs a name of 1 to {_LONGEST_NAME} characters: what the program is called.")
    return name


def _scopes(given: Iterable[str]) -> list[str]:
    wanted = sorted(set(given))
    known = ", ".join(SCOPES)
    if not wanted:
        raise BadToken(f"A token needs at least one scope: {known}.")
    if unknown := [each for each in wanted if each not in SCOPES]:
        raise BadToken(f'There is no scope "{unknown[0]}"; there are {known}.')
    return wanted


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
