"""How a batch leaves the house: the words every provider's adapter speaks, and the outbox, which needs no provider.

A transport works in two steps so that one thread may build while others wait for the network: `build` is plain
computing, `post` does the call. Provider vocabulary stops here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from digest.errors import DigestError


class TransportError(DigestError):
    """The mail could not be handed over."""


class Refused(TransportError):
    """The provider will never take this batch as it is.

    `recipient` is the index of the one recipient it names, where it names one; `too_large` asks for halving.
    """

    def __init__(self, message: str, *, recipient: int | None = None, too_large: bool = False) -> None:
        super().__init__(message)
        self.recipient = recipient
        self.too_large = too_large


class Unavailable(TransportError):
    """The provider took nothing; the batch may be handed over later.

    `until` is when it said it would listen again; `everybody` that the pause is not about this batch alone.
    """

    def __init__(self, message: str, *, until: datetime | None = None, everybody: bool = False) -> None:
        super().__init__(message)
        self.until = until
        self.everybody = everybody


class Uncertain(TransportError):
    """The provider may have taken this batch: only evidence can tell, so it is not handed over again."""


class Misconfigured(TransportError):
    """The provider will take nothing from us until somebody mends the account or a setting."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the mail is from."""

    email: str
    name: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class Paper:
    """The frozen bytes every recipient of a batch gets, before personal fields. `html` None: plain text only."""

    subject: str
    text: str
    html: str | None
    sender: Sender
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One delivery: the address, its personal fields, and its own headers (substitutions do not reach headers)."""

    delivery: int
    email: str
    substitutions: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt to hand over one batch. `sandbox` asks the provider to judge it and to send nothing."""

    edition: str
    batch: int
    attempt: int
    paper: Paper
    recipients: Sequence[Recipient]
    category: str = "digest"
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A built batch, ready to be posted. `digest` is the sha256 of the body, kept in the ledger."""

    outgoing: Outgoing
    body: bytes = field(repr=False)
    digest: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider said yes to the batch. That says nothing about inboxes."""

    message_id: str | None


class Transport(Protocol):
    """One way out. `kind` is frozen with an approval: a lost key must not send a real edition into a folder."""

    @property
    def kind(self) -> str: ...

    def build(self, outgoing: Outgoing) -> Request: ...

    def post(self, request: Request) -> Accepted:
        """Hand it over. Raises Refused, Unavailable, Uncertain or Misconfigured; safe to call from many threads."""

    def evidence(self, *, edition: str, batch: int, attempt: int) -> bool | None:
        """Whether an attempt whose answer we lost was taken; None when only events or a person can tell."""

    def close(self) -> None: ...
