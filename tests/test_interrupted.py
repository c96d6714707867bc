"""`digest edition send`, interrupted: nobody gets it twice, nobody is lost, and the same command goes on."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from digest import editions, settling
from digest.bootstrap import Services
from digest.models import Batch, BatchState
from tests import make, running
from tests.conftest import Program
from tests.running import Nursery
from tests.sendgrid_stub import Stub, running_stub

READERS = 60
SEND = ("edition", "send", make.WEEK, "--yes", "--skip-undo")
DONE, IN_PART, STOPPED = 0, 3, 130
KILLS = 12


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running_stub(seed=7) as found:
        yield found


@pytest.fixture
def nursery(program: Program) -> Iterator[Nursery]:
    found = Nursery(program)
    yield found
    found.close()


def approved(services: Services) -> Services:
    """An approved edition for `READERS`, in batches of two."""
    make.approved(services, readers=READERS)
    services.database.dispose()
    return services


def uncertain(services: Services) -> list[Batch]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN).order_by(Batch.id)))


def moments(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """When to interrupt: some soon after the start, most while batches are handed over."""
    chance = random.Random(seed)
    for number in range(count):
        if number % 4 == 0:
            yield {"after": chance.uniform(0, 0.4)}
        else:
            yield {"once": "batch ", "after": chance.uniform(0, 0.06)}


# — ended without warning —


def test_killed_at_any_moment_the_outbox_has_each_mail_once(program: Program, nursery: Nursery) -> None:
    """A dozen kill -9: the numbers add up after each, nothing is ever uncertain, and each run goes on at once."""
    with closing(approved(running.to_the_outbox(program, DIGEST_BATCH_SIZE="2"))) as services:
        for moment in moments(seed=1, count=KILLS):
            code = nursery.run(*SEND, send=[signal.SIGKILL], **moment)
            found = running.numbers(services)
            assert code in (-signal.SIGKILL, DONE)
            assert (found.adds_up, found.uncertain) == (True, 0)

        assert nursery.run(*SEND) == DONE, nursery.said()
        assert nursery.run("edition", "status", make.WEEK, "--json") == DONE
        status = json.loads(nursery.said())
        assert (status["state"], status["accepted"], status["uncertain"]) == ("sent", READERS, 0)
        assert status["adds_up"] is True
        names = running.mails(program, make.WEEK)
        assert len(names) == len(set(names)) == READERS


def test_killed_at_any_moment_the_provider_has_nobody_twice(program: Program, nursery: Nursery, stub: Stub) -> None:
    """A dozen kill -9 in slow calls: who may have it is named as uncertain and not handed over again by itself.

    Settled by what the provider knows, the same command finishes: everybody once, nobody lost.
    """
    with closing(approved(running.through(stub, program, DIGEST_BATCH_SIZE="2"))) as services:
        stub.faults(chances={"slow:0.05": 1.0})
        for moment in moments(seed=2, count=KILLS):
            nursery.run(*SEND, send=[signal.SIGKILL], **moment)
            found = running.numbers(services)
            assert (found.adds_up, stub.twice()) == (True, {})
            assert found.waiting + found.in_flight + found.accepted + found.uncertain in (0, READERS)
        code = nursery.run(*SEND)
        found = running.numbers(services)

        assert stub.twice() == {}
        assert found.accepted <= stub.distinct() <= found.accepted + found.uncertain
        assert (found.accepted + found.uncertain, found.in_flight) == (READERS, 0)
        assert (code, found.state) == ((IN_PART, "halted") if found.uncertain else (DONE, "sent"))
        settle(services, stub)
        assert nursery.run(*SEND) == DONE, nursery.said()
        assert (stub.twice(), stub.distinct()) == ({}, READERS)
        assert running.numbers(services).accepted == READERS


def settle(services: Services, stub: Stub) -> None:
    """Each uncertain batch by what the provider has of it; each says why it is uncertain."""
    for batch in uncertain(services):
        assert batch.why
        taken = {bool(stub.taken(delivery=each)) for each in range(batch.first_delivery, batch.last_delivery + 1)}
        assert len(taken) == 1
        with services.database.writing() as session:
            settling.settle(session, batch.id, was_accepted=taken.pop(), why="its log", by="otto", now=make.SEND)
    with services.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        if edition.state == "halted":
            editions.resume(session, edition, why="settled", by="otto", now=make.SEND)


# — asked to end —


def test_asked_to_stop_at_any_moment_nothing_is_left_uncertain(program: Program, nursery: Nursery, stub: Stub) -> None:
    """SIGINT and SIGTERM in slow calls: the calls in flight are finished and recorded, the same command goes on."""
    with closing(approved(running.through(stub, program, DIGEST_BATCH_SIZE="2"))) as services:
        stub.faults(chances={"slow:0.05": 1.0})
        for number, moment in enumerate(moments(seed=3, count=8)):
            asked = (signal.SIGINT, signal.SIGTERM)[number % 2]
            code = nursery.run(*SEND, send=[asked], **moment)
            found = running.numbers(services)
            assert code in (DONE, IN_PART, STOPPED, -asked), nursery.said()
            assert (found.adds_up, found.in_flight, found.uncertain) == (True, 0, 0)
            assert found.accepted == stub.distinct()
            if "once" in moment and found.waiting:
                assert code == IN_PART
                assert "Run the same command again to go on." in nursery.said()

        assert nursery.run(*SEND) == DONE, nursery.said()
        assert (stub.twice(), stub.distinct(), running.numbers(services).state) == ({}, READERS, "sent")


def test_a_closed_window_does_not_end_it_in_a_call(program: Program, stub: Stub) -> None:
    """Nobody reads what it logs any more, as after `2>&1 | head`: every call is recorded all the same."""
    with closing(approved(running.through(stub, program, DIGEST_BATCH_SIZE="2"))) as services:
        with running.started(program, "-m", "digest", *SEND, unheard=True) as process:
            process.wait(running.PATIENCE)

        found = running.numbers(services)
        assert (found.state, found.accepted, stub.distinct()) == ("sent", READERS, READERS)


def test_asked_twice_it_ends_at_once(program: Program, nursery: Nursery, stub: Stub) -> None:
    """A provider that hangs: the second Ctrl-C waits for nothing. The next run names at once what is uncertain."""
    settings = {"DIGEST_BATCH_SIZE": "2", "DIGEST_SEND_CONCURRENCY": "1"}
    with closing(approved(running.through(stub, program, **settings))) as services:
        stub.faults("ok", "hang")
        began = time.monotonic()
        code = nursery.run(*SEND, send=[signal.SIGINT] * 2, once="batch accepted", after=0.3, apart=0.3)

        assert code == STOPPED
        assert time.monotonic() - began < 20
        assert (running.numbers(services).accepted, running.numbers(services).in_flight) == (2, 2)
        assert nursery.run(*SEND) == IN_PART
        assert [batch.why for batch in uncertain(services)] == [
            "the process that made the call ended before it could note the answer"
        ]
        found = running.numbers(services)
        assert (found.state, found.accepted, found.uncertain, found.waiting) == ("halted", READERS - 2, 2, 0)
        assert stub.twice() == {}
