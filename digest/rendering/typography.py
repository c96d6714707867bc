"""How words from outside are set: clean, whole, and unable to disturb the words around them. Pure.

`isolated` is for one thing from outside (a name, a remark), `prose` for a sentence of ours with such things in it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from markupsafe import Markup, escape

from digest import text_layout
from digest.facts import clean

_NO_BREAK = "\u00a0"
# 4–0: no line may end at the dash.
_TALLY = re.compile(r"(?<!\d)(\d{1,2}–\d{1,2})(?!\d)")
_BLANK_LINES = re.compile(r"\n\s*\n")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def typeset(text: str) -> str:
    """One line without controls and bidi overrides; a blank at which no line may break stays one."""
    return _NO_BREAK.join(clean(part) for part in text.split(_NO_BREAK))


def paragraphs(text: str | None) -> list[str]:
    """Parted by blank lines; single line ends are blanks."""
    parts = _BLANK_LINES.split((text or "").replace("\r\n", "\n").replace("\r", "\n"))
    return [typeset(part) for part in parts if part.strip()]


def cleaned(value: Any) -> Any:
    """The same value with every string in it clean; of its line ends only blank lines keep their meaning."""
    if isinstance(value, str):
        return "\n\n".join(paragraphs(value))
    if isinstance(value, dict):
        return {key: cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(inner) for inner in value]
    return value


def isolated(text: str) -> Markup:
    marked = escape(typeset(text))
    return Markup("<bdi>{}</bdi>").format(marked) if text_layout.reads_right_to_left(text) else marked


def prose(text: str) -> Markup:
    marked = text_layout.isolate_runs(str(escape(typeset(text))), "<bdi>", "</bdi>")
    return Markup(_TALLY.sub(r'<span class="nw">\1</span>', marked))  # noqa: S704 - escaped in the line above


def bar_width(score: str | None) -> int | None:
    """The width of a bar in whole percent; None where there is no number to draw."""
    try:
        return None if score is None else round(min(100.0, max(0.0, float(score))))
    except ValueError:
        return None


def spoken_day(day: date) -> str:
    """20 November 2026, whatever the machine's language."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def spoken_moment(moment: datetime | str) -> str:
    """20 November 2026, 09:14 UTC. A stored time comes as ISO 8601."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{spoken_day(moment.date())}, {moment:%H:%M %Z}"
