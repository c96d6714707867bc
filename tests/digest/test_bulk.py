"""One act on everybody found: counted, decided one by one, in short transactions, and safe to run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest.models import AuditLine, Letter
from digest.people import bulk
from digest.people.bulk import BulkAct, CountChanged, Done, NoReason, Selection, TooMany
from subscribers import consent, roster
from subscribers.models import ConsentEvent, State, Subscriber
from subscribers.policy import Act
from tests import make

NOW = make.SEEN + timedelta(days=1)
READERS = Selection("reader")


def run(database: Database, selection: Selection, act: BulkAct = BulkAct.UNSUBSCRIBE, **given: object) -> Done:
    """As from the page: with the count that it showed."""
    with database.reading() as session:
        seen = bulk.forecast(session, selection).count
    values = {"seen": seen, "because": "they asked by telephone", "by": "staff 3", "now": NOW}
    return bulk.act_on_all(database, selection, act, **(values | given))  # type: ignore[arg-type]


def states(session: Session) -> dict[str, State]:
    return {person.email: person.state for person in session.scalars(sa.select(Subscriber))}


def test_everybody_found_is_unsubscribed_and_nobody_else(database: Database) -> None:
    """Across chunks and pages: all who match, with the reason and who did it as proof."""
    with database.writing() as session:
        make.audience(session, 2 * bulk.CHUNK + 7)
        make.cast(session)

    assert Done(2 * bulk.CHUNK + 7, Counter()) == run(database, READERS)
    with database.reading() as session:
        counts = roster.counts(session)
        event = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.id.desc()).limit(1)).one()
    assert (1, 2 * bulk.CHUNK + 8) == (counts[State.ACTIVE], counts[State.UNSUBSCRIBED])
    assert ("unsubscribed", "staff 3", "they asked by telephone") == (event.kind, event.source, event.wording)


def test_each_is_decided_on_by_themselves(database: Database) -> None:
    """Whom nothing happens to is counted by the reason, in policy's words; the sum is everybody found."""
    with database.writing() as session:
        cast = make.cast(session)
        consent.suppress(session, cast["ada"], Act.COMPLAIN, because="reported", now=make.SEEN, source="provider")

    done = run(database, Selection("example.com"), BulkAct.SUPPRESS)
    assert (3, {"is suppressed after a complaint, for ever": 1}) == (done.changed, dict(done.left_by))
    with database.reading() as session:
        assert {State.SUPPRESSED} == set(states(session).values())


def test_run_again_it_changes_nobody_twice(database: Database) -> None:
    """A press repeated after an interruption finds what is left and leaves the rest."""
    with database.writing() as session:
        make.audience(session, 5)
    run(database, READERS)
    again = run(database, READERS)

    assert (0, 5) == (again.changed, again.left)
    with database.reading() as session:
        assert 5 == session.scalar(sa.select(sa.func.count()).where(ConsentEvent.kind == Act.UNSUBSCRIBE))


def test_a_stale_count_does_nothing(database: Database) -> None:
    """Somebody came between the page and the press: refused, with the new count."""
    with database.writing() as session:
        make.audience(session, 4)

    with pytest.raises(CountChanged, match="found 3 when the page was shown and finds 4 now") as refused:
        run(database, READERS, seen=3)
    assert 4 == refused.value.now
    with database.reading() as session:
        assert 4 == roster.counts(session)[State.ACTIVE]
        assert [] == session.scalars(sa.select(AuditLine)).all()


def test_more_than_the_most_do_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused before anybody is touched; exactly the most is not."""
    with database.writing() as session:
        make.audience(session, 6)
    monkeypatch.setattr(bulk, "MOST", 5)

    with pytest.raises(TooMany):
        run(database, READERS)
    monkeypatch.setattr(bulk, "MOST", 6)
    assert 6 == run(database, READERS).changed


@pytest.mark.parametrize("because", ["", "  ", "\x00\u202e"])
def test_a_reason_is_needed(database: Database, because: str) -> None:
    """Without one that can be seen nothing is done."""
    with database.writing() as session:
        make.audience(session, 1)

    with pytest.raises(NoReason):
        run(database, READERS, because=because)


def test_one_line_in_the_log_that_names_nobody(database: Database) -> None:
    """The count, the state, and of the text only a keyed hash: it may be somebody's whole address."""
    with database.writing() as session:
        make.audience(session, bulk.CHUNK + 1)
        make.subscriber(session, "ada@example.com")
    run(database, Selection("ada@example.com", State.ACTIVE))
    run(database, Selection("reader", State.ACTIVE))
    run(database, Selection("ada@example.com", State.UNSUBSCRIBED))

    with database.reading() as session:
        lines = session.scalars(sa.select(AuditLine).order_by(AuditLine.id)).all()
    first, second, third = (line.details for line in lines)
    assert {"staff 3"} == {line.by for line in lines}
    assert {"unsubscribe everybody found"} == {line.what for line in lines}
    assert (1, bulk.CHUNK + 1, 1) == (first["people"], second["people"], third["people"])
    assert ("active", "unsubscribed") == (first["state"], third["state"])
    assert first["search"] == third["search"] != second["search"]
    assert not any("ada" in str(line.details) or "reader" in str(line.details) for line in lines)


