"""How a command gets its services: settings read, logs set up, database migrated or at least looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from digest import logs, settings
from digest.bootstrap import Services, bootstrap
from digest.migrations import ensure_current


@contextmanager
def opened(*, migrate: bool = True) -> Iterator[Services]:
    """The services of one command, closed at its end.

    A new SQLite database is made on first use, so that the first command just works; any other database that is
    behind is refused with the command that mends it.
    """
    found = settings.load()
    logs.configure(found.digest_log)
    services = bootstrap(found)
    try:
        if migrate:
            ensure_current(services.database)
        yield services
    finally:
        services.close()
