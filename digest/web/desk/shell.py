"""The shell of every page of one edition: its head, and the ways between its pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from digest import sending
from digest.models import Edition, EditionState
from digest.web import sending_words
from digest.web.pages import services_of
from digest.web.staff_door import Visitor
from digest.web.staff_pages import staff_page

OPEN_STATES = frozenset({EditionState.DRAFT, EditionState.APPROVED})
"""In which an edition can be edited; in approved that voids the approval."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of an edition. `path` is what comes behind `/desk/{week}`."""

    path: str
    name: str


BEFORE = (
    Tab("", "Edition"),
    Tab("/preview", "Preview"),
    Tab("/selection", "Selection"),
    Tab("/checks", "Checks"),
    Tab("/differences", "Differences"),
    Tab("/approval", "Approval"),
)
AFTER = (
    Tab("", "Report"),
    Tab("/preview", "What was sent"),
    Tab("/selection", "Selection"),
    Tab("/differences", "Differences"),
)


def desk_page(
    request: Request,
    visitor: Visitor,
    edition: Edition,
    template: str,
    *,
    names: Mapping[str, str],
    status: int = 200,
    said: str | None = None,
    problem: str | None = None,
    **values: Any,
) -> Response:
    """One page of an edition from `templates/pages/desk/{template}`, which extends "desk/base.html".

    `names` are addresses by "staff 3", from `staff.names`.
    """
    services = services_of(request)
    leaves = sending.leaves_at(edition, services) if edition.state is EditionState.APPROVED else None
    return staff_page(
        request,
        visitor,
        f"desk/{template}",
        status=status,
        said=said,
        problem=problem,
        edition=edition,
        tabs=BEFORE if edition.begun_at is None else AFTER,
        at="".join(f"/{part}" for part in request.url.path.split("/")[3:4]),
        tone=sending_words.TONES[edition.state],
        is_open=edition.state in OPEN_STATES,
        named=lambda by: names.get(by, by),
        zone=services.settings.digest_timezone,
        leaves=leaves,
        seconds_left=max(0, int((leaves - datetime.now(UTC)).total_seconds())) if leaves else 0,
        **values,
    )
