"""`POST /api/v1/comparisons`: the site tells of its pages, by the same reader and intake as `digest ingest`."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Request, Security
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from digest import gathering, pages
from digest.bootstrap import Services
from digest.gathering import News, Outcome
from digest.idempotency import Answer, Write
from digest.sources import Document
from digest.web.api import openapi, writes
from digest.web.api.bodies import Body, Comparisons
from digest.web.api.callers import Caller, caller
from digest.web.api.problems import NOT_VALID, Mistake, body_of
from digest.web.pages import services_of

router = APIRouter(tags=["comparisons"])

WRITE = Security(caller, scopes=["comparisons:write"])
NEWS: tuple[News, ...] = ("new", "changed", "unchanged", "withdrawn", "bad")
NAME = "the request"


class SchemaResponse(JSONResponse):
    """A JSON Schema, under the media type of one."""

    media_type = "application/schema+json"


class Found(BaseModel):
    """What became of one comparison."""

    where: str = Field(
        description="Its place in the body: `item 2` of an array, `line 3` of JSON Lines; empty for a single object."
    )
    name: str | None = Field(description="Its slug, else its two tools; null for a bad one.")
    news: News = Field(
        description="`new`; `changed`: something it says is not what was known; `unchanged`; `withdrawn`: it is taken "
        "out of every edition not yet handed over; `bad`: nothing of it was taken in, and `why` says why."
    )
    why: str = Field(description="Why it is bad, or what of it was left out, in a sentence; else empty.")


class TakenIn(BaseModel):
    """What became of every comparison in the body, in its order."""

    new: int
    changed: int
    unchanged: int
    withdrawn: int
    bad: int
    found: list[Found]


@router.post(
    "/v1/comparisons",
    summary="Take in comparisons",
    operation_id="takeInComparisons",
    response_model=TakenIn,
    responses=openapi.said(200, writes.SAID) | openapi.WRITE_PROBLEMS,
    openapi_extra=openapi.COMPARISONS_BODY,
    response_description="At least one comparison was taken in; `bad` counts those that were not.",
)
def take_in(
    request: Request, who: Annotated[Caller, WRITE], body: Comparisons, idempotency_key: writes.Key = None
) -> Response:
    """Takes one comparison, an array of them, or JSON Lines (`application/x-ndjson`), at most 5 MB and 5,000.
    A thousand that are new take about fifteen seconds.

    Each is taken in by itself: a bad one costs only itself, and its reason stands beside it in the answer. Only when
    all are bad the answer is 422. Sending the same comparison again changes nothing; what is left out or null is
    unknown and overwrites nothing. With `"withdrawn": true` a comparison leaves every edition not yet handed over.
    """
    services = services_of(request)
    write = writes.write_of(request, who, idempotency_key, body)
    if write is not None:
        with services.database.writing() as session:
            before = writes.begin(session, write)
        if before is not None:
            return writes.sent(before, replayed=True)
    answer = _answered(request, _taken_in(services, body, who, write))
    with services.database.writing() as session:
        writes.finish(session, write, answer)
    return writes.sent(answer)


@router.get(
    "/v1/comparison.schema.json",
    summary="The JSON Schema of a comparison",
    operation_id="comparisonSchema",
    response_class=SchemaResponse,
    responses=openapi.SCHEMA_ANSWER | openapi.answers(500),
)
def comparison_schema() -> Response:
    """The JSON Schema (draft 2020-12) of one comparison, as `digest ingest` and this API read it. Needs no token."""
    return SchemaResponse(pages.json_schema(), headers={"Cache-Control": "public, max-age=3600"})


def _taken_in(services: Services, body: Body, who: Caller, write: Write | None) -> list[Outcome]:
    """In the order of the body. Interrupted, it may come again: taking in twice is harmless."""
    document = Document(name=NAME, body=body.content, media_type=body.media_type)
    try:
        outcomes = list(gathering.take_in_document(services.database, document, now=who.now))
    except Exception:
        with services.database.writing() as session:
            writes.abandon(session, write)
        raise
    return sorted(outcomes, key=lambda outcome: _number(outcome.where))


def _number(where: str) -> int:
    digits = re.search(r"\d+", where)
    return int(digits[0]) if digits else 0


def _answered(request: Request, outcomes: list[Outcome]) -> Answer:
    counted = Counter(outcome.news for outcome in outcomes)
    if counted["bad"] == len(outcomes):
        errors = [Mistake(where=outcome.where, detail=outcome.why) for outcome in outcomes]
        detail = "The comparison could not be used." if len(outcomes) == 1 else _none_of(len(outcomes))
        return Answer(NOT_VALID.status, body_of(request, NOT_VALID, detail, errors))
    found = [
        Found(
            where=each.where, name=None if each.news == "bad" else each.name, news=each.news, why=each.why
        ).model_dump()
        for each in outcomes
    ]
    return Answer(200, {**{news: counted[news] for news in NEWS}, "found": found})


def _none_of(count: int) -> str:
    return f"None of the {count:,} comparisons could be used."
