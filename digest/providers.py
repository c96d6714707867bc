"""Whose mailboxes stand behind a domain: what one provider thinks of us is one opinion, under however many names."""

from __future__ import annotations

import re

GMAIL = "Gmail"
_APPLE, _GMX, _MAIL_RU, _MICROSOFT, _NETEASE, _PROTON, _QQ, _YAHOO, _YANDEX = (
    "Apple",
    "GMX and WEB.DE",
    "Mail.ru",
    "Microsoft",
    "NetEase",
    "Proton",
    "QQ",
    "Yahoo and AOL",
    "Yandex",
)

TELL_NO_COMPLAINTS = frozenset({GMAIL})
"""Providers who never say which reader pressed “spam”: their silence shows nothing."""

_DOMAINS = {
    domain: provider
    for provider, domains in {
        GMAIL: "gmail.com googlemail.com",
        _APPLE: "icloud.com me.com mac.com",
        _GMX: "gmx.de gmx.net gmx.at gmx.ch gmx.com web.de",
        _MAIL_RU: "mail.ru inbox.ru list.ru bk.ru internet.ru",
        _MICROSOFT: "msn.com passport.com",
        _NETEASE: "163.com 126.com yeah.net",
        _PROTON: "proton.me protonmail.com protonmail.ch pm.me",
        _QQ: "qq.com foxmail.com",
        _YAHOO: "ymail.com rocketmail.com myyahoo.com aol.com aim.com verizon.net",
        _YANDEX: "ya.ru",
    }.items()
    for domain in domains.split()
}

# The same name in many countries: hotmail.co.uk, yahoo.com.br, outlook.de.
_NAMES = {
    "hotmail": _MICROSOFT,
    "outlook": _MICROSOFT,
    "live": _MICROSOFT,
    "windowslive": _MICROSOFT,
    "yahoo": _YAHOO,
    "aol": _YAHOO,
    "yandex": _YANDEX,
}
_IN_A_COUNTRY = re.compile(r"([a-z]+)\.(?:com?\.)?[a-z]{2,3}")


def provider_of(domain: str) -> str:
    """The provider's name where we know it; else the domain, in lower case, stands for itself."""
    plain = domain.lower()
    named = _IN_A_COUNTRY.fullmatch(plain)
    return _DOMAINS.get(plain) or (_NAMES.get(named[1]) if named else None) or plain
