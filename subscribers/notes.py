"""What must survive the loss of the database: noted in the transaction that changes it, written before it commits.

The people's room only says what is to be remembered; who opened the database says where (`Database.before_commit`).
No note holds an address: people stand in it as keyed hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

_INFO = "notes"

What = Literal["confirmed", "left", "bounced", "suppressed", "complained", "lifted", "moved", "erased", "begun"]


@dataclass(frozen=True, slots=True)
class Note:
    """One fact to remember. `person` hashes the link id, `address` the normal form of the address, see `secrecy`.

    "moved" holds the address they moved away from. "begun" is about an edition: `week` instead of a person.
    """

    what: What
    at: datetime
    person: str | None = None
    address: str | None = None
    week: str | None = None


def remember(session: Session, note: Note) -> None:
    """Keep a note until this transaction commits."""
    session.info.setdefault(_INFO, []).append(note)


def noted(session: Session) -> list[Note]:
    """The notes of this transaction, in their order."""
    return list(session.info.get(_INFO, ()))
