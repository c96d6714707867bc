"""From an approved edition to one delivery per candidate, in one transaction or not at all.

Only what was approved is prepared, and only for about as many as it was approved for. Who gets it: `audiences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import Database
from digest import audiences, drift, editions, proofs
from digest.errors import DigestError
from digest.models import Edition, EditionState
from subscribers import roster

TRIES = 5
SERIALIZATION_FAILURE = "40001"


class NotAsApproved(DigestError):
    """The edition or its audience is no longer what was approved, so it was halted."""


class NotYet(DigestError):
    """The edition is not approved, so it cannot be sent."""


def prepare(
    database: Database, week: str, *, envelope: proofs.Envelope, rules: audiences.Rules, by: str, now: datetime
) -> None:
    """Fix who gets the approved edition, and move it to sending. Harmless where that is done already.

    Raises NotAsApproved (the edition is then halted), NotYet, or AudienceDoesNotAddUp.
    """
    for left in reversed(range(TRIES)):
        try:
            changed = _prepare_once(database, week, envelope, rules, by=by, now=now)
        except OperationalError as problem:
            # Somebody else's write came between; look again at what is there now.
            if getattr(problem.orig, "sqlstate", None) != SERIALIZATION_FAILURE or not left:
                raise
        else:
            if changed:
                raise NotAsApproved(changed)
            return


def _prepare_once(
    database: Database, week: str, envelope: proofs.Envelope, rules: audiences.Rules, *, by: str, now: datetime
) -> str | None:
    """None when done; otherwise why the edition was halted instead."""
    with database.writing() as session:
        _one_preparer_and_one_instant(session, database)
        edition = editions.find(session, week)
        if edition.prepared_at is not None:
            return None
        if edition.state is not EditionState.APPROVED:
            raise NotYet(f"Edition {edition.week} is {edition.state}; only an approved one can be sent.")
        candidates = roster.count_active(session)
        changed = proofs.changed_since(session, edition, envelope) or _drifted(edition, candidates)
        if changed:
            editions.hold(session, edition, why=changed, by=by, now=now)
            return changed
        audience = audiences.fix(session, edition, candidates, rules, now)
        _let_the_planner_know(session, database)
        editions.advance(
            session,
            edition,
            EditionState.SENDING,
            by=by,
            now=now,
            why=audience.in_words(),
            prepared_at=now,
            candidates=candidates,
        )
        return None


def _let_the_planner_know(session: Session, database: Database) -> None:
    """PostgreSQL counts new rows a minute later by itself. Until then it reads a batch as if it were a whole table:
    277 ms instead of 5, seen after a list had just been brought in."""
    if not database.is_sqlite:
        session.execute(sa.text("ANALYZE subscribers, deliveries"))


def _one_preparer_and_one_instant(session: Session, database: Database) -> None:
    """Everything below sees the subscribers of one instant, and delivery ids are given out by one at a time.

    LOCK TABLE comes first because it takes no snapshot: the snapshot is of the moment after the lock. SQLite's
    BEGIN IMMEDIATE gives both by itself.
    """
    if not database.is_sqlite:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        session.execute(sa.text("LOCK TABLE left_out IN EXCLUSIVE MODE"))


def _drifted(edition: Edition, candidates: int) -> str | None:
    """Why these are not the readers the editor had in mind, in words; None when they are."""
    seen = edition.approved_candidates or 0
    if drift.FAR.is_passed(seen, candidates):
        return f"The audience was {seen:,} when this was approved and is {candidates:,} now. {proofs.LOOK_AGAIN}"
    return None


def due(session: Session, now: datetime, undo: timedelta) -> Sequence[Edition]:
    """Approved editions whose time has come and whose undo window is over."""
    approved = sa.select(Edition).where(
        Edition.state == EditionState.APPROVED,
        Edition.send_at <= now,
        Edition.approved_at <= (now - undo).astimezone(UTC),
    )
    return session.scalars(approved.order_by(Edition.week)).all()
