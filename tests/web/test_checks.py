"""The checks of an edition: what is found and where, who answers for it, and that looking changes nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import approving, checking, editing, editions, intake, manuscript, overrides
from digest.bootstrap import Services
from digest.models import Comparison, Edition, Role
from digest.preflight import CHECKS, Problem
from tests import make
from tests.web.scanning import dump
from tests.web.staff_client import sign_in

PAGE = f"/desk/{make.WEEK}/checks"
POST = f"/desk/{make.WEEK}/overrides"
WHY = "It is the name of a song."
HOSTILE = """<script>alert(1)</script> "><img src=x> {{7*7777}} \u202e it's"""


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def desk(services: Services, client: TestClient) -> Services:
    """A draft with a placeholder in its introduction; Edda is signed in."""
    make.draft(services, entries=3)
    write(services, "introduction", "Good morning. TODO")
    sign_in(client, services, Role.EDITOR)
    return services


def write(desk: Services, part: str, words: str) -> None:
    with desk.database.reading() as session:
        seen = manuscript.words_of(editing.read(session, editions.find(session, make.WEEK)), part)
    editing.write(desk.database, make.WEEK, part, was=seen, words=words, by="staff 1", now=now())


def one(desk: Services, code: str) -> Problem:
    problems = checking.look(desk, make.WEEK, now=now()).problems
    return next(problem for problem in problems if problem.code == code)


def blocking(desk: Services) -> list[str]:
    return [problem.code for problem in checking.look(desk, make.WEEK, now=now()).problems if problem.blocks]


def withdraw(desk: Services) -> None:
    with desk.database.writing() as session:
        slug = session.scalars(sa.select(Comparison.slug).order_by(Comparison.id).limit(1)).one()
        assert slug is not None
        intake.withdraw(session, slug, why="wrong", by="otto", now=now())


def override(desk: Services, client: TestClient, reason: str = WHY) -> None:
    form = {"act": "override", "key": one(desk, "placeholder").key, "reason": reason}
    assert client.post(POST, data=form).headers["location"] == f"{PAGE}?done=overridden"


def test_each_problem_stands_with_place_what_and_mend(desk: Services, client: TestClient) -> None:
    page = client.get(PAGE).text

    assert "1 problem blocks the approval" in page
    assert "“TODO” looks like a place for words to come." in page
    assert "Write what belongs there." in page
    assert f'href="/desk/{make.WEEK}#introduction"' in page


def test_an_entrys_problem_leads_to_the_entry(desk: Services, client: TestClient) -> None:
    """By the comparison, which stays the same when entries change places."""
    with desk.database.reading() as session:
        entry = editions.entries_of(session, editions.find(session, make.WEEK))[0]
    with desk.database.writing() as session:
        slug = session.get_one(Comparison, entry.comparison_id).slug
        assert slug is not None
        intake.withdraw(session, slug, why="wrong", by="otto", now=now())

    assert f'href="/desk/{make.WEEK}#entry-{entry.comparison_id}"' in client.get(PAGE).text


def test_everything_that_is_looked_at_is_named(desk: Services, client: TestClient) -> None:
    """So that nothing found means something."""
    page = client.get(PAGE).text

    names = [check.name for check in CHECKS.values()]
    assert [name for name in names if name[1:].replace("’", "’") not in page] == []


def test_overridden_it_stands_with_name_and_reason_and_can_be_lifted(desk: Services, client: TestClient) -> None:
    override(desk, client)

    page = client.get(f"{PAGE}?done=overridden").text
    assert "Nothing blocks" in page
    assert "Overridden by <bdi>edda@example.com</bdi>" in page
    assert WHY in page
    assert blocking(desk) == []

    lifted = client.post(POST, data={"act": "lift", "key": one(desk, "placeholder").key})
    assert lifted.headers["location"] == f"{PAGE}?done=lifted"
    assert blocking(desk) == ["placeholder"]


def test_pressed_twice_the_second_finds_it_done(desk: Services, client: TestClient) -> None:
    key = one(desk, "placeholder").key
    override(desk, client)

    again = client.post(POST, data={"act": "override", "key": key, "reason": "another"})
    assert again.headers["location"] == f"{PAGE}?done=unchanged"
    client.post(POST, data={"act": "lift", "key": key})
    assert client.post(POST, data={"act": "lift", "key": key}).headers["location"] == f"{PAGE}?done=unchanged"


@pytest.mark.parametrize("reason", ["", "   ", "\u202e"])
def test_without_a_reason_nothing_is_changed(desk: Services, client: TestClient, reason: str) -> None:
    before = dump(desk)
    answer = client.post(POST, data={"act": "override", "key": one(desk, "placeholder").key, "reason": reason})

    assert (answer.status_code, "Give a reason" in answer.text) == (422, True)
    assert dump(desk) == before


def test_a_problem_that_reads_otherwise_by_now_is_refused_and_the_reason_is_kept(
    desk: Services, client: TestClient
) -> None:
    key = one(desk, "placeholder").key
    write(desk, "introduction", "Good morning. TBD")

    answer = client.post(POST, data={"act": "override", "key": key, "reason": WHY})

    assert (answer.status_code, "no longer in these words" in answer.text) == (409, True)
    assert blocking(desk) == ["placeholder"]


