"""A restored backup mails nobody twice: what may have gone out since is halted or uncertain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import (
    approving,
    drafting,
    editions,
    jobs,
    sending,
    stats,
)
from digest.bootstrap import Services
from digest.models import (
    Batch,
    BatchState,
    Edition,
    EditionState,
    Letter,
    LetterState,
    Request,
    StaffSession,
)
from digest.submitting import Submitter
from digest.weeks import Week
from tests import make
from tests.digest.lost import LATER, NOW, back_up, calls, edition_of, journaled, lose, restored, send


@pytest.fixture
def kept(scripted: Services, tmp_path: Path) -> Services:
    """A program that keeps a journal, in batches of ten, its transport a script."""
    return journaled(scripted, tmp_path / "digest-journal.jsonl")


# — editions —


def test_what_went_out_since_never_goes_out_again(kept: Services, tmp_path: Path) -> None:
    """Approved in the backup, sent since: it comes back halted, and nothing but stopping it is possible."""
    make.approved(kept, readers=25)
    file = back_up(kept, tmp_path, now=make.APPROVED)
    send(kept)
    lose(kept)
    before = calls(kept)

    done = restored(kept, file)

    found = edition_of(kept)
    assert ([make.WEEK], EditionState.HALTED) == (done.editions.went_out, found.state)
    assert found.journaled_begun_at is not None
    refused: tuple[Callable[[Session, Edition], object], ...] = (
        lambda s, e: editions.resume(s, e, why="x", by="x", now=LATER, stale=True),
        lambda s, e: editions.advance(s, e, EditionState.APPROVED, by="x", now=LATER),
        lambda s, e: editions.advance(s, e, EditionState.SENDING, by="x", now=LATER),
    )
    for attempt in refused:
        with pytest.raises(editions.WentOutBefore, match="never goes out again"), kept.database.writing() as session:
            attempt(session, editions.find(session, make.WEEK))
    with pytest.raises(editions.WentOutBefore):
        approving.approve(kept, make.WEEK, by="edda", send_at=None, seen_hash=None, now=LATER)
    with pytest.raises(editions.WentOutBefore):
        sending.send_now(
            kept, make.WEEK, by="x", clock=lambda: LATER, now=LATER, skip_undo=True, stop=threading.Event()
        )
    look(kept, make.SEND)
    assert before == calls(kept)

    with kept.database.writing() as session:
        editions.stop(session, editions.find(session, make.WEEK), why="it is known to have gone out", by="x", now=LATER)
    assert EditionState.STOPPED is edition_of(kept).state


def look(services: Services, now: datetime) -> list[str]:
    """One look of every job that makes or sends editions."""
    shift = jobs.Shift(clock=lambda: now, stop=threading.Event())
    return [job(services, shift) for job in (jobs.draft, jobs.send, jobs.rescue, jobs.send)]


@pytest.mark.parametrize("known", ["nothing", "a draft", "skipped"])
def test_an_automatic_clock_does_not_send_a_week_again(kept: Services, tmp_path: Path, known: str) -> None:
    """Whatever the backup knew of the week: the clock that made, approved and sent it does not do so again."""
    automatic = make.with_settings(kept, digest_approval="auto", digest_undo_minutes=0)
    with kept.database.writing() as session:
        make.audience(session, 5)
        make.taken_in(session, *(make.comparison() for _ in range(3)), now=make.SEEN)
        if known != "nothing":
            made = drafting.draft(session, Week.parse(make.WEEK), kept.settings, by="test", now=make.CUTOFF).edition
        if known == "skipped":
            editions.skip(session, made, why="test", by="test", now=make.CUTOFF)
    file = back_up(automatic, tmp_path, now=make.CUTOFF)
    if known == "skipped":
        with kept.database.writing() as session:
            editions.reopen(session, editions.find(session, make.WEEK), why="test", by="test", now=make.CUTOFF)
        approving.approve(automatic, make.WEEK, by="edda", send_at=None, seen_hash=None, now=make.APPROVED)
    look(automatic, make.APPROVED)
    look(automatic, make.SEND)
    assert (EditionState.SENT, 1) == (edition_of(kept).state, calls(kept))
    lose(kept)

    restored(automatic, file)
    for hour in range(4):
        look(automatic, make.SEND + timedelta(hours=hour))

    assert (EditionState.HALTED, 1) == (edition_of(kept).state, calls(kept))


def test_a_backup_from_the_middle_of_a_send(kept: Services, tmp_path: Path) -> None:
    """What was accepted stays so; of the rest nobody can know: uncertain, halted, and resuming hands nothing over."""
    make.approved(kept, readers=45)
    send(kept, batches=2)
    file = back_up(kept, tmp_path)
    sent_by_then = calls(kept)
    Submitter(kept, clock=lambda: datetime.now(UTC)).run()
    assert (5, "sent") == (calls(kept), edition_of(kept).state)
    lose(kept)

    done = restored(kept, file)

    assert ([make.WEEK], 5 - sent_by_then) == (done.editions.halted, done.editions.uncertain)
    with kept.database.reading() as session:
        found = stats.numbers(session, editions.find(session, make.WEEK))
        whys = {each.why for each in session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN))}
    assert (10 * sent_by_then, 45 - 10 * sent_by_then, True) == (found.accepted, found.uncertain, found.adds_up)
    assert ["cannot be known"] == [str(why)[-15:] for why in whys]
    with kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="test", by="test", now=LATER)
    Submitter(kept, clock=lambda: datetime.now(UTC)).run()
    assert (5, EditionState.HALTED) == (calls(kept), edition_of(kept).state)


def test_prepared_but_begun_since(kept: Services, tmp_path: Path) -> None:
    """The backup fell between preparing and the first hand-over: nothing of it is handed over again."""
    make.approved(kept, readers=15)
    sending.prepare(kept, make.WEEK, by="test", now=make.SEND)
    file = back_up(kept, tmp_path)
    send(kept)
    lose(kept)
    restored(kept, file)

    with kept.database.reading() as session:
        found = stats.numbers(session, editions.find(session, make.WEEK))
    assert ("halted", 15, 0, True) == (found.state, found.uncertain, found.waiting, found.adds_up)
    with pytest.raises(editions.WentOutBefore), kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="x", by="x", now=LATER)


def test_what_had_not_begun_can_still_go_out(kept: Services, tmp_path: Path) -> None:
    """The journal says so: it comes back halted, and a person resumes it. Everybody gets it once."""
    make.approved(kept, readers=15)
    sending.prepare(kept, make.WEEK, by="test", now=make.SEND)
    file = back_up(kept, tmp_path)
    lose(kept)
    done = restored(kept, file)

    assert ([make.WEEK], []) == (done.editions.halted, done.editions.went_out)
    look(kept, make.SEND)
    assert 0 == calls(kept)
    with kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="test", by="test", now=LATER)
    Submitter(kept, clock=lambda: datetime.now(UTC)).run()
    assert (2, "sent") == (calls(kept), edition_of(kept).state)


def test_without_a_journal_whatever_may_have_begun_has(kept: Services, tmp_path: Path) -> None:
    """Approved, being sent, and weeks cut off since: none of them can go out again; drafts wait for a person."""
    automatic = make.with_settings(kept, digest_approval="auto", digest_undo_minutes=0)
    make.approved(kept, readers=15)
    with kept.database.writing() as session:
        make.taken_in(session, *(make.comparison() for _ in range(3)), now=make.CUTOFF)
    file = back_up(kept, tmp_path)
    lose(kept)
    much_later = make.SEND + timedelta(days=15)

    (tmp_path / "digest-journal.jsonl").unlink()
    done = restored(automatic, file, without_journal=True, now=much_later)

    assert ([make.WEEK], ["2026-W48", "2026-W49"]) == (done.editions.went_out, done.editions.skipped)
    look(automatic, much_later)
    assert 0 == calls(kept)
    with pytest.raises(editions.WentOutBefore), kept.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="x", by="x", now=LATER)


def test_without_a_journal_no_draft_approves_itself(kept: Services, tmp_path: Path) -> None:
    """It may have gone out since; a person must look."""
    automatic = make.with_settings(kept, digest_approval="auto", digest_undo_minutes=0)
    make.draft(kept)
    file = back_up(kept, tmp_path)
    lose(kept)

    (tmp_path / "digest-journal.jsonl").unlink()
    done = restored(automatic, file, without_journal=True, now=make.SEND)
    look(automatic, make.SEND)

    assert ([make.WEEK], EditionState.DRAFT) == (done.editions.drafts, edition_of(kept).state)


def test_what_waited_is_given_up(kept: Services, tmp_path: Path) -> None:
    """No letter is posted twice, nobody is still signed in, and no stored request is carried out again."""
    with kept.database.writing() as session:
        make.staff(session)
        session.add(
            Letter(kind="confirm", email="a@example.com", context={}, state="queued", queued_at=NOW, not_before=NOW)
        )
        session.add(StaffSession(staff_id=1, token_hash="x", made_at=NOW, seen_at=NOW, expires_at=LATER))
        session.add(Request(kind="sign-up", email="a@example.com", asked_at=NOW, not_before=NOW, source="x"))
    file = back_up(kept, tmp_path)
    lose(kept)

    done = restored(kept, file)

    assert (1, 1) == (done.editions.letters, done.editions.requests)
    with kept.database.reading() as session:
        assert LetterState.GIVEN_UP is session.scalars(sa.select(Letter)).one().state
        assert [0, 0] == [session.query(table).count() for table in (StaffSession, Request)]
