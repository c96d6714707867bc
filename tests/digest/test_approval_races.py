"""What editors do while the clock prepares: either it is on its way and they are told, or it is a draft and nobody
gets it. Many rounds, on threads with connections of their own."""

from __future__ import annotations

import itertools
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from database import Database
from digest import approving, audiences, editing, editions, preparing, sending
from digest.bootstrap import Services
from digest.models import Delivery, Edition, EditionState, RenderingRow
from tests import make

ROUNDS = 12
HEAD_START = 0.03
"""Seconds: from round to round now the first is ahead by half of it, now the others, so that each wins at times."""
_rounds = itertools.cycle(range(ROUNDS + 1))
DRAFT, APPROVED, SENDING, SENT = EditionState.DRAFT, EditionState.APPROVED, EditionState.SENDING, EditionState.SENT

Act = Callable[[Services], object]


@contextmanager
def own(of: Services) -> Iterator[Services]:
    """The same program, with connections of its own."""
    found = replace(of, database=Database(of.database.url.render_as_string(hide_password=False)))
    try:
        yield found
    finally:
        found.database.dispose()


def together(*acts: tuple[Services, Act]) -> list[object]:
    """Begun at one moment by as many threads: what each gave or raised."""
    gate, found = threading.Barrier(len(acts)), [None] * len(acts)
    heads_start = HEAD_START * next(_rounds) / ROUNDS

    def run(number: int, services: Services, act: Act) -> None:
        gate.wait(timeout=30)
        time.sleep(heads_start if number else HEAD_START / 2)
        try:
            found[number] = act(services)  # type: ignore[call-overload]
        except Exception as why:  # noqa: BLE001 - handed on to the test
            found[number] = why  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number, *act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(found)


@pytest.fixture
def due(services: Services) -> Iterator[tuple[Services, Services]]:
    """The program twice, with a few readers and an approved edition; its words can be changed."""
    with services.database.writing() as session:
        make.audience(session, 20)
    make.draft(services)
    with own(services) as other:
        yield services, other


def approve(of: Services) -> Edition:
    return approving.approve(of, make.WEEK, by="staff 1", send_at=make.SEND, seen_hash=None, now=make.APPROVED)


def found(of: Services) -> tuple[Edition, int, set[str]]:
    """The edition, how many deliveries it has, and the subjects that are frozen."""
    with of.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        deliveries = session.scalar(sa.select(sa.func.count()).select_from(Delivery)) or 0
        return edition, deliveries, set(session.scalars(sa.select(RenderingRow.subject)))


def make_it_a_draft_again(of: Services) -> None:
    """As if it had never been prepared, for the next round."""
    with of.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        for table in ("deliveries", "batches", "left_out", "renderings"):
            session.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - names of ours
        for column, value in editions.VOID.items():
            setattr(edition, column, value)
        edition.state, edition.prepared_at, edition.candidates = DRAFT, None, None


def clock_prepares(of: Services) -> None:
    sending.prepare(of, make.WEEK, by="the clock", now=make.SEND)


def clock_sends(of: Services) -> str:
    return sending.send_due(of, clock=lambda: make.SEND, stop=threading.Event())


def edits(words: str) -> Act:
    def act(of: Services) -> editing.Saved:
        with of.database.reading() as session:
            was = editions.find(session, make.WEEK).subject
        return editing.write(of.database, make.WEEK, "subject", was=was, words=words, by="staff 2", now=make.SEND)

    return act


def takes_back(of: Services) -> None:
    with of.database.writing() as session:
        editions.reopen(session, editions.find(session, make.WEEK), why="a typo", by="staff 2", now=make.SEND)


