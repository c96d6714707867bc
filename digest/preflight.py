"""What would embarrass us, found before anybody approves. Pure: looks at a sheet, returns problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from digest.facts import ComparisonFacts, Verdict
from digest.rendering import Rendering
from digest.variants import EditionCopy

Level = Literal["block", "warn", "info"]


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


def check(sheet: Sheet) -> list[Problem]:
    """Every problem, the worst first, then in the order of the mail."""
    found = [problem for look in CHECKS for problem in look(sheet)]
    return sorted(found, key=lambda problem: _WORST_FIRST.index(problem.level))


def no_entries(sheet: Sheet) -> Iterator[Problem]:
    if not sheet.copy.entries:
        yield Problem(
            "block",
            "no-entries",
            "the edition",
            "There is nothing in it.",
            f"Skip the week: digest edition skip {sheet.copy.week} --why …",
        )


def withdrawn(sheet: Sheet) -> Iterator[Problem]:
    for position, why in sorted(sheet.withdrawn.items()):
        yield Problem(
            "block",
            "withdrawn",
            f"entry {position}",
            f"The comparison was withdrawn: {why or 'no reason given'}.",
            f"Skip the week: digest edition skip {sheet.copy.week} --why …",
        )


_WORST_FIRST: tuple[Level, ...] = ("block", "warn", "info")
CHECKS = (no_entries, withdrawn)
