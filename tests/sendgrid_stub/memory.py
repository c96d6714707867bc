"""What the stand-in remembers of the mail it took: a million recipients in some tens of megabytes."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from tests.sendgrid_stub.judge import Judged

STRANGER = -1
"""Stands for a recipient without a delivery id of ours."""

LONGEST_ID = 19
"""Digits that always fit eight bytes."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One request that was taken. `addresses` are lines, in the order of `deliveries`."""

    message_id: str
    batch: str | None
    attempt: str | None
    batch_id: str | None
    send_at: int | None
    deliveries: array[int]
    addresses: bytes

    def summary(self) -> dict[str, Any]:
        return {
            "message_id": self.message_id,
            "batch": self.batch,
            "attempt": self.attempt,
            "recipients": len(self.deliveries),
        }


class Memory:
    """Not locked: the server holds its lock around every call."""

    def __init__(self, *, whole_bodies: int) -> None:
        self.taken: list[Taken] = []
        self.recipients = 0
        self._bodies: deque[tuple[str, bytes]] = deque(maxlen=whole_bodies)

    def take(self, judged: Judged, body: bytes, message_id: str) -> None:
        args = [one.get("custom_args") or {} for one in judged.message["personalizations"]]
        taken = Taken(
            message_id=message_id,
            batch=args[0].get("vd_batch"),
            attempt=args[0].get("vd_attempt"),
            batch_id=judged.message.get("batch_id"),
            send_at=judged.message.get("send_at"),
            deliveries=_deliveries(args),
            addresses="\n".join(judged.emails).encode(),
        )
        self.taken.append(taken)
        self.recipients += len(taken.deliveries)
        self._bodies.append((message_id, body))

    def of_delivery(self, delivery: int) -> list[dict[str, Any]]:
        """Every request that handed this delivery over."""
        return [one.summary() for one in self.taken if delivery in one.deliveries]

    def of_address(self, address: str) -> list[dict[str, Any]]:
        wanted = address.lower().encode()
        return [one.summary() for one in self.taken if wanted in one.addresses.lower().split(b"\n")]

    def twice(self) -> dict[str, Any]:
        """Deliveries handed over more than once with how often, and how many different ones there are."""
        counts = Counter[int]()
        for one in self.taken:
            counts.update(one.deliveries)
        counts.pop(STRANGER, None)
        return {"distinct": len(counts), "twice": {str(d): n for d, n in counts.items() if n > 1}}

    def mail(self, address: str) -> dict[str, Any] | None:
        """The newest mail to an address as it would arrive, if its request is still remembered whole."""
        for message_id, body in reversed(self._bodies):
            message = orjson.loads(body)
            for one in message["personalizations"]:
                if any(person["email"].lower() == address.lower() for person in one["to"]):
                    return {"message_id": message_id, **_as_it_arrives(message, one)}
        return None


def _deliveries(args: list[dict[str, str]]) -> array[int]:
    try:
        return array("q", [int(arg["vd_delivery"]) for arg in args])
    except (KeyError, ValueError, OverflowError):
        return array("q", _one_by_one(args))


def _one_by_one(args: list[dict[str, str]]) -> Iterator[int]:
    for arg in args:
        text = arg.get("vd_delivery", "")
        yield int(text) if text.isdecimal() and len(text) < LONGEST_ID else STRANGER


def _as_it_arrives(message: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, str] = one.get("substitutions", {})
    content = {part["type"]: _filled(part["value"], values) for part in message["content"]}
    return {
        "to": [person["email"] for person in one["to"]],
        "from": one.get("from", message["from"]),
        "reply_to": _filled((message.get("reply_to") or {}).get("email", ""), values),
        "subject": _filled(one.get("subject", message["subject"]), values),
        "headers": {**message.get("headers", {}), **one.get("headers", {})},
        "text": content.get("text/plain"),
        "html": content.get("text/html"),
        "custom_args": {**message.get("custom_args", {}), **one.get("custom_args", {})},
        "categories": message.get("categories", []),
        "tracking_settings": message.get("tracking_settings", {}),
    }


def _filled(text: str, values: dict[str, str]) -> str:
    """Raw splices, one tag after another, nothing escaped."""
    for tag, value in values.items():
        text = text.replace(tag, value)
    return text
