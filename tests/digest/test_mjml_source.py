"""The source is made safe for the renderer, and what it would get wrong without a word is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from mjml import mjml2html

from digest.rendering.mjml_source import BadSource, normalise

BEFORE = "<mjml><mj-head><mj-title>T</mj-title></mj-head><mj-body><mj-section><mj-column>"
AFTER = "</mj-column></mj-section></mj-body></mjml>"


def written(inner: str) -> str:
    """What is left of an element in a column."""
    return normalise(f"{BEFORE}{inner}{AFTER}", template="t").text.removeprefix(BEFORE).removesuffix(AFTER)


def test_blanks_between_structural_elements_go() -> None:
    """The renderer refuses some of them, and all of them are bytes."""
    assert written("\r\n  <mj-text>\r\n  a\r\n  </mj-text> \n") == "<mj-text>a</mj-text>"


def test_words_in_neighbouring_tags_stay_apart() -> None:
    """A line end between inline tags is a blank; the renderer would drop it."""
    assert written("<mj-text><p><b>a</b>\n<i>b</i> c</p>\n<p>d</p></mj-text>") == (
        "<mj-text><p><b>a</b> <i>b</i> c</p><p>d</p></mj-text>"
    )


def test_attribute_values_are_printable_ascii_in_one_line() -> None:
    """The renderer writes everything else with the escapes of another language."""
    assert written('<mj-text><p title="a\n\t नी \\ ❤️">x</p></mj-text>') == (
        '<mj-text><p title="a &#2344;&#2368; &#92; &#10084;&#65039;">x</p></mj-text>'
    )


def test_a_bare_zero_in_a_padding_gets_its_unit() -> None:
    """Without it the whole padding is unreadable to the renderer, and Outlook shows it."""
    assert written('<mj-text padding="0 10px 0 0">a</mj-text>') == '<mj-text padding="0px 10px 0px 0px">a</mj-text>'
    assert written('<mj-text padding="10px 0.5px">a</mj-text>') == '<mj-text padding="10px 0.5px">a</mj-text>'


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_text_or_attribute_is_harmed(words: str) -> None:
    """Any words, escaped, come out of the renderer as the same words (blanks folded)."""
    import html as entities

    source = normalise(
        f'{BEFORE}<mj-text><p title="{escape(words)}">x{escape(words)}x</p></mj-text>{AFTER}', template="t"
    )

    html = mjml2html(source.text, fonts={})

    assert source.text.isascii()
    assert "\\u{" not in html
    shown = entities.unescape(html[html.index("<p ") : html.index("</p>")])
    folded = " ".join(words.replace("\u2028", " ").split(" "))
    assert " ".join(f"x{folded}x".split()) in " ".join(shown.split()) or not folded.isprintable()


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ("<mj-text>5 < 6</mj-text>", "not well-formed"),
        ("<mj-text><a href=x>a</a></mj-text>", "not well-formed"),
        ("<mj-text title='a'>a</mj-text>", "not well-formed"),
        ("<mj-text><p>a</mj-text>", "</mj-text> where </p> is due"),
        ("</mj-text>", "where </mj-column> is due"),
        ("<mj-txt>a</mj-txt>", "<mj-txt> is not an element"),
        ("<mj-text><script>a</script></mj-text>", "<script> is not an element"),
        ("<mj-text><img /></mj-text>", "<img> is not an element"),
        ('<mj-text fontsize="16px">a</mj-text>', "has no attribute fontsize"),
        ('<mj-text><p onclick="x">a</p></mj-text>', "has no attribute onclick"),
        ('<mj-text padding="1px" padding="2px">a</mj-text>', "given twice"),
        ('<mj-text><a href="javascript:x">a</a></mj-text>', "http, https or mailto"),
        ('<mj-text color="#fff">a</mj-text>', "six digits"),
        ('<mj-text><p style="background:url(x)">a</p></mj-text>', "nothing is fetched"),
        ("<mj-text>" + "<div>" * 60 + "</div>" * 60 + "</mj-text>", "elements deep"),
    ],
)
def test_what_would_vanish_or_fail_is_refused(inner: str, problem: str) -> None:
    """With the template, the line and what stands there."""
    with pytest.raises(BadSource, match=problem) as refused:
        normalise(f"{BEFORE}\n\n{inner}{AFTER}", template="edition/body.mjml")

    assert str(refused.value).startswith("edition/body.mjml, line 3: ")


def test_something_never_closed_is_named() -> None:
    """The opening tag is the line to look at."""
    with pytest.raises(BadSource, match=r"line 2: <mj-head> is never closed"):
        normalise("<mjml>\n<mj-head>", template="t")


def test_a_place_in_the_normalised_source_leads_back_to_a_line() -> None:
    """The renderer counts octets of what it was given."""
    source = normalise(f"{BEFORE}\n<mj-text>a</mj-text>\n\n<mj-text>bé</mj-text>{AFTER}", template="t")

    assert source.line_at(source.text.index("b&#233;")) == 4
    assert source.line_at(0) == 1
    assert "b&#233;" in source.excerpt_at(source.text.index("b&#233;"))
