"""Limits: counted for everybody in one table, the same way for any subject, and gone when they are over."""

from __future__ import annotations

import ipaddress
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from database import Base, Database
from digest.models import Limit
from digest.people import limits
from digest.people.limits import BIG_PROVIDERS, Rule
from subscribers import secrecy
from tests.make import SECRET
from tests.make import SEEN as NOW

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
THREE_A_MINUTE = Rule("sign-up", "somebody", 3, MINUTE)


def take(database: Database, *rules: Rule, at: datetime = NOW) -> Rule | None:
    with database.writing() as session:
        return limits.take(session, rules, now=at)


def every_rule(ip: str, key: str) -> tuple[Rule, ...]:
    """As a public door asks."""
    made = (limits.by_network("sign-up", ip), limits.by_address("sign-up", key), limits.by_domain("sign-up", key))
    return (*made[0], *made[1], *made[2], *limits.overall("sign-up"))


def rows(database: Database) -> list[Limit]:
    with database.reading() as session:
        return list(session.scalars(sa.select(Limit).order_by(Limit.what, Limit.window)))


# — counting —


def test_as_many_as_allowed_pass_and_not_one_more(database: Database) -> None:
    """Three pass; the fourth and fifth are over; the next window begins anew."""
    taken = [take(database, THREE_A_MINUTE, at=NOW + n * SECOND) for n in range(5)]

    assert taken == [None, None, None, THREE_A_MINUTE, THREE_A_MINUTE]
    assert take(database, THREE_A_MINUTE, at=NOW + MINUTE) is None


def test_nothing_is_counted_where_nothing_is_ruled(database: Database) -> None:
    """No rules: nobody is over, and no row is written."""
    assert take(database) is None
    assert rows(database) == []


def test_everybody_is_counted_apart(database: Database) -> None:
    """Another subject, another door and another length of time each have a counter of their own."""
    others = [
        Rule("sign-up", "somebody else", 3, MINUTE),
        Rule("my-data", "somebody", 3, MINUTE),
        Rule("sign-up", "somebody", 3, HOUR),
    ]
    for _ in range(3):
        take(database, THREE_A_MINUTE)

    assert [take(database, other) for other in others] == [None, None, None]
    assert take(database, THREE_A_MINUTE) == THREE_A_MINUTE


def test_windows_that_begin_together_do_not_share_a_counter(database: Database) -> None:
    """At midnight an hour and a day begin in the same second."""
    midnight = datetime(2026, 11, 17, tzinfo=UTC)
    an_hour, a_day = Rule("x", "y", 1, HOUR), Rule("x", "y", 2, DAY)

    assert [take(database, an_hour, a_day, at=midnight) for _ in range(3)] == [None, an_hour, an_hour]
    assert take(database, an_hour, a_day, at=midnight + HOUR) == a_day


def test_all_are_counted_whatever_is_exceeded(database: Database) -> None:
    """Who is over one limit uses up the others too: what is counted does not depend on what is found."""
    one, many = Rule("x", "one", 1, MINUTE), Rule("x", "many", 9, MINUTE)
    for _ in range(4):
        take(database, one, many)

    assert sorted(row.count for row in rows(database)) == [4, 4]


def test_what_may_be_seen_comes_before_what_may_not(database: Database) -> None:
    """Over both, the answer is the visible one: a busy address that hid a busy network would tell that it is busy."""
    hidden, shown = Rule("x", "address", 0, MINUTE, visible=False), Rule("x", "network", 0, MINUTE)

    assert take(database, hidden) == hidden
    assert take(database, hidden, shown) == shown


