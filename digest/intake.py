"""Take in what pages say: tools once, takes once per reviewer, comparisons by slug. Rows only; no files, no network.

Missing never overwrites known; of two values the page seen later wins. Reading the same page again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions, pages
from digest.errors import DigestError
from digest.facts import Community, ComparisonFacts, TakeFacts, ToolFacts
from digest.models import Comparison, Edition, EditionState, Entry, Take, Tool

News = Literal["new", "changed", "unchanged", "withdrawn"]

# What a tool row keeps apart from its facts: takes have rows of their own, and identity has columns.
_APART = {"takes", "slug"}


class NoSuchComparison(DigestError):
    """No comparison with that slug has been taken in."""


class OneToolTwice(DigestError):
    """Both sides of the comparison are the same tool."""


@dataclass(frozen=True)
class Taken:
    """What taking in one page did."""

    comparison_id: int
    name: str
    news: News


def take_in(session: Session, facts: ComparisonFacts, *, now: datetime) -> Taken:
    """Upsert one page's facts. Raises OneToolTwice."""
    facts = _with_tool_slugs(session, facts)
    name = facts.slug or facts.headline
    if facts.tools[0].identity == facts.tools[1].identity:
        raise OneToolTwice(f"{name} compares {facts.tools[0].name} with itself; a comparison needs two tools.")
    content_hash = hashlib.sha256(facts.model_dump_json().encode()).hexdigest()
    known = _by_slug(session, facts)
    if known is not None and known.content_hash == content_hash and not _is_back(known, facts):
        return Taken(known.id, name, "unchanged")
    left, right = (_take_in_tool(session, tool, now) for tool in facts.tools)
    comparison = known or _by_tools(session, left.tool, right.tool, facts)
    if comparison is None:
        comparison = _new_comparison(facts, left.tool, right.tool, content_hash, now)
        session.add(comparison)
        session.flush()
        news: News = "new"
    elif comparison.content_hash == content_hash and not _is_back(comparison, facts):
        return Taken(comparison.id, name, "unchanged")
    else:
        touched = _update_comparison(comparison, facts, left.tool, right.tool, content_hash)
        news = "changed" if touched or left.changed or right.changed else "unchanged"
        if news == "changed":
            comparison.changed_at = now
    if facts.withdrawn and comparison.withdrawn_at is None:
        _withdraw(session, comparison, because="its page says it is withdrawn", by=None, now=now)
        news = "withdrawn"
    session.flush()
    return Taken(comparison.id, name, news)


def withdraw(session: Session, slug: str, *, why: str, by: str, now: datetime) -> Comparison:
    """A person takes a comparison out of every edition not yet handed over. Raises NoSuchComparison."""
    comparison = session.scalars(sa.select(Comparison).where(Comparison.slug == slug)).one_or_none()
    if comparison is None:
        raise NoSuchComparison(f'No comparison "{slug}" has been taken in; `digest comparisons` lists the slugs.')
    _withdraw(session, comparison, because=why, by=by, now=now)
    return comparison


def page_gone(session: Session, url: str, *, now: datetime) -> Comparison | None:
    """The page itself answers 404 or 410: its comparison is withdrawn, if we have it."""
    comparison = session.scalars(
        sa.select(Comparison).where(sa.or_(Comparison.url == url, Comparison.slug == pages.slug_of(url)))
    ).first()
    if comparison is not None and comparison.withdrawn_at is None:
        _withdraw(session, comparison, because="its page is gone", by=None, now=now)
    return comparison


def _withdraw(session: Session, comparison: Comparison, *, because: str, by: str | None, now: datetime) -> None:
    comparison.withdrawn_at, comparison.withdrawn_because, comparison.withdrawn_by = now, because, by
    comparison.changed_at = now
    approved = (
        sa.select(Edition)
        .join(Entry, Entry.edition_id == Edition.id)
        .where(Entry.comparison_id == comparison.id, Edition.state == EditionState.APPROVED)
    )
    for edition in session.scalars(approved).all():
        why = f"{comparison.title or comparison.slug} was withdrawn: {because}"
        editions.reopen(session, edition, why=why, by=by or "intake", now=now)


def _is_back(comparison: Comparison, facts: ComparisonFacts) -> bool:
    """A page that had gone and is there again. What a person withdrew stays withdrawn."""
    return comparison.withdrawn_at is not None and comparison.withdrawn_by is None and not facts.withdrawn


# — tools —


@dataclass(frozen=True)
class _ToolTaken:
    tool: Tool
    changed: bool


def _take_in_tool(session: Session, facts: ToolFacts, now: datetime) -> _ToolTaken:
    tool = _find_tool(session, facts)
    told = facts.model_dump(mode="json", exclude_none=True, exclude=_APART)
    if tool is None:
        tool = Tool(
            slug=facts.slug, name=facts.name, tagline=facts.tagline, facts=told, first_seen_at=now, changed_at=now
        )
        session.add(tool)
        session.flush()
        _take_in_takes(session, tool, facts.takes)
        return _ToolTaken(tool, changed=True)
    merged = _merge(tool.facts, told)
    changed = merged != tool.facts or tool.slug != (facts.slug or tool.slug)
    if changed:
        tool.facts, tool.name, tool.tagline = merged, merged["name"], merged.get("tagline")
        tool.slug = facts.slug or tool.slug
    changed = _take_in_takes(session, tool, facts.takes) or changed
    if changed:
        tool.changed_at = now
    return _ToolTaken(tool, changed)


