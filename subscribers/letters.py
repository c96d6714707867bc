"""Letters that a change of consent owes somebody. Whoever calls `consent` hands them on; nothing here sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LetterKind = Literal["confirm", "confirm-again", "welcome", "links", "my-data", "change-address", "address-changed"]


@dataclass(frozen=True, slots=True)
class LetterOwed:
    """One letter to one person. `email` is as mail servers take it.

    `context` is what the letter says besides: where somebody asked, `asked_at` (ISO 8601, UTC) and `asked_through`
    (which door). It carries no link: those are made from the person's link id when the letter is posted.
    """

    kind: LetterKind
    email: str
    subscriber_id: int
    context: dict[str, str]
