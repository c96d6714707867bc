"""The pages behind the links in a mail: confirm, unsubscribe, preferences. Only a pressed button changes anything.

Scanners follow every link of every mail, so GET shows a button and POST acts (RFC 8058 for one-click unsubscribing:
no cookie, no login, no redirect). No page shows an address or a name: a mail may be forwarded.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from digest import preferences
from digest.preferences import Press, Sheet
from digest.web import forms
from digest.web.pages import page, services_of
from subscribers import consent, roster
from subscribers.consent import Gone, Proof
from subscribers.models import State, Subscriber

router = APIRouter()

UNSUBSCRIBE_WORDING = "Unsubscribe: no further edition comes to this address."
CONFIRM_WORDING = "Yes, send me one edition a week: verdicts on AI tools, compared in pairs."
PREFERENCES_WORDING = "What you save here counts from the next edition on."

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
    with suppress(Gone), services.database.writing() as session:
        person = _person(session, link_id)
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
    confirmed = False
    with suppress(Gone), services.database.writing() as session:
        confirmed = _confirm(session, request, token)
    return _private(page(request, "confirmed.html" if confirmed else "not_confirmed.html"))


def _confirm(session: Session, request: Request, token: str) -> bool:
    link = services_of(request).links.read_confirm(token)
    person = _person(session, link.link_id) if link else None
    if link is None or person is None:
        return False
    outcome = consent.confirm(
        session, person, link, now=_now(), source="confirm link", proof=_proof(request, CONFIRM_WORDING)
    )
    return outcome.subscriber.state is State.ACTIVE


@router.get("/preferences/{token}")
def show_preferences(request: Request, token: str) -> Response:
    """What comes to this person, beside what else there is."""
    services = services_of(request)
    with services.database.reading() as session:
        person = _person(session, services.links.read_preferences(token))
        zone = services.settings.digest_timezone
        sheet = preferences.opened(session, person, now=_now(), zone=zone) if person else None
    return _preferences(request, token, person, sheet)


@router.post("/preferences/{token}")
def choose(request: Request, token: str, form: forms.Form) -> Response:
    """Store the wishes, or give back those of before; then the same page, with what was done."""
    services = services_of(request)
    person, sheet = None, None
    with suppress(Gone), services.database.writing() as session:
        person = _person(session, services.links.read_preferences(token))
        sheet = _choose(session, request, person, form) if person else None
    return _preferences(request, token, person, sheet)


def _choose(session: Session, request: Request, person: Subscriber, form: forms.Form) -> Sheet:
    if undo := forms.word(form, "undo"):
        return preferences.undo(session, person, undo, _press(request, preferences.UNDO_WORDING))
    wanted = preferences.Form(
        scope=forms.word(form, "scope"),
        topics=forms.words(form, "topics"),
        rhythm=forms.word(form, "rhythm"),
        plain_text=bool(forms.word(form, "plain_text")),
        pause=forms.word(form, "pause"),
    )
    return preferences.save(session, person, wanted, _press(request, PREFERENCES_WORDING))


def _press(request: Request, wording: str) -> Press:
    services = services_of(request)
    zone = services.settings.digest_timezone
    return Press(_now(), _proof(request, wording), zone, services.links)


def _preferences(request: Request, token: str, person: Subscriber | None, sheet: Sheet | None) -> Response:
    """The same page for a link we did not make and for somebody erased."""
    if person is None or sheet is None:
        return _private(page(request, "no_preferences.html", status=404))
    if person.state is not State.ACTIVE:
        return _private(page(request, "no_edition.html"))
    leave = services_of(request).links.unsubscribe_url(person.link_id).rpartition("/")[2]
    return _private(
        page(
            request,
            "preferences.html",
            status=422 if sheet.problem else 200,
            token=token,
            unsubscribe_token=leave,
            sheet=sheet,
            wording=PREFERENCES_WORDING,
            undo_wording=preferences.UNDO_WORDING,
        )
    )


def _person(session: Session, link_id: str | None) -> Subscriber | None:
    return roster.by_link_id(session, link_id) if link_id else None


def _proof(request: Request, wording: str) -> Proof:
    client = request.client.host if request.client else None
    return Proof(wording=wording, ip=client, user_agent=request.headers.get("user-agent", "")[:400] or None)


def _private(response: Response) -> Response:
    response.headers.update(PRIVATE)
    return response


def _now() -> datetime:
    return datetime.now(UTC)
