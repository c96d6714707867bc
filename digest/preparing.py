"""From an approved edition to one delivery per candidate, in one transaction whose sum must come out.

A candidate is a subscriber active at that instant. Each gets exactly one delivery or is left out with a reason:
candidates = deliveries + left out, or nothing happens at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import Database
from digest import editions, proofs
from digest.errors import DigestError
from digest.models import Batch, BatchState, Delivery, Edition, EditionState, LeftOut, RenderingRow
from digest.variants import EntryCopy, variant_of
from subscribers import roster
from subscribers.models import Rhythm, State, Subscriber

TRIES = 5
SERIALIZATION_FAILURE = "40001"

# How far the audience may have moved since the editor saw it: by this share, and by this many people.
DRIFT_SHARE = 0.20
DRIFT_PEOPLE = 50


LOOK_AGAIN = "Resume and reopen the edition, look at it again, and approve it again."


class AudienceDoesNotAddUp(DigestError):
    """Candidates, deliveries and left out do not add up, so nothing was prepared."""

    def __init__(self, *, candidates: int, deliveries: int, left_out: int) -> None:
        super().__init__(
            f"{candidates} candidates are not {deliveries} deliveries and {left_out} left out, so nothing was prepared."
        )


class NotAsApproved(DigestError):
    """The edition or its audience is no longer what was approved, so it was halted."""


class NotYet(DigestError):
    """The edition is not approved, so it cannot be sent."""


@dataclass(frozen=True)
class Prepared:
    """The audience of one edition, as it was fixed."""

    candidates: int
    deliveries: int
    left_out: dict[str, int]


def prepare(
    database: Database, week: str, *, envelope: proofs.Envelope, zone: ZoneInfo, batch_size: int, by: str, now: datetime
) -> None:
    """Fix who gets the approved edition, and move it to sending. Harmless where that is done already.

    Raises NotAsApproved (the edition is then halted), NotYet, or AudienceDoesNotAddUp.
    """
    for left in reversed(range(TRIES)):
        try:
            changed = _prepare_once(database, week, envelope, zone, batch_size, by=by, now=now)
        except OperationalError as problem:
            # Somebody else's write came between; look again at what is there now.
            if getattr(problem.orig, "sqlstate", None) != SERIALIZATION_FAILURE or not left:
                raise
        else:
            if changed:
                raise NotAsApproved(changed)
            return


def _prepare_once(
    database: Database, week: str, envelope: proofs.Envelope, zone: ZoneInfo, batch_size: int, *, by: str, now: datetime
) -> str | None:
    """None when done; otherwise why the edition was halted instead."""
    with database.writing() as session:
        _one_preparer_and_one_instant(session, database)
        edition = editions.find(session, week)
        if edition.prepared_at is not None:
            return None
        if edition.state is not EditionState.APPROVED:
            raise NotYet(f"Edition {edition.week} is {edition.state}; only an approved one can be sent.")
        changed = _no_longer_as_approved(session, edition, envelope)
        if changed:
            editions.hold(session, edition, why=changed, by=by, now=now)
            return changed
        prepared = _fix_audience(session, edition, batch_size, zone, now)
        editions.advance(
            session,
            edition,
            EditionState.SENDING,
            by=by,
            now=now,
            why=f"{prepared.deliveries:,} deliveries prepared, {sum(prepared.left_out.values()):,} left out",
            prepared_at=now,
            candidates=prepared.candidates,
        )
        return None


def _one_preparer_and_one_instant(session: Session, database: Database) -> None:
    """Everything below sees the subscribers of one instant, and delivery ids are given out by one at a time.

    LOCK TABLE comes first because it takes no snapshot: the snapshot is of the moment after the lock. SQLite's
    BEGIN IMMEDIATE gives both by itself.
    """
    if not database.is_sqlite:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        session.execute(sa.text("LOCK TABLE left_out IN EXCLUSIVE MODE"))


def _no_longer_as_approved(session: Session, edition: Edition, envelope: proofs.Envelope) -> str | None:
    """Why what would go out is not what the editor approved, in words; None when it is."""
    changed = proofs.changed_since(session, edition, envelope)
    if changed:
        return changed
    now_there = roster.count_active(session)
    seen = edition.approved_candidates or 0
    drift = abs(now_there - seen)
    if drift > DRIFT_PEOPLE and drift > DRIFT_SHARE * seen:
        return f"The audience was {seen:,} when this was approved and is {now_there:,} now. {LOOK_AGAIN}"
    return None


def _fix_audience(session: Session, edition: Edition, batch_size: int, zone: ZoneInfo, now: datetime) -> Prepared:
    candidates = roster.count_active(session)
    left_out = _leave_out(session, edition, zone, now)
    deliveries = _insert_deliveries(session, edition, zone, now)
    if candidates != deliveries + sum(left_out.values()):
        raise AudienceDoesNotAddUp(candidates=candidates, deliveries=deliveries, left_out=sum(left_out.values()))
    _insert_batches(session, edition, batch_size)
    return Prepared(candidates, deliveries, left_out)


def _paused(now: datetime) -> sa.ColumnElement[bool]:
    # The first half keeps it a plain yes or no: NOT of an unknown is unknown in SQL, and would lose people.
    return sa.and_(Subscriber.paused_until.is_not(None), Subscriber.paused_until > now)


def _had_this_month(session: Session, edition: Edition, zone: ZoneInfo) -> tuple[str, sa.ColumnElement[bool]] | None:
    """The edition monthly readers already had in this calendar month, and who had it: decided from the ledger."""
    earlier = session.execute(
        sa.select(Edition.id, Edition.week, Edition.begun_at)
        .where(Edition.begun_at.is_not(None), Edition.id != edition.id)
        .order_by(Edition.begun_at)
    ).all()
    month = _month(edition.send_at, zone)
    same_month = [(row.id, row.week) for row in earlier if _month(row.begun_at, zone) == month]
    if not same_month:
        return None
    handed_over = sa.exists().where(
        Delivery.edition_id.in_([edition_id for edition_id, _ in same_month]),
        Delivery.subscriber_id == Subscriber.id,
        Delivery.withheld_because.is_(None),
        Delivery.refused_because.is_(None),
    )
    return same_month[0][1], sa.and_(Subscriber.rhythm == Rhythm.MONTHLY, handed_over)


def _month(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = moment.astimezone(zone)
    return local.year, local.month


def _active() -> sa.ColumnElement[bool]:
    return Subscriber.state == State.ACTIVE


def _leave_out(session: Session, edition: Edition, zone: ZoneInfo, now: datetime) -> dict[str, int]:
    """Count and store the candidates who get no delivery, by reason."""
    last_day = sa.func.date(Subscriber.paused_until)
    paused = session.execute(
        sa.select(last_day, sa.func.count()).where(_active(), _paused(now)).group_by(last_day).order_by(last_day)
    )
    reasons = {f"paused until {day}": count for day, count in paused}
    had = _had_this_month(session, edition, zone)
    if had:
        week, had_it = had
        count = session.scalar(sa.select(sa.func.count()).where(_active(), sa.not_(_paused(now)), had_it)) or 0
        if count:
            reasons[f"monthly: had {week}"] = count
    if reasons:
        session.execute(
            sa.insert(LeftOut),
            [{"edition_id": edition.id, "reason": reason, "count": count} for reason, count in reasons.items()],
        )
    return reasons


def _insert_deliveries(session: Session, edition: Edition, zone: ZoneInfo, now: datetime) -> int:
    """One row for each candidate not left out; ids are dense within a variant, so that a batch is a range of them."""
    with _wishes_served(session, edition) as wishes:
        fallback = sa.case((Subscriber.plain_text, "all-text"), else_="all")
        people = (
            sa.select(Subscriber.id, sa.func.coalesce(wishes.c.variant, fallback).label("variant"))
            .join_from(
                Subscriber,
                wishes,
                sa.and_(wishes.c.topics == Subscriber.topics, wishes.c.plain_text == Subscriber.plain_text),
                isouter=True,
            )
            .where(_active(), sa.not_(_paused(now)))
        )
        had = _had_this_month(session, edition, zone)
        who = (people.where(sa.not_(had[1])) if had else people).subquery()
        last = session.scalar(sa.select(sa.func.coalesce(sa.func.max(Delivery.id), 0))) or 0
        number = sa.func.row_number().over(order_by=(who.c.variant, who.c.id)) + last
        rows = sa.select(number, sa.literal(edition.id), who.c.id, who.c.variant)
        session.execute(sa.insert(Delivery).from_select(["id", "edition_id", "subscriber_id", "variant"], rows))
    return session.scalar(sa.select(sa.func.count()).where(Delivery.edition_id == edition.id)) or 0


@contextmanager
def _wishes_served(session: Session, edition: Edition) -> Iterator[sa.Table]:
    """A temporary table of which approved variant serves which wish: wishes can be more than a statement takes values.

    A wish whose variant was not approved is not in it and gets `all` (or its text), through the outer join.
    """
    entries = [editions.entry_copy(entry) for entry in editions.entries_of(session, edition)]
    approved = set(session.scalars(sa.select(RenderingRow.variant).where(RenderingRow.edition_id == edition.id)))
    served = [
        {"topics": topics, "plain_text": plain_text, "variant": key}
        for topics, plain_text, _ in roster.wishes(session)
        if (key := variant_for(entries, topics, plain_text=plain_text)) in approved
    ]
    table = sa.Table(
        "wishes_served",
        sa.MetaData(),
        sa.Column("topics", sa.Text),
        sa.Column("plain_text", sa.Boolean),
        sa.Column("variant", sa.String(40)),
        prefixes=["TEMPORARY"],
    )
    connection = session.connection()
    table.create(connection, checkfirst=False)
    if served:
        session.execute(table.insert(), served)
    yield table
    table.drop(connection, checkfirst=False)


def variant_for(entries: Sequence[EntryCopy], topics: str, *, plain_text: bool) -> str:
    """The key of the variant that serves a subscriber's stored wish."""
    wanted = frozenset(topics.splitlines()) if topics else None
    return variant_of(entries, wanted, text_only=plain_text).key


def _insert_batches(session: Session, edition: Edition, batch_size: int) -> None:
    ranges = session.execute(
        sa.select(Delivery.variant, sa.func.min(Delivery.id), sa.func.max(Delivery.id))
        .where(Delivery.edition_id == edition.id)
        .group_by(Delivery.variant)
        .order_by(sa.func.min(Delivery.id))
    ).all()
    rows = [
        {
            "edition_id": edition.id,
            "variant": variant,
            "first_delivery": first,
            "last_delivery": last,
            "state": BatchState.PENDING,
            "attempt": 0,
        }
        for variant, lowest, highest in ranges
        for first, last in _cut(lowest, highest, batch_size)
    ]
    if rows:
        session.execute(sa.insert(Batch), rows)


def _cut(lowest: int, highest: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(lowest, highest + 1, size):
        yield first, min(first + size - 1, highest)


def due(session: Session, now: datetime, undo: timedelta) -> Sequence[Edition]:
    """Approved editions whose time has come and whose undo window is over."""
    approved = sa.select(Edition).where(
        Edition.state == EditionState.APPROVED,
        Edition.send_at <= now,
        Edition.approved_at <= (now - undo).astimezone(UTC),
    )
    return session.scalars(approved.order_by(Edition.week)).all()
