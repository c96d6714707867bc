"""Take in what pages say: tools once, takes once per reviewer, comparisons by slug. Rows only; no files, no network.

Missing never overwrites known; of two values the page seen later wins. Reading the same page again changes nothing,
and the order in which pages are read makes no difference as long as they do not contradict each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions, identity, pages
from digest.errors import DigestError
from digest.facts import ComparisonFacts, TakeFacts, ToolFacts
from digest.merging import merge_facts, merge_remarks, merge_take
from digest.models import Comparison, Edition, EditionState, Entry, Take, Tool

News = Literal["new", "changed", "unchanged", "withdrawn"]

# What a tool row keeps apart from its facts: takes have rows of their own, and identity has columns.
_APART = {"takes", "slug"}
_LONGEST_REASON = 500

_THE_INTAKE = int.from_bytes(b"intake", "big")


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


def one_at_a_time(session: Session) -> None:
    """Nobody else takes pages in, or drafts from them, until this transaction ends.

    Two readings of a tool would otherwise each merge into facts the other has just replaced. SQLite has one writer
    anyway; PostgreSQL is asked for a lock that other work does not notice.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_THE_INTAKE)))


def take_in(session: Session, facts: ComparisonFacts, *, now: datetime) -> Taken:
    """Upsert one page's facts. That a page can be read says that it is there. Raises OneToolTwice."""
    one_at_a_time(session)
    name = facts.slug or facts.headline
    content_hash = hashlib.sha256(facts.model_dump_json().encode()).hexdigest()
    comparison = identity.by_slug(session, facts.slug)
    if comparison is not None and _is_as_read(comparison, facts, content_hash):
        return Taken(comparison.id, name, "unchanged")
    facts = identity.with_tool_slugs(session, facts, comparison)
    learned = comparison is not None and identity.learn_from_page(session, comparison, facts)
    sides = _known_sides(session, facts, comparison)
    _refuse_one_tool_twice(facts, sides, name)
    comparison = comparison or identity.by_tools(session, *sides, slug=facts.slug)
    if comparison is not None and _is_as_read(comparison, facts, content_hash):
        return Taken(comparison.id, name, "unchanged")
    left, right = (_take_in_tool(session, known, told, now) for known, told in zip(sides, facts.tools, strict=True))
    # Looked for again: a tool that has learned its address may have brought two pages together.
    comparison = identity.by_slug(session, facts.slug) or identity.by_tools(
        session, left.tool, right.tool, slug=facts.slug
    )
    taken = _write(session, comparison, facts, (left, right), learned=learned, content_hash=content_hash, now=now)
    identity.settle(session)
    return taken


def withdraw(session: Session, slug: str, *, why: str, by: str, now: datetime) -> Comparison:
    """A person takes a comparison out of every edition not yet handed over. Raises NoSuchComparison."""
    one_at_a_time(session)
    comparison = identity.by_slug(session, slug)
    if comparison is None:
        raise NoSuchComparison(f'No comparison "{slug}" has been taken in; `digest comparisons` lists the slugs.')
    _withdraw(session, comparison, because=why, by=by, now=now)
    return comparison


def page_gone(session: Session, url: str, *, now: datetime) -> Comparison | None:
    """The page itself answers 404 or 410: its comparison is withdrawn, if we have it."""
    one_at_a_time(session)
    comparison = session.scalars(sa.select(Comparison).where(Comparison.url == url)).first()
    if comparison is None and (slug := pages.slug_of(url)):
        comparison = identity.by_slug(session, slug)
        if comparison is not None and comparison.url and urlsplit(comparison.url).hostname != urlsplit(url).hostname:
            return None  # a copy elsewhere is gone, not the page
    if comparison is not None and comparison.withdrawn_at is None:
        _withdraw(session, comparison, because="its page is gone", by=None, now=now)
    return comparison


