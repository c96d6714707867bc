"""One act on everybody a search finds, for operators: first a page with the exact count, then the press of a button."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digest.people import bulk
from digest.people.bulk import BulkAct, CountChanged, NoReason, Selection, TooMany
from digest.web import forms
from digest.web.pages import services_of
from digest.web.people_list import Place, selection_of
from digest.web.staff_door import Operator, Visitor
from digest.web.staff_pages import staff_page
from subscribers.models import State

router = APIRouter()

LONGEST_COUNT = 12
LONGEST_WAIT = 20.0
"""Seconds until an answer is given, whoever is left: what stands between us and a browser may wait no longer."""

# What pressing does to people of each state, said before it is pressed.
EFFECTS: dict[BulkAct, dict[State, str]] = {
    BulkAct.UNSUBSCRIBE: {
        State.PENDING: "the link in their confirmation letter stops working",
        State.ACTIVE: "no further edition is handed over to them",
        State.UNSUBSCRIBED: "nothing: they have left already",
        State.SUPPRESSED: "they stay suppressed; when that is lifted they do not get editions again",
    },
    BulkAct.SUPPRESS: {
        State.PENDING: "nothing is written to them again, until staff lift it",
        State.ACTIVE: "nothing is written to them again, until staff lift it",
        State.UNSUBSCRIBED: "nothing is written to them again, even when they sign up, until staff lift it",
        State.SUPPRESSED: "a bounce gives way to your reason; a complaint stays",
    },
}


@router.get("/people/bulk")
def ask(request: Request, visitor: Operator) -> Response:
    """How many a search finds, what could be done with all of them, and what that would do."""
    asked = request.query_params
    return _ask(request, visitor, selection_of(asked.get("q", ""), asked.get("state", "")))


@router.post("/people/bulk")
def act(request: Request, visitor: Operator, form: forms.Form) -> Response:
    """Do it, if the number of people is still the one that was shown."""
    selection = selection_of(forms.word(form, "q"), forms.word(form, "state"))
    wanted, count = forms.word(form, "act"), forms.word(form, "count")
    if wanted not in set(BulkAct) or not _is_count(count):
        problem = "Choose what to do. Nothing was done."
        return _ask(request, visitor, selection, status=422, problem=problem)
    chosen, reason = BulkAct(wanted), forms.word(form, "reason")
    deadline = monotonic() + LONGEST_WAIT
    try:
        done = bulk.act_on_all(
            services_of(request).database,
            selection,
            chosen,
            seen=int(count),
            because=reason,
            by=visitor.by,
            now=datetime.now(UTC),
            goes_on=lambda: monotonic() < deadline,
        )
    except CountChanged as why:
        return _ask(request, visitor, selection, status=409, problem=str(why), tried=chosen, reason=reason)
    except (NoReason, TooMany) as why:
        problem = f"{why} Nothing was done."
        return _ask(request, visitor, selection, status=422, problem=problem, tried=chosen, reason=reason)
    here = Place(selection)
    return staff_page(
        request,
        visitor,
        "people/bulk_done.html",
        act=chosen,
        done=done,
        back=here.address(),
        again=here.address("/people/bulk"),
    )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_COUNT


def _ask(
    request: Request,
    visitor: Visitor,
    selection: Selection,
    *,
    status: int = 200,
    problem: str | None = None,
    tried: BulkAct | None = None,
    reason: str = "",
) -> Response:
    with services_of(request).database.reading() as session:
        forecast = bulk.forecast(session, selection)
    return staff_page(
        request,
        visitor,
        "people/bulk.html",
        status=status,
        problem=problem,
        selection=selection,
        forecast=forecast,
        most=bulk.MOST,
        acts=list(BulkAct),
        effects=EFFECTS,
        tried=tried,
        reason=reason,
        back=Place(selection).address(),
    )
