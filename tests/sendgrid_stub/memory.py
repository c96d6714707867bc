"""What the stand-in remembers of the mail it took: a million recipients in some tens of megabytes."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from tests.sendgrid_stub.events import Mail
from tests.sendgrid_stub.judge import Judged

STRANGER = -1
"""Stands for a recipient without a delivery id of ours."""

LONGEST_ID = 19
"""Digits that always fit eight bytes."""

WAITING, DISCARDED, OUT = "waiting", "discarded", "gone out"
"""What became of a request that was taken: as things stand it goes out later, it never will, or it has."""


@dataclass(slots=True)
class Taken:
    """One request that was taken. `addresses` are lines, in the order of `deliveries`.

    `args` are the custom arguments of all recipients as JSON, empty where nobody will ask for events.
    """

    message_id: str
    batch: str | None
    attempt: str | None
    batch_id: str | None
    send_at: int | None
    deliveries: array[int]
    addresses: bytes
    categories: tuple[str, ...] = ()
    args: bytes = b""
    fate: str = OUT

    def summary(self) -> dict[str, Any]:
        return {
            "message_id": self.message_id,
            "batch": self.batch,
            "attempt": self.attempt,
            "recipients": len(self.deliveries),
            "batch_id": self.batch_id,
            "send_at": self.send_at,
            "fate": self.fate,
        }

    def mails(self) -> list[Mail]:
        """One for each recipient, as their events speak of them; none where the arguments were not kept."""
        if not self.args:
            return []
        addresses = self.addresses.decode().split("\n")
        return [
            Mail(email, self.message_id, args, self.categories)
            for email, args in zip(addresses, orjson.loads(self.args), strict=True)
        ]


class Memory:
    """Not locked: the server holds its lock around every call."""

    def __init__(self, *, whole_bodies: int) -> None:
        self.taken: list[Taken] = []
        self.recipients = 0
        self._bodies: deque[tuple[str, bytes]] = deque(maxlen=whole_bodies)

    def take(self, judged: Judged, body: bytes, message_id: str, *, with_args: bool = False) -> Taken:
        """`with_args` keeps what events will have to say of each recipient."""
        message = judged.message
        people = message["personalizations"]
        args = [one.get("custom_args") or {} for one in people]
        common = message.get("custom_args") or {}
        taken = Taken(
            message_id=message_id,
            batch=args[0].get("vd_batch"),
            attempt=args[0].get("vd_attempt"),
            batch_id=message.get("batch_id"),
            send_at=min((one["send_at"] for one in people if "send_at" in one), default=message.get("send_at")),
            deliveries=_deliveries(args),
            addresses="\n".join(judged.emails).encode(),
            categories=tuple(message.get("categories", ())),
            args=orjson.dumps([{**common, **one} for one in args]) if with_args else b"",
        )
        self.taken.append(taken)
        self.recipients += len(taken.deliveries)
        self._bodies.append((message_id, body))
        return taken

    def fates(self) -> dict[str, int]:
        """How many recipients' mails wait, were discarded, have gone out."""
        counts = dict.fromkeys((WAITING, DISCARDED, OUT), 0)
        for one in self.taken:
            counts[one.fate] += len(one.deliveries)
        return counts

    def of_delivery(self, delivery: int) -> list[dict[str, Any]]:
        """Every request that handed this delivery over."""
        return [one.summary() for one in self.taken if delivery in one.deliveries]

    def of_address(self, address: str) -> list[dict[str, Any]]:
        wanted = address.lower().encode()
        return [one.summary() for one in self.taken if wanted in one.addresses.lower().split(b"\n")]

    def twice(self, *, ever: bool = False) -> dict[str, Any]:
        """Deliveries that go out more than once with how often, and how many different ones there are.

        `ever` counts those that were discarded too.
        """
        counts = self._counts(ever=ever)
        return {"distinct": len(counts), "twice": {str(d): n for d, n in counts.items() if n > 1}}

    def deliveries(self, *, ever: bool = False) -> list[int]:
        """The same deliveries, by their numbers."""
        return sorted(self._counts(ever=ever))

    def _counts(self, *, ever: bool) -> Counter[int]:
        counts = Counter[int]()
        for one in self.taken:
            if ever or one.fate != DISCARDED:
                counts.update(one.deliveries)
        counts.pop(STRANGER, None)
        return counts

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
