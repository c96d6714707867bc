"""A program that keeps a journal, its backup, its loss and its return."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Base
from digest import editions, sending
from digest.bootstrap import Services
from digest.models import (
    Edition,
)
from digest.safekeeping import backups, restoring, tables
from digest.safekeeping.journal import Journal
from digest.safekeeping.restoring import Restored
from digest.staff import audit
from digest.submitting import Submitter
from subscribers import consent
from subscribers.models import State, Subscriber
from subscribers.policy import Act
from tests import make
from tests.fakes import ScriptedTransport

NOW = make.SEND + timedelta(hours=1)
LATER = make.SEND + timedelta(days=1)


def journaled(services: Services, path: Path) -> Services:
    keeper = Journal(path, key_id=services.links.key_ids[0])
    services.database.before_commit = [keeper.keep]
    given = services.settings.model_copy(update={"digest_journal": path})
    return replace(services, journal=keeper, settings=given)


def back_up(services: Services, folder: Path, *, now: datetime = NOW) -> Path:
    target = folder / "backup"
    backups.make(services, target, by=audit.COMMAND_LINE, now=now, replace=True)
    return target


def lose(services: Services) -> None:
    """The database is gone: its file, or every row."""
    services.database.dispose()
    if services.database.is_sqlite:
        for path in Path(str(services.database.url.database)).parent.glob("digest.db*"):
            path.unlink()
        return
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE")
    services.database.dispose()


def restored(services: Services, file: Path, **given: Any) -> Restored:
    options: dict[str, Any] = {"journals": [], "without_journal": False, "replace": False, "now": LATER}
    return restoring.restore(services, file, by=audit.COMMAND_LINE, **(options | given))


def people(services: Services) -> dict[str, State]:
    with services.database.reading() as session:
        return {each.email.partition("@")[0]: each.state for each in session.scalars(sa.select(Subscriber))}


def edition_of(services: Services, week: str = make.WEEK) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, week)


def send(services: Services, *, batches: int | None = None) -> None:
    """Hand over everything, or so many batches."""
    stop = threading.Event()
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    if batches is not None:
        transport = services.transport
        assert isinstance(transport, ScriptedTransport)
        transport.before_post = lambda _: stop.set() if len(transport.calls) + 1 >= batches else None
    one = services.settings.model_copy(update={"digest_send_concurrency": 1})
    Submitter(replace(services, settings=one), clock=lambda: datetime.now(UTC), stop=stop).run()


def calls(services: Services) -> int:
    assert isinstance(services.transport, ScriptedTransport)
    return len(services.transport.calls)


def with_person(services: Services, email: str, act: Callable[[Session, Subscriber], object]) -> None:
    with services.database.writing() as session:
        act(session, session.scalars(sa.select(Subscriber).where(Subscriber.email == email)).one())


def leave(session: Session, person: Subscriber) -> None:
    consent.unsubscribe(session, person, now=NOW, source="one-click")


def suppress(act: Act) -> Callable[[Session, Subscriber], object]:
    return lambda session, person: consent.suppress(session, person, act, because="test", now=NOW, source="test")


def everything(services: Services) -> dict[str, list[tuple[object, ...]]]:
    with services.database.engine.connect() as connection:
        return {
            table.name: sorted((tuple(map(str, row)) for row in connection.execute(sa.select(table))), key=str)
            for table in tables.ours()
            if table.name != "audit_log"
        }
