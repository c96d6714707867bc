"""Verdict summaries: what a reader learns about a comparison in ten seconds. Pure; states only what the page states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from digest.facts import Call, ComparisonFacts, Verdict


class Frozen(BaseModel):
    """Stored as JSON with an entry, and never computed again once an edition is approved."""

    model_config = ConfigDict(frozen=True)


class Side(Frozen):
    """One tool in words and figures, ready to be printed. None: the page does not say."""

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
    """Whole verbatim sentences of one named reviewer about one tool."""

    kind: Literal["dissent", "telling"]
    tool: str
    reviewer: str
    score: str | None
    call: Call | None
    words: str


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


def write_up(comparisons: Sequence[ComparisonFacts]) -> WriteUp:
    """Subject (10-78 characters), the edition in one breath (at most 200) and one summary each, in order."""
    raise NotImplementedError


def scoreboard(summaries: Sequence[Summary]) -> tuple[ScoreboardLine, ...]:
    """Every tool of the edition once, best first."""
    raise NotImplementedError
