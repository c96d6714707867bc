"""Whose remark it is: what settles it, what does not, and that the order of knowledge makes no difference."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from digest.facts import Call, Split, TakeFacts
from digest.remarks import Known, Resolution, resolve

FAST = "It compiles before the kettle boils."
DEAR = "The bill arrives before the value does."
DEEP = "In five years every desk will have one."
DULL = "Nothing here for people who draw."
NEW = "I had never seen this one before."
ODD = "Nor this one."


def take(reviewer: str, remark: str, score: int = 80, call: Call = "ship") -> TakeFacts:
    return TakeFacts(reviewer=reviewer, score=score, call=call, remark=remark)


BUILDER, SKEPTIC = take("Builder", FAST), take("Skeptic", DEAR, 40, "skip")
FUTURIST, CREATOR = take("Futurist", DEEP), take("Creator", DULL, 45, "skip")


def test_a_known_remark_brings_back_its_reviewer_score_and_call() -> None:
    """The known take itself is given back, for the tool it is known of."""
    found = resolve([DEAR, FAST], Known((BUILDER,)), Known((SKEPTIC,)))
    assert found == Resolution(left_takes=(BUILDER,), right_takes=(SKEPTIC,))


def test_typographic_and_straight_quotes_are_the_same_words() -> None:
    """One page prints what another page prints with other quotation marks and blanks."""
    known = take("Builder", "It's a “must”.")
    assert resolve(['It’s\u00a0 a "must".'], Known((known,)), Known()).left_takes == (known,)


def test_a_full_panel_leaves_the_rest_to_the_other_tool() -> None:
    """Four votes and four known remarks on the left: what remains is the right tool's, by nobody in particular."""
    four = (BUILDER, SKEPTIC, FUTURIST, CREATOR)
    page = [FAST, NEW, DEAR, ODD, DEEP, DULL]
    found = resolve(page, Known(four, Split(ship=2, skip=2)), Known())
    assert found == Resolution(left_takes=four, right_unattributed=(NEW, ODD))


def test_it_works_the_same_for_the_other_side() -> None:
    """The right panel being full leaves the rest to the left tool."""
    found = resolve([NEW, FAST], Known(), Known((BUILDER,), Split(ship=1, skip=0)))
    assert found == Resolution(right_takes=(BUILDER,), left_unattributed=(NEW,))


def test_a_tool_without_any_votes_has_no_remarks() -> None:
    """An empty panel is a full one."""
    assert resolve([NEW, ODD], Known(split=Split(ship=0, skip=0)), Known()).right_unattributed == (NEW, ODD)


def test_alternation_alone_proves_nothing() -> None:
    """A known left remark first does not make the second one the right tool's."""
    found = resolve([FAST, NEW, DEAR, ODD], Known((BUILDER, SKEPTIC)), Known())
    assert found == Resolution(left_takes=(BUILDER, SKEPTIC), unassigned=(NEW, ODD))


def test_equal_counts_without_a_known_remark_prove_nothing() -> None:
    """Knowing that each panel has two votes does not tell whose of four remarks is whose."""
    two = Known(split=Split(ship=1, skip=1))
    assert resolve([NEW, ODD, FAST, DEAR], two, two).unassigned == (NEW, ODD, FAST, DEAR)


def test_a_panel_with_a_vote_still_open_settles_nothing() -> None:
    """Three of four remarks known: the fourth may be any of those left."""
    known = Known((BUILDER, SKEPTIC, FUTURIST), Split(ship=3, skip=1))
    assert resolve([FAST, DEAR, DEEP, NEW, ODD], known, Known()).unassigned == (NEW, ODD)


def test_counts_that_contradict_each_other_settle_nothing() -> None:
    """Both panels are full and yet a remark is left: one of the counts is out of date."""
    one = Split(ship=1, skip=0)
    assert resolve([FAST, DEAR, NEW], Known((BUILDER,), one), Known((SKEPTIC,), one)).unassigned == (NEW,)
    crowded = resolve([FAST, NEW, ODD], Known((BUILDER,), one), Known(split=one))
    assert crowded == Resolution(left_takes=(BUILDER,), unassigned=(NEW, ODD))


def test_a_count_that_the_page_has_outgrown_settles_nothing() -> None:
    """One of one says ship elsewhere; this page says 50 %, so somebody has voted since."""
    known = Known((BUILDER,), Split(ship=1, skip=0))
    assert resolve([FAST, NEW], replace(known, panel_ship_percent=100), Known()).right_unattributed == (NEW,)
    assert resolve([FAST, NEW], replace(known, panel_ship_percent=50), Known()).unassigned == (NEW,)
    third = Known((BUILDER, SKEPTIC, FUTURIST), Split(ship=2, skip=1), panel_ship_percent=67)
    assert resolve([FAST, DEAR, DEEP, NEW], third, Known()).right_unattributed == (NEW,)


def test_the_same_remark_on_both_tools_is_given_to_both_when_it_stands_there_twice() -> None:
    """Two of it, one known of each tool: each tool gets its own."""
    right = take("Skeptic", FAST, 30, "skip")
    found = resolve([FAST, FAST], Known((BUILDER,)), Known((right,)))
    assert found == Resolution(left_takes=(BUILDER,), right_takes=(right,))


