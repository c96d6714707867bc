"""Plain text that lines up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.text_layout import WIDTH, aligned, columns, isolate, isolate_runs, shorten, wrap

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zs", "Zl", "Zp"]), min_size=1, max_size=200
)


@pytest.mark.parametrize(
    ("text", "width"), [("Ada", 3), ("墨流し", 6), ("नमस्ते", 4), ("e\u0301", 1), ("👩\u200d💻", 4), ("“4–0”", 5)]
)
def test_width_is_what_a_terminal_shows(text: str, width: int) -> None:
    """Wide characters take two columns, marks on a letter none."""
    assert columns(text) == width


@given(st.lists(WORDS, max_size=30))
def test_wrapped_lines_keep_the_width_and_every_word(words: list[str]) -> None:
    """Nothing is lost, and nothing is wider than the page."""
    wrapped = wrap(" ".join(words))

    assert all(columns(line) <= WIDTH for line in wrapped.split("\n"))
    assert "".join(wrapped.split()) == "".join("".join(words).split())


def test_an_address_is_never_cut() -> None:
    """A broken address opens nothing."""
    address = "https://example.com/" + "x" * 200

    assert address in wrap(f"See {address} for more").split("\n")


def test_later_lines_stand_under_the_first_word() -> None:
    """A label leads in; the rest hangs below its text."""
    assert wrap("one two three", 12, first="  No. ") == "  No. one\n      two\n      three"


def test_a_no_break_space_does_not_break() -> None:
    """75 % stays together."""
    assert wrap("aaaa 75\u00a0%", 8) == "aaaa\n75\u00a0%"


@given(WORDS, st.integers(4, 30))
def test_a_shortened_text_fits_and_says_that_it_was_shortened(text: str, width: int) -> None:
    """What fits is left alone."""
    short = shorten(text, width)

    assert columns(short) <= width
    assert short == text or short.endswith("…")


def test_columns_line_up() -> None:
    """Each as wide as its widest cell; numbers flush right."""
    assert aligned([["Tool", "Ø"], ["墨流し", "74.7"], ["B", "–"]], right=frozenset({1}), gap=2) == [
        "Tool       Ø",
        "墨流し  74.7",
        "B          –",
    ]


def test_only_what_reads_from_right_to_left_is_fenced_off() -> None:
    """A whole name, or the runs of it inside a sentence of ours."""
    assert isolate("Ada") == "Ada"
    assert isolate("مساعد 2") == "\u2068مساعد 2\u2069"
    assert isolate_runs("The panel would ship مساعد ذكي 2.0.", "<", ">") == "The panel would ship <مساعد ذكي> 2.0."
