"""Lists of pages, as sites publish them."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import DigestError
from digest.sources import feeds
from digest.sources.feeds import Feed, FeedBroken, Listed

SITE = "https://verdicts.example.com"
NINE = datetime(2026, 11, 18, 9, tzinfo=UTC)

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">
  <channel>
    <title>New comparisons</title>
    <link>https://verdicts.example.com/</link>
    <atom:link rel="self" href="https://verdicts.example.com/feed.xml"/>
    <item>
      <title>Loom &amp; Co vs Spindle</title>
      <link>https://verdicts.example.com/compare/loom-vs-spindle#verdict</link>
      <pubDate>Wed, 18 Nov 2026 10:00:00 +0100</pubDate>
    </item>
    <item>
      <guid>https://verdicts.example.com/compare/anvil-vs-bellows</guid>
      <description>&lt;a href="https://verdicts.example.com/compare/no-vs-no">not this&lt;/a></description>
    </item>
    <item>
      <link>/compare/loom-vs-spindle</link>
      <title>Seen before</title>
    </item>
    <item><link>https://verdicts.example.com/tool/loom</link></item>
    <item><guid isPermaLink="false">compare/7</guid></item>
  </channel>
</rss>
"""

RSS_ONE = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
         xmlns:dc="http://purl.org/dc/elements/1.1/">
  <channel rdf:about="https://verdicts.example.com/"><title>New comparisons</title></channel>
  <item rdf:about="https://verdicts.example.com/compare/loom-vs-spindle">
    <title>Loom vs Spindle</title>
    <link>https://verdicts.example.com/compare/loom-vs-spindle</link>
    <dc:date>2026-11-18T09:00:00Z</dc:date>
  </item>
</rdf:RDF>
"""

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://verdicts.example.com/news/">
  <title>New comparisons</title>
  <link rel="self" href="feed.atom"/>
  <entry>
    <title type="text">Loom vs Spindle</title>
    <link rel="enclosure" href="/compare/not-vs-this"/>
    <link rel="alternate" type="application/json" href="/compare/nor-vs-this"/>
    <link rel="alternate" type="text/html" href="../compare/loom-vs-spindle"/>
    <published>2026-11-18T09:00:00Z</published>
    <updated>2026-11-20T12:30:00.5+02:00</updated>
  </entry>
  <entry xml:base="https://other.example.org/a/">
    <link href="compare/anvil-vs-bellows"/>
    <updated>2026-11-18T09:00:00Z</updated>
  </entry>
  <entry><title>No address</title></entry>
</feed>
"""

SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">
  <url><loc>https://verdicts.example.com/</loc></url>
  <url><loc>
     https://verdicts.example.com/compare/loom-vs-spindle
  </loc><lastmod>2026-11-18</lastmod></url>
  <url>
    <loc>https://verdicts.example.com/compare/anvil-vs-bellows</loc>
    <news:news><news:publication_date>2026-11-18T09:00:00Z</news:publication_date></news:news>
  </url>
  <url><loc>https://verdicts.example.com/compare/</loc></url>
</urlset>
"""

INDEX = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
  <sitemap><loc>https://verdicts.example.com/sitemap-1.xml</loc></sitemap>
  <sitemap><loc>https://verdicts.example.com/sitemap-2.xml.gz</loc><lastmod>2026-11-18</lastmod></sitemap>
  <sitemap><loc>https://verdicts.example.com/sitemap-1.xml</loc></sitemap>
</sitemapindex>
"""


def json_feed(*items: object, version: str = "https://jsonfeed.org/version/1.1") -> bytes:
    return json.dumps({"version": version, "title": "New comparisons", "items": items}).encode()


def rss(*items: str) -> bytes:
    return f"<rss version='2.0'><channel>{''.join(f'<item>{item}</item>' for item in items)}</channel></rss>".encode()


# — the five kinds —


def test_rss_lists_its_items() -> None:
    """Link or permanent guid, date in UTC; fragments and repetitions gone; what is no comparison is counted."""
    assert feeds.read(RSS.encode(), "application/rss+xml", f"{SITE}/feed.xml") == Feed(
        kind="RSS",
        pages=(
            Listed(f"{SITE}/compare/loom-vs-spindle", published_at=NINE, title="Loom & Co vs Spindle"),
            Listed(f"{SITE}/compare/anvil-vs-bellows"),
        ),
        ignored=2,
    )


