"""What the clock does at which moment: the time is moved by hand, the rows decide."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest import (
    approving,
    batches,
    editing,
    editions,
    examination,
    intake,
    job_runs,
    jobs,
    sending,
    stats,
    test_mails,
    tidying,
)
from digest.bootstrap import Services
from digest.models import Comparison, Edition, EditionLog, EditionState, JobRun, Letter, LetterState, Pause
from tests import make
from tests.fakes import ScriptedTransport
from tests.make import APPROVED, CUTOFF, SEEN, SEND, WEEK

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UNDO = timedelta(minutes=10)
LATE = timedelta(hours=6)


def shift(at: datetime) -> jobs.Shift:
    """Somebody's shift at a moment that does not pass."""
    return jobs.Shift(clock=lambda: at, stop=threading.Event())


def gathered(services: Services, *, comparisons: int = 2, at: datetime = SEEN) -> None:
    """Pages that have been read, and somebody who gets the notices."""
    with services.database.writing() as session:
        for _ in range(comparisons):
            make.taken_in(session, now=at)
        make.staff(session)


def edition(services: Services, week: str = WEEK) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, week)


def notices(services: Services) -> list[str]:
    """The kinds of all letters there are, oldest first."""
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter.kind).order_by(Letter.id)))


def numbers(services: Services) -> stats.Numbers:
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, WEEK))


def at_once(job: Callable[[], str], times: int = 2) -> list[str]:
    """What the same job says in several threads that begin together."""
    together = threading.Barrier(times)

    def begin() -> str:
        together.wait()
        return job()

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(begin) for _ in range(times)]]


def auto(services: Services) -> Services:
    return make.with_settings(services, digest_approval="auto")


# — gathering —


def test_asked_to_stop_it_leaves_a_long_list_in_the_middle(services: Services, tmp_path: Path) -> None:
    """After the page at hand; the clock that runs next goes on at once, not in an hour."""
    pages = tmp_path / "pages.jsonl"
    pages.write_text("\n".join(make.comparison().model_dump_json() for _ in range(8)))
    services = make.with_settings(services, digest_sources=(str(pages),))
    stop = threading.Event()

    class Later(threading.Event):
        """Set after it was asked three times."""

        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 3

    assert jobs.gather(services, jobs.Shift(clock=lambda: SEEN, stop=Later())) == (
        "1 sources read: 3 new, 0 changed, 0 withdrawn, 0 bad"
    )
    assert jobs.gather(services, jobs.Shift(clock=lambda: SEEN, stop=stop)) == (
        "1 sources read: 5 new, 0 changed, 0 withdrawn, 0 bad"
    )
    assert jobs.gather(services, jobs.Shift(clock=lambda: SEEN + MINUTE, stop=stop)) == ""


# — the draft —


def test_the_draft_is_made_at_the_cutoff_and_not_before(services: Services) -> None:
    """A second before: nothing. At the cut-off: the draft and one notice. After it: nothing more."""
    gathered(services)

    assert jobs.draft(services, shift(CUTOFF - SECOND)) == ""
    assert jobs.draft(services, shift(CUTOFF)) == f"{WEEK} made as draft"
    assert jobs.draft(services, shift(CUTOFF + MINUTE)) == ""
    assert edition(services).state is EditionState.DRAFT
    assert notices(services) == ["drafted"]


def test_a_fresh_install_does_nothing_and_says_nothing(services: Services) -> None:
    """With nothing gathered there is no edition, no skipped week and no notice, however long the clock runs."""
    gathered(services, comparisons=0)
    said = {jobs.draft(services, shift(CUTOFF + weeks * 7 * DAY)) for weeks in range(6)}

    assert said == {""}
    assert notices(services) == []
    with services.database.reading() as session:
        assert session.scalars(sa.select(Edition)).all() == []


def test_what_was_first_gathered_after_the_cutoff_waits_for_the_next(services: Services) -> None:
    """A newsletter that began on Friday missed nothing on Thursday."""
    gathered(services, at=CUTOFF + HOUR)

    assert jobs.draft(services, shift(CUTOFF + 2 * HOUR)) == ""
    assert jobs.draft(services, shift(CUTOFF + 7 * DAY)) == "2026-W48 made as draft"


