"""What is not as it was between two manuscripts: entries, figures and words. Pure.

The two may be one edition at two times, or two editions. Words are compared word by word; where too little of a text
is left of the earlier one, or a text is too long to be compared in a moment, it is told whole, before and after.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from digest.manuscript import Manuscript, Placed
from digest.verdicts import Score, Side

Kind = Literal["same", "went", "came"]

MOST_WORDS = 1_500
MOST_PAIRS = 20_000
"""Equal words of the two sides, counted as pairs: what comparing takes time for, worst in texts of one word."""
LEAST_IN_COMMON = 0.35

# A word with the white space before it; of scripts that set none between words, one letter.
_WORDS = re.compile(r"\s*[\u3040-\u30ff\u3400-\u9fff]|\s*[^\s\u3040-\u30ff\u3400-\u9fff]+|\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text that stayed, went or came."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class EntryChange:
    """One comparison in both editions or in one: its place then and now, from 1."""

    comparison: int
    name: str
    was: int | None
    now: int | None
    has_moved: bool

    @property
    def kind(self) -> Literal["came", "went", "moved", "same"]:
        if self.was is None:
            return "came"
        if self.now is None:
            return "went"
        return "moved" if self.has_moved else "same"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a tool. None: the page did not say."""

    name: str
    was: str | None
    now: str | None

    @property
    def is_other(self) -> bool:
        return self.was != self.now


@dataclass(frozen=True, slots=True)
class ToolFigures:
    """What is said of a tool that is in both."""

    name: str
    figures: tuple[Figure, ...]

    @property
    def is_other(self) -> bool:
        return any(figure.is_other for figure in self.figures)


@dataclass(frozen=True, slots=True)
class Words:
    """A text that is not as it was."""

    title: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """All of it. `lines_*` are titles under *Also compared*."""

    entries: tuple[EntryChange, ...]
    tools: tuple[ToolFigures, ...]
    words: tuple[Words, ...]
    lines_went: tuple[str, ...]
    lines_came: tuple[str, ...]
    corrections_went: tuple[int, ...] = ()
    corrections_came: tuple[int, ...] = ()

    @property
    def changed_tools(self) -> tuple[ToolFigures, ...]:
        return tuple(tool for tool in self.tools if tool.is_other)

    @property
    def is_nothing(self) -> bool:
        """Whether a reader could not tell the two apart by what is compared here."""
        others = self.changed_tools, self.words, self.lines_went, self.lines_came
        corrections = self.corrections_went, self.corrections_came
        return not any(others) and not any(corrections) and all(each.kind == "same" for each in self.entries)


def between(before: Manuscript, after: Manuscript) -> Differences:
    """From the earlier to the later one."""
    were, are = [line.title for line in before.also_compared], [line.title for line in after.also_compared]
    return Differences(
        entries=tuple(entries(before, after)),
        tools=tuple(tools(before, after)),
        words=tuple(words(before, after)),
        lines_went=tuple(title for title in were if title not in are),
        lines_came=tuple(title for title in are if title not in were),
        corrections_went=tuple(each for each in before.corrections if each not in after.corrections),
        corrections_came=tuple(each for each in after.corrections if each not in before.corrections),
    )


# — entries —


def entries(before: Manuscript, after: Manuscript) -> Iterator[EntryChange]:
    """Those of the later one in its order, then those that went in theirs."""
    were = {comparison: place for place, comparison in enumerate(before.order, start=1)}
    kept = [comparison for comparison in after.order if comparison in were]
    in_order = _in_order([were[comparison] for comparison in kept])
    for place, entry in enumerate(after.entries, start=1):
        was = were.get(entry.comparison)
        yield EntryChange(
            entry.comparison, entry.facts.headline, was, place, has_moved=was is not None and was not in in_order
        )
    for entry in before.entries:
        if entry.comparison not in after.order:
            was = were[entry.comparison]
            yield EntryChange(entry.comparison, entry.facts.headline, was, None, has_moved=False)


def _in_order(places: Sequence[int]) -> set[int]:
    """A longest rising part of them: the rest is what has moved, and as little as possible."""
    ends: list[int] = []
    lengths = []
    for place in places:
        at = bisect_left(ends, place)
        ends[at : at + 1] = [place]
        lengths.append(at)
    found: set[int] = set()
    wanted, last = len(ends) - 1, max(places, default=0) + 1
    for place, length in zip(reversed(places), reversed(lengths), strict=True):
        if length == wanted and place < last:
            found.add(place)
            wanted, last = wanted - 1, place
    return found


# — figures —


def tools(before: Manuscript, after: Manuscript) -> Iterator[ToolFigures]:
    """Tools that both tell of, in the order of the later one, each as at its first entry."""
    were = dict(reversed([(names[0], told) for names, told in _told(before)]))
    seen: set[str] = set()
    for names, (side, scores) in _told(after):
        earlier = next((were[name] for name in names if name in were), None)
        if earlier is None or names[0] in seen:
            continue
        seen.add(names[0])
        yield ToolFigures(side.name, tuple(_figures(*earlier, side, scores)))