def test_rss_1_0_lists_its_items() -> None:
    """RDF with Dublin Core dates."""
    assert feeds.read(RSS_ONE.encode()) == Feed(
        kind="RSS",
        pages=(Listed(f"{SITE}/compare/loom-vs-spindle", published_at=NINE, title="Loom vs Spindle"),),
    )


def test_atom_lists_its_entries() -> None:
    """The alternate that is HTML, resolved against xml:base; published is not updated."""
    assert feeds.read(ATOM.encode()) == Feed(
        kind="Atom",
        pages=(
            Listed(
                f"{SITE}/compare/loom-vs-spindle",
                published_at=NINE,
                changed_at=datetime(2026, 11, 20, 10, 30, 0, 500_000, tzinfo=UTC),
                title="Loom vs Spindle",
            ),
            Listed("https://other.example.org/a/compare/anvil-vs-bellows", changed_at=NINE),
        ),
        ignored=1,
    )


@pytest.mark.parametrize("version", ["https://jsonfeed.org/version/1", "https://jsonfeed.org/version/1.1"])
def test_a_json_feed_lists_its_items(version: str) -> None:
    """Versions 1.0 and 1.1; items that are no objects or have no address are counted."""
    body = json_feed(
        {"id": "1", "url": "/compare/loom-vs-spindle", "title": "Loom vs Spindle", "date_published": NINE.isoformat()},
        {"id": "2", "url": 7},
        "nonsense",
        version=version,
    )

    assert feeds.read(body, "application/feed+json", f"{SITE}/feed.json") == Feed(
        kind="JSON Feed",
        pages=(Listed(f"{SITE}/compare/loom-vs-spindle", published_at=NINE, title="Loom vs Spindle"),),
        ignored=2,
    )


def test_a_sitemap_lists_its_addresses() -> None:
    """A last change is not a publication: a corrected typo must not make an old page news."""
    assert feeds.read(SITEMAP.encode()) == Feed(
        kind="sitemap",
        pages=(
            Listed(f"{SITE}/compare/loom-vs-spindle", changed_at=datetime(2026, 11, 18, tzinfo=UTC)),
            Listed(f"{SITE}/compare/anvil-vs-bellows", published_at=NINE),
        ),
        ignored=2,
    )


def test_a_sitemap_index_leads_to_further_sitemaps() -> None:
    """Each once, in order; they are not pages."""
    assert feeds.read(INDEX.encode()) == Feed(
        kind="sitemap index", sitemaps=(f"{SITE}/sitemap-1.xml", f"{SITE}/sitemap-2.xml.gz")
    )


# — telling lists from pages —


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \n",
        b"Compare/Loom vs Spindle\n\nLoom vs Spindle",
        b"<!doctype html><html><head><title>Loom vs Spindle</title></head><body><rss></rss></body></html>",
        b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd"><html></html>',
        b'{"tools": [{"name": "Loom"}, {"name": "Spindle"}]}',
        b'[{"tools": [{"name": "Loom"}, {"name": "Spindle"}]}]',
        b'{"tools": [{"name": "Loom"}]}\n{"tools": []}\n',
        b'{"tools": [], "version": "https://jsonfeed.org.example/", "items": []}',
        b'{"tools": [], "title": "about https://jsonfeed.org/version/1.1"}',
        b"https://jsonfeed.org/version/1.1 is an address in a text",
        b"\x00\xff\xfe binary",
        b"<rssy><channel/></rssy>",
    ],
)
def test_what_is_no_list_is_none(body: bytes) -> None:
    """Pages as text or HTML, comparisons in JSON or JSON Lines, and noise."""
    assert feeds.read(body, None, f"{SITE}/") is None


