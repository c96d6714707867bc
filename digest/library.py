"""Read what has been taken in: facts of comparisons, whole, with every loose remark given to whom it can be given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import remarks
from digest.facts import ComparisonFacts, TakeFacts, ToolFacts
from digest.models import Comparison, Take, Tool


@dataclass(frozen=True)
class Found:
    """One comparison as it is known now. `facts.loose_remarks` are those nobody can be given to."""

    id: int
    facts: ComparisonFacts
    first_seen_at: datetime


def listed(session: Session, *, since: datetime | None = None) -> list[Found]:
    """Everything taken in, newest first."""
    found = comparisons(session, Comparison.first_seen_at >= since if since else sa.true())
    return sorted(found, key=lambda each: (each.first_seen_at, each.id), reverse=True)


def comparisons(session: Session, which: sa.ColumnElement[bool]) -> list[Found]:
    """The comparisons for which a condition on `Comparison` holds, by id: three statements, however many there are."""
    rows = session.scalars(sa.select(Comparison).where(which).order_by(Comparison.id)).all()
    tools = _tools(session, which)
    return [Found(row.id, _facts(row, tools[row.left_id], tools[row.right_id]), row.first_seen_at) for row in rows]


def _tools(session: Session, which: sa.ColumnElement[bool]) -> dict[int, ToolFacts]:
    in_one = sa.exists().where(which, sa.or_(Comparison.left_id == Tool.id, Comparison.right_id == Tool.id))
    takes: defaultdict[int, list[TakeFacts]] = defaultdict(list)
    of_tools = sa.select(Take).join(Tool, Tool.id == Take.tool_id).where(in_one).order_by(Take.position, Take.id)
    for take in session.scalars(of_tools):
        takes[take.tool_id].append(
            TakeFacts.model_construct(
                reviewer=take.reviewer, score=_plain(take.score), call=take.call, remark=take.remark
            )
        )
    return {
        tool.id: ToolFacts.model_validate({**tool.facts, "slug": tool.slug, "takes": takes[tool.id]})
        for tool in session.scalars(sa.select(Tool).where(in_one))
    }


def _plain(score: float | None) -> float | None:
    """80 as the page wrote it, not 80.0."""
    return int(score) if score is not None and score.is_integer() else score


def _facts(row: Comparison, left: ToolFacts, right: ToolFacts) -> ComparisonFacts:
    resolved = remarks.resolve(row.loose_remarks, _known(left), _known(right))
    return ComparisonFacts(
        slug=row.slug,
        url=row.url,
        title=row.title,
        published_at=row.published_at,
        withdrawn=row.withdrawn_at is not None,
        tools=(
            _with_remarks(left, resolved.left_unattributed),
            _with_remarks(right, resolved.right_unattributed),
        ),
        loose_remarks=resolved.unassigned,
    )


def _known(tool: ToolFacts) -> remarks.Known:
    return remarks.Known(tool.takes, tool.split, tool.panel_ship_percent)


def _with_remarks(tool: ToolFacts, unattributed: Sequence[str]) -> ToolFacts:
    """Remarks that are this tool's, though nobody knows whose they are."""
    if not unattributed:
        return tool
    more = tuple(TakeFacts(remark=remark) for remark in unattributed)
    return tool.model_copy(update={"takes": (*tool.takes, *more)})
