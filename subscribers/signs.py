"""What a column of a list says against bringing somebody in, by its name and by what stands in it. Pure.

A sign only ever speaks against somebody: no column makes anybody a subscriber. Whoever has no say in a file, because
nothing stands in the cell, is not spoken against.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

UNSUBSCRIBED = "had unsubscribed there"
BOUNCED = "had bounced there"
COMPLAINED = "had complained there"
SHUT_OUT = "had been suppressed, blocked or removed there"
UNCONFIRMED = "had not confirmed there"
NOT_CLEAR = "is not clearly shown as subscribed there"

Sign = Callable[[str], str | None]
"""What one cell says against bringing somebody in, to complete “this person …”; None when it says nothing."""

# Cells that mean nothing although something stands there.
_NO = frozenset({"false", "no", "n", "f", "0", "off", "nein", "non"})
_NOTHING = _NO | {"", "null", "none", "nil", "nan", "n/a", "never", "0000 00 00", "0000 00 00 00:00:00"}
_TRUE = frozenset({"true", "yes", "y", "t", "1", "on"})
_YES = _TRUE | {
    *("subscribed", "active", "enabled", "confirmed", "double confirmed", "accepted", "agreed", "granted", "given"),
    *("opted in", "opt in", "optin", "optedin", "double opt in", "single opt in", "x", "✓", "ja", "oui", "si", "sí"),
    *("abonniert", "angemeldet", "aktiv", "bestätigt", "abonné", "inscrit", "actif", "confirmé"),
}

# What any program's columns can say, whether the rest of the file was recognised or not.
_FILLED = {
    "unsubscription date": UNSUBSCRIBED,
    "email disabled": UNSUBSCRIBED,
    "clean time": BOUNCED,
    "cleaned": BOUNCED,
    "bounced": BOUNCED,
    "bounced at": BOUNCED,
    "undeliverability date": BOUNCED,
    "complained": COMPLAINED,
    "complained at": COMPLAINED,
    "blocklisted": SHUT_OUT,
    "blacklisted": SHUT_OUT,
    "email blacklisted": SHUT_OUT,
    "suppressed because": SHUT_OUT,
    "deleted at": SHUT_OUT,
}
_MUST_BE_TRUE = frozenset({"subscribed to emails", "subscribed", "accepts email marketing"})
_STATUSES = frozenset(
    {
        *("status", "subscription status", "subscriber status", "subscribe status", "newsletter status"),
        *("email status", "email marketing status", "email subscriber status", "marketing status", "mailing status"),
        *("member status", "contact status", "consent status", "opt in status", "optin status"),
        *("subscription state", "subscriber state"),
    }
)
_MAY_BE_STATES = frozenset({"state", "type", "subscriber type"})
"""A state is also a part of a country, and a type may be anything: only a word against somebody counts."""

_SAID = {
    word: reason
    for reason, words in {
        UNSUBSCRIBED: ("cancelled", "canceled", "left", "désabonné", "désabonnée", "abgemeldet"),
        BOUNCED: ("undeliverable", "invalid"),
        SHUT_OUT: ("spammy", "banned", "removed", "deleted", "archived", "disabled", "inactive"),
        UNCONFIRMED: (
            *("pending", "unconfirmed", "unactivated", "unverified", "not confirmed", "waiting"),
            *("non subscribed", "nonsubscribed", "not subscribed", "transactional"),
        ),
    }.items()
    for word in words
}
_BEGINS = {
    beginning: reason
    for reason, beginnings in {
        UNSUBSCRIBED: ("unsub", "opt out", "optout", "opted out", "optedout", "revoke", "do not", "donot"),
        BOUNCED: ("bounce", "hard bounce", "soft bounce", "hardbounce", "softbounce", "clean"),
        COMPLAINED: ("complain", "spam", "abuse", "junk"),
        SHUT_OUT: ("block", "blacklist", "suppress"),
    }.items()
    for beginning in beginnings
}
_BEGINNINGS = tuple(_BEGINS)

# Names of columns that are filled, by a date or a yes, for whoever must not come.
_AGAINST = re.compile(
    r"unsub|opt(?:ed|ing)? ?out|do ?not ?(?:e ?)?(?:mail|contact|send)|un ?confirmed"
    r"|\b(?:no|non|not) ?(?:subscribed|confirmed|consent|opt(?:ed)? ?in)"
    r"|consent.*(?:withdrawn|revoked|refused|declined|denied)|(?:withdrawn|revoked|refused|declined|denied) consent"
)
# Some of those are filled for everybody, and say nothing.
_WAYS = re.compile(r"\b(?:url|uri|link|token|hash|key|code)s?\b")

# Names of columns that say yes of whoever may come, or when or how they said it.
_IN_FAVOUR = re.compile(
    r"subscribed|opt(?:ed)? ?in(?![a-z])|opt(?:ed)? ?in(?:time|date|ip)\b|consent|confirmed|accepts ?marketing"
)
_EXACTLY = re.compile(r"(?:is ?)?(?:active|enabled)")
_WHEN_OR_HOW = re.compile(
    r"(?:at|date|time|timestamp|ip|on|to)$"
    r"|\b(?:at|date|time|when|since|ip|source|text|wording|url|link|page|form|by|from|via|method|version|campaign"
    r"|country|basis|proof|notes?|id|language|lists?|topics?|count|how|where|reason)\b"
)
_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_A_DATE = re.compile(r"\d{1,4}[ ./-]\d{1,2}[ ./-]\d{1,4}(?!\d).*|\d{9,13}", re.DOTALL)


def sign_of(column: str) -> Sign | None:
    """How a column of this name speaks against somebody, in any program's file; None when it does not.

    `column` is as `spreadsheets.plain_name` has it.
    """
    name = " ".join(re.sub(r"[^\w]+", " ", column).split())
    if name in _FILLED:
        return _filled(_FILLED[name])
    if name in _MUST_BE_TRUE:
        return one_of(_TRUE)
    if name in _STATUSES:
        return _status
    if name in _MAY_BE_STATES:
        return _said
    if _AGAINST.search(name):
        return None if _WAYS.search(name) else _filled(UNCONFIRMED if "confirmed" in name else UNSUBSCRIBED)
    if _EXACTLY.fullmatch(name):
        return _yes_or_no(SHUT_OUT)
    if _IN_FAVOUR.search(name):
        reason = UNCONFIRMED if "confirmed" in name else UNSUBSCRIBED
        return _no(reason) if _WHEN_OR_HOW.search(name) else _yes_or_no(reason)
    return None


def one_of(words: frozenset[str]) -> Sign:
    """A column that must say one of these words, of everybody."""

    def sign(cell: str) -> str | None:
        word = _plain(cell)
        if word in words:
            return None
        return UNSUBSCRIBED if word in _NO else _against(word) or NOT_CLEAR

    return sign


def _filled(reason: str) -> Sign:
    return lambda cell: reason if cell and _plain(cell) not in _NOTHING else None


def _status(cell: str) -> str | None:
    """A word that is known to be a yes, or nothing at all; whatever else there is may be a no."""
    word = _plain(cell)
    if not word or word in _YES:
        return None
    return UNSUBSCRIBED if word in _NO else _against(word) or NOT_CLEAR


def _said(cell: str) -> str | None:
    """A word against somebody. Any other word may mean anything."""
    return _against(_plain(cell)) if cell else None


def _no(reason: str) -> Sign:
    """When, where or how somebody said yes: anything but a no."""

    def sign(cell: str) -> str | None:
        if not cell:
            return None
        word = _plain(cell)
        return reason if word in _NO else _against(word)

    return sign


def _yes_or_no(reason: str) -> Sign:
    """A yes, which may be the day of it, or nothing at all."""

    def sign(cell: str) -> str | None:
        word = _plain(cell)
        if not word or word in _YES:
            return None
        if word in _NO:
            return reason
        is_a_day = word not in _NOTHING and _A_DATE.fullmatch(word)
        return _against(word) or (None if is_a_day else NOT_CLEAR)

    return sign


def _against(word: str) -> str | None:
    """Why somebody of whom this is said stays there; None when it says nothing we know to be against them."""
    reason = _SAID.get(word)
    if reason is None and word.startswith(_BEGINNINGS):
        reason = next(reason for beginning, reason in _BEGINS.items() if word.startswith(beginning))
    return reason


@lru_cache(maxsize=1_024)
def _plain(cell: str) -> str:
    return _BETWEEN_WORDS.sub(" ", cell).strip().casefold()
