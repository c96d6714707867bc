"""Prices: the page's words, cut only where they may be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.verdicts.prices import LONGEST_BRIEF, disagree, in_brief
from tests.digest.verdict_facts import tool


@pytest.mark.parametrize(
    ("entry", "pricing", "brief"),
    [
        ("Paid", "Open Source", "Open Source"),
        (
            "Free",
            "Free (Apache 2.0 open weights) / Self-hosted or by API (pay-per-token)",
            "Free (Apache 2.0 open weights) …",
        ),
        ("Paid", "Three sheets a day free / ¥1,800 per month and more for binders", "Three sheets a day free …"),
        ("Free", "Free (MIT / Apache 2.0 at your choice, see the licence file) / hosted", "Free …"),
        ("Paid", "$20 per seat; volume discounts from twenty seats upwards", "$20 per seat …"),
        ("Paid", "From $20 per seat per month billed annually with discounts", "Paid"),
        ("Free", "From $20 per seat per month billed annually with discounts", "From $20 per seat per month billed …"),
        (None, "From $20 per seat per month billed annually with discounts", "From $20 per seat per month billed …"),
        (None, "x" * 90, "x" * 38 + " …"),
        ("Paid, or free for those who write to the makers", None, "Paid, or free for those who write to …"),
        ("Paid", None, "Paid"),
        (None, None, None),
    ],
)
def test_a_price_in_a_few_words(entry: str | None, pricing: str | None, brief: str | None) -> None:
    """Cut before a slash, a bracket or a semicolon; else the label, unless it says the contrary; else between words."""
    assert in_brief(tool("T", entry=entry, pricing=pricing)) == brief


@pytest.mark.parametrize(
    ("entry", "pricing", "contrary"),
    [
        ("Paid", "Open Source", True),
        ("Paid", "open-source (MIT)", True),
        ("Paid", "Free tier / $20 per month", True),
        ("Paid", "Free trial, then $20 per month", False),
        ("Paid", "$20 per month / free for students", False),
        ("Free", "$20 per month", True),
        ("Free", "Free / $20 per month", False),
        ("Free", "Apache 2.0 weights", False),
        ("Free", "$0", False),
        ("Free", "Subscription", True),
        ("Freemium", "$20 per month", False),
        ("Paid", None, False),
        (None, "$20", False),
    ],
)
def test_label_and_text_disagree_in_either_direction(entry: str | None, pricing: str | None, contrary: bool) -> None:
    """Paid but free, or free but paid; a free trial is not free."""
    assert disagree(tool("T", entry=entry, pricing=pricing)) is contrary


@given(st.text(alphabet="Fre $20/;() …（）", max_size=90))
def test_a_brief_price_is_the_beginning_of_the_price(pricing: str) -> None:
    """At most 40 characters, nothing put in but the ellipsis that says something was left out."""
    priced = tool("T", entry="Paid", pricing=pricing.strip() or None)
    brief = in_brief(priced)

    assert brief is not None
    assert len(brief) <= LONGEST_BRIEF
    assert brief == "Paid" or (priced.pricing or "").startswith(brief.removesuffix(" …"))
