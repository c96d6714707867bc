"""What programs of the house do through the API: tell of comparisons, ask for opt-ins, read editions."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import library, sending, stats
from digest.bootstrap import Services
from digest.models import ApiToken, Comparison, Edition, EditionState, Letter, Request
from digest.people import limits, requests
from digest.staff import tokens
from digest.web.api import callers
from digest.web.api.subscribers import DOOR
from digest.web.app import create_app
from subscribers import consent
from subscribers.models import State, Subscriber
from tests import make
from tests.web.api_program import Program, bearer, comparison, tool


@pytest.fixture
def site(client: TestClient, services: Services) -> Program:
    """The site's own program, with a token for everything."""
    return Program(client, bearer(services))


def slugs(services: Services) -> list[str | None]:
    with services.database.reading() as session:
        return sorted(session.scalars(sa.select(Comparison.slug)), key=str)


def asked(services: Services) -> list[Request]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Request).order_by(Request.id)))


def settled(services: Services) -> list[Letter]:
    """Every request followed through; the letters owed by then."""
    while requests.settle_next(services, now=datetime.now(UTC)):
        pass
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter).order_by(Letter.id)))


# — comparisons —

SHAPES: list[tuple[str, str]] = [
    ("application/json", json.dumps(comparison())),
    ("application/json", json.dumps([comparison()])),
    ("application/json; charset=utf-8", json.dumps(comparison(), indent=2)),
    ("application/x-ndjson", json.dumps(comparison()) + "\n"),
    ("", json.dumps(comparison())),
]


@pytest.mark.parametrize(("media_type", "body"), SHAPES)
def test_one_object_an_array_and_lines_are_taken_in(
    site: Program, services: Services, media_type: str, body: str
) -> None:
    """Whatever form the site chooses, the comparison is there afterwards."""
    named = {"content_type": media_type} if media_type else {}
    answer = site.post("comparisons", content=body, **named)

    assert 200 == answer.status_code
    assert 1 == answer.json()["new"]
    assert ["alder-vs-birch"] == slugs(services)


def test_each_item_is_answered_in_its_place(site: Program, services: Services) -> None:
    """A bad one costs only itself; the answer says of each, in the order of the body, what became of it and why."""
    site.post("comparisons", comparison())
    changed = comparison("Cedar", "Dogwood")
    site.post("comparisons", changed)
    changed["tools"][0]["pricing"] = "Free"
    answer = site.post("comparisons", [5, comparison(), changed, {"tools": [tool("Elm")]}, comparison("Fir", "Gum")])

    assert 200 == answer.status_code
    found = answer.json()["found"]
    assert [
        ("item 1", None, "bad"),
        ("item 2", "alder-vs-birch", "unchanged"),
        ("item 3", "cedar-vs-dogwood", "changed"),
        ("item 4", None, "bad"),
        ("item 5", "fir-vs-gum", "new"),
    ] == [(each["where"], each["name"], each["news"]) for each in found]
    assert "A comparison must be an object, got 5." == found[0]["why"]
    assert "tools must hold two tools, got 1." == found[3]["why"]
    assert {"new": 1, "changed": 1, "unchanged": 1, "withdrawn": 0, "bad": 2} == {
        news: answer.json()[news] for news in ("new", "changed", "unchanged", "withdrawn", "bad")
    }
    assert ["alder-vs-birch", "cedar-vs-dogwood", "fir-vs-gum"] == slugs(services)


def test_lines_are_counted_as_an_editor_counts_them(site: Program) -> None:
    """A line that is no JSON is bad, the empty one is none, and the number is that of the line."""
    lines = "\n".join([json.dumps(comparison()), "", "{nonsense", json.dumps(comparison("Cedar", "Dogwood"))])
    answer = site.post("comparisons", content=lines, content_type="application/x-ndjson")

    assert [("line 1", "new"), ("line 3", "bad"), ("line 4", "new")] == [
        (each["where"], each["news"]) for each in answer.json()["found"]
    ]


def test_when_all_are_bad_the_answer_says_so(site: Program, services: Services) -> None:
    """422, with a reason for each; nothing is stored."""
    answer = site.post("comparisons", [{}, {"tools": [tool("Same"), tool("Same")]}])

    assert 422 == answer.status_code
    assert ["item 1", "item 2"] == [each["where"] for each in answer.json()["errors"]]
    assert "tools is missing." == answer.json()["errors"][0]["detail"]
    assert "compares Same with itself" in answer.json()["errors"][1]["detail"]
    assert [] == slugs(services)


