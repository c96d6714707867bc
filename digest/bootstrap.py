"""Wire the program once, in daylight: web, command line and clock all start with the same call."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from database import Database
from digest.errors import DigestError
from digest.safekeeping.journal import Journal
from digest.settings import SHORTEST_KEY, Settings
from digest.transport import Outbox, Transport
from subscribers import secrecy
from subscribers.links import Links

KEY_FILE = ".digest-secret"
"""The file beside a SQLite database that holds the key of its links, where no setting does."""


class SecretUnreadable(DigestError):
    """The secret beside the database cannot be read or made."""


@dataclass(frozen=True)
class Timing:
    """How long things may take; tests shorten them."""

    connect: timedelta = timedelta(seconds=5)
    send: timedelta = timedelta(seconds=30)
    read: timedelta = timedelta(seconds=60)
    lease: timedelta = timedelta(seconds=150)
    """Longer than a whole call plus 30 s, so that a living call never loses its batch."""
    cancel_margin: timedelta = timedelta(minutes=11)
    """How long before its time a fenced attempt can last be called back: the provider's ten minutes, and one more."""
    backoff: timedelta = timedelta(seconds=30)
    longest_backoff: timedelta = timedelta(minutes=15)
    longest_pause: timedelta = timedelta(hours=1)
    """The most a provider's own "not before" is believed."""
    look_around: timedelta = timedelta(seconds=15)
    """How often whoever hands over looks at what else may need it: uncertain attempts, the circuit breaker."""

    @property
    def call(self) -> timedelta:
        """The longest that one call takes."""
        return self.connect + self.send + self.read


@dataclass(frozen=True)
class Services:
    """What the story needs from outside. `now` is not here: doors pass it in."""

    settings: Settings
    database: Database
    transport: Transport
    links: Links
    timing: Timing = Timing()
    journal: Journal | None = None

    def close(self) -> None:
        self.transport.close()
        self.database.dispose()


def bootstrap(settings: Settings) -> Services:
    """Everything wired as the settings say. Opens no connection and writes nothing but a first secret."""
    database = Database(settings.database_url)
    keys = _keys(settings, database)
    secrecy.equip(database, keys)
    links = Links(settings.digest_site_url, keys)
    journal = Journal(settings.journal, key_id=links.key_ids[0]) if settings.journal else None
    if journal is not None:
        database.before_commit.append(journal.keep)
    timing = Timing()
    return Services(
        settings=settings,
        database=database,
        transport=_transport(settings, timing),
        links=links,
        timing=timing,
        journal=journal,
    )


def _transport(settings: Settings, timing: Timing) -> Transport:
    if settings.sendgrid_api_key is None:
        return Outbox(settings.digest_outbox_dir)
    # At need: the outbox must not wait for the client library to load.
    from digest.sendgrid_send import SendGrid  # noqa: PLC0415

    return SendGrid(
        settings.sendgrid_api_key.get_secret_value(),
        host=settings.sendgrid_host,
        connect=timing.connect.total_seconds(),
        send=timing.send.total_seconds(),
        read=timing.read.total_seconds(),
        connections=settings.digest_send_concurrency,
    )


def _keys(settings: Settings, database: Database) -> tuple[str, ...]:
    """The secrets that sign links, newest first; beside a SQLite database one is made if there is none."""
    if settings.digest_secret_key:
        return tuple(key.get_secret_value() for key in settings.digest_secret_key)
    beside = Path(database.url.database or "digest.db").resolve().parent
    return (_secret_beside(beside),)


def _secret_beside(directory: Path) -> str:
    """The secret file's text, made on first use with mode 600."""
    path = directory / KEY_FILE
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as why:
        reason = why.strerror if isinstance(why, OSError) else "it is not text"
        raise SecretUnreadable(
            f"The secret in {path} cannot be read or made: {reason}. Mend the file or set DIGEST_SECRET_KEY."
        ) from why
    if len(secret) < SHORTEST_KEY:
        raise SecretUnreadable(
            f"The secret in {path} is damaged, with {len(secret)} characters. Put back the one mails were signed with."
        )
    return secret


def _make_secret(path: Path) -> None:
    """Written aside, then linked into place: two processes that start at once read the same whole secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        aside.unlink()
