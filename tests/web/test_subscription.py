"""Confirming and leaving: one pressed button each, whoever or whatever presses it, and a way back by letter only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest.bootstrap import Services
from digest.models import Letter
from digest.people import requests
from digest.web.wordings import CONFIRM, UNSUBSCRIBE
from subscribers import addresses, consent
from subscribers.models import ConsentEvent, State, Subscriber
from tests.web.forms import token_in, without_token

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def now() -> datetime:
    return datetime.now(UTC)


def state_of(services: Services, person: Subscriber) -> State:
    with services.database.reading() as session:
        return session.scalars(sa.select(Subscriber.state).where(Subscriber.id == person.id)).one()


def events_of(services: Services, person: Subscriber) -> list[ConsentEvent]:
    with services.database.reading() as session:
        found = sa.select(ConsentEvent).where(ConsentEvent.subscriber_id == person.id).order_by(ConsentEvent.id)
        return list(session.scalars(found))


def letters(services: Services) -> list[str]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter.kind).order_by(Letter.id)))


def leave(services: Services, person: Subscriber) -> str:
    return services.links.unsubscribe_url(person.link_id).removeprefix(services.settings.digest_site_url)


@pytest.fixture
def ben(services: Services) -> Subscriber:
    """Asked for it and has not confirmed."""
    with services.database.writing() as session:
        return consent.sign_up(session, addresses.parse("ben@example.com"), now=now(), source="test").subscriber


def confirm(services: Services, person: Subscriber, *, posted: datetime | None = None) -> str:
    assert person.pending_since is not None
    url = services.links.confirm_url(person.link_id, person.pending_since, posted or now())
    return url.removeprefix(services.settings.digest_site_url)


# — confirming —


def test_confirming_is_proven_and_welcomed(client: TestClient, services: Services, ben: Subscriber) -> None:
    """The wording and its version are kept; one welcome letter, however often the button is pressed."""
    path = confirm(services, ben)
    assert CONFIRM.text in client.get(path).text
    for _ in range(2):
        assert "The next edition" in client.post(path, headers={"user-agent": "Tester"}).text
    event = events_of(services, ben)[-1]

    assert State.ACTIVE is state_of(services, ben)
    assert (CONFIRM.text, CONFIRM.version, "Tester") == (event.wording, event.wording_version, event.user_agent)
    assert ["welcome"] == letters(services)


def test_an_old_link_leads_to_a_new_letter(client: TestClient, services: Services, ben: Subscriber) -> None:
    """The page has the sign-up form; it needs the address, which it does not show."""
    page = client.post(confirm(services, ben, posted=now() - timedelta(hours=49))).text
    token = services.links.form_token(now() - timedelta(seconds=5))
    assert "ben@" not in page
    assert token_in(page)
    assert 'action="/subscribe"' in page
    client.post("/subscribe", data={"email": "ben@example.com", "token": token})
    requests.settle_next(services, now=now())

    assert ["confirm"] == letters(services)
    assert State.PENDING is state_of(services, ben)


# — leaving —


@pytest.mark.parametrize(
    "sent",
    [
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b"List-Unsubscribe=One-Click", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"List-Unsubscribe=One-Click", "headers": {"content-type": "text/plain"}},
        {"content": b"List-Unsubscribe=One-Click"},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=y"}},
        {"content": b"\xff" * 100_000, "headers": {"content-type": "application/json"}},
        {"headers": {"user-agent": ""}},
        {"headers": {"user-agent": "Ünicode \xe9".encode("latin-1"), "cookie": "a=b", "origin": "null"}},
    ],
    ids=lambda sent: "-".join(sent) if isinstance(sent, dict) else str(sent),
)
def test_one_click_works_whatever_comes_with_it(
    client: TestClient, services: Services, ada: Subscriber, sent: dict[str, Any]
) -> None:
    """RFC 8058: 200 at once, no redirect, no cookie; stored with proof when it says so."""
    answer = client.post(leave(services, ada), **sent)

    assert 200 == answer.status_code
    assert not {"set-cookie", "location"} & set(answer.headers)
    assert State.UNSUBSCRIBED is state_of(services, ada)
    assert UNSUBSCRIBE.version == events_of(services, ada)[-1].wording_version


@pytest.mark.parametrize("token", ["x", "a" * 90, "%2F..%2F", "💥"])
def test_one_click_with_an_unknown_token_is_no_error(client: TestClient, token: str) -> None:
    """200 and the same page: a provider must not try again for ever."""
    answer = client.post(f"/unsubscribe/{token}", data=ONE_CLICK)

    assert 200 == answer.status_code or "%2F" in token
    assert not {"set-cookie", "location"} & set(answer.headers)


def test_leaving_twice_is_recorded_once(client: TestClient, services: Services, ada: Subscriber) -> None:
    """And looks the same."""
    first, second = (client.post(leave(services, ada), data=ONE_CLICK) for _ in range(2))

    assert without_token(first.text) == without_token(second.text)
    assert ["added with a basis", "unsubscribed"] == [event.kind for event in events_of(services, ada)]


def test_coming_back_takes_a_new_letter(client: TestClient, services: Services, ada: Subscriber) -> None:
    """The page after leaving has the sign-up form, and nothing but a confirmed letter revives."""
    page = client.post(leave(services, ada)).text
    token = services.links.form_token(now() - timedelta(seconds=5))
    assert 'action="/subscribe"' in page
    assert "undo" not in page.lower()
    client.post("/subscribe", data={"email": "ada@example.com", "token": token})
    requests.settle_next(services, now=now())

    assert State.PENDING is state_of(services, ada)
    assert ["confirm"] == letters(services)


def test_a_failure_of_ours_is_not_a_yes(client: TestClient, services: Services, ben: Subscriber) -> None:
    """503 in plain words, to be tried again; nothing half done."""
    path = confirm(services, ben)
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE letters")
    answer = client.post(path)

    assert 503 == answer.status_code
    assert "retry-after" in answer.headers
    assert State.PENDING is state_of(services, ben)


def test_nothing_here_is_ever_a_redirect(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A slash too many is not found; it is not sent elsewhere with the token."""
    for path in (f"{leave(services, ada)}/", "/archive/", "/my-data/"):
        for method in ("GET", "POST"):
            assert 404 == client.request(method, path, data=ONE_CLICK if method == "POST" else None).status_code


