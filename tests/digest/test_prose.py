"""Where sentences end, and where they only seem to."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.facts import clean
from digest.verdicts.prose import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "It beats Qwen2.5 72B and runs on v0.16 without a patch.",
        "Use something small, e.g. vLLM or llama.cpp, and wait.",
        "Use something small, e.g. Qwen, and wait.",
        "It costs $1.5K on 4×A100s, i.e. a car.",
        "Parcel Inc. Labs bought Acme Ltd. Holdings in the U.S. Midwest.",
        "Dr. Vane and Prof. Okoro agree with J. P. Marsh.",
        "Well... Somebody knows… Maybe.",
        'He called it "done. Really. Done." and left.',
        "One cut (two. Three. Four.) does it.",
        "See fig. 3 and no. 7 vs. No. 8.",
        "Run `git clone. Then. Pull` at 3.30 p.m. Eastern time.",
        "Yahoo! Finance has had it for years.",
        "Does it work? not here!",
        "「速い。安い。」と言う。",
    ],
)
def test_one_sentence_stays_whole(text: str) -> None:
    """A quotation must not be cut where its author did not stop."""
    assert split(text) == [text]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It works. It ships.", ["It works.", "It ships."]),
        ("It works! Does it ship? Yes.", ["It works!", "Does it ship?", "Yes."]),
        ("It works on v0.16. The rest is noise.", ["It works on v0.16.", "The rest is noise."]),
        ("They are from Parcel Inc. The price is not.", ["They are from Parcel Inc.", "The price is not."]),
        ("I tried it in the U.S. It failed.", ["I tried it in the U.S.", "It failed."]),
        (
            "The answer is no. Everything works. vLLM serves it.",
            ["The answer is no. Everything works.", "vLLM serves it."],
        ),
        ('He said "done." Then he left.', ['He said "done."', "Then he left."]),
        ("(It works. Mostly.) Then it did not.", ["(It works. Mostly.)", "Then it did not."]),
        ("Half of 2026. 40x less memory.", ["Half of 2026.", "40x less memory."]),
        ("Three steps: 1. Install it. 2. Run it.", ["Three steps: 1. Install it.", "2. Run it."]),
        ("Nobody knows… But somebody will.", ["Nobody knows…", "But somebody will."]),
        ("速い。安い。", ["速い。", "安い。"]),
        ("سريع جدا. رخيص أيضا؟ نعم.", ["سريع جدا.", "رخيص أيضا؟", "نعم."]),
        ("यह तेज़ है। यह सस्ता है।", ["यह तेज़ है।", "यह सस्ता है।"]),
        ("😀 works. “Quoted.” 🎉", ["😀 works.", "“Quoted.”"]),
    ],
)
def test_sentences_end_where_they_end(text: str, parts: list[str]) -> None:
    """In every script, with closing quotation marks kept; in doubt ("no. Everything") nothing is cut."""
    assert split(text) == parts


def test_what_follows_the_last_stop_is_no_sentence() -> None:
    """A stored page may have been cut off in the middle of a word."""
    assert split("It works. It shi") == ["It works."]
    assert split("It shi") == []
    assert split("") == []


def test_an_unclosed_quotation_mark_does_not_swallow_the_rest() -> None:
    """Unbalanced marks are no marks."""
    assert split('He said "done. Then he left. It worked.') == ['He said "done.', "Then he left.", "It worked."]


@given(st.text(alphabet="aA .!?…。\"'“”()`1é؟", max_size=200).map(clean))
def test_sentences_are_in_order_trimmed_and_end_with_a_stop(text: str) -> None:
    """Whatever the text; and nothing but blanks is lost between them."""
    spans = sentences(text)
    at = 0
    for start, end in spans:
        assert text[at:start].strip() == ""
        assert text[start:end] == text[start:end].strip() != ""
        at = end


def test_a_hostile_remark_does_not_take_long() -> None:
    """20,000 characters made of nothing but stops."""
    began = time.perf_counter()
    for text in ["a. A. " * 3300, "." * 20_000, "(a. B.) " * 2500, '"A. ' * 5000, "A 1. " * 4000]:
        sentences(text)

    assert time.perf_counter() - began < 5
