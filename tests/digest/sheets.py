"""Editions laid out for preflight: a good one, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from digest import verdicts
from digest.facts import ComparisonFacts, ToolFacts
from digest.preflight import Sheet
from digest.rendering import Rendering, render
from digest.variants import EditionCopy, EntryCopy, Variant, variant_of
from tests import make_mail as make
from tests.digest import verdict_facts as pages

BRACKISH = pages.tool(
    "Brackish 3.0",
    3,
    1,
    slug="brackish-3",
    entry="Paid",
    pricing="$20 a month",
    takes=pages.panel(
        (80, "ship", "It stays on its branch. The diff it leaves can be read by a tired person."),
        (80, "ship", "It has not lost a single commit of mine in four weeks."),
        (80, "ship", "Branches without fear change how a small team works."),
        (45, "skip", "Nothing in it is made for people who draw. I closed the window after an hour."),
    ),
)
CORBELKIT = pages.tool(
    "Corbelkit 1.2",
    4,
    0,
    slug="corbelkit-1-2",
    entry="Free",
    pricing="Free",
    takes=pages.panel(
        (88, "ship", "It builds on the first try, and then again."), (82, "ship"), (85, "ship"), (72, "ship")
    ),
)
TESSALINE = pages.tool(
    "Tessaline 4",
    2,
    2,
    slug="tessaline-4",
    category="Image Generation",
    pricing="$30 per month for 1,500 images",
    takes=pages.panel(
        (72, "ship"), (38, "skip", "It keeps to the grid because it has seen nothing else."), (81, "ship"), (55, "skip")
    ),
)
ORLOP = pages.tool("Orlop Draw", 1, 3, slug="orlop-draw", category="Image Generation", pricing="$29 a month")


def comparison(left: ToolFacts, right: ToolFacts, **more: Any) -> ComparisonFacts:
    slug = f"{left.slug}-vs-{right.slug}"
    known = {"slug": slug, "url": f"https://compare.example.net/compare/{slug}"}
    return ComparisonFacts(tools=(left, right), **{**known, **more})


def week() -> list[ComparisonFacts]:
    """Two categories; two tools in two entries each."""
    return [comparison(BRACKISH, CORBELKIT), comparison(ORLOP, TESSALINE), comparison(BRACKISH, ORLOP)]


def written(facts: Sequence[ComparisonFacts], **more: Any) -> EditionCopy:
    """The edition as the program writes it."""
    write_up = verdicts.write_up(facts)
    entries = tuple(
        EntryCopy(
            position=position,
            url=each.url,
            summary=summary,
            categories=tuple(sorted({tool.category for tool in each.tools if tool.category})),
        )
        for position, (each, summary) in enumerate(zip(facts, write_up.summaries, strict=True), start=1)
    )
    given = {"subject": write_up.subject, "breath": write_up.breath, "entries": entries}
    return make.edition().model_copy(update={**given, **more})


def variants(copy: EditionCopy) -> list[Variant]:
    """Everything, everything as text, and one for each category."""
    wishes = [None, *sorted({category for entry in copy.entries for category in entry.categories})]
    found = [
        variant_of(copy.entries, wish and [wish], text_only=text_only) for wish in wishes for text_only in (False, True)
    ]
    return list({variant.key: variant for variant in found}.values())


@lru_cache(maxsize=64)
def rendered(copy: EditionCopy, variant: Variant) -> Rendering:
    """Most tests spoil the same good edition."""
    return render(copy, make.IMPRINT, variant)


def sheet(
    comparisons: Sequence[ComparisonFacts] | None = None, *, copy: EditionCopy | None = None, **more: Any
) -> Sheet:
    """A good edition, well known and well addressed, but for what a test says."""
    comparisons = week() if comparisons is None else comparisons
    copy = copy or written(comparisons)
    known = Sheet(
        copy=copy,
        renderings=[rendered(copy, variant) for variant in variants(copy)],
        facts=dict(enumerate(comparisons, start=1)),
        withdrawn={},
        changed=frozenset(),
        earlier={},
        candidates=12,
        own_host="verdicts.example.com",
        postal_address=make.IMPRINT.postal_address,
        from_email="verdicts@news.some-publisher.net",
        through_provider=True,
    )
    return replace(known, **more)


def reworded(**words: Any) -> Sheet:
    """The good edition with other words on its cover."""
    return sheet(copy=written(week(), **words))


def with_summary(position: int, **changes: Any) -> Sheet:
    """The good edition with one entry's copy edited by hand."""
    copy = written(week())
    entries = [
        entry.model_copy(update={"summary": entry.summary.model_copy(update=changes)})
        if entry.position == position
        else entry
        for entry in copy.entries
    ]
    return sheet(copy=copy.model_copy(update={"entries": tuple(entries)}))


Spoil = Callable[[str], str]


def spoiled(
    *,
    html: Spoil = str,
    text: Spoil = str,
    subject: Spoil = str,
    only: str | None = None,
    of: Sheet | None = None,
) -> Sheet:
    """The good edition after somebody broke the templates; `only` names the one variant it shows in."""
    of = of or sheet()
    return replace(
        of,
        renderings=[
            replace(
                each, html=html(each.html) if each.html else None, text=text(each.text), subject=subject(each.subject)
            )
            if only in (None, each.variant)
            else each
            for each in of.renderings
        ],
    )


def without(words: str) -> Spoil:
    """Every place where the words stand loses them; they must have stood somewhere when the test was written."""
    return lambda written: written.replace(words, "")


def swapped(words: str, others: str) -> Spoil:
    return lambda written: written.replace(words, others)


def in_body(more: str) -> Spoil:
    """Something more at the end of the HTML's body."""
    return lambda written: written.replace("</body>", f"{more}</body>")
