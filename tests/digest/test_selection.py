"""What goes into an edition, why the rest does not, and the rules that hold for every week."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts
from digest.selection import Considered, Known, Rules, Selection, Standing, Weights, choose
from digest.weeks import Week

W47 = Week(2026, 47)
NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)
SEEN = Known(3, W47.previous)


def tool(name: str, ships: int = 4, *, slug: str | None = None, category: str = "Developer Tools") -> ToolFacts:
    """A tool that `ships` of four critics would ship."""
    split = Split(ship=ships, skip=4 - ships)
    return ToolFacts(name=name, slug=slug or name.casefold().replace(" ", "-"), category=category, split=split)


def pair(key: int, left: ToolFacts, right: ToolFacts, *, known: Known = SEEN, **more: Any) -> Standing:
    """Two tools that readers saw last week; of equals the lower key is the newer page."""
    facts = ComparisonFacts(slug=f"{left.slug}-vs-{right.slug}", url="https://example.com", tools=(left, right), **more)
    return Standing(key, facts, NOW - timedelta(minutes=key), NOW, known, known)


def selected(*standing: Standing, **rules: Any) -> Selection:
    return choose(standing, week=W47, rules=Rules(**rules))


def sentences(selection: Selection) -> dict[int, str]:
    return {one.key: one.sentence.replace("\u00a0", " ") for one in selection.considered}


LOOM, MUSE, QUILL, REED = (tool(name, ships) for name, ships in [("Loom", 4), ("Muse", 3), ("Quill", 2), ("Reed", 0)])


# — in words —


def test_what_stands_out_this_week_is_said_of_an_entry() -> None:
    """The one widest gap of the week is called that, and the sharpest disagreement too."""
    week = selected(pair(1, LOOM, REED), pair(2, tool("Oboe", 2), tool("Drum", 2)), pair(3, MUSE, tool("Harp", 3)))

    assert sentences(week) == {
        1: "chosen: the widest gap of the week, 100 % against 0 %",
        2: "chosen: the sharpest disagreement of the week: 2–2 on Oboe and 2–2 on Drum",
        3: "chosen: a divided panel: 3–1 on Muse and 3–1 on Harp",
    }


def test_two_things_are_told_of_an_entry_records_first() -> None:
    """The rest stands in its score."""
    moved = Known(3, W47.previous, "skip")
    torn = pair(1, tool("Oboe", 2), LOOM, known=moved)
    week = selected(torn, pair(2, MUSE, REED), pair(3, LOOM, tool("Harp", 0)))

    assert sentences(week)[1] == (
        "chosen: the sharpest disagreement of the week: 2–2 on Oboe; "
        "Oboe was skip in 2026-W46 and is mixed now, Loom was skip in 2026-W46 and is ship now"
    )


def test_no_gap_is_the_widest_when_two_are_as_wide() -> None:
    """A superlative belongs to one comparison or to none."""
    week = selected(pair(1, LOOM, REED), pair(2, tool("Oboe", 4), tool("Drum", 0)), pair(3, MUSE, tool("Harp", 3)))

    assert sentences(week)[1] == sentences(week)[2] == "chosen: a wide gap, 100 % against 0 %"


def test_the_widest_gap_is_the_widest_on_the_pages() -> None:
    """Averages far apart earn more points than level ones, and still make no gap the widest."""

    def scored(given: ToolFacts, *scores: int) -> ToolFacts:
        takes = tuple(TakeFacts(reviewer=f"Critic {number}", score=score) for number, score in enumerate(scores))
        return given.model_copy(update={"takes": takes})

    widest = pair(1, scored(LOOM, 70, 71), scored(REED, 60, 61))
    narrower = pair(2, scored(tool("Oboe", 4), 90, 91), scored(tool("Drum", 1), 30, 31))
    said = sentences(selected(widest, narrower, pair(3, LOOM, MUSE)))

    assert "the widest gap of the week, 100 % against 0 %" in said[1]
    assert "a wide gap, 100 % against 25 %" in said[2]


def test_tools_that_are_new_to_readers_are_a_reason_unless_all_are() -> None:
    """In a first edition everything is new, so that explains nothing."""
    old = pair(2, tool("Oboe", 4), tool("Drum", 1))
    one_new = selected(pair(1, LOOM, REED, known=Known()), old)
    all_new = selected(pair(1, LOOM, REED, known=Known()), pair(2, *old.facts.tools, known=Known()))

    assert sentences(one_new)[1].endswith("100 % against 0 %; both tools new to our readers")
    assert sentences(all_new)[1].endswith("100 % against 0 %")


def test_what_stands_out_in_nothing_is_chosen_for_want_of_better() -> None:
    """Two level tools without dissent still get in while there is room."""
    week = selected(pair(1, LOOM, tool("Harp", 4)), max_entries=3)

    assert sentences(week)[1] == "chosen: ranked 1st, and the edition holds three"


def test_the_edition_has_only_so_much_room() -> None:
    """What is outranked is told by how much."""
    standing = [pair(key, tool(f"Left {key}", 4), tool(f"Right {key}", 0)) for key in range(1, 24)]
    said = sentences(selected(*standing, crowded_category=0))

    assert said[9] == "passed over: ranked 9th, and the edition holds eight"
    ordinals = [said[key].split()[3] for key in (11, 12, 13, 21, 22, 23)]
    assert ordinals == ["11th,", "12th,", "13th,", "21st,", "22nd,", "23rd,"]


def test_a_tool_has_a_cap() -> None:
    """One that is in two entries is in no third."""
    partners = [tool(name, 0) for name in ("Harp", "Oboe", "Drum")]
    week = selected(*(pair(key, LOOM, partner) for key, partner in enumerate(partners, start=1)), repeated_tool=0)
    both = selected(*(pair(key, *two) for key, two in enumerate([(LOOM, REED), (LOOM, MUSE)], 1)), per_tool=1)

    assert sentences(week)[3] == "passed over: Loom is already in two entries"
    assert sentences(both)[2] == "passed over: Loom is already in one entry"


def test_both_tools_may_have_reached_the_cap() -> None:
    """Then both are named."""
    standing = [pair(1, LOOM, REED), pair(2, tool("Harp", 4), tool("Oboe", 0)), pair(3, LOOM, tool("Harp", 4))]

    assert sentences(selected(*standing, per_tool=1))[3] == "passed over: Loom and Harp are already in one entry each"


def test_two_tools_meet_once() -> None:
    """A second page about the same two tools, whichever stands left, is passed over, and says where the first is."""
    week = selected(pair(1, tool("Harp", 2), tool("Oboe", 2)), pair(2, LOOM, REED), pair(3, REED, LOOM), per_tool=5)

    assert [one.key for one in week.chosen] == [1, 2]
    assert sentences(week)[3] == "passed over: the same two tools already meet in entry 2"
    assert week.near_misses == ()


def test_a_better_ranked_repetition_makes_room_for_variety() -> None:
    """Both are told: what it would have repeated, and what was chosen instead."""
    week = selected(
        pair(1, LOOM, REED),
        pair(2, LOOM, tool("Harp", 0)),
        pair(3, tool("Oboe", 4, category="Gaming"), tool("Drum", 0, category="Gaming")),
        max_entries=2,
    )

    assert [one.key for one in week.chosen] == [1, 3]
    assert sentences(week)[2] == (
        "passed over: ranked 2nd, but Loom is already in one entry and Developer Tools already has one entry; "
        "Oboe vs Drum, ranked 3rd, was chosen for variety"
    )
    assert sentences(week)[3] == "chosen: ranked 3rd, taken for variety"
    assert [deduction.points for deduction in week.considered[1].deductions] == [8, 2]


def test_the_last_chance_decides() -> None:
    """What lost to two entries names the later one; an entry that would have fitted by rank is no exception to tell."""
    week = selected(
        pair(1, LOOM, REED),
        pair(2, LOOM, tool("Harp", 0)),
        pair(3, tool("Oboe", 4, category="Gaming"), tool("Drum", 0, category="Gaming")),
        pair(4, tool("Lute", 4, category="Health"), tool("Fife", 0, category="Health")),
        max_entries=3,
    )

    assert sentences(week)[2].endswith("; Lute vs Fife, ranked 4th, was chosen for variety")
    assert sentences(week)[3] == "chosen: ranked 3rd, and the edition holds three"
    assert sentences(week)[4] == "chosen: ranked 4th, taken for variety"


def test_a_crowded_category_makes_room_for_another() -> None:
    """Of two that are all but as good, the one from elsewhere is chosen."""
    here = [pair(key, tool(f"L{key}", 4), tool(f"R{key}", 0)) for key in (1, 2, 3)]
    there = pair(4, tool("Oboe", 4, category="Gaming"), tool("Drum", 0, category="gaming"))
    week = selected(*here, there, max_entries=3)

    assert [one.key for one in week.chosen] == [1, 2, 4]
    assert "Developer Tools already has one entry; Oboe vs Drum, ranked 4th" in sentences(week)[3]


def test_a_withdrawn_page_is_considered_and_passed_over() -> None:
    """Its rank is kept, its place is not."""
    week = selected(pair(1, LOOM, REED, withdrawn=True), pair(2, MUSE, LOOM))

    assert (week.considered[0].key, week.considered[0].rank) == (1, 1)
    assert sentences(week)[1] == "passed over: the page is withdrawn"
    assert week.near_misses == ()


def test_namesakes_are_two_tools() -> None:
    """Three slugs are called Cursor 1.0: none uses up another's cap, and words tell them apart."""
    cursors = [tool("Cursor 1.0", 4, slug=slug) for slug in ("cursor-a", "cursor-b", "cursor-c")]
    partners = [tool(name, 0) for name in ("Harp", "Oboe", "Drum")]
    week = selected(*(pair(key, cursors[key], partners[key]) for key in range(3)), pair(9, *cursors[:2]), per_tool=1)

    assert [one.key for one in week.chosen] == [0, 1, 2]
    assert sentences(week)[9] == (
        "passed over: Cursor 1.0 (cursor-a) and Cursor 1.0 (cursor-b) are already in one entry each"
    )


