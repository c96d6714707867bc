"""What events look like: one dict for each thing that becomes of one mail, with the fields of the real ones. Pure.

A happening is written `KIND[:VALUE]`:

    processed · delivered · deferred[:RESPONSE] · dropped[:REASON]
    bounce[:CLASSIFICATION] · blocked[:CLASSIFICATION]         refused at once, for good or for now
    late-bounce[:CLASSIFICATION]                               refused hours later: no sg_message_id
    open · machine-open · click[:URL] · spamreport · unsubscribe · group_unsubscribe · group_resubscribe
    unknown[:NAME]                                             a kind of event nobody has heard of
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.sendgrid_stub.luck import digest, luck

INVALID_ADDRESS = "Invalid Address"
CLASSIFICATIONS = (
    INVALID_ADDRESS,
    "Mailbox Unavailable",
    "Reputation",
    "Content",
    "Technical",
    "Frequency or Volume Too High",
    "Unclassified",
)
_IP = "192.0.2.7"
_READER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_GROUP = 4711


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that becomes of a mail."""

    kind: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that went out, as its events speak of it."""

    email: str
    message_id: str
    args: Mapping[str, str]
    categories: Sequence[str] = ()


Fields = dict[str, Any]


def _deferred(_mail: Mail, value: str) -> Fields:
    return {
        "event": "deferred",
        "response": value or "451 4.7.1 try again later",
        "attempt": "5",
        "domain": "",
        "tls": 0,
    }


def _bounced(kind: str) -> Callable[[Mail, str], Fields]:
    def fields(_mail: Mail, value: str) -> Fields:
        hard = kind == "bounce"
        return {
            "event": "bounce",
            "type": kind,
            "bounce_classification": value or (INVALID_ADDRESS if hard else "Technical"),
            "reason": "550 5.1.1 no such user" if hard else "452 4.2.2 mailbox full",
            "status": "5.1.1" if hard else "4.2.2",
            "ip": _IP,
            "tls": 1,
        }

    return fields


def _opened(*, machine: bool) -> Callable[[Mail, str], Fields]:
    return lambda _mail, _value: {
        "event": "open",
        "useragent": _READER,
        "ip": _IP,
        "sg_content_type": "html",
        "sg_machine_open": machine,
    }


def _clicked(_mail: Mail, value: str) -> Fields:
    url = value or "https://www.example.com/"
    return {"event": "click", "url": url, "url_offset": {"index": 0, "type": "html"}, "useragent": _READER, "ip": _IP}


def _plain(kind: str, **more: Any) -> Callable[[Mail, str], Fields]:
    return lambda _mail, _value: {"event": kind, **more}


_FIELDS: dict[str, Callable[[Mail, str], Fields]] = {
    "processed": _plain("processed", send_at=0),
    "delivered": _plain("delivered", response="250 2.0.0 OK", ip=_IP, tls=1),
    "deferred": _deferred,
    "dropped": lambda _, value: {"event": "dropped", "reason": value or "Bounced Address", "status": "5.0.0"},
    "bounce": _bounced("bounce"),
    "blocked": _bounced("blocked"),
    "late-bounce": _bounced("bounce"),
    "open": _opened(machine=False),
    "machine-open": _opened(machine=True),
    "click": _clicked,
    "spamreport": _plain("spamreport"),
    "unsubscribe": _plain("unsubscribe"),
    "group_unsubscribe": _plain("group_unsubscribe", asm_group_id=_GROUP, useragent=_READER, ip=_IP, url=""),
    "group_resubscribe": _plain("group_resubscribe", asm_group_id=_GROUP, useragent=_READER, ip=_IP, url=""),
    "unknown": lambda _, value: {"event": value or "pondered", "mood": ["new", {"to": "everybody"}], "weight": None},
}
KINDS = frozenset(_FIELDS)


def parse(text: str) -> Happening:
    """Raises ValueError for a kind there is not."""
    kind, _, value = text.partition(":")
    if kind not in KINDS:
        raise ValueError(f"there is no event {text!r}")
    return Happening(kind, value)


def event(mail: Mail, happening: Happening, *, at: int, number: int, seed: int = 0) -> Fields:
    """The event as it is posted. `number` tells apart what becomes of one mail."""
    about = (mail.message_id, mail.email, happening.kind, number)
    fields: Fields = {
        "email": mail.email,
        "timestamp": at,
        "smtp-id": f"<{mail.message_id}@geopod-ismtpd-7>",
        "sg_event_id": event_id(seed, *about),
        "sg_message_id": f"{mail.message_id}.filterdrecv-5f6b7c-x2x4-1-{digest(seed, *about, size=4).hex()}.0",
        **mail.args,
        **_FIELDS[happening.kind](mail, happening.value),
    }
    if "send_at" in fields:
        fields["send_at"] = at
    if "domain" in fields:
        fields["domain"] = mail.email.rpartition("@")[2]
    if happening.kind == "late-bounce":
        del fields["sg_message_id"], fields["smtp-id"]
    if mail.categories:
        one = len(mail.categories) == 1 and luck(seed, *about, "category") < 0.5
        fields["category"] = mail.categories[0] if one else list(mail.categories)
    return fields


def event_id(seed: int, *about: object) -> str:
    return base64.urlsafe_b64encode(digest(seed, "event", *about, size=16)).decode().rstrip("=")


def of_a_stranger(number: int, *, at: int, seed: int) -> Fields:
    """Something that became of other mail on the account: none of our arguments, one that looks a little like ours."""
    mail = Mail(f"stranger{number}@elsewhere.example", f"other{number}", {"order": str(number)}, ("receipts",))
    kinds = ("delivered", "bounce", "spamreport", "unsubscribe", "open", "dropped")
    kind = kinds[int(luck(seed, "stranger", number) * len(kinds))]
    return event(mail, Happening(kind), at=at, number=number, seed=seed)
