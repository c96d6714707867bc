"""An edition in the making: filled one entry at a time, with what each entry wears out for the rest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from digest.selection.judged import Judged
from digest.selection.scoring import Part, Weights, listed
from digest.selection.standing import Standing
from digest.verdicts.figures import number

Points = Annotated[int, Field(ge=0, le=1000)]


class Rules(BaseModel):
    """How an edition is chosen; kept with it. The costs are points off a comparison's score, for choosing only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_entries: Annotated[int, Field(ge=1, le=50)] = 8
    min_entries: Annotated[int, Field(ge=1, le=50)] = 1
    per_tool: Annotated[int, Field(ge=1, le=50)] = 2
    near_misses: Annotated[int, Field(ge=0, le=50)] = 6
    repeated_tool: Points = 8
    """For each entry that already has one of its tools."""
    crowded_category: Points = 2
    """For each entry that is already in its more crowded category."""
    weights: Weights = Weights()

    @model_validator(mode="after")
    def _floor_below_ceiling(self) -> Self:
        if self.min_entries > self.max_entries:
            raise ValueError(f"min_entries is {self.min_entries}, more than max_entries ({self.max_entries})")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A comparison with its place by score."""

    standing: Standing
    sides: tuple[Judged, Judged]
    tools: dict[str, str]
    """Names by identity."""
    categories: dict[str, str]
    """As shown, by what they are compared by."""
    parts: tuple[Part, ...]
    score: int
    rank: int

    @property
    def withdrawn(self) -> bool:
        return self.standing.facts.withdrawn

    @property
    def pair(self) -> frozenset[str]:
        return frozenset(self.tools)

    @property
    def gap(self) -> int:
        """Between the two percentages, in thousandths; nothing where one is unknown."""
        left, right = (side.ships for side in self.sides)
        return 0 if left is None or right is None else abs(left - right)

    @property
    def names(self) -> str:
        return f"{self.sides[0].name} vs {self.sides[1].name}"


def by_rank(one: Ranked) -> int:
    return one.rank


@dataclass(frozen=True, slots=True)
class Deduction:
    """Points off while the edition was filled, because it already had one of the tools or the category."""

    points: int
    words: str


@dataclass(slots=True)
class Filling:
    """The entries chosen so far, in the order of choosing, and what they have worn out."""

    rules: Rules
    entries: list[Ranked] = field(default_factory=list)
    tools: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    pairs: dict[frozenset[str], Ranked] = field(default_factory=dict)
    pinned: list[Ranked] = field(default_factory=list)
    """Those of the entries that are in whatever their score."""

    @property
    def full(self) -> bool:
        return len(self.entries) >= self.rules.max_entries

    def fill(self, ranked: Sequence[Ranked], pinned: Collection[int] = ()) -> None:
        """The pinned ones first, by key; then the best until it is full, or nothing is open any more."""
        for one in ranked:
            if one.standing.key in pinned:
                self.add(one)
                self.pinned.append(one)
        while not self.full and (best := self._best(ranked)):
            self.add(best)

    def add(self, entry: Ranked) -> None:
        self.entries.append(entry)
        self.tools.update(entry.tools.keys())
        self.categories.update(entry.categories.keys())
        self.pairs[entry.pair] = entry

    def before(self, entry: Ranked) -> Filling:
        """The edition as it was when that entry was chosen."""
        earlier = Filling(self.rules)
        for one in self.entries[: self.entries.index(entry)]:
            earlier.add(one)
        return earlier

    def _best(self, ranked: Sequence[Ranked]) -> Ranked | None:
        """The open one with most points after the cost of repeating; among equals the better ranked."""
        best, most = None, 0
        for one in ranked:
            if best and one.score <= most:
                break  # costs only lower a score, and the rest rank below
            if self.open_to(one) and (best is None or one.score - self._cost(one) > most):
                best, most = one, one.score - self._cost(one)
        return best

    def open_to(self, one: Ranked) -> bool:
        return not (one.withdrawn or one.pair in self.pairs or self.worn_out(one))

    def worn_out(self, one: Ranked) -> bool:
        """Whether one of its tools is in as many entries as a tool may be."""
        return any(self.tools[tool] >= self.rules.per_tool for tool in one.tools)

    def worn_out_in_words(self, one: Ranked) -> str:
        """Axolotl v0.16 is already in two entries: what keeps it out. Pinned entries may be more than the cap."""
        names: dict[int, list[str]] = {}
        for tool, name in one.tools.items():
            if self.tools[tool] >= self.rules.per_tool:
                names.setdefault(self.tools[tool], []).append(name)
        return listed([already_in(some, times) for times, some in sorted(names.items())])

    def preferred_to(self, one: Ranked) -> Ranked | None:
        """The last entry that was chosen although `one`, which ranks better, could have been."""
        if not self.open_to(one):
            return None
        chosen = self.entries[len(self.pinned) :]
        return next((entry for entry in reversed(chosen) if entry.rank > one.rank), None)

    def deductions_from(self, one: Ranked) -> tuple[Deduction, ...]:
        """What repeating costs it now, in words."""
        found = []
        for times in sorted({self.tools[tool] for tool in one.tools} - {0}, reverse=True):
            names = [name for tool, name in one.tools.items() if self.tools[tool] == times]
            found.append(Deduction(self.rules.repeated_tool * times * len(names), already_in(names, times)))
        times, category = self._crowded(one)
        if times:
            found.append(Deduction(self.rules.crowded_category * times, f"{category} already has {_entries(times)}"))
        return tuple(deduction for deduction in found if deduction.points)

    def _cost(self, one: Ranked) -> int:
        """The sum of the deductions, without the words."""
        repeated = sum(self.tools[tool] for tool in one.tools)
        return self.rules.repeated_tool * repeated + self.rules.crowded_category * self._crowded(one)[0]

    def _crowded(self, one: Ranked) -> tuple[int, str]:
        """The entries in the more crowded of its categories, and that category as shown."""
        return max(((self.categories[key], shown) for key, shown in one.categories.items()), default=(0, ""))


def already_in(names: Sequence[str], times: int) -> str:
    """Axolotl v0.16 is already in two entries."""
    if len(names) == 1:
        return f"{names[0]} is already in {_entries(times)}"
    return f"{listed(names)} are already in {_entries(times)} each"


def _entries(count: int) -> str:
    return f"{number(count)} {'entry' if count == 1 else 'entries'}"
