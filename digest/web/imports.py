"""Bringing lists in, for operators: upload, look at the report, then decide. Nobody is added before that.

Neither request reads the list: a job checks it and brings it in, and the page shows how far it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message, Receive

from digest.models import ImportState, ListImport
from digest.people import imports
from digest.people.imports import NoSuchImport, NothingToDecide
from digest.staff import audit
from digest.web import forms
from digest.web.pages import services_of
from digest.web.staff_door import Operator, Visitor
from digest.web.staff_pages import staff_page
from subscribers.spreadsheets import guarded

router = APIRouter()

PAGE = 20
LONGEST_NUMBER = 18
SHOWN_BAD_LINES = 20
MOST_DRAINED = 8 * imports.LONGEST_FILE
REFRESH_SECONDS = "2"

TOO_LONG = HTTPException(
    413,
    f"This file holds more than {imports.LONGEST_FILE // 1024**2} MB. Nothing was kept. "
    "Split it and upload the parts one after the other.",
)
NOT_HERE = HTTPException(404, NoSuchImport.__doc__)
CHOOSE_A_FILE = "Choose a CSV file. Nothing was uploaded."


async def _upload(request: Request) -> AsyncIterator[FormData]:
    """The form with its file, which lies in a temporary file and not in memory. 413 beyond what an import may hold."""
    body = _Body(request.receive)
    limited = forms.limited(Request(request.scope, body.receive), imports.LONGEST_FILE + forms.LONGEST, TOO_LONG)
    try:
        form = await limited.form(max_files=1, max_fields=4)
    except HTTPException as problem:
        if problem is TOO_LONG:
            await body.drain()
        raise
    try:
        yield form
    finally:
        await form.close()


class _Body:
    """What a request sends, and whether it has sent all of it: after that nothing more may be waited for."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._is_whole = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read past the rest: a browser that is cut off while it sends shows its own error instead of ours."""
        left = MOST_DRAINED
        while left > 0 and not self._is_whole:
            left -= len((await self.receive()).get("body", b""))


Upload = Annotated[FormData, Depends(_upload)]


@router.get("/people/import")
def listed(request: Request, visitor: Operator, before: str = "") -> Response:
    """The form for a new list, and the imports so far."""
    return _listed(request, visitor, before=_number(before))


@router.post("/people/import")
def upload(request: Request, visitor: Operator, form: Upload) -> Response:
    """Keep a list to be checked, and show how the check goes."""
    given = form.get("list")
    if not isinstance(given, UploadFile) or not given.filename or not given.size:
        return _listed(request, visitor, problem=CHOOSE_A_FILE, status=422)
    if given.size > imports.LONGEST_FILE:
        raise TOO_LONG
    content, now = imports.compressed(given.file), _now()
    with services_of(request).database.writing() as session:
        found = imports.receive(session, content, file_name=given.filename, by=visitor.by, now=now)
        audit.note(session, by=visitor.by, what="list uploaded", about=f"import {found.id}", now=now, octets=given.size)
    return _to(found.id)


@router.get("/people/import/{number:int}")
def one(request: Request, visitor: Operator, number: int, still: str = "") -> Response:
    """One import: how far it is, or its report and what can be decided. Without `still` it looks again by itself."""
    return _one(request, visitor, number, is_still=bool(still))


@router.get("/people/import/{number:int}/bad-lines.csv")
def bad_lines(request: Request, visitor: Operator, number: int) -> Response:  # noqa: ARG001 - the door
    """The lines that could not be used, for whoever mends the list."""
    tally = imports.tally_of(_found(request, number))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["line", "reason"])
    writer.writerows([line["line"], guarded(line["reason"])] for line in (tally.bad_lines if tally else ()))
    return Response(
        "\ufeff" + out.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="import-{number}-bad-lines.csv"'},
    )


