"""What a rendered edition promises, whatever is in it."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from selectolax.lexbor import LexborHTMLParser

from digest.facts import clean
from digest.personal import TagInCopy, fill, substitutions, tags
from digest.rendering import (
    BadSource,
    EditionCopy,
    Rendering,
    TemplateFailed,
    render,
    render_mail,
    render_web,
    safe_link,
    to_html,
)
from digest.rendering.html_finish import HTML_WARNS, LONGEST_LINE, STYLE_BLOCKS, longest_line, style_bytes
from digest.variants import variant_of
from tests import make_mail as make

EDITIONS = {"plain": make.edition(), "week": make.week(), "far": make.far_edition(), "rich": make.rich_edition()}
every_edition = pytest.mark.parametrize("copy", EDITIONS.values(), ids=EDITIONS.keys())


def rendered(copy: EditionCopy) -> Rendering:
    return render(copy, make.IMPRINT, make.ALL)


def html_of(copy: EditionCopy) -> str:
    html = rendered(copy).html
    assert html is not None
    return html


def parsed(copy: EditionCopy) -> LexborHTMLParser:
    return LexborHTMLParser(fill(html_of(copy), substitutions(copy.week, make.ADA)))


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@every_edition
def test_the_same_words_give_the_same_bytes(copy: EditionCopy) -> None:
    """An approval vouches for bytes, so they must not depend on when they were made."""
    again = EditionCopy.model_validate_json(copy.model_dump_json())

    assert rendered(copy) == rendered(again)
    assert rendered(copy).sha256 == rendered(again).sha256


def test_the_hash_covers_subject_html_and_text() -> None:
    """Moving words from one part to the next is a change too."""
    one = Rendering("2026-W47", "all", "s", "h", "t")

    hashes = {
        one.sha256,
        Rendering("2026-W47", "all", "sh", "", "t").sha256,
        Rendering("2026-W47", "all", "s", "ht", "").sha256,
        Rendering("2026-W47", "all", "s", "h", "u").sha256,
    }
    assert len(hashes) == 4


@every_edition
def test_html_is_ascii_in_short_lines_with_a_small_style_sheet(copy: EditionCopy) -> None:
    """Nothing on the way can garble or cut it."""
    html = html_of(copy)

    assert html.isascii()
    assert longest_line(html) <= LONGEST_LINE
    assert style_bytes(html) <= STYLE_BLOCKS


def test_eight_rich_entries_stay_well_below_what_is_clipped() -> None:
    """With every personal field at its longest."""
    size = rendered(make.rich_edition()).html_bytes

    assert size < 0.9 * HTML_WARNS
    assert rendered(make.rich_edition(panel=7)).html_bytes < 0.95 * HTML_WARNS
    assert size > len(html_of(make.rich_edition()))


@every_edition
def test_the_first_visible_text_is_the_edition_in_one_breath(copy: EditionCopy) -> None:
    """It is what an inbox shows beside the subject, in both parts; nothing hidden comes before it."""
    body = parsed(copy).body
    assert body is not None

    assert words(body.text()).startswith(copy.breath)
    assert words(rendered(copy).text.translate({0x2068: None, 0x2069: None})).startswith(copy.breath)


@every_edition
def test_headings_are_in_order(copy: EditionCopy) -> None:
    """One h1, then h2 for each part, h3 inside: a screen reader's table of contents."""
    levels = [int(node.tag[1]) for node in parsed(copy).css("h1,h2,h3,h4,h5,h6") if node.tag]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@every_edition
def test_tables_are_either_layout_or_data(copy: EditionCopy) -> None:
    """Layout says so; data has headers for its columns and its rows."""
    for table in parsed(copy).css("table"):
        if table.attributes.get("role") == "presentation":
            continue
        rows = table.css("tr:has(th)")
        assert all(cell.attributes.get("scope") == "col" for cell in rows[0].css("th"))
        assert all(row.css("th")[0].attributes.get("scope") == "row" for row in rows[1:])
        assert len(rows) >= 2


