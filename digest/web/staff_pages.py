"""The shell around every page of the staff: who is signed in, and where they may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from digest.staff import Right
from digest.web.pages import environment, services_of
from digest.web.staff_door import Visitor


@dataclass(frozen=True, slots=True)
class Way:
    """One entry of the navigation; `right` None: for everybody on the staff."""

    path: str
    name: str
    right: Right | None


WAYS = (
    Way("/desk", "Desk", Right.EDIT),
    Way("/sending", "Sending", None),
    Way("/people", "People", Right.OPERATE),
    Way("/people/import", "Imports", Right.OPERATE),
    Way("/people/numbers", "Numbers", Right.OPERATE),
    Way("/people/suppressed", "Suppressed", Right.OPERATE),
    Way("/staff", "Staff", None),
    Way("/staff/audit", "Audit log", Right.ADMINISTER),
)


def staff_page(
    request: Request,
    visitor: Visitor,
    template: str,
    *,
    status: int = 200,
    said: str | None = None,
    problem: str | None = None,
    **values: Any,
) -> Response:
    """One page of the staff from `templates/pages/{template}`, which extends "staff/base.html".

    `said` is what was just done, `problem` what could not be: both are read out and stand above everything else.
    """
    ways = [way for way in WAYS if way.right is None or way.right in visitor.rights]
    here = max((way.path for way in ways if _is_at(request.url.path, way.path)), key=len, default=None)
    common = {
        "newsletter_name": services_of(request).settings.digest_newsletter_name,
        "visitor": visitor,
        "ways": ways,
        "here": here,
        "said": said,
        "problem": problem,
    }
    html = environment().get_template(template).render(common | values)
    return HTMLResponse(html, status_code=status)


def _is_at(path: str, way: str) -> bool:
    return path == way or path.startswith(f"{way}/")
