"""Verdict summaries: what a reader learns about a comparison in ten seconds. Pure; states only what the page states."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict

from digest.facts import Call, Community, ComparisonFacts, TakeFacts, ToolFacts, Verdict
from digest.verdicts import figures, openings, prices, questions, quotations
from digest.verdicts.figures import Reading
from digest.verdicts.naming import short_names, told_apart
from digest.verdicts.openings import Told
from digest.verdicts.quotations import Found
from digest.verdicts.scenes import scene
from digest.verdicts.sentences import Voice

_UNKNOWN = Fraction(-1)
_BEST_FIRST: tuple[Verdict | None, ...] = ("ship", "mixed", "skip", None)


class Frozen(BaseModel):
    """Stored as JSON with an entry, and never computed again once an edition is approved."""

    model_config = ConfigDict(frozen=True)


class Side(Frozen):
    """One tool in words and figures, ready to be printed. None: the page does not say.

    `price` is the page's whole text; `price_brief` its beginning, at most 40 characters, for the scoreboard.
    """

    identity: str
    name: str
    short_name: str
    category: str | None
    verdict: Verdict | None
    percent: str | None
    split: str | None
    average: str | None
    price: str | None
    best_for: str | None
    community: str
    price_brief: str | None = None


class Score(Frozen):
    """What one reviewer gave one tool. `out_of_100` is printed as it stands on the page."""

    out_of_100: str | None
    call: Call | None


class CriticsRow(Frozen):
    """One reviewer's scores for both tools; None where the page says there is no take."""

    reviewer: str
    left: Score | None
    right: Score | None


class Quotation(Frozen):
    """Whole verbatim sentences of one named reviewer about one tool: its name, and its identity, for names repeat."""

    kind: Literal["dissent", "telling"]
    tool: str
    reviewer: str
    score: str | None
    call: Call | None
    words: str
    identity: str | None = None


class Summary(Frozen):
    """The verdict summary of one comparison. `questions` are for the editor, never printed in the mail."""

    headline: str
    sentence: str
    left: Side
    right: Side
    critics: tuple[CriticsRow, ...]
    quotation: Quotation | None
    questions: tuple[str, ...] = ()


class ScoreboardLine(Frozen):
    """One tool of the edition, with the positions (from 1) of the entries it is in."""

    side: Side
    entries: tuple[int, ...]


class WriteUp(Frozen):
    """Everything the program writes about one edition."""

    subject: str
    breath: str
    summaries: tuple[Summary, ...]


def write_up(comparisons: Sequence[ComparisonFacts], *, turn: int = 0) -> WriteUp:
    """Subject (10-78 characters), the edition in one breath (at most 200) and one summary each, in order.

    No phrasing comes twice before its alternatives were used, and no remark is quoted twice. `turn` (the number of the
    week, say) decides which phrasing comes first, so that two editions do not open alike.
    """
    short, voice, quoted = short_names(comparisons), Voice(turn), set[tuple[str, str]]()
    summaries: list[Summary] = []
    entries: list[Told] = []
    for comparison in comparisons:
        tools, identities = comparison.tools, (comparison.tools[0].identity, comparison.tools[1].identity)
        panels = figures.reading(tools[0]), figures.reading(tools[1])
        found = quotations.find(tools, panels, quoted)
        if found:
            quoted.add(found.source)
        names = told_apart(tools, (tools[0].name, tools[1].name))
        sentence = voice.verdict(scene(*panels, names))
        summaries.append(_summary(comparison, panels, short, sentence, found))
        brief = told_apart(tools, (short[identities[0]], short[identities[1]]))
        entries.append(Told(identities, brief, panels, scene(*panels, brief), found))
    panel_of = dict(pair for entry in reversed(entries) for pair in zip(entry.identities, entry.panels, strict=True))
    return WriteUp(
        subject=openings.subject(entries),
        breath=openings.breath(entries, _leader(summaries, panel_of)),
        summaries=tuple(summaries),
    )


def scoreboard(summaries: Sequence[Summary]) -> tuple[ScoreboardLine, ...]:
    """Every tool of the edition once, as at its first entry, best first.

    By verdict (ship, mixed, skip, unknown), then by percentage, then by average, all as printed and unknown last, so
    that a reader can check the order; tools alike in all three stand as they appear, left before right.
    """
    sides: dict[str, Side] = {}
    entries: dict[str, list[int]] = {}
    for position, summary in enumerate(summaries, start=1):
        for side in (summary.left, summary.right):
            sides.setdefault(side.identity, side)
            entries.setdefault(side.identity, []).append(position)
    best_first = sorted(sides.values(), key=_rank)
    return tuple(ScoreboardLine(side=side, entries=tuple(entries[side.identity])) for side in best_first)


