"""How a batch leaves the house: the words every provider's adapter speaks, and the outbox, which needs no provider.

A transport works in two steps so that one thread may build while others wait for the network: `build` is plain
computing, `post` does the call. Provider vocabulary stops here.
"""

from __future__ import annotations

import binascii
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from digest import personal
from digest.errors import DigestError
from subscribers import addresses

EDITIONS = "digest"
"""The category of an edition's batches: only they are handed over once."""

PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EINTR, errno.EAGAIN})

# Up to the limit of RFC 5322: folded at 78, a long List-Unsubscribe comes out as encoded words that no reader undoes.
UNFOLDED = SMTP.clone(max_line_length=998)


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


class Recipient(NamedTuple):
    """One delivery: the address, its personal fields, and its own headers (substitutions do not reach headers)."""

    delivery: int
    email: str
    substitutions: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fence:
    """Until shortly before `send_at` everything handed over under `batch_id` can be called back."""

    batch_id: str
    send_at: datetime


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt to hand over one batch. `sandbox` asks the provider to judge it and to send nothing."""

    edition: str
    batch: int
    attempt: int
    paper: Paper
    recipients: Sequence[Recipient]
    category: str = EDITIONS
    sandbox: bool = False
    at: datetime | None = None
    """The instant of the hand-over, for the Date of a mail we write ourselves."""
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A built batch, ready to be posted. `digest` is the sha256 of the body, kept in the ledger.

    A body that says it all needs no recipients beside it: `outgoing` may be without, `deliveries` never is.
    """

    outgoing: Outgoing
    body: bytes = field(repr=False)
    digest: str
    deliveries: Sequence[int] = field(repr=False)
    """In the order of the recipients, whom a provider names by their place."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider said yes to the batch. That says nothing about inboxes."""

    message_id: str | None


class Fencing(Protocol):
    """How a provider lets us call back what it has taken but not sent. All raise Unavailable or Misconfigured."""

    def new(self) -> str:
        """A batch id of the provider's, never used before. One that is not used does no harm."""

    def cancel(self, batch_id: str) -> None:
        """Returns only when the provider confirms that nothing under this id goes out; harmless to repeat."""

    def release(self, batch_id: str) -> None:
        """Take the cancelling out of the provider's books. Only long after `send_at`: before, the mail would go."""


class Transport(Protocol):
    """One way out. `kind` is frozen with an approval: a lost key must not send a real edition into a folder."""

    @property
    def kind(self) -> str: ...

    @property
    def fencing(self) -> Fencing | None: ...

    def build(self, outgoing: Outgoing) -> Request: ...

    def post(self, request: Request) -> Accepted:
        """Hand it over. Raises Refused, Unavailable, Uncertain or Misconfigured; safe to call from many threads."""

    def evidence(self, *, edition: str, batch: int, attempt: int) -> bool | None:
        """Whether an attempt whose answer we lost was taken; None when only events or a person can tell."""

    def close(self) -> None: ...


class Outbox:
    """A folder instead of a provider: one `.eml` file per delivery, for previews and small lists.

    A batch is written aside and renamed into place whole, under a name that says nothing of the attempt: what is
    there was accepted, what is not there was not, and no second attempt can add to it.
    """

    kind = "outbox"
    fencing: Fencing | None = None  # a folder is its own evidence

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self, outgoing: Outgoing) -> Request:
        """The mails are written only in `post`: a thousand of them with their HTML are 90 MB."""
        seal = hashlib.sha256()
        for part in (outgoing.paper.subject, outgoing.paper.text, outgoing.paper.html or ""):
            seal.update(part.encode())
        deliveries = [recipient.delivery for recipient in outgoing.recipients]
        seal.update(repr(deliveries).encode())
        return Request(outgoing=outgoing, body=b"", digest=seal.hexdigest(), deliveries=deliveries)

    def post(self, request: Request) -> Accepted:
        """Raises Unavailable when the disk is full, Misconfigured when the folder cannot be written at all."""
        outgoing = request.outgoing
        place = self._place(outgoing.edition, outgoing.batch)
        if outgoing.category != EDITIONS:
            # Letters and tests: twice is better than never, so each has a place of its own.
            place = place.with_name(f"{outgoing.category}-{outgoing.batch:05}-{secrets.token_hex(3)}")
        aside = place.with_name(f".{place.name}.{outgoing.attempt}")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            for recipient in outgoing.recipients:
                _write_durably(aside / _file_name(recipient), bytes(message_for(outgoing, recipient)))
            _sync_folder(aside)
            _rename_unless_there(aside, place)
            if not _is_ours(place, outgoing):
                raise Misconfigured(
                    f"{place} holds mails of another database. Move them away, or change DIGEST_OUTBOX_DIR."
                )
            _clear_leftovers(place)
            _sync_folder(place.parent)
        except OSError as why:
            sentence = f"The outbox {self.folder} cannot be written: {why.strerror}. See DIGEST_OUTBOX_DIR."
            # A full disk may be emptied while we wait; a folder that cannot be written needs a person.
            raise (Unavailable if why.errno in PASSING else Misconfigured)(sentence) from why
        return Accepted(message_id=None)

    def evidence(self, *, edition: str, batch: int, attempt: int) -> bool | None:  # noqa: ARG002
        place = self._place(edition, batch)
        if not place.exists():
            return False
        # Whoever renamed it may have died before clearing up after an earlier attempt.
        _clear_leftovers(place)
        return True

    def close(self) -> None:
        """Nothing stays open."""

    def _place(self, edition: str, batch: int) -> Path:
        return self.folder / edition / f"batch-{batch:05}"


