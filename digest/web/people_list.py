"""Everybody, for operators: found as one types, a page at a time. Without scripts it is a plain form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from digest.people import dossiers
from digest.people.bulk import Selection
from digest.web.pages import environment, services_of
from digest.web.staff_door import Operator
from digest.web.staff_pages import staff_page
from subscribers import roster
from subscribers.models import State, Subscriber
from subscribers.texts import one_line

router = APIRouter()

PAGE = 50
LONGEST_TEXT = 320
LONGEST_NUMBER = 18
MOST_STEPS_BACK = 30
"""Pages that "back" remembers; from further on it leads to the first one."""

SAID = {
    "erased": "Erased. Nothing is left of them here but a keyed hash that keeps the address from being added again.",
    "gone": "Nobody here has that number any more, so nothing was changed.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One page of one search. `trail`: where the pages before it began, the first left out."""

    selection: Selection
    after: int = 0
    trail: tuple[int, ...] = ()

    def address(self, path: str = "/people") -> str:
        """Where this page is found."""
        asked = {
            "q": self.selection.text,
            "state": str(self.selection.state or ""),
            "after": str(self.after or ""),
            "trail": ".".join(map(str, self.trail)),
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{path}?{query}" if query else path

    def following(self, last: int) -> Place:
        """The page after this one, which ends with the person `last`."""
        trail = (*self.trail, self.after)[-MOST_STEPS_BACK:] if self.after else ()
        return Place(self.selection, last, trail)

    def before(self) -> Place:
        """The page before this one, or the first where that is forgotten."""
        return Place(self.selection, self.trail[-1] if self.trail else 0, self.trail[:-1])


@dataclass(frozen=True, slots=True)
class Rows:
    """What one page shows. `exact`: the person whose address was typed in full stands first."""

    people: Sequence[Subscriber]
    exact: int | None
    count: int
    following: str | None
    before: str | None


@router.get("/people")
def index(request: Request, visitor: Operator) -> Response:
    """The list, or with `fragment=rows` only its rows, for the script that fetches while somebody types."""
    place = place_of(request)
    with services_of(request).database.reading() as session:
        if request.query_params.get("fragment") == "rows":
            return _rows(request, _found(session, place), place)
        counts = roster.counts(session)
        rows = _found(session, place, counts)
    return staff_page(
        request,
        visitor,
        "people/list.html",
        said=SAID.get(request.query_params.get("done", "")),
        counts=counts,
        everybody=sum(counts.values()),
        **_shown(request, rows, place),
    )


def selection_of(text: str, state: str) -> Selection:
    """A search as it stands in an address or a form. Raises HTTPException 404 for a state that nobody can be in: taken
    for every state, it would find everybody."""
    try:
        known = State(state) if state else None
    except ValueError:
        raise HTTPException(404, "Nobody can be in that state; the states are " + ", ".join(State) + ".") from None
    return Selection(one_line(text)[:LONGEST_TEXT], known)


def place_of(request: Request) -> Place:
    asked = request.query_params
    trail = tuple(_number(step) for step in asked.get("trail", "").split(".")[-MOST_STEPS_BACK:] if step)
    selection = selection_of(asked.get("q", ""), asked.get("state", ""))
    return Place(selection, _number(asked.get("after", "")), trail)


def _number(text: str) -> int:
    """A person's number, or the beginning for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else 0


def _found(session: Session, place: Place, counts: dict[State, int] | None = None) -> Rows:
    text, state = place.selection.text, place.selection.state
    found = roster.search(session, text, state=state, after=place.after, limit=PAGE)
    if not place.after and not found.more:
        count = len(found.people)
    elif counts and not text:
        count = counts[state] if state else sum(counts.values())
    else:
        count = roster.count_matching(session, text, state=state)
    return Rows(
        people=found.people,
        exact=found.exact.id if found.exact is not None else None,
        count=count,
        following=place.following(found.people[-1].id).address() if found.more else None,
        before=place.before().address() if place.after else None,
    )


def _shown(request: Request, rows: Rows, place: Place) -> dict[str, Any]:
    first = Place(place.selection)
    return {
        "rows": rows,
        "selection": place.selection,
        "found": in_words(rows.count, place.selection),
        "bulk": first.address("/people/bulk"),
        "states": list(State),
        "zone": services_of(request).settings.digest_timezone,
        "shown_name": dossiers.shown_name,
    }


def _rows(request: Request, rows: Rows, place: Place) -> Response:
    html = environment().get_template("people/rows.html").render(_shown(request, rows, place))
    return HTMLResponse(html)


def in_words(count: int, selection: Selection) -> str:
    """How many were found, as it is read out while somebody types."""
    if count == 0:
        return "Nobody found"
    noun = "person" if count == 1 else "people"
    return f"{count:,} {noun}" if selection.is_everybody else f"{count:,} {noun} found"
