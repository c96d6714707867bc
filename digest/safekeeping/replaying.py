"""The journal obeyed: who left, complained or was erased after the backup was taken does not come back with it.

Only what the backup does not know is done again, through `consent` and with the time it first happened. People are
recognised by the hashes of their link id and address; whom the backup does not know stays refused by the hash alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest.people import erasing
from digest.safekeeping.backups import Progress
from digest.safekeeping.journal import Line
from digest.safekeeping.last_words import left_behind, refusal, still_held
from subscribers import consent
from subscribers.consent import Proof
from subscribers.models import ConsentEvent, State, Subscriber
from subscribers.notes import Note, What
from subscribers.policy import Act
from subscribers.secrecy import KeyedHashes, hashes

CHUNK = 2_000
ERASED, MOVED = "erased", "moved"
MOVED_ON = "they moved to another address before the database was lost; this backup knows only their old one"
BECAUSE = "noted in the journal before the database was lost"
ACTS: dict[What, Act] = {
    "left": Act.UNSUBSCRIBE,
    "bounced": Act.BOUNCE,
    "suppressed": Act.SUPPRESS,
    "complained": Act.COMPLAIN,
}


class Memory:
    """All that journals say, found by person, by address and by week."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.notes: list[Note] = []
        self.by_person: defaultdict[str, list[int]] = defaultdict(list)
        self.by_address: defaultdict[str, list[int]] = defaultdict(list)
        self.begun: dict[str, datetime] = {}
        """When each week was first handed over."""
        self.keys: set[str] = set()
        self.lines = 0
        for line in lines:
            self._take(line)

    def _take(self, line: Line) -> None:
        self.lines += 1
        note = line.note
        if note.week is not None:
            self.begun[note.week] = min(note.at, self.begun.get(note.week, note.at))
            return
        if line.key is not None:
            self.keys.add(line.key)
        if note.person is not None:
            self.by_person[note.person].append(len(self.notes))
        if note.address is not None:
            self.by_address[note.address].append(len(self.notes))
            self.notes.append(note)

    def about(self, people: Sequence[str], addresses: Sequence[str]) -> list[Note]:
        """Every note about somebody known by these hashes, in the order in which they were written."""
        found = {number for each in people for number in self.by_person.get(each, ())}
        found |= {number for each in addresses for number in self.by_address.get(each, ())}
        return [self.notes[number] for number in sorted(found)]


@dataclass(slots=True)
class Replayed:
    """What was done again: people by what became of them."""

    became: Counter[str] = field(default_factory=Counter)
    """`unsubscribed`, `suppressed`, `erased`; `moved`: to an address that the backup does not know."""
    refused: int = 0
    """Addresses nobody can bring back by a list."""
    confirmed_since: int = 0
    """Confirmed after the backup was taken: it does not know how, so they must confirm again."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the backup has of one person: each consent event as kind and time, and when the first happened."""

    events: frozenset[tuple[str, datetime]]
    since: datetime


def replay(database: Database, memory: Memory, *, by: str, now: datetime, progress: Progress) -> Replayed:
    """Do again what the backup does not know. A second time it changes nothing."""
    done = Replayed()
    met: set[str] = set()
    with database.reading() as session:
        last = session.scalar(sa.select(sa.func.max(Subscriber.id))) or 0
    after = 0
    while memory.notes and after < last:
        with database.writing() as session:
            people = session.scalars(
                sa.select(Subscriber).where(Subscriber.id > after).order_by(Subscriber.id).limit(CHUNK)
            ).all()
            after = people[-1].id
            _replay_chunk(session, people, memory, done, met, by=by, now=now)
        progress(after, last)
    _refuse_strangers(database, memory, met, done)
    return done


def _replay_chunk(
    session: Session,
    people: Sequence[Subscriber],
    memory: Memory,
    done: Replayed,
    met: set[str],
    *,
    by: str,
    now: datetime,
) -> None:
    keyed = hashes(session)
    spoken_of = [(person, notes) for person in people if (notes := _about(memory, keyed, person))]
    known = _known(session, [person for person, _ in spoken_of])
    for person, notes in spoken_of:
        own, address = set(keyed.all_of(person.link_id)), keyed.all_of(person.email_key)
        became = _obey(session, person, own, notes, known[person.id], by=by, now=now)
        if became != ERASED:
            met.update(address)
            became = _set_aside(session, person, left_behind(notes, own, address), known[person.id], now=now) or became
        if became:
            done.became[became] += 1
        elif notes[-1].what == "confirmed" and person.state is not State.ACTIVE:
            done.confirmed_since += 1


