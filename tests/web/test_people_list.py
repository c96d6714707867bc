"""The list of people: found by part of address or name, page by page, and many changed at once."""

from __future__ import annotations

import html
import re
from itertools import pairwise

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st

from digest.bootstrap import Services
from digest.models import AuditLine, Role
from digest.people import bulk
from digest.people.bulk import Selection
from digest.web import people_bulk, people_list
from digest.web.people_list import Place
from subscribers import consent, roster
from subscribers.addresses import parse
from subscribers.models import State, Subscriber
from tests import make
from tests.web.staff_client import sign_in


def addresses(answer: Response) -> list[str]:
    """The addresses in the rows, in their order."""
    assert 200 == answer.status_code
    return [html.unescape(each) for each in re.findall(r'href="/people/\d+"><bdi>([^<]*)</bdi>', answer.text)]


def way(answer: Response, rel: str) -> str | None:
    found = re.search(rf'<a href="([^"]+)" rel="{rel}">', answer.text)
    return html.unescape(found[1]) if found else None


def export_in(page: str) -> dict[str, str]:
    """What the button for the export sends."""
    found = re.search(r'<form[^>]* method="post" action="/people/export\.csv">(.*?)</form>', page, re.DOTALL)
    assert found
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', found[1])
    return {name: html.unescape(value) for name, value in fields}


@pytest.fixture
def operator(client: TestClient, services: Services) -> TestClient:
    sign_in(client, services)
    return client


@pytest.fixture
def cast(services: Services) -> dict[str, Subscriber]:
    with services.database.writing() as session:
        return make.cast(session)


