"""The score of a comparison: what each part earns, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts, Verdict
from digest.selection.judged import Judged
from digest.selection.scoring import Part, PartName, Weights, score
from digest.selection.standing import NEVER_SEEN, Known, Standing
from digest.weeks import Week

W47 = Week(2026, 47)
NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)
CRITICS = ("Builder", "Skeptic", "Futurist", "Creator", "Founder")


def tool(
    name: str, split: tuple[int, int] | None = None, scores: Mapping[str, float] | None = None, **more: Any
) -> ToolFacts:
    """A tool whose critics would ship from 60 points on."""
    takes = tuple(
        TakeFacts(reviewer=critic, score=points, call="ship" if points >= 60 else "skip", remark=f"{critic} says so.")
        for critic, points in (scores or {}).items()
    )
    votes = None if split is None else Split(ship=split[0], skip=split[1])
    return ToolFacts(name=name, slug=name.casefold(), takes=takes, split=votes, **more)


def standing(left: ToolFacts, right: ToolFacts, seen: tuple[Known, Known] = (NEVER_SEEN, NEVER_SEEN)) -> Standing:
    facts = ComparisonFacts(slug="a-vs-b", url="https://example.com/compare/a-vs-b", tools=(left, right))
    return Standing(1, facts, NOW, NOW, *seen)


def parts(one: Standing) -> dict[PartName, Part]:
    left, right = one.facts.tools
    found = score(one, (Judged(left, left.name), Judged(right, right.name)), week=W47, weights=Weights())
    return {part.name: part for part in found}


def part(
    name: PartName, left: ToolFacts, right: ToolFacts, known: Known = NEVER_SEEN, other: Known = NEVER_SEEN
) -> Part:
    return parts(standing(left, right, (known, other)))[name]


def words(found: Part) -> str:
    """As they stand, but with blanks that may break."""
    return found.words.replace("\u00a0", " ")


LOOM = tool("Loom", (3, 1), {"Builder": 80, "Skeptic": 80, "Futurist": 80, "Creator": 45}, pricing="$20 a month")
MUSE = tool("Muse", (4, 0), {"Builder": 88, "Skeptic": 82, "Futurist": 85, "Founder": 72}, pricing="Free")


# — the whole —


def test_a_score_can_be_read_part_by_part() -> None:
    """Every part says what it found on the page, in the page's own figures."""
    found = parts(standing(LOOM, MUSE, (NEVER_SEEN, Known(2, Week(2026, 41), "mixed"))))

    assert {name: (part.points, words(part)) for name, part in found.items()} == {
        "disagreement": (11, "3–1 on Loom (Creator 45, Builder 80)"),
        "preference": (0, "all critics of both prefer Muse"),
        "distance": (5, "75 % against 100 %, averages 71.3 against 81.8"),
        "community": (0, "the page does not say how the community voted"),
        "newness": (11, "Loom new to our readers, Muse featured twice, last in 2026-W41"),
        "change": (6, "Muse was mixed in 2026-W41 and is ship now"),
        "completeness": (8, "nothing is missing"),
    }


percents = st.none() | st.integers(0, 100) | st.floats(0, 100).map(lambda percent: round(percent, 1))
communities = st.builds(Community, ship_percent=percents, votes=st.none() | st.integers(0, 500))
tools = st.builds(
    tool,
    st.sampled_from(["Loom", "Muse", "Quill"]),
    st.none() | st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.dictionaries(st.sampled_from(CRITICS), st.integers(0, 100)),
    panel_ship_percent=percents,
    community=st.none() | communities,
)
verdicts: st.SearchStrategy[Verdict] = st.sampled_from(["ship", "mixed", "skip"])
knowns = st.builds(
    Known, st.integers(0, 9), st.none() | st.builds(Week, st.just(2026), st.integers(1, 53)), st.none() | verdicts
)


@given(tools, tools, knowns, knowns)
def test_no_part_earns_more_than_its_weight_or_less_than_nothing(
    left: ToolFacts, right: ToolFacts, one: Known, other: Known
) -> None:
    """Points are whole, from nothing to the weight, and every part says something."""
    found = parts(standing(left, right, (one, other)))

    assert list(found) == list(Weights.model_fields)
    for name, part in found.items():
        assert isinstance(part.points, int)
        assert 0 <= part.points <= getattr(Weights(), name)
        assert part.words


@given(tools, tools, knowns, knowns)
def test_it_does_not_matter_which_tool_stands_left(left: ToolFacts, right: ToolFacts, one: Known, other: Known) -> None:
    """The site puts tools in alphabetical order, which is no merit."""
    straight, swapped = parts(standing(left, right, (one, other))), parts(standing(right, left, (other, one)))

    assert {name: part.points for name, part in straight.items()} == {n: p.points for n, p in swapped.items()}


