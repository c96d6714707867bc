"""Handing over: each delivery once, each answer written down, each opt-out heard."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from digest import batches, editions, finishing, pauses, sending, settling, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery, Edition, EditionState, Letter, Pause
from digest.submitting import Submitter
from digest.transport import Misconfigured, Refused, Request, Unavailable, Uncertain
from subscribers import consent
from subscribers.models import Subscriber
from tests import make
from tests.fakes import ScriptedTransport


def now() -> datetime:
    return datetime.now(UTC)


def one_at_a_time(services: Services) -> Services:
    """So that the order of calls is certain."""
    return make.with_settings(services, digest_send_concurrency=1)


def ready(services: Services, readers: int) -> ScriptedTransport:
    """An edition prepared for so many readers, and the transport it will go through."""
    make.approved(services, readers=readers)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    transport = services.transport
    assert isinstance(transport, ScriptedTransport)
    return transport


def run(services: Services) -> stats.Numbers:
    """Hand over, waiting out short backoffs, until nothing is free; then the numbers."""
    for _ in range(50):
        Submitter(services, clock=now).run()
        with services.database.reading() as session:
            edition = editions.find(session, make.WEEK)
            waits = finishing.waiting(session, edition, now=now())
        if waits is None and edition.state is EditionState.SENDING:
            continue
        if waits is None or waits.until is None or waits.until > now() + timedelta(seconds=2):
            break
        threading.Event().wait(max((waits.until - now()).total_seconds(), 0))
    return numbers(services)


def numbers(services: Services) -> stats.Numbers:
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, make.WEEK))


def test_everybody_gets_it_once(scripted: Services) -> None:
    """95 readers in ten batches: each delivery accepted exactly once, the edition sent."""
    transport = ready(scripted, 95)
    done = run(scripted)

    assert {1} == set(transport.deliveries().values())
    assert len(transport.deliveries()) == 95
    assert (done.state, done.accepted, done.adds_up) == ("sent", 95, True)


def test_running_again_hands_nothing_over(scripted: Services) -> None:
    """After it is sent, another run makes no call."""
    transport = ready(scripted, 25)
    run(scripted)
    calls = len(transport.calls)
    run(scripted)

    assert calls == len(transport.calls)


def test_several_submitters_share_the_work(scripted: Services) -> None:
    """Four at once on one database: every delivery once."""
    transport = ready(scripted, 200)
    threads = [threading.Thread(target=Submitter(scripted, clock=now).run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {1} == set(transport.deliveries().values())
    assert numbers(scripted).accepted == 200


def test_an_opt_out_before_the_hand_over_is_heard(scripted: Services) -> None:
    """Somebody who leaves while earlier batches go out is in no later request, and the numbers say why."""
    transport = ready(scripted, 60)
    left: list[str] = []

    def leave(request: Request) -> None:
        """While the first batch is called, the last reader of the edition leaves."""
        if left:
            return
        left.append("reader59@example.com")
        with scripted.database.writing() as session:
            person = session.scalars(sa.select(Subscriber).where(Subscriber.email == left[0])).one()
            consent.unsubscribe(session, person, now=now(), source="one-click")

    scripted = one_at_a_time(scripted)
    transport.before_post = leave
    done = run(scripted)

    assert left[0] not in transport.addresses()
    assert done.withheld_by == {"unsubscribed meanwhile": 1}
    assert (done.accepted, done.adds_up) == (59, True)


def test_an_erased_reader_is_withheld(scripted: Services) -> None:
    """The person is gone, the delivery row stays, the numbers add up."""
    transport = ready(scripted, 5)
    with scripted.database.writing() as session:
        session.execute(sa.delete(Subscriber).where(Subscriber.email == "reader3@example.com"))
    done = run(scripted)

    assert done.withheld_by == {"erased meanwhile": 1}
    assert (len(transport.addresses()), done.adds_up) == (4, True)


def test_a_batch_nobody_is_left_in_makes_no_call(scripted: Services) -> None:
    """Ten readers, all gone before their batch: no request, nothing waiting, the edition is sent."""
    transport = ready(scripted, 10)
    with scripted.database.writing() as session:
        for person in session.scalars(sa.select(Subscriber)).all():
            consent.unsubscribe(session, person, now=now(), source="test")
    done = run(scripted)

    assert transport.calls == []
    assert (done.state, done.withheld, done.accepted, done.adds_up) == ("sent", 10, 0, True)


def test_nothing_taken_is_tried_again(scripted: Services) -> None:
    """A connection refused costs time, not readers, and nobody gets it twice."""
    transport = ready(scripted, 30)
    transport.script = [Unavailable("no connection"), None, Unavailable("no connection")]
    done = run(scripted)

    assert {1} == set(transport.deliveries().values())
    assert (done.state, done.accepted) == ("sent", 30)


def test_a_rate_limit_pauses_everybody(scripted: Services) -> None:
    """After a 429 no call of any batch begins before the time it named."""
    transport = ready(scripted, 30)
    until = now() + timedelta(seconds=0.5)
    transport.script = [Unavailable("slow down", until=until, everybody=True)]
    began: list[datetime] = []
    transport.before_post = lambda _: began.append(now())
    scripted = one_at_a_time(scripted)
    Submitter(scripted, clock=now).run()
    with scripted.database.reading() as session:
        assert session.scalars(sa.select(Pause.because)).one() == "slow down"
    done = run(scripted)

    assert all(moment >= until for moment in began[1:])
    assert (done.state, done.accepted) == ("sent", 30)


def test_an_uncertain_batch_is_never_handed_over_again_by_itself(scripted: Services) -> None:
    """One time-out after the request left: ten uncertain, the rest accepted, the edition halted, staff told."""
    with scripted.database.writing() as session:
        make.staff(session)
    transport = ready(scripted, 30)
    transport.script = [Uncertain("no answer in time")]
    done = run(scripted)

    assert (done.state, done.uncertain, done.accepted, done.adds_up) == ("halted", 10, 20, True)
    run(scripted)
    assert len(transport.calls) == 3
    with scripted.database.reading() as session:
        letter = session.scalars(sa.select(Letter)).one()
        assert (letter.kind, letter.email) == ("halted", "edda@example.com")


@pytest.mark.parametrize(("accepted", "expected"), [(True, 2), (False, 3)])
def test_a_person_settles_an_uncertain_batch(scripted: Services, accepted: bool, expected: int) -> None:
    """Settled as accepted it is not called again; settled as not taken it is, once. Then the edition is sent."""
    transport = ready(scripted, 20)
    transport.script = [Uncertain("no answer in time")]
    run(scripted)
    with scripted.database.writing() as session:
        batch = session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN)).one()
        settling.settle(session, batch.id, was_accepted=accepted, why="the log says so", by="otto", now=now())
        editions.resume(session, editions.find(session, make.WEEK), why="settled", by="otto", now=now())
    done = run(scripted)

    assert (done.state, done.accepted, done.adds_up) == ("sent", 20, True)
    assert expected == len(transport.calls)
    with pytest.raises(settling.NotUncertain), scripted.database.writing() as session:
        settling.settle(session, batch.id, was_accepted=True, why="again", by="otto", now=now())


def test_one_refused_recipient_does_not_hold_the_rest(scripted: Services) -> None:
    """A 400 naming the third recipient sets that one aside and hands the other nine over."""
    transport = ready(scripted, 10)
    transport.script = [Refused("invalid address", recipient=2)]
    done = run(scripted)

    assert (done.state, done.accepted, done.refused, done.adds_up) == ("sent", 9, 1, True)
    assert len(transport.addresses()) == 9
    with scripted.database.reading() as session:
        assert (
            session.scalars(sa.select(Delivery.refused_because).where(Delivery.refused_because.is_not(None))).one()
            == "invalid address"
        )


def test_a_refused_batch_does_not_stop_the_others(scripted: Services) -> None:
    """A 400 naming nobody refuses that batch for good; the edition is sent and lists ten refused."""
    transport = ready(scripted, 30)
    transport.script = [Refused("content is not acceptable")]
    done = run(scripted)

    assert (done.state, done.accepted, done.refused, done.adds_up) == ("sent", 20, 10, True)
    assert len(transport.calls) == 3


def test_too_large_is_halved(scripted: Services) -> None:
    """Twice too large: the parts are handed over, each delivery once."""
    transport = ready(scripted, 10)
    transport.script = [Refused("too large", too_large=True), Refused("too large", too_large=True)]
    done = run(scripted)

    assert {1} == set(transport.deliveries().values())
    assert (done.state, done.accepted, done.adds_up) == ("sent", 10, True)
    assert len(transport.taken) > 1


def test_a_wrong_key_halts_at_once(scripted: Services) -> None:
    """A configuration error halts the edition with its sentence; what was not taken waits."""
    transport = ready(scripted, 50)
    scripted = one_at_a_time(scripted)
    transport.script = [None, Misconfigured("the API key is not accepted")]
    done = run(scripted)

    assert (done.state, done.accepted, done.waiting, done.adds_up) == ("halted", 10, 40, True)
    with scripted.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert edition.why == "the API key is not accepted"
    with scripted.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="mended", by="otto", now=now())

    assert (run(scripted).state, numbers(scripted).accepted) == ("sent", 50)


def test_holding_stops_what_has_not_begun(scripted: Services) -> None:
    """Held while the second batch is called: the batches after it stay, until somebody resumes."""
    transport = ready(scripted, 50)
    scripted = one_at_a_time(scripted)

    def hold(_: Request) -> None:
        if len(transport.calls) == 1:
            with scripted.database.writing() as session:
                editions.hold(session, editions.find(session, make.WEEK), why="wait", by="otto", now=now())

    transport.before_post = hold
    done = run(scripted)

    assert (done.state, done.accepted, done.waiting, done.adds_up) == ("halted", 20, 30, True)


def test_asked_to_stop_it_finishes_what_is_in_flight(scripted: Services) -> None:
    """A stop during the first call: that call is recorded, nothing else begins, nothing stays claimed."""
    transport = ready(scripted, 50)
    scripted = one_at_a_time(scripted)
    stop = threading.Event()
    transport.before_post = lambda _: stop.set()
    Submitter(scripted, clock=now, stop=stop).run()
    done = numbers(scripted)

    assert (done.accepted, done.waiting, done.in_flight) == (10, 40, 0)


def test_an_unforeseen_error_is_uncertain(scripted: Services) -> None:
    """Whatever the client raises, the request may have been taken: nobody is mailed again on a guess."""
    transport = ready(scripted, 10)

    def burst(_: Request) -> None:
        raise RuntimeError("what nobody thought of")

    transport.before_post = burst
    assert run(scripted).uncertain == 10


# — workers that die —


def claimed(services: Services, *, called: bool, lease: timedelta) -> Batch:
    """A batch as a process that died has left it."""
    with services.database.writing() as session:
        first_lease = timedelta(minutes=5) if called else lease
        ours = batches.claim_next(session, owner="another-machine/1/x", now=now(), lease=first_lease)
        assert ours is not None
        if called:
            people = [person.delivery for person in batches.readers(session, ours)]
            step = batches.hand_over(session, ours, people, body_sha256="x", now=now(), lease=lease)
            assert step.ours
        return session.get_one(Batch, ours.id)


def test_a_living_lease_is_left_alone(scripted: Services) -> None:
    """What another machine holds is not touched before its lease ends."""
    transport = ready(scripted, 20)
    claimed(scripted, called=False, lease=timedelta(minutes=5))
    done = run(scripted)

    assert (done.accepted, done.in_flight) == (10, 10)
    assert len(transport.calls) == 1


def test_a_dead_lease_before_the_call_is_free_again(scripted: Services) -> None:
    """Nothing was called, so nothing is lost and nobody gets it twice."""
    transport = ready(scripted, 20)
    claimed(scripted, called=False, lease=timedelta(0))
    done = run(scripted)

    assert (done.state, done.accepted) == ("sent", 20)
    assert {1} == set(transport.deliveries().values())


@pytest.mark.parametrize(
    ("evidence", "uncertain", "calls"),
    [(None, 10, 1), (True, 0, 1), (False, 0, 2)],
    ids=["unknown", "taken", "not taken"],
)
def test_a_dead_lease_after_the_call_follows_the_evidence(
    scripted: Services, evidence: bool | None, uncertain: int, calls: int
) -> None:
    """Without evidence uncertain; with it accepted, or free again."""
    transport = ready(scripted, 20)
    claimed(scripted, called=True, lease=timedelta(seconds=0.01))
    threading.Event().wait(0.05)
    transport.found = evidence
    done = run(scripted)

    assert (uncertain, calls) == (done.uncertain, len(transport.calls))
    assert done.adds_up


def test_the_answer_of_a_slow_worker_settles_what_others_called_uncertain(scripted: Services) -> None:
    """Rescued as uncertain while its call was still out: the yes that comes late is the evidence."""
    ready(scripted, 10)
    with scripted.database.writing() as session:
        ours = batches.claim_next(session, owner="another-machine/1/x", now=now(), lease=timedelta(seconds=1))
        assert ours is not None
        people = [person.delivery for person in batches.readers(session, ours)]
        batches.hand_over(session, ours, people, body_sha256="x", now=now(), lease=timedelta(0))
    assert settling.rescue(scripted, now=now()) == 1
    assert numbers(scripted).uncertain == 10
    with scripted.database.writing() as session:
        batches.accepted(session, ours, message_id="late", now=now())

    assert (numbers(scripted).uncertain, numbers(scripted).accepted) == (0, 10)


def test_a_late_worker_cannot_hand_over_what_is_no_longer_its_own(scripted: Services) -> None:
    """Its lease ended and another took the batch: it is told so before it calls."""
    ready(scripted, 10)
    with scripted.database.writing() as session:
        late = batches.claim_next(session, owner="another-machine/1/x", now=now(), lease=timedelta(0))
        assert late is not None
        people = [person.delivery for person in batches.readers(session, late)]
    settling.rescue(scripted, now=now())
    with scripted.database.writing() as session:
        batches.claim_next(session, owner="third/1/y", now=now(), lease=timedelta(minutes=1))
    with scripted.database.writing() as session:
        step = batches.hand_over(session, late, people, body_sha256="x", now=now(), lease=timedelta(minutes=1))

    assert not step.ours


def test_a_stopped_edition_withholds_the_rest(scripted: Services) -> None:
    """Stopped after a hold: who has not got it never will, each with the reason."""
    ready(scripted, 30)
    with scripted.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        editions.hold(session, edition, why="a mistake", by="otto", now=now())
        editions.stop(session, edition, why="a mistake", by="otto", now=now())
    done = run(scripted)

    assert (done.state, done.withheld_by, done.adds_up) == ("stopped", {"stopped: a mistake": 30}, True)


def test_nothing_begins_before_the_editions_turn(scripted: Services) -> None:
    """The archive's moment, `begun_at`, is the first hand-over and not the preparing."""
    ready(scripted, 3)
    with scripted.database.reading() as session:
        assert session.scalars(sa.select(Edition.begun_at)).one() is None
    run(scripted)
    with scripted.database.reading() as session:
        edition = session.scalars(sa.select(Edition)).one()
        assert EditionState.SENT is edition.state
        assert edition.begun_at is not None


