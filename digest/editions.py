"""One week's digest and its life: every move between states goes through `advance`, which checks it and logs it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from database import claim
from digest import answers, batches, variants
from digest.errors import DigestError
from digest.facts import ComparisonFacts, verdict_of
from digest.models import (
    Comparison,
    Considered,
    Correction,
    Edition,
    EditionLog,
    EditionState,
    Entry,
    Featured,
    RenderingRow,
    Tool,
)
from digest.rendering.typography import spoken_day
from digest.variants import AlsoCompared, EditionCopy, EntryCopy
from digest.verdicts import Summary
from digest.weeks import Week

DRAFT, APPROVED, SENDING, SENT, HALTED, STOPPED, SKIPPED = EditionState

MOVES: dict[EditionState, set[EditionState]] = {
    DRAFT: {APPROVED, SKIPPED},
    APPROVED: {DRAFT, SENDING, SKIPPED, HALTED},  # back to draft: an editor spotted something, or a page is gone
    SENDING: {SENT, HALTED},
    HALTED: {APPROVED, SENDING, STOPPED},
    SKIPPED: {DRAFT},
    SENT: set(),
    STOPPED: set(),
}


NAMELESS = "command line"
"""Who did something where nobody said who they are."""


class NoSuchEdition(DigestError):
    """There is no edition of that week."""


class NotThatMove(DigestError):
    """The edition is not in a state from which this can be done."""


class TakenElsewhere(DigestError):
    """Comparisons of this edition are in another one by now; readers would get them twice."""


class NewerHasBegun(DigestError):
    """A newer edition has already gone out; resuming this one needs --stale."""


class NeedsAName(DigestError):
    """The breaker halted this edition, so resuming it needs somebody's name."""

    def __init__(self, edition: Edition) -> None:
        super().__init__(
            f"The breaker halted {edition.week}, so a person must answer for going on: "
            f"digest edition resume {edition.week} --by EMAIL --why TEXT"
        )


class WentOutBefore(DigestError):
    """This edition went out before the database was restored, so it never goes out again."""

    def __init__(self, edition: Edition) -> None:
        super().__init__(
            f"Edition {edition.week} began to go out {edition.journaled_begun_at:%Y-%m-%d %H:%M} UTC, as far as is "
            f"known, and the backup this database was restored from does not tell to whom. It never goes out again; "
            f"`digest edition stop {edition.week}` ends it."
        )


def find(session: Session, week: str) -> Edition:
    """The edition of `2026-W47`, or the newest for `latest`. Raises NoSuchEdition or BadWeek."""
    if week == "latest":
        newest = session.scalars(sa.select(Edition).order_by(Edition.week.desc()).limit(1)).one_or_none()
        if newest is None:
            raise NoSuchEdition("There is no edition yet; `digest edition draft` makes the first one.")
        return newest
    named = str(Week.parse(week))
    edition = session.scalars(sa.select(Edition).where(Edition.week == named)).one_or_none()
    if edition is None:
        raise NoSuchEdition(f"There is no edition of {named}; `digest edition draft {named}` makes one.")
    return edition


def advance(
    session: Session,
    edition: Edition,
    to: EditionState,
    *,
    by: str,
    now: datetime,
    why: str | None = None,
    **changes: Any,
) -> None:
    """Move an edition and write its log line; `changes` are set in the same statement.

    Raises NotThatMove when the edition is, or by now has come, into a state from which there is no such move, and
    WentOutBefore for all but a halt and a stop of one that only the journal knows to have begun.
    """
    if edition.journaled_begun_at is not None and to not in (HALTED, STOPPED):
        raise WentOutBefore(edition)
    before = edition.state
    moved = to in MOVES[before] and claim(
        session,
        Edition,
        Edition.id == edition.id,
        Edition.state == before,
        values={"state": to, "why": why, "halted_from": before if to is HALTED else None, **changes},
    )
    if not moved:
        session.refresh(edition)
        raise NotThatMove(f"Edition {edition.week} is {edition.state}, so it cannot become {to}.")
    session.refresh(edition)
    log(session, edition, by=by, what=f"{before} → {to}", why=why, now=now)


def log(session: Session, edition: Edition, *, by: str, what: str, now: datetime, why: str | None = None) -> None:
    """Who did what to an edition, and why."""
    session.add(EditionLog(edition_id=edition.id, at=now, by=by, what=what, why=why))


