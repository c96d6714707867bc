"""The verdict sentence of every corner case, word for word, for somebody who reads."""

from __future__ import annotations

from itertools import pairwise

import pytest

from digest.facts import Community, ComparisonFacts, Verdict
from digest.verdicts import figures, phrasebook, write_up
from digest.verdicts.figures import NO_BREAK
from digest.verdicts.scenes import scene
from digest.verdicts.sentences import Voice, finished
from tests.digest.verdict_facts import pair, panel, tool

BADGES: tuple[Verdict | None, ...] = (None, "ship")
Q, N = "Quillmark 2.0", "Northbeam"


def sentence(comparison: ComparisonFacts, *, turn: int = 0) -> str:
    return write_up([comparison], turn=turn).summaries[0].sentence.replace(NO_BREAK, " ")


CORNERS = {
    "a sweep against a split": (
        pair(tool(Q, 3, 1), tool(N, 4, 0)),
        "Northbeam takes it with a clean sweep, 4–0; Quillmark 2.0 ships 3–1.",
    ),
    "a sweep against a divided panel": (
        pair(tool(Q, 4, 0), tool(N, 2, 2)),
        "Quillmark 2.0 sweeps the panel, 4–0; Northbeam divides it, 2–2.",
    ),
    "a sweep against a skip": (
        pair(tool(Q, 4, 0), tool(N, 1, 3)),
        "Quillmark 2.0 sweeps the panel, 4–0; Northbeam falls, 1–3.",
    ),
    "every vote against none": (
        pair(tool(Q, 0, 4), tool(N, 4, 0)),
        "As one-sided as it gets: 4–0 for Northbeam, 0–4 for Quillmark 2.0.",
    ),
    "both ship, by panels of different size": (
        pair(tool(Q, 4, 1), tool(N, 3, 1)),
        "Both ship, and Quillmark 2.0 is ahead, 4–1 against 3–1.",
    ),
    "a ship against a divided panel": (
        pair(tool(Q, 3, 1), tool(N, 2, 1)),
        "Quillmark 2.0 ships 3–1; Northbeam leaves the panel divided, 2–1.",
    ),
    "a ship against a skip": (
        pair(tool(Q, 1, 2), tool(N, 3, 1)),
        "Northbeam ships 3–1; Quillmark 2.0 falls, 1–2.",
    ),
    "a ship against a tool nobody would ship": (
        pair(tool(Q, 3, 1), tool(N, 0, 4)),
        "Quillmark 2.0 ships 3–1; not one critic would ship Northbeam, 0–4.",
    ),
    "both mixed, one warmer": (
        pair(tool(Q, 2, 2), tool(N, 2, 1)),
        "Two mixed verdicts, the warmer one for Northbeam: 2–1 against 2–2.",
    ),
    "a divided panel against a skip": (
        pair(tool(Q, 2, 2), tool(N, 1, 3)),
        "Quillmark 2.0 divides the panel, 2–2; Northbeam falls, 1–3.",
    ),
    "both skip, one closer": (
        pair(tool(Q, 0, 4), tool(N, 1, 3)),
        "The panel would ship neither; Northbeam comes closer, 1–3 against 0–4.",
    ),
    "both skip, level": (
        pair(tool(Q, 1, 3), tool(N, 1, 3)),
        "The panel would ship neither: both fall 1–3.",
    ),
    "nobody would ship either": (
        pair(tool(Q, 0, 4), tool(N, 0, 3)),
        "The panel would ship neither: not a single vote for Quillmark 2.0 or Northbeam.",
    ),
    "level, with nothing else known": (
        pair(tool(Q, 3, 1), tool(N, percent=75)),
        "Level on the panel: three in four would ship either.",
    ),
    "level, told apart by the averages": (
        pair(tool(Q, 3, 1, scores=(80, 80, 80, 45)), tool(N, 3, 1, scores=(90, 82, 85, 70.25))),
        "Level on the panel: three in four would ship either; Northbeam has the higher average, 81.8 to 71.3.",
    ),
    "level, one point apart": (
        pair(tool(Q, 3, 1, scores=(69, 70)), tool("Um", 3, 1, scores=(70, 71))),
        "Level on the panel: three in four would ship either; Um is a single point ahead on average, 70.5 to 69.5.",
    ),
    "level, less than a point apart": (
        pair(tool(Q, 3, 1, scores=(70, 70)), tool(N, 3, 1, scores=(70, 71))),
        "Level on the panel: three in four would ship either; Northbeam is a whisker ahead on average, 70.5 to 70.0.",
    ),
    "level in everything, though the averages differ in the second decimal": (
        pair(tool(Q, 2, 2, scores=(60, 60.02)), tool(N, 2, 2, scores=(60, 60.04))),
        "The panel is split down the middle on both, 2–2 each; the averages match too, at 60.0.",
    ),
    "two sweeps": (
        pair(tool(Q, 4, 0), tool(N, 3, 0)),
        "Two clean sweeps: not one critic would skip either.",
    ),
    "both mixed and level, three votes each": (
        pair(tool(Q, 2, 1), tool(N, 2, 1)),
        "Level on the panel, and mixed: two in three would ship either.",
    ),
    "67 % without the votes is not two in three": (
        pair(tool(Q, percent=67), tool(N, percent=67)),
        "Level on the panel, and mixed: 67 % would ship either.",
    ),
    "two of three beside a rounded 67 %": (
        pair(tool(Q, 2, 1), tool(N, percent=67)),
        "Level on the panel, and mixed: 67 % would ship either.",
    ),
    "level, seven votes": (
        pair(tool(Q, 6, 1), tool(N, 6, 1)),
        "Level on the panel: six of seven would ship either.",
    ),
    "the higher split has the lower average": (
        pair(tool(Q, 3, 1, scores=(60, 51)), tool(N, 2, 2, scores=(82, 36))),
        "Quillmark 2.0 wins the panel vote, 3–1 against 2–2; Northbeam wins on points, 59.0 to 55.5.",
    ),
    "two skips, the higher split has the lower average": (
        pair(tool(N, 1, 3, scores=(40, 30)), tool("Um", 0, 4, scores=(40, 42))),
        "The panel would ship neither: Northbeam leads on votes, 1–3 against 0–4, Um on points, 41.0 to 35.0.",
    ),
    "percentages only, a ship and a half": (
        pair(tool(Q, percent=75), tool(N, percent=50)),
        "Three in four would ship Quillmark 2.0; half the panel would ship Northbeam.",
    ),
    "percentages only, one of them uneven": (
        pair(tool(Q, percent=33), tool(N, percent=67)),
        "No ship here: Northbeam is mixed on 67 %, Quillmark 2.0 a skip on 33 %.",
    ),
    "a split here, a percentage there: both told in per cent": (
        pair(tool(Q, 3, 1), tool(N, percent=0)),
        "Three in four would ship Quillmark 2.0; nobody on the panel would ship Northbeam.",
    ),
    "no panel on one side": (
        pair(tool(Q), tool(N, 3, 1)),
        "Northbeam ships 3–1; the page gives no panel verdict on Quillmark 2.0.",
    ),
    "no panel at all": (
        pair(tool(Q), tool(N)),
        "The page gives no panel verdict on either.",
    ),
    "no panel at all, but scores": (
        pair(tool(Q, scores=(70, 61)), tool(N, scores=(80, 75))),
        "No panel verdict on either; on average score Northbeam is ahead, 77.5 to 65.5.",
    ),
    "one vote each": (
        pair(tool(Q, 0, 1), tool(N, 1, 0)),
        "One vote each: ship for Northbeam, skip for Quillmark 2.0.",
    ),
    "one vote is not a sweep": (
        pair(tool(Q, 1, 0), tool(N, 3, 1)),
        "Northbeam ships 3–1; Quillmark 2.0 has a single vote, to ship.",
    ),
    "badges without a figure": (
        pair(tool(Q, badge="ship"), tool(N, badge="skip")),
        "Quillmark 2.0 gets a ship verdict; Northbeam gets a skip verdict.",
    ),
    "a badge that disagrees with its figures": (
        pair(tool(Q, 2, 1, badge="ship"), tool(N, 2, 2)),
        "Quillmark 2.0 is marked ship on 67 % with a 2–1 split; Northbeam divides the panel 2–2.",
    ),
    "a percentage that disagrees with its split": (
        pair(tool(Q, 1, 3, percent=75), tool(N, 4, 0)),
        "Quillmark 2.0 is marked ship on 75 % with a 1–3 split; Northbeam sweeps the panel 4–0.",
    ),
    "takes that disagree with the percentage: the page's percentage stands": (
        pair(tool(Q, percent=75, takes=panel((80, "ship"), (40, "skip"), (30, "skip"))), tool(N, percent=25)),
        "Three in four would ship Quillmark 2.0; only one in four would ship Northbeam.",
    ),
    "complete takes give the split": (
        pair(tool(Q, percent=75, takes=panel((80, "ship"), (80, "ship"), (80, "ship"), (45, "skip"))), tool(N, 1, 3)),
        "Quillmark 2.0 ships 3–1; Northbeam falls, 1–3.",
    ),
    "no community vote and 0 % of it do not touch the panel's sentence": (
        pair(tool(Q, 4, 0, community=Community(ship_percent=0)), tool(N, 3, 1, community=Community())),
        "Quillmark 2.0 takes it with a clean sweep, 4–0; Northbeam ships 3–1.",
    ),
    "different categories under one name": (
        pair(
            tool("Trencher 1.0", 4, 0, slug="a", category="Models"),
            tool("Trencher 1.0", 1, 3, slug="b", category="Health"),
        ),
        "Trencher 1.0 (Models) sweeps the panel, 4–0; Trencher 1.0 (Health) falls, 1–3.",
    ),
    "one name and one category": (
        pair(tool("Trencher 1.0", 4, 0, slug="a"), tool("trencher 1.0", 1, 3, slug="b")),
        "Trencher 1.0 (the first) sweeps the panel, 4–0; trencher 1.0 (the second) falls, 1–3.",
    ),
    '"vs" in a name': (
        pair(tool("Draft vs Draft", 1, 3), tool("Orlop Draw+ with Layers", 4, 0)),
        "Orlop Draw+ with Layers sweeps the panel, 4–0; Draft vs Draft falls, 1–3.",
    ),
    "a name that ends a sentence by itself": (
        pair(tool("Ask Who?", 0, 4), tool("Parcel Inc.", 0, 4)),
        "The panel would ship neither: not a single vote for Ask Who? or Parcel Inc.",
    ),
    "a name full of braces": (
        pair(tool("{lead} {0} {{7*7}}", 4, 0), tool(N, 3, 1)),
        "{lead} {0} {{7*7}} takes it with a clean sweep, 4–0; Northbeam ships 3–1.",
    ),
    "a name from right to left leaves the figures in their order": (
        pair(tool("מגדלור", 4, 0), tool(N, 3, 1)),
        "\u200eמגדלור\u200e takes it with a clean sweep, 4–0; Northbeam ships 3–1.",
    ),
}


