"""What is not as it was: nothing is lost between the two sides, and nothing told that did not change."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest import differences, manuscript
from digest.differences import MOST_WORDS, Piece, word_by_word
from digest.facts import ComparisonFacts, Split
from digest.manuscript import Also, Manuscript
from tests import make

few_words = st.lists(st.sampled_from(["a", "b", "the", "tool", "\n\n", " ", "שלום", "水", "墨", "👩‍💻", "3.5"])).map(
    " ".join
)
any_text = st.one_of(few_words, st.text(max_size=200))


def told(before: str, after: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in word_by_word(before, after)]


def side(pieces: tuple[Piece, ...], *kinds: str) -> str:
    return "".join(piece.text for piece in pieces if piece.kind in kinds)


# — words —


@given(any_text, any_text)
def test_the_pieces_give_both_texts_back(before: str, after: str) -> None:
    pieces = word_by_word(before, after)

    assert before == side(pieces, "same", "went")
    assert after == side(pieces, "same", "came")


@given(any_text)
def test_what_is_the_same_is_one_piece(text: str) -> None:
    assert told(text, text) == ([("same", text)] if text else [])


@given(any_text, any_text)
def test_pieces_are_not_cut_up(before: str, after: str) -> None:
    """No piece is empty, no two of a kind are neighbours, and what went stands before what came in its place."""
    kinds = [piece.kind for piece in word_by_word(before, after)]

    assert all(piece.text for piece in word_by_word(before, after))
    assert not any(one == other for one, other in pairwise(kinds))
    assert ("came", "went") not in pairwise(kinds)


def test_words_change_and_not_letters() -> None:
    assert told("Plumb wins every vote this week.", "Plumb wins no vote this week.") == [
        ("same", "Plumb wins"),
        ("went", " every"),
        ("came", " no"),
        ("same", " vote this week."),
    ]


def test_what_is_added_at_the_end_leaves_the_rest_alone() -> None:
    assert told("Good morning.", "Good morning.\n\nMore of it.") == [
        ("same", "Good morning."),
        ("came", "\n\nMore of it."),
    ]


def test_a_text_of_which_little_is_left_is_told_whole() -> None:
    """One "the" in common makes two sentences no variation of each other."""
    before, after = "Plumb sweeps the panel again", "What does the price of Axolotl really buy you"

    assert told(before, after) == [("went", before), ("came", after)]


def test_scripts_without_spaces_change_by_letter() -> None:
    assert told("水墨画の道具", "水彩画の道具") == [
        ("same", "水"),
        ("went", "墨"),
        ("came", "彩"),
        ("same", "画の道具"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a " * 4000, "b a " * 2000),
        ("a " * 700, "b a " * 700),
        (" ".join(map(str, range(1600))), " ".join(f"{n} x" for n in range(800))),
        ("x" * 100_000, "y" * 100_000),
        ("word " * 50_000, "word " * 49_999 + "end"),
    ],
)
def test_no_text_takes_long(before: str, after: str) -> None:
    """The worst for comparing are one word over and over, and many words moved a little."""
    start = time.process_time()
    pieces = word_by_word(before, after)

    assert time.process_time() - start < 1
    assert before == side(pieces, "same", "went")


def test_an_endless_text_is_compared_where_it_changed() -> None:
    """Beginning and end are found first, however long they are."""
    words = [f"word{n}" for n in range(10 * MOST_WORDS)]
    changed = [*words[:5000], "other", *words[5001:]]

    assert [kind for kind, _ in told(" ".join(words), " ".join(changed))] == ["same", "went", "came", "same"]


# — entries —


def of_entries(*comparisons: int) -> Manuscript:
    found = Manuscript(week=make.WEEK, subject="", breath="", subject_by_rule="", breath_by_rule="")
    for comparison in comparisons:
        tools = make.tool(f"Left {comparison}"), make.tool(f"Right {comparison}")
        found = manuscript.brought_in(found, comparison, ComparisonFacts(tools=tools))
    return found


def changes(before: Manuscript, after: Manuscript) -> list[tuple[int, str]]:
    return [(change.comparison, change.kind) for change in differences.entries(before, after)]


def test_entries_come_go_move_and_stay() -> None:
    assert changes(of_entries(1, 2, 3, 4), of_entries(1, 4, 5, 3)) == [
        (1, "same"),
        (4, "moved"),
        (5, "came"),
        (3, "same"),
        (2, "went"),
    ]


def test_one_that_moved_up_moves_nobody_else() -> None:
    assert changes(of_entries(1, 2, 3, 4), of_entries(4, 1, 2, 3)) == [
        (4, "moved"),
        (1, "same"),
        (2, "same"),
        (3, "same"),
    ]


@settings(max_examples=40)
@given(st.lists(st.integers(1, 7), unique=True), st.lists(st.integers(1, 7), unique=True))
def test_every_entry_of_either_side_is_told_once(before: list[int], after: list[int]) -> None:
    """With its places; those that stay are in one order on both sides."""
    found = list(differences.entries(of_entries(*before), of_entries(*after)))

    assert sorted(each.comparison for each in found) == sorted({*before, *after})
    assert [each.now for each in found if each.now] == list(range(1, len(after) + 1))
    assert {each.comparison: each.was for each in found if each.was} == {
        comparison: place for place, comparison in enumerate(before, start=1)
    }
    stayed = [each.was or 0 for each in found if each.kind == "same"]
    assert stayed == sorted(stayed)


# — figures, and all of it —


def test_figures_are_told_then_and_now() -> None:
    """Of tools in both; what did not change is left aside, and unknown is not a figure."""
    loom, reed = make.tool("Loom"), make.tool("Reed")
    dearer = loom.model_copy(
        update={
            "pricing": None,
            "entry": None,
            "split": Split(ship=1, skip=3),
            "panel_ship_percent": 25,
            "verdict": "skip",
        }
    )
    empty = of_entries()
    before = manuscript.brought_in(empty, 1, ComparisonFacts(tools=(loom, reed)))
    after = manuscript.brought_in(empty, 2, ComparisonFacts(tools=(dearer, make.tool("Quill"))))

    (tool,) = differences.between(before, after).changed_tools

    assert tool.name == "Loom"
    assert {(figure.name, figure.was, figure.now) for figure in tool.figures if figure.is_other} == {
        ("verdict", "ship", "skip"),
        ("split", "3 ship · 1 skip", "1 ship · 3 skip"),
        ("share that ships", "75\u00a0%", "25\u00a0%"),
        ("price", "$10 a month", None),
    }


def test_a_tool_whose_address_was_learned_since_is_the_same_tool() -> None:
    bare = make.tool("Loom", slug=None)
    before = manuscript.brought_in(of_entries(), 1, ComparisonFacts(tools=(bare, make.tool("Reed"))))
    after = manuscript.brought_in(of_entries(), 1, ComparisonFacts(tools=(make.tool("Loom"), make.tool("Reed"))))

    assert [tool.name for tool in differences.tools(before, after)] == ["Loom", "Reed"]


def test_namesakes_are_not_mixed_up() -> None:
    one = make.tool("Cursor 1.0", slug="cursor-a", tagline="Edits")
    other = make.tool("Cursor 1.0", slug="cursor-b", tagline="Edits")
    before = manuscript.brought_in(of_entries(), 1, ComparisonFacts(tools=(one, make.tool("Reed"))))
    after = manuscript.brought_in(of_entries(), 2, ComparisonFacts(tools=(other, make.tool("Quill"))))

    assert list(differences.tools(before, after)) == []


def test_an_edition_is_no_different_from_itself() -> None:
    assert differences.between(of_entries(1, 2), of_entries(1, 2)).is_nothing


def test_every_kind_of_change_is_told() -> None:
    before = of_entries(1, 2)
    changed = manuscript.written(before, "headline 2", "A headline of our own")
    changed = manuscript.written(changed, "introduction", "Good morning.")
    changed = changed.model_copy(update={"corrections": (4,), "also_compared": (Also(title="A vs B", url=None),)})

    found = differences.between(before, changed)

    assert [words.title for words in found.words] == ["Introduction", "Headline of entry 2, Left 2 vs Right 2"]
    assert (found.corrections_came, found.lines_came, found.is_nothing) == ((4,), ("A vs B",), False)