def test_scores_kept_as_fractions_count_and_read_the_same() -> None:
    """80 and 80.0 are one score."""
    stored = LOOM.model_copy(
        update={"takes": tuple(take.model_copy(update={"score": float(take.score or 0)}) for take in LOOM.takes)}
    )

    assert parts(standing(LOOM, MUSE)) == parts(standing(stored, MUSE))


def test_weights_scale_the_points_and_leave_the_words() -> None:
    """A part without weight earns nothing and still says what it found."""
    sides = Judged(LOOM, "Loom"), Judged(MUSE, "Muse")
    found = score(standing(LOOM, MUSE), sides, week=W47, weights=Weights(disagreement=0, newness=1000))

    assert (found[0].points, found[0].words) == (0, "3–1 on Loom (Creator 45, Builder 80)")
    assert found[4].points == 1000


def test_the_default_weights_add_up_to_a_hundred() -> None:
    """So a score reads as points out of a hundred."""
    assert sum(Weights().model_dump().values()) == 100


# — disagreement —


def test_an_even_split_is_worth_more_than_a_lone_dissent_and_that_more_than_none() -> None:
    """2–2 before 3–1 before 4–0, for the one tool as for the other."""
    calm = tool("Muse", (4, 0))
    points = [part("disagreement", tool("Loom", split), calm).points for split in [(2, 2), (3, 1), (1, 3), (4, 0)]]

    assert points[0] > points[1] == points[2] > points[3] == 0


def test_a_sharper_dissent_is_worth_more() -> None:
    """Of two 3–1 splits the one with the harsher dissenter is the better story."""
    mild = tool("Loom", (3, 1), {"Builder": 62, "Skeptic": 61, "Futurist": 60, "Creator": 55})

    assert part("disagreement", LOOM, MUSE).points > part("disagreement", mild, MUSE).points


def test_one_score_is_no_dissent_and_no_harmony_either() -> None:
    """What cannot be measured neither earns nor costs."""
    alone = tool("Loom", (2, 2), {"Builder": 80})

    assert part("disagreement", alone, alone) == part("disagreement", tool("Loom", (2, 2)), tool("Loom", (2, 2)))


def test_the_most_divided_tool_is_named_first() -> None:
    """Each split with its two extremes."""
    torn = tool("Quill", (2, 2), {"Builder": 90, "Skeptic": 30, "Futurist": 70, "Creator": 40})

    assert words(part("disagreement", LOOM, torn)) == (
        "2–2 on Quill (Skeptic 30, Builder 90) and 3–1 on Loom (Creator 45, Builder 80)"
    )


def test_a_split_known_only_as_a_percentage_is_told_as_one() -> None:
    """Nothing is counted that the page does not count."""
    assert words(part("disagreement", tool("Loom", panel_ship_percent=75), MUSE)) == "75 % on Loom"


def test_critics_who_differ_by_a_little_are_of_one_mind() -> None:
    """From ten points on, a difference is told, a score of nought included."""
    mild = tool("Loom", (4, 0), {"Builder": 69, "Skeptic": 60})
    harsh = tool("Loom", (4, 0), {"Builder": 10, "Skeptic": 0})

    assert part("disagreement", mild, MUSE).words == "4–0 on Muse (Founder 72, Builder 88)"
    assert part("disagreement", mild, mild).words == "the panel is of one mind on both"
    assert part("disagreement", harsh, mild).words == "4–0 on Loom (Skeptic 0, Builder 10)"


def test_ships_and_skips_divide_a_panel_alike() -> None:
    """Thirds are rounded so that 2–1 is as divided as 1–2."""
    assert Judged(tool("Loom", (2, 1)), "Loom").split == Judged(tool("Loom", (1, 2)), "Loom").split


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (tool("Loom", (4, 0)), tool("Muse", (0, 4)), "the panel is of one mind on both"),
        (tool("Loom"), tool("Muse", (4, 0)), "the page does not say how the panel splits"),
    ],
)
def test_no_split_is_told_apart_from_an_unknown_one(left: ToolFacts, right: ToolFacts, said: str) -> None:
    """Both earn nothing, for different reasons."""
    found = part("disagreement", left, right)

    assert (found.points, found.words) == (0, said)


def test_of_a_contradiction_nothing_is_concluded() -> None:
    """A split that is not its own percentage earns nothing anywhere, and the editor is told."""
    odd = tool("Loom", (2, 2), panel_ship_percent=100, community=Community(ship_percent=0, votes=90))
    found = parts(standing(odd, tool("Muse", (0, 4)), (Known(1, Week(2026, 40), "skip"), NEVER_SEEN)))

    assert found["disagreement"].points == found["distance"].points == found["change"].points == 0
    assert "the page contradicts itself about Loom" in found["disagreement"].words
    assert "readers" not in found["community"].words


