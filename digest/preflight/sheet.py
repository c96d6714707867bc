"""What preflight looks at, and what it says. Plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from digest.facts import ComparisonFacts, Verdict
from digest.preflight.catalogue import CHECKS
from digest.rendering import Rendering
from digest.text_layout import shorten
from digest.variants import EditionCopy, EntryCopy

Level = Literal["block", "warn", "info"]

_LONGEST_NAME = 80  # columns
_SHORTEST_RUN = 3
_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Overridden:
    """Who answers for a blocking problem, and why."""

    by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at: how bad, where, what, and how to mend it. `code` is stable, for machines."""

    level: Level
    code: str
    where: str
    what: str
    mend: str
    overridden: Overridden | None = None
    judged: tuple[str, ...] = ()
    """What was judged, whole, and of which comparison: `where` tells a position, and `what` may tell but an excerpt."""

    @property
    def key(self) -> str:
        """The same as long as this very problem stands in the same words: what an override holds for."""
        words = repr((self.code, *(self.judged or (self.where, self.what))))
        return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:_KEY_LENGTH]

    @property
    def blocks(self) -> bool:
        return self.level == "block" and self.overridden is None

    @property
    def final(self) -> bool:
        """Blocks whatever anybody answers for: see `catalogue`."""
        return self.level == "block" and CHECKS[self.code].final

    @property
    def mark(self) -> str:
        """The level, or that somebody answers for it."""
        return "overridden" if self.overridden else self.level

    def described(self) -> dict[str, Any]:
        """For machines."""
        words = {name: getattr(self, name) for name in ("level", "code", "where", "what", "mend", "key", "final")}
        return {**words, "overridden": asdict(self.overridden) if self.overridden else None}

    def __str__(self) -> str:
        mend = f"Overridden by {self.overridden.by}: {self.overridden.why}" if self.overridden else self.mend
        return f"[{self.mark}] {self.where}: {self.what} {mend}".strip()


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address answered when it was last asked. `is_dead` None: it has not been asked lately."""

    is_dead: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class WayOut:
    """What was found out about the provider's account. `ok` None: it could not be found out.

    `needed`: without it no mail is taken.
    """

    name: str
    ok: bool | None
    words: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Senders:
    """Who the mail is from, where its answers go and what its links begin with, beside the From address."""

    from_name: str
    reply_to: str
    list_id: str
    site_url: str
    unsubscribe_email: str | None = None
    rehearses: bool = False
    """The provider is a stand-in on this machine: nothing leaves it."""


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
    senders: Senders | None = None
    own_words: Mapping[str, str] = field(default_factory=dict)
    """What editors wrote with their own hands, by place."""
    by_rule: Sequence[str] = ()
    """What the program wrote where editors write."""
    links: Mapping[str, Asked] = field(default_factory=dict)
    """Every address of the mail that the clock asks, with what it answered."""
    comparisons: Mapping[int, int] = field(default_factory=dict)
    """What each entry is made of, by position: it stays the same wherever the entry is moved."""
    elsewhere: Mapping[int, str] = field(default_factory=dict)
    """Entries whose comparison stands in another edition that went out or still may, with its week."""
    way_out: Sequence[WayOut] | None = None
    """What was found out about the account within a day; None where no account is used, empty where nothing was."""


def unmoved(sheet: Sheet, position: int) -> str:
    """An entry by what it is made of, for as long as somebody answers for a problem of it."""
    known = sheet.comparisons.get(position)
    return f"entry {position}" if known is None else f"comparison {known}"


def place(entry: EntryCopy, name: str | None = None) -> str:
    """entry 3, Axolotl v0.16: a tool or a reviewer of the entry, or else the whole entry."""
    return together([entry.position], name or entry.summary.headline)


def together(positions: Sequence[int], name: str) -> str:
    """entries 1 and 4, Trencher 1.0"""
    numbers = sorted(set(positions))
    return f"{'entry' if len(numbers) == 1 else 'entries'} {listed(numbers)}, {shorten(name, _LONGEST_NAME)}"


def numbered(positions: Sequence[int]) -> str:
    """entry 2, or entries 1, 2 and 4–8"""
    runs: list[list[int]] = []
    for number in sorted(set(positions)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [part for run in runs for part in ([f"{run[0]}–{run[-1]}"] if len(run) >= _SHORTEST_RUN else run)]
    return f"{'entry' if len(set(positions)) == 1 else 'entries'} {listed(parts)}"


def listed(things: Sequence[object]) -> str:
    """a, b and c"""
    *most, last = map(str, things)
    return f"{', '.join(most)} and {last}" if most else last
