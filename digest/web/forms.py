"""Forms from strangers, read with a limit."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import FormData
from starlette.types import Message, Receive

LONGEST = 64 * 1024  # octets

TOO_LONG = HTTPException(413, "This form holds more than 64 kB. Nothing was changed.")


async def small_form(request: Request) -> FormData:
    """The form in a body; an empty one where there is none. 413 for more than 64 kB, 400 for one that is broken."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > LONGEST:
        raise TOO_LONG
    return await Request(request.scope, _at_most(LONGEST, request.receive)).form(max_files=0)


Form = Annotated[FormData, Depends(small_form)]


def _at_most(octets: int, receive: Receive) -> Receive:
    """What is announced need not be true, and a body sent in pieces announces nothing."""
    left = octets

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TOO_LONG
        return message

    return counted


def word(form: FormData, name: str) -> str:
    """A field with one value; empty where it is missing."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def words(form: FormData, name: str) -> frozenset[str]:
    """A field that may come several times."""
    return frozenset(value for value in form.getlist(name) if isinstance(value, str))
