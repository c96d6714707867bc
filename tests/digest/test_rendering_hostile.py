"""Whatever a page, a name or an import contains is inert in the mail, and foreign words stay whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from digest.facts import clean
from digest.rendering import AlsoCompared, EditionCopy, Imprint, Rendering, render, safe_link
from digest.rendering.html_finish import LONGEST_LINE, longest_line
from tests import make_mail as make

NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</mj-text><mj-raw><iframe></mj-raw>",
    "{{7*7}} {% raw %} {{ imprint }}",
    "<!--[if mso]><b><![endif]--> --> <![CDATA[",
    "javascript:alert(1)",
    "a\r\nBcc: everybody@example.com",
    "\u202egnp.exe\u2066",
    "\\u{94d} \\n %%x%% &lt; &#0; &",
    "x" * 300,
    "墨" * 300,
    "\ud800 \x00 \ufffe",
    "' onmouseover='x",
]


def hostile(words: str) -> EditionCopy:
    """An edition with the same words wherever words can come in from outside."""
    url = f"https://example.com/{words}"
    name = clean(words)[:300] or "x"
    left = make.side(
        name, identity="a", short_name=name, category=name, price=name, best_for=name, community=name, split=name
    )
    right = make.side(f"{name} two", identity="b", average=None, price=None, best_for=None)
    rows = make.critics(("80",), ("45",))
    rows = tuple(row.model_copy(update={"reviewer": name}) for row in rows)
    summary = make.summary(
        left, right, headline=words, sentence=words, rows=rows, said=make.quotation(name, name, "4", name)
    )
    entry = make.entry(1, summary, categories=[words]).model_copy(update={"url": url})
    return make.edition(
        entry,
        subject=words,
        breath=words,
        introduction=words,
        corrections=[words],
        also_compared=[AlsoCompared(title=words, url=words), AlsoCompared(title=words, url=url)],
    )


def rendered(words: str) -> Rendering:
    imprint = Imprint(newsletter_name=words, site_url="https://verdicts.example.com", postal_address=words)
    return render(hostile(words), imprint, make.ALL)


def elements(html: str) -> set[str]:
    return {node.tag for node in LexborHTMLParser(html).css("*") if node.tag}


@pytest.mark.parametrize("words", NASTY)
def test_hostile_words_are_only_words(words: str) -> None:
    """No element, no address, no header line, no template runs because of them."""
    part = rendered(words)

    assert part.html is not None
    assert elements(part.html) <= elements(rendered("harmless").html or "") | {"bdi"}
    for node in LexborHTMLParser(part.html).css("*"):
        assert not [name for name in node.attributes if name.startswith("on")]
    for link in LexborHTMLParser(part.html).css("a"):
        assert re.match(r"https?://|-vd2026w47", link.attributes["href"] or "")
    assert "\n" not in part.subject
    assert longest_line(part.html) <= LONGEST_LINE
    for seen in (part.subject, part.html, part.text):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", seen)
    assert "49" not in part.subject


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_no_words_break_the_mail(words: str) -> None:
    """Any text at all renders, and is shown as it is."""
    part = rendered(words)

    assert part.html is not None
    assert part.html.isascii()
    body = LexborHTMLParser(part.html).body
    assert body is not None
    name = " ".join(clean(words)[:300].split())
    assert name in " ".join(body.text().split()) or not name.isprintable()


def test_foreign_names_are_whole_and_fenced_off() -> None:
    """Arabic, Hebrew, CJK, marks and joined emoji: the page's characters, none lost, none turned into an escape."""
    copy = make.far_edition()
    html = render(copy, make.IMPRINT, make.ALL).html
    assert html is not None
    body = LexborHTMLParser(html).body
    assert body is not None

    assert "\\u{" not in html
    for entry in copy.entries:
        for side in (entry.summary.left, entry.summary.right):
            assert side.name in body.text()
    fenced = {node.text() for node in body.css("bdi")}
    assert {"مساعد البرمجة ٢", "עוזר 3"} <= fenced
    assert not [text for text in fenced if text.isascii()]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.com/a?b=c&d=e#f", "https://example.com/a?b=c&d=e#f"),
        ("HTTPS://example.com/墨", "https://example.com/%E5%A2%A8"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ('https://example.com/"><b>', "https://example.com/%22%3E%3Cb%3E"),
        ("https://example.com/%41", "https://example.com/%41"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.com", None),
        ("https://", None),
        ("https://example.com/a b", None),
        ("https://example.com/\u202e", None),
        ("https://[::1", None),
        ("https://example.com/" + "x" * 900, None),
        (None, None),
    ],
)
def test_an_address_is_made_safe_or_not_linked(url: str | None, safe: str | None) -> None:
    """Printable ASCII, http or https, short enough for one line; anything else is no link at all."""
    assert safe_link(url) == safe