def test_the_kill_switch_holds_back_what_is_claimed_already(scripted: Services) -> None:
    """Switched on while the first batch is called: no further call begins until somebody lifts it."""
    transport = ready(scripted, 50)
    scripted = one_at_a_time(scripted)

    def kill(_: Request) -> None:
        if not transport.calls:
            with scripted.database.writing() as session:
                pauses.kill(session, because="smoke", by="otto", now=now())

    transport.before_post = kill
    Submitter(scripted, clock=now).run()
    assert (len(transport.calls), numbers(scripted).waiting) == (1, 40)
    with scripted.database.writing() as session:
        pauses.lift(session)

    assert run(scripted).accepted == 50


def test_a_poster_that_stood_still_past_its_lease_does_not_call(scripted: Services) -> None:
    """Frozen between hand-over and call: its batch is found dead, settled and handed over again, then it wakes up."""
    transport = ready(scripted, 10)
    slept: list[datetime] = []

    def clock() -> datetime:
        if threading.current_thread().name.startswith("poster") and not slept:
            slept.append(now())
            settling.rescue(scripted, now=now() + timedelta(minutes=1))
            with scripted.database.writing() as session:
                batch = session.scalars(sa.select(Batch)).one()
                settling.settle(session, batch.id, was_accepted=False, why="not there", by="otto", now=now())
            Submitter(scripted, clock=now).run()
            return now() + timedelta(minutes=1)
        return now()

    Submitter(scripted, clock=clock).run()

    assert slept
    assert {1} == set(transport.deliveries().values())
    assert numbers(scripted).accepted == 10