def test_a_tool_without_an_address_is_its_name_and_tagline() -> None:
    """Two pages without addresses about the same tool count as one tool."""
    bare = ToolFacts(name="Loom", tagline="Weaves", split=Split(ship=4, skip=0))
    other = ToolFacts(name="Loom", tagline="Spins", split=Split(ship=4, skip=0))
    week = selected(pair(1, bare, REED), pair(2, bare, tool("Harp", 0)), pair(3, other, tool("Drum", 0)), per_tool=1)

    assert sentences(week)[2] == "passed over: Loom (Weaves) is already in one entry"
    assert [one.key for one in week.chosen] == [1, 3]


# — enough —


@pytest.mark.parametrize(
    ("withdrawn", "rules", "enough", "why"),
    [
        ([], {}, False, "Nothing stands for selection, and an edition needs at least one."),
        ([True], {}, False, "The only comparison is withdrawn, and an edition needs at least one."),
        ([True] * 2, {}, False, "Both comparisons are withdrawn, and an edition needs at least one."),
        ([True] * 3, {}, False, "All three comparisons are withdrawn, and an edition needs at least one."),
        ([False], {}, True, "Everything that stood was chosen: one comparison."),
        ([False], {"min_entries": 2}, False, "Only one comparison stood, and an edition needs at least two."),
        (
            [False, False, True],
            {"min_entries": 3},
            False,
            "Only two of three comparisons could be chosen, and an edition needs at least three.",
        ),
        ([False] * 14, {}, True, "Eight of 14 comparisons chosen."),
    ],
)
def test_whether_it_is_enough_is_said_in_a_sentence(
    withdrawn: list[bool], rules: dict[str, int], enough: bool, why: str
) -> None:
    """Below the floor the edition is to be skipped, and the reason is ready to be recorded."""
    standing = [pair(k, tool(f"L{k}", 4), tool(f"R{k}", 0), withdrawn=gone) for k, gone in enumerate(withdrawn)]
    week = selected(*standing, **rules)

    assert (week.enough, week.why) == (enough, why)