def test_what_is_refused_says_what_would_do(client: TestClient) -> None:
    """405 with the methods there are (RFC 9110 15.5.6), in our own page."""
    answer = client.put("/archive")

    assert 405 == answer.status_code
    assert "GET, HEAD, OPTIONS" == answer.headers["allow"]
    assert "Not that way" in answer.text
    for path in ("/confirm/x", "/unsubscribe/x", "/preferences/x", "/subscribe", "/change-address/x"):
        for method in ("PUT", "DELETE", "PATCH"):
            refused = client.request(method, path)
            assert (405, "GET, HEAD, POST, OPTIONS") == (refused.status_code, refused.headers["allow"])
        assert "GET, HEAD, POST, OPTIONS" == client.options(path).headers["allow"]
    head = client.head("/my-data/x/export")
    assert (405, "POST, OPTIONS") == (head.status_code, head.headers["allow"])


# — every page —


def test_no_page_allows_a_style_or_script_of_its_own(client: TestClient, services: Services, ada: Subscriber) -> None:
    """The content security policy forbids both; only the archive's mails carry their styles."""
    for path in ("/", "/subscribe", "/embed", "/archive", "/my-data", leave(services, ada), "/nothing"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "script-src" not in policy
        assert "default-src 'none'" in policy
        assert not [word for word in (" style=", "<style", "<script") if word in answer.text]


def test_links_stay_on_the_site(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Behind whichever name a page was opened, its links and forms lead to the same place."""
    for path in ("/", "/subscribe", "/archive", "/my-data", leave(services, ada), "/preferences/x", "/nothing"):
        page = client.get(path, headers={"host": "elsewhere.example.org"}).text
        for link in page.split("href=")[1:] + page.split("action=")[1:]:
            assert link.startswith(('"/', '"#', '"data:')) or "canonical" in page.split(link)[0][-30:]


def test_the_style_sheet_is_kept_for_ever(client: TestClient) -> None:
    """Its address holds its content's hash; another version's address is served and kept by nobody."""
    page = client.get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    sheet = client.get(address)
    stem, _, ending = address.partition(".")
    other = client.get(f"{stem}.0123456789abcdef.{ending.rpartition('.')[2]}")

    assert ("text/css", True) == (
        sheet.headers["content-type"].split(";")[0],
        "immutable" in sheet.headers["cache-control"],
    )
    assert (200, "no-store", sheet.content) == (other.status_code, other.headers["cache-control"], other.content)
    assert 404 == client.get("/static/none.0123456789abcdef.css").status_code
