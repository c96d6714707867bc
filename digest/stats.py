"""The numbers of one edition, derived when asked, in the same words everywhere.

candidates = left_out + deliveries
deliveries = waiting + in_flight + accepted + withheld + refused + uncertain
accepted = dropped + bounced + delivered + unreported, one bucket each in that precedence
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, computed_field
from sqlalchemy.orm import Session

from digest.models import Batch, BatchState, Delivery, Edition, LeftOut
from subscribers import roster


class Numbers(BaseModel):
    """Every number of one edition; `adds_up` is checked, never assumed."""

    week: str
    state: str
    candidates: int
    left_out_by: dict[str, int]
    deliveries: int
    waiting: int
    in_flight: int
    accepted: int
    withheld_by: dict[str, int]
    refused: int
    uncertain: int
    dropped: int
    bounced: int
    delivered: int
    unreported: int
    complained: int
    unsubscribed: int
    batches: dict[str, int]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def left_out(self) -> int:
        return sum(self.left_out_by.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def withheld(self) -> int:
        return sum(self.withheld_by.values())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def adds_up(self) -> bool:
        return not self.gaps()

    def gaps(self) -> list[str]:
        """Each sum that does not come out, in words."""
        handed = self.waiting + self.in_flight + self.accepted + self.withheld + self.refused + self.uncertain
        reported = self.dropped + self.bounced + self.delivered + self.unreported
        sums = (
            ("candidates", self.candidates, "left_out + deliveries", self.left_out + self.deliveries),
            ("deliveries", self.deliveries, "waiting + in_flight + accepted + withheld + refused + uncertain", handed),
            ("accepted", self.accepted, "dropped + bounced + delivered + unreported", reported),
        )
        return [f"{name} is {is_} but {words} is {should}" for name, is_, words, should in sums if is_ != should]


def numbers(session: Session, edition: Edition) -> Numbers:
    """The numbers of an edition as the ledger has them now. Before preparing: the audience, and zeros."""
    by_state = _deliveries_by_batch_state(session, edition)
    withheld = _set_aside(session, edition, Delivery.withheld_because)
    prepared = edition.prepared_at is not None
    return Numbers(
        week=edition.week,
        state=edition.state,
        candidates=(edition.candidates or 0) if prepared else 0,
        left_out_by=_left_out(session, edition),
        deliveries=session.scalar(sa.select(sa.func.count()).where(Delivery.edition_id == edition.id)) or 0,
        waiting=by_state[BatchState.PENDING],
        in_flight=by_state[BatchState.SUBMITTING],
        accepted=by_state[BatchState.ACCEPTED],
        withheld_by=withheld,
        refused=by_state[BatchState.REFUSED] + sum(_set_aside(session, edition, Delivery.refused_because).values()),
        uncertain=by_state[BatchState.UNCERTAIN],
        **_outcomes(session, edition),
        batches=_batches(session, edition),
    )


def _left_out(session: Session, edition: Edition) -> dict[str, int]:
    rows = session.execute(sa.select(LeftOut.reason, LeftOut.count).where(LeftOut.edition_id == edition.id))
    return {reason: count for reason, count in rows}


def audience(session: Session) -> int:
    """How many candidates an edition would have if it were prepared now."""
    return roster.count_active(session)


def _deliveries_by_batch_state(session: Session, edition: Edition) -> dict[BatchState, int]:
    """Deliveries neither withheld nor refused, by the state of the batch whose range they are in."""
    in_batch = sa.and_(
        Delivery.edition_id == Batch.edition_id, Delivery.id.between(Batch.first_delivery, Batch.last_delivery)
    )
    counted = (
        sa.select(Batch.state, sa.func.count(Delivery.id))
        .join(Delivery, in_batch)
        .where(Batch.edition_id == edition.id, Delivery.withheld_because.is_(None), Delivery.refused_because.is_(None))
        .group_by(Batch.state)
    )
    found = {state: count for state, count in session.execute(counted)}
    return {state: found.get(state, 0) for state in BatchState}


def _set_aside(session: Session, edition: Edition, because: sa.orm.InstrumentedAttribute[str | None]) -> dict[str, int]:
    rows = session.execute(
        sa.select(because, sa.func.count())
        .where(Delivery.edition_id == edition.id, because.is_not(None))
        .group_by(because)
        .order_by(because)
    )
    return {str(reason): count for reason, count in rows}


def _outcomes(session: Session, edition: Edition) -> dict[str, int]:
    """What events told of accepted deliveries, each in one bucket: dropped before bounced before delivered."""
    dropped = Delivery.dropped_at.is_not(None)
    bounced = sa.and_(sa.not_(dropped), Delivery.bounced_at.is_not(None))
    delivered = sa.and_(sa.not_(dropped), Delivery.bounced_at.is_(None), Delivery.delivered_at.is_not(None))
    unreported = sa.and_(sa.not_(dropped), Delivery.bounced_at.is_(None), Delivery.delivered_at.is_(None))
    in_batch = Delivery.id.between(Batch.first_delivery, Batch.last_delivery)
    buckets = {
        "dropped": dropped,
        "bounced": bounced,
        "delivered": delivered,
        "unreported": unreported,
        "complained": Delivery.complained_at.is_not(None),
        "unsubscribed": Delivery.unsubscribed_at.is_not(None),
    }
    counts: list[Any] = [sa.func.count().filter(condition) for condition in buckets.values()]
    row = session.execute(
        sa.select(*counts)
        .select_from(Batch)
        .join(Delivery, sa.and_(Delivery.edition_id == Batch.edition_id, in_batch))
        .where(
            Batch.edition_id == edition.id,
            Batch.state == BatchState.ACCEPTED,
            Delivery.withheld_because.is_(None),
            Delivery.refused_because.is_(None),
        )
    ).one()
    return dict(zip(buckets, row, strict=True))


def _batches(session: Session, edition: Edition) -> dict[str, int]:
    rows = session.execute(
        sa.select(Batch.state, sa.func.count()).where(Batch.edition_id == edition.id).group_by(Batch.state)
    )
    return {str(state): count for state, count in rows}