def test_a_withdrawn_page_voids_an_approval(site: Program, services: Services) -> None:
    """`withdrawn: true` takes a comparison out of an approved edition, which becomes a draft again."""
    edition = make.approved(services, entries=2)
    with services.database.reading() as session:
        known = library.listed(session)[0]
    answer = site.post("comparisons", known.stated.model_dump(mode="json") | {"withdrawn": True})

    assert (200, 1) == (answer.status_code, answer.json()["withdrawn"])
    with services.database.reading() as session:
        assert EditionState.DRAFT is session.get_one(Edition, edition.id).state


def test_what_is_listed_may_be_sent_back(site: Program, services: Services) -> None:
    """The array that `digest comparisons --json` prints is taken in here; sent twice, nothing in it is news."""
    site.post("comparisons", [comparison(), comparison("Cedar", "Dogwood")])
    with services.database.reading() as session:
        listed = [each.stated.model_dump(mode="json", exclude_none=True) for each in library.listed(session)]

    assert 0 == site.post("comparisons", listed).json()["new"]
    assert 2 == site.post("comparisons", listed).json()["unchanged"]


# — subscribers —


def test_an_opt_in_begins_with_a_letter(site: Program, services: Services) -> None:
    """The person is pending, with name, topics and source as given, and is owed a confirmation letter."""
    wanted = {"email": "Ada.Q@example.com", "name": "Ada", "topics": ["Design"], "source": "checkout page"}
    answer = site.post("subscribers", wanted)

    assert 202 == answer.status_code
    (letter,) = settled(services)
    assert ("confirm", "Ada.Q@example.com") == (letter.kind, letter.email)
    with services.database.reading() as session:
        (person,) = session.scalars(sa.select(Subscriber))
        (event,) = consent_events(services)
    assert (State.PENDING, "Ada", "Design") == (person.state, person.name, person.topics)
    assert "API, token 1: checkout page" == event


def consent_events(services: Services) -> list[str]:
    with services.database.reading() as session:
        return list(session.scalars(sa.text("SELECT source FROM consent_events ORDER BY id")))


def test_every_address_gets_the_same_answer_and_nobody_is_revived(site: Program, services: Services) -> None:
    """New, active, pending, unsubscribed, suppressed, erased: one answer, to the byte; who left stays away."""
    with services.database.writing() as session:
        cast = make.cast(session)
        eve = make.subscriber(session, "eve@example.com")
        consent.erase(session, eve, now=make.SEEN)
        before = {person.email: person.state for person in cast.values()}
    answers = [site.post("subscribers", {"email": email}) for email in [*before, "eve@example.com", "new@example.com"]]

    assert {(202, answers[0].content)} == {(answer.status_code, answer.content) for answer in answers}
    assert [dict(answers[0].headers)] * 6 == [dict(answer.headers) for answer in answers]
    letters = settled(services)
    with services.database.reading() as session:
        after = {person.email: person.state for person in session.scalars(sa.select(Subscriber))}
    assert before | {"new@example.com": State.PENDING} == after
    assert {"new@example.com"} == {letter.email for letter in letters} - {"ben@example.com"}


BAD_PEOPLE: list[tuple[Any, str]] = [
    ({"email": "ada"}, "body.email"),
    ({"email": "ada@example"}, "body.email"),
    ({"email": "ada@example.com\x00"}, "body.email"),
    ({"email": "a" * 9_999 + "@example.com"}, "body.email"),
    ({"email": 5}, "body.email"),
    ({}, "body.email"),
    ({"email": "ada@example.com", "topic": "Design"}, "body.topic"),
    ({"email": "ada@example.com", "topics": "Design"}, "body.topics"),
    ({"email": "ada@example.com", "topics": [5]}, "body.topics.0"),
    ([], "body"),
    (None, "body"),
]


@pytest.mark.parametrize(("body", "where"), BAD_PEOPLE)
def test_what_is_no_address_is_refused(site: Program, services: Services, body: Any, where: str) -> None:
    """422, naming the field, and nothing is stored."""
    answer = site.post("subscribers", content=json.dumps(body), content_type="application/json")

    assert 422 == answer.status_code
    assert where == answer.json()["errors"][0]["where"]
    assert [] == asked(services)


def test_an_address_asked_for_too_often_is_quietly_not_asked_again(site: Program, services: Services) -> None:
    """The seventh time in an hour looks like the first, and stores nothing."""
    most = limits.ONE_MAILBOX[0][0]
    answers = [site.post("subscribers", {"email": "ada@example.com"}) for _ in range(most + 1)]

    assert {(202, answers[0].content)} == {(answer.status_code, answer.content) for answer in answers}
    assert most == len(asked(services))


