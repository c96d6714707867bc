"""The bodies of writes, read with a limit: what is announced need not be true, and pieces announce nothing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from digest.pages import LARGEST_BODY
from digest.web.api.problems import NOT_VALID, TOO_LARGE, WRONG_KIND, Mistake, Problem, place

LARGEST_OBJECT = 64_000  # bytes
_ENDLESS = 20  # digits
JSON = "application/json"
JSON_LINES = "application/x-ndjson"

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Body:
    """What came, and as what it came."""

    content: bytes
    media_type: str


def _reader(limit: int, media_types: tuple[str, ...]) -> Callable[[Request], Coroutine[Any, Any, Body]]:
    async def read(request: Request) -> Body:
        media_type = _media_type(request, media_types)
        return Body(await _at_most(limit, request), media_type)

    return read


Comparisons = Annotated[Body, Depends(_reader(LARGEST_BODY, (JSON, JSON_LINES)))]
Small = Annotated[Body, Depends(_reader(LARGEST_OBJECT, (JSON,)))]


def _media_type(request: Request, known: tuple[str, ...]) -> str:
    """JSON where nothing is said."""
    said = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if said not in known:
        raise Problem(WRONG_KIND, f"The body must be {' or '.join(known)}.", headers={"Accept": ", ".join(known)})
    if coding not in ("", "identity"):
        raise Problem(WRONG_KIND, "The body must not be compressed.", headers={"Accept-Encoding": "identity"})
    return said


async def _at_most(limit: int, request: Request) -> bytes:
    too_large = Problem(TOO_LARGE, f"The body is larger than {limit:,} bytes. Nothing of it was read.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < _ENDLESS and int(announced) > limit:
        raise too_large
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > limit:
            raise too_large
    return bytes(content)


def read(body: Body, shape: type[Shape]) -> Shape:
    """The object in a body. Raises Problem, with every mistake in it; what was sent is not said back."""
    try:
        value = orjson.loads(body.content)
    except orjson.JSONDecodeError as wrong:
        why = f"line {wrong.lineno}, column {wrong.colno}: {wrong.msg}"
        raise Problem(NOT_VALID, "The body is not valid JSON.", [Mistake(where="body", detail=f"{why}.")]) from None
    try:
        return shape.model_validate(value)
    except ValidationError as wrong:
        errors = [
            Mistake(where=place(("body", *error["loc"])), detail=f"{error['msg']}.")
            for error in wrong.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise Problem(NOT_VALID, "The body is not as it is described.", errors) from None
