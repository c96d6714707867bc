"""What SendGrid takes: a Mail Send body judged by the limits. Pure, and quick: it is on the hot path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.sendgrid_stub import glance
from tests.sendgrid_stub.limits import (
    ADDRESS,
    FURTHEST_SEND_AT,
    LARGEST_BODY,
    LARGEST_VALUES,
    LONGEST_CATEGORY,
    MOST_CATEGORIES,
    MOST_RECIPIENTS,
    MOST_TAGS,
    RESERVED_HEADERS,
)

Error = dict[str, str | None]

_MESSAGE_FIELDS = frozenset(
    {"personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id"}
    | {"headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name"}
    | {"mail_settings", "tracking_settings"}
)
_PERSONALIZATION_FIELDS = frozenset(
    {
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "headers",
        "substitutions",
        "dynamic_template_data",
        "custom_args",
        "send_at",
    }
)


@dataclass
class Judged:
    """A body, what is wrong with it, and the first address of each personalization."""

    message: dict[str, Any]
    errors: list[Error] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)

    @property
    def sandbox(self) -> bool:
        settings = self.message.get("mail_settings") or {}
        return bool((settings.get("sandbox_mode") or {}).get("enable"))


def error(message: str, where: str | None = None) -> Error:
    return {"message": message, "field": where, "help": None}


def judge(body: bytes, *, now: float, knows_batch: Callable[[str], bool]) -> Judged:
    """`now` is in unix seconds; `knows_batch` tells whether a batch id was given out."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Judged({}, [error("Bad Request")])
    if not isinstance(message, dict):
        return Judged({}, [error("Invalid type. Expected: object.")])
    judged = Judged(message)
    judged.errors += _unknown(message, _MESSAGE_FIELDS, "")
    _judge_personalizations(judged, now)
    judged.errors += _judge_senders(message)
    judged.errors += _judge_subject(message)
    judged.errors += _judge_content(message.get("content"))
    judged.errors += _judge_categories(message.get("categories", []))
    judged.errors += _judge_headers(message.get("headers", {}), "headers")
    if "custom_args" in message:
        judged.errors += _judge_args(message["custom_args"], "custom_args")
        judged.errors += _judge_all_args(message)
    judged.errors += _judge_send_at(message.get("send_at"), now, "send_at")
    judged.errors += _judge_settings(message)
    if "batch_id" in message and not knows_batch(message["batch_id"]):
        judged.errors.append(error("The batch id is not valid.", "batch_id"))
    return judged


def _unknown(found: dict[str, Any], known: frozenset[str], prefix: str) -> Iterator[Error]:
    if found.keys() <= known:
        return
    for name in found.keys() - known:
        yield error(f"Additional property {name} is not allowed", prefix + name)


def _judge_personalizations(judged: Judged, now: float) -> None:
    many = judged.message.get("personalizations")
    if not isinstance(many, list) or not many:
        judged.errors.append(error("You must have at least one personalization.", "personalizations"))
        return
    if len(many) > MOST_RECIPIENTS:
        judged.errors.append(error(f"At most 1000 personalizations, you sent {len(many)}.", "personalizations"))
        return
    if (emails := glance.addresses(many)) is not None:
        judged.emails = emails
        return
    judge_each(judged, many, now)


def judge_each(judged: Judged, many: list[Any], now: float) -> None:
    """Every personalization by itself."""
    seen: set[str] = set()
    for index, one in enumerate(many):
        judged.errors += _judge_personalization(judged, one, f"personalizations.{index}", seen, now)
    if len(seen) > MOST_RECIPIENTS:
        judged.errors.append(error("At most 1000 recipients (to, cc, bcc) per request.", "personalizations"))


def _judge_personalization(judged: Judged, one: Any, where: str, seen: set[str], now: float) -> list[Error]:
    if not isinstance(one, dict):
        return [error("Invalid type. Expected: object.", where)]
    found: list[Error] = []
    if not one.keys() <= _PERSONALIZATION_FIELDS:
        found += _unknown(one, _PERSONALIZATION_FIELDS, where + ".")
    if wrong := _judge_recipients(judged, one, where, seen):
        found += wrong
    if "substitutions" in one and (wrong := _judge_substitutions(one["substitutions"], where + ".substitutions")):
        found += wrong
    if "headers" in one and (wrong := _judge_headers(one["headers"], where + ".headers")):
        found += wrong
    if "custom_args" in one and (wrong := _judge_args(one["custom_args"], where + ".custom_args")):
        found += wrong
    if "send_at" in one:
        found += _judge_send_at(one["send_at"], now, where + ".send_at")
    if "subject" in one:
        found += _judge_subject(one, where + ".")
    if "from" in one and not _is_person(one["from"]):
        found.append(error("The from address is not valid.", where + ".from.email"))
    return found


def _judge_recipients(judged: Judged, one: dict[str, Any], where: str, seen: set[str]) -> list[Error]:
    people = one.get("to")
    if not isinstance(people, list) or not people:
        judged.emails.append("")
        return [error("The to array is required and needs one address.", where + ".to")]
    found = []
    for kind in ("to", "cc", "bcc") if "cc" in one or "bcc" in one else ("to",):
        people = one.get(kind, [])
        if not isinstance(people, list):
            found.append(error("Invalid type. Expected: array.", f"{where}.{kind}"))
            continue
        for position, person in enumerate(people):
            email = person.get("email") if isinstance(person, dict) else None
            if isinstance(person, dict) and not isinstance(person.get("name", ""), str):
                found.append(error("Invalid type. Expected: string.", f"{where}.{kind}.{position}.name"))
            elif not isinstance(email, str) or not ADDRESS.fullmatch(email):
                found.append(error("Does not contain a valid address.", f"{where}.{kind}.{position}.email"))
            elif (normal := email.lower()) in seen:
                text = f"Each address should be unique. We found [{email}] again in {where}.{kind}."
                found.append(error(text, f"{where}.{kind}"))
            else:
                seen.add(normal)
    first = one["to"][0]
    judged.emails.append(str(first.get("email")) if isinstance(first, dict) else "")
    return found


