"""Lists of pages as sources: feeds, sitemaps, and indexes of sitemaps."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from digest import sources
from digest.sources import Document, FeedRead, Gone, Unchanged, Unreadable, Validators, read_source
from digest.sources.fetching import Fetcher
from digest.sources.wire import Patience
from tests.digest.small_web import Web, serving

PAGE = "Loom vs Spindle\n"


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def fetcher(web: Web) -> Iterator[Fetcher]:
    with Fetcher(frozenset({web.place}), patience=Patience(connect=2, read=2, total=5)) as fetcher:
        yield fetcher


def sitemap(*urls: str) -> str:
    return f"<urlset>{''.join(f'<url><loc>{url}</loc></url>' for url in urls)}</urlset>"


def dated_sitemap(**dates: str) -> str:
    """Pages `/compare/<name>` with the day of their last change."""
    entries = (f"<url><loc>/compare/{name}</loc><lastmod>{day}</lastmod></url>" for name, day in dates.items())
    return f"<urlset>{''.join(entries)}</urlset>"


def index(*urls: str) -> str:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{url}</loc></sitemap>' for url in urls)}</sitemapindex>"


# — lists of pages —


def test_the_pages_of_a_feed_are_fetched_and_then_the_feed_is_read(web: Web, fetcher: Fetcher) -> None:
    """Each page under its own name, with the date the feed gives; the feed's validators come last."""
    web.page("/compare/a-vs-b", "A vs B", ETag='"a"')
    web.page("/compare/c-vs-d", "C vs D")
    items = [
        {"url": "/compare/a-vs-b", "date_published": "2026-11-18T09:00:00Z"},
        {"url": "/about"},
        {"url": "/compare/c-vs-d"},
    ]
    feed = json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items})
    url = web.page("/feed.json", feed, media_type="application/feed+json", ETag='"f"')

    first, second, read = read_source(url, fetcher=fetcher)

    assert isinstance(first, Document)
    assert (first.name, first.url, first.body) == (*[web.url("/compare/a-vs-b")] * 2, b"A vs B")
    assert (first.published_at, first.validators) == (datetime(2026, 11, 18, 9, tzinfo=UTC), Validators('"a"'))
    assert isinstance(second, Document)
    assert (second.body, second.published_at, second.validators) == (b"C vs D", None, Validators())
    assert read == FeedRead(url, kind="JSON Feed", pages=2, ignored=1, owed=0, validators=Validators('"f"'))


def test_the_pages_of_a_list_come_one_by_one_over_one_connection(web: Web, fetcher: Fetcher) -> None:
    """Nothing is asked for before it is wanted, and the site sees one visitor."""
    for name in "abc":
        web.page(f"/compare/{name}", PAGE)
    walk = read_source(web.page("/sitemap.xml", sitemap("/compare/a", "/compare/b", "/compare/c")), fetcher=fetcher)
    next(walk)

    assert web.paths() == ["/sitemap.xml", "/compare/a"]
    assert len(list(walk)) == 3
    assert web.connections == 1


def test_of_a_list_unseen_pages_come_first_then_the_newest(web: Web, fetcher: Fetcher) -> None:
    """So a long list is worked off over several runs, and the rest is looked at again from the top."""
    listed = {"old": "2026-01-01", "new": "2026-11-18", "seen_old": "2026-02-01", "seen_new": "2026-11-19"}
    url = web.page(
        "/sitemap.xml", dated_sitemap(**listed).replace("</urlset>", "<url><loc>/compare/undated</loc></url></urlset>")
    )
    seen = {web.url("/compare/seen_old"): Validators(), web.url("/compare/seen_new"): Validators()}
    list(read_source(url, fetcher=fetcher, known=seen.get))

    assert web.paths()[1:] == [f"/compare/{name}" for name in ["new", "old", "undated", "seen_new", "seen_old"]]


def test_at_most_a_thousand_pages_of_a_list_are_fetched_in_one_run(web: Web, fetcher: Fetcher) -> None:
    """The rest is owed, and so the list will not be taken for unchanged."""
    url = web.page("/sitemap.xml", sitemap(*(f"/compare/{number}" for number in range(1_003))), ETag='"s"')
    *pages, read = read_source(url, fetcher=fetcher)

    assert len(pages) == sources.MOST_PAGES == 1_000
    assert {type(page) for page in pages} == {Gone}
    assert read == FeedRead(url, kind="sitemap", pages=1_003, ignored=0, owed=3, validators=Validators())


