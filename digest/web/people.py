"""The pages behind the links in a mail: confirm and unsubscribe. Only a pressed button changes anything.

Scanners follow every link of every mail, so GET shows a button and POST acts (RFC 8058 for one-click unsubscribing:
no cookie, no login, no redirect). No page shows an address or tells whether a token belongs to anybody.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from digest.web.pages import page, services_of
from subscribers import consent, roster
from subscribers.consent import Proof

router = APIRouter()

UNSUBSCRIBE_WORDING = "Unsubscribe: no further edition comes to this address."
CONFIRM_WORDING = "Yes, send me one edition a week: verdicts on AI tools, compared in pairs."

# What a token page must never do: be cached, be indexed, or tell the next site where the reader came from.
PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


@router.get("/unsubscribe/{token}")
def ask_to_unsubscribe(request: Request, token: str) -> Response:
    """One button, the same for every token."""
    return _private(page(request, "unsubscribe.html", token=token))


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str) -> Response:
    """Store the opt-out, then say so. An unknown token gets the same answer: there is nobody left to unsubscribe."""
    services = services_of(request)
    link_id = services.links.read_unsubscribe(token)
    if link_id is not None:
        with services.database.writing() as session:
            person = roster.by_link_id(session, link_id)
            if person is not None:
                consent.unsubscribe(
                    session, person, now=_now(), source="unsubscribe link", proof=_proof(request, UNSUBSCRIBE_WORDING)
                )
    return _private(page(request, "unsubscribed.html"))


@router.get("/confirm/{token}")
def ask_to_confirm(request: Request, token: str) -> Response:
    """One button. That the link is too old is said only when it is pressed."""
    return _private(page(request, "confirm.html", token=token, wording=CONFIRM_WORDING))


@router.post("/confirm/{token}")
def confirm(request: Request, token: str) -> Response:
    """The person's own yes. A second press is harmless."""
    services = services_of(request)
    with services.database.writing() as session:
        confirmed = _confirm(session, request, token)
    return _private(page(request, "confirmed.html" if confirmed else "not_confirmed.html"))


def _confirm(session: Session, request: Request, token: str) -> bool:
    link = services_of(request).links.read_confirm(token)
    person = roster.by_link_id(session, link.link_id) if link else None
    if link is None or person is None:
        return False
    outcome = consent.confirm(
        session, person, link, now=_now(), source="confirm link", proof=_proof(request, CONFIRM_WORDING)
    )
    return outcome.subscriber.state == "active"


def _proof(request: Request, wording: str) -> Proof:
    client = request.client.host if request.client else None
    return Proof(wording=wording, ip=client, user_agent=request.headers.get("user-agent", "")[:400] or None)


def _private(response: Response) -> Response:
    response.headers.update(PRIVATE)
    return response


def _now() -> datetime:
    return datetime.now(UTC)
