"""Subject and breath: the most newsworthy fact first, and never one that the mail does not have."""

from __future__ import annotations

import pytest

from digest.facts import ComparisonFacts
from digest.verdicts import write_up
from digest.verdicts.figures import NO_BREAK
from tests.digest.verdict_facts import pair, panel, take, tool

LONG = "The Penfold Institute Open Conversation Model for Rural and Remote Practice, Second Revision"
Q, N = "Quillmark 2.0", "Northbeam"


def subject(*week: ComparisonFacts) -> str:
    return write_up(week).subject.replace(NO_BREAK, " ")


def breath(*week: ComparisonFacts) -> str:
    return write_up(week).breath.replace(NO_BREAK, " ")


SUBJECTS = {
    "a sweep against a split": (
        pair(tool(Q, 4, 0), tool(N, 3, 1)),
        "Quillmark sweeps the panel 4–0; Northbeam splits it",
    ),
    "every vote against none": (pair(tool(Q, 4, 0), tool(N, 0, 4)), "Quillmark wins every vote, Northbeam none"),
    "both skip": (pair(tool(Q, 1, 3), tool(N, 0, 4)), "Neither Quillmark nor Northbeam wins the panel over"),
    "a tie": (pair(tool(Q, 3, 1), tool(N, 3, 1)), "Quillmark and Northbeam tie: three in four would ship either"),
    "votes against scores": (
        pair(tool(Q, 3, 1, scores=(60, 51)), tool(N, 2, 2, scores=(82, 36))),
        "Quillmark wins the panel vote, Northbeam the higher score",
    ),
    "percentages only": (
        pair(tool(Q, percent=75), tool(N, percent=25)),
        "Quillmark ships on 75 %; Northbeam falls on 25 %",
    ),
    "a percentage sweep has no split": (
        pair(tool(Q, percent=100), tool(N, percent=50)),
        "Quillmark sweeps the panel; Northbeam divides it",
    ),
    "one verdict": (pair(tool(Q, 3, 1), tool(N)), "Quillmark ships 3–1; no verdict on Northbeam"),
    "one vote": (pair(tool(Q, 1, 0), tool(N, 2, 2)), "Northbeam divides the panel 2–2; just one vote on Quillmark"),
    "no verdict": (pair(tool(Q), tool(N)), "Quillmark against Northbeam: no panel verdict"),
    "doubt": (pair(tool(Q, 3, 1, badge="skip"), tool(N, 4, 0)), "Quillmark against Northbeam, side by side"),
    "one long name: the verb first": (
        pair(tool("Instrument Landing System Copilot", 4, 0), tool(LONG, 3, 1)),
        "A clean sweep for Instrument Landing System Copilot",
    ),
    "two long names: none": (
        pair(tool(LONG, 4, 0, slug="a"), tool(LONG, 3, 1, slug="b")),
        "One tool sweeps the panel, its rival splits it",
    ),
    "two long names, level": (
        pair(tool(LONG, 3, 1, slug="a"), tool(LONG, 3, 1, slug="b")),
        "A tie: the panel would ship either",
    ),
    "two letters": (pair(tool("Um", 3, 1), tool("Ah", 1, 3)), "Um ships 3–1; Ah falls 1–3"),
    "namesakes": (
        pair(tool("Um", 3, 1, slug="a", category="Models"), tool("Um", 1, 3, slug="b", category="Health")),
        "Um (Models) ships 3–1; Um (Health) falls 1–3",
    ),
}


