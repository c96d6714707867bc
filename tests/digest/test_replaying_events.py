"""Stored events told again end in the same rows, and what is not as they say is found."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson
import sqlalchemy as sa

from database import Base
from digest import replaying_events, tidying
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery, ProviderEvent
from digest.people import erasing
from subscribers import addresses, consent
from subscribers.models import State, Subscriber
from tests import make
from tests.conftest import Program
from tests.make_events import TOLD, Reader, bounce, consent_of, event, sent, tell, times

LATER = TOLD + timedelta(hours=1)


def rows(services: Services) -> str:
    with services.database.reading() as session:
        names = ("deliveries", "subscribers", "consent_events", "batches", "editions", "provider_events")
        tables = [Base.metadata.tables[name] for name in names]
        return repr([session.execute(sa.select(table).order_by(table.c.id)).all() for table in tables])


def told(services: Services) -> list[Reader]:
    readers = sent(services, 5)
    ada, ben, cleo, dov, _ = readers
    tell(
        services,
        *(event(each, "processed") for each in readers),
        event(ada, "delivered", after=5),
        event(ada, "delivered", after=3),
        event(ada, "open", after=9, sg_machine_open=True),
        bounce(ben, after=4),
        event(cleo, "unsubscribe", after=30),
        event(dov, "spamreport", after=20),
        event(None, "spamreport", email="nobody@example.com"),
        bounce(None, email="nobody@example.com", vd_letter="3"),
    )
    return readers


def differences(services: Services, *, now: datetime = LATER) -> list[str]:
    return replaying_events.check(services.database, now=now).said


def test_what_was_recorded_is_as_the_events_say(services: Services) -> None:
    """And telling them all again changes no row, of whomever is erased too."""
    _, ben, cleo, *_ = told(services)
    with services.database.writing() as session:
        for each in (ben, cleo):
            erasing.erase(session, session.get_one(Subscriber, each.subscriber), now=TOLD, by="staff 3")
    before = rows(services)

    assert [] == differences(services)
    assert 13 == replaying_events.apply(services.database, now=LATER)
    assert before == rows(services)


def test_what_is_lost_is_found_and_mended(services: Services) -> None:
    """Stamps that are missing or too late, a batch thought uncertain, a complaint that never arrived."""
    ada, ben, _, dov, _ = told(services)
    before = rows(services)
    with services.database.writing() as session:
        session.execute(sa.update(Delivery).where(Delivery.id == ada.delivery).values(delivered_at=LATER))
        session.execute(sa.update(Delivery).where(Delivery.id == ben.delivery).values(hard_bounced_at=None))
        session.execute(sa.update(Batch).values(state=BatchState.UNCERTAIN))
        session.execute(sa.update(Subscriber).where(Subscriber.id == dov.subscriber).values(state=State.ACTIVE))
    found = " ".join(differences(services))

    for said in (
        f"delivery {ada.delivery}: delivered_at is",
        f"delivery {ben.delivery}: hard_bounced_at is nothing",
        "is uncertain, by the events it is accepted",
        f"subscriber {dov.subscriber} is active",
    ):
        assert said in found
    replaying_events.apply(services.database, now=LATER)
    assert [] == differences(services)
    assert {"delivered_at": 3} == times(services, ada.delivery)
    assert before != rows(services)  # what a batch and a person went through is written down once more


def test_a_time_that_no_event_tells_of_is_said(services: Services) -> None:
    """Unless it is so old that its event has been forgotten."""
    ada, *_ = told(services)
    with services.database.writing() as session:
        session.execute(sa.update(Delivery).where(Delivery.id == ada.delivery).values(clicked_at=TOLD))

    assert [f"delivery {ada.delivery}: clicked_at is 2026-11-20 09:10:00, and no event says so"] == differences(
        services
    )
    much_later = TOLD + tidying.KEEP_EVENTS + timedelta(days=1)
    tidying.tidy(services, now=much_later, stopped=lambda: False)
    assert [] == differences(services, now=much_later)


def test_who_asked_anew_is_not_unsubscribed_by_the_past(services: Services) -> None:
    """They left, and have signed up again: telling the old event once more does nothing."""
    _, _, cleo, dov, _ = told(services)
    with services.database.writing() as session:
        consent.sign_up(session, addresses.parse(cleo.email), now=LATER, source="form")
    replaying_events.apply(services.database, now=LATER)

    assert State.PENDING is consent_of(services, cleo.subscriber)[0]
    assert State.SUPPRESSED is consent_of(services, dov.subscriber)[0]
    assert [] == differences(services)


def test_pages_of_events_end_in_the_middle_of_a_delivery(services: Services) -> None:
    """More events than are read at once: every one is told, and the comparison is the same."""
    readers = sent(services, 3)
    for start in range(0, 3_000, 1_000):
        events = [event(readers[n % 3], "click", after=3_000 - n, url=f"/{n}") for n in range(start, start + 1_000)]
        tell(services, *events)

    assert [] == differences(services)
    assert 3_000 == replaying_events.apply(services.database, now=LATER)
    assert {"clicked_at": 1} == times(services, readers[2].delivery)


def test_the_command_says_what_differs(program: Program, services: Services) -> None:
    """Exit 1 with each difference; then mended, exit 0."""
    ada, *_ = told(make.with_settings(services))
    with services.database.writing() as session:
        session.execute(sa.update(Delivery).where(Delivery.id == ada.delivery).values(delivered_at=None))
    checked = program("events", "replay", "--check", "--json")
    mended = program("events", "replay")
    again = program("events", "replay", "--check")

    assert 1 == checked.returncode
    assert 1 == orjson.loads(checked.stdout)["differences"]
    assert (0, "13 events told again\n") == (mended.returncode, mended.stdout)
    assert (0, "13 events, and everything is as they say\n") == (again.returncode, again.stdout)
    with services.database.reading() as session:
        assert 13 == session.scalar(sa.select(sa.func.count()).select_from(ProviderEvent))
