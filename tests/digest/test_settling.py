"""What events prove of batches: settled when they may be, said aloud when they should never have come."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from digest import editions, sending, settling, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, EditionLog
from digest.settling import Seen
from digest.submitting import Submitter
from digest.transport import Refused, Request, TransportError, Unavailable, Uncertain
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


# — stopped —


@pytest.mark.parametrize("answer", [Unavailable("slow down"), Refused("too large", too_large=True)])
def test_what_comes_back_after_a_stop_waits_for_nothing(scripted: Services, answer: TransportError) -> None:
    """Put off or halved while somebody stopped the edition: withheld with that reason, and the numbers add up."""
    make.approved(scripted, readers=30)
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    services = make.with_settings(scripted, digest_send_concurrency=1)
    assert isinstance(services.transport, ScriptedTransport)
    services.transport.script = [None, answer]

    def stop(_: Request) -> None:
        if len(transport.calls) == 1:
            with services.database.writing() as session:
                edition = editions.find(session, make.WEEK)
                editions.hold(session, edition, why="smoke", by="otto", now=now())
                editions.stop(session, edition, why="fire", by="otto", now=now())

    transport = services.transport
    transport.before_post = stop
    Submitter(services, clock=now).run()
    with services.database.reading() as session:
        numbers = stats.numbers(session, editions.find(session, make.WEEK))

    assert (numbers.state, numbers.accepted, numbers.waiting) == ("stopped", 10, 0)
    assert numbers.withheld_by == {"stopped: fire": 20}
    assert numbers.adds_up


def test_a_stopped_edition_hands_nothing_over_again(halted: Services) -> None:
    """Its uncertain batch may be found accepted; the other way is refused, and nothing is changed."""
    first = batches(halted)[0]
    with halted.database.writing() as session:
        editions.stop(session, editions.find(session, make.WEEK), why="fire", by="otto", now=now())
    with pytest.raises(settling.Stopped), halted.database.writing() as session:
        settling.settle(session, first.id, was_accepted=False, why="not there", by="otto", now=now())
    with halted.database.writing() as session:
        settling.settle(session, first.id, was_accepted=True, why="it is there", by="otto", now=now())

    assert batches(halted)[0].state is BatchState.ACCEPTED


def test_who_settled_it_stands_in_the_log(halted: Services) -> None:
    """By whichever door they came."""
    first = batches(halted)[0]
    with halted.database.writing() as session:
        settling.settle(session, first.id, was_accepted=True, why="its log says so", by="otto", now=now())
    with halted.database.reading() as session:
        line = session.scalars(sa.select(EditionLog).order_by(EditionLog.id.desc())).first()

    assert line is not None
    assert (line.by, line.why) == ("otto", "its log says so")
