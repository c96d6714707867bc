"""Batches for tests of the way out: keyword functions with sensible defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digest.transport import Outgoing, Paper, Recipient, Sender

GREETING = "-vd2026w47greeting-"
LINK = "-vd2026w47unsubscribeurl-"

SENDER = Sender(email="verdicts@example.com", name="Weekly AI Tool Verdicts", reply_to="editor@example.com")


def paper(
    *,
    subject: str = "Corbelkit sweeps the panel",
    text: str = f"{GREETING} get this every week.\n{LINK}\n",
    html: str | None = f'<p>{GREETING} get this every week.</p><a href="{LINK}">Unsubscribe</a>',
    sender: Sender = SENDER,
    headers: Mapping[str, str] | None = None,
) -> Paper:
    headers = {"List-ID": '"Verdicts" <verdicts.example.com>'} if headers is None else headers
    return Paper(subject=subject, text=text, html=html, sender=sender, headers=headers)


def recipient(
    delivery: int = 1,
    *,
    email: str | None = None,
    substitutions: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Recipient:
    url = f"https://verdicts.example.com/unsubscribe/k1.token-{delivery}"
    if substitutions is None:
        substitutions = {GREETING: f"Hello Reader {delivery}, you", LINK: url}
    if headers is None:
        headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return Recipient(
        delivery=delivery,
        email=f"reader{delivery}@example.com" if email is None else email,
        substitutions=substitutions,
        headers=headers,
    )


def outgoing(
    *recipients: Recipient,
    of: Paper | None = None,
    count: int = 1,
    first: int = 1,
    batch: int = 7,
    attempt: int = 1,
    category: str = "digest",
    sandbox: bool = False,
) -> Outgoing:
    """To the given recipients, or to `count` of them numbered from `first` on."""
    people: Sequence[Recipient] = recipients or [recipient(first + number) for number in range(count)]
    return Outgoing(
        edition="2026-W47",
        batch=batch,
        attempt=attempt,
        paper=of or paper(),
        recipients=people,
        category=category,
        sandbox=sandbox,
    )
