"""The first wave: exactly as many as it should be, scattered, the same everywhere, in batches of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Database
from digest import editions, migrations, sending, stats, waves
from digest.bootstrap import Services
from digest.models import Batch, Delivery, EditionLog, LeftOut
from subscribers.models import State, Subscriber
from tests import make
from tests.fakes import ScriptedTransport

WISHES = [(topics, plain) for topics in ("", "Health", "Gaming") for plain in (False, True)]


@pytest.mark.parametrize(
    ("wanted", "deliveries", "reported", "first"),
    [
        ("auto", 1_000_000, True, 20_000),
        ("auto", 10_001, True, 201),
        ("auto", 10_000, True, 200),
        ("auto", 201, True, 200),
        ("auto", 200, True, 0),
        ("auto", 0, True, 0),
        ("auto", 1_000_000, False, 0),
        (0, 1_000, True, 0),
        (30, 1_000, True, 30),
        (30, 1_000, False, 30),
        (1_000, 1_000, True, 0),
        (5_000, 1_000, True, 0),
    ],
)
def test_the_first_wave_is_as_large_as_it_should_be(
    wanted: waves.Wanted, deliveries: int, reported: bool, first: int
) -> None:
    """auto: 2 %, at least 200, where somebody reports; a number: that many; none where nobody were left for later."""
    assert first == waves.size(wanted, deliveries, reported=reported)


@given(st.lists(st.integers(1, waves.SPAN - 1), unique=True, min_size=2))
def test_no_two_readers_share_a_place(readers: list[int]) -> None:
    """Scrambling keeps numbers apart, so that a wave can be cut at any size."""
    assert len({waves.scrambled(reader) for reader in readers}) == len(readers)


def test_old_and_new_readers_are_in_it_alike() -> None:
    """Of 10,000 readers 200 go first: each tenth of them, from the oldest to the newest, sends 20 within two."""
    first = sorted(range(1, 10_001), key=waves.scrambled)[:200]
    tenths = [sum(1 for reader in first if (reader - 1) // 1_000 == tenth) for tenth in range(10)]

    assert all(18 <= tenth <= 22 for tenth in tenths), tenths


def test_the_same_readers_go_first_on_both_databases(scripted: Services) -> None:
    """The query picks exactly those whose scrambled number is smallest, whatever gaps there are."""
    of = make.with_settings(scripted, digest_first_wave=40, digest_batch_size=15)
    _readers(of.database, [number * number * 7 for number in range(1, 301)])
    _prepared(of)

    with of.database.reading() as session:
        readers = session.scalars(sa.select(Subscriber.id)).all()
        first = _in_wave(session, 1)
    assert sorted(sorted(readers, key=waves.scrambled)[:40]) == sorted(first)


def test_the_log_says_how_many_go_ahead(scripted: Services) -> None:
    """`edition log` tells the size of the wave, and nothing of waves where there is none."""
    of = make.with_settings(scripted, digest_first_wave=20)
    make.approved(of, readers=50)
    sending.prepare(of, make.WEEK, by="test", now=make.SEND)

    with of.database.reading() as session:
        said = session.scalars(sa.select(EditionLog.why).order_by(EditionLog.id.desc())).first()
    assert said == "50 deliveries prepared, 0 left out; the first 20 go ahead"


def test_an_outbox_has_no_first_wave(services: Services) -> None:
    """Nobody reports what became of a file, so nothing would be learned by waiting."""
    make.approved(services, readers=300)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)

    with services.database.reading() as session:
        assert [1] == session.scalars(sa.select(Batch.wave).distinct()).all()
        said = session.scalars(sa.select(EditionLog.why).order_by(EditionLog.id.desc())).first()
    assert said == "300 deliveries prepared, 0 left out"


audiences = st.lists(st.tuples(st.sampled_from(WISHES), st.booleans(), st.booleans()), min_size=1, max_size=90)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(people=audiences, gap=st.integers(1, 10_000), tenths=st.integers(0, 11), batch=st.integers(1, 40))
def test_whatever_the_audience_everybody_is_in_one_batch_of_their_wave(
    tmp_path_factory: pytest.TempPathFactory,
    people: list[tuple[tuple[str, bool], bool, bool]],
    gap: int,
    tenths: int,
    batch: int,
) -> None:
    """Dense numbers, batches that tile them, of one variant and one wave each, a first wave that is exact, the sums."""
    first = len(people) * tenths // 10
    of = _program(tmp_path_factory.mktemp("wave"), first, batch)
    for number, (wish, paused, gone) in enumerate(people, start=1):
        _reader(of.database, number * gap, wish, paused=paused, gone=gone)
    _prepared(of)

    with of.database.reading() as session:
        numbers = stats.numbers(session, editions.find(session, make.WEEK))
        rows = session.execute(sa.select(Delivery.id, Delivery.variant).order_by(Delivery.id)).all()
        cut = session.scalars(sa.select(Batch).order_by(Batch.id)).all()
        left_out = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(LeftOut.count), 0)))
        ahead = _in_wave(session, 1)
    of.database.dispose()
    active = [paused for _, paused, gone in people if not gone]
    assert (len(active), sum(active), len(active) - sum(active)) == (numbers.candidates, left_out, len(rows))
    assert numbers.adds_up
    assert list(range(1, len(rows) + 1)) == [row.id for row in rows]
    assert [row.id for row in rows] == [
        number for each in cut for number in range(each.first_delivery, each.last_delivery + 1)
    ]
    assert [row.variant for row in rows] == [
        each.variant for each in cut for _ in range(each.first_delivery, each.last_delivery + 1)
    ]
    willing = [n * gap for n, (_, paused, gone) in enumerate(people, start=1) if not (paused or gone)]
    assert sorted(ahead) == sorted(sorted(willing, key=waves.scrambled)[: first or None])
    assert [each.wave for each in cut] == sorted(each.wave for each in cut)
    assert all(each.last_delivery - each.first_delivery < batch for each in cut)


def _program(folder: Path, first: int, batch: int) -> Services:
    database = Database(f"sqlite:///{folder / 'digest.db'}")
    migrations.upgrade(database)
    of = make.services(database, folder, transport=ScriptedTransport())
    return make.with_settings(of, digest_first_wave=first, digest_batch_size=batch)


def _prepared(of: Services) -> None:
    with of.database.writing() as session:
        health = make.tool("Cedar 1.0", category="Health")
        gaming = make.tool("Dogwood 1.0", category="Gaming")
        make.taken_in(
            session,
            make.comparison(health, make.tool("Elm 1.0", category="Health")),
            make.comparison(gaming, make.tool("Fir 1.0", category="Gaming")),
        )
    make.approved(of)
    sending.prepare(of, make.WEEK, by="test", now=make.SEND)


def _readers(database: Database, numbers: list[int]) -> None:
    for place, number in enumerate(numbers):
        _reader(database, number, WISHES[place % len(WISHES)], paused=False, gone=False)


def _reader(database: Database, number: int, wish: tuple[str, bool], *, paused: bool, gone: bool) -> None:
    topics, plain_text = wish
    with database.writing() as session:
        session.add(
            Subscriber(
                id=number,
                link_id=f"link{number}",
                email=f"reader{number}@example.com",
                email_key=f"reader{number}@example.com",
                state=State.UNSUBSCRIBED if gone else State.ACTIVE,
                topics=topics,
                plain_text=plain_text,
                paused_until=make.SEND.replace(year=2027) if paused else None,
                created_at=make.CUTOFF,
                changed_at=make.CUTOFF,
            )
        )


def _in_wave(session: Session, wave: int) -> list[int]:
    return list(
        session.scalars(
            sa.select(Delivery.subscriber_id)
            .join(Batch, Delivery.id.between(Batch.first_delivery, Batch.last_delivery))
            .where(Batch.wave == wave)
        )
    )
