"""Who gets an edition, fixed: every candidate one delivery or a reason, the deliveries numbered and cut into batches.

A candidate is a subscriber active at this instant; candidates = deliveries + left out, or nothing happens at all.
Numbers go by wave, variant and subscriber, so that a batch is one range of them, of one wave and one variant.

What each statement costs at a million, and why it has its shape: docs/decisions/009.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions, waves
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Batch, BatchState, Delivery, Edition, LeftOut, RenderingRow
from digest.transport import Outbox
from digest.variants import EVERYTHING, served_by
from subscribers import roster
from subscribers.models import Rhythm, State, Subscriber

Conditions = tuple[sa.ColumnElement[bool], ...]


class AudienceDoesNotAddUp(DigestError):
    """Candidates, deliveries and left out do not add up, so nothing was prepared."""

    def __init__(self, *, candidates: int, deliveries: int, left_out: int) -> None:
        super().__init__(
            f"{candidates} candidates are not {deliveries} deliveries and {left_out} left out, so nothing was prepared."
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What settings and the way out say about it. `reported`: the way out tells what becomes of deliveries."""

    zone: ZoneInfo
    batch_size: int
    first_wave: waves.Wanted
    reported: bool


def rules_in_force(services: Services) -> Rules:
    """The rules of this process."""
    settings = services.settings
    return Rules(
        zone=settings.digest_timezone,
        batch_size=settings.digest_batch_size,
        first_wave=settings.digest_first_wave,
        reported=services.transport.kind != Outbox.kind,
    )


def definition(zone: ZoneInfo) -> str:
    """Who gets an edition, in words. An approval vouches for it: whoever changes the conditions below changes this."""
    return (
        "Everybody who is active when it is prepared, but not who is paused then, and no monthly reader who was handed "
        f"another edition in the calendar month it leaves in (by the clock of {zone.key}). Each gets the variant of "
        "their topics and format; where that one was not approved, everything in their format."
    )


@dataclass(frozen=True, slots=True)
class Served:
    """The readers of one variant. `topics` None: everything."""

    variant: str
    topics: frozenset[str] | None
    people: int


@dataclass(frozen=True, slots=True)
class Expected:
    """Who would get an edition that is prepared at some time. candidates = deliveries + left out."""

    candidates: int
    left_out: Mapping[str, int]
    served: Sequence[Served]
    """Of each variant there is, read or not, the most read first."""
    first_wave: int
    """0: all at once."""

    @property
    def deliveries(self) -> int:
        return sum(each.people for each in self.served)


@dataclass(frozen=True, slots=True)
class Audience:
    """How many get an edition, how many of them first (0: all at once), and how many do not."""

    deliveries: int
    first_wave: int
    left_out: int

    def in_words(self) -> str:
        ahead = f"; the first {self.first_wave:,} go ahead" if self.first_wave else ""
        return f"{self.deliveries:,} deliveries prepared, {self.left_out:,} left out{ahead}"


def expected(
    session: Session,
    edition: Edition,
    variants: Sequence[str],
    rules: Rules,
    *,
    send_at: datetime,
    prepared_at: datetime,
) -> Expected:
    """What `fix` would come to with these variants, by the very same conditions. Reads only."""
    candidates = roster.count_active(session)
    who = _who(session, edition, rules.zone, send_at=send_at, now=prepared_at)
    served = _served(session, edition, who, variants)
    deliveries = sum(each.people for each in served)
    if candidates != deliveries + who.left_out_in_all:
        raise AudienceDoesNotAddUp(candidates=candidates, deliveries=deliveries, left_out=who.left_out_in_all)
    first_wave = waves.size(rules.first_wave, deliveries, reported=rules.reported)
    return Expected(candidates, who.left_out, served, first_wave)


def fix(session: Session, edition: Edition, candidates: int, rules: Rules, now: datetime) -> Audience:
    """Write down everybody's delivery or the reason why not, all of one instant. Raises AudienceDoesNotAddUp."""
    who = _who(session, edition, rules.zone, send_at=edition.send_at, now=now)
    _store_left_out(session, edition, who.left_out)
    left_out = who.left_out_in_all
    first_wave = waves.size(rules.first_wave, candidates - left_out, reported=rules.reported)
    before = session.scalar(sa.select(sa.func.coalesce(sa.func.max(Delivery.id), 0))) or 0
    wave = _wave(session, who.willing, first_wave, candidates - left_out)
    _insert_deliveries(session, edition, who.willing, wave, before)
    deliveries = session.scalar(sa.select(sa.func.count()).where(Delivery.edition_id == edition.id)) or 0
    if candidates != deliveries + left_out:
        raise AudienceDoesNotAddUp(candidates=candidates, deliveries=deliveries, left_out=left_out)
    _insert_batches(session, edition, _waves(before, deliveries, first_wave), rules.batch_size)
    return Audience(deliveries, first_wave, left_out)


