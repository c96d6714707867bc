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

READERS = 60
KILLS = 12
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


DATABASES = ("sqlite", "postgresql")
UNFENCED = pytest.mark.parametrize(
    "stage", [(name, False) for name in DATABASES], ids=DATABASES, indirect=True, scope="module"
)
FENCED = pytest.mark.parametrize(
    "stage",
    [(name, True) for name in DATABASES],
    ids=[f"{name}, fenced" for name in DATABASES],
    indirect=True,
    scope="module",
)


@UNFENCED
@pytest.mark.parametrize(
    ("processes", "number"), [(1, signal.SIGKILL), (3, signal.SIGKILL), (1, signal.SIGTERM), (3, signal.SIGTERM)]
)
def test_nobody_is_lost_or_handed_over_twice(stage: Stage, processes: int, number: signal.Signals) -> None:
    """Killed or asked to stop at each step and at any moment, one process or three: the numbers add up after each,
    and in the end everybody the ledger calls accepted is at the provider, and nobody else.
    """
    kills = KILLS if number == signal.SIGKILL else KILLS // 2
    tally = Player(*stage, processes=processes, number=number, seed=SEED).play(kills)

    assert tally.kills >= kills
    assert set(tally.at) <= {*boundaries.BEGINNING, *boundaries.MIDDLE, *boundaries.ENDING, ANY_MOMENT}
    assert len(tally.at) > 3


@FENCED
@pytest.mark.parametrize("processes", [1, 3])
def test_behind_a_fence_nothing_stays_uncertain(stage: Stage, processes: int) -> None:
    """Killed in the same ways, with answers to cancels lost: whoever is uncertain is called back, and has it once."""
    tally = Player(*stage, processes=processes, number=signal.SIGKILL, seed=SEED).play(KILLS)

    assert tally.kills >= KILLS
    assert tally.uncertain == 0


def dies_at(stage: Stage, boundary: str) -> None:
    scene, nursery = stage
    scene.again()
    scene.stub.faults("cut")
    child = nursery.start(SEND, fate=(boundary, 1, signal.SIGKILL))

    assert child.wait() == -signal.SIGKILL, child.said()


@UNFENCED
@pytest.mark.parametrize("boundary", [*boundaries.BEGINNING, *boundaries.MIDDLE, *boundaries.ENDING])
def test_every_boundary_is_passed(stage: Stage, boundary: str) -> None:
    """A step that a process no longer goes through would be killed at no more."""
    dies_at(stage, boundary)


@FENCED
@pytest.mark.parametrize("boundary", boundaries.FENCED)
def test_every_boundary_of_a_fence_is_passed(stage: Stage, boundary: str) -> None:
    """The same for what fenced mode asks of the provider, and writes down."""
    dies_at(stage, boundary)


@UNFENCED
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