def _judge_strings(values: Any, where: str, *, most_bytes: int) -> list[Error]:
    """That all values are strings, together not too long. In one go where all is well, as it nearly always is."""
    if not isinstance(values, dict):
        return [error("Invalid type. Expected: object.", where)]
    try:
        letters = "".join((*values, *values.values()))
    except TypeError:
        wrong = next(name for name, value in values.items() if not isinstance(value, str))
        return [error("Invalid type. Expected: string.", f"{where}.{wrong}")]
    if len(letters) * 4 > most_bytes and len(letters.encode()) > most_bytes:
        return [error(f"At most {most_bytes} bytes.", where)]
    return []


def _judge_substitutions(values: Any, where: str) -> list[Error]:
    if wrong := _judge_strings(values, where, most_bytes=LARGEST_VALUES):
        return wrong
    if len(values) > MOST_TAGS:
        return [error("At most 150 substitutions per personalization.", where)]
    return []


def _judge_args(values: Any, where: str) -> list[Error]:
    if wrong := _judge_strings(values, where, most_bytes=LARGEST_VALUES):
        return wrong
    return [] if values else [error("The custom arguments must not be empty.", where)]


def _judge_all_args(message: dict[str, Any]) -> list[Error]:
    """What each recipient has of their own comes on top of what all have."""
    common, people = message["custom_args"], message.get("personalizations")
    if not isinstance(common, dict) or not isinstance(people, list):
        return []
    found: list[Error] = []
    for index, one in enumerate(people):
        own = one.get("custom_args") if isinstance(one, dict) else None
        if isinstance(own, dict):
            merged = {**common, **own}
            found += _judge_strings(merged, f"personalizations.{index}.custom_args", most_bytes=LARGEST_VALUES)
    return found


def _judge_headers(values: Any, where: str) -> list[Error]:
    if wrong := _judge_strings(values, where, most_bytes=LARGEST_BODY):
        return wrong
    names = "\0".join(values)
    if not names.isascii() or "" in values:
        return [error("Header names must be ASCII.", where)]
    if RESERVED_HEADERS.isdisjoint(names.lower().split("\0")):
        return []
    return [
        error(f"The header {name} is reserved.", f"{where}.{name}")
        for name in values
        if name.lower() in RESERVED_HEADERS
    ]


def _judge_send_at(value: Any, now: float, where: str) -> Iterator[Error]:
    if value is None:
        return
    if type(value) is not int:
        yield error("Invalid type. Expected: integer.", where)
    elif value > now + FURTHEST_SEND_AT:
        yield error("Scheduling more than 72 hours ahead is not permitted.", where)


def _judge_senders(message: dict[str, Any]) -> Iterator[Error]:
    if not _is_person(message.get("from")):
        yield error("The from address is not valid.", "from.email")
    if "reply_to" in message and not _is_person(message["reply_to"]):
        yield error("The reply_to address is not valid.", "reply_to.email")
    if "reply_to" in message and "reply_to_list" in message:
        yield error("Use reply_to or reply_to_list, not both.", "reply_to")
    if "reply_to_list" in message:
        people = message["reply_to_list"]
        if not isinstance(people, list) or not people or not all(map(_is_person, people)):
            yield error("The reply_to_list needs valid addresses.", "reply_to_list")


def _is_person(value: Any) -> bool:
    return isinstance(value, dict) and bool(ADDRESS.fullmatch(str(value.get("email"))))


def _judge_subject(message: dict[str, Any], where: str = "") -> Iterator[Error]:
    if not isinstance(message.get("subject"), str) or not message["subject"]:
        yield error("The subject is required.", where + "subject")


def _judge_content(parts: Any) -> Iterator[Error]:
    if not isinstance(parts, list) or not parts:
        yield error("The content is required.", "content")
        return
    for index, part in enumerate(parts):
        value = part.get("value") if isinstance(part, dict) else None
        if not isinstance(value, str) or not value:
            yield error(
                "The content value must be a string at least one character in length.", f"content.{index}.value"
            )
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or not kind or "\r" in kind or "\n" in kind:
            yield error("The content type must be a string at least one character in length.", f"content.{index}.type")
    kinds = [part.get("type") for part in parts if isinstance(part, dict)]
    known = [kind for kind in ("text/plain", "text/html") if kind in kinds]
    if kinds[: len(known)] != known:
        yield error("If present, text/plain comes first, then text/html.", "content")


def _judge_categories(values: Any) -> Iterator[Error]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        yield error("Invalid type. Expected: array of strings.", "categories")
        return
    if len(values) > MOST_CATEGORIES:
        yield error("At most 10 categories.", "categories")
    if len(set(values)) < len(values):
        yield error("Categories must be unique.", "categories")
    for index, value in enumerate(values):
        if not value.isascii() or len(value) > LONGEST_CATEGORY:
            yield error("A category has at most 255 ASCII characters.", f"categories.{index}")


def _judge_settings(message: dict[str, Any]) -> Iterator[Error]:
    for group in ("tracking_settings", "mail_settings"):
        settings = message.get(group, {})
        if not isinstance(settings, dict):
            yield error("Invalid type. Expected: object.", group)
            continue
        for name, setting in settings.items():
            if not isinstance(setting, dict) or not isinstance(setting.get("enable"), bool):
                yield error("Invalid type. Expected: boolean.", f"{group}.{name}.enable")
