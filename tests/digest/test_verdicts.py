"""What is written about an edition: summaries, scoreboard, and the two pages that the house was built around."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest.facts import Community, ComparisonFacts
from digest.verdicts import CriticsRow, Score, Side, Summary, scoreboard, write_up
from digest.verdicts.figures import NO_BREAK
from tests.digest.verdict_facts import REVIEWERS, pair, panel, take, tool

PAGES = Path(__file__).parents[3] / "shared" / "pages"


def side_of(community: Community | None) -> Side:
    return write_up([pair(tool("T", community=community), tool("U"))]).summaries[0].left


def rows(summary: Summary) -> list[str]:
    return [row.reviewer for row in summary.critics]


# The two pages at hand, as figures; the one remark that is quoted is read from the page itself.

AXOLOTL = tool(
    "Axolotl v0.16",
    3,
    1,
    badge="ship",
    slug="axolotl",
    entry="Paid",
    pricing="Open Source",
    community=Community(),
    takes=panel((80, "ship"), (80, "ship"), (80, "ship"), (45, "skip")),
)
LARGE = tool(
    "Mistral 8x22B Instruct v2",
    4,
    0,
    badge="ship",
    slug="large",
    entry="Free",
    pricing="Free (Apache 2.0 open weights) / Self-hosted or via Mistral API (pay-per-token)",
    community=Community(),
    takes=(*panel((88, "ship"), (82, "ship"), (85, "ship")), take("Founder", 72, "ship")),
)
SMALL = tool("Mistral 3 8B & 70B Instruct (Open Source)", percent=75, slug="small", entry="Free", community=Community())


def test_the_two_pages_at_hand_read_as_they_should() -> None:
    """A sweep against a split; then level, with nothing said that the second page does not say."""
    first, second = write_up([pair(AXOLOTL, LARGE), pair(AXOLOTL, SMALL)]).summaries

    assert first.headline == "Axolotl v0.16 vs Mistral 8x22B Instruct v2"
    assert first.sentence == "Mistral 8x22B Instruct v2 takes it with a clean sweep, 4–0; Axolotl v0.16 ships 3–1."
    assert second.sentence == "Level on the panel: three in four would ship either."
    assert (first.left.average, first.right.average, second.right.average) == ("71.3", "81.8", None)
    assert (first.left.split, second.right.split) == ("3 ship · 1 skip", None)
    assert (first.left.price, first.right.price_brief) == ("Open Source", "Free (Apache 2.0 open weights) …")
    assert first.questions == (
        "Axolotl v0.16: the entry label says “Paid”, the pricing text “Open Source”. The mail prints the pricing text.",
    )


def test_their_subject_and_breath_say_the_week() -> None:
    """In an inbox the first 33 characters name the winner and what it won."""
    written = write_up([pair(AXOLOTL, LARGE), pair(AXOLOTL, SMALL)])

    assert written.subject == "Mistral 8x22B sweeps the panel 4–0; Axolotl splits it"
    assert written.breath == (
        "Two comparisons, three tools: all ship. Mistral 8x22B leads, 4–0 with an average of 81.8. "
        "Axolotl and Mistral 3 8B & 70B Instruct tie: three in four would ship either."
    )


@pytest.mark.skipif(not PAGES.exists(), reason="the stored pages are not part of the project")
def test_the_lone_dissenter_of_the_page_is_quoted_in_one_whole_sentence() -> None:
    """The Creator, 45, in words that stand on the page exactly so."""
    page = next(text for path in sorted(PAGES.iterdir()) if "45/100 · skip" in (text := path.read_text()))
    remark = page.split("45/100 · skip")[1].strip().splitlines()[0]
    takes = (*AXOLOTL.takes[:3], take("Creator", 45, "skip", remark))

    quotation = write_up([pair(AXOLOTL.model_copy(update={"takes": takes}), LARGE)]).summaries[0].quotation

    assert quotation is not None
    assert (quotation.kind, quotation.tool, quotation.identity) == ("dissent", "Axolotl v0.16", "axolotl")
    assert (quotation.reviewer, quotation.score, quotation.call) == ("Creator", "45", "skip")
    assert quotation.words == remark.split(". Unless")[0] + "."


# Sides


@pytest.mark.parametrize(
    ("vote", "words"),
    [
        (None, "community vote not stated"),
        (Community(), "no community votes yet"),
        (Community(votes=0), "no community votes yet"),
        (Community(ship_percent=0), "0 % of the community would ship"),
        (Community(ship_percent=62), "62 % of the community would ship"),
        (Community(ship_percent=62, votes=118), "62 % of 118 community votes would ship"),
        (Community(ship_percent=100, votes=1), "100 % of 1 community vote would ship"),
        (Community(ship_percent=66.7, votes=3), "66.7 % of 3 community votes would ship"),
        (Community(votes=7), "7 community votes, outcome not stated"),
        (Community(votes=1), "1 community vote, outcome not stated"),
    ],
)
def test_the_community_in_words(vote: Community | None, words: str) -> None:
    """Unknown, none and nought are three different things."""
    assert side_of(vote).community.replace(NO_BREAK, " ") == words


def test_a_side_says_only_what_its_page_says() -> None:
    """Nothing known: no verdict, no percentage, no split, no average, no price."""
    bare = write_up([pair(tool("T", category=None), tool("U"))]).summaries[0].left

    assert (bare.verdict, bare.percent, bare.split, bare.average) == (None, None, None, None)
    assert (bare.price, bare.price_brief, bare.best_for, bare.category) == (None, None, None, None)


def test_the_price_is_the_pricing_text_and_else_the_label() -> None:
    """Word for word."""
    left, right = tool("T", entry="Paid", pricing="$20 (or so)"), tool("U", entry="Paid")

    summary = write_up([pair(left, right)]).summaries[0]

    assert (summary.left.price, summary.right.price) == ("$20 (or so)", "Paid")


def test_the_verdict_is_the_badge_and_else_follows_from_the_figures() -> None:
    """Also from a split without percentage and badge."""
    only_split = tool("T").model_copy(update={"split": tool("T", 1, 3).split})
    summary = write_up([pair(only_split, tool("U", 2, 1, badge="ship"))]).summaries[0]

    assert (summary.left.verdict, summary.left.percent, summary.left.split) == ("skip", None, "1 ship · 3 skip")
    assert (summary.right.verdict, summary.right.percent) == ("ship", f"67{NO_BREAK}%")


# Critics


def test_reviewers_stand_in_the_order_of_the_page() -> None:
    """Who has only one take is placed where the page had the reviewer."""
    left = tool("T", takes=(take("Builder", 1), take("Skeptic", 2), take("Creator", 3)))
    right = tool("U", takes=(take("Builder", 4), take("Operator", 5), take("Skeptic", 6), take("Founder", 7)))

    summary = write_up([pair(left, right)]).summaries[0]

    assert rows(summary) == ["Builder", "Operator", "Skeptic", "Creator", "Founder"]


def test_no_take_is_none_and_an_unknown_score_is_not() -> None:
    """A take may have a remark and no score; that is a take."""
    left = tool("T", takes=(take("Builder", 80.5, "ship"), take("Skeptic", remark="So so.")))
    right = tool("U", takes=(take("Builder"),))

    summary = write_up([pair(left, right)]).summaries[0]

    assert summary.critics == (
        CriticsRow(reviewer="Builder", left=Score(out_of_100="80.5", call="ship"), right=None),
        CriticsRow(reviewer="Skeptic", left=Score(out_of_100=None, call=None), right=None),
    )


def test_a_take_without_reviewer_gives_no_row() -> None:
    """A compact page's remarks belong to nobody."""
    anonymous = tool("T", takes=(take(None, remark="So so."), take(None, 80, "ship")))

    assert write_up([pair(anonymous, anonymous)]).summaries[0].critics == ()


