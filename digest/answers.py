"""The breaker's halts in an edition's log, and what people have answered to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import breaker
from digest.models import EditionLog, EditionState

_HALTED = f"{EditionState.SENDING} → {EditionState.HALTED}"
_RESUMED = f"{EditionState.HALTED} → {EditionState.SENDING}"


@dataclass(frozen=True, slots=True)
class Answered:
    """Where an edition stands between the breaker and people."""

    since: datetime | None = None
    """When somebody last resumed it after the breaker had halted it: what had been handed over by then is judged."""
    waits: bool = False
    """The breaker has halted it, and nobody has resumed it yet."""


def answered(session: Session, edition_id: int) -> Answered:
    """What the log of an edition says of it."""
    moves = session.execute(
        sa.select(EditionLog.at, EditionLog.by, EditionLog.what)
        .where(EditionLog.edition_id == edition_id, EditionLog.what.in_((_HALTED, _RESUMED)))
        .order_by(EditionLog.id)
    )
    found = Answered()
    for at, by, what in moves:
        if what == _HALTED:
            found = Answered(found.since, waits=by == breaker.NAME)
        elif found.waits:
            found = Answered(since=at)
    return found