def hold(session: Session, edition: Edition, *, why: str, by: str, now: datetime) -> None:
    """Nothing more is handed over until somebody resumes. Approved or sending → halted."""
    advance(session, edition, HALTED, by=by, now=now, why=why)


def resume(session: Session, edition: Edition, *, why: str, by: str, now: datetime, stale: bool = False) -> None:
    """Back to the state before the halt; to draft where an approved edition lost an entry meanwhile.

    An approved edition that should have left already leaves now.

    Raises NewerHasBegun unless `stale`, WentOutBefore, and NeedsAName where the breaker halted it.
    """
    if edition.state is not HALTED:
        raise NotThatMove(f"Edition {edition.week} is {edition.state}; only a halted one can be resumed.")
    if edition.journaled_begun_at is not None:
        raise WentOutBefore(edition)
    if by == NAMELESS and answers.answered(session, edition.id).waits:
        raise NeedsAName(edition)
    begun = newer_begun(session, edition)
    if begun and not stale:
        raise NewerHasBegun(
            f"Edition {begun} has already gone out; to resume {edition.week} all the same, add --stale."
        )
    to = edition.halted_from or SENDING
    # Whoever resumes an edition whose time has passed means now: else the clock would find it late and hold it again.
    leaves = {"send_at": max(edition.send_at, now)} if to is APPROVED else {}
    advance(session, edition, to, by=by, now=now, why=why, **leaves)
    withdrawn = withdrawn_entries(session, edition)
    if edition.state is APPROVED and withdrawn:
        position, because = next(iter(withdrawn.items()))
        reopen(session, edition, why=f"entry {position} was withdrawn: {because}", by=by, now=now)


def stop(session: Session, edition: Edition, *, why: str, by: str, now: datetime) -> None:
    """Nothing more of a halted edition goes out: whoever has not got it never will, with that reason."""
    advance(session, edition, STOPPED, by=by, now=now, why=why, finished_at=now)
    batches.withhold_rest(session, edition, why=f"stopped: {why}")


def skip(session: Session, edition: Edition, *, why: str, by: str, now: datetime) -> None:
    """This week has no edition; its comparisons stand again next week. Draft or approved → skipped."""
    advance(session, edition, SKIPPED, by=by, now=now, why=why, send_at=edition.planned_at, **VOID)
    _void(session, edition)


def reopen(session: Session, edition: Edition, *, why: str, by: str, now: datetime) -> None:
    """Approved or skipped → draft: the approval is void. Raises TakenElsewhere."""
    own = [entry.comparison_id for entry in entries_of(session, edition)]
    if edition.state is SKIPPED and (weeks := held_elsewhere(session, edition, own).values()):
        raise TakenElsewhere(
            f"Comparisons of {edition.week} stand in {min(weeks)} by now; "
            f"skip that one first, or readers get them twice."
        )
    advance(session, edition, DRAFT, by=by, now=now, why=why, send_at=edition.planned_at, **VOID)
    _void(session, edition)


VOID: dict[str, Any] = {
    "approved_at": None,
    "approved_by": None,
    "approved_hash": None,
    "approved_candidates": None,
    "envelope": None,
    "reminded_at": None,  # it waits for somebody once more
}


def _void(session: Session, edition: Edition) -> None:
    session.execute(sa.delete(RenderingRow).where(RenderingRow.edition_id == edition.id))


def has_begun() -> sa.ColumnElement[bool]:
    """Whether readers have had an edition, by this ledger or by the journal."""
    return sa.or_(Edition.begun_at.is_not(None), Edition.journaled_begun_at.is_not(None))


def newer_begun(session: Session, edition: Edition) -> str | None:
    """The newest edition after this one that readers have had already; None where there is none."""
    newer = sa.select(Edition.week).where(Edition.week > edition.week, has_begun()).order_by(Edition.week.desc())
    return session.scalars(newer.limit(1)).one_or_none()


def holds_entries() -> sa.ColumnElement[bool]:
    """Whether an edition keeps its comparisons from others: it went out or still may. Skipping sets them free."""
    return sa.or_(has_begun(), Edition.state.not_in((SKIPPED, STOPPED)))


