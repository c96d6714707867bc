"""Three editions in a row that did not arrive suppress; fewer, or mere silence, do not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from digest import unreachable
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery, Edition
from subscribers import addresses, consent
from subscribers.models import State, Subscriber
from subscribers.policy import Act
from tests import make, make_events
from tests.make_events import consent_of

WEEKS = ("2026-W45", "2026-W46", "2026-W47", "2026-W48")
NOW = make.SEND + timedelta(days=10)


def sent_weekly(services: Services, *fates: str) -> int:
    """One reader of as many editions, each with what was told of it; gives their number."""
    with services.database.writing() as session:
        ada = consent.Newcomer(addresses.parse("ada@example.com"))
        reader = consent.add(session, ada, basis=make.BASIS, now=NOW - timedelta(days=100), source="test").subscriber.id
    for week, fate in zip(WEEKS, fates, strict=False):
        (delivery,) = make_events.sent(services, 0, week=week)
        at = make.SEND + timedelta(days=7 * (int(week[-2:]) - 47))
        with services.database.writing() as session:
            session.execute(sa.update(Edition).where(Edition.week == week).values(begun_at=at))
            session.execute(sa.update(Batch).where(Batch.id == delivery.batch).values(accepted_at=at, called_at=at))
            row = session.get_one(Delivery, delivery.delivery)
            for told in fate.split():
                if told in ("withheld", "refused"):
                    setattr(row, f"{told}_because", "a reason")
                elif told == "uncertain":
                    session.execute(
                        sa.update(Batch).where(Batch.id == delivery.batch).values(state=BatchState.UNCERTAIN)
                    )
                else:
                    setattr(row, f"{told}_at", at + timedelta(minutes=9))
    return reader


def look(services: Services, *, now: datetime = NOW) -> int:
    return unreachable.suppress(services.database, now=now, stopped=lambda: False)


@pytest.mark.parametrize(
    ("fates", "suppressed"),
    [
        (("bounced", "bounced", "bounced"), True),
        (("deferred", "bounced", "deferred"), True),
        (("delivered", "deferred", "deferred", "deferred"), True),
        (("bounced", "bounced"), False),
        (("bounced", "bounced", "bounced", "delivered"), False),
        (("bounced", "deferred delivered", "bounced"), False),
        (("bounced", "", "bounced", "bounced"), False),
        (("", "", ""), False),
        (("bounced", "withheld bounced", "bounced"), False),
        (("bounced", "bounced", "uncertain", "bounced"), True),
        (("bounced", "bounced", "dropped"), False),
    ],
)
def test_three_in_a_row_and_none_delivered(services: Services, fates: tuple[str, ...], suppressed: bool) -> None:
    """Of the last three that were accepted; what was never handed over does not count."""
    reader = sent_weekly(services, *fates)

    assert int(suppressed) == look(services)
    assert (State.SUPPRESSED if suppressed else State.ACTIVE) is consent_of(services, reader)[0]


def test_the_evidence_names_the_editions(services: Services) -> None:
    """Staff may lift it, and the same three then suppress nobody again."""
    reader = sent_weekly(services, "bounced", "deferred", "bounced")
    look(services)
    with services.database.writing() as session:
        person = session.get_one(Subscriber, reader)
        assert person.suppressed_because == (
            "3 editions in a row did not arrive, and none was delivered: 2026-W45, 2026-W46, 2026-W47"
        )
        assert Act.BOUNCE is consent_of(services, reader)[1]
        consent.lift(session, person, because="they called", now=NOW, source="staff 3")

    assert 0 == look(services, now=NOW + timedelta(days=1))
    assert State.ACTIVE is consent_of(services, reader)[0]


def test_the_last_may_still_arrive_for_three_days(services: Services) -> None:
    """So long the provider tries."""
    sent_weekly(services, "deferred", "deferred", "deferred")

    assert 0 == look(services, now=make.SEND + timedelta(hours=71))
    assert 1 == look(services, now=make.SEND + timedelta(hours=73))


def test_it_is_looked_at_once_a_day(services: Services) -> None:
    """By a row, whichever process looks."""
    with services.database.reading() as session:
        assert unreachable.is_due(session, now=NOW)
    look(services)
    with services.database.reading() as session:
        assert not unreachable.is_due(session, now=NOW + timedelta(hours=23))
        assert unreachable.is_due(session, now=NOW + timedelta(hours=24))
