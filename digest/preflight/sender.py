"""Checks of who sends it, and to whom."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from digest.preflight.sheet import Problem, Sheet

# RFC 2606 and RFC 6761: nobody can own a name in these.
_NOBODYS = (".example", ".example.com", ".example.net", ".example.org", ".test", ".invalid", ".localhost", ".local")

# Where everybody has an address: their owners' DMARC rules let nobody else send for them, a newsletter least of all.
_MAILBOX_PROVIDERS = frozenset(
    {"gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "aol.com", "outlook.com", "hotmail.com", "live.com"}
    | {"msn.com", "icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "gmx.net", "gmx.com", "gmx.de"}
    | {"web.de", "mail.ru", "yandex.ru", "yandex.com", "qq.com", "163.com", "fastmail.com", "zoho.com"}
)
_UNREAD = re.compile(
    r"(?:do[-_.]?)?not?[-_.]?reply|(?:do[-_.]?)?not?[-_.]?respond|mailer[-_.]?daemon|nobody", re.IGNORECASE
)
_AN_ADDRESS = re.compile(r"\S@\S|https?://|\bwww\.", re.IGNORECASE)


def postal_address(sheet: Sheet) -> Iterator[Problem]:
    """The law asks for it in every mail to a list; nobody asks for it in a folder."""
    if not (sheet.postal_address or "").strip():
        yield Problem(
            "block" if sheet.through_provider else "info",
            "no-postal-address",
            "footer",
            "There is no postal address, which every mail to a list must carry.",
            "Set DIGEST_POSTAL_ADDRESS.",
        )


def from_address(sheet: Sheet) -> Iterator[Problem]:
    domain = _domain(sheet.from_email)
    if not sheet.through_provider:
        return
    if _is_nobodys(domain):
        yield Problem(
            "warn",
            "from-address",
            "sender",
            f"{sheet.from_email} is an address for examples; nobody can prove that its mail is genuine.",
            "Set DIGEST_FROM_EMAIL to an address of a domain you have authenticated.",
        )
    elif domain in _MAILBOX_PROVIDERS:
        yield Problem(
            "warn",
            "from-address",
            "sender",
            f"{sheet.from_email} is a mailbox at {domain}, for which nobody else may send; inboxes refuse such mail.",
            "Set DIGEST_FROM_EMAIL to an address of a domain you have authenticated.",
        )


def from_name(sheet: Sheet) -> Iterator[Problem]:
    """Inboxes show a name that looks like an address, and take it for a forged one."""
    name = sheet.senders.from_name if sheet.senders else ""
    if _AN_ADDRESS.search(name):
        what = f"The sender’s name “{name}” has an address in it; that is how forged mail looks."
        yield Problem("warn", "from-name", "sender", what, "Set DIGEST_FROM_NAME to a name.")


def reply_to(sheet: Sheet) -> Iterator[Problem]:
    """Readers answer newsletters, and those who cannot unsubscribe do so by an answer."""
    if sheet.senders is None:
        return
    replies, sender = sheet.senders.reply_to, sheet.from_email
    if not _belong_together(_domain(replies), _domain(sender)):
        what = f"Replies go to {replies}, which is of another domain than the sender’s {sender}."
        yield Problem("warn", "reply-to", "sender", what, "Set DIGEST_REPLY_TO to an address of the sender’s domain.")
    if _is_unread(replies):
        what = f"Replies go to {replies}, which says that nobody reads them."
        yield Problem("warn", "reply-to", "sender", what, "Set DIGEST_REPLY_TO to a mailbox that somebody reads.")


def site_address(sheet: Sheet) -> Iterator[Problem]:
    """All links of the mail begin with it, that for unsubscribing first of all."""
    if sheet.senders is None or not sheet.through_provider or sheet.senders.rehearses:
        return
    site = urlsplit(sheet.senders.site_url)
    if site.scheme != "https" or _is_private(site.hostname or ""):
        what = f"The links of the mail begin with {sheet.senders.site_url}, which readers cannot safely reach."
        yield Problem("block", "site-address", "settings", what, "Set DIGEST_SITE_URL to a public https:// address.")


def list_id(sheet: Sheet) -> Iterator[Problem]:
    """RFC 2919: filters and mailbox providers know a list by it, for as long as it lives."""
    if sheet.senders and sheet.through_provider and not sheet.senders.rehearses:
        name = sheet.senders.list_id
        if _is_nobodys(name) or name.endswith("localhost"):
            what = f"The List-ID {name} is a name that anybody may use."
            mend = "Set DIGEST_LIST_ID to a name below a domain of yours, and keep it for good."
            yield Problem("warn", "list-id", "settings", what, mend)


def unsubscribe_mailbox(sheet: Sheet) -> Iterator[Problem]:
    """The mailto: in List-Unsubscribe is a promise that somebody reads what comes there."""
    mailbox = sheet.senders.unsubscribe_email if sheet.senders else None
    if mailbox and (_is_unread(mailbox) or (sheet.through_provider and _is_nobodys(_domain(mailbox)))):
        what = f"Who unsubscribes by mail writes to {mailbox}, where nobody can read it."
        mend = (
            "Set DIGEST_UNSUBSCRIBE_EMAIL to a mailbox that somebody reads, or leave it out: the button does without."
        )
        yield Problem("warn", "unsubscribe-mailbox", "settings", what, mend)


def _domain(email: str) -> str:
    return email.rpartition("@")[2].lower().rstrip(".")


def _is_nobodys(domain: str) -> bool:
    return f".{domain}".endswith(_NOBODYS)


def _is_unread(email: str) -> bool:
    return bool(_UNREAD.match(email.rpartition("@")[0]))


def _belong_together(one: str, other: str) -> bool:
    """news.publisher.net and publisher.net, or two names below one; without a list of suffixes no more can be told."""
    apart = [name.split(".") for name in (one, other)]
    shared = 0
    for left, right in zip(reversed(apart[0]), reversed(apart[1]), strict=False):
        if left != right:
            break
        shared += 1
    return shared >= min(2, *map(len, apart))


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or _is_nobodys(host)


def audience(sheet: Sheet) -> Iterator[Problem]:
    if not sheet.candidates:
        yield Problem(
            "warn",
            "nobody",
            "audience",
            "There is no active subscriber: nobody would get it.",
            "Check with digest subscribers list.",
        )
