"""Plain text that lines up: wrapping and columns by what a terminal shows, not by how many code points. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

WIDTH = 78

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_R = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RUN = re.compile(rf"[{_R}](?:[\W\d_]*[{_R}])*")
# Not the blank at which no line may break.
_BLANKS = re.compile(r"[ \n]+")
_INVISIBLE = frozenset({"Mn", "Me", "Cf"})
_WIDE = frozenset({"W", "F"})


def columns(text: str) -> int:
    """How many columns a fixed-width font takes: 2 for a wide East Asian character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


@lru_cache(maxsize=4096)
def _columns_of(character: str) -> int:
    if unicodedata.category(character) in _INVISIBLE:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def reads_right_to_left(text: str) -> bool:
    """Whether any part of it does, so that it must not disturb the words around it."""
    return not text.isascii() and any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def isolate(text: str) -> str:
    """Text that reads from right to left, fenced off from its neighbours (Unicode TR 9); other text as it is."""
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}" if reads_right_to_left(text) else text


def isolate_runs(text: str, before: str = _FIRST_STRONG_ISOLATE, after: str = _POP_ISOLATE) -> str:
    """A left-to-right sentence in which each run that reads from right to left is fenced off."""
    return text if text.isascii() else _RUN.sub(lambda run: f"{before}{run[0]}{after}", text)


def wrap(text: str, width: int = WIDTH, *, first: str = "", rest: str | None = None) -> str:
    """Lines of at most `width` columns, the first led in by `first`, the others by `rest` (blanks by default).

    Only an address may be longer: it stands on a line of its own, so that it can be opened.
    """
    rest = " " * columns(first) if rest is None else rest
    lines: list[str] = []
    line, empty = first, True
    for word in _words(text, width - max(columns(first), columns(rest))):
        glue = "" if empty else " "
        if not empty and columns(line) + 1 + columns(word) > width:
            lines.append(line.rstrip())
            line, glue = rest, ""
        line, empty = f"{line}{glue}{word}", False
    lines.append(line.rstrip())
    return "\n".join(lines)


def _words(text: str, room: int) -> Iterable[str]:
    for word in _BLANKS.split(text.strip(" \n")):
        if word.startswith(("http://", "https://")) or columns(word) <= room:
            yield word
        else:
            yield from _pieces(word, room)


def _pieces(word: str, room: int) -> Iterable[str]:
    """A word longer than a line, cut before the character that would not fit; marks stay with their base."""
    piece, used = "", 0
    for character in word:
        wide = _columns_of(character)
        if used + wide > room and not piece.endswith("\u200d"):
            yield piece
            piece, used = "", 0
        piece, used = piece + character, used + wide
    yield piece


def shorten(text: str, width: int) -> str:
    """The text if it fits, else its beginning with an ellipsis, never wider than `width` columns."""
    if columns(text) <= width:
        return text
    return f"{next(iter(_pieces(text, width - 1))).rstrip()}…"


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text with blanks to make it `width` columns wide; `right` puts them before it."""
    blanks = " " * max(0, width - columns(text))
    return blanks + text if right else text + blanks


def aligned(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset(), gap: int = 3) -> list[str]:
    """One line for each row, every column as wide as its widest cell; the columns numbered in `right` flush right."""
    widths = [max(columns(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        (" " * gap).join(pad(cell, widths[i], right=i in right) for i, cell in enumerate(row)).rstrip() for row in rows
    ]
