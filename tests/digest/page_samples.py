"""Comparison pages of an invented site, printed from plain values in every layout the reader knows."""

from __future__ import annotations

import html
from collections.abc import Sequence

from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts

INTRO = "Which one should you ship with? Here is the side-by-side panel verdict and everything around it."
BOX = ["Weekly AI Tool Verdicts", "Get the next comparison in your inbox", "New tools ship daily."]
BOOKMARKS = ["Bookmarks", "Loading bookmarks...", "No bookmarks yet"]
NOBODY = "No community votes yet"

PELICAN = ToolFacts(
    name="Pelican 3",
    tagline="Turns meeting notes into tickets",
    category="Developer Tools",
    description="Pelican listens to what a team decides and files it where the work is done. It runs on one small "
    "machine, keeps nothing it need not keep, and asks before it closes anything.",
    entry="Paid",
    pricing="From 9 a month / free for two",
    best_for="Teams that talk more than they write",
    panel_ship_percent=75,
    verdict="ship",
    split=Split(ship=3, skip=1),
    community=Community(votes=0),
    takes=(
        TakeFacts(reviewer="Builder", score=82, call="ship", remark="The hooks are clean. I had it running by noon."),
        TakeFacts(reviewer="Skeptic", score=41, call="skip", remark="It files tickets nobody asked for."),
        TakeFacts(reviewer="Creator", score=70.5, call="ship", remark="I don’t miss my notebook."),
        TakeFacts(reviewer="Futurist", score=77, call="ship", remark="Meetings will file themselves — this is how."),
    ),
)
OTTER = ToolFacts(
    name="Otter & Co. (Open Source)",
    tagline="A meeting memory that stays at home",
    category="Models",
    description="Otter keeps every word on your own disk and answers questions about last spring. The weights are "
    "open, the index is a single file, and the licence lets you ship it inside something else.",
    entry="Free",
    pricing="Open Source",
    best_for="People with a spare graphics card",
    panel_ship_percent=50,
    verdict="mixed",
    split=Split(ship=2, skip=2),
    community=Community(ship_percent=62, votes=118),
    takes=(
        TakeFacts(reviewer="Builder", score=88, call="ship", remark="One file, one process, no account."),
        TakeFacts(reviewer="Skeptic", score=35, call="skip", remark="Retrieval fails on names. So does the demo."),
        TakeFacts(reviewer="Creator", score=64, call="ship", remark="It remembers the joke I told in May."),
        TakeFacts(reviewer="Founder", score=30, call="skip", remark="Nobody pays for what they can copy."),
    ),
)


def comparison(left: ToolFacts = OTTER, right: ToolFacts = PELICAN) -> ComparisonFacts:
    return ComparisonFacts(title=f"{left.name} vs {right.name}", tools=(left, right))


def spaced(
    page: ComparisonFacts,
    *,
    table: bool = True,
    avatars: bool = True,
    box: Sequence[str] = (*BOX, *BOOKMARKS),
) -> str:
    """The layout with blank lines, reviewers and scores."""
    blocks = [f"Compare/{page.headline}", "AI tool comparison", page.headline, INTRO]
    for tool in page.tools:
        head = [tool.name[0].upper()] if avatars else []
        head += [tool.category or "", tool.name, tool.tagline or "", (tool.verdict or "").title()]
        figures = [_percent(tool.panel_ship_percent), "Panel ship", _share(tool), "Community", tool.entry or ""]
        blocks += [*head, *figures, "Entry", tool.description or ""]
    if table:
        blocks.append("\n".join(_table(page)))
    text = "\n\n".join(block for block in [*blocks, "Reviewer scorecard"] if block)
    return f"{text}\n\n{_rows(page)}" + "".join(f"\n\n{line}" for line in box)


def compact(page: ComparisonFacts, *, box: Sequence[str] = BOX, quotes: str = "“”") -> str:
    """The layout without blank lines, whose remarks nobody signs."""
    lines = ["AI tool comparison", page.headline, INTRO]
    for tool in page.tools:
        figures = [_percent(tool.panel_ship_percent), "Panel ship", _share(tool) or "—", "Community"]
        lines += [tool.category or "", tool.name, tool.tagline or "", *figures, tool.entry or "", "Entry"]
        lines.append(tool.description or "")
    lines += ["Reviewer scorecard", *(f"{quotes[0]}{remark}{quotes[1]}" for remark in remarks(page)), *box]
    return "\n".join(line for line in lines if line)


def as_compact_says(page: ComparisonFacts) -> ComparisonFacts:
    """What is left of a comparison in the compact layout."""
    hidden = {"verdict": None, "split": None, "pricing": None, "best_for": None, "takes": ()}
    tools = tuple(tool.model_copy(update={**hidden, "community": _as_on_card(tool.community)}) for tool in page.tools)
    return page.model_copy(update={"tools": tools, "loose_remarks": tuple(remarks(page))})


def remarks(page: ComparisonFacts) -> list[str]:
    rows = ([_take(tool, reviewer) for tool in page.tools] for reviewer in reviewers(page))
    return [take.remark for row in rows for take in row if take and take.remark]


