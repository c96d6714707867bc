"""The preview of an edition, for editors: the mail in a frame that can do nothing, and the page around it."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

from digest import editing, editions, manuscript, previewing
from digest.bootstrap import Services
from digest.models import Role
from digest.personas import PERSONAS, SAMPLE
from digest.rendering.simulations import SIMULATIONS
from subscribers.models import Subscriber
from tests import make
from tests.web.scanning import dump
from tests.web.staff_client import sign_in

PLACE = f"/desk/{make.WEEK}"


@pytest.fixture
def desk(services: Services, client: TestClient) -> TestClient:
    """Edda at her desk, with a draft."""
    make.draft(services)
    sign_in(client, services, Role.EDITOR)
    return client


def mail(desk: TestClient, **query: str) -> Response:
    answer: Response = desk.get(f"{PLACE}/mail", params=query)
    return answer


def page(desk: TestClient, **query: str) -> str:
    answer = desk.get(f"{PLACE}/preview", params=query)
    assert 200 == answer.status_code
    shown: str = answer.text
    return shown


def sample(services: Services) -> previewing.Preview:
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        reader = previewing.made_up(SAMPLE, now=datetime.now(UTC))
        return previewing.preview(session, edition, services, variant="all", reader=reader)


# — the mail —


def test_the_mail_is_the_bytes_that_go_out(desk: TestClient, services: Services) -> None:
    """Nothing added, nothing taken away, and their fingerprint from before personal fields."""
    found, answer = sample(services), mail(desk)

    assert found.html == answer.text
    assert found.rendering.sha256 == answer.headers["X-Rendering-SHA256"]
    assert found.rendering.sha256[:12] in page(desk)


def test_the_text_part_is_shown_as_it_is(desk: TestClient, services: Services) -> None:
    shown = mail(desk, view="text").text

    assert sample(services).text == html.unescape(shown.partition("<pre>\n")[2].partition("</pre>")[0])


def test_the_source_is_shown_line_by_line(desk: TestClient, services: Services) -> None:
    lines = mail(desk, view="source").text.split("<li>")[1:]

    assert sample(services).html == "\n".join(html.unescape(line.partition("</li>")[0]) for line in lines)


@pytest.mark.parametrize("key", SIMULATIONS)
def test_a_simulation_is_asked_for_by_name(desk: TestClient, services: Services, key: str) -> None:
    assert SIMULATIONS[key].rewrite(sample(services).html or "") == mail(desk, **{"as": key}).text
    assert html.escape(SIMULATIONS[key].words) in page(desk, **{"as": key})


def test_a_mail_can_do_nothing(desk: TestClient) -> None:
    """No script, no request, no form, no other site around it, whatever the view; even when there is none."""
    for query in ({}, {"view": "text"}, {"view": "row"}, {"view": "source"}, {"variant": "none"}, {"reader": "0"}):
        headers = mail(desk, **query).headers
        assert headers["Content-Security-Policy"].startswith("sandbox allow-same-origin; default-src 'none';")
        assert "SAMEORIGIN" == headers["X-Frame-Options"]
        assert "no-store" == headers["Cache-Control"]


def test_frames_are_sandboxed(desk: TestClient) -> None:
    """By the page as well: two locks."""
    shown = page(desk)

    assert 2 == shown.count("<iframe data-frame sandbox title=")
    assert "frame-src 'self'" in desk.get(f"{PLACE}/preview").headers["Content-Security-Policy"]


def test_plain_text_has_no_html_to_show(desk: TestClient) -> None:
    """A reader of plain text is shown theirs, and nothing is offered that they do not get."""
    shown = page(desk, persona="text-only")

    assert "<pre>" in mail(desk, persona="text-only").text
    assert "variant=all-text" in shown
    assert ">Light</a>" not in shown


@pytest.mark.parametrize("key", PERSONAS)
def test_every_persona_has_a_mail(desk: TestClient, key: str) -> None:
    assert 200 == mail(desk, persona=key).status_code
    assert f'<option value="{key}" selected>' in page(desk, persona=key)


def test_an_edition_that_cannot_be_rendered_says_why(desk: TestClient, services: Services) -> None:
    """A personal field in the introduction is refused in words, in the frame and on the page."""
    with services.database.writing() as session:
        editions.find(session, make.WEEK).introduction = "Dear -vd2026w47whytext-"
    shown = desk.get(f"{PLACE}/preview")

    assert 409 == mail(desk).status_code == shown.status_code
    assert "looks like a personal field" in mail(desk).text
    assert "looks like a personal field" in shown.text


def test_an_edit_shows_at_once(desk: TestClient, services: Services) -> None:
    """And changes the fingerprint."""
    before = mail(desk).headers["X-Rendering-SHA256"]
    with services.database.reading() as session:
        found = editing.read(session, editions.find(session, make.WEEK))
    part = f"headline {found.order[0]}"
    was = manuscript.words_of(found, part)
    now = make.CUTOFF + timedelta(minutes=1)
    editing.write(services.database, make.WEEK, part, was=was, words="A headline of ours", by="staff 1", now=now)

    answer = mail(desk)
    assert "A headline of ours" in answer.text
    assert before != answer.headers["X-Rendering-SHA256"]


# — as a subscriber —


@pytest.fixture
def ada(services: Services) -> Subscriber:
    with services.database.writing() as session:
        return make.subscriber(session, "ada@example.com", name="Ada Quist", plain_text=True)


def test_a_subscriber_is_found_by_address(desk: TestClient, ada: Subscriber) -> None:
    """By a form that is posted, so that no address stands in the address of a page."""
    answer = desk.post(f"{PLACE}/preview", data={"email": " ADA@example.com", "view": "text", "as": "dark"})

    assert 303 == answer.status_code
    assert f"{PLACE}/preview?reader={ada.id}&view=text&as=dark" == answer.headers["location"]
    shown = desk.get(answer.headers["location"]).text
    assert "Ada Quist" in shown
    assert "ada@example.com" not in shown


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ("who@example.com", 404, "Nobody with that address has signed up."),
        ("nonsense", 422, "nonsense"),
        ("", 422, ""),
    ],
)
def test_nobody_is_said_to_be_nobody(desk: TestClient, given: str, status: int, words: str) -> None:
    """On the same page, with what was typed kept."""
    answer = desk.post(f"{PLACE}/preview", data={"email": given})

    assert status == answer.status_code
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert f'value="{given}"' in answer.text


def test_nobody_can_be_unsubscribed_from_the_desk(desk: TestClient, services: Services, ada: Subscriber) -> None:
    """The mail has their name and their variant, but links that lead nowhere."""
    shown = mail(desk, reader=str(ada.id), view="text").text

    assert "Hello Ada Quist" in " ".join(html.unescape(shown).split())
    assert services.links.unsubscribe_url(previewing.SAMPLE_LINK) in shown
    assert ada.link_id not in shown + page(desk, reader=str(ada.id))


def test_another_variant_than_theirs_is_said_to_be(desk: TestClient, ada: Subscriber) -> None:
    assert "They get it in the variant shown here" in page(desk, reader=str(ada.id))
    assert "They get another variant" in page(desk, reader=str(ada.id), variant="all")


def test_it_is_said_who_would_not_get_it(desk: TestClient, services: Services, ada: Subscriber) -> None:
    with services.database.writing() as session:
        session.execute(sa.update(Subscriber).where(Subscriber.id == ada.id).values(state="unsubscribed"))

    assert "would not get this edition: unsubscribed" in page(desk, reader=str(ada.id))


# — what may be asked, and by whom —

NONSENSE = [
    {"reader": "0"},
    {"reader": "-1"},
    {"reader": "²"},
    {"reader": "9" * 400},
    {"reader": "ada@example.com"},
    {"persona": "nobody"},
    {"view": "nothing"},
    {"as": "nothing"},
    {"variant": "none"},
    {"variant": "\x00"},
]


@pytest.mark.parametrize("query", NONSENSE, ids=str)
@pytest.mark.parametrize("place", ["mail", "preview"])
def test_what_there_is_not_is_not_found(desk: TestClient, place: str, query: dict[str, str]) -> None:
    answer = desk.get(f"{PLACE}/{place}", params=query)

    assert 404 == answer.status_code
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("week", ["2026-W60", "2026-W01", "nonsense", "0" * 500, "%00"])
def test_there_is_no_such_edition(desk: TestClient, week: str) -> None:
    for place in ("mail", "preview"):
        assert 404 == desk.get(f"/desk/{week}/{place}").status_code
    assert 404 == desk.post(f"/desk/{week}/preview", data={"email": "ada@example.com"}).status_code


def test_the_desk_is_for_editors(desk: TestClient, services: Services) -> None:
    """Operators are told so, strangers are sent to the door."""
    sign_in(desk, services, Role.OPERATOR)
    assert [403, 403, 403] == statuses(desk)
    desk.cookies.clear()
    assert [303, 303, 403] == statuses(desk)


def statuses(desk: TestClient) -> list[int]:
    answers = [desk.get(f"{PLACE}/mail"), desk.get(f"{PLACE}/preview"), desk.post(f"{PLACE}/preview", data={})]
    return [answer.status_code for answer in answers]


def test_looking_changes_nothing(desk: TestClient, services: Services, ada: Subscriber) -> None:
    """Not even the search for a subscriber."""
    before = dump(services)
    for query in ({}, {"view": "row"}, {"as": "dark"}, {"reader": str(ada.id)}):
        mail(desk, **query)
        page(desk, **query)
    desk.post(f"{PLACE}/preview", data={"email": "ada@example.com"})

    assert before == dump(services)
