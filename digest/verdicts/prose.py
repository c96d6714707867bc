"""Where sentences end. Pure.

Made for quoting: a sentence cut in the middle would put words in somebody's mouth, so wherever it is in doubt
(abbreviations, open brackets and quotation marks, a lower-case word after the stop) nothing is cut.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

# Latin, Devanagari, Arabic, Urdu, Ethiopic; the full-width stops need no blank after them.
_STOP = re.compile(r"""([.!?…؟۔।॥።。！？｡]+)["'”’»›)\]）】」』》〉`]*""")
_FULL_WIDTH = "。！？｡"
_OPENERS = "\"'“‘«‹([（【「『《〈`"
_PAIRS = ("()", "[]", "{}", "“”", "«»", "（）", "【】", "「」", "『』", "《》")
_SYMMETRICAL = '"`'

# How far around a stop it takes to judge it.
_NEAR = 100

_NEVER_LAST = re.compile(r"e\.g|i\.e|vs|cf|mrs?|ms|dr|prof|figs?|approx|est|st|mt|viz|resp|incl|yahoo!")
# Also single letters and initials: "plan B.", "the U.S."
_SOMETIMES_LAST = re.compile(
    r"inc|ltd|corp|co|llc|plc|gmbh|bros|etc|jr|sr|al|nos?|vol|ver|ph\.d|dept|(?:\w\.)*\w", re.IGNORECASE
)
_SURE_STARTS = re.compile(
    r"an?|and|as|at|but|for|he|her|here|his|however|i|if|in|instead|its?|my|no|nobody|none|not|nothing|on|one|or|our|she|"
    r"so|still|that|the|their|then|there|these|they|this|those|to|unless|until|we|what|when|where|which|while|who|why|"
    r"with|without|worse|yes|yet|you|your",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of the whole sentences, in order. What follows the last stop may have been cut off: no sentence."""
    inside = _inside(text)
    ends = [stop.end() for stop in _STOP.finditer(text) if not inside[stop.end()] and _ends(text, stop)]
    return [(end - len(text[start:end].lstrip()), end) for start, end in pairwise([0, *ends])]


def _inside(text: str) -> list[bool]:
    """For each place in the text: is a bracket or quotation mark open there? Unbalanced kinds do not count."""
    depth = {pair: 0 for pair in _PAIRS if text.count(pair[0]) == text.count(pair[1])}
    depth |= {mark: 0 for mark in _SYMMETRICAL if text.count(mark) % 2 == 0}
    kinds = {letter: kind for kind in depth for letter in kind}
    inside = [False]
    for letter in text:
        kind = kinds.get(letter)
        if kind is None:
            inside.append(inside[-1])
            continue
        step = 1 if letter == kind[0] else -1
        depth[kind] = 1 - depth[kind] if len(kind) == 1 else max(0, depth[kind] + step)
        inside.append(any(depth.values()))
    return inside


def _ends(text: str, stop: re.Match[str]) -> bool:
    before, rest = text[max(0, stop.start() - _NEAR) : stop.start()], text[stop.end() : stop.end() + _NEAR]
    if not rest.strip() or stop[0][-1] in _FULL_WIDTH:
        return True
    return rest[0].isspace() and _may_begin(rest.split(maxsplit=1)[0]) and not _only_a_dot(before, stop[1], rest)


def _may_begin(word: str) -> bool:
    """Upper case, a figure, a script without case, an emoji; or a name such as vLLM or n8n."""
    word = word.lstrip(_OPENERS)
    if not word or not word[0].isalnum():
        return word != "" and unicodedata.category(word[0]) == "So"
    return not word[0].islower() or any(letter.isupper() or letter.isdigit() for letter in word)


def _only_a_dot(before: str, stop: str, rest: str) -> bool:
    """The stop belongs to the word before it, or may: "e.g. vLLM", "Example Inc. Labs", "Well... The", "1. First"."""
    words = before.split()
    last = words[-1].lstrip(_OPENERS).casefold() if words else ""
    if _NEVER_LAST.fullmatch(f"{last}{stop}".rstrip(".")):
        return True
    following = _WORD.search(rest)
    surely_begins = following is not None and _SURE_STARTS.fullmatch(following.group()) is not None
    if stop.strip(".…") == "" and stop != ".":
        return not surely_begins
    if stop != ".":
        return False
    if last.isdigit() and (len(words) == 1 or words[-2][-1] in ".!?:;"):
        return True
    return _SOMETIMES_LAST.fullmatch(last) is not None and not surely_begins
