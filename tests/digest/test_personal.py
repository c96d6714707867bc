"""Personal fields: the only bytes in which two copies of a variant differ."""

from __future__ import annotations

import time
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import personal
from digest.personal import LeftOverTag, NotALink, Person, TagInCopy, fill, longest, refuse_tags, substitutions, tags
from tests.make_mail import ADA, NOBODY

WEEK = "2026-W47"
PAGE = "{0.greeting_html}|{0.greeting_text}|{0.why_html}|{0.why_text}|{0.unsubscribe_url}|{0.preferences_url}"


def filled(person: Person) -> list[str]:
    return fill(PAGE.format(tags(WEEK)), substitutions(WEEK, person)).split("|")


def test_tags_come_from_the_week() -> None:
    """The same draft renders to the same bytes; another week's tags are others."""
    assert tags(WEEK).unsubscribe_url == "-vd2026w47unsubscribeurl-"
    assert set(astuple(tags(WEEK))).isdisjoint(astuple(tags("2026-W48")))


def test_no_tag_is_part_of_another() -> None:
    """Filling one can never damage another."""
    names = astuple(tags(WEEK))

    assert not [(a, b) for a in names for b in names if a != b and a in b]


def test_the_greeting_reads_well_with_and_without_a_name() -> None:
    """Most people never gave one."""
    assert filled(ADA)[0] == "Hello Ada, you"
    assert filled(NOBODY)[0] == "You"
    assert filled(replace(NOBODY, name="  "))[1] == "You"


def test_a_name_is_escaped_for_html_and_kept_in_plain_text() -> None:
    """Splices are raw, so each place has a value of its own."""
    html, text, *_ = filled(replace(ADA, name="Ada <b>&\n Müller"))

    assert html == "Hello Ada &lt;b&gt;&amp; M&#252;ller, you"
    assert text == "Hello Ada <b>& Müller, you"


def test_a_name_that_reads_from_right_to_left_is_fenced_off() -> None:
    """The sentence around it stays in order."""
    html, text, *_ = filled(replace(ADA, name="עדה"))

    assert html.startswith("Hello <bdi>&#1506;")
    assert text == "Hello \u2068עדה\u2069, you"


def test_a_value_cannot_smuggle_in_a_tag() -> None:
    """A subscriber who calls herself a tag learns nobody's link."""
    values = filled(replace(ADA, name=tags(WEEK).unsubscribe_url, why=tags(WEEK).preferences_url))

    assert not [value for value in values[:4] if "https://" in value or "-vd" in value]


@given(st.text(max_size=300), st.text(max_size=300))
def test_values_are_one_clean_line_within_the_longest_we_allow_for(name: str, why: str) -> None:
    """The size check vouches for everybody."""
    fields = substitutions(WEEK, replace(ADA, name=name, why=why))

    most = longest(WEEK)
    assert fields.keys() == most.keys()
    for tag, value in fields.items():
        assert "\r" not in value
        assert "\n" not in value
        assert len(value) <= len(most[tag])
    for tag in (tags(WEEK).greeting_html, tags(WEEK).why_html):
        assert fields[tag].isascii()
        assert "<script" not in fields[tag]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        'https://example.com/"onclick=',
        "https://example.com/a&b",
        "https://example.com/a b",
        "https://example.com/<",
        "https://example.com/" + "x" * 300,
        "https://example.com/a\n",
    ],
)
def test_a_link_holds_only_what_means_the_same_everywhere(url: str) -> None:
    """It is spliced into an attribute and into plain text alike."""
    with pytest.raises(NotALink):
        substitutions(WEEK, replace(ADA, unsubscribe_url=url))


def test_a_field_left_unfilled_is_refused() -> None:
    """Nobody gets a mail that shows a tag, not even another week's."""
    with pytest.raises(LeftOverTag, match="-vd2026w48whytext-"):
        fill(f"a {tags('2026-W48').why_text}", substitutions(WEEK, ADA))


def test_copy_that_looks_like_a_tag_is_refused() -> None:
    """It would be filled in with somebody's data."""
    refuse_tags("a -vd- b, -vd2026-")
    with pytest.raises(TagInCopy, match="-vd2026w47whytext-"):
        refuse_tags(f"They wrote {tags(WEEK).why_text}.")


def test_substitutions_fit_the_provider() -> None:
    """10,000 octets a recipient, names and values together."""
    assert sum(len(tag) + len(value) for tag, value in longest(WEEK).items()) < 10_000


def test_what_an_approval_vouches_for_names_the_sentences() -> None:
    """A change of the greeting voids an approval."""
    assert personal.GREETING_WITH_NAME in personal.wording()


def test_a_million_people_take_seconds() -> None:
    """Called once a delivery: 20,000 different people in well under a second."""
    people = [replace(ADA, name=f"Ada {n}", unsubscribe_url=f"https://example.com/u/{n}") for n in range(20_000)]
    started = time.perf_counter()

    for person in people:
        substitutions(WEEK, person)

    assert time.perf_counter() - started < 2
