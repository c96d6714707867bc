"""The decision table of a page: a label, then what each of the two tools has. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from digest.facts import Community, Split, Verdict
from digest.pages.lines import Line, community, find, is_nothing, panel

HEADING = "decision"
_BELOW = "reviewer scorecard"
_VERDICT, _COMMUNITY = "panel verdict", "community"
_LABELS = (_VERDICT, _COMMUNITY, "pricing", "best for", "category")
_ROW = 3  # lines


@dataclass
class Table:
    """Its rows by label in lower case. `end` is the line after it; `missing` says what could not be read."""

    end: int
    rows: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def says(self, label: str, side: int) -> str | None:
        value = self.rows[label][side] if label in self.rows else None
        return None if value is None or is_nothing(value) else value

    def verdict(self, side: int, name: str) -> tuple[Verdict | None, Split | None]:
        stated = self.says(_VERDICT, side)
        if stated is None:
            return None, None
        verdict, split = panel(stated) or (None, None)
        if verdict is None and split is None:
            self.missing.append(f"The panel verdict “{stated[:60]}” of {name} could not be read.")
        return verdict, split

    def community(self, side: int, name: str) -> Community | None:
        if _COMMUNITY not in self.rows:
            return None
        stated = self.rows[_COMMUNITY][side]
        vote = community(stated)
        if vote is None:
            self.missing.append(f"The community vote “{stated[:60]}” of {name} could not be read.")
        return vote


def names_of(lines: Sequence[Line], start: int) -> tuple[str, str] | None:
    """The two names the table's head gives."""
    at = find(lines, HEADING, start)
    return (lines[at + 1].text, lines[at + 2].text) if at is not None and at + 2 < len(lines) else None


def begins_with_verdicts(lines: Sequence[Line], at: int) -> bool:
    return at + _ROW < len(lines) and lines[at + _ROW].says(_VERDICT)


def read_table(lines: Sequence[Line], start: int, names: tuple[str, str], *, whole: bool) -> Table:
    """The table whose heading stands at `start`; an empty one where none does."""
    if start >= len(lines) or not lines[start].says(HEADING):
        return Table(end=start)
    head = [line.text for line in lines[start + 1 : start + _ROW]]
    if head != list(names):
        mismatch = ["The decision table does not name the two tools and was not read."]
        return Table(
            find(lines, _BELOW, start) or len(lines), missing=mismatch if whole or len(head) == len(names) else []
        )
    return _rows(lines, start + _ROW, whole=whole)


def _rows(lines: Sequence[Line], at: int, *, whole: bool) -> Table:
    table = Table(end=at)
    while at < len(lines) and not lines[at].says(_BELOW):
        if _is_row(lines, at, whole=whole):
            table.rows[lines[at].text.casefold()] = (lines[at + 1].text, lines[at + 2].text)
            at += _ROW
        else:
            table.missing.append(f"The row “{lines[at].text[:60]}” of the decision table could not be read.")
            at = next((i for i in range(at + 1, len(lines)) if _is_landmark(lines[i])), len(lines))
    table.end = at
    return table


def _is_row(lines: Sequence[Line], at: int, *, whole: bool) -> bool:
    """Whether this label has just two values, seen by what stands below. Values may be spelled like labels.

    Rows that a newer site may add stand between known labels, three lines each.
    """
    for below in range(at + _ROW, min(at + 3 * _ROW, len(lines)) + 1, _ROW):
        if whole if below == len(lines) else _is_landmark(lines[below]):
            return True
    return False


def _is_landmark(line: Line) -> bool:
    return line.says(_BELOW) or line.text.casefold() in _LABELS