# — order —


def test_among_equals_the_newest_comes_first_then_the_slug_then_the_key() -> None:
    """The order of intake decides last."""
    first, second = tool("A", 4), tool("B", 0)
    same = pair(1, first, second)
    standing = [
        replace(same, key=4),
        same,
        replace(pair(3, tool("A", 4, slug="0"), second), published_at=same.published_at),
        replace(pair(2, tool("C", 4), tool("D", 0)), published_at=NOW),
    ]

    assert [one.key for one in selected(*standing).considered] == [2, 3, 1, 4]


def test_without_a_date_the_first_sight_stands_in() -> None:
    """A page that does not say when it was published is as new as when we found it."""
    dated = pair(1, tool("A", 4), tool("B", 0))
    undated = replace(pair(2, tool("C", 4), tool("D", 0)), published_at=None)

    assert [one.key for one in selected(dated, undated).considered] == [2, 1]


def test_near_misses_are_the_best_of_the_rest_with_no_pair_twice_and_no_tool_too_often() -> None:
    """They fill *Also compared*, so they obey the cap of the entries among themselves."""
    partners = [tool(f"P{number}", 0) for number in range(6)]
    standing = [pair(key, LOOM, partner) for key, partner in enumerate(partners)]
    standing += [pair(9, LOOM, partners[5]), pair(10, tool("Harp", 4), tool("Oboe", 4))]
    week = selected(*standing, max_entries=1, near_misses=6)

    assert [one.key for one in week.near_misses] == [1, 2, 10]
    assert selected(*standing, max_entries=1, near_misses=1).near_misses == week.near_misses[:1]


