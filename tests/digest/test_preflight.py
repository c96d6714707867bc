"""What preflight finds in the edition itself: its entries, its cover, its quotations, who sends it and to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import pytest

from digest import preflight
from digest.facts import ComparisonFacts, TakeFacts
from digest.preflight import Earlier, Level, Sheet
from digest.variants import AlsoCompared
from digest.verdicts import Quotation
from tests.digest import sheets
from tests.digest import verdict_facts as pages
from tests.digest.sheets import BRACKISH, CORBELKIT, ORLOP, comparison, reworded, sheet, spoiled, week, with_summary
from tests.digest.test_samples import everything

FIRST = "entry 1, Brackish 3.0 vs Corbelkit 1.2"


def found(of: Sheet) -> set[tuple[Level, str, str]]:
    return {(problem.level, problem.code, problem.where) for problem in preflight.check(of)}


def codes(of: Sheet) -> set[str]:
    return {problem.code for problem in preflight.check(of)}


class Case(NamedTuple):
    """`flawed` has the problem; `near` comes as close to it as a good edition may."""

    level: Level
    code: str
    where: str
    flawed: Callable[[], Sheet]
    near: Callable[[], Sheet] = sheet


def said(**changes: object) -> Quotation:
    quotation = sheets.written(week()).entries[0].summary.quotation
    assert quotation is not None
    return quotation.model_copy(update=changes)


def quoting(**changes: object) -> Sheet:
    """The good edition, its first quotation edited."""
    return with_summary(1, quotation=said(**changes))


def linked(url: str | None, **more: object) -> Sheet:
    """The good edition, its first entry with another address."""
    copy = sheets.written(week())
    first = copy.entries[0].model_copy(update={"url": url})
    return sheet(copy=copy.model_copy(update={"entries": (first, *copy.entries[1:]), **more}))


NAMESAKE = pages.tool("Brackish 3.0", 2, 1, slug="brackish-scale", category="Health")
SILENT = pages.tool("Lychgate 2.1", slug="lychgate-2-1")
DIVIDED = pages.tool("Fetlock", 3, 1, slug="fetlock", badge="skip")
CREATOR_ON_BRACKISH = "entry 1, Creator on Brackish 3.0"
NO_LINK = "also compared, Fetlock vs Umber"

CASES = {
    "an edition without entries": Case("block", "no-entries", "edition", lambda: sheet([])),
    "a comparison that was withdrawn": Case("block", "withdrawn", FIRST, lambda: sheet(withdrawn={1: "made up"})),
    "a comparison of another edition": Case(
        "block", "elsewhere", FIRST, lambda: sheet(elsewhere={1: "2026-W46"}), lambda: sheet(elsewhere={9: "2026-W46"})
    ),
    "an entry without a headline": Case("block", "no-words", "entry 2", lambda: with_summary(2, headline="\u202e ")),
    "an entry without a verdict sentence": Case("block", "no-words", "entry 3", lambda: with_summary(3, sentence="")),
    "a page that changed": Case("warn", "page-changed", FIRST, lambda: sheet(changed=frozenset({1}))),
    "a page that changed by being withdrawn is only withdrawn": Case(
        "block",
        "withdrawn",
        FIRST,
        lambda: sheet(withdrawn={1: ""}, changed=frozenset({1})),
        lambda: sheet(changed=frozenset({1})),
    ),
    "the same two tools twice, the other way round": Case(
        "block",
        "printed-twice",
        "entries 1 and 2, Brackish 3.0 vs Corbelkit 1.2",
        lambda: sheet([comparison(BRACKISH, CORBELKIT), comparison(CORBELKIT, BRACKISH)]),
        lambda: sheet([comparison(BRACKISH, CORBELKIT), comparison(CORBELKIT, ORLOP)]),
    ),
    "a page without an address": Case("warn", "no-link", FIRST, lambda: linked(None)),
    "an address too long for a mail": Case(
        "warn",
        "no-link",
        FIRST,
        lambda: linked("https://compare.example.net/" + "x" * 900),
        lambda: linked("https://compare.example.net/" + "x" * 800),
    ),
    "an address that runs a script": Case(
        "block",
        "unsafe-link",
        FIRST,
        lambda: linked("javascript:alert(1)"),
        lambda: linked("https://compare.example.net/javascript:alert(1)"),
    ),
    "an unsafe address among the near misses": Case(
        "block",
        "unsafe-link",
        NO_LINK,
        lambda: reworded(also_compared=(AlsoCompared(title="Fetlock vs Umber", url="data:text/html,x"),)),
        lambda: reworded(also_compared=(AlsoCompared(title="Fetlock vs Umber", url="http://compare.example.net/"),)),
    ),
    "a near miss without an address": Case(
        "warn",
        "no-link",
        NO_LINK,
        lambda: reworded(also_compared=(AlsoCompared(title="Fetlock vs Umber", url=None),)),
    ),
    "a page that contradicts itself": Case(
        "warn",
        "question",
        "entry 1, Fetlock vs Corbelkit 1.2",
        lambda: sheet([comparison(DIVIDED, CORBELKIT)]),
    ),
    "one question about a tool in two entries": Case(
        "warn",
        "question",
        "entries 1 and 2",
        lambda: sheet([comparison(DIVIDED, CORBELKIT), comparison(DIVIDED, ORLOP)]),
    ),
    "two tools of one name in two entries": Case(
        "warn",
        "namesakes",
        "entries 1 and 2, Brackish 3.0",
        lambda: sheet([comparison(BRACKISH, CORBELKIT), comparison(NAMESAKE, ORLOP)]),
        lambda: sheet([comparison(BRACKISH, CORBELKIT), comparison(BRACKISH, ORLOP)]),
    ),
    "two tools of one name in one entry are a question already": Case(
        "warn",
        "question",
        "entry 1, Brackish 3.0 vs Brackish 3.0",
        lambda: sheet([comparison(BRACKISH, NAMESAKE)]),
    ),
    "a tool that readers know": Case(
        "info",
        "shown-before",
        "entry 1, Brackish 3.0",
        lambda: sheet(earlier={"brackish-3": Earlier("2026-W45", "ship")}),
        lambda: sheet(earlier={"brackish-2": Earlier("2026-W45", "ship")}),
    ),
    "a tool that had no verdict then": Case(
        "info",
        "shown-before",
        "entry 2, Tessaline 4",
        lambda: sheet(earlier={"tessaline-4": Earlier("2026-W45", None)}),
    ),
    "a verdict that changed since readers were told": Case(
        "warn",
        "verdict-changed",
        "entry 2, Tessaline 4",
        lambda: sheet(earlier={"tessaline-4": Earlier("2026-W45", "ship")}),
        lambda: sheet(earlier={"tessaline-4": Earlier("2026-W45", "mixed")}),
    ),
    "a tool without a panel": Case(
        "info", "no-panel", "entry 1, Lychgate 2.1", lambda: sheet([comparison(SILENT, CORBELKIT)])
    ),
    "a subject of nine characters": Case(
        "block",
        "subject-length",
        "subject",
        lambda: reworded(subject="Too short"),
        lambda: reworded(subject="Just right"),
    ),
    "a subject of 79 characters": Case(
        "block",
        "subject-length",
        "subject",
        lambda: reworded(subject="A" * 79),
        lambda: reworded(subject="A" * 78),
    ),
    "a subject that sells": Case(
        "warn",
        "subject-tone",
        "subject",
        lambda: reworded(subject="You won’t believe what Brackish does"),
        lambda: reworded(subject="The panel would not believe Brackish"),
    ),
    "a subject that shouts": Case(
        "warn", "subject-tone", "subject", lambda: reworded(subject="Corbelkit sweeps the panel!")
    ),
    "a tool whose own name shouts": Case(
        "warn",
        "subject-tone",
        "subject",
        lambda: reworded(subject="An epic week for the panel"),
        lambda: sheet([comparison(pages.tool("Epic Secrets! 2", 4, 0, slug="epic"), ORLOP)]),
    ),
    "a breath of 201 characters": Case(
        "block",
        "breath-length",
        "opening",
        lambda: reworded(breath="b" * 201),
        lambda: reworded(breath="b" * 200),
    ),
    "no breath at all": Case("block", "breath-length", "opening", lambda: reworded(breath=" ")),
    "words that are not in the remark": Case(
        "block", "quotation-not-verbatim", CREATOR_ON_BRACKISH, lambda: quoting(words="Nothing in it is made for me.")
    ),
    "words of another reviewer": Case(
        "block",
        "quotation-not-verbatim",
        "entry 1, Skeptic on Brackish 3.0",
        lambda: quoting(reviewer="Skeptic"),
        lambda: quoting(reviewer="creator"),
    ),
    "words about another tool": Case(
        "block",
        "quotation-not-theirs",
        "entry 1, Creator on Corbelkit 1.2",
        lambda: quoting(tool="Corbelkit 1.2", identity="corbelkit-1-2"),
        lambda: quoting(identity=None),
    ),
    "a reviewer who is not on the page": Case(
        "block", "quotation-not-theirs", "entry 1, Oracle on Brackish 3.0", lambda: quoting(reviewer="Oracle")
    ),
    "a quotation whose page is not at hand": Case(
        "block", "quotation-not-theirs", CREATOR_ON_BRACKISH, lambda: sheet(facts={})
    ),
    "half a sentence": Case(
        "warn",
        "quotation-cut",
        CREATOR_ON_BRACKISH,
        lambda: quoting(words="Nothing in it is made for people"),
        lambda: quoting(words="I closed the window after an hour."),
    ),
    "somebody else’s score under a quotation": Case(
        "block",
        "quotation-score",
        CREATOR_ON_BRACKISH,
        lambda: quoting(score="46"),
        lambda: quoting(score="45"),
    ),
    "the other call under a quotation": Case(
        "block", "quotation-score", CREATOR_ON_BRACKISH, lambda: quoting(call="ship")
    ),
    "no postal address": Case("block", "no-postal-address", "footer", lambda: sheet(postal_address=None)),
    "no postal address, but nothing leaves the house": Case(
        "info",
        "no-postal-address",
        "footer",
        lambda: sheet(postal_address=" ", through_provider=False),
        lambda: sheet(through_provider=False),
    ),
    "a sender nobody can be": Case(
        "warn",
        "from-address",
        "sender",
        lambda: sheet(from_email="news@mail.example.com"),
        lambda: sheet(from_email="news@myexample.com"),
    ),
    "a sender nobody can be, but nothing leaves the house": Case(
        "warn",
        "from-address",
        "sender",
        lambda: sheet(from_email="news@example.org"),
        lambda: sheet(from_email="news@example.org", through_provider=False),
    ),
    "nobody to send it to": Case(
        "warn", "nobody", "audience", lambda: sheet(candidates=0), lambda: sheet(candidates=1)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_flaw_is_found_where_it_is(case: Case) -> None:
    """With its level and its code."""
    assert case[:3] in found(case.flawed())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_comes_near_a_flaw_is_no_flaw(case: Case) -> None:
    """False alarms would teach editors to look away."""
    assert case.code not in codes(case.near())


def test_a_good_edition_has_no_problem() -> None:
    """Not even something to know."""
    assert preflight.check(sheet()) == []


@pytest.mark.parametrize("turn", range(4))
def test_the_sample_pages_give_nothing_to_block(turn: int) -> None:
    """As the program drafts them, eight at a time; what it warns of is in the pages."""
    comparisons = everything()
    chosen = [
        each if each.url else each.model_copy(update={"url": f"https://compare.example.net/compare/{each.slug}"})
        for each in (comparisons[turn * 4 :] + comparisons)[:8]
    ]

    problems = preflight.check(sheet(chosen))

    assert not [str(problem) for problem in problems if problem.blocks]
    assert {problem.code for problem in problems} <= {"question", "label-against-price", "namesakes", "no-panel"}


def test_the_worst_comes_first_then_the_order_of_the_mail() -> None:
    """What blocks, then what is to be looked at, then what is to be known; the footer after the entries."""
    of = sheet(
        [comparison(SILENT, CORBELKIT), *week()[1:]],
        changed=frozenset({2, 3}),
        withdrawn={3: "its page is gone"},
        postal_address="",
        earlier={"corbelkit-1-2": Earlier("2026-W40", "ship")},
        candidates=0,
    )

    assert [(problem.level, problem.code) for problem in preflight.check(of)] == [
        ("block", "withdrawn"),
        ("block", "no-postal-address"),
        ("warn", "page-changed"),
        ("warn", "nobody"),
        ("info", "shown-before"),
        ("info", "no-panel"),
    ]


def test_a_problem_reads_like_a_colleague() -> None:
    """How bad, where, what, and how to mend it."""
    (problem,) = preflight.check(sheet(withdrawn={2: "the figures were wrong."}))

    assert str(problem) == (
        "[block] entry 2, Orlop Draw vs Tessaline 4: The comparison was withdrawn: the figures were wrong. "
        "Take the entry out on the desk."
    )


def test_the_page_has_the_last_word_on_its_quotations() -> None:
    """A remark that was read in another spelling of blanks and quotes is still the same remark."""
    facts = week()
    takes = [
        take.model_copy(update={"remark": f"  {take.remark}\n"}) if take.reviewer == "Creator" else take
        for take in BRACKISH.takes
    ]
    stored = facts[0].model_copy(update={"tools": (BRACKISH.model_copy(update={"takes": tuple(takes)}), CORBELKIT)})

    assert preflight.check(sheet(copy=sheets.written(facts), facts={1: stored, 2: facts[1], 3: facts[2]})) == []


def test_a_remark_without_reviewer_is_nobodys_to_quote() -> None:
    """Not even when its words are the page's."""
    anonymous = BRACKISH.model_copy(update={"takes": tuple(TakeFacts(remark=take.remark) for take in BRACKISH.takes)})
    stored: ComparisonFacts = week()[0].model_copy(update={"tools": (anonymous, CORBELKIT)})

    assert ("block", "quotation-not-theirs", "entry 1, Creator on Brackish 3.0") in found(
        sheet(copy=sheets.written(week()), facts={1: stored, 2: week()[1], 3: week()[2]})
    )


