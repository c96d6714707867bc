"""Figures: exact until they are printed, and never more than the page states."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.facts import Split, TakeFacts, ToolFacts, exact
from digest.verdicts import figures
from digest.verdicts.figures import NO_BREAK, average, one_decimal, plain, reading, split_of
from tests.digest.verdict_facts import panel, take, tool

THREE_TO_ONE = panel((80, "ship"), (80, "ship"), (80, "ship"), (45, "skip"))


@pytest.mark.parametrize(
    ("scores", "printed"),
    [
        ((88, 82, 85, 72), "81.8"),
        ((80, 80, 80, 45), "71.3"),
        ((0.1, 0.2), "0.2"),
        ((0, 0), "0.0"),
        ((100, 100, 100), "100.0"),
        ((33, 33, 34), "33.3"),
        ((99.9, 100), "100.0"),
    ],
)
def test_averages_have_one_decimal_rounded_half_up(scores: tuple[float, ...], printed: str) -> None:
    """81.75 is 81.8 and 71.25 is 71.3, where binary floats and bankers would say 71.2."""
    mean = average(scores)

    assert mean is not None
    assert one_decimal(mean) == printed


def test_one_score_is_not_an_average() -> None:
    """Nor is none; a missing score beside two others does not count as nought."""
    assert average([]) is None
    assert average([80]) is None
    assert average([None, 80, None]) is None
    assert average([None, 80, 40]) == 60


@given(st.lists(st.integers(0, 1000).map(lambda tenths: tenths / 10), min_size=2, max_size=9))
def test_an_average_lies_among_its_scores(scores: list[float]) -> None:
    """And is at most half a tenth from its exact value."""
    mean = average(scores)

    assert mean is not None
    assert exact(min(scores)) <= mean <= exact(max(scores))
    assert abs(Fraction(one_decimal(mean)) - mean) <= Fraction(1, 20)


@pytest.mark.parametrize(
    ("number", "printed"),
    [(80, "80"), (80.0, "80"), (66.7, "66.7"), (0, "0"), (100, "100"), (1e-07, "0.0000001"), (90, "90"), (1e2, "100")],
)
def test_a_number_is_printed_as_a_person_writes_it(number: float, printed: str) -> None:
    """No .0, no exponents, and the noughts of 80 and 100 stay."""
    assert plain(number) == printed


def test_the_split_is_the_page_s_own_where_it_states_one() -> None:
    """Even against the takes; the editor is told elsewhere."""
    assert split_of(tool("T", 2, 2, takes=THREE_TO_ONE)) == Split(ship=2, skip=2)


def test_complete_takes_that_give_the_percentage_give_the_split() -> None:
    """67 % is what two of three prints as."""
    assert split_of(tool("T", percent=75, takes=THREE_TO_ONE)) == Split(ship=3, skip=1)
    assert split_of(tool("T", percent=67, takes=panel((9, "ship"), (9, "ship"), (9, "skip")))) == Split(ship=2, skip=1)


@pytest.mark.parametrize(
    ("percent", "takes"),
    [
        (50, THREE_TO_ONE),
        (None, THREE_TO_ONE),
        (75, ()),
        (75, (*THREE_TO_ONE[:3], take("Creator", 45))),
        (75, (*THREE_TO_ONE, TakeFacts(remark="Whose call?"))),
    ],
    ids=["another percentage", "no percentage", "no takes", "a call unknown", "a remark without reviewer"],
)
def test_else_no_split_is_stated(percent: float | None, takes: tuple[TakeFacts, ...]) -> None:
    """A split the page does not show is not made up from what it does show."""
    assert split_of(tool("T", percent=percent, takes=takes)) is None


def test_a_split_of_nobody_is_unknown() -> None:
    """0–0 divides nothing, and the page is not trusted about its panel."""
    panel_of_none = reading(tool("T", 0, 0, percent=0))

    assert panel_of_none.split is None
    assert not panel_of_none.sound


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ((3, 1), "three in four"),
        ((2, 1), "two in three"),
        ((4, 1), "four in five"),
        ((1, 1), "half the panel"),
        ((5, 0), "the whole panel"),
        ((0, 3), "nobody on the panel"),
        ((5, 2), "five of seven"),
        ((10, 3), "ten of 13"),
    ],
)
def test_a_counted_share_in_words(votes: tuple[int, int], words: str) -> None:
    """As people say it."""
    assert figures.in_words(reading(tool("T", *votes))) == words


@pytest.mark.parametrize(
    ("percent", "words"),
    [
        (75, "three in four"),
        (60, "three in five"),
        (67, f"67{NO_BREAK}% of the panel"),
        (66.7, f"66.7{NO_BREAK}% of the panel"),
    ],
)
def test_a_percentage_is_put_into_words_only_where_that_is_exact(percent: float, words: str) -> None:
    """67 % may be two in three or 67 in a hundred: nobody can know."""
    assert figures.in_words(reading(tool("T", percent=percent))) == words


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (tool("A", 3, 1), tool("B", 6, 2), True),
        (tool("A", 2, 1), tool("B", percent=67), True),
        (tool("A", percent=66), tool("B", percent=67), False),
        (tool("A", 2, 1, percent=67), tool("B", 67, 33), False),
        (tool("A", percent=99.5), tool("B", 4, 0), False),
        (tool("A"), tool("B"), False),
    ],
)
def test_level_means_exactly_level_unless_a_percentage_was_rounded(
    left: ToolFacts, right: ToolFacts, level: bool
) -> None:
    """Only a percentage beside a counted split is given the benefit of rounding, and never across a threshold."""
    assert figures.level(reading(left), reading(right)) is level


@given(st.integers(0, 1000).map(lambda tenths: Fraction(tenths, 10)))
def test_a_printed_figure_can_be_read_back(value: Fraction) -> None:
    """So that the scoreboard is sorted by what it shows."""
    assert figures.as_printed(figures.percent(float(value))) == value
    assert figures.as_printed(one_decimal(value)) == value


@given(st.integers(0, 9), st.integers(1, 9))
def test_printed_counts_give_their_percentage(ships: int, skips: int) -> None:
    """For a tool whose page has the split and no percentage."""
    printed = figures.counts(Split(ship=ships, skip=skips))

    assert figures.percent_behind(printed) == Fraction(100 * ships, ships + skips)
