"""The archive's pages and feeds: stable, valid, cacheable, and the same for everybody."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import sending
from digest.bootstrap import Services
from digest.models import Edition, Entry
from tests import make

ATOM = "{http://www.w3.org/2005/Atom}"
FEEDS = ("/archive/feed.xml", "/archive/feed.json")


def sent(services: Services) -> Edition:
    """An edition that went out."""
    with services.database.writing() as session:
        make.subscriber(session, "ada@example.com", name="Ada Quist")
    edition = make.approved(services)
    sending.send_now(
        services,
        make.WEEK,
        by="test",
        clock=lambda: datetime.now(UTC),
        now=make.SEND,
        skip_undo=True,
        stop=threading.Event(),
    )
    with services.database.reading() as session:
        return session.get_one(Edition, edition.id)


def entries(client: TestClient) -> list[ET.Element]:
    """Those of the Atom feed; that it can be read at all says that it is well-formed."""
    return ET.fromstring(client.get("/archive/feed.xml").content).findall(f"{ATOM}entry")  # noqa: S314 - our own


def test_both_feeds_tell_of_what_went_out(client: TestClient, scripted: Services) -> None:
    """One item for each edition, with its address for an id, its subject, its breath and every comparison."""
    edition = sent(scripted)
    page = f"{scripted.settings.digest_site_url}/archive/{make.WEEK}"
    (entry,), (item,) = entries(client), client.get("/archive/feed.json").json()["items"]
    told = [entry.findtext(f"{ATOM}{name}") for name in ("id", "title", "summary")]

    assert [page, edition.subject, edition.breath] == told
    assert (page, page, edition.subject, edition.breath) == (item["id"], item["url"], item["title"], item["summary"])
    with scripted.database.reading() as session:
        for facts in session.scalars(sa.select(Entry.facts)):
            assert facts["url"] in item["content_html"]
            assert facts["url"] in (entry.findtext(f"{ATOM}content") or "")
    for personal in ("ada@", "quist", "unsubscribe", "preferences"):
        assert (
            personal not in client.get("/archive/feed.json").text.lower() + client.get("/archive/feed.xml").text.lower()
        )


def test_atom_has_what_the_standard_asks_for(client: TestClient, scripted: Services) -> None:
    """RFC 4287: feed and entries each with one id, title and updated; an author; a link to itself."""
    sent(scripted)
    answer = client.get("/archive/feed.xml")
    feed = ET.fromstring(answer.content)  # noqa: S314 - our own

    assert "application/atom+xml" == answer.headers["content-type"].partition(";")[0]
    for element in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            found = element.findall(f"{ATOM}{name}")
            assert 1 == len(found)
            assert found[0].text
        updated = element.findtext(f"{ATOM}updated")
        assert datetime.fromisoformat(updated or "").tzinfo is not None
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    rels = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert rels["self"] == f"{scripted.settings.digest_site_url}/archive/feed.xml"


def test_json_feed_has_what_its_version_asks_for(client: TestClient, scripted: Services) -> None:
    """JSON Feed 1.1."""
    sent(scripted)
    answer = client.get("/archive/feed.json")
    feed = answer.json()

    assert "application/feed+json" == answer.headers["content-type"].partition(";")[0]
    assert "https://jsonfeed.org/version/1.1" == feed["version"]
    assert feed["feed_url"].endswith("/archive/feed.json")
    assert all(isinstance(item["id"], str) and item["content_html"] for item in feed["items"])


def test_feeds_before_the_first_edition_are_empty_and_valid(client: TestClient) -> None:
    """A reader may subscribe to them already."""
    assert [] == entries(client)
    assert [] == client.get("/archive/feed.json").json()["items"]


@pytest.mark.parametrize("feed", FEEDS)
def test_nothing_is_sent_twice(client: TestClient, scripted: Services, feed: str) -> None:
    """304 without a body for what a reader has; the whole feed again once an edition went out."""
    sent(scripted)
    first = client.get(feed)
    etag, day = first.headers["etag"], first.headers["last-modified"]
    same = [
        client.get(feed, headers={"if-none-match": etag}),
        client.get(feed, headers={"if-none-match": f'"other", W/{etag}'}),
        client.get(feed, headers={"if-none-match": "*"}),
        client.get(feed, headers={"if-modified-since": day}),
        client.get(feed, headers={"if-modified-since": format_datetime(datetime.now(UTC), usegmt=True)}),
    ]
    other = [
        client.get(feed, headers={"if-none-match": '"other"'}),
        client.get(feed, headers={"if-none-match": '"other"', "if-modified-since": day}),
        client.get(feed, headers={"if-modified-since": "Fri, 20 Nov 2020 09:00:00 GMT"}),
        client.get(feed, headers={"if-modified-since": "yesterday"}),
        client.get(feed, headers={"if-modified-since": "Fri, 20 Nov 2026 09:00:00"}),
    ]

    assert {(304, b"", etag)} == {(each.status_code, each.content, each.headers["etag"]) for each in same}
    assert {(200, first.content)} == {(each.status_code, each.content) for each in other}
    assert parsedate_to_datetime(day) <= datetime.now(UTC)
    assert "max-age" in first.headers["cache-control"]


def test_pages_lead_to_the_feeds_and_to_each_other(client: TestClient, scripted: Services) -> None:
    """Autodiscovery, a canonical address, and the editions before and after."""
    first = sent(scripted)
    second = make.draft(scripted, week="2026-W48", now=make.CUTOFF + timedelta(days=7))
    with scripted.database.writing() as session:
        went_out = {"envelope": first.envelope, "begun_at": make.SEND + timedelta(days=7)}
        session.execute(sa.update(Edition).where(Edition.id == second.id).values(went_out))
    older, newer = (client.get(f"/archive/2026-W{number}").text for number in (47, 48))
    site = scripted.settings.digest_site_url

    for page in (client.get("/").text, client.get("/archive").text, older, newer):
        for feed in FEEDS:
            assert f'href="{feed}"' in page
        assert '<link rel="canonical" href="' in page
    assert f'<link rel="canonical" href="{site}/archive/2026-W47"' in older
    assert '<link rel="next" href="/archive/2026-W48">' in older
    assert '<link rel="prev" href="/archive/2026-W47">' in newer
    assert 'rel="prev"' not in older
    assert 'rel="next"' not in newer
