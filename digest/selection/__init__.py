"""What goes into an edition, and why the rest does not. Pure: the same comparisons in any order, the same edition.

Everything that stands is ranked by score. Then the edition is filled one entry at a time with the best comparison
whose tools and category the entries so far have not worn out: a tool has a cap, and every repetition costs points.
What an editor has pinned is in before anything is chosen, whatever its score, and counts for every cap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from digest.facts import ToolFacts
from digest.selection.filling import Deduction, Filling, Ranked, Rules, by_rank
from digest.selection.judged import FULL, Judged
from digest.selection.scoring import RECOVERED, Part, PartName, Weights, listed, score
from digest.selection.standing import NEVER_SEEN, Known, Standing
from digest.verdicts.figures import number
from digest.weeks import Week

__all__ = [
    "NEVER_SEEN",
    "Considered",
    "Deduction",
    "Known",
    "Part",
    "Rules",
    "Selection",
    "Standing",
    "Weights",
    "choose",
]

Outcome = Literal["chosen", "passed over"]


@dataclass(frozen=True, slots=True)
class Considered:
    """A comparison that stood for selection. `score` is the sum of its parts; deductions never change it.

    `position` is its place in the edition, strongest first; None when passed over. `deductions` are what repeating
    cost it when it was chosen, or when another was chosen instead; empty where that decided nothing.
    """

    key: int
    rank: int
    score: int
    parts: tuple[Part, ...]
    deductions: tuple[Deduction, ...]
    outcome: Outcome
    position: int | None
    near_miss: bool
    reason: str

    @property
    def sentence(self) -> str:
        """passed over: Axolotl v0.16 is already in two entries."""
        return f"{self.outcome}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything considered, by rank. When not `enough` the edition is to be skipped; `why` is a whole sentence."""

    considered: tuple[Considered, ...]
    rules: Rules
    enough: bool
    why: str

    @property
    def chosen(self) -> tuple[Considered, ...]:
        """In the order of the edition."""
        return tuple(one for one in self.considered if one.position is not None)

    @property
    def near_misses(self) -> tuple[Considered, ...]:
        """For *Also compared*: the best of the rest, by rank."""
        return tuple(one for one in self.considered if one.near_miss)


def choose(
    standing: Sequence[Standing], *, week: Week, rules: Rules | None = None, pinned: Collection[int] = ()
) -> Selection:
    """Decide what the edition of `week` contains. Every comparison comes back exactly once, with its reason.

    `pinned` are keys that are in, even when they alone are more than the rules would take, or withdrawn.
    """
    rules = rules or Rules()
    ranked = _ranked(standing, week, rules)
    edition = Filling(rules)
    edition.fill(ranked, pinned)
    positions = {entry.rank: place for place, entry in enumerate(sorted(edition.entries, key=by_rank), start=1)}
    near = _near_misses(ranked, edition)
    reasons = _Reasons(ranked, edition, positions)
    considered = tuple(
        Considered(
            key=one.standing.key,
            rank=one.rank,
            score=one.score,
            parts=one.parts,
            deductions=reasons.deductions(one),
            outcome="chosen" if one.rank in positions else "passed over",
            position=positions.get(one.rank),
            near_miss=one.rank in near,
            reason=reasons.chosen(one) if one.rank in positions else reasons.passed_over(one),
        )
        for one in ranked
    )
    enough = len(positions) >= rules.min_entries
    return Selection(considered, rules, enough, _summed_up(considered, rules))


# — ranking —


def _ranked(standing: Sequence[Standing], week: Week, rules: Rules) -> list[Ranked]:
    read = _reader(standing)
    scored = []
    for one in standing:
        sides = read(one.facts.tools[0]), read(one.facts.tools[1])
        parts = score(one, sides, week=week, weights=rules.weights)
        scored.append((sum(part.points for part in parts), one, sides, parts))
    scored.sort(key=lambda row: (-row[0], *_settling_ties(row[1])))
    return [
        Ranked(
            standing=one,
            sides=sides,
            tools={side.tool.identity: side.name for side in sides},
            categories={name.casefold(): name for side in sides if (name := side.tool.category)},
            parts=parts,
            score=points,
            rank=rank,
        )
        for rank, (points, one, sides, parts) in enumerate(scored, start=1)
    ]


