"""What is known of batches that did not go well: the uncertain ones a person may have to settle, and the refused ones.

Read only; `settling` moves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.models import Batch, BatchState, Delivery, Edition, FencedAttempt, ProviderEvent


@dataclass(frozen=True, slots=True)
class Told:
    """So many events of one kind about readers of a batch, by which attempt they were reached."""

    batch: int | None
    attempt: int | None
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Fence:
    """Until when an attempt can be called back, and how far that is."""

    provider_batch_id: str
    send_at: datetime
    asked_at: datetime | None
    cancelled_at: datetime | None

    def is_calling_back(self, now: datetime) -> bool:
        """It may be thrown away at any moment: nobody can say that the provider has it."""
        return self.asked_at is not None and self.cancelled_at is None and self.send_at > now


@dataclass(frozen=True, slots=True)
class Doubt:
    """All that is known of one uncertain batch. `readers`: those not withheld or refused."""

    id: int
    variant: str
    attempt: int
    readers: int
    called_at: datetime | None
    owner: str | None
    body_sha256: str | None
    message_id: str | None
    why: str | None
    told: Sequence[Told]
    fence: Fence | None


@dataclass(frozen=True, slots=True)
class RefusedBatch:
    """A batch the provider will never take as it is."""

    id: int
    readers: int
    called_at: datetime | None
    why: str | None


def uncertain(session: Session, edition: Edition, *, limit: int) -> Sequence[Doubt]:
    """The uncertain batches, the first ones first."""
    return [_doubt(session, batch) for batch in _in_state(session, edition, BatchState.UNCERTAIN, limit)]


def one(session: Session, edition: Edition, batch_id: int) -> Doubt | None:
    """One uncertain batch of this edition; None where there is none with that number."""
    batch = session.get(Batch, batch_id)
    if batch is None or batch.edition_id != edition.id or batch.state is not BatchState.UNCERTAIN:
        return None
    return _doubt(session, batch)


def refused(session: Session, edition: Edition, *, limit: int) -> Sequence[RefusedBatch]:
    """The batches refused whole, the first ones first."""
    return [
        RefusedBatch(batch.id, _readers(session, batch), batch.called_at, batch.why)
        for batch in _in_state(session, edition, BatchState.REFUSED, limit)
    ]


def _in_state(session: Session, edition: Edition, state: BatchState, limit: int) -> Sequence[Batch]:
    return session.scalars(
        sa.select(Batch).where(Batch.edition_id == edition.id, Batch.state == state).order_by(Batch.id).limit(limit)
    ).all()


def _doubt(session: Session, batch: Batch) -> Doubt:
    fence = session.get(FencedAttempt, (batch.id, batch.attempt))
    return Doubt(
        id=batch.id,
        variant=batch.variant,
        attempt=batch.attempt,
        readers=_readers(session, batch),
        called_at=batch.called_at,
        owner=batch.owner,
        body_sha256=batch.body_sha256,
        message_id=batch.message_id,
        why=batch.why,
        told=_told(session, batch),
        fence=Fence(fence.provider_batch_id, fence.send_at, fence.asked_at, fence.cancelled_at) if fence else None,
    )


def _readers(session: Session, batch: Batch) -> int:
    """How many a batch still reaches."""
    counted = sa.select(sa.func.count()).where(
        Delivery.id.between(batch.first_delivery, batch.last_delivery),
        Delivery.withheld_because.is_(None),
        Delivery.refused_because.is_(None),
    )
    return session.scalar(counted) or 0


def _told(session: Session, batch: Batch) -> Sequence[Told]:
    """What events say of its deliveries: of this attempt, of one before, or of the batch it was cut off from."""
    of = (ProviderEvent.batch_id, ProviderEvent.attempt, ProviderEvent.kind)
    rows = session.execute(
        sa.select(*of, sa.func.count())
        .where(ProviderEvent.delivery_id.between(batch.first_delivery, batch.last_delivery))
        .group_by(*of)
        .order_by(*of)
    )
    return [Told(*row) for row in rows]
