"""Rules that hold for every page: printed and read again it says the same; cut or garbled it invents nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from digest import pages
from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts, clean
from digest.pages.lines import score
from tests.digest.page_samples import as_compact_says, compact, comparison, markup, spaced

PRINTED: dict[str, Callable[[ComparisonFacts], str]] = {"spaced": spaced, "compact": compact, "markup": markup}
LABELS = [
    "Ship",
    "Mixed",
    "Skip",
    "Paid",
    "Free",
    "Entry",
    "Community",
    "Decision",
    "Pricing",
    "Category",
    "Panel ship",
]
LETTERS = st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='“”"')
WORDS = st.text(LETTERS, min_size=1, max_size=9)


def text(least: int, most: int) -> st.SearchStrategy[str]:
    """Words with blanks between them, as a page shows them."""
    return st.lists(WORDS, min_size=least, max_size=most).map(lambda words: clean(" ".join(words))).filter(bool)


NAMES = st.sampled_from([*LABELS, "A vs B", "B vs A", "Go", "Talk with X", "数据", "75%"]) | text(1, 4)
LINES = st.sampled_from([*LABELS[3:-1], "A vs B", "75%"]) | text(2, 6)
CATEGORIES = st.sampled_from(["Developer Tools", "Models", "Free", "Community", "Entry"])
REVIEWERS = st.sampled_from(["Builder", "Skeptic", "Futurist", "Creator", "Founder", "Ship", "The Night Watch"])
PERCENTS = st.sampled_from([0, 25, 33, 66.7, 75, 100])
REMARKS = text(3, 20).filter(lambda words: score(words) is None and words[0] not in '“"')
TAKES = st.lists(
    st.builds(
        TakeFacts,
        reviewer=REVIEWERS,
        score=st.integers(0, 100) | st.just(70.5),
        call=st.sampled_from(["ship", "skip"]),
        remark=REMARKS,
    ),
    max_size=5,
    unique_by=lambda take: take.reviewer,
).map(tuple)
TOOLS = st.builds(
    ToolFacts,
    name=NAMES,
    tagline=LINES,
    category=CATEGORIES,
    description=text(20, 30).filter(lambda words: len(words) > 60),
    entry=st.sampled_from(["Free", "Paid", "Open Source", "Community", "Entry"]),
    pricing=st.none() | LINES,
    best_for=st.none() | LINES,
    panel_ship_percent=PERCENTS,
    verdict=st.sampled_from(["ship", "mixed", "skip"]),
    split=st.none() | st.builds(Split, ship=st.integers(0, 9), skip=st.integers(0, 9)),
    community=st.just(Community(votes=0)) | st.builds(Community, ship_percent=PERCENTS, votes=st.integers(0, 10**6)),
    takes=TAKES,
)


@st.composite
def comparisons(draw: st.DrawFn) -> ComparisonFacts:
    """A page's takes stand in one order of reviewers for both tools."""
    left, right = draw(TOOLS), draw(TOOLS)
    order = list(dict.fromkeys(take.reviewer for tool in (left, right) for take in tool.takes))
    takes = tuple(sorted(right.takes, key=lambda take: order.index(take.reviewer)))
    return comparison(left, right.model_copy(update={"takes": takes}))


MODEST = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@MODEST
@given(comparisons(), st.booleans())
def test_a_comparison_printed_with_blank_lines_is_read_unchanged(page: ComparisonFacts, avatars: bool) -> None:
    """Every value of it, whatever the names are."""
    assume(page.tools[0].takes or page.tools[1].takes)
    assert pages.read(spaced(page, avatars=avatars).encode()) == pages.Reading((pages.Page(page),))


@MODEST
@given(comparisons())
def test_a_comparison_printed_compactly_is_read_unchanged(page: ComparisonFacts) -> None:
    """As far as that layout says it."""
    assert pages.read(compact(page).encode()) == pages.Reading((pages.Page(as_compact_says(page)),))


@MODEST
@given(comparisons(), st.data(), st.sampled_from(["spaced", "compact"]))
def test_a_page_cut_anywhere_invents_nothing(page: ComparisonFacts, data: st.DataObject, layout: str) -> None:
    """Whatever is read from a beginning of a page is what the whole page says."""
    body = PRINTED[layout](page).encode()
    cut = pages.read(body[: data.draw(st.integers(0, len(body)))])
    assert len(cut.pages) + len(cut.bad) == 1
    for part in cut.pages:
        assert_is_part(part.facts, pages.read(body).pages[0].facts)


@pytest.mark.parametrize("layout", ["spaced", "compact"])
def test_one_page_cut_at_each_of_its_bytes(layout: str) -> None:
    """Never an error, always less or the same, and every cut is told."""
    body = PRINTED[layout](comparison()).encode()
    whole = pages.read(body).pages[0]
    readable = 0
    for end in range(len(body)):
        cut = pages.read(body[:end])
        assert len(cut.pages) + len(cut.bad) == 1
        for part in cut.pages:
            readable += 1
            assert_is_part(part.facts, whole.facts)
            assert part.missing or part == whole
    assert readable > 500


def assert_is_part(part: ComparisonFacts, whole: ComparisonFacts) -> None:
    assert part.title in {None, whole.title}
    assert part.loose_remarks == whole.loose_remarks[: len(part.loose_remarks)]
    for tool, complete in zip(part.tools, whole.tools, strict=True):
        for field in set(ToolFacts.model_fields) - {"takes", "community"}:
            assert getattr(tool, field) in {None, getattr(complete, field)}
        if tool.community is not None:
            assert complete.community is not None
            assert tool.community.ship_percent in {None, complete.community.ship_percent}
            assert tool.community.votes in {None, complete.community.votes}
        for take, known in zip(tool.takes, complete.takes, strict=False):
            assert (take.reviewer, take.score, take.call) == (known.reviewer, known.score, known.call)
            assert take.remark in {None, known.remark}
        assert len(tool.takes) <= len(complete.takes)


PIECES = st.sampled_from(
    [
        *spaced(comparison()).split("\n"),
        *compact(comparison()).split("\n"),
        "<p>",
        "</p>",
        "<h2>",
        "“",
        '"',
        "—",
        "{",
        "[",
    ]
)


@given(
    st.binary(max_size=300), st.sampled_from([None, "text/html", "application/json", "text/plain", "application/jsonl"])
)
def test_any_bytes_are_read_or_refused(body: bytes, media_type: str | None) -> None:
    """Never an error, and never silence."""
    reading = pages.read(body, media_type=media_type)
    assert len(reading.pages) + len(reading.bad) >= 1
    assert all(bad.why.endswith(".") for bad in reading.bad)


@given(st.lists(PIECES, max_size=60), st.sampled_from(["\n", "\n\n", "", "</p><p>"]))
def test_pieces_of_pages_in_any_order_are_read_or_refused(pieces: list[str], joint: str) -> None:
    """Labels, figures and headings where nobody expects them."""
    reading = pages.read(joint.join(pieces).encode())
    assert len(reading.pages) + len(reading.bad) == 1


@given(st.integers(0, 4_000), st.integers(0, 4_000), st.sampled_from(sorted(PRINTED)))
def test_a_page_with_a_hole_in_it_is_read_or_refused(start: int, length: int, layout: str) -> None:
    """A piece lost in the middle is not an error of ours."""
    body = PRINTED[layout](comparison())
    reading = pages.read((body[:start] + body[start + length :]).encode() or b"x")
    assert len(reading.pages) + len(reading.bad) == 1
