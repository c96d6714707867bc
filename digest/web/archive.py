"""The pages of the archive: a list, and one page for each edition that stays where it is."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from digest import archive, corrections, editions
from digest.models import Edition
from digest.proofs import Envelope
from digest.rendering import DatedNote, render_web
from digest.web.pages import page, services_of
from digest.weeks import BadWeek, Week

router = APIRouter()

FOR_A_WHILE = "public, max-age=300"
# A mail carries its styles in its elements.
MAIL_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/archive")
def index(request: Request) -> Response:
    """Every edition that went out, newest first."""
    with services_of(request).database.reading() as session:
        listed = [in_brief(each, request) for each in archive.published(session)]
    return page(request, "archive.html", editions=listed)


@router.get("/archive/{week}")
def edition(request: Request, week: str) -> Response:
    """One edition as everybody could read it, made from its frozen entries."""
    services = services_of(request)
    try:
        wanted = Week.parse(week)
    except BadWeek:
        raise HTTPException(404, "There is no edition with that address.") from None
    with services.database.reading() as session:
        found = archive.of_week(session, str(wanted))
        if found is None:
            raise HTTPException(404, f"There is no edition of {wanted} in the archive.")
        copy = editions.copy_of(session, found, services.settings.digest_timezone)
        imprint = Envelope.model_validate(found.envelope).imprint
        previous, following = archive.neighbours(session, found)
        notes = corrections.notes_on(session, found)
    dated = [DatedNote(note.at.astimezone(services.settings.digest_timezone).date(), note.words) for note in notes]
    html = render_web(copy, imprint, previous=previous, following=following, notes=dated)
    headers = {"Cache-Control": FOR_A_WHILE, "Content-Security-Policy": MAIL_SECURITY_POLICY}
    return HTMLResponse(_with_ways(html, previous, following), headers=headers)


def in_brief(edition: Edition, request: Request) -> dict[str, object]:
    """What a list says of one edition."""
    zone = services_of(request).settings.digest_timezone
    return {
        "week": edition.week,
        "subject": edition.subject,
        "breath": edition.breath,
        "day": edition.send_at.astimezone(zone).date(),
    }


def _with_ways(html: str, previous: str | None, following: str | None) -> str:
    """The head of the page, told what a mail has no use for: the feeds, and the editions beside it."""
    beside = (("prev", previous), ("next", following))
    ways = [Markup('<link rel="{}" href="/archive/{}">').format(way, week) for way, week in beside if week]
    return html.replace("</head>", f"{FEEDS}{''.join(ways)}</head>", 1)


FEEDS = (
    '<link rel="alternate" type="application/atom+xml" title="Atom" href="/archive/feed.xml">'
    '<link rel="alternate" type="application/feed+json" title="JSON Feed" href="/archive/feed.json">'
)
