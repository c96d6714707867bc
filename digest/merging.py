"""Two readings become one: facts of a tool, remarks of a page, and rows that turn out to be the same tool or page.

Missing never overwrites known; of two values the later wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import manuscript
from digest.facts import Community
from digest.models import Comparison, Considered, Edit, Edition, Entry, Take, Tool

# What a panel decides together: when it has voted again, all of its earlier vote is out of date.
_PANEL = ("panel_ship_percent", "verdict", "split")
_ROUNDING = 1  # 66.7 on one page is 67 on another

_TAKE = ("score", "call", "remark")
_STATED_ONCE = ("url", "title", "published_at", "withdrawn_at", "withdrawn_because", "withdrawn_by")


def merge_facts(known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A tool's facts, as stored, with what a later page tells of it."""
    if any(_differs(known.get(field), told.get(field)) for field in _PANEL):
        known = {field: value for field, value in known.items() if field not in _PANEL}
    merged = {**known, **told}
    if "community" in told and "community" in known:
        merged["community"] = _merge_votes(known["community"], told["community"])
    return merged


def _differs(known: Any, told: Any) -> bool:
    if known is None or told is None:
        return False
    if isinstance(known, int | float) and isinstance(told, int | float):
        return abs(known - told) >= _ROUNDING
    return bool(known != told)


def _merge_votes(known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A page that shows only the percentage or only the number of votes does not make the other unknown."""
    later, before = Community.model_validate(told), Community.model_validate(known)
    if later.votes is None and later.ship_percent == before.ship_percent:
        return known
    if later.votes and later.ship_percent is None:
        return {**known, **told}
    return told


def merge_remarks(known: Sequence[str], told: Sequence[str]) -> list[str]:
    """A page's loose remarks. One that is cut off shows the first of them; that does not make the rest unknown."""
    return list(known if list(known[: len(told)]) == list(told) else told)


def merge_take(take: Take, told: Take) -> bool:
    """What a later reading tells of a take. True where that was news."""
    changed = False
    for field in _TAKE:
        value = getattr(told, field)
        if value is not None and value != getattr(take, field):
            setattr(take, field, value)
            changed = True
    # Pages leave reviewers out; the last place one was seen at is the same in whatever order pages are read.
    if told.position > take.position:
        take.position = told.position
        changed = True
    return changed


def merge_tools(session: Session, *, into: Tool, other: Tool) -> None:
    """A tool first read without an address is one we know: its facts, takes and comparisons move over, then it goes."""
    older, later = sorted((into, other), key=lambda tool: tool.changed_at)
    into.facts = merge_facts(older.facts, later.facts)
    into.name, into.tagline = into.facts["name"], into.facts.get("tagline")
    into.first_seen_at = min(into.first_seen_at, other.first_seen_at)
    into.changed_at = later.changed_at
    _move_takes(session, into=into, other=other, other_is_later=later is other)
    for column in (Comparison.left_id, Comparison.right_id):
        session.execute(sa.update(Comparison).where(column == other.id).values({column: into.id}))
    session.flush()
    session.delete(other)
    session.flush()


def _move_takes(session: Session, *, into: Tool, other: Tool, other_is_later: bool) -> None:
    ours = {take.reviewer: take for take in session.scalars(sa.select(Take).where(Take.tool_id == into.id))}
    for theirs in session.scalars(sa.select(Take).where(Take.tool_id == other.id)).all():
        known = ours.get(theirs.reviewer)
        if known is None:
            theirs.tool_id = into.id
            continue
        first, last = (known, theirs) if other_is_later else (theirs, known)
        merge_take(first, last)
        for field in (*_TAKE, "position"):
            setattr(known, field, getattr(first, field))
        session.delete(theirs)


def merge_comparisons(session: Session, *, into: Comparison, other: Comparison) -> None:
    """A page first read without its address is one we know: it goes, unless one edition shows them both."""
    for field in _STATED_ONCE:
        if getattr(into, field) is None:
            setattr(into, field, getattr(other, field))
    into.loose_remarks = merge_remarks(other.loose_remarks, into.loose_remarks)
    into.first_seen_at = min(into.first_seen_at, other.first_seen_at)
    into.changed_at = max(into.changed_at, other.changed_at)
    _lock_editions(session, into, other)
    if not _shown_together(session, into, other):
        _move_history(session, into=into, other=other)
        _move_edits(session, into=into, other=other)
        session.delete(other)
    session.flush()


def _lock_editions(session: Session, one: Comparison, other: Comparison) -> None:
    """An editor in the middle of a change has read its entries by these numbers: let them finish, or wait for us."""
    weighing = sa.exists().where(Considered.edition_id == Edition.id, Considered.comparison_id.in_((one.id, other.id)))
    session.execute(sa.select(Edition.id).where(weighing).order_by(Edition.id).with_for_update())


def _shown_together(session: Session, one: Comparison, other: Comparison) -> bool:
    twice = (
        sa.select(Entry.edition_id)
        .where(Entry.comparison_id.in_((one.id, other.id)))
        .group_by(Entry.edition_id)
        .having(sa.func.count() > 1)
    )
    return session.scalar(sa.select(twice.exists())) or False


def _move_history(session: Session, *, into: Comparison, other: Comparison) -> None:
    """What editions say of the other is said of this one. Where both were weighed, the one that was chosen stays."""
    weighed = session.scalars(sa.select(Considered).where(Considered.comparison_id.in_((into.id, other.id))))
    by_edition: dict[int, Considered] = {}
    for row in sorted(weighed, key=lambda row: (not row.chosen, row.comparison_id != into.id)):
        if row.edition_id in by_edition:
            session.delete(row)
        by_edition.setdefault(row.edition_id, row)
    session.flush()
    for table in (Considered, Entry):
        moved = sa.update(table).where(table.comparison_id == other.id).values(comparison_id=into.id)
        session.execute(moved, execution_options={"synchronize_session": False})


def _move_edits(session: Session, *, into: Comparison, other: Comparison) -> None:
    """What editors did with the other they did with this one, so that it can still be shown and taken back."""
    weighing = sa.select(Considered.edition_id).where(Considered.comparison_id == into.id)
    for edition in session.scalars(sa.select(Edition).where(Edition.id.in_(weighing))):
        edition.also_compared = manuscript.renumbered({"also_compared": edition.also_compared}, other.id, into.id)[
            "also_compared"
        ]
    for edit in session.scalars(sa.select(Edit).where(Edit.edition_id.in_(weighing))):
        edit.before = manuscript.renumbered(edit.before, other.id, into.id)
        edit.after = manuscript.renumbered(edit.after, other.id, into.id)