@pytest.mark.parametrize(("comparison", "expected"), CORNERS.values(), ids=CORNERS.keys())
def test_every_corner_case_reads_well(comparison: ComparisonFacts, expected: str) -> None:
    """Standing alone, each comparison gets the house's own phrasing for its situation."""
    assert sentence(comparison) == expected


def test_a_tool_most_critics_would_skip_is_never_said_to_ship() -> None:
    """Not in any phrasing, whatever the panels' sizes: the name of a skip is never followed by "ships"."""
    for ships, skips in [(1, 3), (0, 4), (2, 3), (1, 2), (0, 1)]:
        for rival in [tool(N, 4, 0), tool(N, 3, 1), tool(N, 2, 2), tool(N, 0, 4), tool(N), tool(N, percent=75)]:
            for turn in range(6):
                words = sentence(pair(tool("Doomed", ships, skips), rival), turn=turn)

                assert "Doomed ships" not in words
                assert "Doomed wins every" not in words
                assert "both ship" not in words.casefold()


def test_eight_alike_comparisons_are_told_in_every_phrasing_before_one_comes_back() -> None:
    """Five phrasings for a sweep against a split: the first five sentences differ, and neighbours always do."""
    week = [pair(tool(f"Sweeper {n}x", 4, 0), tool(f"Splitter {n}x", 3, 1)) for n in range(8)]

    told = [summary.sentence for summary in write_up(week).summaries]
    bare = [text.replace(f"{n}x", "") for n, text in enumerate(told)]

    assert len(set(bare[:5])) == 5
    assert all(one != other for one, other in pairwise(bare))


