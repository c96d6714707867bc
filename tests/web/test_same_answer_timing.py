"""Nobody can tell from how long an answer takes whether an address is known: the same work is done for every address.

The proof is that the same statements are run, whoever it is; the measurement looks for whatever else might differ.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

from digest.bootstrap import Services
from digest.models import Role
from digest.people import erasing, limits
from digest.staff import add_staff
from subscribers import addresses
from tests import make
from tests.web.api_program import bearer

KINDS = ("new", "ada", "ben", "cleo", "dov", "eve", "edda")
"""Unknown, active, pending, unsubscribed, suppressed, erased, on the staff; all of example.com."""


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted as ever, but nobody is stopped."""
    for numbers in ("ONE_ADDRESS", "ONE_NETWORK", "ONE_MAILBOX", "ONE_DOMAIN", "EVERYBODY"):
        more = tuple((1_000_000, per) for _, per in getattr(limits, numbers))
        monkeypatch.setattr(limits, numbers, more)


@pytest.fixture
def cast(services: Services) -> None:
    with services.database.writing() as session:
        make.cast(session)
        erasing.erase(session, make.subscriber(session, "eve@example.com"), now=make.SEEN, by="test")
        add_staff(session, "edda@example.com", Role.EDITOR, now=make.SEEN)


Ask = Callable[[str], Response]


def doors(client: TestClient, services: Services) -> dict[str, Ask]:
    """Every door at which a stranger, or the site's program, gives an address."""
    client.headers["Origin"] = "http://testserver"
    token = bearer(services, ["subscribers:write"])

    def form(path: str, **headers: str) -> Ask:
        def ask(email: str) -> Response:
            shown = services.links.form_token(datetime.now(UTC) - timedelta(seconds=5))
            answer: Response = client.post(path, data={"email": email, "token": shown}, headers=headers)
            return answer

        return ask

    return {
        "sign-up": form("/subscribe"),
        "sign-up script": form("/subscribe", accept="application/json"),
        "my data": form("/my-data"),
        "sign-in": form("/sign-in"),
        "api": lambda email: client.post("/api/v1/subscribers", json={"email": email}, headers=token),
    }


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """What is said to the database, with how many values, but not which."""
    said: list[str] = []

    def hear(_c: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        said.append(f"{statement} / {len(values)}")

    sa.event.listen(services.database.engine, "before_cursor_execute", hear)
    yield said
    sa.event.remove(services.database.engine, "before_cursor_execute", hear)


@pytest.mark.parametrize("door", ["sign-up", "sign-up script", "my data", "sign-in", "api"])
@pytest.mark.usefixtures("cast")
def test_the_same_statements_are_run_for_everybody(client: TestClient, services: Services, door: str) -> None:
    """To the letter, in the same order, and none of them reads who is known."""
    ask = doors(client, services)[door]
    ask("warm@example.com")
    heard: dict[str, list[str]] = {}
    for kind in KINDS:
        with statements(services) as said:
            answer = ask(f"{kind}@example.com")
        heard[kind] = list(said)
        assert answer.status_code in (200, 202)

    assert {tuple(heard["new"])} == {tuple(said) for said in heard.values()}
    assert any("INSERT INTO requests" in each for each in heard["new"])
    known = ("subscribers", "staff", "refused_addresses", "letters", "consent_events")
    assert [] == [each for each in heard["new"] for table in known if f" {table}" in each.partition(" / ")[0]]


ROUNDS = 120
FAR = 0.16
"""Of the chance that one answer is slower than another, 0.5 being none: more than four standard errors."""


@pytest.mark.parametrize("door", ["sign-up", "api"])
def test_the_same_time_is_taken_for_everybody(client: TestClient, services: Services, door: str) -> None:
    """Known and unknown addresses in turn, in random order: neither tends to be answered later."""
    with services.database.writing() as session:
        for number in range(ROUNDS):
            make.subscriber(session, f"known-{number:03}@example.com")
    ask, chance = doors(client, services)[door], random.Random(7)
    for number in range(20):
        ask(f"warmed-{number:02}@example.com")
    taken: dict[str, list[float]] = {"known": [], "other": []}
    for number in range(ROUNDS):
        for kind in chance.sample(sorted(taken), 2):
            begun = time.perf_counter()
            ask(f"{kind}-{number:03}@example.com")
            taken[kind].append(time.perf_counter() - begun)

    assert abs(tends_to_be_more(taken["known"], taken["other"]) - 0.5) < FAR


def tends_to_be_more(one: Sequence[float], other: Sequence[float]) -> float:
    """The chance that a value of one is more than one of the other (Mann-Whitney); outliers count like any value."""
    ranked = sorted(other)
    below = sum(bisect_left(ranked, value) + bisect_right(ranked, value) for value in one)
    return below / (2 * len(one) * len(other))


def test_a_difference_would_be_seen() -> None:
    """Three tenths more, in noise of a fifth with outliers: the measure is far beyond its bound; without it, within."""
    chance = random.Random(3)

    def times(usual: float) -> list[float]:
        return [max(0.1, chance.gauss(usual, 0.2)) + (5 if chance.random() < 0.05 else 0) for _ in range(ROUNDS)]

    assert abs(tends_to_be_more(times(1.3), times(1.0)) - 0.5) > FAR
    assert all(abs(tends_to_be_more(times(1.0), times(1.0)) - 0.5) < FAR for _ in range(200))


def test_the_addresses_are_alike() -> None:
    """The measurement compares what is known, not what is longer."""
    for number in range(ROUNDS):
        pair = [addresses.parse(f"{kind}-{number:03}@example.com") for kind in ("known", "other")]
        assert 1 == len({len(each.key) for each in pair})
