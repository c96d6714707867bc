"""Preparing: every candidate gets one delivery or a reason, or nothing happens."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest import approving, editions, preparing, sending, stats
from digest.bootstrap import Services
from digest.models import Batch, Delivery, Edition, EditionState
from subscribers.models import Rhythm
from tests import make
from tests.fakes import ScriptedTransport


def prepared(services: Services, *, week: str = make.WEEK) -> stats.Numbers:
    sending.prepare(services, week, by="test", now=make.SEND)
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, week))


def test_only_the_active_are_candidates(services: Services) -> None:
    """Of Ada, Ben, Cleo and Dov only Ada, who is active, gets a delivery."""
    with services.database.writing() as session:
        ada = make.cast(session)["ada"]
    make.approved(services)
    numbers = prepared(services)

    assert (numbers.candidates, numbers.deliveries, numbers.left_out) == (1, 1, 0)
    with services.database.reading() as session:
        assert [ada.id] == session.scalars(sa.select(Delivery.subscriber_id)).all()


def test_the_paused_are_left_out_until_their_day(services: Services) -> None:
    """A pause that is on leaves somebody out with its last day; one that is over does not."""
    with services.database.writing() as session:
        make.subscriber(session, "ada@example.com", paused_until=make.SEND + timedelta(days=9))
        make.subscriber(session, "eve@example.com", paused_until=make.SEND - timedelta(hours=1))
        make.subscriber(session, "kim@example.com")
    make.approved(services)
    numbers = prepared(services)

    assert numbers.left_out_by == {"paused until 2026-11-29": 1}
    assert numbers.deliveries == 2
    assert numbers.adds_up


def test_a_monthly_reader_gets_the_first_edition_of_each_month(scripted: Services) -> None:
    """Had W47, left out of W48 with that reason, gets W49 in the next month."""
    with scripted.database.writing() as session:
        make.subscriber(session, "ada@example.com", rhythm=Rhythm.MONTHLY)
        make.subscriber(session, "kim@example.com")
    left_out = {week: sent_in(scripted, week, later) for later, week in enumerate(("2026-W47", "2026-W48", "2026-W49"))}

    assert {"2026-W47": {}, "2026-W48": {"monthly: had 2026-W47": 1}, "2026-W49": {}} == left_out


def sent_in(services: Services, week: str, weeks_later: int) -> dict[str, int]:
    """Draft, approve and send one week's edition; who was left out, by reason."""
    later = timedelta(weeks=weeks_later)
    send = make.SEND + later
    make.draft(services, week=week, now=make.CUTOFF + later)
    approving.approve(services, week, by="edda", send_at=send, seen_hash=None, now=make.APPROVED + later)
    sending.send_now(services, week, by="test", clock=lambda: send, now=send, skip_undo=True, stop=threading.Event())
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, week)).left_out_by


def test_each_wish_gets_its_variant(services: Services) -> None:
    """Topics and plain text decide the variant; within a variant the delivery ids are dense."""
    with services.database.writing() as session:
        health = make.tool("Cedar 1.0", category="Health")
        gaming = make.tool("Dogwood 1.0", category="Gaming")
        make.taken_in(
            session,
            make.comparison(health, make.tool("Elm 1.0", category="Health")),
            make.comparison(gaming, make.tool("Fir 1.0", category="Gaming")),
        )
        for number in range(30):
            wish = {"topics": ("", "Health", "Gaming")[number % 3], "plain_text": number % 2 == 0}
            make.subscriber(session, f"reader{number}@example.com", **wish)
    make.approved(services)
    numbers = prepared(services)

    with services.database.reading() as session:
        rows = session.execute(sa.select(Delivery.id, Delivery.variant).order_by(Delivery.id)).all()
        batches = session.scalars(sa.select(Batch).order_by(Batch.id)).all()
    assert numbers.deliveries == 30
    assert len({row.variant for row in rows}) == 6
    changes = sum(one.variant != other.variant for one, other in pairwise(rows))
    assert changes == 5
    assert rows[-1].id - rows[0].id == 29
    assert Counter(row.variant for row in rows) == Counter(
        {batch.variant: batch.last_delivery - batch.first_delivery + 1 for batch in batches}
    )