def test_neighbours_open_differently_where_they_can() -> None:
    """Different situations whose house phrasings all begin with the leader's name do not all begin with it."""
    week = [
        pair(tool("Aa1", 4, 0), tool("Ab1", 3, 1)),
        pair(tool("Ba1", 4, 0), tool("Bb1", 2, 2)),
        pair(tool("Ca1", 4, 0), tool("Cb1", 1, 3)),
        pair(tool("Da1", 3, 1), tool("Db1", 1, 3)),
    ]

    openings = [summary.sentence.split()[0] for summary in write_up(week).summaries]

    assert openings == ["Aa1", "The", "Every", "Db1"]


def test_an_opening_that_is_rare_but_was_just_used_waits() -> None:
    """Of phrasings said equally often, the one that opens like the sentence before gives way."""
    skip, mixed, ship = (1, 3), (2, 2), (3, 1)
    outcomes = [((4, 0), skip), ((4, 0), mixed), ((4, 0), skip), (ship, (1, 2)), ((4, 0), skip)]
    week = [pair(tool(f"Lead {n}x", *won), tool(f"Trail {n}x", *lost)) for n, (won, lost) in enumerate(outcomes)]

    openings = [summary.sentence.split()[0] for summary in write_up(week).summaries]

    assert openings == ["Lead", "The", "Every", "Trail", "The"]


