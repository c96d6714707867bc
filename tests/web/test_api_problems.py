"""Whatever comes in, what goes out under /api is a problem document, in words, and never a failure of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from database import Database
from digest import editions
from digest.bootstrap import Services
from digest.pages import LARGEST_BODY
from digest.web.api import problems
from digest.web.api.bodies import LARGEST_OBJECT
from digest.web.api.problems import KINDS
from digest.web.app import create_app
from tests import make
from tests.web.api_program import Program, bearer, comparison

KNOWN = {(kind.name, kind.status): kind for kind in KINDS}


@pytest.fixture
def site(sqlite: Database, tmp_path: Any) -> Iterator[Program]:
    services = make.services(sqlite, tmp_path)
    with TestClient(create_app(services), follow_redirects=False, raise_server_exceptions=False) as client:
        yield Program(client, bearer(services))


def problem_in(answer: Response, status: int) -> dict[str, Any]:
    """The problem, after a look at its form."""
    found: dict[str, Any] = answer.json()
    assert (status, problems.MEDIA_TYPE) == (answer.status_code, answer.headers["content-type"])
    assert status == found["status"]
    kind = KNOWN[found["type"].rpartition("#")[2], status]
    assert kind.title == found["title"]
    assert found["detail"]
    assert "no-store" == answer.headers["cache-control"]
    return found


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/editions", "/v1/editions/", "/v1/editions/2026-W47/x", "/%00", "/v1/editions/%0Ax"]
)
def test_an_address_that_is_not_there(site: Program, path: str) -> None:
    """404, in the API's own form, whatever the page shell would say."""
    problem_in(site.client.get(f"/api{path}", headers=site.headers, follow_redirects=True), 404)


@pytest.mark.parametrize(("method", "path"), [("PUT", "editions"), ("GET", "comparisons"), ("DELETE", "subscribers")])
def test_a_method_that_is_not_taken(site: Program, method: str, path: str) -> None:
    """405, and `Allow` names those that are."""
    answer = site.client.request(method, f"/api/v1/{path}", headers=site.headers)

    problem_in(answer, 405)
    assert ("GET, HEAD" if path == "editions" else "POST") == answer.headers["allow"]


def test_each_type_leads_to_its_description(site: Program) -> None:
    """The fragment of every `type` is an id on the page it points to."""
    page = site.client.get("/api/docs").text

    for kind in KINDS:
        assert f'id="{kind.name}"' in page


def pieces(count: int) -> Iterator[bytes]:
    """A body in pieces: nothing announces its length."""
    return (b" " * 10_000 for _ in range(count))