# — rules —


def test_the_rules_can_be_kept_with_the_edition() -> None:
    """As JSON, there and back."""
    rules = Rules(max_entries=5, weights=Weights(community=40))

    assert Rules.model_validate_json(rules.model_dump_json()) == rules


@pytest.mark.parametrize(
    "rules",
    [
        {"max_entries": 0},
        {"min_entries": 0},
        {"min_entries": 4, "max_entries": 3},
        {"per_tool": 0},
        {"near_misses": -1},
        {"repeated_tool": -1},
        {"weights": {"newness": -1}},
        {"weights": {"charm": 3}},
        {"maximum": 3},
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any]) -> None:
    """Including unknown ones: they would silently change nothing."""
    with pytest.raises(ValidationError):
        Rules.model_validate(rules)


# — what holds for every week —

NAMES = ["Loom", "Muse", "Quill", "Reed", "Harp", "Oboe"]
any_tool = st.builds(
    ToolFacts,
    name=st.sampled_from(NAMES[:3]),
    slug=st.sampled_from([name.casefold() for name in NAMES]),
    category=st.sampled_from([None, "Gaming", "Models", "models"]),
    split=st.none() | st.builds(Split, ship=st.integers(0, 4), skip=st.integers(0, 4)),
    community=st.none() | st.builds(Community, ship_percent=st.none() | st.integers(0, 100), votes=st.integers(0, 99)),
    takes=st.lists(
        st.builds(TakeFacts, reviewer=st.sampled_from(["Builder", "Skeptic"]), score=st.integers(0, 100)), max_size=3
    ).map(tuple),
)
any_known = st.builds(
    Known,
    st.integers(0, 3),
    st.none() | st.builds(Week, st.just(2026), st.integers(30, 46)),
    st.none() | st.sampled_from(["ship", "mixed", "skip"]),
)
any_facts = st.builds(
    ComparisonFacts,
    slug=st.none() | st.sampled_from(["a", "b"]),
    tools=st.tuples(any_tool, any_tool),
    withdrawn=st.sampled_from([False, False, False, True]),
)
any_standing = st.builds(
    Standing,
    key=st.integers(1, 10**6),
    facts=any_facts,
    published_at=st.none() | st.sampled_from([NOW, NOW + timedelta(hours=1)]),
    first_seen_at=st.just(NOW),
    left=any_known,
    right=any_known,
)
any_week = st.lists(any_standing, max_size=14, unique_by=lambda one: one.key)
any_rules = st.builds(
    Rules,
    max_entries=st.integers(1, 6),
    per_tool=st.integers(1, 3),
    near_misses=st.integers(0, 4),
    repeated_tool=st.integers(0, 60),
    crowded_category=st.integers(0, 30),
)


def tools_of(standing: list[Standing], chosen: tuple[Considered, ...]) -> list[set[str]]:
    """The identities in each entry."""
    facts = {one.key: one.facts for one in standing}
    return [{tool.identity for tool in facts[entry.key].tools} for entry in chosen]


@given(any_week, any_rules, st.randoms(use_true_random=False))
def test_the_order_of_intake_does_not_matter(standing: list[Standing], rules: Rules, chance: random.Random) -> None:
    """The same comparisons in any order give the same selection, to the last word."""
    shuffled = chance.sample(standing, len(standing))

    assert choose(standing, week=W47, rules=rules) == choose(shuffled, week=W47, rules=rules)


