"""What events prove of batches: settled when they may be, said aloud when they should never have come."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from digest import editions, sending, settling
from digest.bootstrap import Services
from digest.models import Batch, BatchState, EditionLog
from digest.settling import Seen
from digest.submitting import Submitter
from digest.transport import Refused, Uncertain
from tests import make
from tests.fakes import ScriptedTransport


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def halted(scripted: Services) -> Services:
    """Three batches: the answer to the first was lost, the others were accepted."""
    make.approved(scripted, readers=30)
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    services = make.with_settings(scripted, digest_send_concurrency=1)
    assert isinstance(services.transport, ScriptedTransport)
    services.transport.script = [Uncertain("no answer in time")]
    Submitter(services, clock=now).run()
    return services


def see(services: Services, *attempts: Seen) -> None:
    with services.database.writing() as session:
        settling.seen(session, attempts, now=now())


def batches(services: Services) -> list[Batch]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Batch).order_by(Batch.id)))


def alarms(services: Services) -> int:
    with services.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).where(EditionLog.what == "alarm")) or 0


def test_an_event_settles_an_uncertain_batch_as_accepted(halted: Services) -> None:
    """The provider had it: nobody is asked, nothing is handed over again."""
    first = batches(halted)[0]
    see(halted, Seen(make.WEEK, first.id, 1))

    assert {batch.state for batch in batches(halted)} == {BatchState.ACCEPTED}
    assert alarms(halted) == 0


def test_events_in_any_order_and_number_come_to_the_same(halted: Services) -> None:
    """Every permutation, each attempt twice."""
    for order in itertools.permutations([Seen(make.WEEK, batch.id, 1) for batch in batches(halted)] * 2, 3):
        see(halted, *order)

    assert {batch.state for batch in batches(halted)} == {BatchState.ACCEPTED}


def test_an_event_of_another_week_proves_nothing(halted: Services) -> None:
    """After a restored backup numbers are given again; so is a number nobody gave."""
    first = batches(halted)[0]
    see(halted, Seen("2026-W01", first.id, 1), Seen(make.WEEK, 10_000, 1))

    assert batches(halted)[0].state is BatchState.UNCERTAIN
    assert alarms(halted) == 0


def test_what_a_person_thought_untaken_is_not_handed_over_again_after_an_event(halted: Services) -> None:
    """Settled as "hand over again", and before that happens an event says that it was taken: accepted."""
    first = batches(halted)[0]
    with halted.database.writing() as session:
        settling.settle(session, first.id, was_accepted=False, why="I think not", by="otto", now=now())
    see(halted, Seen(make.WEEK, first.id, 1))

    assert batches(halted)[0].state is BatchState.ACCEPTED


def test_an_event_of_an_earlier_attempt_is_an_alarm(halted: Services) -> None:
    """It was settled as untaken and handed over again, and both went out: said once, and the edition is not resumed."""
    first = batches(halted)[0]
    with halted.database.writing() as session:
        settling.settle(session, first.id, was_accepted=False, why="I think not", by="otto", now=now())
        editions.resume(session, editions.find(session, make.WEEK), why="settled", by="otto", now=now())
    Submitter(halted, clock=now).run()
    see(halted, Seen(make.WEEK, first.id, 1))
    see(halted, Seen(make.WEEK, first.id, 1), Seen(make.WEEK, first.id, 2))

    assert alarms(halted) == 1
    assert batches(halted)[0].attempt == 2


def test_an_event_of_a_refused_batch_is_an_alarm(scripted: Services) -> None:
    """The provider said no and mailed all the same."""
    make.approved(scripted, readers=10)
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    assert isinstance(scripted.transport, ScriptedTransport)
    scripted.transport.script = [Refused("content is not acceptable")]
    Submitter(scripted, clock=now).run()
    (batch,) = batches(scripted)
    see(scripted, Seen(make.WEEK, batch.id, 1))

    assert (alarms(scripted), batches(scripted)[0].state) == (1, BatchState.REFUSED)