def test_what_is_final_has_no_form_and_its_post_is_refused(desk: Services, client: TestClient) -> None:
    withdraw(desk)
    key = one(desk, "withdrawn").key

    assert f'value="{key}"' not in client.get(PAGE).text
    answer = client.post(POST, data={"act": "override", "key": key, "reason": WHY})
    assert (answer.status_code, "cannot be overridden" in answer.text) == (409, True)


def test_an_override_of_what_is_mended_is_told_apart(desk: Services, client: TestClient) -> None:
    override(desk, client)
    write(desk, "introduction", "Good morning.")

    assert "1 override of what is found no more" in client.get(PAGE).text


def test_an_approved_edition_shows_its_overrides_and_no_forms(desk: Services, client: TestClient) -> None:
    override(desk, client)
    key = one(desk, "placeholder").key
    approving.approve(desk, make.WEEK, by="x", send_at=now() + timedelta(days=1), seen_hash=None, now=now())

    page = client.get(PAGE).text
    assert WHY in page
    assert "/overrides" not in page
    answer = client.post(POST, data={"act": "lift", "key": key})
    assert (answer.status_code, "is approved; reopen it first" in answer.text) == (409, True)
    with desk.database.reading() as session:
        assert len(overrides.of(session, editions.find(session, make.WEEK))) == 1


def test_the_list_alone_says_how_many_block_and_of_which_revision(desk: Services, client: TestClient) -> None:
    """For the page where the edition is written; without forms."""
    fragment = client.get(f"{PAGE}?fragment=list").text

    assert re.match(r'\s*<section id="checks"', fragment)
    assert re.search(r'data-blocking="1" data-warnings="[1-9]" data-revision="1"', fragment)
    assert ("<html" in fragment, "<form" in fragment) == (False, False)


def test_one_that_has_begun_is_not_checked_any_more(desk: Services, client: TestClient) -> None:
    with desk.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=now()))

    assert client.get(PAGE).headers["location"] == f"/desk/{make.WEEK}"
    assert "nothing is checked any more" in client.get(f"{PAGE}?fragment=list").text


def test_looking_changes_nothing(desk: Services, client: TestClient) -> None:
    before = dump(desk)
    for path in (PAGE, f"{PAGE}?fragment=list", f"{PAGE}?done=overridden", POST):
        client.get(path)

    assert dump(desk) == before


def test_hostile_words_are_inert(desk: Services, client: TestClient) -> None:
    write(desk, "introduction", f"TODO {HOSTILE}")
    write(desk, "subject", f"17 {HOSTILE}"[:78])
    override(desk, client, HOSTILE)

    for path in (PAGE, f"{PAGE}?fragment=list"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "54439" not in page


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"act": "override"},
        {"act": "lift"},
        {"act": "both", "key": "x", "reason": "y"},
        {"act": "override", "key": "0" * 5000, "reason": "y"},
        {"act": "lift", "key": "\x00\ud7ff"},
    ],
)
def test_nonsense_gets_one_sentence_or_nothing_to_do(desk: Services, client: TestClient, form: dict[str, str]) -> None:
    before = dump(desk)
    answer = client.post(POST, data=form)

    assert answer.status_code in (303, 409, 422)
    assert dump(desk) == before


@pytest.mark.parametrize("week", ["2026-W99", "nonsense", "2031-W01", "%00", "9" * 400])
def test_a_week_without_an_edition_is_a_plain_no(desk: Services, client: TestClient, week: str) -> None:
    assert client.get(f"/desk/{week}/checks").status_code == 404
    assert client.post(f"/desk/{week}/overrides", data={"act": "lift", "key": "x"}).status_code == 404


def test_operators_and_strangers_stay_outside(desk: Services, client: TestClient) -> None:
    before = blocking(desk)
    form = {"act": "override", "key": one(desk, "placeholder").key, "reason": WHY}
    sign_in(client, desk, Role.OPERATOR)
    assert (client.get(PAGE).status_code, client.post(POST, data=form).status_code) == (403, 403)

    client.cookies.clear()
    assert client.get(PAGE).headers["location"].startswith("/sign-in")
    assert client.post(POST, data=form).status_code == 403
    assert blocking(desk) == before


def test_another_site_cannot_override(desk: Services, client: TestClient) -> None:
    form = {"act": "override", "key": one(desk, "placeholder").key, "reason": WHY}
    answer = client.post(POST, data=form, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert blocking(desk) == ["placeholder"]


def test_how_many_are_overridden_stands_beside_what_blocks(desk: Services, client: TestClient) -> None:
    """On the page and in the list beside the words: nothing blocks, but not because nothing was found."""
    verdict = r'<p class="verdict is-(?:block|warn)">(.*?)</p>'

    def said() -> set[str]:
        pages = [client.get(PAGE).text, client.get(f"{PAGE}?fragment=list").text]
        return {re.sub("<[^>]*>", "", re.search(verdict, page)[1]) for page in pages}  # type: ignore[index]

    assert said() == {"1 problem blocks the approval, 3 warnings"}
    override(desk, client)
    assert said() == {"Nothing blocks, 1 overridden, 3 warnings"}
    assert 'data-overridden="1"' in client.get(f"{PAGE}?fragment=list").text
