"""`POST /api/v1/subscribers`: the site's own program asks for somebody's opt-in to begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Security
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from digest.idempotency import Answer
from digest.models import RequestKind
from digest.people import limits, requests
from digest.people.limits import Rule
from digest.web.api import openapi, writes
from digest.web.api.bodies import Small, read
from digest.web.api.callers import Caller, caller, too_often
from digest.web.api.problems import NOT_VALID, Mistake, Problem
from digest.web.pages import services_of
from subscribers import addresses
from subscribers.addresses import Address, BadAddress
from subscribers.consent import Proof

router = APIRouter(tags=["subscribers"])

WRITE = Security(caller, scopes=["subscribers:write"])
DOOR = "api subscribers"
ONE_TOKEN = (
    Rule(DOOR, "", 1_000, timedelta(hours=1)),
    Rule(DOOR, "", 10_000, timedelta(days=1)),
)
"""What one program may ask: a very good day of one site."""

LONGEST_NAME, LONGEST_TOPIC, MOST_TOPICS, LONGEST_SOURCE = 200, 300, 100, 150

Topic = Annotated[str, Field(min_length=1, max_length=LONGEST_TOPIC)]


class NewSubscriber(BaseModel):
    """Somebody who wants the newsletter. Only `email` is required."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: str = Field(
        description="Their mail address, as they typed it. Its domain is not looked up.",
        min_length=1,
        max_length=2_540,
        examples=["ada@example.com"],
    )
    name: str | None = Field(default=None, max_length=LONGEST_NAME, description="What to call them.")
    topics: list[Topic] | None = Field(
        default=None,
        max_length=MOST_TOPICS,
        description="Only these categories, named as the site names them; left out or empty: everything.",
        examples=[["Developer Tools"]],
    )
    source: str | None = Field(
        default=None,
        max_length=LONGEST_SOURCE,
        description="Where they asked for it, kept with their consent.",
        examples=["checkout page"],
    )


class Asked(BaseModel):
    """The same for every address."""

    status: Literal["asked"] = "asked"
    detail: str = "If this address can be subscribed, a letter asks its owner to confirm."


@router.post(
    "/v1/subscribers",
    summary="Start somebody's opt-in",
    operation_id="startOptIn",
    status_code=202,
    response_model=Asked,
    responses=openapi.said(202, writes.SAID) | openapi.WRITE_PROBLEMS,
    openapi_extra=openapi.body(NewSubscriber),
    response_description="Asked; the same answer for every valid address.",
)
def start_opt_in(
    request: Request, who: Annotated[Caller, WRITE], body: Small, idempotency_key: writes.Key = None
) -> Response:
    """Asks the owner of an address, by a letter, whether they want the newsletter; nothing else comes before their yes.

    Every valid address gets the same answer, whether it is new, subscribed, unsubscribed, suppressed or erased: it
    tells nothing about anybody. Nobody who unsubscribed, complained, bounced or was erased is revived or written to;
    they come back by signing up themselves. An address asked for very often is quietly not asked again.
    """
    person = read(body, NewSubscriber)
    address = _address(person.email)
    services = services_of(request)
    write = writes.write_of(request, who, idempotency_key, body)
    with services.database.writing() as session:
        before = writes.begin(session, write)
        exceeded = None if before else _ask(session, who, person, address)
        answer = Answer(202, Asked().model_dump())
        if exceeded is not None and exceeded.visible:
            writes.abandon(session, write)
        elif before is None:
            writes.finish(session, write, answer)
    if exceeded is not None and exceeded.visible:
        raise too_often(exceeded, who.now)
    return writes.sent(before or answer, replayed=before is not None)


def _address(text: str) -> Address:
    try:
        return addresses.parse(text)
    except BadAddress as why:
        errors = [Mistake(where="body.email", detail=str(why))]
        raise Problem(NOT_VALID, "The address cannot be used.", errors) from None


def _ask(session: Session, who: Caller, person: NewSubscriber, address: Address) -> Rule | None:
    """Store what is asked, unless it was asked too often: then the rule that says so."""
    own = (Rule(rule.what, f"token {who.token_id}", rule.most, rule.per) for rule in ONE_TOKEN)
    rules = (*own, *limits.by_address(DOOR, address.key), *limits.by_domain(DOOR, address.key))
    exceeded = limits.take(session, rules, now=who.now)
    if exceeded is None:
        requests.ask(
            session,
            RequestKind.ADD,
            address,
            now=who.now,
            source=f"API, token {who.token_id}{f': {person.source}' if person.source else ''}",
            proof=Proof(),
            name=person.name,
            topics=person.topics or (),
        )
    return exceeded
