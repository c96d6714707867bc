"""Handing a batch to SendGrid, and saying in our words what its answer means.

There is no idempotency key, so each answer is sorted by one question: could the batch have been taken?
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import orjson
from sendgrid import SendGridAPIClient

from digest import sendgrid_payload
from digest.sendgrid_fences import SendGridFences, Told
from digest.sendgrid_line import Line, NoAnswer, Payload, client
from digest.transport import Accepted, Fencing, Misconfigured, Outgoing, Refused, Request, Unavailable, Uncertain

LONGEST_QUOTATION = 300

_NAMED_RECIPIENT = re.compile(r"personalizations\.(\d+)(?:\.|$)")
_MESSAGE_ID = re.compile(r"[!-~]{1,200}")
_PRIVATE = re.compile(r"[^\s@]{0,200}@\S+|\bSG\.\S+|\bBearer\s+\S+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa1-\U0010ffff]+")

_MISCONFIGURED = {
    401: "SendGrid does not accept the API key, or the account's credits are used up (401)",
    403: "SendGrid forbids it: the key lacks a scope, the sender is not verified, or the account is blocked (403)",
    404: "There is no SendGrid API at SENDGRID_HOST (404)",
    405: "What answers at SENDGRID_HOST is not the SendGrid API (405)",
    406: "SendGrid does not speak the form we ask for (406)",
    415: "SendGrid does not read the form we send (415)",
    451: "The account belongs to another region: set SENDGRID_HOST to that region's (451)",
}


class Forbidden(Misconfigured):
    """The API key may not read this."""


class SendGrid:
    """A `transport.Transport`. Safe to use from many threads; opens no connection before the first call.

    A call takes at most `connect + send + read` seconds once its connection's name is resolved; `send` bounds how
    long the body may take to leave, so that a batch never arrives after its lease.
    Raises Misconfigured for a key that cannot be one.
    """

    kind: Literal["sendgrid"] = "sendgrid"

    def __init__(
        self,
        api_key: str,
        *,
        host: str = "https://api.sendgrid.com",
        connect: float = 5.0,
        send: float = 30.0,
        read: float = 60.0,
        connections: int = 4,
    ) -> None:
        if not (api_key and api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise Misconfigured("The SendGrid API key must be printable ASCII without spaces.")
        self._leave_within = connect + send
        self._line = Line(api_key, connect=connect, read=read, connections=connections)
        # The package holds no key: a stand-in keeps it from looking for one in the environment.
        official = SendGridAPIClient(api_key="kept-by-the-line", host=host.rstrip("/"))
        official.client = client(self._line, host=official.host, headers=official.client.request_headers)
        self._api = official.client
        self.fencing: Fencing = SendGridFences(self.tell)

    def build(self, outgoing: Outgoing) -> Request:
        """Plain computing. Raises Refused for what SendGrid would not take."""
        body = sendgrid_payload.body_of(outgoing)
        deliveries = [recipient.delivery for recipient in outgoing.recipients]
        # The body has all of them; what it was built from would be four times its size until it is answered.
        light = replace(outgoing, recipients=())
        return Request(outgoing=light, body=body, digest=sha256(body).hexdigest(), deliveries=deliveries)

    def post(self, request: Request) -> Accepted:
        """Hand it over, once. Raises Refused, Unavailable, Uncertain or Misconfigured."""
        payload = Payload(request.body, deadline=time.monotonic() + self._leave_within)
        try:
            answer = self._api.mail.send.post(request_body=payload)
        except NoAnswer as lost:
            if payload.sent:
                raise Uncertain(f"SendGrid may have taken the batch: it had left, then {lost}.") from None
            raise Unavailable(f"SendGrid took nothing: {lost}.") from None
        return accepted(
            answer.status_code,
            answer.headers,
            answer.body,
            sandbox=request.outgoing.sandbox,
            recipients=len(request.deliveries),
            left_whole=payload.sent,
        )

    def ask(self, path: str, **query: str | int) -> Any:
        """What `GET /v3/<path>` says, as plain values. Raises Misconfigured (Forbidden for 403) or Unavailable."""
        told = self._told(lambda: self._api._(path).get(query_params=query or None))
        if told.status == 404:  # noqa: PLR2004
            raise Misconfigured(_sentence(_MISCONFIGURED[404], b""))
        if told.status != 200 or told.document is None:  # noqa: PLR2004
            raise Unavailable(f"SendGrid gave no usable answer: {told.sentence}")
        return told.document

    def tell(self, method: str, path: str, document: dict[str, str] | None) -> Told:
        """One call that takes no mail and is harmless to repeat. Raises Misconfigured or Unavailable."""
        try:
            return self._told(lambda: self._call(method, path, document))
        except Forbidden:
            scopes = "mail.batch.create, user.scheduled_sends.create, .read and .delete"
            raise Misconfigured(f"The API key may not call {path}: fenced mode needs the scopes {scopes}.") from None

    def _call(self, method: str, path: str, document: dict[str, str] | None) -> Any:
        resource = self._api._(path)
        if document is None:
            return getattr(resource, method)()
        body = Payload(orjson.dumps(document), deadline=time.monotonic() + self._leave_within)
        return getattr(resource, method)(request_body=body)

    def _told(self, call: Callable[[], Any]) -> Told:
        """The answer to a call that takes no mail. A 404 is the caller's to judge."""
        try:
            answer = call()
        except NoAnswer as lost:
            raise Unavailable(f"SendGrid gave no answer: {lost}.") from None
        status = answer.status_code
        if status == 403:  # noqa: PLR2004
            raise Forbidden
        if status in _MISCONFIGURED and status != 404:  # noqa: PLR2004
            raise Misconfigured(_sentence(_MISCONFIGURED[status], answer.body))
        try:
            document = orjson.loads(bytes(answer.body)) if answer.body else None
        except orjson.JSONDecodeError:
            document = None
        return Told(status, document, _sentence(f"it answered {status}", answer.body))

    def evidence(self, *, edition: str, batch: int, attempt: int) -> bool | None:  # noqa: ARG002
        """Always None: only an event or a person can tell what became of a lost answer."""
        return None

    def close(self) -> None:
        self._line.close()


