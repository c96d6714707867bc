"""The door for the provider's events: what each answer is, and that yes is said after the commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from database import Base, Database
from digest.bootstrap import Services
from digest.models import ProviderEvent
from digest.web.app import create_app
from tests import make
from tests.make_events import bounce, event, sent, times
from tests.signing import SIGNATURE, Signer, body_of

SIGNER = Signer()
PATH = "/webhooks/sendgrid"


@pytest.fixture
def listening(services: Services) -> Services:
    return make.with_settings(services, sendgrid_webhook_public_key=SIGNER.public_key)


@pytest.fixture
def provider(listening: Services) -> Iterator[TestClient]:
    with TestClient(create_app(listening), follow_redirects=False, raise_server_exceptions=False) as found:
        yield found


def everything(services: Services) -> str:
    """All rows that an event could change."""
    with services.database.reading() as session:
        tables = [Base.metadata.tables[name] for name in ("provider_events", "deliveries", "subscribers", "editions")]
        return repr([session.execute(sa.select(table)).all() for table in tables])


def count(services: Services) -> int:
    with services.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(ProviderEvent)) or 0


def test_signed_events_are_stored_before_the_yes(provider: TestClient, listening: Services) -> None:
    """200 with what was new; no cookie, no redirect."""
    ada, ben, _ = sent(listening)
    body = body_of([event(ada, "delivered", after=3), bounce(ben)])
    answer = provider.post(PATH, content=body, headers=SIGNER.headers(body))

    assert (200, {"received": 2, "new": 2}) == (answer.status_code, answer.json())
    assert "set-cookie" not in answer.headers
    assert {"delivered_at": 3} == times(listening, ada.delivery)


def test_a_post_repeated_changes_nothing(provider: TestClient, listening: Services) -> None:
    """However often, and a year later: it is yes, and the rows are the same."""
    ada, *_ = sent(listening)
    body = body_of([event(ada, "delivered"), event(ada, "open", after=9), bounce(ada)])
    provider.post(PATH, content=body, headers=SIGNER.headers(body))
    before = everything(listening)
    answers = [provider.post(PATH, content=body, headers=SIGNER.headers(body, timestamp=at)) for at in ("1", "99")]

    assert [{"received": 3, "new": 0}] * 2 == [answer.json() for answer in answers]
    assert before == everything(listening)


def test_a_forged_post_changes_nothing(provider: TestClient, listening: Services) -> None:
    """403 with one sentence: another body, no signature, another key, another path to the same."""
    ada, *_ = sent(listening)
    before = everything(listening)
    body = body_of([event(ada, "spamreport")])
    good = SIGNER.headers(body)
    answers = [
        provider.post(PATH, content=body.replace(b"spamreport", b"unsubscribe"), headers=good),
        provider.post(PATH, content=body.rstrip(), headers=good),
        provider.post(PATH, content=body),
        provider.post(PATH, content=body, headers=good | {SIGNATURE: "x"}),
        provider.post(PATH, content=body, headers=Signer().headers(body)),
        provider.post(PATH, content=b"", headers=good),
    ]

    assert {403} == {answer.status_code for answer in answers}
    assert {"The signature does not fit these events, so they were not looked at. Nothing was stored."} == {
        answer.json()["detail"] for answer in answers
    }
    assert before == everything(listening)


def test_without_a_key_nothing_is_looked_at(client: TestClient) -> None:
    """503, so that SendGrid tries again until somebody has set it."""
    body = body_of([{"event": "bounce", "email": "ada@example.com"}])
    answer = client.post(PATH, content=body, headers=SIGNER.headers(body))

    assert 503 == answer.status_code
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"{}", b"", b"[", b'{"event": "open"}\r\n', b"\xff"])
def test_what_is_signed_and_no_array_is_refused(provider: TestClient, body: bytes) -> None:
    """400: it will never be one."""
    answer = provider.post(PATH, content=body, headers=SIGNER.headers(body))

    assert 400 == answer.status_code
    assert "no JSON array" in answer.json()["detail"]


def test_an_empty_array_is_a_yes(provider: TestClient) -> None:
    """A trial post may be empty."""
    body = body_of([])
    assert 200 == provider.post(PATH, content=body, headers=SIGNER.headers(body)).status_code


def test_more_than_five_megabytes_are_not_read(provider: TestClient, listening: Services) -> None:
    """Announced or not; up to that they are."""
    body = body_of([{"event": "odd", "filler": "x" * (5 * 1024 * 1024)}])
    almost = body_of([{"event": "odd", "filler": "x" * (5 * 1024 * 1024 - 200)}])
    answers = [
        provider.post(PATH, content=content, headers=SIGNER.headers(body))
        for content in (body, iter([body[:1000], body[1000:]]))
    ]

    assert [413, 413] == [answer.status_code for answer in answers]
    assert 0 == count(listening)
    assert 200 == provider.post(PATH, content=almost, headers=SIGNER.headers(almost)).status_code


def test_a_database_that_fails_is_no_yes(tmp_path: Path, sqlite: Database) -> None:
    """503 with a time to come again; nothing is stored, and the same post later is."""
    services = make.with_settings(make.services(sqlite, tmp_path), sendgrid_webhook_public_key=SIGNER.public_key)
    ada, *_ = sent(services)
    body = body_of([event(ada, "delivered")])
    with TestClient(create_app(services), raise_server_exceptions=False) as provider:
        with sqlite.writing() as session:
            session.execute(sa.text("ALTER TABLE deliveries RENAME TO elsewhere"))
        failed = provider.post(PATH, content=body, headers=SIGNER.headers(body))
        with sqlite.writing() as session:
            session.execute(sa.text("ALTER TABLE elsewhere RENAME TO deliveries"))
        stored = count(services)
        later = provider.post(PATH, content=body, headers=SIGNER.headers(body))

    assert (503, "60", 0) == (failed.status_code, failed.headers["retry-after"], stored)
    assert {"received": 1, "new": 1} == later.json()


def test_other_methods_are_refused(provider: TestClient) -> None:
    """A scanner that looks finds nothing to do."""
    assert 405 == provider.get(PATH).status_code
    assert "POST" in provider.options(PATH).headers["allow"]


def test_a_full_post_is_answered_within_a_second(provider: TestClient, listening: Services) -> None:
    """768 kB of events, as many as one post may bring; the best of three, for the machine has other work too."""
    readers, taken = sent(listening, 500), []
    for turn in range(3):
        kinds = ("processed", "delivered", "open", "click")
        body = _full([event(each, kind, after=turn) for kind in kinds for each in readers])
        begun = time.perf_counter()
        answer = provider.post(PATH, content=body, headers=SIGNER.headers(body))
        taken.append(time.perf_counter() - begun)
        assert answer.json()["new"] > 1_000

    assert min(taken) < 1


def _full(events: list[dict[str, Any]]) -> bytes:
    while len(body := body_of(events)) > 768_000:
        events = events[: len(events) * 9 // 10]
    return body


def test_the_same_events_in_many_posts_at_once_count_once(provider: TestClient, listening: Services) -> None:
    """Eight posts of the same events, each in another order and cut elsewhere: none waits for another for ever."""
    readers = sent(listening, 60)
    events = [event(each, kind) for kind in ("processed", "delivered", "open") for each in readers]
    events += [bounce(each, after=5) for each in readers[:20]]
    together = threading.Barrier(8)

    def post(number: int) -> int:
        turned = [events[(place * 7 + number * 31) % len(events)] for place in range(len(events))]
        again = [{**each, "sg_event_id": f"{each['sg_event_id']}-{number % 2}"} for each in turned]
        body = body_of(again)
        together.wait()
        answer = provider.post(PATH, content=body, headers=SIGNER.headers(body))
        assert 200 == answer.status_code, answer.text
        return int(answer.json()["new"])

    with ThreadPoolExecutor(8) as pool:
        new = sum(pool.map(post, range(8)))

    assert len(events) == new == count(listening)