# — preference —


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ({}, {"Builder": 80}, "no critic judged both tools"),
        ({"Builder": 80}, {"Builder": 80}, "the only critic of both saw no difference"),
        ({"Builder": 80}, {"Builder": 70}, "the only critic of both prefers Loom"),
        ({"Builder": 80, "Skeptic": 70}, {"Builder": 80, "Skeptic": 70}, "all critics of both saw no difference"),
        ({"Builder": 80, "Skeptic": 70}, {"Builder": 70, "Skeptic": 60}, "all critics of both prefer Loom"),
        ({"Builder": 80, "Skeptic": 70}, {"Builder": 80, "Skeptic": 80}, "one critic prefers Muse, none the other"),
        (
            {"Builder": 80, "Skeptic": 70, "Futurist": 60},
            {"Builder": 70, "Skeptic": 75, "Futurist": 66},
            "one critic prefers Loom, two Muse",
        ),
    ],
)
def test_it_is_said_which_tool_the_critics_prefer(left: dict[str, float], right: dict[str, float], said: str) -> None:
    """Only critics who judged both tools are counted."""
    assert words(part("preference", tool("Loom", None, left), tool("Muse", None, right))) == said


def test_four_critics_who_differ_are_worth_more_than_two() -> None:
    """One against one is no divided panel yet."""
    four = dict.fromkeys(CRITICS[:4], 50)
    two_two = {"Builder": 60, "Skeptic": 60, "Futurist": 40, "Creator": 40}
    whole = part("preference", tool("Loom", None, four), tool("Muse", None, two_two)).points
    pair = part("preference", tool("Loom", None, {"Builder": 50, "Creator": 50}), tool("Muse", None, two_two)).points

    assert whole == 2 * pair > 0


def test_a_call_speaks_where_a_score_is_missing() -> None:
    """A critic who would ship one and skip the other has a preference."""
    left = ToolFacts(name="Loom", takes=(TakeFacts(reviewer="Builder", call="ship"),))
    right = ToolFacts(name="Muse", takes=(TakeFacts(reviewer="Builder", call="skip", score=30),))

    assert words(part("preference", left, right)) == "the only critic of both prefers Loom"


def test_a_better_split_with_a_lower_average_is_news() -> None:
    """The panel ships the one more often and scores the other higher."""
    often = tool("Loom", (2, 0), {"Builder": 62, "Skeptic": 61})
    higher = tool("Muse", (1, 1), {"Builder": 98, "Skeptic": 59})
    found = part("preference", often, higher)

    assert words(found) == (
        "one critic prefers Loom, one Muse, and the panel ships Loom more often but scores Muse higher"
    )
    assert found.points > part("preference", often, tool("Muse", (1, 1), {"Builder": 63, "Skeptic": 40})).points


def test_level_splits_with_different_averages_are_no_contradiction() -> None:
    """Nor are level averages with different splits."""
    level = part(
        "preference",
        tool("Loom", (1, 1), {"Builder": 62, "Skeptic": 9}),
        tool("Muse", (1, 1), {"Builder": 90, "Skeptic": 8}),
    )
    even = part(
        "preference",
        tool("Loom", (2, 0), {"Builder": 60, "Skeptic": 60}),
        tool("Muse", (1, 1), {"Builder": 70, "Skeptic": 50}),
    )

    assert "more often" not in level.words + even.words


# — distance —


def test_the_wider_the_gap_the_more_it_is_worth() -> None:
    """Full points for everything against nothing; none for two tools that are level."""
    best = tool("Loom", (4, 0))
    points = [part("distance", best, tool("Muse", split)).points for split in [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)]]

    assert points == sorted(points, reverse=True)
    assert (points[0], points[-1]) == (Weights().distance, 0)


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (tool("Loom", panel_ship_percent=66.7), tool("Muse", (1, 3)), "66.7 % against 25 %"),
        (tool("Loom", (2, 2)), tool("Muse", panel_ship_percent=50), "level at 50 %"),
        (tool("Loom", None, {"Builder": 80}), tool("Muse", (1, 3)), "the page gives no figures to compare"),
        (
            tool("Loom", None, {"Builder": 80, "Creator": 81}),
            tool("Muse", None, {"Builder": 70, "Creator": 71}),
            "averages 80.5 against 70.5",
        ),
    ],
)
def test_the_gap_is_told_in_the_pages_figures(left: ToolFacts, right: ToolFacts, said: str) -> None:
    """Percentages and averages as they are printed; no average of one score."""
    assert words(part("distance", left, right)) == said


# — community —


def voted(percent: float | None, votes: int | None) -> ToolFacts:
    return tool("Loom", (4, 0), community=Community(ship_percent=percent, votes=votes))


SILENT = tool("Muse", (4, 0), community=Community())


