"""The weekly cut-off: what stands, what is chosen with its reasons, and copies that no page can change."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from digest import checking, drafting, editions, envelopes, proofs
from digest.bootstrap import Services
from digest.facts import ComparisonFacts
from digest.models import Comparison, Considered, EditionState, Entry
from digest.verdicts import Summary
from digest.weeks import Window
from tests import make
from tests.digest.drafts import (
    DAY,
    W47,
    W48,
    W49,
    WEEKLY,
    drafted,
    entered,
    moved,
    seen,
    slugs,
    went_out,
    windows,
)
from tests.make import CUTOFF, WEEK

# — what a draft is —


def test_a_draft_has_its_window_its_time_and_its_maker(services: Services) -> None:
    """Cut off Thursday 18:00, leaving Friday 9:00, covering the week before it; the log says who made it."""
    pages = [*seen(services, CUTOFF - DAY), *seen(services, CUTOFF)]
    made = drafted(services)

    assert (made.made, made.edition.state, made.edition.send_at) == (True, EditionState.DRAFT, make.SEND)
    assert windows(services) == [(WEEK, CUTOFF - WEEKLY, CUTOFF)]
    assert entered(services) == slugs(pages)
    with services.database.reading() as session:
        (line,) = editions.log_of(session, editions.find(session, WEEK))
    assert (line.by, line.what, line.at) == ("edda@example.com", "made as draft", CUTOFF)
    assert made.edition.subject
    assert made.edition.rules["max_entries"] == 8


def test_everything_weighed_is_kept_with_its_reasons(services: Services) -> None:
    """Twelve stood, eight fit: twelve rows, ranked 1 to 12, each with parts that sum to its score, and a reason."""
    for number in range(12):
        seen(
            services, CUTOFF - DAY, make.comparison(make.tool(f"Tool {number}.0", panel_ship_percent=25 * (number % 5)))
        )
    edition = drafted(services).edition
    with services.database.reading() as session:
        rows = session.scalars(sa.select(Considered).order_by(Considered.rank)).all()
        placed = session.scalars(sa.select(Entry).order_by(Entry.position)).all()

    assert [row.rank for row in rows] == list(range(1, 13))
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
    assert [sum(part["points"] for part in row.parts) for row in rows] == [row.score for row in rows]
    assert all(part["words"] for row in rows for part in row.parts)
    assert {row.comparison_id for row in rows if row.chosen} == {entry.comparison_id for entry in placed}
    assert all(row.reason.startswith("chosen: " if row.chosen else "passed over: ") for row in rows)
    assert [entry.position for entry in placed] == list(range(1, 9))
    assert len(edition.also_compared) == 4


def test_entries_are_copies(services: Services) -> None:
    """A page that changes after the draft changes neither the entry's facts nor its summary; preflight warns."""
    (page,) = seen(services, CUTOFF - DAY)
    drafted(services)
    left = page.tools[0].model_copy(update={"pricing": "Suddenly $99", "panel_ship_percent": 0, "verdict": "skip"})
    seen(services, CUTOFF + DAY, page.model_copy(update={"tools": (left, page.tools[1])}))
    with services.database.reading() as session:
        edition = editions.find(session, WEEK)
        (entry,) = editions.entries_of(session, edition)
        zone = services.settings.digest_timezone
        proof = proofs.proof(session, edition, envelopes.current(services), zone)
        problems = checking.check(session, edition, proof, services, now=CUTOFF + DAY)
    assert ComparisonFacts.model_validate(entry.facts) == page
    assert "$99" not in Summary.model_validate(entry.summary).model_dump_json()
    assert "page-changed" in {problem.code for problem in problems}


# — what stands —


def test_the_archive_is_not_mailed_at_first_start(services: Services) -> None:
    """Of pages all seen this week, those published more than fourteen days before the window are no news."""
    oldest = CUTOFF - WEEKLY - 14 * DAY
    fresh = seen(services, CUTOFF - DAY, published_at=CUTOFF - DAY)
    edge = seen(services, CUTOFF - DAY, published_at=oldest)
    undated = seen(services, CUTOFF - DAY)
    seen(services, CUTOFF - DAY, published_at=oldest - timedelta(seconds=1))
    seen(services, CUTOFF - DAY, published_at=CUTOFF - 300 * DAY)
    drafted(services)

    assert entered(services) == slugs([*fresh, *edge, *undated])
    with services.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Considered)) == 3


