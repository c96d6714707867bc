"""What `digest doctor` asks SendGrid about the account. Reads only; the one mail it hands over is a sandbox mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from digest.sendgrid_send import Forbidden, SendGrid
from digest.transport import Outgoing, Paper, Recipient, Sender, TransportError, Unavailable

FENCE_SCOPES = {"mail.batch.create"} | {f"user.scheduled_sends.{act}" for act in ("create", "read", "delete")}


class Finding(NamedTuple):
    """One line of the report. `ok` None: it could not be found out."""

    name: str
    ok: bool | None
    words: str


def account_report(
    sendgrid: SendGrid,
    *,
    sender: Sender,
    webhook: str | None = None,
    public_key: str | None = None,
    fenced: bool = False,
    with_sandbox_mail: bool = True,
) -> list[Finding]:
    """Whether this account can send as `sender` and report to the address `webhook`, signed by `public_key`.

    Never raises for a bad account.
    """
    asked: list[tuple[str, Callable[[], tuple[bool | None, str]]]] = [
        ("key", lambda: _key(sendgrid)),
        ("sender", lambda: _sender(sendgrid, sender.email)),
        ("subscription tracking", lambda: _subscription_tracking(sendgrid)),
    ]
    if with_sandbox_mail:
        asked.append(("sandbox send", lambda: _sandbox_send(sendgrid, sender)))
    if fenced:
        asked.append(("fences", lambda: _fences(sendgrid)))
    if webhook is not None:
        asked.append(("suppression lists", lambda: _suppression_lists(sendgrid)))
        asked.append(("event webhook", lambda: _webhook(sendgrid, webhook, public_key)))
    return [_found(name, question) for name, question in asked]


def _found(name: str, question: Callable[[], tuple[bool | None, str]]) -> Finding:
    try:
        ok, words = question()
    except (Forbidden, Unavailable) as unknown:
        # The key needs no scope but mail.send: what it may not read is unknown, not wrong.
        return Finding(name, None, str(unknown))
    except TransportError as no:
        return Finding(name, False, str(no))
    return Finding(name, ok, words)


def _key(sendgrid: SendGrid) -> tuple[bool, str]:
    scopes = set(_texts(sendgrid.ask("scopes"), "scopes"))
    if "mail.send" not in scopes:
        return False, "The API key may not send: give it the scope mail.send."
    return True, "The API key may send."


def _fences(sendgrid: SendGrid) -> tuple[bool, str]:
    missing = FENCE_SCOPES - set(_texts(sendgrid.ask("scopes"), "scopes"))
    if missing:
        return False, f"Fenced mode needs scopes the API key has not: give it {', '.join(sorted(missing))}."
    return True, "The API key may schedule and cancel."


def _sender(sendgrid: SendGrid, email: str) -> tuple[bool, str]:
    domain = email.rpartition("@")[2].lower()
    if domain in _authenticated_domains(sendgrid):
        return True, f"The domain {domain} is authenticated."
    if _field(sendgrid.ask("verified_senders/steps_completed"), "results", "sender_verified") is True:
        return (
            True,
            f"A single sender is verified, but the domain {domain} is not: authenticate it before a real edition.",
        )
    return False, f"The domain {domain} is not authenticated: SendGrid will refuse the mail or inboxes will."


def _authenticated_domains(sendgrid: SendGrid) -> Iterator[str]:
    domains = sendgrid.ask("whitelabel/domains")
    for domain in domains if isinstance(domains, list) else []:
        if _field(domain, "valid") is True and isinstance(name := _field(domain, "domain"), str):
            yield name.lower()


def _subscription_tracking(sendgrid: SendGrid) -> tuple[bool, str]:
    if _field(sendgrid.ask("tracking_settings/subscription"), "enabled") is True:
        return True, "On in the account; every request states it off, so our own links stand."
    return True, "Off in the account."


def _sandbox_send(sendgrid: SendGrid, sender: Sender) -> tuple[bool, str]:
    paper = Paper(subject="Sandbox", text="Judged and not sent.", html=None, sender=sender, headers={})
    to_ourselves = Recipient(delivery=0, email=sender.reply_to, substitutions={}, headers={})
    outgoing = Outgoing(edition="doctor", batch=0, attempt=0, paper=paper, recipients=[to_ourselves], sandbox=True)
    sendgrid.post(sendgrid.build(outgoing))
    return True, "SendGrid would take our mail."


def _suppression_lists(sendgrid: SendGrid) -> tuple[bool, str]:
    try:
        sendgrid.ask("suppression/bounces", limit=1)
    except Forbidden:
        return False, "The API key may not read the suppression lists: give it the scope suppression.read."
    return True, "The API key may read the suppression lists."


def _webhook(sendgrid: SendGrid, address: str, public_key: str | None) -> tuple[bool, str]:
    settings = _field(sendgrid.ask("user/webhooks/event/settings/all"), "webhooks")
    hooks = settings if isinstance(settings, list) else []
    ours = [one for one in hooks if _field(one, "url") == address and _field(one, "enabled") is True]
    if not ours:
        return False, f"No event webhook posts to {address}: switch one on with all events."
    if not any(_field(one, "public_key") for one in ours):
        return False, "The event webhook is not signed: switch signature verification on."
    if public_key is not None and public_key not in {_field(one, "public_key") for one in ours}:
        return False, (
            "The event webhook signs with another key than SENDGRID_WEBHOOK_PUBLIC_KEY: copy the verification key that "
            "SendGrid shows, or every event is refused."
        )
    return True, f"Signed events are posted to {address}."


def _field(document: Any, *path: str) -> Any:
    """A value somewhere inside an answer; None where the answer has another shape."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _texts(document: Any, name: str) -> list[str]:
    values = _field(document, name)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
