"""Everybody's record as a file, for operators: written as it is read, so that a million people need no memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import FormData

from database import Database
from digest.people.bulk import Selection, search_noted
from digest.staff import audit
from digest.web import forms
from digest.web.pages import services_of
from digest.web.people_list import Place, selection_of
from digest.web.staff_door import Operator, Visitor
from digest.web.staff_pages import staff_page
from subscribers import roster, transfer
from subscribers.models import Subscriber

router = APIRouter()

PAGE = 1_000

Written = Callable[[Sequence[Subscriber]], str]


@router.get("/people/export.csv")
def ask_for_csv(request: Request, visitor: Operator, state: str = "", q: str = "") -> Response:
    """The button: an address alone, which any page may hold, takes nobody's record out."""
    return _ask(request, visitor, selection_of(q, state), "CSV")


@router.get("/people/export.jsonl")
def ask_for_json_lines(request: Request, visitor: Operator, state: str = "", q: str = "") -> Response:
    """The button for the other format."""
    return _ask(request, visitor, selection_of(q, state), "JSON Lines")


@router.post("/people/export.csv")
def as_csv(request: Request, visitor: Operator, form: forms.Form) -> Response:
    """For spreadsheets, in which no cell runs as a formula; `digest subscribers import` reads it back."""
    media_type = "text/csv; charset=utf-8"
    return _export(request, visitor, form, kind="csv", media_type=media_type, begin=_csv([]), write=_rows)


@router.post("/people/export.jsonl")
def as_json_lines(request: Request, visitor: Operator, form: forms.Form) -> Response:
    """For programs: one JSON object a line."""
    return _export(request, visitor, form, kind="jsonl", media_type="application/jsonl", begin="", write=_lines)


def _ask(request: Request, visitor: Visitor, selection: Selection, named: str) -> Response:
    return staff_page(
        request,
        visitor,
        "people/export.html",
        selection=selection,
        path=request.url.path,
        format=named,
        back=Place(selection).address(),
    )


def _export(
    request: Request, visitor: Visitor, form: FormData, *, kind: str, media_type: str, begin: str, write: Written
) -> Response:
    database, now = services_of(request).database, datetime.now(UTC)
    wanted = selection_of(forms.word(form, "q"), forms.word(form, "state"))
    with database.writing() as session:
        audit.note(
            session,
            by=visitor.by,
            what="people exported",
            about=None,
            now=now,
            format=kind,
            state=str(wanted.state or "everybody"),
            search=search_noted(session, wanted.text),
        )
    name = f"{wanted.state or 'people'}-{now:%Y-%m-%d}.{kind}"
    return StreamingResponse(
        _pieces(database, wanted, begin, write),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _pieces(database: Database, wanted: Selection, begin: str, write: Written) -> Iterator[str]:
    """A transaction for each piece: whoever downloads slowly must not hold up the database."""
    yield begin
    after, more = 0, True
    while more:
        with database.reading() as session:
            found = roster.search(session, wanted.text, state=wanted.state, after=after, limit=PAGE)
        if found.people:
            yield write(found.people)
            after = found.people[-1].id
        more = found.more


def _csv(people: Sequence[Subscriber]) -> str:
    out = io.StringIO()
    transfer.write_csv(people, out)
    return out.getvalue()


def _rows(people: Sequence[Subscriber]) -> str:
    return _csv(people).partition("\n")[2]


def _lines(people: Sequence[Subscriber]) -> str:
    return "".join(f"{orjson.dumps(transfer.record(person)).decode()}\n" for person in people)
