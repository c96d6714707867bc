"""Lists of pages: RSS 2.0 and 1.0, Atom, JSON Feed, sitemaps. Pure: bytes in, addresses out.

From a list only addresses are taken, never contents: what a comparison says is read from its own page.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urldefrag, urljoin
from xml.etree.ElementTree import Element, ParseError

import orjson
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from digest.errors import DigestError
from digest.facts import clean
from digest.sources.reach import LONGEST_URL

Kind = Literal["RSS", "Atom", "JSON Feed", "sitemap", "sitemap index"]

LONGEST_UNPACKED = 50_000_000
"""Bytes a sitemap stored gzipped may have (the sitemap protocol's own limit)."""
MOST_ELEMENTS = 500_000
_LONGEST_TITLE = 300

_ROOTS: dict[str, Kind] = {
    "rss": "RSS",
    "RDF": "RSS",
    "feed": "Atom",
    "urlset": "sitemap",
    "sitemapindex": "sitemap index",
}
_GZIP = b"\x1f\x8b"
_PROLOGUE = re.compile(
    r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[[^\]]*\][^>]*)?>)*", re.DOTALL | re.IGNORECASE
)
_ROOT = re.compile(r"<(?:[\w.-]+:)?(?P<name>[\w.-]+)[\s/>]")
_WEB = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_COMPARISON = re.compile(r"https?://[^/?#]+(?:/[^?#]*)?/compare/[^/?#]", re.IGNORECASE)
_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"


class FeedBroken(DigestError):
    """It looks like a feed but cannot be read as one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One address in a list. `published_at` is when the page came out; `changed_at` only helps to tell new from old."""

    url: str
    published_at: datetime | None = None
    changed_at: datetime | None = None
    title: str | None = None

    @property
    def newest_at(self) -> datetime | None:
        return self.changed_at or self.published_at


@dataclass(frozen=True, slots=True)
class Feed:
    """What a list lists, in its order, each address once.

    `pages` are comparison pages; `sitemaps` the further lists of a sitemap index; `ignored` counts all else.
    """

    kind: Kind
    pages: tuple[Listed, ...] = ()
    sitemaps: tuple[str, ...] = ()
    ignored: int = 0


def is_comparison(url: str) -> bool:
    """Whether an address can be that of a comparison page: `/compare/` and something after it."""
    return _COMPARISON.match(url) is not None


def read(body: bytes, media_type: str | None = None, base_url: str | None = None) -> Feed | None:
    """None where this is no list (a page, comparisons in JSON). Raises FeedBroken where it is one and broken.

    Lists are told by their content; `media_type` decides only for JSON too broken to be looked into. Relative
    addresses are taken from `base_url`; without one they count as ignored.
    """
    if body.startswith(_GZIP):
        body = _gunzipped(body)
    if kind := _kind_of_xml(body):
        return _collected(kind, _in_xml(kind, body), base_url)
    return _read_json(body, media_type, base_url)


def _kind_of_xml(body: bytes) -> Kind | None:
    encoding = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    head = body[:8_192].decode(encoding, "replace")
    past = _PROLOGUE.match(head)
    root = _ROOT.match(head, past.end() if past else 0)
    return _ROOTS.get(root["name"]) if root else None