def test_a_program_that_asks_for_everybody_is_told_to_wait(site: Program, services: Services) -> None:
    """Over a domain's number: 429 with Retry-After, nothing stored, and the same key may be used later."""
    most, per = limits.ONE_DOMAIN[0]
    now = datetime.now(UTC)
    with services.database.writing() as session:
        rules = limits.by_domain(DOOR, "x@example.com")
        limits.take(session, rules, now=now)
        session.execute(sa.text("UPDATE limits SET count = :most"), {"most": most})
    answer = site.post("subscribers", {"email": "ada@example.com"}, idempotency_key="a")

    assert 429 == answer.status_code
    assert 0 < int(answer.headers["retry-after"]) <= per.total_seconds()
    assert [] == asked(services)
    assert 202 == site.post("subscribers", {"email": "ada@example.org"}, idempotency_key="a").status_code


# — editions —


def test_editions_come_newest_first_page_by_page(site: Program, services: Services) -> None:
    """`next` leads through all of them, each once; the last page leads nowhere."""
    weeks = [f"2026-W{number}" for number in range(40, 47)]
    for number, week in enumerate(weeks):
        make.draft(services, entries=1, week=week, now=make.CUTOFF - timedelta(weeks=7 - number))
    seen: list[str] = []
    following: str | None = "/api/v1/editions?limit=3"
    while following:
        answer = site.client.get(following, headers=site.headers)
        seen += [each["week"] for each in answer.json()["editions"]]
        following = answer.json()["next"]
        assert (f'<{following}>; rel="next"' if following else None) == answer.headers.get("link")

    assert weeks[::-1] == seen


def test_a_misspelt_parameter_is_no_first_page(site: Program) -> None:
    """Ignored, it would send a program that follows pages round in a circle."""
    answer = site.get("editions", befor="2026-W40")

    assert 422 == answer.status_code
    assert "query.befor" == answer.json()["errors"][0]["where"]


def test_a_draft_is_shown_whole(site: Program, services: Services) -> None:
    """State, subject, times, and every entry's facts and summary; no numbers before it is prepared."""
    edition = make.draft(services, entries=2)
    told = site.get(f"editions/{edition.week}").json()

    assert ("draft", edition.subject, None, None) == (told["state"], told["subject"], told["numbers"], told["archive"])
    assert [1, 2] == [entry["position"] for entry in told["entries"]]
    assert told["entries"][0]["facts"]["slug"]
    assert told["entries"][0]["summary"]["headline"]
    assert site.get("editions/latest").json() == told
    assert [2] == [each["entries"] for each in site.get("editions").json()["editions"]]


def test_a_sent_edition_has_the_numbers_of_the_command(site: Program, services: Services) -> None:
    """The words of `digest edition status --json`, and the address of its page in the archive."""
    edition = make.approved(services, readers=3)
    late = make.SEND + timedelta(minutes=20)
    sending.send_now(
        services, edition.week, by="test", clock=lambda: late, now=late, skip_undo=True, stop=threading.Event()
    )
    told = site.get(f"editions/{edition.week}").json()
    with services.database.reading() as session:
        numbers = stats.numbers(session, session.get_one(Edition, edition.id)).model_dump(mode="json")

    assert "sent" == told["state"]
    assert 3 == told["numbers"]["accepted"]
    assert numbers == told["numbers"]
    assert f"{services.settings.digest_site_url}/archive/{edition.week}" == told["archive"]


def test_an_edition_tells_nobody(site: Program, services: Services) -> None:
    """No reader's and no editor's address stands in what is read."""
    edition = make.approved(services, readers=3)
    answer = site.get(f"editions/{edition.week}")

    assert "approved" == answer.json()["state"]
    assert "@" not in answer.text + site.get("editions").text


# — who may —


@pytest.mark.parametrize("scope", tokens.SCOPES)
def test_a_token_is_good_for_its_scopes_only(client: TestClient, services: Services, scope: str) -> None:
    """Of three doors one opens; the others say which scope they need."""
    program = Program(client, bearer(services, [scope]))
    answers = {
        "comparisons:write": program.post("comparisons", comparison()),
        "subscribers:write": program.post("subscribers", {"email": "ada@example.com"}),
        "editions:read": program.get("editions"),
    }

    assert answers.pop(scope).is_success
    for needed, answer in answers.items():
        assert 403 == answer.status_code
        assert needed in answer.json()["detail"]
        assert f'error="insufficient_scope", scope="{needed}"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer vd_" + "x" * 43, "Bearer é"])