@dataclass(frozen=True, slots=True)
class _Who:
    """Who gets it, as conditions, and how many do not, by reason. The one place where that is decided."""

    willing: Conditions
    left_out: Mapping[str, int]

    @property
    def left_out_in_all(self) -> int:
        return sum(self.left_out.values())


def _who(session: Session, edition: Edition, zone: ZoneInfo, *, send_at: datetime, now: datetime) -> _Who:
    had = _had_this_month(session, edition, zone, send_at)
    willing = (_active(), sa.not_(_paused(now)), *([sa.not_(had.they)] if had else []))
    return _Who(willing, _left_out(session, had, now))


def _active() -> sa.ColumnElement[bool]:
    return Subscriber.state == State.ACTIVE


def _paused(now: datetime) -> sa.ColumnElement[bool]:
    # The first half keeps it a plain yes or no: NOT of an unknown is unknown in SQL, and would lose people.
    return sa.and_(Subscriber.paused_until.is_not(None), Subscriber.paused_until > now)


@dataclass(frozen=True, slots=True)
class _Had:
    """Monthly readers who already had an edition of this calendar month, and the first of its weeks."""

    week: str
    they: sa.ColumnElement[bool]


def _had_this_month(session: Session, edition: Edition, zone: ZoneInfo, send_at: datetime) -> _Had | None:
    """Decided from the ledger: who was handed one, not who was meant to be."""
    earlier = session.execute(
        sa.select(Edition.id, Edition.week, Edition.begun_at)
        .where(Edition.begun_at.is_not(None), Edition.id != edition.id)
        .order_by(Edition.begun_at)
    ).all()
    month = _month(send_at, zone)
    same_month = [(row.id, row.week) for row in earlier if _month(row.begun_at, zone) == month]
    if not same_month:
        return None
    handed_over = sa.exists().where(
        Delivery.edition_id.in_([edition_id for edition_id, _ in same_month]),
        Delivery.subscriber_id == Subscriber.id,
        Delivery.withheld_because.is_(None),
        Delivery.refused_because.is_(None),
    )
    return _Had(same_month[0][1], sa.and_(Subscriber.rhythm == Rhythm.MONTHLY, handed_over))


def why_not(session: Session, edition: Edition, person: Subscriber, zone: ZoneInfo, now: datetime) -> str | None:
    """Why this person would be left out if the edition were prepared now; None where they would not."""
    if person.state is not State.ACTIVE:
        return person.state.value
    if person.paused_until is not None and person.paused_until > now:
        return f"paused until {person.paused_until:%Y-%m-%d}"
    had = _had_this_month(session, edition, zone, edition.send_at)
    if had and session.scalar(sa.select(Subscriber.id).where(Subscriber.id == person.id, had.they)):
        return f"monthly: had {had.week}"
    return None


