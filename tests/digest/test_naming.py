"""Short names, and names that are not enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.facts import ToolFacts
from digest.verdicts.naming import short_names, told_apart
from tests.digest.verdict_facts import pair, tool


def short(*names: str) -> list[str]:
    """The short names of an edition with these tools, all different."""
    tools = [tool(name, slug=f"slug-{n}") for n, name in enumerate(names)]
    padded = tools if len(tools) % 2 == 0 else [*tools, tool("Padding", slug="padding")]
    shortened = short_names(pair(*two) for two in zip(padded[::2], padded[1::2], strict=True))
    return [shortened[one.identity] for one in tools]


@pytest.mark.parametrize(
    ("name", "shorter"),
    [
        ("Quillmark v0.16", "Quillmark"),
        ("Quillmark 2.0", "Quillmark"),
        ("Quillmark 8x22B Instruct v2", "Quillmark 8x22B"),
        ("Quillmark 3 8B & 70B Instruct (Open Source)", "Quillmark 3 8B & 70B Instruct"),
        ("Quillmark 1.2 (beta)", "Quillmark"),
        ("Quillmark 1.2 beta", "Quillmark"),
        ("Quillmark – v2", "Quillmark"),
        ("Quillmark 5", "Quillmark 5"),
        ("Quillmark", "Quillmark"),
        ("Q 1.0", "Q 1.0"),
        ("1.0", "1.0"),
        ("(only a bracket)", "(only a bracket)"),
        ("Draft vs Draft", "Draft vs Draft"),
        ("墨流し 2.0", "墨流し"),
        ("R&D: Planner 2.0", "R&D: Planner"),
    ],
)
def test_a_trailing_bracket_or_version_is_dropped_and_nothing_else(name: str, shorter: str) -> None:
    """A bare number may belong to the name, and two letters must be left of it."""
    assert short(name, "Northbeam") == [shorter, "Northbeam"]


def test_a_name_is_shortened_only_while_it_is_its_own() -> None:
    """Two versions keep their versions; a name that another tool bears in full is not taken."""
    assert short("Quillmark 1.0", "Quillmark 2.0") == ["Quillmark 1.0", "Quillmark 2.0"]
    assert short("Quillmark", "Quillmark 2.0") == ["Quillmark", "Quillmark 2.0"]
    assert short("quillmark (Mac)", "Quillmark 2.0") == ["quillmark (Mac)", "Quillmark 2.0"]
    assert short("Quillmark 1.0 (Mac)", "Quillmark 2.0 (Mac)") == ["Quillmark 1.0", "Quillmark 2.0"]


def test_namesakes_keep_their_whole_names() -> None:
    """Nothing shorter could tell them apart either."""
    assert short("Cursor 1.0", "Cursor 1.0") == ["Cursor 1.0", "Cursor 1.0"]


def test_one_tool_in_many_comparisons_is_no_rival_of_itself() -> None:
    """Identity is the slug, not the appearance."""
    one, other, third = tool("Quillmark 1.0", slug="q"), tool("Northbeam 2.0", slug="n"), tool("Um", slug="u")

    assert short_names([pair(one, other), pair(one, third)])["q"] == "Quillmark"


@pytest.mark.parametrize(
    ("left", "right", "apart"),
    [
        (tool("Um"), tool("Ah"), ("Um", "Ah")),
        (tool("Um", category="Models"), tool("um", category="Health"), ("Um (Models)", "um (Health)")),
        (tool("Um", category="Models"), tool("Um", category="models"), ("Um (the first)", "Um (the second)")),
        (tool("Um", category=None), tool("Um", category="Models"), ("Um (the first)", "Um (the second)")),
        (tool("אור"), tool("Um"), ("\u200eאור\u200e", "Um")),
    ],
)
def test_a_sentence_can_always_tell_the_two_apart(left: ToolFacts, right: ToolFacts, apart: tuple[str, str]) -> None:
    """Namesakes by category or place; a right-to-left name is fenced by marks, so that "3–1" stays 3–1."""
    assert told_apart((left, right), (left.name, right.name)) == apart


@given(st.lists(st.text(alphabet="Aa1. v()2", min_size=1, max_size=12).filter(str.strip), min_size=2, max_size=6))
def test_short_names_are_beginnings_and_unique_where_names_are(names: list[str]) -> None:
    """Nothing is put in, and no two tools become alike that were not."""
    whole = [tool(name).name for name in names]
    shortened = short(*names)

    assert all(name.startswith(shorter) for name, shorter in zip(whole, shortened, strict=True))
    if len({name.casefold() for name in whole}) == len(whole):
        assert len({shorter.casefold() for shorter in shortened}) == len(shortened)
