"""Which row is meant: tools by slug or by their words, comparisons by slug or by their tools.

A tool whose address is not known is keyed by name and tagline until the address is learned; then it is that tool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest import pages
from digest.facts import ComparisonFacts, ToolFacts
from digest.merging import merge_comparisons, merge_tools
from digest.models import Comparison, Tool

# — tools —


def find_tool(session: Session, facts: ToolFacts) -> Tool | None:
    """By slug; without one by name and tagline, where that names one tool only. A name alone is no key."""
    if facts.slug is None:
        return _unaddressed(session, facts) or _only_bearer(session, facts)
    known = session.scalars(sa.select(Tool).where(Tool.slug == facts.slug)).one_or_none()
    return known or awaiting(session, facts)


def _unaddressed(session: Session, facts: ToolFacts) -> Tool | None:
    words = sa.and_(Tool.name == facts.name, Tool.tagline == facts.tagline)
    return session.scalars(sa.select(Tool).where(words, Tool.slug.is_(None))).first()


def _only_bearer(session: Session, facts: ToolFacts) -> Tool | None:
    if facts.tagline is None:
        return None
    words = sa.and_(Tool.name == facts.name, Tool.tagline == facts.tagline)
    named = session.scalars(sa.select(Tool).where(words, Tool.slug.is_not(None)).limit(2)).all()
    return named[0] if len(named) == 1 else None


def awaiting(session: Session, facts: ToolFacts) -> Tool | None:
    """The tool that these words named before anybody knew its address."""
    return _unaddressed(session, facts) if facts.tagline is not None else None


# — comparisons —


def by_slug(session: Session, slug: str | None) -> Comparison | None:
    if slug is None:
        return None
    return session.scalars(sa.select(Comparison).where(Comparison.slug == slug)).one_or_none()


def by_tools(session: Session, left: Tool | None, right: Tool | None, *, slug: str | None) -> Comparison | None:
    """The same two tools on a page read without its address, or of one whose address is not known yet."""
    if left is None or right is None:
        return None
    pair = sa.select(Comparison).where(_is_pair(left.id, right.id))
    if slug is not None:
        pair = pair.where(Comparison.slug.is_(None))
    return session.scalars(pair.order_by(Comparison.slug.is_(None), Comparison.id)).first()


def side_called(session: Session, comparison: Comparison, name: str) -> Tool | None:
    """The tool of that name on either side, where not both are called so."""
    sides = (session.get_one(Tool, comparison.left_id), session.get_one(Tool, comparison.right_id))
    named = [tool for tool in sides if tool.name == name]
    return named[0] if len(named) == 1 else None


def _is_pair(one: int, other: int) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.and_(Comparison.left_id == one, Comparison.right_id == other),
        sa.and_(Comparison.left_id == other, Comparison.right_id == one),
    )


# — learning an address —


def unite(session: Session, *, into: Tool, other: Tool) -> None:
    merge_tools(session, into=into, other=other)
    absorb_twins(session, into)


def absorb_twins(session: Session, tool: Tool) -> None:
    """A page read without its address, of two tools that another page compares, is that page."""
    on_a_side = sa.or_(Comparison.left_id == tool.id, Comparison.right_id == tool.id)
    unaddressed = session.scalars(
        sa.select(Comparison).where(Comparison.slug.is_(None), on_a_side).order_by(Comparison.id.desc())
    ).all()
    for each in unaddressed:
        twin = session.scalars(
            sa.select(Comparison)
            .where(_is_pair(each.left_id, each.right_id), sa.or_(Comparison.slug.is_not(None), Comparison.id < each.id))
            .order_by(Comparison.slug.is_(None), Comparison.id)
        ).first()
        if twin is not None:
            merge_comparisons(session, into=twin, other=each)


# — addresses that can be split in more ways than one —


Words = tuple[str, str | None]
"""A tool's name and tagline."""


