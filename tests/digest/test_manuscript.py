"""A manuscript: whatever is changed can be taken back, and nothing else moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import manuscript, verdicts
from digest.manuscript import Manuscript
from digest.variants import AlsoCompared
from tests import make

PAGES = {
    number: make.comparison(make.tool(f"Tool {number}.0", slug=f"tool-{number}"), make.tool(f"Rival {number}.0"))
    for number in range(1, 7)
}


def of(*comparisons: int) -> Manuscript:
    """A draft as the rules write it."""
    also = (manuscript.Also(title=PAGES[6].headline, url=PAGES[6].url, comparison=6),)
    empty = Manuscript(week=make.WEEK, subject="", breath="", subject_by_rule="", breath_by_rule="", also_compared=also)
    for comparison in comparisons:
        empty = manuscript.brought_in(empty, comparison, PAGES[comparison])
    return empty


def test_a_draft_is_what_the_rules_write() -> None:
    """Brought in one by one: the same subject, breath and summaries as written at once."""
    found = of(1, 2, 3)

    whole = verdicts.write_up([PAGES[number] for number in (1, 2, 3)], turn=47)
    assert (whole.subject, whole.breath) == (found.subject, found.breath)
    assert [entry.summary.headline for entry in found.entries] == [each.headline for each in whole.summaries]


def test_parts_make_the_same_manuscript_again() -> None:
    found = manuscript.written(of(1, 2), "introduction", "Two *new* ones.")

    assert found == manuscript.made_of(manuscript.parts_of(found), found.week)


def test_a_subject_by_rule_follows_the_entries() -> None:
    before = of(1, 2)

    after = manuscript.dropped(before, 1)

    assert after.subject == after.subject_by_rule == of(2).subject


def test_a_subject_by_hand_stays() -> None:
    before = manuscript.written(of(1, 2), "subject", "Two tools, one verdict")

    after = manuscript.dropped(before, 1)

    assert after.subject == "Two tools, one verdict"
    assert after.subject_by_rule == of(2).subject_by_rule


def test_an_order_names_every_entry_once() -> None:
    for order in ([1], [1, 2, 2], [1, 3], []):
        with pytest.raises(manuscript.NotThatOrder):
            manuscript.reordered(of(1, 2), order)


def test_moving_entries_changes_no_sentence() -> None:
    before = of(1, 2, 3)

    after = manuscript.reordered(before, [3, 1, 2])

    assert (3, 1, 2) == after.order
    assert {e.comparison: e.summary for e in before.entries} == {e.comparison: e.summary for e in after.entries}


def test_what_is_brought_in_is_no_near_miss_any_more() -> None:
    after = manuscript.brought_in(of(1), 6, PAGES[6], 1)

    assert (6, 1) == after.order
    assert () == after.also_compared


def test_a_near_miss_of_an_older_edition_is_known_by_its_title() -> None:
    plain = AlsoCompared(title=PAGES[6].headline, url=PAGES[6].url)
    before = of(1).model_copy(update={"also_compared": (manuscript.Also.model_validate(plain.model_dump()),)})

    assert () == manuscript.brought_in(before, 6, PAGES[6]).also_compared


def test_a_page_read_again_keeps_an_editors_words() -> None:
    before = manuscript.written(of(1, 2), "headline 1", "The one to read")
    page = PAGES[1].model_copy(
        update={"tools": (make.tool("Tool 1.0", slug="tool-1", panel_ship_percent=0.0), PAGES[1].tools[1])}
    )

    after = manuscript.refreshed(before, 1, page)

    assert after.entry(1).summary.headline == "The one to read"
    assert after.entry(1).facts == page
    assert after.entry(1).summary.sentence == after.entry(1).sentence_by_rule


def test_pinned_entries_keep_their_places() -> None:
    before = manuscript.pinned(of(1, 2, 3), 2, True)

    after = manuscript.selected_again(before, [(5, PAGES[5]), (4, PAGES[4]), (1, PAGES[1])], [], before.rules)

    assert (5, 2, 4, 1) == after.order
    assert after.entry(1).summary.sentence == before.entry(1).summary.sentence


def test_too_long_is_not_kept() -> None:
    with pytest.raises(manuscript.TooLong):
        manuscript.written(of(1), "subject", "x" * 301)


@pytest.mark.parametrize("part", ["headline", "headline x", "subject 1", "state", "headline 99", "headline ²", ""])
def test_only_what_is_there_can_be_written(part: str) -> None:
    with pytest.raises((manuscript.NoSuchPart, manuscript.NotInIt)):
        manuscript.written(of(1), part, "words")


CHANGES = st.one_of(
    st.tuples(st.just("subject"), st.text(max_size=40)),
    st.tuples(st.just("headline"), st.sampled_from([1, 2, 3])),
    st.tuples(st.just("drop"), st.sampled_from([1, 2, 3])),
    st.tuples(st.just("bring in"), st.sampled_from([4, 5, 6])),
    st.tuples(st.just("order"), st.randoms(use_true_random=False)),
    st.tuples(st.just("pin"), st.sampled_from([1, 2, 3])),
)


def changed(found: Manuscript, kind: str, how: object) -> Manuscript:
    order = list(found.order)
    if kind == "subject":
        return manuscript.written(found, "subject", str(how))
    if kind == "order":
        how.shuffle(order)  # type: ignore[attr-defined]
        return manuscript.reordered(found, order)
    assert isinstance(how, int)
    if kind == "bring in":
        return found if how in order else manuscript.brought_in(found, how, PAGES[how], how - 3)
    if how not in order:
        return found
    if kind == "headline":
        return manuscript.written(found, f"headline {how}", "Another headline")
    return manuscript.dropped(found, how) if kind == "drop" else manuscript.pinned(found, how, True)


@given(st.lists(CHANGES, max_size=6))
def test_every_change_can_be_taken_back(changes: list[tuple[str, object]]) -> None:
    """One after the other from the last: at each step exactly what was before."""
    steps = [of(1, 2, 3)]
    for kind, how in changes:
        steps.append(changed(steps[-1], kind, how))
    parts = [manuscript.parts_of(step) for step in steps]

    current = parts[-1]
    for before, after in zip(reversed(parts[:-1]), reversed(parts[1:]), strict=True):
        current, in_the_way = manuscript.put_back(current, *manuscript.difference(before, after))
        assert [] == in_the_way
        assert before == current


def test_a_change_others_went_on_from_is_not_taken_back() -> None:
    first = of(1, 2)
    second = manuscript.written(first, "subject", "Mine, for a while")
    third = manuscript.written(second, "subject", "Theirs, since")
    edit = manuscript.difference(manuscript.parts_of(first), manuscript.parts_of(second))

    _, in_the_way = manuscript.put_back(manuscript.parts_of(third), *edit)

    assert ["subject"] == in_the_way


def test_a_dropped_entry_comes_back_beside_what_others_did() -> None:
    first = of(1, 2, 3)
    second = manuscript.dropped(first, 2)
    third = manuscript.written(manuscript.brought_in(second, 5, PAGES[5]), "headline 1", "Theirs")
    edit = manuscript.difference(manuscript.parts_of(first), manuscript.parts_of(second))

    parts, in_the_way = manuscript.put_back(manuscript.parts_of(third), *edit)

    assert [] == in_the_way
    assert (1, 2, 3, 5) == manuscript.made_of(parts, first.week).order
    assert parts["headline 1"] == "Theirs"


def test_a_comparison_may_get_another_number() -> None:
    before = manuscript.brought_in(of(1, 2), 3, PAGES[3])

    again = manuscript.made_of(manuscript.renumbered(manuscript.parts_of(before), 2, 77), before.week)

    assert again.order == (1, 77, 3)
    assert again.entry(77).summary == before.entry(2).summary
    assert manuscript.renumbered(manuscript.parts_of(before), 6, 9)["also_compared"][0]["comparison"] == 9
