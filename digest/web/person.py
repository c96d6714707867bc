"""One person, for operators: the dossier, and what may be done with them. Each act leaves a line in the audit log.

A button stands only where the act is possible; who presses it a moment too late, or twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.convertors import Convertor, register_url_convertor

from digest import postman
from digest.people import dossiers, erasing
from digest.staff import audit
from digest.web import forms
from digest.web.pages import services_of
from digest.web.staff_door import Operator, Visitor
from digest.web.staff_pages import staff_page
from subscribers import addresses, consent, policy, standings
from subscribers.addresses import BadAddress
from subscribers.consent import AddressRefused, Gone, Newcomer, NoBasis, Outcome, Proof
from subscribers.models import State, Subscriber
from subscribers.texts import one_line, shortened

router = APIRouter()

LONGEST_REASON = 500
SHOWN_AT_ONCE = 40
"""Happenings of the timeline; the older ones unfold."""

GONE = HTTPException(404, "Nobody here has that number. They may have been erased.")
NEEDS_REASON = "Give a reason: it is kept with this person’s record. Nothing was changed."

# What was done, by the word in the address after the redirect: no text of anybody's comes in that way.
SAID = {
    "unsubscribed": "Unsubscribed. No further edition is handed over to them.",
    "suppressed": "Suppressed. Nothing is written to this address again.",
    "let-in": "The suppression is lifted.",
    "added": "Added. A confirmation letter is on its way; until they confirm, no edition is sent to them.",
    "added-active": "Added with a basis of consent. They get the next edition.",
    "given-basis": "They were waiting; with a basis of consent they get the next edition.",
    "no-letter": "They wait for a confirmation letter, but none is sent now: too many went to this address of late.",
    "known": "This person was here already. Nothing was changed.",
    "unchanged": "Nothing was changed: that had been done already, or is not possible.",
}


class _Number(Convertor[int]):
    """A person's number in an address. Anything else, or one too long for a database, is no page of ours."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("person", _Number())


@router.get("/people/add")
def ask_whom_to_add(request: Request, visitor: Operator) -> Response:
    """An empty form for one person."""
    return _add_page(request, visitor, {"email": "", "name": "", "basis": ""})


@router.post("/people/add")
def add(request: Request, visitor: Operator, form: forms.Form) -> Response:
    """Add one person: active with a basis of consent, else pending and owed a confirmation letter."""
    given = {name: forms.word(form, name) for name in ("email", "name", "basis")}
    basis = one_line(given["basis"]) or None
    now = _now()
    try:
        newcomer = Newcomer(addresses.parse(given["email"]), name=given["name"])
        with services_of(request).database.writing() as session:
            outcome = consent.add(session, newcomer, basis=basis, now=now, source=visitor.by)
            written_to = _owed(session, outcome, now)
            if outcome.changed:
                what = "subscriber added" if basis is None else "subscriber added with a basis"
                _note(session, visitor, what, outcome.subscriber, now)
    except BadAddress as why:
        return _add_page(request, visitor, given, at_fault="email", problem=str(why))
    except AddressRefused as why:
        return _add_page(request, visitor, given, at_fault="email", problem=str(why))
    except NoBasis as why:
        return _add_page(request, visitor, given, at_fault="basis", problem=str(why))
    return _back(outcome.subscriber.id, _added(outcome, basis) if written_to else "no-letter")


def _added(outcome: Outcome, basis: str | None) -> str:
    if not outcome.changed:
        return "known"
    if basis is None:
        return "added"
    return "added-active" if outcome.subscriber.created_at == outcome.subscriber.changed_at else "given-basis"


def _add_page(
    request: Request, visitor: Visitor, given: dict[str, str], *, at_fault: str = "", problem: str | None = None
) -> Response:
    status = 422 if problem else 200
    return staff_page(request, visitor, "people/add.html", status=status, given=given, at_fault=at_fault, wrong=problem)


@router.get("/people/{number:person}")
def show(request: Request, visitor: Operator, number: int) -> Response:
    """The dossier."""
    return _dossier(request, visitor, number, said=SAID.get(request.query_params.get("done", "")))


@router.post("/people/{number:person}/unsubscribe")
def unsubscribe(request: Request, visitor: Operator, number: int, form: forms.Form) -> Response:
    """They asked to leave, by another way than their link. A reason may be given."""
    reason = shortened(forms.word(form, "reason"), LONGEST_REASON)

    def act(session: Session, person: Subscriber, now: datetime) -> Outcome:
        return consent.unsubscribe(session, person, now=now, source=visitor.by, proof=Proof(wording=reason or None))

    return _do(request, visitor, number, act, done="unsubscribed")


