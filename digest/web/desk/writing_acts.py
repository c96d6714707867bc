"""What is pressed or typed on an edition's page, saved at once: as JSON for the page's script, else back to the page.

Every act may come twice and in a moment when somebody else has gone on: then nothing changes, and it is said what
stands there now. Words that could not be saved come back with the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from database import Database
from digest import editing, editions, manuscript, staff
from digest.editing import NothingToUndo, Overtaken, Saved
from digest.errors import DigestError
from digest.manuscript import NoSuchPart, NotInIt, NotThatOrder, TooLong
from digest.models import Edition
from digest.web import forms
from digest.web.desk import words
from digest.web.desk.writing import Clash, writing_page
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.staff_door import Editor, Visitor

router = APIRouter()

LARGEST_KEY = 2**63 - 1
_DIGITS = 19
MOST_ENTRIES = 1000

WRITTEN_WRONG = (NoSuchPart, NotThatOrder, TooLong)


class NoSuchAct(DigestError):
    """This form names no change that can be made here, so nothing was changed."""


class NotANumber(DigestError):
    """This form names no such thing, so nothing was changed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One change as it was posted."""

    database: Database
    week: str
    form: FormData
    by: str
    now: datetime

    def word(self, name: str) -> str:
        return forms.word(self.form, name)

    def text(self, name: str) -> str:
        """What somebody typed, without what no database keeps."""
        return self.word(name).replace("\x00", "").encode("utf-8", "ignore").decode()

    def number(self, name: str) -> int:
        """Raises NotANumber."""
        found = _number(self.word(name))
        if found is None:
            raise NotANumber
        return found

    def order(self, name: str) -> list[int]:
        """Raises NotThatOrder."""
        found = [_number(each) for each in self.word(name).split()[:MOST_ENTRIES]]
        if None in found:
            raise NotThatOrder
        return [each for each in found if each is not None]

    @property
    def is_on(self) -> bool:
        return self.word("on") == "yes"


def _write(asked: Asked) -> Saved:
    part, was, typed = asked.word("part"), asked.text("was"), asked.text("words")
    return editing.write(asked.database, asked.week, part, was=was, words=typed, by=asked.by, now=asked.now)


def _restore(asked: Asked) -> Saved:
    was = asked.text("was") if "was" in asked.form else None
    return editing.restore(asked.database, asked.week, asked.word("part"), was=was, by=asked.by, now=asked.now)


def _reorder(asked: Asked) -> Saved:
    was, order = asked.order("was_order"), asked.order("order")
    return editing.reorder(asked.database, asked.week, was=was, order=order, by=asked.by, now=asked.now)


def _drop(asked: Asked) -> Saved:
    return editing.drop(asked.database, asked.week, asked.number("comparison"), by=asked.by, now=asked.now)


def _bring_in(asked: Asked) -> Saved:
    comparison, position = asked.number("comparison"), _number(asked.word("position"))
    return editing.bring_in(asked.database, asked.week, comparison, position=position, by=asked.by, now=asked.now)


def _pin(asked: Asked) -> Saved:
    comparison = asked.number("comparison")
    return editing.pin(asked.database, asked.week, comparison, on=asked.is_on, by=asked.by, now=asked.now)


def _refresh(asked: Asked) -> Saved:
    return editing.refresh(asked.database, asked.week, asked.number("comparison"), by=asked.by, now=asked.now)


def _take_up(asked: Asked) -> Saved:
    correction = asked.number("correction")
    return editing.take_up(asked.database, asked.week, correction, on=asked.is_on, by=asked.by, now=asked.now)


def _undo(asked: Asked) -> Saved:
    """The last change of whoever asks, or the one that made a revision."""
    given = asked.word("revision")
    revision = asked.number("revision") if given else None
    return editing.undo(asked.database, asked.week, by=asked.by, now=asked.now, revision=revision)


ACTS: Mapping[str, Callable[[Asked], Saved]] = {
    "write": _write,
    "restore": _restore,
    "reorder": _reorder,
    "drop": _drop,
    "bring-in": _bring_in,
    "pin": _pin,
    "refresh": _refresh,
    "correction": _take_up,
}


@router.post("/desk/{week}/edits")
def edit(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """One change of an edition."""
    return _done(request, visitor, week, form, _named(form), done="saved")


@router.post("/desk/{week}/undo")
def undo(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """One change taken back."""
    return _done(request, visitor, week, form, _undo, done="undone")


def _named(form: FormData) -> Callable[[Asked], Saved]:
    return ACTS.get(forms.word(form, "act"), _unknown)


def _unknown(_asked: Asked) -> Saved:
    raise NoSuchAct


def _done(
    request: Request,
    visitor: Visitor,
    week: str,
    form: FormData,
    act: Callable[[Asked], Saved],
    *,
    done: str,
) -> Response:
    database = services_of(request).database
    with database.reading() as session:
        week = edition_of(session, week).week
    asked = Asked(database, week, form, visitor.by, datetime.now(UTC))
    try:
        saved = act(asked)
    except Overtaken as problem:
        return _overtaken(request, visitor, asked, problem)
    except DigestError as problem:
        return _refused(request, visitor, asked, problem)
    if _wants_json(request):
        return JSONResponse(_answer(request, visitor, asked, saved))
    word = "voided" if saved.voided else done if saved.changed else "unchanged"
    return RedirectResponse(f"/desk/{week}?done={word}{_place(asked)}", status_code=303)


def _place(asked: Asked) -> str:
    """Where on the page one was."""
    number = _number(asked.word("comparison")) or _number(asked.word("part").partition(" ")[2])
    return f"#entry-{number}" if number and asked.word("act") != "drop" else ""


def _answer(request: Request, visitor: Visitor, asked: Asked, saved: Saved) -> dict[str, Any]:
    zone = services_of(request).settings.digest_timezone
    with asked.database.reading() as session:
        edition = editions.find(session, asked.week)
        undoable = editing.undoable(session, edition, by=visitor.by)
        kept = _as_kept(asked, session, edition) if asked.word("act") == "write" else None
    return {
        "saved": True,
        "changed": saved.changed,
        "revision": saved.revision,
        "voided": saved.voided,
        "what": saved.what,
        "undo": {"what": undoable.what, "revision": undoable.revision} if undoable else None,
        "words": kept,
        "at": words.clock(asked.now, zone, asked.now),
    }


def _as_kept(asked: Asked, session: Session, edition: Edition) -> str | None:
    """What was written as it was kept: not what stands there by now, which may be somebody else's already."""
    part = asked.word("part")
    try:
        found = manuscript.written(editing.read(session, edition), part, asked.text("words"))
        return manuscript.words_of(found, part)
    except NotInIt:
        return None  # taken out since