@every_edition
def test_nothing_is_fetched_from_a_mail(copy: EditionCopy) -> None:
    """No image, font, style sheet or script: opening it tells nobody."""
    html = html_of(copy)

    assert not re.search(r"\ssrc=|<link|<img|<script|<iframe|@import|@font-face|url\(", html)


def test_language_direction_and_title_are_set() -> None:
    """A screen reader knows how to speak it."""
    page = parsed(make.week())
    root, title = page.css_first("html"), page.css_first("title")

    assert root is not None
    assert title is not None
    assert (root.attributes["lang"], root.attributes["dir"]) == ("en", "ltr")
    assert title.text() == f"{make.week().subject} · Weekly AI Tool Verdicts"


@every_edition
def test_both_parts_tell_the_same_entries_in_the_same_order(copy: EditionCopy) -> None:
    """Same names, sentences, figures, prices, quotations and addresses."""
    body = parsed(copy).body
    assert body is not None
    part = rendered(copy).text.translate({0x2068: None, 0x2069: None})
    html, text = words(body.text()), words(part)
    for where in (html, text):
        places = [where.index(entry.summary.sentence) for entry in copy.entries]
        assert places == sorted(places)
    for entry in copy.entries:
        for side in (entry.summary.left, entry.summary.right):
            for fact in filter(None, (side.name, side.split, side.average, side.price, side.best_for)):
                assert clean(fact) in html
                assert clean(fact) in text
        said = entry.summary.quotation
        assert said is None or (said.words in html and said.words in text)
        url = safe_link(entry.url)
        assert url is None or (f'href="{url}"' in html_of(copy) and url in part.split("\n"))


def test_a_missing_figure_is_said_to_be_missing() -> None:
    """Unknown is not nought."""
    body = parsed(make.week()).body
    assert body is not None
    html = words(body.text())

    for said in ("No verdict", "No scores on the page", "Price: not stated", "no take", "split unknown"):
        assert said in html


def test_bars_are_cells_as_wide_as_the_number_printed_beside_them() -> None:
    """They survive images off, and the number survives everything."""
    page = parsed(make.edition(make.entry(1, make.summary(rows=make.critics(("45", "0"), ("100", "72.5"))))))
    bars = [table for table in page.css("table[role=presentation]") if "bar" in (table.attributes.get("class") or "")]

    assert [bar.attributes["width"] for bar in bars] == ["45%", "100%", "72%"]
    assert [words((bar.parent or bar).text()) for bar in bars] == ["45 skip", "100 ship", "72.5 ship"]
    assert all(bar.attributes["bgcolor"] for bar in bars)


def test_a_later_entry_refers_to_the_first_one_of_a_tool() -> None:
    """In one line, in both parts."""
    body = parsed(make.week()).body
    assert body is not None

    assert words(body.text()).count("see entry 1") == 1
    assert rendered(make.week()).text.count("see entry 1") == 1


def test_every_personal_field_has_its_place() -> None:
    """HTML and text have their own; both links stand in both."""
    html, text, tag = html_of(make.week()), rendered(make.week()).text, tags("2026-W47")

    for name in (tag.greeting_html, tag.why_html, f'href="{tag.unsubscribe_url}"', f'href="{tag.preferences_url}"'):
        assert html.count(name) == 1
    for name in (tag.greeting_text, tag.why_text, tag.unsubscribe_url, tag.preferences_url):
        assert text.count(name) == 1
    assert "-vd" not in rendered(make.week()).subject


def test_the_footer_says_why_and_from_whom() -> None:
    """With a name and without one."""
    html = fill(html_of(make.week()), substitutions("2026-W47", make.NOBODY))
    text = fill(rendered(make.week()).text, substitutions("2026-W47", make.ADA))

    assert "You get this because you confirmed your address on 3 March 2026." in words(html)
    assert "Hello Ada, you get this because you confirmed your address on 3 March 2026." in words(text)
    for part in (html, text):
        assert "Verdict House, 1 Sample Street" in words(part)
        assert "10115 Berlin, Germany" in words(part)
        assert "https://verdicts.example.com/archive/2026-W47" in part


