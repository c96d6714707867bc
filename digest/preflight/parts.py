"""Checks of each variant's words: all that was approved is there, in order, and nothing that was not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from digest import personal
from digest.facts import clean
from digest.preflight.sheet import Problem, Sheet, listed, place, unmoved
from digest.preflight.view import Part, View, squeezed
from digest.rendering import safe_link
from digest.rendering.introduction import plain
from digest.rendering.typography import paragraphs
from digest.variants import EntryCopy

_TEMPLATE = "The template lost it: mend templates/email/edition, then look again."
# What a template leaves when it was not filled in. Each with the sign by which a page's own words are told from it.
_UNFILLED = (
    ("{{", re.compile(r"\{\{[^{}]{0,200}\}\}")),
    ("{%", re.compile(r"\{%[^{}]{0,200}%\}")),
    ("{#", re.compile(r"\{#[^{}]{0,200}#\}")),
    ("*|", re.compile(r"\*\|[A-Z_:]{2,40}\|\*")),
    ("%recipient", re.compile(r"%recipient[\w.]{0,40}%")),
    ("<%", re.compile(r"<%[^<>%]{1,60}%>")),
)
_MJML_ELEMENT = re.compile(r"</?mj(?:ml\b|-[\w-]{1,40})", re.IGNORECASE)
_SUSPICIOUS = (
    # Not "None of this week’s comparisons …", which is a sentence.
    *(("no-value", sign, re.compile(rf"\b{sign}\b(?!\s[a-z])")) for sign in ("None", "undefined", "null", "NaN")),
    ("no-value", "object at 0x", re.compile("object at 0x")),
    ("escaped-twice", "&", re.compile(r"&(?:amp|lt|gt|quot|nbsp|#\d{2,7}|#x[0-9a-f]{2,6});")),
)
_LOOKS_LIKE = {"no-value": "a value that is not there", "escaped-twice": "text that was escaped twice"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some words of the copy, and what to call them; `heads` if they are a heading."""

    name: str
    words: str
    heads: bool = False


def text_part(view: View) -> Iterator[Problem]:
    if not view.rendering.text.strip():
        yield Problem("block", "text-missing", "text", "There is no text part.", _TEMPLATE)


def contents(view: View) -> Iterator[Problem]:
    """What the copy says is there: an unknown MJML element lets what it holds vanish without a word."""
    for part in view.parts:
        for where, unmoved_where, pieces in _promised(view):
            lost = [piece for piece in pieces if not _is_there(piece, part)]
            if lost:
                what = f"{_capitalised(listed([piece.name for piece in lost]))} {_are(lost)} not there."
                judged = (part.name, unmoved_where, *(f"{piece.name}: {piece.words}" for piece in lost))
                yield Problem("block", "words-missing", f"{part.name}, {where}", what, _TEMPLATE, judged=judged)


def _is_there(piece: _Piece, part: Part) -> bool:
    return part.has_heading(piece.words) if piece.heads else part.has(piece.words)


def entry_links(view: View) -> Iterator[Problem]:
    """Every page is linked, also from the entries that are only a line."""
    sheet = view.sheet
    promised = [(place(entry), unmoved(sheet, entry.position), entry.url) for entry in sheet.copy.entries]
    promised += [(f"also compared, {other.title}", other.title, other.url) for other in sheet.copy.also_compared]
    for part in view.parts:
        for where, unmoved_where, url in promised:
            link = _link(url)
            if link and link not in part.links:
                at, judged = f"{part.name}, {where}", (part.name, unmoved_where, link)
                yield Problem("block", "link-missing", at, "Its link is not there.", _TEMPLATE, judged=judged)


def entry_order(view: View) -> Iterator[Problem]:
    """Entries in full in their order, then those in a line in theirs: the same in HTML and text."""
    in_order = _in_order(view)
    for part in view.parts:
        at = 0
        for entry in in_order:
            headline = squeezed(entry.summary.headline)
            at = part.words.find(headline, at)
            if at < 0:
                if headline in part.words:
                    what = "It does not stand where its number says."
                    where = f"{part.name}, {place(entry)}"
                    mend = "Mend the order in templates/email/edition."
                    judged = (part.name, unmoved(view.sheet, entry.position), entry.summary.headline)
                    yield Problem("block", "entry-order", where, what, mend, judged=judged)
                break
            at += len(headline)


