"""What the tests of drafting share: pages seen at a time, drafts made at a time, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import drafting, editions
from digest.bootstrap import Services
from digest.facts import ComparisonFacts
from digest.models import Edition, EditionState
from digest.weeks import Week
from tests import make
from tests.make import CUTOFF

DAY, WEEKLY = timedelta(days=1), timedelta(weeks=1)
W47, W48, W49 = (Week.parse(f"2026-W{number}") for number in (47, 48, 49))


def seen(services: Services, at: datetime, *given: ComparisonFacts, **more: Any) -> list[ComparisonFacts]:
    """Comparisons first seen at that time; one of its own unless given."""
    pages = list(given) or [make.comparison(**more)]
    with services.database.writing() as session:
        make.taken_in(session, *pages, now=at)
    return pages


def drafted(services: Services, week: Week = W47, now: datetime = CUTOFF) -> drafting.Drafted:
    with services.database.writing() as session:
        return drafting.draft(session, week, services.settings, by="edda@example.com", now=now)


def entered(services: Services, week: Week = W47) -> set[str | None]:
    """The slugs of an edition's entries."""
    with services.database.reading() as session:
        entries = editions.entries_of(session, editions.find(session, str(week)))
        return {ComparisonFacts.model_validate(entry.facts).slug for entry in entries}


def windows(services: Services) -> list[tuple[str, datetime, datetime]]:
    with services.database.reading() as session:
        found = session.scalars(sa.select(Edition).order_by(Edition.week))
        return [(edition.week, edition.window_start, edition.window_end) for edition in found]


def slugs(pages: Sequence[ComparisonFacts]) -> set[str | None]:
    return {page.slug for page in pages}


def moved(services: Services, week: Week, *states: EditionState, **changes: object) -> None:
    with services.database.writing() as session:
        for state in states:
            edition = editions.find(session, str(week))
            editions.advance(session, edition, state, by="test", now=CUTOFF, why="test", **changes)


def went_out(services: Services, week: Week) -> None:
    moved(services, week, EditionState.APPROVED)
    moved(services, week, EditionState.SENDING, begun_at=CUTOFF)


def editions_there(session: Session) -> list[tuple[str, EditionState]]:
    return [(week, state) for week, state in session.execute(sa.select(Edition.week, Edition.state).order_by("week"))]
