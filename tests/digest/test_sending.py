"""When an edition leaves: not before its time, not by surprise after it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from digest import editions, sending, stats
from digest.bootstrap import Services
from digest.models import EditionState
from tests import make


def send_due(services: Services, hours: float) -> str:
    """The clock's round, so many hours after the send time."""
    now = make.SEND + timedelta(hours=hours)
    return sending.send_due(services, clock=lambda: now, stop=threading.Event())


def state(services: Services) -> EditionState:
    with services.database.reading() as session:
        return editions.find(session, make.WEEK).state


def test_a_late_edition_is_held_and_a_resumed_one_leaves(services: Services) -> None:
    """Seven hours late the clock holds it; somebody resumes it, and the next round sends it."""
    make.approved(services, readers=2)
    assert "" == send_due(services, 7)
    assert EditionState.HALTED is state(services)
    with services.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        assert "should have left" in (edition.why or "")
        editions.resume(session, edition, why="better late", by="otto", now=make.SEND + timedelta(hours=8))

    assert "prepared 2026-W47, 2 deliveries answered" == send_due(services, 8)
    assert EditionState.SENT is state(services)


def test_the_undo_window_is_kept(services: Services) -> None:
    """Within ten minutes of the approval an operator is refused too, unless they insist."""
    make.approved(services, readers=1)
    soon = make.APPROVED + timedelta(minutes=9)
    stop = threading.Event()
    with pytest.raises(sending.StillUndoable, match="can still be taken back"):
        sending.send_now(services, make.WEEK, by="otto", clock=lambda: soon, now=soon, skip_undo=False, stop=stop)
    sending.send_now(services, make.WEEK, by="otto", clock=lambda: soon, now=soon, skip_undo=True, stop=stop)

    with services.database.reading() as session:
        assert 1 == stats.numbers(session, editions.find(session, make.WEEK)).accepted
