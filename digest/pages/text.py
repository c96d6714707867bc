"""Comparison pages as text, in either of their layouts, into plain values. Pure.

The labels *Panel ship*, *Community*, *Entry*, *Decision* and *Reviewer scorecard* are the landmarks; everything else is
known by where it stands between them. A page may break off anywhere: what was read whole is kept, the rest is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from digest.facts import LONGEST_NAME, Community, ToolFacts
from digest.pages.heads import Head, choose
from digest.pages.lines import Line, Unreadable, community, find, is_ending, is_nothing, percent, votes
from digest.pages.scorecard import Scorecard, read_scorecard
from digest.pages.table import HEADING as DECISION
from digest.pages.table import Table, begins_with_verdicts, names_of, read_table

MOST_LINES = 5_000  # a page has about a hundred

_PANEL, _COMMUNITY, _ENTRY = "panel ship", "community", "entry"
_SCORECARD = "reviewer scorecard"
_EYEBROW = "ai tool comparison"
_PARAGRAPH = 40  # shorter lines beside a description are buttons


@dataclass(frozen=True)
class TextPage:
    """What the lines of one page say; `missing` says in sentences what could not be read."""

    tools: tuple[ToolFacts, ToolFacts]
    title: str | None
    loose_remarks: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Figures:
    """What stands around *Panel ship*. `top` is the first of these lines, `end` the line after them.

    `odd` are lines in a figure's place that are no such figure.
    """

    top: int
    end: int
    panel_ship_percent: int | float | None = None
    community: Community | None = None
    entry: str | None = None
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Card:
    """One tool's card. `complete`: the page goes on below it, so what it does not show it does not say."""

    head: Head
    figures: _Figures
    description: str | None
    complete: bool


def read_lines(lines: Sequence[Line], *, titles: Sequence[str] = (), whole: bool) -> TextPage:
    """Read a page. `titles` are those its markup gives besides its lines; `whole`: nothing was cut off its end.

    Raises Unreadable where two names and two verdicts are not to be had.
    """
    if len(lines) > MOST_LINES:
        raise Unreadable(f"This has more than {MOST_LINES:,} lines, which no comparison page has.")
    marks = _panel_marks(lines)
    if len(marks) < 2:  # noqa: PLR2004 - a comparison is two tools
        return _from_table_alone(lines, whole=whole)
    body, whole = _body(lines, marks[1], whole=whole)
    left, right = (_figures(body, mark) for mark in marks)
    above, between = body[: left.top], body[left.end : right.top]
    one, other, title = choose(
        [line.text for line in above],
        [line.text for line in between],
        titles=[*titles, *_stated_titles(above)],
        table=names_of(body, right.end),
        spaced=any(line.apart for line in body[: right.top]),
    )
    rest = next((i for i in range(right.end, len(body)) if _begins_a_part(body[i])), len(body))
    complete = whole or rest < len(body)
    below = body[right.end : rest] if complete else ()
    cards = (
        _Card(one, left, _description(between[: other.start]), complete=True),
        _Card(other, right, _description(below), complete),
    )
    return _assembled(body, rest, cards, title, whole=whole)


def _from_table_alone(lines: Sequence[Line], *, whole: bool) -> TextPage:
    """A page whose cards are unreadable may still say everything that counts in its decision table."""
    at = find(lines, DECISION)
    names = names_of(lines, 0)
    if at is None or names is None or not begins_with_verdicts(lines, at):
        if any(line.says(_PANEL) or line.says(_EYEBROW) for line in lines):
            raise Unreadable("The page breaks off before the panel verdict on the second tool.")
        raise Unreadable("This is not a comparison page: it has no two tools with a panel verdict.")
    body, whole = _body(lines, at, whole=whole)
    left, right = (_Card(Head(name, 0), _Figures(0, 0), None, complete=False) for name in names)
    return _assembled(
        body, at, (left, right), None, whole=whole, missing=["The cards of the two tools could not be read."]
    )


def _assembled(
    lines: Sequence[Line],
    rest: int,
    cards: tuple[_Card, _Card],
    title: str | None,
    *,
    whole: bool,
    missing: Sequence[str] = (),
) -> TextPage:
    """The page, given its cards and where its decision table or scorecard begins."""
    names = (cards[0].head.name, cards[1].head.name)
    table = read_table(lines, rest, names, whole=whole)
    at = find(lines, _SCORECARD, table.end)
    scorecard = Scorecard() if at is None else read_scorecard(lines[at + 1 :], names, whole=whole)
    notes = [*missing, *_where_it_ends(has_scorecard=at is not None, whole=whole)]
    tools = (
        _tool(0, cards[0], table, scorecard, notes),
        _tool(1, cards[1], table, scorecard, notes),
    )
    _refuse_without_verdicts(tools, whole=whole)
    return TextPage(tools, title, scorecard.loose, (*notes, *table.missing, *scorecard.missing))


def _where_it_ends(*, has_scorecard: bool, whole: bool) -> list[str]:
    if whole:
        return [] if has_scorecard else ["The page has no reviewer scorecard."]
    return [f"The page breaks off {'in' if has_scorecard else 'before'} the reviewer scorecard."]


# Landmarks


