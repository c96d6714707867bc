"""What SendGrid is asked to send: one batch as the JSON of a Mail Send request. Pure.

One bad value costs the whole request, so everything SendGrid would refuse is refused here, before the call, by the
same exception. Plain dicts: the helpers of the official package reverse the recipients, and their data with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson

from digest.transport import EDITIONS, Outgoing, Paper, Recipient, Refused, Sender
from subscribers import addresses

MOST_RECIPIENTS = 1_000
MOST_TAGS = 150
LARGEST_SUBSTITUTIONS = 10_000
"""Bytes as JSON, tags included. One document says 10,000, another 50,000."""
LARGEST_BODY = 30_000_000
LONGEST_CATEGORY = 255
RESERVED_HEADERS = frozenset(
    {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"}
    | {"to", "from", "subject", "reply-to", "cc", "bcc"}
)

TAG = re.compile(r"-vd\d{4}w\d{2}[A-Za-z0-9]+-")
"""A substitution tag of any edition, such as `-vd2026w47name-`."""

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_PRINTABLE = bytes(range(0x20, 0x7F))
_HEADER_NAME = re.compile(r"[!-9;-~]+")

# Every setting is stated: what a request leaves out, the account decides.
_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}


def body_of(outgoing: Outgoing) -> bytes:
    """The request's body, recipients in the order given. Raises Refused."""
    payload = {"personalizations": _personalizations(outgoing), **_paper(outgoing.paper)}
    payload["categories"] = [_category(outgoing.category)]
    payload["tracking_settings"] = _TRACKING
    if outgoing.fence is not None:
        payload |= {"batch_id": outgoing.fence.batch_id, "send_at": int(outgoing.fence.send_at.timestamp())}
    if outgoing.sandbox:
        payload["mail_settings"] = {"sandbox_mode": {"enable": True}}
    try:
        body = orjson.dumps(payload)
    except TypeError:
        # One reader's value, which is then named, or the paper's own text.
        _one_by_one(outgoing.recipients, outgoing.paper.headers, frozenset())
        raise Refused("The edition holds text that cannot be written as UTF-8.") from None
    if len(body) >= LARGEST_BODY:
        raise Refused(f"The request is {len(body):,} bytes; SendGrid takes less than 30 MB.", too_large=True)
    return body


def address(email: str) -> str | None:
    """The address in the ASCII form mail servers speak, or None when it has none."""
    if not email.isascii():
        try:
            email = addresses.parse(email).on_the_wire
        except addresses.BadAddress:
            return None
    return email if _ADDRESS.fullmatch(email) else None


def _paper(paper: Paper) -> dict[str, Any]:
    if not paper.subject or "\r" in paper.subject or "\n" in paper.subject:
        raise Refused("The subject must be one line with something on it.")
    if not paper.text or paper.html == "":
        raise Refused("Each part of the edition needs at least one character.")
    content = [{"type": "text/plain", "value": paper.text}]
    if paper.html is not None:
        content.append({"type": "text/html", "value": paper.html})
    return {**_sender(paper.sender), "subject": paper.subject, "content": content}


def _sender(sender: Sender) -> dict[str, Any]:
    email, reply_to = address(sender.email), address(sender.reply_to)
    if email is None or reply_to is None:
        raise Refused(f"The {'sender' if email is None else 'reply-to'} address is not one SendGrid takes.")
    if "\r" in sender.name or "\n" in sender.name:
        raise Refused("The sender's name must be one line.")
    named = {"email": email, "name": sender.name} if sender.name else {"email": email}
    return {"from": named, "reply_to": {"email": reply_to}}


def _category(category: str) -> str:
    if not 0 < len(category) <= LONGEST_CATEGORY or not category.isascii():
        raise Refused("A category has 1 to 255 ASCII characters.")
    return category


