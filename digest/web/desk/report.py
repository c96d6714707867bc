"""After sending: what became of it, and the notes that correct it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digest.web.sending import edition_page
from digest.web.staff_door import Visitor

router = APIRouter()


def report_page(
    request: Request,
    visitor: Visitor,
    week: str,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    """What became of an edition on its way."""
    return edition_page(request, visitor, week, said=said, problem=problem, status=status)
