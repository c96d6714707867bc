"""Which program asks, whether it may, and whether it asks too often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from digest.bootstrap import Services
from digest.models import ApiToken
from digest.people import limits
from digest.people.limits import Rule
from digest.staff import tokens
from digest.web.api.problems import NO_TOKEN, NOT_ALLOWED, TOO_OFTEN, Problem
from digest.web.clients import client_ip
from digest.web.pages import services_of

ONE_TOKEN = Rule("api", "", 600, timedelta(minutes=1))
"""Ten requests a second, one after the other: more than a site has reason for, less than hurts."""

bearer = HTTPBearer(
    scheme_name="token",
    description="A token made with `digest staff token NAME --scope SCOPE`. It is good for its scopes and no more.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """One program, and when it asked."""

    token_id: int
    now: datetime


def caller(
    request: Request, needed: SecurityScopes, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """Who asks. Raises Problem: no good token, not for this, too often."""
    services, now = services_of(request), datetime.now(UTC)
    token = tokens.shown(services.database, shown.credentials, now=now) if shown else None
    if token is None:
        raise _refused(services, client_ip(request), was_shown=shown is not None, now=now)
    for scope in needed.scopes:
        if scope not in token.scopes:
            raise _not_for_this(scope)
    _count(services, token, now)
    return Caller(token.id, now)


def too_often(exceeded: Rule, now: datetime) -> Problem:
    """The refusal that says when to come back."""
    seconds = exceeded.retry_after(now)
    return Problem(TOO_OFTEN, f"That is too often; wait {seconds} seconds.", headers={"Retry-After": str(seconds)})


def _count(services: Services, token: ApiToken, now: datetime) -> None:
    rule = Rule(ONE_TOKEN.what, f"token {token.id}", ONE_TOKEN.most, ONE_TOKEN.per)
    with services.database.writing() as session:
        exceeded = limits.take(session, [rule], now=now)
    if exceeded is not None:
        raise too_often(exceeded, now)


def _refused(services: Services, ip: str | None, *, was_shown: bool, now: datetime) -> Problem:
    """Nobody guesses a token, but whoever tries is told to stop. A good token is heard from the same network still."""
    with services.database.writing() as session:
        exceeded = limits.take(session, limits.by_network("api token", ip), now=now)
    if exceeded is not None:
        return too_often(exceeded, now)
    if not was_shown:
        return Problem(NO_TOKEN, "This needs a bearer token.", headers={"WWW-Authenticate": 'Bearer realm="api"'})
    return Problem(
        NO_TOKEN,
        "The token is unknown or revoked.",
        headers={"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'},
    )


def _not_for_this(scope: str) -> Problem:
    return Problem(
        NOT_ALLOWED,
        f"This needs a token with the scope {scope}.",
        headers={"WWW-Authenticate": f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'},
    )
