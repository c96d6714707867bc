"""Any events in any order, cut into any posts, with any repeated: the same rows of deliveries, the same consent."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import Base, Database
from digest import outcomes, replaying_events, sendgrid_events
from digest.bootstrap import Services
from digest.models import Delivery, ProviderEvent
from subscribers import addresses, consent
from subscribers.models import AddressChange, Subscriber
from tests import make
from tests.make_events import TOLD, Reader, bounce, consent_of, event, sent, tell, times
from tests.signing import body_of

STREAM = int(os.environ.get("EVENTS_IN_STREAM", "60000"))
"""As many as keep this under ten seconds for each database; EVENTS_IN_STREAM=200000 tells a whole edition's."""

WRITTEN = ("provider_events", "consent_events", "letters", "edition_log", "deliveries", "batches", "editions")


def start_over(services: Services) -> list[Reader]:
    """Three readers, of whom one has moved since, as if nothing had been told yet."""
    with services.database.writing() as session:
        for name in (*WRITTEN, "address_changes", "refused_addresses", "subscribers"):
            session.execute(sa.delete(Base.metadata.tables[name]))
        for name in ("ada", "ben", "cleo"):
            person = consent.Newcomer(addresses.parse(f"{name}@example.com"))
            consent.add(session, person, basis=make.BASIS, now=make.SEEN, source="test")
    readers = sent(services, 0)
    with services.database.writing() as session:
        cleo = session.get_one(Subscriber, readers[2].subscriber)
        consent.ask_to_change_address(session, cleo, addresses.parse("new@example.org"), now=make.SEND, source="test")
        consent.change_address(session, session.scalars(sa.select(AddressChange)).one(), now=make.SEND, source="test")
    return readers


def ends_as(services: Services, readers: Sequence[Reader]) -> list[Any]:
    """All that must be the same: each delivery's stamps, and where each person stands."""
    return [(times(services, each.delivery), consent_of(services, each.subscriber)) for each in readers]


def story(reader: Reader) -> list[dict[str, Any]]:
    """Much that can be told of one mail, with times that lie across each other."""
    return [
        event(reader, "processed", after=1),
        event(reader, "deferred", after=30, attempt="2"),
        event(reader, "delivered", after=40),
        bounce(reader, after=50),
        event(reader, "bounce", after=50, type="blocked"),
        event(reader, "open", after=60),
        event(reader, "open", after=45),
        event(reader, "unsubscribe", after=70),
        event(reader, "spamreport", after=65),
        event(reader, "dropped", after=5, reason="Bounced Address"),
        bounce(reader, after=20, classification="Reputation"),
        event(reader, "group_unsubscribe", after=80),
    ]


SETS = [
    ("delivered", "bounce", "unsubscribe", "unsubscribe again"),
    ("bounce", "spamreport", "unsubscribe", "open"),
    ("bounce", "blocked", "dropped", "unsubscribe"),
    ("open", "open earlier", "delivered", "deferred"),
    ("reputation", "bounce", "processed", "spamreport"),
]
PLACES = {
    "processed": 0,
    "deferred": 1,
    "delivered": 2,
    "bounce": 3,
    "blocked": 4,
    "open": 5,
    "open earlier": 6,
    "unsubscribe": 7,
    "spamreport": 8,
    "dropped": 9,
    "reputation": 10,
    "unsubscribe again": 11,
}


@pytest.mark.parametrize("names", SETS, ids="+".join)
@pytest.mark.parametrize("moved", [False, True], ids=["at home", "moved"])
def test_all_permutations_with_a_duplicate_end_the_same(
    sqlite: Database, tmp_path: Path, names: tuple[str, ...], moved: bool
) -> None:
    """Each event of four comes twice, somewhere, each a post of its own or two in one."""
    services = make.services(sqlite, tmp_path)
    ends = set()
    for turn, order in enumerate(itertools.permutations(range(len(names)))):
        reader = start_over(services)[2 if moved else 0]
        told = [story(reader)[PLACES[name]] for name in names]
        twice = [*order, order[turn % len(order)]]
        random.Random(turn).shuffle(twice)
        posts = [twice[:1], twice[1:3], twice[3:]] if turn % 2 else [[place] for place in twice]
        for post in posts:
            tell(services, *(told[place] for place in post))
        ends.add(repr(ends_as(services, [reader])))

    assert 1 == len(ends), ends


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_orders_of_many_events_end_the_same(services: Services, data: st.DataObject) -> None:
    """Two orders, drawn at will, with repetitions; on both databases."""
    drawn = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11)), min_size=1, max_size=14))
    orders = [data.draw(st.permutations(drawn + drawn[:3])) for _ in range(2)]
    ends = []
    for order in orders:
        readers = start_over(services)
        stories = [story(reader) for reader in readers]
        size = data.draw(st.integers(1, 5))
        for start in range(0, len(order), size):
            tell(services, *(stories[who][what] for who, what in order[start : start + size]))
        ends.append(ends_as(services, readers))
        assert [] == replaying_events.check(services.database, now=TOLD).said

    assert ends[0] == ends[1]