def reviewers(page: ComparisonFacts) -> list[str]:
    return list(dict.fromkeys(take.reviewer or "" for tool in page.tools for take in tool.takes))


def markup(page: ComparisonFacts, *, head: str = "", slugs: tuple[str, str] = ("otter", "pelican")) -> str:
    """One way such a page may be marked up: components, comments between pieces of text, no line breaks to go by."""
    cards = "".join(_card_markup(tool, slug) for tool, slug in zip(page.tools, slugs, strict=True))
    rows = "".join(
        f'<div class="row"><h3>{_safe(name)}</h3>{"".join(_take_markup(_take(t, name)) for t in page.tools)}</div>'
        for name in reviewers(page)
    )
    table = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in _table_rows(page))
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>{_safe(page.headline)} | Invented Site</title>{head}'
        '<script>document.write("Panel ship 100% <b>Evil</b>")</script><style>.x{color:red}</style></head><body>'
        '<nav><a href="/">Home</a><a href="/compare">Compare</a></nav>'
        f"<main><p>AI tool comparison</p><h1>{_safe(page.tools[0].name)}<!-- --> vs <!-- -->"
        f"{_safe(page.tools[1].name)}</h1><p>{INTRO}</p><section>{cards}</section><table><tbody>{table}</tbody></table>"
        f"<section><h2>Reviewer scorecard</h2>{rows}</section><h2>More comparisons</h2><p>Heron vs Ibis</p></main>"
        "<footer><p>Made somewhere</p></footer></body></html>"
    )


def _card_markup(tool: ToolFacts, slug: str) -> str:
    badge = f"<span>{tool.verdict.title()}</span>" if tool.verdict else ""
    share = f"<span>{_share(tool)}</span>" if _share(tool) else ""
    return (
        f'<article><div><svg><path d="M0 0"/><text>Hidden</text></svg><span>{_safe(tool.name[0])}</span>'
        f'<span>{_safe(tool.category or "")}</span></div><h2><a href="/tool/{slug}">{_safe(tool.name)}</a></h2>'
        f"<p>{_safe(tool.tagline or '')}</p>{badge}<div><div>{tool.panel_ship_percent}<!-- -->%</div>"
        f"<div>Panel ship</div></div><div>{share}<span>Community</span></div>"
        f"<div><span>{_safe(tool.entry or '')}</span><span>Entry</span></div>"
        f"<p>{_safe(tool.description or '')}</p></article>"
    )


def _take_markup(take: TakeFacts | None) -> str:
    if take is None:
        return "<p>No panel take</p>"
    return (
        f"<div><span>{take.score}</span><span>/100</span><span> · {take.call}</span>"
        f"<blockquote><p>“{_safe(take.remark or '')}”</p></blockquote></div>"
    )


def _safe(text: str) -> str:
    return html.escape(text)


def _table(page: ComparisonFacts) -> list[str]:
    return [cell for row in _table_rows(page) for cell in row]


def _table_rows(page: ComparisonFacts) -> list[list[str]]:
    def row(label: str, values: Sequence[str | None]) -> list[str]:
        return [label, *(value or "—" for value in values)]

    return [
        row("Decision", [tool.name for tool in page.tools]),
        row("Panel verdict", [_verdict(tool) for tool in page.tools]),
        row("Community", [_votes(tool) for tool in page.tools]),
        row("Pricing", [tool.pricing for tool in page.tools]),
        row("Best for", [tool.best_for for tool in page.tools]),
        row("Category", [tool.category for tool in page.tools]),
    ]


def _rows(page: ComparisonFacts) -> str:
    """The scorecard: a blank line around every remark, none between a reviewer and the scores."""
    text = ""
    for reviewer in reviewers(page):
        text += f"{reviewer}\n"
        for take in (_take(tool, reviewer) for tool in page.tools):
            text += f"{take.score}/100 · {take.call}\n\n{take.remark}\n\n" if take else "No panel take\n"
    return text.rstrip("\n")


def _take(tool: ToolFacts, reviewer: str) -> TakeFacts | None:
    return next((take for take in tool.takes if take.reviewer == reviewer), None)


def _percent(number: float | None) -> str:
    return "" if number is None else f"{number}%"


def _share(tool: ToolFacts) -> str:
    return _percent(tool.community.ship_percent if tool.community else None)


def _votes(tool: ToolFacts) -> str:
    if not _share(tool):
        return NOBODY
    counted = tool.community.votes if tool.community else None
    return _share(tool) if counted is None else f"{_share(tool)} · {counted} votes"


def _as_on_card(community: Community | None) -> Community:
    return Community(ship_percent=community.ship_percent if community else None)


def _verdict(tool: ToolFacts) -> str | None:
    badge = tool.verdict.title() if tool.verdict else ""
    votes = f"{tool.split.ship} ship / {tool.split.skip} skip" if tool.split else ""
    return " · ".join(filter(None, (badge, votes))) or None
