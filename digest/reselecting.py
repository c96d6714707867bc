"""A draft selected again by other rules: what that would change, before it does; what was weighed, beside the edits.

The rows of `considered` always tell what the rules in force make of what stands: they are written again whenever the
rules change, and when such a change is taken back. Then it is once more the old rules that weigh, with the pages as
they are by now; what editors did beside the rules is told from their edits, never from these rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import drafting, editions, library, manuscript
from digest.errors import DigestError
from digest.facts import ComparisonFacts
from digest.library import Found
from digest.manuscript import Also, Manuscript
from digest.models import Comparison, Considered, Edit, Edition
from digest.selection import Rules, Selection, Standing, choose
from digest.settings import Settings
from digest.weeks import Week, Window


class NotEnough(DigestError):
    """By these rules too little stands for an edition, so nothing was changed."""


class OtherThanSeen(DigestError):
    """These rules choose something else than you saw: pages have been read since. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What other rules would make of an edition."""

    selection: Selection
    before: Manuscript
    after: Manuscript

    @property
    def mark(self) -> str:
        """The same as long as it comes out the same, to the last word of every page."""
        return hashlib.sha256(orjson.dumps(self.after.model_dump(mode="json"))).hexdigest()[:32]


def propose(session: Session, edition: Edition, found: Manuscript, rules: Rules, settings: Settings) -> Proposal:
    """Choose again among all that stands for the edition's window now. Pinned entries hold; reads only."""
    window = Window(edition.window_start, edition.window_end)
    standing = drafting.standing_for(session, window, settings, edition=edition)
    standing += _pinned_beside(session, edition, found, standing)
    selection = _choose(standing, found, rules)
    facts = {each.key: each.facts for each in standing}
    after = manuscript.selected_again(
        found,
        [(each.key, _as_stored(facts[each.key])) for each in selection.chosen],
        [
            Also(title=facts[each.key].headline, url=facts[each.key].url, comparison=each.key)
            for each in selection.near_misses
        ],
        rules,
    )
    return Proposal(selection, found, after)


def by_rules(rules: Rules, settings: Settings, *, seen: str) -> Callable[[Session, Edition, Manuscript], Manuscript]:
    """For `editing.select_again`: what `propose` gave, if that is still what carries the mark `seen`.

    What comes of it raises OtherThanSeen or NotEnough.
    """

    def again(session: Session, edition: Edition, found: Manuscript) -> Manuscript:
        proposal = propose(session, edition, found, rules, settings)
        if proposal.mark != seen:
            raise OtherThanSeen
        if not proposal.selection.enough:
            raise NotEnough(f"{proposal.selection.why} Nothing was changed.")
        _replace_considered(session, edition, proposal.selection)
        return proposal.after

    return again


def weigh_again(session: Session, edition: Edition, found: Manuscript) -> None:
    """Write anew what was considered, by the rules of `found`: the same comparisons and the entries it has."""
    considered = sa.select(Considered.comparison_id).where(Considered.edition_id == edition.id)
    known = sa.or_(Comparison.id.in_(considered), Comparison.id.in_(found.order))
    standing = drafting.standings(session, library.comparisons(session, sa.and_(known, drafting.free_for(edition))))
    _replace_considered(session, edition, _choose(standing, found, found.rules))


def _choose(standing: Sequence[Standing], found: Manuscript, rules: Rules) -> Selection:
    pinned = {entry.comparison for entry in found.entries if entry.pinned}
    return choose(standing, week=Week.parse(found.week), rules=rules, pinned=pinned)


def _pinned_beside(
    session: Session, edition: Edition, found: Manuscript, standing: Sequence[Standing]
) -> list[Standing]:
    """Pinned entries that would not stand by themselves any more: weighed as they are in the edition."""
    known = {each.key for each in standing}
    beside = [entry for entry in found.entries if entry.pinned and entry.comparison not in known]
    return drafting.standings(
        session, [Found(entry.comparison, entry.facts, edition.window_end, ()) for entry in beside]
    )


def _replace_considered(session: Session, edition: Edition, selection: Selection) -> None:
    session.execute(
        sa.delete(Considered).where(Considered.edition_id == edition.id).execution_options(synchronize_session=False)
    )
    drafting.insert_considered(session, edition, selection)


def _as_stored(facts: ComparisonFacts) -> ComparisonFacts:
    """Through JSON, so that it is what an entry read from the database is."""
    return ComparisonFacts.model_validate(facts.model_dump(mode="json"))


# — what was weighed, and what editors made of it —


@dataclass(frozen=True, slots=True)
class Weighed:
    """A comparison as the rules see it (`row`; None: it did not stand when they were last applied), and where it is.

    `at` is its place in the edition, None when it is out. `moved` is the change that took it in or out against the
    rules, `pinned` the one that pinned it.
    """

    comparison: int
    name: str
    row: Considered | None
    at: int | None
    near_miss: bool
    moved: Edit | None = None
    pinned: Edit | None = None

    @property
    def by_rule(self) -> bool:
        """Whether the rules have it in."""
        return self.row is not None and self.row.chosen


def weighed(session: Session, edition: Edition, found: Manuscript, edits: Sequence[Edit]) -> list[Weighed]:
    """Everything considered, by rank, and entries that were not; `edits` newest first."""
    rows = {row.comparison_id: (row, name) for row, name in editions.considered_by_name(session, edition)}
    places = {comparison: place for place, comparison in enumerate(found.order, start=1)}
    near = {line.comparison for line in found.also_compared}
    moved, pinned = last_to_move(edits), _last_to_pin(edits)
    listed = [
        Weighed(
            comparison=comparison,
            name=name,
            row=row,
            at=places.get(comparison),
            near_miss=comparison in near and comparison not in places,
            moved=moved.get(comparison) if row.chosen != (comparison in places) else None,
            pinned=pinned.get(comparison),
        )
        for comparison, (row, name) in rows.items()
    ]
    strangers = [
        Weighed(
            each.comparison,
            each.facts.headline,
            None,
            places[each.comparison],
            near_miss=False,
            moved=moved.get(each.comparison),
            pinned=pinned.get(each.comparison),
        )
        for each in found.entries
        if each.comparison not in rows
    ]
    return listed + strangers


def last_to_move(edits: Sequence[Edit]) -> dict[int, Edit]:
    """The newest change that took each comparison in or out."""
    moved: dict[int, Edit] = {}
    for edit in edits:
        for comparison in set(edit.before.get("order") or ()) ^ set(edit.after.get("order") or ()):
            moved.setdefault(comparison, edit)
    return moved


def _last_to_pin(edits: Sequence[Edit]) -> dict[int, Edit]:
    """The newest change of each pin, where that set it."""
    changed: dict[int, Edit] = {}
    for edit in edits:
        for part in edit.after:
            if part.startswith("pinned "):
                changed.setdefault(int(part.removeprefix("pinned ")), edit)
    return {comparison: edit for comparison, edit in changed.items() if edit.after[f"pinned {comparison}"]}
