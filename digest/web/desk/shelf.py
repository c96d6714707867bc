"""Every edition, the newest first, with its state and its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from digest import alongside, bars, progress, staff
from digest.alongside import Touched
from digest.bars import Part
from digest.models import Edition, EditionState, Entry
from digest.progress import Progress
from digest.web import sending_words
from digest.web.desk import words
from digest.web.pages import services_of
from digest.web.sending import PATTERNS
from digest.web.staff_door import Editor
from digest.web.staff_pages import staff_page
from digest.weeks import WEEKDAYS, BadWeek, Week, WeekTime

router = APIRouter()

PAGE = 20


@dataclass(frozen=True, slots=True)
class OnShelf:
    """One edition in the list. `said` are its numbers in words, none where there are no deliveries."""

    edition: Edition
    tone: str
    entries: int
    touched: Touched | None
    bar: Markup | None
    said: str
    next_step: str
    way: tuple[str, str]


@router.get("/desk")
def index(request: Request, visitor: Editor, before: str = "") -> Response:
    """Every edition by week."""
    services, last, now = services_of(request), _week(before), datetime.now(UTC)
    zone = services.settings.digest_timezone
    wanted = sa.select(Edition).order_by(Edition.week.desc()).limit(PAGE + 1)
    with services.database.reading() as session:
        found = session.scalars(wanted.where(Edition.week < last) if last else wanted).all()
        shown = found[:PAGE]
        ids = [each.id for each in shown]
        numbers, touched = progress.of_editions(session, ids), alongside.touched(session, ids)
        counted = sa.select(Entry.edition_id, sa.func.count()).where(Entry.edition_id.in_(ids))
        entries = {edition: count for edition, count in session.execute(counted.group_by(Entry.edition_id))}
        names = staff.names(session)

    def named(by: str) -> str:
        return names.get(by, by)

    return staff_page(
        request,
        visitor,
        "desk/list.html",
        editions=[
            OnShelf(
                edition=each,
                tone=sending_words.TONES[each.state],
                entries=entries.get(each.id, 0),
                touched=touched.get(each.id),
                bar=_bar(each, numbers[each.id]),
                said=_said(numbers[each.id]),
                next_step=words.next_step(each, numbers[each.id], named, zone, now),
                way=words.way_on(each),
            )
            for each in shown
        ],
        older=shown[-1].week if len(found) > PAGE else None,
        newest=last is None,
        cutoff=_spoken(services.settings.digest_cutoff),
        clock=lambda moment: words.clock(moment, zone, now),
        counted=sending_words.counted,
        sentence_of=sending_words.sentence_of,
        waits=frozenset({EditionState.DRAFT, EditionState.APPROVED}),
        named=named,
        zone=zone,
    )


def _week(text: str) -> str | None:
    """The week that a page of the list begins after; None for what is none."""
    try:
        return str(Week.parse(text))
    except BadWeek:
        return None


def _spoken(when: WeekTime) -> str:
    """Thursday 18:00."""
    return f"{WEEKDAYS[when.weekday].capitalize()} {when.at:%H:%M}"


def _bar(edition: Edition, found: Progress) -> Markup | None:
    return bars.bar(_parts(found), f"bar-{edition.id}") if found.deliveries else None


def _parts(found: Progress) -> list[Part]:
    return [Part(word, getattr(found, word.replace(" ", "_")), pattern) for word, pattern in PATTERNS.items()]


def _said(found: Progress) -> str:
    """What a sum is made of, without its zeros."""
    if not found.deliveries:
        return ""
    parts = " + ".join(f"{part.count:,} {part.word}" for part in _parts(found) if part.count)
    return f"{sending_words.counted(found.deliveries, 'delivery', 'deliveries')} = {parts}"
