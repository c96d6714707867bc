"""Fenced mode: what was lost on the way is called back and handed over again, and nobody gets it twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from database import Database
from digest import batches, editions, fences, finishing, sending, settling, stats
from digest.batches import Claimed
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery, Edition, EditionLog, FencedAttempt
from digest.sendgrid_send import SendGrid
from digest.settling import Seen
from digest.submitting import FenceTooShort, Submitter
from digest.transport import Fencing
from tests import make
from tests.sendgrid_stub import KEY, Stub, running_stub

READERS = 30
AN_HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def _stub() -> Iterator[Stub]:
    with running_stub(key=KEY, margin=1) as stub:
        yield stub


@pytest.fixture
def stub(_stub: Stub) -> Stub:
    _stub.reset()
    return _stub


@pytest.fixture
def fenced(database: Database, tmp_path: Path, stub: Stub) -> Iterator[Services]:
    """A program that hands over to the stand-in, a minute ahead, in batches of ten, one call at a time."""
    with closing(SendGrid(KEY, host=stub.url, connect=1, send=1, read=1)) as transport:
        services = make.services(database, tmp_path, transport=transport, DIGEST_BATCH_SIZE="10")
        yield make.with_settings(services, digest_fence_minutes=1.0, digest_send_concurrency=1)


def prepared(services: Services) -> None:
    make.approved(services, readers=READERS)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)


def run(services: Services) -> stats.Numbers:
    Submitter(services, clock=now).run()
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, make.WEEK))


def uncertain(services: Services, stub: Stub, fault: str = "accept-503") -> None:
    """The first batch is taken and its answer lost; nothing is called back yet: the provider does not listen."""
    stub.faults(fault)
    stub.answer("POST /v3/user/scheduled_sends", 503, {})
    assert run(services).uncertain == 10
    stub.as_usual("POST /v3/user/scheduled_sends")


def test_every_attempt_has_a_fence_of_its_own(fenced: Services, stub: Stub) -> None:
    """Three batches: three batch ids, each with a time a minute ahead."""
    prepared(fenced)
    done = run(fenced)

    taken = stub.taken()
    assert (done.state, done.accepted) == ("sent", READERS)
    with fenced.database.reading() as session:
        rows = session.scalars(sa.select(FencedAttempt)).all()
        assert {row.provider_batch_id for row in rows} == {one["batch_id"] for one in taken}
        assert len(rows) == len(taken) == 3
        assert all(timedelta(seconds=50) < row.send_at - now() <= timedelta(seconds=60) for row in rows)


@pytest.mark.parametrize("fault", ["accept-503", "503", "accept-cut", "cut", "garbage", "no-id"])
def test_a_lost_answer_is_called_back_and_handed_over_again(fenced: Services, stub: Stub, fault: str) -> None:
    """Whether the provider had it or not: cancelled, confirmed, handed over under a new id, and nobody has it twice."""
    prepared(fenced)
    stub.faults(fault)
    done = run(fenced)
    stub.forward(120)

    assert (done.state, done.accepted, done.uncertain, done.adds_up) == ("sent", READERS, 0, True)
    assert (stub.twice(), stub.distinct()) == ({}, READERS)


def test_what_was_called_back_says_so(fenced: Services, stub: Stub) -> None:
    """The ledger keeps which attempt was cancelled, and when that was confirmed."""
    prepared(fenced)
    stub.faults("accept-503")
    run(fenced)

    with fenced.database.reading() as session:
        cancelled = session.scalars(sa.select(FencedAttempt).where(FencedAttempt.cancelled_at.is_not(None))).one()
        assert cancelled.attempt == 1
        assert session.get_one(Batch, cancelled.batch_id).attempt == 2


def test_too_late_to_cancel_it_waits_for_a_person(fenced: Services, stub: Stub) -> None:
    """Within the margin nothing is cancelled: the batch stays uncertain and the edition is halted."""
    prepared(fenced)
    uncertain(fenced, stub)
    late = replace(fenced, timing=replace(fenced.timing, cancel_margin=timedelta(minutes=2)))

    assert fences.call_back(late, now=now()) == 0
    assert fences.call_back(fenced, now=now()) == 1


def test_while_it_can_be_called_back_it_waits_for_nobody(fenced: Services, stub: Stub) -> None:
    """The provider does not listen to a cancelling: the edition goes on being sent until it does, or it is too late."""
    prepared(fenced)
    uncertain(fenced, stub)
    with fenced.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        waits = finishing.waiting(session, edition, now=now())
        assert edition.state == "sending"
        assert waits is not None
        assert waits.until is not None

    late = replace(fenced, timing=replace(fenced.timing, cancel_margin=timedelta(minutes=2)))
    finishing.finish(late, now=now())
    with fenced.database.reading() as session:
        assert editions.find(session, make.WEEK).state == "halted"


def test_a_cancelling_whose_answer_was_lost_is_confirmed_by_asking(fenced: Services, stub: Stub) -> None:
    """The provider cancelled it and its answer was lost: asked again it says that it did, and that counts."""
    prepared(fenced)
    uncertain(fenced, stub)
    with fenced.database.reading() as session:
        provider_batch_id = session.scalars(sa.select(FencedAttempt.provider_batch_id).order_by(FencedAttempt.batch_id))
        first = provider_batch_id.first()
    assert first is not None
    assert fenced.transport.fencing is not None
    fenced.transport.fencing.cancel(first)

    assert fences.call_back(fenced, now=now()) == 1


def test_a_late_yes_does_not_count_while_it_is_being_called_back(fenced: Services, stub: Stub) -> None:
    """Asked to cancel, then the answer comes after all: what was taken may be thrown away, so it is not accepted."""
    prepared(fenced)
    uncertain(fenced, stub)
    with fenced.database.writing() as session:
        session.execute(sa.update(FencedAttempt).values(asked_at=now()))
        batch = session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN)).one()
        batches.accepted(session, claimed_as(batch), message_id="late", now=now())
        session.refresh(batch)
        assert batch.state is BatchState.UNCERTAIN
        with pytest.raises(settling.BeingCalledBack):
            settling.settle(session, batch.id, was_accepted=True, why="it is there", by="otto", now=now())


def claimed_as(batch: Batch) -> Claimed:
    """As whoever called it knows it."""
    return Claimed(batch.id, batch.edition_id, make.WEEK, batch.variant, 1, 1, 10, batch.attempt, batch.owner or "")


def test_an_event_after_a_cancelling_that_was_never_confirmed_settles_it(fenced: Services, stub: Stub) -> None:
    """The provider would not listen and the mail went out: accepted, no alarm, and nothing is handed over again."""
    prepared(fenced)
    uncertain(fenced, stub)
    with fenced.database.writing() as session:
        batch = session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN)).one()
        settling.seen(session, [Seen(make.WEEK, batch.id, batch.attempt)], now=now())
    assert fences.call_back(fenced, now=now()) == 0

    with fenced.database.reading() as session:
        assert {BatchState.ACCEPTED} == set(session.scalars(sa.select(Batch.state)))
        assert not session.scalars(sa.select(EditionLog).where(EditionLog.what == "alarm")).all()


@dataclass(frozen=True)
class ToldMeanwhile:
    """A provider whose event of an uncertain attempt comes while it is asked to cancel that."""

    real: Fencing
    services: Services

    def new(self) -> str:
        return self.real.new()

    def cancel(self, batch_id: str) -> None:
        with self.services.database.writing() as session:
            batch = session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN)).one()
            settling.seen(session, [Seen(make.WEEK, batch.id, batch.attempt)], now=now())
        self.real.cancel(batch_id)

    def release(self, batch_id: str) -> None:
        self.real.release(batch_id)


def test_a_cancelling_confirmed_after_an_event_is_an_alarm(fenced: Services, stub: Stub) -> None:
    """The event came while we asked, and the provider says that it threw the mail away: a person must know."""
    prepared(fenced)
    uncertain(fenced, stub)
    assert isinstance(fenced.transport, SendGrid)
    fenced.transport.fencing = ToldMeanwhile(fenced.transport.fencing, fenced)
    fences.call_back(fenced, now=now())

    with fenced.database.reading() as session:
        (said,) = session.scalars(sa.select(EditionLog.why).where(EditionLog.what == "alarm"))
        assert "may not get this edition" in (said or "")


def test_an_event_of_a_cancelled_attempt_halts_the_edition(fenced: Services, stub: Stub) -> None:
    """It went out although the provider said it would not: said once, halted, staff told."""
    with fenced.database.writing() as session:
        make.staff(session)
    prepared(fenced)
    uncertain(fenced, stub)
    fences.call_back(fenced, now=now())
    with fenced.database.writing() as session:
        cancelled = session.scalars(sa.select(FencedAttempt).where(FencedAttempt.cancelled_at.is_not(None))).one()
        for _ in range(2):
            settling.seen(session, [Seen(make.WEEK, cancelled.batch_id, cancelled.attempt)], now=now())

    with fenced.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        said = session.scalars(sa.select(EditionLog.what).where(EditionLog.what == "alarm")).all()
        assert (edition.state, len(said)) == ("halted", 1)
        assert "was cancelled" in (edition.why or "")


def test_eighty_cancelled_attempts_are_enough(fenced: Services, stub: Stub) -> None:
    """The provider keeps a hundred: above eighty the edition is halted, and says why."""
    prepared(fenced)
    uncertain(fenced, stub)
    with fenced.database.writing() as session:
        batch = session.scalars(sa.select(Batch.id).order_by(Batch.id)).first()
        session.add_all(
            FencedAttempt(
                batch_id=batch,
                attempt=100 + n,
                provider_batch_id=f"x{n}",
                send_at=now(),
                asked_at=now(),
                cancelled_at=now(),
            )
            for n in range(80)
        )

    assert fences.call_back(fenced, now=now()) == 0
    with fenced.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert edition.state == "halted"
        assert "80 cancelled attempts" in (edition.why or "")


def test_cancellings_are_released_three_days_after_their_time(fenced: Services, stub: Stub) -> None:
    """Not an hour before: the provider would send what is no longer cancelled."""
    prepared(fenced)
    stub.faults("accept-503")
    run(fenced)
    assert fences.release(fenced, now=now() + timedelta(hours=71)) == 0
    stub.forward(73 * 3600)
    assert fences.release(fenced, now=now() + timedelta(hours=73)) == 1
    assert fences.release(fenced, now=now() + timedelta(hours=73)) == 0

    assert (stub.twice(), stub.distinct()) == ({}, READERS)


def test_a_key_without_the_scopes_halts_before_anything_is_handed_over(fenced: Services, stub: Stub) -> None:
    """403 where a batch id is asked for: halted with the scopes that are missing, nobody was mailed."""
    prepared(fenced)
    stub.answer("POST /v3/mail/batch", 403, {})
    done = run(fenced)

    assert (done.state, done.accepted, done.waiting) == ("halted", 0, READERS)
    with fenced.database.reading() as session:
        assert "scopes" in (editions.find(session, make.WEEK).why or "")
    assert stub.distinct() == 0


def test_no_batch_id_is_waited_for(fenced: Services, stub: Stub) -> None:
    """The provider is away for a moment: put off, nothing is lost."""
    prepared(fenced)
    stub.answer("POST /v3/mail/batch", 503, {})
    assert run(fenced).waiting == READERS
    stub.as_usual("POST /v3/mail/batch")
    with fenced.database.writing() as session:
        session.execute(sa.update(Batch).values(not_before=None))

    assert run(fenced).accepted == READERS


def test_a_fence_without_time_to_call_back_is_refused(fenced: Services) -> None:
    """It would promise what it cannot keep."""
    prepared(fenced)
    with pytest.raises(FenceTooShort, match=r"Set it to 0\.2 or more"):
        run(make.with_settings(fenced, digest_fence_minutes=0.05))


def test_everybody_in_a_called_back_batch_can_still_leave(fenced: Services, stub: Stub) -> None:
    """The second hand-over reads consent anew."""
    prepared(fenced)
    uncertain(fenced, stub)
    with fenced.database.writing() as session:
        person = sa.select(Delivery.subscriber_id).order_by(Delivery.id).limit(1).scalar_subquery()
        session.execute(sa.text("DELETE FROM consent_events"))
        session.execute(sa.text("DELETE FROM subscribers WHERE id = :id"), {"id": session.scalar(sa.select(person))})
    done = run(fenced)

    assert (done.state, done.accepted, done.withheld) == ("sent", READERS - 1, 1)


def test_without_a_fence_nothing_is_scheduled(fenced: Services, stub: Stub) -> None:
    """Off by default: no batch id, no time."""
    prepared(fenced)
    run(make.with_settings(fenced, digest_fence_minutes=0.0))

    assert {one["batch_id"] for one in stub.taken()} == {None}
    with fenced.database.reading() as session:
        assert session.scalars(sa.select(Edition.state)).one() == "sent"
        assert not session.scalars(sa.select(FencedAttempt)).all()
