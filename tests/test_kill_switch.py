"""`digest kill-switch`: everything stops within five seconds, in every process, and goes on when it is lifted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import sqlalchemy as sa

from digest import sending
from digest.bootstrap import Services
from digest.models import AuditLine
from digest.staff import audit
from tests import make, running
from tests.conftest import Program
from tests.sendgrid_stub import Stub, running_stub

READERS = 120
CLOCK = ("-m", "scheduler")
WITHIN = 5.0


@pytest.fixture
def stub() -> Iterator[Stub]:
    with running_stub(seed=7) as found:
        yield found


def calls(stub: Stub) -> int:
    found: int = stub.state()["mail_requests"]
    return found


def being_sent(services: Services) -> Services:
    """An edition prepared in batches of one."""
    make.approved(services, readers=READERS)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    services.database.dispose()
    return services


def test_no_call_begins_five_seconds_after_it_is_on(program: Program, stub: Stub) -> None:
    """Two clocks hand over; switched on, the calls end; lifted, the same clocks finish, nobody twice."""
    stub.faults(chances={"slow:1.5": 1.0})
    wired = running.through(stub, program, DIGEST_BATCH_SIZE="1", DIGEST_FIRST_WAVE="0", DIGEST_SEND_CONCURRENCY="2")
    with closing(being_sent(wired)) as services, ExitStack() as clocks:
        for _ in range(2):
            clocks.enter_context(running.started(program, *CLOCK))
        running.until(lambda: calls(stub) > 5)
        assert program("kill-switch", "on", "--why", "the links are wrong").returncode == 0
        time.sleep(WITHIN)
        then = calls(stub)
        time.sleep(WITHIN)

        assert then == calls(stub) < READERS
        assert running.numbers(services).waiting > 0
        stub.faults(chances={})
        assert program("kill-switch", "off", "--why", "mended").returncode == 0
        running.until(lambda: running.numbers(services).accepted == READERS)
        assert (stub.twice(), stub.distinct()) == ({}, READERS)


def test_it_says_whether_it_is_on(program: Program) -> None:
    """Off at first; on, with since when, by whom and why; on twice or off twice cannot be done."""
    assert "is off" in program("kill-switch").stdout
    assert json.loads(program("kill-switch", "--json").stdout)["on"] is False
    assert "nothing to lift" in program("kill-switch", "off", "--why", "x").stderr

    program("kill-switch", "on", "--why", "the links are wrong", "--by", "otto@example.com")
    shown = program("kill-switch").stdout
    told = json.loads(program("kill-switch", "--json").stdout)
    again = program("kill-switch", "on", "--why", "x")

    assert "by otto@example.com: the links are wrong" in shown
    assert (told["on"], told["by"], told["why"]) == (True, "otto@example.com", "the links are wrong")
    assert (again.returncode, again.stderr) == (1, "The kill switch is on already; nothing goes out.\n")
    assert program("kill-switch", "off", "--why", "mended").returncode == 0
    assert program("kill-switch", "off", "--why", "x").returncode == 1


def test_it_needs_a_reason_and_a_name_that_is_one(program: Program) -> None:
    """Exit 2 with a sentence, and it stays off."""
    assert program("kill-switch", "on").returncode == 2
    nobody = program("kill-switch", "on", "--why", "x", "--by", " ")

    assert (nobody.returncode, nobody.stderr) == (2, "--by says who does this; it cannot be empty.\n")
    assert "is off" in program("kill-switch").stdout


def test_both_ways_stand_in_the_audit_log(program: Program) -> None:
    """With the reason, without an address, and the chain is whole."""
    with closing(running.to_the_outbox(program)) as services:
        program("kill-switch", "on", "--why", "ada@example.com got it twice")
        program("kill-switch", "off", "--why", "it was another mail")
        with services.database.reading() as session:
            lines = session.execute(sa.select(AuditLine.what, AuditLine.details).order_by(AuditLine.id)).all()
            assert audit.verify(session) is None

    assert [tuple(line) for line in lines] == [
        ("kill switch on", {"why": "(an address) got it twice"}),
        ("kill switch off", {"why": "it was another mail"}),
    ]