@given(any_week, any_rules)
def test_every_comparison_is_considered_once_and_explained(standing: list[Standing], rules: Rules) -> None:
    """With its rank, parts that add up to its score, and a reason."""
    considered = choose(standing, week=W47, rules=rules).considered

    assert sorted(one.key for one in considered) == sorted(one.key for one in standing)
    assert [one.rank for one in considered] == list(range(1, len(standing) + 1))
    assert [one.score for one in considered] == sorted((one.score for one in considered), reverse=True)
    for one in considered:
        assert one.score == sum(part.points for part in one.parts)
        assert one.reason.strip()
        assert all(deduction.points > 0 for deduction in one.deductions)
        assert one.sentence.startswith(one.outcome)
        assert (one.outcome == "chosen") == (one.position is not None)


@given(any_week, any_rules)
def test_an_edition_keeps_its_caps(standing: list[Standing], rules: Rules) -> None:
    """No more entries than fit, no tool more often than allowed, no two tools twice, nothing withdrawn."""
    chosen = choose(standing, week=W47, rules=rules).chosen
    entries = tools_of(standing, chosen)
    withdrawn = {one.key for one in standing if one.facts.withdrawn}

    assert len(chosen) <= rules.max_entries
    assert all(count <= rules.per_tool for count in Counter(tool for entry in entries for tool in entry).values())
    assert len({frozenset(entry) for entry in entries}) == len(entries)
    assert not withdrawn & {one.key for one in chosen}


@given(any_week, any_rules)
def test_an_edition_is_short_only_when_nothing_else_could_be_chosen(standing: list[Standing], rules: Rules) -> None:
    """Variety may reorder what is chosen; it never leaves a place empty."""
    chosen = choose(standing, week=W47, rules=rules).chosen
    entries = tools_of(standing, chosen)
    often = Counter(tool for entry in entries for tool in entry)
    still_open = [
        one.key
        for one in standing
        if not one.facts.withdrawn
        and (tools := {tool.identity for tool in one.facts.tools}) not in entries
        and all(often[tool] < rules.per_tool for tool in tools)
    ]

    assert len(chosen) == rules.max_entries or not still_open


@given(any_week, any_rules)
def test_the_strongest_comparison_leads_the_edition(standing: list[Standing], rules: Rules) -> None:
    """The best ranked that is not withdrawn is always chosen, first; the others follow by rank."""
    selection = choose(standing, week=W47, rules=rules)
    withdrawn = {one.key for one in standing if one.facts.withdrawn}
    eligible = [one for one in selection.considered if one.key not in withdrawn]

    assert selection.chosen[:1] == tuple(eligible[:1])
    assert [one.position for one in selection.chosen] == list(range(1, len(selection.chosen) + 1))


@given(any_week, any_rules)
def test_what_was_preferred_for_variety_was_worth_more_after_the_cost_of_repeating(
    standing: list[Standing], rules: Rules
) -> None:
    """A better ranked comparison that lost its place names the entry that took it, and its deductions bear that out."""
    considered = choose(standing, week=W47, rules=rules).considered
    for lost in (one for one in considered if one.reason.endswith("was chosen for variety")):
        rank = int("".join(filter(str.isdigit, lost.reason.rsplit("ranked ", 1)[1])))
        winner = considered[rank - 1]
        net = {one.key: one.score - sum(deduction.points for deduction in one.deductions) for one in (lost, winner)}

        assert winner.position is not None
        assert lost.rank < winner.rank
        assert net[lost.key] < net[winner.key]


@given(any_week, any_rules)
def test_near_misses_could_be_brought_in(standing: list[Standing], rules: Rules) -> None:
    """None is an entry already, withdrawn, or about two tools that meet in an entry."""
    selection = choose(standing, week=W47, rules=rules)
    withdrawn = {one.key for one in standing if one.facts.withdrawn}
    near = tools_of(standing, selection.near_misses)

    assert len(near) <= rules.near_misses
    assert all(one.outcome == "passed over" and one.key not in withdrawn for one in selection.near_misses)
    assert not any(pair in tools_of(standing, selection.chosen) for pair in near)


