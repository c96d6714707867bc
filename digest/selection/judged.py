"""One tool as its panel judged it: all that the score and its reasons need of one tool alone. Pure.

A measure is a whole number of thousandths, so that scores never drift; FULL is all of it, None is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from digest.facts import TakeFacts, ToolFacts, Verdict
from digest.verdicts import figures

FULL = 1000

SHARP_DISSENT = 10  # points between two reviewers of one tool; less is not worth telling
FEWEST_VOTES = 5  # fewer say nothing about how readers and panel differ


@dataclass(frozen=True)
class Judged:
    """Worked out once per tool, however many comparisons it is in. `name` is what it is called in words.

    Where the page contradicts itself about the panel, verdict and ships are unknown: nothing is concluded from it.
    """

    tool: ToolFacts
    name: str

    @cached_property
    def panel(self) -> figures.Reading:
        return figures.reading(self.tool)

    @cached_property
    def verdict(self) -> Verdict | None:
        return self.panel.verdict if self.panel.sound else None

    @cached_property
    def ships(self) -> int | None:
        """The part of the panel that would ship."""
        return None if self.panel.share is None or not self.panel.sound else _thousandths(self.panel.share)

    @cached_property
    def split(self) -> int | None:
        """How evenly the panel splits: 2–2 is FULL, 4–0 nothing."""
        return None if self.ships is None else 2 * min(self.ships, FULL - self.ships)

    @cached_property
    def average(self) -> int | None:
        """In thousandths of a point."""
        return None if self.panel.average is None else _thousandths(self.panel.average)

    @cached_property
    def dissent(self) -> int | None:
        """Points between the lowest and the highest score; None of fewer than two."""
        return (
            round(_score(self._highest) - _score(self._lowest)) if len(self._scores) >= figures.FEWEST_SCORES else None
        )

    @property
    def sharp(self) -> bool:
        """Whether its critics are far enough apart to be told."""
        return (self.dissent or 0) >= SHARP_DISSENT

    @cached_property
    def rift(self) -> int | None:
        """How far readers and panel differ; at half its worth where the page does not say how many voted."""
        community = self.tool.community
        if community is None or community.ship_percent is None or self.ships is None:
            return None
        if community.votes is not None and community.votes < FEWEST_VOTES:
            return None
        apart = abs(self.ships - round(community.ship_percent * FULL / 100))
        return apart if community.votes else apart // 2

    @cached_property
    def takes(self) -> dict[str, TakeFacts]:
        """By reviewer."""
        return {take.reviewer: take for take in self.tool.takes if take.reviewer}

    @cached_property
    def _scores(self) -> list[TakeFacts]:
        """The takes that have a score, in the page's order."""
        return [take for take in self.tool.takes if take.score is not None]

    @property
    def _lowest(self) -> TakeFacts:
        return min(self._scores, key=_score)

    @property
    def _highest(self) -> TakeFacts:
        return max(self._scores, key=_score)

    # — in words —

    @cached_property
    def ships_in_words(self) -> str:
        """75 %."""
        return figures.percent_of(self.panel)

    @cached_property
    def average_in_words(self) -> str:
        """71.3."""
        return figures.one_decimal(self.panel.average or Fraction(0))

    @cached_property
    def contest_in_words(self) -> str:
        """3–1 on Axolotl v0.16 (Creator 45, Builder 80)."""
        words = self.name
        if self.ships is not None:
            words = f"{figures.tally(self.panel.split) if self.panel.split else self.ships_in_words} on {self.name}"
        return f"{words} ({_given(self._lowest)}, {_given(self._highest)})" if self.sharp else words

    @cached_property
    def rift_in_words(self) -> str:
        """readers 12 % and panel 100 % on Axolotl v0.16."""
        readers = self.tool.community.ship_percent if self.tool.community else None
        return f"readers {figures.percent(readers or 0)} and panel {self.ships_in_words} on {self.name}"

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """What an entry would have to do without."""
        return tuple(self._lacking())

    def _lacking(self) -> Iterator[str]:
        if len(self._scores) < figures.FEWEST_SCORES:
            yield "the scores"
        if not any(take.remark for take in self.takes.values()):
            yield "the remarks"
        if not self.tool.pricing and not self.tool.entry:
            yield "the price"


def _score(take: TakeFacts) -> float:
    return take.score or 0


def _given(take: TakeFacts) -> str:
    return f"{take.reviewer or 'somebody'} {figures.plain(_score(take))}"


def _thousandths(number: Fraction) -> int:
    """Rounded half up."""
    return (2 * FULL * number.numerator + number.denominator) // (2 * number.denominator)
