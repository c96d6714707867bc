"""Withdrawn: by the page, by its absence, by a person. A draft is blocked by it, an approved edition is one no more."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import checking, drafting, editions, envelopes, intake, library, proofs
from digest.bootstrap import Services
from digest.models import Comparison, Edition, EditionState, RenderingRow
from digest.weeks import Week
from tests import make

LATER = make.SEEN + timedelta(hours=5)
PAGE = make.comparison(make.tool("Loom 1.0", slug="loom"), make.tool("Shuttle 1.0", slug="shuttle"))
SLUG = "loom-vs-shuttle"
OVER = PAGE.model_copy(update={"withdrawn": True})


def row(session: Session) -> Comparison:
    return session.scalars(sa.select(Comparison).where(Comparison.slug == SLUG)).one()


def gone(services: Services) -> bool:
    with services.database.reading() as session:
        return row(session).withdrawn_at is not None


def first_slug(session: Session) -> str:
    return session.scalars(sa.select(Comparison.slug).order_by(Comparison.id)).first() or ""


def state(services: Services) -> EditionState:
    with services.database.reading() as session:
        return editions.find(session, make.WEEK).state


# — who withdraws —


def test_a_page_may_say_so_itself(services: Services) -> None:
    """`withdrawn: true` withdraws once, with a reason; told again it is no news."""
    with services.database.writing() as session:
        news = [taken.news for taken in make.taken_in(session, PAGE, OVER, OVER, now=LATER)]
        found = row(session)
        (listed,) = library.listed(session)
    assert news == ["new", "withdrawn", "unchanged"]
    assert (found.withdrawn_at, found.withdrawn_because) == (LATER, "its page says it is withdrawn")
    assert listed.facts.withdrawn


def test_a_page_may_be_new_and_withdrawn(services: Services) -> None:
    """Heard of for the first time when it was over already."""
    with services.database.writing() as session:
        (taken,) = make.taken_in(session, OVER)
    assert taken.news == "withdrawn"
    assert gone(services)


@pytest.mark.parametrize(
    "url",
    [
        "https://site.example.com/compare/loom-vs-shuttle",
        "https://site.example.com/compare/loom-vs-shuttle/",
        "https://site.example.com/en/compare/loom-vs-shuttle?from=feed",
    ],
)
def test_a_page_that_is_gone_withdraws(services: Services, url: str) -> None:
    """By its address, or by the slug in it."""
    with services.database.writing() as session:
        make.taken_in(session, PAGE)
        intake.page_gone(session, url, now=LATER)
    assert gone(services)


@pytest.mark.parametrize(
    "url",
    [
        "https://site.example.com/compare/",
        "https://site.example.com/about",
        "https://elsewhere.example.org/compare/loom-vs-shuttle",
    ],
)
def test_another_page_that_is_gone_withdraws_nothing(services: Services, url: str) -> None:
    """Neither an address that is no comparison's, nor a copy on another site; comparisons without address stay too."""
    nameless = make.comparison(make.tool("Reed", slug=None), make.tool("Heddle", slug=None), slug=None, url=None)
    with services.database.writing() as session:
        make.taken_in(session, PAGE, nameless)
        assert intake.page_gone(session, url, now=LATER) is None
        assert session.scalars(sa.select(Comparison.withdrawn_at)).all() == [None, None]


def test_an_operator_withdraws(services: Services) -> None:
    """With name and reason; a long reason is shortened to what is kept."""
    with services.database.writing() as session:
        make.taken_in(session, PAGE)
        intake.withdraw(session, SLUG, why="wrong " * 200, by="otto@example.com", now=LATER)
        found = row(session)
        assert (found.withdrawn_by, found.withdrawn_at) == ("otto@example.com", LATER)
        assert len(found.withdrawn_because or "") == 500


def test_only_what_is_known_can_be_withdrawn(services: Services) -> None:
    """An unknown slug is an error with the slug."""
    with pytest.raises(intake.NoSuchComparison, match="loom-vs-shuttle"), services.database.writing() as session:
        intake.withdraw(session, SLUG, why="wrong", by="otto", now=LATER)


# — who comes back —


@pytest.mark.parametrize("by_page", [True, False], ids=["said so", "gone"])
def test_a_page_that_is_back_is_no_longer_withdrawn(services: Services, *, by_page: bool) -> None:
    """Read again it stands again, though its content is the very same."""
    with services.database.writing() as session:
        make.taken_in(session, PAGE)
        if by_page:
            make.taken_in(session, OVER)
        else:
            intake.page_gone(session, PAGE.url or "", now=LATER)
        (taken,) = make.taken_in(session, PAGE, now=LATER)
        assert (taken.news, row(session).withdrawn_at, row(session).changed_at) == ("changed", None, LATER)


