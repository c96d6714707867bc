"""The editor's introduction: what Markdown may do in a mail, and what stays words."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from digest import preflight
from digest.personal import TagInCopy
from digest.rendering import Rendering, introduction, render, render_web
from digest.text_layout import WIDTH, columns
from tests import make_mail as make
from tests.digest.sheets import sheet

SUBSET = {"p", "em", "strong", "a", "ul", "ol", "li", "br", "bdi", "span"}
LINK = "https://compare.example.com/compare/a?b=c&d=e"


def rendered(markdown: str) -> Rendering:
    return render(make.edition(introduction=markdown), make.IMPRINT, make.ALL)


def shape(markdown: str) -> str:
    """The HTML without styles."""
    return re.sub(r' style="[^"]*"', "", introduction.html(markdown))


def visible(html: str) -> str:
    body = LexborHTMLParser(html).body
    return "" if body is None else body.text()


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("One.\n\nTwo,\nstill two.", "<p>One.</p>\n<p>Two, still two.</p>"),
        ("An *odd* week, **really**.", "<p>An <em>odd</em> week, <strong>really</strong>.</p>"),
        ("***Both***", "<p><strong><em>Both</em></strong></p>"),
        ("One  \ntwo\\\nthree", "<p>One<br />two<br />three</p>"),
        ("- one\n- two\n", "<ul><li>one</li><li>two</li></ul>"),
        ("* one\n\n  more\n* two", "<ul><li>one<p>more</p></li><li>two</li></ul>"),
        ("3. one\n4. two", '<ol start="3"><li>one</li><li>two</li></ol>'),
        ("1. one\n   - two", "<ol><li>one<ul><li>two</li></ul></li></ol>"),
        (f"See [the *page*]({LINK}).", f'<p>See <a href="{LINK.replace("&", "&amp;")}">the <em>page</em></a>.</p>'),
        (r"4\*5, won 4–0", '<p>4*5, won <span class="nw">4–0</span></p>'),
        ("&nbsp;", "<p>&amp;nbsp;</p>"),
        ("מבחן today", "<p><bdi>מבחן</bdi> today</p>"),
        ("", ""),
        (" \n\n ", ""),
    ],
)
def test_the_part_of_markdown_that_it_has(markdown: str, html: str) -> None:
    assert shape(markdown) == html


@pytest.mark.parametrize(
    "markdown",
    [
        "<b>bold</b> <script>alert(1)</script>",
        "# A heading",
        "A heading\n===",
        "> quoted",
        "`code`",
        "```\ncode\n```",
        "    four blanks",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "---",
        "![a picture](https://example.com/a.png)",
        "[![a picture](https://example.com/a.png)]",
        "[words](javascript:alert(1))",
        "[words](data:text/html,x)",
        "[words](/compare/a)",
        "[words](mailto:somebody@example.com)",
        "[](https://example.com/)",
        "[words][1]",
        "<https://example.com/>",
        "https://example.com/",
        "[1]: https://example.com/",
    ],
)
def test_everything_else_stays_the_words_it_is(markdown: str) -> None:
    """Nothing vanishes, and nothing becomes an element."""
    words = " ".join(markdown.split())

    assert shape(markdown).count("<") == 2
    assert visible(introduction.html(markdown)) == words
    assert " ".join(introduction.text(markdown).split()) == words


def test_a_list_deeper_than_three_stays_words() -> None:
    """The parser would drop what is nested too deeply."""
    deep = "\n".join(f"{'  ' * depth}- level {depth}" for depth in range(60))

    assert shape(deep).count("<ul>") == 3
    for found in (visible(introduction.html(deep)), introduction.text(deep), introduction.plain(deep)):
        assert all(f"level {depth}" in " ".join(found.split()) for depth in range(60))


def test_emphasis_in_emphasis_is_emphasis() -> None:
    """The renderer of the mail takes no more than sixty elements in each other."""
    assert shape("*" * 200 + "a" + "*" * 200) == "<p><strong>a</strong></p>"


def test_the_text_part_has_the_addresses_on_lines_of_their_own() -> None:
    markdown = (
        f"Read [the price page]({LINK}) and [the licence](https://example.com/l) before you *ship* anything of "
        "this length.\n\n"
        f"- [Only a link]({LINK})\n- Two\n  lines of it  \n  and a third\n  1. inner\n\n"
        "9. nine\n10. ten"
    )

    assert introduction.text(markdown) == (
        "Read the price page and the licence before you ship anything of this length.\n"
        f"the price page:\n{LINK}\nthe licence:\nhttps://example.com/l\n\n"
        f"- Only a link:\n{LINK}\n- Two lines of it\n  and a third\n  1. inner\n\n"
        "9. nine\n10. ten"
    )


def test_the_words_alone_and_the_addresses_alone() -> None:
    markdown = f"An *odd* [week]({LINK}).\n\n- [no](javascript:x)\n- ![img](https://example.com/i.png)"

    assert introduction.plain(markdown) == ("An odd week.\n\n[no](javascript:x)\n\n![img](https://example.com/i.png)")
    assert introduction.links_of(markdown) == [LINK, "javascript:x", "https://example.com/i.png"]
    assert introduction.links_of(None) == []


def test_it_stands_in_both_parts_and_on_the_page_of_the_archive() -> None:
    copy = make.edition(introduction=f"A **strong** week.\n\n- [the page]({LINK})")
    mail = render(copy, make.IMPRINT, make.ALL)

    for html in (mail.html or "", render_web(copy, make.IMPRINT)):
        tree = LexborHTMLParser(html)
        assert [node.text() for node in tree.css("strong")] == ["strong"]
        assert [node.attributes["href"] for node in tree.css("ul > li > a")] == [LINK]
    assert f"A strong week.\n\n- the page:\n{LINK}\n" in mail.text


def test_preflight_finds_its_words_again() -> None:
    """Emphasis, escapes and links come between the words of the source, not between those of the mail."""
    copy = make.edition(
        introduction=f"An *odd* [w**ee**k]({LINK}), 4\\*5, \\{{\\{{x\\}}\\}}.\n\n1. one  \n   two\n\n<b>"
    )

    assert {problem.code for problem in preflight.check(sheet([], copy=copy))} <= {
        "quotation-not-theirs",
        "no-panel",
        "no-link",
    }


@pytest.mark.parametrize(
    "tag",
    [
        "-vd2026w47whyhtml-",
        "-vd2026w47*why*html-",
        r"\-vd2026w47whyhtml\-",
        r"-vd2026w47whyhtml\-",
        "[x](https://example.com/-vd2026w47unsubscribeurl\\-)",
        "[x](https://example.com/&#45;vd2026w47unsubscribeurl-)",
        "-vd2026w47**why**text-",
    ],
)
def test_a_personal_tag_is_refused_however_it_is_written(tag: str) -> None:
    """It would be filled in with somebody's data."""
    with pytest.raises(TagInCopy):
        rendered(f"Look: {tag}")


