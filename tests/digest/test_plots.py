"""Plots, whatever the figures: all inside the frame, true to scale, told apart without colour, said in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from digest import plots
from digest.plots import NARROW, WIDE, Axis, Caption, Frame, Series

SVG = "{http://www.w3.org/2000/svg}"
CAPTION = Caption("came", "Came", "People who became active, each week.")

counts = st.integers(min_value=0, max_value=10**12)
weeks = st.lists(counts, min_size=0, max_size=30)
changes = st.lists(st.integers(min_value=-(10**12), max_value=10**12), max_size=30)
frames = st.sampled_from([WIDE, NARROW])


def axis(count: int) -> Axis:
    return Axis([f"week {place}" for place in range(count)], [(place, "Sept 2026") for place in range(0, count, 3)])


def steps(values: Sequence[int], frame: Frame = WIDE) -> Markup:
    return plots.steps(Series("active", values), axis(len(values)), CAPTION, frame)


def stacks(*parts: Sequence[int], frame: Frame = WIDE) -> Markup:
    series = [Series(f"part {number}", part) for number, part in enumerate(parts)]
    return plots.stacks(series, axis(len(parts[0])), CAPTION, frame)


def balance(values: Sequence[int], frame: Frame = WIDE) -> Markup:
    return plots.balance(Series("net", values), axis(len(values)), CAPTION, frame)


def parsed(svg: str) -> ET.Element:
    """As a browser reads it: in the namespace of SVG."""
    found: ET.Element = defusedxml.ElementTree.fromstring(
        str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )
    return found


def bars(svg: str) -> list[dict[str, float]]:
    """The boxes of the bars, from bottom to top, place by place."""
    found = parsed(svg).findall(f".//{SVG}g[@class='bar']/{SVG}rect")
    return [{name: float(box.attrib[name]) for name in ("x", "y", "width", "height")} for box in found]


def points(svg: str) -> list[tuple[float, float]]:
    """Every point that something is drawn at, patterns left out."""
    root = parsed(svg)
    for patterns in root.findall(f"{SVG}defs"):
        root.remove(patterns)
    found: list[tuple[float, float]] = []
    for each in root.iter():
        at = {name: float(value) for name, value in each.attrib.items() if re.fullmatch(r"-?[0-9.]+", value)}
        if each.tag == f"{SVG}rect":
            found += [(at["x"], at["y"]), (at["x"] + at["width"], at["y"] + at["height"])]
        elif each.tag == f"{SVG}line":
            found += [(at["x1"], at["y1"]), (at["x2"], at["y2"])]
        elif each.tag == f"{SVG}circle":
            found += [(at["cx"] - at["r"], at["cy"] - at["r"]), (at["cx"] + at["r"], at["cy"] + at["r"])]
        elif each.tag == f"{SVG}text":
            found += extent(each, at)
        elif each.tag == f"{SVG}path":
            found += along(each.attrib["d"])
    return found


def extent(text: ET.Element, at: dict[str, float]) -> list[tuple[float, float]]:
    """A generous box around some figures."""
    width = len(text.text or "") * 14 * 0.55
    left = at["x"] - width * {"start": 0, "middle": 0.5, "end": 1}[text.attrib["text-anchor"]]
    return [(left, at["y"] - 11), (left + width, at["y"])]


def along(path: str) -> list[tuple[float, float]]:
    """The corners of a path of M, L, H, V and Z."""
    x = y = 0.0
    corners = []
    for command, numbers in re.findall(r"([MLHVZ])([^MLHVZ]*)", path):
        values = [float(number) for number in numbers.split()]
        if command in "ML":
            x, y = values
        elif command == "H":
            x = values[0]
        elif command == "V":
            y = values[0]
        corners.append((x, y))
    return corners


def inside(svg: str, frame: Frame) -> bool:
    return all(-0.5 <= x <= frame.width + 0.5 and -0.5 <= y <= frame.height + 0.5 for x, y in points(svg))


@given(weeks, frames)
def test_a_line_stays_inside_its_frame(values: list[int], frame: Frame) -> None:
    """Whatever is counted: line, dots and figures, for none, one and many weeks."""
    assert inside(steps(values, frame), frame)


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=30), frames)
def test_stacks_stay_inside_their_frame(values: list[tuple[int, ...]], frame: Frame) -> None:
    """Bars, figures and axis."""
    assert inside(stacks(*zip(*values, strict=True), frame=frame), frame)


@given(changes, frames)
def test_gains_and_losses_stay_inside_their_frame(values: list[int], frame: Frame) -> None:
    """Upwards and downwards."""
    assert inside(balance(values, frame), frame)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=26))
def test_a_bar_is_as_long_as_its_figure(values: list[int]) -> None:
    """Twice the figure is twice the height, and nothing has no bar; only a bar that is cut is shorter."""
    drawn = bars(stacks(values))
    reached = plots.ticks(0, plots.end_of_axis(values))[-1]
    expected = [min(value, reached) for value in values if value]

    assert len(expected) == len(drawn)
    for value, box in zip(expected, drawn, strict=True):
        assert pytest.approx(value / expected[0], rel=0.02, abs=0.05) == box["height"] / drawn[0]["height"]


@given(st.integers(1, 50), st.integers(1, 50))
def test_parts_stand_on_each_other(below: int, above: int) -> None:
    """The upper part begins where the lower one ends."""
    first, second = bars(stacks([below], [above]))

    assert pytest.approx(first["y"], abs=0.11) == second["y"] + second["height"]
    assert first["x"] == second["x"]


def test_losses_hang_below_the_line() -> None:
    """Gains stand on zero, losses hang from it, and are hatched too."""
    svg = balance([5, -5])
    gain, loss = bars(svg)

    assert pytest.approx(gain["y"] + gain["height"], abs=0.11) == loss["y"]
    assert pytest.approx(gain["height"], abs=0.11) == loss["height"]
    assert 1 == svg.count("url(#came-p-1)")


def test_one_towering_week_is_cut_and_says_its_figure() -> None:
    """An import does not flatten the weeks beside it; its bar has a gap, and its figure stands above."""
    svg = stacks([10, 12, 9, 5_000])

    assert 24 == plots.end_of_axis([10, 12, 9, 5_000])
    assert 1 == svg.count('class="cut"')
    assert ">5,000</text>" in svg
    assert 0 == stacks([10, 12, 9, 50]).count('class="cut"')
    assert 7 == plots.end_of_axis([0, 7, 0])


@pytest.mark.parametrize("drawn", [steps, stacks, balance])
def test_without_figures_it_says_so(drawn: Callable[[Sequence[int]], Markup]) -> None:
    """An empty plot is no blank space."""
    assert "No figures yet" in drawn([])


@pytest.mark.parametrize("drawn", [steps, stacks, balance])
def test_nothing_at_all_is_drawn_too(drawn: Callable[[Sequence[int]], Markup]) -> None:
    """Weeks in which nothing happened have an axis and no bar."""
    svg = drawn([0, 0, 0])

    assert inside(svg, WIDE)
    assert not bars(svg)


def test_parts_are_told_apart_by_their_pattern() -> None:
    """Four parts: one solid and three patterns, each different, without any colour in them."""
    svg = stacks([1], [1], [1], [1])
    patterns = [ET.tostring(each, encoding="unicode") for each in parsed(svg).iter(f"{SVG}pattern")]
    shapes = {re.sub(r' id="[^"]*"', "", pattern) for pattern in patterns}

    assert plots.MOST_PARTS == 4 == 1 + len(shapes)
    assert 1 == svg.count('class="solid"')
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b(?!-)|rgb|style=", str(svg).replace("url(#", ""))


def test_it_says_what_it_shows() -> None:
    """A title and a description that the image is named by; each week tells its figures to a pointer."""
    svg = stacks([3, 4], [1, 2])
    root = parsed(svg)

    assert "img" == root.attrib["role"]
    assert ("came-t", "came-d") == (root.attrib["aria-labelledby"], root.attrib["aria-describedby"])
    assert ("Came", "came-t") == (root[0].text, root[0].attrib["id"])
    assert ("People who became active, each week.", "came-d") == (root[1].text, root[1].attrib["id"])
    assert "<title>week 1: part 0 4, part 1 2</title>" in svg


def test_words_from_outside_stay_words() -> None:
    """Nothing written on a plot can become markup."""
    hostile = '<script>"&'
    caption = Caption("came", hostile, hostile)
    svg = plots.stacks([Series(hostile, [1])], Axis([hostile], [(0, hostile)]), caption)

    assert "<script>" not in svg
    assert hostile == parsed(svg)[0].text


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.integers(1, 8))
def test_ticks_are_round_few_and_reach_both_ends(low: int, span: int, most: int) -> None:
    """Evenly apart, each step 1, 2 or 5 times a power of ten, zero among them when it lies between."""
    marks = plots.ticks(low, low + span, most)
    gaps = {after - before for before, after in pairwise(marks)}

    assert marks[0] <= low <= low + span <= marks[-1]
    assert 2 <= len(marks) <= most + 2
    assert 1 == len(gaps)
    assert re.fullmatch("[125]0*", str(gaps.pop()))
    assert 0 in marks or not low <= 0 <= low + span


def test_figures_are_short_on_an_axis() -> None:
    """As people write them."""
    figures = [0, 950, 2_500, 12_000, 12_500, 1_500_000, 3_000_000_000, -20_000, -5]

    assert ["0", "950", "2,500", "12k", "12.5k", "1.5M", "3bn", "−20k", "−5"] == [plots.short(each) for each in figures]
    assert ["+1,200", "−3", "0"] == [plots.signed(each) for each in (1_200, -3, 0)]