def test_nothing_found_is_nothing_noted(database: Database) -> None:
    """No people, no line."""
    assert Done(0, Counter()) == run(database, READERS)
    with database.reading() as session:
        assert [] == session.scalars(sa.select(AuditLine)).all()


def test_who_left_the_selected_state_meanwhile_is_left_alone(database: Database) -> None:
    """“All pending” is not about somebody who confirms a moment before their turn."""
    with database.writing() as session:
        make.audience(session, bulk.CHUNK)
        late = make.subscriber(session, "reader-late@example.com")

    with before_second_transaction(database, lambda session: unsubscribe(session, late)):
        done = run(database, Selection("reader", State.ACTIVE), BulkAct.SUPPRESS)
    assert (bulk.CHUNK, {"has become unsubscribed meanwhile": 1}) == (done.changed, dict(done.left_by))
    with database.reading() as session:
        assert State.UNSUBSCRIBED is states(session)[late.email]


def test_who_was_erased_meanwhile_is_counted(database: Database) -> None:
    """Nobody found goes missing from the report."""
    with database.writing() as session:
        make.audience(session, bulk.CHUNK)
        late = make.subscriber(session, "reader-late@example.com")

    with before_second_transaction(database, lambda session: erase(session, late)):
        done = run(database, READERS)
    assert (bulk.CHUNK, {"was erased meanwhile": 1}) == (done.changed, dict(done.left_by))


def test_interrupted_it_keeps_what_is_done_and_the_line(database: Database) -> None:
    """The log knows of it from the first change on, and a second press does the rest."""
    with database.writing() as session:
        make.audience(session, bulk.CHUNK + 3)

    def cut(session: Session) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), before_second_transaction(database, cut):
        run(database, READERS)
    with database.reading() as session:
        assert 3 == roster.counts(session)[State.ACTIVE]
        assert 1 == len(session.scalars(sa.select(AuditLine)).all())
    assert (3, bulk.CHUNK) == ((rest := run(database, READERS)).changed, rest.left)


def test_who_there_is_no_time_for_is_named_and_done_by_the_next_press(database: Database) -> None:
    """An answer comes in time: changed, left and unreached are together everybody found."""
    with database.writing() as session:
        make.audience(session, 2 * bulk.CHUNK + 1)
    answers = iter([True, False])

    assert Done(2 * bulk.CHUNK, Counter(), unreached=1) == run(database, READERS, goes_on=lambda: next(answers))
    assert (1, 2 * bulk.CHUNK, 0) == ((rest := run(database, READERS)).changed, rest.left, rest.unreached)


def test_the_forecast_adds_up(database: Database) -> None:
    """By state, all four or the one that was chosen."""
    with database.writing() as session:
        make.cast(session)
        make.audience(session, 3)

    with database.reading() as session:
        everybody = bulk.forecast(session, Selection())
        active = bulk.forecast(session, Selection("example", State.ACTIVE))
    assert (7, {State.PENDING: 1, State.ACTIVE: 4, State.UNSUBSCRIBED: 1, State.SUPPRESSED: 1}) == (
        everybody.count,
        everybody.by_state,
    )
    assert (4, {State.ACTIVE: 4}) == (active.count, active.by_state)


def test_nobody_is_mailed_about_it(database: Database) -> None:
    """Stopping mail owes no letter."""
    with database.writing() as session:
        make.cast(session)
    for act in BulkAct:
        run(database, Selection(), act)

    with database.reading() as session:
        assert [] == session.scalars(sa.select(Letter)).all()


def unsubscribe(session: Session, person: Subscriber) -> None:
    consent.unsubscribe(session, session.get_one(Subscriber, person.id), now=NOW, source="unsubscribe link")


def erase(session: Session, person: Subscriber) -> None:
    consent.erase(session, session.get_one(Subscriber, person.id), now=NOW)


@contextmanager
def before_second_transaction(database: Database, act: object) -> Iterator[None]:
    """Somebody else's transaction, committed between the first chunk and the second."""
    committed = [0]

    def hook(session: Session) -> None:
        committed[0] += 1

    first = database.writing

    @contextmanager
    def writing() -> Iterator[Session]:
        if committed[0] == 1:
            committed[0] += 1
            with first() as session:
                act(session)  # type: ignore[operator]
        with first() as session:
            yield session

    database.before_commit.append(hook)
    database.writing = writing  # type: ignore[method-assign]
    try:
        yield
    finally:
        database.before_commit.remove(hook)
        del database.writing