def key(of: Sheet, code: str) -> str:
    return next(problem.key for problem in preflight.check(of) if problem.code == code)


MADE_OF = {1: 71, 2: 72, 3: 73}


def test_an_entry_is_known_by_its_comparison_wherever_it_stands() -> None:
    before = replace(with_summary(2, headline=""), comparisons=MADE_OF)
    copy = sheets.written(week())
    bare = copy.entries[1].summary.model_copy(update={"headline": ""})
    moved = copy.entries[0].model_copy(update={"summary": bare})
    of = sheet(copy=copy.model_copy(update={"entries": (moved, *copy.entries[1:])}))
    after = replace(of, comparisons={**MADE_OF, 1: 72})

    assert key(after, "no-words") == key(before, "no-words")
    assert key(replace(after, comparisons=MADE_OF), "no-words") != key(before, "no-words")
    other = replace(with_summary(2, headline="", sentence="Something else altogether."), comparisons=MADE_OF)
    assert key(other, "no-words") != key(before, "no-words")


def test_the_size_is_answered_for_in_these_words_on_whatever_day_they_leave() -> None:
    def large(**words: object) -> Sheet:
        return spoiled(html=lambda written: written.ljust(200_000), of=reworded(**words))

    assert key(large(), "html-size") == key(large(dated=date(2027, 1, 2)), "html-size")
    assert key(large(), "html-size") != key(large(introduction="Another word."), "html-size")


