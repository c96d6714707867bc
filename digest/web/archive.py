"""The archive of editions that went out: public from the first hand-over on, with nothing personal in it."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from digest import editions
from digest.models import Edition
from digest.proofs import Envelope
from digest.rendering import render_web
from digest.web.pages import page, services_of
from digest.weeks import BadWeek, Week

router = APIRouter()

# A mail carries its styles in its elements.
MAIL_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/")
def home() -> Response:
    """The newsletter's front door is its archive."""
    return RedirectResponse("/archive", status_code=307)


@router.get("/archive")
def index(request: Request) -> Response:
    """Every edition that went out, newest first."""
    services = services_of(request)
    with services.database.reading() as session:
        found = session.scalars(_public().order_by(Edition.week.desc())).all()
        listed = [
            {"week": each.week, "subject": each.subject, "breath": each.breath, "day": _day(each, request)}
            for each in found
        ]
    return page(request, "archive.html", editions=listed)


@router.get("/archive/{week}")
def edition(request: Request, week: str) -> Response:
    """One edition as everybody could read it, made from its frozen entries."""
    services = services_of(request)
    try:
        wanted = Week.parse(week)
    except BadWeek:
        raise HTTPException(404, "There is no edition with that address.") from None
    with services.database.reading() as session:
        found = session.scalars(_public().where(Edition.week == str(wanted))).one_or_none()
        if found is None:
            raise HTTPException(404, f"There is no edition of {wanted} in the archive.")
        copy = editions.copy_of(session, found, services.settings.digest_timezone)
        imprint = Envelope.model_validate(found.envelope).imprint
        previous, following = _neighbours(session, found)
    html = render_web(copy, imprint, previous=previous, following=following)
    return HTMLResponse(
        html, headers={"Cache-Control": "public, max-age=300", "Content-Security-Policy": MAIL_SECURITY_POLICY}
    )


def _public() -> sa.Select[Edition]:
    return sa.select(Edition).where(Edition.begun_at.is_not(None))


def _neighbours(session: Session, found: Edition) -> tuple[str | None, str | None]:
    week = sa.select(Edition.week).where(Edition.begun_at.is_not(None))
    before = week.where(Edition.week < found.week).order_by(Edition.week.desc()).limit(1)
    after = week.where(Edition.week > found.week).order_by(Edition.week).limit(1)
    return session.scalars(before).one_or_none(), session.scalars(after).one_or_none()


def _day(found: Edition, request: Request) -> object:
    return found.send_at.astimezone(services_of(request).settings.digest_timezone).date()
