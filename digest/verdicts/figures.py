"""The figures of one tool: what its page says, what can be counted from it, and how both are printed. Pure.

A split is *ships–skips*, always in that order. Nothing here rounds before the end: averages and shares are exact
fractions, so that 71.25 prints as 71.3 and two tools are level only when they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from digest.facts import Split, TakeFacts, ToolFacts, Verdict, exact, verdict_by_percent, verdict_of

Standing = Literal["sweep", "ship", "half", "mixed", "skip", "shutout"]

FEWEST_SCORES = 2
# "75 %": a line must not break before the sign.
NO_BREAK = "\u00a0"

_HALF = Fraction(1, 2)
_LARGEST_SPOKEN = 5
_FIRST_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class Reading:
    """One tool as the panel left it. `percent` is 0 to 100 as the page prints it; None is unknown.

    `sound` is false where the page contradicts itself about the panel: then nothing is concluded from it.
    """

    verdict: Verdict | None
    percent: Fraction | None
    split: Split | None
    average: Fraction | None
    sound: bool

    @property
    def votes(self) -> int | None:
        return self.split.ship + self.split.skip if self.split else None

    @property
    def share(self) -> Fraction | None:
        """The part of the panel that would ship, 0 to 1: by counting where the votes are known."""
        if self.split:
            return Fraction(self.split.ship, self.split.ship + self.split.skip)
        return None if self.percent is None else self.percent / 100

    @property
    def standing(self) -> Standing | None:
        share = self.share
        if share is None:
            return None
        if share in (0, 1):
            return "sweep" if share else "shutout"
        if share == _HALF:
            return "half"
        return verdict_by_percent(float(share * 100))


def reading(tool: ToolFacts) -> Reading:
    split = split_of(tool)
    verdict = verdict_of(tool)
    if verdict is None and split:
        verdict = verdict_by_percent(100 * split.ship / (split.ship + split.skip))
    return Reading(
        verdict=verdict,
        percent=None if tool.panel_ship_percent is None else exact(tool.panel_ship_percent),
        split=split,
        average=average(take.score for take in tool.takes),
        sound=not (badge_disagrees(tool) or split_disagrees(tool) or nobody_voted(tool)),
    )


def average(scores: Iterable[float | None]) -> Fraction | None:
    """The exact mean; None of fewer than two scores, because one score is not an average."""
    known = [score for score in scores if score is not None]
    if len(known) < FEWEST_SCORES:
        return None
    # Nearly all are whole, and adding fractions takes far longer.
    whole = sum(score for score in known if isinstance(score, int))
    return sum((exact(score) for score in known if not isinstance(score, int)), Fraction(whole)) / len(known)


def split_of(tool: ToolFacts) -> Split | None:
    """The split the page states, else the takes' calls where they are complete and give the page's percentage."""
    if tool.split is not None:
        return tool.split if tool.split.ship + tool.split.skip else None
    counted = counted_calls(tool.takes)
    if counted is None or tool.panel_ship_percent is None or not _agrees(tool.panel_ship_percent, counted):
        return None
    return counted


def counted_calls(takes: tuple[TakeFacts, ...]) -> Split | None:
    """The calls of the takes shown; None where there is no take or a take's call is unknown."""
    calls = [take.call for take in takes]
    if not calls or None in calls:
        return None
    return Split(ship=calls.count("ship"), skip=calls.count("skip"))


def badge_disagrees(tool: ToolFacts) -> bool:
    """The badge is not the one that the percentage, or else the split, calls for."""
    by_figures = verdict_by_percent(tool.panel_ship_percent)
    if by_figures is None and (split := split_of(tool)):
        by_figures = verdict_by_percent(100 * split.ship / (split.ship + split.skip))
    return None not in (tool.verdict, by_figures) and tool.verdict != by_figures