def test_after_weeks_of_downtime_the_latest_week_takes_the_gap(services: Services) -> None:
    """Down for three cut-offs: one edition, the missed weeks skipped with that reason, one window after another."""
    make.draft(services, week="2026-W44", now=CUTOFF - 21 * DAY)
    gathered(services, at=CUTOFF - 10 * DAY)
    said = jobs.draft(services, shift(CUTOFF + 5 * HOUR))

    assert said == "2026-W45 skipped, 2026-W46 skipped, 2026-W47 made as draft"
    assert jobs.draft(services, shift(CUTOFF + 5 * HOUR)) == ""
    assert notices(services) == ["drafted"]
    missed = [edition(services, week) for week in ("2026-W45", "2026-W46")]
    assert {each.state for each in missed} == {EditionState.SKIPPED}
    assert {each.why for each in missed} == {
        "the program was not running at its cut-off; its comparisons stand for 2026-W47"
    }
    before = edition(services, "2026-W44")
    assert before.window_end == edition(services).window_start
    assert edition(services).window_end == CUTOFF


def test_a_week_with_too_little_is_skipped_and_said(services: Services) -> None:
    """The second week brings nothing new: skipped with the reason, one notice, never silence."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))

    assert jobs.draft(services, shift(CUTOFF + 7 * DAY)) == "2026-W48 made as skipped"
    assert jobs.draft(services, shift(CUTOFF + 7 * DAY + HOUR)) == ""
    assert notices(services) == ["drafted", "skipped"]
    assert edition(services, "2026-W48").why


def test_two_clocks_make_one_draft(services: Services) -> None:
    """At the same moment: one says that it made it, the other says nothing, and there is one notice."""
    gathered(services)
    said = at_once(lambda: jobs.draft(services, shift(CUTOFF)))

    assert sorted(said) == ["", f"{WEEK} made as draft"]
    assert notices(services) == ["drafted"]


# — approval without a person —


def test_automatic_approval_follows_the_draft(services: Services) -> None:
    """With DIGEST_APPROVAL=auto the same look drafts and approves, for the planned send time."""
    services = auto(services)
    gathered(services)

    assert jobs.draft(services, shift(CUTOFF)) == f"{WEEK} made as draft, {WEEK} approved automatically"
    found = edition(services)
    assert (found.state, found.approved_by, found.send_at) == (EditionState.APPROVED, "automatic approval", SEND)


def test_a_clock_that_died_after_drafting_costs_nothing(services: Services) -> None:
    """Drafted by a clock that ended before it could approve: the next look approves."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))

    assert jobs.draft(auto(services), shift(CUTOFF + HOUR)) == f"{WEEK} approved automatically"


def test_two_clocks_approve_once(services: Services) -> None:
    """At the same moment: approved once, and neither fails."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))
    said = at_once(lambda: jobs.draft(auto(services), shift(CUTOFF + HOUR)))

    assert sorted(said) == ["", f"{WEEK} approved automatically"]
    with services.database.reading() as session:
        log = session.scalars(sa.select(EditionLog.what).order_by(EditionLog.id)).all()
    assert log == ["made as draft", "draft → approved"]


def test_what_somebody_took_back_is_theirs_to_approve(services: Services) -> None:
    """An automatic approval that an editor reopened is never given again by itself."""
    services = auto(services)
    gathered(services)
    jobs.draft(services, shift(CUTOFF))
    with services.database.writing() as session:
        editions.reopen(session, editions.find(session, WEEK), why="a slip", by="edda@example.com", now=CUTOFF + MINUTE)

    assert jobs.draft(services, shift(CUTOFF + HOUR)) == ""
    assert edition(services).state is EditionState.DRAFT


@pytest.mark.parametrize("clocks", [1, 2])
def test_what_cannot_be_approved_automatically_waits_for_a_person(services: Services, clocks: int) -> None:
    """Drafted after its send time: still a draft, and staff are told so once, by however many clocks."""
    services = auto(services)
    gathered(services)
    at_once(lambda: jobs.draft(services, shift(SEND + MINUTE)), clocks)
    jobs.draft(services, shift(SEND + HOUR))

    assert edition(services).state is EditionState.DRAFT
    assert notices(services) == ["drafted", "not-approved"]
    with services.database.reading() as session:
        lines = session.execute(sa.select(EditionLog.what, EditionLog.why).order_by(EditionLog.id)).all()
    assert [line.what for line in lines] == ["made as draft", "left to a person"]
    assert "should have left" in lines[1].why


def test_blockers_forbid_automatic_approval(services: Services) -> None:
    """What preflight blocks the clock does not approve either, though there is time; the notice says what blocks."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))
    through_a_provider = make.with_settings(auto(services), sendgrid_api_key="SG.x", digest_postal_address=None)

    assert jobs.draft(through_a_provider, shift(CUTOFF + MINUTE)) == f"{WEEK} not approved automatically"
    assert jobs.draft(through_a_provider, shift(CUTOFF + HOUR)) == ""
    assert edition(services).state is EditionState.DRAFT
    assert notices(services) == ["drafted", "not-approved"]
    with services.database.reading() as session:
        told = session.scalars(sa.select(Letter).where(Letter.kind == "not-approved")).one()
    assert "no postal address" in told.context["why"]