def test_nought_percent_is_a_real_zero() -> None:
    """Readers who would not ship what the whole panel ships are news; readers who have not voted are not."""
    assert part("community", voted(0, 40), SILENT).points > part("community", voted(100, 40), SILENT).points
    assert part("community", voted(None, 0), SILENT).points == 0
    assert words(part("community", voted(0, 0), SILENT)) == "no community votes yet"
    assert words(part("community", voted(0, 40), SILENT)) == "40 votes, readers 0 % and panel 100 % on Loom"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (voted(None, 0), "no community votes yet"),
        (voted(None, None), "no community votes yet"),
        (tool("Loom", (4, 0)), "the page does not say how the community voted"),
        (voted(90, None), "votes, but the page does not say how many"),
        (voted(100, 1), "one vote"),
        (voted(95, 1234), "1,234 votes"),
    ],
)
def test_no_votes_an_unknown_vote_and_an_uncounted_one_are_three_things(left: ToolFacts, said: str) -> None:
    """What the page does not say is said to be unknown."""
    assert words(part("community", left, SILENT)) == said


def test_a_handful_of_votes_contradicts_nobody() -> None:
    """Four readers against the panel are no news yet; five are."""
    assert "readers" not in part("community", voted(0, 4), SILENT).words
    assert "readers" in part("community", voted(0, 5), SILENT).words


def test_an_uncounted_vote_against_the_panel_is_worth_less_than_a_counted_one() -> None:
    """It may be one reader."""
    assert 0 < part("community", voted(0, None), SILENT).points < part("community", voted(0, 300), SILENT).points


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_more_votes_never_earn_less(few: int, many: int) -> None:
    """Interest grows with the votes cast."""
    few, many = sorted((few, many))

    assert part("community", voted(None, few), SILENT).points <= part("community", voted(None, many), SILENT).points


# — newness —


def freshness(known: Known) -> int:
    return part("newness", LOOM, MUSE, known, known).points


@given(st.integers(1, 52), st.integers(1, 52), st.integers(1, 50))
def test_a_tool_is_fresher_the_longer_ago_it_was_featured(week: int, other: int, times: int) -> None:
    """Never featured is freshest; last week, and this one, are not fresh at all."""
    earlier, later = sorted((week, other))
    points = [freshness(Known(times, Week(2026, number))) for number in (earlier, later)]

    assert Weights().newness == freshness(NEVER_SEEN) > points[0] >= points[1]
    assert freshness(Known(times, W47)) == freshness(Known(times, W47.next)) == 0


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (NEVER_SEEN, NEVER_SEEN, "both tools new to our readers"),
        (Known(1, Week(2026, 44)), NEVER_SEEN, "Loom featured once, in 2026-W44, Muse new to our readers"),
        (
            Known(3, Week(2026, 44)),
            Known(13, None),
            "Loom featured three times, last in 2026-W44, Muse featured 13 times before",
        ),
    ],
)
def test_what_our_readers_have_seen_is_told(left: Known, right: Known, said: str) -> None:
    """How often, and when last."""
    assert words(part("newness", LOOM, MUSE, left, right)) == said


# — change —


def test_the_further_a_verdict_has_moved_the_more_it_is_worth() -> None:
    """From skip to ship before mixed to ship before no change at all."""
    earlier: list[Verdict] = ["skip", "mixed", "ship"]
    points = [part("change", LOOM, MUSE, Known(1, Week(2026, 40), verdict)).points for verdict in earlier]

    assert points[0] > points[1] > points[2] == 0


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (NEVER_SEEN, "no earlier verdict of ours to compare with"),
        (Known(1, Week(2026, 40), "ship"), "verdicts as our readers know them"),
        (Known(1, Week(2026, 40), "skip"), "Loom was skip in 2026-W40 and is ship now"),
        (Known(1, None, "mixed"), "Loom was mixed and is ship now"),
    ],
)
def test_a_changed_verdict_is_told_with_its_week(seen: Known, said: str) -> None:
    """And an unchanged one is told from an unknown one."""
    assert words(part("change", LOOM, MUSE, seen)) == said


# — completeness —


def test_what_an_entry_would_have_to_do_without_is_listed() -> None:
    """Scores, remarks and price of each tool, and the link."""
    bare = standing(tool("Loom", (3, 1)), MUSE)
    unlinked = replace(bare, facts=ComparisonFacts(tools=bare.facts.tools))

    priced = standing(tool("Loom", (3, 1), entry="Free"), MUSE)

    assert parts(priced)["completeness"].words == "missing: the scores and the remarks of Loom"
    assert parts(bare)["completeness"].words == "missing: the scores, the remarks and the price of Loom"
    assert parts(unlinked)["completeness"].words == "missing: the scores, the remarks and the price of Loom, the link"
    assert [parts(one)["completeness"].points for one in (standing(LOOM, MUSE), bare, unlinked)] == [8, 5, 3]
