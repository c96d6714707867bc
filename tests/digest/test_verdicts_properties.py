"""What holds for everything that can be written about any pages, hostile ones included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts, clean
from digest.verdicts import Side, WriteUp, figures, scoreboard, write_up
from digest.verdicts.figures import NO_BREAK
from digest.verdicts.scenes import scene

HOSTILE = [
    "<script>alert(1)</script>",
    '"><mj-text>',
    "{{7*7}} {lead} {0} %s",
    "javascript:alert(1)",
    "two\r\nlines: yes",
    "\u202eevil\u2066 order",
    "אבג 3–1 דהו",
    "墨流し（二）。",
    "🌊🖌️",
    "A vs B vs C",
    "Parcel Inc.",
    "...",
    "x" * 300,
    "word " * 59,
    "Cursor 1.0",
    "Cursor 1.0 (Beta)",
    "Ünïcode v2",
]
REMARKS = [
    "It works. The export is missing, and nothing replaces it. That said, fine.",
    "Use e.g. vLLM on 4×A100s for $1.5K. It cut ou",
    "高い。でも速い。",
    "No stop",
    'He said "done. Really." Then: nothing!',
    "Long " * 90 + "end.",
]

names = (st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=40)).filter(lambda text: clean(text) != "")
percents = st.sampled_from([0, 25, 33.3, 50, 66, 67, 75, 99.5, 100]) | st.floats(0, 100, allow_nan=False).map(
    lambda value: round(value, 2)
)
splits = st.builds(Split, ship=st.integers(0, 7), skip=st.integers(0, 7))
votes = st.builds(Community, ship_percent=st.none() | percents, votes=st.none() | st.integers(0, 300))


def saying(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Any of the fields, each said or left unsaid."""
    return st.fixed_dictionaries({}, optional=fields)


takes = saying(
    reviewer=st.sampled_from(["Builder", "builder", "Skeptic", "Creator", "Ada & <b>"]),
    score=st.integers(0, 100) | percents,
    call=st.sampled_from(["ship", "skip"]),
    remark=st.sampled_from(REMARKS) | st.text(min_size=1, max_size=120).filter(lambda text: clean(text) != ""),
).map(TakeFacts.model_validate)


@st.composite
def tools(draw: st.DrawFn) -> ToolFacts:
    said = draw(
        saying(
            slug=st.sampled_from(["a", "b", "c", "d", "a-vs-b"]),
            tagline=names,
            category=st.sampled_from(["Models", "Health", "models"]),
            entry=st.sampled_from(["Free", "Paid"]),
            pricing=names | st.just("Free (MIT) / $20 per month and more of that"),
            panel_ship_percent=percents,
            verdict=st.sampled_from(["ship", "mixed", "skip"]),
            split=splits,
            community=votes,
            takes=st.lists(takes, max_size=5).map(tuple),
        )
    )
    return ToolFacts.model_validate({"name": draw(names), **said})


comparisons = st.builds(lambda left, right: ComparisonFacts(tools=(left, right)), tools(), tools())
weeks = st.lists(comparisons, max_size=6)


def written_words(written: WriteUp) -> Iterator[str]:
    """Every line of our own making."""
    yield written.subject
    yield written.breath
    for summary in written.summaries:
        yield summary.sentence
        yield from summary.questions
        for side in (summary.left, summary.right):
            yield side.community
            yield from filter(None, (side.percent, side.split, side.average, side.price_brief))


def without(text: str, parts: list[str]) -> str:
    """The text without those parts, but never without a piece of a number: a tool may be called "0"."""
    for part in sorted(filter(None, parts), key=len, reverse=True):
        text = re.sub(rf"(?<!\d)(?<!\d\.){re.escape(part)}(?!\d)(?!\.\d)", " ", text)
    return text


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def stated(tool: ToolFacts) -> set[str]:
    """The numbers a mail may print of a tool: those of its page, and the averages, splits and shares made of them."""
    panel = figures.reading(tool)
    printed = [figures.percent_of(panel) if panel.share is not None else ""]
    printed += [figures.one_decimal(panel.average) if panel.average is not None else ""]
    for split in filter(None, (tool.split, panel.split)):
        printed += [figures.counts(split), str(split.ship + split.skip)]
    printed += [figures.plain(take.score) for take in tool.takes if take.score is not None]
    vote = tool.community
    if vote:
        printed += [figures.plain(vote.ship_percent) if vote.ship_percent is not None else "", str(vote.votes)]
    return numbers(" ".join(printed))


@given(weeks, st.integers(0, 60))
def test_the_limits_hold_whatever_the_pages_say(week: list[ComparisonFacts], turn: int) -> None:
    """Subject 10-78 characters, breath at most 200, one line each, a full stop at the end of every sentence."""
    written = write_up(week, turn=turn)

    assert 10 <= len(written.subject) <= 78
    assert 0 < len(written.breath) <= 200
    assert len(written.summaries) == len(week)
    for words in written_words(written):
        assert not re.search(r"[\r\n\t\u2028\u2029\u202a-\u202e\u2066-\u2069]", words)
        assert words == words.strip()
    for summary in written.summaries:
        assert summary.sentence.endswith((".", "!", "?", "…", "。", "！", "？"))
        assert not summary.sentence.endswith("..") or "..." in summary.sentence