def test_hash_seeds_do_not_matter() -> None:
    """Two processes with different seeds print the same selection."""
    program = (
        "from tests.digest.test_selection import *\n"
        "tools = [tool(name, ships, category='XY'[ships % 2]) for ships, name in enumerate(NAMES[:5])]\n"
        "pairs = [(a, b) for a in tools for b in tools if a.name < b.name]\n"
        "print(choose([pair(k, *two) for k, two in enumerate(pairs)], week=W47, rules=Rules(max_entries=4)))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1
    assert "passed over" in printed.pop()


# — with pins —


def pinning(*pinned: int, standing: list[Standing], **rules: Any) -> Selection:
    return choose(standing, week=W47, rules=Rules(**rules), pinned=pinned)


def test_what_is_pinned_is_in_and_says_so() -> None:
    """The dullest of three, in an edition of one: in, and told why; the best is told what took its place."""
    standing = [pair(1, LOOM, REED), pair(2, MUSE, tool("Harp", 3)), pair(3, tool("Oboe", 4), tool("Drum", 4))]
    week = pinning(3, standing=standing, max_entries=1)

    assert sentences(week) == {
        1: "passed over: ranked 1st, and the edition holds one, with one entry pinned",
        2: "passed over: ranked 2nd, and the edition holds one, with one entry pinned",
        3: "chosen: pinned by an editor, ranked 3rd",
    }


def test_caps_count_what_is_pinned() -> None:
    """A tool of a pinned entry has used up its place; beyond the cap, words say in how many entries it is."""
    partners = [tool(name, ships) for name, ships in [("Harp", 0), ("Oboe", 1), ("Drum", 2)]]
    standing = [pair(key, LOOM, partner) for key, partner in enumerate(partners, start=1)]
    one = pinning(3, standing=standing, per_tool=1)
    two = pinning(3, 2, standing=standing, per_tool=1)

    assert [each.key for each in one.chosen] == [3]
    assert sentences(one)[1] == "passed over: Loom is already in one entry"
    assert sentences(two)[1] == "passed over: Loom is already in two entries"


def test_a_pinned_page_that_is_withdrawn_says_so() -> None:
    """It is the editor's to take out; the checks let nobody approve it."""
    week = pinning(2, standing=[pair(1, LOOM, REED), pair(2, MUSE, QUILL, withdrawn=True)])

    assert sentences(week)[2].startswith("chosen: pinned by an editor, ranked ")
    assert sentences(week)[2].endswith(", though the page is withdrawn")


@given(any_week, any_rules, st.data())
def test_pins_hold_and_caps_hold_for_the_rest(standing: list[Standing], rules: Rules, data: st.DataObject) -> None:
    """Every pinned one is in; nothing beside them takes more room, or of a tool, than the rules leave."""
    pinned = data.draw(st.sets(st.sampled_from([one.key for one in standing]))) if standing else set()
    selection = choose(standing, week=W47, rules=rules, pinned=pinned)
    chosen = {one.key for one in selection.chosen}
    rest = tuple(one for one in selection.chosen if one.key not in pinned)
    often = Counter(tool for entry in tools_of(standing, selection.chosen) for tool in entry)
    withdrawn = {one.key for one in standing if one.facts.withdrawn}

    assert pinned <= chosen
    assert not rest or len(chosen) <= rules.max_entries
    assert all(often[tool] <= rules.per_tool for entry in tools_of(standing, rest) for tool in entry)
    assert not withdrawn & {one.key for one in rest}
    assert all(one.reason.startswith("pinned by an editor") for one in selection.chosen if one.key in pinned)
    assert all(one.reason.strip() for one in selection.considered)


@given(any_week, any_rules, st.data(), st.randoms(use_true_random=False))
def test_pins_leave_nothing_to_chance(
    standing: list[Standing], rules: Rules, data: st.DataObject, chance: random.Random
) -> None:
    """The same comparisons and pins in any order give the same selection."""
    pinned = data.draw(st.lists(st.sampled_from([one.key for one in standing]), unique=True)) if standing else []
    shuffled = chance.sample(standing, len(standing))

    assert choose(standing, week=W47, rules=rules, pinned=pinned) == choose(
        shuffled, week=W47, rules=rules, pinned=chance.sample(pinned, len(pinned))
    )