def test_the_list_is_for_operators(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """Signed out one is led to the door and back; editors are refused; admins may."""
    for path in ("/people", "/people?fragment=rows&q=ada", "/people/bulk?q=ada"):
        client.cookies.clear()
        away = client.get(path)
        assert (303, True) == (away.status_code, away.headers["location"].startswith("/sign-in?next=/people"))
        sign_in(client, services, Role.EDITOR)
        refused = client.get(path)
        assert (403, False) == (refused.status_code, "example.com</bdi>" in refused.text)
        sign_in(client, services, Role.ADMIN)
        assert 200 == client.get(path).status_code


def test_found_by_part_of_address_or_name(operator: TestClient, services: Services) -> None:
    """Whatever the case; who has exactly the address stands first and is marked."""
    with services.database.writing() as session:
        for email in ("long.ada@example.com", "ada@example.com", "zoe@example.org"):
            make.subscriber(session, email)
        consent.add(
            session,
            consent.Newcomer(parse("x@example.org"), name="Åda Quist"),
            basis=make.BASIS,
            now=make.SEEN,
            source="test",
        )

    exact = operator.get("/people", params={"q": "ADA@example.com"})
    assert ["ada@example.com", "long.ada@example.com"] == addresses(exact)
    assert 1 == exact.text.count("this very address")
    assert ["x@example.org"] == addresses(operator.get("/people", params={"q": "åda q"}))
    assert ["zoe@example.org"] == addresses(operator.get("/people", params={"q": " zoe "}))


def test_filtered_by_state(operator: TestClient, cast: dict[str, Subscriber]) -> None:
    """Each of the four finds its own one, and the counts of all are beside the choices."""
    for state in State:
        answer = operator.get("/people", params={"state": state.value})
        assert [person.email for person in cast.values() if person.state is state] == addresses(answer)
        assert "1 person found" in answer.text
        assert ["4", "1", "1", "1", "1"] == re.findall(r'<span class="number">(\d+)</span>', answer.text)


def test_next_and_back_walk_over_everybody_once(
    operator: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward until there is no more, and back the same way to the first page."""
    monkeypatch.setattr(people_list, "PAGE", 3)
    with services.database.writing() as session:
        make.audience(session, 11)
    forward = [operator.get("/people?q=reader")]
    while following := way(forward[-1], "next"):
        forward.append(operator.get(following))
    back = [forward[-1]]
    while before := way(back[-1], "prev"):
        back.append(operator.get(before))

    seen = [each for page in forward for each in addresses(page)]
    assert {f"reader{n}@example.com" for n in range(11)} == set(seen)
    assert 11 == len(seen)
    assert [3, 3, 3, 2] == [len(addresses(page)) for page in forward]
    assert [addresses(page) for page in forward] == [addresses(page) for page in reversed(back)]
    assert all("11 people found" in page.text for page in forward)


numbers = st.integers(min_value=1, max_value=10**17)
steps = st.lists(numbers, max_size=people_list.MOST_STEPS_BACK)
states = st.sampled_from([None, *State])


@given(steps, st.text(max_size=9), states)
def test_back_undoes_next(ends: list[int], text: str, state: State | None) -> None:
    """As far as a trail reaches, however far one went."""
    places = [Place(Selection(text, state))]
    for end in ends:
        places.append(places[-1].following(end))
    for before, place in pairwise(places):
        assert before == place.before()


@given(st.lists(numbers, max_size=120))
def test_an_address_stays_short(ends: list[int]) -> None:
    """A thousand pages on, it is still one that browsers and proxies take, and back ends at the beginning."""
    place = Place(Selection())
    for end in ends:
        place = place.following(end)

    assert len(place.address()) < 700
    for _ in range(people_list.MOST_STEPS_BACK + 1):
        place = place.before()
    assert 0 == place.after


def test_the_fragment_is_the_rows_of_the_page(
    operator: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the script fetches is what the page shows, without the page around it, and says how many were found."""
    monkeypatch.setattr(people_list, "PAGE", 3)
    with services.database.writing() as session:
        make.audience(session, 8)
    for query in ("?q=reader", "?q=reader7", "?state=active", "?q=nobody", ""):
        page = operator.get(f"/people{query}")
        rows = operator.get(f"/people{query}{'&' if query else '?'}fragment=rows")
        assert rows.text.strip() in page.text
        assert "<html" not in rows.text
        assert ">" + re.findall(r'data-found="([^"]+)"', rows.text)[0] + "</p>" in page.text


def test_nobody_found_is_said(operator: TestClient) -> None:
    """With the way on where there is nobody at all, and the rule of short texts where it matters."""
    assert "There is nobody here yet" in operator.get("/people").text
    answer = operator.get("/people", params={"q": "<b>x", "state": "pending"})
    assert "Nobody pending has <strong><bdi>&lt;b&gt;x</bdi></strong>" in answer.text
    assert "only the beginning of addresses" in operator.get("/people?q=zz").text


NONSENSE = (
    "after=abc",
    "after=-1",
    f"after={'9' * 400}",
    "after=%D9%A1",
    "trail=a.b..7.-1",
    f"trail={'.'.join('9' * 900)}",
    "q=%00%ff%fe",
    "q=%25%5F%5C%27",
    f"q={'x' * 5000}",
    "q=a&q=b&state=active&state=pending",
    "fragment=everything",
    "done=<script>",
)


def test_any_question_has_an_answer(operator: TestClient, cast: dict[str, Subscriber]) -> None:
    """Whatever stands in the address: a page, and nothing of it but the text searched for comes back."""
    for query in NONSENSE:
        for path in (f"/people?{query}", f"/people?fragment=rows&{query}", f"/people/bulk?{query}"):
            answer = operator.get(path)
            assert 200 == answer.status_code, path
            assert "<script>" not in answer.text, path


@pytest.mark.parametrize("state", ["nonsense", "Active", "active,pending", "\x00"])
def test_a_state_there_is_not_is_not_everybody(
    operator: TestClient, services: Services, readers: None, state: str
) -> None:
    """404 with a sentence, in the list and most of all before something is done to all who were found."""
    asked = [operator.get(path, params={"state": state}) for path in ("/people", "/people/bulk")]
    pressed = press(operator, q="", state=state, count="4")

    for answer in (*asked, pressed):
        assert 404 == answer.status_code
        assert "the states are pending, active, unsubscribed, suppressed" in answer.text
    assert 4 == active(services)


def test_a_short_text_is_a_beginning(operator: TestClient, readers: None) -> None:
    """Beside what was found stands that one or two characters begin an address; from three on nothing of it."""
    short, longer = (operator.get(f"/people?q={text}").text for text in ("re", "rea"))

    assert "With fewer than 3 characters only the beginning of addresses is looked at" in short
    assert "fewer than" not in longer + operator.get("/people").text
    assert "at the beginning of their address" in operator.get("/people/bulk?q=re").text
    assert "in their address or name" in operator.get("/people/bulk?q=rea").text


def test_signs_of_a_pattern_mean_themselves(operator: TestClient, cast: dict[str, Subscriber]) -> None:
    """Per cent and underscore find nobody who has none."""
    assert [] == addresses(operator.get("/people", params={"q": "%a%"}))
    assert [] == addresses(operator.get("/people", params={"q": "_d_@"}))


# — many at once —


def press(client: TestClient, **given: str) -> Response:
    values = {"act": "unsubscribe", "q": "reader", "state": "", "count": "3", "reason": "the fair was cancelled"}
    answer: Response = client.post("/people/bulk", data=values | given)
    return answer


@pytest.fixture
def readers(services: Services) -> None:
    """Three of them, and Ada."""
    with services.database.writing() as session:
        make.audience(session, 3)
        make.subscriber(session)


def active(services: Services) -> int:
    with services.database.reading() as session:
        return roster.counts(session)[State.ACTIVE]


def test_the_page_counts_before_anything_is_done(operator: TestClient, services: Services, readers: None) -> None:
    """The exact number, what happens to whom, and the ways to export or go back with the same search."""
    text = operator.get("/people/bulk?q=reader&state=active").text

    assert "Unsubscribe 3 people" in text
    assert "no further edition is handed over to them" in text
    assert 'name="count" value="3"' in text
    assert {"q": "reader", "state": "active"} == export_in(text)
    assert 4 == active(services)


def test_the_export_holds_whom_the_page_counts(operator: TestClient, services: Services, readers: None) -> None:
    """The same search, the same people; the log knows that it was a search, and of it only a keyed hash."""
    page = operator.get("/people/bulk?q=reader&state=active").text
    assert export_in(page) == export_in(operator.get("/people?q=reader&state=active").text)
    lines = operator.post("/people/export.csv", data=export_in(page)).text.splitlines()
    exact = operator.post("/people/export.csv", data={"q": "ada@example.com"}).text.splitlines()

    assert (4, 2) == (len(lines), len(exact))
    assert not any("ada@" in line for line in lines)
    with services.database.reading() as session:
        noted = session.scalars(sa.select(AuditLine).where(AuditLine.what == "people exported")).all()
    assert not any("reader" in str(line.details) or "ada" in str(line.details) for line in noted)
    assert noted[0].details["search"] != noted[1].details["search"]


@pytest.mark.parametrize(("act", "state"), [("unsubscribe", State.UNSUBSCRIBED), ("suppress", State.SUPPRESSED)])
def test_a_press_does_it_to_all_of_them(
    operator: TestClient, services: Services, readers: None, act: str, state: State
) -> None:
    """And to nobody else; pressed again, the answer says why nobody changed."""
    first, second = press(operator, act=act), press(operator, act=act)

    assert f"3 people {state.value}" in first.text
    assert "Nobody was left out" in first.text
    assert f"0 people {state.value}" in second.text
    assert "3 were left as they are" in second.text
    with services.database.reading() as session:
        assert 3 == roster.counts(session)[state]
        assert 2 == len(session.scalars(sa.select(AuditLine).where(AuditLine.what == f"{act} everybody found")).all())


def test_a_stale_count_is_refused_with_the_new_one(operator: TestClient, services: Services, readers: None) -> None:
    """Nothing is done, what was typed stays, and the page asks again with the number of now."""
    answer = press(operator, count="2")

    assert 409 == answer.status_code
    assert "found 2 when the page was shown and finds 3 now" in answer.text
    assert 'name="count" value="3"' in answer.text
    assert 'value="the fair was cancelled"' in answer.text
    assert 4 == active(services)


BROKEN: list[dict[str, str]] = [
    {"reason": ""},
    {"reason": " \u202e"},
    {"act": "erase"},
    {"act": ""},
    {"count": ""},
    {"count": "-3"},
    {"count": "3.0"},
    {"count": "٣"},
    {"count": "9" * 400},
]


def test_a_broken_form_does_nothing(operator: TestClient, services: Services, readers: None) -> None:
    """It is said that nothing was done."""
    for broken in BROKEN:
        answer = press(operator, **broken)
        assert (422, True) == (answer.status_code, "Nothing was done" in answer.text), broken

    assert 4 == active(services)


def test_too_many_are_not_offered_and_not_done(
    operator: TestClient, services: Services, readers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One asks for a narrower search instead."""
    monkeypatch.setattr(bulk, "MOST", 2)

    assert "Narrow the search" in operator.get("/people/bulk?q=reader").text
    assert 'name="count"' not in operator.get("/people/bulk?q=reader").text
    assert 422 == press(operator).status_code
    assert 4 == active(services)


def test_who_there_was_no_time_for_is_said(
    operator: TestClient, services: Services, readers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer comes before what stands between gives up waiting, with the way to go on."""
    monkeypatch.setattr(bulk, "CHUNK", 2)
    monkeypatch.setattr(people_bulk, "LONGEST_WAIT", -1.0)
    answer = press(operator)

    assert "2 people unsubscribed" in answer.text
    assert "no time for 1 more" in answer.text
    assert 'href="/people/bulk?q=reader"' in answer.text


def test_no_other_site_and_nobody_else_presses_it(client: TestClient, services: Services, readers: None) -> None:
    """Signed out, as an editor, from elsewhere: nothing."""
    assert 403 == press(client).status_code
    sign_in(client, services, Role.EDITOR)
    assert 403 == press(client).status_code
    sign_in(client, services)
    client.headers["Origin"] = "https://evil.example.org"
    assert 403 == press(client).status_code
    assert 4 == active(services)
