"""What readers know of a tool: found by tool, and the same as if every entry ever sent were read."""

from __future__ import annotations

import itertools
import random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import drafting, editions, library
from digest.bootstrap import Services
from digest.facts import ComparisonFacts, ToolFacts, verdict_of
from digest.models import Comparison, Edition, Entry, Featured
from digest.selection import NEVER_SEEN, Known
from digest.weeks import Week, Window
from tests import make
from tests.digest.drafts import WEEKLY, drafted, seen, went_out

WEEKS = 6


def test_what_is_known_of_tools_is_what_entries_told(services: Services) -> None:
    """Six weeks of few tools whose verdicts change, some gone out and some not: times, last week and last verdict."""
    chance = random.Random(7)
    names = [f"Tool {number}.0" for number in range(9)]
    pairs = list(itertools.combinations(names, 2))
    chance.shuffle(pairs)
    week = Week.parse(make.WEEK)
    for later in range(WEEKS):
        at = make.CUTOFF + WEEKLY * later
        for _ in range(3):
            sides = [_side(name, chance.choice((0, 50, 100)), known=later >= WEEKS // 2) for name in pairs.pop()]
            seen(services, at, make.comparison(*sides, slug=None, url=None, published_at=at))
        drafted(services, week, at)
        if later % 3 != 1:
            went_out(services, week)
        week = week.next

    with services.database.reading() as session:
        told = _read_from_every_entry(session)
        tools = {tool.identity: tool for found in library.comparisons(session, sa.true()) for tool in found.facts.tools}
        names_of = {name for tool in tools.values() for name in (tool.identity, tool.identity_in_words)}
        known = drafting.known_to_readers(session, names_of)
    assert len(told) >= 5
    assert any(one.times_featured > 1 for one in told.values())
    assert {identity: one for identity, one in told.items() if identity in names_of} == known


def _side(name: str, percent: int, *, known: bool) -> ToolFacts:
    """A tool whose verdict follows from the percentage, and whose address pages tell only later."""
    more = {} if known else {"slug": None}
    return make.tool(name, panel_ship_percent=percent, verdict=None, split=None, **more)


def _read_from_every_entry(session: Session) -> dict[str, Known]:
    rows = session.execute(
        sa.select(Edition.week, Entry.facts)
        .join(Entry, Entry.edition_id == Edition.id)
        .where(editions.has_begun())
        .order_by(Edition.week, Entry.position)
    )
    known: dict[str, Known] = {}
    for week, frozen in rows:
        for tool in ComparisonFacts.model_validate(frozen).tools:
            before = known.get(tool.identity, NEVER_SEEN)
            again = before.last_week == Week.parse(week)
            times = before.times_featured + (0 if again else 1)
            known[tool.identity] = Known(times, Week.parse(week), verdict_of(tool))
    return known


def test_facts_read_again_are_the_facts_that_were_taken_in(services: Services) -> None:
    """Reading does not check again what was checked before it was stored: every field comes back equal, of its type."""
    page = make.comparison(
        make.tool("Loom 1.0", community={"ship_percent": 12.5, "votes": 8}), make.tool("Shuttle 2.0")
    )
    seen(services, make.CUTOFF, page)

    with services.database.reading() as session:
        (found,) = library.comparisons(session, Comparison.slug == page.slug)
    checked = ComparisonFacts.model_validate(found.facts.model_dump())
    assert checked == found.facts
    assert [repr(tool) for tool in checked.tools] == [repr(tool) for tool in found.facts.tools]


def test_an_old_archive_is_not_read_through(services: Services) -> None:
    """What stands is found by when it was published: the plan names that index and scans no table of pages."""
    if not services.database.is_sqlite:
        return  # what the other does depends on its statistics
    said: list[tuple[str, Any]] = []
    seen(services, make.CUTOFF)

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        said.append((statement, parameters))

    sa.event.listen(services.database.engine, "before_cursor_execute", note)
    with services.database.reading() as session:
        window = Window(make.CUTOFF - WEEKLY, make.CUTOFF)
        drafting.standing_for(session, window, services.settings)
        (what_stands,) = (pair for pair in said if "FROM comparisons" in pair[0] and "ORDER BY" in pair[0])
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {what_stands[0]}", what_stands[1]).all()
    steps = [str(step[-1]) for step in plan]
    assert any("ix_comparisons_published_at" in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps


def test_each_tool_is_featured_once_an_edition(services: Services) -> None:
    """A tool in two entries is one line, with the verdict it has there."""
    axolotl = make.tool("Axolotl 1.0", panel_ship_percent=100)
    seen(
        services,
        make.CUTOFF,
        make.comparison(axolotl, make.tool("Bear 1.0")),
        make.comparison(axolotl, make.tool("Carp 1.0")),
    )
    drafted(services)

    with services.database.reading() as session:
        rows = session.execute(sa.select(Featured.identity, Featured.verdict)).all()
    assert len(rows) == 3
    assert (axolotl.identity, "ship") in [tuple(row) for row in rows]
