"""One whole week in a folder of its own: what `digest demo` plays, on the bundled sample pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

import digest
from digest import approving, drafting, editions, gathering, migrations, postman, previewing, sending, staff, stats
from digest.bootstrap import Services, bootstrap
from digest.errors import DigestError
from digest.models import Role
from digest.posting import Clock
from digest.settings import Settings
from digest.sources.fetching import Fetcher
from digest.staff import sessions
from subscribers import addresses, consent, policy, transfer

SAMPLES = Path(digest.__file__).parent / "samples"
SITE = "https://compare.example.com/compare/"
EDITOR = "edda@example.com"

# The sample pages are of this week: the edition is the same whatever the day it is rehearsed on.
GATHERED_AT = datetime(2026, 11, 19, 17, tzinfo=UTC)
DRAFTED_AT = datetime(2026, 11, 19, 18, 1, tzinfo=UTC)
APPROVED_AT = datetime(2026, 11, 19, 18, 30, tzinfo=UTC)
SENT_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


class NotEmpty(DigestError):
    """That folder is not empty; the demo wants one of its own."""


@dataclass(frozen=True)
class Rehearsed:
    """Where everything of one rehearsal is."""

    folder: Path
    week: str
    subject: str
    numbers: stats.Numbers
    outbox: Path
    preview: Path
    database: Path


def services_in(folder: Path, *, port: int = 8000) -> Services:
    """A program of its own in `folder`, to be served at `port`, whatever the environment says. Raises NotEmpty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotEmpty(f"{folder} is not empty; name another folder with --dir, or remove this one.")
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    return bootstrap(
        Settings.from_env(
            {
                "DATABASE_URL": f"sqlite:///{folder / 'digest.db'}",
                "DIGEST_SITE_URL": f"http://127.0.0.1:{port}",
                "DIGEST_OUTBOX_DIR": str(folder / "outbox"),
                "DIGEST_FROM_EMAIL": "verdicts@example.com",
                "DIGEST_POSTAL_ADDRESS": "1 Sample Street, 10115 Berlin",
            }
        )
    )


def rehearse(services: Services, folder: Path, *, clock: Clock, say: Callable[[str], None]) -> Rehearsed:
    """Gather, draft, look, approve and hand over to the outbox, saying each step."""
    migrations.ensure_current(services.database)
    say(_gather(services))
    say(_people(services))
    with services.database.writing() as session:
        week = drafting.week_to_draft(session, services.settings, now=DRAFTED_AT)
        edition = drafting.draft(session, week, services.settings, by="demo", now=DRAFTED_AT).edition
        entries = len(editions.entries_of(session, edition))
        considered = len(editions.considered_by_name(session, edition))
    say(f"draft of {week}: {considered} considered, {entries} chosen")
    preview = folder / "preview"
    with services.database.reading() as session:
        edition = editions.find(session, str(week))
        previewing.write(session, edition, services, out=preview, email=None, variant="all", now=SENT_AT)
    approving.approve(services, str(week), by=EDITOR, send_at=SENT_AT, seen_hash=None, now=APPROVED_AT)
    say(f"approved by {EDITOR}")
    sending.send_now(services, str(week), by="demo", clock=clock, now=SENT_AT, skip_undo=False, stop=threading.Event())
    postman.post_due(services, now=clock() + timedelta(seconds=1))
    with services.database.reading() as session:
        edition = editions.find(session, str(week))
        numbers = stats.numbers(session, edition)
    say(f"handed over to the outbox: {numbers.accepted} of {numbers.deliveries} accepted")
    return Rehearsed(
        folder=folder,
        week=str(week),
        subject=edition.subject,
        numbers=numbers,
        outbox=services.settings.digest_outbox_dir / str(week),
        preview=preview,
        database=folder / "digest.db",
    )


def way_in(services: Services, *, now: datetime) -> str:
    """A link that signs the demo's editor in: once, within fifteen minutes."""
    with services.database.writing() as session:
        return sessions.sign_in_url(session, services.links, staff.member(session, EDITOR), now)


def _gather(services: Services) -> str:
    taken = 0
    with Fetcher() as fetcher:
        for path in sorted(SAMPLES.iterdir()):
            if path.suffix not in (".txt", ".html", ".json"):
                continue
            # A stored text holds no address: its name is the comparison's slug.
            url = f"{SITE}{path.stem}" if path.suffix == ".txt" else None
            outcomes = gathering.gather(services.database, str(path), fetcher=fetcher, now=GATHERED_AT, url=url)
            taken += sum(outcome.news == "new" for outcome in outcomes)
    return f"took in {taken} comparisons from the sample pages"


def _people(services: Services) -> str:
    """Ten readers with different wishes, one who has not confirmed, one who left, one whose address bounced."""

    def nothing_owed(_session: object, _letters: object) -> None:
        """With a basis of consent nobody is owed a confirmation letter."""

    with (SAMPLES / "subscribers.csv").open("rb") as file:
        report = transfer.bring_in(
            services.database,
            file,
            basis="you signed up for the sample edition",
            now=GATHERED_AT,
            source="demo",
            owe=nothing_owed,
            on_bad=lambda _: None,
        )
    with services.database.writing() as session:
        ben = consent.sign_up(session, addresses.parse("ben@example.com"), now=GATHERED_AT, source="demo")
        if ben.letter:
            postman.queue(session, ben.letter, now=GATHERED_AT)
        cleo = _added(session, "cleo@example.com")
        consent.unsubscribe(session, cleo.subscriber, now=GATHERED_AT, source="demo")
        dov = _added(session, "dov@example.com")
        consent.suppress(
            session,
            dov.subscriber,
            policy.Act.BOUNCE,
            because="550 no such mailbox",
            now=GATHERED_AT,
            source="demo",
        )
        # Alone in the demo, and so allowed everything.
        staff.add_staff(session, EDITOR, Role.ADMIN, now=GATHERED_AT)
    return f"{report.added} readers, one who has not confirmed, one who left, one whose address bounced"


def _added(session: Session, email: str) -> consent.Outcome:
    newcomer = consent.Newcomer(addresses.parse(email))
    return consent.add(session, newcomer, basis="you signed up for the sample edition", now=GATHERED_AT, source="demo")
