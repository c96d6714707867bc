"""Where SendGrid tells what became of our mail. It posts again for 24 hours what is not answered with 2xx.

| Answer | When | So SendGrid |
|---|---|---|
| 200 | stored and committed, or known already | is done |
| 400 | well signed, but no array of events | tries in vain: it is logged, for nobody can store it |
| 403 | the signature does not fit | tries until the key in our settings is the right one |
| 413 | more than 5 MB; it posts 768 kB | was somebody else |
| 503 | no key in the settings, or the database failed | tries until it is mended, and nothing is lost |
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from digest import outcomes, sendgrid_events
from digest.sendgrid_events import SIGNATURE_HEADER, TIMESTAMP_HEADER, BadSignature, NoEvents
from digest.web import forms
from digest.web.pages import services_of

log = structlog.get_logger()
router = APIRouter()

PATH = "/webhooks/sendgrid"
LONGEST = 5 * 1024 * 1024  # octets
TOO_LONG = HTTPException(413, "These are more than 5 MB of events. Nothing was stored.")
NO_KEY = (
    "No event can be verified, so nothing was looked at and nothing was stored: "
    "set SENDGRID_WEBHOOK_PUBLIC_KEY to the verification key that SendGrid shows for its signed event webhook."
)


async def _raw(request: Request) -> bytes:
    """The body exactly as it came: the signature is over these bytes, down to the line end."""
    return await forms.limited(request, LONGEST, TOO_LONG).body()


@router.post(PATH)
def sendgrid(request: Request, body: Annotated[bytes, Depends(_raw)]) -> JSONResponse:
    """Take in what SendGrid tells. The answer is yes only after the commit."""
    services, now = services_of(request), datetime.now(UTC)
    key = services.settings.sendgrid_webhook_public_key
    if key is None:
        return _no(503, NO_KEY)
    try:
        events = sendgrid_events.read(
            body,
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            timestamp=request.headers.get(TIMESTAMP_HEADER, ""),
            public_key=key,
        )
    except BadSignature as why:
        outcomes.count_forged(services.database, now=now)
        log.warning("events refused", why=str(why), octets=len(body))
        return _no(403, f"{why} Nothing was stored.")
    except NoEvents as why:
        log.warning("events refused", why=str(why), octets=len(body))
        return _no(400, f"{why} Nothing was stored.")
    taken = outcomes.take_in(services.database, events, now=now)
    log.info("events taken in", received=taken.received, new=taken.new, consent_changed=taken.changed)
    return JSONResponse({"received": taken.received, "new": taken.new})


def _no(status: int, why: str) -> JSONResponse:
    return JSONResponse({"detail": why}, status_code=status)
