"""What SendGrid posts to us, from raw bytes to events in our words. Pure.

The signature is over the bytes as they came: they are verified first and read afterwards. Reading is tolerant, for
what is not understood today may be asked for next year: types vary, names are missing, kinds are unknown, and one
element that cannot be read never costs the others.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from digest import json_pieces
from digest.errors import DigestError

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

UNREADABLE = "unreadable"
"""The kind of an element that is no event at all."""
LONGEST_KIND = 40
LONGEST_TEXT = 2_000
LARGEST_KEY, LARGEST_COUNT, LONGEST_NUMBER = 2**63 - 1, 2**31 - 1, 19
EARLIEST, LATEST = 946_684_800, 4_102_444_800
"""The years 2000 to 2099, in seconds since 1970: a time outside them was not a time."""

KEPT_OF_ERASED = (
    "event",
    "type",
    "timestamp",
    "sg_event_id",
    "sg_message_id",
    "sg_machine_open",
    "bounce_classification",
)
"""What of an event names nobody, beside our own arguments: enough to find the same stamps again."""

_WEEK = re.compile(r"\d{4}-W\d{2}")
# Bounded: without that a long run without an @ is looked through again from each of its characters.
_ADDRESS = re.compile(r"[^\s\"<>@]{0,200}@[^\s\"<>]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class BadSignature(DigestError):
    """The signature does not fit these events, so they were not looked at."""


class NoEvents(DigestError):
    """What was signed is no JSON array of events."""


class Event(NamedTuple):
    """One thing the provider tells. `raw` is its JSON; everything else is None where it was not told.

    A named tuple: thousands are made a second, and a frozen dataclass takes four times as long. `delivery`, `week`,
    `batch` and `attempt` are our own arguments, `letter` that of a letter; an event without any of them is about
    other mail of the account.
    """

    kind: str
    raw: str
    happened_at: datetime | None = None
    event_id: str | None = None
    message_id: str | None = None
    week: str | None = None
    delivery: int | None = None
    batch: int | None = None
    attempt: int | None = None
    letter: int | None = None
    address: str | None = None
    type: str | None = None
    classification: str | None = None
    reason: str | None = None
    detail: str | None = None
    """What tells two events of one kind apart that happened in the same second: an address clicked, or a try."""
    by_machine: bool = False
    """Opened by a program that opens every mail, read or not."""

    @property
    def is_ours(self) -> bool:
        """Whether it is about mail that we handed over and can name."""
        return self.letter is not None or (self.delivery is not None and self.week is not None)


def read(body: bytes, *, signature: str, timestamp: str, public_key: str) -> list[Event]:
    """Verified events, in the order given. Raises BadSignature or NoEvents."""
    verify(body, signature=signature, timestamp=timestamp, public_key=public_key)
    return parse(body)


def verify(body: bytes, *, signature: str, timestamp: str, public_key: str) -> None:
    """Raises BadSignature. However old it is: a retry may be, and nothing happens twice."""
    try:
        signed, given = timestamp.encode("ascii") + body, base64.b64decode(signature, validate=True)
        _key(public_key).verify(given, signed, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise BadSignature from None


@lru_cache(maxsize=4)
def _key(public_key: str) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(base64.b64decode(public_key))
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise TypeError("the settings let no other key pass")
    return found


def parse(body: bytes) -> list[Event]:
    """The events of a body. Raises NoEvents."""
    try:
        found = orjson.loads(body)
        if not isinstance(found, list):
            raise NoEvents
        return [_event(each, orjson.dumps(each).decode()) if isinstance(each, dict) else _odd(each) for each in found]
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return list(_parse_in_pieces(body))


def parse_one(raw: str) -> Event:
    """An event as it was stored."""
    found = _document(raw)
    return Event(UNREADABLE, raw) if found is None else _event(found, raw)


def _odd(value: Any) -> Event:
    return _unreadable(orjson.dumps(value).decode())


def _parse_in_pieces(body: bytes) -> Iterator[Event]:
    """Some element is no good JSON: each is read by itself, and what cannot be read at all is kept."""
    pieces = json_pieces.of_array(body.decode("utf-8", "replace").replace("\x00", "\ufffd"))
    if pieces is None:
        raise NoEvents
    for piece in pieces:
        found = _lenient(piece)
        yield _event(found, piece) if isinstance(found, dict) else _unreadable(piece)


def _document(raw: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = _lenient(raw)
    return found if isinstance(found, dict) else None


def _lenient(text: str) -> Any:
    """JSON as the standard library reads it: half characters and endless numbers too. None for what is none."""
    try:
        return json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= LONGEST_NUMBER else None


def _unreadable(raw: str) -> Event:
    """Kept without what looks like an address: whose it is cannot be known, so nobody could have it erased."""
    return Event(UNREADABLE, without_addresses(raw))


def without_addresses(text: str) -> str:
    """The text with a mark in place of whatever looks like an address."""
    return _ADDRESS.sub("…", text)


def _event(found: dict[str, Any], raw: str) -> Event:
    get = found.get
    return Event(
        kind=(_text(get("event")) or "unnamed")[:LONGEST_KIND],
        raw=raw,
        happened_at=_instant(get("timestamp")),
        event_id=_text(get("sg_event_id")),
        message_id=_text(get("sg_message_id")),
        week=_week(get("vd_week")),
        delivery=_number(get("vd_delivery"), LARGEST_KEY),
        batch=_number(get("vd_batch"), LARGEST_KEY),
        attempt=_number(get("vd_attempt"), LARGEST_COUNT),
        letter=_number(get("vd_letter"), LARGEST_KEY),
        address=_text(get("email")),
        type=_text(get("type")),
        classification=_text(get("bounce_classification")),
        reason=_text(get("reason")) or _text(get("response")),
        detail=_text(get("url")) or _text(get("attempt")),
        by_machine=get("sg_machine_open") in (True, 1, "true", "1"),
    )


def _text(value: Any) -> str | None:
    """Text that any database takes; a number as its digits; None for anything else, and for nothing."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value) if abs(value) < LARGEST_KEY else "a number"
    if not isinstance(value, str):
        return None
    if not value.isprintable():
        value = _SURROGATE.sub("\ufffd", value.replace("\x00", "\ufffd"))
    return value[:LONGEST_TEXT] or None


def _number(value: Any, largest: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= LONGEST_NUMBER:
        value = int(value)
    return value if isinstance(value, int) and value is not True and 0 < value <= largest else None


@lru_cache(maxsize=64)  # an edition's is the same in every event
def _is_week(text: str) -> bool:
    return _WEEK.fullmatch(text) is not None


def _week(value: Any) -> str | None:
    return value if isinstance(value, str) and _is_week(value) else None


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = _number(value.partition(".")[0], LARGEST_KEY)
    if not isinstance(value, int | float) or not EARLIEST <= value < LATEST:
        return None
    return datetime.fromtimestamp(int(value), UTC)


def without_person(raw: str) -> str:
    """An event as JSON that names nobody any more, and still says the same of the delivery."""
    found = _document(raw) or {}
    kept = {name: _plain(found[name]) for name in found if name in KEPT_OF_ERASED or name.startswith("vd_")}
    return orjson.dumps(kept).decode()


def _plain(value: Any) -> Any:
    """A value that can be an address is none of these."""
    if isinstance(value, str):
        return without_addresses(_SURROGATE.sub("\ufffd", value))
    return value if isinstance(value, int | float) and abs(value) < LARGEST_KEY else None
