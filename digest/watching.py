"""Look at what is being reported of editions, and stop one that does harm, or tell staff (docs/decisions/007).

Any process may look, as often as it likes: what was found stands in the edition's log, so that each halt and each alarm
happens once. A look costs next to nothing. What went wrong is counted by indexes that hold nothing else; of how many
it went wrong is counted, at the price of a walk through the edition, only where that could tell: more deliveries never
lower a line, so what has not crossed the line of the last look has not crossed today's.

Once a person has resumed an edition that the breaker halted, what they saw is judged: only deliveries handed over
since then count. Not those *reported* since then: complaints come late, and those still to come of the old ones would
halt it again for the very same evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from database import Database
from digest import breaker, halting, stats
from digest.answers import Answered, answered
from digest.bootstrap import Services
from digest.breaker import COMPLAINTS, HARD_BOUNCES, MEASURES, Counted, Measure, Says, Verdict
from digest.models import Batch, Delivery, Edition, EditionLog, EditionState
from subscribers.models import Subscriber

log = structlog.get_logger()

WATCHED_AFTERWARDS = timedelta(days=7)
"""How long complaints still come in after an edition is out."""
APART_AGAIN = timedelta(seconds=20)
"""Counting by provider reads every subscriber: with one provider storming it would be done at every look."""


_WRONG = {COMPLAINTS: Delivery.complained_at, HARD_BOUNCES: Delivery.hard_bounced_at}
_OF = {COMPLAINTS: stats.REACHED, HARD_BOUNCES: stats.REPORTED}


@dataclass(frozen=True, slots=True)
class Watched:
    """An edition to look at."""

    id: int
    week: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the last look of this process found: lower bounds, never a decision."""

    since: datetime | None
    counted: dict[Measure, Counted]
    apart_at: datetime | None = None


_remembered: WeakKeyDictionary[Database, dict[int, Remembered]] = WeakKeyDictionary()


def look(services: Services, now: datetime) -> list[str]:
    """Judge every edition that is being sent or was within seven days; what was done about it, in words.

    Opens transactions of its own: not to be called inside one.
    """
    memory = _remembered.setdefault(services.database, {})
    with services.database.reading() as session:
        watched = list(_watched(session, now))
    for gone in set(memory) - {edition.id for edition in watched}:
        memory.pop(gone, None)
    return [said for edition in watched for said in _look_at(services, edition, memory, now)]


def _watched(session: Session, now: datetime) -> Iterator[Watched]:
    """Not those that the breaker has halted and nobody has resumed: of these everything is said."""
    under_way = Edition.state.in_((EditionState.SENDING, EditionState.HALTED))
    just_over = sa.and_(
        Edition.state.in_((EditionState.SENT, EditionState.STOPPED)), Edition.finished_at > now - WATCHED_AFTERWARDS
    )
    found = sa.select(Edition).where(Edition.begun_at.is_not(None), sa.or_(under_way, just_over))
    for edition in session.scalars(found.order_by(Edition.id)):
        said = answered(session, edition.id)
        if not said.waits:
            yield Watched(edition.id, edition.week, said.since)


def _look_at(services: Services, edition: Watched, memory: dict[int, Remembered], now: datetime) -> list[str]:
    last = memory.get(edition.id)
    if last is None or last.since != edition.since:
        last = Remembered(edition.since, {})
    if last.apart_at is not None and now < last.apart_at + APART_AGAIN:
        return []
    with services.database.reading() as session:
        if not any(_could_speak(measure, _wrong(session, edition, measure), last) for measure in MEASURES):
            return []
        counted = counts(session, edition.id, edition.since)
        verdicts = [breaker.judge(measure, counted[measure]) for measure in MEASURES]
        apart = any(verdict.says is Says.STOP for verdict in verdicts)
        if apart:
            by_domain = _counts_by_domain(session, edition)
            verdicts = [breaker.judge_apart(measure, by_domain[measure]) for measure in MEASURES]
    did = _act(services, edition, verdicts, now)
    # After the act: one that failed is tried again.
    memory[edition.id] = Remembered(edition.since, counted, now if apart else None)
    return did


def _could_speak(measure: Measure, wrong: int, last: Remembered) -> bool:
    """Whether so many may cross a line: more than last time, and as many as the line was then."""
    before = last.counted.get(measure, breaker.NONE)
    return wrong > before.wrong and wrong >= measure.alarms_at(before.of)