def test_a_wish_nobody_approved_gets_everything(services: Services) -> None:
    """Somebody who chose a topic after the approval gets `all`, not nothing."""
    with services.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    make.approved(services)
    with services.database.writing() as session:
        make.subscriber(session, "eve@example.com", topics="Health")
        make.subscriber(session, "kim@example.com", topics="Health", plain_text=True)
    numbers = prepared(services)

    assert numbers.deliveries == 3
    with services.database.reading() as session:
        assert {"all", "all-text"} == set(session.scalars(sa.select(Delivery.variant)))


def test_batches_tile_the_deliveries(database: object, scripted: Services) -> None:
    """95 deliveries in batches of ten: ten batches, no gap, no overlap, the last one short."""
    make.approved(scripted, readers=95)
    prepared(scripted)

    with scripted.database.reading() as session:
        spans = session.execute(sa.select(Batch.first_delivery, Batch.last_delivery).order_by(Batch.id)).all()
    covered = [number for first, last in spans for number in range(first, last + 1)]
    assert list(range(1, 96)) == covered
    assert [last - first + 1 for first, last in spans] == [10] * 9 + [5]


def test_preparing_again_changes_nothing(services: Services) -> None:
    """A second call finds the audience fixed; newcomers wait for the next edition."""
    make.approved(services, readers=3)
    prepared(services)
    with services.database.writing() as session:
        make.subscriber(session, "late@example.com")

    assert prepared(services).deliveries == 3


def test_an_audience_far_from_the_one_approved_halts(services: Services) -> None:
    """Approved for three, a hundred by the time it leaves: somebody must look."""
    make.approved(services, readers=3)
    with services.database.writing() as session:
        for number in range(60):
            make.subscriber(session, f"new{number}@example.com")
    with pytest.raises(preparing.NotAsApproved, match="3 when this was approved and is 63"):
        prepared(services)

    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert EditionState.HALTED is edition.state
        assert session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == 0


def test_a_few_more_people_do_not_halt(services: Services) -> None:
    """Fifty more is within what may change between approval and sending."""
    make.approved(services, readers=3)
    with services.database.writing() as session:
        for number in range(50):
            make.subscriber(session, f"new{number}@example.com")

    assert prepared(services).deliveries == 53


def test_a_lost_key_does_not_send_into_a_folder(services: Services, tmp_path: Path) -> None:
    """Approved for a provider, prepared with an outbox: halted, with what changed."""
    real = make.services(services.database, tmp_path, transport=ScriptedTransport(kind="sendgrid"))
    make.approved(real, readers=3)
    with pytest.raises(preparing.NotAsApproved, match="the way out changed from 'sendgrid' to 'outbox'"):
        prepared(services)


def test_tampered_bytes_do_not_go_out(services: Services) -> None:
    """What is stored must hash to what was approved."""
    make.approved(services, readers=3)
    with services.database.writing() as session:
        session.execute(sa.text("UPDATE renderings SET text = text || 'x' WHERE variant = 'all'"))
    with pytest.raises(preparing.NotAsApproved, match="not what was approved"):
        prepared(services)


def test_a_draft_is_not_prepared(services: Services) -> None:
    """Only an approved edition has an audience."""
    make.draft(services)
    with pytest.raises(preparing.NotYet):
        prepared(services)

    with services.database.reading() as session:
        assert EditionState.DRAFT is session.scalars(sa.select(Edition.state)).one()


def test_two_preparers_at_once_make_one_audience(services: Services) -> None:
    """Four threads prepare the same edition: each subscriber has one delivery."""
    make.approved(services, readers=200)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            sending.prepare(services, make.WEEK, by="test", now=make.SEND)
        except Exception as problem:  # noqa: BLE001 - reported below
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    with services.database.reading() as session:
        people = session.scalars(sa.select(Delivery.subscriber_id)).all()
        numbers = stats.numbers(session, editions.find(session, make.WEEK))
    assert 200 == len(people) == len(set(people))
    assert numbers.adds_up