@pytest.mark.parametrize("late", range(3, 12))
def test_a_jump_of_the_clock_at_any_moment_costs_only_time(scripted: Services, late: int) -> None:
    """Whatever the ledger thread or a poster was doing when an hour went by: each delivery once."""
    transport = ready(scripted, 20)
    told = itertools.count()
    for _ in range(3):
        Submitter(scripted, clock=lambda: now() + timedelta(hours=next(told) >= late)).run()
        time.sleep(0.1)  # twice the first backoff
    done = numbers(scripted)

    assert {1} == set(transport.deliveries().values())
    assert (done.accepted, done.adds_up) == (20, True)


# — waves —


def in_two_waves(services: Services, readers: int) -> ScriptedTransport:
    """The first batch goes first, the others wait."""
    transport = ready(services, readers)
    with services.database.writing() as session:
        first = session.scalar(sa.select(sa.func.min(Batch.id)))
        session.execute(sa.update(Batch).where(Batch.id != first).values(wave=2))
    return transport


def test_the_rest_waits_for_the_first_wave(scripted: Services) -> None:
    """Ten go; the others follow when the wait is over, and who asks is told when that is."""
    transport = in_two_waves(scripted, 30)
    services = make.with_settings(scripted, digest_wave_minutes=0.01)
    Submitter(services, clock=now).run()
    with services.database.reading() as session:
        waits = finishing.waiting(session, editions.find(session, make.WEEK), now=now())
    assert len(transport.addresses()) == 10
    assert waits is not None
    assert waits.until is not None
    assert "first wave" in waits.why

    assert (run(services).state, len(transport.addresses())) == ("sent", 30)