def _rank(side: Side) -> tuple[int, Fraction, Fraction]:
    verdict, percent, average = _printed(side)
    return verdict, -(percent if percent is not None else _UNKNOWN), -(average if average is not None else _UNKNOWN)


def _printed(side: Side) -> tuple[int, Fraction | None, Fraction | None]:
    percent = figures.as_printed(side.percent)
    if percent is None and side.split:
        percent = figures.percent_behind(side.split)
    return _BEST_FIRST.index(side.verdict), percent, figures.as_printed(side.average)


def _leader(summaries: Sequence[Summary], panels: dict[str, Reading]) -> str | None:
    """The one tool that ships and is known to be ahead of every other; single votes do not count, nor does doubt."""
    sides = [line.side for line in scoreboard(summaries) if panels[line.side.identity].votes != 1]
    if not sides or sides[0].verdict != "ship" or not panels[sides[0].identity].sound:
        return None
    return sides[0].identity if all(_ahead(sides[0], other) for other in sides[1:]) else None


def _ahead(first: Side, other: Side) -> bool:
    verdict, percent, average = _printed(first)
    other_verdict, other_percent, other_average = _printed(other)
    if verdict != other_verdict:
        return verdict < other_verdict
    if percent is None or other_percent is None or percent != other_percent:
        return percent is not None and other_percent is not None and percent > other_percent
    return average is not None and other_average is not None and average > other_average


# One summary


def _summary(
    comparison: ComparisonFacts,
    panels: tuple[Reading, Reading],
    short: dict[str, str],
    sentence: str,
    found: Found | None,
) -> Summary:
    left, right = comparison.tools
    return Summary(
        headline=comparison.headline,
        sentence=sentence,
        left=_side(left, panels[0], short[left.identity]),
        right=_side(right, panels[1], short[right.identity]),
        critics=_critics(left, right),
        quotation=_quotation(found),
        questions=questions.about(comparison.tools),
    )


def _side(tool: ToolFacts, panel: Reading, short_name: str) -> Side:
    return Side(
        identity=tool.identity,
        name=tool.name,
        short_name=short_name,
        category=tool.category,
        verdict=panel.verdict,
        percent=None if tool.panel_ship_percent is None else figures.percent(tool.panel_ship_percent),
        split=figures.counts(panel.split) if panel.split else None,
        average=None if panel.average is None else figures.one_decimal(panel.average),
        price=tool.pricing or tool.entry,
        price_brief=prices.in_brief(tool),
        best_for=tool.best_for,
        community=_community(tool.community),
    )


def _community(vote: Community | None) -> str:
    if vote is None:
        return "community vote not stated"
    if vote.votes == 0 or (vote.ship_percent is None and vote.votes is None):
        return "no community votes yet"
    votes = "1 community vote" if vote.votes == 1 else f"{vote.votes} community votes"
    if vote.ship_percent is None:
        return f"{votes}, outcome not stated"
    percent = figures.percent(vote.ship_percent)
    return f"{percent} of {'the community' if vote.votes is None else votes} would ship"


def _critics(left: ToolFacts, right: ToolFacts) -> tuple[CriticsRow, ...]:
    """A row per reviewer, in the order of the page as far as both columns tell it."""
    here, there = _by_reviewer(left.takes), _by_reviewer(right.takes)
    rows = list(here)
    for key in there:
        if key not in here:
            rows.insert(_place(key, rows, list(there)), key)
    return tuple(
        CriticsRow(
            reviewer=(here.get(key) or there[key]).reviewer or "",
            left=_score(here.get(key)),
            right=_score(there.get(key)),
        )
        for key in rows
    )


def _by_reviewer(takes: Sequence[TakeFacts]) -> dict[tuple[str, int], TakeFacts]:
    """Takes that say something, by reviewer and how often the reviewer came before."""
    found: dict[tuple[str, int], TakeFacts] = {}
    for take in takes:
        if take.reviewer and (take.score, take.call, take.remark) != (None, None, None):
            name = take.reviewer.casefold()
            found[name, sum(key[0] == name for key in found)] = take
    return found


def _place(key: tuple[str, int], rows: list[tuple[str, int]], column: list[tuple[str, int]]) -> int:
    """Before the next reviewer of its own column that has a row already, else at the end."""
    later = column[column.index(key) + 1 :]
    return next((rows.index(other) for other in later if other in rows), len(rows))


def _score(take: TakeFacts | None) -> Score | None:
    if take is None:
        return None
    return Score(out_of_100=None if take.score is None else figures.plain(take.score), call=take.call)


def _quotation(found: Found | None) -> Quotation | None:
    if found is None:
        return None
    return Quotation(
        kind=found.kind,
        tool=found.tool.name,
        identity=found.tool.identity,
        reviewer=found.take.reviewer or "",
        score=None if found.take.score is None else figures.plain(found.take.score),
        call=found.take.call,
        words=found.words,
    )
