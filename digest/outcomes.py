"""What became of our mail: events stored once, deliveries stamped, signals carried to consent, trouble told to staff.

Events come late, twice and in any order. So each is stored once, by the provider's id and by what it says; a delivery
keeps the earliest time of each kind; and consent is asked with the event's own time. Whatever the order, the rows end
the same (docs/decisions/008).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from database import Database
from digest import event_rows, halting, settling
from digest.event_rows import Row
from digest.models import Batch, BatchState, Delivery, Edition, EditionState, FencedAttempt
from digest.people import limits
from digest.sendgrid_events import Event, without_person
from digest.sendgrid_policy import REACHING_CONSENT, Meaning, Trouble, meaning_of
from subscribers import addresses, consent, standings
from subscribers.addresses import BadAddress
from subscribers.models import RefusedAddress, State, Subscriber
from subscribers.policy import Act, Refusal
from subscribers.secrecy import hashes

log = structlog.get_logger()

SOURCE = "SendGrid"
AT_ONCE = 1_000
"""Events stored in one transaction."""
SIGNALS_AT_ONCE = 50
"""Of those, events that reach somebody's consent: each costs about ten statements."""
CLOCKS_DIFFER = timedelta(days=1)
"""A time further ahead is no time: it would hide every true one."""


FORGED = limits.Rule("forged events", "everybody", most=0, per=timedelta(days=1))
"""Posts whose signature did not fit are counted by the day, for `digest doctor`."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one post came to. `changed`: people whose consent it changed."""

    received: int = 0
    new: int = 0
    changed: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(self.received + other.received, self.new + other.new, self.changed + other.changed)


@dataclass(frozen=True, slots=True)
class Told:
    """A new event with what it means and when it happened as far as we believe it."""

    event: Event
    meaning: Meaning
    at: datetime


def take_in(database: Database, events: Sequence[Event], *, now: datetime) -> Recorded:
    """Store a whole post; returns when all of it is committed.

    A very large one goes in pieces, each whole with its effects: when one fails, the provider posts all of it again,
    and what is there already does nothing twice.
    """
    total = Recorded()
    for piece in _pieces(events):
        with database.writing() as session:
            total += record(session, piece, now=now)
    return total


