"""What should never be in the database, looked for because deliveries have no foreign keys to forbid it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest import stats
from digest.models import Batch, Delivery, Edition
from subscribers.models import Subscriber


def findings(session: Session) -> list[str]:
    """Everything wrong, in words; empty when all is well."""
    return [*_orphans(session), *_gaps(session), *_overlaps(session)]


def _orphans(session: Session) -> Iterator[str]:
    no_edition = (
        sa.select(sa.func.count()).where(~sa.exists().where(Edition.id == Delivery.edition_id)).select_from(Delivery)
    )
    no_person = (
        sa.select(sa.func.count())
        .select_from(Delivery)
        .where(Delivery.subscriber_id.is_not(None), ~sa.exists().where(Subscriber.id == Delivery.subscriber_id))
    )
    if count := session.scalar(no_edition):
        yield f"{count:,} deliveries belong to no edition"
    if count := session.scalar(no_person):
        yield f"{count:,} deliveries name a subscriber who is not there"


def _gaps(session: Session) -> Iterator[str]:
    for edition in session.scalars(sa.select(Edition).where(Edition.prepared_at.is_not(None)).order_by(Edition.week)):
        for gap in stats.numbers(session, edition).gaps():
            yield f"{edition.week}: {gap}"


def _overlaps(session: Session) -> Iterator[str]:
    other = aliased(Batch)
    pairs = sa.select(Batch.id, other.id).join(
        other,
        sa.and_(
            other.id > Batch.id,
            other.first_delivery <= Batch.last_delivery,
            other.last_delivery >= Batch.first_delivery,
        ),
    )
    for one, another in session.execute(pairs):
        yield f"batches {one} and {another} hold the same deliveries"
