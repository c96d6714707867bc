"""Lists uploaded by staff: checked, decided, brought in; whoever does the work may die at any moment."""

from __future__ import annotations

import io
import signal
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from database import Database
from digest.models import ImportState, Letter, ListImport
from digest.people import importing, imports
from digest.people.imports import Tally
from subscribers import consent, transfer
from subscribers.models import ConsentEvent, State, Subscriber
from tests import make, running
from tests.conftest import Program

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OTTO = "staff 1"
BASIS = "they ticked the box at our stand in May"

LIST = """email,name
ada@example.com,Ada Quist
nobody at all,No Address
nobody@,Half
ada@example.com,Ada again
ben@example.org,Ben
"""


def uploaded(database: Database, text: str = LIST, *, name: str = "list.csv", now: datetime = NOW) -> int:
    with database.writing() as session:
        content = imports.compressed(io.BytesIO(text.encode()))
        return imports.receive(session, content, file_name=name, by=OTTO, now=now).id


def worked(database: Database, *, at: datetime = NOW) -> str | None:
    return importing.work_next(database, clock=lambda: at)


def checked(database: Database, text: str = LIST) -> int:
    number = uploaded(database, text)
    worked(database)
    return number


def decided(
    database: Database, number: int, *, basis: str | None = BASIS, write_to_many: bool = False, at: datetime = NOW
) -> None:
    with database.writing() as session:
        imports.bring_in(session, number, basis=basis, write_to_many=write_to_many, now=at)


def found(database: Database, number: int) -> ListImport:
    with database.reading() as session:
        return imports.find(session, number)


def tally(database: Database, number: int) -> Tally:
    result = imports.tally_of(found(database, number))
    assert result is not None
    return result


def kept(database: Database, number: int) -> bytes | None:
    with database.reading() as session:
        return session.scalars(sa.select(ListImport.content).where(ListImport.id == number)).one()


def count(database: Database, row: type[Subscriber | ConsentEvent | Letter]) -> int:
    with database.reading() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(row)).one()


def people(size: int) -> str:
    return "email\n" + "".join(f"reader{n}@example.com\n" for n in range(size))


# — checking —


def test_a_check_reports_and_writes_nobody(database: Database) -> None:
    """Counts, each bad line by number and reason, and the letters it would owe; nobody is added."""
    number = checked(database)
    report = tally(database, number)

    assert ImportState.CHECKED == found(database, number).state
    assert (5, 2, 1, 2) == (report.lines, report.added, report.duplicates, report.bad)
    assert 2 == report.letters
    assert [3, 4] == [line["line"] for line in report.bad_lines]
    assert all(line["reason"].endswith(".") for line in report.bad_lines)
    assert 0 == count(database, Subscriber) == count(database, Letter)


def test_a_report_adds_up(database: Database) -> None:
    """Every line is in exactly one place of the report, before and after bringing in."""
    with database.writing() as session:
        make.cast(session)
    number = checked(database, LIST + "cleo@example.com\ndov@example.com\n")
    before = tally(database, number)
    decided(database, number)
    worked(database)

    for report in (before, tally(database, number)):
        there = sum(report.left_there.values())
        parts = (report.brought_in, report.left_as_they_are, there, report.duplicates, report.bad)
        assert 7 == report.lines == sum(parts)


def test_whose_list_it_is_stands_in_the_report(sqlite: Database) -> None:
    """An export of another program is recognised; whom it does not show as subscribed is left there."""
    header = "Email Address,First Name,LEID,EUID,UNSUB_TIME\n"
    report = tally(sqlite, checked(sqlite, f"{header}ada@example.com,Ada,1,e1,2026-01-02 10:00:00\n"))

    assert "Mailchimp" in report.dialect
    assert (1, 0, 1) == (report.lines, report.added, sum(report.left_there.values()))


def test_a_file_that_is_no_list_fails_with_the_reason(sqlite: Database) -> None:
    """What cannot be read is said in a sentence, and its content is not kept."""
    number = uploaded(sqlite, "name,age\nAda,36\n")
    worked(sqlite)

    assert ImportState.FAILED == found(sqlite, number).state
    assert "email" in (found(sqlite, number).problem or "")
    assert kept(sqlite, number) is None
    assert worked(sqlite) is None


@pytest.mark.parametrize(
    "text",
    [
        "Ada Quist,a1.quist@example.com\n",
        "name,age\nAda,36\n",
        "email,created_at\nben@example.org,a1.quist@example.com\n",
        f"email,created_at\nben@example.org,{'quist.' * 9}q@example.com\n",
        "email\na1.quist@\na1.quist@@example.com\nA Quist <a1.quist@example.com>\n",
    ],
)
def test_no_address_is_kept_in_what_is_said_of_a_list(sqlite: Database, text: str) -> None:
    """Neither in the problem nor in the reasons of bad lines nor in the name: they stay when people are erased."""
    number = uploaded(sqlite, text, name="all of a1.quist@example.com")
    worked(sqlite)
    row = found(sqlite, number)

    said = f"{row.file_name} {row.problem} {row.report}".casefold()
    assert "quist" not in said
    assert "@" not in said.replace("the @-sign", "")
    assert row.problem or row.report


