"""The life of an edition: every move there is and no other, each with its line in the log."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import editions, intake, sending, stats
from digest.bootstrap import Services
from digest.editions import MOVES
from digest.models import Batch, Comparison, Delivery, Edition, EditionLog, EditionState, RenderingRow
from digest.weeks import BadWeek, Week
from tests import make
from tests.digest.drafts import W48, WEEKLY, drafted, moved, seen
from tests.make import CUTOFF, WEEK

LATER = make.APPROVED + timedelta(hours=1)
DRAFT, APPROVED, SENDING, SENT, HALTED, STOPPED, SKIPPED = EditionState


def bare(session: Session, state: EditionState = DRAFT, week: str = WEEK) -> Edition:
    """An edition in that state, without anything in it."""
    edition = Edition(
        week=week,
        state=state,
        window_start=CUTOFF - WEEKLY,
        window_end=CUTOFF,
        planned_at=make.SEND,
        send_at=make.SEND,
        rules={},
        also_compared=[],
        created_at=CUTOFF,
    )
    session.add(edition)
    session.flush()
    return edition


def found(services: Services, week: str = WEEK) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, week)


def log(services: Services, week: str = WEEK) -> list[tuple[str, str, str | None]]:
    with services.database.reading() as session:
        lines = editions.log_of(session, editions.find(session, week))
    return [(line.by, line.what, line.why) for line in lines]


# — finding —


def test_an_edition_is_found_by_its_week(sqlite: Database) -> None:
    """By name, in any case, or the newest as `latest`; what is not there is an error that says what to do."""
    with sqlite.writing() as session:
        with pytest.raises(editions.NoSuchEdition, match="There is no edition yet"):
            editions.find(session, "latest")
        bare(session, week="2026-W09")
        bare(session, week="2026-W10")
        assert editions.find(session, "latest").week == "2026-W10"
        assert editions.find(session, "2026-w09").week == "2026-W09"
        with pytest.raises(editions.NoSuchEdition, match="`digest edition draft 2026-W11` makes one"):
            editions.find(session, "2026-W11")
        with pytest.raises(BadWeek):
            editions.find(session, "last week")


# — the moves —


@pytest.mark.parametrize("before", EditionState)
def test_every_move(sqlite: Database, before: EditionState) -> None:
    """Each state to each other: done with a line in the log where the table has it, else refused with both states."""
    with sqlite.writing() as session:
        for number, to in enumerate(EditionState, start=1):
            edition = bare(session, before, week=f"2026-W{number:02}")
            if to in MOVES[before]:
                editions.advance(session, edition, to, by="otto", now=LATER, why="because")
                (line,) = editions.log_of(session, edition)
                assert (line.by, line.what, line.why, line.at) == ("otto", f"{before} → {to}", "because", LATER)
                assert (edition.state, edition.why) == (to, "because")
            else:
                with pytest.raises(editions.NotThatMove, match=f"is {before}, so it cannot become {to}"):
                    editions.advance(session, edition, to, by="otto", now=LATER)
                assert editions.log_of(session, edition) == []
                assert edition.state is before


def test_the_moves_are_those_of_the_design() -> None:
    """draft ⇄ approved → sending → sent; draft, approved → skipped → draft; approved, sending ⇄ halted → stopped."""
    assert {(before, to) for before, reached in MOVES.items() for to in reached} == {
        (DRAFT, APPROVED),
        (APPROVED, DRAFT),
        (APPROVED, SENDING),
        (SENDING, SENT),
        (DRAFT, SKIPPED),
        (APPROVED, SKIPPED),
        (SKIPPED, DRAFT),
        (APPROVED, HALTED),
        (HALTED, APPROVED),
        (SENDING, HALTED),
        (HALTED, SENDING),
        (HALTED, STOPPED),
    }


def test_of_two_moves_at_once_one_is_made(services: Services) -> None:
    """Four people skip the same draft: one line in the log, three are told what it is by now."""
    with services.database.writing() as session:
        bare(session)
    refused: list[str] = []
    ready = threading.Barrier(4)

    def work() -> None:
        own = Database(services.database.url.render_as_string(hide_password=False))
        try:
            with own.reading() as looking:
                seen_before = editions.find(looking, WEEK)
            ready.wait(timeout=30)
            with own.writing() as session:
                editions.advance(session, session.merge(seen_before, load=False), SKIPPED, by="x", now=LATER, why="y")
        except editions.NotThatMove as no:
            refused.append(str(no))
        finally:
            own.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert refused == [f"Edition {WEEK} is skipped, so it cannot become skipped."] * 3
    assert log(services) == [("x", "draft → skipped", "y")]


# — holding and resuming —


@pytest.mark.parametrize("before", [APPROVED, SENDING])
def test_held_and_resumed(sqlite: Database, before: EditionState) -> None:
    """Halted with who and why, and back to where it was; only a halted edition is resumed."""
    with sqlite.writing() as session:
        edition = bare(session, before)
        editions.hold(session, edition, why="a typo", by="edda", now=LATER)
        assert (edition.state, edition.halted_from, edition.why) == (HALTED, before, "a typo")
        editions.resume(session, edition, why="it is fine", by="otto", now=LATER)
        assert (edition.state, edition.halted_from, edition.why) == (before, None, "it is fine")
        assert [line.by for line in editions.log_of(session, edition)] == ["edda", "otto"]
        with pytest.raises(editions.NotThatMove, match="only a halted one can be resumed"):
            editions.resume(session, edition, why="again", by="otto", now=LATER)


@pytest.mark.parametrize("state", [DRAFT, SENT, HALTED, STOPPED, SKIPPED])
def test_only_what_may_go_out_is_held(sqlite: Database, state: EditionState) -> None:
    """A draft goes nowhere by itself, and what is over is over."""
    with sqlite.writing() as session, pytest.raises(editions.NotThatMove):
        editions.hold(session, bare(session, state), why="wait", by="otto", now=LATER)


def test_an_older_edition_is_resumed_only_when_meant(sqlite: Database) -> None:
    """Once a newer one has begun, resuming needs --stale; a newer one that has not begun is no reason."""
    with sqlite.writing() as session:
        older, newer = bare(session, HALTED), bare(session, APPROVED, week="2026-W48")
        older.halted_from = SENDING
        editions.resume(session, older, why="go", by="otto", now=LATER)
        editions.hold(session, older, why="wait", by="otto", now=LATER)
        newer.begun_at = LATER
        with pytest.raises(editions.NewerHasBegun, match=r"2026-W48 has already gone out.*--stale"):
            editions.resume(session, older, why="go", by="otto", now=LATER)
        assert older.state is HALTED
        editions.resume(session, older, why="go", by="otto", now=LATER, stale=True)
        assert older.state is SENDING


# — skipping, reopening, stopping —


def rows(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(RenderingRow)) or 0


@pytest.mark.parametrize("act", [editions.skip, editions.reopen])
def test_skipping_and_reopening_void_the_approval(services: Services, act: object) -> None:
    """Nothing of it is left that could be sent: hash, approver, envelope, candidates and every rendering."""
    make.approved(services, readers=3)
    with services.database.writing() as session:
        assert rows(session) == 2
        edition = editions.find(session, WEEK)
        (editions.skip if act is editions.skip else editions.reopen)(
            session, edition, why="wrong week", by="edda", now=LATER
        )
        assert rows(session) == 0
    edition = found(services)
    assert edition.state is (SKIPPED if act is editions.skip else DRAFT)
    assert (
        edition.approved_at,
        edition.approved_by,
        edition.approved_hash,
        edition.approved_candidates,
        edition.envelope,
    ) == (None,) * 5


def test_what_is_under_way_is_not_reopened(services: Services) -> None:
    """And the attempt leaves its renderings where they are."""
    make.approved(services)
    moved(services, Week.parse(WEEK), SENDING)
    with services.database.writing() as session:
        with pytest.raises(editions.NotThatMove):
            editions.reopen(session, editions.find(session, WEEK), why="oh", by="edda", now=LATER)
        assert rows(session) == 2


def test_a_skipped_edition_is_opened_again(services: Services) -> None:
    """With its entries as they were, and both moves in the log."""
    make.draft(services)
    with services.database.writing() as session:
        edition = editions.find(session, WEEK)
        before = [entry.comparison_id for entry in editions.entries_of(session, edition)]
        editions.skip(session, edition, why="holiday", by="edda", now=LATER)
        editions.reopen(session, edition, why="no holiday", by="edda", now=LATER)
        assert [entry.comparison_id for entry in editions.entries_of(session, edition)] == before
    assert log(services)[1:] == [
        ("edda", "draft → skipped", "holiday"),
        ("edda", "skipped → draft", "no holiday"),
    ]


def test_a_skipped_edition_whose_comparisons_went_elsewhere_stays_skipped(services: Services) -> None:
    """They carried over into the next draft; opening both would show readers the same comparison twice."""
    seen(services, CUTOFF - WEEKLY / 2)
    drafted(services)
    moved(services, Week.parse(WEEK), SKIPPED)
    drafted(services, W48, now=CUTOFF + WEEKLY)
    taken = pytest.raises(editions.TakenElsewhere, match="2026-W47 stand in 2026-W48 by now")
    with taken, services.database.writing() as session:
        editions.reopen(session, editions.find(session, WEEK), why="after all", by="edda", now=LATER)
    moved(services, W48, SKIPPED)
    with services.database.writing() as session:
        editions.reopen(session, editions.find(session, WEEK), why="after all", by="edda", now=LATER)
    assert found(services).state is DRAFT


def test_stopping_withholds_the_rest(scripted: Services) -> None:
    """A held edition is stopped: nobody who has not got it will, with who and why, and the numbers add up."""
    make.approved(scripted, readers=25)
    sending.prepare(scripted, WEEK, by="test", now=make.SEND)
    with scripted.database.writing() as session:
        edition = editions.find(session, WEEK)
        with pytest.raises(editions.NotThatMove):
            editions.stop(session, edition, why="too soon", by="otto", now=LATER)
        editions.hold(session, edition, why="wrong", by="otto", now=LATER)
        editions.stop(session, edition, why="wrong prices", by="otto", now=LATER)
    with scripted.database.reading() as session:
        numbers = stats.numbers(session, editions.find(session, WEEK))
        reasons = set(session.scalars(sa.select(Delivery.withheld_because)))
        assert session.scalar(sa.select(sa.func.count()).select_from(Batch)) == 3
    edition = found(scripted)
    assert (edition.state, edition.why, edition.finished_at) == (STOPPED, "wrong prices", LATER)
    assert (numbers.withheld, numbers.waiting, numbers.adds_up) == (25, 0, True)
    assert reasons == {"stopped: wrong prices"}


# — reading —


def test_considered_comparisons_are_named(services: Services) -> None:
    """By the title of their page, or by their tools, best first."""
    titled = make.comparison(make.tool("Loom 1.0"), make.tool("Reed 1.0"))
    untitled = make.comparison(make.tool("Kite", slug="kite"), make.tool("Lark", slug="lark"))
    with services.database.writing() as session:
        make.taken_in(session, titled, untitled.model_copy(update={"title": None}))
    edition = drafted(services).edition
    with services.database.reading() as session:
        rows_by_name = editions.considered_by_name(session, edition)
    assert {name for _, name in rows_by_name} == {"Loom 1.0 vs Reed 1.0", "Kite vs Lark"}
    assert [row.rank for row, _ in rows_by_name] == [1, 2]


def test_withdrawn_entries_are_known_by_position(services: Services) -> None:
    """Which of an edition's entries was withdrawn, and why."""
    make.draft(services)
    with services.database.writing() as session:
        edition = editions.find(session, WEEK)
        assert editions.withdrawn_entries(session, edition) == {}
        second = editions.entries_of(session, edition)[1]
        slug = session.get_one(Comparison, second.comparison_id).slug or ""
        intake.withdraw(session, slug, why="wrong", by="otto", now=LATER)
        assert editions.withdrawn_entries(session, edition) == {2: "wrong"}


def test_a_line_of_the_log_is_never_lost(services: Services) -> None:
    """Made, approved, held, resumed, reopened, skipped: six lines in that order."""
    make.approved(services)
    with services.database.writing() as session:
        edition = editions.find(session, WEEK)
        for act in (editions.hold, editions.resume, editions.reopen, editions.skip):
            act(session, edition, why=act.__name__, by="otto", now=LATER)
        assert session.scalar(sa.select(sa.func.count()).select_from(EditionLog)) == 6
    assert [what for _, what, _ in log(services)] == [
        "made as draft",
        "draft → approved",
        "approved → halted",
        "halted → approved",
        "approved → draft",
        "draft → skipped",
    ]
