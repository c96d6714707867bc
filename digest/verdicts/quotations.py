"""Which words of which critic to quote: whole sentences, verbatim, of a named reviewer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from digest.facts import Call, TakeFacts, ToolFacts, exact
from digest.verdicts.figures import FEWEST_SCORES, Reading, counted_calls
from digest.verdicts.prose import sentences

BEST_LENGTH = 240
LONGEST = 300
LONGEST_AT_ALL = 400

_SHORT, _FULL, _BRIEF = 40, 70, 60
_HALF = Fraction(1, 2)
# A remark has three to six sentences; of something else the beginning will do.
_MOST_SENTENCES = 50

# Words that lean on the sentence before, which the reader of a quotation does not see.
_LEANS = re.compile(
    r"(?:that said|that's|that|this|these|those|it|it's|its|they|they're|their|them|he|she|his|her|but|and|so|or|yet|"
    r"however|still|also|then|thus|hence|therefore|nor|instead|otherwise|plus|besides|either|neither|both|such|same|"
    r"another|worse|better|again|meanwhile|which|until then|even so|in short|the same|the first|the second|"
    r"the second-order|the former|the latter|the other|the rest|the result|"
    r"to be fair|granted|yes|sure)\b",
    re.IGNORECASE,
)
_LEANS_WITHIN = re.compile(r"\b(?:this|these|those|they|it's|it|them)\b", re.IGNORECASE)
_CONCRETE = re.compile(r"\d|[$€£¥%]")
_NAMED = re.compile(r"(?<=[a-z,] )[A-Z]\w+")
_REASONED = re.compile(
    r"\b(?:because|so that|without|instead of|rather than|until|unless|except|means)\b", re.IGNORECASE
)
_DOUBTS = re.compile(
    r"\b(?:hard to|too|not|no|never|nothing|nobody|cannot|can't|won't|doesn't|didn't|don't|isn't|wasn't|skip|skipping|"
    r"lacks?|lacking|missing|misses|missed|fails?|failed|breaks?|broke|costs?|overhead|problem|risks?|worse|wrong|worry|"
    r"thin|slow|slower|fragile|limits?|limited|only|unless|until|hype|lock-in|refuses?|ignores?|loses?|lost|"
    r"expensive|overpriced|less|without)\b",
    re.IGNORECASE,
)
_PRAISES = re.compile(
    r"\b(?:ship|ships|shipping|earns?|earned|solves?|solved|best|better|faster|cheaper|genuine|genuinely|real|right|clean|"
    r"works?|worked|wins?|first|finally|exactly|survives|worth|saves?|saved|correctly|persuaded|feature|difference|unlock|"
    r"upgrade|excellent|enough|praise|pays|free)\b",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"(?:category is|the category|direct competitors|competitors are|the buyer is)\b", re.IGNORECASE)
_UNQUOTABLE = re.compile(r"https?://|[<>{}]")


@dataclass(frozen=True)
class Found:
    """What to quote: `words` stand verbatim in the remark of `take`, which is about `tool`."""

    kind: Literal["dissent", "telling"]
    tool: ToolFacts
    take: TakeFacts
    words: str

    @property
    def source(self) -> tuple[str, str]:
        """Whose remark about what; an edition quotes each remark once."""
        return self.tool.identity, (self.take.reviewer or "").casefold()


@dataclass(frozen=True)
class _Voice:
    """One quotable take: its best words with their merit, and its distance from the other scores of its panel."""

    tool: ToolFacts
    take: TakeFacts
    words: str
    merit: int
    distance: Fraction


def find(
    tools: tuple[ToolFacts, ToolFacts],
    panels: tuple[Reading, Reading],
    quoted: AbstractSet[tuple[str, str]] = frozenset(),
) -> Found | None:
    """The strongest dissent across both tools; where all agree, the most telling remark.

    `quoted` are the sources that the edition has quoted already. None: nobody can be quoted by name and in whole
    sentences.
    """
    dissents = [
        voice
        for tool, panel in zip(tools, panels, strict=True)
        for voice in _voices(tool, _against(tool, panel), quoted)
    ]
    if dissents:
        strongest = max(dissents, key=lambda voice: (not _divided(voice.tool, tools, panels), voice.distance))
        return Found("dissent", strongest.tool, strongest.take, strongest.words)
    remarks = [voice for tool in tools for voice in _voices(tool, tool.takes, quoted)]
    if not remarks:
        return None
    contrary = _contrary(tools)
    telling = max(remarks, key=lambda voice: (voice.merit + (_key(voice.take) in contrary), voice.distance))
    return Found("telling", telling.tool, telling.take, telling.words)


# Who


def _against(tool: ToolFacts, panel: Reading) -> list[TakeFacts]:
    """The takes against their panel's majority; of an even panel, the skips."""
    share = _ship_share(tool, panel)
    if share is None:
        return []
    minority = "skip" if share >= _HALF else "ship"
    return [take for take in tool.takes if take.call == minority]