def personal_fields(view: View) -> Iterator[Problem]:
    """Each part has the fields it needs, and no tag that would reach readers as it stands."""
    tag = personal.tags(view.sheet.copy.week)
    needed = {
        "HTML": {tag.why_html: "the reason why the reader gets this"},
        "text": {tag.why_text: "the reason why the reader gets this"},
    }
    greetings = {"HTML": tag.greeting_html, "text": tag.greeting_text}
    links = {tag.unsubscribe_url: "the unsubscribe link", tag.preferences_url: "the link to the preferences"}
    for part in view.parts:
        fields = needed[part.name] | links
        written = view.rendering.html or "" if part.name == "HTML" else view.rendering.text
        lost = [words for field, words in links.items() if field not in part.links]
        lost += [words for field, words in needed[part.name].items() if field not in written]
        if lost:
            what = f"{_capitalised(listed(lost))} {'is' if len(lost) == 1 else 'are'} not there."
            yield Problem("block", "personal-field-missing", part.name, what, _TEMPLATE)
        yield from _left_over(part.name, written, [*fields, greetings[part.name]])
    yield from _left_over("subject", view.rendering.subject, [])


def _left_over(where: str, written: str, fields: list[str]) -> Iterator[Problem]:
    try:
        personal.fill(written, dict.fromkeys(fields, ""))
    except personal.LeftOverTag as left_over:
        mend = "Take it out, or use the field that belongs here."
        yield Problem("block", "foreign-tag", where, f"{left_over} Readers would see it.", mend)


def leftovers(view: View) -> Iterator[Problem]:
    """Template syntax and empty values. A page may speak of such things; then they are in the copy too."""
    for part in view.parts:
        for sign, syntax in _UNFILLED:
            if sign not in part.visible or sign in view.copy_words:
                continue
            for found in dict.fromkeys(syntax.findall(part.visible)):
                what = f"Template syntax was left: “{found}”"
                yield Problem("block", "template-syntax", part.name, what, "Mend templates/email/edition.")
        for code, sign, pattern in _SUSPICIOUS:
            found = pattern.search(part.visible) if sign in part.visible else None
            if found and squeezed(found[0]) not in view.copy_words:
                around = clean(part.visible[max(0, found.start() - 30) : found.end() + 20])
                what = f"“{around}” has what looks like {_LOOKS_LIKE[code]}."
                yield Problem("warn", code, part.name, what, "Look whether it should be there.")
    element = _MJML_ELEMENT.search(view.rendering.html or "")
    if element:
        what = f"The MJML element {element[0]}> was not understood, and what it holds may be lost."
        yield Problem("block", "mjml-left", "HTML", what, "Mend templates/email/edition.")


def postal_address(view: View) -> Iterator[Problem]:
    """Where an address is set, it stands in every part."""
    for part in view.parts:
        if view.sheet.postal_address and not part.has(view.sheet.postal_address):
            yield Problem("block", "address-not-shown", part.name, "The postal address is not there.", _TEMPLATE)


def _promised(view: View) -> Iterator[tuple[str, str, list[_Piece]]]:
    """Where, by position and wherever it is moved, and the pieces of copy that must stand there."""
    for where, pieces in _around_entries(view.sheet):
        yield where, where, pieces
    for entry, pieces in _promised_of_entries(view):
        yield place(entry), unmoved(view.sheet, entry.position), pieces


def _around_entries(sheet: Sheet) -> Iterator[tuple[str, list[_Piece]]]:
    copy = sheet.copy
    yield "opening", [_Piece("the edition in one breath", copy.breath)]
    introduction = paragraphs(plain(copy.introduction))
    yield "introduction", [_Piece(f"paragraph {at}", words) for at, words in enumerate(introduction, start=1)]
    yield "also compared", [_Piece(f"“{other.title}”", other.title) for other in copy.also_compared]
    yield "corrections", [_Piece(f"correction {at}", words) for at, words in enumerate(copy.corrections, start=1)]


def _promised_of_entries(view: View) -> Iterator[tuple[EntryCopy, list[_Piece]]]:
    in_full = {item.entry.position: item for item in view.shown.in_full} if view.shown else {}
    for entry in view.sheet.copy.entries:
        item = in_full.get(entry.position)
        # In full it is a heading; the words of the link below it do not make up for that.
        pieces = [_Piece("the headline", entry.summary.headline, heads=item is not None)]
        if item:
            pieces.append(_Piece("the verdict sentence", entry.summary.sentence))
        if item and item.quotation:
            pieces.append(_Piece("the quotation", item.quotation.words))
        yield entry, pieces


@lru_cache(maxsize=256)
def _link(url: str | None) -> str | None:
    return safe_link(url)


def _in_order(view: View) -> list[EntryCopy]:
    return [*(item.entry for item in view.shown.in_full), *view.shown.in_a_line] if view.shown else []


def _are(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
