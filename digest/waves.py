"""The first wave: how many deliveries go ahead of the rest, and who. Pure.

It is there to be judged before everybody else is mailed, so it must look like everybody else: the readers whose number,
scrambled, is smallest. Scrambling scatters neighbours and never makes two numbers one, so a wave is exactly as large
as it should be, and the same on both databases.
"""

from __future__ import annotations

from typing import Literal

Wanted = int | Literal["auto"]

LEAST = 200
ONE_IN = 50

SPAN = 2**32
"""Scrambled numbers are below this. Readers' numbers are too; of larger ones only the remainder counts."""
FACTOR = 1_640_531_527
"""Odd, so that no two products are equal modulo SPAN, and near SPAN / 2.618, so that they spread evenly; small enough
that no product is beyond a 64-bit integer."""


def size(wanted: Wanted, deliveries: int, *, reported: bool) -> int:
    """How many deliveries go first; 0 where all go at once. `reported`: somebody tells what becomes of them."""
    by_itself = max(LEAST, -(-deliveries // ONE_IN)) if reported else 0
    first = by_itself if wanted == "auto" else wanted
    return first if first < deliveries else 0


def scrambled(subscriber: int) -> int:
    """Where a reader stands in the queue for the first wave."""
    return subscriber % SPAN * FACTOR % SPAN


def surely_enough(first: int, deliveries: int) -> int:
    """Below this, half as many scrambled numbers again as the first wave needs are to be expected."""
    return min(SPAN, SPAN * first * 3 // (deliveries * 2) + 1)
