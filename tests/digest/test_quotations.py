"""Quotations: whose words, which words, and never anybody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.facts import Call, TakeFacts, ToolFacts, clean
from digest.verdicts import quotations
from digest.verdicts.figures import reading
from digest.verdicts.quotations import LONGEST_AT_ALL, Found, best_words, find
from tests.digest.verdict_facts import panel, take, tool

PRAISE = "The saved plan alone is worth the seat, because it let us delete two scripts."
COMPLAINT = "Nothing in it works without the paid plan, and the paid plan has no export."
WORN = "I wore mine for a week and three people asked whether I was recording."
VERDICT = "Every change past a dozen files has to be explained twice before it is right."


def found(left: ToolFacts, right: ToolFacts, quoted: frozenset[tuple[str, str]] = frozenset()) -> Found | None:
    return find((left, right), (reading(left), reading(right)), quoted)


def words(remark: str, call: Call | None = None) -> str | None:
    best = best_words(remark, call)
    return best[0] if best else None


AXE = tool(
    "Axe",
    3,
    1,
    slug="axe",
    takes=(
        take("Builder", 80, "ship", PRAISE),
        take("Skeptic", 78, "ship", VERDICT),
        take("Futurist", 81, "ship", PRAISE),
        take("Creator", 45, "skip", COMPLAINT),
    ),
)
BOW = tool("Bow", 4, 0, slug="bow", takes=(take("Builder", 90, "ship", VERDICT), take("Founder", 72, "ship", PRAISE)))


def test_the_only_skip_is_the_dissent() -> None:
    """By name, with score and call, in the words of the remark."""
    dissent = found(AXE, BOW)

    assert dissent is not None
    assert (dissent.kind, dissent.tool.name, dissent.take.reviewer) == ("dissent", "Axe", "Creator")
    assert (dissent.take.score, dissent.take.call, dissent.words) == (45, "skip", COMPLAINT)


def test_of_two_dissenters_the_one_further_from_the_panel_speaks() -> None:
    """Across both tools: 20 among eighties is a stronger dissent than 45."""
    other = tool(
        "Cog",
        2,
        1,
        takes=(
            take("Builder", 80, "ship"),
            take("Skeptic", 80, "ship"),
            take("Operator", 20, "skip", VERDICT),
        ),
    )

    dissent = found(AXE, other)

    assert dissent is not None
    assert dissent.take.reviewer == "Operator"


def test_where_most_would_skip_the_dissenter_is_who_would_ship() -> None:
    """Dissent is from the majority, whichever way that goes."""
    takes = (
        take("Builder", 30, "skip", COMPLAINT),
        take("Skeptic", 20, "skip", COMPLAINT),
        take("Founder", 72, "ship", PRAISE),
    )

    dissent = found(tool("Cog", 1, 2, takes=takes), tool("Dab"))

    assert dissent is not None
    assert (dissent.kind, dissent.take.reviewer) == ("dissent", "Founder")


def test_a_lone_dissent_weighs_more_than_an_even_split() -> None:
    """In a panel of two against two nobody is against the panel, however far apart they are."""
    even = tool("Cog", 1, 1, takes=(take("Founder", 99, "ship", PRAISE), take("Newcomer", 1, "skip", VERDICT)))

    dissent = found(even, AXE)
    alone = found(even, tool("Dab"))

    assert dissent is not None
    assert dissent.take.reviewer == "Creator"
    assert alone is not None
    assert (alone.kind, alone.take.reviewer) == ("dissent", "Newcomer")


def test_a_remark_without_reviewer_is_never_quoted() -> None:
    """However strong it is: nobody knows whose it is."""
    anonymous = tool("Cog", percent=75, takes=(TakeFacts(remark=COMPLAINT), TakeFacts(remark=VERDICT)))

    assert found(anonymous, anonymous) is None


def test_where_all_agree_the_most_telling_remark_is_quoted() -> None:
    """A reason with substance rather than a flourish."""
    agreed = tool(
        "Cog",
        2,
        0,
        takes=(take("Builder", 80, "ship", "Very nice indeed. Lovely."), take("Skeptic", 81, "ship", PRAISE)),
    )

    telling = found(agreed, tool("Dab"))

    assert telling is not None
    assert (telling.kind, telling.take.reviewer, telling.words) == ("telling", "Skeptic", PRAISE)


def test_a_remark_is_quoted_once_in_an_edition() -> None:
    """The next comparison of the same tool hears somebody else."""
    first = found(AXE, BOW)
    assert first is not None

    second = found(AXE, BOW, frozenset({first.source}))

    assert second is not None
    assert (second.kind, second.source) != (first.kind, first.source)
    assert second.kind == "telling"


def test_nobody_is_quoted_twice_until_nobody_is_left() -> None:
    """Then there is no quotation, and no error."""
    quoted: set[tuple[str, str]] = set()
    while (more := found(AXE, BOW, frozenset(quoted))) is not None:
        assert more.source not in quoted
        quoted.add(more.source)

    assert len(quoted) == 6


def test_who_prefers_the_tool_that_the_others_put_second_is_heard_first() -> None:
    """Among remarks of equal merit, the contrary reviewer's tells more."""
    left = tool("Cog", 3, 0, takes=panel((80, "ship", PRAISE), (99, "ship", PRAISE), (70, "ship", PRAISE)))
    right = tool("Dab", 3, 0, takes=panel((60, "ship", PRAISE), (61, "ship", PRAISE), (75, "ship", PRAISE)))

    telling = found(left, right)

    assert telling is not None
    assert telling.take.reviewer == "Futurist"


