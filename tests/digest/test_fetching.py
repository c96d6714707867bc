"""The outbound fetcher against real servers on loopback, well-behaved and hostile."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import DigestError
from digest.fetching import AGENT, Fetched, Fetcher, FetchFailed, FetchRefused
from digest.wire import Patience
from tests.digest.small_web import Web, serving

SHORT = Patience(connect=0.4, read=0.4, total=0.8)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def inside() -> Iterator[Web]:
    """A second server, which nobody allowed."""
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


@dataclass
class Names:
    """A name server of our own; remembers what it was asked."""

    answers: dict[str, Sequence[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[host]


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
        ("gzip", gzip.compress(b"hello, reader")[:-9], "ends too early"),
        ("gzip", b"hello, reader", "compression is broken"),
        ("br", b"hello, reader", "not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello")), "not asked for"),
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


# — where it may go —


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://localhost./",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://0/",
        "https://93.184.215.14:8443/",
        "http://ann:secret@127.0.0.1/",
        "ftp://93.184.215.14/",
        "file:///etc/passwd",
    ],
)
def test_a_place_that_is_not_the_open_web_is_refused(url: str) -> None:
    """However it is spelled; nothing of the refusal repeats a password."""
    with Fetcher() as fetcher, pytest.raises(FetchRefused) as refused:
        fetcher.get(url)

    assert isinstance(refused.value, DigestError)
    assert "secret" not in str(refused.value)


def test_a_name_that_leads_inside_is_refused_without_a_connection(inside: Web) -> None:
    """`localhost` is a name like any other: what counts is where it leads."""
    with (
        Fetcher() as fetcher,
        pytest.raises(FetchRefused, match=r"localhost leads to (127\.0\.0\.1|::1), which is not"),
    ):
        fetcher.get("http://localhost/")
    with Fetcher() as fetcher, pytest.raises(FetchRefused, match=f"port {inside.port} is neither 80 nor 443"):
        fetcher.get(inside.url())

    assert inside.connections == 0


def test_one_inside_address_among_public_ones_is_enough_to_refuse() -> None:
    """Whoever owns the name chooses which address is tried first."""
    names = Names({"pages.example": ["93.184.215.14", "10.0.0.1"]})
    with Fetcher(resolve=names) as fetcher, pytest.raises(FetchRefused, match=r"pages\.example leads to 10\.0\.0\.1"):
        fetcher.get("http://pages.example/")


def test_a_port_is_refused_before_the_name_is_looked_up() -> None:
    """A lookup would tell the owner of the name that we came."""
    names = Names({"pages.example": ["93.184.215.14"]})
    with Fetcher(resolve=names) as fetcher, pytest.raises(FetchRefused, match="port 8080"):
        fetcher.get("http://pages.example:8080/")

    assert names.asked == []


def test_a_name_nobody_knows_is_a_failure() -> None:
    """No address, or a name server that does not answer."""

    def nobody(host: str, port: int) -> Sequence[str]:
        raise OSError

    with Fetcher(resolve=nobody) as fetcher, pytest.raises(FetchFailed, match=r"pages\.example could not be looked up"):
        fetcher.get("http://pages.example/")
    with Fetcher(resolve=Names({"pages.example": []})) as fetcher, pytest.raises(FetchFailed, match="leads nowhere"):
        fetcher.get("http://pages.example/")


def test_the_connection_goes_to_the_address_that_was_judged(web: Web) -> None:
    """One lookup per question, and no second one by the connection: the name exists in no name server."""
    names = Names({"pages.example": ["127.0.0.1"]})
    place = f"pages.example:{web.port}"
    web.page("/", "hello")
    with Fetcher(frozenset({place}), resolve=names) as fetcher:
        assert fetcher.get(f"http://{place}/").body == b"hello"

    assert names.asked == ["pages.example"]
    assert web.seen[0].headers["Host"] == place


def test_a_name_that_changes_its_mind_is_judged_again(web: Web) -> None:
    """A kept connection belongs to one address; when the name leads elsewhere it is not used."""
    names = Names({"pages.example": ["127.0.0.1"]})
    place = f"pages.example:{web.port}"
    web.page("/", "hello")
    with Fetcher(frozenset({place}), resolve=names) as fetcher:
        fetcher.get(f"http://{place}/")
        names.answers["pages.example"] = ["127.0.0.2"]
        with pytest.raises(FetchFailed, match="nothing answers"):
            fetcher.get(f"http://{place}/")

    assert web.connections == 1


def test_the_next_address_is_tried_when_the_first_does_not_answer(web: Web) -> None:
    """A name with a dead address among its addresses is still reached."""
    place = f"pages.example:{web.port}"
    web.page("/", "hello")
    with Fetcher(frozenset({place}), resolve=Names({"pages.example": ["127.0.0.2", "127.0.0.1"]})) as fetcher:
        assert fetcher.get(f"http://{place}/").body == b"hello"


def test_proxies_of_the_environment_are_not_used(
    web: Web, inside: Web, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would look the name up again, out of our sight."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, inside.url())

    assert fetcher.get(web.page("/", "hello")).body == b"hello"
    assert inside.connections == 0


# — redirects —


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_the_answer_says_where_from(web: Web, fetcher: Fetcher, status: int) -> None:
    """Every kind of redirect is a GET again for us."""
    target = web.page("/new", "hello")

    assert fetcher.get(web.redirect("/old", "/new#part", status)) == Fetched(
        url=target, status=200, body=b"hello", media_type="text/html"
    )


def test_five_redirects_are_followed_and_six_are_not(web: Web, fetcher: Fetcher) -> None:
    """A circle has no end, so there is a number."""
    for number in range(6):
        web.redirect(f"/{number}", f"/{number + 1}")
    web.page("/6", "hello")

    assert fetcher.get(web.url("/1")).body == b"hello"
    with pytest.raises(FetchFailed, match="redirects more than 5 times"):
        fetcher.get(web.url("/0"))


def test_a_circle_of_redirects_ends(web: Web, fetcher: Fetcher) -> None:
    """Six questions, then a sentence."""
    with pytest.raises(FetchFailed, match="redirects more than 5 times"):
        fetcher.get(web.redirect("/", "/"))

    assert len(web.seen) == 6


def test_a_redirect_inside_is_refused_without_a_connection(web: Web, inside: Web, fetcher: Fetcher) -> None:
    """The allowed server may not send us to its neighbours; the sentence names where it wanted us to go."""
    with pytest.raises(FetchRefused) as refused:
        fetcher.get(web.redirect("/", inside.url("/secret")))

    assert inside.connections == 0
    assert refused.value.why == (
        f"it redirects to {inside.url('/secret')}, and port {inside.port} is neither 80 nor 443; "
        f"add {inside.place} to DIGEST_FETCH_ALLOW if you trust it"
    )


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "//[::1]/",
        "http://2130706433/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "javascript:alert(1)",
        "http://ann:secret@127.0.0.1/",
        "http://[::1",
    ],
)
def test_a_redirect_goes_through_the_same_gate(web: Web, fetcher: Fetcher, location: str) -> None:
    """Schemes, spellings, credentials and addresses are judged at every hop."""
    with pytest.raises(FetchRefused, match="it redirects to") as refused:
        fetcher.get(web.redirect("/", location))

    assert "secret" not in str(refused.value)


def test_an_exception_holds_for_redirects_too(web: Web, inside: Web) -> None:
    """Two allowed places may point to each other."""
    inside.page("/page", "hello")
    with Fetcher(frozenset({web.place, inside.place})) as fetcher:
        assert fetcher.get(web.redirect("/", inside.url("/page"))).url == inside.url("/page")


def test_a_redirect_without_an_address_is_a_failure(web: Web, fetcher: Fetcher) -> None:
    """302 alone says nothing."""
    with pytest.raises(FetchFailed, match="answered 302 without saying where to"):
        fetcher.get(web.page("/", status=302))


def test_a_redirect_in_plain_utf_8_is_understood(web: Web, fetcher: Fetcher) -> None:
    """Some servers do not escape what they send."""
    web.page("/caf%C3%A9", "hello")
    url = web.raw("/", "HTTP/1.1 302 Found\r\nLocation: /café\r\nContent-Length: 0\r\n\r\n".encode())

    assert fetcher.get(url).body == b"hello"


# — connections —


def test_pages_of_one_server_travel_over_one_connection(web: Web, fetcher: Fetcher) -> None:
    """Also past redirects and pages that are gone."""
    web.page("/new", "hello")
    web.redirect("/old", "/new")
    web.page("/gone", "sorry", status=404)
    for path in ["/new", "/old", "/gone", "/new"]:
        fetcher.get(web.url(path))

    assert web.connections == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again(web: Web, fetcher: Fetcher) -> None:
    """The server may hang up between two pages without saying so."""
    url = web.raw("/", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    assert [fetcher.get(url).body for _ in range(3)] == [b"hello"] * 3
    assert web.connections == 3


def test_a_kept_connection_that_closes_as_we_speak_is_opened_again(web: Web, fetcher: Fetcher) -> None:
    """The question and the farewell may cross: a GET is simply asked again, once."""

    def once_per_connection(handler: BaseHTTPRequestHandler) -> None:
        if hasattr(handler, "spent"):
            handler.close_connection = True
            return
        handler.spent = True  # type: ignore[attr-defined] # one handler is one connection
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    url = web.on("/", once_per_connection)

    assert [fetcher.get(url).body for _ in range(3)] == [b"hello"] * 3
    assert (web.connections, len(web.seen)) == (3, 5)


def test_few_connections_are_kept(web: Web) -> None:
    """A list of pages on a thousand hosts does not hold a thousand connections."""
    hosts = [f"host-{number}.example" for number in range(9)]
    names = Names({host: ["127.0.0.1"] for host in hosts})
    web.page("/", "hello")
    with Fetcher(frozenset(f"{host}:{web.port}" for host in hosts), resolve=names) as fetcher:
        for host in hosts:
            fetcher.get(f"http://{host}:{web.port}/")
        fetcher.get(f"http://{hosts[-1]}:{web.port}/")
        assert web.connections == 9
        fetcher.get(f"http://{hosts[0]}:{web.port}/")
        assert web.connections == 10


# — TLS —


@dataclass
class Authority:
    """A certificate authority of our own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority for tests")])
        self.certificate = self._sign(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self._pem(self.certificate).decode())

    def server(self, *names: x509.GeneralName) -> ssl.SSLContext:
        """The server's side, with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server")])
        certificate = self._sign(subject, key, x509.SubjectAlternativeName(names))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = self.folder / "server.pem"
        chain.write_bytes(private + self._pem(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(issuer_name=self.name, subject_name=subject, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self.key, hashes.SHA256())
        )

    @staticmethod
    def _pem(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _pages_example(web: Web, host: str = "pages.example") -> tuple[str, frozenset[str], Names]:
    place = f"{host}:{web.port}"
    return f"https://{place}/", frozenset({place}), Names({host: ["127.0.0.1"]})


def test_the_certificate_is_checked_against_the_name_not_the_pinned_address(authority: Authority) -> None:
    """The connection goes to a number; name indication and certificate are those of the address asked for."""
    indicated: list[str | None] = []
    context = authority.server(x509.DNSName("pages.example"))
    context.sni_callback = lambda _socket, name, _context: indicated.append(name)
    with serving(context) as web:
        web.page("/", "hello")
        url, allow, names = _pages_example(web)
        with Fetcher(allow, resolve=names, tls=authority.trusted()) as fetcher:
            assert fetcher.get(url).body == b"hello"

    assert indicated == ["pages.example"]


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    """Also when it is a good one for the very address we connect to."""
    context = authority.server(x509.DNSName("other.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    with serving(context) as web:
        url, allow, names = _pages_example(web)
        with (
            Fetcher(allow, resolve=names, tls=authority.trusted()) as fetcher,
            pytest.raises(FetchFailed, match=r"could not prove that it is pages\.example \(Hostname mismatch"),
        ):
            fetcher.get(url)

    assert web.seen == []


def test_a_certificate_nobody_vouches_for_is_refused(authority: Authority) -> None:
    """Without being told otherwise we trust the system's authorities only."""
    with serving(authority.server(x509.DNSName("pages.example"))) as web:
        url, allow, names = _pages_example(web)
        with Fetcher(allow, resolve=names) as fetcher, pytest.raises(FetchFailed, match="could not prove"):
            fetcher.get(url)

    assert web.seen == []