def test_an_audience_far_from_last_time_is_left_to_a_person(services: Services) -> None:
    """Nobody was there to say that a hundred more readers are right; the notice has the numbers."""
    services = auto(services)
    with services.database.writing() as session:
        make.audience(session, 3)
    last_week = CUTOFF - 7 * DAY
    make.draft(services, week="2026-W46", now=last_week)
    approving.approve(services, "2026-W46", by="edda", send_at=None, seen_hash=None, now=last_week + HOUR)
    sending.prepare(services, "2026-W46", by="test", now=SEND - 7 * DAY)
    with services.database.writing() as session:
        make.audience(session, 100, first=3)
    gathered(services)

    assert f"{WEEK} not approved automatically" in jobs.draft(services, shift(CUTOFF))
    assert edition(services).state is EditionState.DRAFT
    with services.database.reading() as session:
        told = session.scalars(sa.select(Letter).where(Letter.kind == "not-approved")).one()
    assert "103 candidates, after 3 in 2026-W46" in told.context["why"]


def test_a_test_mail_is_no_change(services: Services) -> None:
    """Somebody had it sent to themselves before the clock approves: it does."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))
    with services.database.writing() as session:
        make.staff(session, "edda@example.com")
    test_mails.send(services, WEEK, to=["edda@example.com"], by="staff 1", now=CUTOFF)

    assert jobs.draft(auto(services), shift(CUTOFF + MINUTE)) == f"{WEEK} approved automatically"


# — the reminder —


def test_staff_are_reminded_of_a_draft_nobody_approved(services: Services) -> None:
    """Three hours before it should leave, not sooner; once more when it did not leave; and never again."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))

    assert jobs.remind(services, shift(SEND - 3 * HOUR - SECOND)) == ""
    assert jobs.remind(services, shift(SEND - 3 * HOUR)) == f"reminded of {WEEK}"
    assert jobs.remind(services, shift(SEND - SECOND)) == ""
    assert jobs.remind(services, shift(SEND)) == f"reminded of {WEEK}"
    assert jobs.remind(services, shift(SEND + 3 * DAY)) == ""
    assert notices(services) == ["drafted", "reminder", "reminder"]
    assert [each["passed"] for each in told(services, "reminder")] == [False, True]


def test_nobody_is_reminded_in_the_same_breath(services: Services) -> None:
    """Of a draft made late, staff hear first that it is there, and half an hour later again."""
    gathered(services)
    late = SEND - HOUR
    jobs.draft(services, shift(late))

    assert jobs.remind(services, shift(late + 30 * MINUTE - SECOND)) == ""
    assert jobs.remind(services, shift(late + 30 * MINUTE)) == f"reminded of {WEEK}"


