"""How often one network, address, domain or everybody together may do one thing, counted for all processes at once.

Time is cut into windows of fixed length, each with one counter, so at the seam of two windows twice the number can pass
in a short while; the numbers below are chosen with that in mind. A counter's subject is stored as a keyed hash.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from digest.models import Limit
from subscribers.secrecy import hashes

_LIMITS = cast("sa.Table", Limit.__table__)

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# How many, in how long. Nobody who means it comes near; a program that tries addresses does within minutes.
# What a flood costs the owner of an address is bounded by the postman (`letter_caps`), not here.
ONE_ADDRESS = ((30, 10 * _MINUTE), (200, _DAY))  # an office or a lecture hall that shares one
ONE_NETWORK = ((90, 10 * _MINUTE), (600, _DAY))  # three of those in one /24; a /64 is one household or one server
ONE_MAILBOX = ((6, _HOUR),)  # more letters than six are not sent anyway
ONE_DOMAIN = ((200, _HOUR), (1_000, _DAY))  # a university in the week when everybody tells everybody
EVERYBODY = ((3_000, _HOUR), (20_000, _DAY))  # a good day on a front page

# Where a good part of all people have their mail: what is too much for one company's domain is a quiet hour here.
_BIG_PROVIDERS = """
126.com 163.com aol.com att.net bigpond.com bluewin.ch bol.com.br btinternet.com comcast.net fastmail.com
free.fr freenet.de gmail.com gmx.de gmx.net googlemail.com hotmail.co.uk hotmail.com hotmail.fr icloud.com
kpnmail.nl laposte.net libero.it live.com mac.com mail.ru me.com msn.com naver.com o2.pl orange.fr outlook.com
pm.me posteo.de proton.me protonmail.com qq.com rediffmail.com rogers.com sbcglobal.net seznam.cz shaw.ca
t-online.de telenet.be uol.com.br verizon.net wanadoo.fr web.de wp.pl yahoo.co.in yahoo.co.jp yahoo.co.uk
yahoo.com yahoo.de yahoo.fr yandex.ru ymail.com ziggo.nl zoho.com
"""
BIG_PROVIDERS = frozenset(_BIG_PROVIDERS.split())


@dataclass(frozen=True, slots=True)
class Rule:
    """At most so many in so long. `visible` False: whoever exceeds it must not be able to tell."""

    what: str
    """Which door, in at most 40 characters; doors count apart."""
    subject: str
    most: int
    per: timedelta
    visible: bool = True

    def window(self, now: datetime) -> int:
        """When the current window began, in seconds since 1970."""
        seconds = int(self.per.total_seconds())
        return int(now.timestamp()) // seconds * seconds

    def retry_after(self, now: datetime) -> int:
        """Seconds until the window ends: the value of a Retry-After header (RFC 9110 10.2.3), at least 1."""
        return max(1, self.window(now) + int(self.per.total_seconds()) - int(now.timestamp()))


def by_network(what: str, ip: str | None) -> tuple[Rule, ...]:
    """For the single address and its network: /24 for IPv4, /64 for IPv6 (RFC 6177: a site has at least one).

    None for `ip`, where a peer has no address, is no rule: the others still hold.
    """
    if ip is None:
        return ()
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    network = ipaddress.ip_network((int(address), 24 if address.version == 4 else 64), strict=False)  # noqa: PLR2004
    return (*_rules(what, f"ip {address}", ONE_ADDRESS), *_rules(what, f"network {network}", ONE_NETWORK))


def by_address(what: str, key: str) -> tuple[Rule, ...]:
    """For one mail address in its normal form. Who exceeds it gets the usual answer, and nothing is stored."""
    return _rules(what, f"address {key}", ONE_MAILBOX, visible=False)


def by_domain(what: str, key: str) -> tuple[Rule, ...]:
    """For the domain of one mail address; a big provider's domain may be as busy as everything."""
    domain = key.rpartition("@")[2]
    return _rules(what, f"domain {domain}", EVERYBODY if domain in BIG_PROVIDERS else ONE_DOMAIN)


def overall(what: str) -> tuple[Rule, ...]:
    """For everybody together."""
    return _rules(what, "everybody", EVERYBODY)


def _rules(
    what: str, subject: str, numbers: Sequence[tuple[int, timedelta]], *, visible: bool = True
) -> tuple[Rule, ...]:
    return tuple(Rule(what, subject, most, per, visible) for most, per in numbers)


def take(session: Session, rules: Sequence[Rule], *, now: datetime) -> Rule | None:
    """Count one for each rule and give the first that is exceeded; one that may be seen comes before one that may not.

    All are counted, whatever is exceeded, in one statement that is the same for any subject. Where it gives a rule
    that is not `visible`, the caller answers as usual and does nothing.
    """
    keyed = {_key(session, rule, now): rule for rule in rules}
    if not keyed:
        return None
    counts = _count(session, {key: rule.window(now) + int(rule.per.total_seconds()) for key, rule in keyed.items()})
    exceeded = [rule for key, rule in keyed.items() if counts[key] > rule.most]
    return min(exceeded, key=lambda rule: not rule.visible, default=None)


def give_back(session: Session, rule: Rule, times: int, *, now: datetime) -> None:
    """Count so many less in the window of `now`: what was counted did not happen."""
    what, subject, window = _key(session, rule, now)
    session.execute(
        sa.update(Limit)
        .where(Limit.what == what, Limit.subject == subject, Limit.window == window, Limit.count >= times)
        .values(count=Limit.count - times)
    )


def counted(session: Session, rule: Rule, *, now: datetime) -> int:
    """How often it was counted in the current window; counts nothing."""
    what, subject, window = _key(session, rule, now)
    found = sa.select(Limit.count).where(Limit.what == what, Limit.subject == subject, Limit.window == window)
    return session.scalar(found) or 0


def forget(session: Session, *, now: datetime, most: int) -> int:
    """Delete counters whose window is over, at most so many; says how many those were."""
    over = sa.select(Limit.what, Limit.subject, Limit.window).where(Limit.ends_at <= now).limit(most)
    gone = session.execute(
        sa.delete(Limit)
        .where(sa.tuple_(Limit.what, Limit.subject, Limit.window).in_(over))
        .execution_options(synchronize_session=False)
    )
    return int(getattr(gone, "rowcount", 0))


_Key = tuple[str, str, int]


def _key(session: Session, rule: Rule, now: datetime) -> _Key:
    """The length is part of the subject: at midnight an hour and a day begin in the same second."""
    subject = hashes(session).of(f"{rule.what}\n{int(rule.per.total_seconds())}\n{rule.subject}")
    return (rule.what, subject, rule.window(now))


def _count(session: Session, ends: dict[_Key, int]) -> dict[_Key, int]:
    """One more for each; gives what each then stands at.

    In the order of their keys, whoever counts: two that lock the same rows in different orders would wait for each
    other for ever.
    """
    rows = [
        {
            "what": what,
            "subject": subject,
            "window": window,
            "ends_at": datetime.fromtimestamp(ends_at, UTC),
            "count": 1,
        }
        for (what, subject, window), ends_at in sorted(ends.items())
    ]
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    counted = (
        dialect.insert(_LIMITS)
        .on_conflict_do_update(index_elements=["what", "subject", "window"], set_={"count": _LIMITS.c.count + 1})
        .returning(_LIMITS.c.what, _LIMITS.c.subject, _LIMITS.c.window, _LIMITS.c.count)
    )
    # The rows beside the statement and not in it: in it they would be compiled anew for every request.
    return {(what, subject, window): count for what, subject, window, count in session.execute(counted, rows)}