def test_a_reviewer_is_one_row_however_the_name_is_written_and_two_takes_are_two() -> None:
    """ "builder" is the Builder; a second take of the same reviewer is shown, not hidden."""
    left = tool("T", takes=(take("Builder", 1), take("Builder", 2)))
    right = tool("U", takes=(take("builder", 3),))

    critics = write_up([pair(left, right)]).summaries[0].critics

    assert [(row.left and row.left.out_of_100, row.right and row.right.out_of_100) for row in critics] == [
        ("1", "3"),
        ("2", None),
    ]


# The edition


def test_no_remark_is_quoted_twice_in_an_edition() -> None:
    """Four comparisons with the same tool hear four different takes of it."""
    remarks = [f"Reason number {n} is that nothing in it works without the paid plan." for n in range(4)]
    takes = panel(*((80 - n, "ship", remark) for n, remark in enumerate(remarks)))
    star = tool("Star", 4, 0, slug="star", takes=takes)

    written = write_up([pair(star, tool(f"Other {n}x", 3, 1)) for n in range(5)])
    quoted = [summary.quotation.words if summary.quotation else None for summary in written.summaries]

    assert sorted(filter(None, quoted)) == remarks
    assert quoted[4] is None


def test_the_scoreboard_has_every_tool_once_with_its_entries() -> None:
    """As at its first entry, though a later page says more."""
    early, late = tool("Star", 3, 1, slug="star"), tool("Star", 4, 0, slug="star")

    lines = scoreboard(write_up([pair(early, tool("A")), pair(tool("B"), late)]).summaries)

    assert [(line.side.name, line.entries) for line in lines] == [("Star", (1, 2)), ("A", (1,)), ("B", (2,))]
    assert lines[0].side.split == "3 ship · 1 skip"