def held_elsewhere(session: Session, edition: Edition, comparisons: Collection[int]) -> dict[int, str]:
    """Which of these comparisons stand in another edition that went out or still may, with the week of the first.

    Readers would get them twice.
    """
    rows = session.execute(
        sa.select(Entry.comparison_id, sa.func.min(Edition.week))
        .join(Edition, Edition.id == Entry.edition_id)
        .where(Edition.id != edition.id, Entry.comparison_id.in_(list(comparisons)), holds_entries())
        .group_by(Entry.comparison_id)
    )
    return {comparison: week for comparison, week in rows}


def withdrawn_entries(session: Session, edition: Edition) -> dict[int, str]:
    """Entries whose comparison has been withdrawn, by position, with the reason."""
    rows = session.execute(
        sa.select(Entry.position, Comparison.withdrawn_because)
        .join(Comparison, Comparison.id == Entry.comparison_id)
        .where(Entry.edition_id == edition.id, Comparison.withdrawn_at.is_not(None))
        .order_by(Entry.position)
    )
    return {position: because or "" for position, because in rows}


def entries_of(session: Session, edition: Edition) -> Sequence[Entry]:
    """The entries in their order."""
    return session.scalars(sa.select(Entry).where(Entry.edition_id == edition.id).order_by(Entry.position)).all()


def note_featured(session: Session, edition: Edition, shown: Sequence[ComparisonFacts]) -> None:
    """Which tools an edition shows with which verdicts, in place of what was noted before."""
    session.execute(sa.delete(Featured).where(Featured.edition_id == edition.id))
    tools = {tool.identity: tool for facts in shown for tool in facts.tools}
    rows = [
        {"identity": identity, "edition_id": edition.id, "verdict": verdict_of(tool)}
        for identity, tool in tools.items()
    ]
    if rows:
        session.execute(sa.insert(Featured), rows)


def corrections_in(session: Session, edition: Edition, zone: ZoneInfo) -> list[str]:
    """The notes on earlier editions that this one prints."""
    return correction_notes(session, Correction.printed_in == edition.id, zone)


def correction_notes(session: Session, which: sa.ColumnElement[bool], zone: ZoneInfo) -> list[str]:
    """Notes on editions, each with the day of the edition it is about."""
    notes = session.execute(
        sa.select(Correction.words, Edition.send_at)
        .join(Edition, Edition.id == Correction.edition_id)
        .where(which)
        .order_by(Correction.id)
    )
    return [f"Edition of {spoken_day(at.astimezone(zone).date())}: {words}" for words, at in notes]


def considered_by_name(session: Session, edition: Edition) -> Sequence[tuple[Considered, str]]:
    """Everything that stood for selection with the title of its page, best first."""
    left, right = aliased(Tool), aliased(Tool)
    found = (
        sa.select(Considered, sa.func.coalesce(Comparison.title, left.name + " vs " + right.name))
        .join(Comparison, Comparison.id == Considered.comparison_id)
        .join(left, left.id == Comparison.left_id)
        .join(right, right.id == Comparison.right_id)
        .where(Considered.edition_id == edition.id)
        .order_by(Considered.rank)
    )
    return [(row, name) for row, name in session.execute(found)]


def log_of(session: Session, edition: Edition) -> Sequence[EditionLog]:
    """What happened to the edition, oldest first."""
    return session.scalars(
        sa.select(EditionLog).where(EditionLog.edition_id == edition.id).order_by(EditionLog.id)
    ).all()


def copy_of(session: Session, edition: Edition, zone: ZoneInfo, *, send_at: datetime | None = None) -> EditionCopy:
    """All words of the edition, from its frozen entries; dated by when it is planned to leave, or by `send_at`."""
    return EditionCopy(
        week=edition.week,
        dated=(send_at or edition.send_at).astimezone(zone).date(),
        subject=edition.subject,
        breath=edition.breath,
        introduction=edition.introduction,
        entries=tuple(entry_copy(entry) for entry in entries_of(session, edition)),
        also_compared=tuple(AlsoCompared.model_validate(line) for line in edition.also_compared),
        corrections=tuple(corrections_in(session, edition, zone)),
    )


def entry_copy(entry: Entry) -> EntryCopy:
    """One frozen entry as the mail prints it."""
    facts, summary = ComparisonFacts.model_validate(entry.facts), Summary.model_validate(entry.summary)
    return variants.entry_copy(entry.position, facts, summary)
