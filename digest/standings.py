"""Where an edition stands while it goes out: what it waits for, its first wave, what the breaker counts, the pauses."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session

from digest import breaker, finishing, pauses, watching
from digest.answers import answered
from digest.breaker import COMPLAINTS, HARD_BOUNCES, Counted, Measure
from digest.finishing import UNFINISHED
from digest.models import Batch, Edition, EditionState


class Wave(BaseModel):
    """The first wave of an edition."""

    size: int
    """Deliveries in it."""
    state: Literal["going out", "being waited for", "over"]
    until: datetime | None
    """When the rest may follow."""


class Waits(BaseModel):
    """Why nothing goes at this moment, and until when; None where only a person can tell."""

    why: str
    until: datetime | None


class Weighed(BaseModel):
    """One thing that goes wrong, as the breaker counts it, with the lines for so many deliveries."""

    counted: int
    of: int
    alarms_at: int
    stops_at: int
    says: breaker.Says
    why: str


class BreakerStands(BaseModel):
    """What the breaker would say now. `since`: only what was handed over after a person resumed it counts."""

    halted: bool
    since: datetime | None
    complaints: Weighed
    hard_bounces: Weighed


class Paused(BaseModel):
    """One reason why no call may begin."""

    kind: str
    why: str
    by: str | None
    since: datetime
    until: datetime | None


class Standing(BaseModel):
    """Everything `digest edition status` says besides the numbers."""

    wave: Wave | None
    waits: Waits | None
    breaker: BreakerStands
    paused: list[Paused]


def standing(session: Session, edition: Edition, *, now: datetime) -> Standing:
    """Read from rows: the same in every process."""
    return Standing(
        wave=_wave(session, edition, now),
        waits=_waits(session, edition, now),
        breaker=_breaker(session, edition),
        paused=[
            Paused(kind=each.kind, why=each.because, by=each.by, since=each.since, until=each.until)
            for each in pauses.standing(session, edition, now=now)
        ],
    )


def _wave(session: Session, edition: Edition, now: datetime) -> Wave | None:
    """None where everything is one wave, or not prepared."""
    first = Batch.wave == 1
    size, left, rest = session.execute(
        sa.select(
            sa.func.sum(Batch.last_delivery - Batch.first_delivery + 1).filter(first),
            sa.func.count().filter(first, Batch.state.in_(UNFINISHED)),
            sa.func.count().filter(sa.not_(first)),
        ).where(Batch.edition_id == edition.id)
    ).one()
    if not rest or not size:
        return None
    until = edition.wave_until
    if until is None and left:
        return Wave(size=int(size), state="going out", until=None)
    waited_for = until is None or until > now
    return Wave(size=int(size), state="being waited for" if waited_for else "over", until=until)


def _waits(session: Session, edition: Edition, now: datetime) -> Waits | None:
    if edition.state is EditionState.HALTED:
        return Waits(why=edition.why or "it is halted", until=None)
    if edition.state is EditionState.APPROVED and edition.send_at > now:
        return Waits(why="it is not due yet", until=edition.send_at)
    found = finishing.waiting(session, edition, now=now)
    return None if found is None else Waits(why=found.why, until=found.until)


def _breaker(session: Session, edition: Edition) -> BreakerStands:
    said = answered(session, edition.id)
    counted = watching.counts(session, edition.id, said.since)
    return BreakerStands(
        halted=said.waits,
        since=said.since,
        complaints=_weighed(COMPLAINTS, counted[COMPLAINTS]),
        hard_bounces=_weighed(HARD_BOUNCES, counted[HARD_BOUNCES]),
    )


def _weighed(measure: Measure, counted: Counted) -> Weighed:
    verdict = breaker.judge(measure, counted)
    return Weighed(
        counted=counted.wrong,
        of=counted.of,
        alarms_at=measure.alarms_at(counted.of),
        stops_at=measure.stops_at(counted.of),
        says=verdict.says,
        why=verdict.why,
    )
