"""Approval fixes the exact bytes that were looked at, or refuses: stale, late, blocked, changed on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from database import Database
from digest import approving, checking, editing, editions, envelopes, intake, proofs, sending, staff
from digest.bootstrap import Services
from digest.models import Comparison, EditionState, Entry, RenderingRow, Role
from digest.preflight import Problem
from digest.proofs import Envelope, Proof
from digest.staff import audit
from tests import make
from tests.make import APPROVED, SEND, WEEK

HOUR = timedelta(hours=1)
EDDA = "edda@example.com"


def approve(of: Services, **more: object) -> None:
    approving.approve(
        of,
        WEEK,
        **{"by": EDDA, "send_at": None, "seen_hash": None, "now": APPROVED, **more},  # type: ignore[arg-type]
    )


def looked_at(of: Services) -> Proof:
    with of.database.reading() as session:
        edition = editions.find(session, WEEK)
        return proofs.proof(session, edition, envelopes.current(of), of.settings.digest_timezone)


def state(of: Services) -> EditionState:
    with of.database.reading() as session:
        return editions.find(session, WEEK).state


def frozen(of: Services) -> dict[str, RenderingRow]:
    with of.database.reading() as session:
        return {row.variant: row for row in session.scalars(sa.select(RenderingRow))}


def edited(of: Services, **changes: object) -> None:
    with of.database.writing() as session:
        edition = editions.find(session, WEEK)
        for column, value in changes.items():
            setattr(edition, column, value)


def at_once(of: Services, work: Callable[[Services], None], workers: int = 4) -> list[BaseException]:
    """What went wrong when each worker, with connections of its own, does this at the same moment."""
    problems: list[BaseException] = []
    ready = threading.Barrier(workers)

    def run() -> None:
        own = replace(of, database=Database(of.database.url.render_as_string(hide_password=False)))
        ready.wait(timeout=30)
        try:
            work(own)
        except Exception as problem:  # noqa: BLE001 - reported to the test
            problems.append(problem)
        finally:
            own.database.dispose()

    threads = [threading.Thread(target=run) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


# — what it fixes —


def test_the_bytes_that_were_looked_at_are_fixed(services: Services) -> None:
    """Every variant the audience needs, byte for byte as shown, with who, when, how many, and one hash over it all."""
    with services.database.writing() as session:
        make.subscriber(session, "ada@example.com")
        make.subscriber(session, "kim@example.com", topics="Health")
        make.subscriber(session, "eve@example.com", plain_text=True)
    make.draft(services)
    seen = looked_at(services)
    approve(services, seen_hash=seen.content_hash)
    stored = frozen(services)

    assert {row.variant: (row.subject, row.html, row.text, row.sha256) for row in stored.values()} == {
        each.variant: (each.subject, each.html, each.text, each.sha256) for each in seen.renderings
    }
    assert len(stored) == 3
    with services.database.reading() as session:
        edition = editions.find(session, WEEK)
        assert proofs.changed_since(session, edition, envelopes.current(services)) is None
        line = editions.log_of(session, edition)[-1]
    assert (edition.approved_by, edition.approved_at, edition.approved_candidates) == (EDDA, APPROVED, 3)
    assert (edition.approved_hash, edition.send_at) == (seen.content_hash, SEND)
    assert Envelope.model_validate(edition.envelope) == envelopes.current(services)
    assert (line.by, line.what) == (EDDA, "draft → approved")


def test_approving_again_is_refused(services: Services) -> None:
    """Only a draft can be approved; what stands is left alone."""
    make.approved(services)
    before = {variant: row.sha256 for variant, row in frozen(services).items()}
    with pytest.raises(editions.NotThatMove, match="only a draft can be approved"):
        approve(services)
    assert {variant: row.sha256 for variant, row in frozen(services).items()} == before


def test_two_people_approve_at_once_and_one_wins(services: Services) -> None:
    """Four at the same moment: one approval, one line in the log, three refusals, every rendering once."""
    make.draft(services)
    problems = at_once(services, approve)

    assert [type(problem) for problem in problems] == [editions.NotThatMove] * 3
    assert state(services) is EditionState.APPROVED
    with services.database.reading() as session:
        lines = [line.what for line in editions.log_of(session, editions.find(session, WEEK))]
    assert lines == ["made as draft", "draft → approved"]
    assert set(frozen(services)) == {"all", "all-text"}


# — stale —


def test_a_stale_look_is_refused(services: Services) -> None:
    """Whoever saw another subject approves nothing."""
    make.draft(services)
    seen = looked_at(services)
    edited(services, subject="Another subject altogether")
    with pytest.raises(approving.ContentChanged):
        approve(services, seen_hash=seen.content_hash)

    assert (state(services), frozen(services)) == (EditionState.DRAFT, {})
    approve(services, seen_hash=looked_at(services).content_hash)


def test_another_sender_is_another_content(services: Services) -> None:
    """The envelope is part of what was seen."""
    make.draft(services)
    seen = looked_at(services)
    with pytest.raises(approving.ContentChanged):
        approve(make.with_settings(services, digest_from_name="Somebody else"), seen_hash=seen.content_hash)


@pytest.mark.parametrize(("more", "is_refused"), [(10, False), (11, True)])
def test_other_candidates_than_were_seen(services: Services, more: int, is_refused: bool) -> None:
    """More than 1 % and more than ten people off: these are not the readers that were looked at."""
    with services.database.writing() as session:
        make.audience(session, 40)
    make.draft(services)
    with services.database.writing() as session:
        make.audience(session, more, first=40)
    if not is_refused:
        approve(services, seen_candidates=40)
        return
    with pytest.raises(approving.AudienceChanged, match="You saw 40 candidates and there are 51 now"):
        approve(services, seen_candidates=40)

    assert (state(services), frozen(services)) == (EditionState.DRAFT, {})
    approve(services, seen_candidates=51)


def test_an_audience_far_from_last_time_needs_a_yes(services: Services) -> None:
    """Three last time and a hundred now: refused with the numbers, unless somebody says that it is right."""
    with services.database.writing() as session:
        make.audience(session, 3)
    make.draft(services, week="2026-W46", now=make.CUTOFF - timedelta(weeks=1))
    earlier = APPROVED - timedelta(weeks=1)
    approving.approve(services, "2026-W46", by=EDDA, send_at=None, seen_hash=None, now=earlier, although_moved=False)
    sending.prepare(services, "2026-W46", by="test", now=SEND - timedelta(weeks=1))
    with services.database.writing() as session:
        make.audience(session, 97, first=3)
    make.draft(services)
    with pytest.raises(approving.AudienceMoved, match="100 candidates, after 3 in 2026-W46; 100 deliveries, after 3"):
        approve(services, although_moved=False)

    assert state(services) is EditionState.DRAFT
    approve(services, although_moved=True)


def test_a_program_with_another_rule_of_who_gets_it_does_not_send(services: Services) -> None:
    """Approved under one definition of the audience, or under none, and prepared under another: halted."""
    make.draft(services)
    seen = looked_at(services)
    zone = ZoneInfo("Pacific/Auckland")  # where a month begins at another instant
    with pytest.raises(approving.ContentChanged):
        approve(make.with_settings(services, digest_timezone=zone), seen_hash=seen.content_hash)
    approve(services)
    with services.database.reading() as session:
        edition = editions.find(session, WEEK)
        other = envelopes.current(services).model_copy(update={"audience": "Everybody there ever was."})
        assert "the rule of who gets an edition changed" in (proofs.changed_since(session, edition, other) or "")
        edition.envelope = {key: value for key, value in (edition.envelope or {}).items() if key != "audience"}
        why = proofs.changed_since(session, edition, envelopes.current(services))
        assert "the rule of who gets an edition changed" in (why or "")


def test_no_name_brings_an_address_into_the_audit_log(services: Services) -> None:
    """Whatever it begins with."""
    make.draft(services)
    approve(services, by="staff mary@x.example")
    with services.database.reading() as session:
        (line,) = (each for each in audit.lines(session) if each.what == "edition approved")
    assert line.by == audit.COMMAND_LINE


# — two people —


@pytest.fixture
def two(services: Services) -> Services:
    """Where it takes a second person. Edda is staff 1, Erik staff 2, both editors; Otto operates."""
    with services.database.writing() as session:
        make.staff(session, EDDA)
        make.staff(session, "erik@example.com")
        make.staff(session, "otto@example.com", Role.OPERATOR)
    found = make.with_settings(services, digest_two_person=True)
    make.draft(found)
    return found


def write(of: Services, words: str, by: str) -> None:
    was = looked_at(of).copy.subject
    editing.write(of.database, WEEK, "subject", was=was, words=words, by=by, now=APPROVED)


@pytest.mark.parametrize("name", ["staff 1", EDDA, "EDDA@Example.com"])
def test_nobody_approves_their_own_words(two: Services, name: str) -> None:
    """Edda wrote in it, by whichever name she goes: Erik may, and is named; Otto may not approve at all."""
    write(two, "A subject by Edda herself", "staff 1")
    with pytest.raises(approving.NeedsAnother, match=r"These may: erik@example\.com\.$"):
        approve(two, by=name)

    assert state(two) is EditionState.DRAFT
    approve(two, by="staff 2")
    with two.database.reading() as session:
        (line,) = (each for each in audit.lines(session) if each.what == "edition approved")
    assert (line.by, line.about, line.details["candidates"]) == ("staff 2", WEEK, 0)


@pytest.mark.parametrize(
    "name",
    [
        *("Edda <edda@example.com>", "Erik <erik@example.com>", "edda@example.com.", "ｅｄｄａ＠example.com"),
        *("erik", "nobody@example.com", "otto@example.com", "staff 3", "staff 99", approving.AUTOMATIC),
    ],
)
def test_only_an_address_of_who_may_is_a_second_person(two: Services, name: str) -> None:
    """However an author, an operator or a stranger is spelled; who may is named."""
    write(two, "A subject by Edda herself", "staff 1")
    with pytest.raises(approving.NeedsAnother, match=r"so it was not approved\. These may: erik@example\.com\.$"):
        approve(two, by=name)
    assert state(two) is EditionState.DRAFT

    approve(two, by=" Erik@Example.COM ")
    assert state(two) is EditionState.APPROVED


def test_who_left_the_staff_approves_nothing(two: Services) -> None:
    """Where it takes two: an address of the past is no second person."""
    with two.database.writing() as session:
        staff.remove_staff(session, "erik@example.com", now=APPROVED)
    with pytest.raises(approving.NeedsAnother, match=r"These may: edda@example\.com\.$"):
        approve(two, by="erik@example.com")


def test_words_taken_back_are_nobodys(two: Services) -> None:
    """Edda undid what she wrote: she may approve again."""
    write(two, "A subject by Edda herself", "staff 1")
    editing.undo(two.database, WEEK, by="staff 1", now=APPROVED)

    approve(two, by="staff 1")


def test_where_both_wrote_nobody_may(two: Services) -> None:
    """And it is said."""
    write(two, "A subject by Edda herself", "staff 1")
    editing.pin(two.database, WEEK, first_comparison(two), on=True, by="staff 2", now=APPROVED)
    with pytest.raises(approving.NeedsAnother, match="Nobody else on the staff may approve as yet"):
        approve(two, by="staff 2")


def test_who_writes_while_it_is_rendered_does_not_approve(two: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pin changes no word of the mail, and is an author's all the same."""
    first = first_comparison(two)
    between(monkeypatch, lambda: editing.pin(two.database, WEEK, first, on=True, by="staff 1", now=APPROVED))
    with pytest.raises(approving.NeedsAnother):
        approve(two, by="staff 1")

    assert (state(two), frozen(two)) == (EditionState.DRAFT, {})


