"""The public pages: health, the archive, and the two links that change something only when a button is pressed."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

import scheduler
from digest import editions, sending
from digest.bootstrap import Services
from digest.safekeeping.journal import Journal
from digest.web.app import create_app
from subscribers import addresses, consent
from subscribers.models import ConsentEvent, State, Subscriber
from tests import make
from tests.web.forms import without_token


def now() -> datetime:
    return datetime.now(UTC)


def state_of(services: Services, person: Subscriber) -> str:
    with services.database.reading() as session:
        return session.scalars(sa.select(Subscriber.state).where(Subscriber.id == person.id)).one()


def path_of(url: str) -> str:
    return url.removeprefix("http://127.0.0.1:8000")


# — one click —


def test_a_link_scanner_unsubscribes_nobody(client: TestClient, services: Services, ada: Subscriber) -> None:
    """GET, HEAD and OPTIONS of the one-click link change nothing, any number of times."""
    path = path_of(services.links.unsubscribe_url(ada.link_id))
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        client.request(method, path)

    assert State.ACTIVE == state_of(services, ada)


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "nothing"])
def test_one_click_unsubscribes(client: TestClient, services: Services, ada: Subscriber, form: str) -> None:
    """The POST of RFC 8058, in either encoding: 200 at once, no redirect, no cookie, and it is stored."""
    body = {"List-Unsubscribe": "One-Click"}
    sent = {
        "urlencoded": {"data": body},
        "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
        "nothing": {},
    }
    answer = client.post(path_of(services.links.unsubscribe_url(ada.link_id)), **sent[form])  # type: ignore[arg-type]

    assert 200 == answer.status_code
    assert "set-cookie" not in answer.headers
    assert State.UNSUBSCRIBED == state_of(services, ada)
    with services.database.reading() as session:
        event = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.id.desc())).first()
        assert event is not None
        assert ("unsubscribe link", "no further edition") == (event.source, (event.wording or "")[13:31])


def test_an_unknown_token_gets_the_same_answer(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Nobody learns from it whether a token belongs to somebody."""
    known = client.post(path_of(services.links.unsubscribe_url(ada.link_id)))
    unknown = client.post("/unsubscribe/" + "a" * 60)

    assert (known.status_code, without_token(known.text)) == (unknown.status_code, without_token(unknown.text))


def test_our_own_failure_is_not_a_success(client: TestClient, services: Services, ada: Subscriber) -> None:
    """When the opt-out cannot be stored the answer is 503, so that the mailbox provider tries again."""
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE consent_events")
    answer = client.post(path_of(services.links.unsubscribe_url(ada.link_id)))

    assert 503 == answer.status_code
    assert State.ACTIVE == state_of(services, ada)


