"""Slips in the names of big mail providers: asked about, never corrected, and never for anybody's own domain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.people.typos import ENDINGS, PROVIDERS, REAL, distance, meant
from subscribers.addresses import parse

words = st.text("abcd", max_size=6)


@pytest.mark.parametrize(
    ("typed", "guess"),
    [
        ("ada@gmial.com", "ada@gmail.com"),
        ("ada@gmail.con", "ada@gmail.com"),
        ("ada@gmal.cmo", "ada@gmail.com"),
        ("ada@GMIAL.com", "ada@gmail.com"),
        ("Ada.L+news@hotmial.com", "Ada.L+news@hotmail.com"),
        ("ada@outlok.com", "ada@outlook.com"),
        ("ada@yaho.com", "ada@yahoo.com"),
        ("ada@iclod.com", "ada@icloud.com"),
        ("ada@gmail.co", "ada@gmail.com"),
        ("ada@t-onlin.de", "ada@t-online.de"),
    ],
)
def test_a_slip_is_seen(typed: str, guess: str) -> None:
    """What stands before the @ stays as it was typed."""
    assert guess == meant(parse(typed))


@pytest.mark.parametrize(
    "typed",
    [
        "ada@gmail.com",
        "ada@GMAIL.COM",
        "ada@hotmail.fr",
        "ada@hotmail.co.uk",
        "ada@outlook.cz",
        "ada@mail.com",
        "ada@ymail.com",
        "ada@mail.co",
        "ada@example.com",
        "ada@retail.com",
        "ada@gmx.de",
        "ada@proton.me",
        "ada@exämple.de",
    ],
)
def test_what_may_well_be_meant_is_left_alone(typed: str) -> None:
    """A provider spelled right, its other countries, and somebody's own domain."""
    assert meant(parse(typed)) is None


def test_a_guess_is_never_asked_about_again() -> None:
    """Every address the page can offer is one it would take without a question."""
    for name, ending in PROVIDERS.items():
        assert meant(parse(f"ada@{name}.{ending}")) is None
        for slip in ENDINGS:
            guess = meant(parse(f"ada@{name}.{slip}"))
            assert guess is None or meant(parse(guess)) is None
    assert not [domain for domain in REAL if meant(parse(f"ada@{domain}"))]


@given(left=words, right=words)
def test_slips_are_counted(left: str, right: str) -> None:
    """None between equal words, as many in both directions, at most the longer word, at least what its length says."""
    slips = distance(left, right)

    assert (slips == 0) == (left == right)
    assert slips == distance(right, left)
    assert abs(len(left) - len(right)) <= slips <= max(len(left), len(right))


@given(word=st.text("abcd", min_size=2, max_size=6), at=st.integers(0, 4))
def test_two_letters_swapped_are_one_slip(word: str, at: int) -> None:
    """That is how fingers slip."""
    at = min(at, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    assert distance(word, swapped) <= 1
