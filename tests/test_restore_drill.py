"""The drill: the database is lost and a backup restored, by the real commands in real processes, on both databases.

Nobody is mailed twice, which the provider's stand-in counts, and nobody comes back.
"""

from __future__ import annotations

import json
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from database import Base
from digest import approving, jobs
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Edition
from digest.people import erasing
from digest.web.app import create_app
from subscribers import addresses, consent
from subscribers.models import State, Subscriber
from subscribers.policy import Act
from tests import make, running
from tests.conftest import Program
from tests.running import Nursery
from tests.sendgrid_stub import Stub, running_stub

READERS = 40
SEND = ("edition", "send", make.WEEK, "--yes", "--skip-undo")
DONE, COULD_NOT, IN_PART = 0, 1, 3
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


def approved(program: Program, stub: Stub, **more: str) -> Services:
    """An approved edition for reader0 … reader39, in batches of two."""
    services = running.through(stub, program, DIGEST_BATCH_SIZE="2", **more)
    make.approved(services, readers=READERS)
    services.database.dispose()
    return services


def lose(services: Services) -> None:
    """The database is gone, and every process with it: the file, or every row."""
    services.database.dispose()
    if services.database.is_sqlite:
        for path in Path(str(services.database.url.database)).parent.glob("digest.db*"):
            path.unlink()
        return
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE")
    services.database.dispose()


def done(nursery: Nursery, *arguments: str) -> str:
    """What a command that must succeed has printed."""
    code = nursery.run(*arguments)
    assert code == DONE, nursery.said()
    return nursery.said()


def states(services: Services) -> dict[str, State]:
    with services.database.reading() as session:
        found = {each.email.partition("@")[0]: each.state for each in session.scalars(sa.select(Subscriber))}
    services.database.dispose()
    return found


def reader(session: Any, number: int) -> Subscriber:
    found: Subscriber = session.scalars(
        sa.select(Subscriber).where(Subscriber.email == f"reader{number}@example.com")
    ).one()
    return found


def mailed(stub: Stub) -> int:
    """How many recipients the provider has taken, over all requests."""
    count: int = stub.state()["recipients"]
    return count


def test_the_database_is_lost_after_a_send(program: Program, nursery: Nursery, stub: Stub) -> None:
    """A backup from before: whoever left since stays out, the edition stays halted, the next one goes to the rest."""
    with closing(approved(program, stub)) as services:
        done(nursery, "backup", "backup.db")
        done(nursery, *SEND)
        assert (READERS, READERS) == (stub.distinct(), mailed(stub))
        leave_in_every_way(services)
        lose(services)

        report = json.loads(done(nursery, "restore", "backup.db", "--json"))

        assert ([make.WEEK], {"erased": 1, "suppressed": 1, "unsubscribed": 1}) == (
            report["never_again"],
            report["people"],
        )
        check_nobody_is_mailed_again(program, nursery, services, stub)
        check_nobody_comes_back(program, nursery, services)
        done(nursery, "audit", "verify")
        next_week(services, nursery, stub)


def leave_in_every_way(services: Services) -> None:
    """One click, a complaint, an erasure; and somebody the backup never knew comes and leaves."""
    now = datetime.now(UTC)
    with services.database.reading() as session:
        link = services.links.unsubscribe_url(reader(session, 0).link_id)
    path = link.removeprefix(services.settings.digest_site_url)
    answer = TestClient(create_app(services)).post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    with services.database.writing() as session:
        consent.suppress(session, reader(session, 1), Act.COMPLAIN, because="spam", now=now, source="test")
        erasing.erase(session, reader(session, 2), now=now, by="test")
        late = consent.add(
            session, consent.Newcomer(addresses.parse("late@example.com")), basis=make.BASIS, now=now, source="test"
        ).subscriber
        consent.unsubscribe(session, late, now=now, source="test")