def test_the_same_remark_on_both_tools_is_given_to_neither_when_it_stands_there_once() -> None:
    """It may be either's."""
    assert resolve([FAST], Known((BUILDER,)), Known((take("Skeptic", FAST),))).unassigned == (FAST,)


def test_a_full_panel_settles_a_remark_known_of_both_tools() -> None:
    """The left panel's only vote is accounted for, so the shared remark is the right tool's, with its reviewer."""
    left = Known((BUILDER, take("Creator", DEAR)), Split(ship=1, skip=0))
    assert resolve([FAST, DEAR], left, Known((SKEPTIC,))).right_takes == (SKEPTIC,)


def test_two_reviewers_with_the_same_words_are_not_told_apart() -> None:
    """Said once on the page, by one of two: the tool is certain, the reviewer is not."""
    twins = (BUILDER, take("Founder", FAST, 10, "skip"))
    assert resolve([FAST], Known(twins), Known()).left_unattributed == (FAST,)
    assert resolve([FAST, FAST], Known(twins), Known()).left_takes == twins


def test_a_take_without_reviewer_or_remark_identifies_nothing() -> None:
    """Conclusions drawn earlier are no evidence now."""
    nameless, wordless = TakeFacts(remark=FAST), TakeFacts(reviewer="Builder", score=80)
    assert resolve([FAST], Known((nameless, wordless)), Known()).unassigned == (FAST,)


def test_of_two_accounts_of_one_take_always_the_same_one_counts() -> None:
    """Whichever was heard first."""
    late = take("Builder", FAST, 30, "skip")
    assert resolve([FAST], Known((BUILDER, late)), Known()) == resolve([FAST], Known((late, BUILDER)), Known())
    assert len(resolve([FAST], Known((BUILDER, late)), Known()).left_takes) == 1


REMARKS = st.sampled_from([FAST, DEAR, DEEP, DULL, NEW, ODD, "“Quoted” words.", '"Quoted" words.'])
TAKES = st.lists(
    st.builds(
        TakeFacts,
        reviewer=st.sampled_from(["Builder", "Skeptic", "Futurist", None]),
        score=st.sampled_from([None, 10, 90]),
        call=st.sampled_from([None, "ship", "skip"]),
        remark=st.none() | REMARKS,
    ),
    max_size=8,
).map(tuple)
SPLITS = st.none() | st.builds(Split, ship=st.integers(0, 4), skip=st.integers(0, 4))
KNOWN = st.builds(Known, takes=TAKES, split=SPLITS, panel_ship_percent=st.sampled_from([None, 0, 50, 75, 100]))
PAGES = st.lists(REMARKS, max_size=8)


def spoken(remarks: Iterable[str]) -> Counter[str]:
    """The words, however their quotation marks are printed."""
    return Counter(remark.replace("“", '"').replace("”", '"') for remark in remarks)


@given(PAGES, KNOWN, KNOWN, st.randoms(use_true_random=False))
def test_the_order_in_which_takes_became_known_makes_no_difference(
    loose: list[str], left: Known, right: Known, chance: random.Random
) -> None:
    """Nor does reading a page twice."""

    def otherwise(known: Known) -> Known:
        takes = [*known.takes, *chance.sample(known.takes, chance.randint(0, len(known.takes)))]
        chance.shuffle(takes)
        return replace(known, takes=tuple(takes))

    assert resolve(loose, otherwise(left), otherwise(right)) == resolve(loose, left, right)


@given(PAGES, KNOWN, KNOWN)
def test_every_remark_goes_to_exactly_one_place(loose: list[str], left: Known, right: Known) -> None:
    """None is lost, none is doubled, and each place keeps the order of the page."""
    found = resolve(loose, left, right)
    words = [*(take.remark or "" for take in (*found.left_takes, *found.right_takes))]
    words += [*found.left_unattributed, *found.right_unattributed, *found.unassigned]
    assert spoken(words) == spoken(loose)
    for part in (found.left_unattributed, found.right_unattributed, found.unassigned):
        at = iter(loose)
        assert all(remark in at for remark in part)


@given(PAGES, KNOWN, KNOWN)
def test_only_known_takes_of_the_same_tool_are_given(loose: list[str], left: Known, right: Known) -> None:
    """No persona, score or call is made up, and none moves to the other tool."""
    found = resolve(loose, left, right)
    assert set(found.left_takes) <= set(left.takes)
    assert set(found.right_takes) <= set(right.takes)


@given(PAGES, KNOWN, KNOWN)
def test_left_and_right_are_treated_alike(loose: list[str], left: Known, right: Known) -> None:
    """Exchanging the tools exchanges the answer."""
    found, mirrored = resolve(loose, left, right), resolve(loose, right, left)
    assert spoken(found.left_unattributed) == spoken(mirrored.right_unattributed)
    assert spoken(found.right_unattributed) == spoken(mirrored.left_unattributed)
    assert spoken(found.unassigned) == spoken(mirrored.unassigned)
    assert Counter(map(repr, found.left_takes)) == Counter(map(repr, mirrored.right_takes))