def test_the_scoreboard_is_sorted_best_first_and_unknown_last() -> None:
    """Verdict, then percentage (or what the split gives), then average, then appearance."""
    without_percent = tool("split only").model_copy(update={"split": tool("T", 4, 1).split})
    week = [
        tool("nothing"),
        tool("skip", 1, 3),
        tool("badge only", badge="ship"),
        tool("3–1, 60", 3, 1, scores=(60, 60)),
        tool("3–1, 70", 3, 1, scores=(70, 70)),
        tool("3–1, no scores", 3, 1),
        tool("3–1, no scores either", 3, 1),
        tool("mixed", 2, 1),
        without_percent,
        tool("sweep", 4, 0),
        tool("half", 2, 2),
        tool("shutout", 0, 4),
    ]

    lines = scoreboard(write_up([pair(*two) for two in zip(week[::2], week[1::2], strict=True)]).summaries)

    assert [line.side.name for line in lines] == [
        "sweep",
        "split only",
        "3–1, 70",
        "3–1, 60",
        "3–1, no scores",
        "3–1, no scores either",
        "badge only",
        "mixed",
        "half",
        "skip",
        "shutout",
        "nothing",
    ]


def test_a_write_up_survives_its_own_json() -> None:
    """Summaries are stored with an entry and read back as they were."""
    week: list[ComparisonFacts] = [pair(AXOLOTL, LARGE), pair(AXOLOTL, SMALL)]
    for summary in write_up(week).summaries:
        assert Summary.model_validate_json(summary.model_dump_json()) == summary


def test_reviewers_are_more_than_the_panel_of_four() -> None:
    """Seven critics give seven rows."""
    everyone = tool("T", takes=tuple(take(reviewer, 70, "ship") for reviewer in REVIEWERS))

    assert rows(write_up([pair(everyone, tool("U"))]).summaries[0]) == list(REVIEWERS)


def test_an_edition_without_comparisons_is_written_up_too() -> None:
    """Nobody mails it, but nothing breaks."""
    written = write_up([])

    assert written.summaries == ()
    assert 10 <= len(written.subject) <= 78
    assert re.fullmatch(r"[^\r\n]{1,200}", written.breath)