def _gunzipped(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(body, LONGEST_UNPACKED)
    except zlib.error as why:
        raise FeedBroken("it is a gzip file and broken") from why
    if not unpacking.eof:
        raise FeedBroken(f"it is a gzip file, and cut off or larger than {LONGEST_UNPACKED // 1_000_000} MB unpacked")
    return unpacked


# — XML —


@dataclass(frozen=True, slots=True)
class _Raw:
    """An entry as written."""

    href: str | None
    published: str | None = None
    changed: str | None = None
    title: str | None = None
    base: str = ""
    further: bool = False


def _in_xml(kind: Kind, body: bytes) -> list[_Raw]:
    # Each element costs some hundred bytes once parsed, so "<a/>" repeated is a small bomb of its own.
    if body.count(b"<") > 2 * MOST_ELEMENTS:
        raise FeedBroken(f"it is a list of pages ({kind}) of more than {MOST_ELEMENTS:,} elements")
    try:
        root: Element = fromstring(body)
    except DefusedXmlException as why:
        raise FeedBroken(f"it is a list of pages ({kind}) that declares XML entities, which are not read") from why
    except (ParseError, ValueError, LookupError) as why:
        raise FeedBroken(f"it is a list of pages ({kind}), but not well-formed XML ({why})") from why
    match kind:
        case "Atom":
            return [_atom_entry(entry, _base(root)) for entry in root if _name(entry) == "entry"]
        case "RSS":
            # In the channel, or beside it (1.0). Never items in items: reading those would cost the square of them.
            channels = [root, *(child for child in root if _name(child) == "channel")]
            return [_rss_item(item) for channel in channels for item in channel if _name(item) == "item"]
        case _:
            return [_site_entry(entry) for entry in root if _name(entry) in ("url", "sitemap")]


def _atom_entry(entry: Element, base: str) -> _Raw:
    links = [link for link in entry if _name(link) == "link" and link.get("rel", "alternate") == "alternate"]
    links.sort(key=lambda link: "html" not in link.get("type", "html"))
    base = urljoin(base, _base(entry))
    return _Raw(
        href=links[0].get("href") if links else None,
        published=_text(entry, "published", "issued"),
        changed=_text(entry, "updated", "modified"),
        title=_text(entry, "title"),
        base=urljoin(base, _base(links[0])) if links else base,
    )


def _rss_item(item: Element) -> _Raw:
    """RSS 2.0 and 1.0. A guid is an address unless it says otherwise, and then only stands in for a missing link."""
    guid = next((child for child in item if _name(child) == "guid"), None)
    permanent = guid.text if guid is not None and guid.get("isPermaLink", "true") == "true" else None
    return _Raw(
        href=_text(item, "link") or permanent,
        published=_text(item, "pubDate", "date"),
        changed=_text(item, "updated", "modified"),
        title=_text(item, "title"),
    )


def _site_entry(entry: Element) -> _Raw:
    news = (child for child in entry.iter() if _name(child) == "publication_date")
    return _Raw(
        href=_text(entry, "loc"),
        # A sitemap's lastmod is when a page changed; a corrected typo must not make an old page news.
        published=next((child.text for child in news), None),
        changed=_text(entry, "lastmod"),
        further=_name(entry) == "sitemap",
    )


def _name(element: Element) -> str:
    """Without its namespace: feeds in the wild get those wrong."""
    return str(element.tag).rpartition("}")[2]


def _base(element: Element) -> str:
    return element.get(_XML_BASE, "")


def _text(element: Element, *names: str) -> str | None:
    """The text of the first child of one of these names that has any."""
    for name in names:
        for child in element:
            if _name(child) == name and (text := "".join(child.itertext()).strip()):
                return text
    return None


# — JSON —


def _read_json(body: bytes, media_type: str | None, base_url: str | None) -> Feed | None:
    declared = media_type == "application/feed+json"
    if not declared and b"jsonfeed.org/version" not in body:
        return None
    try:
        feed = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as why:
        if declared:
            raise FeedBroken(f"it is called a JSON Feed, but is not JSON ({why})") from why
        return None
    if not isinstance(feed, dict) or "jsonfeed.org/version" not in str(feed.get("version")):
        return None
    items = feed.get("items")
    if not isinstance(items, list):
        raise FeedBroken("it is a list of pages (JSON Feed) without items")
    return _collected("JSON Feed", map(_json_item, items), base_url)


def _json_item(item: Any) -> _Raw:
    if not isinstance(item, dict):
        return _Raw(href=None)
    words = {key: value for key, value in item.items() if isinstance(value, str)}
    return _Raw(
        href=words.get("url"),
        published=words.get("date_published"),
        changed=words.get("date_modified"),
        title=words.get("title"),
    )


# — both —


def _collected(kind: Kind, entries: Iterable[_Raw], base_url: str | None) -> Feed:
    pages: dict[str, Listed] = {}
    sitemaps: dict[str, None] = {}
    ignored = 0
    for raw in entries:
        url = _absolute(raw, base_url)
        if url and raw.further:
            sitemaps[url] = None
        elif url and is_comparison(url):
            pages.setdefault(url, _listed(url, raw))
        else:
            ignored += 1
    return Feed(kind, tuple(pages.values()), tuple(sitemaps), ignored)


def _listed(url: str, raw: _Raw) -> Listed:
    return Listed(
        url=url,
        published_at=moment(raw.published),
        changed_at=moment(raw.changed),
        title=clean(raw.title or "")[:_LONGEST_TITLE].rstrip() or None,
    )


def _absolute(raw: _Raw, base_url: str | None) -> str | None:
    if not raw.href:
        return None
    try:
        url = urldefrag(urljoin(urljoin(base_url or "", raw.base), raw.href.strip())).url
    except ValueError:
        return None
    return url if _WEB.match(url) and len(url) <= LONGEST_URL else None


def moment(written: str | None) -> datetime | None:
    """An RFC 822 or RFC 3339 date, in UTC; a bare day is its first instant. Without a zone, UTC is meant."""
    for understood in _readings((written or "").strip()):
        try:
            return understood.astimezone(UTC) if understood.tzinfo else understood.replace(tzinfo=UTC)
        except OverflowError:
            return None
    return None


def _readings(written: str) -> Iterator[datetime]:
    for reading in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            yield reading(written)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