@pytest.mark.parametrize(
    ("remark", "call", "chosen"),
    [
        (
            f"That said, nothing but $20 buys the missing export, because it is never free. {COMPLAINT}",
            "skip",
            COMPLAINT,
        ),
        (
            f"But $20 buys nothing without an export, because it never works and is missing. {COMPLAINT}",
            "skip",
            COMPLAINT,
        ),
        (
            f"The second-order effect is that $20 buys nothing, because the export is never there. {COMPLAINT}",
            "skip",
            COMPLAINT,
        ),
        (
            f"The clip itself is an excellent object with a clean hinge and the click of a pen. {WORN}",
            "skip",
            WORN,
        ),
        (f"Would anybody pay for nothing but a missing export and no plan at all? {COMPLAINT}", "skip", COMPLAINT),
        (f"Cost me $5. {COMPLAINT}", "skip", COMPLAINT),
        (
            "Far too slow for us. Not worth the price of a seat.",
            "skip",
            "Far too slow for us. Not worth the price of a seat.",
        ),
    ],
    ids=["leans back", "but", "second-order", "concession", "question", "an aside before", "two short ones together"],
)
def test_the_sentence_that_stands_alone_is_chosen(remark: str, call: Call, chosen: str) -> None:
    """Not one that needs its neighbour, nor a concession that would turn the critic round."""
    assert words(remark, call) == chosen


def test_a_long_sentence_gives_way_to_a_short_one() -> None:
    """300 characters are the most, and more than 240 only if nothing better is there."""
    long = "The export " + "is missing and " * 18 + "nothing works."
    longer = "The export " + "is missing and " * 25 + "nothing works."

    assert words(f"{long} {COMPLAINT}", "skip") == COMPLAINT
    assert words(f"{longer} Fine.", "skip") == "Fine."
    assert 240 < len(long) < 300
    assert words(long, "skip") == long


def test_where_all_are_too_long_the_shortest_is_quoted_whole_or_none() -> None:
    """A sentence is never cut to fit."""
    longer = "The export " + "is missing and " * 24 + "nothing works."
    endless = "The export " + "is missing and " * 40 + "nothing works."

    assert len(longer) <= LONGEST_AT_ALL < len(endless)
    assert words(f"{endless} {longer}") == longer
    assert words(endless) is None


def test_a_remark_cut_off_in_the_middle_gives_only_its_whole_sentences() -> None:
    """What has no full stop may be half of what was meant."""
    assert words(f"{COMPLAINT} The one thing that it does rig") == COMPLAINT
    assert words("The one thing that it does rig") is None


def test_links_and_markup_are_not_quoted() -> None:
    """A critic's words are; a page's accidents are not."""
    assert words(f"See https://example.com/no for the whole story of it. {COMPLAINT}") == COMPLAINT
    assert words("<script>alert(1)</script> is what it runs.") is None


@given(st.text(max_size=400).map(clean), st.sampled_from(["ship", "skip", None]))
def test_a_quotation_is_verbatim(remark: str, call: Call | None) -> None:
    """Whatever a remark is made of, the words stand in it."""
    chosen = words(remark, call)

    assert chosen is None or (chosen in remark and chosen == chosen.strip() != "")


@given(
    st.lists(
        st.builds(
            take,
            st.sampled_from(["Builder", "Skeptic", None]),
            st.sampled_from([None, 0, 50, 99.5]),
            st.sampled_from(["ship", "skip", None]),
            st.sampled_from([None, PRAISE, COMPLAINT, VERDICT, "No stop"]),
        ),
        max_size=5,
    ),
    st.sampled_from([None, 0, 50, 67, 100]),
)
def test_what_is_found_was_said_by_that_reviewer_about_that_tool(takes: list[TakeFacts], percent: float | None) -> None:
    """And a dissent has a call against what the page says of the panel, or its takes say."""
    one, other = tool("Cog", percent=percent, takes=tuple(takes)), tool("Dab", takes=tuple(takes[:2]))

    quotation = found(one, other)

    if quotation is None:
        assert all(not said.reviewer or not said.remark or said.remark == "No stop" for said in takes)
        return
    assert quotation.take in quotation.tool.takes
    assert quotation.take.reviewer
    assert quotation.words in (quotation.take.remark or "")
    if quotation.kind == "dissent":
        assert quotation.take.call is not None


def test_the_merit_of_words_is_independent_of_the_tool() -> None:
    """The rule of thumb sees nothing but words and call."""
    assert quotations.merit(COMPLAINT, "skip") > quotations.merit(COMPLAINT, "ship")