def test_a_wait_of_nothing_is_no_wait(scripted: Services) -> None:
    """DIGEST_WAVE_MINUTES=0: one run hands everything over."""
    transport = in_two_waves(scripted, 30)
    Submitter(make.with_settings(scripted, digest_wave_minutes=0.0), clock=now).run()

    assert len(transport.addresses()) == 30


def test_the_rest_does_not_go_before_the_first_wave_is_answered(scripted: Services) -> None:
    """The first wave is put off by the provider: the wait begins only when it is out."""
    transport = in_two_waves(scripted, 30)
    services = make.with_settings(scripted, digest_wave_minutes=0.0)
    transport.script = [Unavailable("not now", until=now() + timedelta(seconds=0.5))]
    Submitter(services, clock=now).run()
    assert transport.addresses() == []

    assert run(services).accepted == 30


def test_a_halt_between_the_waves_keeps_the_rest(scripted: Services) -> None:
    """What the breaker does: the rest waits for a person, however long ago the first wave was."""
    transport = in_two_waves(scripted, 30)
    services = make.with_settings(scripted, digest_wave_minutes=0.0005)
    Submitter(make.with_settings(scripted, digest_wave_minutes=1.0), clock=now).run()
    with services.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        editions.hold(session, edition, why="complaints", by="the circuit breaker", now=now())
        edition.wave_until = now()
    run(services)

    assert len(transport.addresses()) == 10


# — the breaker —


def test_whoever_hands_over_looks_at_the_breaker(scripted: Services) -> None:
    """Sent by hand with no clock running: a storm of hard bounces stops it between two batches all the same."""
    transport = ready(scripted, 200)
    services = replace(one_at_a_time(scripted), timing=replace(scripted.timing, look_around=timedelta(0)))

    def bounce(_: Request) -> None:
        """Once five batches are out, everybody in them bounces."""
        if len(transport.calls) == 5:
            with services.database.writing() as session:
                session.execute(sa.update(Delivery).values(bounced_at=now(), hard_bounced_at=now()))

    transport.before_post = bounce
    done = run(services)

    assert done.state == "halted"
    assert done.accepted < 100
    with services.database.reading() as session:
        assert "hard bounces" in (editions.find(session, make.WEEK).why or "")
