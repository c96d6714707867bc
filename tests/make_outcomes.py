"""What a provider would have told of deliveries, written where its events leave it: keyword functions with defaults."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import sqlalchemy as sa

from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery


def stamp(services: Services, *columns: str, deliveries: Collection[int], at: datetime | None = None) -> None:
    """These deliveries have these times."""
    when = at or datetime.now(UTC)
    with services.database.writing() as session:
        session.execute(
            sa.update(Delivery).where(Delivery.id.in_(deliveries)).values(dict.fromkeys(columns, when)),
            execution_options={"synchronize_session": False},
        )


def handed_over(services: Services, *, batches: int = 1, called_at: datetime | None = None) -> list[int]:
    """The first pending batches as if they had been accepted; the ids of their deliveries."""
    with services.database.writing() as session:
        pending = sa.select(Batch).where(Batch.state == BatchState.PENDING).order_by(Batch.id).limit(batches)
        ids: list[int] = []
        for batch in session.scalars(pending):
            batch.state, batch.attempt = BatchState.ACCEPTED, batch.attempt + 1
            batch.called_at = batch.accepted_at = called_at or datetime.now(UTC)
            ids += range(batch.first_delivery, batch.last_delivery + 1)
        return ids
