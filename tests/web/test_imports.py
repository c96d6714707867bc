"""Bringing a list in through the pages: upload, report, decision; and taking everybody out again."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

from digest.bootstrap import Services
from digest.models import AuditLine, ImportState, Letter, ListImport, Role
from digest.people import importing, imports
from digest.web import imports as door
from subscribers import roster, transfer
from subscribers.models import State
from tests import make
from tests.web.staff_client import sign_in

LIST = b"email,name\nada@example.com,Ada\nnobody at all,\nben@example.org,Ben\nada@example.com,Ada\n"
LINES = sa.select(AuditLine).where(sa.not_(AuditLine.what.in_(["staff added", "signed in"]))).order_by(AuditLine.id)
BASIS = "they ticked the box at our stand"


@pytest.fixture
def otto(client: TestClient, services: Services) -> TestClient:
    """Signed in as an operator."""
    sign_in(client, services)
    return client


def upload(client: TestClient, content: bytes = LIST, name: str = "list.csv") -> Response:
    answer: Response = client.post("/people/import", files={"list": (name, content, "text/csv")})
    return answer


def work(services: Services) -> None:
    while importing.work_next(services.database, clock=lambda: datetime.now(UTC)):
        pass


def checked(client: TestClient, services: Services, content: bytes = LIST) -> str:
    """The address of a list that was uploaded and checked."""
    place = upload(client, content).headers["location"]
    work(services)
    return place


def rows(services: Services) -> list[ListImport]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(ListImport)))


def noted(services: Services) -> list[tuple[str, str | None]]:
    with services.database.reading() as session:
        return [(line.what, line.about) for line in session.scalars(LINES)]


def people(services: Services) -> dict[str, State]:
    with services.database.reading() as session:
        return {each.email: each.state for each in roster.everybody(session)}


def test_a_list_goes_in_by_hand(otto: TestClient, services: Services) -> None:
    """Upload, look, decide: each step a page, nobody added before the last, and a line in the audit log for each."""
    answer = upload(otto)
    place = answer.headers["location"]
    assert (303, "/people/import/1") == (answer.status_code, place)
    assert "being checked" in otto.get(place).text
    work(services)
    report = otto.get(place).text
    assert "Line 3" in report
    assert "2 confirmation letters go out" in report
    assert {} == people(services)

    decided = otto.post(f"{place}/bring-in", data={"way": "basis", "basis": BASIS})
    assert (303, place) == (decided.status_code, decided.headers["location"])
    assert "being brought in" in otto.get(place).text
    work(services)

    done = otto.get(place).text
    assert "Brought in: 2 people." in done
    assert BASIS in done
    assert {"ada@example.com": State.ACTIVE, "ben@example.org": State.ACTIVE} == people(services)
    assert [("list uploaded", "import 1"), ("list brought in", "import 1")] == noted(services)


def test_a_page_looks_again_while_there_is_work(otto: TestClient, services: Services) -> None:
    """Without a script, and not for somebody who wants it to hold still; a finished one stays as it is."""
    place = upload(otto).headers["location"]

    assert "2" == otto.get(place).headers["refresh"]
    assert "refresh" not in otto.get(f"{place}?still=yes").headers
    work(services)
    assert "refresh" not in otto.get(place).headers


def test_without_a_basis_letters_are_owed(otto: TestClient, services: Services) -> None:
    """Everybody new is pending and asked."""
    place = checked(otto, services)
    otto.post(f"{place}/bring-in", data={"way": "ask"})
    work(services)

    assert {State.PENDING} == set(people(services).values())
    assert "2 confirmation letters are owed" in otto.get(place).text
    with services.database.reading() as session:
        assert 2 == session.scalars(sa.select(sa.func.count()).select_from(Letter)).one()


def test_many_letters_need_a_tick(otto: TestClient, services: Services) -> None:
    """A slip of the hand does not write to 501 people; what was chosen stays filled in."""
    content = b"email\n" + b"".join(b"reader%d@example.com\n" % n for n in range(501))
    place = checked(otto, services, content)

    refused = otto.post(f"{place}/bring-in", data={"way": "ask"})
    assert 422 == refused.status_code
    assert "501 people would get a letter" in refused.text
    assert 'value="ask" checked' in refused.text
    assert ImportState.CHECKED == rows(services)[0].state
    assert 303 == otto.post(f"{place}/bring-in", data={"way": "ask", "many": "yes"}).status_code


@pytest.mark.parametrize("given", [{}, {"way": "basis"}, {"way": "basis", "basis": "  "}, {"way": "whatever"}])
def test_a_decision_is_made_explicitly(otto: TestClient, services: Services, given: dict[str, str]) -> None:
    """No way chosen, or no words for how they agreed: nothing happens, and the page says what is missing."""
    place = checked(otto, services)
    refused = otto.post(f"{place}/bring-in", data=given)

    assert 422 == refused.status_code
    assert 'role="alert"' in refused.text
    assert ImportState.CHECKED == rows(services)[0].state


def test_a_list_may_be_left(otto: TestClient, services: Services) -> None:
    """Nobody is added, the file is dropped, and it cannot be brought in any more."""
    place = checked(otto, services)
    assert 303 == otto.post(f"{place}/leave").status_code

    assert "Nobody was added" in otto.get(place).text
    assert 409 == otto.post(f"{place}/bring-in", data={"way": "ask"}).status_code
    assert 409 == otto.post(f"{place}/leave").status_code
    assert {} == people(services)
    assert ("list left behind", "import 1") == noted(services)[-1]


def test_the_request_does_not_read_the_list(otto: TestClient, services: Services) -> None:
    """It is kept compressed, whatever is in it; a job finds out."""
    content = b"email\n" + b"ada@example.com\n" * 100_000
    upload(otto, content)
    with services.database.reading() as session:
        kept = session.scalars(sa.select(ListImport.content)).one()

    assert kept is not None
    assert len(kept) < len(content) / 100


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_file_is_refused_clearly(
    otto: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    """413 with a sentence, whether the length is announced or not; nothing is kept."""
    monkeypatch.setattr(imports, "LONGEST_FILE", 200_000)
    form = b'--b\r\nContent-Disposition: form-data; name="list"; filename="a.csv"\r\n\r\n' + b"x" * 300_000
    body = form if announced else (form[at : at + 10_000] for at in range(0, len(form), 10_000))
    answer = otto.post("/people/import", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert 413 == answer.status_code
    assert "Split it" in answer.text
    assert [] == rows(services)


def test_a_file_a_little_too_large_is_refused_too(
    otto: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allowance for the rest of the form is not for the file."""
    monkeypatch.setattr(imports, "LONGEST_FILE", 1_000)

    assert 413 == upload(otto, b"x" * 1_001).status_code
    assert 303 == upload(otto, b"x" * 1_000).status_code