def test_without_a_good_token_nothing_opens(client: TestClient, header: str | None) -> None:
    """401, saying how to show a token, before anything of the body is read."""
    headers = {} if header is None else {"Authorization": header.encode()}
    for answer in (
        client.get("/api/v1/editions", headers=headers),
        client.post("/api/v1/comparisons", content=b"x" * 6_000_000, headers=headers),
    ):
        assert 401 == answer.status_code
        assert answer.headers["www-authenticate"].startswith('Bearer realm="api"')


def test_a_revoked_token_is_as_good_as_none(site: Program, services: Services) -> None:
    """From the moment it is revoked."""
    assert 200 == site.get("editions").status_code
    with services.database.writing() as session:
        tokens.revoke(session, session.scalars(sa.select(ApiToken.id)).one(), now=datetime.now(UTC))

    assert 401 == site.get("editions").status_code


def test_who_tries_tokens_is_told_to_stop(client: TestClient, services: Services) -> None:
    """After thirty in ten minutes from one address: 429; a good token is heard from there all the same."""
    most = limits.ONE_ADDRESS[0][0]
    with TestClient(create_app(services), client=("192.0.2.7", 50_000)) as stranger:
        answers = [stranger.get("/api/v1/editions").status_code for _ in range(most + 1)]

        assert [401] * most + [429] == answers
        assert 200 == stranger.get("/api/v1/editions", headers=bearer(services)).status_code


def test_one_token_is_used_so_often_and_no_more(site: Program, services: Services) -> None:
    """Over the number for a minute: 429 with Retry-After of at most a minute."""
    assert 200 == site.get("editions").status_code
    with services.database.writing() as session:
        session.execute(sa.text("UPDATE limits SET count = :most"), {"most": callers.ONE_TOKEN.most})
    answer = site.get("editions")

    assert 429 == answer.status_code
    assert 0 < int(answer.headers["retry-after"]) <= 60


# — the description —


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/openapi.json").json()
    return found


def test_the_description_holds_the_api_and_nothing_else(described: dict[str, Any]) -> None:
    """OpenAPI 3.1, every route of the API, no page, each write with its scope."""
    assert described["openapi"].startswith("3.1.")
    assert {
        "/v1/comparisons",
        "/v1/comparison.schema.json",
        "/v1/subscribers",
        "/v1/editions",
        "/v1/editions/{week}",
    } == set(described["paths"])
    needed = {
        told["operationId"]: told.get("security") for item in described["paths"].values() for told in item.values()
    }
    assert [{"token": ["comparisons:write"]}] == needed["takeInComparisons"]
    assert [{"token": ["subscribers:write"]}] == needed["startOptIn"]
    assert [{"token": ["editions:read"]}] == needed["listEditions"] == needed["readEdition"]
    assert needed["comparisonSchema"] is None


def samples(described: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every sample in the description with the schema it stands beside."""
    for item in described["paths"].values():
        for told in item.values():
            bodies = [told["requestBody"]] if "requestBody" in told else []
            for part in (*bodies, *told["responses"].values()):
                for media in part["content"].values():
                    for sample in [*media.get("examples", {}).values(), {"value": media.get("example")}]:
                        if sample["value"] is not None:
                            yield media["schema"], sample["value"]


def test_every_sample_is_as_described(described: dict[str, Any]) -> None:
    """Whoever copies one from the description sends, or is prepared for, the right thing."""
    found = list(samples(described))
    for schema, value in found:
        whole = {**schema, "components": described["components"]}

        jsonschema_rs.validator_for(whole, validate_formats=True).validate(value)
    assert len(found) > 40


def test_what_the_description_says_of_limits_is_so(described: dict[str, Any]) -> None:
    """The number in the text is the number that counts."""
    assert f"{callers.ONE_TOKEN.most} times a minute" in described["info"]["description"]
    assert timedelta(minutes=1) == callers.ONE_TOKEN.per


def test_the_page_tells_people_the_same(client: TestClient, described: dict[str, Any]) -> None:
    """Each operation, answer and shape stands on the page, which has no script and nothing from elsewhere."""
    page = client.get("/api/docs")

    assert 200 == page.status_code
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert [] == re.findall(r'(?:src|href)="(?!/|#|data:,")[^"]*"', page.text)
    for path in described["paths"]:
        assert f"/api{path}" in page.text
    for name in described["components"]["schemas"]:
        assert f'id="{name}"' in page.text