def test_what_is_seen_after_the_cut_off_stands_next_week(services: Services) -> None:
    """A second late is next week's; a second early is this week's."""
    early = seen(services, CUTOFF)
    late = seen(services, CUTOFF + timedelta(seconds=1))
    drafted(services, now=CUTOFF + DAY)
    drafted(services, W48, now=CUTOFF + WEEKLY)

    assert (entered(services), entered(services, W48)) == (slugs(early), slugs(late))


def test_what_went_out_never_stands_again(services: Services) -> None:
    """Not even when its page is read again and has changed."""
    (page,) = seen(services, CUTOFF - DAY)
    drafted(services)
    went_out(services, W47)
    changed = page.model_copy(update={"title": "Quite another title"})
    new = seen(services, CUTOFF + DAY)
    seen(services, CUTOFF + DAY, changed)
    drafted(services, W48, now=CUTOFF + WEEKLY)

    assert entered(services, W48) == slugs(new)


def test_an_undated_page_is_dated_by_when_it_was_seen(services: Services) -> None:
    """It stands in the first edition after it was seen, and in no later one once that has gone."""
    undated = seen(services, CUTOFF - 200 * DAY)
    with services.database.reading() as session:
        assert session.scalars(sa.select(Comparison.published_at)).all() == [None]
    drafted(services)
    assert entered(services) == slugs(undated)


@pytest.mark.parametrize(
    "states",
    [
        [],
        [EditionState.APPROVED],
        [EditionState.APPROVED, EditionState.HALTED],
    ],
    ids=["draft", "approved", "halted"],
)
def test_what_another_edition_holds_does_not_stand(services: Services, states: list[EditionState]) -> None:
    """A draft, approved or held edition may still go out: readers would get its comparisons twice."""
    seen(services, CUTOFF - DAY)
    drafted(services)
    moved(services, W47, *states)
    new = seen(services, CUTOFF + DAY)
    drafted(services, W48, now=CUTOFF + WEEKLY)

    assert entered(services, W48) == slugs(new)


def test_a_skipped_week_carries_over(services: Services) -> None:
    """An editor skips a week: its comparisons stand again, beside the new ones."""
    pages = seen(services, CUTOFF - DAY)
    drafted(services)
    moved(services, W47, EditionState.SKIPPED)
    pages += seen(services, CUTOFF + DAY)
    drafted(services, W48, now=CUTOFF + WEEKLY)

    assert entered(services, W48) == slugs(pages)


def test_what_was_stopped_before_it_began_stands_again(services: Services) -> None:
    """Nobody got it; an edition stopped half-way was news to some, so it does not."""
    pages = seen(services, CUTOFF - DAY)
    drafted(services)
    moved(services, W47, EditionState.APPROVED, EditionState.HALTED, EditionState.STOPPED)
    drafted(services, W48, now=CUTOFF + WEEKLY)
    assert entered(services, W48) == slugs(pages)

    went_out(services, W48)
    moved(services, W48, EditionState.HALTED, EditionState.STOPPED)
    new = seen(services, CUTOFF + WEEKLY + DAY)
    drafted(services, W49, now=CUTOFF + 2 * WEEKLY)
    assert entered(services, W49) == slugs(new)


def test_what_was_passed_over_stands_again(services: Services) -> None:
    """One fits of two; the other is weighed again next week."""
    services = make.with_settings(services, digest_max_entries=1)
    pages = [*seen(services, CUTOFF - DAY), *seen(services, CUTOFF - DAY)]
    drafted(services)
    went_out(services, W47)
    drafted(services, W48, now=CUTOFF + WEEKLY)

    assert entered(services) | entered(services, W48) == slugs(pages)
    assert len(entered(services)) == len(entered(services, W48)) == 1


def test_readers_know_a_tool_by_the_words_it_had_before_its_address(services: Services) -> None:
    """Featured without an address, then learned: it is not new to readers."""
    loom = make.tool("Loom 1.0", slug="loom")
    nameless = loom.model_copy(update={"slug": None})
    seen(services, CUTOFF - DAY, make.comparison(nameless, make.tool("Reed", slug=None), slug=None, url=None))
    drafted(services)
    went_out(services, W47)
    seen(services, CUTOFF + DAY, make.comparison(loom, make.tool("Heddle", slug="heddle")))
    with services.database.reading() as session:
        window = Window(CUTOFF, CUTOFF + WEEKLY)
        (standing,) = drafting.standing_for(session, window, services.settings)

    by_name = {
        tool.name: known for tool, known in zip(standing.facts.tools, (standing.left, standing.right), strict=True)
    }
    assert by_name["Loom 1.0"].last_week == W47
    assert by_name["Heddle"].new
