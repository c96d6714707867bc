"""The suppression list, for operators. Nothing is changed here: lifting is an act on one person, on their own page."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digest.people import suppressions
from digest.people.suppressions import Mark
from digest.web.pages import services_of
from digest.web.staff_door import Operator
from digest.web.staff_pages import staff_page
from subscribers import roster
from subscribers.policy import Act, Refusal, State

router = APIRouter()

PAGE = 50
REASONS = {"bounced": Act.BOUNCE, "staff": Act.SUPPRESS, "complained": Act.COMPLAIN}
"""As an address has them, in the order they are offered."""


@router.get("/people/suppressed")
def suppressed(request: Request, visitor: Operator, because: str = "", after: str = "") -> Response:
    """Who is never written to, the latest first, perhaps for one reason only."""
    services = services_of(request)
    mark = Mark.parse(after)
    with services.database.reading() as session:
        page = suppressions.page(session, by=REASONS.get(because), after=mark, limit=PAGE)
        refused = suppressions.refused(session)
        total = roster.counts(session)[State.SUPPRESSED]
    return staff_page(
        request,
        visitor,
        "people/suppressed.html",
        page=page,
        total=total,
        because=because if because in REASONS else "",
        erased=refused[Refusal.ERASED],
        left=refused[Refusal.LEFT],
        for_ever=refused[Refusal.FOR_EVER],
        is_first=mark is None,
        following=_address(because, page.following) if page.following else None,
        zone=services.settings.digest_timezone,
    )


def _address(because: str, mark: Mark) -> str:
    asked = {"because": because if because in REASONS else "", "after": str(mark)}
    return "/people/suppressed?" + urlencode({name: value for name, value in asked.items() if value})
