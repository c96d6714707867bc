"""What a restore knows of the time after the backup: which journals it obeys, whether all of them is there, how new.

Beside them stands, as a second witness, what the database that is being replaced still knows (`witness`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from digest.bootstrap import Services
from digest.errors import DigestError
from digest.safekeeping import journal
from digest.safekeeping.backups import Info
from digest.safekeeping.journal import JournalUnreadable, Line
from digest.safekeeping.replaying import Memory

NOTHING_NEWER = "the journal holds nothing newer than the backup: is it the newest copy?"


class NoJournal(DigestError):
    """There is no journal."""


class JournalThere(DigestError):
    """The journal is there, although it was said to be gone."""


class UnknownKey(DigestError):
    """The journal's hashes were made with a key that is not known here."""


@dataclass(slots=True)
class Age:
    """How new one journal is. `last`: the time of its last line; `newer`: lines written after the backup was made."""

    path: Path
    last: datetime | None = None
    newer: int = 0


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is known of the time after the backup. `complete`: whatever went out since stands in it."""

    memory: Memory
    journals: Sequence[Age]
    complete: bool
    sizes: dict[Path, int] = field(default_factory=dict)
    """How long each journal was before it was read."""

    @property
    def doubt(self) -> str | None:
        """Why a journal may be an old copy."""
        return NOTHING_NEWER if any(age.newer == 0 for age in self.journals) else None


def recall(
    services: Services, given: Sequence[Path], info: Info, *, without_journal: bool, witness: Sequence[Line]
) -> Recalled:
    """Raises NoJournal, JournalThere, UnknownKey or JournalUnreadable."""
    if without_journal:
        return _what_is_left(services, info, witness)
    found = _read(services, _wanted(services, given, info), info, witness, complete=True)
    _know_all_keys(found.memory, services)
    return found


def _what_is_left(services: Services, info: Info, witness: Sequence[Line]) -> Recalled:
    """Of a journal that will not do, what can be read and recognised is obeyed all the same. Raises JournalThere."""
    own = services.settings.journal
    try:
        recall(services, [], info, without_journal=False, witness=())
    except (NoJournal, UnknownKey, JournalUnreadable):
        paths = [own] if own is not None and own.exists() else []
    else:
        raise JournalThere(f"The journal {own} is there, so nothing was restored: leave out --no-journal.")
    try:
        return _read(services, paths, info, witness, complete=False)
    except JournalUnreadable:
        return _read(services, [], info, witness, complete=False)


def _wanted(services: Services, given: Sequence[Path], info: Info) -> list[Path]:
    """Those given, and the one of the settings where it exists; among them the one the backup was made beside."""
    own = services.settings.journal
    paths = list({path.resolve(): path for path in [*given, *([own] if own and own.exists() else [])]}.values())
    if not paths:
        raise NoJournal(
            "There is no journal, so nothing was restored: without it nobody can say who left since "
            f"{info.made_at:%Y-%m-%d %H:%M} UTC and what went out. Name it with --journal, or say --no-journal."
        )
    marks = [journal.mark(path) for path in paths]
    if info.journal is None:
        return paths
    same = [mark for mark in marks if mark.id == info.journal.id]
    if not same:
        raise NoJournal(
            "The journal that was kept when this backup was made is not among those given "
            f"({', '.join(map(str, paths))}), so nothing was restored. Name it with --journal, or say --no-journal."
        )
    if all(mark.size < info.journal.size for mark in same):
        raise NoJournal(
            "The journal is shorter than when this backup was made, so nothing was restored: lines are missing at its "
            "end. Put back a whole copy of it, or say --no-journal."
        )
    return paths


def _read(
    services: Services, paths: Sequence[Path], info: Info, witness: Sequence[Line], *, complete: bool
) -> Recalled:
    sizes = {path: path.stat().st_size for path in paths}
    ages = [Age(path) for path in paths]
    lines = journal.merged([*(_watched(age, info) for age in ages), witness])
    # Where all must be recognised, what cannot be is found by its key afterwards.
    known = {None, *services.links.key_ids}
    memory = Memory(line for line in lines if complete or line.key in known)
    return Recalled(memory, ages, complete, sizes)


def _watched(age: Age, info: Info) -> Iterator[Line]:
    """The lines of one journal; looks on the way how new they are.

    By their place where the backup knows how long it was; another host's by their times.
    """
    mark = info.journal if info.journal and info.journal.id == journal.mark(age.path).id else None
    for line in journal.read(age.path):
        age.last = line.note.at
        age.newer += line.begins >= mark.size if mark else line.note.at > info.made_at
        yield line


def _know_all_keys(memory: Memory, services: Services) -> None:
    unknown = sorted(memory.keys - set(services.links.key_ids))
    if unknown:
        raise UnknownKey(
            f"The journal speaks of people by a key that is not known here ({', '.join(unknown)}), so nothing was "
            f"restored: who left could not be recognised. Put that key back behind the first in DIGEST_SECRET_KEY."
        )
