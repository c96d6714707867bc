"""Every edition, the newest first, with its state and its numbers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from digest.web.staff_door import Editor

router = APIRouter()


@router.get("/desk")
def index(request: Request, visitor: Editor) -> Response:  # noqa: ARG001
    return RedirectResponse("/desk/latest", status_code=303)