def _panel_marks(lines: Sequence[Line]) -> list[int]:
    """Where the two cards say *Panel ship*; below a percentage, unless the cards show none."""
    marks = [i for i, line in enumerate(lines) if line.says(_PANEL)]
    with_figure = [i for i in marks if i and percent(lines[i - 1].text) is not None]
    return (with_figure if len(with_figure) > 1 else marks)[:2]


def _body(lines: Sequence[Line], after: int, *, whole: bool) -> tuple[Sequence[Line], bool]:
    """The lines above the newsletter box; where there is none, all of them, and only the caller can know the end."""
    start = find(lines, _SCORECARD, after) or after
    end = next((i for i in range(start + 1, len(lines)) if is_ending(lines, i)), None)
    return (lines, whole) if end is None else (lines[:end], True)


def _begins_a_part(line: Line) -> bool:
    return line.says(_SCORECARD) or line.says(DECISION)


def _stated_titles(lines: Sequence[Line]) -> list[str]:
    """The heading, and the breadcrumb `Compare/<title>`."""
    texts = [line.text for line in lines]
    return texts + [text.partition("/")[2].strip() for text in texts if text.casefold().startswith("compare")]


# Cards


def _figures(lines: Sequence[Line], mark: int) -> _Figures:
    """An entry label may itself be spelled *Community* or *Entry*: what counts is which line stands above which."""
    above = lines[mark - 1].text if mark else ""
    figure = percent(above)
    odd = [above] if figure is None and above.endswith("%") else []
    top = mark - 1 if figure is not None or odd or (mark and is_nothing(above)) else mark
    vote, at = _vote(lines, mark + 1, odd)
    counted = votes(lines[at].text) if vote and at < len(lines) else None
    if vote and counted is not None:
        vote, at = Community(ship_percent=vote.ship_percent, votes=counted), at + 1
    entry = None
    if _says(lines, at + 1, _ENTRY):
        entry, at = lines[at].text, at + 2
    elif _says(lines, at, _ENTRY):
        at += 1
    return _Figures(top, at, figure, vote, None if entry is None or is_nothing(entry) else entry, tuple(odd))


def _vote(lines: Sequence[Line], at: int, odd: list[str]) -> tuple[Community | None, int]:
    """The readers' vote and the line after it. A label without a figure above it says that nobody has voted."""
    if _says(lines, at, _COMMUNITY):
        return Community(), at + 1
    if not _says(lines, at + 1, _COMMUNITY):
        return None, at
    vote = community(lines[at].text)
    if vote is None:
        odd.append(lines[at].text)
    return vote, at + 2


def _says(lines: Sequence[Line], at: int, label: str) -> bool:
    return at < len(lines) and lines[at].says(label)


def _description(lines: Sequence[Line]) -> str | None:
    texts = [line.text for line in lines]
    if len(texts) > 1:
        texts = [text for text in texts if len(text) >= _PARAGRAPH]
    return " ".join(texts) or None


# One tool, put together


def _tool(side: int, card: _Card, table: Table, scorecard: Scorecard, missing: list[str]) -> ToolFacts:
    head, figures = card.head, card.figures
    missing.extend(f"The figure “{odd[:60]}” of {head.name} could not be read." for odd in figures.odd)
    verdict, split = table.verdict(side, head.name)
    vote = _agreed(figures.community, table.community(side, head.name))
    return _fitting(
        {
            "name": head.name,
            "tagline": head.tagline,
            "category": head.category or table.says("category", side),
            "description": card.description,
            "entry": figures.entry,
            "pricing": table.says("pricing", side),
            "best_for": table.says("best for", side),
            "panel_ship_percent": figures.panel_ship_percent,
            "verdict": head.badge or verdict,
            "split": split,
            "community": vote or (Community() if card.complete and not figures.odd else None),
            "takes": (scorecard.left, scorecard.right)[side],
        },
        missing,
    )


def _agreed(card: Community | None, row: Community | None) -> Community | None:
    """The card's vote; the table's where it says more."""
    if card is None or row is None:
        return card or row
    if card.ship_percent is None or (card.ship_percent == row.ship_percent and row.votes is not None):
        return row
    return card


def _fitting(stated: dict[str, Any], missing: list[str]) -> ToolFacts:
    """The tool without whatever is too long to be what it seems."""
    name = stated["name"]
    if len(name) > LONGEST_NAME:
        raise Unreadable(f"The name “{name[:60]}…” is longer than {LONGEST_NAME} characters.")
    try:
        return ToolFacts(**stated)
    except ValidationError as wrong:
        too_long = {str(error["loc"][0]) for error in wrong.errors(include_input=False)}
    missing.extend(
        f"The {label.replace('_', ' ')} of {name} does not fit and was not kept." for label in sorted(too_long)
    )
    return ToolFacts(**{label: value for label, value in stated.items() if label not in too_long})


def _refuse_without_verdicts(tools: Sequence[ToolFacts], *, whole: bool) -> None:
    for tool in tools:
        if tool.panel_ship_percent is None and tool.verdict is None and tool.split is None:
            why = "the page shows none" if whole else "the page breaks off before it"
            raise Unreadable(f"There is no panel verdict on {tool.name}: {why}.")