def test_without_a_file_the_form_comes_again(otto: TestClient, services: Services) -> None:
    """No file, an empty one, or a field that is none: the page says what to do."""
    answers = [
        otto.post("/people/import", files={"other": ("a.csv", b"email\n", "text/csv")}),
        upload(otto, b""),
        otto.post("/people/import", data={"list": "email"}),
        otto.post("/people/import", content=b"--b\r\nnonsense", headers={"Content-Type": "multipart/form-data"}),
    ]

    assert [422, 422, 422, 400] == [answer.status_code for answer in answers]
    assert all("Choose a CSV file" in answer.text for answer in answers[:3])
    assert [] == rows(services)


@pytest.mark.parametrize("content", [b"\x00\xff\xfe", b"\xff\xfee\x00m\x00", b"name\nAda\n", b'email\n"open', b"email"])
def test_any_file_has_an_end(otto: TestClient, services: Services, content: bytes) -> None:
    """What is no list fails or has nobody in it; no page answers with an error of ours."""
    place = checked(otto, services, content)

    assert 200 == otto.get(place).status_code == otto.get("/people/import").status_code
    assert rows(services)[0].state in (ImportState.FAILED, ImportState.CHECKED)


def test_hostile_names_and_cells_are_inert(otto: TestClient, services: Services) -> None:
    """In pages as text, in the report's CSV as no formula."""
    place = upload(otto, b"email\n=cmd()|x\n<script>alert(1)</script>\n", "<script>x</script>.csv").headers["location"]
    work(services)

    for page in (otto.get(place).text, otto.get("/people/import").text):
        assert "<script>" not in page
        assert "&lt;script&gt;x" in page
    lines = list(csv.reader(io.StringIO(otto.get(f"{place}/bad-lines.csv").text.removeprefix("\ufeff"))))
    assert ["line", "reason"] == lines[0]
    assert ["2", "3"] == [line[0] for line in lines[1:]]
    assert not any(line[1].startswith(("=", "+", "-", "@")) for line in lines)


@pytest.mark.parametrize("number", ["7", "0", "9" * 30])
def test_there_is_no_other_import(otto: TestClient, number: str) -> None:
    """A clear 404 for every way."""
    place = f"/people/import/{number}"
    answers = [otto.get(place), otto.get(f"{place}/bad-lines.csv"), otto.post(f"{place}/leave")]
    answers.append(otto.post(f"{place}/bring-in", data={"way": "ask"}))

    assert {404} == {answer.status_code for answer in answers}


