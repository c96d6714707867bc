"""Who stands at the door: believed only as far as our own proxies wrote it."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from database import Database
from digest.settings import Settings, SettingsProblem
from digest.web import clients, wordings
from digest.web.clients import client_behind
from tests import make

OURS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:aaaa::/48"))
PROXY, EDGE, READER = "10.0.0.1", "10.0.0.2", "203.0.113.9"

strangers = (
    st.ip_addresses()
    .filter(lambda ip: not any(ip in network for network in OURS))
    .map(lambda ip: str(getattr(ip, "ipv4_mapped", None) or ip))
)
proxies = st.ip_addresses(network="10.0.0.0/8").map(str) | st.ip_addresses(network="2001:db8:aaaa::/48").map(str)
headers = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
unreadable = st.text("abcxyz._- ", max_size=12).filter(lambda text: clients._address(text) is None)


@given(peer=strangers, written=headers)
def test_a_stranger_is_believed_nothing(peer: str, written: str) -> None:
    """Whatever somebody who is no proxy of ours writes, they are who they are."""
    assert client_behind(peer, written, OURS) == peer


@given(written=headers | strangers, peer=strangers | proxies)
def test_without_trusted_proxies_the_peer_is_the_client(written: str, peer: str) -> None:
    """The default: the header means nothing."""
    assert client_behind(peer, written, ()) == peer


@given(reader=strangers, lies=st.lists(strangers | proxies | headers, max_size=4), hops=st.lists(proxies, max_size=4))
def test_what_stands_left_of_the_reader_is_never_read(reader: str, lies: list[str], hops: list[str]) -> None:
    """Past every proxy of ours, the first address that is not ours is the reader; what they wrote is not read."""
    written = ", ".join([*lies, reader, *hops])

    assert client_behind(PROXY, written, OURS) == reader


@given(peer=proxies, hops=st.lists(proxies, max_size=4))
def test_where_all_are_ours_the_outermost_is_the_client(peer: str, hops: list[str]) -> None:
    """A machine of our own that asks by itself is who it is."""
    expected = hops[0] if hops else peer

    assert client_behind(peer, ", ".join(hops), OURS) == str(ipaddress.ip_address(expected))


@given(broken=unreadable, left=strangers, hops=st.lists(proxies, max_size=3))
def test_what_cannot_be_read_ends_at_who_wrote_it(broken: str, left: str, hops: list[str]) -> None:
    """Garbage is the word of the nearest hop we trust, so that hop is the client; nothing left of it counts."""
    written = ", ".join([left, broken, *hops])
    expected = hops[0] if hops else PROXY

    assert client_behind(PROXY, written, OURS) == str(ipaddress.ip_address(expected))


@given(peer=st.none() | strangers | proxies | headers, written=headers)
def test_the_answer_is_an_address_or_none(peer: str | None, written: str) -> None:
    """Canonical, never IPv4 inside IPv6, no longer than its column; None only where the connection has no address."""
    found = client_behind(peer, written, OURS)

    if found is None:
        assert clients._address(peer or "") is None
    else:
        assert str(ipaddress.ip_address(found)) == found
        assert getattr(ipaddress.ip_address(found), "ipv4_mapped", None) is None
        assert len(found) <= 45


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (READER, READER),
        (f"{READER}:443", READER),
        (f"::ffff:{READER}", READER),
        ("[2001:db8::9]:443", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:DB8:0::9", "2001:db8::9"),
        ("fe80::9%eth0", "fe80::9"),
        (f'"{READER}"', READER),
        (f"  {READER} ,{EDGE}", READER),
        (f"1.2.3.4, {READER}, {EDGE}, {EDGE}", READER),
        ("", PROXY),
        ("unknown", PROXY),
        (f"{READER}, _hidden", PROXY),
        (f"{READER},,{EDGE}", EDGE),
    ],
)
def test_proxies_write_addresses_in_many_ways(written: str, expected: str) -> None:
    """With a port, in brackets, quoted, with a zone, as IPv4 inside IPv6."""
    assert client_behind(PROXY, written, OURS) == expected


def test_a_proxy_that_speaks_ipv6_is_known_by_its_ipv4() -> None:
    """A server that listens on both names its IPv4 peers ::ffff:10.0.0.1; it is the same proxy."""
    assert client_behind(f"::ffff:{PROXY}", READER, OURS) == READER


# — at the door —


def asked(
    database: Database, folder: Path, *, peer: str, headers: list[tuple[str, str]], trusted: str
) -> dict[str, str]:
    """What the application makes of one request from this peer."""
    app = FastAPI()
    app.state.services = make.services(database, folder, DIGEST_TRUSTED_PROXIES=trusted)

    @app.get("/")
    def look(request: Request) -> dict[str, str | None]:
        proof = clients.proof_of(request, wordings.SIGN_UP)
        return {
            "ip": clients.client_ip(request),
            "proof": proof.ip,
            "agent": proof.user_agent,
            "wording": proof.wording,
            "version": proof.wording_version,
        }

    with TestClient(app, client=(peer, 50000)) as client:
        found: dict[str, str] = client.get("/", headers=headers).json()
        return found


def test_several_headers_are_one_list(sqlite: Database, tmp_path: Path) -> None:
    """Each proxy may add a line of its own (RFC 9110 5.3); they are read as one, the last line last."""
    lines = [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", READER), ("X-Forwarded-For", EDGE)]

    assert asked(sqlite, tmp_path, peer=PROXY, headers=lines, trusted="10.0.0.0/8")["ip"] == READER
    assert asked(sqlite, tmp_path, peer=PROXY, headers=lines, trusted="")["ip"] == PROXY


def test_a_proxy_that_nobody_named_is_said_once(sqlite: Database, tmp_path: Path) -> None:
    """Behind it all readers look like one and are soon told to wait: the log says what to set."""
    clients._say_that_it_is_not_believed.cache_clear()
    lines = [("X-Forwarded-For", READER)]
    with structlog.testing.capture_logs() as said:
        for peer, trusted in ((PROXY, ""), (PROXY, ""), (EDGE, EDGE), ("192.168.0.9", PROXY), ("8.8.8.8", "")):
            asked(sqlite, tmp_path, peer=peer, headers=lines, trusted=trusted)
        asked(sqlite, tmp_path, peer=EDGE, headers=[], trusted="")
        asked(sqlite, tmp_path, peer=EDGE, headers=[("X-Forwarded-For", "garbage")], trusted=EDGE)

    assert [line["peer"] for line in said] == [PROXY, "192.168.0.9"]
    assert said[0]["see"] == "DIGEST_TRUSTED_PROXIES"


def test_a_peer_without_an_address_is_nobody(sqlite: Database, tmp_path: Path) -> None:
    """A socket file has none, and is not believed either."""
    lines = [("X-Forwarded-For", READER)]

    assert asked(sqlite, tmp_path, peer="a socket", headers=lines, trusted="10.0.0.0/8")["ip"] is None


def test_the_proof_holds_what_was_shown_and_to_whom(sqlite: Database, tmp_path: Path) -> None:
    """The wording as filled in, its version, the address behind our proxy, and an agent cut to its column."""
    lines = [("X-Forwarded-For", READER), ("User-Agent", "Mozilla/5.0 \t" + "x" * 900)]
    found = asked(sqlite, tmp_path, peer=PROXY, headers=lines, trusted=PROXY)

    assert (found["proof"], found["version"]) == (READER, wordings.SIGN_UP.version)
    assert found["agent"].startswith("Mozilla/5.0 xxx")
    assert len(found["agent"]) == 400
    assert "Weekly AI Tool Verdicts" in found["wording"]
    assert "{" not in found["wording"]


# — settings —


@pytest.mark.parametrize(
    "given", ["10.0.0.0/8 2001:db8::/32", "10.0.0.0/8,2001:db8::/32", " 10.0.0.0/8 ,  2001:db8::/32 "]
)
def test_proxies_are_named_by_network(given: str) -> None:
    """Separated by spaces or commas; an address alone is a network of one."""
    found = Settings.from_env({"DIGEST_TRUSTED_PROXIES": given}).digest_trusted_proxies

    assert [str(network) for network in found] == ["10.0.0.0/8", "2001:db8::/32"]
    assert Settings.from_env({}).digest_trusted_proxies == ()
    (alone,) = Settings.from_env({"DIGEST_TRUSTED_PROXIES": "127.0.0.1"}).digest_trusted_proxies
    assert alone.num_addresses == 1


@pytest.mark.parametrize("given", ["nginx", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "10.0.0.0/8 ::/0", "*"])
def test_proxies_that_mean_everybody_or_nothing_are_refused(given: str) -> None:
    """By name of the setting, with what was given: to believe everybody would be to believe nobody."""
    with pytest.raises(SettingsProblem, match="DIGEST_TRUSTED_PROXIES"):
        Settings.from_env({"DIGEST_TRUSTED_PROXIES": given})


# — wordings —


def test_the_sign_up_names_who_what_and_how_often() -> None:
    """Beside the button stand the newsletter, its sender, the weekly rhythm, the content, and how it ends."""
    settings = Settings.from_env(
        {
            "DIGEST_NEWSLETTER_NAME": "The {sender} Digest",
            "DIGEST_FROM_NAME": "Ferrous",
            "DIGEST_FROM_EMAIL": "f@example.com",
        }
    )
    shown = wordings.SIGN_UP.filled(settings)

    for named in ("Ferrous (f@example.com)", "once a week", "verdicts on AI tools", "ends it"):
        assert named in shown.text
    assert shown.version == wordings.SIGN_UP.version


def test_every_wording_fits_its_columns() -> None:
    """Each has a text and a version that the database holds whole; the others have no places to fill in."""
    settings = Settings.from_env({})
    found = {name: value for name, value in vars(wordings).items() if isinstance(value, wordings.Wording)}

    assert found.keys() == {"SIGN_UP", "CONFIRM", "UNSUBSCRIBE", "PREFERENCES", "UNDO", "ERASE", "CHANGE_ADDRESS"}
    for wording in found.values():
        assert 0 < len(wording.version) <= 40
        assert "{" not in wording.filled(settings).text
        assert wording is wordings.SIGN_UP or wording.filled(settings) == wording