def split_disagrees(tool: ToolFacts) -> bool:
    """The split the page states does not give the percentage it states."""
    if tool.split is None or tool.panel_ship_percent is None or nobody_voted(tool):
        return False
    return not _agrees(tool.panel_ship_percent, tool.split)


def takes_disagree(tool: ToolFacts) -> bool:
    """The takes shown cannot be the votes behind the page's split or percentage."""
    counted = counted_calls(tool.takes)
    if counted is None or nobody_voted(tool):
        return False
    if tool.split is not None:
        return counted.ship > tool.split.ship or counted.skip > tool.split.skip
    return tool.panel_ship_percent is not None and not _agrees(tool.panel_ship_percent, counted)


def nobody_voted(tool: ToolFacts) -> bool:
    """The page states a split of nought to nought."""
    return tool.split is not None and not tool.split.ship + tool.split.skip


def _agrees(percent: float, split: Split) -> bool:
    """Within a point: two of three is printed as 66, 67 or 66.7."""
    return abs(exact(percent) - Fraction(100 * split.ship, split.ship + split.skip)) < 1


def level(left: Reading, right: Reading) -> bool:
    """Both stand alike. Where only one split is known, the other's percentage may have been rounded."""
    if left.standing != right.standing or left.share is None or right.share is None:
        return False
    if bool(left.split) == bool(right.split):
        return left.share == right.share
    return abs(left.share - right.share) < Fraction(1, 100)


# Print


def one_decimal(value: Fraction) -> str:
    """Half up: 81.75 is 81.8."""
    tenths = math.floor(value * 10 + _HALF)
    return f"{tenths // 10}.{tenths % 10}"


def plain(number: float) -> str:
    """A number as a person writes it: 80, 66.7; never 80.0 or 1e-07."""
    text = f"{Decimal(str(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(number: float) -> str:
    return f"{plain(number)}{NO_BREAK}%"


def percent_of(tool: Reading) -> str:
    """The page's percentage; where it prints none, the share of the counted votes, half up to a whole."""
    if tool.percent is not None:
        return percent(float(tool.percent))
    return percent(math.floor((tool.share or Fraction(0)) * 100 + _HALF))


def tally(split: Split) -> str:
    """3–1, for a sentence."""
    return f"{split.ship}–{split.skip}"


def counts(split: Split) -> str:
    """3 ship · 1 skip, for a column."""
    return f"{split.ship} ship · {split.skip} skip"


def number(count: int) -> str:
    """A count in words up to twelve; none is "no"."""
    return _NUMBERS[count] if spoken(count) else str(count)


def spoken(count: int) -> bool:
    """Whether `number` says it in words."""
    return count < len(_NUMBERS)


def in_words(tool: Reading) -> str:
    """Who would ship it: "three in four" only where that is exact, else the votes, else the percentage."""
    share = tool.share or Fraction(0)
    if share in (0, 1):
        return "the whole panel" if share else "nobody on the panel"
    if share == _HALF:
        return "half the panel"
    if is_spoken(share):
        return f"{number(share.numerator)} in {number(share.denominator)}"
    if tool.split:
        return f"{number(tool.split.ship)} of {number(tool.split.ship + tool.split.skip)}"
    return f"{percent_of(tool)} of the panel"


def is_spoken(share: Fraction | None) -> bool:
    """Whether people say it as "three in four"."""
    return share is not None and share.denominator <= _LARGEST_SPOKEN


def as_printed(text: str | None) -> Fraction | None:
    """The first number of a printed figure: the inverse of `percent` and `one_decimal`."""
    found = _FIRST_NUMBER.search(text or "")
    return Fraction(found.group()) if found else None


def percent_behind(counted: str) -> Fraction | None:
    """The percentage that `counts` stands for."""
    ship, _, skip = counted.partition("·")
    ships, skips = as_printed(ship), as_printed(skip)
    return 100 * ships / (ships + skips) if ships is not None and skips is not None and ships + skips else None
