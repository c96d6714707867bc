"""What strangers post, read with a limit: a form in either encoding, or JSON where a door takes that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import orjson
from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

LONGEST = 64 * 1024  # octets
_DIGITS = 20

TOO_LONG = HTTPException(413, "This form holds more than 64 kB. Nothing was changed.")
NOT_JSON = HTTPException(400, "This body is not a JSON object. Nothing was changed.")


async def small_form(request: Request) -> FormData:
    """The form in a body; an empty one where there is none. 413 for more than 64 kB, 400 for one that is broken."""
    return await limited(request).form(max_files=0)


Form = Annotated[FormData, Depends(small_form)]


async def form_or_json(request: Request) -> FormData | HTTPException:
    """The form in a body, or the strings of a JSON object as one. What cannot be read is handed on, to be answered."""
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return await small_form(request)
        return FormData(_strings(await limited(request).body()))
    except HTTPException as problem:
        return problem


Posted = Annotated[FormData | HTTPException, Depends(form_or_json)]


def _strings(body: bytes) -> Mapping[str, str]:
    """The fields of a JSON object that hold text or a yes."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NOT_JSON from None
    if not isinstance(found, dict):
        raise NOT_JSON
    said = {name: "yes" if value is True else value for name, value in found.items()}
    return {name: value for name, value in said.items() if isinstance(value, str)}


def limited(request: Request, longest: int = LONGEST, too_long: HTTPException = TOO_LONG) -> Request:
    """The same request, whose body raises `too_long` beyond `longest` octets, by what it announces or by what comes."""
    announced = request.headers.get("content-length", "")
    # Text so long is a number all the same, but one that Python refuses to read.
    if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > longest):
        raise too_long
    return Request(request.scope, _at_most(longest, too_long, request.receive))


def _at_most(octets: int, too_long: HTTPException, receive: Receive) -> Receive:
    """What is announced need not be true, and a body sent in pieces announces nothing."""
    left = octets

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise too_long
        return message

    return counted


def word(form: FormData, name: str) -> str:
    """A field with one value; empty where it is missing."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def words(form: FormData, name: str) -> frozenset[str]:
    """A field that may come several times."""
    return frozenset(value for value in form.getlist(name) if isinstance(value, str))