@given(weeks)
def test_no_number_is_invented(week: list[ComparisonFacts]) -> None:
    """Every number of a sentence, a side, the subject and the breath is on the page or follows from it by counting."""
    written = write_up(week)
    of_week: set[str] = set(map(str, range(2 * len(week) + 1)))
    said: list[str] = []
    for comparison, summary in zip(week, written.summaries, strict=True):
        allowed = set[str]()
        for tool, side in zip(comparison.tools, (summary.left, summary.right), strict=True):
            allowed |= stated(tool)
            said += [tool.name, side.short_name, tool.category or ""]
            printed = " ".join(filter(None, (side.percent, side.split, side.average, side.community)))
            assert numbers(printed) <= stated(tool)
            assert (
                side.price_brief is None
                or side.price_brief.removesuffix(" …")
                in (
                    tool.pricing or "",
                    tool.entry,
                )
                or (tool.pricing or "").startswith(side.price_brief.removesuffix(" …"))
            )
        parts = [part for tool in comparison.tools for part in (tool.name, tool.category or "")]
        assert numbers(without(summary.sentence, parts)) <= allowed
        of_week |= allowed
    said += [take.reviewer or "" for comparison in week for tool in comparison.tools for take in tool.takes]
    assert numbers(without(written.subject, said)) <= of_week
    assert numbers(without(written.breath, said)) <= of_week


@given(weeks)
def test_every_quotation_stands_in_the_remark_of_that_reviewer_on_that_tool(week: list[ComparisonFacts]) -> None:
    """And is given with that take's score and call, at most once in the edition."""
    quoted = []
    for comparison, summary in zip(week, write_up(week).summaries, strict=True):
        quotation = summary.quotation
        if quotation is None:
            continue
        quoted.append((quotation.identity, quotation.reviewer.casefold()))
        assert any(
            take.reviewer == quotation.reviewer
            and quotation.words in (take.remark or "")
            and take.call == quotation.call
            and (None if take.score is None else figures.plain(take.score)) == quotation.score
            for tool in comparison.tools
            if (tool.identity, tool.name) == (quotation.identity, quotation.tool)
            for take in tool.takes
        )

    assert len(set(quoted)) == len(quoted)


@given(weeks, st.integers(0, 5))
def test_the_same_pages_are_written_up_the_same(week: list[ComparisonFacts], turn: int) -> None:
    """Also when they come back from storage."""
    again = [ComparisonFacts.model_validate_json(page.model_dump_json()) for page in week]

    assert write_up(again, turn=turn) == write_up(week, turn=turn)


@given(comparisons, st.integers(2, 9))
def test_neighbours_never_share_a_phrasing_while_there_is_another(page: ComparisonFacts, times: int) -> None:
    """The same pair again and again: all phrasings of its situation are used before one returns."""
    panels = figures.reading(page.tools[0]), figures.reading(page.tools[1])
    phrases = scene(*panels, ("A", "B")).phrases
    sentences = [summary.sentence for summary in write_up([page] * times).summaries]

    if len(phrases) > 1:
        assert all(one != other for one, other in pairwise(sentences))
    assert len(set(sentences[: len(phrases)])) == min(times, len(phrases))


@given(weeks)
def test_the_scoreboard_is_complete_and_in_order(week: list[ComparisonFacts]) -> None:
    """Every tool once, every entry counted, nothing better below something worse."""
    summaries = write_up(week).summaries
    lines = scoreboard(summaries)
    appearances = [
        (n, side.identity) for n, summary in enumerate(summaries, 1) for side in (summary.left, summary.right)
    ]

    assert sorted(line.side.identity for line in lines) == sorted({identity for _, identity in appearances})
    for line in lines:
        assert set(line.entries) == {n for n, identity in appearances if identity == line.side.identity}
    verdicts = [("ship", "mixed", "skip", None).index(line.side.verdict) for line in lines]
    assert verdicts == sorted(verdicts)
    for one, other in pairwise(lines):
        assert one.side.verdict != other.side.verdict or _percent(one.side) >= _percent(other.side)


def _percent(side: Side) -> float:
    if side.percent is not None:
        return float(side.percent.removesuffix(f"{NO_BREAK}%"))
    if side.split is None:
        return -1
    ships, skips = (int(part.split()[0]) for part in side.split.split(" · "))
    return 100 * ships / (ships + skips)


@settings(max_examples=20)
@given(
    st.permutations(["Builder", "Skeptic", "Creator", "Founder"]), st.permutations(["Builder", "Skeptic", "Operator"])
)
def test_every_reviewer_has_one_row_and_the_left_column_keeps_its_order(left: list[str], right: list[str]) -> None:
    """However the two columns contradict each other."""
    one, other = (
        ToolFacts(name=name, slug=name, takes=tuple(TakeFacts(reviewer=reviewer, score=50) for reviewer in reviewers))
        for name, reviewers in (("one", left), ("other", right))
    )

    rows = [row.reviewer for row in write_up([ComparisonFacts(tools=(one, other))]).summaries[0].critics]

    assert sorted(rows) == sorted({*left, *right})
    assert [reviewer for reviewer in rows if reviewer in left] == left
