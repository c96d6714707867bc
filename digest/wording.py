"""Sentences that both mails and pages say to one person. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from digest.rendering.typography import spoken_day


def why_you_get_this(confirmed_at: datetime | None, basis: str | None, *, zone: ZoneInfo) -> str:
    """Completes "You get this because …", without a full stop."""
    day = f" on {spoken_day(confirmed_at.astimezone(zone).date())}" if confirmed_at else ""
    if basis:
        return f"you were added{day}: {basis}"
    return f"you confirmed your address{day}"
