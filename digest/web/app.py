"""The web application: its parts, and the one place where an error becomes a status and a sentence."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from database import WriteLockTimeout
from digest.bootstrap import Services
from digest.safekeeping.journal import JournalFailed
from digest.web import (
    archive,
    desk,
    embed,
    exports,
    feeds,
    health,
    imports,
    metrics,
    my_data,
    numbers,
    pages,
    people_bulk,
    people_list,
    person,
    sending,
    sending_acts,
    sign_in,
    sign_up,
    staff,
    staff_door,
    static,
    subscription,
    suppressions,
    webhooks,
)
from digest.web.api import create_api, problems
from digest.web.methods import AnyMethod

log = structlog.get_logger()

# No script, no frame, nothing from elsewhere; a page that needs more says so itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def create_app(services: Services) -> FastAPI:
    """The whole application around one set of services."""
    app = FastAPI(
        title=services.settings.digest_newsletter_name,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # One-click unsubscribing must never be answered with a redirect (RFC 8058).
        redirect_slashes=False,
    )
    app.state.services = services
    # The feeds stand before the editions: a week is whatever comes behind /archive/.
    public = (sign_up, embed, feeds, archive, subscription, my_data)
    operators = (people_list, people_bulk, person, imports, exports, numbers, suppressions)
    on_their_way = (sending, sending_acts)
    for part in (*public, *operators, *on_their_way, health, metrics, webhooks, sign_in, staff, static):
        app.include_router(part.router)
    for router in desk.ROUTERS:
        app.include_router(router)
    app.add_middleware(AnyMethod)
    app.mount("/api", create_api(services))
    app.middleware("http")(_guard)
    staff_door.install(app)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(SQLAlchemyError)(_unavailable)
    app.exception_handler(WriteLockTimeout)(_unavailable)
    app.exception_handler(JournalFailed)(_unavailable)
    return app


async def _guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """The headers every answer carries."""
    response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def _refused(request: Request, problem: Exception) -> Response:
    """A page for people, JSON for machines that ask for it."""
    if isinstance(problem, HTTPException) and request.url.path.startswith("/api/"):
        # An address with a line end in it does not even reach the API: the router's pattern stops there.
        return problems.refused(request, problem)
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    detail = _sentence(problem)
    if "application/json" in request.headers.get("accept", ""):
        found: Response = JSONResponse({"detail": detail}, status_code=status)
    else:
        found = pages.page(request, "message.html", status=status, title=_title(status), words=detail)
    found.headers.update((isinstance(problem, HTTPException) and problem.headers) or {})
    return found


def _sentence(problem: Exception) -> str:
    """Ours where a handler gave one; a plain one where the framework only names the status."""
    if not isinstance(problem, HTTPException):
        return "Something went wrong."
    plain = {404: "There is no page with that address.", 405: "This address does not take that kind of request."}
    named = problem.detail in ("Not Found", "Method Not Allowed")
    return plain.get(problem.status_code, str(problem.detail)) if named else str(problem.detail)


def _title(status: int) -> str:
    titles = {404: "Not here", 405: "Not that way", 413: "Too much", 429: "Too often", 503: "Not at the moment"}
    return titles.get(status, "That did not work")


def _unavailable(request: Request, problem: Exception) -> Response:
    """Our own failure is said, and never as a success: whoever asked may try again."""
    log.error("the database failed", path=request.url.path, why=str(problem).splitlines()[0] if str(problem) else "")
    return PlainTextResponse(
        "This cannot be done at the moment. Please try again in a minute.",
        status_code=503,
        headers={"Retry-After": "60"},
    )
