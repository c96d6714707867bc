"""The edition as a group of subscribers gets it. Pure: which entries stand in full, which tool is told where."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from digest.facts import ComparisonFacts
from digest.verdicts import CriticsRow, Frozen, Quotation, Score, Side, Summary

EVERYTHING = "all"
_TEXT = "-text"


class EntryCopy(Frozen):
    """A comparison placed in an edition, its copy frozen. `position` counts from 1; `url` None: no address known."""

    position: int
    url: str | None
    summary: Summary
    categories: tuple[str, ...] = ()


class AlsoCompared(Frozen):
    """A near miss: one line under *Also compared*."""

    title: str
    url: str | None


class EditionCopy(Frozen):
    """All words of one edition. `dated` is the day it leaves, in the newsletter's zone; `week` is `2026-W47`."""

    week: str
    dated: date
    subject: str
    breath: str
    introduction: str | None = None
    entries: tuple[EntryCopy, ...]
    also_compared: tuple[AlsoCompared, ...] = ()
    corrections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """`topics` None: everything. `key` names the set of entries shown in full, and the format."""

    key: str
    topics: frozenset[str] | None = None
    text_only: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One side of an entry. `at` is the position of the entry that already tells this tool in full, else None.

    `scores` and `takes` are how many the page gives; without a take the tool needs no column among the critics.
    """

    side: Side
    at: int | None
    scores: int
    takes: int

    @property
    def among_critics(self) -> bool:
        return self.at is None and self.takes > 0


@dataclass(frozen=True, slots=True)
class InFull:
    """An entry shown in full. `critics` are those with something new to say; `quotation` only if not yet printed."""

    entry: EntryCopy
    left: Told
    right: Told
    critics: tuple[CriticsRow, ...]
    quotation: Quotation | None


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What a variant shows: entries in full, and entries that are only a line under *Also compared*."""

    in_full: tuple[InFull, ...]
    in_a_line: tuple[EntryCopy, ...]


def entry_copy(position: int, facts: ComparisonFacts, summary: Summary) -> EntryCopy:
    """One frozen entry as the mail prints it."""
    categories = sorted({tool.category for tool in facts.tools if tool.category})
    return EntryCopy(position=position, url=facts.url, summary=summary, categories=tuple(categories))


def variant_of(entries: Sequence[EntryCopy], topics: Iterable[str] | None, *, text_only: bool = False) -> Variant:
    """The variant that serves a wish: different wishes that show the same entries share one key."""
    chosen = None if topics is None else frozenset(topics)
    key = variant_key(entries, chosen, text_only=text_only)
    return Variant(key, None if key.startswith(EVERYTHING) else chosen, text_only)


def served_by(entries: Sequence[EntryCopy], keys: Container[str], topics: str, *, plain_text: bool) -> str:
    """The variant, of those called `keys`, that a stored wish gets: its own, and where there is none, everything."""
    key = variant_of(entries, topics.splitlines() or None, text_only=plain_text).key
    if key in keys:
        return key
    return f"{EVERYTHING}{_TEXT}" if plain_text else EVERYTHING


def variant_key(entries: Sequence[EntryCopy], topics: frozenset[str] | None, *, text_only: bool = False) -> str:
    """`all`, or `t-` and eight hex digits of the positions shown in full; `-text` where no HTML is wanted."""
    positions = positions_in_full(entries, topics)
    if len(positions) == len(entries):
        key = EVERYTHING
    else:
        key = f"t-{hashlib.sha256(','.join(map(str, sorted(positions))).encode()).hexdigest()[:8]}"
    return f"{key}{_TEXT}" if text_only else key


# 2,048 selections of entries take about 30 ms to try; eight entries have at most 256.
_MOST_SELECTIONS = 2048


