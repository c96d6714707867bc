"""Taking pages in: each tool and take once, nothing known lost, the later value kept, the same page never news."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Base, Database
from digest import intake, library
from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts
from digest.models import Comparison, Take, Tool
from tests import make

LATER = make.SEEN + timedelta(hours=5)


def everything(session: Session) -> dict[str, list[Any]]:
    """Every row of the gathering tables."""
    tables = ("tools", "takes", "comparisons")
    return {
        name: [tuple(row) for row in session.execute(sa.select(table).order_by(*table.primary_key))]
        for name in tables
        if (table := Base.metadata.tables[name]) is not None
    }


def count(session: Session, table: type[Base]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def stored(session: Session, name: str) -> ToolFacts:
    """The one tool of that name as the listing shows it."""
    found = {tool.identity: tool for each in library.listed(session) for tool in each.facts.tools if tool.name == name}
    (only,) = found.values()
    return only


def only(session: Session) -> ComparisonFacts:
    (found,) = library.listed(session)
    return found.facts


# — once —


def test_a_tool_in_many_comparisons_is_stored_once(database: Database) -> None:
    """Three pages with one tool in common: four tools, and its four takes once."""
    loom = make.tool("Loom 1.0")
    with database.writing() as session:
        make.taken_in(session, *(make.comparison(loom, make.tool(f"Shuttle {n}.0")) for n in range(3)))
        assert (count(session, Comparison), count(session, Tool), count(session, Take)) == (3, 4, 16)


def test_the_same_page_again_changes_nothing(database: Database) -> None:
    """Read a second time, hours later, a page is unchanged, and not one row differs."""
    pages = [make.comparison(), make.comparison(slug=None, url=None)]
    with database.writing() as session:
        assert [taken.news for taken in make.taken_in(session, *pages)] == ["new", "new"]
    with database.reading() as session:
        before = everything(session)
    with database.writing() as session:
        again = make.taken_in(session, *pages, now=LATER)
    with database.reading() as session:
        assert (["unchanged"] * 2, before) == ([taken.news for taken in again], everything(session))


def test_an_old_page_read_again_does_not_bring_back_old_values(database: Database) -> None:
    """Two pages disagree about a tool; reading the first one again is no news, with and without an address."""
    loom, cheaper = make.tool("Loom 1.0"), make.tool("Loom 1.0", pricing="$1 a month")
    for more in ({}, {"slug": None, "url": None}):
        first = make.comparison(loom, make.tool("Shuttle 1.0"), **more)
        with database.writing() as session:
            make.taken_in(session, first, make.comparison(cheaper, make.tool(f"Shuttle {2 + len(more)}.0")))
            (again,) = make.taken_in(session, first, now=LATER)
            assert ("unchanged", "$1 a month") == (again.news, stored(session, "Loom 1.0").pricing)


def test_a_changed_page_says_so_and_when(database: Database) -> None:
    """A new price makes the page changed and moves changed_at; when it was first seen stays."""
    loom, shuttle = make.tool("Loom 1.0"), make.tool("Shuttle 1.0")
    with database.writing() as session:
        make.taken_in(session, make.comparison(loom, shuttle))
        dearer = make.tool("Loom 1.0", pricing="$12 a month")
        (taken,) = make.taken_in(session, make.comparison(dearer, shuttle), now=LATER)
        row = session.get_one(Comparison, taken.comparison_id)
        assert (taken.news, row.changed_at, row.first_seen_at) == ("changed", LATER, make.SEEN)
        assert stored(session, "Loom 1.0").pricing == "$12 a month"


# — known and missing —


def test_missing_never_overwrites_known(database: Database) -> None:
    """A page that says nothing but the names leaves every fact, take and date as it was."""
    full = make.comparison(published_at=make.SEEN)
    bare = with_names_only(full)
    with database.writing() as session:
        make.taken_in(session, full)
        before = only(session)
        (taken,) = make.taken_in(session, bare, now=LATER)
        assert ("unchanged", before) == (taken.news, only(session))


def with_names_only(page: ComparisonFacts) -> ComparisonFacts:
    left, right = (ToolFacts(slug=tool.slug, name=tool.name) for tool in page.tools)
    return ComparisonFacts(slug=page.slug, tools=(left, right))


def test_what_was_missing_is_filled_in(database: Database) -> None:
    """The other way round, each page adds what it says."""
    full = make.comparison(published_at=make.SEEN)
    bare = with_names_only(full)
    with database.writing() as session:
        make.taken_in(session, bare)
        (taken,) = make.taken_in(session, full)
        assert ("changed", full) == (taken.news, only(session))


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("tagline", "Weaves logs", "Weaves traces"),
        ("category", "Models", "Gaming"),
        ("description", "It weaves.", "It weaves well."),
        ("entry", "Free", "Paid"),
        ("pricing", "$10", "Free"),
        ("best_for", "weavers", "spinners"),
        ("panel_ship_percent", 75, 50),
        ("verdict", "ship", "skip"),
        ("split", Split(ship=3, skip=1), Split(ship=2, skip=2)),
        ("community", Community(ship_percent=40, votes=10), Community(ship_percent=0, votes=12)),
        ("name", "Loom 1.0", "Loom 1.1"),
    ],
)
def test_of_two_values_the_later_wins(sqlite: Database, field: str, before: Any, after: Any) -> None:
    """Field by field, the page read later is believed."""
    shuttle = make.tool("Shuttle 1.0")
    with sqlite.writing() as session:
        for number, value in enumerate((before, after)):
            loom = make.tool(**{"name": "Loom 1.0", "slug": "loom", field: value})
            make.taken_in(session, make.comparison(loom, shuttle, slug="loom-vs-shuttle-1-0"), now=LATER)
            assert getattr(only(session).tools[0], field) == value, number


def test_a_later_take_replaces_score_call_and_remark(database: Database) -> None:
    """One row per reviewer: changed where told anew, kept where not told."""
    first = make.take("Builder", 80, "ship", remark="It holds.")
    with database.writing() as session:
        shuttle = make.tool("Shuttle 1.0")
        make.taken_in(session, make.comparison(make.tool("Loom 1.0", takes=(first,)), shuttle))
        second = TakeFacts(reviewer="Builder", score=40.5, call="skip")
        make.taken_in(session, make.comparison(make.tool("Loom 1.0", takes=(second,)), shuttle))
        takes = stored(session, "Loom 1.0").takes
    assert takes == (TakeFacts(reviewer="Builder", score=40.5, call="skip", remark="It holds."),)


def test_a_panel_that_voted_again_voted_as_a_whole(database: Database) -> None:
    """A new percentage without badge and split does not leave the old badge and split standing beside it."""
    shuttle = make.tool("Shuttle 1.0")
    again = make.tool("Loom 1.0", panel_ship_percent=25, verdict=None, split=None)
    with database.writing() as session:
        make.taken_in(session, make.comparison(make.tool("Loom 1.0"), shuttle), make.comparison(again, shuttle))
        loom = stored(session, "Loom 1.0")
    assert (loom.panel_ship_percent, loom.verdict, loom.split) == (25, None, None)


def test_a_rounded_percentage_is_the_same_vote(database: Database) -> None:
    """66.7 here and 67 there: the split stays known."""
    shuttle, votes = make.tool("Shuttle 1.0"), Split(ship=2, skip=1)
    exact = make.tool("Loom 1.0", panel_ship_percent=66.7, verdict="mixed", split=votes)
    rounded = make.tool("Loom 1.0", panel_ship_percent=67, verdict=None, split=None)
    with database.writing() as session:
        make.taken_in(session, make.comparison(exact, shuttle), make.comparison(rounded, shuttle))
        loom = stored(session, "Loom 1.0")
    assert (loom.verdict, loom.split) == ("mixed", votes)


@pytest.mark.parametrize(
    ("known", "told", "kept"),
    [
        (Community(ship_percent=40, votes=12), Community(ship_percent=40), Community(ship_percent=40, votes=12)),
        (Community(ship_percent=40), Community(ship_percent=40, votes=12), Community(ship_percent=40, votes=12)),
        (Community(ship_percent=40, votes=12), Community(ship_percent=41), Community(ship_percent=41)),
        (Community(ship_percent=40, votes=12), Community(votes=13), Community(ship_percent=40, votes=13)),
        (Community(ship_percent=40, votes=12), Community(votes=0), Community(votes=0)),
        (Community(votes=0), Community(), Community(votes=0)),
        (Community(ship_percent=40, votes=12), None, Community(ship_percent=40, votes=12)),
        (Community(votes=0), Community(ship_percent=0, votes=3), Community(ship_percent=0, votes=3)),
    ],
)
def test_votes_of_the_readers(sqlite: Database, known: Community, told: Community | None, kept: Community) -> None:
    """A percentage without a number leaves the number known; "nobody has voted" is a statement, silence is none."""
    shuttle = make.tool("Shuttle 1.0")
    with sqlite.writing() as session:
        for community in (known, told):
            make.taken_in(session, make.comparison(make.tool("Loom 1.0", community=community), shuttle))
        assert stored(session, "Loom 1.0").community == kept


def test_reviewers_keep_the_panel_s_order(database: Database) -> None:
    """A page that leaves a reviewer out does not move the others, whichever page is read first."""
    panel = [make.take(reviewer) for reviewer in ("Builder", "Skeptic", "Creator")]
    whole = make.comparison(make.tool("Loom 1.0", takes=tuple(panel)), make.tool("Shuttle 1.0"))
    part = make.comparison(make.tool("Loom 1.0", takes=(panel[0], panel[2])), make.tool("Shuttle 2.0"))
    for pages in ((whole, part), (part, whole)):
        with database.reading() as session:
            make.taken_in(session, *pages)
            assert [take.reviewer for take in stored(session, "Loom 1.0").takes] == ["Builder", "Skeptic", "Creator"]


def test_loose_remarks_of_a_page_cut_off_leave_the_rest_known(database: Database) -> None:
    """The first two of four remarks read later are not fewer remarks; other remarks are."""
    page = make.comparison(make.tool("Loom 1.0", takes=()), make.tool("Shuttle 1.0", takes=()))
    kept = []
    with database.writing() as session:
        for remarks in (("a", "b", "c", "d"), ("a", "b"), (), ("e", "f")):
            make.taken_in(session, page.model_copy(update={"loose_remarks": remarks}))
            kept.append(session.scalars(sa.select(Comparison.loose_remarks)).one())
    assert kept == [["a", "b", "c", "d"]] * 3 + [["e", "f"]]


# — at once —


def test_two_processes_that_read_the_same_page_make_one_row_set(database: Database) -> None:
    """Four workers take in the same three pages at once, one of them without an address: no row twice, no error."""
    loom = make.tool("Loom 1.0")
    nameless = [make.tool(name, slug=None) for name in ("Reed 1.0", "Heddle 1.0")]
    pages = [
        make.comparison(loom, make.tool("Shuttle 1.0")),
        make.comparison(make.tool("Anvil 1.0"), loom),
        make.comparison(nameless[0], nameless[1], slug=None, url=None),
    ]
    at_once(database, lambda own, number: take_in_each(own, pages[number % 3 :] + pages[: number % 3]))

    with database.reading() as session:
        assert (count(session, Comparison), count(session, Tool), count(session, Take)) == (3, 5, 20)


def take_in_each(database: Database, pages: list[ComparisonFacts]) -> None:
    for page in pages:
        with database.writing() as session:
            intake.take_in(session, page, now=make.SEEN)


def at_once(database: Database, work: Callable[[Database, int], None], workers: int = 4) -> None:
    """Each worker has connections of its own, as another process would."""
    problems: list[BaseException] = []
    ready = threading.Barrier(workers)

    def run(number: int) -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        try:
            ready.wait(timeout=30)
            work(own, number)
        except Exception as problem:  # noqa: BLE001 - reported below
            problems.append(problem)
        finally:
            own.dispose()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_facts_told_at_once_are_all_kept(database: Database) -> None:
    """Four pages each tell something else of one tool, at the same moment: nothing is lost."""
    told: list[dict[str, Any]] = [{"category": "Gaming"}, {"entry": "Free"}, {"pricing": "$3"}, {"best_for": "weavers"}]

    def work(own: Database, number: int) -> None:
        loom = ToolFacts(slug="loom", name="Loom", **told[number])
        other = ToolFacts(slug=f"shuttle-{number}", name=f"Shuttle {number}")
        take_in_each(own, [ComparisonFacts(slug=f"loom-vs-shuttle-{number}", tools=(loom, other))])

    at_once(database, work)
    with database.reading() as session:
        loom = stored(session, "Loom")
    assert (loom.category, loom.entry, loom.pricing, loom.best_for) == ("Gaming", "Free", "$3", "weavers")


def test_a_take_without_a_reviewer_is_not_kept(database: Database) -> None:
    """Nobody said it, so nobody can be quoted with it."""
    loom = make.tool("Loom 1.0", takes=(make.take(), TakeFacts(remark="Somebody liked it.", score=90)))
    with database.writing() as session:
        make.taken_in(session, make.comparison(loom))
        assert [take.reviewer for take in stored(session, "Loom 1.0").takes] == ["Builder"]
