"""The program on a port of its own, as a browser meets it."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import uvicorn
from playwright.sync_api import BrowserContext

from database import Database
from digest import postman
from digest.bootstrap import Services
from digest.models import Role
from digest.people import requests
from digest.staff import add_staff, sessions
from digest.transport import Transport
from digest.web.app import create_app
from digest.web.staff_door import cookie_name
from subscribers.models import Subscriber
from tests import make

_numbers = itertools.count(1)


@dataclass
class Site:
    """The program on a port of its own; its links lead there."""

    address: str
    services: Services

    def path(self, url: str) -> str:
        """The place of a link in a mail."""
        return self.address + url.removeprefix(self.services.settings.digest_site_url)

    def reader(self, **given: object) -> Subscriber:
        """Somebody new and active."""
        with self.services.database.writing() as session:
            return make.subscriber(session, f"reader{next(_numbers)}@example.com", **given)

    def preferences(self, **given: object) -> str:
        """The page of somebody new."""
        return self.path(self.services.links.preferences_url(self.reader(**given).link_id))

    def sign_in(self, context: BrowserContext, email: str, role: Role = Role.EDITOR) -> None:
        """Put somebody on the staff and sign them in with this browser."""
        now = datetime.now(UTC)
        with self.services.database.writing() as session:
            somebody = add_staff(session, email, role, now=now)
            link = sessions.sign_in_link(session, somebody, now=now)
            secret = sessions.open_with(session, link.link_id, now=now, user_agent="a test")
        name = cookie_name(self.services.settings.digest_site_url)
        context.add_cookies([{"name": name, "value": secret or "", "url": self.address}])

    def let_time_pass(self) -> None:
        """What was asked is settled and what is owed is posted, as the clock would do within seconds."""
        while requests.settle_next(self.services, now=datetime.now(UTC)):
            pass
        postman.post_due(self.services, now=datetime.now(UTC))

    def mailbox(self, email: str) -> list[EmailMessage]:
        """The mails in the outbox for an address, the oldest first."""
        files = sorted(
            Path(self.services.settings.digest_outbox_dir).glob("*/*/*.eml"), key=lambda at: at.stat().st_mtime_ns
        )
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [mail for mail in mails if isinstance(mail, EmailMessage) and email in str(mail["To"])]


@contextmanager
def served(folder: Path, migrated: Path, transport: Transport | None = None, /, **settings: str) -> Iterator[Site]:
    """A site on a copy of an empty, migrated database; its mails go to a folder unless another way out is given."""
    shutil.copy(migrated, folder / "digest.db")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        database = Database(f"sqlite:///{folder / 'digest.db'}")
        services = make.services(database, folder, transport=transport, DIGEST_SITE_URL=address, **settings)
        server = uvicorn.Server(
            uvicorn.Config(create_app(services), log_config=None, access_log=False, lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Site(address, services)
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            services.close()
