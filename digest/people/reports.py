"""What the provider told of mails to one person: found for them and for operators, and emptied when they are erased."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import Delivery, Edition, Letter, ProviderEvent
from digest.sendgrid_events import Event, parse_one, without_person
from subscribers.consent import Erased
from subscribers.models import RefusedAddress, Subscriber
from subscribers.secrecy import hashes


@dataclass(frozen=True, slots=True)
class Report:
    """One stored event and what it says."""

    row: ProviderEvent
    event: Event


def of(session: Session, person: Subscriber) -> list[Report]:
    """Every event about somebody's deliveries, or about mail to the address they have now; the oldest first."""
    return sorted(
        _found(session, person.id, hashes(session).all_of(person.email_key)),
        key=lambda report: (report.row.happened_at, report.row.id),
    )


def forget_late(session: Session, *, most: int) -> int:
    """Empty events that came in at the very moment at which somebody was erased, at most so many; says how many."""
    found = session.execute(
        sa.select(ProviderEvent.id, ProviderEvent.raw)
        .join(RefusedAddress, RefusedAddress.address_hash == ProviderEvent.address_hash)
        .limit(most)
    )
    return _empty(session, [(number, raw) for number, raw in found])


def _empty(session: Session, rows: Sequence[tuple[int, str]]) -> int:
    emptied = [{"id": number, "raw": without_person(raw), "address_hash": None} for number, raw in rows]
    if emptied:
        session.execute(sa.update(ProviderEvent), emptied)
    return len(emptied)


def forget(session: Session, gone: Erased) -> None:
    """Nothing that names them is left in the events; what the deliveries' stamps follow from stays.

    Called while their deliveries and letters can still be found.
    """
    theirs = _found(session, gone.subscriber_id, gone.address_hashes)
    _empty(session, [(report.row.id, report.row.raw) for report in theirs])


def _found(session: Session, subscriber: int, address_hashes: Sequence[str]) -> Iterator[Report]:
    """By delivery; by the address they have; and of an address they had, whatever names no delivery: letters.

    A delivery's number may have been somebody else's before a backup was restored: the week must fit as well.
    """
    deliveries = _deliveries(session, subscriber)
    about = sa.select(ProviderEvent).where(ProviderEvent.delivery_id.in_(list(deliveries)))
    found = {row.id: Report(row, parse_one(row.raw)) for row in session.scalars(about)}
    found = {
        number: report
        for number, report in found.items()
        if report.event.week == deliveries.get(report.row.delivery_id or 0)
    }
    had = {report.row.address_hash for report in found.values() if report.row.address_hash}
    had |= _written_to(session, subscriber)
    by_address = sa.or_(
        ProviderEvent.address_hash.in_(address_hashes),
        sa.and_(ProviderEvent.address_hash.in_(sorted(had)), ProviderEvent.delivery_id.is_(None)),
    )
    for row in session.scalars(sa.select(ProviderEvent).where(by_address)):
        found.setdefault(row.id, Report(row, parse_one(row.raw)))
    return iter(found.values())


def _written_to(session: Session, subscriber: int) -> set[str]:
    """Addresses, as keyed hashes, that letters to somebody went to. One they wished to move to may be another's."""
    theirs = sa.select(Letter.address_hash).where(Letter.subscriber_id == subscriber, Letter.kind != "change-address")
    return {found for found in session.scalars(theirs) if found}


def _deliveries(session: Session, subscriber: int) -> dict[int, str]:
    """The numbers of somebody's deliveries with their weeks: edition by edition, which is how they can be found."""
    rows = session.execute(
        sa.select(Delivery.id, Edition.week)
        .join(Edition, Edition.id == Delivery.edition_id)
        .where(Delivery.edition_id.in_(sa.select(Edition.id)), Delivery.subscriber_id == subscriber)
    )
    return {number: week for number, week in rows}
