"""The front door: a form that works without scripts, its JSON twin, and one answer for every address."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest import sending
from digest.bootstrap import Services
from digest.models import Letter, Request
from digest.people import erasing, limits, requests
from digest.web import sign_up
from digest.web.app import create_app
from digest.web.wordings import SIGN_UP
from subscribers import consent, policy
from subscribers.models import State, Subscriber
from tests import make
from tests.web.forms import token_in, without_token

JSON = {"accept": "application/json"}


def ripe(services: Services, *, age: timedelta = timedelta(seconds=10)) -> str:
    """A form token as old as somebody needs to type an address."""
    return services.links.form_token(datetime.now(UTC) - age)


def asked(services: Services) -> list[Request]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Request).order_by(Request.id)))


def form(services: Services, email: str, **more: str) -> dict[str, str]:
    return {"email": email, "token": ripe(services), **more}


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """What is said to the database, without the values."""
    said: list[str] = []

    def hear(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    sa.event.listen(services.database.engine, "before_cursor_execute", hear)
    yield said
    sa.event.remove(services.database.engine, "before_cursor_execute", hear)


# — the page —


def test_the_front_page_asks_for_one_thing(client: TestClient, services: Services) -> None:
    """One required field with a real label; beside the button who sends what how often; no script."""
    page = client.get("/").text

    assert 1 == page.count(" required")
    assert '<label for="address">Your mail address</label>' in page
    assert re.search(r'<input id="address" name="email" type="email" autocomplete="email"', page)
    assert SIGN_UP.filled(services.settings).text in page
    assert "<script" not in page
    assert "has not gone out yet" in page


def test_the_front_page_shows_the_latest_edition(client: TestClient, scripted: Services) -> None:
    """Its subject, its breath and its scoreboard, and the way to it."""
    with scripted.database.writing() as session:
        make.subscriber(session)
    edition = make.approved(scripted)
    sending.send_now(
        scripted,
        make.WEEK,
        by="test",
        clock=lambda: datetime.now(UTC),
        now=make.SEND,
        skip_undo=True,
        stop=threading.Event(),
    )
    page = client.get("/").text.replace("&amp;", "&")

    assert edition.breath in page
    assert f'<a href="/archive/{make.WEEK}">{edition.subject}</a>' in page
    assert 4 == page.count('<span class="badge ship">')


# — the same answer for everybody —


def everybody(services: Services) -> list[str]:
    """Addresses in every state, some of them odd."""
    with services.database.writing() as session:
        make.cast(session)
        gone = make.subscriber(session, "gone@example.com")
        complained = make.subscriber(session, "cross@example.com")
        consent.suppress(session, complained, policy.Act.COMPLAIN, because="abuse", now=make.SEEN, source="test")
    with services.database.writing() as session:
        erasing.erase(session, session.get_one(Subscriber, gone.id), now=datetime.now(UTC), by="themselves")
    names = ("new", "ada", "ADA", "ben", "cleo", "dov", "gone", "cross", "o'brien+tag.x", "x" * 60)
    return [*(f"{name}@example.com" for name in names), "ada@exämple.com", "i@xn--exmple-cua.museum"]


@pytest.mark.parametrize("headers", [{}, JSON], ids=["form", "json"])
def test_every_address_gets_the_same_answer(client: TestClient, services: Services, headers: dict[str, str]) -> None:
    """To the byte, headers too, by the same statements; nothing but the request is stored."""
    people = everybody(services)
    answers, said = [], []
    for email in people:
        with statements(services) as heard:
            answer = client.post("/subscribe", data=form(services, email), headers=headers)
        answers.append((answer.status_code, answer.content, sorted(answer.headers.items())))
        said.append(tuple(heard))

    assert 1 == len({str(answer) for answer in answers})
    assert 1 == len(set(said))
    assert people == [request.email for request in asked(services)]


def test_what_follows_is_found_out_afterwards(client: TestClient, services: Services) -> None:
    """The stored request becomes a pending subscriber, the proof and a letter."""
    client.post("/subscribe", data=form(services, "Ada@Example.com"), headers={"user-agent": "Tester"})
    request = asked(services)[0]
    with services.database.reading() as session:
        assert session.scalars(sa.select(Subscriber)).all() == []
    requests.settle_next(services, now=datetime.now(UTC))

    assert ("sign-up page", "Tester") == (request.source, request.user_agent)
    assert (SIGN_UP.filled(services.settings).text, SIGN_UP.version) == (request.wording, request.wording_version)
    with services.database.reading() as session:
        assert ("Ada@Example.com", State.PENDING) == session.execute(
            sa.select(Subscriber.email, Subscriber.state)
        ).one()
        assert "confirm" == session.scalars(sa.select(Letter.kind)).one()


# — what is wrong with it —


@pytest.mark.parametrize(
    "email", ["", " ", "ada", "ada@", "@example.com", "a b@example.com", "ada@localhost", "ä@x.com"]
)
def test_what_is_no_address_is_said_at_the_field(client: TestClient, services: Services, email: str) -> None:
    """422; the form is filled in as it was, the reason is announced and tied to the field."""
    answer = client.post("/subscribe", data=form(services, email))

    assert 422 == answer.status_code
    assert 'aria-invalid="true" aria-describedby="address-problem"' in answer.text
    assert 'id="address-problem" role="alert"' in answer.text
    assert f'value="{email}"' in answer.text
    assert [] == asked(services)


def test_hostile_text_stays_text(client: TestClient, services: Services) -> None:
    """Whatever was typed is shown again as text."""
    answer = client.post("/subscribe", data=form(services, '"><script>alert(1)</script>'))

    assert "<script" not in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text


@pytest.mark.parametrize("known", [True, False])
def test_a_slip_is_asked_about(client: TestClient, services: Services, known: bool) -> None:
    """Two buttons, the meant and the typed, whoever is known; each stores what it says."""
    if known:
        with services.database.writing() as session:
            make.subscriber(session, "ada@gmial.com")
    page = client.post("/subscribe", data=form(services, "ada@gmial.com")).text
    offered = re.findall(r'<button[^>]* name="email" value="([^"]+)"', page)

    assert ["ada@gmail.com", "ada@gmial.com"] == offered
    assert [] == asked(services)
    for email in offered:
        client.post("/subscribe", data={"email": email, "token": token_in(page), "sure": "yes"})
    assert offered == [request.email for request in asked(services)]


@pytest.mark.parametrize("token", ["missing", "old", "young", "nonsense", "of another purpose"])
def test_a_form_that_is_not_fresh_is_shown_once_more(client: TestClient, services: Services, token: str) -> None:
    """Filled in, with one calm sentence and a fresh token: older than 2 hours, younger than 2 seconds, not ours."""
    tokens = {
        "missing": "",
        "old": ripe(services, age=timedelta(hours=2, seconds=1)),
        "young": ripe(services, age=timedelta(seconds=1)),
        "nonsense": "é" * 60,
        "of another purpose": services.links.my_data_url("x" * 22, datetime.now(UTC)).rpartition("/")[2],
    }
    answer = client.post("/subscribe", data={"email": "ada@example.com", "token": tokens[token]})
    shown_at = services.links.form_shown_at(token_in(answer.text))

    assert 200 == answer.status_code
    assert "press the button once more" in answer.text
    assert (token == "young", token != "young") == (
        "so quickly" in answer.text,
        "open for long, or came from another page" in answer.text,
    )
    assert 'value="ada@example.com"' in answer.text
    assert shown_at is not None
    assert datetime.now(UTC) - shown_at < timedelta(seconds=30)
    assert [] == asked(services)


@pytest.mark.parametrize(("age", "stored"), [(2.5, 1), (7190, 1), (1.0, 0), (7210, 0)])
def test_a_form_is_good_from_two_seconds_to_two_hours(
    client: TestClient, services: Services, age: float, stored: int
) -> None:
    """From when it was shown."""
    token = ripe(services, age=timedelta(seconds=age))
    client.post("/subscribe", data={"email": "ada@example.com", "token": token})

    assert stored == len(asked(services))


def test_programs_that_fill_in_everything_store_nothing(client: TestClient, services: Services) -> None:
    """They are answered like everybody."""
    honest = client.post("/subscribe", data=form(services, "ada@example.com"))
    trapped = client.post("/subscribe", data=form(services, "bot@example.com", website="https://example.org"))

    assert honest.content == trapped.content
    assert ["ada@example.com"] == [request.email for request in asked(services)]


# — limits —


def test_one_network_is_told_to_wait(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 with the time to wait, on the page and in JSON; the form is kept, and others are not held up."""
    moment = datetime.now(UTC)  # all in one window, however long the test takes
    monkeypatch.setattr(sign_up, "_now", lambda: moment)
    most = limits.ONE_ADDRESS[0][0]
    client = TestClient(create_app(services), client=("192.0.2.7", 4000))
    for number in range(most):
        assert 200 == client.post("/subscribe", data=form(services, f"a{number}@example.com")).status_code
    page = client.post("/subscribe", data=form(services, "ada@example.com"))
    script = client.post("/subscribe", data=form(services, "ada@example.com"), headers=JSON)
    elsewhere = TestClient(create_app(services), client=("198.51.100.9", 4000))

    assert (429, 429) == (page.status_code, script.status_code)
    assert 1 <= int(page.headers["retry-after"]) <= 600
    assert "retry-after" in script.headers
    assert 'value="ada@example.com"' in page.text
    assert "again in " in page.text
    assert "application/problem+json" == script.headers["content-type"]
    assert most == len(asked(services))
    assert 200 == elsewhere.post("/subscribe", data=form(services, "ada@example.com")).status_code


