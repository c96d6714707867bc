"""Nothing is left of who asked to be erased, nor of who never confirmed, outside the people's own room either.

What stays has no person in it any more: delivery rows, so that the numbers still add up; of events, what their stamps
follow from; and letters by a keyed hash alone, so that an address is not written to more often for having been erased.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import Delivery, Edition, Letter, LetterState, Request
from digest.people import imports, reports
from digest.staff import audit
from subscribers import addresses, consent
from subscribers.consent import Erased
from subscribers.models import Subscriber

ERASED = "the person was erased"
REQUESTS_AT_ONCE = 1_000


def erase(session: Session, subscriber: Subscriber, *, now: datetime, by: str) -> None:
    """Everything held about somebody goes, in this transaction. `by`: `staff 3`, `command line`, `themselves`.

    Raises consent.Gone when that has happened already.
    """
    gone = consent.erase(session, subscriber, now=now)
    reports.forget(session, gone)
    forget_letters(session, gone)
    _forget_deliveries(session, gone.subscriber_id)
    _forget_requests(session, gone.email_key)
    imports.forget_with(session, gone.email_key, now=now)
    audit.note(session, by=by, what="subscriber erased", about=f"subscriber {gone.subscriber_id}", now=now)


def forget_letters(session: Session, gone: Erased) -> None:
    """Empty the letters to somebody erased, or to their address; what still waited is not posted."""
    theirs = sa.or_(Letter.subscriber_id == gone.subscriber_id, Letter.address_hash.in_(gone.address_hashes))
    waited = Letter.state == LetterState.QUEUED
    session.execute(
        sa.update(Letter)
        .where(theirs)
        .values(
            email="",
            subscriber_id=None,
            context={},
            state=sa.case((waited, LetterState.GIVEN_UP), else_=Letter.state),
            # A provider's words may have quoted the address.
            last_problem=sa.case((sa.or_(waited, Letter.last_problem.is_not(None)), ERASED), else_=None),
        )
        .execution_options(synchronize_session=False)
    )


def _forget_deliveries(session: Session, subscriber: int) -> None:
    """Edition by edition, which is how the rows can be found without an index of their own."""
    session.execute(
        sa.update(Delivery)
        .where(Delivery.edition_id.in_(sa.select(Edition.id)), Delivery.subscriber_id == subscriber)
        # Why one was refused is in the provider's words.
        .values(
            subscriber_id=None, refused_because=sa.case((Delivery.refused_because.is_not(None), ERASED), else_=None)
        )
        .execution_options(synchronize_session=False)
    )


def _forget_requests(session: Session, email_key: str) -> None:
    """Those that wait are few, and stand there as typed: each is read to see whose it is."""
    waiting = session.execute(sa.select(Request.id, Request.email), execution_options={"yield_per": REQUESTS_AT_ONCE})
    theirs = [row.id for row in waiting if addresses.parse(row.email).key == email_key]
    if theirs:
        session.execute(sa.delete(Request).where(Request.id.in_(theirs)))