def _personalizations(outgoing: Outgoing) -> list[dict[str, Any]]:
    recipients = outgoing.recipients
    if not recipients:
        raise Refused("The batch has no recipients.")
    if len(recipients) > MOST_RECIPIENTS:
        raise Refused(
            f"The batch has {len(recipients):,} recipients; SendGrid takes {MOST_RECIPIENTS:,} in one request."
        )
    common = dict(outgoing.paper.headers)
    _check_header_names(tuple(common), taken=(), recipient=None)
    _check_header_values(common, recipient=None)
    tags = _tags_in_use(outgoing.paper, recipients)
    emails = _at_a_glance(recipients, common, tags) or _one_by_one(recipients, common, tags)
    mark, common_marks = _marks(outgoing)
    # All headers here, none at the top: whether the two levels merge or the nearer one replaces the other,
    # the documents do not agree.
    written: list[dict[str, Any]] = [
        {
            "to": [{"email": email}],
            "custom_args": {mark: str(recipient.delivery), **common_marks},
            "headers": {**common, **recipient.headers},
            "substitutions": recipient.substitutions,
        }
        for email, recipient in zip(emails, recipients, strict=True)
    ]
    for personalization in written:
        # What is empty is left out: SendGrid takes no empty object.
        if not (personalization["headers"] and personalization["substitutions"]):
            for name in ("headers", "substitutions"):
                if not personalization[name]:
                    del personalization[name]
    return written


def _at_a_glance(recipients: Sequence[Recipient], common: Mapping[str, str], tags: frozenset[str]) -> list[str] | None:
    """The addresses, where a look at all recipients together shows that nothing can be wrong with any of them.

    None where each has to be looked at: something is wrong, or only unusual. Ten times as fast, and nearly always so.
    """
    names, offered = tuple(recipients[0].headers), tuple(recipients[0].substitutions)
    if {tuple(one.headers) for one in recipients} != {names} or {tuple(one.substitutions) for one in recipients} != {
        offered
    }:
        return None
    try:
        _check_header_names(names, taken=tuple(common), recipient=None)
        headers = list(chain.from_iterable(recipient.headers.values() for recipient in recipients))
        values = list(chain.from_iterable(recipient.substitutions.values() for recipient in recipients))
        emails = [recipient.email for recipient in recipients]
        fine = _fine_headers(headers) and _fine_values(offered, values, tags) and _fine_addresses(emails)
    except (Refused, TypeError):
        return None
    return emails if fine else None


def _fine_headers(values: Sequence[str]) -> bool:
    joined = "".join(values)
    return joined.isascii() and not joined.encode().translate(None, _PRINTABLE) and all(values)


def _fine_values(names: tuple[str, ...], values: Sequence[str], tags: frozenset[str]) -> bool:
    joined = "".join(values)
    # A character takes at most six bytes as JSON.
    longest = (sum(map(len, names)) + len(names) * max(map(len, values), default=0)) * 6 + 6 * len(names)
    return (
        tags <= set(names)
        and len(names) <= MOST_TAGS
        and longest <= LARGEST_SUBSTITUTIONS
        and "\r" not in joined
        and "\n" not in joined
        and "-vd" not in joined
    )


def _fine_addresses(emails: Sequence[str]) -> bool:
    return all(map(_ADDRESS.fullmatch, emails)) and len(set("\n".join(emails).lower().split("\n"))) == len(emails)


def _one_by_one(recipients: Sequence[Recipient], common: Mapping[str, str], tags: frozenset[str]) -> list[str]:
    """The addresses as they go out. Raises Refused, which names who it is about."""
    emails = _addresses(recipients)
    for index, recipient in enumerate(recipients):
        _check_header_names(tuple(recipient.headers), taken=tuple(common), recipient=index)
        _check_header_values(recipient.headers, recipient=index)
        _check_substitutions(recipient.substitutions, tags, recipient=index)
    return emails


