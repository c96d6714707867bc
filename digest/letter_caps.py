"""How often one address is written to, whatever is asked for, by whomever, through whichever door. Pure.

Somebody else's address can be typed into any form. What its owner gets of that is bounded here, and who typed it
cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from subscribers.letters import LetterKind

A_DAY, A_WEEK, A_MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)

AGAIN_AFTER = timedelta(hours=1)
"""Who asks again within this time has the first letter on its way; later, they cannot find it and get another."""

CONFIRMING: frozenset[LetterKind] = frozenset({"confirm", "confirm-again", "change-address"})
"""Letters that ask an address to confirm something count together, whoever typed it: into a sign-up, or as the one they
want to move to. The second of a week is the reminder, or what somebody who asked again got in its place."""

Cap = tuple[int, timedelta]

MOST: Mapping[LetterKind, tuple[Cap, ...]] = {
    **dict.fromkeys(CONFIRMING, ((1, AGAIN_AFTER), (2, A_WEEK), (3, A_MONTH))),
    "links": ((1, A_WEEK),),
    "my-data": ((3, A_DAY),),
}
"""At most so many in so long. "welcome" and "address-changed" answer a button pressed behind a letter that was counted.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """One letter to the address: when it went or, while it waits to go, the present."""

    kind: str
    at: datetime


def is_enough(kind: LetterKind, before: Sequence[Written], now: datetime) -> bool:
    """Whether an address that got these letters before gets no other of this kind now."""
    alike = CONFIRMING if kind in CONFIRMING else {kind}
    times = [each.at for each in before if each.kind in alike]
    return any(sum(at > now - per for at in times) >= most for most, per in MOST.get(kind, ()))