def test_a_place_for_words_is_answered_for_with_all_the_words_around_it() -> None:
    def left(words: str, where: str = "entry 1, headline") -> Sheet:
        return replace(sheet(own_words={where: words}), comparisons=MADE_OF)

    first = key(left("A TODO app"), "placeholder")
    assert first == key(replace(left("A TODO app", "entry 3, headline"), comparisons={3: 71}), "placeholder")
    assert first != key(left("TODO write this"), "placeholder")
    assert first != key(left("A TODO app", "entry 3, headline"), "placeholder")
    assert first != key(left("A TODO app", "entry 1, sentence"), "placeholder")


def without_addresses(*positions: int) -> Sheet:
    """Eight entries, some of which have no address; nor have four near misses."""
    pairs = [comparison(pages.tool(f"Fetlock {at}", 3, 1, slug=f"fetlock-{at}"), CORBELKIT) for at in range(8)]
    near = tuple(AlsoCompared(title=f"Umber {at} vs Ochre", url=None) for at in range(4))
    copy = sheets.written(pairs, also_compared=near)
    entries = [each.model_copy(update={"url": None}) if each.position in positions else each for each in copy.entries]
    return sheet(pairs, copy=copy.model_copy(update={"entries": tuple(entries)}))


def test_what_is_mended_alike_in_several_entries_is_one_line() -> None:
    several = [
        problem for problem in preflight.check(without_addresses(1, 2, 4, 5, 6, 7, 8)) if problem.code == "no-link"
    ]

    assert [problem.where for problem in several] == [
        "entries 1, 2 and 4–8",
        "also compared, Umber 0 vs Ochre, Umber 1 vs Ochre, Umber 2 vs Ochre and 1 more",
    ]
    assert {problem.mend for problem in several} == {
        "Ask an operator to take the page in with its address: digest ingest PAGE --url ADDRESS."
    }


def test_what_blocks_stays_a_line_of_its_own() -> None:
    """Each is answered for by itself."""
    found = [problem.where for problem in preflight.check(sheet(withdrawn={1: "wrong", 2: "wrong"}))]

    assert found == [FIRST, "entry 2, Orlop Draw vs Tessaline 4"]
