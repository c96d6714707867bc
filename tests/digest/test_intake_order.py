"""The order in which pages are read makes no difference, in whatever layout they are and however they are named."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from database import Database
from digest import library, pages
from digest.facts import ComparisonFacts, ToolFacts
from tests import make
from tests.digest import page_samples
from tests.digest.page_samples import OTTER, PELICAN

PLACE = "https://site.example.com/compare/"


def tool(of: ToolFacts, slug: str, name: str, tagline: str) -> ToolFacts:
    """Another tool of the same kind, with remarks of its own."""
    takes = tuple(take.model_copy(update={"remark": f"{take.remark} So says {slug}."}) for take in of.takes)
    return of.model_copy(update={"slug": slug, "name": name, "tagline": tagline, "takes": takes})


# Two are called Pelican 3, and heron-vs-ibis-vs-… can be split in two ways.
TOOLS = (
    tool(PELICAN, "heron-vs-ibis", "Heron vs Ibis", "Two birds in one"),
    tool(OTTER, "kite", "Kite", "Flies in any wind"),
    tool(PELICAN, "nest-pelican-3", "Pelican 3", "Turns notes into tickets"),
    tool(OTTER, "pond-pelican-3", "Pelican 3", "Keeps what the pond heard"),
)
OPTIONAL = ("tagline", "category", "description", "entry", "pricing", "best_for", "community", "split", "takes")


@dataclass(frozen=True)
class Reading:
    """One page of two tools, in some layout, with or without its address, with parts missing."""

    left: int
    right: int
    layout: str
    addressed: bool = True
    missing: tuple[str, ...] = ()

    @cache  # noqa: B019 - there are few, and they are small
    def facts(self) -> ComparisonFacts:
        left, right = TOOLS[self.left], TOOLS[self.right]
        url = f"{PLACE}{left.slug}-vs-{right.slug}"
        if self.layout in ("machine", "reversed"):
            return self._pushed(left, right, url)
        page = page_samples.comparison(left, right)
        layout = page_samples.spaced if self.layout == "spaced" else page_samples.compact
        text = layout(page, box=()).rsplit("\n", 1)[0] if self.layout == "cut off" else layout(page)
        (read,) = pages.read(text.encode(), url=url if self.addressed else None).pages
        return read.facts

    def _pushed(self, left: ToolFacts, right: ToolFacts, url: str) -> ComparisonFacts:
        # What is left out cannot be what the tool would be known by.
        missing = {field: ToolFacts.model_fields[field].default for field in self.missing if self.addressed}
        told = [each.model_copy(update=missing if self.addressed else {"slug": None}) for each in (left, right)]
        slug = url.removeprefix(PLACE) if self.addressed else None
        one, other = reversed(told) if self.layout == "reversed" and self.addressed else told
        return ComparisonFacts(
            slug=slug, url=url if slug else None, published_at=make.SEEN if slug else None, tools=(one, other)
        )


pairs = st.sampled_from([(one, other) for other in range(len(TOOLS)) for one in range(other)])
layouts = st.sampled_from(["machine", "reversed", "spaced", "compact", "cut off"])
missing = st.lists(st.sampled_from(OPTIONAL), unique=True).map(tuple)
readings = st.builds(
    lambda pair, layout, addressed, without: Reading(pair[0], pair[1], layout, addressed, without),
    pairs,
    layouts,
    st.booleans(),
    missing,
)


def listing(database: Database, read: Sequence[ComparisonFacts]) -> set[str]:
    """What is known after these pages were read; nothing is kept for the next time."""
    with database.reading() as session:
        make.taken_in(session, *read)
        return {found.facts.model_dump_json() for found in library.listed(session)}


@given(st.lists(readings, min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    [
        Reading(0, 1, "machine", missing=("tagline",)),
        Reading(0, 1, "compact", addressed=False),
        Reading(1, 2, "spaced"),
    ],
    random.Random(1),
)
@example(
    [
        Reading(0, 1, "compact"),
        Reading(0, 2, "cut off"),
        Reading(1, 3, "machine"),
        Reading(0, 1, "spaced", addressed=False),
    ],
    random.Random(2),
)
def test_the_order_of_reading_makes_no_difference(sqlite: Database, read: list[Reading], chance: random.Random) -> None:
    """Any pages that agree, in any two orders: the same listing."""
    told = [reading.facts() for reading in read]
    shuffled = chance.sample(told, len(told))

    assert listing(sqlite, told) == listing(sqlite, shuffled)


@given(st.lists(readings, min_size=1, max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_read_again_add_nothing(sqlite: Database, read: list[Reading]) -> None:
    """Everything read twice: the same listing."""
    told = [reading.facts() for reading in read]

    assert listing(sqlite, told) == listing(sqlite, told * 2)


@pytest.mark.parametrize("first", [0, 1], ids=["compact first", "spaced first"])
def test_unsigned_remarks_are_known_from_another_page(database: Database, first: int) -> None:
    """Compact pages do not sign remarks; a spaced page of one of the tools tells whose they are, whenever it is read.

    Four are known then as Kite's, which leaves four for the other: its own, though nobody knows whose.
    """
    compact, spaced = Reading(0, 1, "compact").facts(), Reading(1, 2, "spaced").facts()
    with database.writing() as session:
        make.taken_in(session, *((compact, spaced) if first == 0 else (spaced, compact)))
        facts = next(found.facts for found in library.listed(session) if found.facts.slug == compact.slug)
    heron, kite = facts.tools

    assert facts.loose_remarks == ()
    assert [take.reviewer for take in kite.takes] == ["Builder", "Skeptic", "Creator", "Founder"]
    assert {take.remark for take in heron.takes} == {take.remark for take in TOOLS[0].takes}
    assert {take.reviewer for take in heron.takes} == {None}


def test_both_databases_list_the_same(database: Database) -> None:
    """Every layout of every pair, once in this order and once in the other."""
    told = [
        Reading(left, right, layout, addressed).facts()
        for right in range(len(TOOLS))
        for left in range(right)
        for layout in ("compact", "spaced", "machine")
        for addressed in (True, False)
    ]
    found = listing(database, told)

    assert len(found) == 6
    assert found == listing(database, told[::-1])