def test_an_edit_beside_the_clock(due: tuple[Services, Services]) -> None:
    """Saved and a draft again with nothing prepared, or refused because it is on its way in the words approved."""
    ours, theirs = due
    for number in range(ROUNDS):
        approve(ours)
        before = found(ours)[2]
        words = f"Other words about tools, take {string.ascii_letters[number]}"
        edit, clock = together((ours, edits(words)), (theirs, clock_prepares))

        edition, deliveries, frozen = found(ours)
        if isinstance(edit, editing.Saved):
            assert edit.voided
            assert isinstance(clock, preparing.NotYet), clock
            assert (edition.state, edition.subject, edition.approved_hash) == (DRAFT, words, None)
            assert (deliveries, frozen) == (0, set())
        else:
            assert isinstance(edit, editing.NotEditable), edit
            assert clock is None, clock
            assert edition.state is SENDING
            assert (deliveries, frozen, {edition.subject}) == (20, before, before)
        make_it_a_draft_again(ours)


def test_an_edit_beside_the_whole_of_sending(due: tuple[Services, Services]) -> None:
    """The clock's own round: what reaches the folder has the words that were approved, all of it or nothing."""
    ours, theirs = due
    for number in range(ROUNDS // 2):
        approve(ours)
        before = found(ours)[2]
        edit, _ = together(
            (ours, edits(f"Other words about tools, take {string.ascii_letters[number]}")), (theirs, clock_sends)
        )

        edition, deliveries, frozen = found(ours)
        if isinstance(edit, editing.Saved):
            assert (edition.state, deliveries, frozen) == (DRAFT, 0, set())
            continue
        assert isinstance(edit, editing.NotEditable), edit
        assert edition.state in (SENDING, SENT)
        assert (deliveries, frozen) == (20, before)
        break


def test_taking_back_beside_the_clock(due: tuple[Services, Services]) -> None:
    """Exactly one of them wins, and the other is told."""
    ours, theirs = due
    for _ in range(ROUNDS):
        approve(ours)
        back, clock = together((ours, takes_back), (theirs, clock_prepares))

        edition, deliveries, frozen = found(ours)
        if back is None:
            assert isinstance(clock, preparing.NotYet), clock
            assert (edition.state, deliveries, frozen) == (DRAFT, 0, set())
        else:
            assert isinstance(back, editions.NotThatMove), back
            assert clock is None, clock
            assert (edition.state, deliveries) == (SENDING, 20)
        make_it_a_draft_again(ours)


class Latecomer:
    """Somebody who does something in the middle of what we are doing, and waits for us where they must."""

    def __init__(self, services: Services, act: Act) -> None:
        self._thread = threading.Thread(target=lambda: self.outcome.extend(together((services, act))))
        self.outcome: list[object] = []

    def comes(self) -> None:
        """Once; whoever calls goes on a moment later, so that they have begun."""
        if self._thread.ident is None:
            self._thread.start()
            self._thread.join(timeout=0.3)

    def became(self) -> object:
        self._thread.join()
        return self.outcome[0]


@pytest.mark.parametrize("when", ["looked", "written"])
@pytest.mark.parametrize("act", [edits("Other words about the tools"), takes_back], ids=["edit", "take back"])
def test_who_comes_while_it_is_being_prepared(
    due: tuple[Services, Services], act: Act, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the clock has looked, or after it has written all and before that is durable: one wins, one is told."""
    ours, theirs = due
    approve(ours)
    late = Latecomer(theirs, act)
    fix = audiences.fix

    def then_fix(*given: Any) -> audiences.Audience:
        late.comes()
        return fix(*given)

    if when == "looked":
        monkeypatch.setattr(audiences, "fix", then_fix)
    else:
        ours.database.before_commit.append(lambda _: late.comes())
    (clock,) = together((ours, clock_prepares))

    edition, deliveries, _ = found(ours)
    if clock is None:
        assert isinstance(late.became(), (editing.NotEditable, editions.NotThatMove)), late.outcome
        edition, deliveries, _ = found(ours)
        assert (edition.state, deliveries) == (SENDING, 20)
    else:
        assert isinstance(clock, preparing.NotYet), clock
        assert not isinstance(late.became(), Exception), late.outcome
        assert (edition.state, deliveries) == (DRAFT, 0)