def test_an_unchanged_list_is_not_worked_off(web: Web, fetcher: Fetcher) -> None:
    """One question, one answer."""
    url = web.conditional("/sitemap.xml", sitemap("/compare/a"), etag='"s"')
    store = {url: Validators(etag='"s"')}

    assert list(read_source(url, fetcher=fetcher, known=store.get)) == [Unchanged(url)]
    assert web.paths() == ["/sitemap.xml"]


def test_a_bad_page_costs_only_itself_and_keeps_the_list_open(web: Web, fetcher: Fetcher) -> None:
    """Good, gone, unchanged and bad side by side; with a page owed, the list's validators are not kept."""
    web.page("/compare/good", PAGE)
    web.page("/compare/bad", "sorry", status=500)
    web.page("/compare/empty", " ")
    web.conditional("/compare/same", PAGE, etag='"v1"')
    store = {web.url("/compare/same"): Validators(etag='"v1"')}
    listed = ["/compare/good", "/compare/gone", "/compare/bad", "/compare/empty", "/compare/same"]
    url = web.page("/sitemap.xml", sitemap(*listed), ETag='"s"')

    good, gone, bad, empty, same, read = read_source(url, fetcher=fetcher, known=store.get)

    assert isinstance(good, Document)
    assert gone == Gone(web.url("/compare/gone"), web.url("/compare/gone"))
    assert bad == Unreadable(web.url("/compare/bad"), "127.0.0.1 answered 500 (Internal Server Error)")
    assert empty == Unreadable(web.url("/compare/empty"), "it is empty")
    assert same == Unchanged(web.url("/compare/same"))
    assert read == FeedRead(url, kind="sitemap", pages=5, ignored=0, owed=2, validators=Validators())


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_us_to_slow_down_is_left_alone(web: Web, fetcher: Fetcher, status: int) -> None:
    """The rest waits for the next run."""
    web.page("/compare/0", PAGE)
    web.page("/compare/1", status=status)
    url = web.page("/sitemap.xml", sitemap(*(f"/compare/{number}" for number in range(9))))
    _, _, stopped, read = read_source(url, fetcher=fetcher)

    assert stopped == Unreadable(url, "its server asks us to slow down; 7 pages are left for the next run")
    assert isinstance(read, FeedRead)
    assert read.owed == 8


def test_a_server_that_fails_five_times_in_a_row_is_left_alone(web: Web, fetcher: Fetcher) -> None:
    """A dead server must not cost a thousand time-outs; a good page in between starts the count again."""
    for number in range(20):
        web.page(f"/compare/{number:02}", PAGE if number == 3 else "sorry", status=200 if number == 3 else 500)
    url = web.page("/sitemap.xml", sitemap(*(f"/compare/{number:02}" for number in range(20))))
    *_, stopped, read = read_source(url, fetcher=fetcher)

    assert stopped == Unreadable(url, "5 of its pages in a row failed; 11 pages are left for the next run")
    assert len(web.seen) == 1 + 9
    assert isinstance(read, FeedRead)
    assert read.owed == 19


def test_a_broken_list_is_one_sentence(web: Web, fetcher: Fetcher) -> None:
    """It does not stop other sources: nothing is raised."""
    url = web.page("/feed.xml", "<rss><channel>", media_type="application/rss+xml")

    (broken,) = read_source(url, fetcher=fetcher)

    assert isinstance(broken, Unreadable)
    assert "not well-formed XML" in broken.why


def test_a_listed_address_inside_is_refused(web: Web, fetcher: Fetcher) -> None:
    """A list may not send us where a redirect may not."""
    url = web.page("/sitemap.xml", sitemap("http://169.254.169.254/compare/a"))
    refused, _ = read_source(url, fetcher=fetcher)

    assert isinstance(refused, Unreadable)
    assert "169.254.169.254 is not a public address" in refused.why


def test_a_listed_page_is_never_taken_for_a_list(web: Web, fetcher: Fetcher) -> None:
    """Lists of lists are for sitemap indexes only."""
    web.page("/compare/a", sitemap("/compare/b"))
    first, read = read_source(web.page("/sitemap.xml", sitemap("/compare/a")), fetcher=fetcher)

    assert isinstance(first, Document)
    assert isinstance(read, FeedRead)


