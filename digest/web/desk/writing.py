"""One edition's page: its entries and words beside the live preview, saved as one types.

The page works without its script, which saves without a button, moves entries by pointer and keys, and looks every
few seconds whether somebody else has changed anything. What is pressed is in `writing_acts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from digest import alongside, editing, editions, library, manuscript, staff
from digest.alongside import Reason
from digest.manuscript import LONGEST, Manuscript, Placed
from digest.models import Correction, Edition, EditionState
from digest.verdicts import Side
from digest.verdicts.openings import LONGEST_BREATH, LONGEST_SUBJECT, SHORTEST_SUBJECT
from digest.web import sending_words
from digest.web.desk import words
from digest.web.desk.report import report_page
from digest.web.desk.shell import desk_page
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.staff_door import Editor, Visitor, with_frames

router = APIRouter()

SHOWN_OUTSIDE = 8
SHOWN_CHANGES = 8
_DIGITS = 9

CUTS = ((33, "A phone"), (46, "A large phone"), (60, "A laptop"), (LONGEST_SUBJECT, "A wide screen"))
"""About how many characters of a subject inboxes show, as the widths of today go."""

# What was done, by the word in the address after the redirect: no text of anybody's comes in that way.
SAID = {
    "saved": "Saved.",
    "voided": "Saved. The approval is void: this edition is a draft again.",
    "undone": "Taken back.",
    "unchanged": "Nothing was changed: it was so already.",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One entry, with what an editor needs to judge it. `earlier` and `later` are orders of the whole edition."""

    entry: Placed
    position: int
    reason: Reason | None
    page_changed: bool
    withdrawn_because: str | None
    earlier: str | None
    later: str | None

    @property
    def sides(self) -> Sequence[Side]:
        return self.entry.summary.left, self.entry.summary.right


@dataclass(frozen=True, slots=True)
class Clash:
    """Words that were not saved because somebody else's came between: both, and whose those are in a sentence."""

    part: str
    mine: str
    theirs: str
    said: str


@dataclass(frozen=True, slots=True)
class Note:
    """A correction of an earlier edition, offered to this one."""

    correction: Correction
    week: str
    is_taken_up: bool


@router.get("/desk/{week}")
def show(
    request: Request,
    visitor: Editor,
    week: str,
    *,
    _frames: Annotated[None, Depends(with_frames)],
    done: str = "",
    fragment: str = "",
    since: str = "",
    shown: str = "",
) -> Response:
    """One edition; once it is on its way, its report. With `fragment` only what the script asks for."""
    if fragment == "revision":
        return _revision(request, visitor, week, since)
    return writing_page(request, visitor, week, said=SAID.get(done), shown=shown)


def writing_page(
    request: Request,
    visitor: Visitor,
    week: str,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
    clash: Clash | None = None,
    kept: str = "",
    shown: str = "",
) -> Response:
    """All that can be written in one edition, or where it is no draft, what is. `kept`: words that were not saved."""
    services, now = services_of(request), datetime.now(UTC)
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        edition = edition_of(session, week)
        if edition.begun_at is not None:
            sentence = f"{problem} What you wrote: “{kept}”" if kept else problem
            return report_page(request, visitor, edition.week, said=said, problem=sentence, status=status)
        found = editing.read(session, edition)
        names = staff.names(session)
        values = {
            "cards": _cards(session, edition, found),
            "outside": alongside.outside(
                session, edition, found, limit=None if "outside" in shown.split() else SHOWN_OUTSIDE
            ),
            "count_outside": alongside.count_outside(session, edition, found),
            "changes": alongside.changes(session, edition, limit=None if "history" in shown.split() else SHOWN_CHANGES),
            "count_changes": alongside.count_changes(session, edition),
            "undo": editing.undoable(session, edition, by=visitor.by),
            "notes": _notes(session, edition, found),
        }

    def named(by: str) -> str:
        return names.get(by, by)

    return desk_page(
        request,
        visitor,
        edition,
        "edition.html",
        names=names,
        status=status,
        said=said,
        problem=problem,
        clash=clash,
        kept=kept,
        manuscript=found,
        is_draft=edition.state is EditionState.DRAFT,
        locked=words.locked(edition, named, zone, now),
        may_take_back=edition.state is EditionState.APPROVED,
        may_reopen=edition.state is EditionState.SKIPPED,
        words_of=lambda part: manuscript.words_of(found, part),
        by_rule=lambda part: manuscript.words_by_rule(found, part),
        clock=lambda moment: words.clock(moment, zone, now),
        sentence_of=sending_words.sentence_of,
        counted=sending_words.counted,
        cuts=[(at, name, cut(found.subject, at)) for at, name in CUTS],
        longest=LONGEST,
        longest_breath=LONGEST_BREATH,
        longest_subject=LONGEST_SUBJECT,
        shortest_subject=SHORTEST_SUBJECT,
        order=spelled(found.order),
        **values,
    )


def spelled(order: Sequence[int]) -> str:
    """An order as forms carry it."""
    return " ".join(map(str, order))


def cut(subject: str, at: int) -> str:
    """What an inbox shows of a subject that it has no room for; nothing for one that it shows whole."""
    return f"{subject[:at].rstrip()}…" if len(subject) > at else ""


def _cards(session: Session, edition: Edition, found: Manuscript) -> list[Card]:
    reasons = alongside.reasons(session, edition, found.order)
    is_draft = edition.state is EditionState.DRAFT
    placed = {entry.comparison: entry.facts for entry in found.entries}
    changed = library.changed(session, placed) if is_draft else frozenset()
    withdrawn = editions.withdrawn_entries(session, edition) if is_draft else {}
    return [
        Card(
            entry=entry,
            position=position,
            reason=reasons.get(entry.comparison),
            page_changed=entry.comparison in changed and position not in withdrawn,
            withdrawn_because=withdrawn.get(position),
            earlier=_swapped(found.order, position - 2),
            later=_swapped(found.order, position - 1),
        )
        for position, entry in enumerate(found.entries, start=1)
    ]


def _swapped(order: Sequence[int], at: int) -> str | None:
    """The order with the entry at an index and the one behind it in each other's place; None past its ends."""
    if not 0 <= at < len(order) - 1:
        return None
    return spelled([*order[:at], order[at + 1], order[at], *order[at + 2 :]])


def _notes(session: Session, edition: Edition, found: Manuscript) -> list[Note]:
    return [
        Note(each, session.get_one(Edition, each.edition_id).week, each.id in found.corrections)
        for each in editing.offered(session, edition)
    ]


# — what the script asks for —


def _revision(request: Request, visitor: Visitor, week: str, since: str) -> Response:
    """Whether anything has changed, and what others have: cheap, for it is asked every few seconds."""
    services, now = services_of(request), datetime.now(UTC)
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        edition = edition_of(session, week)
        seen = _number(since)
        news = alongside.changes(session, edition, since=seen) if seen is not None and edition.revision > seen else ()
        names = staff.names(session) if news else {}
    said = [
        f"{words.changed(names.get(each.by, each.by), each.what)}, {words.clock(each.at, zone, now)}."
        for each in news
        if each.by != visitor.by
    ]
    return JSONResponse({"revision": edition.revision, "state": edition.state, "said": said})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