KINDS = ("processed", "deferred", "delivered", "delivered", "open", "click", "processed", "delivered")


def stream(readers: Sequence[Reader], size: int, chance: random.Random) -> list[dict[str, Any]]:
    """So many events, one in ten of them twice, a few of other mail, a few that reach consent."""
    events: list[dict[str, Any]] = []
    while len(events) < size:
        reader, after = chance.choice(readers), chance.randrange(1, 80_000)
        what = chance.random()
        if what < 0.002:
            events.append(bounce(reader, after=after))
        elif what < 0.003:
            events.append(event(reader, chance.choice(["spamreport", "unsubscribe"]), after=after))
        elif what < 0.02:
            events.append(event(None, chance.choice(KINDS), after=after))
        else:
            events.append(event(reader, chance.choice(KINDS), after=after, url=f"/{chance.randrange(5)}"))
        if chance.random() < 0.1:
            events.append(events[-1] | ({"sg_event_id": f"again-{len(events)}"} if chance.random() < 0.5 else {}))
    return events[:size]


def rows_of_deliveries(services: Services) -> list[Any]:
    with services.database.reading() as session:
        return list(session.execute(sa.select(Delivery.__table__).order_by(Delivery.id)).all())


def test_a_shuffled_stream_ends_in_the_rows_that_a_plain_count_foretells(services: Services) -> None:
    """Told in posts of 500 by four at once, then once more in another order: each row has the earliest times."""
    chance = random.Random(47)
    readers = sent(services, 500)
    events = stream(readers, STREAM, chance)
    foretold = foretell(events)
    posts = [body_of(events[start : start + 500]) for start in range(0, len(events), 500)]

    def post(body: bytes) -> int:
        return outcomes.take_in(services.database, sendgrid_events.parse(body), now=TOLD).new

    with ThreadPoolExecutor(4) as pool:
        new = sum(pool.map(post, posts))
    before = rows_of_deliveries(services)
    chance.shuffle(posts)
    with ThreadPoolExecutor(4) as pool:
        again = sum(pool.map(post, posts[: len(posts) // 4]))

    assert 0 == again
    assert before == rows_of_deliveries(services)
    with services.database.reading() as session:
        assert new == session.scalar(sa.select(sa.func.count()).select_from(ProviderEvent))
        people = {number: consent_of(services, number) for number in session.scalars(sa.select(Subscriber.id))}
    told = {reader.delivery: times(services, reader.delivery) for reader in readers}
    assert {number: found for number, found in told.items() if found} == foretold
    reached = {reader.subscriber for reader in readers if foretold.get(reader.delivery, {}).keys() & REACHING}
    assert reached == {number for number, stands in people.items() if stands[0] != "active"}


REACHING = {"hard_bounced_at", "complained_at", "unsubscribed_at"}
STAMPED = {
    "deferred": ("deferred_at",),
    "delivered": ("delivered_at",),
    "open": ("opened_at",),
    "click": ("clicked_at",),
    "bounce": ("bounced_at", "hard_bounced_at"),
    "spamreport": ("complained_at",),
    "unsubscribe": ("unsubscribed_at",),
}


def foretell(events: Sequence[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """The earliest time of each kind, by delivery, as one would count it by hand."""
    found: dict[int, dict[str, float]] = {}
    for each in events:
        if "vd_delivery" in each:
            after = each["timestamp"] - make.SEND.timestamp()
            for column in STAMPED.get(each["event"], ()):
                stamps = found.setdefault(int(each["vd_delivery"]), {})
                stamps[column] = min(after, stamps.get(column, after))
    return found