@pytest.mark.parametrize("media_type", [None, "text/html", "text/plain", "application/octet-stream"])
def test_a_list_is_told_by_its_content(media_type: str | None) -> None:
    """Servers call their feeds all sorts of things."""
    feed = feeds.read(RSS.encode(), media_type)

    assert feed is not None
    assert feed.kind == "RSS"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_may_begin_with_a_byte_order_mark(encoding: str) -> None:
    """UTF-8 with a mark, and UTF-16."""
    feed = feeds.read(ATOM.replace("utf-8", encoding.removesuffix("-sig")).encode(encoding))

    assert feed is not None
    assert len(feed.pages) == 2


def test_a_sitemap_may_be_stored_gzipped() -> None:
    """`sitemap.xml.gz` is a file that is gzipped, not a transfer that is."""
    assert feeds.read(gzip.compress(SITEMAP.encode())) == feeds.read(SITEMAP.encode())


# — addresses —


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://a.example/compare/x-vs-y", True),
        ("https://a.example/en/compare/x-vs-y?ref=feed", True),
        ("http://a.example:8000/compare/x-vs-y", True),
        ("https://a.example/compare/", False),
        ("https://a.example/compare", False),
        ("https://a.example/compare//", False),
        ("https://a.example/tool/x?next=/compare/x-vs-y", False),
        ("https://a.example/#/compare/x-vs-y", False),
        ("ftp://a.example/compare/x-vs-y", False),
        ("/compare/x-vs-y", False),
    ],
)
def test_a_comparison_page_is_known_by_its_path(url: str, is_one: bool) -> None:
    """`/compare/` and something after it, in the path and nowhere else."""
    assert feeds.is_comparison(url) is is_one


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)//compare/x",
        "ftp://a.example/compare/x-vs-y",
        "http:///compare/x-vs-y",
        "http://[::1/compare/x-vs-y",
        f"https://a.example/compare/{'x' * 2_000}",
        " ",
    ],
)
def test_an_address_nobody_could_fetch_is_ignored(href: str) -> None:
    """Other schemes, no host, broken, endless, blank."""
    assert feeds.read(rss(f"<link>{href}</link>"), None, f"{SITE}/") == Feed(kind="RSS", ignored=1)


def test_a_relative_address_needs_a_place_to_start_from() -> None:
    """From a stored file it leads nowhere and is counted as ignored."""
    body = rss("<link>/compare/loom-vs-spindle</link>")

    assert feeds.read(body) == Feed(kind="RSS", ignored=1)
    assert feeds.read(INDEX.replace(SITE, "").encode()) == Feed(kind="sitemap index", ignored=3)
    assert feeds.read(body, None, f"{SITE}/feed.xml") == Feed(
        kind="RSS", pages=(Listed(f"{SITE}/compare/loom-vs-spindle"),)
    )


@given(st.lists(st.sampled_from("abcdef")))
def test_each_page_is_listed_once_in_the_order_of_the_list(names: list[str]) -> None:
    """The first mention counts."""
    body = rss(*(f"<link>{SITE}/compare/{name}</link><title>{at}</title>" for at, name in enumerate(names)))
    feed = feeds.read(body)

    assert feed is not None
    assert [(page.url[-1], page.title) for page in feed.pages] == [
        (name, str(names.index(name))) for name in dict.fromkeys(names)
    ]


# — dates —


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 - the zone comes beside it
    st.integers(-14 * 60, 14 * 60),
)
def test_both_kinds_of_dates_are_read_with_their_zone(naive: datetime, minutes: int) -> None:
    """RFC 3339 to the microsecond, RFC 822 to the second; always in UTC."""
    written = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert feeds.moment(written.isoformat()) == written
    assert feeds.moment(format_datetime(written)) == written.replace(microsecond=0)
    assert str(getattr(feeds.moment(written.isoformat()), "tzinfo", None)) == "UTC"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-18", datetime(2026, 11, 18, tzinfo=UTC)),
        ("2026-11-18T09:00:00", NINE),
        ("Wed, 18 Nov 2026 09:00:00 GMT", NINE),
        ("18 Nov 2026 04:00:00 EST", NINE),
        ("Wed, 18 Nov 2026 09:00:00 -0000", NINE),
        ("Wed, 18 Nov 2026 09:00:00", NINE),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        ("Wed, 99 Nov 2026 09:00:00 GMT", None),
    ],
)
def test_dates_as_they_are_found(written: str | None, read: datetime | None) -> None:
    """Days alone, no zone, old zone names; what is no date is none."""
    assert feeds.moment(written) == read