def test_a_confirm_link_does_not_unsubscribe(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A token for one purpose is nothing at another door."""
    token = services.links.confirm_url(ada.link_id, now(), now()).rpartition("/")[2]
    client.post(f"/unsubscribe/{token}")

    assert State.ACTIVE == state_of(services, ada)


def test_token_pages_are_private(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Not cached, not indexed, no referrer, nothing from elsewhere, and no address on them."""
    links = services.links
    confirm = links.confirm_url(ada.link_id, now(), now())
    for path in (links.unsubscribe_url(ada.link_id), links.preferences_url(ada.link_id), confirm):
        answer = client.get(path_of(path))
        assert "no-store" == answer.headers["cache-control"]
        assert "noindex" == answer.headers["x-robots-tag"]
        assert "no-referrer" == answer.headers["referrer-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "ada@" not in answer.text.lower()


# — confirming —


def pending(services: Services, *, asked: datetime) -> tuple[Subscriber, str]:
    with services.database.writing() as session:
        person = consent.sign_up(session, addresses.parse("ben@example.com"), now=asked, source="test").subscriber
    assert person.pending_since is not None
    return person, path_of(services.links.confirm_url(person.link_id, person.pending_since, asked))


def test_only_the_pressed_button_confirms(client: TestClient, services: Services) -> None:
    """Opening the link changes nothing; pressing makes active; pressing again is harmless."""
    ben, path = pending(services, asked=now())
    client.get(path)
    assert State.PENDING == state_of(services, ben)
    first, second = client.post(path), client.post(path)

    assert State.ACTIVE == state_of(services, ben)
    assert "The next edition" in first.text
    assert first.text == second.text


def test_an_old_link_confirms_nobody(client: TestClient, services: Services) -> None:
    """After 48 hours the page says that it no longer works, and nothing changes."""
    ben, path = pending(services, asked=now() - timedelta(hours=49))
    answer = client.post(path)

    assert "no longer works" in answer.text
    assert State.PENDING == state_of(services, ben)


@pytest.mark.parametrize("token", ["", "x", "a" * 5000, "%00", "../../etc", "é", "💥"])
def test_nonsense_is_answered_calmly(client: TestClient, token: str) -> None:
    """No token, however odd, is an error of ours."""
    for door in ("unsubscribe", "confirm", "preferences"):
        for method in ("GET", "POST"):
            assert client.request(method, f"/{door}/{token}").status_code < 500


# — the archive —


def test_the_archive_shows_what_went_out(client: TestClient, scripted: Services) -> None:
    """An approved edition is not there; after its first hand-over it is, with nothing personal in it."""
    with scripted.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    edition = make.approved(scripted)
    assert "No edition has gone out yet" in client.get("/archive").text
    assert 404 == client.get(f"/archive/{make.WEEK}").status_code
    sending.send_now(scripted, make.WEEK, by="test", clock=now, now=make.SEND, skip_undo=True, stop=threading.Event())
    page = client.get(f"/archive/{make.WEEK}")

    assert edition.subject in client.get("/archive").text.replace("&amp;", "&")
    assert 200 == page.status_code
    with scripted.database.reading() as session:
        copy = editions.copy_of(session, editions.find(session, make.WEEK), scripted.settings.digest_timezone)
    assert copy.entries[0].url is not None
    assert copy.entries[0].url in page.text
    for personal in ("unsubscribe", "preferences", "-vd2026", "ada@"):
        assert personal not in page.text.lower()


@pytest.mark.parametrize("week", ["2026-W48", "2026-W99", "latest", "../secret", "%00"])
def test_an_edition_that_is_not_there_is_not_found(client: TestClient, week: str) -> None:
    """404 and a page, whatever the address says."""
    assert 404 == client.get(f"/archive/{week}").status_code


# — health —


def test_ready_means_database_migrations_and_clock(client: TestClient, services: Services) -> None:
    """503 before any clock ever ran, 200 after one look."""
    before = client.get("/readyz")
    job = next(job for job in scheduler.JOBS if job.name == "tidy")
    scheduler.run_once(job, services, stop=threading.Event())
    after = client.get("/readyz")

    assert (503, 200) == (before.status_code, after.status_code)
    assert "has never run" in before.json()["clock"]
    assert {"ready": True, "database": "ok", "migrations": "ok", "clock": "ok"} == after.json()
    assert {"ok": True} == client.get("/healthz").json()


def ready_with(services: Services, place: Path) -> Response:
    """What `/readyz` says where the journal is to lie there."""
    kept = replace(services, journal=Journal(place, key_id="k1"))
    with TestClient(create_app(kept)) as client:
        answer: Response = client.get("/readyz")
    return answer


def test_who_cannot_store_an_opt_out_is_not_ready(services: Services, tmp_path: Path) -> None:
    """A journal that cannot be written makes 503, without saying where it lies; looking begins none."""
    scheduler.run_once(next(iter(scheduler.JOBS)), services, stop=threading.Event())
    folder = tmp_path / "a folder"
    folder.mkdir()
    places = (tmp_path / "not begun", folder, tmp_path / "nowhere" / "journal")
    answers = [ready_with(services, place) for place in places]

    assert [200, 503, 503] == [answer.status_code for answer in answers]
    assert ["ok", *["cannot be written: see DIGEST_JOURNAL"] * 2] == [answer.json()["journal"] for answer in answers]
    assert not places[0].exists()
    Journal(places[0], key_id="k1").mark()
    before = places[0].read_bytes()
    assert "ok" == ready_with(services, places[0]).json()["journal"]
    assert before == places[0].read_bytes()
