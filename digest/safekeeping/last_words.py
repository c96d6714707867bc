"""What of all that the journal noted about one person or address still holds. Pure: notes in, notes out.

The order of the notes decides, as it did when they were written: somebody's own confirmation takes back what they and
staff said before it, a lift takes back a bounce, and nothing takes back a complaint.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from subscribers.notes import Note
from subscribers.policy import Refusal


def still_held(notes: Iterable[Note]) -> list[Note]:
    """The notes in force, oldest first; each one keeps somebody from being written to."""
    held: list[Note] = []
    for note in notes:
        if note.what == "confirmed":
            held = [each for each in held if each.what == "complained"]
        elif note.what == "lifted":
            held = [_lifted(each) for each in held if each.what != "bounced"]
        elif note.what != "moved":  # they are still to be written to, only not at the address they moved from
            held.append(note)
    return held


def left_behind(notes: Iterable[Note], own: Container[str], address: Container[str]) -> Note | None:
    """The move by which somebody (`own`: their hashes) left an address (its hashes), unless it was confirmed again.

    They may have come back by another move: notes do not tell where somebody moved to.
    """
    moved: Note | None = None
    for note in notes:
        if note.what == "moved" and note.person in own and note.address in address:
            moved = note
        elif note.what == "confirmed" and note.address in address:
            moved = None
    return moved


def _lifted(note: Note) -> Note:
    """Whom staff suppressed and let in again may sign up; nobody but they themselves makes them active."""
    return replace(note, what="left") if note.what == "suppressed" else note


def refusal(held: Sequence[Note]) -> Refusal | None:
    """What is to be remembered of an address that has no row; None where nothing is in force."""
    whats = [note.what for note in held]
    if not whats:
        return None
    if "complained" in whats or "suppressed" in whats:
        return Refusal.FOR_EVER
    return Refusal.ERASED if whats[-1] == "erased" else Refusal.LEFT
