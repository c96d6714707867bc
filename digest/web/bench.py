"""`digest edition preview --serve`: a page for people who write templates, on their machine, while they write."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.base import RequestResponseEndpoint

from digest.rendering.html_finish import HTML_BLOCKS
from digest.rendering.simulations import SIMULATIONS
from digest.template_bench import Bench, Shown
from digest.web import static
from digest.web.pages import environment

Scheme = Literal["light", "dark"]

# The page's own script asks whether anything changed; the mail in its frames can ask nobody for anything.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
_KILOBYTE = 1024


def create_bench(bench: Bench, *, host: str) -> FastAPI:
    """Three addresses: the page, the mail for its frames, and what tells whether to look again."""
    app = FastAPI(title="Template bench", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(static.router)

    @app.middleware("http")
    async def only_by_its_own_name(request: Request, call_next: RequestResponseEndpoint) -> Response:
        """A page elsewhere must not read a subscriber's mail through a name that it lets lead here."""
        if not _is_ours(request.url.hostname or "", host):
            return PlainTextResponse("Open this by the address that was printed.", status_code=421)
        response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.update({"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"})
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.exception_handler(SQLAlchemyError)
    def unreadable(_: Request, problem: Exception) -> Response:
        return PlainTextResponse(f"The database cannot be read: {problem}", status_code=503)

    @app.get("/")
    def page(scheme: Scheme = "light") -> Response:
        found = bench.look(now=datetime.now(UTC))
        shown = found if isinstance(found, Shown) else None
        html = (
            environment()
            .get_template("bench/page.html")
            .render(
                bench=bench,
                scheme=scheme,
                shown=shown,
                broken=None if shown else found,
                state=found.state,
                size=f"{shown.rendering.html_bytes / _KILOBYTE:.1f} KB" if shown and shown.html else None,
                limit=f"{HTML_BLOCKS // _KILOBYTE} KB",
            )
        )
        return HTMLResponse(html, status_code=200 if shown else 500)

    @app.get("/state")
    def state() -> Response:
        return JSONResponse({"state": bench.state()})

    @app.get("/mail")
    def mail(scheme: Scheme = "light") -> Response:
        found = bench.look(now=datetime.now(UTC))
        if not isinstance(found, Shown) or found.html is None:
            return PlainTextResponse("There is no HTML at the moment.", status_code=404)
        return HTMLResponse(SIMULATIONS[scheme].rewrite(found.html), headers={"Content-Security-Policy": MAIL_POLICY})

    return app


def _is_ours(asked: str, host: str) -> bool:
    """Its own address, this machine, or any address at all where it was told to listen on every one."""
    if asked in {host, "localhost"}:
        return True
    try:
        address = ip_address(asked.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
