"""Reading what was taken in: whole, in the page's order, in few statements; and exported so that it reads the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from database import Database
from digest import library, pages
from digest.cli import app
from digest.facts import ComparisonFacts, TakeFacts, ToolFacts
from digest.models import Comparison, Tool
from tests import make
from tests.digest import page_samples

SAMPLES = Path(library.__file__).parent / "samples"
LATER = make.SEEN + timedelta(hours=5)


def listing(database: Database) -> set[str]:
    with database.reading() as session:
        return {found.facts.model_dump_json() for found in library.listed(session)}


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that read, as they are sent."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.extend([statement] if statement.startswith("SELECT") else [])

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def test_the_newest_come_first(database: Database) -> None:
    """By when they were first seen, and of those seen together the last; `since` leaves out what is older."""
    with database.writing() as session:
        make.taken_in(session, make.comparison(slug="a-vs-b"), make.comparison(slug="c-vs-d"))
        make.taken_in(session, make.comparison(slug="e-vs-f"), now=LATER)
        assert [each.facts.slug for each in library.listed(session)] == ["e-vs-f", "c-vs-d", "a-vs-b"]
        assert [each.facts.slug for each in library.listed(session, since=LATER)] == ["e-vs-f"]


def test_what_was_told_is_what_is_read(database: Database) -> None:
    """A page in the machine shape comes back word for word: halves of points, nought per cent, unknown as unknown."""
    left = make.tool(
        "Loom 1.0", takes=(TakeFacts(reviewer="Builder", score=70.5), TakeFacts(reviewer="Skeptic", remark="No score."))
    )
    right = ToolFacts(slug="shuttle", name="Shuttle", panel_ship_percent=0)
    page = make.comparison(left, right, published_at=make.SEEN)
    with database.writing() as session:
        make.taken_in(session, page)
        (found,) = library.listed(session)
    assert (found.facts, found.stated, found.first_seen_at) == (page, page, make.SEEN)
    assert '"score":70.5' in found.facts.model_dump_json()


def test_a_whole_score_stays_whole(database: Database) -> None:
    """80 is 80, not 80.0, so that its entry prints as the page does."""
    with database.writing() as session:
        make.taken_in(session, make.comparison(make.tool("Loom 1.0", takes=(make.take("Builder", 80),))))
        (found,) = library.listed(session)
    assert '"score":80,' in found.facts.model_dump_json()


def test_any_number_of_comparisons_is_read_in_three_statements(database: Database) -> None:
    """All pairs of nine tools: one statement for pages, one for tools, one for takes."""
    tools = [make.tool(f"Tool {n}.0") for n in range(9)]
    with database.writing() as session:
        pairs = [(one, other) for one in range(9) for other in range(one)]
        make.taken_in(session, *(make.comparison(tools[other], tools[one]) for one, other in pairs))
    with database.reading() as session, counted(database) as said:
        assert len(library.listed(session)) == 36
    assert len(said) == 3


def test_a_page_without_a_title_is_called_by_its_tools(database: Database) -> None:
    """As they are called now, also after one was renamed."""
    untitled = make.comparison(make.tool("Loom 1.0", slug="loom"), make.tool("Shuttle", slug="shuttle"))
    untitled = untitled.model_copy(update={"title": None})
    renamed = make.comparison(make.tool("Loom 1.1", slug="loom"), make.tool("Reed", slug="reed"))
    with database.writing() as session:
        make.taken_in(session, untitled, renamed)
        titles = {found.facts.slug: found.facts.title for found in library.listed(session)}
    assert titles["loom-vs-shuttle"] == "Loom 1.1 vs Shuttle"


def test_one_tool_beside_itself_is_no_comparison(database: Database) -> None:
    """Two rows that turned out to be one tool leave a page that compares nothing; it is not listed."""
    with database.writing() as session:
        make.taken_in(session, make.comparison())
        session.execute(sa.update(Comparison).values(right_id=Comparison.left_id))
        assert library.listed(session) == []


def test_remarks_that_cannot_be_given_to_a_tool_are_kept_apart(database: Database) -> None:
    """Without a known take to settle it, a compact page's remarks are nobody's; with one, the count gives the rest."""
    loom, shuttle = make.tool("Loom 1.0"), make.tool("Shuttle 1.0", takes=())
    remarks = (*(take.remark or "" for take in loom.takes), "Fast.", "Slow.", "Loud.", "Late.")
    compact = make.comparison(loom.model_copy(update={"takes": ()}), shuttle).model_copy(
        update={"loose_remarks": remarks}
    )
    with database.writing() as session:
        make.taken_in(session, compact)
        (found,) = library.listed(session)
        assert (found.facts.loose_remarks, found.facts.tools[1].takes) == (remarks, ())
        make.taken_in(session, make.comparison(loom, make.tool("Reed 1.0")))
        (found,) = (each for each in library.listed(session) if each.facts.slug == compact.slug)
    assert found.facts.loose_remarks == ()
    assert found.facts.tools[0].takes == loom.takes
    assert found.facts.tools[1].takes == tuple(TakeFacts(remark=remark) for remark in remarks[4:])
    assert found.loose_remarks == remarks


# — there and back —


def exported_and_taken_in(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Database:
    """Another, empty database after `comparisons --json` of this one was ingested into it."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DIGEST_SECRET_KEY", make.SECRET)
    monkeypatch.setenv("DATABASE_URL", database_url)
    capsys.readouterr()
    assert app.run(["comparisons", "--json"]) == 0
    (folder / "exported.json").write_text(capsys.readouterr().out)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder}/other.db")
    assert app.run(["ingest", "exported.json"]) == 0
    return Database(f"sqlite:///{folder}/other.db")