def test_another_week_opens_with_another_phrasing() -> None:
    """The turn moves the first choice on, and comes round again."""
    comparison = pair(tool(Q, 4, 0), tool(N, 3, 1))

    told = [sentence(comparison, turn=turn) for turn in range(6)]

    assert len(set(told[:5])) == 5
    assert told[5] == told[0]


def test_every_phrasing_finds_its_words() -> None:
    """Whatever can be chosen for a situation can be filled in: no phrasing asks for a word its scene lacks."""
    tools = [
        tool(Q, *votes, percent=percent, badge=badge, scores=scores)
        for votes in [(None, None), (4, 0), (4, 1), (3, 1), (2, 2), (2, 1), (1, 3), (0, 4), (1, 0), (0, 1)]
        for percent in ([None] if votes[0] is not None else [None, 100, 75, 67, 50, 25, 0])
        for badge in BADGES
        for scores in [(), (70, 60), (70, 62), (90, 61)]
    ]
    met = set()
    for left in tools:
        for right in tools:
            told = scene(figures.reading(left), figures.reading(right), (Q, N))
            met.add(told.situation)
            for phrase in told.phrases:
                for closing in told.closing or ("",):
                    text = finished((phrase + closing).format_map(told.slots))
                    assert text.endswith(".")
                    assert not text.endswith("..")
            for phrase in phrasebook.SUBJECTS[told.situation]:
                assert not phrase.format_map(told.slots).endswith(".")

    assert met == set(phrasebook.SUBJECTS) == set(phrasebook.NAMELESS)


def test_the_least_said_phrasing_comes_first_even_if_it_opens_alike() -> None:
    """Not repeating a phrasing matters more than not repeating an opening."""
    told = scene(figures.reading(tool(Q, 3, 1)), figures.reading(tool(N, 2, 2)), (Q, N))
    voice = Voice()

    said = [voice.verdict(told) for _ in range(len(told.phrases))]

    assert len(set(said)) == len(told.phrases)
