"""The archive as feeds: Atom (RFC 4287) and JSON Feed 1.1. The newest editions, with nothing personal in them.

A reader that asks again with what it was told the last time (RFC 9110 13) gets a 304 until something changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from xml.etree import ElementTree as ET

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy.orm import Session

from digest import archive, corrections, editions
from digest.corrections import Note
from digest.models import Edition
from digest.rendering import clean_copy
from digest.rendering.typography import spoken_day
from digest.settings import Settings
from digest.variants import EditionCopy
from digest.web.archive import FOR_A_WHILE
from digest.web.pages import services_of

router = APIRouter()

MOST_EDITIONS = 30
ATOM = "http://www.w3.org/2005/Atom"
BEFORE_ANY = datetime(2020, 1, 1, tzinfo=UTC)
"""When a feed without an edition was last changed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One edition in a feed. `html` is its whole week in a few lines, with what was corrected since above them."""

    url: str
    title: str
    summary: str
    html: str
    published: datetime
    updated: datetime


@router.get("/archive/feed.xml")
def atom(request: Request) -> Response:
    """The newest editions as Atom."""
    settings = services_of(request).settings
    items = _items(request)
    return _answer(request, _atom(settings, items), "application/atom+xml", items)


@router.get("/archive/feed.json")
def json_feed(request: Request) -> Response:
    """The newest editions as a JSON Feed."""
    settings = services_of(request).settings
    items = _items(request)
    return _answer(request, _json(settings, items), "application/feed+json", items)


def _items(request: Request) -> list[Item]:
    services = services_of(request)
    with services.database.reading() as session:
        found = archive.published(session, most=MOST_EDITIONS)
        notes = corrections.notes_by_edition(session, [each.id for each in found])
        return [_item(session, services.settings, each, notes.get(each.id, ())) for each in found]


def _item(session: Session, settings: Settings, edition: Edition, notes: Sequence[Note]) -> Item:
    copy = clean_copy(editions.copy_of(session, edition, settings.digest_timezone))
    published = edition.begun_at or edition.send_at
    return Item(
        url=f"{settings.digest_site_url}/archive/{edition.week}",
        title=copy.subject,
        summary=copy.breath,
        # Plain text from here on: whatever writes it into a feed escapes it once, and Markup would escape it again.
        html=str(_corrected(notes, settings) + _in_lines(copy)),
        published=published,
        updated=max([published, *(note.at for note in notes)]),
    )


def _corrected(notes: Sequence[Note], settings: Settings) -> Markup:
    return Markup("").join(
        Markup("<p><strong>Correction, {}:</strong> {}</p>").format(
            spoken_day(note.at.astimezone(settings.digest_timezone).date()), note.words
        )
        for note in notes
    )


def _in_lines(copy: EditionCopy) -> Markup:
    """The edition in one breath, then every comparison with its verdict."""
    lines = [Markup("<p>{}</p>").format(copy.breath)]
    for entry in copy.entries:
        headline = Markup('<a href="{}">{}</a>').format(entry.url, entry.summary.headline) if entry.url else None
        lines.append(Markup("<p>{}<br>{}</p>").format(headline or entry.summary.headline, entry.summary.sentence))
    return Markup("").join(lines)


def _atom(settings: Settings, items: Sequence[Item]) -> bytes:
    feed = ET.Element(f"{{{ATOM}}}feed")
    site = settings.digest_site_url
    _add(feed, "id", f"{site}/archive")
    _add(feed, "title", settings.digest_newsletter_name)
    _add(feed, "subtitle", "Verdicts on AI tools, compared in pairs, once a week.")
    _add(feed, "updated", _changed(items).isoformat(timespec="seconds"))
    _add(feed, "link", href=f"{site}/archive/feed.xml", rel="self", type="application/atom+xml")
    _add(feed, "link", href=f"{site}/archive", rel="alternate", type="text/html")
    author = _add(feed, "author")
    _add(author, "name", settings.from_name)
    for item in items:
        entry = _add(feed, "entry")
        _add(entry, "id", item.url)
        _add(entry, "title", item.title)
        _add(entry, "published", item.published.isoformat(timespec="seconds"))
        _add(entry, "updated", item.updated.isoformat(timespec="seconds"))
        _add(entry, "link", href=item.url, rel="alternate", type="text/html")
        _add(entry, "summary", item.summary)
        _add(entry, "content", item.html, type="html")
    ET.register_namespace("", ATOM)
    found: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return found


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    child.text = text
    return child


def _json(settings: Settings, items: Sequence[Item]) -> bytes:
    site = settings.digest_site_url
    return orjson.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": settings.digest_newsletter_name,
            "description": "Verdicts on AI tools, compared in pairs, once a week.",
            "home_page_url": f"{site}/archive",
            "feed_url": f"{site}/archive/feed.json",
            "language": "en",
            "authors": [{"name": settings.from_name}],
            "items": [
                {
                    "id": item.url,
                    "url": item.url,
                    "title": item.title,
                    "summary": item.summary,
                    "content_html": item.html,
                    "date_published": item.published.isoformat(timespec="seconds"),
                    "date_modified": item.updated.isoformat(timespec="seconds"),
                }
                for item in items
            ],
        }
    )


def _changed(items: Sequence[Item]) -> datetime:
    return max((item.updated for item in items), default=BEFORE_ANY)


def _answer(request: Request, body: bytes, media_type: str, items: Sequence[Item]) -> Response:
    """The feed, or nothing where whoever asks has it already."""
    changed = _changed(items).replace(microsecond=0)
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Last-Modified": format_datetime(changed, usegmt=True),
        "Cache-Control": FOR_A_WHILE,
    }
    if _is_known(request, headers["ETag"], changed):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _is_known(request: Request, etag: str, changed: datetime) -> bool:
    """RFC 9110 13.2.2: where an ETag was sent back, the date does not count."""
    if (sent := request.headers.get("if-none-match")) is not None:
        known = {tag.strip().removeprefix("W/") for tag in sent.split(",")}
        return etag in known or "*" in known
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.tzinfo is not None and changed <= since
