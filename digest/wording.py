"""Sentences that both mails and pages say to one person. Pure."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo


def day_in_words(day: date) -> str:
    """3 March 2026: read the same way on both sides of the Atlantic."""
    return f"{day.day} {day:%B %Y}"


def why_you_get_this(confirmed_at: datetime | None, basis: str | None, *, zone: ZoneInfo) -> str:
    """Completes "You get this because …", without a full stop."""
    day = f" on {day_in_words(confirmed_at.astimezone(zone).date())}" if confirmed_at else ""
    if basis:
        return f"you were added{day}: {basis}"
    return f"you confirmed your address{day}"