def _marks(outgoing: Outgoing) -> tuple[str, dict[str, str]]:
    """The custom argument that tells recipients apart in events, and those that are the same for all of them.

    Letters have numbers of their own: under the name of a delivery their events would be taken for an edition's.
    """
    attempt = {"vd_attempt": str(outgoing.attempt)}
    if outgoing.category == EDITIONS:
        # With its week: after a restored backup the numbers of batches and deliveries are given again.
        return "vd_delivery", {"vd_week": outgoing.edition, "vd_batch": str(outgoing.batch), **attempt}
    return f"vd_{outgoing.category}", attempt


def _addresses(recipients: Sequence[Recipient]) -> list[str]:
    """Each recipient's address as it goes out. Raises Refused for an impossible one and for one given twice."""
    emails: list[str] = []
    seen: set[str] = set()
    for index, recipient in enumerate(recipients):
        email = address(recipient.email)
        if email is None:
            raise Refused(f"The address of delivery {recipient.delivery} is not one SendGrid takes.", recipient=index)
        if email.lower() in seen:
            raise Refused(f"The address of delivery {recipient.delivery} is in this batch twice.", recipient=index)
        seen.add(email.lower())
        emails.append(email)
    return emails


def _check_header_names(names: Sequence[str], *, taken: Sequence[str], recipient: int | None) -> None:
    """`taken` are the names every recipient has already."""
    seen = {name.lower() for name in taken}
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            raise Refused("A header's name must be printable ASCII without a colon.", recipient=recipient)
        if name.lower() in RESERVED_HEADERS:
            raise Refused(f"The header {name} belongs to SendGrid.", recipient=recipient)
        if name.lower() in seen:
            raise Refused(f"The header {name} is given twice.", recipient=recipient)
        seen.add(name.lower())


def _check_header_values(headers: Mapping[str, str], *, recipient: int | None) -> None:
    for name, value in headers.items():
        if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
            raise Refused(f"The header {name} must be one line of printable ASCII.", recipient=recipient)


def _tags_in_use(paper: Paper, recipients: Sequence[Recipient]) -> frozenset[str]:
    """The tags that stand in the paper. Raises Refused for one that nobody has a value for."""
    looks_like = _what_looks_like_a_tag(paper.subject, paper.text, paper.html)
    offered = frozenset(chain.from_iterable({tuple(recipient.substitutions) for recipient in recipients}))
    if unknown := looks_like - offered:
        raise Refused(f"The edition holds the tag {min(unknown)}, which nobody has a value for.")
    parts = (paper.subject, paper.text, paper.html or "")
    return looks_like | {tag for tag in offered - looks_like if any(tag in part for part in parts)}


@lru_cache(maxsize=16)
def _what_looks_like_a_tag(subject: str, text: str, html: str | None) -> frozenset[str]:
    return frozenset(TAG.findall("\n".join((subject, text, html or ""))))


def _check_substitutions(values: Mapping[str, str], tags: frozenset[str], *, recipient: int) -> None:
    if missing := tags - values.keys():
        raise Refused(f"The tag {min(missing)} has no value for one recipient.", recipient=recipient)
    if len(values) > MOST_TAGS:
        raise Refused(f"A recipient has {len(values)} tags; SendGrid takes {MOST_TAGS}.", recipient=recipient)
    for tag, value in values.items():
        if not isinstance(value, str):
            raise Refused(f"The value of {tag} is not text.", recipient=recipient)
        if "\r" in value or "\n" in value:
            raise Refused(f"The value of {tag} must be one line.", recipient=recipient)
        # Replaced one after another: a tag inside a value might be filled in too, or be left over.
        if "-vd" in value and TAG.search(value):
            raise Refused(f"The value of {tag} holds a tag itself.", recipient=recipient)
    try:
        size = len(orjson.dumps(values))
    except TypeError:
        raise Refused("A value cannot be written as UTF-8.", recipient=recipient) from None
    if size > LARGEST_SUBSTITUTIONS:
        raise Refused(f"A recipient's values take {size:,} bytes; SendGrid takes 10,000.", recipient=recipient)
