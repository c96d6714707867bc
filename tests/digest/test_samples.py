"""The bundled sample pages: read whole, at one with each other, and holding the corner cases they are there for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import digest
from database import Database
from digest import intake, library, pages
from digest.facts import ComparisonFacts, TakeFacts, ToolFacts, exact, verdict_by_percent
from digest.sources import files

FOLDER = Path(digest.__file__).parent / "samples"
PAGES = sorted(path for path in FOLDER.iterdir() if path.suffix in files.MEDIA_TYPES)
LAST_INSTANT = datetime(2026, 11, 19, 18, tzinfo=UTC)


def read(path: Path) -> pages.Reading:
    """A stored text holds no address: its name is the comparison's slug."""
    address = f"https://compare.example.com/compare/{path.stem}" if path.suffix == ".txt" else None
    return pages.read(path.read_bytes(), url=address, media_type=files.media_type(path))


def everything() -> list[ComparisonFacts]:
    return [page.facts for path in PAGES for page in read(path).pages]


def by_slug(comparisons: Iterable[ComparisonFacts]) -> dict[str | None, list[ToolFacts]]:
    """Every tool as each of its pages shows it."""
    found: defaultdict[str | None, list[ToolFacts]] = defaultdict(list)
    for comparison in comparisons:
        for tool in comparison.tools:
            found[tool.slug].append(tool)
    return found


def is_compact(comparison: ComparisonFacts) -> bool:
    return bool(comparison.loose_remarks)


def signed(tool: ToolFacts) -> list[TakeFacts]:
    return [take for take in tool.takes if take.reviewer is not None]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem[:40] + path.suffix)
def test_every_sample_is_read_whole(path: Path) -> None:
    """Nothing is bad and nothing missing; the address gives the slugs of both tools, in their order."""
    reading = read(path)
    assert reading.bad == ()
    assert reading.pages
    for page in reading.pages:
        assert page.missing == ()
        left, right = page.facts.tools
        assert page.facts.url == f"https://compare.example.com/compare/{page.facts.slug}"
        assert page.facts.slug == f"{left.slug}-vs-{right.slug}"
        assert left.slug is not None
        assert right.slug is not None
        assert left.slug < right.slug
        assert page.facts.title == page.facts.headline


def test_the_set_has_every_form() -> None:
    """Fifteen comparisons: six spaced and four compact texts, two HTML pages, three in one JSON array."""
    assert [sum(path.suffix == suffix for path in PAGES) for suffix in (".txt", ".html", ".json")] == [10, 2, 1]
    assert len({comparison.slug for comparison in everything()}) == 15
    assert sum(is_compact(comparison) for comparison in everything()) == 4


@pytest.mark.parametrize("shown", by_slug(everything()).values(), ids=lambda shown: shown[0].name[:40])
def test_a_tool_says_the_same_on_every_page(shown: list[ToolFacts]) -> None:
    """What one layout leaves out is unknown there; what two pages state is the same."""
    for field in ToolFacts.model_fields.keys() - {"community", "takes"}:
        assert len({getattr(tool, field) for tool in shown} - {None}) <= 1, field
    votes = {tool.community.ship_percent for tool in shown if tool.community is not None}
    assert len(votes) <= 1
    assert len({tuple(tool.takes) for tool in shown} - {()}) <= 1


def test_percentages_are_of_the_calls() -> None:
    """Wherever a page shows whose take is whose, its percentage is ships / votes, half up."""
    checked = 0
    for tool in (tool for each in everything() for tool in each.tools if signed(tool)):
        ships = sum(take.call == "ship" for take in tool.takes)
        assert tool.panel_ship_percent == int(exact(100 * ships) / len(tool.takes) + exact(0.5))
        if tool.split is not None:
            assert (tool.split.ship, tool.split.skip) == (ships, len(tool.takes) - ships)
        checked += 1
    assert checked == 21


def test_one_badge_disagrees_with_its_percentage() -> None:
    """Dungeon Clerk, deliberately; nobody else."""
    badged = {tool for each in everything() for tool in each.tools if tool.verdict is not None}
    odd = {tool.name for tool in badged if tool.verdict != verdict_by_percent(tool.panel_ship_percent)}
    assert odd == {"Dungeon Clerk"}


def test_only_one_tool_keeps_remarks_without_reviewer(sqlite: Database) -> None:
    """Once all pages are taken in, four remarks are Sedge's and nobody's; all others have found their reviewers."""
    with sqlite.writing() as session:
        for comparison in everything():
            intake.take_in(session, comparison, now=LAST_INSTANT)
    with sqlite.reading() as session:
        known = [found.facts for found in library.listed(session)]
    nameless = {
        tool.name: len(tool.takes) - len(signed(tool))
        for comparison in known
        for tool in comparison.tools
        if len(signed(tool)) < len(tool.takes)
    }
    assert nameless == {"Sedge 7B Coder": 4}
    assert all(comparison.loose_remarks == () for comparison in known)
    tools = [tool for comparison in known for tool in comparison.tools if signed(tool)]
    assert all(tool.split is None or len(tool.takes) == tool.split.ship + tool.split.skip for tool in tools)


def test_the_corner_cases_are_there() -> None:
    """What the samples are for: each of these is something the mail must get right."""
    tools = by_slug(everything())
    ones = [shown[0] for shown in tools.values()]
    assert {tool.panel_ship_percent for tool in ones} == {0, 25, 50, 67, 75, 100, None}
    votes = {tool.community.ship_percent if tool.community else None for tool in ones}
    assert {0, 62, None} <= votes
    assert len({tool.category for tool in ones}) == 9
    assert max(len(shown) for shown in tools.values()) == 4
    names = [tool.name for tool in ones]
    assert [name for name in set(names) if names.count(name) > 1] == ["Trencher 1.0"]
    assert min(map(len, names)) == 2
    assert max(map(len, names)) > 130
    assert all(any(mark in name for name in names) for mark in ("&", ":", "(", ".", "+", " with ", " vs "))
    assert any(not name.isascii() for name in names)
    assert [tool.name for tool in ones if tool.entry == "Paid" and tool.pricing == "Open Source"] == ["Corbelkit 1.2"]


def test_dated_samples_are_news_but_one() -> None:
    """The dated pages came out in the four days before the cut-off; one is from October."""
    days = sorted((LAST_INSTANT - each.published_at).days for each in everything() if each.published_at)
    assert days == [0, 1, 2, 3, 44]
