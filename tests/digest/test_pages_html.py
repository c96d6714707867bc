"""Comparison pages as HTML: the same facts as the text, what only markup knows, and hostile markup."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime

import pytest

from digest import pages
from digest.facts import ComparisonFacts
from tests.digest.page_samples import BOX, OTTER, PELICAN, comparison, markup, spaced

ADDRESS = "https://example.com/compare/otter-vs-pelican"
NOVEMBER = datetime(2026, 11, 18, 9, tzinfo=UTC)


def read(source: str, url: str | None = None) -> pages.Page:
    reading = pages.read(source.encode(), url=url)
    assert reading.bad == ()
    return reading.pages[0]


def without_slugs(facts: ComparisonFacts) -> ComparisonFacts:
    tools = tuple(tool.model_copy(update={"slug": None}) for tool in facts.tools)
    return facts.model_copy(update={"tools": tools, "slug": None, "url": None})


def plain_markup(page: ComparisonFacts) -> str:
    """The text layout with a paragraph around every line."""
    lines = (f"<p>{html.escape(line)}</p>" for line in spaced(page).split("\n") if line)
    return f"<html><body><main>{''.join(lines)}</main></body></html>"


# The same facts


def test_components_and_comments_between_pieces_of_text_are_no_matter() -> None:
    """Scores in three spans, a percentage in two pieces, quotation marks around remarks, links around names."""
    page = read(markup(comparison()))
    assert without_slugs(page.facts) == comparison()
    assert page.missing == ()


def test_a_paragraph_per_line_is_read_like_the_text() -> None:
    """No structure at all."""
    assert read(plain_markup(comparison())) == pages.Page(comparison())


def test_line_breaks_instead_of_blocks() -> None:
    """`<br>` ends a line."""
    source = plain_markup(comparison()).replace("<p>", "").replace("</p>", "<br/>\n")
    assert read(source) == pages.Page(comparison())


def test_indented_markup_is_no_other_page() -> None:
    """Line breaks between elements, as a template writes them."""
    source = markup(comparison()).replace("><", ">\n    <")
    assert without_slugs(read(source).facts) == comparison()


def test_labels_beside_their_figures_are_told_apart() -> None:
    """`75% Panel ship` in one line."""
    source = plain_markup(comparison())
    for label in ("Panel ship", "Entry"):
        source = source.replace(f"</p><p>{label}</p>", f" {label}</p>")
    source = source.replace("<p>62%</p><p>Community</p>", "<p>62% Community</p>")
    assert read(source) == pages.Page(comparison())


def test_words_set_off_within_a_sentence_stay_in_it() -> None:
    """Emphasis, links and code do not end a line."""
    first = OTTER.takes[0].remark or ""
    source = markup(comparison()).replace(first, "One <em>file</em>, <b>one</b> <a href='/x'>process</a>, no account.")
    assert read(source).facts.tools[0].takes[0].remark == first


def test_entities_are_letters() -> None:
    """Named, decimal and hexadecimal."""
    source = markup(comparison()).replace("A meeting memory", "A&nbsp;meeting &#109;emor&#x79;")
    assert read(source).facts.tools[0].tagline == OTTER.tagline


def test_an_empty_cell_keeps_its_place() -> None:
    """The other tool's price is not moved into it."""
    page = comparison(OTTER.model_copy(update={"pricing": None}))
    assert without_slugs(read(markup(page).replace("<td>—</td>", "<td></td>")).facts) == page


@pytest.mark.parametrize(
    "after",
    [
        "<h2>Related</h2><p>Heron</p>",
        "</main><p>Heron</p>",
        "<footer>Heron</footer>",
        "<form><p>Heron</p></form>",
        f"<p>{BOX[0]}</p><p>Heron</p>",
    ],
)
def test_what_follows_the_scorecard_is_not_the_last_remark(after: str) -> None:
    """A heading as high, the end of the main part, a footer, a form, the newsletter box."""
    source = markup(comparison()).replace("<h2>More comparisons</h2><p>Heron vs Ibis</p>", after)
    assert without_slugs(read(source).facts) == comparison()


def test_reviewers_may_have_headings_as_high_as_the_scorecards() -> None:
    """A score below it tells a reviewer from another part of the page."""
    source = markup(comparison()).replace("<h3>", "<h2>").replace("</h3>", "</h2>")
    assert without_slugs(read(source).facts) == comparison()


