"""People over time: who came, who left and why, and how many were active, week by week.

Weeks run from Monday to Monday as clocks in the newsletter's zone show them, like the weeks of its editions. Nothing
is kept for it: every figure is counted from the consent events when it is asked for. How many were active at the end
of a past week is what there is now, less what came and left since; so the sums always add up, and whoever was erased
is in none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest import weeks
from digest.people import suppressions
from digest.weeks import Week, WeekTime
from subscribers import roster
from subscribers.models import ConsentEvent, RefusedAddress
from subscribers.policy import NO, YES, Act, Refusal, State

MOST_WEEKS = 26
LATELY = timedelta(days=28)
"""Requests nobody confirmed are erased after a month, so that older ones have no denominator any more."""

CAME = (Act.CONFIRM, Act.ADD_WITH_BASIS, Act.LIFT)
LEFT = (Act.UNSUBSCRIBE, Act.BOUNCE, Act.COMPLAIN, Act.SUPPRESS)

_MONDAY = WeekTime(0, time(0))
# What may have made somebody active or ended it; a changed address and changed wishes do neither.
_WEIGHTY = tuple(act for act in Act if act is not Act.CHANGE_ADDRESS)


@dataclass(frozen=True, slots=True)
class WeekOfPeople:
    """One week: active at its end = active at its begin + came − left. The running week ends now."""

    week: Week
    came: Mapping[Act, int]
    """People who became active, by each of CAME: confirmed, added with a basis, let in again after a bounce."""
    left: Mapping[Act, int]
    """People who were active and no longer are, by each of LEFT."""
    asked: int
    """People who signed up; those who never confirmed are erased after a month and then are not counted here."""
    erased: int
    """Addresses erased that week and still refused; they are in no other figure."""
    active_after: int

    @property
    def net(self) -> int:
        return sum(self.came.values()) - sum(self.left.values())

    @property
    def active_before(self) -> int:
        return self.active_after - self.net


@dataclass(frozen=True, slots=True)
class PeopleNumbers:
    """What the page of numbers says, the oldest week first."""

    weeks: Sequence[WeekOfPeople]
    states: Mapping[State, int]
    refused: Mapping[Refusal, int]
    """Addresses remembered as hashes alone."""
    asked_lately: int
    """People who signed up within LATELY."""
    confirmed_of_them: int

    @property
    def known(self) -> int:
        return sum(self.states.values())

    @property
    def came(self) -> dict[Act, int]:
        return {act: sum(week.came[act] for week in self.weeks) for act in CAME}

    @property
    def left(self) -> dict[Act, int]:
        return {act: sum(week.left[act] for week in self.weeks) for act in LEFT}


def numbers(session: Session, *, zone: tzinfo, now: datetime, most: int = MOST_WEEKS) -> PeopleNumbers:
    """Everything at one instant: the running week and the `most` − 1 before it."""
    states = roster.counts(session)
    asked, confirmed = _lately(session, now)
    return PeopleNumbers(
        weeks=_weeks(session, states[State.ACTIVE], zone=zone, now=now, most=most),
        states=states,
        refused=suppressions.refused(session),
        asked_lately=asked,
        confirmed_of_them=confirmed,
    )


def _weeks(session: Session, active: int, *, zone: tzinfo, now: datetime, most: int) -> list[WeekOfPeople]:
    """From the running week backwards."""
    found: list[WeekOfPeople] = []
    week, until = Week.containing(now.astimezone(zone)), None
    while len(found) < most:
        since = weeks.cutoff(week, _MONDAY, zone)
        found.append(_week(session, week, since, until, active))
        active, until, week = found[-1].active_before, since, week.previous
    return found[::-1]


def _week(session: Session, week: Week, since: datetime, until: datetime | None, active: int) -> WeekOfPeople:
    """`until` None: whatever a provider's clock says, nothing that has come in is left out of the running week."""
    moved = _moved(session, since, until)
    return WeekOfPeople(
        week=week,
        came={act: moved.get(act, 0) for act in CAME},
        left={act: moved.get(act, 0) for act in LEFT},
        asked=session.scalars(
            sa.select(sa.func.count(sa.distinct(ConsentEvent.subscriber_id))).where(
                ConsentEvent.kind == Act.SIGN_UP.value, *_between(ConsentEvent.happened_at, since, until)
            )
        ).one(),
        erased=session.scalars(
            sa.select(sa.func.count()).where(
                RefusedAddress.because == Refusal.ERASED, *_between(RefusedAddress.since, since, until)
            )
        ).one(),
        active_after=active,
    )


def _moved(session: Session, since: datetime, until: datetime | None) -> dict[Act, int]:
    """How many people became active or ceased to be, by the act that did it."""
    event = aliased(ConsentEvent, name="event")
    in_time = _between(event.happened_at, since, until)
    counted = sa.select(event.kind, sa.func.count()).group_by(event.kind)
    # Whoever confirms, or is added with a basis, was not active: the first kinds need no look at what came before.
    certain = counted.where(event.kind.in_(_kinds(YES)), *in_time)
    let_in = counted.where(event.kind == Act.LIFT.value, *in_time, _consented(event))
    was = _latest_before(event, _WEIGHTY)
    gone = counted.where(
        event.kind.in_(_kinds(LEFT)),
        *in_time,
        sa.or_(was.in_(_kinds(YES)), sa.and_(was == Act.LIFT.value, _consented(event))),
    )
    found = [row for statement in (certain, let_in, gone) for row in session.execute(statement)]
    return {Act(kind): count for kind, count in found}


def _consented(event: type[ConsentEvent]) -> sa.ColumnElement[bool]:
    """Whether the last word of this person before the event, or of staff for them, was a yes."""
    return _latest_before(event, (*YES, *NO)).in_(_kinds(YES))


def _latest_before(event: type[ConsentEvent], acts: Collection[Act]) -> sa.ScalarSelect[str]:
    """The last of these acts on the same person before an event; in the order they were settled in."""
    before = aliased(ConsentEvent)
    return (
        sa.select(before.kind)
        .where(before.subscriber_id == event.subscriber_id, before.id < event.id, before.kind.in_(_kinds(acts)))
        .order_by(before.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _lately(session: Session, now: datetime) -> tuple[int, int]:
    """Who signed up lately, and who of them has confirmed in that time."""
    asked, confirmed = (
        sa.select(ConsentEvent.subscriber_id).where(
            ConsentEvent.kind == act.value, ConsentEvent.happened_at > now - LATELY
        )
        for act in (Act.SIGN_UP, Act.CONFIRM)
    )
    return _size(session, asked.distinct()), _size(session, sa.intersect(asked, confirmed))


def _size(session: Session, people: sa.Select[int] | sa.CompoundSelect[int]) -> int:
    return session.scalars(sa.select(sa.func.count()).select_from(people.subquery())).one()


def _between(
    column: sa.orm.InstrumentedAttribute[datetime], since: datetime, until: datetime | None
) -> list[sa.ColumnElement[bool]]:
    return [column >= since, *([column < until] if until else [])]


def _kinds(acts: Collection[Act]) -> list[str]:
    return [act.value for act in acts]
