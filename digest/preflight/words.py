"""Checks of what editors wrote, and of entries against each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from digest.facts import clean
from digest.preflight.sheet import Problem, Sheet, listed, together, unmoved
from digest.text_layout import shorten
from digest.variants import EntryCopy

_LONGEST_EXCERPT = 80
#: So many words in a row, tool names aside, are no accident.
_WORDS_IN_A_ROW = 9

_PLACEHOLDER = re.compile(
    r"\blorem ipsum\b|\bdolor sit amet\b"
    # In capitals only: “todo” is a word of tools for to-do lists, and TK is somebody's initials in lower case.
    r"|(?-i:\b(?:TODO|FIXME|XXX+|TBD|TBC|TBA|TK(?:TK)*)\b)"
    r"|\[(?:…|\.{2,}|\s*|[^\[\]()]{0,40}\b(?:here|name|link|date|number|placeholder)\b[^\[\]()]{0,40})\](?!\()"
    r"|<(?:name|link|date|number|headline|subject)>"
    r"|\binsert\b[^.\n]{0,40}\bhere\b|\b(?:placeholder|dummy|sample) text\b|\bxx+\s?%|\?\?\?+|_{4,}",
    re.IGNORECASE,
)
_OF_ENTRY = re.compile(r"entry (\d+)(, \w+)$")
_WORD = re.compile(r"[^\W_]+(?:['’.–-][^\W_]+)*")


def placeholders(sheet: Sheet) -> Iterator[Problem]:
    """What stands for words that were still to come. A page's own words are its own."""
    for where, words in sheet.own_words.items():
        for found in dict.fromkeys(match[0].strip() for match in _PLACEHOLDER.finditer(words)):
            what = f"“{shorten(found, _LONGEST_EXCERPT)}” looks like a place for words to come."
            yield Problem(
                "block", "placeholder", where, what, "Write what belongs there.", judged=judged(sheet, where, found)
            )


def judged(sheet: Sheet, where: str, found: str) -> tuple[str, ...]:
    """What an override of something found in an editor's words holds for: all of these words, wherever they stand."""
    entry = _OF_ENTRY.match(where)
    spot = f"{unmoved(sheet, int(entry[1]))}{entry[2]}" if entry else where
    return spot, sheet.own_words[where], found


def same_words(sheet: Sheet) -> Iterator[Problem]:
    """Two entries whose sentences go the same way for many words, or that quote the same remark."""
    entries = sheet.copy.entries
    quoted: defaultdict[str, list[EntryCopy]] = defaultdict(list)
    runs: defaultdict[tuple[str, ...], dict[int, EntryCopy]] = defaultdict(dict)
    for entry in entries:
        if entry.summary.quotation:
            quoted[clean(entry.summary.quotation.words).casefold()].append(entry)
        for run in _runs(entry):
            runs[run][entry.position] = entry
    for words, those in quoted.items():
        if len(those) > 1:
            yield _said_twice(those, words, "Leave the quotation out of one of them.")
    told: list[set[int]] = []
    for run, found in sorted(runs.items(), key=lambda each: -len(each[1])):
        if len(found) > 1 and not any(found.keys() <= those for those in told):
            told.append(set(found))
            yield _said_twice(list(found.values()), " ".join(run), "Say it otherwise in one of them.")


def _runs(entry: EntryCopy) -> Iterator[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(_without_names(entry))]
    for at in range(len(words) - _WORDS_IN_A_ROW + 1):
        yield tuple(words[at : at + _WORDS_IN_A_ROW])


def _without_names(entry: EntryCopy) -> str:
    sentence = clean(entry.summary.sentence)
    sides = (entry.summary.left, entry.summary.right)
    for name in sorted({name for side in sides for name in (side.name, side.short_name)}, key=len, reverse=True):
        sentence = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", sentence, flags=re.IGNORECASE)
    return sentence


def _said_twice(entries: list[EntryCopy], words: str, mend: str) -> Problem:
    positions = [entry.position for entry in entries]
    what = f"Entries {listed(positions)} say the same: “{shorten(words, _LONGEST_EXCERPT)}”"
    return Problem("warn", "same-words", together(positions, entries[0].summary.headline), what, mend)