def test_what_is_exported_can_be_taken_in_elsewhere(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed and unsigned remarks, pages without address, withdrawn ones, slugs split late: the listing is the same."""
    with database.writing() as session:
        make.taken_in(session, *everything_there_is())
    before = listing(database)
    other = exported_and_taken_in(database.url.render_as_string(hide_password=False), tmp_path, monkeypatch, capsys)

    assert before == listing(other)
    assert any('"reviewer":null' in each for each in before)
    assert any('"loose_remarks":["' in each for each in before)
    other.dispose()


def everything_there_is() -> list[ComparisonFacts]:
    """The bundled pages, compact pages with and without what settles their remarks, and the odd ones."""
    compact = page_samples.compact(page_samples.comparison())
    spaced = page_samples.spaced(page_samples.comparison(page_samples.OTTER, make.tool("Reed 1.0", tagline="A reed")))
    unsettled = page_samples.compact(
        page_samples.comparison(
            page_samples.OTTER.model_copy(update={"name": "Stoat", "tagline": "A stoat"}),
            page_samples.PELICAN.model_copy(update={"name": "Teal", "tagline": "A teal"}),
        )
    )
    read = [
        page.facts
        for body in (
            *(each.read_bytes() for each in sorted(SAMPLES.glob("*-vs-*"))),
            *map(str.encode, (compact, spaced)),
        )
        for page in pages.read(body).pages
    ]
    (late,) = pages.read(unsettled.encode(), url="https://site.example.com/compare/a-vs-b-vs-c").pages
    return [
        *read,
        late.facts,
        make.comparison(make.tool("Kite", slug="kite"), make.tool("Lark", slug=None), slug=None, url=None),
        make.comparison(make.tool("Kite", slug="kite"), make.tool("Newt", slug="newt"), withdrawn=True),
        ComparisonFacts(tools=(ToolFacts(name="Odd"), ToolFacts(name="Even"))),
    ]


def test_an_export_is_in_the_machine_shape(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An array of comparisons; what is unknown is left out."""
    with database.writing() as session:
        make.taken_in(session, make.comparison(make.tool("Loom 1.0", slug="loom", best_for=None)))
        assert session.scalar(sa.select(sa.func.count()).select_from(Tool)) == 2
    exported_and_taken_in(database.url.render_as_string(hide_password=False), tmp_path, monkeypatch, capsys).dispose()
    (document,) = orjson.loads((tmp_path / "exported.json").read_bytes())

    assert {"slug", "url", "title", "withdrawn", "tools"} <= set(document)
    assert "best_for" not in document["tools"][0]
    assert document["tools"][0]["community"] == {"votes": 0}