def first_comparison(of: Services) -> int:
    with of.database.reading() as session:
        return editing.read(session, editions.find(session, WEEK)).order[0]


def test_one_person_is_enough_where_nobody_asks_for_two(services: Services) -> None:
    make.draft(services)
    write(services, "A subject by Edda herself", EDDA)

    approve(services, by=EDDA)


# — changed on the way —


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let something happen after everything was rendered and checked, before it is frozen."""
    check = checking.check

    def then_act(*given: Any, now: datetime) -> list[Problem]:
        found = check(*given, now=now)
        act()
        return found

    monkeypatch.setattr(checking, "check", then_act)


def test_an_edit_while_it_is_rendered_is_noticed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody edits the introduction between rendering and freezing: nothing is approved."""
    make.draft(services)
    between(monkeypatch, lambda: edited(services, introduction="A word from the editor."))
    with pytest.raises(approving.ContentChanged):
        approve(services)

    assert (state(services), frozen(services)) == (EditionState.DRAFT, {})


def test_a_dropped_entry_while_it_is_rendered_is_noticed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry gone between rendering and freezing counts as an edit."""
    make.draft(services)

    def drop() -> None:
        with services.database.writing() as session:
            session.execute(sa.delete(Entry).where(Entry.position == 2))

    between(monkeypatch, drop)
    with pytest.raises(approving.ContentChanged):
        approve(services)


def test_a_withdrawal_while_it_is_rendered_is_noticed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison withdrawn between the last check and freezing does not slip into an approved edition."""
    make.draft(services)

    def withdraw() -> None:
        with services.database.writing() as session:
            slug = session.scalars(sa.select(Comparison.slug).order_by(Comparison.id)).first() or ""
            intake.withdraw(session, slug, why="wrong", by="otto", now=APPROVED)

    between(monkeypatch, withdraw)
    with pytest.raises(approving.ContentChanged, match="withdrawn just now"):
        approve(services)

    assert (state(services), frozen(services)) == (EditionState.DRAFT, {})


