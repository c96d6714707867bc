"""The outbound fetcher against real servers on loopback, well-behaved and hostile."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.sources.fetching import AGENT, Fetched, Fetcher, FetchFailed
from digest.sources.wire import Patience
from tests.digest.small_web import Web, serving

SHORT = Patience(connect=0.4, read=0.4, total=0.8)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def fetcher(web: Web) -> Iterator[Fetcher]:
    with Fetcher(frozenset({web.place})) as fetcher:
        yield fetcher


@pytest.fixture
def hasty(web: Web) -> Iterator[Fetcher]:
    with Fetcher(frozenset({web.place}), patience=SHORT) as fetcher:
        yield fetcher


# — answers —


def test_a_page_comes_with_its_bytes_and_what_the_server_said_of_it(web: Web, fetcher: Fetcher) -> None:
    """Body, final address, media type, charset and both validators."""
    url = web.page(
        "/compare/a-vs-b",
        "Käse",
        media_type="Text/HTML; Charset=UTF-8",
        ETag='"v1"',
        Last_Modified="Wed, 18 Nov 2026 09:00:00 GMT",
    )

    assert fetcher.get(f"{url}#verdict") == Fetched(
        url=url,
        status=200,
        body="Käse".encode(),
        media_type="text/html",
        charset="utf-8",
        etag='"v1"',
        last_modified="Wed, 18 Nov 2026 09:00:00 GMT",
    )


def test_the_request_says_who_we_are_and_nothing_else(web: Web, fetcher: Fetcher) -> None:
    """A User-Agent that names the newsletter; no cookies, no credentials, no referrer, even after being given some."""
    url = web.page("/", "hello", Set_Cookie="track=1")
    fetcher.get(url)
    fetcher.get(url)

    assert [sorted(asked.headers) for asked in web.seen] == [["Accept", "Accept-Encoding", "Host", "User-Agent"]] * 2
    assert {asked.headers["User-Agent"] for asked in web.seen} == {AGENT}


def test_validators_are_sent_back_and_an_unchanged_page_has_no_body(web: Web, fetcher: Fetcher) -> None:
    """304 is an answer, not an error."""
    url = web.conditional("/", "hello", etag='"v1"')
    first = fetcher.get(url)
    again = fetcher.get(url, etag=first.etag, last_modified="Wed, 18 Nov 2026 09:00:00 GMT")

    assert (first.unchanged, again.unchanged, again.body) == (False, True, b"")
    assert web.seen[1].headers["If-Modified-Since"] == "Wed, 18 Nov 2026 09:00:00 GMT"


def test_an_unchanged_that_nobody_asked_for_is_a_failure(web: Web, fetcher: Fetcher) -> None:
    """Without validators of ours there is nothing it could be unchanged from."""
    with pytest.raises(FetchFailed, match=r"answered 304 \(Not Modified\)"):
        fetcher.get(web.page("/", status=304))


@pytest.mark.parametrize("etag", ["x" * 501, "\xfc", "a\x7fb"])
def test_a_validator_that_could_not_be_kept_is_none(web: Web, fetcher: Fetcher, etag: str) -> None:
    """Too long for its column, or not printable ASCII."""
    assert fetcher.get(web.page("/", "hello", ETag=etag)).etag is None


def test_a_validator_that_is_no_header_value_is_not_sent(web: Web, fetcher: Fetcher) -> None:
    """A line break in a stored value cannot grow a header of its own."""
    fetcher.get(web.page("/", "hello"), etag='"v1"\r\nX-Injected: yes')

    assert not {"X-Injected", "If-None-Match"} & set(web.seen[0].headers)


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_an_answer(web: Web, fetcher: Fetcher, status: int) -> None:
    """404 and 410 are reported as they are, without their body."""
    url = web.page("/", "nothing here", status=status)

    assert fetcher.get(url) == Fetched(url=url, status=status)
    assert fetcher.get(url).gone


@pytest.mark.parametrize("status", [201, 204, 206, 300, 401, 403, 429, 500, 503, 599])
def test_any_other_status_is_a_failure_that_names_it(web: Web, fetcher: Fetcher, status: int) -> None:
    """The status is in the sentence and on the error."""
    with pytest.raises(FetchFailed, match=f"answered {status}") as failed:
        fetcher.get(web.page("/", status=status))

    assert failed.value.status == status


# — limits of size —


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(size=st.integers(0, 4_000), packed=st.booleans())
def test_a_body_is_had_whole_up_to_the_limit_and_not_at_all_beyond(
    web: Web, fetcher: Fetcher, size: int, packed: bool
) -> None:
    """The limit counts unpacked bytes; the last byte allowed is still read."""
    body = bytes(number % 251 for number in range(size))
    url = web.page("/", gzip.compress(body), Content_Encoding="gzip") if packed else web.page("/", body)

    if size <= 2_000:
        assert fetcher.get(url, max_bytes=2_000).body == body
    else:
        with pytest.raises(FetchFailed, match="MB"):
            fetcher.get(url, max_bytes=2_000)


def test_a_body_declared_too_large_is_not_read(web: Web, fetcher: Fetcher) -> None:
    """The sentence gives both numbers."""
    url = web.raw("/", b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")

    with pytest.raises(FetchFailed) as failed:
        fetcher.get(url)

    assert failed.value.why == "it is 50 MB; at most 5 MB are read"
    assert str(failed.value) == f"{url} was not fetched: it is 50 MB; at most 5 MB are read"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 ",
        b"",
    ],
    ids=["body", "chunk-size", "header", "status", "nothing"],
)
def test_an_answer_without_end_ends_here(web: Web, fetcher: Fetcher, head: bytes) -> None:
    """Body, chunk size, header or status line: whatever is sent without end, reading stops."""
    with pytest.raises(FetchFailed):
        fetcher.get(web.raw("/", head, again=b"7" * 65_536), max_bytes=1_000_000)


def test_headers_without_end_end_here(web: Web, fetcher: Fetcher) -> None:
    """Many small headers are as bad as one long one."""
    with pytest.raises(FetchFailed):
        fetcher.get(web.raw("/", b"HTTP/1.1 200 OK\r\n", again=b"X: y\r\n" * 1_000))


def test_provisional_answers_without_end_end_here(web: Web, fetcher: Fetcher) -> None:
    """100 Continue may come before an answer, not instead of one."""
    with pytest.raises(FetchFailed, match="larger than 1 MB"):
        fetcher.get(web.raw("/", again=b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000), max_bytes=1_000_000)


def test_a_small_body_that_unpacks_without_end_is_not_unpacked(web: Web, fetcher: Fetcher) -> None:
    """100 MB of zeros travel as 100 KB; memory stays at the limit, not at the bomb."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    url = web.page("/", bomb, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(FetchFailed, match="larger than 1 MB"):
            fetcher.get(url, max_bytes=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000


# — limits of time —


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["status", "header", "body"]
)
def test_a_byte_now_and_then_does_not_keep_us(web: Web, hasty: Fetcher, head: bytes) -> None:
    """Each byte comes within the read time-out; the wall clock ends it all the same."""
    began = time.monotonic()
    with pytest.raises(FetchFailed, match=r"longer than 0\.8 seconds"):
        hasty.get(web.raw("/", head, again=b"x", pause=0.1))

    assert time.monotonic() - began < 4


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["at once", "midway"])
def test_silence_does_not_keep_us(web: Web, hasty: Fetcher, said: bytes) -> None:
    """A server that takes the question and says nothing, or stops in the middle."""
    with pytest.raises(FetchFailed, match=r"said nothing for 0\.4 seconds"):
        hasty.get(web.silence("/", said))