def _month(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = moment.astimezone(zone)
    return local.year, local.month


def _left_out(session: Session, had: _Had | None, now: datetime) -> dict[str, int]:
    """How many candidates get no delivery, by reason."""
    last_day = sa.func.date(Subscriber.paused_until)
    paused = session.execute(
        sa.select(last_day, sa.func.count()).where(_active(), _paused(now)).group_by(last_day).order_by(last_day)
    )
    reasons = {f"paused until {day}": count for day, count in paused}
    if had:
        count = session.scalar(sa.select(sa.func.count()).where(_active(), sa.not_(_paused(now)), had.they)) or 0
        if count:
            reasons[f"monthly: had {had.week}"] = count
    return reasons


def _store_left_out(session: Session, edition: Edition, reasons: Mapping[str, int]) -> None:
    if reasons:
        session.execute(
            sa.insert(LeftOut),
            [{"edition_id": edition.id, "reason": reason, "count": count} for reason, count in reasons.items()],
        )


def _served(session: Session, edition: Edition, who: _Who, variants: Sequence[str]) -> list[Served]:
    entries = [editions.entry_copy(entry) for entry in editions.entries_of(session, edition)]
    people = sa.func.count()
    wishes = session.execute(
        sa.select(Subscriber.topics, Subscriber.plain_text, people)
        .where(*who.willing)
        .group_by(Subscriber.topics, Subscriber.plain_text)
    )
    counts = dict.fromkeys(variants, 0)
    for topics, plain_text, count in wishes:
        counts[served_by(entries, variants, topics, plain_text=plain_text)] += count
    wished = {
        served_by(entries, variants, topics, plain_text=plain_text): frozenset(topics.splitlines())
        for topics, plain_text in roster.wishes_there_are(session)
    }
    found = [
        Served(key, None if key.startswith(EVERYTHING) else wished.get(key), count) for key, count in counts.items()
    ]
    return sorted(found, key=lambda each: (-each.people, each.variant))


def _wave(session: Session, willing: Conditions, first: int, deliveries: int) -> sa.ColumnElement[int]:
    """Which wave a subscriber is in."""
    if not first:
        return sa.literal(1)
    place = Subscriber.id % waves.SPAN * waves.FACTOR % waves.SPAN
    for bound in (waves.surely_enough(first, deliveries), waves.SPAN):
        last = session.scalar(
            sa.select(place).where(*willing, place < bound).order_by(place).limit(1).offset(first - 1)
        )
        if last is not None:
            break
    return sa.case((place <= last, 1), else_=2)


def _insert_deliveries(
    session: Session, edition: Edition, willing: Conditions, wave: sa.ColumnElement[int], before: int
) -> None:
    """One row for each of the willing, numbered from `before` + 1 without a gap."""
    with _wishes_served(session, edition) as served:
        rows = (
            sa.select(sa.literal(edition.id), Subscriber.id, served.c.variant)
            .join_from(
                Subscriber,
                served,
                sa.and_(served.c.topics == Subscriber.topics, served.c.plain_text == Subscriber.plain_text),
            )
            .where(*willing)
        )
        order = (wave, served.c.place, Subscriber.id)
        columns = ["edition_id", "subscriber_id", "variant"]
        if session.get_bind().dialect.name == "sqlite":
            # It numbers rows itself as they come, one more than the largest; its window functions take far longer.
            session.execute(sa.insert(Delivery).from_select(columns, rows.order_by(*order)))
        else:
            number = sa.func.row_number().over(order_by=order) + before
            session.execute(sa.insert(Delivery).from_select([*columns, "id"], rows.add_columns(number)))


@contextmanager
def _wishes_served(session: Session, edition: Edition) -> Iterator[sa.Table]:
    """A temporary table of which approved variant serves each wish there is; where its own was not approved, `all`.

    `place` counts the variants in the order of their keys. Wishes can be more than a statement takes values.
    """
    entries = [editions.entry_copy(entry) for entry in editions.entries_of(session, edition)]
    approved = sorted(session.scalars(sa.select(RenderingRow.variant).where(RenderingRow.edition_id == edition.id)))
    table = sa.Table(
        "wishes_served",
        sa.MetaData(),
        sa.Column("topics", sa.Text),
        sa.Column("plain_text", sa.Boolean),
        sa.Column("variant", sa.String(40)),
        sa.Column("place", sa.Integer),
        prefixes=["TEMPORARY"],
    )
    # SQLite would read the whole table for every subscriber; the other hashes it by itself.
    sa.Index("ix_wishes_served", table.c.topics, table.c.plain_text).ddl_if(dialect="sqlite")
    connection = session.connection()
    table.create(connection, checkfirst=False)
    rows = [
        {"topics": topics, "plain_text": plain_text, "variant": key, "place": approved.index(key)}
        for topics, plain_text in roster.wishes_there_are(session)
        for key in [served_by(entries, approved, topics, plain_text=plain_text)]
    ]
    if rows:
        session.execute(table.insert(), rows)
    yield table
    table.drop(connection, checkfirst=False)


def _waves(before: int, deliveries: int, first_wave: int) -> Iterator[tuple[int, int, int]]:
    """Each wave with its first and last delivery."""
    ahead = first_wave or deliveries
    yield 1, before + 1, before + ahead
    if ahead < deliveries:
        yield 2, before + ahead + 1, before + deliveries


def _insert_batches(
    session: Session, edition: Edition, there_are: Iterator[tuple[int, int, int]], batch_size: int
) -> None:
    rows = [
        {
            "edition_id": edition.id,
            "variant": variant,
            "wave": wave,
            "first_delivery": first,
            "last_delivery": last,
            "state": BatchState.PENDING,
            "attempt": 0,
        }
        for wave, begins, ends in there_are
        for variant, lowest, highest in _runs(session, begins, ends)
        for first, last in _cut(lowest, highest, batch_size)
    ]
    if rows:
        session.execute(sa.insert(Batch), rows)


def _runs(session: Session, begins: int, ends: int) -> Iterator[tuple[str, int, int]]:
    """Each variant with its first and last delivery, as they were written: one walk along the numbers, no sorting."""
    first = begins
    while first <= ends:
        variant = session.scalars(sa.select(Delivery.variant).where(Delivery.id == first)).one()
        another = session.scalar(
            sa.select(Delivery.id)
            .where(Delivery.id > first, Delivery.id <= ends, Delivery.variant != variant)
            .order_by(Delivery.id)
            .limit(1)
        )
        last = ends if another is None else another - 1
        yield variant, first, last
        first = last + 1


def _cut(lowest: int, highest: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(lowest, highest + 1, size):
        yield first, min(first + size - 1, highest)
