"""The numbers of one edition, derived when asked, in the same words everywhere.

candidates = left_out + deliveries
deliveries = waiting + in_flight + accepted + withheld + refused + uncertain
accepted = dropped + bounced + delivered + unreported, one bucket each in that precedence
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
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
    hard_bounced: int
    delivered: int
    unreported: int
    complained: int
    unsubscribed: int
    unexpected: int
    """Deliveries that the provider tells of although they are withheld, refused or not handed over."""
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
        found = [f"{name} is {is_} but {words} is {should}" for name, is_, words, should in sums if is_ != should]
        if self.unexpected:
            which = "delivery that is" if self.unexpected == 1 else "deliveries that are"
            are = "is" if self.unexpected == 1 else "are"
            found.append(f"{self.unexpected} {which} not accepted {are} reported by the provider all the same")
        return found


def numbers(session: Session, edition: Edition) -> Numbers:
    """The numbers of an edition as the ledger has them now. Before preparing: the audience, and zeros."""
    by_state = _by_batch_state(session, edition)
    accepted = by_state[BatchState.ACCEPTED]
    prepared = edition.prepared_at is not None
    return Numbers(
        week=edition.week,
        state=edition.state,
        candidates=(edition.candidates or 0) if prepared else 0,
        left_out_by=_left_out(session, edition),
        # Counted for itself, by an index alone: a delivery in no batch must show.
        deliveries=session.scalar(sa.select(sa.func.count()).where(Delivery.edition_id == edition.id)) or 0,
        waiting=by_state[BatchState.PENDING]["held"],
        in_flight=by_state[BatchState.SUBMITTING]["held"],
        accepted=accepted["held"],
        withheld_by=_set_aside(session, edition, Delivery.withheld_because),
        refused=by_state[BatchState.REFUSED]["held"]
        + sum(_set_aside(session, edition, Delivery.refused_because).values()),
        uncertain=by_state[BatchState.UNCERTAIN]["held"],
        **{outcome: accepted[outcome] for outcome in OUTCOMES},
        unexpected=_unexpected(by_state),
        batches=_batches(session, edition),
    )


def _left_out(session: Session, edition: Edition) -> dict[str, int]:
    rows = session.execute(sa.select(LeftOut.reason, LeftOut.count).where(LeftOut.edition_id == edition.id))
    return {reason: count for reason, count in rows}


def audience(session: Session) -> int:
    """How many candidates an edition would have if it were prepared now."""
    return roster.count_active(session)


def _told(*columns: sa.orm.InstrumentedAttribute[datetime | None]) -> sa.ColumnElement[bool]:
    return sa.or_(*(column.is_not(None) for column in columns))


REACHED = _told(Delivery.delivered_at, Delivery.opened_at, Delivery.clicked_at, Delivery.complained_at)
"""It arrived: whoever opened, clicked or complained had it, even where nobody said that it was delivered."""
REPORTED = sa.or_(REACHED, _told(Delivery.bounced_at, Delivery.hard_bounced_at, Delivery.dropped_at))
"""Its end is known, whatever it is."""

HELD = sa.and_(Delivery.withheld_because.is_(None), Delivery.refused_because.is_(None))
"""It shares the fate of its batch."""
_DROPPED, _BOUNCED = Delivery.dropped_at.is_not(None), Delivery.bounced_at.is_not(None)
OUTCOMES = {
    # One bucket each, in that precedence …
    "dropped": _DROPPED,
    "bounced": sa.and_(sa.not_(_DROPPED), _BOUNCED),
    "delivered": sa.and_(sa.not_(_DROPPED), sa.not_(_BOUNCED), REACHED),
    "unreported": sa.and_(sa.not_(_DROPPED), sa.not_(_BOUNCED), sa.not_(REACHED)),
    # … and what else is told of the same deliveries.
    "hard_bounced": Delivery.hard_bounced_at.is_not(None),
    "complained": Delivery.complained_at.is_not(None),
    "unsubscribed": Delivery.unsubscribed_at.is_not(None),
}


def _by_batch_state(session: Session, edition: Edition) -> dict[BatchState, dict[str, int]]:
    """Everything that is counted from deliveries, by the state of the batch whose range they are in: one pass.

    By ranges of ids alone. Told the edition as well, SQLite takes the index that begins with it, and walks through the
    whole edition once for each batch.
    """
    columns: dict[str, Any] = {
        "held": sa.func.count().filter(HELD),
        **{outcome: sa.func.count().filter(HELD, condition) for outcome, condition in OUTCOMES.items()},
        "reported": sa.func.count().filter(REPORTED),
        "reported_held": sa.func.count().filter(HELD, REPORTED),
    }
    rows = session.execute(
        sa.select(Batch.state, *columns.values())
        .select_from(Batch)
        .join(Delivery, Delivery.id.between(Batch.first_delivery, Batch.last_delivery))
        .where(Batch.edition_id == edition.id)
        .group_by(Batch.state)
    )
    found = {state: dict(zip(columns, counts, strict=True)) for state, *counts in rows}
    return {state: found.get(state, dict.fromkeys(columns, 0)) for state in BatchState}


def _unexpected(by_state: Mapping[BatchState, Mapping[str, int]]) -> int:
    """Deliveries whose end is told although the ledger does not have them as accepted: they fall into no bucket."""
    return sum(row["reported"] for row in by_state.values()) - by_state[BatchState.ACCEPTED]["reported_held"]


def _set_aside(session: Session, edition: Edition, because: sa.orm.InstrumentedAttribute[str | None]) -> dict[str, int]:
    rows = session.execute(
        sa.select(because, sa.func.count())
        .where(Delivery.edition_id == edition.id, because.is_not(None))
        .group_by(because)
        .order_by(because)
    )
    return {str(reason): count for reason, count in rows}


def _batches(session: Session, edition: Edition) -> dict[str, int]:
    rows = session.execute(
        sa.select(Batch.state, sa.func.count())
        .where(Batch.edition_id == edition.id)
        .group_by(Batch.state)
        .order_by(Batch.state)
    )
    return {str(state): count for state, count in rows}
