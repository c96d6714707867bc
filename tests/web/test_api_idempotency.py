"""A write that comes twice is done once: the same key gives the same answer, whoever is faster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy.orm import Session

from database import Database
from digest import idempotency, intake
from digest.bootstrap import Services
from digest.idempotency import Answer, Write
from digest.models import Comparison, IdempotencyKey, Request
from subscribers import secrecy
from tests import make
from tests.web.api_program import Program, bearer, comparison

KEY = "6c5cf7bb-0f4c-4f5b-9d0c-0a4f0e0ff6c1"
ADA = {"email": "ada@example.com"}
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def site(client: TestClient, services: Services) -> Program:
    return Program(client, bearer(services))


def stored(services: Services, row: Any) -> int:
    with services.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(row)) or 0


def write(request: str = "POST this", *, at: datetime = NOW, token_id: int = 1, key: str = KEY) -> Write:
    return Write(token_id=token_id, key=key, request=request, at=at)


# — over the wire —


@pytest.mark.parametrize(("path", "value"), [("subscribers", ADA), ("comparisons", comparison())])
def test_the_same_write_again_is_answered_and_not_done(
    site: Program, services: Services, path: str, value: dict[str, Any]
) -> None:
    """The same bytes and status as the first time, and a header that says so."""
    first, second = (site.post(path, value, idempotency_key=KEY) for _ in range(2))

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert "idempotent-replayed" not in first.headers
    assert "true" == second.headers["idempotent-replayed"]
    assert 1 == stored(services, Request) + stored(services, Comparison)


def test_a_refusal_is_given_again_as_a_problem(site: Program) -> None:
    """When every comparison is bad, so they are the second time, in the same words."""
    first, second = (site.post("comparisons", [{}], idempotency_key=KEY) for _ in range(2))

    assert 422 == first.status_code == second.status_code
    assert first.json() == second.json()
    assert "application/problem+json" == second.headers["content-type"]
    assert "true" == second.headers["idempotent-replayed"]


@pytest.mark.parametrize(("path", "value"), [("subscribers", ADA), ("comparisons", comparison())])
def test_a_key_is_for_one_request(site: Program, services: Services, path: str, value: dict[str, Any]) -> None:
    """Another body or another address under the same key is refused, and nothing is done."""
    site.post("subscribers", {"email": "ben@example.com"}, idempotency_key=KEY)
    answer = site.post(path, value, idempotency_key=KEY)

    assert 422 == answer.status_code
    assert answer.json()["type"].endswith("#key-used")
    assert 1 == stored(services, Request) + stored(services, Comparison)


def test_without_a_key_each_request_is_done(site: Program, services: Services) -> None:
    """Nobody is taken for somebody else's repetition."""
    for _ in range(2):
        assert "idempotent-replayed" not in site.post("subscribers", ADA).headers

    assert 2 == stored(services, Request)


def test_two_programs_may_choose_the_same_key(client: TestClient, services: Services) -> None:
    """A key belongs to its token."""
    for program in (Program(client, bearer(services)), Program(client, bearer(services))):
        assert "idempotent-replayed" not in program.post("subscribers", ADA, idempotency_key=KEY).headers

    assert 2 == stored(services, Request)


def test_what_was_not_valid_may_be_mended_under_the_same_key(site: Program) -> None:
    """A typing mistake uses no key up."""
    assert 422 == site.post("subscribers", {"email": "ada"}, idempotency_key=KEY).status_code
    assert 202 == site.post("subscribers", ADA, idempotency_key=KEY).status_code


