"""One bar of what a score is made of: fields as wide as they weigh, filled as far as was earned."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.score_bars import Field, score_bar

weights = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=9)


def widths(drawn: str, kind: str) -> list[float]:
    return [float(width) for width in re.findall(rf'class="{kind}" x="[^"]*" y="0" width="([^%]*)%"', drawn)]


def test_a_field_is_as_wide_as_it_weighs() -> None:
    """Three quarters and a quarter, with the gap between them taken off; half and all of it earned."""
    drawn = score_bar([Field("Distance", 15, 30, ""), Field("Change", 10, 10, "")])

    assert widths(drawn, "most") == [74.62, 24.88]
    assert widths(drawn, "earned") == [37.31, 24.88]


@given(weights)
def test_it_never_leaves_the_frame(parts: list[tuple[int, int]]) -> None:
    """Whatever the weights, and where points were earned by others than are in force."""
    drawn = score_bar([Field("Part", points, most, "") for points, most in parts])
    ends = [float(x) + float(width) for x, width in re.findall(r'x="([^%]*)%" y="0" width="([^%]*)%"', drawn)]

    assert all(end <= 100.02 for end in ends)
    assert len(widths(drawn, "most")) == sum(most > 0 for _, most in parts)
    assert all(earned <= most for earned, most in zip(widths(drawn, "earned"), widths(drawn, "most"), strict=True))


@pytest.mark.parametrize("words", ["<script>", '" onload="x', "{{7*7}}"])
def test_words_stay_words(words: str) -> None:
    drawn = score_bar([Field(words, 1, 2, words)])

    assert "<script>" not in drawn
    assert "onload" not in re.sub(r"<title>[^<]*</title>", "", drawn)