def test_copy_with_a_tag_in_it_is_refused() -> None:
    """Wherever it stands, even if a character that is dropped hides it."""
    for hidden in (tags("2026-W47").why_text, "-vd2026w47\ud800whytext-"):
        with pytest.raises(TagInCopy):
            render(make.edition(breath=f"A {hidden} b"), make.IMPRINT, make.ALL)


def test_a_variant_by_topic_keeps_subject_opening_and_scoreboard() -> None:
    """Entries outside the topics become lines; nothing else differs."""
    copy = make.week()
    variant = variant_of(copy.entries, {"Image Generation"})

    part = render(copy, make.IMPRINT, variant)

    assert part.html is not None
    assert part.subject == rendered(copy).subject
    head, rest = part.text.split("ALSO COMPARED THIS WEEK")
    assert head.split("=" * 78)[:2] == rendered(copy).text.split("=" * 78)[:2]
    assert copy.entries[1].summary.sentence in words(head)
    assert copy.entries[0].summary.sentence not in words(part.text)
    assert "1. Brackish 3.0 vs Corbelkit 1.2" in rest
    assert 'brackish-3.0-vs-corbelkit-1.2"' in part.html


def test_a_variant_without_any_entry_in_full_says_so() -> None:
    """Nobody gets an edition that seems to have lost its middle."""
    copy = make.edition(make.entry(1))
    part = render(copy, make.IMPRINT, variant_of(copy.entries, {"Gaming"}))

    assert part.html is not None
    assert "in your topics" in words(part.html)
    assert "in your topics" in words(part.text)


def test_text_only_readers_get_no_html() -> None:
    """And the very text that the others have behind the HTML."""
    text_only = render(make.week(), make.IMPRINT, make.TEXT_ONLY)

    assert text_only.html is None
    assert text_only.html_bytes == 0
    assert text_only.text == rendered(make.week()).text


def test_the_archive_page_has_nobody_in_it() -> None:
    """No greeting, no reason, no link that is somebody's; but its own address and its neighbours."""
    html = render_web(make.week(), make.IMPRINT, previous="2026-W46", following="2026-W48")

    assert "-vd2026" not in html
    assert "nsubscribe" not in html
    assert '<link rel="canonical" href="https://verdicts.example.com/archive/2026-W47"' in words(html)
    assert 'href="https://verdicts.example.com/archive/2026-W46"' in words(html)
    assert 'href="https://verdicts.example.com/archive/2026-W48"' in words(html)
    assert make.week().entries[0].summary.sentence.split("4–0")[0] in html


@pytest.mark.parametrize("kind", make.LETTERS)
def test_a_letter_has_subject_html_and_text(kind: str) -> None:
    """Three templates in one folder: the newsletter's name in the subject, every link in both parts, nothing more."""
    letter = make.letter(kind)

    assert letter.subject.endswith(": Weekly AI Tool Verdicts")
    assert letter.html.isascii()
    assert max(map(len, letter.text.splitlines())) <= 78
    for part in (letter.html, letter.text):
        found = set(re.findall(r"https://verdicts\.example\.com/[^\s\"<]+", part))
        assert set(make.LETTERS[kind].values()) == found
        assert kind == "welcome" or "20 November 2026, 09:14 UTC" in words(part)


def test_a_template_that_cannot_be_filled_names_its_line() -> None:
    """The file to open, not a traceback."""
    with pytest.raises(TemplateFailed, match=r"confirm/body\.mjml, line \d+: .*asked_at"):
        render_mail("confirm", make.IMPRINT, {})
    with pytest.raises(TemplateFailed, match="no-such-letter"):
        render_mail("no-such-letter", make.IMPRINT, {})


def test_what_the_renderer_refuses_is_named_with_its_line() -> None:
    """Its own message counts octets."""
    with pytest.raises(BadSource, match=r"x\.mjml, line 3: .*<b>"):
        to_html(
            "<mjml>\n<mj-head>\n<mj-title><b>a</b></mj-title></mj-head><mj-body></mj-body></mjml>", template="x.mjml"
        )
