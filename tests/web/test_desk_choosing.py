"""The selection page: why each comparison is in or out, other rules tried in vain and applied as seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import approving, drafting, editing, editions
from digest.bootstrap import Services
from digest.models import Considered, Edition, EditionState, Role
from digest.selection import Rules
from digest.web.desk import rules_form
from digest.weeks import Week
from tests import make
from tests.web.staff_client import sign_in

PAGE = f"/desk/{make.WEEK}/selection"
NOW = datetime.now(UTC)


@pytest.fixture
def desk(client: TestClient, services: Services) -> TestClient:
    """Edda before a draft of eight out of twelve comparisons."""
    make.draft(services, entries=12)
    sign_in(client, services, Role.EDITOR)
    return client


def words(answer: str) -> str:
    return plain(unescape(re.sub(r"<[^>]*>", " ", answer)))


def plain(text: str) -> str:
    return " ".join(text.split())


def order(services: Services) -> tuple[int, ...]:
    with services.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK)).order


def stored(services: Services) -> list[tuple[object, ...]]:
    """All that trying may not touch."""
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        rows = session.execute(sa.select(Considered.comparison_id, Considered.rank, Considered.reason).order_by("rank"))
        return [(edition.revision, edition.state, edition.rules, order(services)), *(tuple(row) for row in rows)]


def offered(page: str) -> dict[str, str]:
    """The hidden fields of the form that applies what the page shows."""
    return {
        name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    }


def test_each_entry_says_why_it_is_in(desk: TestClient, services: Services) -> None:
    page = desk.get(PAGE)

    assert page.status_code == 200
    text = words(page.text)
    assert "12 comparisons stood for this week. The rules chose 8." in text
    with services.database.reading() as session:
        for row, name in editions.considered_by_name(session, editions.find(session, make.WEEK)):
            assert name in text
            assert f"{row.score} points, ranked {row.rank}" in text
            assert plain(f"{row.reason[:1].upper()}{row.reason[1:]}.") in text
            for part in row.parts:
                assert plain(part["words"]) in text


def test_what_editors_did_stands_beside_it(desk: TestClient, services: Services) -> None:
    first = order(services)[0]
    editing.drop(services.database, make.WEEK, first, by="staff 1", now=NOW)

    text = words(desk.get(PAGE).text)

    assert "editors took out 1, brought in none and pinned none" in text
    assert re.search(r"taken out Taken out by edda@example\.com , .*; the rules chose it\.", text)


def test_trying_changes_nothing(desk: TestClient, services: Services) -> None:
    before = stored(services)

    page = desk.get(PAGE, params={"max_entries": "3", "distance": "50"})

    assert page.status_code == 200
    text = words(page.text)
    assert "Entries at most: 8 → 3" in text
    assert "Distance: 18 → 50" in text
    assert text.count("goes out") == 5
    assert before == stored(services)


def test_what_was_seen_is_applied_and_told(desk: TestClient, services: Services) -> None:
    before = order(services)
    page = desk.get(PAGE, params={"max_entries": "3"}).text

    answer = desk.post(PAGE, data=offered(page))

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=selected")
    assert order(services) == before[:3]
    told = words(desk.get(answer.headers["location"]).text)
    assert "Selected again by these rules." in told
    assert "The rules chose 3." in told


def test_pressed_twice_it_is_done_once(desk: TestClient, services: Services) -> None:
    page = desk.get(PAGE, params={"max_entries": "3"}).text

    first, second = desk.post(PAGE, data=offered(page)), desk.post(PAGE, data=offered(page))

    assert (first.status_code, second.status_code) == (303, 409)
    assert "Below is what your rules would change now." in second.text
    with services.database.reading() as session:
        assert editions.find(session, make.WEEK).revision == 1


def test_who_saw_an_earlier_draft_is_shown_the_new_one(desk: TestClient, services: Services) -> None:
    page = desk.get(PAGE, params={"max_entries": "3"}).text
    editing.drop(services.database, make.WEEK, order(services)[0], by="staff 1", now=NOW)
    before = stored(services)

    answer = desk.post(PAGE, data=offered(page))

    assert answer.status_code == 409
    assert "has been changed by edda@example.com since you looked" in words(answer.text)
    assert before == stored(services)
    assert desk.post(PAGE, data=offered(answer.text)).status_code == 303


def test_an_approval_is_void_with_it_and_that_is_said(desk: TestClient, services: Services) -> None:
    approving.approve(services, make.WEEK, by="e@example.com", send_at=None, seen_hash=None, now=make.APPROVED)
    page = desk.get(PAGE, params={"max_entries": "3"}).text

    answer = desk.post(PAGE, data=offered(page))

    assert "selecting again voids the approval" in page
    assert answer.headers["location"] == f"{PAGE}?done=voided"
    with services.database.reading() as session:
        assert editions.find(session, make.WEEK).state is EditionState.DRAFT


NONSENSE = [
    ({"max_entries": "0"}, "Entries at most must be a whole number from 1 to 50, not “0”."),
    ({"max_entries": "51"}, "Entries at most must be a whole number from 1 to 50, not “51”."),
    ({"max_entries": "-1"}, "Entries at most must be a whole number from 1 to 50, not “-1”."),
    ({"max_entries": "many"}, "Entries at most must be a whole number from 1 to 50, not “many”."),
    ({"max_entries": ""}, "Entries at most must be a whole number from 1 to 50, not nothing."),
    ({"max_entries": "٣"}, "Entries at most must be a whole number from 1 to 50, not “٣”."),
    ({"per_tool": "1.5"}, "Entries with one tool must be a whole number from 1 to 50, not “1.5”."),
    ({"distance": "9" * 5000}, f"Distance must be a whole number from 0 to 1,000, not “{'9' * 40}”."),
    ({"newness": "<script>"}, "Newness must be a whole number from 0 to 1,000, not “<script>”."),
    ({"max_entries": "3", "min_entries": "4"}, "Entries at least (4) must not be more than entries at most (3)."),
]


@pytest.mark.parametrize(("given", "said"), NONSENSE)
def test_nonsense_gets_one_sentence(desk: TestClient, services: Services, given: dict[str, str], said: str) -> None:
    before = stored(services)

    tried, posted = desk.get(PAGE, params=given), desk.post(PAGE, data={**given, "revision": "0"})

    assert (tried.status_code, posted.status_code) == (422, 422)
    assert said in words(tried.text)
    assert f"{said} Nothing was changed." in words(posted.text)
    assert before == stored(services)


@pytest.mark.parametrize(
    "fields", [{}, {"revision": "x"}, {"revision": "9" * 400}, {"seen": "0" * 32, "revision": "0"}]
)
def test_a_form_that_is_not_whole_changes_nothing(desk: TestClient, services: Services, fields: dict[str, str]) -> None:
    before = stored(services)

    assert desk.post(PAGE, data={"max_entries": "3", **fields}).status_code == 409
    assert before == stored(services)


def test_too_few_are_said_before_and_refused_after(desk: TestClient, services: Services) -> None:
    page = desk.get(PAGE, params={"max_entries": "20", "min_entries": "20"})

    assert page.status_code == 200
    assert "these rules cannot be applied" in page.text
    assert offered(page.text) == {}


def test_what_is_on_its_way_cannot_be_selected_again(desk: TestClient, services: Services) -> None:
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(state=EditionState.SENT, begun_at=NOW))

    page, tried = desk.get(PAGE), desk.get(PAGE, params={"max_entries": "3"})

    assert (page.status_code, tried.status_code) == (200, 409)
    assert "Change the rules" not in page.text
    assert f"Edition {make.WEEK} is sent, so it cannot be selected again." in tried.text
    assert desk.post(PAGE, data={"max_entries": "3", "revision": "0"}).status_code == 409


def test_a_name_is_found_among_all_that_stood(desk: TestClient, services: Services) -> None:
    with services.database.reading() as session:
        rows = editions.considered_by_name(session, editions.find(session, make.WEEK))
        name = rows[-1][1]

    text = words(desk.get(PAGE, params={"q": name.upper()}).text)

    assert f"1 comparison has “ {name.upper()} ” in the name" in text
    assert rows[0][1] not in text


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=99999", "page=x", "page=٢", f"q={'x' * 3000}", "done=x", "parts=x"]
)
def test_odd_questions_are_answered(desk: TestClient, query: str) -> None:
    assert desk.get(f"{PAGE}?{query}").status_code == 200


def test_the_rest_comes_in_pages(client: TestClient, services: Services) -> None:
    found = make.with_settings(services, digest_max_entries=1)
    with services.database.writing() as session:
        make.taken_in(session, *(make.comparison() for _ in range(60)))
        drafting.draft(session, Week.parse(make.WEEK), found.settings, by="test", now=make.CUTOFF)
    sign_in(client, services, Role.EDITOR)

    first, last = client.get(PAGE), client.get(PAGE, params={"page": "3"})

    assert "53 other comparisons passed over" in words(first.text)
    assert "Page 1 of 3" in first.text
    assert "ranked 60" not in words(first.text)
    assert "ranked 60" in words(last.text)


def test_a_skipped_edition_says_why_too(client: TestClient, services: Services) -> None:
    make.draft(services, entries=1)
    with services.database.writing() as session:
        editions.skip(session, editions.find(session, make.WEEK), why="a holiday", by="staff 1", now=make.CUTOFF)
    sign_in(client, services, Role.EDITOR)

    assert client.get(PAGE).status_code == 200


@pytest.mark.parametrize("week", ["2026-W48", "2026-W99", "nonsense", "2026-W47%00"])
def test_an_edition_that_is_not_there(desk: TestClient, week: str) -> None:
    assert desk.get(f"/desk/{week}/selection").status_code == 404
    assert desk.post(f"/desk/{week}/selection").status_code == 404


def test_it_is_for_editors(client: TestClient, services: Services) -> None:
    make.draft(services)
    assert client.get(PAGE).headers["location"].startswith("/sign-in?next=")
    sign_in(client, services, Role.OPERATOR)
    assert (client.get(PAGE).status_code, client.post(PAGE, data={"max_entries": "3"}).status_code) == (403, 403)


def test_another_site_cannot_press_it(desk: TestClient, services: Services) -> None:
    page = desk.get(PAGE, params={"max_entries": "3"}).text

    answer = desk.post(PAGE, data=offered(page), headers={"Origin": "https://evil.example.com"})

    assert answer.status_code == 403
    assert len(order(services)) == 8


def test_every_rule_has_a_box() -> None:
    """A new rule would otherwise be one that nobody can change."""
    fields = set(rules_form.values_of(Rules()))

    assert fields == set(rules_form.NAMES)
