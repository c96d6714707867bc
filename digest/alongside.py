"""What an editor sees beside an edition's words: why a comparison is in or out, whose page changed, who changed what.

Reads only, and no more than is shown: a week may bring hundreds of comparisons, and a draft may see hundreds of edits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest.manuscript import Manuscript
from digest.models import Comparison, Considered, Edit, Edition, Tool

_OUTCOMES = ("chosen: ", "passed over: ")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a comparison was chosen or passed over when the edition was drafted."""

    rank: int
    score: int
    words: str


@dataclass(frozen=True, slots=True)
class Outside:
    """A comparison that stood for selection and is not in the edition."""

    comparison: int
    title: str
    url: str | None
    reason: Reason
    is_near_miss: bool
    was_chosen: bool
    """The program had chosen it: an editor has taken it out since."""


@dataclass(frozen=True, slots=True)
class Change:
    """One edit, without the words it changed."""

    revision: int
    at: datetime
    by: str
    what: str
    undoes: int | None
    undone_in: int | None


@dataclass(frozen=True, slots=True)
class Touched:
    """How often somebody changed an edition, and who did last."""

    times: int
    by: str
    at: datetime


def reasons(session: Session, edition: Edition, comparisons: Collection[int]) -> Mapping[int, Reason]:
    """Why each of these was chosen, by comparison; none for one that did not stand."""
    rows = session.execute(
        sa.select(Considered.comparison_id, Considered.rank, Considered.score, Considered.reason).where(
            Considered.edition_id == edition.id, Considered.comparison_id.in_(comparisons)
        )
    )
    return {row.comparison_id: Reason(row.rank, row.score, _without_outcome(row.reason)) for row in rows}


def outside(session: Session, edition: Edition, found: Manuscript, *, limit: int | None = None) -> Sequence[Outside]:
    """What is not in the edition: first what an editor took out, then near misses, then the rest; by rank each."""
    left, right = aliased(Tool), aliased(Tool)
    near = {line.comparison for line in found.also_compared if line.comparison is not None}
    is_near = Considered.comparison_id.in_(near)
    rows = session.execute(
        sa.select(
            Considered.comparison_id,
            sa.func.coalesce(Comparison.title, left.name + " vs " + right.name).label("title"),
            Comparison.url,
            Considered.rank,
            Considered.score,
            Considered.reason,
            Considered.chosen,
        )
        .join(Comparison, Comparison.id == Considered.comparison_id)
        .join(left, left.id == Comparison.left_id)
        .join(right, right.id == Comparison.right_id)
        .where(*_is_outside(edition, found))
        .order_by(sa.case((Considered.chosen, 0), (is_near, 1), else_=2), Considered.rank)
        .limit(limit)
    )
    return [
        Outside(
            comparison=row.comparison_id,
            title=row.title,
            url=row.url,
            reason=Reason(row.rank, row.score, _without_outcome(row.reason)),
            is_near_miss=row.comparison_id in near,
            was_chosen=row.chosen,
        )
        for row in rows
    ]


def count_outside(session: Session, edition: Edition, found: Manuscript) -> int:
    """How many stood for selection and are not in the edition."""
    return session.scalar(sa.select(sa.func.count()).where(*_is_outside(edition, found))) or 0


def changes(
    session: Session, edition: Edition, *, since: int | None = None, limit: int | None = None
) -> Sequence[Change]:
    """Who changed what, the newest first; with `since` only what came after that revision."""
    wanted = (
        sa.select(Edit.revision, Edit.at, Edit.by, Edit.what, Edit.undoes, Edit.undone_in)
        .where(Edit.edition_id == edition.id)
        .order_by(Edit.revision.desc())
        .limit(limit)
    )
    if since is not None:
        wanted = wanted.where(Edit.revision > since)
    return [Change(*row) for row in session.execute(wanted)]


def count_changes(session: Session, edition: Edition) -> int:
    return session.scalar(sa.select(sa.func.count()).where(Edit.edition_id == edition.id)) or 0


def touched(session: Session, ids: Collection[int]) -> Mapping[int, Touched]:
    """The edits of several editions, by edition; none for one that nobody has changed."""
    counted = (
        sa.select(Edit.edition_id, sa.func.count().label("times"), sa.func.max(Edit.revision).label("last"))
        .where(Edit.edition_id.in_(ids))
        .group_by(Edit.edition_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(Edit.edition_id, counted.c.times, Edit.by, Edit.at).join(
            counted, sa.and_(Edit.edition_id == counted.c.edition_id, Edit.revision == counted.c.last)
        )
    )
    return {row.edition_id: Touched(row.times, row.by, row.at) for row in rows}


def _is_outside(edition: Edition, found: Manuscript) -> tuple[sa.ColumnElement[bool], ...]:
    return Considered.edition_id == edition.id, Considered.comparison_id.not_in(found.order)


def _without_outcome(reason: str) -> str:
    """The clause alone: where it stands the page says already whether it is in or out."""
    for outcome in _OUTCOMES:
        reason = reason.removeprefix(outcome)
    return reason
