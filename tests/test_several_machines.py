"""Several machines share one PostgreSQL: losing any of them at any instant costs nothing but time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import running
from tests.crash import checks
from tests.crash.nursery import QUICK
from tests.crash.rounds import CLOCK, Player
from tests.crash.scene import Child, Nursery, Scene, program_on
from tests.sendgrid_stub import stub_process

READERS = 120
IN_A_CALL = "the whole request sent"
NOT_YET_CALLED = "after the commit of hand-over"
IN_A_TRANSACTION = "before the commit of hand-over"
MOST_LEASES = 4

Stage = tuple[Scene, Nursery]


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    program = program_on(tmp_path_factory.mktemp("machines"), postgres_url)
    with (
        stub_process(seed=6) as stub,
        closing(Scene(program, stub, readers=READERS, fenced=request.param)) as scene,
        closing(Nursery(program)) as nursery,
    ):
        yield scene, nursery


def clocks(nursery: Nursery, *fates: tuple[str, int, int] | None) -> list[Child]:
    """One `scheduler.py` on each of so many machines."""
    return [nursery.start(CLOCK, fate=fate, machine=f"machine-{number}") for number, fate in enumerate(fates, start=1)]


@pytest.mark.parametrize(
    ("stage", "frozen_at"),
    [(False, IN_A_CALL), (False, NOT_YET_CALLED), (False, IN_A_TRANSACTION), (True, NOT_YET_CALLED)],
    ids=["in a call", "not yet called", "in a transaction", "fenced, not yet called"],
    indirect=["stage"],
    scope="module",
)
def test_one_dies_and_one_freezes_past_its_lease(stage: Stage, frozen_at: str) -> None:
    """Three clocks; one is killed in its calls, one stands still while its batches come into other hands and the
    edition is finished without it, and wakes. Nobody has it twice and nobody is lost.
    """
    scene, nursery = stage
    scene.again()
    scene.stub.faults(chances={"slow:0.1": 1.0})
    killed, frozen, third = clocks(nursery, (IN_A_CALL, 3, signal.SIGKILL), (frozen_at, 3, signal.SIGSTOP), None)
    assert killed.wait() == -signal.SIGKILL
    running.until(lambda: frozen.met_its_fate)
    began = time.monotonic()
    running.until(lambda: not_answered_for(scene) == 0)
    took = time.monotonic() - began
    assert took < MOST_LEASES * QUICK.lease.total_seconds()

    Player(scene, nursery, processes=1, number=signal.SIGKILL, seed=1).to_the_end(nobody_lives=False)
    frozen.signal(signal.SIGCONT)
    time.sleep(1)
    assert "batch accepted" in third.said()
    for child in (frozen, third):
        child.signal(signal.SIGTERM)
        assert child.wait() == 0, child.said()
    checks.at_the_end(scene)


def not_answered_for(scene: Scene) -> int:
    found = running.numbers(scene.services)
    return found.in_flight + found.waiting