@pytest.mark.parametrize(("path", "limit"), [("comparisons", LARGEST_BODY), ("subscribers", LARGEST_OBJECT)])
def test_a_body_has_a_limit(site: Program, path: str, limit: int) -> None:
    """413 says how much it may be, announced or in pieces; exactly so much is read."""
    for body in (b" " * (limit + 1), pieces(limit // 10_000 + 1)):
        problem = problem_in(site.post(path, content=body, content_type="application/json"), 413)
        assert f"{limit:,} bytes" in problem["detail"]
    problem_in(site.post(path, content=b" " * limit, content_type="application/json"), 422)


def test_an_announced_length_may_lie(site: Program) -> None:
    """A length without end is no number to be afraid of."""
    answer = site.post("subscribers", content=pieces(7), content_type="application/json", content_length="9" * 5_000)

    assert 413 == answer.status_code


@pytest.mark.parametrize(
    "media_type", ["text/html", "application/x-www-form-urlencoded", "json", "multipart/form-data"]
)
@pytest.mark.parametrize("path", ["comparisons", "subscribers"])
def test_only_json_is_read(site: Program, path: str, media_type: str) -> None:
    """415 names what is."""
    answer = site.post(path, content=b"{}", content_type=media_type)

    assert "application/json" in problem_in(answer, 415)["detail"]
    assert "application/json" in answer.headers["accept"]


def test_nothing_is_unpacked(site: Program) -> None:
    """A compressed body could be a thousand times as long as it looks."""
    problem_in(site.post("comparisons", content=b"x", content_encoding="gzip"), 415)


DEEP = 100_000
HOSTILE = [
    b"",
    b"{",
    b"\x00",
    b'{"email": "a\\u0000b@example.com"}',
    b'{"email": "\\ud800@example.com"}',
    b'{"email": "\xff@example.com"}',
    '{"email": "ada@example.com"}'.encode("utf-16"),
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"email": ' + b"9" * 5_000 + b"}",
    b'{"email": 1e400}',
    b'{"email": NaN}',
    b'{"tools": [{"name": "A", "panel_ship_percent": 1e400}, {"name": "B"}]}',
    b'{"tools": [{"name": "A", "panel_ship_percent": ' + b"9" * 5_000 + b'}, {"name": "B"}]}',
    b'{"tools": [{"name": "A", "community": {"votes": 99999999999999999999}}, {"name": "B"}]}',
    b'{"tools": [{"name": "\\u0000"}, {"name": "B"}]}',
    b'{"tools": [{"name": "A"}, {"name": "B"}], "published_at": "9999-12-31T23:59:59-14:00"}',
    b'{"tools": [{"name": "A"}, {"name": "B"}], "url": "https://[::1"}',
    b"<html><body><h1>A vs B</h1></body></html>",
    b"<rss></rss>",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("path", ["comparisons", "subscribers"])
def test_what_is_hostile_is_refused_in_words(site: Program, path: str, number: int) -> None:
    """NUL, half characters, other encodings, depth, endless numbers, other formats: 413 or 422, with the reason."""
    answer = site.post(path, content=HOSTILE[number], content_type="application/json")

    problem_in(answer, answer.status_code)
    assert answer.status_code in (413, 422)


def test_a_long_list_of_mistakes_is_cut(site: Program) -> None:
    """Nobody reads a thousand; the first hundred are said."""
    found = problem_in(site.post("comparisons", [{}] * 1_000), 422)

    assert problems.MOST_ERRORS == len(found["errors"])
    assert "None of the 1,000 comparisons could be used." == found["detail"]


def test_a_field_with_an_endless_name_is_not_said_back(site: Program) -> None:
    """What was sent is not echoed at length."""
    found = problem_in(site.post("subscribers", {"email": "ada@example.com", "x" * 50_000: 1}), 422)

    assert len(json.dumps(found)) < 1_000


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
NEARLY = st.fixed_dictionaries(
    {"tools": st.lists(st.fixed_dictionaries({"name": ANYTHING}, optional={"takes": ANYTHING, "split": ANYTHING}))},
    optional={"slug": ANYTHING, "url": ANYTHING, "published_at": ANYTHING, "withdrawn": ANYTHING, "email": ANYTHING},
)
KINDS_OF_BODY = st.sampled_from(
    ["application/json", "application/x-ndjson", "text/plain", "", "application/json;charset=x"]
)


@effort(max_examples=50)
@given(
    body=st.binary(max_size=200) | (ANYTHING | NEARLY).map(lambda value: json.dumps(value).encode()),
    media_type=KINDS_OF_BODY,
    path=st.sampled_from(["comparisons", "subscribers"]),
)
def test_no_body_gives_a_failure_of_ours(fuzzed: Program, body: bytes, media_type: str, path: str) -> None:
    """Whatever bytes come as whatever they say they are: an answer below 500, and a problem where it is a refusal."""
    answer = fuzzed.post(path, content=body, content_type=media_type)

    assert answer.status_code < 500
    if answer.status_code >= 400:
        problem_in(answer, answer.status_code)


@effort(max_examples=50)
@given(week=st.text(max_size=12), limit=st.text(max_size=30) | st.integers().map(str), before=st.text(max_size=12))
def test_no_parameter_gives_a_failure_of_ours(fuzzed: Program, week: str, limit: str, before: str) -> None:
    """Any text for a week, a number or a place in the list is answered below 500."""
    listed = fuzzed.client.get("/api/v1/editions", params={"limit": limit, "before": before}, headers=fuzzed.headers)
    one = fuzzed.client.get(
        "/api/v1/editions/" + quote(week.encode("utf-8", "surrogatepass"), safe=""), headers=fuzzed.headers
    )

    assert listed.status_code in (200, 422)
    assert one.status_code in (200, 404, 422)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Any) -> Iterator[Program]:
    """One program for many tries: without limits on how often."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copy(_migrated_sqlite, folder / "digest.db")
    services = make.services(Database(f"sqlite:///{folder / 'digest.db'}"), folder)
    with (
        pytest.MonkeyPatch.context() as unlimited,
        TestClient(create_app(services), follow_redirects=False, raise_server_exceptions=False) as client,
    ):
        unlimited.setattr("digest.people.limits.take", lambda *_, **__: None)
        yield Program(client, bearer(services))
    services.close()


# — our own failures —


def test_a_database_that_fails_is_said(site: Program) -> None:
    """503 and when to come back; not a word of what the driver said."""
    services: Services = site.client.app.state.services  # type: ignore[attr-defined]
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE requests")
    answer = site.post("subscribers", {"email": "ada@example.com"})

    assert "60" == answer.headers["retry-after"]
    assert "requests" not in json.dumps(problem_in(answer, 503))


def test_a_mistake_of_ours_is_said_without_its_words(site: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 as a problem, and no traceback, no message, no name of a function."""

    def fails(*_: object) -> None:
        raise RuntimeError("the secret word")

    monkeypatch.setattr(editions, "find", fails)
    answer = site.get("editions/latest")

    assert "secret" not in json.dumps(problem_in(answer, 500))
    assert "Traceback" not in answer.text


def test_pages_keep_their_own_form(site: Program) -> None:
    """Beside the API, who asks for a page that is not there gets a page."""
    assert "text/html" in site.client.get("/nothing").headers["content-type"]


def test_the_api_needs_no_browser(site: Program) -> None:
    """A token, not a cookie, opens it: no same-origin check stands in the way, and no other site may read it."""
    answer = site.post("comparisons", comparison(), origin="https://elsewhere.example")

    assert 200 == answer.status_code
    assert "access-control-allow-origin" not in answer.headers