def wishes_there_can_be(entries: Sequence[EntryCopy]) -> Iterator[frozenset[str] | None]:
    """One wish for each selection of entries that topics can make."""
    yield None
    selections: dict[frozenset[int], frozenset[str]] = {positions_in_full(entries, frozenset()): frozenset()}
    yield frozenset()
    for category in sorted({category for entry in entries for category in entry.categories}):
        for narrower in list(selections.values()):
            wish = narrower | {category}
            shown = positions_in_full(entries, wish)
            if shown in selections:
                continue
            if len(selections) >= _MOST_SELECTIONS:
                return
            selections[shown] = wish
            yield wish


def positions_in_full(entries: Sequence[EntryCopy], topics: frozenset[str] | None) -> frozenset[int]:
    """Which entries a wish shows in full."""
    return frozenset(entry.position for entry in entries if in_topics(entry, topics))


def variant_called(
    entries: Sequence[EntryCopy], key: str, wishes: Iterable[frozenset[str] | None] | None = None
) -> Variant | None:
    """The variant behind a key, found by trying wishes: those there can be, or those given. None where none has it.

    Whichever wish is found, the bytes are the same: they depend only on which entries stand in full.
    """
    text_only = key.endswith(_TEXT)
    for topics in wishes_there_can_be(entries) if wishes is None else wishes:
        if variant_key(entries, topics, text_only=text_only) == key:
            return variant_of(entries, topics, text_only=text_only)
    return None


def topics_of(entries: Sequence[EntryCopy], variant: Variant) -> tuple[str, ...]:
    """The topics whose readers get this variant: every category of which all entries stand in full."""
    shown = positions_in_full(entries, variant.topics)
    categories = {category for entry in entries for category in entry.categories}
    elsewhere = {category for entry in entries if entry.position not in shown for category in entry.categories}
    return tuple(sorted(categories - elsewhere))


def in_topics(entry: EntryCopy, topics: frozenset[str] | None) -> bool:
    """An entry without a category is in every topic: nobody could have asked to be spared it."""
    return topics is None or not entry.categories or not topics.isdisjoint(entry.categories)


def arrange(entries: Sequence[EntryCopy], topics: frozenset[str] | None) -> Arrangement:
    """Order by position; a tool's facts and remarks stand once, at its first entry shown in full."""
    told: dict[str, int] = {}
    printed: set[tuple[str, str]] = set()
    in_full: list[InFull] = []
    in_a_line: list[EntryCopy] = []
    for entry in sorted(entries, key=lambda entry: entry.position):
        if not in_topics(entry, topics):
            in_a_line.append(entry)
            continue
        in_full.append(_in_full(entry, told, printed))
        for side in (entry.summary.left, entry.summary.right):
            told.setdefault(side.identity, entry.position)
        if entry.summary.quotation:
            printed.add(_remark(entry.summary.quotation))
    return Arrangement(tuple(in_full), tuple(in_a_line))


def _in_full(entry: EntryCopy, told: dict[str, int], printed: set[tuple[str, str]]) -> InFull:
    summary = entry.summary
    left = _told(summary.left, told, [row.left for row in summary.critics])
    right = _told(summary.right, told, [row.right for row in summary.critics])
    quotation = summary.quotation
    if quotation and _remark(quotation) in printed:
        quotation = None
    return InFull(entry, left, right, _critics(summary, left, right), quotation)


def _told(side: Side, told: dict[str, int], given: Sequence[Score | None]) -> Told:
    takes = [score for score in given if score is not None]
    scores = sum(score.out_of_100 is not None for score in takes)
    return Told(side, told.get(side.identity), scores, len(takes))


def _critics(summary: Summary, left: Told, right: Told) -> tuple[CriticsRow, ...]:
    """Everybody with a take on a tool that is told here for the first time."""
    return tuple(
        row
        for row in summary.critics
        if (left.among_critics and row.left is not None) or (right.among_critics and row.right is not None)
    )


def _remark(quotation: Quotation) -> tuple[str, str]:
    return quotation.identity or quotation.tool, quotation.words