def test_approving_and_withdrawing_at_once_never_end_in_an_approval(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Withdrawn at the very moment of freezing: whoever is quicker, the edition is a draft afterwards."""
    make.draft(services)
    with services.database.reading() as session:
        slug = session.scalars(sa.select(Comparison.slug).order_by(Comparison.id)).first() or ""
    turns, checked = iter(range(2)), threading.Event()
    between(monkeypatch, checked.set)

    def work(own: Services) -> None:
        if next(turns):
            approve(own)
            return
        checked.wait(timeout=30)
        with own.database.writing() as session:
            intake.withdraw(session, slug, why="wrong", by="otto", now=APPROVED)

    problems = at_once(services, work, workers=2)

    assert {type(problem) for problem in problems} <= {approving.ContentChanged}
    assert (state(services), frozen(services)) == (EditionState.DRAFT, {})


# — late, blocked —


@pytest.mark.parametrize("late", [timedelta(0), HOUR])
def test_after_the_send_time_a_new_time_is_needed(services: Services, late: timedelta) -> None:
    """Approved at the send time or later it would leave at once, unasked; with a time given it leaves then."""
    make.draft(services)
    with pytest.raises(approving.SendTimePassed, match=r"should have left 2026-11-20 09:00 UTC.*--at"):
        approve(services, now=SEND + late)
    assert state(services) is EditionState.DRAFT

    approve(services, now=SEND + late, send_at=SEND + 3 * HOUR)
    with services.database.reading() as session:
        assert editions.find(session, WEEK).send_at == SEND + 3 * HOUR


def test_the_mail_is_dated_by_the_day_it_leaves(services: Services) -> None:
    """Planned for Friday, approved for Sunday: Sunday stands in it, and preparing finds it as approved."""
    make.draft(services)
    planned = looked_at(services)
    approve(services, seen_hash=planned.content_hash, send_at=SEND + timedelta(days=2))
    text = frozen(services)["all"].text

    assert "20 November 2026" in planned.everything.text
    assert "22 November 2026" in text
    assert "20 November 2026" not in text
    with services.database.reading() as session:
        edition = editions.find(session, WEEK)
        assert proofs.changed_since(session, edition, envelopes.current(services)) is None


def test_blockers_forbid_approval(services: Services) -> None:
    """With every problem that blocks, in words; mended, it can be approved."""
    make.draft(services)
    subject = looked_at(services).copy.subject
    edited(services, subject="")
    with pytest.raises(approving.Blocked, match=f"blocks? the approval of {WEEK}") as refused:
        approve(services)

    assert refused.value.problems
    assert all(problem.blocks and str(problem) in str(refused.value) for problem in refused.value.problems)
    assert (state(services), frozen(services)) == (EditionState.DRAFT, {})
    edited(services, subject=subject)
    approve(services)


def test_a_change_of_bytes_after_approval_is_told(services: Services) -> None:
    """Tampered text, or another sender, is named before anything is sent."""
    make.approved(services)
    with services.database.writing() as session:
        edition = editions.find(session, WEEK)
        other = envelopes.current(make.with_settings(services, digest_from_name="Somebody else"))
        assert "the sender's name changed" in (proofs.changed_since(session, edition, other) or "")
        session.execute(sa.update(RenderingRow).where(RenderingRow.variant == "all").values(subject="Win a prize"))
        assert "not what was approved" in (proofs.changed_since(session, edition, envelopes.current(services)) or "")


def test_reopened_it_can_be_approved_anew(services: Services) -> None:
    """The edit an editor wanted, and nothing of the first approval is left."""
    make.approved(services)
    first = looked_at(services).content_hash
    with services.database.writing() as session:
        edition = editions.find(session, WEEK)
        editions.reopen(session, edition, why="a typo", by=EDDA, now=APPROVED)
        edition.subject = "A subject without a typo"
    approve(services)

    assert {row.subject for row in frozen(services).values()} == {"A subject without a typo"}
    with services.database.reading() as session:
        assert editions.find(session, WEEK).approved_hash not in (None, first)
