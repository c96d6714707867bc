"""What a restored ledger must not believe: that nothing happened since the backup was taken.

Nothing that was approved or being sent goes on by itself. What may have been handed over is uncertain, and what the
journal knows to have begun while this ledger does not never goes out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import drafting, editions
from digest.drafting import RESTORE
from digest.models import (
    Batch,
    BatchState,
    Edition,
    EditionState,
    ImportState,
    Letter,
    LetterState,
    ListImport,
    Request,
    SignInLink,
    StaffSession,
)
from digest.settings import Settings
from digest.weeks import Week

MAY_GO_OUT = (EditionState.APPROVED, EditionState.SENDING)
OVER = (EditionState.SENT, EditionState.STOPPED)


@dataclass(slots=True)
class Settled:
    """What was done to the paper's side of a restored database. Weeks in their order."""

    halted: list[str] = field(default_factory=list)
    went_out: list[str] = field(default_factory=list)
    """Begun by the journal only: they never go out again."""
    skipped: list[str] = field(default_factory=list)
    """Cut off since the backup, and without a journal nobody knows whether they went out."""
    drafts: list[str] = field(default_factory=list)
    uncertain: int = 0
    """Batches."""
    letters: int = 0
    requests: int = 0
    imports: int = 0


def settle(
    database: Database,
    settings: Settings,
    begun: Mapping[str, datetime],
    *,
    complete: bool,
    doubt: str | None,
    made_at: datetime,
    now: datetime,
) -> Settled:
    """Make a restored ledger safe. `begun`: when each week first went out, as far as is known.

    `complete` False: other weeks may have begun as well. `doubt`: why even a journal may not tell all.
    """
    done = Settled()
    with database.writing() as session:
        for edition in session.scalars(sa.select(Edition).order_by(Edition.week)).all():
            _settle(session, edition, begun, done, complete=complete, doubt=doubt, made_at=made_at, now=now)
        for week, at in sorted(begun.items()):
            if week not in done.went_out and not _is_known(session, week):
                why = f"{_unseen(at, made_at)}; `digest edition stop {week}` ends it"
                drafting.take_place(session, Week.parse(week), settings, begun_at=at, why=why, now=now)
                done.went_out.append(week)
        if not complete:
            why = f"restored from a backup of {_said(made_at)} without a journal: nobody knows whether it went out"
            done.skipped = [str(week) for week in drafting.skip_unknown(session, settings, why=why, now=now)]
        _forget_what_waited(session, done, made_at)
    done.went_out.sort()
    return done


def _settle(
    session: Session,
    edition: Edition,
    begun: Mapping[str, datetime],
    done: Settled,
    *,
    complete: bool,
    doubt: str | None,
    made_at: datetime,
    now: datetime,
) -> None:
    """One edition. The states are written as they must be: no move leads from "restored"."""
    before, known = edition.state, edition.begun_at is not None
    held_on_its_way = before is EditionState.HALTED and edition.halted_from in MAY_GO_OUT
    may_have_begun = not complete and (before in MAY_GO_OUT or held_on_its_way)
    unseen_at = None if known else begun.get(edition.week, now if may_have_begun else None)
    if before in OVER:
        return
    if known or unseen_at is not None:
        done.uncertain += _uncertain(session, edition, made_at)
    if unseen_at is not None:
        edition.journaled_begun_at = edition.journaled_begun_at or unseen_at
        why = _unseen(unseen_at, made_at) if edition.week in begun else _unknown(made_at)
        _halt(session, edition, f"{why}; `digest edition stop {edition.week}` ends it", now)
        done.went_out.append(edition.week)
    elif before in MAY_GO_OUT:
        why = "; ".join(filter(None, [f"restored from a backup of {_said(made_at)}", doubt]))
        _halt(session, edition, f"{why}; look at it, then resume or stop it", now)
        done.halted.append(edition.week)
    elif before is EditionState.DRAFT and not complete:
        # One more line in its log: what people have touched is not approved automatically.
        editions.log(session, edition, by=RESTORE, what="restored without a journal", why=_unknown(made_at), now=now)
        done.drafts.append(edition.week)


def _halt(session: Session, edition: Edition, why: str, now: datetime) -> None:
    before = edition.state
    if before is not EditionState.HALTED:
        edition.halted_from = before
    edition.state, edition.why = EditionState.HALTED, why
    session.flush()
    editions.log(session, edition, by=RESTORE, what=f"{before} → {edition.state}", why=why, now=now)


def _uncertain(session: Session, edition: Edition, made_at: datetime) -> int:
    """Batches that were not handed over yet, when the backup was taken."""
    why = (
        f"the backup of {_said(made_at)} was taken before this batch was handed over; whether it was after that cannot "
        f"be known"
    )
    waiting = sa.update(Batch).where(
        Batch.edition_id == edition.id, Batch.state.in_((BatchState.PENDING, BatchState.SUBMITTING))
    )
    changed = session.execute(
        waiting.values(state=BatchState.UNCERTAIN, why=why, lease_until=None, not_before=None).execution_options(
            synchronize_session=False
        )
    )
    return int(getattr(changed, "rowcount", 0))


def _is_known(session: Session, week: str) -> bool:
    return session.scalar(sa.select(sa.exists().where(Edition.week == week))) or False


def _forget_what_waited(session: Session, done: Settled, made_at: datetime) -> None:
    """Nobody is still signed in, no list is still being brought in, and nobody gets a letter a second time."""
    session.execute(sa.delete(StaffSession))
    session.execute(sa.delete(SignInLink))
    done.requests = _count(session.execute(sa.delete(Request)))
    why = f"restored from a backup of {_said(made_at)}"
    done.letters = _count(
        session.execute(
            sa.update(Letter)
            .where(Letter.state == LetterState.QUEUED)
            .values(state=LetterState.GIVEN_UP, last_problem=f"{why}: it may have been posted before")
        )
    )
    unfinished = (ImportState.CHECKING, ImportState.BRINGING_IN)
    done.imports = _count(
        session.execute(
            sa.update(ListImport)
            .where(ListImport.state.in_(unfinished))
            .values(state=ImportState.FAILED, problem=f"{why}: bring the list in again", lease_until=None)
        )
    )


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))


def _unseen(begun_at: datetime, made_at: datetime) -> str:
    return (
        f"it began to go out {_said(begun_at)} and the backup of {_said(made_at)} does not tell to whom, "
        f"so it never goes out again"
    )


def _unknown(made_at: datetime) -> str:
    return f"restored from a backup of {_said(made_at)} without a journal: whether it went out since cannot be known"


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
