"""The visible lines of a comparison page, and the small words its lines are made of. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from digest.errors import DigestError
from digest.facts import Call, Community, Split, Verdict, clean

MOST_LINE_BREAKS = 20_000  # a page has a few hundred
NAMES_APART = " vs "
END_OF_PAGE = "Weekly AI Tool Verdicts"

_LINE_BREAK = re.compile(r"\r\n?|\n")
_ENDINGS = frozenset({END_OF_PAGE.casefold(), "get the next comparison in your inbox"})
_LONGEST_PANEL = 100
_NOTHING = frozenset({"", "-", "–", "—", "n/a"})
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s?%")
_COMMUNITY = re.compile(
    r"(?P<percent>\d{1,3}(?:\.\d{1,4})?)\s?%(?:\s?ship)?[\s·•|/,(–—-]*"
    r"(?:(?P<votes>\d{1,3}(?:[,. ]?\d{3}){0,3})\s(?:community\s)?votes?)?\)?",
    re.IGNORECASE,
)
_NO_VOTES = re.compile(r"no (?:community )?votes(?: yet)?\.?", re.IGNORECASE)
_VOTES = re.compile(r"(\d{1,3}(?:[,. ]?\d{3}){0,3})\s(?:community\s)?votes?", re.IGNORECASE)
_PANEL = re.compile(
    r"(?:(?P<verdict>ship|mixed|skip)\b)?\W*(?:(?P<ship>\d{1,4})\sship\W+(?P<skip>\d{1,4})\sskip)?\W*",
    re.IGNORECASE,
)
_SCORE = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)\s?/\s?100(?:[\s·•|:–—-]+(\w+))?", re.IGNORECASE)
_VERDICTS: dict[str, Verdict] = {"ship": "ship", "mixed": "mixed", "skip": "skip"}
_CALLS: dict[str, Call] = {"ship": "ship", "skip": "skip"}


class Unreadable(DigestError):
    """This is not a comparison page."""


class Line(NamedTuple):
    """One visible line, cleaned. `apart`: a blank line stands before it."""

    text: str
    apart: bool

    def says(self, label: str) -> bool:
        return self.text.casefold() == label


class Score(NamedTuple):
    """A reviewer's score line. None: what the line says there is no score out of 100, or no call."""

    score: int | float | None
    call: Call | None


def lines_of(text: str) -> tuple[list[Line], bool]:
    """The lines that say something, and whether the last of them is known to be whole (a line break follows).

    Raises Unreadable for more line breaks than any page has.
    """
    if text.count("\n") + text.count("\r") > MOST_LINE_BREAKS:
        raise Unreadable(f"This has more than {MOST_LINE_BREAKS:,} lines, which no comparison page has.")
    lines: list[Line] = []
    apart = False
    pieces = _LINE_BREAK.split(text)
    for piece in pieces:
        if words := clean(piece):
            lines.append(Line(words, apart))
            apart = False
        else:
            apart = True
    return lines, not clean(pieces[-1])


def find(lines: Sequence[Line], label: str, start: int = 0) -> int | None:
    """Where a line says exactly this label (given in lower case), in any case."""
    return next((i for i in range(start, len(lines)) if lines[i].says(label)), None)


def is_ending(lines: Sequence[Line], at: int) -> bool:
    """The newsletter box or the bookmarks: the page's own content is over."""
    if lines[at].says("bookmarks"):
        return at + 1 < len(lines) and lines[at + 1].text.casefold().startswith("loading bookmarks")
    return lines[at].text.casefold() in _ENDINGS


def is_nothing(text: str) -> bool:
    return text in _NOTHING


def badge(text: str) -> Verdict | None:
    return _VERDICTS.get(text.casefold())


def percent(text: str) -> int | float | None:
    """`75%` is 75. None: this line is no percentage between 0 and 100."""
    found = _PERCENT.fullmatch(text)
    return _out_of_hundred(found[1]) if found else None


def votes(text: str) -> int | None:
    found = _VOTES.fullmatch(text)
    return _count(found[1]) if found else None


def community(text: str) -> Community | None:
    """The readers' vote as a line says it: `62%`, `62% · 118 votes`, a dash, `No community votes yet`.

    None: this line says nothing of a vote.
    """
    if is_nothing(text):
        return Community()
    if _NO_VOTES.fullmatch(text):
        return Community(votes=0)
    found = _COMMUNITY.fullmatch(text)
    share = _out_of_hundred(found["percent"]) if found else None
    if found is None or share is None:
        return None
    return Community(ship_percent=share, votes=_count(found["votes"]) if found["votes"] else None)


def panel(text: str) -> tuple[Verdict | None, Split | None] | None:
    """`Ship · 3 ship / 1 skip`, or one half of it. None: this line is no panel verdict."""
    found = _PANEL.fullmatch(text) if len(text) <= _LONGEST_PANEL else None
    if found is None:
        return None
    split = Split(ship=int(found["ship"]), skip=int(found["skip"])) if found["ship"] else None
    return _VERDICTS.get((found["verdict"] or "").casefold()), split


def score(text: str) -> Score | None:
    """`80/100 · ship`. None: this line is no score line."""
    found = _SCORE.fullmatch(text)
    if found is None:
        return None
    return Score(_out_of_hundred(found[1]), _CALLS.get((found[2] or "").casefold()))


def _out_of_hundred(figure: str) -> int | float | None:
    number = float(figure) if "." in figure else int(figure)
    return number if number <= 100 else None  # noqa: PLR2004 - a percentage


def _count(figure: str) -> int:
    return int(re.sub(r"\D", "", figure))