def test_only_the_first_bad_lines_are_kept(sqlite: Database) -> None:
    """A file of nothing but nonsense makes a short report, with the whole number."""
    number = checked(sqlite, "email\n" + "nonsense\n" * (importing.MOST_BAD_LINES + 50))
    report = tally(sqlite, number)

    assert importing.MOST_BAD_LINES == len(report.bad_lines)
    assert importing.MOST_BAD_LINES + 50 == report.bad


def test_a_file_name_is_one_short_line(sqlite: Database) -> None:
    """A name from outside is folded and cut; one that is empty is given a plain name."""
    long = found(sqlite, uploaded(sqlite, name="a\r\nb\u202e" + "x" * 500)).file_name

    assert long.startswith("a b")
    assert imports.LONGEST_FILE_NAME >= len(long)
    assert "list.csv" == found(sqlite, uploaded(sqlite, name=" ")).file_name


# — deciding —


def test_with_a_basis_people_are_active_and_nobody_is_written_to(database: Database) -> None:
    """The basis and who gave it stand in the proof of each."""
    number = checked(database)
    decided(database, number)
    worked(database)

    with database.reading() as session:
        added = session.scalars(sa.select(Subscriber).order_by(Subscriber.email_key)).all()
        proof = session.scalars(sa.select(ConsentEvent)).first()
    assert [("ada@example.com", State.ACTIVE, BASIS), ("ben@example.org", State.ACTIVE, BASIS)] == [
        (each.email, each.state, each.basis) for each in added
    ]
    assert proof is not None
    assert f"import {number} of list.csv, staff 1" == proof.source
    assert (2, 0) == (tally(database, number).added, count(database, Letter))


def test_without_a_basis_everybody_new_gets_one_letter(database: Database) -> None:
    """They are pending, and the report says how many letters are owed."""
    number = checked(database)
    decided(database, number, basis=None)
    worked(database)

    assert 2 == tally(database, number).letters == count(database, Letter)
    with database.reading() as session:
        assert {State.PENDING} == set(session.scalars(sa.select(Subscriber.state)))


def test_many_letters_need_an_explicit_yes(sqlite: Database) -> None:
    """501 letters are not owed by a slip of the hand; 500 are."""
    many, few = checked(sqlite, people(501)), checked(sqlite, people(500))

    with pytest.raises(imports.TooManyLetters, match="501"):
        decided(sqlite, many, basis=None)
    decided(sqlite, many, basis=None, write_to_many=True)
    decided(sqlite, few, basis=None)


@pytest.mark.parametrize("basis", ["", "   ", "x" * 501])
def test_a_basis_is_words(sqlite: Database, basis: str) -> None:
    """An empty or endless basis is none, and nothing begins."""
    number = checked(sqlite)

    with pytest.raises(imports.BadBasis):
        decided(sqlite, number, basis=basis)
    assert ImportState.CHECKED == found(sqlite, number).state


def test_what_is_decided_is_decided_once(database: Database) -> None:
    """A second press, a press before the check and one after leaving it behind change nothing."""
    early = uploaded(database)
    with pytest.raises(imports.NothingToDecide):
        decided(database, early)
    worked(database)
    decided(database, early)
    with pytest.raises(imports.NothingToDecide):
        decided(database, early)
    worked(database)
    gone = checked(database)
    with database.writing() as session:
        imports.leave(session, gone, because="left behind by staff 1", now=NOW)
    with pytest.raises(imports.NothingToDecide):
        decided(database, gone)
    with pytest.raises(imports.NoSuchImport):
        decided(database, 10_000)


def test_the_content_is_gone_in_the_end(database: Database) -> None:
    """Brought in, left behind, or undecided for a week: no file with addresses stays."""
    done, left, forgotten = (checked(database) for _ in range(3))
    decided(database, done)
    worked(database)
    with database.writing() as session:
        imports.leave(session, left, because="left behind by staff 1", now=NOW)
    assert kept(database, forgotten) is not None

    with database.writing() as session:
        assert 0 == imports.forget_undecided(session, now=NOW + imports.KEEP_CHECKED)
        assert 1 == imports.forget_undecided(session, now=NOW + imports.KEEP_CHECKED + timedelta(seconds=1))
    assert [None] * 3 == [kept(database, number) for number in (done, left, forgotten)]
    assert imports.is_left_behind(found(database, forgotten))
    assert not imports.is_left_behind(found(database, done))


def test_bringing_the_same_list_in_again_does_nothing(database: Database) -> None:
    """The second import finds everybody as the first made them."""
    for _ in range(2):
        number = checked(database)
        decided(database, number)
        worked(database)

    assert (0, 2) == (tally(database, number).brought_in, tally(database, number).left_as_they_are)
    assert 2 == count(database, Subscriber) == count(database, ConsentEvent)


