"""What an alarm needs to know, read from rows: any process gives the same answer (docs/metrics.md lists them)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import job_runs, pauses, standings, stats
from digest.models import (
    Batch,
    BatchState,
    Edition,
    EditionState,
    Letter,
    LetterState,
    Pause,
    PauseKind,
    ProviderEvent,
    Request,
)
from digest.standings import BreakerStands
from digest.stats import Numbers
from subscribers import roster

NEWEST = 3
"""Editions whose numbers are shown: at a million deliveries each costs about a second."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without `digest_`, what it says, and the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    counter: bool = False


FAMILIES = (
    Family("subscribers", "People on the roster, by consent state", ("state",)),
    Family("requests_waiting", "What was asked at the public doors and is not settled yet"),
    Family("requests_oldest_age_seconds", "How long the oldest of these has waited; 0 where none does"),
    Family("letters", "Letters and notices not posted: queued, or given up and not yet forgotten", ("state",)),
    Family("clock_heartbeat_age_seconds", "Since any clock last finished a look; missing where none ever did"),
    Family("jobs_failed", "Jobs of the clock whose latest run failed"),
    Family("job_failed", "1 for each job whose latest run failed", ("job",)),
    Family("editions_halted", "Editions that wait for a person"),
    Family("edition_state", "1 for the state each of the newest editions is in", ("week", "state")),
    Family("edition_candidates", "People active when the edition was prepared", ("week",)),
    Family("edition_left_out", "Candidates who got no delivery", ("week",)),
    Family("edition_deliveries", "Deliveries of an edition, each in one bucket", ("week", "bucket")),
    Family("edition_accepted", "Accepted deliveries by what was told of them, each in one bucket", ("week", "bucket")),
    Family("edition_told", "Accepted deliveries of which this was told, whatever their bucket", ("week", "what")),
    Family("edition_adds_up", "1 where all sums of the edition come out", ("week",)),
    Family("edition_batches", "Batches of an edition, by state", ("week", "state")),
    Family("batches_uncertain", "Batches of all editions that wait to be settled"),
    Family("breaker_halted", "1 where the breaker halted it and nobody has resumed it", ("week",)),
    Family("breaker_counted", "What went wrong, as the breaker counts it", ("week", "measure")),
    Family("breaker_counted_of", "Of how many deliveries", ("week", "measure")),
    Family("breaker_alarms_at", "How many of so many staff hear of", ("week", "measure")),
    Family("breaker_stops_at", "How many of so many stop the edition", ("week", "measure")),
    Family("paused", "1 where no call may begin, by what pauses all of them", ("kind",)),
    Family("events", "Events of the provider taken in, by the number of the newest", counter=True),
    Family("event_last_age_seconds", "Since the newest event was taken in; missing where none ever was"),
)

_ACCEPTED = ("dropped", "bounced", "delivered", "unreported")
_TOLD = ("hard_bounced", "complained", "unsubscribed", "unexpected")
_DELIVERIES = ("waiting", "in_flight", "accepted", "withheld", "refused", "uncertain")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one family, with its labels in the family's order."""

    family: str
    value: float
    labels: tuple[str, ...] = ()


def samples(session: Session, *, now: datetime) -> Iterator[Sample]:
    """All of them, of one instant."""
    yield from _people(session, now)
    yield from _clock(session, now)
    yield from _ledger(session, now)
    yield from _events(session, now)
    for edition in _newest(session):
        yield from _edition(session, edition, now)


def _people(session: Session, now: datetime) -> Iterator[Sample]:
    for state, count in roster.counts(session).items():
        yield Sample("subscribers", count, (state,))
    waiting, oldest = session.execute(sa.select(sa.func.count(), sa.func.min(Request.asked_at))).one()
    yield Sample("requests_waiting", waiting)
    yield Sample("requests_oldest_age_seconds", (now - oldest).total_seconds() if oldest else 0)
    by_state = sa.select(Letter.state, sa.func.count()).group_by(Letter.state)
    letters: dict[LetterState, int] = {state: count for state, count in session.execute(by_state)}
    for unposted in (LetterState.QUEUED, LetterState.GIVEN_UP):
        yield Sample("letters", letters.get(unposted, 0), (unposted,))


def _clock(session: Session, now: datetime) -> Iterator[Sample]:
    beat = job_runs.last_heartbeat(session)
    if beat is not None:
        yield Sample("clock_heartbeat_age_seconds", (now - beat).total_seconds())
    failed = sorted({run.job for run in job_runs.last_failures(session)})
    yield Sample("jobs_failed", len(failed))
    for job in failed:
        yield Sample("job_failed", 1, (job,))


def _ledger(session: Session, now: datetime) -> Iterator[Sample]:
    halted = sa.select(sa.func.count()).where(Edition.state == EditionState.HALTED)
    yield Sample("editions_halted", session.scalar(halted) or 0)
    uncertain = sa.select(sa.func.count()).where(Batch.state == BatchState.UNCERTAIN)
    yield Sample("batches_uncertain", session.scalar(uncertain) or 0)
    kinds = set(session.scalars(sa.select(Pause.kind).where(Pause.edition_id.is_(None), pauses.in_force(now))))
    for kind in PauseKind:
        yield Sample("paused", kind in kinds, (kind,))


def _events(session: Session, now: datetime) -> Iterator[Sample]:
    newest = sa.select(ProviderEvent.id, ProviderEvent.received_at).order_by(ProviderEvent.id.desc()).limit(1)
    last = session.execute(newest).one_or_none()
    # Counting millions of rows at every scrape would tell no more.
    yield Sample("events", last.id if last else 0)
    if last is not None:
        yield Sample("event_last_age_seconds", (now - last.received_at).total_seconds())


def _newest(session: Session) -> Sequence[Edition]:
    prepared = sa.select(Edition).where(Edition.prepared_at.is_not(None))
    return session.scalars(prepared.order_by(Edition.week.desc()).limit(NEWEST)).all()


def _edition(session: Session, edition: Edition, now: datetime) -> Iterator[Sample]:
    yield Sample("edition_state", 1, (edition.week, edition.state))
    yield from _numbers(stats.numbers(session, edition))
    yield from _breaker(edition.week, standings.standing(session, edition, now=now).breaker)


def _numbers(found: Numbers) -> Iterator[Sample]:
    week = found.week
    yield Sample("edition_candidates", found.candidates, (week,))
    yield Sample("edition_left_out", found.left_out, (week,))
    for family, names in (
        ("edition_deliveries", _DELIVERIES),
        ("edition_accepted", _ACCEPTED),
        ("edition_told", _TOLD),
    ):
        for name in names:
            yield Sample(family, getattr(found, name), (week, name))
    yield Sample("edition_adds_up", found.adds_up, (week,))
    for state in BatchState:
        yield Sample("edition_batches", found.batches.get(state, 0), (week, state))


def _breaker(week: str, found: BreakerStands) -> Iterator[Sample]:
    yield Sample("breaker_halted", found.halted, (week,))
    for measure, weighed in (("complaints", found.complaints), ("hard_bounces", found.hard_bounces)):
        yield Sample("breaker_counted", weighed.counted, (week, measure))
        yield Sample("breaker_counted_of", weighed.of, (week, measure))
        yield Sample("breaker_alarms_at", weighed.alarms_at, (week, measure))
        yield Sample("breaker_stops_at", weighed.stops_at, (week, measure))
