"""How far an audience may move before somebody must look again: by a share of it, and by people. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """More than so many per cent *and* more than so many people is too far."""

    per_cent: int
    people: int

    def is_passed(self, before: int, now: int) -> bool:
        drift = abs(now - before)
        return drift > self.people and drift * 100 > self.per_cent * before


FAR = Bound(per_cent=20, people=50)
"""From one edition to the next, and between an approval and preparing: a person must say that this is right."""
SEEN = Bound(per_cent=1, people=10)
"""Between looking at the numbers and pressing the button: these are not the numbers that were seen."""