def _withdraw(session: Session, comparison: Comparison, *, because: str, by: str | None, now: datetime) -> None:
    because = because[:_LONGEST_REASON]
    comparison.withdrawn_at, comparison.withdrawn_because, comparison.withdrawn_by = now, because, by
    comparison.changed_at = now
    session.flush()
    # Drafts are locked too: one that is being approved at this moment is approved when the wait is over.
    at_home = (
        sa.select(Edition)
        .where(
            Edition.id.in_(sa.select(Entry.edition_id).where(Entry.comparison_id == comparison.id)),
            Edition.state.in_((EditionState.DRAFT, EditionState.APPROVED)),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for edition in session.scalars(at_home).all():
        if edition.state is EditionState.APPROVED:
            why = f"{comparison.title or comparison.slug} was withdrawn: {because}"
            editions.reopen(session, edition, why=why, by=by or "intake", now=now)


def _is_as_read(comparison: Comparison, facts: ComparisonFacts, content_hash: str) -> bool:
    return comparison.content_hash == content_hash and not _is_back(comparison, facts)


def _is_back(comparison: Comparison, facts: ComparisonFacts) -> bool:
    """A page that had gone and is there again. What a person withdrew stays withdrawn."""
    return comparison.withdrawn_at is not None and comparison.withdrawn_by is None and not facts.withdrawn


# — tools —


@dataclass(frozen=True)
class _ToolTaken:
    tool: Tool
    changed: bool


Sides = tuple[Tool | None, Tool | None]


def _known_sides(session: Session, facts: ComparisonFacts, comparison: Comparison | None) -> Sides:
    left, right = facts.tools
    if comparison is None:
        return identity.find_tool(session, left), identity.find_tool(session, right)
    return (
        _as_before(session, left, comparison) or identity.find_tool(session, left),
        _as_before(session, right, comparison) or identity.find_tool(session, right),
    )


def _as_before(session: Session, facts: ToolFacts, comparison: Comparison) -> Tool | None:
    """A page read before that no longer says anything but a tool's name still means that tool."""
    if facts.slug is not None or facts.tagline is not None:
        return None
    return identity.side_called(session, comparison, facts.name)


def _refuse_one_tool_twice(facts: ComparisonFacts, sides: Sides, name: str) -> None:
    left, right = facts.tools
    same_words = (left.name, left.tagline) == (right.name, right.tagline)
    unaddressed = left.slug is None or right.slug is None
    same_row = sides[0] is not None and sides[0] is sides[1]
    if left.slug == right.slug is not None or (same_words and unaddressed) or same_row:
        raise OneToolTwice(f"{name} compares {left.name} with itself; a comparison needs two tools.")


def _take_in_tool(session: Session, tool: Tool | None, facts: ToolFacts, now: datetime) -> _ToolTaken:
    told = facts.model_dump(mode="json", exclude_none=True, exclude=_APART)
    if tool is None:
        tool = Tool(
            slug=facts.slug, name=facts.name, tagline=facts.tagline, facts=told, first_seen_at=now, changed_at=now
        )
        session.add(tool)
        session.flush()
        _take_in_takes(session, tool, facts.takes)
        return _ToolTaken(tool, changed=True)
    changed = _learn_address(session, tool, facts)
    merged = merge_facts(tool.facts, told)
    if merged != tool.facts:
        tool.facts, tool.name, tool.tagline = merged, merged["name"], merged.get("tagline")
        changed = True
    changed = _take_in_takes(session, tool, facts.takes) or changed
    if changed:
        tool.changed_at = now
    return _ToolTaken(tool, changed)


def _learn_address(session: Session, tool: Tool, facts: ToolFacts) -> bool:
    """True where the page says which slug a tool's words belong to, and that was news."""
    if facts.slug is None:
        return False
    if tool.slug is None:
        tool.slug = facts.slug
        session.flush()
        return True
    other = identity.awaiting(session, facts)
    if other is None:
        return False
    identity.unite(session, into=tool, other=other)
    return True


def _take_in_takes(session: Session, tool: Tool, told: Iterable[TakeFacts]) -> bool:
    """A take without a reviewer is nobody's, and is not kept."""
    known = {take.reviewer: take for take in session.scalars(sa.select(Take).where(Take.tool_id == tool.id))}
    changed = False
    signed = ((facts.reviewer, facts) for facts in told if facts.reviewer)
    for position, (reviewer, facts) in enumerate(signed):
        take = Take(
            tool_id=tool.id,
            reviewer=reviewer,
            score=facts.score,
            call=facts.call,
            remark=facts.remark,
            position=position,
        )
        if reviewer in known:
            changed = merge_take(known[reviewer], take) or changed
        else:
            session.add(take)
            known[reviewer] = take
            changed = True
    session.flush()
    return changed


# — comparisons —


def _write(
    session: Session,
    comparison: Comparison | None,
    facts: ComparisonFacts,
    tools: tuple[_ToolTaken, _ToolTaken],
    *,
    learned: bool,
    content_hash: str,
    now: datetime,
) -> Taken:
    left, right = tools
    news: News
    if comparison is None:
        comparison = _new_comparison(facts, left.tool, right.tool, content_hash, now)
        session.add(comparison)
        news = "new"
    else:
        touched = _update_comparison(comparison, facts, left.tool, right.tool, content_hash)
        news = "changed" if touched or learned or left.changed or right.changed else "unchanged"
        if news == "changed":
            comparison.changed_at = now
    session.flush()
    if facts.withdrawn and comparison.withdrawn_at is None:
        _withdraw(session, comparison, because="its page says it is withdrawn", by=None, now=now)
        news = "withdrawn"
    identity.absorb_twins(session, left.tool)
    return Taken(comparison.id, facts.slug or facts.headline, news)


def _new_comparison(facts: ComparisonFacts, left: Tool, right: Tool, content_hash: str, now: datetime) -> Comparison:
    return Comparison(
        slug=facts.slug,
        url=facts.url,
        title=facts.title,
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
    told: dict[str, Any] = {
        "slug": facts.slug,
        "url": facts.url,
        "title": facts.title,
        "published_at": facts.published_at,
        "loose_remarks": merge_remarks(comparison.loose_remarks, facts.loose_remarks) or None,
    }
    if {left.id, right.id} != {comparison.left_id, comparison.right_id}:
        told |= {"left_id": left.id, "right_id": right.id}
    changed = _is_back(comparison, facts)
    if changed:
        comparison.withdrawn_at = comparison.withdrawn_because = None
    for field, value in told.items():
        if value is not None and value != getattr(comparison, field):
            setattr(comparison, field, value)
            changed = True
    comparison.content_hash = content_hash
    return changed