def _pieces(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    begins = signals = 0
    for place, event in enumerate(events):
        is_signal = event.kind in REACHING_CONSENT
        signals += is_signal
        if place - begins == AT_ONCE or signals > SIGNALS_AT_ONCE:
            yield events[begins:place]
            begins, signals = place, int(is_signal)
    if begins < len(events):
        yield events[begins:]


def record(session: Session, events: Sequence[Event], *, now: datetime) -> Recorded:
    """Store what is new of these events, with all that follows from it. The caller commits."""
    pairs = keyed(session, events, now)
    fresh = event_rows.insert(session, [row for row, _ in pairs])
    told = [Told(event, meaning_of(event), row.happened_at) for row, event in pairs if row.event_key in fresh]
    weeks = editions_of(session, told)
    stamp(session, told, weeks)
    settle(session, (each.event for each in told), now=now)
    changed = reach_consent(session, told, weeks, now=now)
    _say(session, told, weeks, now=now)
    return Recorded(len(events), len(told), changed)


def count_forged(database: Database, *, now: datetime) -> None:
    """One more post whose signature did not fit: from a stranger, or the key in the settings is the wrong one."""
    with database.writing() as session:
        limits.take(session, (FORGED,), now=now)


# — stored once —


def keyed(session: Session, events: Sequence[Event], now: datetime) -> list[tuple[Row, Event]]:
    """Each event with its row; what is in here twice is left out."""
    post = secrets.randbits(63)
    seal, known = hashes(session).of, _address_keys(events)
    erased = standings.refusals(session, list({key for key in known.values() if key}))
    hashed = {address: seal(key) for address, key in known.items() if key}
    found: dict[str, tuple[Row, Event]] = {}
    contents: set[str] = set()
    for event in events:
        address = event.address
        address_hash = hashed.get(address) if address else None
        content_key = _digest(_content(event, address_hash))
        event_key = _digest(f"id\n{event.event_id}") if event.event_id else content_key
        if event_key in found or content_key in contents:
            continue
        contents.add(content_key)
        raw = event.raw
        if erased and address and known[address] in erased:
            # Posted about somebody after they were erased: nothing of them comes back.
            address_hash, raw = None, without_person(raw)
        at = event.happened_at
        row = Row(
            event_key,
            content_key,
            post,
            event.kind,
            now if at is None or at > now + CLOCKS_DIFFER else at,
            now,
            event.delivery if event.week else None,
            event.batch if event.week else None,
            event.attempt,
            address_hash,
            raw,
        )
        found[event_key] = (row, event)
    return list(found.values())


def _address_keys(events: Iterable[Event]) -> dict[str, str | None]:
    """The normal form of each address in these events, by how it stands there; None for what is no address."""
    return {address: address_key(address) for address in {event.address for event in events} if address}


def address_key(address: str | None) -> str | None:
    """The normal form of an address, None for what is none."""
    try:
        return addresses.parse(address).key if address else None
    except BadAddress:
        return None


def _content(event: Event, address_hash: str | None) -> str:
    """What an event says, where its id may be another one: about which mail, what, when, of what kind, why.

    The address stands in it as a keyed hash, so that no key in the table can be tried out against addresses.
    """
    if event.delivery and event.week:
        about = f"delivery {event.week} {event.delivery} {event.batch} {event.attempt}"
    elif event.letter:
        about = f"letter {event.letter} {event.attempt} {address_hash}"
    elif event.message_id or address_hash:
        about = f"other {event.message_id} {address_hash}"
    else:
        return f"raw\n{event.raw}"
    at = event.happened_at.timestamp() if event.happened_at else None
    what = f"{event.kind}\n{at}\n{event.detail}\n{event.type}\n{event.classification}\n{event.by_machine}"
    return f"{about}\n{what}\n{event.reason}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def editions_of(session: Session, told: Iterable[Told]) -> dict[str, int]:
    """The number of each week's edition, where there is one.

    A delivery's number may be given again after a restored backup: only together with its week does it name somebody.
    """
    weeks = {each.event.week for each in told if each.event.week}
    if not weeks:
        return {}
    found = session.execute(sa.select(Edition.week, Edition.id).where(Edition.week.in_(weeks)))
    return {week: number for week, number in found}


# — deliveries —


def stamp(session: Session, told: Iterable[Told], weeks: Mapping[str, int]) -> None:
    """The earliest time of each kind, on each delivery."""
    if found := earliest(told, weeks):
        event_rows.stamp(session, found)


def earliest(told: Iterable[Told], weeks: Mapping[str, int]) -> dict[str, dict[tuple[int, int], datetime]]:
    """By column, then by delivery and edition. Events of other mail, and of editions not known here, stamp nothing."""
    found: dict[str, dict[tuple[int, int], datetime]] = {}
    for each in told:
        event, stamps = each.event, each.meaning.stamps
        edition = weeks.get(event.week or "")
        if not stamps or event.delivery is None or edition is None:
            continue
        about = (event.delivery, edition)
        for column in stamps:
            times = found.setdefault(column, {})
            known = times.get(about)
            if known is None or each.at < known:
                times[about] = each.at
    return found


# — batches —


def settle(session: Session, events: Iterable[Event], *, now: datetime) -> None:
    """Every event that names an attempt proves that the provider had it, whatever became of the mail."""
    named = attempts(events)
    if named:
        settling.seen(session, named - _known_as_taken(session, named), now=now)


def attempts(events: Iterable[Event]) -> set[settling.Seen]:
    """The attempts that these events name."""
    named = {(event.week, event.batch, event.attempt) for event in events if event.batch}
    return {settling.Seen(week, batch, attempt) for week, batch, attempt in named if week and batch and attempt}


def _known_as_taken(session: Session, named: set[settling.Seen]) -> set[settling.Seen]:
    """Nearly all: an accepted batch stays accepted, and that this very attempt was taken is no news."""
    found = session.execute(
        sa.select(Edition.week, Batch.id, Batch.attempt)
        .join(Edition, Edition.id == Batch.edition_id)
        .where(
            Batch.id.in_(sorted({each.batch for each in named})),
            Batch.state == BatchState.ACCEPTED,
            sa.not_(was_called_back()),
        )
    )
    return {settling.Seen(*each) for each in found}


def was_called_back() -> sa.Exists:
    """Whether the provider said that it threw a batch's latest attempt away: then an event of it is news indeed."""
    return sa.exists().where(
        FencedAttempt.batch_id == Batch.id,
        FencedAttempt.attempt == Batch.attempt,
        FencedAttempt.cancelled_at.is_not(None),
    )


# — consent —


@dataclass(frozen=True, slots=True)
class Signal:
    """What one event says of one person."""

    person: Subscriber
    told: Told

    @property
    def act(self) -> Act:
        act = self.told.meaning.act
        if act is None:
            raise ValueError("an event without an act is no signal")
        return act

    @property
    def is_overtaken(self) -> bool:
        """Of a signal that was heard before: whether the person has asked anew since. A complaint never is."""
        return self.person.state is State.PENDING and self.act is not Act.COMPLAIN


def reach_consent(
    session: Session, told: Iterable[Told], weeks: Mapping[str, int], *, now: datetime, again: bool = False
) -> int:
    """Carry bounces, complaints and opt-outs to the people they are about; says how many changed something.

    `again`: these were told before. Who has asked for the newsletter anew since then is left to confirm it.
    """
    acting = [each for each in told if each.meaning.act is not None and each.event.is_ours]
    if not acting:
        return 0
    found = [signal for signal in signals(session, acting, weeks) if not (again and signal.is_overtaken)]
    heard = {id(signal.told) for signal in found}
    for each in acting:
        if each.meaning.act is Act.COMPLAIN and id(each) not in heard:
            _remember_complaint(session, each)
    return sum(_carry(session, signal, now) for signal in found)


def signals(session: Session, acting: Sequence[Told], weeks: Mapping[str, int]) -> list[Signal]:
    """Whom each is about, in one order for all posts: two that lock the same people must not wait for each other."""
    by_delivery = _readers(session, acting, weeks)
    keys = {each.event.address: address_key(each.event.address) for each in acting}
    by_key = _by_address(session, {key for key in keys.values() if key})
    found = []
    for each in acting:
        key = keys[each.event.address]
        edition = weeks.get(each.event.week or "")
        person = by_delivery.get((each.event.delivery, edition)) or (by_key.get(key) if key else None)
        # A mailbox they have left bounces: that says nothing of the one they have now.
        if person is not None and (each.meaning.act is not Act.BOUNCE or person.email_key == key):
            found.append(Signal(person, each))
    return sorted(found, key=lambda signal: (signal.person.id, signal.told.at, signal.act))


def _readers(
    session: Session, acting: Sequence[Told], weeks: Mapping[str, int]
) -> dict[tuple[int | None, int | None], Subscriber]:
    """Whose delivery it was, by delivery and edition."""
    numbers = sorted({each.event.delivery for each in acting if each.event.delivery and each.event.week in weeks})
    if not numbers:
        return {}
    found = session.execute(
        sa.select(Delivery.id, Delivery.edition_id, Subscriber)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id.in_(numbers))
    )
    return {(delivery, edition): person for delivery, edition, person in found}


