"""Which tool and which page is meant: slugs are keys, names are not, and an address may be learned late."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import drafting, intake, library
from digest.bootstrap import Services
from digest.facts import ComparisonFacts, ToolFacts
from digest.models import Comparison, Considered, Entry, Take, Tool
from digest.weeks import Week
from tests import make


def listed(session: Session) -> list[ComparisonFacts]:
    return [found.facts for found in library.listed(session)]


def slugs(session: Session) -> list[str | None]:
    return sorted(session.scalars(sa.select(Tool.slug)), key=str)


def unaddressed(tool: ToolFacts) -> ToolFacts:
    return tool.model_copy(update={"slug": None})


def page(left: ToolFacts, right: ToolFacts, slug: str | None = None) -> ComparisonFacts:
    url = f"https://site.example.com/compare/{slug}" if slug else None
    return ComparisonFacts(slug=slug, url=url, tools=(left, right))


LOOM, SHUTTLE = make.tool("Loom 1.0", slug="loom"), make.tool("Shuttle 1.0", slug="shuttle")


def test_one_name_may_be_several_tools(database: Database) -> None:
    """Three slugs called Cursor 1.0 are three tools, each with its own category and percentage."""
    cursors = [
        make.tool("Cursor 1.0", slug=f"cursor-{n}", category=category, panel_ship_percent=n)
        for n, category in enumerate(("Models", "Health", "Gaming"))
    ]
    with database.writing() as session:
        make.taken_in(session, *(page(cursor, LOOM, f"{cursor.slug}-vs-loom") for cursor in cursors))
        found = {(t.slug, t.category, t.panel_ship_percent) for facts in listed(session) for t in facts.tools[:1]}
    assert found == {("cursor-0", "Models", 0), ("cursor-1", "Health", 1), ("cursor-2", "Gaming", 2)}


def test_without_an_address_a_tool_is_its_name_and_tagline(database: Database) -> None:
    """The same words are the same tool on two pages; the same name with another tagline is another tool."""
    other = make.tool("Loom 1.0", slug=None, tagline="Quite another loom")
    with database.writing() as session:
        make.taken_in(session, page(unaddressed(LOOM), unaddressed(SHUTTLE)), page(unaddressed(LOOM), other))
        assert session.scalar(sa.select(sa.func.count()).select_from(Tool)) == 3


@pytest.mark.parametrize("late", [True, False], ids=["address last", "address first"])
def test_a_tool_is_merged_when_its_address_is_learned(database: Database, *, late: bool) -> None:
    """Two pages without address and one with: two tools, one comparison each pair, all takes, in either order."""
    third = make.tool("Anvil 1.0", slug=None)
    known = LOOM.model_copy(update={"takes": LOOM.takes[:2]})
    nameless = LOOM.model_copy(update={"slug": None, "takes": LOOM.takes[1:]})
    pages = [page(nameless, unaddressed(SHUTTLE)), page(nameless, third), page(known, SHUTTLE, "loom-vs-shuttle")]
    with database.writing() as session:
        make.taken_in(session, *(pages if late else pages[::-1]))
        assert ["None", "loom", "shuttle"] == [str(slug) for slug in slugs(session)]
        assert session.scalar(sa.select(sa.func.count()).select_from(Comparison)) == 2
        assert {"loom-vs-shuttle", None} == {facts.slug for facts in listed(session)}
        for facts in listed(session):
            (loom,) = (tool for tool in facts.tools if tool.slug == "loom")
            assert set(loom.takes) == set(LOOM.takes)


def test_two_rows_of_one_tool_become_one(database: Database) -> None:
    """Known by slug without a tagline and, elsewhere, by its words: the page that tells both joins them.

    Comparisons, takes and the remark that only one of them had move over; no page is there twice.
    """
    skeptic = make.take("Skeptic", 61, remark="It snags.")
    by_slug = make.tool("Loom 1.0", slug="loom", tagline=None, takes=(skeptic.model_copy(update={"remark": None}),))
    by_words = LOOM.model_copy(update={"slug": None, "takes": (skeptic.model_copy(update={"score": None}),)})
    with database.writing() as session:
        make.taken_in(session, page(by_slug, SHUTTLE, "loom-vs-shuttle"), page(by_words, unaddressed(SHUTTLE)))
        assert len(listed(session)) == 2
        make.taken_in(session, page(LOOM.model_copy(update={"takes": ()}), make.tool("Reed"), "loom-vs-reed"))
        assert ["loom", "reed", "shuttle"] == slugs(session)
        assert {facts.slug for facts in listed(session)} == {"loom-vs-shuttle", "loom-vs-reed"}
        kept = session.scalars(sa.select(Take).join(Tool).where(Tool.slug == "loom")).one()
    assert (kept.reviewer, kept.score, kept.remark) == ("Skeptic", 61, "It snags.")


def test_a_name_alone_is_no_key(database: Database) -> None:
    """A tool without slug and tagline is never taken for one of that name that has them."""
    bare = ToolFacts(name="Loom 1.0", panel_ship_percent=0)
    with database.writing() as session:
        make.taken_in(session, page(bare, ToolFacts(name="Reed")), page(LOOM, SHUTTLE, "loom-vs-shuttle"))
        make.taken_in(session, page(bare, ToolFacts(name="Reed")))
        percents = {facts.slug: facts.tools[0].panel_ship_percent for facts in listed(session)}
    assert percents == {None: 0, "loom-vs-shuttle": 75}


def test_words_that_two_tools_share_name_neither(database: Database) -> None:
    """Two slugs with the same name and tagline: a page without an address means we cannot tell which."""
    twin = LOOM.model_copy(update={"slug": "loom-2", "panel_ship_percent": 0, "verdict": None, "split": None})
    with database.writing() as session:
        make.taken_in(session, page(LOOM, SHUTTLE, "loom-vs-shuttle"), page(twin, SHUTTLE, "loom-2-vs-shuttle"))
        make.taken_in(session, page(unaddressed(LOOM), SHUTTLE))
        assert ["None", "loom", "loom-2", "shuttle"] == [str(slug) for slug in slugs(session)]


def test_a_page_reversed_is_the_same_page(database: Database) -> None:
    """Left and right swapped: the same comparison, unchanged, shown in the order of its address."""
    with database.writing() as session:
        make.taken_in(session, page(LOOM, SHUTTLE, "loom-vs-shuttle"))
        before = listed(session)
        (swapped,) = make.taken_in(session, page(SHUTTLE, LOOM, "loom-vs-shuttle"))
        (nameless,) = make.taken_in(session, page(unaddressed(SHUTTLE), unaddressed(LOOM)))
        assert ("unchanged", "unchanged", before) == (swapped.news, nameless.news, listed(session))


def test_a_page_first_read_reversed_is_put_in_order(database: Database) -> None:
    """The address decides, not who was read first."""
    with database.writing() as session:
        make.taken_in(session, page(SHUTTLE, LOOM, "loom-vs-shuttle"))
        (facts,) = listed(session)
    assert (facts.headline, facts.title) == ("Loom 1.0 vs Shuttle 1.0", "Loom 1.0 vs Shuttle 1.0")


@pytest.mark.parametrize("known", [True, False], ids=["tool known before", "tool learned later"])
def test_an_address_that_can_be_split_twice_is_split_by_known_tools(database: Database, *, known: bool) -> None:
    """heron-vs-ibis-vs-kite is Heron vs Ibis against Kite, because some page knows Kite; whichever is read first."""
    pair = make.tool("Heron vs Ibis", slug="heron-vs-ibis")
    kite = make.tool("Kite", slug="kite")
    ambiguous = page(unaddressed(pair), unaddressed(kite), "heron-vs-ibis-vs-kite")
    telling = page(kite, SHUTTLE, "kite-vs-shuttle")
    with database.writing() as session:
        make.taken_in(session, *((telling, ambiguous) if known else (ambiguous, telling)))
        assert ["heron-vs-ibis", "kite", "shuttle"] == slugs(session)


def test_one_address_made_plain_makes_the_next_plain(database: Database) -> None:
    """Kite tells how the first is split, and so what the pair is called in the second."""
    pair, kite, lark = make.tool("Heron vs Ibis", slug=None), make.tool("Kite", slug=None), make.tool("Lark", slug=None)
    with database.writing() as session:
        make.taken_in(session, page(pair, lark, "heron-vs-ibis-vs-lark"), page(pair, kite, "heron-vs-ibis-vs-kite"))
        assert slugs(session) == [None, None, None]
        make.taken_in(session, page(make.tool("Kite", slug="kite"), SHUTTLE, "kite-vs-shuttle"))
        assert ["heron-vs-ibis", "kite", "lark", "shuttle"] == slugs(session)


def test_a_namesake_does_not_split_an_address(database: Database) -> None:
    """Another Kite, with another tagline, proves nothing."""
    pair, kite = make.tool("Heron vs Ibis", slug=None), make.tool("Kite", slug=None)
    other = make.tool("Kite", slug="kite", tagline="For windy days")
    with database.writing() as session:
        make.taken_in(session, page(other, SHUTTLE, "kite-vs-shuttle"), page(pair, kite, "heron-vs-ibis-vs-kite"))
        assert ["None", "None", "kite", "shuttle"] == [str(slug) for slug in slugs(session)]


def test_a_page_shortened_still_means_its_tools(database: Database) -> None:
    """An address that cannot be split, read whole and then without taglines: nothing known is lost."""
    pair, kite = make.tool("Heron vs Ibis", slug=None), make.tool("Kite", slug=None)
    short = page(ToolFacts(name="Heron vs Ibis"), ToolFacts(name="Kite"), "heron-vs-ibis-vs-kite")
    with database.writing() as session:
        make.taken_in(session, page(pair, kite, "heron-vs-ibis-vs-kite"))
        before = listed(session)
        make.taken_in(session, short)
        assert before == listed(session)


@pytest.mark.parametrize(
    "twice",
    [
        page(LOOM, LOOM.model_copy(update={"name": "Loom II"}), "loom-vs-loom"),
        page(LOOM, unaddressed(LOOM)),
        page(unaddressed(LOOM), unaddressed(LOOM)),
    ],
    ids=["one slug", "one slug and its words", "the same words"],
)
def test_a_tool_is_not_compared_with_itself(database: Database, twice: ComparisonFacts) -> None:
    """Refused with the names, and nothing is stored of it."""
    with pytest.raises(intake.OneToolTwice, match=r"Loom 1\.0 with itself"), database.writing() as session:
        intake.take_in(session, twice, now=make.SEEN)
    with database.reading() as session:
        assert slugs(session) == []


def test_what_editions_say_of_a_page_moves_with_it(services: Services) -> None:
    """Two rows turn out to be one page after a draft weighed both: the one chosen stays chosen."""
    by_slug = make.tool("Loom 1.0", slug="loom", tagline=None)
    with services.database.writing() as session:
        make.taken_in(session, page(unaddressed(LOOM), unaddressed(SHUTTLE)))
        drafting.draft(session, Week.parse(make.WEEK), services.settings, by="test", now=make.CUTOFF)
        (old,) = session.scalars(sa.select(Entry.comparison_id))
    with services.database.writing() as session:
        make.taken_in(session, page(by_slug, SHUTTLE, "loom-vs-shuttle"))
        make.taken_in(session, page(LOOM, make.tool("Reed"), "loom-vs-reed"))
    with services.database.reading() as session:
        (kept,) = session.scalars(sa.select(Comparison.id).where(Comparison.slug == "loom-vs-shuttle"))
        assert session.get(Comparison, old) is None
        assert session.scalars(sa.select(Entry.comparison_id)).all() == [kept]
        assert session.execute(sa.select(Considered.comparison_id, Considered.chosen)).all() == [(kept, True)]
