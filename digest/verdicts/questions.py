"""Questions for the editor: where a page contradicts itself. Pure; never printed in the mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from digest.facts import Split, ToolFacts, verdict_by_percent
from digest.verdicts import figures, prices


def about(tools: tuple[ToolFacts, ToolFacts]) -> tuple[str, ...]:
    """One sentence per contradiction, left tool first."""
    questions = [question for tool in tools for question in _about_one(tool)]
    if tools[0].name.casefold() == tools[1].name.casefold():
        questions.append(f"Both tools are called {tools[0].name}: is it clear from the sentence which is meant?")
    return tuple(questions)


def _about_one(tool: ToolFacts) -> Iterator[str]:
    yield from about_price(tool)
    yield from _panel(tool)
    yield from _community(tool)
    yield from _reviewers(tool)


def about_price(tool: ToolFacts) -> Iterator[str]:
    """Where the entry label says another price than the pricing text."""
    if prices.disagree(tool):
        yield (
            f"{tool.name}: the entry label says “{tool.entry}”, the pricing text “{tool.pricing}”. "
            "The mail prints the pricing text."
        )


def _panel(tool: ToolFacts) -> Iterator[str]:
    stated = None if tool.panel_ship_percent is None else figures.percent(tool.panel_ship_percent)
    if figures.nobody_voted(tool):
        yield f"{tool.name}: the page states a split of 0 ship, 0 skip. The mail treats the split as unknown."
    if figures.badge_disagrees(tool):
        yield f"{tool.name}: the badge says {tool.verdict}, the figures ({_figures(tool)}) mean {_by_figures(tool)}."
    if figures.split_disagrees(tool) and tool.split:
        yield f"{tool.name}: the page states {stated} and a split of {_split(tool.split)}, which do not agree."
    if figures.takes_disagree(tool) and (shown := figures.counted_calls(tool.takes)):
        panel = f"a split of {_split(tool.split)}" if tool.split else f"{stated} and no split"
        yield f"{tool.name}: the takes shown are {_split(shown)}, but the page states {panel}."


def _figures(tool: ToolFacts) -> str:
    if tool.panel_ship_percent is not None:
        return figures.percent(tool.panel_ship_percent)
    split = figures.split_of(tool)
    return _split(split) if split else ""


def _by_figures(tool: ToolFacts) -> str:
    if tool.panel_ship_percent is not None:
        return str(verdict_by_percent(tool.panel_ship_percent))
    split = figures.split_of(tool)
    return str(verdict_by_percent(100 * split.ship / (split.ship + split.skip))) if split else ""


def _split(split: Split) -> str:
    return f"{split.ship} ship, {split.skip} skip"


def _community(tool: ToolFacts) -> Iterator[str]:
    vote = tool.community
    if vote and vote.votes == 0 and vote.ship_percent is not None:
        percent = figures.percent(vote.ship_percent)
        yield f"{tool.name}: the page states {percent} of 0 community votes. The mail says that there are none."
    if vote and vote.votes and vote.ship_percent is None:
        yield f"{tool.name}: there are {vote.votes} community votes, but the page does not say how they went."


def _reviewers(tool: ToolFacts) -> Iterator[str]:
    takes = Counter(take.reviewer.casefold() for take in tool.takes if take.reviewer)
    for take in tool.takes:
        if take.reviewer and takes.pop(take.reviewer.casefold(), 0) > 1:
            yield f"{tool.name}: {take.reviewer} appears more than once; each take counts in the average."