def test_navigation_scripts_and_drawings_are_not_text() -> None:
    """None of it reaches a value."""
    extra = "<template><p>Evil</p></template><noscript>Evil</noscript><svg><title>Evil</title></svg>"
    extra += "<nav>Evil<nav>x</nav>Evil</nav>"
    source = (
        markup(comparison()).replace("</article>", f"{extra}</article>").replace("<h2>Reviewer", f"{extra}<h2>Reviewer")
    )
    page = read(source)
    assert without_slugs(page.facts) == comparison()
    assert "Evil" not in page.facts.model_dump_json()


# What only markup knows


def test_the_canonical_link_gives_address_and_slugs() -> None:
    """Without what only says how somebody came to the page."""
    page = read(markup(comparison(), head=f'<link rel="canonical" href="{ADDRESS}?utm_source=x#top">'))
    assert (page.facts.url, page.facts.slug) == (ADDRESS, "otter-vs-pelican")
    assert [tool.slug for tool in page.facts.tools] == ["otter", "pelican"]


def test_the_address_may_stand_in_other_places() -> None:
    """In `og:url`, or relative to where the page was fetched from."""
    assert read(markup(comparison(), head=f"<meta property='og:url' content={ADDRESS}>")).facts.url == ADDRESS
    relative = markup(comparison(), head='<link href="/compare/otter-vs-pelican" rel="canonical">')
    assert read(relative, url="https://example.com/latest").facts.url == ADDRESS
    assert read(relative).facts.url is None


def test_of_two_attributes_alike_the_first_counts() -> None:
    """As browsers have it."""
    head = f'<link rel="canonical" HREF="{ADDRESS}" href="https://example.com/compare/heron-vs-ibis">'
    assert read(markup(comparison(), head=head)).facts.url == ADDRESS


def test_a_given_address_outweighs_the_pages_own() -> None:
    """It was given by somebody who knows; unless it is no comparison's."""
    head = '<link rel="canonical" href="https://example.com/compare/heron-vs-ibis">'
    assert read(markup(comparison(), head=head), url=ADDRESS).facts.url == ADDRESS
    found = read(markup(comparison(), head=head), url="https://example.com/page.html").facts
    assert found.slug == "heron-vs-ibis"


def test_links_to_the_tools_give_their_slugs() -> None:
    """By the words of the link, when the address is unknown."""
    facts = read(markup(comparison(), slugs=("otter-2026", "pelican-3"))).facts
    assert [tool.slug for tool in facts.tools] == ["otter-2026", "pelican-3"]
    assert (facts.slug, facts.url) == (None, None)


def test_links_settle_an_address_that_could_be_divided_in_two_ways() -> None:
    """`a-vs-b-vs-c` with a link to `a-vs-b`."""
    url = "https://example.com/compare/a-vs-b-vs-c"
    facts = read(markup(comparison(), slugs=("a-vs-b", "c")), url=url).facts
    assert [tool.slug for tool in facts.tools] == ["a-vs-b", "c"]
    wordless = re.sub(r'(<a href="/tool/[^"]+">)(.*?)</a>', r"\2\1</a>", markup(comparison(), slugs=("a-vs-b", "c")))
    assert [tool.slug for tool in read(wordless, url=url).facts.tools] == ["a-vs-b", "c"]
    unknown = read(markup(comparison(), slugs=("x", "y")), url=url).facts
    assert [tool.slug for tool in unknown.tools] == [None, None]


def test_links_to_other_sites_and_of_two_minds_settle_nothing() -> None:
    """Another site's tools have other slugs, and one name may be linked twice."""
    away = markup(comparison()).replace('href="/tool/', 'href="https://example.org/tool/')
    assert [tool.slug for tool in read(away, url="https://example.com/page").facts.tools] == [None, None]
    twice = markup(comparison()).replace("<h2>More", f'<h2><a href="/tool/heron">{html.escape(OTTER.name)}</a> More')
    assert [tool.slug for tool in read(twice).facts.tools] == [None, "pelican"]


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="article:published_time" content="2026-11-18T10:00:00+01:00">',
        '<script type="application/ld+json">{"@graph": [{"datePublished": "2026-11-18T09:00:00Z"}]}</script>',
        '<meta itemprop="datePublished" content="2026-11-18T09:00:00Z">',
        '<script type="application/ld+json">{broken</script><time datetime="2026-11-18T09:00:00.000Z">today</time>',
    ],
)
def test_the_day_of_publication_is_taken_from_markup(head: str) -> None:
    """Wherever sites write it."""
    assert read(markup(comparison(), head=head)).facts.published_at == NOVEMBER


