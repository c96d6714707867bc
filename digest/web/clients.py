"""Who stands at the door: the address a request comes from, and the proof kept of a pressed button.

`X-Forwarded-For` can be written by anybody, so it is believed only as far as it was written by a proxy of our own
(`DIGEST_TRUSTED_PROXIES`): from the right, past every trusted hop, to the first that is not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import structlog
from fastapi import Request

from digest.web.pages import services_of
from digest.web.wordings import Wording
from subscribers.consent import Proof
from subscribers.rows import LONGEST_AGENT
from subscribers.texts import shortened

Networks = Sequence[IPv4Network | IPv6Network]

log = structlog.get_logger()

_PORTED_COLONS = 1  # 192.0.2.1:443; an IPv6 address has more, and its port stands behind brackets


def client_ip(request: Request) -> str | None:
    """The address of whoever asks, in its canonical form; None where the connection has none."""
    trusted = services_of(request).settings.digest_trusted_proxies
    peer = request.client.host if request.client else None
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    if forwarded:
        _notice(peer, trusted)
    return client_behind(peer, forwarded, trusted)


def _notice(peer: str | None, trusted: Networks) -> None:
    """Whoever forwards from a private address is most likely our own proxy: then all behind it are counted as one."""
    hop = _address(peer or "")
    if hop is not None and hop.is_private and not any(hop in network for network in trusted):
        _say_that_it_is_not_believed(str(hop))


@lru_cache(maxsize=16)
def _say_that_it_is_not_believed(peer: str) -> None:
    """Once for each peer."""
    log.warning(
        "X-Forwarded-For not believed: if this peer is your proxy, name it", peer=peer, see="DIGEST_TRUSTED_PROXIES"
    )


def proof_of(request: Request, wording: Wording) -> Proof:
    """What was shown beside the button that was pressed, and who pressed it."""
    shown = wording.filled(services_of(request).settings)
    agent = shortened(request.headers.get("user-agent", ""), LONGEST_AGENT) or None
    return Proof(wording=shown.text, wording_version=shown.version, ip=client_ip(request), user_agent=agent)


def client_behind(peer: str | None, forwarded: str, trusted: Networks) -> str | None:
    """Who spoke to the outermost proxy we trust. What is no address ends the walk at the hop that wrote it."""
    hop = _address(peer or "")
    for written in reversed(forwarded.split(",")):
        if hop is None or not any(hop in network for network in trusted):
            break
        before = _address(written)
        if before is None:
            break
        hop = before
    return None if hop is None else str(hop)


def _address(written: str) -> IPv4Address | IPv6Address | None:
    """An address as a proxy may write it: with a port, in brackets, with a zone, as IPv4 inside IPv6."""
    text = written.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == _PORTED_COLONS:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