def _about(memory: Memory, keyed: KeyedHashes, person: Subscriber) -> list[Note]:
    return memory.about(keyed.all_of(person.link_id), keyed.all_of(person.email_key))


def _known(session: Session, people: Sequence[Subscriber]) -> dict[int, _Known]:
    events: defaultdict[int, set[tuple[str, datetime]]] = defaultdict(set)
    ids = [person.id for person in people]
    found = sa.select(ConsentEvent.subscriber_id, ConsentEvent.kind, ConsentEvent.happened_at)
    for subscriber, kind, at in session.execute(found.where(ConsentEvent.subscriber_id.in_(ids))):
        events[subscriber].add((kind, at))
    return {
        person.id: _Known(
            frozenset(events[person.id]), min((at for _, at in events[person.id]), default=person.created_at)
        )
        for person in people
    }


def _obey(
    session: Session, person: Subscriber, own: set[str], notes: Sequence[Note], known: _Known, *, by: str, now: datetime
) -> str:
    """What became of one person; an empty word where nothing did."""
    # Nothing takes an erasure back: who came again afterwards came as somebody new.
    if any(note.what == "erased" and note.person in own for note in notes):
        erasing.erase(session, person, now=now, by=by)
        return ERASED
    became = ""
    for note in still_held(note for note in notes if _is_news(note, own, known)):
        if note.what == "erased":  # by whoever had this address since
            erasing.erase(session, person, now=now, by=by)
            return ERASED
        became = _again(session, person, note, now=now) or became
    return became


def _is_news(note: Note, own: set[str], known: _Known) -> bool:
    """Whether the backup does not know it. What takes something back is always heard."""
    if note.what not in ACTS and note.what != "erased":
        return True
    if note.person not in own:
        return note.at > known.since  # earlier, the address was somebody else's
    return (str(ACTS[note.what]), note.at) not in known.events


def _again(session: Session, person: Subscriber, note: Note, *, now: datetime) -> str:
    source = _source(note)
    if note.what == "left":
        outcome = consent.unsubscribe(session, person, now=now, source=source, reported_at=note.at)
    else:
        outcome = consent.suppress(
            session, person, ACTS[note.what], because=BECAUSE, now=now, source=source, reported_at=note.at
        )
    return str(outcome.subscriber.state) if outcome.changed else ""


def _set_aside(session: Session, person: Subscriber, moved: Note | None, known: _Known, *, now: datetime) -> str:
    """Nobody is written to at an address they have left; at the new one they have to sign up again."""
    done_already = (Act.CHANGE_ADDRESS, Act.UNSUBSCRIBE)  # the move itself, or this by an earlier restore
    if moved is None or not known.events.isdisjoint((str(act), moved.at) for act in done_already):
        return ""
    # Of somebody suppressed it is kept in mind for a lift.
    outcome = consent.unsubscribe(
        session, person, now=now, source=_source(moved), proof=Proof(wording=MOVED_ON), reported_at=moved.at
    )
    return MOVED if outcome.changed and person.state is State.UNSUBSCRIBED else ""


def _source(note: Note) -> str:
    return f"journal of {note.at:%Y-%m-%d %H:%M:%S} UTC"


def _refuse_strangers(database: Database, memory: Memory, met: set[str], done: Replayed) -> None:
    """Addresses that the backup has no row of: a list from before must not bring them in again."""
    strangers = [each for each in memory.by_address if each not in met]
    for first in range(0, len(strangers), CHUNK):
        with database.writing() as session:
            for each in strangers[first : first + CHUNK]:
                held = still_held(memory.about((), (each,)))
                because = refusal(held)
                if because is not None:
                    consent.refuse(session, each, because, since=held[-1].at)
                    done.refused += 1
