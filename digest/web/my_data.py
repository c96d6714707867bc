"""What is held about somebody, for them alone: a fresh link mailed to the address opens it, takes it along, moves it to
another address or erases it. No link in an edition does: a mail may be forwarded."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from digest import postman
from digest.models import RequestKind
from digest.people import erasing, limits, my_data
from digest.web import asking, forms, wordings
from digest.web.asking import Sheet
from digest.web.clients import proof_of
from digest.web.pages import PRIVATE, page, services_of
from digest.web.sign_up import blanks
from digest.web.wordings import Wording
from subscribers import consent, roster
from subscribers.addresses import Address
from subscribers.consent import Gone
from subscribers.models import AddressChange, State, Subscriber

router = APIRouter()

ASKED = Wording("Mail me a link to everything held about my address.", "2026-11")
SOURCE = "my-data page"


@router.get("/my-data")
def ask_for_my_data(request: Request) -> Response:
    """The form that asks for a link."""
    return _form(request, asking.fresh(request, _now()))


@router.post("/my-data")
def send_me_a_link(request: Request, posted: forms.Posted) -> Response:
    """Store the request; to an address that is known here a letter follows within seconds. One answer, whoever asks."""
    if isinstance(posted, HTTPException):
        raise posted
    sheet = asking.take(request, posted, RequestKind.MY_DATA, ASKED, source=SOURCE, now=_now())
    return page(request, "my_data_asked.html", private=True) if sheet is None else _form(request, sheet)


@router.get("/my-data/{token}")
def show_my_data(request: Request, token: str) -> Response:
    """Everything, in plain words."""
    return _everything(request, token, asking.fresh(request, _now()))


@router.post("/my-data/{token}/export")
def take_my_data_along(request: Request, token: str) -> Response:
    """Everything, as a file."""
    services, now = services_of(request), _now()
    with services.database.reading() as session:
        person = _person(session, request, token)
        everything = my_data.held(session, person) if person else None
    if everything is None:
        return _no_longer(request)
    body = my_data.to_take_along(everything, newsletter=services.settings.digest_newsletter_name, now=now)
    headers = {**PRIVATE, "Content-Disposition": 'attachment; filename="my-data.json"'}
    return Response(body, media_type="application/json", headers=headers)


@router.get("/my-data/{token}/erase")
def ask_to_erase(request: Request, token: str) -> Response:
    """What erasing means, and the button."""
    with services_of(request).database.reading() as session:
        person = _person(session, request, token)
    if person is None:
        return _no_longer(request)
    return page(request, "my_data_erase.html", private=True, token=token, wording=wordings.ERASE.text)


@router.post("/my-data/{token}/erase")
def erase_me(request: Request, token: str) -> Response:
    """All of it goes, in one transaction."""
    erased = False
    with suppress(Gone), services_of(request).database.writing() as session:
        person = _person(session, request, token)
        if person is not None:
            erasing.erase(session, person, now=_now(), by="themselves")
            erased = True
    return page(request, "my_data_erased.html", private=True) if erased else _no_longer(request)


@router.post("/my-data/{token}/change-address")
def ask_to_change_address(request: Request, token: str, form: forms.Form) -> Response:
    """A letter to the new address; nothing changes before its button is pressed."""
    blank = Sheet("", forms.word(form, "email"))
    address = asking.looked_at(form, blank)
    if isinstance(address, Sheet):
        return _everything(request, token, address)
    now, exceeded = _now(), None
    with suppress(Gone), services_of(request).database.writing() as session:
        person = _person(session, request, token)
        if person is None:
            return _no_longer(request)
        exceeded = limits.take(session, asking.rules_for(request, "change-address", address), now=now)
        if exceeded is None:
            _ask_to_change(session, person, address, now)
    if exceeded is not None and exceeded.visible:
        return _everything(request, token, asking.too_often(blank, exceeded, now))
    return page(request, "my_data_moving.html", private=True)


@router.get("/change-address/{token}")
def ask_about_new_address(request: Request, token: str) -> Response:
    """One button, the same for every token."""
    return page(request, "change_address.html", private=True, token=token, wording=wordings.CHANGE_ADDRESS.text)


@router.post("/change-address/{token}")
def change_address(request: Request, token: str) -> Response:
    """The new address is somebody's own: it comes there from now on, and the old one is told."""
    moved = False
    with suppress(Gone), services_of(request).database.writing() as session:
        moved = _change(session, request, token)
    if moved:
        return page(request, "address_changed.html", private=True)
    return page(request, "address_not_changed.html", private=True)


def _ask_to_change(session: Session, person: Subscriber, address: Address, now: datetime) -> None:
    letter = consent.ask_to_change_address(session, person, address, now=now, source=SOURCE)
    if letter is not None:
        postman.queue(session, letter, now=now)


def _change(session: Session, request: Request, token: str) -> bool:
    now = _now()
    link_id = services_of(request).links.read_change_address(token, now)
    asked = sa.select(AddressChange).where(AddressChange.link_id == link_id)
    change = session.scalars(asked).one_or_none() if link_id else None
    if change is None:
        return False
    proof = proof_of(request, wordings.CHANGE_ADDRESS)
    outcome = consent.change_address(session, change, now=now, source=SOURCE, proof=proof)
    if outcome.letter is not None:
        postman.queue(session, outcome.letter, now=now)
    return outcome.changed


def _everything(request: Request, token: str, sheet: Sheet) -> Response:
    services = services_of(request)
    with services.database.reading() as session:
        person = _person(session, request, token)
        everything = my_data.held(session, person) if person else None
    if person is None or everything is None:
        return _no_longer(request)
    links, zone = services.links, services.settings.digest_timezone
    values: dict[str, Any] = {
        "token": token,
        "sheet": sheet,
        "held": everything,
        "state_in_words": my_data.STATES[everything.state],
        "is_active": everything.state is State.ACTIVE,
        "preferences": links.preferences_url(person.link_id).rpartition("/")[2],
        "leave": links.unsubscribe_url(person.link_id).rpartition("/")[2],
        "local": lambda moment: moment.astimezone(zone),
    }
    return _with_patience(page(request, "my_data.html", status=sheet.status, private=True, **values), sheet)


def _form(request: Request, sheet: Sheet) -> Response:
    found = page(request, "my_data_ask.html", status=sheet.status, private=True, **blanks(request, sheet))
    return _with_patience(found, sheet)


def _with_patience(response: Response, sheet: Sheet) -> Response:
    if sheet.retry_after is not None:
        response.headers["Retry-After"] = str(sheet.retry_after)
    return response


def _no_longer(request: Request) -> Response:
    """The same for a link we did not make, one that is too old, and somebody erased; with the form for a fresh one."""
    return page(request, "my_data_no_longer.html", status=404, private=True, **blanks(request))


def _person(session: Session, request: Request, token: str) -> Subscriber | None:
    link_id = services_of(request).links.read_my_data(token, _now())
    return roster.by_link_id(session, link_id) if link_id else None


def _now() -> datetime:
    return datetime.now(UTC)
