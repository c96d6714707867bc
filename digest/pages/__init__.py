"""What a stored or fetched body says: comparison pages as HTML or text, or comparisons as JSON. Pure.

One bad comparison never spoils the good ones beside it; whatever could not be read is said in a sentence.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from digest.facts import (
    LONGEST_ADDRESS,
    LONGEST_NAME,
    LONGEST_SLUG,
    SLUG,
    ComparisonFacts,
    ToolFacts,
    is_web_address,
)
from digest.pages.html import Markup, read_markup
from digest.pages.json import looks_like_json, read_json
from digest.pages.lines import Unreadable, lines_of
from digest.pages.schema import json_schema
from digest.pages.text import TextPage, read_lines

__all__ = [
    "LARGEST_BODY",
    "LARGEST_COLLECTION",
    "Bad",
    "Page",
    "Reading",
    "json_schema",
    "read",
    "slug_of",
    "slug_splits",
]

LARGEST_BODY = 5_000_000  # bytes
LARGEST_COLLECTION = 20_000_000  # bytes of JSON, which may hold many comparisons
_MOST_SENTENCES = 40

_APART = re.compile(r"(?=-vs-)")
_COMPARE_PATH = re.compile(r"(?:/[^/]+)*?/compare/([^/]+)/?")
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROLS = 40  # in the first few thousand bytes
_FEED = re.compile(r"\s*+(?:<\?[^>]*+>\s*+|<!--.*?-->\s*+)*+<(rss|feed|rdf:RDF|urlset|sitemapindex)[\s>]", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z!?]")


@dataclass(frozen=True)
class Page:
    """One comparison. `missing` says in sentences what was cut off or could not be read.

    `where` is its place in a body that may hold several ("line 3", "item 2"); "" where it is the whole.
    """

    facts: ComparisonFacts
    missing: tuple[str, ...] = ()
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Bad:
    """What could not be read: where in the body ("line 3", "item 2", "" for the whole) and why, in one sentence."""

    where: str
    why: str


@dataclass(frozen=True)
class Reading:
    """Everything found in one body, in its order."""

    pages: tuple[Page, ...] = ()
    bad: tuple[Bad, ...] = ()


def read(body: bytes, *, url: str | None = None, media_type: str | None = None) -> Reading:
    """Read a body, recognised by its content; `media_type` only settles doubts.

    `url` is the address of the page the body holds, or where a single comparison was fetched from. Never raises for
    anything a body may contain.
    """
    kind = (media_type or "").partition(";")[0].strip().lower()
    try:
        address = _given_address(url)
        text = _decoded(body)
        _refuse_feed(text)
        begins_with_tag = _TAG.match(text.lstrip()) is not None
        if looks_like_json(text) or ("json" in kind and not begins_with_tag):
            return _from_json(text, address, kind)
        is_html = begins_with_tag or ("html" in kind and _TAG.search(text) is not None)
        return Reading((_from_html(text, address) if is_html else _from_text(text, address),))
    except Unreadable as why:
        return Reading(bad=(Bad("", str(why)),))


def slug_splits(comparison_slug: str) -> tuple[tuple[str, str], ...]:
    """Every pair of tool slugs this comparison's slug may be made of.

    The site joins two slugs in alphabetical order with `-vs-`, which a slug may itself contain.
    """
    splits = (
        (comparison_slug[: found.start()], comparison_slug[found.start() + len("-vs-") :])
        for found in _APART.finditer(comparison_slug)
    )
    return tuple((left, right) for left, right in splits if left <= right and _is_slug(left) and _is_slug(right))


def slug_of(url: str) -> str | None:
    """The slug of the comparison whose page has this address; None where it is no such page's."""
    found = _COMPARE_PATH.fullmatch(urlsplit(url).path) if is_web_address(url) else None
    slug = unquote(found[1]) if found else ""
    return slug if _is_slug(slug) else None


# Bytes


def _decoded(body: bytes) -> str:
    opening = body[:1_024].removeprefix(BOM_UTF8).lstrip()[:1]
    largest = LARGEST_COLLECTION if opening in (b"{", b"[") else LARGEST_BODY
    if len(body) > largest:
        raise Unreadable(f"The body has {len(body):,} bytes; at most {largest:,} are read.")
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise Unreadable("This is UTF-16 text: convert it to UTF-8.")
    if b"\0" in body or len(_CONTROLS.findall(body, 0, 4096)) > _MOST_CONTROLS:
        raise Unreadable("This is binary data, not a page: give it as HTML, text or JSON in UTF-8.")
    text = _from_utf8(body.removeprefix(BOM_UTF8))
    if not text.strip():
        raise Unreadable("The body is empty.")
    return text


