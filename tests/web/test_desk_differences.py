"""What is not as it was, on the desk: any earlier state or edition, told in words and shown as two mails."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import editing, editions
from digest.bootstrap import Services
from digest.manuscript import Manuscript
from digest.models import Edit, Edition, Role
from tests import make
from tests.web.staff_client import sign_in

PAGE = f"/desk/{make.WEEK}/differences"
NOW = datetime.now(UTC)


@pytest.fixture
def desk(client: TestClient, services: Services) -> TestClient:
    """Edda before a draft of three, after an edition that went out."""
    make.draft(services, week="2026-W46", now=make.CUTOFF - timedelta(weeks=1))
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=make.SEEN))
    make.draft(services, entries=3)
    sign_in(client, services, Role.EDITOR)
    return client


def read(services: Services) -> Manuscript:
    with services.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK))


def write(services: Services, words: str, part: str = "subject") -> None:
    was = read(services).subject if part == "subject" else ""
    editing.write(services.database, make.WEEK, part, was=was, words=words, by="staff 1", now=NOW)


def words(answer: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer)).split())


def test_it_begins_with_the_last_edition(desk: TestClient) -> None:
    page = desk.get(PAGE)

    assert page.status_code == 200
    assert "From edition 2026-W46 , to 2026-W47 as it is now." in words(page.text)
    assert 'src="/desk/2026-W47/differences/mail?against=2026-W46"' in page.text
    assert 'src="/desk/2026-W47/mail?variant=all"' in page.text
    assert page.text.count("<iframe sandbox ") == 2


def test_words_are_told_word_by_word(desk: TestClient, services: Services) -> None:
    write(services, f"{read(services).subject}, and what it costs")

    page = desk.get(PAGE, params={"against": "drafted"}).text

    assert "<ins>" in page
    assert "and what it costs" in words(page)
    assert "this edition as it was drafted" in page


def test_no_words_become_markup(desk: TestClient, services: Services) -> None:
    write(services, '<script>alert(1)</script> "><img src=x> {{7*7}} \u202etxt', "introduction")

    answer = desk.get(PAGE, params={"against": "drafted"})
    page = answer.text

    assert answer.status_code == 200
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "{{7*7}}" in page


def test_nothing_changed_is_said(desk: TestClient) -> None:
    assert "Nothing a reader could see is different." in desk.get(PAGE, params={"against": "drafted"}).text


def test_looking_changes_nothing(desk: TestClient, services: Services) -> None:
    before = read(services)
    for against in ("", "drafted", "2026-W46", "r0"):
        assert desk.get(PAGE, params={"against": against}).status_code == 200
        assert desk.get(f"{PAGE}/mail", params={"against": against}).status_code == 200

    assert before == read(services)
    with services.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Edit.id))) == 0


def test_the_mail_can_do_nothing_in_its_frame(desk: TestClient, services: Services) -> None:
    write(services, "Other words of an editor")

    mail = desk.get(f"{PAGE}/mail", params={"against": "drafted"})

    assert mail.headers["content-security-policy"].startswith("sandbox allow-same-origin; default-src 'none'")
    assert mail.headers["x-frame-options"] == "SAMEORIGIN"
    assert "Other words of an editor" not in mail.text
    assert "frame-src 'self'" in desk.get(PAGE).headers["content-security-policy"]


@pytest.mark.parametrize(
    "against", ["r1", "r99999999999", "2026-W48", "2026-W47", "2026-W99", "test", "approval", "x", "\0", "<b>"]
)
def test_what_there_is_not_is_said(desk: TestClient, against: str) -> None:
    """And the page still offers what there is."""
    page, mail = desk.get(PAGE, params={"against": against}), desk.get(f"{PAGE}/mail", params={"against": against})

    assert (page.status_code, mail.status_code) == (404, 404)
    assert 'role="alert"' in page.text
    assert '<option value="drafted"' in page.text


def test_a_question_too_long_is_none(desk: TestClient) -> None:
    assert desk.get(PAGE, params={"against": "x" * 5000}).status_code == 422


def test_what_cannot_be_put_together_any_more_is_said(desk: TestClient, services: Services) -> None:
    """The facts of an entry that was taken out are gone with a page that turned out to be another's."""
    editing.drop(services.database, make.WEEK, read(services).order[0], by="staff 1", now=NOW)
    with services.database.writing() as session:
        edit = session.scalars(sa.select(Edit)).one()
        edit.before = {name: value for name, value in edit.before.items() if not name.startswith("facts ")}

    page, mail = desk.get(PAGE, params={"against": "r0"}), desk.get(f"{PAGE}/mail", params={"against": "r0"})

    assert "cannot be put together any more" in words(page.text)
    assert (page.status_code, mail.status_code) == (404, 404)


def test_after_sending_it_can_still_be_looked_at(desk: TestClient, services: Services) -> None:
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=NOW))

    assert desk.get(PAGE).status_code == 200


@pytest.mark.parametrize("place", ["differences", "differences/mail"])
def test_it_is_for_editors(client: TestClient, services: Services, place: str) -> None:
    make.draft(services)
    path = f"/desk/{make.WEEK}/{place}"
    assert client.get(path).headers["location"].startswith("/sign-in?next=")
    sign_in(client, services, Role.OPERATOR)
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("week", ["2026-W48", "2026-W99", "nonsense"])
def test_an_edition_that_is_not_there(desk: TestClient, week: str) -> None:
    assert desk.get(f"/desk/{week}/differences").status_code == 404
    assert desk.get(f"/desk/{week}/differences/mail").status_code == 404
