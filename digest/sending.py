"""Send what is approved and due: the clock's way and the operator's way are the same steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from digest import audiences, editions, envelopes, postman, preparing
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, EditionState
from digest.posting import Clock
from digest.submitting import Submitter

log = structlog.get_logger()


class StillUndoable(DigestError):
    """The undo window of this edition is still open."""


def undo_ends(edition: Edition, services: Services) -> datetime | None:
    """When the approval can no longer be taken back unheard; None before approval."""
    if edition.approved_at is None:
        return None
    return edition.approved_at + timedelta(minutes=services.settings.digest_undo_minutes)


def leaves_at(edition: Edition, services: Services) -> datetime:
    """When the clock takes an approved edition: at its time, but never within the undo window."""
    return max(edition.send_at, undo_ends(edition, services) or edition.send_at)


def prepare(services: Services, week: str, *, by: str, now: datetime) -> None:
    """Fix the audience of one approved edition. Raises NotAsApproved when it had to be halted instead."""
    try:
        preparing.prepare(
            services.database,
            week,
            envelope=envelopes.current(services),
            rules=audiences.rules_in_force(services),
            by=by,
            now=now,
        )
    except preparing.NotAsApproved as why:
        with services.database.writing() as session:
            postman.tell_staff(session, kind="halted", context={"week": week, "why": str(why)}, now=now)
        raise


def send_due(services: Services, *, clock: Clock, stop: threading.Event) -> str:
    """The clock's round: prepare what is due, hold what is too late, hand over what is being sent."""
    now = clock()
    prepared = [week for week in _due(services, now) if _start(services, week, now)]
    handed = 0

    def count(done: int) -> None:
        nonlocal handed
        handed += done

    Submitter(services, clock=clock, stop=stop, progress=count).run()
    said = [f"prepared {week}" for week in prepared]
    if handed:
        said.append(f"{handed:,} deliveries answered")
    return ", ".join(said)


def _due(services: Services, now: datetime) -> list[str]:
    undo = timedelta(minutes=services.settings.digest_undo_minutes)
    with services.database.reading() as session:
        return [edition.week for edition in preparing.due(session, now, undo)]


def _start(services: Services, week: str, now: datetime) -> bool:
    """True when the edition is being sent now; False when it was held, and staff were told."""
    try:
        if _kept_back(services, week, now):
            return False
        prepare(services, week, by="the clock", now=now)
    except (
        preparing.NotAsApproved,
        preparing.NotYet,
        audiences.AudienceDoesNotAddUp,
        editions.NotThatMove,
    ) as why:
        # Where another clock or a person was quicker, it is no longer approved.
        log.warning("edition not prepared", edition=week, why=str(why))
        return False
    return True


def _kept_back(services: Services, week: str, now: datetime) -> bool:
    """True when it is not to be prepared: no longer approved, or too late and now held, and staff are told."""
    late = timedelta(hours=services.settings.digest_late_hours)
    with services.database.writing() as session:
        edition = editions.find(session, week)
        if edition.state is not EditionState.APPROVED:
            return True
        if now - edition.send_at > late:
            why = (
                f"it should have left {edition.send_at:%Y-%m-%d %H:%M} UTC, more than "
                f"{services.settings.digest_late_hours:g} hours ago; `digest edition resume {week}` "
                f"sends it now, `digest edition stop {week}` never"
            )
            editions.hold(session, edition, why=why, by="the clock", now=now)
            postman.tell_staff(session, kind="halted", context={"week": week, "why": why}, now=now)
            return True
    return False


def send_now(
    services: Services,
    week: str,
    *,
    by: str,
    clock: Clock,
    now: datetime,
    skip_undo: bool,
    stop: threading.Event,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """An operator means now: prepare if need be, and hand over until nothing is free. Safe to call again.

    `now` is the editorial clock, `clock` the real one. Raises StillUndoable, NotYet, NotAsApproved, WentOutBefore.
    """
    with services.database.reading() as session:
        edition = editions.find(session, week)
    if edition.journaled_begun_at is not None:
        raise editions.WentOutBefore(edition)
    ends = undo_ends(edition, services)
    if edition.state is EditionState.APPROVED and ends and now < ends and not skip_undo:
        raise StillUndoable(
            f"Edition {edition.week} can still be taken back until {ends:%H:%M:%S} UTC; wait, or add --skip-undo."
        )
    if edition.state not in (EditionState.SENDING, EditionState.SENT):
        prepare(services, edition.week, by=by, now=now)
    Submitter(services, clock=clock, stop=stop, progress=progress).run(edition.week)
