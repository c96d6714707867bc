"""What `digest doctor` looks at: one finding a line, each with the mend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from digest import answers, job_runs, migrations, outcomes, pauses, postman, staff
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.letter_links import EXPIRED, NoLongerOwed
from digest.models import (
    Batch,
    BatchState,
    Edition,
    EditionState,
    Letter,
    LetterState,
    ProviderEvent,
    Request,
    Source,
)
from digest.people import limits
from digest.people.erasing import ERASED
from digest.proofs import Envelope
from digest.rendering import render_mail
from digest.safekeeping import journal
from digest.staff import RIGHTS, Right, audit, on_staff
from digest.transport import Outbox, Sender

CLOCK_MAY_BE_SILENT = timedelta(minutes=3)
TOLD_WITHIN = timedelta(hours=1)
"""The first events of a batch come within a minute."""
WEBHOOK = "/webhooks/sendgrid"
SETTLED_WITHIN = timedelta(minutes=5)
A_DAY = timedelta(days=1)
NOT_OWED = (str(NoLongerOwed()), EXPIRED, ERASED)


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
        _journal,
        _staff,
        _requests,
        _letters,
        _sources,
        _editions,
        _batches,
        _kill_switch,
        _templates,
        _events,
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
        beat = job_runs.last_heartbeat(session)
        failed = job_runs.last_failures(session)
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


def _journal(services: Services, _now: datetime) -> Iterator[Finding]:
    """Whether opt-outs can be written down besides the database, and recognised when it is restored."""
    if services.journal is None:
        yield Finding("journal", None, "none is kept, so a restored backup could bring people back: set DIGEST_JOURNAL")
        return
    path = services.journal.path
    try:
        services.journal.mark()
        lost = journal.keys_in(path) - set(services.links.key_ids)
    except DigestError as why:
        yield Finding("journal", False, str(why))
        return
    if lost:
        yield Finding(
            "journal",
            False,
            f"{path} speaks of people by {', '.join(sorted(lost))}, a key that is gone: put it back behind the first "
            f"in DIGEST_SECRET_KEY, or no backup can be restored",
        )
    else:
        yield Finding("journal", True, f"{path} can be written, and all its keys are known")


def _staff(services: Services, _now: datetime) -> Iterator[Finding]:
    with services.database.reading() as session:
        known = staff.has_anybody(session)
    if known:
        yield Finding("staff", True, "somebody gets the notices")
    else:
        yield Finding("staff", None, "nobody gets the notices: `digest staff add EMAIL --role admin`")
    if services.settings.digest_two_person:
        yield _second_person(services)


def _second_person(services: Services) -> Finding:
    """Where nobody approves their own words, one editor alone can publish nothing they wrote."""
    with services.database.reading() as session:
        count = sum(Right.APPROVE in RIGHTS[each.role] for each in on_staff(session))
    if count > 1:
        return Finding("second person", True, f"{count} on the staff may approve")
    words = "DIGEST_TWO_PERSON needs two on the staff who may approve: `digest staff add EMAIL --role editor`"
    return Finding("second person", False, words)


def _requests(services: Services, now: datetime) -> Iterator[Finding]:
    """What is asked at a public door is answered within seconds, or something is wrong."""
    with services.database.reading() as session:
        late = sa.select(sa.func.count(), sa.func.min(Request.asked_at)).where(Request.asked_at < now - SETTLED_WITHIN)
        count, oldest = session.execute(late).one()
    if count:
        said = f"{count:,} wait to be settled, the oldest since {oldest:%Y-%m-%d %H:%M} UTC: the log says why"
        yield Finding("requests", False, f"{said} (“a request failed”), or the clock does not run")
    else:
        yield Finding("requests", True, "nobody at the public doors is kept waiting")


def _letters(services: Services, now: datetime) -> Iterator[Finding]:
    """Letters that could not be posted; not those that nobody was owed any more."""
    of_a_day = (Letter.state == LetterState.GIVEN_UP, Letter.not_before > now - A_DAY)
    with services.database.reading() as session:
        given_up = sa.select(Letter.last_problem).where(*of_a_day, Letter.last_problem.not_in(NOT_OWED))
        problems = session.scalars(given_up.order_by(Letter.not_before.desc())).all()
    if problems:
        last = audit.without_addresses((problems[0] or "").splitlines()[0])
        yield Finding("letters", False, f"{len(problems):,} given up within a day, the last one because: {last}")
    else:
        yield Finding("letters", True, "none given up within a day")


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


def _editions(services: Services, _now: datetime) -> Iterator[Finding]:
    """A halted edition waits for a person, however long it takes them to look."""
    with services.database.reading() as session:
        halted = session.scalars(sa.select(Edition).where(Edition.state == EditionState.HALTED).order_by(Edition.week))
        found = [(edition.week, edition.why, answers.answered(session, edition.id).waits) for edition in halted]
    for week, why, by_the_breaker in found:
        name = " --by EMAIL" if by_the_breaker else ""
        mend = (
            f"`digest edition resume {week}{name} --why TEXT` goes on, `digest edition stop {week} --why TEXT` ends it"
        )
        yield Finding("edition", False, f"{week} is halted: {(why or 'nobody said why').rstrip('.')}; {mend}")
    if not found:
        yield Finding("editions", True, "none is halted")


def _batches(services: Services, _now: datetime) -> Iterator[Finding]:
    with services.database.reading() as session:
        uncertain = session.execute(
            sa.select(Edition.week, sa.func.count())
            .join(Batch, Batch.edition_id == Edition.id)
            .where(Batch.state == BatchState.UNCERTAIN)
            .group_by(Edition.week)
            .order_by(Edition.week)
        ).all()
    for week, count in uncertain:
        which = "batch is" if count == 1 else "batches are"
        mend = f"`digest batches {week}` shows what is known, `digest batches settle ID` says what became of each"
        yield Finding("batches", False, f"{count:,} {which} uncertain in {week}: {mend}")
    if not uncertain:
        yield Finding("batches", True, "none is uncertain")


def _kill_switch(services: Services, _now: datetime) -> Iterator[Finding]:
    with services.database.reading() as session:
        pause = pauses.kill_switch(session)
    if pause is None:
        yield Finding("kill switch", True, "off: mails may go out")
    else:
        since = f"on since {pause.since:%Y-%m-%d %H:%M} UTC by {pause.by}: {pause.because.rstrip('.')}"
        yield Finding("kill switch", False, f"{since}; nothing goes out until `digest kill-switch off --why TEXT`")


def _templates(services: Services, _now: datetime) -> Iterator[Finding]:
    try:
        context = {"week": "2026-W47", "why": "a trial", "site_url": services.settings.digest_site_url}
        render_mail("halted", postman.imprint_of(services.settings), context)
    except DigestError as why:
        yield Finding("templates", False, str(why))
    else:
        yield Finding("templates", True, "a notice renders")


def _events(services: Services, now: datetime) -> Iterator[Finding]:
    """Whether the provider tells us what becomes of our mail."""
    if isinstance(services.transport, Outbox):
        return
    if services.settings.sendgrid_webhook_public_key is None:
        yield Finding(
            "events",
            False,
            "none are taken, so no bounce and no complaint is heard of: switch on SendGrid's signed event webhook and "
            "set SENDGRID_WEBHOOK_PUBLIC_KEY to its verification key",
        )
        return
    with services.database.reading() as session:
        forged = limits.counted(session, outcomes.FORGED, now=now)
        taken = session.scalar(sa.select(sa.func.max(Batch.accepted_at)).where(Batch.accepted_at < now - TOLD_WITHIN))
        told = session.scalar(sa.select(ProviderEvent.received_at).order_by(ProviderEvent.id.desc()).limit(1))
    if forged:
        yield Finding(
            "events",
            None,
            f"{forged:,} posts were refused today, for their signature did not fit: when they are SendGrid's, "
            "SENDGRID_WEBHOOK_PUBLIC_KEY is not its verification key",
        )
    if taken is not None and (told is None or told < taken):
        since = f"{taken:%Y-%m-%d %H:%M} UTC"
        yield Finding(
            "events",
            False,
            f"none has come since a batch was accepted {since}: is SendGrid's event webhook on, with all events, and "
            f"posting to {services.settings.digest_site_url}{WEBHOOK}?",
        )
    else:
        yield Finding("events", True, f"the last came {told:%Y-%m-%d %H:%M} UTC" if told else "none are due yet")


def _way_out(services: Services, _now: datetime) -> Iterator[Finding]:
    yield from way_out(services)


def way_out(services: Services, *, with_sandbox_mail: bool = True) -> Iterator[Finding]:
    """The outbox, or what the provider's account says; the sandbox mail is judged and not sent, but it is a call."""
    transport = services.transport
    if isinstance(transport, Outbox):
        yield _outbox(transport.folder)
        return
    from digest.sendgrid_account import account_report  # noqa: PLC0415 - the outbox never loads the client
    from digest.sendgrid_send import SendGrid  # noqa: PLC0415

    if isinstance(transport, SendGrid):
        settings = services.settings
        sender = Sender(settings.from_email, settings.from_name, settings.reply_to)
        report = account_report(
            transport,
            sender=sender,
            webhook=f"{settings.digest_site_url}{WEBHOOK}",
            public_key=settings.sendgrid_webhook_public_key,
            fenced=settings.digest_fence_minutes > 0,
            with_sandbox_mail=with_sandbox_mail,
        )
        for finding in report:
            yield Finding(f"SendGrid {finding.name}", finding.ok, finding.words)


def _outbox(folder: Path) -> Finding:
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))
    if there.is_dir() and os.access(there, os.W_OK):
        return Finding("outbox", True, f"mails are written to {folder}, nobody gets them: set SENDGRID_API_KEY to send")
    return Finding("outbox", False, f"{folder} cannot be written; see DIGEST_OUTBOX_DIR")