def test_nobody_who_said_no_comes_back(database: Database) -> None:
    """Unsubscribed, suppressed and erased people stay away, and the report says why."""
    with database.writing() as session:
        cast = make.cast(session)
        consent.erase(session, cast["ada"], now=NOW)
    text = "email\n" + "".join(f"{name}@example.com\n" for name in ("ada", "cleo", "dov"))
    number = checked(database, text)
    decided(database, number)
    worked(database)

    assert 0 == tally(database, number).brought_in
    assert 3 == len(tally(database, number).unchanged)


# — workers that stop, die, and meet —


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "CHUNK", 10)


def test_a_list_in_work_is_left_alone(database: Database) -> None:
    """While the lease holds nobody else begins; when it has run out somebody does."""
    number = uploaded(database)
    with database.writing() as session:
        session.execute(sa.update(ListImport).values(lease_until=NOW + timedelta(seconds=1)))

    assert worked(database) is None
    assert f"import {number} checked: 5 lines" == worked(database, at=NOW + timedelta(seconds=1))


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("basis", [BASIS, None])
def test_asked_to_stop_it_goes_on_elsewhere_at_once(database: Database, basis: str | None) -> None:
    """A worker that is stopped after a chunk lets go; the next one ends it, and the report counts everybody once."""
    number = checked(database, people(35))
    decided(database, number, basis=basis)

    said = importing.work_next(database, clock=lambda: NOW, stopped=lambda: True)
    assert f"import {number} interrupted" == said
    assert 10 == count(database, Subscriber)
    worked(database)

    report = tally(database, number)
    assert (35, 25, 10, 0) == (report.brought_in, report.added, report.earlier, report.left_as_they_are)
    assert (0 if basis else 35) == report.letters == count(database, Letter)
    assert 35 == count(database, Subscriber) == count(database, ConsentEvent)


@pytest.mark.usefixtures("small_chunks")
def test_a_worker_that_lost_its_lease_stops(database: Database) -> None:
    """It notices at its next chunk, leaves the row to the other one, and nobody is in twice."""
    number = checked(database, people(35))
    decided(database, number)
    later = NOW + importing.LEASE * 2
    moments = iter([NOW])

    def clock() -> datetime:
        """At the first chunk another worker finds the lease run out."""
        for moment in moments:
            return moment
        assert f"import {number} brought in: 35 people" == worked(database, at=later) or True
        return later

    assert f"import {number} left to somebody else" == importing.work_next(database, clock=clock)
    assert (ImportState.DONE, 35) == (found(database, number).state, tally(database, number).brought_in)
    assert 35 == count(database, Subscriber) == count(database, ConsentEvent)


def test_a_check_that_is_left_behind_meanwhile_does_not_come_back(sqlite: Database) -> None:
    """Whoever decides while a worker still runs wins: the worker's end changes nothing."""
    number = checked(sqlite)
    with sqlite.writing() as session:
        imports.leave(session, number, because="left behind by staff 1", now=NOW)

    assert worked(sqlite, at=NOW + timedelta(hours=1)) is None
    assert imports.is_left_behind(found(sqlite, number))


def test_a_killed_worker_is_taken_over(program: Program) -> None:
    """kill -9 in the middle: when the lease has run out another process ends it; everybody is there once."""
    size = 16_000
    services = running.to_the_outbox(program)
    with closing(services):
        database = services.database
        number = uploaded(database, people(size), now=datetime.now(UTC))
        importing.work_next(database, clock=lambda: datetime.now(UTC))
        decided(database, number, basis=None, write_to_many=True, at=datetime.now(UTC))
        with running.started(program, "-c", "import scheduler; scheduler.main(['--once', 'imports'])") as worker:
            running.until(lambda: found(database, number).lines_done)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        begun = count(database, Subscriber)

        assert ImportState.BRINGING_IN == found(database, number).state
        assert 0 < begun < size
        time.sleep(0.01)
        assert importing.work_next(database, clock=lambda: datetime.now(UTC)) is None
        said = importing.work_next(database, clock=lambda: datetime.now(UTC) + importing.LEASE)

        assert f"import {number} brought in: {size:,} people" == said
        report = tally(database, number)
        assert (size, begun, 0) == (report.brought_in, report.earlier, report.left_as_they_are)
        assert size == report.letters == count(database, Letter)
        assert size == count(database, Subscriber) == count(database, ConsentEvent)


def test_a_failure_that_nobody_foresaw_ends_it(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would only fail again, so it is not begun again; what went wrong is said and the content dropped."""

    def broken(*args: object, **kwargs: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(transfer, "bring_in", broken)
    number = uploaded(sqlite)

    assert f"import {number} failed" == worked(sqlite)
    assert "KeyError" in (found(sqlite, number).problem or "")
    assert (ImportState.FAILED, None) == (found(sqlite, number).state, kept(sqlite, number))


def test_the_report_counts_one_reader_once(sqlite: Database) -> None:
    """Of the people left as they are, those whom the interrupted run brought in are taken off, and no others."""
    by_reason = {"is subscribed already": 12, "has unsubscribed": 20}

    assert {"is subscribed already": 2, "has unsubscribed": 20} == importing._counted_once(by_reason, 10, BASIS)
    assert {"has unsubscribed": 17} == importing._counted_once(by_reason, 15, BASIS)