_Told = tuple[Side, dict[str, Score]]


def _told(found: Manuscript) -> Iterator[tuple[tuple[str, ...], _Told]]:
    """Each tool of each entry by its identity, and by the one it had before its address was learned."""
    for entry in found.entries:
        summary = entry.summary
        scores: tuple[dict[str, Score], dict[str, Score]] = (
            {row.reviewer: row.left for row in summary.critics if row.left},
            {row.reviewer: row.right for row in summary.critics if row.right},
        )
        for tool, side, given in zip(entry.facts.tools, (summary.left, summary.right), scores, strict=True):
            yield (tool.identity, tool.identity_in_words), (side, given)


def _figures(was: Side, had: dict[str, Score], now: Side, has: dict[str, Score]) -> Iterator[Figure]:
    yield Figure("verdict", was.verdict, now.verdict)
    yield Figure("split", was.split, now.split)
    yield Figure("share that ships", was.percent, now.percent)
    yield Figure("average", was.average, now.average)
    for reviewer in {**had, **has}:
        yield Figure(reviewer, _score(had.get(reviewer)), _score(has.get(reviewer)))
    yield Figure("community", was.community, now.community)
    yield Figure("price", was.price, now.price)


def _score(given: Score | None) -> str | None:
    """80, ship."""
    return None if given is None else ", ".join(part for part in (given.out_of_100, given.call) if part)


# — words —


def words(before: Manuscript, after: Manuscript) -> Iterator[Words]:
    """Every text that is not as it was; of entries those that are in both."""
    for title, was, now in _texts(before, after):
        if was != now:
            yield Words(title, word_by_word(was, now))


def _texts(before: Manuscript, after: Manuscript) -> Iterator[tuple[str, str, str]]:
    yield "Subject", before.subject, after.subject
    yield "In one breath", before.breath, after.breath
    yield "Introduction", before.introduction, after.introduction
    were = {entry.comparison: entry for entry in before.entries}
    for place, entry in enumerate(after.entries, start=1):
        was = were.get(entry.comparison)
        if was is not None:
            of_entry = f"of entry {place}, {entry.facts.headline}"
            yield f"Headline {of_entry}", was.summary.headline, entry.summary.headline
            yield f"Summary {of_entry}", was.summary.sentence, entry.summary.sentence
            yield f"Quotation {of_entry}", _quoted(was), _quoted(entry)


def _quoted(entry: Placed) -> str:
    quotation = entry.summary.quotation
    return f"{quotation.reviewer} on {quotation.tool}: {quotation.words}" if quotation else ""


def word_by_word(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces of both texts in order. Those that stayed and went give the earlier one, stayed and came the later."""
    were, are = _WORDS.findall(before), _WORDS.findall(after)
    start = _alike(were, are)
    end = _alike(were[start:][::-1], are[start:][::-1])
    middle = _compared(were[start : len(were) - end], are[start : len(are) - end])
    pieces = [("same", were[:start]), *middle, ("same", were[len(were) - end :])]
    in_common = sum(len(some) for kind, some in pieces if kind == "same")
    if 2 * in_common < LEAST_IN_COMMON * (len(were) + len(are)):
        pieces = [("went", were), ("came", are)]
    return tuple(_joined(pieces))


_Pieces = list[tuple[Kind, list[str]]]


def _alike(were: Sequence[str], are: Sequence[str]) -> int:
    """How many words both begin with."""
    return next(
        (at for at, (was, now) in enumerate(zip(were, are, strict=False)) if was != now), min(len(were), len(are))
    )


def _compared(were: list[str], are: list[str]) -> _Pieces:
    if max(len(were), len(are)) > MOST_WORDS or _pairs(were, are) > MOST_PAIRS:
        return [("went", were), ("came", are)]
    pieces: _Pieces = []
    for what, a, b, c, d in SequenceMatcher(None, were, are, autojunk=False).get_opcodes():
        pieces += [("same", were[a:b])] if what == "equal" else [("went", were[a:b]), ("came", are[c:d])]
    return pieces


def _pairs(were: Sequence[str], are: Sequence[str]) -> int:
    then, now = Counter(were), Counter(are)
    return sum(count * now[word] for word, count in then.items())


def _joined(pieces: _Pieces) -> Iterator[Piece]:
    """Neighbours of one kind as one; of what changed in one place first what went."""
    went, came, same = "", "", ""
    for kind, some in pieces:
        text = "".join(some)
        if not text:
            continue
        if kind == "same":
            yield from _changed(went, came)
            went, came, same = "", "", same + text
            continue
        if same:
            yield Piece("same", same)
            same = ""
        went, came = (went + text, came) if kind == "went" else (went, came + text)
    yield from _changed(went, came)
    if same:
        yield Piece("same", same)


def _changed(went: str, came: str) -> Iterator[Piece]:
    if went:
        yield Piece("went", went)
    if came:
        yield Piece("came", came)