def test_one_address_is_limited_without_a_sign(client: TestClient, services: Services) -> None:
    """The answer stays the same, and nothing more is stored."""
    answers = [client.post("/subscribe", data=form(services, "ada@example.com")) for _ in range(9)]

    assert 1 == len({(answer.status_code, answer.content) for answer in answers})
    assert limits.ONE_MAILBOX[0][0] == len(asked(services))


# — bodies —


@pytest.mark.parametrize("headers", [{}, JSON], ids=["form", "json"])
def test_a_body_that_is_too_long_is_refused(client: TestClient, services: Services, headers: dict[str, str]) -> None:
    """413, announced or not, before anything is stored."""
    long = form(services, "ada@example.com", more="x" * 70_000)
    announced = client.post("/subscribe", data=long, headers=headers)
    content = {"content-type": "application/x-www-form-urlencoded"}
    in_pieces = client.post("/subscribe", content=iter([b"email=" + b"x" * 40_000] * 2), headers=headers | content)

    assert [413, 413] == [announced.status_code, in_pieces.status_code]
    assert [] == asked(services)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"null", b"9" * 5000])
def test_what_is_no_json_object_is_said(client: TestClient, services: Services, body: bytes) -> None:
    """400, as a problem document."""
    answer = client.post("/subscribe", content=body, headers=JSON | {"content-type": "application/json"})

    assert (400, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert [] == asked(services)


def test_a_form_may_come_in_either_encoding(client: TestClient, services: Services) -> None:
    """As any browser sends it."""
    fields = form(services, "ada@example.com")
    client.post("/subscribe", files={name: (None, value) for name, value in fields.items()})

    assert ["ada@example.com"] == [request.email for request in asked(services)]


anything = st.one_of(
    st.text(), st.sampled_from(["\0@example.com", "a@b.c\r\nBcc: x@y.z", "\u202ea@example.com", "{{7*7}}@x.com"])
)


@given(email=anything, token=anything, trap=anything)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_typed_is_an_error_of_ours(sqlite_client: TestClient, email: str, token: str, trap: str) -> None:
    """Whatever is posted, as a form or as JSON."""
    fields = {"email": email, "token": token, "website": trap}
    body = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}

    assert sqlite_client.post("/subscribe", data=body).status_code in (200, 422)
    assert sqlite_client.post("/subscribe", json=body, headers=JSON).status_code in (202, 422)