# — counting —


def _wrong(session: Session, edition: Watched, measure: Measure) -> int:
    """How many went wrong, by an index that holds nothing else."""
    counted = sa.select(sa.func.count()).select_from(Delivery).where(_WRONG[measure].is_not(None))
    if edition.since is None:
        counted = counted.where(Delivery.edition_id == edition.id)
    else:
        in_batch = Delivery.id.between(Batch.first_delivery, Batch.last_delivery)
        ours = sa.and_(Delivery.edition_id == Batch.edition_id, in_batch)
        counted = counted.join(Batch, ours).where(Batch.edition_id == edition.id, Batch.called_at > edition.since)
    return session.scalar(counted) or 0


def counts(session: Session, edition_id: int, since: datetime | None) -> dict[Measure, Counted]:
    """What went wrong of how many, of all deliveries or those handed over since."""
    row = session.execute(_deliveries(edition_id, since).with_only_columns(*_columns())).one()
    return dict(_paired(row))


def _counts_by_domain(session: Session, edition: Watched) -> dict[Measure, dict[str, Counted]]:
    domain = sa.func.coalesce(_domain(session), "")
    rows = session.execute(
        _deliveries(edition.id, edition.since)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .with_only_columns(domain, *_columns())
        .group_by(domain)
    )
    found: dict[Measure, dict[str, Counted]] = {measure: {} for measure in MEASURES}
    for name, *row in rows:
        for measure, counted in _paired(row):
            found[measure][name] = counted
    return found


def _deliveries(edition_id: int, since: datetime | None) -> sa.Select[Any]:
    """By ranges of ids alone, as in `stats`."""
    found = (
        sa.select(Batch)
        .join(Delivery, Delivery.id.between(Batch.first_delivery, Batch.last_delivery))
        .where(Batch.edition_id == edition_id)
    )
    return found if since is None else found.where(Batch.called_at > since)


def _columns() -> Iterator[sa.ColumnElement[int]]:
    for measure in MEASURES:
        yield sa.func.count(_WRONG[measure])
        yield sa.func.count().filter(_OF[measure])


def _paired(row: Sequence[Any]) -> Iterator[tuple[Measure, Counted]]:
    for number, measure in enumerate(MEASURES):
        yield measure, Counted(row[2 * number], row[2 * number + 1])


def _domain(session: Session) -> sa.ColumnElement[str]:
    key = Subscriber.email_key
    if session.get_bind().dialect.name == "sqlite":
        return sa.func.substr(key, sa.func.instr(key, "@") + 1)
    return sa.func.split_part(key, "@", 2)


# — what follows —


def _act(services: Services, edition: Watched, verdicts: Sequence[Verdict], now: datetime) -> list[str]:
    speak = [verdict for verdict in verdicts if verdict.says is not Says.NOTHING]
    stops = [verdict.why for verdict in speak if verdict.says is Says.STOP]
    if not speak:
        return []
    with services.database.writing() as session:
        # Locked first: what others did meanwhile, halt, alarm or resume, is in the log that is read below.
        session.get_one(Edition, edition.id, populate_existing=True, with_for_update=True)
        if answered(session, edition.id) != Answered(edition.since):
            return []
        why = f"{'; '.join(stops)}."
        if stops and halting.halt(session, edition.id, why=why, by=breaker.NAME, now=now):
            log.error("the breaker halted an edition", edition=edition.week, why=why)
            return [f"halted {edition.week}: {why}"]
        return [f"{edition.week}: {verdict.why}" for verdict in speak if _alarm(session, edition, verdict, now)]


def _alarm(session: Session, edition: Watched, verdict: Verdict, now: datetime) -> bool:
    """Told once for each measure and kind since the last resume: the numbers in it change with every look.

    Who raises it names both, and that is how it is known again.
    """
    kind = "at one provider" if verdict.provider else "line to stop at" if verdict.says is Says.STOP else "alarm line"
    by = f"{breaker.NAME}: {verdict.measure.name}, {kind}"
    said = sa.exists().where(EditionLog.edition_id == edition.id, EditionLog.by == by)
    if edition.since is not None:
        said = said.where(EditionLog.at > edition.since)
    if session.scalar(sa.select(said)):
        return False
    return halting.raise_alarm(session, edition.id, why=f"{verdict.why}.", by=by, now=now)