def _overtaken(request: Request, visitor: Visitor, asked: Asked, problem: Overtaken) -> Response:
    services = services_of(request)
    with services.database.reading() as session:
        names = staff.names(session)
    zone = services.settings.digest_timezone
    said = words.overtaken(problem, lambda by: names.get(by, by), visitor.by, zone, asked.now)
    theirs = problem.current if isinstance(problem.current, str) else ""
    if _wants_json(request):
        detail = f"{said}. Yours is not saved."
        return JSONResponse({"detail": detail, "said": said, "current": problem.current}, status_code=409)
    if asked.word("act") == "write":
        clash = Clash(asked.word("part"), asked.text("words"), theirs, said)
        sentence = f"{said}. Yours is not saved: both stand below."
        return writing_page(request, visitor, asked.week, status=409, problem=sentence, clash=clash)
    return writing_page(request, visitor, asked.week, status=409, problem=f"{said}. Yours was not saved.")


def _refused(request: Request, visitor: Visitor, asked: Asked, problem: DigestError) -> Response:
    is_wrong = isinstance(problem, (*WRITTEN_WRONG, NoSuchAct, NotANumber))
    status, sentence = 422 if is_wrong else 409, str(problem)
    if isinstance(problem, NothingToUndo) and asked.word("revision"):
        sentence = "That change had been taken back already, or has been written over since."
    if _wants_json(request):
        return JSONResponse({"detail": sentence}, status_code=status)
    return writing_page(request, visitor, asked.week, status=status, problem=sentence, kept=asked.text("words"))


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _number(text: str) -> int | None:
    """A key as forms carry it; None for what is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        return None
    found = int(text)
    return found if 1 <= found <= LARGEST_KEY else None