@router.post("/people/import/{number:int}/bring-in")
def bring_in(request: Request, visitor: Operator, number: int, form: forms.Form) -> Response:
    """Bring a checked list in: with a basis of consent, or by asking each of them by a letter."""
    given = {name: forms.word(form, name) for name in ("way", "basis", "many")}
    if given["way"] not in ("basis", "ask"):
        problem = "Say whether these people have agreed, or are to be asked. Nothing was changed."
        return _one(request, visitor, number, given=given, problem=problem, status=422)
    basis, now = given["basis"] if given["way"] == "basis" else None, _now()
    try:
        with services_of(request).database.writing() as session:
            imports.bring_in(session, number, basis=basis, write_to_many=given["many"] == "yes", now=now)
            audit.note(
                session,
                by=visitor.by,
                what="list brought in",
                about=f"import {number}",
                now=now,
                with_a_basis=basis is not None,
            )
    except NoSuchImport:
        raise NOT_HERE from None
    except (imports.BadBasis, imports.TooManyLetters) as why:
        return _one(request, visitor, number, given=given, problem=str(why), status=422)
    except NothingToDecide as why:
        return _one(request, visitor, number, problem=str(why), status=409)
    return _to(number)


@router.post("/people/import/{number:int}/leave")
def leave(request: Request, visitor: Operator, number: int) -> Response:
    """Drop a list that was checked, without adding anybody."""
    now = _now()
    try:
        with services_of(request).database.writing() as session:
            imports.leave(session, number, because=f"left behind by {visitor.by}", now=now)
            audit.note(session, by=visitor.by, what="list left behind", about=f"import {number}", now=now)
    except NoSuchImport:
        raise NOT_HERE from None
    except NothingToDecide as why:
        return _one(request, visitor, number, problem=str(why), status=409)
    return _to(number)


def _listed(
    request: Request, visitor: Visitor, *, before: int | None = None, problem: str | None = None, status: int = 200
) -> Response:
    services = services_of(request)
    with services.database.reading() as session:
        found = imports.latest(session, before=before, limit=PAGE + 1)
    return staff_page(
        request,
        visitor,
        "people/imports.html",
        status=status,
        problem=problem,
        imports=[{"row": each, "stage": _stage(each), "tally": imports.tally_of(each)} for each in found[:PAGE]],
        older=found[PAGE - 1].id if len(found) > PAGE else None,
        is_first=before is None,
        zone=services.settings.digest_timezone,
        megabytes=imports.LONGEST_FILE // 1024**2,
    )


def _one(
    request: Request,
    visitor: Visitor,
    number: int,
    *,
    given: dict[str, str] | None = None,
    problem: str | None = None,
    status: int = 200,
    is_still: bool = False,
) -> Response:
    found = _found(request, number)
    running = found.state in (ImportState.CHECKING, ImportState.BRINGING_IN)
    answer = staff_page(
        request,
        visitor,
        "people/import_run.html",
        status=status,
        problem=problem,
        found=found,
        stage=_stage(found),
        running=running,
        is_still=is_still,
        tally=imports.tally_of(found),
        given=given or {"way": "", "basis": "", "many": ""},
        shown_bad_lines=SHOWN_BAD_LINES,
        many_letters=imports.MANY_LETTERS,
        keep_days=imports.KEEP_CHECKED.days,
        zone=services_of(request).settings.digest_timezone,
    )
    if running and not is_still:
        answer.headers["Refresh"] = REFRESH_SECONDS
    return answer


def _found(request: Request, number: int) -> ListImport:
    try:
        with services_of(request).database.reading() as session:
            return imports.find(session, number)
    except NoSuchImport:
        raise NOT_HERE from None


def _number(text: str) -> int | None:
    """The number of an import in an address; None for text that is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def _stage(found: ListImport) -> str:
    """Where an import is, in a word or two."""
    if imports.is_left_behind(found):
        return "left behind"
    return {
        ImportState.CHECKING: "being checked",
        ImportState.CHECKED: "to be decided",
        ImportState.BRINGING_IN: "being brought in",
        ImportState.DONE: "brought in",
        ImportState.FAILED: "failed",
    }[found.state]


def _to(number: int) -> Response:
    return RedirectResponse(f"/people/import/{number}", status_code=303)


def _now() -> datetime:
    return datetime.now(UTC)
