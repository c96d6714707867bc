"""Checks of each variant's HTML: it arrives whole, asks nobody for anything, and can be read by everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from digest import personal
from digest.preflight.sheet import Problem, Sheet
from digest.preflight.view import HEADINGS, View
from digest.rendering.html_finish import HTML_BLOCKS, HTML_WARNS, LONGEST_LINE, STYLE_BLOCKS, longest_line, style_bytes
from digest.text_layout import shorten

_MEND = "Mend templates/email."
_KILOBYTE = 1024
_LONGEST_EXCERPT = 60

_TAG = re.compile(r"""<(?P<name>[a-zA-Z][\w:-]*)(?P<rest>(?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_ATTRIBUTE = re.compile(r"""(?P<name>[a-zA-Z][\w:-]*)\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s"'>]+)""")
_STYLE_SHEET = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_FETCHES_IN_STYLE = re.compile(r"@import\b[^;]{0,80}|\b(?:url|image-set)\([^)]{0,80}\)?", re.IGNORECASE)
_FETCHING_ATTRIBUTES = frozenset({"src", "srcset", "background", "poster", "data", "lowsrc", "dynsrc"})
_FETCHING_ELEMENTS = frozenset({"script", "iframe", "frame", "object", "embed", "video", "audio", "applet"})
# Cheap to look for, and in no mail of ours: only where one of these is found are all elements looked at.
_MAY_FETCH = (
    *(f"{attribute}{equals}" for attribute in sorted(_FETCHING_ATTRIBUTES) for equals in ("=", " =")),
    *(f"<{element}" for element in sorted(_FETCHING_ELEMENTS | {"link"})),
    *("url(", "image-set(", "@import"),
)
_AT_HAND = ("cid:", "data:", "#")
_SAFE_HREF = re.compile(r"https?://[^/]|mailto:[^?]|#", re.IGNORECASE)
_SAYS_NOTHING = frozenset(
    {"click", "click here", "click this", "continue", "details", "find out more", "go", "here", "learn more", "link"}
    | {"more", "more info", "read", "read more", "read on", "see more", "this", "this link", "this page", "tap here"}
)


def html_size(sheet: Sheet) -> Iterator[Problem]:
    """Of the largest variant; Gmail clips at about 102 KB.

    Who answers for it answers for these words and their order, for these decide what is behind “View entire message”.
    Not for the very octets: another day of sending says another date, and clips nothing else.
    """
    largest = max(sheet.renderings, key=lambda each: each.html_bytes, default=None)
    if largest is None or largest.html_bytes <= HTML_WARNS:
        return
    clipped = largest.html_bytes > HTML_BLOCKS
    limit = HTML_BLOCKS if clipped else HTML_WARNS
    yield Problem(
        "block" if clipped else "warn",
        "html-size",
        f"variant {largest.variant}: HTML",
        f"It has {_kilobytes(largest.html_bytes)} with personal fields at their longest, more than "
        f"{limit // _KILOBYTE} KB; Gmail clips at about 102 KB.",
        "Take out an entry, or shorten the introduction.",
        judged=(largest.variant, sheet.copy.model_dump_json(exclude={"dated"})),
    )


def style_size(view: View) -> Iterator[Problem]:
    size = style_bytes(view.rendering.html or "")
    if size > STYLE_BLOCKS:
        what = f"Its style sheets have {_kilobytes(size)}; Gmail drops them above {STYLE_BLOCKS // _KILOBYTE} KB."
        yield Problem("block", "style-size", "HTML", what, _MEND)


def wire_format(view: View) -> Iterator[Problem]:
    """What a mail server on the way could garble or cut (RFC 5322, 2.1.1)."""
    html = view.rendering.html or ""
    if not html.isascii():
        odd = next(character for character in html if not character.isascii())
        what = f"It is not pure ASCII: there is “{odd}” (U+{ord(odd):04X})."
        yield Problem("block", "not-ascii", "HTML", what, "Write it as an entity.")
    for part, written in (("HTML", html), ("text", view.rendering.text)):
        longest = longest_line(written)
        if longest > LONGEST_LINE:
            what = f"A line has {longest} octets; mail servers may cut lines of more than {LONGEST_LINE}."
            yield Problem("block", "long-line", part, what, "Break it.")


def requests(view: View) -> Iterator[Problem]:
    """No request of any kind: no remote image, font, style sheet or script; conditional comments included."""
    html = view.rendering.html or ""
    lowered = html.lower()
    if not any(sign in lowered for sign in _MAY_FETCH):
        return
    for found in dict.fromkeys(_fetches(html)):
        what = f"Opening the mail would ask a server for something: {shorten(found, _LONGEST_EXCERPT)}"
        yield Problem("block", "request", "HTML", what, "Take it out; the mail has to work by itself.")


def _fetches(html: str) -> Iterator[str]:
    for rules in _STYLE_SHEET.findall(html):
        yield from _FETCHES_IN_STYLE.findall(rules)
    for tag in _TAG.finditer(html):
        name = tag["name"].lower()
        attributes = {found["name"].lower(): found["value"].strip("\"'") for found in _ATTRIBUTE.finditer(tag["rest"])}
        if name in _FETCHING_ELEMENTS or (name == "link" and attributes.get("rel", "").lower() != "canonical"):
            yield tag[0]
            continue
        yield from _FETCHES_IN_STYLE.findall(attributes.get("style", ""))
        for attribute in _FETCHING_ATTRIBUTES & attributes.keys():
            if attributes[attribute].strip() and not attributes[attribute].lower().startswith(_AT_HAND):
                yield f"{attribute}={attributes[attribute]}"


def unsafe_links(view: View) -> Iterator[Problem]:
    tag = personal.tags(view.sheet.copy.week)
    ours = {tag.unsubscribe_url, tag.preferences_url}
    for href in dict.fromkeys(view.hrefs):
        if href not in ours and not _SAFE_HREF.match(href):
            what = f"A link leads to no web address: {shorten(href, _LONGEST_EXCERPT) or '(empty)'}"
            yield Problem("block", "unsafe-link", "HTML", what, "It must begin with https:// or mailto:.")


def document(view: View) -> Iterator[Problem]:
    """What a screen reader needs to know before it begins."""
    if view.tree is None:
        return
    root = view.tree.root
    if root is None or not (root.attributes.get("lang") or "").strip():
        yield Problem("block", "no-lang", "HTML", "It does not say its language.", _MEND)
    title = view.tree.css_first("head title")
    if title is None or not title.text().strip():
        yield Problem("block", "no-title", "HTML", "It has no title.", _MEND)
    for image in view.tree.css("img:not([alt])"):
        what = f"An image has no alt text: {shorten(image.attributes.get('src') or '', _LONGEST_EXCERPT)}"
        yield Problem("block", "no-alt", "HTML", what, 'Say what it shows, or alt="" where it shows nothing.')


def headings(view: View) -> Iterator[Problem]:
    """One h1, no level left out, no heading without words: a screen reader's table of contents."""
    if view.tree is None:
        return
    found = view.tree.css(HEADINGS)
    levels = [int((node.tag or "h0")[1]) for node in found]
    if levels.count(1) != 1:
        what = f"It has {levels.count(1) or 'no'} main heading{'s' if levels.count(1) else ''} (h1)."
        yield Problem("block", "main-heading", "HTML", what, "It needs exactly one.")
    elif levels[0] != 1:
        what = f"Before the main heading (h1) stands “{_words(found[0].text())}” (h{levels[0]})."
        yield Problem("warn", "heading-order", "HTML", what, _MEND)
    for before, after in pairwise(zip(levels, found, strict=True)):
        if after[0] - before[0] > 1:
            what = f"From h{before[0]} to h{after[0]}: “{_words(after[1].text())}” is a level too deep."
            yield Problem("warn", "heading-order", "HTML", what, _MEND)
    if any(not node.text().strip() for node in found):
        yield Problem("warn", "empty-heading", "HTML", "A heading has no words.", _MEND)


def link_words(view: View) -> Iterator[Problem]:
    """A list of links must make sense alone."""
    for link in view.tree.css("a[href]") if view.tree else []:
        words = _words(link.text()) or link.attributes.get("aria-label") or ""
        href = shorten(link.attributes.get("href") or "", _LONGEST_EXCERPT)
        if not words.strip():
            yield Problem("warn", "link-words", "HTML", f"A link has no words: {href}", "Say where it leads.")
        elif words.casefold().strip(" .:…>→»") in _SAYS_NOTHING:
            yield Problem("warn", "link-words", "HTML", f"“{words}” does not say where it leads: {href}", "Name it.")


def _words(text: str) -> str:
    return shorten(" ".join(text.split()), _LONGEST_EXCERPT)


def _kilobytes(octets: int) -> str:
    return f"{octets / _KILOBYTE:.1f} KB"
