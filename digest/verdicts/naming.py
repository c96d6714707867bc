"""What a tool is called where there is little room, and where two are called the same. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from digest.facts import ComparisonFacts, ToolFacts

_BRACKET = re.compile(r"\s*[(\[（][^()\[\]（）]*[)\]）]$")
# A version carries a "v" or a dot: the 4 of "Studio 4" may be part of the name. The word for the kind of
# release goes with it: "Instruct v2", "2.1 beta".
_RELEASE = r"(?:alpha|base|beta|chat|instruct|preview|rc)"
_VERSION = re.compile(
    rf"\s+(?:{_RELEASE}\s+)?(?:v\d+(?:\.\d+)*|\d+(?:\.\d+)+)(?:[\s-]?{_RELEASE}\.?\d*)?$", re.IGNORECASE
)
_DANGLING = " -–—:,;|/·"
_FEWEST_LETTERS = 2

# Before and after a right-to-left name: without the first the whole sentence could be set from right to left,
# without the second "3–1" after the name would be shown as "1–3".
_LEFT_TO_RIGHT_MARK = "\u200e"


def short_names(comparisons: Iterable[ComparisonFacts]) -> dict[str, str]:
    """By identity: the name without a trailing bracket or version, while no other tool of the edition
    could be called that too; else the longest form that is its own, else the whole name."""
    names = {tool.identity: tool.name for comparison in comparisons for tool in comparison.tools}
    bearers: dict[str, set[str]] = {}
    for identity, name in names.items():
        for form in _forms(name):
            bearers.setdefault(form.casefold(), set()).add(identity)
    return {
        identity: next((form for form in reversed(tuple(_forms(name))) if len(bearers[form.casefold()]) == 1), name)
        for identity, name in names.items()
    }


def _forms(name: str) -> Iterator[str]:
    """The name, then each shorter one that the rule allows."""
    yield name
    shorter = _BRACKET.sub("", name)
    if shorter == name:
        shorter = _VERSION.sub("", name)
    shorter = shorter.rstrip(_DANGLING)
    if shorter != name and sum(map(str.isalnum, shorter)) >= _FEWEST_LETTERS:
        yield from _forms(shorter)


def told_apart(tools: tuple[ToolFacts, ToolFacts], names: tuple[str, str]) -> tuple[str, str]:
    """The two names as a sentence can use them: namesakes by category, else by their place on the page."""
    left, right = names
    if left.casefold() == right.casefold():
        first, second = (tool.category or "" for tool in tools)
        if not first or not second or first.casefold() == second.casefold():
            first, second = "the first", "the second"
        left, right = f"{left} ({first})", f"{right} ({second})"
    return _marked(left), _marked(right)


def _marked(name: str) -> str:
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in name)
    return f"{_LEFT_TO_RIGHT_MARK}{name}{_LEFT_TO_RIGHT_MARK}" if turns else name