def test_a_stored_list_is_followed_too(web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    """A sitemap in a file or on standard input leads to its pages as if it were fetched."""
    url = web.page("/compare/a", PAGE)
    path = tmp_path / "sitemap.xml"
    path.write_text(sitemap(url))
    from_file = list(read_source(str(path), fetcher=fetcher))
    from_stdin = list(read_source("-", fetcher=fetcher, stdin=io.BytesIO(path.read_bytes())))

    assert [type(found) for found in from_file] == [Document, FeedRead]
    assert from_file[0] == from_stdin[0]


# — sitemap indexes —


def test_a_sitemap_index_leads_to_the_pages_of_its_sitemaps(web: Web, fetcher: Fetcher) -> None:
    """Plain and gzipped; pages in several of them are fetched once; the index itself is always read again."""
    for name in "abc":
        web.page(f"/compare/{name}", PAGE)
    one_url = web.page("/1.xml", sitemap("/compare/a", "/compare/b"), ETag='"1"')
    two_url = web.page("/2.xml.gz", gzip.compress(sitemap("/compare/b", "/compare/c").encode()), ETag='"2"')
    url = web.page("/sitemap.xml", index("/1.xml", "/2.xml.gz"), ETag='"i"')
    *pages, top, first, second = read_source(url, fetcher=fetcher)

    assert [page.name for page in pages] == [web.url(f"/compare/{name}") for name in "abc"]
    assert top == FeedRead(url, kind="sitemap index", pages=0, ignored=0, owed=0, validators=Validators())
    assert first == FeedRead(one_url, kind="sitemap", pages=2, ignored=0, owed=0, validators=Validators('"1"'))
    assert second == FeedRead(two_url, kind="sitemap", pages=2, ignored=0, owed=0, validators=Validators('"2"'))


def test_the_sitemaps_of_an_index_fail_one_by_one(web: Web, fetcher: Fetcher) -> None:
    """Missing, broken, unchanged, no sitemap at all: the others are worked off."""
    web.page("/compare/a", PAGE)
    web.page("/good.xml", sitemap("/compare/a"))
    web.page("/broken.xml", "<urlset>")
    web.page("/page.xml", PAGE)
    same = web.conditional("/same.xml", sitemap("/compare/b"), etag='"v1"')
    store = {same: Validators(etag='"v1"')}
    listed = ["/missing.xml", "/broken.xml", "/page.xml", "/same.xml", "/good.xml"]
    url = web.page("/sitemap.xml", index(*listed))

    found = list(read_source(url, fetcher=fetcher, known=store.get))

    assert [type(each) for each in found] == [*[Unreadable] * 3, Unchanged, Document, FeedRead, FeedRead]
    assert str(found[2]) == f"{web.url('/page.xml')} was not read: {url} calls it a sitemap, and it is none"


def test_sitemap_indexes_in_a_circle_end(web: Web, fetcher: Fetcher) -> None:
    """Each address is asked once, and there is a number after which no more are."""
    web.page("/a.xml", index("/b.xml", "/a.xml"))
    web.page("/b.xml", index("/a.xml"))
    list(read_source(web.url("/a.xml"), fetcher=fetcher))

    assert web.paths() == ["/a.xml", "/b.xml"]


def test_an_endless_chain_of_sitemaps_ends(web: Web, fetcher: Fetcher) -> None:
    """Fifty further ones, then a sentence."""

    def next_one(handler: BaseHTTPRequestHandler) -> None:
        number = int(handler.path.strip("/"))
        body = index(f"/{number + 1}").encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    for number in range(99):
        web.on(f"/{number}", next_one)
    found = list(read_source(web.url("/0"), fetcher=fetcher))

    assert len(web.seen) == 51
    assert [each.why for each in found if isinstance(each, Unreadable)] == [
        "it leads to more than 50 sitemaps or 50,000 pages; the sitemaps after that are not read"
    ]


def test_an_index_of_very_many_pages_is_not_held_in_memory(
    web: Web, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more pages at hand than many runs could fetch, no further sitemap is read."""
    monkeypatch.setattr(sources, "MOST_LISTED", 3)
    for number in range(9):
        web.page(f"/{number}.xml", sitemap(f"/compare/{number}a", f"/compare/{number}b"))
    url = web.page("/sitemap.xml", index(*(f"/{number}.xml" for number in range(9))))
    list(read_source(url, fetcher=fetcher))

    assert [path for path in web.paths() if path.endswith(".xml")] == ["/sitemap.xml", "/0.xml", "/1.xml"]
