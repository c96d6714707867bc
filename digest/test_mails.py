"""Test mails to the staff: everything real but the numbers. Counted against a limit, handed over, and noted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from digest import editions, pauses, previewing
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.people import limits
from digest.staff import audit
from digest.transport import Uncertain
from digest.variants import EVERYTHING
from subscribers import addresses

WHAT = "test mail"
"""How the edition's log calls them."""
MOST = 20
PER = timedelta(hours=1)


class TooMany(DigestError):
    """So many test mails of one edition an hour are enough, so none was handed over."""

    def __init__(self, wait: timedelta) -> None:
        minutes = -(-int(wait.total_seconds()) // 60)
        super().__init__(
            f"{MOST} test mails of one edition an hour are enough, so none was handed over. "
            f"Try again in {minutes} minute{'' if minutes == 1 else 's'}."
        )


class NothingGoesOut(DigestError):
    """The kill switch is on, so no test mail was handed over either."""


class NobodyNamed(DigestError):
    """Say who shall get the test mail."""


def send(
    services: Services, week: str, *, to: Sequence[str], by: str, now: datetime, variant: str = EVERYTHING
) -> list[str]:
    """Hand tests of one variant over to people on the staff; returns for whom they were accepted.

    Raises NobodyNamed, TooMany, NothingGoesOut, NotOnTheStaff, NoSuchVariant, and TransportError where the provider
    did not take them.
    """
    wanted = list({addresses.parse(email).key: email for email in to}.values())
    if not wanted:
        raise NobodyNamed
    with services.database.writing() as session:
        edition = editions.find(session, week)
        _refuse_while_killed(session)
        rule = limits.Rule(WHAT, f"edition {edition.week}", MOST, PER)
        _count(session, rule, len(wanted), now)
    try:
        with services.database.reading() as session:
            accepted = previewing.send_test(session, edition, services, to=wanted, now=now, variant=variant)
    except Uncertain:
        raise  # it may have been accepted, so it counts
    except DigestError:
        with services.database.writing() as session:
            limits.give_back(session, rule, len(wanted), now=now)
        raise
    with services.database.writing() as session:
        why = f"accepted for {len(accepted)} of the staff, variant {variant}"
        editions.log(session, edition, by=by, what=WHAT, why=why, now=now)
        audit.note(session, by=by, what=WHAT, about=edition.week, now=now, recipients=len(accepted), variant=variant)
    return accepted


def _refuse_while_killed(session: Session) -> None:
    if pauses.kill_switch(session) is not None:
        raise NothingGoesOut


def _count(session: Session, rule: limits.Rule, mails: int, now: datetime) -> None:
    """Counts each mail, before it goes: two presses at once must not both find room. Too many count nothing."""
    for _ in range(mails):
        if limits.take(session, [rule], now=now) is not None:
            raise TooMany(timedelta(seconds=rule.retry_after(now)))