def test_a_certificate_may_be_for_an_ip_address(authority: Authority) -> None:
    """An address by number is proved by number."""
    context = authority.server(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    with serving(context) as web:
        web.page("/", "hello")
        with Fetcher(frozenset({web.place}), tls=authority.trusted()) as fetcher:
            assert fetcher.get(f"https://{web.place}/").body == b"hello"


def test_the_clock_runs_under_tls_too(authority: Authority) -> None:
    """A byte now and then, encrypted."""
    with serving(authority.server(x509.DNSName("pages.example"))) as web:
        web.raw("/", b"HTTP/1.1 200 OK\r\n\r\n", again=b"x", pause=0.1)
        url, allow, names = _pages_example(web)
        with (
            Fetcher(allow, resolve=names, tls=authority.trusted(), patience=SHORT) as fetcher,
            pytest.raises(FetchFailed, match=r"longer than 0\.8 seconds"),
        ):
            fetcher.get(url)


def test_a_handshake_that_never_ends_does_not_keep_us() -> None:
    """A machine that takes the connection and never says a word of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"127.0.0.1:{mute.getsockname()[1]}"
        with Fetcher(frozenset({place}), patience=SHORT) as fetcher, pytest.raises(FetchFailed, match="said nothing"):
            fetcher.get(f"https://{place}/")
