"""Pages for tests of what is written about them: keyword functions, short enough to stand in a table."""

from __future__ import annotations

from digest.facts import Call, Community, ComparisonFacts, Split, TakeFacts, ToolFacts, Verdict

REVIEWERS = ("Builder", "Skeptic", "Futurist", "Creator", "Founder", "Operator", "Newcomer")


def tool(
    name: str = "Quillmark 2.0",
    ships: int | None = None,
    skips: int | None = None,
    *,
    percent: float | None = None,
    badge: Verdict | None = None,
    scores: tuple[float, ...] = (),
    takes: tuple[TakeFacts, ...] = (),
    slug: str | None = None,
    category: str | None = "Developer Tools",
    tagline: str | None = None,
    entry: str | None = None,
    pricing: str | None = None,
    community: Community | None = None,
) -> ToolFacts:
    """A tool whose page states the split and the percentage that goes with it, unless the test says otherwise."""
    split = None if ships is None or skips is None else Split(ship=ships, skip=skips)
    if split and percent is None and split.ship + split.skip:
        percent = round(100 * split.ship / (split.ship + split.skip))
    scored = tuple(
        TakeFacts(reviewer=reviewer, score=score) for reviewer, score in zip(REVIEWERS, scores, strict=False)
    )
    return ToolFacts(
        slug=slug,
        name=name,
        tagline=tagline,
        category=category,
        entry=entry,
        pricing=pricing,
        panel_ship_percent=percent,
        verdict=badge,
        split=split,
        community=community,
        takes=takes or scored,
    )


def take(
    reviewer: str | None, score: float | None = None, call: Call | None = None, remark: str | None = None
) -> TakeFacts:
    return TakeFacts(reviewer=reviewer, score=score, call=call, remark=remark)


def panel(*votes: tuple[float, Call] | tuple[float, Call, str]) -> tuple[TakeFacts, ...]:
    """Takes of the usual reviewers in their usual order."""
    return tuple(take(reviewer, *vote) for reviewer, vote in zip(REVIEWERS, votes, strict=False))


def pair(left: ToolFacts, right: ToolFacts) -> ComparisonFacts:
    return ComparisonFacts(tools=(left, right))
