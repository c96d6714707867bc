"""Read what has been taken in: facts of comparisons, whole, with every loose remark given to whom it can be given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import remarks
from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts
from digest.models import Comparison, Take, Tool

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """One comparison as it is known now. `facts.loose_remarks` are those nobody can be given to."""

    id: int
    facts: ComparisonFacts
    first_seen_at: datetime
    loose_remarks: tuple[str, ...]
    """All remarks the page shows without a reviewer, in its order."""

    @property
    def stated(self) -> ComparisonFacts:
        """As the pages state it, with no remark given to anybody: taken in elsewhere, it reads the same there."""
        tools = tuple(
            tool.model_copy(update={"takes": tuple(take for take in tool.takes if take.reviewer)})
            for tool in self.facts.tools
        )
        return self.facts.model_copy(update={"tools": tools, "loose_remarks": self.loose_remarks})


def listed(session: Session, *, since: datetime | None = None) -> list[Found]:
    """Everything taken in, newest first."""
    found = comparisons(session, Comparison.first_seen_at >= since if since else sa.true())
    return sorted(found, key=lambda each: (each.first_seen_at, each.id), reverse=True)


def comparisons(session: Session, which: sa.ColumnElement[bool]) -> list[Found]:
    """The comparisons for which a condition on `Comparison` holds, by id: one statement, and two for their tools."""
    # Two namesakes may turn out to be one tool; what compared them compares nothing.
    which = sa.and_(which, Comparison.left_id != Comparison.right_id)
    rows = session.execute(sa.select(*_OF_COMPARISONS).where(which).order_by(Comparison.id)).all()
    tools = _tools(session, {side for row in rows for side in (row.left_id, row.right_id)})
    return [
        Found(row.id, _facts(row, tools[row.left_id], tools[row.right_id]), row.first_seen_at, tuple(row.loose_remarks))
        for row in rows
    ]


def changed(session: Session, placed: Mapping[int, ComparisonFacts]) -> frozenset[int]:
    """The comparisons whose pages say something else now than these facts, by number; one that is gone says nothing."""
    now = {found.id: found.facts for found in comparisons(session, Comparison.id.in_(list(placed)))}
    return frozenset(number for number, facts in placed.items() if now.get(number, facts) != facts)


# Columns rather than objects, which nobody here changes: half the time.
_OF_COMPARISONS = (
    Comparison.id,
    Comparison.slug,
    Comparison.url,
    Comparison.title,
    Comparison.left_id,
    Comparison.right_id,
    Comparison.published_at,
    Comparison.loose_remarks,
    Comparison.first_seen_at,
    Comparison.withdrawn_at,
)
_OF_TAKES = (Take.tool_id, Take.reviewer, Take.score, Take.call, Take.remark, Take.position)


def in_chunks(values: Iterable[T], size: int = 1_000) -> Iterator[list[T]]:
    """As many as a statement takes values on every database."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some


def _tools(session: Session, ids: Collection[int]) -> dict[int, ToolFacts]:
    """By id, so that what it costs is told by how many are asked for and not by how many there are."""
    tools: dict[int, ToolFacts] = {}
    for some in in_chunks(sorted(ids)):
        takes: defaultdict[int, list[TakeFacts]] = defaultdict(list)
        # Sorted here: databases differ in how they sort names.
        of_tools = session.execute(sa.select(*_OF_TAKES).where(Take.tool_id.in_(some))).all()
        for take in sorted(of_tools, key=lambda take: (take.position, take.reviewer)):
            takes[take.tool_id].append(
                TakeFacts.model_construct(
                    reviewer=take.reviewer, score=_plain(take.score), call=take.call, remark=take.remark
                )
            )
        for number, slug, facts in session.execute(sa.select(Tool.id, Tool.slug, Tool.facts).where(Tool.id.in_(some))):
            tools[number] = _tool(facts, slug, takes[number])
    return tools


def _tool(facts: dict[str, Any], slug: str | None, takes: Sequence[TakeFacts]) -> ToolFacts:
    """What `intake` stored it had checked: to check it again is most of what reading costs."""
    split, community = facts.get("split"), facts.get("community")
    return ToolFacts.model_construct(
        **{
            **facts,
            "slug": slug,
            "split": None if split is None else Split.model_construct(**split),
            "community": None if community is None else Community.model_construct(**community),
            "takes": tuple(takes),
        }
    )


def _plain(score: float | None) -> float | None:
    """80 as the page wrote it, not 80.0."""
    return int(score) if score is not None and score.is_integer() else score


def _facts(row: sa.Row[*tuple[Any, ...]], one: ToolFacts, other: ToolFacts) -> ComparisonFacts:
    left, right = _in_order(row.slug, one, other)
    resolved = remarks.resolve(row.loose_remarks, _known(left), _known(right))
    return ComparisonFacts.model_construct(
        slug=row.slug,
        url=row.url,
        title=row.title or f"{left.name} vs {right.name}",
        published_at=row.published_at,
        withdrawn=row.withdrawn_at is not None,
        tools=(
            _with_remarks(left, resolved.left_unattributed),
            _with_remarks(right, resolved.right_unattributed),
        ),
        loose_remarks=resolved.unassigned,
    )


def _in_order(slug: str | None, one: ToolFacts, other: ToolFacts) -> tuple[ToolFacts, ToolFacts]:
    """The page's order: that of its address, which is the alphabetical order of slugs."""
    if one.slug is None or other.slug is None or slug == f"{one.slug}-vs-{other.slug}":
        return one, other
    return (other, one) if slug == f"{other.slug}-vs-{one.slug}" or other.slug < one.slug else (one, other)


def _known(tool: ToolFacts) -> remarks.Known:
    return remarks.Known(tool.takes, tool.split, tool.panel_ship_percent)


def _with_remarks(tool: ToolFacts, unattributed: Sequence[str]) -> ToolFacts:
    """Remarks that are this tool's, though nobody knows whose they are."""
    if not unattributed:
        return tool
    more = tuple(TakeFacts(remark=remark) for remark in unattributed)
    return tool.model_copy(update={"takes": (*tool.takes, *more)})
