"""Recognising what a body is, the two known pages, and what is refused in one sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from digest import pages, remarks
from digest.facts import Community, Split, TakeFacts
from tests.digest.page_samples import as_compact_says, compact, comparison, markup, spaced

STORED = Path(__file__).parents[3] / "shared" / "pages"


def only(body: str | bytes, **told: str) -> pages.Page:
    """The one page of a body with nothing bad in it."""
    reading = pages.read(body if isinstance(body, bytes) else body.encode(), **told)
    assert reading.bad == ()
    assert len(reading.pages) == 1
    return reading.pages[0]


def why(body: str | bytes, **told: str) -> str:
    """The one sentence about a body nothing of which could be read."""
    reading = pages.read(body if isinstance(body, bytes) else body.encode(), **told)
    assert reading.pages == ()
    assert [bad.where for bad in reading.bad] == [""]
    return reading.bad[0].why


def stored(name: str) -> pages.Page:
    path = STORED / name
    if not path.exists():
        pytest.skip("the stored pages are not on this machine")
    return only(path.read_bytes())


# The known pages


def test_the_stored_spaced_page_is_read_completely() -> None:
    """Every name, label, figure, score, call and remark, and nothing missing."""
    page = stored("002_8c2b1af727f582ee.txt")
    left, right = page.facts.tools
    assert page.missing == ()
    assert page.facts.loose_remarks == ()
    assert page.facts.title == "Axolotl v0.16 vs Mistral 8x22B Instruct v2"
    assert (left.name, right.name) == ("Axolotl v0.16", "Mistral 8x22B Instruct v2")
    assert left.tagline == left.best_for == "15x faster MoE+LoRA fine-tuning with 40x memory reduction"
    assert right.tagline == right.best_for == "Open-source MoE powerhouse, Apache 2.0, no strings attached"
    assert (left.category, right.category) == ("Developer Tools", "Developer Tools")
    assert (left.panel_ship_percent, right.panel_ship_percent) == (75, 100)
    assert (left.verdict, right.verdict) == ("ship", "ship")
    assert (left.split, right.split) == (Split(ship=3, skip=1), Split(ship=4, skip=0))
    assert (left.entry, right.entry) == ("Paid", "Free")
    assert left.pricing == "Open Source"
    assert right.pricing == "Free (Apache 2.0 open weights) / Self-hosted or via Mistral API (pay-per-token)"
    assert (left.community, right.community) == (Community(votes=0), Community(votes=0))
    assert scores(left.takes) == [
        ("Builder", 80, "ship"),
        ("Skeptic", 80, "ship"),
        ("Futurist", 80, "ship"),
        ("Creator", 45, "skip"),
    ]
    assert scores(right.takes) == [
        ("Builder", 88, "ship"),
        ("Skeptic", 82, "ship"),
        ("Futurist", 85, "ship"),
        ("Founder", 72, "ship"),
    ]
    assert prose_of(page) == prose_in("002_8c2b1af727f582ee.txt")
    assert said(left.takes[0].remark, "40x memory reduction on", "Immediate upgrade for any ML pipeline.")
    assert said(left.takes[3].remark, "Fine-tuning frameworks are", "tools creators will use.")
    assert said(right.takes[3].remark, "The buyer is a mid-to-large", "not this specific release.")


def test_the_stored_compact_page_is_read_completely() -> None:
    """Both cards, and eight remarks in page order that nobody signs."""
    page = stored("000_f8f0f459cc74e2f8.txt")
    left, right = page.facts.tools
    assert page.missing == ()
    assert page.facts.title == "Axolotl v0.16 vs Mistral 3 8B & 70B Instruct (Open Source)"
    assert right.name == "Mistral 3 8B & 70B Instruct (Open Source)"
    assert left.tagline == "15x faster MoE+LoRA fine-tuning with 40x memory reduction"
    assert right.tagline == "Apache 2.0 open-weight models that punch above their size class"
    assert (left.category, right.category) == ("Developer Tools", "Developer Tools")
    assert (left.panel_ship_percent, right.panel_ship_percent) == (75, 75)
    assert (left.entry, right.entry) == ("Paid", "Free")
    assert (left.community, right.community) == (Community(), Community())
    assert prose_of(page) == prose_in("000_f8f0f459cc74e2f8.txt")
    for tool in (left, right):
        assert (tool.verdict, tool.split, tool.pricing, tool.best_for, tool.takes) == (None, None, None, None, ())
    assert len(page.facts.loose_remarks) == 8
    assert said(page.facts.loose_remarks[0], "40x memory reduction on", "for any ML pipeline.")
    assert said(page.facts.loose_remarks[7], "The weights are free and", "the weights themselves cannot.")


def test_the_two_stored_pages_together_tell_whose_the_unsigned_remarks_are() -> None:
    """Four known takes of Axolotl, whose panel has four votes, leave four remarks for the other tool."""
    known = stored("002_8c2b1af727f582ee.txt").facts.tools[0]
    page = stored("000_f8f0f459cc74e2f8.txt").facts
    percent = page.tools[0].panel_ship_percent
    left = remarks.Known(known.takes, known.split, panel_ship_percent=percent)
    found = remarks.resolve(page.loose_remarks, left, remarks.Known())
    assert found.left_takes == known.takes
    assert found.right_unattributed == page.loose_remarks[1::2]
    assert (found.left_unattributed, found.right_takes, found.unassigned) == ((), (), ())


def scores(takes: tuple[TakeFacts, ...]) -> list[tuple[str | None, float | None, str | None]]:
    return [(take.reviewer, take.score, take.call) for take in takes]


def said(text: str | None, first: str, last: str) -> bool:
    return text is not None and text.startswith(first) and text.endswith(last)


def prose_of(page: pages.Page) -> list[str]:
    """Every description and remark that was read."""
    tools = page.facts.tools
    takes = [take.remark for tool in tools for take in tool.takes]
    return sorted(filter(None, [*(tool.description for tool in tools), *takes, *page.facts.loose_remarks]))


def prose_in(name: str) -> list[str]:
    """Every long line of a stored page but its introduction."""
    lines = (STORED / name).read_text(encoding="utf-8").splitlines()
    return sorted(line.strip("“”") for line in lines if len(line) > 150)


# Recognised by content


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "text/html; charset=utf-8", "application/json", "image/png"]
)
def test_what_a_body_is_shows_in_the_body_itself(media_type: str | None) -> None:
    """A wrong media type does not keep a page from being read."""
    told = {"media_type": media_type} if media_type else {}
    page = comparison()
    if media_type != "application/json":
        assert only(spaced(page), **told).facts == page
        assert only(compact(page), **told).facts == as_compact_says(page)
    assert only(markup(page), **told).facts.tools[0].name == page.tools[0].name
    assert only(page.model_dump_json(), **told).facts == page


def test_a_byte_order_mark_and_any_line_ends_are_no_matter() -> None:
    """Windows editors add both."""
    page = comparison()
    assert only("\ufeff" + spaced(page)).facts == page
    assert only(spaced(page).replace("\n", "\r\n")).facts == page
    assert only(compact(page).replace("\n", "\r")).facts == as_compact_says(page)
    assert only("\ufeff" + page.model_dump_json()).facts == page


def test_blanks_that_do_not_break_are_blanks() -> None:
    """No-break spaces around and inside a line."""
    page = comparison()
    assert only(spaced(page).replace(" ", "\u00a0")).facts == page


# Refused, in one sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is empty."),
        (b" \n\t\n", "The body is empty."),
        ("\ufeff \u00a0\n".encode(), "The body is empty."),
        ("—".encode()[:2], "The body is empty."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary data"),
        (b"%PDF-1.7\n" + bytes(range(1, 32)) * 9, "binary data"),
        ("A vs B".encode("utf-16"), "UTF-16"),
        ("Café vs Thé".encode("latin-1"), "This is not UTF-8 text (byte 4 is 0xe9): convert it to UTF-8."),
        (b"x" * (pages.LARGEST_BODY + 1), "at most 5,000,000 are read"),
        (b"Dear all,\n\nlunch is at noon.\n", "This is not a comparison page"),
        (b"<p>Dear all</p>", "This is not a comparison page"),
        (b"[1] A list of references", "This is not a comparison page"),
        (b'<?xml version="1.0"?><!-- x --><rss version="2.0"></rss>', "feed or sitemap (<rss>)"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'></feed>", "feed or sitemap (<feed>)"),
        (b"<urlset></urlset>", "feed or sitemap (<urlset>)"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "This is a JSON Feed"),
    ],
)
def test_what_is_no_comparison_is_refused_in_one_sentence(body: bytes, sentence: str) -> None:
    """It says what the body is instead."""
    reason = why(body)
    assert sentence in reason
    assert reason.endswith(".")
    assert "\n" not in reason


def test_a_page_cut_within_a_letter_is_still_text() -> None:
    """The last letter is not whole; everything before it is."""
    body = spaced(comparison(), box=()).encode() + "\n\nx—".encode()[:-1]
    assert only(body).facts.tools[0].name == comparison().tools[0].name


def test_a_page_needs_two_names_and_two_verdicts() -> None:
    """A page whose second card is missing, or has no verdict anywhere, is bad."""
    text = spaced(comparison())
    assert "breaks off before the panel verdict" in why(text[: text.index("\n\nP\n\n")])
    silent = [
        tool.model_copy(update={"panel_ship_percent": None, "verdict": None, "split": None})
        for tool in comparison().tools
    ]
    assert "no panel verdict on Otter" in why(spaced(comparison(*silent)))


def test_reading_a_page_takes_a_few_milliseconds() -> None:
    """Measured: 2 ms for a page of 8 kB; the limit leaves room for a busy machine."""
    for body in (spaced(comparison()), compact(comparison()), markup(comparison())):
        assert min(_seconds(body.encode()) for _ in range(20)) < 0.05


def _seconds(body: bytes) -> float:
    start = time.perf_counter()
    pages.read(body)
    return time.perf_counter() - start
