"""What one event means: for its delivery, for the person's consent, and for us. Pure, and a table to be read.

| Signal | We do |
|---|---|
| bounce, hard; not classified, or as a bad address or mailbox | suppress |
| bounce, hard; classified as anything else | our fault, not theirs: alarm, nobody is suppressed |
| bounce, blocked; deferred | stamp; three editions in a row without a delivery suppress (`unreachable`) |
| dropped because SendGrid has them on a list | import that suppression: we had missed it |
| dropped because of a quota, our headers or our content | alarm, halt |
| dropped, any other reason | alarm |
| spamreport | suppress for ever |
| unsubscribe, group_unsubscribe | unsubscribe |
| account_status_change | halt everything that is being sent |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from digest.sendgrid_events import Event, without_addresses
from subscribers.policy import Act


class Trouble(StrEnum):
    """What an event means for us."""

    ALARM = "alarm"
    HALT = "halt"  # this edition
    HALT_ALL = "halt everything"


@dataclass(frozen=True, slots=True)
class Meaning:
    """`stamps` are columns of the delivery; `because` is the evidence for an act, or what staff are told."""

    stamps: tuple[str, ...] = ()
    act: Act | None = None
    trouble: Trouble | None = None
    because: str = ""


NOTHING = Meaning()
DELIVERED = Meaning(("delivered_at",))
DEFERRED = Meaning(("deferred_at",))
OPENED = Meaning(("opened_at",))
CLICKED = Meaning(("clicked_at",))

REACHING_CONSENT = frozenset({"bounce", "dropped", "spamreport", "unsubscribe", "group_unsubscribe"})
"""Kinds that may mean an act; all others never do."""

THEIRS = frozenset({"", "unclassified", "invalid address", "mailbox unavailable"})
"""Classes of a hard bounce that say something of the address. SendGrid lists it for the first two as well."""

LISTED = {
    "bounced address": Act.BOUNCE,
    "invalid": Act.BOUNCE,
    "unsubscribed address": Act.UNSUBSCRIBE,
    "spam reporting address": Act.COMPLAIN,
}
"""Why SendGrid drops a mail: the address is on one of its lists."""

LONGEST_QUOTATION = 200

OUR_DOING = ("quota", "invalid smtpapi header", "spam content")
"""What the reason holds where the other mails will be dropped too."""


def meaning_of(event: Event) -> Meaning:
    """What an event means. Of other mail's events the caller takes nothing but a change of the account."""
    match event.kind:
        case "delivered":
            return DELIVERED
        case "deferred":
            return DEFERRED
        case "open":
            return NOTHING if event.by_machine else OPENED
        case "click":
            return CLICKED
        case "bounce":
            return _bounce(event)
        case "dropped":
            return _dropped(event)
        case "spamreport":
            return Meaning(("complained_at",), Act.COMPLAIN, because="they reported our mail as spam")
        case "unsubscribe" | "group_unsubscribe":
            return Meaning(("unsubscribed_at",), Act.UNSUBSCRIBE, because="they unsubscribed at the provider")
        case "account_status_change":
            return Meaning(trouble=Trouble.HALT_ALL, because=_account(event))
        case _:
            return NOTHING


def is_ours_to_mend(event: Event) -> bool:
    """Whether a hard bounce says something of us and nothing of the address."""
    return (
        event.kind == "bounce" and event.type == "bounce" and (event.classification or "").strip().lower() not in THEIRS
    )


def _bounce(event: Event) -> Meaning:
    if event.type != "bounce":
        return Meaning(("bounced_at",))
    stamps = ("bounced_at", "hard_bounced_at")
    if is_ours_to_mend(event):
        return Meaning(stamps, trouble=Trouble.ALARM, because=_blamed(event))
    said = event.reason or event.classification or "no reason given"
    return Meaning(stamps, Act.BOUNCE, because=f"hard bounce: {said}")


def _dropped(event: Event) -> Meaning:
    stamps = ("dropped_at",)
    reason = (event.reason or "").strip().lower()
    if reason in LISTED:
        return Meaning(stamps, LISTED[reason], because=f"SendGrid does not send there: {event.reason}")
    said = f"SendGrid drops mail: “{_quoted(event.reason or 'no reason given')}”"
    ours = any(words in reason for words in OUR_DOING)
    return Meaning(stamps, trouble=Trouble.HALT if ours else Trouble.ALARM, because=said)


def _account(event: Event) -> str:
    what = f": “{_quoted(event.type)}”" if event.type else ""
    return f"SendGrid reports that the status of the account has changed{what}"


def _blamed(event: Event) -> str:
    return (
        f"mail bounces for good, classified as “{_quoted(event.classification or '')}”: that is about us or how "
        f"we send, not about the addresses, so nobody was suppressed for it"
    )


def _quoted(said: str) -> str:
    """A provider's words as staff are told them, and as they stay in logs: without the addresses they may quote."""
    return without_addresses(said)[:LONGEST_QUOTATION]
