"""Writes that may come twice: with an `Idempotency-Key` each is done once, and answered the same each time."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from digest import idempotency
from digest.idempotency import Answer, Write
from digest.web.api import problems
from digest.web.api.bodies import Body
from digest.web.api.callers import Caller
from digest.web.api.problems import Mistake, Problem

REPLAYED = "Idempotent-Replayed"
WAIT = 5  # seconds
SAID = {REPLAYED: "`true`: this was done before, and is the answer given then. Else it is left out."}

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[\\x20-\\x7e]+$",
        description="A text of your own, different for each write, such as a UUID. When the same write comes again "
        "under the same key within 24 hours, it is not done again: the first answer is given once more, with "
        f"`{REPLAYED}: true`. Keep the key when you send a request again because no answer came.",
        examples=["6c5cf7bb-0f4c-4f5b-9d0c-0a4f0e0ff6c1"],
    ),
]


def write_of(request: Request, caller: Caller, key: str | None, body: Body) -> Write | None:
    """What makes two requests the same one; None without a key. Raises Problem where there are several."""
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        errors = [Mistake(where="header.Idempotency-Key", detail="It stands there more than once.")]
        raise Problem(problems.NOT_VALID, "A request has one Idempotency-Key at most.", errors)
    if key is None:
        return None
    said = "\n".join([request.method, request.url.path, body.media_type, hashlib.sha256(body.content).hexdigest()])
    return Write(token_id=caller.token_id, key=key, request=said, at=caller.now)


def begin(session: Session, write: Write | None) -> Answer | None:
    """The answer given before, where there is one. Raises Problem."""
    try:
        return idempotency.begin(session, write) if write else None
    except idempotency.KeyUsed as why:
        raise Problem(problems.KEY_USED, str(why)) from None
    except idempotency.UnderWay as why:
        raise Problem(problems.UNDER_WAY, str(why), headers={"Retry-After": str(WAIT)}) from None


def finish(session: Session, write: Write | None, answer: Answer) -> None:
    """Keep the answer for whoever sends the same again."""
    if write:
        idempotency.finish(session, write, answer)


def abandon(session: Session, write: Write | None) -> None:
    """Let whoever sends the same again do it."""
    if write:
        idempotency.abandon(session, write)


def sent(answer: Answer, *, replayed: bool = False) -> Response:
    """An answer as it goes out."""
    headers = {"Cache-Control": "no-store", **({REPLAYED: "true"} if replayed else {})}
    media_type = problems.MEDIA_TYPE if answer.status >= problems.BROKEN.status else "application/json"
    return JSONResponse(answer.body, status_code=answer.status, headers=headers, media_type=media_type)
