"""What a subscriber wants to get: which topics, how often, in which format, and from when on again. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

CHANGED = "wishes changed"
"""The kind of consent event that says so; no act of `policy`, because nobody's consent changes by it."""


class Rhythm(StrEnum):
    """How often a subscriber wants an edition."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Wishes:
    """No topics: everything. Editions come again from `paused_until` on; it is aware."""

    topics: frozenset[str] = frozenset()
    rhythm: Rhythm = Rhythm.WEEKLY
    plain_text: bool = False
    paused_until: datetime | None = None

    def at(self, now: datetime) -> Wishes:
        """The same wishes, where a pause that is over is none."""
        is_over = self.paused_until is not None and self.paused_until <= now
        return replace(self, paused_until=None) if is_over else self


def stored_topics(topics: frozenset[str]) -> str:
    """As `Subscriber.topics` holds them: equal wishes are equal text, so that a database can group by it."""
    return "\n".join(sorted(topics))


def changed(before: Wishes, after: Wishes) -> list[str]:
    """The names of the fields that differ."""
    return [name for name in Wishes.__slots__ if getattr(before, name) != getattr(after, name)]


def in_words(before: Wishes, after: Wishes) -> str:
    """What changed, on one line, for the record."""
    then, now = _said(before), _said(after)
    return "; ".join(f"{now[name]} (was {then[name]})" for name in changed(before, after))


def _said(wishes: Wishes) -> dict[str, str]:
    until = wishes.paused_until
    return {
        "topics": ", ".join(sorted(wishes.topics)) or "every topic",
        "rhythm": wishes.rhythm.value,
        "plain_text": "plain text only" if wishes.plain_text else "HTML and text",
        "paused_until": f"paused until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else "not paused",
    }


def packed(wishes: Wishes) -> str:
    """As text that `unpacked` reads."""
    until = wishes.paused_until
    values = asdict(wishes) | {"topics": sorted(wishes.topics), "paused_until": until.isoformat() if until else None}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str) -> Wishes:
    """The wishes in a text that `packed` made, and that was kept from strangers' hands."""
    values = json.loads(text)
    until = values["paused_until"]
    return Wishes(
        topics=frozenset(values["topics"]),
        rhythm=Rhythm(values["rhythm"]),
        plain_text=values["plain_text"],
        paused_until=datetime.fromisoformat(until) if until else None,
    )