def message_for(outgoing: Outgoing, recipient: Recipient) -> EmailMessage:
    """The whole mail of one recipient, personal fields filled in: what preview and outbox show (RFC 5322)."""
    paper = outgoing.paper
    mail = EmailMessage(policy=UNFOLDED)
    mail["From"] = Address(paper.sender.name, addr_spec=paper.sender.email)
    mail["To"] = _on_the_wire(recipient.email)
    mail["Reply-To"] = paper.sender.reply_to
    mail["Subject"] = personal.fill(paper.subject, recipient.substitutions)
    if outgoing.at is not None:
        mail["Date"] = format_datetime(outgoing.at)
    mail["Message-ID"] = _message_id(outgoing, recipient)
    mail["MIME-Version"] = "1.0"
    for name, value in {**paper.headers, **recipient.headers}.items():
        mail[name] = value
    text = _part("plain", personal.fill(paper.text, recipient.substitutions))
    if paper.html is None:
        mail.set_type("text/plain")
        mail.set_param("charset", "utf-8")
        mail["Content-Transfer-Encoding"] = "quoted-printable"
        mail.set_payload(text.get_payload())
        return mail
    # Derived, not random: the same delivery is the same bytes.
    mail.make_alternative(boundary=f"=_{hashlib.sha256(mail['Message-ID'].encode()).hexdigest()[:32]}")
    mail.attach(text)
    mail.attach(_part("html", personal.fill(paper.html, recipient.substitutions)))
    return mail


def _on_the_wire(email: str) -> str:
    """In ASCII, as a provider is given it: a header would turn another script's domain into an encoded word."""
    return email if email.isascii() else addresses.parse(email).on_the_wire


def _part(subtype: str, content: str) -> EmailMessage:
    """Quoted-printable through the C encoder: the standard library's own takes 20 times as long."""
    part = EmailMessage(policy=UNFOLDED)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    crlf = content.replace("\r\n", "\n").replace("\n", "\r\n")
    part.set_payload(binascii.b2a_qp(crlf.encode(), istext=True).decode("ascii"))
    return part


def _message_id(outgoing: Outgoing, recipient: Recipient) -> str:
    host = outgoing.paper.sender.email.rpartition("@")[2]
    return f"<{outgoing.edition}.{outgoing.category}.{recipient.delivery}.{outgoing.batch}@{host}>".lower()


def _file_name(recipient: Recipient) -> str:
    readable = re.sub(r"[^A-Za-z0-9.+-]+", "_", recipient.email.replace("@", "-at-"))[:80]
    return f"{recipient.delivery:07}-{readable}.eml"


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """A new name in a folder is durable only once the folder itself is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear_leftovers(place: Path) -> None:
    """What attempts that died left half written: whoever counts files must not count a mail twice."""
    for left in place.parent.glob(f".{place.name}.*"):
        shutil.rmtree(left, ignore_errors=True)


def _is_ours(place: Path, outgoing: Outgoing) -> bool:
    """Whether what is there was written from this ledger: an outbox may outlive its database, and numbers begin anew.

    Unsubscribe links tell: they are random for each subscriber of each database.
    """
    for recipient in outgoing.recipients:
        written = place / _file_name(recipient)
        if written.exists():
            return recipient.headers.get("List-Unsubscribe", "").encode() in written.read_bytes()
    return False


def _rename_unless_there(aside: Path, place: Path) -> None:
    """A batch that is there already was accepted: leave it as it is."""
    try:
        aside.rename(place)
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(aside, ignore_errors=True)