def check_nobody_is_mailed_again(program: Program, nursery: Nursery, services: Services, stub: Stub) -> None:
    before = mailed(stub)
    for command in (
        SEND,
        ("edition", "resume", make.WEEK, "--why", "x", "--stale"),
        ("edition", "reopen", make.WEEK, "--why", "x"),
        ("edition", "approve", make.WEEK, "--by", "edda", "--at", "now"),
    ):
        assert nursery.run(*command) == COULD_NOT, nursery.said()
    assert "never goes out again" in nursery.said()
    with running.started(program, "-m", "scheduler", "--once", "send") as process:
        assert process.wait(running.PATIENCE) == DONE
    # Not by today's date: from the next week's cut-off on, the clock would make that week's draft.
    shift = jobs.Shift(clock=lambda: make.SEND + timedelta(hours=1), stop=threading.Event())
    for job in (jobs.draft, jobs.rescue, jobs.send):
        job(services, shift)
    assert (before, {}) == (mailed(stub), stub.twice())
    with services.database.reading() as session:
        edition = session.scalars(sa.select(Edition).where(Edition.week == make.WEEK)).one()
        assert edition.state == "halted"
    services.database.dispose()


def check_nobody_comes_back(program: Program, nursery: Nursery, services: Services) -> None:
    """Neither by the restore nor by an old list, a second time either."""
    gone = {"reader0": State.UNSUBSCRIBED, "reader1": State.SUPPRESSED}
    expected = gone | {f"reader{number}": State.ACTIVE for number in range(3, READERS)}
    assert expected == states(services)
    names = [*(f"reader{number}" for number in range(READERS)), "late"]
    (program.folder / "old.csv").write_text("email\n" + "".join(f"{name}@example.com\n" for name in names))
    for _ in range(2):
        assert nursery.run("subscribers", "import", "old.csv", "--confirmed-by", "an-old-list") in (DONE, IN_PART)
    assert nursery.run("subscribers", "add", "late@example.com", "--confirmed-by", "a-friend") == COULD_NOT
    assert expected == states(services)


def next_week(services: Services, nursery: Nursery, stub: Stub) -> None:
    """The newsletter goes on: the next edition reaches exactly those who are left."""
    week, cutoff, leaves = "2026-W48", make.CUTOFF + timedelta(days=7), make.SEND + timedelta(days=7)
    make.draft(services, week=week, now=cutoff)
    approving.approve(services, week, by="edda", send_at=leaves, seen_hash=None, now=cutoff)
    services.database.dispose()
    before = mailed(stub)
    done(nursery, "edition", "send", week, "--yes", "--skip-undo")

    assert READERS - 3 == mailed(stub) - before


def test_the_backup_was_made_while_it_went_out(program: Program, nursery: Nursery, stub: Stub) -> None:
    """What it could not know is uncertain; resuming hands nothing over, and what people settle is accepted once."""
    with closing(approved(program, stub, DIGEST_SEND_CONCURRENCY="2")) as services:
        stub.faults(chances={"slow:0.3": 1.0})
        done(nursery, "edition", "status", make.WEEK)  # from here on a command starts at once
        with running.started(program, "-m", "digest", *SEND) as process:
            running.until(lambda: stub.distinct() >= 6)
            done(nursery, "backup", "backup.db")
            assert process.wait(running.PATIENCE) == DONE
        assert (READERS, {}) == (stub.distinct(), stub.twice())
        lose(services)

        report = json.loads(done(nursery, "restore", "backup.db", "--json"))

        assert ([make.WEEK], []) == (report["halted"], report["never_again"])
        found = running.numbers(services)
        assert 0 < found.uncertain == READERS - found.accepted
        assert (found.adds_up, found.waiting + found.in_flight) == (True, 0)
        assert nursery.run(*SEND) == IN_PART
        assert f"{make.WEEK} is halted: restored from a backup" in nursery.said()
        done(nursery, "edition", "resume", make.WEEK, "--why", "mended")
        assert nursery.run(*SEND) == IN_PART, nursery.said()
        assert (READERS, {}) == (mailed(stub), stub.twice())
        for batch in uncertain(services):
            done(nursery, "batches", "settle", str(batch), "--accepted", "--why", "its-own-log")
        done(nursery, "edition", "resume", make.WEEK, "--why", "settled")
        done(nursery, *SEND)
        assert (running.numbers(services).accepted, mailed(stub), stub.twice()) == (READERS, READERS, {})


