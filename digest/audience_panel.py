"""Who would get an edition, before anybody approves it: how many, who not and why, which variant, against last time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import audiences, drift, editions, progress
from digest.audiences import Expected, Rules
from digest.models import Edition
from digest.preflight.sheet import listed
from digest.variants import EVERYTHING, EntryCopy, in_topics


@dataclass(frozen=True, slots=True)
class Group:
    """The readers of one variant, and what they get, in words."""

    variant: str
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class LastTime:
    """The edition prepared last before this one."""

    week: str
    candidates: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class Moved:
    """One number that is so far from last time's that a person must say that this is right."""

    name: str
    now: int
    before: int
    week: str

    def __str__(self) -> str:
        return f"{self.now:,} {self.name}, after {self.before:,} in {self.week}"


@dataclass(frozen=True, slots=True)
class Panel:
    """All that an editor should know of the audience."""

    expected: Expected
    groups: Sequence[Group]
    last_time: LastTime | None

    @property
    def moved(self) -> list[Moved]:
        return moved_since(self.last_time, self.expected)


def panel(
    session: Session,
    edition: Edition,
    variants: Sequence[str],
    rules: Rules,
    *,
    send_at: datetime,
    prepared_at: datetime,
) -> Panel:
    """What preparing would come to with these variants, for an edition that leaves then. Reads only."""
    expected = audiences.expected(session, edition, variants, rules, send_at=send_at, prepared_at=prepared_at)
    entries = [editions.entry_copy(entry) for entry in editions.entries_of(session, edition)]
    groups = [Group(each.variant, name_of(entries, each.variant, each.topics), each.people) for each in expected.served]
    return Panel(expected, groups, last_time(session, edition))


def last_time(session: Session, edition: Edition) -> LastTime | None:
    """None where nothing was prepared before."""
    prepared = sa.select(Edition).where(Edition.prepared_at.is_not(None), Edition.id != edition.id)
    last = session.scalars(prepared.order_by(Edition.prepared_at.desc(), Edition.id.desc()).limit(1)).one_or_none()
    if last is None:
        return None
    deliveries = sum(wave.deliveries for wave in progress.waves(session, last).values())
    return LastTime(last.week, last.candidates or 0, deliveries)


def moved_since(before: LastTime | None, now: Expected) -> list[Moved]:
    """Each number that is further from last time's than a person would expect."""
    if before is None:
        return []
    numbers = (
        ("candidates", now.candidates, before.candidates),
        ("deliveries", now.deliveries, before.deliveries),
    )
    return [Moved(name, is_now, was, before.week) for name, is_now, was in numbers if drift.FAR.is_passed(was, is_now)]


def name_of(entries: Sequence[EntryCopy], variant: str, topics: frozenset[str] | None) -> str:
    """What the readers of a variant get: everything, as text only; Health and Music: entries 1 and 3 in full."""
    how = ", as text only" if variant.endswith("-text") else ""
    if variant.removesuffix("-text") == EVERYTHING:
        return f"Everything{how}"
    if topics is None:
        return f"Some topics{how}: nobody wishes them any more"
    there = sorted(topics & {category for entry in entries for category in entry.categories})
    in_full = [str(entry.position) for entry in entries if in_topics(entry, topics)]
    which = f"{'entry' if len(in_full) == 1 else 'entries'} {listed(in_full)} in full" if in_full else "one line each"
    return f"{listed(there) if there else 'Other topics'}{how}: {which}"
