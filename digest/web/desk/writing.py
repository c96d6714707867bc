"""One edition's page: its entries and words beside the live preview, saved as one types."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digest import editing, staff
from digest.web.desk.report import report_page
from digest.web.desk.shell import desk_page
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.staff_door import Editor

router = APIRouter()


@router.get("/desk/{week}")
def show(request: Request, visitor: Editor, week: str) -> Response:
    """One edition; once it is on its way, its report."""
    with services_of(request).database.reading() as session:
        edition = edition_of(session, week)
        if edition.begun_at is not None:
            return report_page(request, visitor, week)
        found = editing.read(session, edition)
        names = staff.names(session)
    return desk_page(request, visitor, edition, "edition.html", names=names, manuscript=found)
