"""What must be true after every kill, and at the end."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from digest import integrity, stats
from digest.models import Batch, BatchState, Delivery
from tests import running
from tests.crash.scene import Scene


class Violation(Exception):
    """One of the promises was broken."""


@dataclass(frozen=True)
class Fates:
    """The deliveries of the edition, by what the ledger says of them."""

    accepted: set[int]
    uncertain: set[int]
    waiting: set[int]
    in_flight: set[int]
    """Handed over by a process that may be dead; the next one to look will say."""
    refused: set[int]
    withheld: set[int]


def at_any_time(scene: Scene) -> stats.Numbers:
    """After every kill. Raises Violation."""
    found = running.numbers(scene.services)
    _hold(found.adds_up, f"the numbers do not add up: {found.gaps()}")
    twice = scene.stub.twice()
    _hold(not twice, f"handed over twice: {twice}")
    with scene.services.database.reading() as session:
        wrong = integrity.findings(session)
    _hold(not wrong, f"in the database: {wrong}")
    return found


def when_nothing_runs(scene: Scene, *, nobody_lives: bool = True) -> Fates:
    """All is said of everybody, and what is said is true. Raises Violation."""
    if nobody_lives:
        scene.stub.left_alone()
    at_any_time(scene)
    found, there = fates(scene), scene.stub.deliveries()
    lost = found.accepted - there
    _hold(not lost, f"lost: accepted, and the provider has nothing of {sorted(lost)}")
    unknown = there - found.accepted - found.uncertain - found.in_flight
    _hold(not unknown, f"the provider has {sorted(unknown)}, which the ledger calls neither accepted nor uncertain")
    return found


def at_the_end(scene: Scene, *, nobody_lives: bool = True) -> None:
    """Nothing is left to do, and nothing is left open. Raises Violation."""
    found = when_nothing_runs(scene, nobody_lives=nobody_lives)
    numbers = running.numbers(scene.services)
    _hold(numbers.state == "sent", f"it ended as {numbers.state}")
    _hold(not found.uncertain, f"left uncertain: {sorted(found.uncertain)}")
    left = found.waiting | found.in_flight
    _hold(not left, f"left waiting or in flight: {sorted(left)}")
    handed = len(found.accepted) + len(found.refused) + len(found.withheld)
    _hold(handed == numbers.deliveries == scene.readers, f"{scene.readers} readers became {handed}")


def fates(scene: Scene) -> Fates:
    """Everybody, by what the ledger says."""
    with scene.services.database.reading() as session:
        rows = session.execute(
            sa.select(Delivery.id, Batch.state, Delivery.refused_because, Delivery.withheld_because).join(
                Batch, Delivery.id.between(Batch.first_delivery, Batch.last_delivery)
            )
        ).all()
        nameless = session.scalars(sa.select(Batch.id).where(Batch.state == BatchState.UNCERTAIN, Batch.why.is_(None)))
        _hold(not (left := nameless.all()), f"uncertain without a reason: batches {left}")
    aside = {row.id for row in rows if row.refused_because or row.withheld_because}

    def of(state: BatchState) -> set[int]:
        return {row.id for row in rows if row.state is state} - aside

    return Fates(
        accepted=of(BatchState.ACCEPTED),
        uncertain=of(BatchState.UNCERTAIN),
        waiting=of(BatchState.PENDING),
        in_flight=of(BatchState.SUBMITTING),
        refused=of(BatchState.REFUSED) | {row.id for row in rows if row.refused_because},
        withheld={row.id for row in rows if row.withheld_because},
    )


def _hold(true: bool, otherwise: str) -> None:
    if not true:
        raise Violation(otherwise)
