"""How far an audience may move before somebody must look again."""

from __future__ import annotations

import pytest

from digest import drift


@pytest.mark.parametrize(
    ("before", "now", "is_far"),
    [
        (1_000, 1_200, False),  # a fifth, and not more
        (1_000, 1_201, True),
        (1_000, 799, True),
        (100, 150, False),  # half as many again, but fifty people
        (100, 151, True),
        (0, 50, False),
        (0, 51, True),
        (1_000_000, 1_000_000, False),
    ],
)
def test_far_is_a_share_and_people(before: int, now: int, is_far: bool) -> None:
    """More than 20 % and more than 50 people: either alone happens to every list."""
    assert drift.FAR.is_passed(before, now) is is_far


@pytest.mark.parametrize(
    ("seen", "now", "is_another"), [(2_000, 2_020, False), (2_000, 2_021, True), (20, 30, False), (20, 31, True)]
)
def test_what_was_seen_is_what_is_there(seen: int, now: int, is_another: bool) -> None:
    """More than 1 % and more than 10 people."""
    assert drift.SEEN.is_passed(seen, now) is is_another