def test_what_an_operator_withdrew_stays_withdrawn(services: Services) -> None:
    """Neither the same page, nor a changed one, nor its going and coming back brings it back."""
    with services.database.writing() as session:
        make.taken_in(session, PAGE)
        intake.withdraw(session, SLUG, why="wrong", by="otto@example.com", now=LATER)
        make.taken_in(session, PAGE, PAGE.model_copy(update={"title": "Another"}))
        intake.page_gone(session, PAGE.url or "", now=LATER)
        make.taken_in(session, OVER, PAGE)
        assert (row(session).withdrawn_by, row(session).withdrawn_because) == ("otto@example.com", "wrong")


def test_an_operator_s_word_prevails_over_a_page_that_went_first(services: Services) -> None:
    """Gone by itself, then withdrawn by a person: its return does not bring it back."""
    with services.database.writing() as session:
        make.taken_in(session, PAGE)
        intake.page_gone(session, PAGE.url or "", now=LATER)
        intake.withdraw(session, SLUG, why="wrong", by="otto@example.com", now=LATER)
        make.taken_in(session, PAGE)
    assert gone(services)


# — what it does to editions —


def test_a_withdrawal_sends_an_approved_edition_back_to_draft(services: Services) -> None:
    """Approval and renderings are void, the log says why, and by whom."""
    make.approved(services)
    with services.database.writing() as session:
        intake.withdraw(session, first_slug(session), why="the prices are wrong", by="otto@example.com", now=LATER)
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        line = editions.log_of(session, edition)[-1]
        renderings = session.scalars(sa.select(RenderingRow)).all()
    assert (edition.state, edition.approved_hash, edition.approved_by) == (EditionState.DRAFT, None, None)
    assert renderings == []
    assert (line.what, line.by) == ("approved → draft", "otto@example.com")
    assert "was withdrawn: the prices are wrong" in (line.why or "")


def test_a_withdrawal_blocks_a_draft(services: Services) -> None:
    """Preflight blocks with the reason, and says where."""
    make.draft(services)
    with services.database.writing() as session:
        intake.withdraw(session, first_slug(session), why="the prices are wrong", by="otto", now=LATER)
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
        problems = [p for p in checking.check(session, edition, proof, services, now=make.APPROVED) if p.blocks]
    assert [problem.code for problem in problems] == ["withdrawn"]
    assert "the prices are wrong" in problems[0].what


def test_a_withdrawal_while_held_is_found_when_resumed(services: Services) -> None:
    """An approved edition that is held loses an entry: resuming makes it a draft, not something that goes out."""
    make.approved(services)
    with services.database.writing() as session:
        editions.hold(session, editions.find(session, make.WEEK), why="wait", by="otto", now=LATER)
        intake.withdraw(session, first_slug(session), why="wrong", by="otto", now=LATER)
    assert state(services) is EditionState.HALTED
    with services.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="go on", by="otto", now=LATER)
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        lines = [line.what for line in editions.log_of(session, edition)]
    assert (edition.state, edition.approved_hash) == (EditionState.DRAFT, None)
    assert lines[-2:] == ["halted → approved", "approved → draft"]


@pytest.mark.parametrize("to", [EditionState.SENDING, EditionState.HALTED])
def test_what_is_being_sent_goes_on(services: Services, to: EditionState) -> None:
    """An edition under way, or held under way, is nobody's draft any more; the withdrawal is kept all the same."""
    make.approved(services)
    with services.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        editions.advance(session, edition, EditionState.SENDING, by="test", now=LATER, begun_at=LATER)
        if to is EditionState.HALTED:
            editions.hold(session, edition, why="wait", by="otto", now=LATER)
        intake.withdraw(session, first_slug(session), why="wrong", by="otto", now=LATER)
    assert state(services) is to
    with services.database.writing() as session:
        assert session.scalar(sa.select(Comparison.withdrawn_because).order_by(Comparison.id).limit(1)) == "wrong"


def test_a_withdrawal_is_not_chosen(services: Services) -> None:
    """It is weighed like the rest, and passed over with that reason."""
    with services.database.writing() as session:
        make.taken_in(session, make.comparison(), OVER)
        edition = drafting.draft(session, Week.parse(make.WEEK), services.settings, by="test", now=make.CUTOFF).edition
        rows = editions.considered_by_name(session, edition)
    assert [(each.chosen, name) for each, name in rows if "withdrawn" in each.reason] == [
        (False, "Loom 1.0 vs Shuttle 1.0")
    ]
    assert len(rows) == 2


def test_sent_editions_are_left_alone(services: Services) -> None:
    """What went out stays as it went out."""
    make.approved(services)
    with services.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        editions.advance(session, edition, EditionState.SENDING, by="test", now=LATER, begun_at=LATER)
        editions.advance(session, edition, EditionState.SENT, by="test", now=LATER)
        intake.withdraw(session, first_slug(session), why="wrong", by="otto", now=LATER)
        assert session.scalars(sa.select(Edition.state)).all() == [EditionState.SENT]
        assert session.scalars(sa.select(RenderingRow)).all()
