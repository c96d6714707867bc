"""Where the outbound fetcher may go."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.sources import reach
from digest.sources.reach import NotFetchable

INSIDE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
INSIDE_SIX = [
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]


def any_ip_in(networks: list[str]) -> st.SearchStrategy[str]:
    """An address out of one of these networks."""
    return st.sampled_from([ipaddress.ip_network(network) for network in networks]).flatmap(
        lambda network: st.integers(int(network[0]), int(network[-1])).map(
            lambda number: str(network[0] + (number - int(network[0])))
        )
    )


@given(any_ip_in(INSIDE))
def test_no_inside_ipv4_address_is_public_however_it_is_wrapped(address: str) -> None:
    """Private, loopback, link-local, shared, test and multicast blocks stay inside, also carried in IPv6."""
    number = int(ipaddress.IPv4Address(address))
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)
    nat64 = ipaddress.IPv6Address((0x64_FF9B << 96) | number)

    assert not any(reach.is_public(str(spelling)) for spelling in (address, mapped, six_to_four, nat64))


@given(any_ip_in(INSIDE_SIX))
def test_no_inside_ipv6_address_is_public(address: str) -> None:
    """Unique-local, link-local, site-local, documentation, Teredo and multicast blocks stay inside."""
    assert not reach.is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808", "::ffff:8.8.8.8"],
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    """IPv4, IPv6, and IPv4 as an IPv6-only network sees it."""
    assert reach.is_public(address)


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"])
def test_a_cloud_metadata_address_is_not_public(address: str) -> None:
    """These hand the machine's own keys to whoever asks from inside."""
    assert not reach.is_public(address)


@given(st.text(max_size=40))
def test_what_is_no_ip_address_is_not_public(text: str) -> None:
    """Anything not understood is treated as inside."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert not reach.is_public(text)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("http://example.com:80/a?b=c#d", "http://example.com/a?b=c"),
        ("https://example.com.:443/a", "https://example.com/a"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com/a b/ü", "https://example.com/a%20b/%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("http://[2001:DB8:0::1]/", "http://[2001:db8::1]/"),
        ("http://example.com?x", "http://example.com/?x"),
        ("http://example.com/a/../b", "http://example.com/b"),
        (" https://example.com/a\n", "https://example.com/a"),
    ],
)
def test_an_address_has_one_normal_form(written: str, url: str) -> None:
    """Lower-case ASCII host, no default port, no fragment, an encoded path."""
    assert reach.target(written).url == url


@pytest.mark.parametrize(
    "written",
    [
        "",
        "example.com/compare/a-vs-b",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://example.com:99999/",
        "http://example.com:http/",
        "http://exa mple.com/",
        "http://exa\nmple.com/",
        "http://-/",
        "http://１２７.0.0.1/",
        f"http://example.com/{'a' * 2_000}",
    ],
)
def test_what_is_no_web_address_is_refused(written: str) -> None:
    """Other schemes, no host, broken brackets, impossible ports, controls, look-alike digits, endless paths."""
    with pytest.raises(NotFetchable):
        reach.target(written)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "0", "1.2.3.4.5"])
def test_an_ip_address_in_an_old_spelling_is_refused(host: str) -> None:
    """Resolvers still read decimal, hex, octal and short forms; a check that did not would be walked around."""
    with pytest.raises(NotFetchable, match="neither a name nor an IP address"):
        reach.target(f"http://{host}/")


@pytest.mark.parametrize("userinfo", ["ann@", "ann:secret@", ":secret@", "public.example:80@"])
def test_credentials_in_an_address_are_refused(userinfo: str) -> None:
    """They would end up in logs, and "public.example:80@10.0.0.1" reads like something it is not."""
    with pytest.raises(NotFetchable, match="user name or password"):
        reach.target(f"http://{userinfo}10.0.0.1/")


def test_credentials_are_not_shown() -> None:
    """Neither user name nor password of an address goes into a message."""
    assert reach.without_credentials("http://ann:se@cret@example.com/@x") == "http://example.com/@x"


@given(st.text(max_size=60) | st.text("/:@[].%\\?#0123456789abx-_ \n", max_size=40).map(lambda rest: f"http://{rest}"))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    """No text breaks the reader, and what it reads it reads again the same way."""
    try:
        target = reach.target(text)
    except NotFetchable:
        return
    assert reach.target(target.url) == target


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "http://example.com/b"),
        ("c?d", "http://example.com/a/c?d"),
        ("//other.example/x", "http://other.example/x"),
        ("https://other.example", "https://other.example/"),
        ("#top", "http://example.com/a/"),
    ],
)
def test_a_redirect_is_read_from_where_we_are(location: str, url: str) -> None:
    """Absolute, relative to host, relative to page, relative to scheme."""
    assert reach.redirected(reach.target("http://example.com/a/"), location).url == url


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("Pages.Internal:8080", "pages.internal:8080"),
        ("[0:0::1]:8000", "[::1]:8000"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("localhost.:443", "localhost:443"),
    ],
)
def test_an_exception_has_one_normal_form(entry: str, place: str) -> None:
    """However a trusted place is spelled, it is one place, with its port."""
    assert reach.place(entry) == place


@pytest.mark.parametrize(
    "entry",
    ["localhost", "localhost:", "localhost:0", "localhost:70000", "http://x:80", "a:80/p", "::1:80", "ann@a:80"],
)
def test_an_exception_that_names_no_place_is_refused(entry: str) -> None:
    """The message says the form and shows what was given."""
    with pytest.raises(ValueError, match=r"must be host:port .* got"):
        reach.place(entry)


def test_the_objection_names_the_address_and_the_mend() -> None:
    """An operator learns from one sentence what is wrong and what to set."""
    inside = reach.objection(reach.target("http://10.0.0.1/"), ["10.0.0.1"], frozenset())
    named = reach.objection(reach.target("https://intranet.example/"), ["8.8.8.8", "10.0.0.1"], frozenset())
    port = reach.objection(reach.target("http://example.com:8080/"), ["8.8.8.8"], frozenset())

    assert inside == "10.0.0.1 is not a public address; add 10.0.0.1:80 to DIGEST_FETCH_ALLOW if you trust it"
    assert named == (
        "intranet.example leads to 10.0.0.1, which is not a public address; "
        "add intranet.example:443 to DIGEST_FETCH_ALLOW if you trust it"
    )
    assert port == ("port 8080 is neither 80 nor 443; add example.com:8080 to DIGEST_FETCH_ALLOW if you trust it")


def test_a_public_address_on_a_web_port_has_no_objection() -> None:
    """80 and 443, whichever the scheme."""
    ways = ["http://example.com/", "https://example.com/", "http://example.com:443/"]

    assert [reach.objection(reach.target(way), ["8.8.8.8", "8.8.4.4"], frozenset()) for way in ways] == [None] * 3


def test_an_exception_holds_for_its_host_and_port_only() -> None:
    """Not for the same host on another port, nor for another name that leads to the same address."""
    allow = frozenset({reach.place("10.0.0.1:8080")})

    assert reach.objection(reach.target("http://10.0.0.1:8080/"), ["10.0.0.1"], allow) is None
    assert reach.objection(reach.target("http://10.0.0.1/"), ["10.0.0.1"], allow)
    assert reach.objection(reach.target("http://elsewhere.example:8080/"), ["10.0.0.1"], allow)
