"""What can be pressed on the sending pages. Each act asks for a reason and leaves a line in the audit log.

A button stands only where its act is possible; who presses it a moment too late, or twice, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from digest import editions, pauses, progress, settling, stats, unsettled
from digest.errors import DigestError
from digest.models import Batch, BatchState, Edition, EditionState
from digest.staff import audit
from digest.web import forms
from digest.web import sending_words as words
from digest.web.pages import services_of
from digest.web.sending import edition_of, edition_page, list_page
from digest.web.staff_door import ApproverOrOperator, EditorOrOperator, Operator, Visitor
from digest.web.staff_pages import staff_page
from subscribers.texts import shortened

router = APIRouter()

LONGEST_REASON = 500
LARGEST_KEY = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=LARGEST_KEY)]

NEEDS_REASON = "Give a reason: it is kept in the log. Nothing was changed."
NOT_SURE = "Tick the box to say that you are sure. Nothing was changed."

Act = Callable[[Session, Edition, str, datetime], None]


class NewerBegun(DigestError):
    """A newer edition has gone out: tick the box if this one shall follow it all the same. Nothing was changed."""


class Moved(DigestError):
    """This batch is no longer as you saw it: look at it again. Nothing was changed."""


# — the edition —


@router.post("/sending/{week}/hold")
def hold(request: Request, visitor: EditorOrOperator, week: str, form: forms.Form) -> Response:
    """Nothing more is handed over until somebody resumes."""

    def act(session: Session, edition: Edition, reason: str, now: datetime) -> None:
        editions.hold(session, edition, why=reason, by=visitor.by, now=now)

    return _move(request, visitor, week, form, act, name="hold", done="held", there={EditionState.HALTED})


@router.post("/sending/{week}/resume")
def resume(request: Request, visitor: ApproverOrOperator, week: str, form: forms.Form) -> Response:
    """Back to the state before the halt."""
    stale = forms.word(form, "stale") == "yes"

    def act(session: Session, edition: Edition, reason: str, now: datetime) -> None:
        try:
            editions.resume(session, edition, why=reason, by=visitor.by, now=now, stale=stale)
        except editions.NewerHasBegun:
            raise NewerBegun from None

    there = {EditionState.APPROVED, EditionState.SENDING, EditionState.SENT}
    return _move(request, visitor, week, form, act, name="resume", done="resumed", there=there)


@router.get("/sending/{week}/stop")
def ask_to_stop(request: Request, visitor: Operator, week: str) -> Response:
    """How many would never get it, before it is so."""
    return _stop_page(request, visitor, week)


@router.post("/sending/{week}/stop")
def stop(request: Request, visitor: Operator, week: str, form: forms.Form) -> Response:
    """Nothing more of a halted edition ever goes out."""

    def act(session: Session, edition: Edition, reason: str, now: datetime) -> None:
        editions.stop(session, edition, why=reason, by=visitor.by, now=now)

    def again(*, status: int, problem: str, given: str, at_fault: str) -> Response:  # noqa: ARG001 - one form only
        return _stop_page(request, visitor, week, status=status, problem=problem, given=given)

    return _move(
        request,
        visitor,
        week,
        form,
        act,
        name="stop",
        done="stopped",
        there={EditionState.STOPPED},
        must_be_sure=True,
        again=again,
    )


def _stop_page(
    request: Request, visitor: Visitor, week: str, *, status: int = 200, problem: str | None = None, given: str = ""
) -> Response:
    services = services_of(request)
    with services.database.reading() as session:
        edition = edition_of(session, week)
        found = progress.of_edition(session, edition)
        candidates = 0 if edition.prepared_at else stats.audience(session)
    if edition.state is EditionState.STOPPED and problem is None:
        return _back(edition.week, "unchanged")
    if edition.state is not EditionState.HALTED:
        problem = problem or f"Edition {edition.week} is {edition.state}; hold it first."
        return edition_page(request, visitor, week, status=409, problem=problem)
    return staff_page(
        request,
        visitor,
        "sending/stop.html",
        status=status,
        problem=problem,
        given=given,
        edition=edition,
        progress=found,
        stopping=words.stopping(edition, found, candidates),
        never=found.waiting if edition.prepared_at else candidates,
        counted=words.counted,
    )


def _move(
    request: Request,
    visitor: Visitor,
    week: str,
    form: FormData,
    act: Act,
    *,
    name: str,
    done: str,
    there: set[EditionState],
    must_be_sure: bool = False,
    again: Callable[..., Response] | None = None,
) -> Response:
    """One move of one edition with its lines in both logs, or nothing at all. `there`: where it is done already."""

    def refuse(status: int, problem: str) -> Response:
        if again:
            return again(status=status, problem=problem, given=reason, at_fault=name)
        return edition_page(request, visitor, week, status=status, problem=problem, at_fault=name, given=reason)

    reason = _reason(form)
    if not reason:
        return refuse(422, NEEDS_REASON)
    if must_be_sure and forms.word(form, "sure") != "yes":
        return refuse(422, NOT_SURE)
    now = _now()
    try:
        with services_of(request).database.writing() as session:
            edition = edition_of(session, week)
            act(session, edition, reason, now)
            found = progress.of_edition(session, edition)
            audit.note(
                session,
                by=visitor.by,
                what=f"edition {done}",
                about=edition.week,
                now=now,
                waiting=found.waiting,
                accepted=found.accepted,
                withheld=found.withheld,
            )
    except editions.NotThatMove as why:
        return _unless_there(request, week, there) or refuse(409, str(why))
    except DigestError as why:
        return refuse(409, str(why))
    return _back(edition.week, done)


def _unless_there(request: Request, week: str, there: set[EditionState]) -> Response | None:
    """Pressed twice, or by two at one moment: the second finds it done by the first."""
    with services_of(request).database.reading() as session:
        edition = edition_of(session, week)
    return _back(edition.week, "unchanged") if edition.state in there else None


# — uncertain batches —


@router.post("/sending/{week}/batches/{number}/accepted")
def has_it(request: Request, visitor: Operator, week: str, number: Number, form: forms.Form) -> Response:
    """Somebody knows that the provider has it."""
    return _settle(request, visitor, week, number, form, was_accepted=True)


@router.get("/sending/{week}/batches/{number}/again")
def ask_to_hand_over_again(request: Request, visitor: Operator, week: str, number: Number) -> Response:
    """What happens to whom if that is wrong, before it is done."""
    return _again_page(request, visitor, week, number)


@router.post("/sending/{week}/batches/{number}/again")
def has_it_not(request: Request, visitor: Operator, week: str, number: Number, form: forms.Form) -> Response:
    """Somebody knows that the provider does not have it: it is free to be handed over again."""
    return _settle(request, visitor, week, number, form, was_accepted=False)


def _settle(
    request: Request, visitor: Visitor, week: str, number: int, form: FormData, *, was_accepted: bool
) -> Response:
    reason, attempt = _reason(form), forms.word(form, "attempt")

    def refuse(status: int, problem: str) -> Response:
        if was_accepted:
            at_fault = f"accepted-{number}"
            return edition_page(request, visitor, week, status=status, problem=problem, at_fault=at_fault, given=reason)
        return _again_page(request, visitor, week, number, status=status, problem=problem, given=reason)

    if not reason:
        return refuse(422, NEEDS_REASON)
    if not was_accepted and forms.word(form, "sure") != "yes":
        return refuse(422, NOT_SURE)
    now = _now()
    try:
        with services_of(request).database.writing() as session:
            edition = edition_of(session, week)
            batch = _locked(session, edition, number)
            if batch.state is (BatchState.ACCEPTED if was_accepted else BatchState.PENDING):
                return _back(edition.week, "unchanged")
            if str(batch.attempt) != attempt:
                raise Moved
            found = unsettled.one(session, edition, number)
            settled = settling.settle(session, number, was_accepted=was_accepted, why=reason, by=visitor.by, now=now)
            audit.note(
                session,
                by=visitor.by,
                what="batch settled as accepted" if was_accepted else "batch settled to be handed over again",
                about=edition.week,
                now=now,
                batch=number,
                attempt=settled.attempt,
                readers=found.readers if found else 0,
            )
    except DigestError as why:
        return refuse(409, str(why))
    return _back(edition.week, "accepted" if was_accepted else "again")


def _locked(session: Session, edition: Edition, number: int) -> Batch:
    """The batch, kept as it is until we are done. Raises HTTPException 404 where it is none of this edition."""
    batch = session.get(Batch, number, with_for_update=True)
    if batch is None or batch.edition_id != edition.id:
        raise NO_BATCH
    return batch


NO_BATCH = HTTPException(404, "This edition has no batch with that number.")


def _again_page(
    request: Request,
    visitor: Visitor,
    week: str,
    number: int,
    *,
    status: int = 200,
    problem: str | None = None,
    given: str = "",
) -> Response:
    services = services_of(request)
    with services.database.reading() as session:
        edition = edition_of(session, week)
        batch = session.get(Batch, number)
        if batch is None or batch.edition_id != edition.id:
            raise NO_BATCH
        doubt = unsettled.one(session, edition, number)
    if doubt is None or edition.state is EditionState.STOPPED:
        problem = problem or (
            str(settling.Stopped()) if doubt else f"Batch {number} is {batch.state}; only an uncertain one is settled."
        )
        return edition_page(request, visitor, week, status=409, problem=problem)
    return staff_page(
        request,
        visitor,
        "sending/again.html",
        status=status,
        problem=problem,
        given=given,
        edition=edition,
        doubt=doubt,
        counted=words.counted,
        sentence_of=words.sentence_of,
        zone=services.settings.digest_timezone,
    )


# — the kill switch —


@router.post("/sending/kill-switch/on")
def kill(request: Request, visitor: Operator, form: forms.Form) -> Response:
    """Nothing at all goes out until somebody turns it off."""
    return _switch(request, visitor, form, on=True)


@router.post("/sending/kill-switch/off")
def lift(request: Request, visitor: Operator, form: forms.Form) -> Response:
    """Mails may go out again."""
    return _switch(request, visitor, form, on=False)


def _switch(request: Request, visitor: Visitor, form: FormData, *, on: bool) -> Response:
    reason, week, now = _reason(form), forms.word(form, "week"), _now()
    if not reason and not week:
        return list_page(request, visitor, status=422, problem=NEEDS_REASON)
    if not reason:
        return edition_page(request, visitor, week, status=422, problem=NEEDS_REASON, at_fault="kill-switch")
    with services_of(request).database.writing() as session:
        back = edition_of(session, week).week if week else ""
        try:
            if on:
                pauses.kill(session, because=reason, by=visitor.by, now=now)
            else:
                pauses.lift(session)
        except (pauses.AlreadyOff, pauses.NotOff):
            return _back(back, "unchanged")
        what = "kill switch on" if on else "kill switch off"
        audit.note(session, by=visitor.by, what=what, about=None, now=now, why=reason)
    return _back(back, "killed" if on else "lifted")


# — together —


def _reason(form: FormData) -> str:
    """Why, in one line: kept with the edition and said to others, so that nobody's address stays in it."""
    return audit.without_addresses(shortened(forms.word(form, "reason"), LONGEST_REASON))


def _back(week: str, done: str) -> Response:
    return RedirectResponse(f"/sending/{week}?done={done}" if week else f"/sending?done={done}", status_code=303)


def _now() -> datetime:
    return datetime.now(UTC)
