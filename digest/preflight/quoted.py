"""Checks of quotations: the reviewer's own words about that tool, whole, with that reviewer's score and call."""

from __future__ import annotations

from collections.abc import Iterator

from digest.facts import TakeFacts, ToolFacts, clean
from digest.preflight.sheet import Problem, Sheet, place
from digest.text_layout import shorten
from digest.variants import EntryCopy
from digest.verdicts import Quotation
from digest.verdicts.figures import plain
from digest.verdicts.prose import sentences

_LONGEST_REMARK_SHOWN = 120
_RESTORE = "Quote a whole sentence of that remark, or leave the quotation out."


def quotations(sheet: Sheet) -> Iterator[Problem]:
    for entry in sheet.copy.entries:
        if entry.summary.quotation:
            yield from _quotation(sheet, entry, entry.summary.quotation)


def _quotation(sheet: Sheet, entry: EntryCopy, said: Quotation) -> Iterator[Problem]:
    where = place(entry, f"{said.reviewer} on {said.tool}")
    takes = [take for tool in _tools(sheet, entry, said) for take in tool.takes if _is_by(take, said.reviewer)]
    remarks = [clean(take.remark or "") for take in takes if take.remark]
    words = clean(said.words)
    if not remarks:
        what = f"The page has no remark of “{said.reviewer}” on this tool."
        yield Problem("block", "quotation-not-theirs", where, what, "Leave the quotation out, or name who said it.")
        return
    sources = [take for take in takes if words and words in clean(take.remark or "")]
    if not sources:
        what = f"These words are not on the page, where it says: “{shorten(remarks[0], _LONGEST_REMARK_SHOWN)}”"
        yield Problem("block", "quotation-not-verbatim", where, what, _RESTORE)
        return
    if not any(_is_whole(words, clean(take.remark or "")) for take in sources):
        what = "It begins or ends within a sentence."
        yield Problem("warn", "quotation-cut", where, what, _RESTORE)
    if not any(_score(take) == said.score and take.call == said.call for take in sources):
        given = " or ".join(dict.fromkeys(_given(_score(take), take.call) for take in sources))
        what = f"It stands with {_given(said.score, said.call)}; the page has {given}."
        yield Problem("block", "quotation-score", where, what, "Print what the page has.")


def _tools(sheet: Sheet, entry: EntryCopy, said: Quotation) -> list[ToolFacts]:
    """The tool the quotation is about: by identity, for names repeat; by name where an old summary has no identity."""
    facts = sheet.facts.get(entry.position)
    tools = facts.tools if facts else ()
    if said.identity is not None:
        return [tool for tool in tools if tool.identity == said.identity]
    return [tool for tool in tools if tool.name == said.tool]


def _is_by(take: TakeFacts, reviewer: str) -> bool:
    return (take.reviewer or "").casefold() == clean(reviewer).casefold() != ""


def _is_whole(words: str, remark: str) -> bool:
    """One sentence, or several in a row."""
    spans = sentences(remark)
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    at = remark.find(words)
    while at >= 0:
        if at in starts and at + len(words) in ends:
            return True
        at = remark.find(words, at + 1)
    return False


def _score(take: TakeFacts) -> str | None:
    return None if take.score is None else plain(take.score)


def _given(score: str | None, call: str | None) -> str:
    return ", ".join(part for part in (score, call) if part) or "no score"