def _settling_ties(one: Standing) -> tuple[float, str, int]:
    """Among equals: published newest first (first seen, where there is no date), then by slug, then by key."""
    return -(one.published_at or one.first_seen_at).timestamp(), one.facts.slug or "", one.key


def _reader(standing: Iterable[Standing]) -> Callable[[ToolFacts], Judged]:
    """Reads each tool once: a week pairs the same few tools over and over. Namesakes get their slug beside the name."""
    bearers: dict[str, set[str]] = {}
    for one in standing:
        for tool in one.facts.tools:
            bearers.setdefault(tool.name.casefold(), set()).add(tool.identity)
    known: dict[str, Judged] = {}

    def read(tool: ToolFacts) -> Judged:
        found = known.get(tool.identity)
        if found is None or (found.tool is not tool and found.tool != tool):
            namesakes = len(bearers[tool.name.casefold()]) > 1
            mark = (tool.slug or tool.tagline) if namesakes else None
            found = known[tool.identity] = Judged(tool, f"{tool.name} ({mark})" if mark else tool.name)
        return found

    return read


def _near_misses(ranked: Sequence[Ranked], edition: Filling) -> set[int]:
    """By rank, the first few that could still be brought in: no pair twice, no tool more often than among entries."""
    found: set[int] = set()
    pairs = set(edition.pairs)
    tools: Counter[str] = Counter()
    for one in ranked:
        if len(found) >= edition.rules.near_misses:
            break
        if one.withdrawn or one.pair in pairs or any(tools[tool] >= edition.rules.per_tool for tool in one.tools):
            continue
        found.add(one.rank)
        pairs.add(one.pair)
        tools.update(one.tools.keys())
    return found


# — reasons —

# How a part that speaks for an entry is introduced: alone at the top of the week, or strong. A mixed measure gets no
# superlative that a reader could refute with one figure of another page; the widest gap has to be the widest.
_ALONE_AT_THE_TOP: dict[PartName, str] = {
    "disagreement": "the sharpest disagreement of the week: ",
    "preference": "the critics most at odds this week: ",
    "distance": "the widest gap of the week, ",
}
_TELLING: dict[PartName, str] = {
    "disagreement": "a divided panel: ",
    "preference": "critics at odds: ",
    "distance": "a wide gap, ",
    "community": "the community speaks up: ",
    "change": "",
}
_STRONG = FULL // 2
_WORTH_A_RECORD = FULL // 4
_MOST_TOLD = 2


