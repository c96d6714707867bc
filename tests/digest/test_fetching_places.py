"""Where the outbound fetcher goes and does not go: addresses, redirects, kept connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler

import pytest

from digest.errors import DigestError
from digest.sources.fetching import Fetched, Fetcher, FetchFailed, FetchRefused
from tests.digest.small_web import Names, Web, serving


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