def accepted(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    sandbox: bool,
    recipients: int,
    left_whole: bool = True,
) -> Accepted:
    """What an answer to Mail Send means. Pure. Returns only for a yes; raises what else it can mean.

    `recipients` is how many the request had; `left_whole` False says that the answer came before the body was out.
    """
    message_id = headers.get("X-Message-Id", "").strip()
    match status:
        case 202 if _MESSAGE_ID.fullmatch(message_id):
            return Accepted(message_id)
        case 200 if sandbox:
            return Accepted(None)
        case 429:
            raise Unavailable(
                _sentence("SendGrid limits our rate (429)", body),
                until=_instant(headers.get("X-RateLimit-Reset", "")),
                everybody=True,
            )
        case 400:
            raise Refused(
                _sentence("SendGrid refuses the batch (400)", body), recipient=_named_recipient(body, recipients)
            )
        case 413:
            raise Refused("SendGrid finds the batch too large (413).", too_large=True)
        case _ if status in _MISCONFIGURED:
            raise Misconfigured(_sentence(_MISCONFIGURED[status], body))
        case _:
            raise _unclear(status, body, left_whole=left_whole)


def _unclear(status: int, body: bytes, *, left_whole: bool) -> Uncertain | Unavailable:
    what = "202 without a message id" if status == 202 else str(status)  # noqa: PLR2004
    if left_whole:
        return Uncertain(_sentence(f"SendGrid may have taken the batch: it answered {what}", body))
    return Unavailable(_sentence(f"SendGrid took nothing: it answered {what} before the batch was out", body))


def _errors(body: bytes) -> list[Mapping[str, Any]]:
    """The `errors` of an answer; none where it is not the JSON SendGrid writes."""
    try:
        document = orjson.loads(bytes(body))  # the parser wants no subclass
    except orjson.JSONDecodeError:
        return []
    errors = document.get("errors") if isinstance(document, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _named_recipient(body: bytes, recipients: int) -> int | None:
    """The first recipient an error names."""
    for error in _errors(body):
        named = _NAMED_RECIPIENT.match(str(error.get("field")))
        if named and int(named[1]) < recipients:
            return int(named[1])
    return None


def _sentence(what: str, body: bytes) -> str:
    """What happened and what the provider said of it, without the addresses and keys it may have quoted."""
    messages = (error.get("message") for error in _errors(body))
    said = "; ".join(message for message in messages if isinstance(message, str))
    said = _UNPRINTABLE.sub(" ", _PRIVATE.sub("…", said)).strip()
    if len(said) > LONGEST_QUOTATION:
        said = said[:LONGEST_QUOTATION] + "…"
    return f"{what}: “{said}”." if said else f"{what}."


def _instant(unix_seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(unix_seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
