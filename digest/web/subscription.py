"""The pages behind the links in a mail: confirm, unsubscribe, preferences. Only a pressed button changes anything.

Scanners follow every link of every mail, so GET shows a button and POST acts (RFC 8058 for one-click unsubscribing:
no cookie, no login, no redirect). No page shows an address or a name: a mail may be forwarded.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from digest import postman
from digest.people import limits, preferences
from digest.people.preferences import Press, Sheet
from digest.web import forms, wordings
from digest.web.clients import client_ip, proof_of
from digest.web.pages import page, services_of
from digest.web.sign_up import blanks
from digest.web.wordings import Wording
from subscribers import consent, roster
from subscribers.consent import Gone
from subscribers.links import Confirmation
from subscribers.models import State, Subscriber

router = APIRouter()

TOO_OFTEN = "This was pressed too often just now. Nothing was changed; please try again in a few minutes."


@router.get("/unsubscribe/{token}")
def ask_to_unsubscribe(request: Request, token: str) -> Response:
    """One button, the same for every token."""
    return page(request, "unsubscribe.html", private=True, token=token, wording=wordings.UNSUBSCRIBE.text)


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str) -> Response:
    """Store the opt-out, then say so, whatever the body holds. An unknown token gets the same answer: there is nobody
    left to unsubscribe. Coming back is signing up again, with a new confirmation letter."""
    link_id = services_of(request).links.read_unsubscribe(token)
    if link_id is not None:
        _unsubscribe(request, link_id)
    return page(request, "unsubscribed.html", private=True, **blanks(request))


def _unsubscribe(request: Request, link_id: str) -> None:
    """Never limited: a mailbox provider presses for all its people from a few addresses."""
    proof = proof_of(request, wordings.UNSUBSCRIBE)
    with suppress(Gone), services_of(request).database.writing() as session:
        person = _person(session, link_id)
        if person is not None:
            consent.unsubscribe(session, person, now=_now(), source="unsubscribe link", proof=proof)


@router.get("/confirm/{token}")
def ask_to_confirm(request: Request, token: str) -> Response:
    """One button. That the link is too old is said only when it is pressed."""
    return page(request, "confirm.html", private=True, token=token, wording=wordings.CONFIRM.text)


@router.post("/confirm/{token}")
def confirm(request: Request, token: str) -> Response:
    """The person's own yes. A second press is harmless; an old link leads to the form that asks for a new letter."""
    link = services_of(request).links.read_confirm(token)
    if link is not None and _confirm(request, link):
        return page(request, "confirmed.html", private=True)
    return page(request, "not_confirmed.html", private=True, **blanks(request))


def _confirm(request: Request, link: Confirmation) -> bool:
    """Whether this person is now active, by this press or by one before."""
    with suppress(Gone), services_of(request).database.writing() as session:
        person = _person(session, link.link_id)
        return person is not None and _confirmed(session, request, person, link)
    return False


def _confirmed(session: Session, request: Request, person: Subscriber, link: Confirmation) -> bool:
    now, proof = _now(), proof_of(request, wordings.CONFIRM)
    outcome = consent.confirm(session, person, link, now=now, source="confirm link", proof=proof)
    if outcome.letter is not None:
        postman.queue(session, outcome.letter, now=now)
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
    """Every change is kept as an event, and the link may be in many hands: nobody may fill the record with them."""
    now = _now()
    exceeded = limits.take(session, limits.by_network("preferences", client_ip(request)), now=now)
    if exceeded is not None:
        raise HTTPException(429, TOO_OFTEN, headers={"Retry-After": str(exceeded.retry_after(now))})
    if undo := forms.word(form, "undo"):
        return preferences.undo(session, person, undo, _press(request, wordings.UNDO))
    wanted = preferences.Form(
        scope=forms.word(form, "scope"),
        topics=forms.words(form, "topics"),
        rhythm=forms.word(form, "rhythm"),
        plain_text=bool(forms.word(form, "plain_text")),
        pause=forms.word(form, "pause"),
    )
    return preferences.save(session, person, wanted, _press(request, wordings.PREFERENCES))


def _press(request: Request, wording: Wording) -> Press:
    services = services_of(request)
    return Press(_now(), proof_of(request, wording), services.settings.digest_timezone, services.links)


def _preferences(request: Request, token: str, person: Subscriber | None, sheet: Sheet | None) -> Response:
    """The same page for a link we did not make and for somebody erased."""
    if person is None or sheet is None:
        return page(request, "no_preferences.html", status=404, private=True)
    if person.state is not State.ACTIVE:
        return page(request, "no_edition.html", private=True, **blanks(request))
    leave = services_of(request).links.unsubscribe_url(person.link_id).rpartition("/")[2]
    return page(
        request,
        "preferences.html",
        status=422 if sheet.problem else 200,
        private=True,
        token=token,
        unsubscribe_token=leave,
        sheet=sheet,
        wording=wordings.PREFERENCES.text,
        undo_wording=wordings.UNDO.text,
    )


def _person(session: Session, link_id: str | None) -> Subscriber | None:
    return roster.by_link_id(session, link_id) if link_id else None


def _now() -> datetime:
    return datetime.now(UTC)