def uncertain(services: Services) -> list[int]:
    with services.database.reading() as session:
        found = list(session.scalars(sa.select(Batch.id).where(Batch.state == BatchState.UNCERTAIN)))
    services.database.dispose()
    return found


def test_killed_at_any_moment_a_restore_leaves_nothing_that_sends(
    program: Program, nursery: Nursery, stub: Stub
) -> None:
    """A dozen kill -9 in the middle of it: the database is as it was lost, or restored whole. It never sends."""
    with closing(approved(program, stub)) as services:
        done(nursery, "backup", "backup.db")
        done(nursery, *SEND)
        leave_in_every_way(services)
        lose(services)
        chance, codes, longest = random.Random(5), [], 0.8
        for _ in range(KILLS):
            after = chance.uniform(0, longest)
            codes.append(nursery.run("restore", "backup.db", "--replace", send=[signal.SIGKILL], after=after))
            # How long a restore takes is the machine's to say.
            longest = longest if codes[-1] == -signal.SIGKILL else max(after, 0.01)
            left = states(services) if there(services) else {}
            assert len(left) in (0, READERS - 1), nursery.said()
            assert (left.get("reader0"), left.get("reader1")) in (
                (None, None),
                (State.UNSUBSCRIBED, State.SUPPRESSED),
            )
            assert nursery.run(*SEND) == COULD_NOT
            assert mailed(stub) == READERS
        assert codes.count(-signal.SIGKILL) >= 3

        done(nursery, "restore", "backup.db", "--replace")
        check_nobody_is_mailed_again(program, nursery, services, stub)
        assert not list(program.folder.glob(".digest-restoring-*"))


def there(services: Services) -> bool:
    url = services.database.url
    return not services.database.is_sqlite or Path(str(url.database)).exists()


def test_a_restore_says_what_it_needs(program: Program, nursery: Nursery, stub: Stub) -> None:
    """No journal, a database that holds something, a file that is no backup: one sentence each, and exit 1."""
    with closing(approved(program, stub)) as services:
        done(nursery, "backup", "backup.db")
        assert nursery.run("backup", "backup.db") == COULD_NOT
        assert "exists; nothing was written" in nursery.said()
        assert nursery.run("restore", "backup.db") == COULD_NOT
        assert "--replace" in nursery.said()
        lose(services)
        assert nursery.run("restore", "backup.db", "--no-journal") == COULD_NOT
        assert "leave out --no-journal" in nursery.said()
        journal = program.folder / "digest-journal.jsonl"
        journal.rename(program.folder / "rescued.jsonl")
        assert nursery.run("restore", "backup.db") == COULD_NOT
        assert "There is no journal" in nursery.said()
        assert nursery.run("restore", "backup.db", "--no-journal", "--journal", "rescued.jsonl") == 2
        assert nursery.run("restore", "rescued.jsonl", "--no-journal") == COULD_NOT
        assert "is not a backup" in nursery.said()
        said = done(nursery, "restore", "backup.db", "--journal", "rescued.jsonl")
        assert f"{make.WEEK} is halted" in said
        assert "0 lines were written after the backup was made" in said
        assert "is it the newest copy?" in said
        report = json.loads(done(nursery, "restore", "backup.db", "--no-journal", "--replace", "--json"))
        assert [make.WEEK] == report["never_again"]
        assert ["people who left since may be written to again."] == [each[-46:] for each in report["warnings"]]
        assert report["lines_of_what_was_there"] == 0
        assert nursery.run(*SEND) == COULD_NOT
        assert mailed(stub) == 0
