"""What preflight looks at, and what it says. Plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from digest.facts import ComparisonFacts, Verdict
from digest.rendering import Rendering
from digest.text_layout import shorten
from digest.variants import EditionCopy, EntryCopy

Level = Literal["block", "warn", "info"]

_LONGEST_NAME = 80  # columns


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at: how bad, where, what, and how to mend it. `code` is stable, for machines and overrides."""

    level: Level
    code: str
    where: str
    what: str
    mend: str

    @property
    def blocks(self) -> bool:
        return self.level == "block"

    def __str__(self) -> str:
        return f"[{self.level}] {self.where}: {self.what} {self.mend}".strip()


@dataclass(frozen=True, slots=True)
class Earlier:
    """A tool's last appearance in an edition that went out."""

    week: str
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything preflight looks at. Positions count from 1, as in the mail."""

    copy: EditionCopy
    renderings: Sequence[Rendering]
    facts: Mapping[int, ComparisonFacts]
    """The frozen facts of each entry, by position."""
    withdrawn: Mapping[int, str]
    """Entries whose comparison was withdrawn since, with the reason."""
    changed: frozenset[int]
    """Entries whose page says something else now."""
    earlier: Mapping[str, Earlier]
    """By tool identity."""
    candidates: int
    own_host: str
    postal_address: str | None
    from_email: str
    through_provider: bool
    """False: mails go to the outbox."""


def place(entry: EntryCopy, name: str | None = None) -> str:
    """entry 3, Axolotl v0.16: a tool or a reviewer of the entry, or else the whole entry."""
    return together([entry.position], name or entry.summary.headline)


def together(positions: Sequence[int], name: str) -> str:
    """entries 1 and 4, Trencher 1.0"""
    numbers = sorted(set(positions))
    return f"{'entry' if len(numbers) == 1 else 'entries'} {listed(numbers)}, {shorten(name, _LONGEST_NAME)}"


def listed(things: Sequence[object]) -> str:
    """a, b and c"""
    *most, last = map(str, things)
    return f"{', '.join(most)} and {last}" if most else last
