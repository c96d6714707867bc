"""The numbers of an edition: every delivery in one bucket, none told of outside them unseen, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from database import Database
from digest import editions, sending, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery
from tests import make
from tests.make_outcomes import handed_over, stamp


def prepared(services: Services, *, readers: int) -> None:
    make.approved(services, readers=readers)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)


def numbers(services: Services) -> stats.Numbers:
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, make.WEEK))


def test_each_accepted_delivery_is_in_one_bucket(scripted: Services) -> None:
    """Dropped before bounced before delivered, whatever else is told of the same delivery."""
    prepared(scripted, readers=25)
    ids = handed_over(scripted, batches=2)
    stamp(scripted, "delivered_at", deliveries=ids[:12])
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[10:14])
    stamp(scripted, "dropped_at", deliveries=ids[13:15])
    stamp(scripted, "complained_at", "unsubscribed_at", deliveries=ids[:2])
    found = numbers(scripted)

    assert (found.accepted, found.waiting) == (20, 5)
    assert (found.dropped, found.bounced, found.delivered, found.unreported) == (2, 3, 10, 5)
    assert (found.hard_bounced, found.complained, found.unsubscribed, found.adds_up) == (4, 2, 2, True)


@pytest.mark.parametrize("column", ["opened_at", "clicked_at", "complained_at"])
def test_what_was_read_was_delivered(scripted: Services, column: str) -> None:
    """Events get lost: an edition somebody opened or complained of has arrived, though nobody said so."""
    prepared(scripted, readers=10)
    stamp(scripted, column, deliveries=handed_over(scripted)[:1])

    assert (numbers(scripted).delivered, numbers(scripted).unreported) == (1, 9)


def withheld(services: Services, delivery: int) -> None:
    with services.database.writing() as session:
        session.execute(sa.update(Delivery).where(Delivery.id == delivery).values(withheld_because="left meanwhile"))


def refused(services: Services, delivery: int) -> None:
    with services.database.writing() as session:
        session.execute(sa.update(Delivery).where(Delivery.id == delivery).values(refused_because="no mailbox"))


def waiting(services: Services, delivery: int) -> None:
    with services.database.writing() as session:
        holds = Batch.first_delivery <= delivery, Batch.last_delivery >= delivery
        session.execute(sa.update(Batch).where(*holds).values(state=BatchState.PENDING))


@pytest.mark.parametrize("never_sent", [withheld, refused, waiting])
@pytest.mark.parametrize("column", ["delivered_at", "opened_at", "bounced_at", "dropped_at", "complained_at"])
def test_an_event_for_what_was_never_accepted_is_a_gap(scripted: Services, never_sent: Any, column: str) -> None:
    """It falls into no bucket of the accepted, so it is shown for itself and the numbers do not add up."""
    prepared(scripted, readers=10)
    ids = handed_over(scripted)
    never_sent(scripted, ids[0])
    assert numbers(scripted).adds_up
    stamp(scripted, column, deliveries=ids[:1])
    found = numbers(scripted)

    assert (found.unexpected, found.adds_up) == (1, False)
    assert ["1 delivery that is not accepted is reported by the provider all the same"] == found.gaps()


def test_a_delivery_in_no_batch_is_a_gap(scripted: Services) -> None:
    """The number of deliveries is counted for itself, not as the sum of what the batches hold."""
    prepared(scripted, readers=10)
    with scripted.database.writing() as session:
        session.execute(sa.update(Batch).values(last_delivery=Batch.last_delivery - 1))

    assert not numbers(scripted).adds_up


def test_an_edition_is_walked_through_once(sqlite: Database, tmp_path: Any) -> None:
    """SQLite reads each batch by its own range of ids: by the edition, it would read all of it for every batch."""
    services = make.services(sqlite, tmp_path, DIGEST_BATCH_SIZE="10")
    prepared(services, readers=100)
    asked: list[tuple[str, Sequence[Any]]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "JOIN deliveries" in statement:
            asked.append((statement, values))

    sa.event.listen(sqlite.engine, "before_cursor_execute", note)
    numbers(services)
    sa.event.remove(sqlite.engine, "before_cursor_execute", note)
    with sqlite.engine.connect() as connection:
        plans = [
            step[3]
            for statement, values in asked
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        ]

    assert ["SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"] == [
        plan for plan in plans if "deliveries" in plan
    ]
