"""The front door: what this newsletter is, its latest edition, and the form that asks for it.

The form and its JSON twin go the same way (`asking`), and both answer the same to everybody.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from digest import archive, editions
from digest.models import RequestKind
from digest.verdicts import scoreboard
from digest.web import asking, forms, wordings
from digest.web.archive import in_brief
from digest.web.asking import Sheet
from digest.web.pages import page, services_of

router = APIRouter()

MOST_TOOLS = 14
"""Of the scoreboard, on the front page."""
KEPT_BY_NOBODY = {"Cache-Control": "no-store"}
LOOK = "Look in your mail: a letter is on its way to the address you gave."

# The site's own script may ask from its own pages. No cookie is sent along and none is ours, so any page may.
SHARED = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = {
    **SHARED,
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Accept",
    "Access-Control-Max-Age": "86400",
}


@router.get("/")
def home(request: Request) -> Response:
    """The form, and the latest edition in brief."""
    services = services_of(request)
    latest: dict[str, Any] | None = None
    with services.database.reading() as session:
        found = archive.latest(session)
        if found is not None:
            copy = editions.copy_of(session, found, services.settings.digest_timezone)
            board = [line.side for line in scoreboard([entry.summary for entry in copy.entries])]
            latest = {**in_brief(found, request), "board": board[:MOST_TOOLS], "more": len(board) - MOST_TOOLS}
    return _kept_by_nobody(page(request, "home.html", latest=latest, **blanks(request)))


@router.get("/subscribe")
def sign_up_form(request: Request) -> Response:
    """The form by itself."""
    return _form(request, asking.fresh(request, _now()))


@router.post("/subscribe")
def subscribe(request: Request, posted: forms.Posted) -> Response:
    """Store the request; the confirmation letter follows within seconds. One answer, whoever asks."""
    as_json = "application/json" in request.headers.get("accept", "")
    if isinstance(posted, HTTPException):
        if as_json:
            return _problem(posted.status_code, str(posted.detail))
        raise posted
    source = "sign-up script" if as_json else "sign-up page"
    sheet = asking.take(request, posted, RequestKind.SIGN_UP, wordings.SIGN_UP, source=source, now=_now())
    if as_json:
        return _said(sheet)
    return page(request, "look_in_your_mail.html", private=True) if sheet is None else _form(request, sheet)


@router.get("/subscribe/token")
def token(request: Request) -> Response:
    """What a script puts into its form: good from 2 seconds to 2 hours from now on."""
    return JSONResponse({"token": asking.fresh(request, _now()).token}, headers=SHARED | KEPT_BY_NOBODY)


@router.options("/subscribe")
@router.options("/subscribe/token")
def preflight() -> Response:
    """Any page may ask, without credentials."""
    return Response(status_code=204, headers=PREFLIGHT | {"Allow": "GET, HEAD, POST, OPTIONS"})


def blanks(request: Request, sheet: Sheet | None = None) -> dict[str, Any]:
    """What the sign-up form of any page is filled in with."""
    settings = services_of(request).settings
    return {
        "sheet": sheet or asking.fresh(request, _now()),
        "sign_up_wording": wordings.SIGN_UP.filled(settings).text,
        "trap": asking.TRAP,
    }


def _form(request: Request, sheet: Sheet) -> Response:
    found = _kept_by_nobody(page(request, "sign_up.html", status=sheet.status, **blanks(request, sheet)))
    if sheet.retry_after is not None:
        found.headers["Retry-After"] = str(sheet.retry_after)
    return found


def _said(sheet: Sheet | None) -> Response:
    """The same as on the pages, for a script."""
    if sheet is None:
        said = {"status": "look in your mail", "detail": LOOK}
        return JSONResponse(said, status_code=202, headers=SHARED | KEPT_BY_NOBODY)
    if sheet.meant:
        asked = f'Did you mean {sheet.meant}? If not, send it again with "sure": true.'
        return _problem(422, asked, field="email", meant=sheet.meant)
    if sheet.problem:
        return _problem(422, sheet.problem, field="email")
    if sheet.retry_after is not None:
        return _problem(429, sheet.said or "", headers={"Retry-After": str(sheet.retry_after)})
    return _problem(422, "The form token is missing, too old or too young.", field="token", token=sheet.token)


def _problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: str) -> Response:
    """RFC 9457; `more` are members of our own."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(
        body,
        status_code=status,
        media_type="application/problem+json",
        headers=SHARED | KEPT_BY_NOBODY | (headers or {}),
    )


def _kept_by_nobody(response: Response) -> Response:
    """A form holds a token that grows old."""
    response.headers.update(KEPT_BY_NOBODY)
    return response


def _now() -> datetime:
    return datetime.now(UTC)
