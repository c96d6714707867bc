"""The last touches to rendered HTML."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from digest.rendering.html_finish import LONGEST_LINE, break_lines, finish, longest_line, merge_outlook, style_bytes


def test_neighbouring_outlook_blocks_become_one() -> None:
    """The same condition, with nothing between them."""
    rest = " <!--[if mso | IE]>c<![endif]-->x<!--[if mso]>d<![endif]-->"

    merged = merge_outlook(f"<!--[if mso]><a><![endif]--><!--[if mso]><b><![endif]-->{rest}")

    assert merged == f"<!--[if mso]><a><b><![endif]-->{rest}"


def test_what_everybody_but_outlook_sees_stays_outside() -> None:
    """The reversed form hides nothing from anybody."""
    html = "<p>a</p><!--[if !mso]><!--><meta><!--<![endif]--><p>b</p>"

    assert merge_outlook(html) == html


PIECES = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</p>",
            '<a href="https://example.com/a?b=c&amp;d=e" style="color:#000000;padding:0 1px">',
            "</a>",
            "<b>",
            "</b>",
            "word",
            " ",
            ",",
            "&#1506;" * 200,
            "x" * 1500,
            "<!--[if mso]><td><![endif]-->",
            "<!-- a comment -->",
        ]
    ),
    max_size=60,
)


@given(PIECES)
def test_no_line_is_too_long_and_nothing_changes(pieces: list[str]) -> None:
    """A mail server may cut a line at 998 octets; a reader must not notice that we cut it first."""
    html = "".join(pieces)

    broken = break_lines(html)

    assert longest_line(broken) <= LONGEST_LINE
    assert _seen(broken) == _seen(html)


def _seen(html: str) -> tuple[str, list[tuple[str | None, dict[str, str | None]]]]:
    """Words with blanks folded, and every element with its attributes, as a browser reads them."""
    body = LexborHTMLParser(f"<body>{html}</body>").body
    assert body is not None
    words = re.sub(r"\s+", " ", body.text(deep=True)).strip()
    return words, [(node.tag, dict(node.attributes)) for node in body.css("*")]


def test_style_sheets_start_a_line_after_each_rule_only() -> None:
    """A line end inside a quoted font name would spoil the rule."""
    style = "<style>" + "p{font-family:'A B'} " * 100 + "</style>"

    lines = break_lines(style).split("\n")

    assert max(map(len, lines)) < 40
    assert not [line for line in lines if line.count("'") % 2]


def test_finished_html_is_ascii() -> None:
    """Whatever a relay believes the encoding to be, the words stay."""
    assert finish("<p>墨 – é</p>") == "<p>&#22696; &#8211; &#233;</p>"


def test_style_bytes_counts_all_sheets() -> None:
    """Above 16 KB in all, Gmail drops them."""
    assert style_bytes("<style>ab</style>x<style media='a'>c</style>") == 3
