"""Where the outbound fetcher may go: which addresses it understands and which machines it may talk to. Pure.

One parser reads an address, and everything (the check, the name looked up, the connection, the Host line) is taken
from what it read: two parsers that disagree are how a check is walked around.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

LONGEST_URL = 2_000
PORTS = {"http": 80, "https": 443}

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NO_ADDRESS = "this is not a web address"
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_NUMERIC_END = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$")
_PORT_AT_END = re.compile(r":0*[1-9]\d*$")

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

# What `ipaddress.is_global` of some Python versions we support lets through: blocks of the IANA special-purpose
# registries that are not globally reachable, and one public-looking address that serves secrets inside a cloud.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "2001::/23",
        "3fff::/20",
    )
)


class NotFetchable(ValueError):
    """Not an address we fetch, or not a place we go to; the message is the reason as a clause."""


@dataclass(frozen=True, slots=True)
class Target:
    """One http(s) address, read and in normal form; without fragment.

    `host` is a lower-case ASCII name or a bare IP literal; `path` is the request target with its query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> str | None:
        return self.host if _ip(self.host) else None

    @property
    def place(self) -> str:
        """`host:port` as DIGEST_FETCH_ALLOW writes it."""
        return f"{self._bracketed}:{self.port}"

    @property
    def host_line(self) -> str:
        """What the Host header says: the port only where it is not the scheme's own."""
        return self._bracketed if PORTS[self.scheme] == self.port else self.place

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host_line}{self.path}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def target(url: str) -> Target:
    """Raises NotFetchable."""
    if len(url) > LONGEST_URL:
        raise NotFetchable(f"the address is longer than {LONGEST_URL:,} characters")
    try:
        parts = parse_url(url.strip())
    except LocationParseError:
        raise NotFetchable(_NO_ADDRESS) from None
    if parts.scheme not in PORTS:
        raise NotFetchable("only http and https addresses are fetched")
    if parts.auth is not None:
        raise NotFetchable("an address with a user name or password in it is not fetched; take it out")
    path = parts.path or "/"
    if not parts.host or not path.startswith("/"):
        raise NotFetchable(_NO_ADDRESS)
    return Target(
        scheme=parts.scheme,
        host=_host(parts.host),
        port=PORTS[parts.scheme] if parts.port is None else parts.port,
        path=path if parts.query is None else f"{path}?{parts.query}",
    )


def redirected(here: Target, location: str) -> Target:
    """Where a Location header leads. Raises NotFetchable."""
    try:
        url = urljoin(here.url, location.strip())
    except ValueError:
        raise NotFetchable(_NO_ADDRESS) from None
    return target(url)


def without_credentials(url: str) -> str:
    """The address as it may be shown: a password typed into it goes into no message and no log."""
    return re.sub(r"(?<=//)[^/?#\\]*@", "", url, count=1)


def place(entry: str) -> str:
    """The normal form of one DIGEST_FETCH_ALLOW entry. Raises ValueError, worded for a settings message."""
    try:
        read = target(f"http://{entry}")
    except NotFetchable:
        read = None
    if read is None or read.path != "/" or not _PORT_AT_END.search(entry):
        raise ValueError(f'must be host:port such as pages.internal:8080 or [::1]:8000, got "{entry}"')
    return read.place


def objection(to: Target, addresses: Sequence[str], allow: frozenset[str]) -> str | None:
    """Why this place may not be talked to, with the mend; None: it may. `addresses`: all its name resolves to.

    One bad address among good ones is enough: the name's owner chooses which of them is tried first.
    """
    if to.place in allow:
        return None
    if to.port not in PORTS.values():
        return f"port {to.port} is neither 80 nor 443; {_mend(to)}"
    for address in addresses:
        if not is_public(address):
            leads = address if address == to.host else f"{to.host} leads to {address}, which"
            return f"{leads} is not a public address; {_mend(to)}"
    return None


def is_public(address: str) -> bool:
    """Whether anybody on the internet would reach the same machine at this IP address.

    IPv4 inside IPv6 (mapped, 6to4, NAT64) is judged as what it carries. Anything not understood is not public.
    """
    ip = _ip(address)
    if ip is None:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return _plainly_public(ip)
    carried = ip.ipv4_mapped or ip.sixtofour or (_last_32_bits(ip) if ip in _NAT64 else None)
    if carried is not None:
        return _plainly_public(carried)
    return ip in _GLOBAL_UNICAST and _plainly_public(ip)


def _plainly_public(ip: IPAddress) -> bool:
    return (
        ip.is_global
        and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local)
        and not any(ip in block for block in _NOT_PUBLIC)
    )


def _last_32_bits(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)


def _host(written: str) -> str:
    """A name or a bare IP literal in normal form.

    `2130706433`, `0x7f.1` and `127.1` are old spellings of 127.0.0.1 that resolvers still take; `fe80::1%eth0`
    names a cable of this machine. Neither belongs into an address.
    """
    bare = written.lower()
    if bare.startswith("["):
        bare = bare[1:-1]
        if "%" in bare or not _ip(bare):
            raise NotFetchable(_NO_ADDRESS)
        return str(_ip(bare))
    bare = bare.removesuffix(".")
    if _ip(bare):
        return bare
    if not _NAME.fullmatch(bare):
        raise NotFetchable(_NO_ADDRESS)
    if _NUMERIC_END.search(bare):
        raise NotFetchable(f"{bare} is neither a name nor an IP address in the usual form (four numbers with dots)")
    return bare


def _ip(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _mend(to: Target) -> str:
    return f"add {to.place} to DIGEST_FETCH_ALLOW if you trust it"
