"""Sentences that both mails and pages say to one person. Pure."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from digest.rendering.typography import spoken_day

QUARTER_SECONDS = 900


def why_you_get_this(confirmed_at: datetime | None, basis: str | None, *, zone: ZoneInfo) -> str:
    """Completes "You get this because …", without a full stop."""
    return _why(confirmed_at.astimezone(zone).date() if confirmed_at else None, basis)


def quarter(moment: datetime) -> int:
    """An instant in whole quarters of an hour since 1970: no day of any zone begins within one."""
    return int(moment.timestamp() // QUARTER_SECONDS)


def why_you_get_this_since(quarter: int | None, basis: str | None, zone: ZoneInfo) -> str:
    """The same for a million readers, by the quarter of an hour in which each confirmed."""
    return _why(None if quarter is None else _day(quarter, zone), basis)


@lru_cache(maxsize=8192)
def _day(quarter: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, zone).date()


@lru_cache(maxsize=8192)
def _why(day: date | None, basis: str | None) -> str:
    on = f" on {spoken_day(day)}" if day else ""
    if basis:
        return f"you were added{on}: {basis}"
    return f"you confirmed your address{on}"
