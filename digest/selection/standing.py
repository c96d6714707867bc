"""A comparison that stands for selection, and what our readers know of its tools. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from digest.facts import ComparisonFacts, Verdict
from digest.weeks import Week


@dataclass(frozen=True, slots=True)
class Known:
    """What our readers have seen of a tool: editions it was featured in, the last one, and the verdict it had there."""

    times_featured: int = 0
    last_week: Week | None = None
    last_verdict: Verdict | None = None

    @property
    def new(self) -> bool:
        return self.times_featured <= 0 and self.last_week is None


NEVER_SEEN = Known()


@dataclass(frozen=True, slots=True)
class Standing:
    """A comparison that stands for selection, with what our readers know of its left and its right tool."""

    key: int
    facts: ComparisonFacts
    published_at: datetime | None
    first_seen_at: datetime
    left: Known = NEVER_SEEN
    right: Known = NEVER_SEEN