def test_a_date_without_a_zone_does_not_depend_on_where_this_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """UTC is meant, in Tokyo too."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert feeds.moment("2026-11-18T09:00:00") == NINE
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    """It is a moment with a zone, or it is none."""
    moment = feeds.moment(text)

    assert moment is None or moment.utcoffset() == timedelta(0)


# — hostile and broken —


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (RSS.encode()[:600], r"list of pages \(RSS\), but not well-formed XML"),
        (b"<urlset><url><loc>https://a.example/compare/x</url></urlset>", "not well-formed"),
        (b"<feed>&nbsp;</feed>", "not well-formed"),
        (b"<?xml version='1.0' encoding='no-such-thing'?><rss/>", "not well-formed"),
        (b'<!DOCTYPE rss [<!ENTITY a "b">]><rss>&a;</rss>', "declares XML entities"),
        (b'<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss>&a;</rss>', "declares XML entities"),
        (b"<rss>" + b"<a/>" * 1_000_001 + b"</rss>", "more than 500,000 elements"),
        (gzip.compress(RSS.encode())[:-20], "cut off"),
        (b"\x1f\x8b nothing of the kind", "gzip file and broken"),
        (gzip.compress(bytes(50_000_001)), "larger than 50 MB unpacked"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "title": "x"}', "without items"),
    ],
)
def test_a_broken_list_is_said_to_be_broken(body: bytes, why: str) -> None:
    """Cut off, not XML, entity bombs and their cousins: one clause, no traceback."""
    with pytest.raises(FeedBroken, match=why) as broken:
        feeds.read(body)

    assert isinstance(broken.value, DigestError)
    assert "\n" not in str(broken.value)


def test_a_declared_json_feed_that_is_no_json_is_said_to_be_broken() -> None:
    """Its media type promised; without that promise the same bytes are just text."""
    with pytest.raises(FeedBroken, match="not JSON"):
        feeds.read(b"{", "application/feed+json")

    assert feeds.read(b"{", "application/json") is None


def test_deeply_nested_lists_break_nothing() -> None:
    """A hundred thousand levels, in XML and in JSON, in the time of as many neighbours."""
    levels = 50_000
    feed = feeds.read(b"<rss>" + b"<item><title>" * levels + b"</title></item>" * levels + b"</rss>")

    assert feed == Feed(kind="RSS", ignored=1)
    assert feeds.read(b'{"version": "https://jsonfeed.org/version/1.1", "items": ' + b"[" * 100_000) is None


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"<rss><channel>{text}</channel></rss>".encode())
)
def test_any_bytes_are_a_list_or_none_or_broken(body: bytes) -> None:
    """Nothing else comes out, whatever goes in."""
    try:
        feed = feeds.read(body, None, f"{SITE}/")
    except FeedBroken:
        return
    assert feed is None or all(feeds.is_comparison(page.url) for page in feed.pages)


@given(st.text(max_size=60) | st.text("ab \n", min_size=300, max_size=900))
def test_a_title_is_one_clean_line(title: str) -> None:
    """No controls, no line breaks, at most 300 characters, and none instead of nothing."""
    body = json_feed({"url": f"{SITE}/compare/a-vs-b", "title": title})
    feed = feeds.read(body)

    assert feed is not None
    listed = feed.pages[0].title
    assert listed is None or (listed == " ".join(listed.split()) and 0 < len(listed) <= 300)


@given(st.text(st.characters(exclude_categories=["C"]), max_size=60))
def test_markup_in_a_title_is_text(title: str) -> None:
    """RSS and JSON Feed give the same title for the same words."""
    written = escape(title)
    in_xml = feeds.read(rss(f"<link>{SITE}/compare/a-vs-b</link><title>{written}</title>"))
    in_json = feeds.read(json_feed({"url": f"{SITE}/compare/a-vs-b", "title": title}))

    assert in_xml is not None
    assert in_json is not None
    assert in_xml.pages == in_json.pages