def _ship_share(tool: ToolFacts, panel: Reading) -> Fraction | None:
    """What the page states; where it states nothing, the calls it shows, if there are two."""
    if panel.share is not None:
        return panel.share
    counted = counted_calls(tool.takes)
    if counted is None or counted.ship + counted.skip < FEWEST_SCORES:
        return None
    return Fraction(counted.ship, counted.ship + counted.skip)


def _divided(tool: ToolFacts, tools: tuple[ToolFacts, ToolFacts], panels: tuple[Reading, Reading]) -> bool:
    """An even panel has no majority to be against."""
    panel = panels[0] if tool is tools[0] else panels[1]
    return _ship_share(tool, panel) == _HALF


def _contrary(tools: tuple[ToolFacts, ToolFacts]) -> frozenset[str]:
    """Reviewers who prefer the tool that the others, taken together, put second: they know something."""
    left, right = ({_key(take): take.score for take in tool.takes if take.reviewer} for tool in tools)
    leans = {
        reviewer: exact(score) - exact(other)
        for reviewer, score in left.items()
        if score is not None and (other := right.get(reviewer)) is not None
    }
    total = sum(leans.values(), Fraction(0))
    return frozenset(reviewer for reviewer, lean in leans.items() if lean * (total - lean) < 0)


def _voices(tool: ToolFacts, takes: Iterable[TakeFacts], quoted: AbstractSet[tuple[str, str]]) -> Iterator[_Voice]:
    for take in takes:
        if not take.reviewer or not take.remark or (tool.identity, _key(take)) in quoted:
            continue
        best = best_words(take.remark, take.call)
        if best:
            yield _Voice(tool, take, *best, _distance(take, tool))


def _key(take: TakeFacts) -> str:
    return (take.reviewer or "").casefold()


def _distance(take: TakeFacts, tool: ToolFacts) -> Fraction:
    others = [exact(other.score) for other in tool.takes if other is not take and other.score is not None]
    if take.score is None or not others:
        return Fraction(0)
    return abs(exact(take.score) - sum(others, Fraction(0)) / len(others))


# Which words


def best_words(remark: str, call: Call | None) -> tuple[str, int] | None:
    """The sentence that stands best alone, or a short one with the next, and its merit; of long ones the shortest."""
    spans = sentences(remark)[:_MOST_SENTENCES]
    singles = [remark[start:end] for start, end in spans]
    couples = [
        remark[first[0] : second[1]]
        for first, second in pairwise(spans)
        if first[1] - first[0] < _BRIEF and second[1] - first[0] <= BEST_LENGTH
    ]
    fitting = [words for words in singles + couples if len(words) <= LONGEST and not _UNQUOTABLE.search(words)]
    if fitting:
        return max(((words, merit(words, call) - (words in couples)) for words in fitting), key=lambda found: found[1])
    shortest = min(singles, key=len, default="")
    if not 0 < len(shortest) <= LONGEST_AT_ALL or _UNQUOTABLE.search(shortest):
        return None
    return shortest, merit(shortest, call)


def merit(words: str, call: Call | None) -> int:
    """How well words stand alone and speak for their critic's call. A rule of thumb: only the order counts."""
    return (
        _by_length(len(words))
        + bool(_CONCRETE.search(words))
        + bool(_NAMED.search(words))
        + bool(_REASONED.search(words))
        + _by_call(words, call)
        - 8 * bool(_LEANS.match(words.lstrip("\"'“‘(")))
        - min(2, len(_LEANS_WITHIN.findall(words)))
        - 3 * bool(_FORMULA.search(words))
        - 2 * words.endswith("?")
        - 6 * _unbalanced(words)
    )


def _by_call(words: str, call: Call | None) -> int:
    """A skip should sound like one: a concession quoted alone would turn its critic round."""
    if call is None:
        return 0
    doubts, praises = len(_DOUBTS.findall(words)), len(_PRAISES.findall(words))
    own, other = (doubts, praises) if call == "skip" else (praises, doubts)
    return min(3, own) if own else -bool(other)


def _by_length(length: int) -> int:
    if length < _SHORT:
        return -3
    if length > BEST_LENGTH:
        return -2
    return 2 if length >= _FULL else 0


def _unbalanced(words: str) -> bool:
    return (
        any(words.count(pair[0]) != words.count(pair[1]) for pair in ("()", "[]", "“”", "«»"))
        or words.count('"') % 2 == 1
    )
