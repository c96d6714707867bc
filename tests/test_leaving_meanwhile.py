"""Leaving while the edition goes out: whose no was stored before their batch's hand-over is in no request.

`python -m tests.race --people 100000 --database both` is the long run.
"""

from __future__ import annotations

import os

from tests import race
from tests.conftest import Program
from tests.sendgrid_stub import stub_process

PEOPLE = int(os.environ.get("RACE_PEOPLE", "4000"))


def test_a_no_stored_before_the_hand_over_is_heard(program: Program) -> None:
    """Hundreds leave by the one-click door, from several clients, just where the edition has got to."""
    with stub_process(seed=3) as stub:
        found = race.run(program, stub, people=PEOPLE, seed=3)

    assert not found.broken, found.broken[:20]
    assert found.people == PEOPLE
    assert min(found.left_in_time, found.left_too_late) > 5, found
