"""Somebody answers for a blocking problem: with a reason and a name, for this very problem, in a draft."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from digest import approving, checking, editing, editions, intake, manuscript, overrides
from digest.bootstrap import Services
from digest.models import AuditLine, Comparison, EditionState, Override
from digest.preflight import Problem
from tests import make

NOW = make.CUTOFF + timedelta(minutes=30)
WHY = "It is the name of a song."
EDDA = "staff 1"


@pytest.fixture
def desk(services: Services) -> Services:
    """A draft of three entries, with a placeholder in its introduction."""
    make.draft(services, entries=3)
    write(services, "introduction", "Good morning. TODO")
    return services


def write(desk: Services, part: str, words: str) -> None:
    with desk.database.reading() as session:
        seen = manuscript.words_of(editing.read(session, editions.find(session, make.WEEK)), part)
    editing.write(desk.database, make.WEEK, part, was=seen, words=words, by=EDDA, now=NOW)


def problems(desk: Services) -> list[Problem]:
    return checking.look(desk, make.WEEK, now=NOW).problems


def blocking(desk: Services) -> list[str]:
    return [problem.code for problem in problems(desk) if problem.blocks]


def one(desk: Services, code: str) -> Problem:
    return next(problem for problem in problems(desk) if problem.code == code)


def put(desk: Services, problem: Problem, *, why: str = WHY, by: str = EDDA) -> None:
    known = problems(desk)
    with desk.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        overrides.put(session, edition, known, problem.key, why=why, by=by, now=NOW)


def lift(desk: Services, key: str) -> bool:
    with desk.database.writing() as session:
        return overrides.lift(session, editions.find(session, make.WEEK), key, by=EDDA, now=NOW)


def approve(desk: Services) -> None:
    approving.approve(desk, make.WEEK, by="edda@example.com", send_at=None, seen_hash=None, now=make.APPROVED)


def log(desk: Services) -> list[tuple[str, str, str | None]]:
    with desk.database.reading() as session:
        return [(line.by, line.what, line.why) for line in editions.log_of(session, editions.find(session, make.WEEK))]


def withdraw(desk: Services) -> None:
    with desk.database.writing() as session:
        slug = session.scalars(sa.select(Comparison.slug).order_by(Comparison.id).limit(1)).one()
        assert slug is not None
        intake.withdraw(session, slug, why="wrong", by="otto", now=NOW)


def test_an_overridden_problem_no_longer_blocks_and_says_who_answers(desk: Services) -> None:
    assert blocking(desk) == ["placeholder"]

    put(desk, one(desk, "placeholder"))

    found = one(desk, "placeholder")
    assert (found.level, found.blocks) == ("block", False)
    assert found.overridden is not None
    assert (found.overridden.by, found.overridden.why, found.overridden.at) == (EDDA, WHY, NOW)


def test_approval_is_refused_without_and_given_with_the_override_which_stays(desk: Services) -> None:
    with pytest.raises(approving.Blocked, match="TODO"):
        approve(desk)

    put(desk, one(desk, "placeholder"))
    approve(desk)

    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert edition.state is EditionState.APPROVED
        assert [(each.code, each.by, each.why) for each in overrides.of(session, edition)] == [
            ("placeholder", EDDA, WHY)
        ]


def test_the_bytes_that_go_out_are_the_same(desk: Services) -> None:
    """An override is about an edition, not in it."""
    before = checking.look(desk, make.WEEK, now=NOW).proof.content_hash

    put(desk, one(desk, "placeholder"))

    assert checking.look(desk, make.WEEK, now=NOW).proof.content_hash == before


def test_where_the_words_change_it_blocks_again_and_back_it_holds_again(desk: Services) -> None:
    put(desk, one(desk, "placeholder"))

    write(desk, "introduction", "Good morning. TBD")
    assert blocking(desk) == ["placeholder"]

    write(desk, "introduction", "Good evening. TODO")
    assert blocking(desk) == ["placeholder"]

    write(desk, "introduction", "Good morning. TODO")
    assert blocking(desk) == []


def comparisons(desk: Services) -> list[int]:
    with desk.database.reading() as session:
        entries = editions.entries_of(session, editions.find(session, make.WEEK))
        return [entry.comparison_id for entry in entries]


def test_an_entry_that_moves_keeps_its_override_and_lends_it_to_no_other(desk: Services) -> None:
    write(desk, "introduction", "Good morning.")
    first, second, third = comparisons(desk)
    write(desk, f"headline {first}", "A TODO app: the headline of the first")
    put(desk, one(desk, "placeholder"), why="TODO is the name of the app.")

    editing.reorder(
        desk.database, make.WEEK, was=[first, second, third], order=[second, first, third], by=EDDA, now=NOW
    )
    assert blocking(desk) == []

    write(desk, f"headline {second}", "TODO write this headline")
    assert blocking(desk) == ["placeholder"]
    editing.drop(desk.database, make.WEEK, first, by=EDDA, now=NOW)
    assert blocking(desk) == ["placeholder"]


@pytest.mark.parametrize(("part", "code"), [("subject", "subject-length"), ("breath", "breath-length")])
def test_other_words_of_the_same_length_are_other_words(desk: Services, part: str, code: str) -> None:
    write(desk, "introduction", "Good morning.")
    write(desk, part, "x" * 300)
    put(desk, one(desk, code))
    assert blocking(desk) == []

    write(desk, part, "y" * 300)
    assert blocking(desk) == [code]


def test_both_logs_have_a_line_and_neither_has_an_address(desk: Services) -> None:
    put(desk, one(desk, "placeholder"), why="ask ada@example.com about it")
    assert lift(desk, one(desk, "placeholder").key)

    what = "introduction: “TODO” looks like a place for words to come."
    assert log(desk)[-2:] == [
        (EDDA, f"overridden: {what}", "ask (an address) about it"),
        (EDDA, f"blocks again: {what}", None),
    ]
    with desk.database.reading() as session:
        lines = session.scalars(sa.select(AuditLine).order_by(AuditLine.id)).all()
    assert [(line.by, line.what, line.about, line.details) for line in lines][-2:] == [
        (EDDA, "problem overridden", make.WEEK, {"code": "placeholder"}),
        (EDDA, "override lifted", make.WEEK, {"code": "placeholder"}),
    ]


def test_lifted_it_blocks_again_and_a_second_time_nothing_happens(desk: Services) -> None:
    put(desk, one(desk, "placeholder"))
    key = one(desk, "placeholder").key

    assert (lift(desk, key), lift(desk, key)) == (True, False)
    assert blocking(desk) == ["placeholder"]


def test_pressed_twice_it_is_kept_once_with_the_first_reason(desk: Services) -> None:
    problem = one(desk, "placeholder")
    put(desk, problem)
    lines = len(log(desk))

    put(desk, problem, why="another", by="staff 2")

    assert (len(log(desk)), one(desk, "placeholder").overridden is not None) == (lines, True)
    with desk.database.reading() as session:
        assert [each.why for each in overrides.of(session, editions.find(session, make.WEEK))] == [WHY]


@pytest.mark.parametrize("why", ["", "  \n ", "\u202e"])
def test_a_reason_is_required(desk: Services, why: str) -> None:
    with pytest.raises(overrides.NoReason):
        put(desk, one(desk, "placeholder"), why=why)
    assert blocking(desk) == ["placeholder"]


def test_a_long_reason_is_cut_and_shows_it(desk: Services) -> None:
    put(desk, one(desk, "placeholder"), why="y" * 600)

    found = one(desk, "placeholder").overridden
    assert found is not None
    assert (len(found.why), found.why[-1]) == (500, "…")


def test_what_would_break_a_promise_cannot_be_overridden(desk: Services) -> None:
    """Not through the door, and not by a row that somebody wrote into the table."""
    withdraw(desk)
    problem = one(desk, "withdrawn")

    with pytest.raises(overrides.NotToBeOverridden, match=r"cannot be overridden\. Take the entry out"):
        put(desk, problem)
    with desk.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        session.add(
            Override(edition_id=edition.id, problem_key=problem.key, code="x", problem="x", why="x", by="x", at=NOW)
        )
    assert "withdrawn" in blocking(desk)


def test_what_does_not_block_needs_no_override(desk: Services) -> None:
    warning = one(desk, "nobody")

    with pytest.raises(overrides.NotToBeOverridden, match="does not block anything"):
        put(desk, warning)


def test_a_problem_that_is_not_there_any_more_is_said(desk: Services) -> None:
    problem = one(desk, "placeholder")
    write(desk, "introduction", "Good morning.")

    with pytest.raises(overrides.NoSuchProblem):
        put(desk, problem)


def test_only_a_draft_can_be_overridden_and_lifted(desk: Services) -> None:
    put(desk, one(desk, "placeholder"))
    key = one(desk, "placeholder").key
    approve(desk)

    with pytest.raises(overrides.NotADraft, match="is approved; reopen it first"):
        lift(desk, key)


def test_an_override_lifted_while_it_is_approved_stops_the_approval(
    desk: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check and the freezing somebody takes their word back: nothing is approved."""
    put(desk, one(desk, "placeholder"))
    key = one(desk, "placeholder").key
    check = checking.check

    def then_lift(*given: object, **named: object) -> list[Problem]:
        found = check(*given, **named)  # type: ignore[arg-type]
        lift(desk, key)
        return found

    monkeypatch.setattr(checking, "check", then_lift)
    with pytest.raises(approving.ContentChanged, match="lifted an override"):
        approve(desk)
    with desk.database.reading() as session:
        assert editions.find(session, make.WEEK).state is EditionState.DRAFT


