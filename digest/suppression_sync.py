"""Once a night, the provider's own suppression lists: what its events have not told us, they tell.

Only what stands there counts. That somebody does not stand there (any more) says nothing, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest.errors import DigestError
from digest.models import ProviderEvent, SuppressionSync
from digest.outcomes import SOURCE, address_key
from digest.sendgrid_events import parse_one
from digest.sendgrid_policy import is_ours_to_mend
from subscribers import consent
from subscribers.models import Subscriber
from subscribers.policy import Act
from subscribers.secrecy import hashes
from subscribers.texts import shortened

LISTS: Mapping[str, Act | None] = {
    "bounces": Act.BOUNCE,
    "invalid_emails": Act.BOUNCE,
    "spam_reports": Act.COMPLAIN,
    "unsubscribes": Act.UNSUBSCRIBE,
    # What was turned away once may arrive the next time: read, and nothing follows.
    "blocks": None,
}
WORDS = {
    "bounces": "on SendGrid's list of bounces",
    "invalid_emails": "on SendGrid's list of invalid addresses",
    "spam_reports": "on SendGrid's list of spam reports",
}
EVERY = timedelta(days=1)
READ_AGAIN = timedelta(days=1)
"""What was made so long before the last reading is read once more: an entry may show late."""
PAGE = 500
PEOPLE_AT_ONCE = 50
SAME_BOUNCE = timedelta(days=1)
"""How far the time of an entry may be from that of the event it comes from."""

Ask = Callable[..., Any]
"""`sendgrid_send.SendGrid.ask`."""
Stopped = Callable[[], bool]


class NotAList(DigestError):
    """SendGrid answered with something else than a suppression list."""


class Unread(DigestError):
    """A suppression list could not be read."""

    def __init__(self, name: str, why: Exception) -> None:
        super().__init__(
            f"SendGrid's list suppression/{name} could not be read and is tried again: {why} "
            f"Whether the API key has the scope suppression.read, `digest doctor` says."
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One address on a list. `at`: when it came there."""

    key: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """What reading one list came to."""

    name: str
    entries: int
    changed: int

    def __str__(self) -> str:
        what = self.name.replace("_", " ")
        return f"{what}: {self.entries:,} read, {self.changed:,} people changed"


def due(session: Session, *, now: datetime) -> list[str]:
    """The lists that have not been read for a day."""
    fresh = session.scalars(sa.select(SuppressionSync.name).where(SuppressionSync.synced_at > now - EVERY))
    return sorted(set(LISTS) - set(fresh))


def sync(database: Database, ask: Ask, name: str, *, now: datetime, stopped: Stopped) -> Read | None:
    """Read one list to its end; None when asked to stop. Raises TransportError or NotAList: then it is due still.

    What was done of it stays done, and all of it is read again: nothing happens twice.
    """
    with database.reading() as session:
        known = session.get(SuppressionSync, name)
    since = known.read_until - READ_AGAIN if known else None
    entries = changed = 0
    for page in _pages(ask, name, since=since, until=now):
        if stopped():
            return None
        entries += len(page)
        changed += _act_on(database, name, page, now)
    with database.writing() as session:
        session.merge(SuppressionSync(name=name, read_until=now, synced_at=now))
    return Read(name, entries, changed)


def _pages(ask: Ask, name: str, *, since: datetime | None, until: datetime) -> Iterator[list[Entry]]:
    """Up to a fixed end: what comes in meanwhile would move the pages."""
    window = {"end_time": int(until.timestamp())} | ({"start_time": int(since.timestamp())} if since else {})
    offset = 0
    while True:
        found = ask(f"suppression/{name}", limit=PAGE, offset=offset, **window)
        if not isinstance(found, list):
            raise NotAList
        yield [entry for each in found if (entry := _entry(each)) is not None]
        if len(found) < PAGE:
            return
        offset += PAGE


def _entry(found: Any) -> Entry | None:
    """None for what names no address or no time: when it was cannot be held against a confirmation."""
    if not isinstance(found, dict):
        return None
    email, created, reason = found.get("email"), found.get("created"), found.get("reason")
    key = address_key(email) if isinstance(email, str) else None
    if key is None or not isinstance(created, int) or isinstance(created, bool):
        return None
    try:
        at = datetime.fromtimestamp(created, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return Entry(key, at, reason if isinstance(reason, str) else "")


def _act_on(database: Database, name: str, entries: Sequence[Entry], now: datetime) -> int:
    """Of people we know; says for how many something changed."""
    act, changed = LISTS[name], 0
    if act is None:
        return 0
    with database.reading() as session:
        keys = sorted({entry.key for entry in entries})
        known = set(session.scalars(sa.select(Subscriber.email_key).where(Subscriber.email_key.in_(keys))))
    theirs = sorted((entry for entry in entries if entry.key in known), key=lambda entry: (entry.key, entry.at))
    for start in range(0, len(theirs), PEOPLE_AT_ONCE):
        with database.writing() as session:
            some = theirs[start : start + PEOPLE_AT_ONCE]
            changed += sum(_carry(session, name, act, entry, now) for entry in some)
    return changed


def _carry(session: Session, name: str, act: Act, entry: Entry, now: datetime) -> bool:
    person = session.scalars(sa.select(Subscriber).where(Subscriber.email_key == entry.key)).one_or_none()
    if person is None or (name == "bounces" and _was_our_fault(session, entry)):
        return False
    try:
        if act is Act.UNSUBSCRIBE:
            return consent.unsubscribe(session, person, now=now, source=SOURCE, reported_at=entry.at).changed
        said = shortened(entry.reason, 300)
        because = f"{WORDS[name]}: {said}" if said else WORDS[name]
        outcome = consent.suppress(session, person, act, because=because, now=now, source=SOURCE, reported_at=entry.at)
    except consent.Gone:
        return False
    return outcome.changed


def _was_our_fault(session: Session, entry: Entry) -> bool:
    """Whether an event has told of this very bounce, and that it was about us: the list does not say which."""
    about = sa.select(ProviderEvent.raw).where(
        ProviderEvent.address_hash.in_(hashes(session).all_of(entry.key)),
        ProviderEvent.kind == "bounce",
        ProviderEvent.happened_at.between(entry.at - SAME_BOUNCE, entry.at + SAME_BOUNCE),
    )
    told = [parse_one(raw) for raw in session.scalars(about)]
    return any(map(is_ours_to_mend, told)) and all(is_ours_to_mend(event) for event in told if event.type == "bounce")