def with_tool_slugs(session: Session, facts: ComparisonFacts, known: Comparison | None) -> ComparisonFacts:
    """Where a comparison's slug can be split in more ways than one, the tools we know by slug tell which is right."""
    left, right = facts.tools
    if facts.slug is None or (left.slug and right.slug):
        return facts
    split = _settled(session, known) or _only_split(session, facts.slug, facts.tools)
    if split is None:
        return facts
    tools = (left.model_copy(update={"slug": split[0]}), right.model_copy(update={"slug": split[1]}))
    return facts.model_copy(update={"tools": tools})


def learn_from_page(session: Session, comparison: Comparison, facts: ComparisonFacts) -> bool:
    """A page read before without its tools' addresses now gives them. True where it did."""
    learned = False
    for told in facts.tools:
        known = side_called(session, comparison, told.name)
        if told.slug is not None and known is not None and known.slug is None and known.tagline is not None:
            _give_slug(session, known, told.slug)
            learned = True
    return learned


def _settled(session: Session, known: Comparison | None) -> tuple[str, str] | None:
    """How this very address was split before."""
    if known is None:
        return None
    slugs = {session.get_one(Tool, side).slug for side in (known.left_id, known.right_id)}
    return next((split for split in pages.slug_splits(known.slug or "") if set(split) == slugs), None)


def _only_split(session: Session, slug: str, tools: Sequence[ToolFacts | Tool]) -> tuple[str, str] | None:
    """The one split into tools we know: one by name and tagline, or both by name, and neither by another name."""
    splits = [
        split
        for split in pages.slug_splits(slug)
        if split[0] != split[1] and all(tool.slug in (None, part) for tool, part in zip(tools, split, strict=True))
    ]
    rows = session.execute(
        sa.select(Tool.slug, Tool.name, Tool.tagline).where(Tool.slug.in_({part for split in splits for part in split}))
    )
    known: dict[str | None, Words] = {own: (name, tagline) for own, name, tagline in rows}
    agreeing = [split for split in splits if _agrees(split, tools, known)]
    return agreeing[0] if len(agreeing) == 1 else None


def _agrees(split: tuple[str, str], tools: Sequence[ToolFacts | Tool], known: Mapping[str | None, Words]) -> bool:
    pairs = [((tool.name, tool.tagline), known[part]) for tool, part in zip(tools, split, strict=True) if part in known]
    if any(told[0] != stored[0] for told, stored in pairs):
        return False
    return len(pairs) == len(split) or any(told == stored and told[1] is not None for told, stored in pairs)


def settle(session: Session) -> None:
    """An address that could not be split when its page was read may be plain by now; that may make others plain."""
    tried: set[int] = set()
    while found := next((each for each in _unsettled(session) if each[0].id not in tried), None):
        comparison, *tools = found
        tried.add(comparison.id)
        split = _only_split(session, comparison.slug or "", tools)
        if split is None:
            continue
        for tool, slug in zip(tools, split, strict=True):
            if tool.slug is None:
                _give_slug(session, tool, slug)
        tried.clear()


def _unsettled(session: Session) -> list[tuple[Comparison, Tool, Tool]]:
    left, right = aliased(Tool), aliased(Tool)
    unknown = sa.or_(left.slug.is_(None), right.slug.is_(None))
    # A name alone may be that of several tools: what is told of one of them must not be given to another.
    telling = sa.and_(*(sa.or_(side.slug.is_not(None), side.tagline.is_not(None)) for side in (left, right)))
    rows = session.execute(
        sa.select(Comparison, left, right)
        .join(left, left.id == Comparison.left_id)
        .join(right, right.id == Comparison.right_id)
        .where(Comparison.slug.is_not(None), unknown, telling)
        .order_by(Comparison.id)
    )
    return [(comparison, one, other) for comparison, one, other in rows]


def _give_slug(session: Session, tool: Tool, slug: str) -> None:
    known = session.scalars(sa.select(Tool).where(Tool.slug == slug)).one_or_none()
    if known is not None:
        unite(session, into=known, other=tool)
        return
    tool.slug = slug
    session.flush()
