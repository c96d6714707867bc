"""A short run of the crash harness (`python -m tests.crash` is the long one), and that it can fail."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from digest.models import Batch, BatchState
from tests.crash import boundaries, checks
from tests.crash.checks import Violation
from tests.crash.rounds import ANY_MOMENT, SEND, Player
from tests.crash.scene import Nursery, Scene, program_on
from tests.sendgrid_stub import stub_process

READERS = 36
KILLS = 8
SEED = 11

Stage = tuple[Scene, Nursery]


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An approved edition on a database of its own, and who runs the commands."""
    database, fenced = request.param
    server = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    program = program_on(tmp_path_factory.mktemp("crash"), server)
    with (
        stub_process(seed=SEED) as stub,
        closing(Scene(program, stub, readers=READERS, fenced=fenced)) as scene,
        closing(Nursery(program)) as nursery,
    ):
        yield scene, nursery


SQLITE, POSTGRESQL = ("sqlite", False), ("postgresql", False)
FENCED_SQLITE, FENCED_POSTGRESQL = ("sqlite", True), ("postgresql", True)
KILL, TERM = signal.SIGKILL, signal.SIGTERM


@pytest.mark.parametrize(
    ("stage", "processes", "number"),
    [
        (SQLITE, 1, KILL),
        (SQLITE, 3, KILL),
        (SQLITE, 3, TERM),
        (POSTGRESQL, 1, KILL),
        (POSTGRESQL, 3, KILL),
        (POSTGRESQL, 1, TERM),
    ],
    indirect=["stage"],
    scope="module",
)
def test_nobody_is_lost_or_handed_over_twice(stage: Stage, processes: int, number: signal.Signals) -> None:
    """Killed or asked to stop at each step and at any moment, one process or three: the numbers add up after each,
    and in the end everybody the ledger calls accepted is at the provider, and nobody else.
    """
    kills = KILLS if number == KILL else KILLS // 2
    tally = Player(*stage, processes=processes, number=number, seed=SEED).play(kills)

    assert tally.kills >= kills
    assert set(tally.at) <= {*boundaries.BEGINNING, *boundaries.MIDDLE, *boundaries.ENDING, ANY_MOMENT}
    assert len(tally.at) > 3


@pytest.mark.parametrize(
    ("stage", "processes"), [(FENCED_SQLITE, 1), (FENCED_POSTGRESQL, 3)], indirect=["stage"], scope="module"
)
def test_behind_a_fence_nothing_stays_uncertain(stage: Stage, processes: int) -> None:
    """Killed in the same ways, with answers to cancels lost: whoever is uncertain is called back, and has it once."""
    tally = Player(*stage, processes=processes, number=KILL, seed=SEED).play(KILLS)

    assert tally.kills >= KILLS
    assert tally.uncertain == 0


@pytest.mark.parametrize(
    ("stage", "boundary"),
    [
        *((SQLITE, each) for each in (*boundaries.BEGINNING, *boundaries.MIDDLE, *boundaries.ENDING)),
        *((FENCED_SQLITE, each) for each in boundaries.FENCED),
    ],
    indirect=["stage"],
    scope="module",
)
def test_every_boundary_is_passed(stage: Stage, boundary: str) -> None:
    """A step that a process no longer goes through would be killed at no more."""
    scene, nursery = stage
    scene.again()
    scene.stub.faults("cut")
    child = nursery.start(SEND, fate=(boundary, 1, KILL))

    assert child.wait() == -KILL, child.said()


@pytest.mark.parametrize("stage", [SQLITE], indirect=True, scope="module")
def test_the_harness_can_fail(stage: Stage) -> None:
    """A ledger that calls accepted what the provider never had, or knows nothing of what it has, is found out."""
    scene, nursery = stage
    scene.again()
    assert nursery.start(SEND).wait() == 0
    checks.at_the_end(scene)

    with scene.services.database.writing() as session:
        session.execute(sa.update(Batch).where(Batch.id == 1).values(state=BatchState.PENDING))
    with pytest.raises(Violation, match="neither accepted nor uncertain"):
        checks.when_nothing_runs(scene)
    with scene.services.database.writing() as session:
        session.execute(sa.update(Batch).where(Batch.id == 1).values(state=BatchState.ACCEPTED))
    scene.stub.reset()
    with pytest.raises(Violation, match="lost"):
        checks.when_nothing_runs(scene)
    with scene.services.database.writing() as session:
        session.execute(sa.update(Batch).where(Batch.id == 2).values(first_delivery=1))
    with pytest.raises(Violation, match="add up"):
        checks.at_any_time(scene)
