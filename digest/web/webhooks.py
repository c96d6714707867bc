"""Where SendGrid would tell what became of a mail. This version listens to nothing of that, and says so."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

router = APIRouter()

NOT_YET = "This version takes no events of SendGrid: what came here was not looked at, and nothing was stored."


@router.post("/webhooks/sendgrid")
def sendgrid() -> JSONResponse:
    """503, never a yes: whoever has switched the events on is told that nobody takes them."""
    return JSONResponse({"detail": NOT_YET}, status_code=503)