def test_our_own_failure_uses_no_key_up(site: Program, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 500 is not kept: sent again, the write is done."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(intake, "take_in", fails)
        assert 500 == site.post("comparisons", comparison(), idempotency_key=KEY).status_code
    answer = site.post("comparisons", comparison(), idempotency_key=KEY)

    assert (200, 1) == (answer.status_code, answer.json()["new"])
    assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ключ"])
def test_a_key_is_short_and_plain(site: Program, key: str) -> None:
    """1 to 255 visible ASCII characters or spaces; else 422 names the header."""
    headers = site.headers | {"Idempotency-Key": key.encode()}
    answer = site.client.post("/api/v1/subscribers", json=ADA, headers=headers)

    assert 422 == answer.status_code
    assert "header.Idempotency-Key" == answer.json()["errors"][0]["where"]


def test_there_is_one_key_at_most(site: Program, services: Services) -> None:
    """Two keys are no key: 422 names the header, and nothing is done."""
    headers = [*site.headers.items(), ("Idempotency-Key", KEY), ("idempotency-key", "another")]
    answer = site.client.post("/api/v1/subscribers", json=ADA, headers=headers)

    assert 422 == answer.status_code
    assert "header.Idempotency-Key" == answer.json()["errors"][0]["where"]
    with services.database.reading() as session:
        assert [] == session.scalars(sa.select(Request)).all()


def at_once(count: int, ask: Callable[[], Response]) -> list[Response]:
    """The answers to requests that were all sent at the same moment."""
    ready = threading.Barrier(count)

    def go() -> Response:
        ready.wait()
        return ask()

    with ThreadPoolExecutor(count) as pool:
        return [each.result() for each in [pool.submit(go) for _ in range(count)]]


def test_of_many_sign_ups_at_once_one_is_stored(site: Program, services: Services) -> None:
    """Eight threads, one key: one request stored, and every answer is the stored one or "still at it"."""
    answers = at_once(8, lambda: site.post("subscribers", ADA, idempotency_key=KEY))

    assert 1 == stored(services, Request)
    assert {202} <= {answer.status_code for answer in answers} <= {202, 409}
    assert 1 == sum(answer.status_code == 202 and "idempotent-replayed" not in answer.headers for answer in answers)


def test_of_many_bodies_at_once_one_is_taken_in(site: Program, services: Services) -> None:
    """Eight threads, one key: one of them reports the news as its own; who is too early is told when to come back."""
    body = [comparison(f"T{number}", f"Z{number}") for number in range(10)]
    answers = at_once(8, lambda: site.post("comparisons", body, idempotency_key=KEY))

    own = [answer for answer in answers if answer.status_code == 200 and "idempotent-replayed" not in answer.headers]
    assert [10] == [answer.json()["new"] for answer in own]
    early = [answer for answer in answers if answer.status_code == 409]
    assert {200} <= {answer.status_code for answer in answers} <= {200, 409}
    assert ["5"] * len(early) == [answer.headers["retry-after"] for answer in early]
    assert own[0].json() == site.post("comparisons", body, idempotency_key=KEY).json()


# — in the ledger —


@contextmanager
def equipped(database: Database, *keys: str) -> Iterator[Session]:
    secrecy.equip(database, keys)
    with database.writing() as session:
        yield session


def done(database: Database, what: Write) -> Answer | None:
    """Begin and, where it is ours to do, finish."""
    with database.writing() as session:
        before = idempotency.begin(session, what)
        if before is None:
            idempotency.finish(session, what, Answer(202, {"status": "asked"}))
    return before


def test_an_interrupted_write_is_somebody_elses_after_a_while(database: Database) -> None:
    """Before the lease is over it is under way; after it the same request does it, and the dead one cannot finish."""
    with database.writing() as session:
        assert idempotency.begin(session, write()) is None
    with database.writing() as session, pytest.raises(idempotency.UnderWay):
        idempotency.begin(session, write(at=NOW + idempotency.LEASE - timedelta(seconds=1)))
    late = write(at=NOW + idempotency.LEASE)
    with database.writing() as session:
        assert idempotency.begin(session, late) is None
    with database.writing() as session:
        idempotency.finish(session, write(), Answer(200, {"from": "the dead"}))
        idempotency.abandon(session, write())
        idempotency.finish(session, late, Answer(200, {"from": "the living"}))

    assert Answer(200, {"from": "the living"}) == done(database, write(at=NOW + timedelta(hours=1)))


def test_a_key_is_free_after_a_day(database: Database) -> None:
    """Kept for 24 hours and not a second longer, tidied or not."""
    done(database, write())

    assert done(database, write(at=NOW + idempotency.KEPT - timedelta(seconds=1))) is not None
    assert done(database, write("another", at=NOW + idempotency.KEPT)) is None


def test_tidying_forgets_what_was_kept_long_enough(database: Database) -> None:
    """Only that, a few at a time, and it says how many."""
    for old in ("old", "older", "oldest"):
        done(database, write(key=old))
    done(database, write(key="young", at=NOW + timedelta(hours=1)))
    gone = []
    for _ in range(3):
        with database.writing() as session:
            gone.append(idempotency.forget_expired(session, now=NOW + idempotency.KEPT, most=2))

    assert [2, 1, 0] == gone
    assert done(database, write(key="young", at=NOW + idempotency.KEPT)) is not None


def test_a_new_secret_does_not_forget(database: Database) -> None:
    """What was done before the key that hashes changed is still recognised after it."""
    with equipped(database, make.SECRET) as session:
        idempotency.begin(session, write())
        idempotency.finish(session, write(), Answer(202, {"done": "before"}))
    with equipped(database, "a newer secret for tests only", make.SECRET) as session:
        assert Answer(202, {"done": "before"}) == idempotency.begin(session, write())


def test_neither_key_nor_request_is_kept(site: Program, services: Services) -> None:
    """A program may use an address as its key: no row holds it, and no plain hash of it."""
    site.post("subscribers", ADA, idempotency_key="sign up ada@example.com")
    with services.database.reading() as session:
        (row,) = session.scalars(sa.select(IdempotencyKey))

        assert secrecy.hashes(session).of("sign up ada@example.com") == row.key_hash
    assert "ada" not in f"{row.key_hash} {row.request_hash} {row.body}"
