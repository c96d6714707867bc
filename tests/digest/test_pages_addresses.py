"""Addresses of comparisons and the tools' slugs in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import pages
from digest.facts import ComparisonFacts
from tests.digest.page_samples import compact, comparison, spaced

SLUGS = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,3}){0,2}(-vs-[a-z0-9]{1,3}){0,2}", fullmatch=True)


@pytest.mark.parametrize(
    ("slug", "splits"),
    [
        ("a-vs-b", (("a", "b"),)),
        ("axolotl-v0-16-vs-mistral-3", (("axolotl-v0-16", "mistral-3"),)),
        ("a-vs-b-vs-c", (("a", "b-vs-c"), ("a-vs-b", "c"))),
        ("a-vs-vs-b", (("a", "vs-b"), ("a-vs", "b"))),
        ("m-vs-a-vs-z", (("m-vs-a", "z"),)),
        ("b-vs-a", ()),
        ("a-versus-b", ()),
        ("-vs-", ()),
        ("a-vs-", ()),
        ("a-vs--vs-b", (("a-vs-", "b"),)),
        ("", ()),
    ],
)
def test_every_way_to_divide_a_slug(slug: str, splits: tuple[tuple[str, str], ...]) -> None:
    """At any `-vs-` that leaves two slugs in alphabetical order."""
    assert pages.slug_splits(slug) == splits


@given(SLUGS, SLUGS)
def test_the_two_slugs_a_comparison_is_made_of_are_always_among_them(one: str, other: str) -> None:
    """Whatever they contain."""
    left, right = sorted([one, other])
    assert (left, right) in pages.slug_splits(f"{left}-vs-{right}")


@given(st.text(alphabet="avs-b.", max_size=40))
def test_every_split_makes_the_slug_again(slug: str) -> None:
    """Nothing is added or lost."""
    assert all(f"{left}-vs-{right}" == slug for left, right in pages.slug_splits(slug))


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://example.com/compare/a-vs-b", "a-vs-b"),
        ("https://example.com/compare/a-vs-b/?x=1#y", "a-vs-b"),
        ("https://example.com/tool/a", None),
        ("https://example.com/compare/", None),
        ("https://example.com/compare/a-vs-b/edit", None),
        ("/compare/a-vs-b", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_a_comparisons_address_holds_its_slug(url: str, slug: str | None) -> None:
    """And no other address does."""
    assert pages.slug_of(url) == slug


def read(url: str, body: str | None = None) -> ComparisonFacts:
    return pages.read((body or spaced(comparison())).encode(), url=url).pages[0].facts


def test_a_given_address_gives_slug_and_tools_slugs() -> None:
    """Where the address can be divided in one way only."""
    for body in (spaced(comparison()), compact(comparison())):
        facts = read("https://example.com/compare/otter-vs-pelican", body)
        assert (facts.url, facts.slug) == ("https://example.com/compare/otter-vs-pelican", "otter-vs-pelican")
        assert [tool.slug for tool in facts.tools] == ["otter", "pelican"]


@pytest.mark.parametrize(
    "slug", ["a-vs-b-vs-c", "pelican-vs-otter", "something-else"], ids=["two ways", "wrong order", "no way"]
)
def test_tools_slugs_that_are_not_certain_are_unknown(slug: str) -> None:
    """The comparison's own slug is known all the same."""
    facts = read(f"https://example.com/compare/{slug}")
    assert facts.slug == slug
    assert [tool.slug for tool in facts.tools] == [None, None]


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://example.com/compare/a-vs-b/?utm_source=x&y=1#top", "https://example.com/compare/a-vs-b/"),
        (" https://example.com/en/compare/a-vs-b ", "https://example.com/en/compare/a-vs-b"),
        ("https://example.com/pages?id=7", "https://example.com/pages?id=7"),
    ],
)
def test_an_address_is_kept_without_what_does_not_identify_the_page(given_url: str, kept: str) -> None:
    """Outside `/compare/` the query may be what identifies it."""
    assert read(given_url).url == kept


@pytest.mark.parametrize(
    "url", ["compare/a-vs-b", "ftp://example.com/compare/a-vs-b", "http://[", "https://", "x" * 3_000]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """It was typed by somebody who wants to know."""
    reading = pages.read(spaced(comparison()).encode(), url=url)
    assert reading.pages == ()
    assert "must be an http or https address" in reading.bad[0].why
    assert len(reading.bad[0].why) < 200


@pytest.mark.parametrize("slug", ["%2e%2e", "a%00b", "a%2Fb", "x" * 401, "%3Cscript%3E"])
def test_an_address_with_an_impossible_slug_has_none(slug: str) -> None:
    """The address is kept, and identifies nothing."""
    assert read(f"https://example.com/compare/{slug}").slug is None


def test_what_a_comparison_says_of_itself_outweighs_the_given_address() -> None:
    """A machine's own `url` and slugs are never replaced, and what is missing is filled in."""
    url = "https://example.com/compare/otter-vs-pelican"
    own = comparison().model_copy(update={"url": "https://example.org/compare/x-vs-y"})
    assert read(url, own.model_dump_json()).url == own.url
    assert [tool.slug for tool in read(url, own.model_dump_json()).tools] == ["x", "y"]
    assert read(url, comparison().model_dump_json()).slug == "otter-vs-pelican"
    named = comparison().model_copy(update={"slug": "a-vs-b-vs-c"})
    tools = (named.tools[0].model_copy(update={"slug": "a-vs-b"}), named.tools[1])
    found = read(url, named.model_copy(update={"tools": tools}).model_dump_json())
    assert (found.slug, [tool.slug for tool in found.tools]) == ("a-vs-b-vs-c", ["a-vs-b", "c"])


def test_the_address_of_a_file_is_not_that_of_the_comparisons_in_it() -> None:
    """Of several, or where it is no comparison's."""
    one = comparison().model_dump_json()
    several = pages.read(f"[{one},{one}]".encode(), url="https://example.com/compare/otter-vs-pelican")
    assert [page.facts.url for page in several.pages] == [None, None]
    assert read("https://example.com/export.json", one).url is None