class _Reasons:
    """Why each comparison was chosen or passed over, in words."""

    def __init__(self, ranked: Sequence[Ranked], edition: Filling, positions: Mapping[int, int]) -> None:
        self.edition, self.positions, self.rules = edition, positions, edition.rules
        self.before = {entry.rank: edition.before(entry) for entry in edition.entries}
        self.preferred = {
            one.rank: entry for one in ranked if one.rank not in positions and (entry := edition.preferred_to(one))
        }
        self.strengths: dict[PartName, list[int]] = defaultdict(list)
        for part in chain.from_iterable(one.parts for one in ranked if not one.withdrawn):
            self.strengths[part.name].append(part.strength)
        for strengths in self.strengths.values():
            strengths.sort(reverse=True)
        self.gaps = sorted((one.gap for one in ranked if not one.withdrawn), reverse=True)

    def deductions(self, one: Ranked) -> tuple[Deduction, ...]:
        if one in self.edition.pinned:
            return ()
        entry = self.preferred.get(one.rank, one)
        return self.before[entry.rank].deductions_from(one) if entry.rank in self.before else ()

    def chosen(self, one: Ranked) -> str:
        if one in self.edition.pinned:
            though = ", though the page is withdrawn" if one.withdrawn else ""
            return f"pinned by an editor, ranked {_ordinal(one.rank)}{though}"
        parts = sorted((part for part in one.parts if part.points and self._distinguishes(part)), key=_by_points)
        records = [part for part in parts if self._is_record(one, part)]
        told = [_ALONE_AT_THE_TOP[part.name] + part.words for part in records]
        told += [
            _TELLING[part.name] + part.words
            for part in parts
            if part.name in _TELLING and part.strength >= _STRONG and part not in records
        ]
        clauses = told[:_MOST_TOLD]
        clauses += [part.words for part in parts if part.name == "newness" and part.strength > RECOVERED]
        if one.rank > self.rules.max_entries and any(rank < one.rank for rank in self.preferred):
            clauses.append(f"ranked {_ordinal(one.rank)}, taken for variety")
        return "; ".join(clauses) or f"ranked {_ordinal(one.rank)}, and the edition holds {self._room}"

    def _distinguishes(self, part: Part) -> bool:
        """What all that stood had in equal measure explains nothing."""
        best = self.strengths[part.name]
        return len(best) == 1 or best[0] > best[-1]

    def _is_record(self, one: Ranked, part: Part) -> bool:
        """Alone at the top of the week."""
        if part.name not in _ALONE_AT_THE_TOP or part.strength < _WORTH_A_RECORD:
            return False
        mine, all_had = (one.gap, self.gaps) if part.name == "distance" else (part.strength, self.strengths[part.name])
        return len(all_had) > 1 and mine > all_had[1]

    def passed_over(self, one: Ranked) -> str:
        if one.withdrawn:
            return "the page is withdrawn"
        if same := self.edition.pairs.get(one.pair):
            return f"the same two tools already meet in entry {self.positions[same.rank]}"
        if entry := self.preferred.get(one.rank):
            costs = listed([deduction.words for deduction in self.deductions(one)])
            instead = f"{entry.names}, ranked {_ordinal(entry.rank)}, was chosen for variety"
            return f"ranked {_ordinal(one.rank)}, but {costs}; {instead}"
        if self.edition.full and one.rank > max(self.positions):
            return f"ranked {_ordinal(one.rank)}, and the edition holds {self._room}"
        if self.edition.worn_out(one):
            return self.edition.worn_out_in_words(one)
        pinned = len(self.edition.pinned)
        return (
            f"ranked {_ordinal(one.rank)}, and the edition holds {self._room}, "
            f"with {number(pinned)} {'entry' if pinned == 1 else 'entries'} pinned"
        )

    @property
    def _room(self) -> str:
        return number(self.rules.max_entries)


def _by_points(part: Part) -> int:
    return -part.points


def _summed_up(considered: Sequence[Considered], rules: Rules) -> str:
    total, chosen = len(considered), sum(one.outcome == "chosen" for one in considered)
    if chosen >= rules.min_entries:
        if chosen == total:
            return f"Everything that stood was chosen: {_comparisons(total)}."
        return f"{number(chosen).capitalize()} of {_comparisons(total)} chosen."
    needs = f"an edition needs at least {number(rules.min_entries)}"
    if not total:
        return f"Nothing stands for selection, and {needs}."
    if chosen == total:
        return f"Only {_comparisons(total)} stood, and {needs}."
    if chosen:
        return f"Only {number(chosen)} of {_comparisons(total)} could be chosen, and {needs}."
    gone = {1: "The only comparison is", 2: "Both comparisons are"}.get(total, f"All {_comparisons(total)} are")
    return f"{gone} withdrawn, and {needs}."


def _comparisons(count: int) -> str:
    return f"{number(count)} {'comparison' if count == 1 else 'comparisons'}"


def _ordinal(rank: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    teens = rank % 100 in (11, 12, 13)
    return f"{rank}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(rank % 10, 'th')}"
