"""What `digest doctor` looks at: one finding a line, each with the mend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from digest import jobs, migrations, postman
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, Source
from digest.proofs import Envelope
from digest.rendering import render_mail
from digest.transport import Outbox, Sender

CLOCK_MAY_BE_SILENT = timedelta(minutes=3)


@dataclass(frozen=True)
class Finding:
    """One line of the report. `ok` None: not wrong, but worth knowing, or not to be found out."""

    name: str
    ok: bool | None
    words: str


def examine(services: Services, *, now: datetime) -> list[Finding]:
    """Everything that can be looked at, the floor first: without it the rest cannot be asked."""
    floor = [_database(services)]
    if floor[0].ok:
        floor.append(_migrations(services))
    if not all(finding.ok for finding in floor):
        return floor
    checks: tuple[Callable[[Services, datetime], Iterator[Finding]], ...] = (
        _clock,
        _keys,
        _staff,
        _sources,
        _templates,
        _way_out,
    )
    return floor + [finding for check in checks for finding in check(services, now)]


def _database(services: Services) -> Finding:
    try:
        with services.database.reading() as session:
            session.execute(sa.text("SELECT 1"))
    except SQLAlchemyError as why:
        return Finding(
            "database", False, f"cannot be reached: {str(getattr(why, 'orig', why)).splitlines()[0]}; see DATABASE_URL"
        )
    return Finding("database", True, f"{services.database.url.get_backend_name()} answers")


def _migrations(services: Services) -> Finding:
    found, head = migrations.revision(services.database), migrations.head()
    if found == head:
        return Finding("migrations", True, f"at {head}")
    return Finding("migrations", False, f"at {found or 'nothing'}, should be {head}: run `digest db upgrade`")


def _clock(services: Services, now: datetime) -> Iterator[Finding]:
    with services.database.reading() as session:
        beat = jobs.last_heartbeat(session)
        failed = jobs.last_failures(session)
    if beat is None:
        yield Finding("clock", None, "has never run here: start `digest serve` or `python scheduler.py`")
    elif now - beat > CLOCK_MAY_BE_SILENT:
        yield Finding(
            "clock", False, f"silent since {beat:%Y-%m-%d %H:%M} UTC: start `digest serve` or `python scheduler.py`"
        )
    else:
        yield Finding("clock", True, f"last looked {beat:%H:%M:%S} UTC")
    for run in failed:
        yield Finding(f"job {run.job}", False, f"failed {run.finished_at:%Y-%m-%d %H:%M} UTC: {run.said}")


def _keys(services: Services, _now: datetime) -> Iterator[Finding]:
    """A key that mails were signed with and that is gone makes their unsubscribe links dead."""
    with services.database.reading() as session:
        envelopes = session.scalars(sa.select(Edition.envelope).where(Edition.begun_at.is_not(None)))
        used = {key for envelope in envelopes if envelope for key in Envelope.model_validate(envelope).key_ids}
    lost = used - set(services.links.key_ids)
    if lost:
        yield Finding(
            "secret key",
            False,
            f"mails were signed with {', '.join(sorted(lost))}, which is gone: put that key back behind the first "
            f"in DIGEST_SECRET_KEY",
        )
    else:
        yield Finding("secret key", True, f"{len(services.links.key_ids)} in use")


def _staff(services: Services, _now: datetime) -> Iterator[Finding]:
    with services.database.reading() as session:
        known = jobs.has_staff(session)
    if known:
        yield Finding("staff", True, "somebody gets the notices")
    else:
        yield Finding("staff", None, "nobody gets the notices: `digest staff add EMAIL --role admin`")


def _sources(services: Services, _now: datetime) -> Iterator[Finding]:
    if not services.settings.digest_sources:
        yield Finding("sources", None, "none are polled: set DIGEST_SOURCES, or use `digest ingest`")
        return
    with services.database.reading() as session:
        rows = session.execute(
            sa.select(Source.url, Source.last_problem).where(Source.url.in_(services.settings.digest_sources))
        )
        problems = {url: problem for url, problem in rows if problem}
    for url in services.settings.digest_sources:
        if url in problems:
            yield Finding("source", False, problems[url].splitlines()[0])
        else:
            yield Finding("source", True, url)


def _templates(services: Services, _now: datetime) -> Iterator[Finding]:
    try:
        context = {"week": "2026-W47", "why": "a trial", "site_url": services.settings.digest_site_url}
        render_mail("halted", postman.imprint_of(services.settings), context)
    except DigestError as why:
        yield Finding("templates", False, str(why))
    else:
        yield Finding("templates", True, "a notice renders")


def _way_out(services: Services, _now: datetime) -> Iterator[Finding]:
    transport = services.transport
    if isinstance(transport, Outbox):
        yield _outbox(transport.folder)
        return
    from digest.sendgrid_account import account_report  # noqa: PLC0415 - the outbox never loads the client
    from digest.sendgrid_send import SendGrid  # noqa: PLC0415

    if isinstance(transport, SendGrid):
        settings = services.settings
        sender = Sender(settings.from_email, settings.from_name, settings.reply_to)
        for finding in account_report(transport, sender=sender):
            yield Finding(f"SendGrid {finding.name}", finding.ok, finding.words)


def _outbox(folder: Path) -> Finding:
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))
    if there.is_dir() and os.access(there, os.W_OK):
        return Finding("outbox", True, f"mails are written to {folder}, nobody gets them: set SENDGRID_API_KEY to send")
    return Finding("outbox", False, f"{folder} cannot be written; see DIGEST_OUTBOX_DIR")