@pytest.mark.parametrize(
    "head",
    [
        "",
        '<meta property="article:published_time" content="last week">',
        '<meta property="article:published_time" content="2026-11-18">',
        '<meta property="article:published_time" content="9999-12-31T23:59:59Z">',
        '<time datetime="2026-11-18T09:00:00Z">a</time><time datetime="2026-11-19T09:00:00Z">b</time>',
    ],
)
def test_a_day_that_is_not_certain_is_unknown(head: str) -> None:
    """No offset, no sense, or one of two."""
    assert read(markup(comparison(), head=head)).facts.published_at is None


def test_the_title_may_stand_in_the_head_only() -> None:
    """With the site's name after it."""
    source = markup(comparison()).replace("<h1>", "<h1>Which? ").replace("Panel verdict", "Verdict")
    assert read(source).facts.title == comparison().title


# Cut off, and hostile


def test_markup_cut_anywhere_invents_nothing() -> None:
    """Every value of every beginning of the page is a value of the page."""
    source = markup(comparison(), head=f'<link rel="canonical" href="{ADDRESS}">')
    whole = pages.read(source.encode()).pages[0].facts
    readable = 0
    for end in range(0, len(source), 7):
        for page in pages.read(source[:end].encode()).pages:
            readable += 1
            for tool, complete in zip(page.facts.tools, whole.tools, strict=True):
                _is_part(tool.model_dump(exclude={"takes"}), complete.model_dump())
                for take, known in zip(tool.takes, complete.takes, strict=False):
                    _is_part(take.model_dump(), known.model_dump())
    assert readable > 200


def _is_part(found: dict[str, object], whole: dict[str, object]) -> None:
    for key, value in found.items():
        if isinstance(value, dict):
            assert isinstance(whole[key], dict)
            _is_part(value, whole[key])  # type: ignore[arg-type]
        else:
            assert value is None or value == whole[key]


LARGE = 4_900_000


@pytest.mark.parametrize(
    "piece",
    [
        "<div>",
        "<b>",
        "<a>",
        "<ul><li>",
        "<font size=1><p>",
        "<svg>",
        "<nav>",
        "<script>",
        "<!--",
        "<!----> ",
        "<![CDATA[",
        "</",
        "<a b=",
        '<a b="',
        "<a ' b=\"",
        "<a =",
        "< ",
        "<",
        "&amp;",
        "&#x41;",
        "<td></td>",
        "<title>",
        "<meta name=a content=b>",
        "75%\nPanel ship\n",
        "x",
        " ",
        "“",
    ],
)
def test_five_megabytes_of_anything_are_read_in_no_time(piece: str) -> None:
    """Depth, attributes and comments cost nothing but their length: a second or two; quadratic would be an hour."""
    start = time.perf_counter()
    pages.read(f"<p><b></b>{piece * (LARGE // len(piece.encode()))}".encode())
    pages.read(f"{markup(comparison())}{piece * 100_000}".encode())
    assert time.perf_counter() - start < 20


def test_one_tag_with_a_million_attributes_is_one_tag() -> None:
    """None of them is looked at."""
    many = " ".join(f"a{i}=1" for i in range(500_000))
    assert read(f"<meta {many}>{markup(comparison())}").facts.tools[0].name == OTTER.name


def test_hostile_markup_in_values_stays_text() -> None:
    """What the page shows as text is text, whatever it looks like."""
    nasty = '<img src=x onerror=alert(1)> {{7*7}} "><script>x</script>'
    page = comparison(OTTER.model_copy(update={"name": nasty, "tagline": nasty}))
    assert without_slugs(read(markup(page)).facts) == page


def test_hostile_links_give_no_address() -> None:
    """Nothing but http and https, and no slug that is not one."""
    head = '<link rel="canonical" href="javascript:alert(1)//compare/x"><meta property="og:url" content="http://[">'
    source = markup(comparison(), head=head, slugs=("..%2f..%2fx", "%00")).replace(
        "<nav>", '<a href="http://[">x</a><nav>'
    )
    facts = read(source).facts
    assert (facts.url, facts.slug) == (None, None)
    assert [tool.slug for tool in facts.tools] == [None, None]
    assert facts.tools[1].name == PELICAN.name
