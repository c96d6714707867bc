"""`GET /api/v1/editions`: what was, is and will be sent, with its numbers and nobody's name or address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query, Request, Response, Security
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from digest import corrections, editions, stats
from digest.editions import NoSuchEdition
from digest.facts import ComparisonFacts
from digest.models import Edition, EditionState, Entry
from digest.stats import Numbers
from digest.verdicts import Summary
from digest.web.api import openapi
from digest.web.api.callers import caller
from digest.web.api.problems import NOT_HERE, Problem
from digest.web.pages import services_of
from digest.weeks import BadWeek

router = APIRouter(tags=["editions"], dependencies=[Security(caller, scopes=["editions:read"])])

WEEK = "^[0-9]{4}-W[0-9]{2}$"


class Page(BaseModel):
    """Which part of the list. A parameter of another name is refused: ignored, it would give the first page again."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100, description="How many at most.")
    before: str | None = Field(default=None, pattern=WEEK, description="Only those before this week.")


class Times(BaseModel):
    """When what happened, or will; null: not yet."""

    window_start: datetime = Field(description="Comparisons first seen from here on are its own.")
    window_end: datetime = Field(description="The cut-off.")
    created: datetime
    send: datetime = Field(description="When it leaves, or was to leave.")
    approved: datetime | None
    prepared: datetime | None
    begun: datetime | None = Field(description="The first hand-over; it is in the archive from here on.")
    finished: datetime | None


class EditionBrief(BaseModel):
    """One week's digest in short."""

    week: str = Field(examples=["2026-W47"])
    state: EditionState
    subject: str = Field(description="Empty where it was skipped before anything was written.")
    times: Times
    entries: int = Field(description="How many comparisons it shows in full.")
    address: str = Field(description="Where the whole of it is.", examples=["/api/v1/editions/2026-W47"])
    archive: str | None = Field(description="Its public page; null before the first hand-over.")


class EditionEntry(BaseModel):
    """A comparison placed in an edition: its facts and the words written about it, as they were frozen."""

    position: int
    facts: ComparisonFacts
    summary: Summary


class AlsoLine(BaseModel):
    """A comparison only named in the edition."""

    title: str
    url: str | None


class EditionCorrection(BaseModel):
    """A note on the edition, published after it went out; never changed."""

    at: datetime
    words: str
    printed_in: str | None = Field(description="The week of the later edition that carries it.")


class EditionWhole(BaseModel):
    """One week's digest."""

    week: str = Field(examples=["2026-W47"])
    state: EditionState
    subject: str
    breath: str = Field(description="The edition in one sentence; the first words of the mail.")
    introduction: str | None = Field(description="In Markdown.")
    times: Times
    entries: list[EditionEntry]
    also_compared: list[AlsoLine]
    corrections: list[EditionCorrection] = Field(description="What was corrected since, the newest first.")
    archive: str | None = Field(description="Its public page; null before the first hand-over.")
    numbers: Numbers | None = Field(
        description="In the words of `digest edition status --json`; null before it is prepared."
    )


class EditionList(BaseModel):
    """Editions, the newest first."""

    editions: list[EditionBrief]
    next: str | None = Field(
        description="The address of those before them; null when there are none.",
        examples=["/api/v1/editions?limit=20&before=2026-W28"],
    )


@router.get(
    "/v1/editions",
    summary="List editions",
    operation_id="listEditions",
    responses=openapi.said(200, {"Link": "The next page (RFC 8288), as `next` in the body."})
    | openapi.answers(401, 403, 422, 429, 500, 503),
    response_description="Editions, the newest first; follow `next` for those before them.",
)
def listed(
    request: Request,
    response: Response,
    wanted: Annotated[Page, Query()],
) -> EditionList:
    """Every edition in every state, drafts too: a token for `editions:read` is for programs of the house."""
    response.headers["Cache-Control"] = "no-store"
    with services_of(request).database.reading() as session:
        found = _page(session, wanted.before, wanted.limit + 1)
        shown = found[: wanted.limit]
        counts = _entries(session, shown)
        more = len(found) > wanted.limit
        following = f"/api/v1/editions?limit={wanted.limit}&before={shown[-1].week}" if more else None
        if following:
            response.headers["Link"] = f'<{following}>; rel="next"'
        site = _site(request)
        return EditionList(editions=[_brief(each, counts.get(each.id, 0), site) for each in shown], next=following)


@router.get(
    "/v1/editions/{week}",
    summary="One edition",
    operation_id="readEdition",
    responses=openapi.answers(401, 403, 404, 422, 429, 500, 503),
    response_description="The edition with its entries and, once it is prepared, its numbers.",
)
def one(
    request: Request,
    response: Response,
    week: Annotated[
        str,
        Path(
            pattern="^([0-9]{4}-W[0-9]{2}|latest)$",
            description="The ISO week of its cut-off, or `latest`.",
            examples=["2026-W47"],
        ),
    ],
) -> EditionWhole:
    """One edition in any state, drafts too, with every entry's frozen facts and summary. No personal data."""
    response.headers["Cache-Control"] = "no-store"
    with services_of(request).database.reading() as session:
        try:
            edition = editions.find(session, week)
        except (NoSuchEdition, BadWeek):
            raise Problem(NOT_HERE, f"There is no edition of {week}.") from None
        return _whole(session, edition, _site(request))


def _page(session: Session, before: str | None, most: int) -> list[Edition]:
    older = Edition.week < before if before else sa.true()
    return list(session.scalars(sa.select(Edition).where(older).order_by(Edition.week.desc()).limit(most)))


def _entries(session: Session, shown: list[Edition]) -> dict[int, int]:
    ids = [each.id for each in shown]
    rows = session.execute(
        sa.select(Entry.edition_id, sa.func.count()).where(Entry.edition_id.in_(ids)).group_by(Entry.edition_id)
    )
    return {edition_id: count for edition_id, count in rows}


def _brief(edition: Edition, entries: int, site: str) -> EditionBrief:
    return EditionBrief(
        week=edition.week,
        state=edition.state,
        subject=edition.subject,
        times=_times(edition),
        entries=entries,
        address=f"/api/v1/editions/{edition.week}",
        archive=_archive(edition, site),
    )


def _whole(session: Session, edition: Edition, site: str) -> EditionWhole:
    return EditionWhole(
        week=edition.week,
        state=edition.state,
        subject=edition.subject,
        breath=edition.breath,
        introduction=edition.introduction,
        times=_times(edition),
        entries=[
            EditionEntry(
                position=entry.position,
                facts=ComparisonFacts.model_validate(entry.facts),
                summary=Summary.model_validate(entry.summary),
            )
            for entry in editions.entries_of(session, edition)
        ],
        also_compared=[AlsoLine.model_validate(line) for line in edition.also_compared],
        corrections=[
            EditionCorrection(at=note.at, words=note.words, printed_in=note.printed_in)
            for note in corrections.notes_on(session, edition)
        ],
        archive=_archive(edition, site),
        numbers=stats.numbers(session, edition) if edition.prepared_at else None,
    )


def _times(edition: Edition) -> Times:
    return Times(
        window_start=edition.window_start,
        window_end=edition.window_end,
        created=edition.created_at,
        send=edition.send_at,
        approved=edition.approved_at,
        prepared=edition.prepared_at,
        begun=edition.begun_at,
        finished=edition.finished_at,
    )


def _archive(edition: Edition, site: str) -> str | None:
    return f"{site}/archive/{edition.week}" if edition.begun_at else None


def _site(request: Request) -> str:
    return services_of(request).settings.digest_site_url.rstrip("/")