def test_at_the_same_moment_none_is_lost(database: Database) -> None:
    """Eight threads count forty times, the rules in different orders: every one counts, and nobody waits for ever."""
    mine = every_rule("192.0.2.7", "ada@example.com")
    together = threading.Barrier(8)

    def knock(number: int) -> None:
        together.wait()
        for _ in range(5):
            take(database, *(mine if number % 2 else reversed(mine)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(knock, range(8)))

    assert {row.count for row in rows(database)} == {40}
    assert len(rows(database)) == len(mine)


def test_the_statements_are_the_same_for_any_subject(database: Database) -> None:
    """One statement, alike but for its values: for a stranger, for somebody counted before, and for who is over."""
    said: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    for _ in range(40):
        take(database, *every_rule("192.0.2.7", "ada@example.com"))
    take(database, *every_rule("2001:db8::7", "o'neil+x@sub.example.org"))
    counting = [each for each in said if each.lstrip().startswith("INSERT")]

    assert len(counting) == 41
    assert len(set(counting)) == 1


def test_nobody_stands_in_the_table(database: Database) -> None:
    """Neither network nor address is written down, only what the keys make of them."""
    take(database, *every_rule("192.0.2.7", "ada@example.com"))
    with database.reading() as session:
        text = repr(session.execute(sa.select(Base.metadata.tables["limits"])).all())

    assert "192.0" not in text
    assert "example" not in text
    assert all(re.fullmatch(r"[0-9a-f]{64}", row.subject) for row in rows(database))


def test_a_new_key_begins_anew(database: Database) -> None:
    """Counters are hashed with the newest key alone: turning keys costs one window, never a failure."""
    for _ in range(4):
        take(database, THREE_A_MINUTE)
    secrecy.equip(database, ("another secret of a good length", SECRET))

    assert take(database, THREE_A_MINUTE) is None


# — when to come back —


@given(
    at=st.integers(0, 10**15).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds)),
    seconds=st.integers(1, 10**6),
)
def test_who_comes_back_when_told_is_let_in(at: datetime, seconds: int) -> None:
    """Retry-After is at least a second and at most a window, and leads into the next window."""
    rule = Rule("x", "y", 1, timedelta(seconds=seconds))
    wait = rule.retry_after(at)

    assert 1 <= wait <= seconds
    assert rule.window(at + timedelta(seconds=wait)) > rule.window(at)
    assert rule.window(at) <= at.timestamp() < rule.window(at) + seconds


# — the rules —


def subjects(rules: tuple[Rule, ...]) -> list[str]:
    return sorted({rule.subject for rule in rules})


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("192.0.2.7", ["ip 192.0.2.7", "network 192.0.2.0/24"]),
        ("::ffff:192.0.2.7", ["ip 192.0.2.7", "network 192.0.2.0/24"]),
        ("2001:db8:1:2:3:4:5:6", ["ip 2001:db8:1:2:3:4:5:6", "network 2001:db8:1:2::/64"]),
        ("2001:DB8:0001:2::6", ["ip 2001:db8:1:2::6", "network 2001:db8:1:2::/64"]),
        (None, []),
    ],
)
def test_an_address_is_counted_by_itself_and_with_its_network(ip: str | None, expected: list[str]) -> None:
    """/24 for IPv4, however it is written, and /64 for IPv6; who has no address is counted elsewhere."""
    assert subjects(limits.by_network("sign-up", ip)) == expected


@given(st.ip_addresses(), st.ip_addresses())
def test_neighbours_share_a_network_and_nobody_else_does(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    """Two addresses share a rule exactly when their first 24 or 64 bits are the same."""
    shared = set(subjects(limits.by_network("x", str(one)))) & set(subjects(limits.by_network("x", str(other))))
    bits = 8 if one.version == 4 else 64

    assert bool(shared) == (one.version == other.version and int(one) >> bits == int(other) >> bits)


def test_only_the_address_is_limited_in_silence() -> None:
    """Over the limit of a network, a domain or everybody one is told; over that of an address nobody is."""
    hidden = [rule for rule in every_rule("192.0.2.7", "ada@example.com") if not rule.visible]

    assert subjects(tuple(hidden)) == ["address ada@example.com"]


def test_a_busy_provider_is_not_locked_out() -> None:
    """At gmail.com as many may sign up as everywhere together; at a company's own domain fewer, yet a lecture hall."""
    everybody, gmail, company = (
        limits.overall("x"),
        limits.by_domain("x", "ada@gmail.com"),
        limits.by_domain("x", "ada@firm.example"),
    )

    assert {(rule.most, rule.per) for rule in gmail} == {(rule.most, rule.per) for rule in everybody}
    assert all(200 <= rule.most < everybody[0].most for rule in company)
    assert all(domain == domain.lower() and "." in domain for domain in BIG_PROVIDERS)


def test_an_office_shares_an_address() -> None:
    """Thirty people behind one address may sign up within ten minutes, and three such offices in one network."""
    for rule in limits.by_network("x", "192.0.2.7"):
        if rule.per <= 10 * MINUTE:
            assert rule.most >= (30 if rule.subject.startswith("ip") else 90)


# — forgetting —


def test_what_is_over_is_forgotten_a_little_at_a_time(database: Database) -> None:
    """At most as many as asked for; a window that still runs stays and still counts."""
    for number in range(5):
        take(database, Rule("x", f"old {number}", 1, MINUTE), at=NOW)
    running = Rule("x", "running", 1, DAY)
    take(database, running, at=NOW)

    def forget(most: int) -> int:
        with database.writing() as session:
            return limits.forget(session, now=NOW + HOUR, most=most)

    assert [forget(3), forget(3), forget(3)] == [3, 2, 0]
    assert take(database, running, at=NOW + HOUR) == running