def _from_utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as wrong:
        if wrong.reason == "unexpected end of data":  # a page cut off within a letter
            return body[: wrong.start].decode()
        problem = f"byte {wrong.start + 1} is 0x{body[wrong.start]:02x}"
        raise Unreadable(f"This is not UTF-8 text ({problem}): convert it to UTF-8.") from wrong


def _refuse_feed(text: str) -> None:
    if feed := _FEED.match(text):
        raise Unreadable(f"This is a feed or sitemap (<{feed[1]}>): it lists pages and is no comparison itself.")


# The three kinds


def _from_json(text: str, address: str | None, kind: str) -> Reading:
    found = list(read_json(text, kind))
    pages = [(where, facts) for where, facts in found if isinstance(facts, ComparisonFacts)]
    bad = tuple(Bad(where, why) for where, why in found if isinstance(why, str))
    # An address given for a whole file is that of its one comparison only if it has the form of a page's address.
    alone = address if len(found) == 1 and address and slug_of(address) else None
    return Reading(tuple(Page(_addressed(facts, facts.url or alone), where=where) for where, facts in pages), bad)


def _from_text(text: str, address: str | None) -> Page:
    lines, last_is_whole = lines_of(text)
    page = read_lines(lines if last_is_whole else lines[:-1], whole=False)  # the newsletter box tells
    return _page(page, address)


def _from_html(text: str, address: str | None) -> Page:
    markup = read_markup(text, address)
    page = read_lines(markup.lines, titles=markup.titles, whole=markup.whole)
    stated = [address, *(_plain(given) for given in markup.addresses if _is_address(given))]
    known = next((given for given in stated if given and slug_of(given)), address)
    return _page(page, known, markup)


def _page(page: TextPage, address: str | None, markup: Markup | None = None) -> Page:
    title = page.title if page.title and len(page.title) <= LONGEST_NAME else None
    facts = ComparisonFacts(
        title=title,
        published_at=markup.published_at if markup else None,
        tools=page.tools,
        loose_remarks=page.loose_remarks,
    )
    missing = page.missing[:_MOST_SENTENCES]
    if len(page.missing) > len(missing):
        missing += (f"{len(page.missing) - len(missing)} more parts could not be read.",)
    return Page(_addressed(facts, address, markup.tool_links if markup else ()), missing)


# Addresses


def _given_address(url: str | None) -> str | None:
    if url is None or not url.strip():
        return None
    if not _is_address(url.strip()):
        raise Unreadable(f"The address given, “{url.strip()[:80]}”, must be an http or https address.")
    return _plain(url.strip())


def _is_address(url: str) -> bool:
    return len(url) <= LONGEST_ADDRESS and is_web_address(url)


def _plain(url: str) -> str:
    """A page's address without what only says how somebody came to it."""
    return urlsplit(url)._replace(query="", fragment="").geturl() if slug_of(url) else url


def _is_slug(text: str) -> bool:
    return len(text) <= LONGEST_SLUG and re.fullmatch(SLUG, text) is not None


def _addressed(facts: ComparisonFacts, address: str | None, links: Sequence[tuple[str, str]] = ()) -> ComparisonFacts:
    """With the page's address, the slugs it holds, and the tools' slugs where nothing else is possible."""
    slug = facts.slug or (slug_of(address) if address else None)
    slugs = _tool_slugs(facts.tools, slug, links)
    tools = tuple(tool.model_copy(update={"slug": own}) for tool, own in zip(facts.tools, slugs, strict=True))
    return facts.model_copy(update={"url": address, "slug": slug, "tools": tools})


def _tool_slugs(
    tools: tuple[ToolFacts, ToolFacts], slug: str | None, links: Sequence[tuple[str, str]]
) -> tuple[str | None, str | None]:
    known = (tools[0].slug, tools[1].slug)
    possible = [split for split in slug_splits(slug or "") if _agree(known, split)]
    linked = {link for link, _ in links}
    if len(possible) > 1:
        possible = [split for split in possible if linked.issuperset(split)]
    if len(possible) == 1:
        return possible[0]
    named = (_linked_by_name(tools[0].name, links), _linked_by_name(tools[1].name, links))
    fits_address = slug is None or slug == f"{named[0]}-vs-{named[1]}"
    return (known[0] or named[0], known[1] or named[1]) if fits_address and _agree(known, named) else known


def _agree(known: Sequence[str | None], split: Sequence[str | None]) -> bool:
    return all(one is None or other is None or one == other for one, other in zip(known, split, strict=True))


def _linked_by_name(name: str, links: Sequence[tuple[str, str]]) -> str | None:
    """The slug of the one tool page that links with just this name lead to."""
    slugs = {slug for slug, words in links if words == name and _is_slug(slug)}
    return slugs.pop() if len(slugs) == 1 else None