@router.post("/people/{number:person}/suppress")
def suppress(request: Request, visitor: Operator, number: int, form: forms.Form) -> Response:
    """Never write here again, until staff lift it."""
    reason = shortened(forms.word(form, "reason"), LONGEST_REASON)
    if not reason:
        return _dossier(request, visitor, number, status=422, at_fault="suppress", problem=NEEDS_REASON)

    def act(session: Session, person: Subscriber, now: datetime) -> Outcome:
        because = policy.Act.SUPPRESS
        return consent.suppress(session, person, because, because=reason, now=now, source=visitor.by)

    return _do(request, visitor, number, act, done="suppressed")


@router.post("/people/{number:person}/lift")
def lift(request: Request, visitor: Operator, number: int, form: forms.Form) -> Response:
    """Take a suppression back, never a complaint."""
    reason = shortened(forms.word(form, "reason"), LONGEST_REASON)
    if not reason:
        return _dossier(request, visitor, number, status=422, at_fault="lift", problem=NEEDS_REASON)

    def act(session: Session, person: Subscriber, now: datetime) -> Outcome:
        return consent.lift(session, person, because=reason, now=now, source=visitor.by)

    return _do(request, visitor, number, act, done="let-in")


@router.get("/people/{number:person}/erase")
def ask_to_erase(request: Request, visitor: Operator, number: int) -> Response:
    """What goes and what stays, before it does."""
    return _erase_page(request, visitor, number)


@router.post("/people/{number:person}/erase")
def erase(request: Request, visitor: Operator, number: int, form: forms.Form) -> Response:
    """Everything held about them goes. Pressed twice, there is nobody left to erase."""
    if forms.word(form, "sure") != "yes":
        problem = "Nothing was erased: tick the box to say that you are sure."
        return _erase_page(request, visitor, number, status=422, problem=problem)
    done = "erased"
    try:
        with services_of(request).database.writing() as session:
            erasing.erase(session, _there(session, number), now=_now(), by=visitor.by)
    except (Gone, HTTPException):
        done = "gone"
    return RedirectResponse(f"/people?done={done}", status_code=303)


def _erase_page(
    request: Request, visitor: Visitor, number: int, *, status: int = 200, problem: str | None = None
) -> Response:
    with services_of(request).database.reading() as session:
        person = _there(session, number)
        stands = standings.of(session, person)
        editions = len(dossiers.deliveries_of(session, person))
    for_ever = policy.refusal_after_erasing(stands) is policy.Refusal.FOR_EVER
    return staff_page(
        request,
        visitor,
        "people/erase.html",
        status=status,
        problem=problem,
        person=person,
        for_ever=for_ever,
        editions=editions,
    )


def _do(
    request: Request,
    visitor: Visitor,
    number: int,
    act: Callable[[Session, Subscriber, datetime], Outcome],
    *,
    done: str,
) -> Response:
    """One act on one person, with its letter and its line in the audit log, or nothing at all."""
    now = _now()
    try:
        with services_of(request).database.writing() as session:
            outcome = act(session, _there(session, number), now)
            written_to = _owed(session, outcome, now)
            if outcome.changed:
                _note(session, visitor, f"subscriber {done}", outcome.subscriber, now)
    except Gone:
        raise GONE from None
    if not outcome.changed:
        return _back(number, "unchanged")
    return _back(number, done if written_to else "no-letter")


def _owed(session: Session, outcome: Outcome, now: datetime) -> bool:
    """Queue the letter an outcome owes; False where that address was written to enough of late."""
    return outcome.letter is None or postman.queue_all(session, [outcome.letter], now=now) > 0


def _note(session: Session, visitor: Visitor, what: str, person: Subscriber, now: datetime) -> None:
    audit.note(session, by=visitor.by, what=what, about=f"subscriber {person.id}", now=now)


def _there(session: Session, number: int) -> Subscriber:
    person = session.get(Subscriber, number)
    if person is None:
        raise GONE
    return person


def _dossier(
    request: Request,
    visitor: Visitor,
    number: int,
    *,
    status: int = 200,
    said: str | None = None,
    problem: str | None = None,
    at_fault: str = "",
) -> Response:
    services = services_of(request)
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        found = dossiers.dossier(session, number, now=_now(), zone=zone)
    if found is None:
        raise GONE
    return staff_page(
        request,
        visitor,
        "people/person.html",
        status=status,
        said=said,
        problem=problem,
        at_fault=at_fault,
        found=found,
        person=found.person,
        is_active=found.person.state is State.ACTIVE,
        zone=zone,
        shown_at_once=SHOWN_AT_ONCE,
    )


def _back(number: int, done: str) -> Response:
    return RedirectResponse(f"/people/{number}?done={done}", status_code=303)


def _now() -> datetime:
    return datetime.now(UTC)