PIECES = st.sampled_from(
    [
        *(
            "*",
            "**",
            "_",
            "[",
            "](",
            ")",
            "]",
            "![",
            "\\",
            "`",
            "<",
            ">",
            "&lt;",
            "&#8238;",
            "\n",
            "\n\n",
            "  \n",
            "- ",
        ),
        *(
            "1. ",
            "  ",
            "\t",
            "# ",
            "https://example.com/",
            "javascript:x",
            '"',
            "'",
            "<script>",
            "<!--",
            "-->",
            "{{7}}",
        ),
        *("</mj-text>", "\u202e", "מבחן", "4–0", "\r", "\x00", "\u2028", "\u00a0", "||", "```", "word"),
    ]
)
MARKDOWN = st.lists(PIECES | st.text(max_size=6), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(MARKDOWN)
@example("[a](https://example.com/'onmouseover='x)")
@example('[a](https://example.com/"><script>)')
@example("[a](<https://example.com/ b>)")
def test_nothing_but_the_subset_ever_comes_out(markdown: str) -> None:
    html = introduction.html(markdown)
    tree = LexborHTMLParser(f"<div id=it>{html}</div>")

    assert {node.tag for node in tree.css("#it *")} <= SUBSET
    for node in tree.css("#it *"):
        assert set(node.attributes) <= {"style", "href", "start", "class"}
        assert (node.tag == "a") == ("href" in node.attributes)
        assert re.match(r"https?://", node.attributes.get("href") or "https://")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", html + introduction.text(markdown))


@settings(max_examples=100, deadline=None)
@given(MARKDOWN)
def test_both_parts_say_the_same_words(markdown: str) -> None:
    """What `plain` says is in the HTML and in the text, whatever was typed; lines fit."""
    mail = rendered(markdown)
    problems = preflight.check(sheet([], copy=make.edition(introduction=markdown)))

    assert mail.html is not None
    assert not [str(problem) for problem in problems if problem.code == "words-missing"]
    for line in introduction.text(markdown).split("\n"):
        assert columns(line) <= WIDTH or "http" in line


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "*",
        "_",
        "**a ",
        "*a_",
        "- ",
        "1. ",
        "[a](",
        "![",
        "[a](b",
        "<",
        "\\",
        "[]",
        "> ",
        "`",
        "&#",
        " ",
        "a  \n",
        "- a\n",
    ],
)
def test_hostile_lengths_cost_little(piece: str) -> None:
    """As long as an introduction can be, rendered whole, in well under a second."""
    markdown = (piece * 8000)[:8000]
    began = time.process_time()

    mail = rendered(markdown + "a")

    assert mail.html is not None
    assert time.process_time() - began < 1.5


def test_nested_lists_of_every_depth_cost_little() -> None:
    deep = "\n".join(f"{' ' * depth}- a" for depth in range(120))
    began = time.process_time()

    assert rendered(deep).html is not None
    assert time.process_time() - began < 1.5
