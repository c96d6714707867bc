"""The door to every page of the staff: who is there, what they may do, and whether their own browser page asked.

A handler says whom it is for by the type of a parameter (`visitor: Operator`); nothing else lets anybody in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.models import Role
from digest.staff import RIGHTS, Right, sessions
from digest.web.pages import environment, services_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_PATH = 2000

_SCHEME_AND_HOST = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]+)")

# Our own script and no other. `same-origin` rather than `no-referrer`: with that, browsers send `Origin: null`.
STAFF_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


WHAT_FOR = {
    Right.EDIT: "edit editions",
    Right.APPROVE: "approve editions",
    Right.OPERATE: "look after subscribers",
    Right.ADMINISTER: "look after the staff",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody on the staff, signed in. `by` is how the audit log and consent events name them."""

    staff_id: int
    session_id: int
    email: str
    role: Role
    rights: frozenset[Right]
    by: str

    def may(self, right: str) -> bool:
        return right in self.rights


class NotSignedIn(Exception):
    """Nobody is signed in here."""


class NotForYou(Exception):
    """Whoever asks may not do this; the text says why, in a sentence."""


def install(app: FastAPI) -> None:
    """What the application needs for staff pages beside their routes."""
    app.exception_handler(NotSignedIn)(_to_the_door)
    app.exception_handler(NotForYou)(_refuse)
    app.add_middleware(_StaffHeaders)


def from_our_pages(request: Request) -> None:
    """The check of every request that changes something. Raises NotForYou for one that another site made."""
    request.state.staff = True
    site = services_of(request).settings.digest_site_url
    if request.method not in SAFE_METHODS and not is_same_origin(request.headers, site):
        raise NotForYou("This request did not come from a page of ours, so nothing was changed.")


def is_same_origin(headers: Mapping[str, str], site_url: str) -> bool:
    """Whether a browser says that a page of ours sent this. What carries no sign of it is not from a browser's form.

    `headers` has lower-case names. The browser's own word counts most: it knows, whatever stands before the site.
    """
    fetched = headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched in ("same-origin", "none")
    origin = headers.get("origin") or headers.get("referer", "")
    scheme, host = _origin(origin)
    return bool(host) and ((scheme, host) == _origin(site_url) or host == headers.get("host", "").lower())


def visitor(request: Request, _checked: Annotated[None, Depends(from_our_pages)]) -> Visitor:
    """Who is signed in. Raises NotSignedIn."""
    services = services_of(request)
    cookie = request.cookies.get(cookie_name(services.settings.digest_site_url), "")
    found = sessions.shown(services.database, cookie, now=datetime.now(UTC))
    if found is None:
        raise NotSignedIn
    return Visitor(
        staff_id=found.staff_id,
        session_id=found.session_id,
        email=found.email,
        role=found.role,
        rights=RIGHTS[found.role],
        by=f"staff {found.staff_id}",
    )


Anybody = Annotated[Visitor, Depends(visitor)]


def _with(*rights: Right) -> Callable[[Visitor], Visitor]:
    """Lets in whoever has one of these rights."""
    whom = " or ".join(WHAT_FOR[right] for right in rights)

    def allowed(somebody: Anybody) -> Visitor:
        if somebody.rights.isdisjoint(rights):
            raise NotForYou(f"This is for those who {whom}. You are signed in as {somebody.role.value}.")
        return somebody

    return allowed


Editor = Annotated[Visitor, Depends(_with(Right.EDIT))]
Approver = Annotated[Visitor, Depends(_with(Right.APPROVE))]
Operator = Annotated[Visitor, Depends(_with(Right.OPERATE))]
EditorOrOperator = Annotated[Visitor, Depends(_with(Right.EDIT, Right.OPERATE))]
ApproverOrOperator = Annotated[Visitor, Depends(_with(Right.APPROVE, Right.OPERATE))]
Admin = Annotated[Visitor, Depends(_with(Right.ADMINISTER))]


def with_frames(request: Request) -> None:
    """Let this page show frames of our own, such as a mail."""
    request.state.staff_headers = {
        "Content-Security-Policy": f"{STAFF_HEADERS['Content-Security-Policy']}; frame-src 'self'"
    }


def as_a_mail(request: Request) -> None:
    """This answer is a mail, to be shown in a frame of ours: it carries its styles, and can do nothing at all.

    Of our own origin it is only so that the page around it can keep its place; no script runs in it.
    """
    request.state.staff_headers = {
        "X-Frame-Options": "SAMEORIGIN",
        "Content-Security-Policy": (
            "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
        ),
    }


def door_page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page of the staff for whoever stands before the door: `templates/pages/staff/{template}`, in public dress."""
    settings = services_of(request).settings
    common = {"newsletter_name": settings.digest_newsletter_name, "postal_address": settings.digest_postal_address}
    html = environment().get_template(f"staff/{template}").render(common | values)
    return HTMLResponse(html, status_code=status)


def cookie_name(site_url: str) -> str:
    """Over https a name that no other site of the domain can set a cookie of."""
    return "__Host-digest" if is_secure(site_url) else "digest"


def is_secure(site_url: str) -> bool:
    return site_url.startswith("https://")


def local_path(wanted: str, *, otherwise: str) -> str:
    """Where to go on to after signing in: a path of this site, whatever somebody put into the link.

    Browsers drop tabs and line ends from an address and read `\\` as `/`, so only plain visible ASCII is taken.
    """
    is_plain = wanted.isascii() and wanted.isprintable() and not set(wanted) & set(' \\"<>')
    is_local = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if is_plain and is_local and len(wanted) <= LONGEST_PATH else otherwise


def _origin(url: str) -> tuple[str, str]:
    """Scheme and host of an address, or of an Origin header; empty where there are none, as in `null`."""
    found = _SCHEME_AND_HOST.match(url.lower())
    return (found[1], found[2]) if found else ("", "")


def _to_the_door(request: Request, _problem: Exception) -> Response:
    """Back here after signing in; what was sent and not stored is said."""
    if request.method not in SAFE_METHODS:
        words = "You are not signed in any more, so nothing was changed."
        return door_page(request, "refused.html", status=403, words=words, way="/sign-in")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(asked, safe='/')}", status_code=303)


def _refuse(request: Request, problem: Exception) -> Response:
    return door_page(request, "refused.html", status=403, words=str(problem), way="/staff")


class _StaffHeaders:
    """Puts the headers of staff pages on every answer behind this door: redirects, refusals and downloads too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Made here, so that whoever copies the scope further in still marks this one.
        state = scope.setdefault("state", {})

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and state.get("staff"):
                MutableHeaders(scope=message).update(STAFF_HEADERS | state.get("staff_headers", {}))
                # What is in the address of a token page must not travel at all; its button is told by Sec-Fetch-Site.
                if state.get("has_token"):
                    MutableHeaders(scope=message)["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, with_headers)