@pytest.mark.parametrize(("comparison", "expected"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_the_subject_says_what_happened(comparison: ComparisonFacts, expected: str) -> None:
    """With short names, and with the verb in sight on a phone where it can be."""
    assert subject(comparison) == expected


def test_the_most_newsworthy_comparison_makes_the_subject() -> None:
    """Not the first one; and of two alike the earlier."""
    quiet, loud, later = (
        pair(tool("Aa", 3, 1), tool("Ab", 3, 1)),
        pair(tool("Ba", 4, 0), tool("Bb", 0, 4)),
        pair(tool("Ca", 4, 0), tool("Cb", 0, 4)),
    )

    assert subject(quiet, loud, later) == "Ba wins every vote, Bb none"


def test_names_that_fit_win_over_news_that_does_not() -> None:
    """A subject without names says less than a lesser fact with them."""
    nameless = pair(tool(LONG, 4, 0, slug="a"), tool(LONG, 0, 4, slug="b"))

    assert subject(nameless, pair(tool("Um", 3, 1), tool("Ah", 1, 3))) == "Um ships 3–1; Ah falls 1–3"


def test_the_breath_of_one_comparison_tells_both_tools() -> None:
    """Who leads, how the other did, and who dissents."""
    left = tool(
        Q,
        3,
        1,
        takes=(*panel((80, "ship"), (80, "ship"), (80, "ship")), take("Creator", 45, "skip", "No export at all.")),
    )
    right = tool(N, 4, 0, scores=(88, 82, 85, 72))

    assert breath(pair(left, right)) == (
        "One comparison, two tools: both ship. Northbeam leads, 4–0 with an average of 81.8. "
        "Quillmark ships 3–1 and averages 71.3. Lone dissent: Creator, 45 for Quillmark."
    )


def test_two_dissenters_are_no_lone_dissent() -> None:
    """Nor is one of an even panel."""
    against = take("Creator", 45, "skip", "No export at all.")
    two = tool(Q, 3, 2, takes=(*panel((80, "ship"), (80, "ship"), (80, "ship")), against, take("Founder", 50, "skip")))
    even = tool(Q, 1, 1, takes=(take("Builder", 80, "ship"), against))

    assert "Lone" not in breath(pair(two, tool(N)))
    assert "Lone" not in breath(pair(even, tool(N)))


def test_the_breath_of_eight_counts_the_verdicts_and_names_the_extremes() -> None:
    """Each tool is mentioned once, as many as there is room for."""
    week = [
        pair(tool("Aster", 4, 0, scores=(90, 88)), tool("Birch", 3, 1)),
        pair(tool("Aster", 4, 0, scores=(90, 88)), tool("Cedar", 2, 2)),
        pair(tool("Dahlia", 0, 4), tool("Elder", 4, 0, scores=(81, 83))),
        pair(tool("Fern", 1, 3), tool("Gorse", 1, 3)),
        pair(tool("Hazel"), tool("Iris", 3, 1)),
        pair(tool("Juniper", 3, 1), tool("Kale", 3, 1)),
        pair(tool("Larch", 2, 1), tool("Moss", 2, 2)),
        pair(tool("Nettle", 3, 1), tool("Oak", 1, 3)),
    ]

    assert breath(*week) == (
        "Eight comparisons, 15 tools: seven ship, three are mixed, four are skipped and one has no verdict. "
        "Aster leads, 4–0 with an average of 89.0. Elder wins every vote, Dahlia none."
    )


@pytest.mark.parametrize(
    ("week", "first"),
    [
        ([pair(tool(Q, 3, 1), tool(N, 1, 3))], "One comparison, two tools: one ships, one is skipped."),
        ([pair(tool(Q, 2, 2), tool(N, 2, 2))], "One comparison, two tools: both are mixed."),
        ([pair(tool(Q, 0, 4), tool(N, 1, 3))], "One comparison, two tools: neither ships."),
        ([pair(tool(Q), tool(N))], "One comparison, two tools: neither has a verdict."),
        (
            [pair(tool(Q, 1, 3), tool(N, 1, 3)), pair(tool(Q, 1, 3), tool("Um", 0, 4))],
            "Two comparisons, three tools: none ships.",
        ),
        (
            [pair(tool(f"Tool {n}a", 3, 1), tool(f"Tool {n}b", 1 + n % 2, 2)) for n in range(14)],
            "14 comparisons, 28 tools: 14 ship, 7 are mixed and 7 are skipped.",
        ),
    ],
)
def test_the_count_is_in_english(week: list[ComparisonFacts], first: str) -> None:
    """One ships, two ship; words up to twelve, unless a neighbour needs figures."""
    assert breath(*week).startswith(first)


@pytest.mark.parametrize(
    "week",
    [
        [pair(tool(Q, 3, 1, scores=(70, 60)), tool(N, percent=75))],
        [pair(tool(Q, 3, 1), tool(N, 3, 1))],
        [pair(tool(Q, 1, 0), tool(N, 1, 3))],
        [pair(tool(Q, 2, 1, badge="ship"), tool(N, 1, 3))],
        [pair(tool(Q, 2, 1), tool(N, 1, 3))],
        [pair(tool(Q, badge="ship"), tool(N, 3, 1))],
    ],
    ids=["average unknown", "level", "one vote", "doubt", "only mixed", "share unknown"],
)
def test_nobody_leads_who_is_not_known_to(week: list[ComparisonFacts]) -> None:
    """A known average is no lead over an unknown one, and one vote is no lead at all."""
    assert "leads" not in breath(*week)


def test_long_names_are_left_out_of_the_breath_rather_than_cut() -> None:
    """What does not fit is not said; the count always fits."""
    week = [pair(tool(f"{LONG} {n}", 4, 0), tool(f"{LONG} {n}b", 0, 4)) for n in range(3)]

    assert breath(*week) == "Three comparisons, six tools: three ship, three are skipped."
