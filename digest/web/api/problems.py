"""Problem details (RFC 9457): every refusal of the API says in the same shape what is wrong and how to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from database import WriteLockTimeout
from digest.errors import DigestError
from digest.safekeeping.journal import JournalFailed
from digest.web.pages import services_of
from subscribers.texts import shortened

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100
_LONGEST_PLACE = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of problem: the last part of its `type`, its status, its title, and what to do about it."""

    name: str
    status: int
    title: str
    mend: str


BROKEN = Kind("broken-request", 400, "The request is broken", "Mend the request as `detail` says.")
NO_TOKEN = Kind(
    "no-token", 401, "A token is needed", "Send `Authorization: Bearer …` with a token that is not revoked."
)
NOT_ALLOWED = Kind("not-allowed", 403, "The token is not good for this", "Use a token with the scope `detail` names.")
NOT_HERE = Kind("not-here", 404, "There is nothing here", "Check the address.")
NOT_THAT_WAY = Kind("not-that-way", 405, "Not that way", "The `Allow` header names the methods of this address.")
UNDER_WAY = Kind("under-way", 409, "Still at it", "Wait as `Retry-After` says, then send the same request again.")
TOO_LARGE = Kind("too-large", 413, "Too much at once", "Send it in several smaller requests.")
WRONG_KIND = Kind("wrong-kind", 415, "Not this kind of body", "Send JSON, and say so in `Content-Type`.")
NOT_VALID = Kind("not-valid", 422, "That cannot be used", "Mend what `errors` names.")
KEY_USED = Kind("key-used", 422, "The key was used before", "Give each request an `Idempotency-Key` of its own.")
TOO_OFTEN = Kind("too-often", 429, "Too often", "Wait as `Retry-After` says.")
FAILED = Kind("failed", 500, "Our own failure", "Send it again later; with an `Idempotency-Key` it is done once only.")
BUSY = Kind("busy", 503, "Not at the moment", "Wait as `Retry-After` says, then send the same request again.")

KINDS = (
    BROKEN,
    NO_TOKEN,
    NOT_ALLOWED,
    NOT_HERE,
    NOT_THAT_WAY,
    UNDER_WAY,
    TOO_LARGE,
    WRONG_KIND,
    NOT_VALID,
    KEY_USED,
    TOO_OFTEN,
    FAILED,
    BUSY,
)

_BY_STATUS = {kind.status: kind for kind in reversed(KINDS)}


class Mistake(BaseModel):
    """One thing that is wrong in a request."""

    where: str = Field(
        description="The place: `item 2`, `line 3`, `body.email`, `query.limit`; empty for the whole.",
        examples=["item 2"],
    )
    detail: str = Field(description="What is wrong, in a sentence.", examples=["tools.1.name is missing."])


class ProblemDetails(BaseModel):
    """What is wrong, as RFC 9457 has it."""

    type: str = Field(
        description="Names the sort of problem, and is the address of its description.",
        examples=["https://digest.example.com/api/docs#not-valid"],
    )
    title: str = Field(description="The same for every problem of this type.", examples=["That cannot be used"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(
        description="What is wrong this time, in a sentence.", examples=["None of the 2 comparisons could be used."]
    )
    errors: list[Mistake] | None = Field(
        default=None, description=f"Each thing that is wrong, at most {MOST_ERRORS}; only where there are such things."
    )


class Problem(DigestError):
    """A request to the API could not be done."""

    def __init__(
        self, kind: Kind, detail: str, errors: Sequence[Mistake] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers


def body_of(request: Request, kind: Kind, detail: str, errors: Sequence[Mistake] = ()) -> dict[str, Any]:
    """A problem as it is sent."""
    site = services_of(request).settings.digest_site_url.rstrip("/")
    found: dict[str, Any] = {
        "type": f"{site}/api/docs#{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    return {**found, "errors": [each.model_dump() for each in errors[:MOST_ERRORS]]} if errors else found


def install(app: FastAPI) -> None:
    """From now on whatever goes wrong in this application is answered as a problem."""
    app.exception_handler(Problem)(_problem)
    app.exception_handler(HTTPException)(refused)
    app.exception_handler(RequestValidationError)(_not_valid)
    app.exception_handler(ClientDisconnect)(_gone)
    app.exception_handler(SQLAlchemyError)(_busy)
    app.exception_handler(WriteLockTimeout)(_busy)
    app.exception_handler(JournalFailed)(_busy)
    app.exception_handler(Exception)(_failed)


def _answer(
    request: Request,
    kind: Kind,
    detail: str,
    errors: Sequence[Mistake] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    return JSONResponse(
        body_of(request, kind, detail, errors),
        status_code=kind.status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def _problem(request: Request, problem: Problem) -> Response:
    return _answer(request, problem.kind, problem.detail, problem.errors, problem.headers)


def refused(request: Request, problem: HTTPException) -> Response:
    """What the framework refuses by itself: an address or a method that is not there, a request it cannot read."""
    kind = _BY_STATUS.get(problem.status_code, FAILED if problem.status_code >= FAILED.status else BROKEN)
    plain = {
        NOT_HERE.name: "There is nothing with that address.",
        NOT_THAT_WAY.name: "This address does not take that method.",
    }
    return _answer(request, kind, plain.get(kind.name, kind.title + "."), headers=problem.headers)


def _not_valid(request: Request, wrong: RequestValidationError) -> Response:
    """Parameters that are not as described. What was sent is not said back: it may be anything."""
    errors = [Mistake(where=place(error["loc"]), detail=f"{error['msg']}.") for error in wrong.errors()]
    return _answer(request, NOT_VALID, "The request is not as it is described.", errors)


def place(location: Sequence[object]) -> str:
    """Where in a request something is wrong. A field nobody knows may have any name."""
    return shortened(".".join(str(step) for step in location), _LONGEST_PLACE)


def _gone(request: Request, _: Exception) -> Response:
    return _answer(request, BROKEN, "The body ended too early.")


def _busy(request: Request, failure: Exception) -> Response:
    """Our own failure is said, and never as a success: whoever asked may try again."""
    log.error("the database failed", path=request.url.path, why=str(failure).partition("\n")[0])
    return _answer(request, BUSY, "This cannot be done at the moment.", headers={"Retry-After": "60"})


def _failed(request: Request, _: Exception) -> Response:
    """The server logs it, with where it happened; whoever asked is told nothing of that."""
    return _answer(request, FAILED, "Something went wrong on our side.")
