"""How often one address is written to, whatever is asked for, by whomever, through whichever door. Pure.

Somebody else's address can be typed into any form. What its owner gets of that is bounded here, and who typed it
cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from subscribers.letters import LetterKind

A_DAY, A_WEEK, A_MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)

AGAIN_AFTER = timedelta(hours=1)
"""Who asks again after this long has not found the first letter, and gets the reminder at once instead of later."""

MOST_CONFIRMING_A_MONTH = 3
"""Letters that ask for a confirmation: one a week and one reminder, and in a month no more than this."""

MOST: dict[LetterKind, tuple[int, timedelta]] = {
    "links": (1, A_WEEK),
    "my-data": (3, A_DAY),
    "change-address": (3, A_DAY),
}
"""Of each of these kinds, at most so many in so long. "welcome" and "address-changed" answer a button pressed behind a
letter that was counted."""

CONFIRMING: tuple[LetterKind, ...] = ("confirm", "confirm-again")
CAPPED: frozenset[str] = frozenset({*CONFIRMING, *MOST})
LONGEST_WINDOW = A_MONTH


@dataclass(frozen=True, slots=True)
class Written:
    """One letter to the address: when it went or, while it waits to go, the present."""

    kind: str
    at: datetime


def owed_as(kind: LetterKind, before: Sequence[Written], now: datetime) -> LetterKind | None:
    """As which letter one of this kind goes to an address that got these before; None when it was written to enough.

    A second "confirm" within a week is the reminder, and then no other comes.
    """
    if kind in CONFIRMING:
        return _confirming(kind, [each for each in before if each.kind in CONFIRMING], now)
    if kind not in MOST:
        return kind
    most, per = MOST[kind]
    return kind if len([each for each in _since(now - per, before) if each.kind == kind]) < most else None


def _confirming(kind: LetterKind, before: Sequence[Written], now: datetime) -> LetterKind | None:
    this_week = _since(now - A_WEEK, before)
    if len(_since(now - A_MONTH, before)) >= MOST_CONFIRMING_A_MONTH or _since(now - AGAIN_AFTER, before):
        return None
    kinds = {each.kind for each in this_week}
    wanted: LetterKind = "confirm-again" if "confirm" in kinds else kind
    return None if wanted in kinds else wanted


def _since(moment: datetime, written: Sequence[Written]) -> list[Written]:
    return [each for each in written if each.at > moment]