def test_two_who_override_at_once_leave_one_override_and_one_line(desk: Services) -> None:
    problem, lines, start = one(desk, "placeholder"), len(log(desk)), threading.Barrier(2)

    def press(by: str) -> None:
        start.wait(timeout=10)
        put(desk, problem, by=by)

    both = [threading.Thread(target=press, args=(by,)) for by in (EDDA, "staff 2")]
    for each in both:
        each.start()
    for each in both:
        each.join(timeout=30)

    assert len(log(desk)) == lines + 1
    assert blocking(desk) == []


@pytest.mark.parametrize(
    ("state", "holds"), [(EditionState.DRAFT, True), (EditionState.STOPPED, False), (EditionState.SKIPPED, False)]
)
def test_a_comparison_that_another_edition_holds_stands_in_the_way(
    desk: Services, state: EditionState, *, holds: bool
) -> None:
    """Whatever let it into both: readers would get it twice, and no reason can stand against that."""
    later = "2026-W48"
    make.draft(desk, entries=3, week=later, now=make.CUTOFF + timedelta(weeks=1))
    with desk.database.writing() as session:
        other = editions.find(session, later)
        other.state = state
        editions.entries_of(session, other)[0].comparison_id = comparisons(desk)[1]

    found = [(problem.where[:7], problem.what, problem.final) for problem in problems(desk) if problem.blocks]

    said = ("entry 2", "The comparison stands in 2026-W48 too; readers would get it twice.", True)
    assert (said in found) is holds