def _by_address(session: Session, keys: set[str]) -> dict[str, Subscriber]:
    if not keys:
        return {}
    found = session.scalars(sa.select(Subscriber).where(Subscriber.email_key.in_(sorted(keys))))
    return {person.email_key: person for person in found}


def _carry(session: Session, signal: Signal, now: datetime) -> bool:
    person, told = signal.person, signal.told
    try:
        if signal.act is Act.UNSUBSCRIBE:
            outcome = consent.unsubscribe(session, person, now=now, source=SOURCE, reported_at=told.at)
        else:
            outcome = consent.suppress(
                session, person, signal.act, because=told.meaning.because, now=now, source=SOURCE, reported_at=told.at
            )
    except consent.Gone:
        return False
    if outcome.changed:
        log.info("consent changed by an event", subscriber=person.id, kind=told.event.kind, act=str(signal.act))
    return outcome.changed


def _remember_complaint(session: Session, told: Told) -> None:
    """They complained and were erased before we heard of it: nobody is ever to write there again."""
    key = address_key(told.event.address)
    if key is None:
        return
    names = hashes(session).all_of(key)
    if session.scalars(sa.select(RefusedAddress).where(RefusedAddress.address_hash.in_(names))).first():
        consent.refuse(session, names[0], Refusal.FOR_EVER, since=told.at)


# — us —


def _say(session: Session, told: Iterable[Told], weeks: Mapping[str, int], *, now: datetime) -> None:
    """Alarms and halts, each once: last in the transaction, for they lock editions."""
    found = {
        (_about(each.event, weeks), each.meaning.trouble, each.meaning.because)
        for each in told
        if each.meaning.trouble is not None and (each.event.is_ours or each.meaning.trouble is Trouble.HALT_ALL)
    }
    for edition, trouble, because in sorted(found, key=lambda each: (each[0], str(each[1]), each[2])):
        if trouble is Trouble.HALT_ALL:
            _halt_all(session, because, now=now)
        elif edition == 0 or trouble is Trouble.ALARM or not _halt(session, edition, because, now=now):
            _alarm(session, edition or _latest(session), because, now=now)


def _about(event: Event, weeks: Mapping[str, int]) -> int:
    """The edition; 0 for a letter, and for an edition that is not known here."""
    return weeks.get(event.week or "", 0)


def _halt_all(session: Session, because: str, *, now: datetime) -> None:
    sending = sa.select(Edition.id).where(Edition.state == EditionState.SENDING).order_by(Edition.id)
    halted = [_halt(session, edition, because, now=now) for edition in session.scalars(sending).all()]
    if not any(halted):
        _alarm(session, _latest(session), because, now=now)


def _halt(session: Session, edition: int, because: str, *, now: datetime) -> bool:
    return halting.halt(session, edition, why=f"{because}.", by=settling.EVENTS, now=now)


def _alarm(session: Session, edition: int | None, because: str, *, now: datetime) -> None:
    """Of an edition; what is about none is said with the latest there is."""
    log.warning("an event tells of trouble", why=because)
    if edition is not None:
        halting.raise_alarm(session, edition, why=f"{because}.", by=settling.EVENTS, now=now)


def _latest(session: Session) -> int | None:
    return session.scalar(sa.select(Edition.id).order_by(Edition.week.desc()).limit(1))
