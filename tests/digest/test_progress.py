"""How far an edition is: the same figures as the ledger counts one by one, without looking at a delivery too many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from database import Database
from digest import editions, progress, sending, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery, Edition
from tests import make

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def prepared(services: Services, readers: int = 60) -> None:
    """Six batches of ten."""
    make.approved(services, readers=readers)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)


def mixed(services: Services) -> None:
    """One batch in each state, one more accepted; people set aside in four of them."""
    states = [*BatchState, BatchState.ACCEPTED]
    with services.database.writing() as session:
        for batch, state in zip(session.scalars(sa.select(Batch).order_by(Batch.id)).all(), states, strict=True):
            batch.state = state
            batch.accepted_at = NOW - timedelta(seconds=30) if state is BatchState.ACCEPTED else None
        for delivery, values in {
            1: {"withheld_because": "unsubscribed meanwhile"},
            11: {"withheld_because": "erased meanwhile"},
            21: {"refused_because": "not an address"},
            22: {"withheld_because": "unsubscribed meanwhile"},
            41: {"refused_because": "not an address"},
        }.items():
            session.execute(sa.update(Delivery).where(Delivery.id == delivery).values(**values))


def test_it_says_what_the_ledger_counts(scripted: Services) -> None:
    """Every figure is the one that `stats` finds by counting deliveries, in whatever state the batches are."""
    prepared(scripted)
    for change in (lambda _: None, mixed):
        change(scripted)
        with scripted.database.reading() as session:
            edition = editions.find(session, make.WEEK)
            found, counted = progress.of_edition(session, edition), stats.numbers(session, edition)

        for word in ("deliveries", "waiting", "in_flight", "accepted", "withheld", "refused", "uncertain"):
            assert getattr(counted, word) == getattr(found, word), word
    assert (60, 9, 9, 18, 3, 12, 9) == (
        found.deliveries,
        found.waiting,
        found.in_flight,
        found.accepted,
        found.withheld,
        found.refused,
        found.uncertain,
    )


def test_an_edition_without_deliveries_is_all_zeros(services: Services) -> None:
    """A draft stands in the list beside those that are prepared."""
    edition = make.draft(services)
    with services.database.reading() as session:
        assert {edition.id: progress.Progress()} == progress.of_editions(session, [edition.id])
        assert {} == progress.of_editions(session, [])


def test_waves_variants_pace_and_reasons(scripted: Services) -> None:
    """Each wave by its number with what of it is unanswered; who gets which variant; what was accepted in a minute."""
    prepared(scripted)
    mixed(scripted)
    with scripted.database.writing() as session:
        session.execute(sa.update(Batch).where(Batch.id > 2).values(wave=2))
    with scripted.database.reading() as session:
        edition = editions.find(session, make.WEEK)

        assert {1: progress.Wave(20, 20), 2: progress.Wave(40, 0)} == progress.waves(session, edition)
        assert {"all": 60} == progress.by_variant(session, edition)
        assert 20 == progress.accepted_lately(session, edition, now=NOW)
        assert 0 == progress.accepted_lately(session, edition, now=NOW + timedelta(minutes=1))
        assert {"not an address": 2} == progress.refused_by(session, edition)


def test_no_delivery_is_looked_at_but_those_set_aside(sqlite: Database) -> None:
    """By the index that holds just them: with a million deliveries it is as quick."""
    statement = progress._set_aside([1]).compile(sqlite.engine, compile_kwargs={"literal_binds": True})
    refused = sa.select(Delivery.id).where(Delivery.edition_id == 1, Delivery.refused_because.is_not(None))
    with sqlite.reading() as session:
        session.execute(sa.select(Edition))
        for each in (statement, refused.compile(sqlite.engine, compile_kwargs={"literal_binds": True})):
            plan = [row[3] for row in session.execute(sa.text(f"EXPLAIN QUERY PLAN {each}"))]
            assert [line for line in plan if "deliveries" in line and "ix_deliveries_set_aside" in line], plan
            assert not [line for line in plan if line.startswith("SCAN deliveries")], plan