def _find_tool(session: Session, facts: ToolFacts) -> Tool | None:
    """By slug; without one by name and tagline, where that names one tool only. A slug learned later is adopted."""
    same_words = sa.select(Tool).where(Tool.name == facts.name, Tool.tagline == facts.tagline)
    nameless = session.scalars(same_words.where(Tool.slug.is_(None))).first()
    if facts.slug is None:
        named = session.scalars(same_words.where(Tool.slug.is_not(None)).limit(2)).all()
        return nameless or (named[0] if len(named) == 1 else None)
    known = session.scalars(sa.select(Tool).where(Tool.slug == facts.slug)).one_or_none()
    if known is None or nameless is None:
        return known or nameless
    _merge_tools(session, into=known, other=nameless)
    return known


def _merge(known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    merged = {**known, **told}
    if "community" in told and "community" in known:
        merged["community"] = _merge_votes(known["community"], told["community"])
    return merged


def _merge_votes(known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A page that shows the same percentage without the number of votes does not make the number unknown."""
    community, before = Community.model_validate(told), Community.model_validate(known)
    if community.votes is None and community.ship_percent == before.ship_percent:
        return known
    return told


def _take_in_takes(session: Session, tool: Tool, told: Iterable[TakeFacts]) -> bool:
    known = {take.reviewer: take for take in session.scalars(sa.select(Take).where(Take.tool_id == tool.id))}
    changed = False
    for position, facts in enumerate(facts for facts in told if facts.reviewer):
        take = known.get(facts.reviewer or "")
        if take is None:
            session.add(
                Take(
                    tool_id=tool.id,
                    reviewer=facts.reviewer or "",
                    score=facts.score,
                    call=facts.call,
                    remark=facts.remark,
                    position=position,
                )
            )
            changed = True
            continue
        for field in ("score", "call", "remark"):
            value = getattr(facts, field)
            if value is not None and value != getattr(take, field):
                setattr(take, field, value)
                changed = True
    session.flush()
    return changed


def _merge_tools(session: Session, *, into: Tool, other: Tool) -> None:
    """A tool first read without an address turns out to be one we know: its rows move over, then it goes."""
    into.facts = _merge(other.facts, into.facts)
    theirs = session.scalars(sa.select(Take).where(Take.tool_id == other.id)).all()
    ours = set(session.scalars(sa.select(Take.reviewer).where(Take.tool_id == into.id)))
    for take in theirs:
        if take.reviewer in ours:
            session.delete(take)
        else:
            take.tool_id = into.id
    for column in (Comparison.left_id, Comparison.right_id):
        session.execute(sa.update(Comparison).where(column == other.id).values({column: into.id}))
    session.flush()
    session.delete(other)
    session.flush()


# — comparisons —


def _with_tool_slugs(session: Session, facts: ComparisonFacts) -> ComparisonFacts:
    """Where a comparison's slug can be split in more ways than one, the tools we know by slug tell which is right."""
    left, right = facts.tools
    if facts.slug is None or (left.slug and right.slug):
        return facts
    splits = pages.slug_splits(facts.slug)
    parts = {part for split in splits for part in split}
    rows = session.execute(sa.select(Tool.slug, Tool.name).where(Tool.slug.in_(parts)))
    known = {slug: name for slug, name in rows}
    agreeing = [
        split
        for split in splits
        if (left.slug or split[0]) == split[0]
        and (right.slug or split[1]) == split[1]
        and (known.get(split[0]) == left.name or known.get(split[1]) == right.name)
    ]
    if len(agreeing) != 1:
        return facts
    tools = (left.model_copy(update={"slug": agreeing[0][0]}), right.model_copy(update={"slug": agreeing[0][1]}))
    return facts.model_copy(update={"tools": tools})


def _by_slug(session: Session, facts: ComparisonFacts) -> Comparison | None:
    if facts.slug is None:
        return None
    return session.scalars(sa.select(Comparison).where(Comparison.slug == facts.slug)).one_or_none()


def _by_tools(session: Session, left: Tool, right: Tool, facts: ComparisonFacts) -> Comparison | None:
    """The same two tools on a page read without its address, or of one whose address is not known yet."""
    pair = sa.select(Comparison).where(
        sa.or_(
            sa.and_(Comparison.left_id == left.id, Comparison.right_id == right.id),
            sa.and_(Comparison.left_id == right.id, Comparison.right_id == left.id),
        )
    )
    if facts.slug is not None:
        pair = pair.where(Comparison.slug.is_(None))
    return session.scalars(pair.order_by(Comparison.id)).first()


def _new_comparison(facts: ComparisonFacts, left: Tool, right: Tool, content_hash: str, now: datetime) -> Comparison:
    return Comparison(
        slug=facts.slug,
        url=facts.url,
        title=facts.title or facts.headline,
        left_id=left.id,
        right_id=right.id,
        published_at=facts.published_at,
        loose_remarks=list(facts.loose_remarks),
        content_hash=content_hash,
        first_seen_at=now,
        changed_at=now,
    )


def _update_comparison(
    comparison: Comparison, facts: ComparisonFacts, left: Tool, right: Tool, content_hash: str
) -> bool:
    told = {
        "slug": facts.slug,
        "url": facts.url,
        "title": facts.title,
        "published_at": facts.published_at,
        "loose_remarks": list(facts.loose_remarks) or None,
        "left_id": left.id,
        "right_id": right.id,
    }
    changed = _is_back(comparison, facts)
    if changed:
        comparison.withdrawn_at = comparison.withdrawn_because = None
    for field, value in told.items():
        if value is not None and value != getattr(comparison, field):
            setattr(comparison, field, value)
            changed = True
    comparison.content_hash = content_hash
    return changed