def test_two_clocks_remind_once(services: Services) -> None:
    """At the same moment: one notice."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))
    said = at_once(lambda: jobs.remind(services, shift(SEND)))

    assert sorted(said) == ["", f"reminded of {WEEK}"]
    assert notices(services) == ["drafted", "reminder"]


def told(services: Services, kind: str) -> list[dict[str, object]]:
    """What the notices of a kind say, oldest first."""
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter.context).where(Letter.kind == kind).order_by(Letter.id)))


def approved_and_reminded(services: Services) -> None:
    """Edda approved it after everybody had been reminded of it."""
    gathered(services)
    jobs.draft(services, shift(CUTOFF))
    jobs.remind(services, shift(SEND - 3 * HOUR))
    approving.approve(services, WEEK, by="edda@example.com", send_at=None, seen_hash=None, now=SEND - 2 * HOUR)


def subject_written(services: Services, words: str, *, by: str, at: datetime) -> None:
    with services.database.reading() as session:
        was = editions.find(session, WEEK).subject
    editing.write(services.database, WEEK, "subject", was=was, words=words, by=by, now=at)


def test_staff_are_told_once_that_an_edit_made_an_approval_void(services: Services) -> None:
    """Who did what, and when it should leave; not for each letter typed, but again for the next approval."""
    approved_and_reminded(services)
    for minutes, words in enumerate(("One", "One more", "One more word")):
        subject_written(services, words, by="staff 1", at=SEND - HOUR + minutes * MINUTE)
        jobs.remind(services, shift(SEND - HOUR + minutes * MINUTE))
    assert notices(services) == ["drafted", "reminder", "voided"]
    (notice,) = told(services, "voided")
    assert (notice["who"], notice["passed"]) == ("edda@example.com", False)
    assert notice["why"] == "changed: subject"
    assert notice["send_at"] == f"{SEND:%A %d %B %Y, %H:%M} UTC"

    approving.approve(services, WEEK, by="emil", send_at=None, seen_hash=None, now=SEND - HOUR / 2)
    assert jobs.remind(services, shift(SEND - HOUR / 2)) == ""
    subject_written(services, "Another", by="staff 1", at=SEND - 20 * MINUTE)
    assert jobs.remind(services, shift(SEND - 20 * MINUTE)) == f"told that the approval of {WEEK} is void"
    assert jobs.remind(services, shift(SEND)) == f"reminded of {WEEK}"
    assert jobs.remind(services, shift(SEND + DAY)) == ""


def test_staff_are_told_that_a_withdrawal_made_an_approval_void(services: Services) -> None:
    approved_and_reminded(services)
    with services.database.writing() as session:
        slug = session.scalars(sa.select(Comparison.slug)).first() or ""
        intake.withdraw(session, slug, why="wrong numbers", by="command line", now=SEND - HOUR)

    assert jobs.remind(services, shift(SEND - HOUR)) == f"told that the approval of {WEEK} is void"
    (notice,) = told(services, "voided")
    assert notice["who"] == "command line"
    assert str(notice["why"]).endswith("was withdrawn: wrong numbers")


def test_who_takes_back_their_own_approval_is_only_reminded_again(services: Services) -> None:
    """They know; everybody is reminded that it waits. What another one takes back is told."""
    approved_and_reminded(services)
    with services.database.writing() as session:
        editions.reopen(session, editions.find(session, WEEK), why="taken back", by="staff 1", now=SEND - HOUR)
    assert jobs.remind(services, shift(SEND - HOUR)) == f"reminded of {WEEK}"

    approving.approve(services, WEEK, by="edda@example.com", send_at=None, seen_hash=None, now=SEND - HOUR / 2)
    with services.database.writing() as session:
        editions.reopen(session, editions.find(session, WEEK), why="a slip", by="command line", now=SEND - HOUR / 3)
    assert jobs.remind(services, shift(SEND - HOUR / 3)) == f"told that the approval of {WEEK} is void"


def test_two_clocks_tell_once_that_an_approval_is_void(services: Services) -> None:
    """At the same moment: one notice."""
    approved_and_reminded(services)
    subject_written(services, "One", by="staff 1", at=SEND - HOUR)
    said = at_once(lambda: jobs.remind(services, shift(SEND - HOUR)), times=4)

    assert sorted(said) == ["", "", "", f"told that the approval of {WEEK} is void"]
    assert notices(services) == ["drafted", "reminder", "voided"]


def test_nobody_is_reminded_of_what_is_approved(services: Services) -> None:
    """Approved editions, and skipped ones, need no reminder."""
    gathered(services, comparisons=0)
    make.approved(services)

    assert jobs.remind(services, shift(SEND)) == ""
    assert notices(services) == []


# — sending —


def test_it_leaves_at_its_time_and_not_before(services: Services) -> None:
    """A second before the send time nothing is prepared; at the send time everybody gets it; then nothing is left."""
    make.approved(services, readers=3)

    assert jobs.send(services, shift(SEND - SECOND)) == ""
    assert edition(services).state is EditionState.APPROVED
    assert jobs.send(services, shift(SEND)) == f"prepared {WEEK}, 3 deliveries answered"
    assert (numbers(services).state, numbers(services).accepted) == ("sent", 3)
    assert jobs.send(services, shift(SEND + MINUTE)) == ""


def test_the_undo_window_is_kept_after_the_send_time(services: Services) -> None:
    """Approved late, for now: nothing is handed over before approval + DIGEST_UNDO_MINUTES."""
    make.draft(services)
    late = SEND + HOUR
    approving.approve(services, WEEK, by="edda@example.com", send_at=late, seen_hash=None, now=late)

    assert jobs.send(services, shift(late + UNDO - SECOND)) == ""
    assert edition(services).state is EditionState.APPROVED
    jobs.send(services, shift(late + UNDO))
    assert edition(services).state is EditionState.SENT


def test_nothing_leaves_unapproved(services: Services) -> None:
    """A draft whose time has come and gone stays a draft."""
    make.draft(services)

    assert jobs.send(services, shift(SEND + HOUR)) == ""
    assert edition(services).state is EditionState.DRAFT


def test_too_late_is_held_and_said(services: Services) -> None:
    """At DIGEST_LATE_HOURS it still leaves; later the clock holds it and tells staff once."""
    gathered(services, comparisons=0)
    make.approved(services, readers=3)
    late = SEND + LATE + SECOND

    assert at_once(lambda: jobs.send(services, shift(late)), 3) == ["", "", ""]
    assert jobs.send(services, shift(late + HOUR)) == ""
    held = edition(services)
    assert held.state is EditionState.HALTED
    assert held.why is not None
    assert "more than 6 hours ago" in held.why
    assert notices(services) == ["halted"]


def test_what_was_held_as_too_late_leaves_when_resumed(services: Services) -> None:
    """Resumed by hand it goes at the next look, however late it is by then."""
    make.approved(services, readers=3)
    late = SEND + 3 * DAY
    jobs.send(services, shift(late))
    with services.database.writing() as session:
        editions.resume(session, editions.find(session, WEEK), why="better late", by="otto@example.com", now=late)

    assert jobs.send(services, shift(late + MINUTE)) == f"prepared {WEEK}, 3 deliveries answered"
    assert numbers(services).state == "sent"


def test_not_too_late_leaves(services: Services) -> None:
    """Exactly DIGEST_LATE_HOURS late is not too late."""
    make.approved(services)
    jobs.send(services, shift(SEND + LATE))

    assert edition(services).state is EditionState.SENT


def test_what_was_held_by_hand_stays_held(services: Services) -> None:
    """Held by a person before its time: the clock leaves it alone, then and later."""
    make.approved(services)
    with services.database.writing() as session:
        editions.hold(session, editions.find(session, WEEK), why="wait", by="otto@example.com", now=APPROVED)

    assert jobs.send(services, shift(SEND)) == ""
    assert (edition(services).state, edition(services).why) == (EditionState.HALTED, "wait")


def test_two_clocks_hand_over_once(scripted: Services) -> None:
    """At the same moment: every delivery once, the edition sent, and neither fails."""
    make.approved(scripted, readers=95)
    at_once(lambda: jobs.send(scripted, shift(SEND)))
    transport = scripted.transport
    assert isinstance(transport, ScriptedTransport)

    assert len(transport.deliveries()) == 95
    assert set(transport.deliveries().values()) == {1}


# — rescue —


def test_what_a_dead_worker_left_is_freed(scripted: Services) -> None:
    """A lease that ended before the call: free again, and handed over at the next look."""
    make.approved(scripted, readers=5)
    sending.prepare(scripted, WEEK, by="test", now=SEND)
    with scripted.database.writing() as session:
        batches.claim_next(session, owner="another-machine/1/x", now=SEND, lease=MINUTE)

    assert jobs.rescue(scripted, shift(SEND + MINUTE - SECOND)) == ""
    assert jobs.rescue(scripted, shift(SEND + MINUTE)) == "1 batches rescued"
    assert numbers(scripted).waiting == 5
    jobs.send(scripted, shift(SEND + MINUTE))
    assert numbers(scripted).state == "sent"


# — tidying —


def test_tidy_forgets_what_is_old_and_nothing_else(services: Services) -> None:
    """Old runs, letters long accepted and pauses that are over; never a letter that is still owed."""
    now = SEND
    with services.database.writing() as session:
        for age in (tidying.KEEP_RUNS + SECOND, tidying.KEEP_RUNS):
            at = now - age
            session.add(JobRun(job="send", process="p", started_at=at, finished_at=at, times=1, ok=True, said=""))
        for state in LetterState:
            for age in (tidying.KEEP_LETTERS + SECOND, tidying.KEEP_LETTERS):
                session.add(letter(state, now - age))
        for until in (now, now + SECOND, None):
            session.add(Pause(edition_id=None, because="x", since=now - HOUR, until=until))

    assert jobs.tidy(services, shift(now)) == "forgot 1 runs, 2 letters"
    assert jobs.tidy(services, shift(now)) == ""
    with services.database.reading() as session:
        assert len(session.scalars(sa.select(JobRun)).all()) == 1
        states = session.scalars(sa.select(Letter.state).order_by(Letter.id)).all()
        assert sorted(states) == ["accepted", "given up", "queued", "queued"]
        assert len(session.scalars(sa.select(Pause)).all()) == 2


def letter(state: LetterState, queued_at: datetime) -> Letter:
    return Letter(
        kind="halted", email="e@example.com", context={}, state=state, queued_at=queued_at, not_before=queued_at
    )


def test_tidy_clears_the_outbox_of_what_was_never_finished(services: Services, tmp_path: Path) -> None:
    """A folder that a process died while writing goes after a day; whole batches and young folders stay."""
    week = tmp_path / "outbox" / WEEK
    for name, age in ((".batch-00001.1", DAY + MINUTE), (".batch-00002.1", HOUR), ("batch-00003", 9 * DAY)):
        folder = week / name
        folder.mkdir(parents=True)
        (folder / "0000001-a.eml").write_text("x")
        changed = (SEND - age).timestamp()
        os.utime(folder, (changed, changed))

    assert jobs.tidy(services, shift(SEND)) == "forgot 1 half-written batches"
    assert sorted(path.name for path in week.iterdir()) == [".batch-00002.1", "batch-00003"]


# — the heartbeat —


def note(services: Services, job: str, at: datetime, *, ok: bool = True, said: str = "", process: str = "p") -> None:
    job_runs.note_run(services, job, started=at, finished=at, ok=ok, said=said, process=process)


def runs(services: Services) -> list[tuple[str, int, bool, str]]:
    with services.database.reading() as session:
        found = session.scalars(sa.select(JobRun).order_by(JobRun.id)).all()
        return [(run.job, run.times, run.ok, run.said) for run in found]


def test_a_quiet_hour_is_one_row(services: Services) -> None:
    """720 looks that had nothing to say are a row an hour, and the heartbeat is the last of them."""
    for number in range(0, 7200, 10):
        note(services, "send", SEND + number * SECOND)

    assert [times for _, times, _, _ in runs(services)] == [361, 359]
    with services.database.reading() as session:
        assert job_runs.last_heartbeat(session) == SEND + 7190 * SECOND


def test_what_was_said_has_a_row_of_its_own(services: Services) -> None:
    """Something done, something failed and each process stand in rows of their own; quiet looks go on beside them."""
    note(services, "send", SEND)
    note(services, "letters", SEND)
    note(services, "send", SEND, process="another")
    note(services, "send", SEND + SECOND, said="prepared")
    note(services, "send", SEND + 2 * SECOND)
    note(services, "send", SEND + 3 * SECOND, ok=False, said="OSError: no")
    note(services, "send", SEND + 4 * SECOND)
    note(services, "send", SEND + 5 * SECOND)

    assert runs(services) == [
        ("send", 1, True, ""),
        ("letters", 1, True, ""),
        ("send", 1, True, ""),
        ("send", 1, True, "prepared"),
        ("send", 1, True, ""),
        ("send", 1, False, "OSError: no"),
        ("send", 2, True, ""),
    ]


def test_a_failed_run_is_shown_until_one_goes_well(services: Services) -> None:
    """The doctor names the job, when and why; a later run that went well ends it, whoever ran it."""
    note(services, "draft", SEND, process="running")
    note(services, "draft", SEND + MINUTE, ok=False, said="OSError: no space left", process="once")
    note(services, "send", SEND + MINUTE)
    found = [each for each in examination.examine(services, now=SEND + MINUTE) if each.name.startswith("job ")]

    assert [(each.name, each.ok) for each in found] == [("job draft", False)]
    assert "2026-11-20 09:01 UTC: OSError: no space left" in found[0].words
    note(services, "draft", SEND + 2 * MINUTE, process="running")
    found = [each for each in examination.examine(services, now=SEND + 2 * MINUTE) if each.name.startswith("job ")]
    assert found == []


def test_the_doctor_hears_a_silent_clock(services: Services) -> None:
    """Three minutes without a look are a finding; before the first look it is only worth knowing."""

    def clock(at: datetime) -> examination.Finding:
        return next(each for each in examination.examine(services, now=at) if each.name == "clock")

    assert clock(SEND).ok is None
    note(services, "letters", SEND)
    assert clock(SEND + 3 * MINUTE).ok
    assert clock(SEND + 3 * MINUTE + SECOND).ok is False