def test_redirects_share_one_clock(web: Web, hasty: Fetcher) -> None:
    """Five slow redirects do not get five times the patience."""
    for number in range(5):
        web.redirect(f"/{number}", f"/{number + 1}", after=0.3)
    began = time.monotonic()
    with pytest.raises(FetchFailed, match=r"longer than 0\.8 seconds"):
        hasty.get(web.url("/0"))

    assert time.monotonic() - began < 4


# — broken answers —


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello",
    ],
    ids=["hung up", "not HTTP", "no status", "cut off", "cut chunk", "no chunk", "two lengths"],
)
def test_a_broken_answer_is_a_failure_never_half_a_page(web: Web, fetcher: Fetcher, said: bytes) -> None:
    """What was cut off is not passed on as if it were whole; a fresh connection that fails is not tried again."""
    with pytest.raises(FetchFailed, match="broke off or is not proper HTTP"):
        fetcher.get(web.raw("/", said))

    assert len(web.seen) == 1


def test_a_body_may_come_in_chunks(web: Web, fetcher: Fetcher) -> None:
    """Chunked transfer is put together, also under gzip."""
    packed = gzip.compress(b"hello, reader")
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(packed[at : at + 7]), packed[at : at + 7]) for at in range(0, len(packed), 7)
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert fetcher.get(web.raw("/", head, chunks, b"0\r\n\r\n")).body == b"hello, reader"


def test_a_compressed_body_may_have_several_members(web: Web, fetcher: Fetcher) -> None:
    """RFC 1952 allows it, and log-like generators do it."""
    body = gzip.compress(b"hello, ") + gzip.compress(b"reader")

    assert fetcher.get(web.page("/", body, Content_Encoding="x-gzip")).body == b"hello, reader"


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("gzip", gzip.compress(b"hello, reader", mtime=0)[:-9], "ends too early"),
        ("gzip", b"hello, reader", "compression is broken"),
        ("br", b"hello, reader", "not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0), "not asked for"),
    ],
)
def test_a_compression_we_cannot_undo_is_a_failure(
    web: Web, fetcher: Fetcher, encoding: str, body: bytes, why: str
) -> None:
    """Cut off, no gzip at all, another kind, or twice."""
    with pytest.raises(FetchFailed, match=why):
        fetcher.get(web.page("/", body, Content_Encoding=encoding))


def test_a_server_that_is_not_there_is_named(web: Web) -> None:
    """Nothing listens: the sentence says where."""
    with (
        Fetcher(frozenset({"127.0.0.2:9"})) as fetcher,
        pytest.raises(FetchFailed, match=r"nothing answers at 127\.0\.0\.2:9"),
    ):
        fetcher.get("http://127.0.0.2:9/")