# — the JSON twin —


def test_a_script_signs_up(client: TestClient, services: Services) -> None:
    """A token, then JSON in and JSON out."""
    given_token = client.get("/subscribe/token").json()["token"]
    fields = form(services, "ada@example.com")
    answer = client.post("/subscribe", json=fields, headers=JSON)

    assert services.links.form_shown_at(given_token) is not None
    assert (202, "look in your mail") == (answer.status_code, answer.json()["status"])
    assert ["sign-up script"] == [request.source for request in asked(services)]


def test_a_script_is_told_what_is_wrong(client: TestClient, services: Services) -> None:
    """As problem documents (RFC 9457), each with what it takes to mend it."""
    bad = client.post("/subscribe", json=form(services, "ada@"), headers=JSON)
    slip = client.post("/subscribe", json=form(services, "ada@gmial.com"), headers=JSON)
    stale = client.post("/subscribe", json={"email": "ada@example.com"}, headers=JSON)
    sure = client.post("/subscribe", json={**form(services, "ada@gmial.com"), "sure": True}, headers=JSON)

    for answer in (bad, slip, stale):
        assert (422, 422) == (answer.status_code, answer.json()["status"])
        assert "application/problem+json" == answer.headers["content-type"]
        assert {"type", "title", "detail"} <= answer.json().keys()
    assert "email" == bad.json()["field"]
    assert "ada@gmail.com" == slip.json()["meant"]
    assert services.links.form_shown_at(stale.json()["token"]) is not None
    assert 202 == sure.status_code


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"--x\r\n", "multipart/form-data", 400),
        (b"--x\r\nbroken", "multipart/form-data; boundary=y", 400),
        ("&".join(f"f{number}=1" for number in range(1_001)).encode(), "application/x-www-form-urlencoded", 400),
        (b"{", "application/json", 400),
        (b"x" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_script_is_told_of_a_body_nobody_can_read(
    client: TestClient, services: Services, content: bytes, media_type: str, status: int
) -> None:
    """Whoever finds it unreadable, we or the parser: a problem document that any page may read."""
    answer = client.post("/subscribe", content=content, headers=JSON | {"content-type": media_type})

    assert (status, status) == (answer.status_code, answer.json()["status"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert "*" == answer.headers["access-control-allow-origin"]
    assert [] == asked(services)


def test_any_page_may_ask_by_script_and_only_here(client: TestClient, services: Services) -> None:
    """CORS without credentials on the sign-up routes and on no other."""
    origin = {"origin": "https://site.example.org"}
    preflight = client.options(
        "/subscribe",
        headers=origin | {"access-control-request-method": "POST", "access-control-request-headers": "content-type"},
    )
    shared = [
        client.post("/subscribe", json=form(services, "ada@example.com"), headers=JSON | origin),
        client.post("/subscribe", json=form(services, "ada@"), headers=JSON | origin),
        client.post("/subscribe", content=b"{", headers=JSON | origin | {"content-type": "application/json"}),
        client.get("/subscribe/token", headers=origin),
    ]

    assert 204 == preflight.status_code
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
    for answer in (preflight, *shared):
        assert "*" == answer.headers["access-control-allow-origin"]
        assert "access-control-allow-credentials" not in answer.headers
    for path in ("/", "/archive", "/my-data", "/embed", "/unsubscribe/x", "/preferences/x", "/archive/feed.json"):
        for method in ("GET", "OPTIONS", "POST"):
            assert "access-control-allow-origin" not in client.request(method, path, headers=origin).headers


# — the form on other pages —


def test_the_form_to_copy_is_a_form(client: TestClient, services: Services) -> None:
    """With a label, this site's address, and neither script nor style."""
    page = client.get("/embed").text
    found = re.search(r"<textarea[^>]*>(.*)</textarea>", page, re.DOTALL)
    assert found
    snippet = found[1]

    assert f"action=&#34;{services.settings.digest_site_url}/subscribe&#34;" in snippet
    assert "label for=" in snippet
    assert "autocomplete=&#34;email&#34;" in snippet
    for other in ("script", "style", "token"):
        assert other not in snippet


def test_a_form_from_elsewhere_is_asked_once_more(client: TestClient, services: Services) -> None:
    """The form it opens is filled in, and pressing its button is enough."""
    page = client.post("/subscribe", data={"email": "ada@example.com"}, headers={"origin": "https://site.example.org"})

    assert 200 == page.status_code
    assert 'value="ada@example.com"' in page.text
    client.post("/subscribe", data=form(services, "ada@example.com"))
    assert 1 == len(asked(services))


def test_pages_with_a_form_differ_by_its_token_alone(client: TestClient) -> None:
    """And are kept by nobody: the token grows old."""
    first, second = client.get("/"), client.get("/")

    assert without_token(first.text) == without_token(second.text)
    assert "no-store" == first.headers["cache-control"]