def test_older_imports_are_on_further_pages(otto: TestClient, services: Services) -> None:
    """The latest first, a page at a time; nonsense in the address shows the latest."""
    with services.database.writing() as session:
        for number in range(door.PAGE + 5):
            imports.receive(session, b"", file_name=f"list-{number}.csv", by="staff 1", now=make.SEEN)
    first = otto.get("/people/import").text

    assert f"list-{door.PAGE + 4}.csv" in first
    assert "list-0.csv" not in first
    assert "list-0.csv" in otto.get("/people/import?before=6").text
    assert first == otto.get("/people/import?before=x").text


@pytest.mark.parametrize(
    "place",
    ["/people/import", "/people/import/1", "/people/export.csv", "/people/numbers", "/people/suppressed"],
)
def test_these_pages_are_for_operators(client: TestClient, services: Services, place: str) -> None:
    """A stranger is sent to sign in, an editor is told that it is not for them."""
    assert (303, f"/sign-in?next={place}") == (
        client.get(place).status_code,
        client.get(place).headers["location"].replace("%2F", "/"),
    )
    sign_in(client, services, Role.EDITOR)
    assert 403 == client.get(place).status_code


def test_nothing_is_done_for_another_site(otto: TestClient, services: Services) -> None:
    """A form elsewhere that posts here changes nothing."""
    place = checked(otto, services)
    elsewhere = {"Origin": "https://evil.example"}
    answers = [
        otto.post("/people/import", files={"list": ("a.csv", LIST, "text/csv")}, headers=elsewhere),
        otto.post(f"{place}/bring-in", data={"way": "ask"}, headers=elsewhere),
        otto.post(f"{place}/leave", headers=elsewhere),
    ]

    assert [403] * 3 == [answer.status_code for answer in answers]
    assert [ImportState.CHECKED] == [row.state for row in rows(services)]


# — out —


def test_everybody_comes_out_as_csv(otto: TestClient, services: Services) -> None:
    """A file that our own import takes back, with cells no spreadsheet runs, and a line in the audit log."""
    with services.database.writing() as session:
        make.cast(session)
        make.subscriber(session, "mara@example.com", name="=HYPERLINK(1)")
    answer = otto.post("/people/export.csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))

    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["content-type"].startswith("text/csv")
    assert "no-store" == answer.headers["cache-control"]
    assert list(transfer.COLUMNS) == list(lines[0])
    assert 5 == len(lines)
    assert "'=HYPERLINK(1)" == lines[-1]["name"]
    assert ("people exported", None) == noted(services)[-1]


def test_only_some_come_out(otto: TestClient, services: Services) -> None:
    """By state, as JSON Lines too; a state there is not is a clear 404."""
    with services.database.writing() as session:
        make.cast(session)
    pending = otto.post("/people/export.jsonl", data={"state": "pending"})

    assert ["ben@example.com"] == [json.loads(line)["email"] for line in pending.text.splitlines()]
    assert 4 == len(otto.post("/people/export.jsonl", data={"state": ""}).text.splitlines())
    assert 404 == otto.get("/people/export.csv?state=gone").status_code
    assert 404 == otto.post("/people/export.csv", data={"state": "gone"}).status_code


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_address_alone_takes_nobody_out(otto: TestClient, services: Services, kind: str) -> None:
    """GET shows a button for the same search, HEAD and what another site sends do nothing; nothing is noted."""
    with services.database.writing() as session:
        make.cast(session)
    before = noted(services)
    shown = otto.get(f"/people/export.{kind}?state=pending&q=%22ben", headers={"Sec-Fetch-Site": "cross-site"})
    head = otto.head(f"/people/export.{kind}")
    elsewhere = otto.post(f"/people/export.{kind}", headers={"Sec-Fetch-Site": "cross-site"})

    assert (200, 200, 403) == (shown.status_code, head.status_code, elsewhere.status_code)
    assert f'method="post" action="/people/export.{kind}"' in shown.text
    assert 'name="state" value="pending"' in shown.text
    assert 'name="q" value="&#34;ben"' in shown.text
    assert "ben@example.com" not in shown.text + elsewhere.text
    assert before == noted(services)


def test_a_long_list_comes_out_whole(otto: TestClient, services: Services) -> None:
    """More than one piece: everybody once, with one header."""
    with services.database.writing() as session:
        make.audience(session, 2_500)
    emails = [line["email"] for line in csv.DictReader(io.StringIO(otto.post("/people/export.csv").text))]

    assert 2_500 == len(emails) == len(set(emails))
    assert "email" not in emails


def test_the_audit_log_names_no_address(otto: TestClient, services: Services) -> None:
    """Not even where a file is called like one."""
    upload(otto, LIST, "ada@example.com.csv")
    with services.database.reading() as session:
        line = session.scalars(LINES).one()

    assert "@" not in json.dumps(line.details)
    assert {"octets": len(LIST)} == line.details
