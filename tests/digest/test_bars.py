"""One bar of parts: all of it, nobody lost from sight."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import bars
from digest.bars import Part

PARTS = [Part("accepted", 999_000, "solid"), Part("in flight", 0, "hatched"), Part("uncertain", 1, "dotted")]


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=6))
def test_the_parts_are_the_whole(counts: list[int]) -> None:
    """The widths come to all of it, and nobody's part is too thin to be seen; where nobody is, nothing is drawn."""
    widths = bars.widths(counts)

    assert sum(widths) == pytest.approx(bars.WHOLE if sum(counts) else 0)
    assert all(
        (width >= bars.LEAST * 0.999) if count else width == 0 for count, width in zip(counts, widths, strict=True)
    )


def test_a_part_is_told_by_its_pattern() -> None:
    """One rectangle for each part with anybody in it, filled from the pattern defined beside it; hidden from readers
    of screens, who have the words."""
    drawn = bars.bar(PARTS, "here")

    assert ["solid accepted", "dotted uncertain"] == re.findall(r'<rect class="(\w+ \S+)"', drawn)
    assert 'fill="url(#here-uncertain)"' in drawn
    assert 'id="here-uncertain"' in drawn
    assert "in-flight" not in drawn
    assert 'aria-hidden="true"' in drawn


def test_every_swatch_is_drawn() -> None:
    """Also of a part that nobody is in: it stands beside its word."""
    assert 'fill="url(#key-in-flight)"' in bars.swatch(PARTS[1], "key")
