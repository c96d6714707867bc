"""The approval page: what it says before, one button nobody presses by mistake, the way back, and test mails."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import audiences, editing, editions, envelopes, pauses, proofs, sending, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Edition, EditionState, RenderingRow, Role
from digest.staff import add_staff, audit
from digest.transport import Unavailable, Uncertain
from digest.web.app import create_app
from digest.web.desk import approval
from tests import make
from tests.fakes import ScriptedTransport
from tests.web.staff_client import sign_in

DRAFT, APPROVED, SENDING, SKIPPED = (
    EditionState.DRAFT,
    EditionState.APPROVED,
    EditionState.SENDING,
    EditionState.SKIPPED,
)
PAGE = f"/desk/{make.WEEK}/approval"
HIDDEN = re.compile(r'<input type="hidden" name="(hash|candidates)" value="([^"]*)">')


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def services(services: Services) -> Services:
    """A draft that leaves in some hours, for sixty readers; Edda is signed in."""
    with services.database.writing() as session:
        make.audience(session, 60)
    make.draft(services)
    leaves(services, now() + timedelta(hours=5))
    return services


@pytest.fixture
def client(client: TestClient, services: Services) -> TestClient:
    sign_in(client, services, Role.EDITOR)
    return client


def leaves(of: Services, at: datetime) -> None:
    with of.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        edition.send_at = edition.planned_at = at


def found(of: Services) -> Edition:
    with of.database.reading() as session:
        return editions.find(session, make.WEEK)


def said(answer: httpx.Response) -> str:
    """The page's words, without marks."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    blocks = re.sub(r"</?(?:bdi|strong|span|code|time|a|q)\b[^>]*>", "", main)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", blocks)).split())


def seen(client: TestClient) -> dict[str, str]:
    """What the button carries on the page as it is now."""
    return dict(HIDDEN.findall(client.get(PAGE).text))


def press(client: TestClient, **form: str) -> httpx.Response:
    """Approve as seen and as planned, unless said otherwise."""
    return post(client, "approve", **{**seen(client), "when": "planned", **form})


def post(client: TestClient, act: str, **form: str | list[str]) -> httpx.Response:
    answer: httpx.Response = client.post(f"/desk/{make.WEEK}/{act}", data=form)
    return answer


def done(answer: httpx.Response) -> str:
    assert answer.status_code == 303, said(answer)
    return answer.headers["location"].partition("done=")[2]


def audited(of: Services) -> list[tuple[str, str]]:
    with of.database.reading() as session:
        return [(line.by, line.what) for line in reversed(audit.lines(session)) if line.about == make.WEEK]


@pytest.fixture
def erik(services: Services) -> Iterator[TestClient]:
    """A second editor in a browser of his own."""
    with TestClient(create_app(services), follow_redirects=False, raise_server_exceptions=False) as browser:
        sign_in(browser, services, Role.ADMIN)
        yield browser


# — what it says —


def test_it_says_what_who_and_when(client: TestClient, services: Services) -> None:
    """Subject, entries, content, numbers, the planned time in both zones, the way out; and looking changes nothing."""
    with services.database.writing() as session:
        make.subscriber(session, "ada@example.com", paused_until=now() + timedelta(days=30))
    words = said(client.get(PAGE))
    edition = found(services)

    assert edition.subject in words
    assert "get it 60 do not 1 candidates in all 61" in words
    assert re.search(r"Paused until \d{4}-\d\d-\d\d 1 1\.6", words)
    assert "Everything 60" in words
    assert f"{edition.send_at:%H:%M} UTC" in words
    assert "into the outbox folder" in words
    assert "Approve for 60 readers" in words
    assert "All go at once, without a first wave." in words
    assert audiences.definition(services.settings.digest_timezone) in words
    assert (found(services).state, audited(services)) == (DRAFT, [])


def test_what_blocks_is_said_and_there_is_no_button(client: TestClient, services: Services) -> None:
    edition_with(services, subject="x")
    answer = client.get(PAGE)

    assert "1 problem blocks the approval Subject: It has 1 character" in said(answer)
    assert "Not possible yet: 1 problem blocks it." in said(answer)
    assert f'action="/desk/{make.WEEK}/approve"' not in answer.text


def edition_with(of: Services, **changes: object) -> None:
    with of.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        for column, value in changes.items():
            setattr(edition, column, value)


TAG = "-vd2026w47unsubscribeurl-"
LOOKS_PERSONAL = f"The edition's own text contains “{TAG}”, which looks like a personal field; reword it."


def test_what_cannot_be_rendered_is_said_as_what_blocks(client: TestClient, services: Services) -> None:
    """No button, nothing approved, no test, and the sentence on the page each time."""
    form = seen(client)
    edition_with(services, introduction=f"Click {TAG} now.")
    page = client.get(PAGE)
    assert page.status_code == 200
    assert f"1 problem blocks the approval The mail: {LOOKS_PERSONAL}" in said(page)
    assert 'action="/desk/2026-W47/approve"' not in page.text

    approving, testing = post(client, "approve", **form, when="planned"), post(client, "test", to="1")
    assert (approving.status_code, testing.status_code) == (409, 422)
    assert LOOKS_PERSONAL in said(approving)
    assert LOOKS_PERSONAL in said(testing)
    assert found(services).state is DRAFT


@pytest.mark.parametrize("week", ["2026-W99", "nonsense", "2026-W46"])
def test_what_is_not_there_is_not_found(client: TestClient, week: str) -> None:
    assert client.get(f"/desk/{week}/approval").status_code == 404
    for act in ("approve", "take-back", "skip", "reopen", "test"):
        form = {"hash": "0", "candidates": "1", "when": "planned", "reason": "r"}
        assert client.post(f"/desk/{week}/{act}", data=form).status_code == 404


@pytest.mark.parametrize("act", ["approve", "take-back", "skip", "reopen", "test"])
def test_only_editors_and_only_from_here(client: TestClient, services: Services, act: str) -> None:
    """An operator is refused, somebody signed out too, and another site's form."""
    sign_in(client, services, Role.OPERATOR)
    assert client.get(PAGE).status_code == 403
    assert post(client, act, reason="r", when="planned").status_code == 403
    sign_in(client, services, Role.EDITOR)
    elsewhere = {"Origin": "https://elsewhere.example.com"}
    assert client.post(f"/desk/{make.WEEK}/{act}", data={"reason": "r"}, headers=elsewhere).status_code == 403
    client.cookies.clear()
    assert post(client, act, reason="r").status_code == 403
    assert client.get(PAGE).headers["location"].startswith("/sign-in")

    assert found(services).state is DRAFT


# — one button —


def test_what_was_seen_is_approved(client: TestClient, services: Services) -> None:
    """With its hash and candidates, as planned, by whom; and both logs tell."""
    carried = seen(client)
    assert done(press(client)) == "approved"

    edition = found(services)
    assert (edition.state, edition.approved_by) == (APPROVED, "staff 1")
    assert carried == {"hash": edition.approved_hash, "candidates": "60"}
    assert edition.approved_candidates == 60
    assert audited(services) == [("staff 1", "edition approved")]
    words = said(client.get(f"{PAGE}?done=approved"))
    assert "Approved by edda@example.com. Until it leaves it can be taken back" in words


def test_pressed_twice_it_is_approved_once(client: TestClient, services: Services) -> None:
    """The second press is told so, kindly, and changes nothing."""
    form = {**seen(client), "when": "planned"}
    answers = [post(client, "approve", **form) for _ in range(2)]

    assert [done(answer) for answer in answers] == ["approved", "already"]
    assert "You had approved it already" in said(client.get(f"{PAGE}?done=already"))
    assert audited(services) == [("staff 1", "edition approved")]


def test_pressed_twice_at_one_moment_it_is_approved_once(client: TestClient, services: Services) -> None:
    """Both requests are under way at once, whoever is quicker."""
    form = {**seen(client), "when": "planned"}
    answers = at_once(*[lambda: post(client, "approve", **form)] * 4)

    assert sorted(done(answer) for answer in answers) == ["already", "already", "already", "approved"]
    assert audited(services) == [("staff 1", "edition approved")]
    with services.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RenderingRow)) == 2


def at_once(*acts: Callable[[], httpx.Response]) -> list[httpx.Response]:
    answers: list[httpx.Response] = []
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], httpx.Response]) -> None:
        gate.wait(timeout=30)
        answers.append(act())

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_two_people_at_once(client: TestClient, erik: TestClient, services: Services) -> None:
    """One of them wins; the other is told who it was."""
    form = {**seen(client), "when": "planned"}
    answers = at_once(
        lambda: post(client, "approve", **form),
        lambda: post(erik, "approve", **form),
    )

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    (told,) = (answer for answer in answers if answer.status_code == 409)
    assert re.search(r"(edda|anna)@example\.com has approved it, .* You were a moment later", said(told))
    assert len(audited(services)) == 1


def test_what_was_not_seen_is_not_approved(client: TestClient, services: Services) -> None:
    """Edited since, or eleven readers more: refused, and the page that says so has the new numbers."""
    form = {**seen(client), "when": "planned"}
    edition_with(services, subject="Another subject altogether")
    answer = post(client, "approve", **form)
    assert answer.status_code == 409
    assert "no longer what you looked at" in said(answer)
    assert "Another subject altogether" in said(answer)

    form = {**seen(client), "when": "planned"}
    with services.database.writing() as session:
        make.audience(session, 11, first=60)
    answer = post(client, "approve", **form)
    assert answer.status_code == 409
    assert "You saw 60 candidates and there are 71 now" in said(answer)
    assert dict(HIDDEN.findall(answer.text))["candidates"] == "71"
    assert (found(services).state, audited(services)) == (DRAFT, [])
    assert done(press(client)) == "approved"


@pytest.mark.parametrize(
    "lacking",
    [{"hash": ""}, {"candidates": ""}, {"candidates": "-1"}, {"candidates": "9" * 5000}, {"candidates": "٣"}],
)
def test_a_form_that_does_not_say_what_was_seen(
    client: TestClient, services: Services, lacking: dict[str, str]
) -> None:
    answer = press(client, **lacking)

    assert (answer.status_code, "did not say what was seen" in said(answer)) == (422, True)
    assert found(services).state is DRAFT


def test_what_blocks_cannot_be_approved_by_force(client: TestClient, services: Services) -> None:
    """Not with a form from before, nor one made by hand."""
    edition_with(services, subject="x")
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
    answer = post(client, "approve", hash=proof.content_hash, candidates="60", when="planned")

    assert (answer.status_code, found(services).state) == (409, DRAFT)
    assert "1 problem blocks this edition, so it was not approved." in said(answer)


def test_far_from_last_time_wants_a_tick(client: TestClient, services: Services) -> None:
    """The box names the numbers; without it nothing is approved, with it all is."""
    earlier(services, readers=200)
    words = said(client.get(PAGE))
    assert "Yes, this is right: 60 candidates, after 200 in 2026-W46; 60 deliveries, after 200 in 2026-W46" in words
    answer = press(client)
    assert answer.status_code == 409
    assert "somebody must say that this is right: 60 candidates, after 200" in said(answer)
    assert found(services).state is DRAFT

    assert done(press(client, moved="yes")) == "approved"


def earlier(of: Services, *, readers: int) -> None:
    """An edition of the week before that went to so many."""
    with of.database.writing() as session:
        edition = Edition(
            week="2026-W46",
            state=EditionState.SENT,
            window_start=make.SEEN,
            window_end=make.SEEN,
            planned_at=make.SEEN,
            send_at=make.SEEN,
            created_at=make.SEEN,
            prepared_at=make.SEEN,
            rules={},
            candidates=readers,
        )
        session.add(edition)
        session.flush()
        session.add(
            Batch(
                edition_id=edition.id,
                variant="all",
                first_delivery=1,
                last_delivery=readers,
                state=BatchState.ACCEPTED,
                attempt=1,
            )
        )


# — when —


def test_a_late_approval_asks_for_a_time(client: TestClient, services: Services) -> None:
    """It never leaves by surprise: "as planned" is neither offered nor taken; "now" waits for the undo window."""
    leaves(services, now() - timedelta(hours=1))
    answer = client.get(PAGE)
    assert "That has passed, so say when." in said(answer)
    assert 'value="planned"' not in answer.text
    assert " checked" not in answer.text.partition("<fieldset>")[2].partition("</fieldset>")[0]
    for form in ({"when": "planned"}, {"when": ""}, {"when": "soon"}):
        refused = press(client, **form)
        assert refused.status_code in (409, 422)
        assert "ay when" in said(refused)
    assert found(services).state is DRAFT

    assert done(press(client, when="now")) == "approved"
    edition = found(services)
    assert sending.leaves_at(edition, services) == edition.approved_at + timedelta(minutes=10)  # type: ignore[operator]
    assert sending.send_due(services, clock=now, stop=threading.Event()) == ""
    assert found(services).state is APPROVED


def test_the_time_that_passed_while_one_looked(client: TestClient, services: Services) -> None:
    form = {**seen(client), "when": "planned"}
    leaves(services, now() - timedelta(seconds=1))
    answer = post(client, "approve", **form)

    # The day it leaves stands in the mail, and is the same here: only the time has passed.
    assert answer.status_code == 409
    assert "has passed" in said(answer) or "no longer what you looked at" in said(answer)
    assert found(services).state is DRAFT


def test_another_time_is_meant_in_the_newsletters_zone(client: TestClient, services: Services) -> None:
    berlin = make.with_settings(services, digest_timezone=ZoneInfo("Europe/Berlin"))
    wanted = (now() + timedelta(days=2)).astimezone(ZoneInfo("Europe/Berlin")).replace(second=0, microsecond=0)
    with TestClient(create_app(berlin), follow_redirects=False) as browser:
        sign_in(browser, berlin, Role.EDITOR)
        assert "Day and time in Europe/Berlin" in said(browser.get(PAGE))
        assert done(press(browser, when="at", at=f"{wanted:%Y-%m-%dT%H:%M}")) == "approved"

    assert found(services).send_at == wanted


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("2026-W49-1", "Give a day and a time"),
        ("20261204", "Give a day and a time"),
        ("2026-12-04", "Give a day and a time"),
        ("2026-12-04T09:00:00", "Give a day and a time"),
        ("2026-12-04 09:00", "Give a day and a time"),
        ("", "Give a day and a time"),
        ("tomorrow", "Give a day and a time"),
        ("2026-11-20T09:00:00+01:00", "Give a day and a time"),
        ("0001-01-01T00:00", "passed"),
        ("9999-12-31T23:59", "more than 60 days away"),
        ("2026-01-01T09:00" * 400, "Give a day and a time"),
    ],
)
def test_a_time_that_is_none(client: TestClient, services: Services, at: str, says: str) -> None:
    """One sentence, and what was typed is not lost."""
    answer = press(client, when="at", at=at)

    assert answer.status_code == 422
    assert says in said(answer)
    assert f'name="at" value="{at}"' in answer.text or not at
    assert found(services).state is DRAFT


def test_a_time_the_clocks_leave_out(client: TestClient, services: Services) -> None:
    """02:30 on the night summer time begins."""
    with pytest.raises(approval.BadForm, match="no such time"):
        approval._instant("2026-03-29T02:30", ZoneInfo("Europe/Berlin"))
    assert approval._instant("2026-03-29T03:30", ZoneInfo("Europe/Berlin")) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


# — two people —


def test_the_page_says_who_may(services: Services) -> None:
    """Edda wrote in it: no button for her, and Anna is named; Anna has the button."""
    two = make.with_settings(services, digest_two_person=True)
    with TestClient(create_app(two), follow_redirects=False) as browser:
        edda = sign_in(browser, two, Role.EDITOR)
        form = seen(browser)
        was = found(two).subject
        words = "A subject by Edda herself"
        editing.write(two.database, make.WEEK, "subject", was=was, words=words, by=f"staff {edda.id}", now=now())
        anna = sign_in(browser, two, Role.ADMIN)
        form = seen(browser)
        assert "Approve for 60 readers" in said(browser.get(PAGE))
        sign_in(browser, two, Role.EDITOR)
        answer = browser.get(PAGE)
        assert "here it takes a second person" in said(answer)
        assert f"These may: {anna.email}." in said(answer)
        assert HIDDEN.search(answer.text) is None
        refused = post(browser, "approve", **form, when="planned")
        assert (refused.status_code, f"These may: {anna.email}." in said(refused)) == (409, True)
        assert found(two).state is DRAFT

        sign_in(browser, two, Role.ADMIN)
        assert done(press(browser)) == "approved"


# — the way back —


def test_taken_back_within_the_window(client: TestClient, services: Services) -> None:
    """A draft again, with the reason in both logs; pressed again it says that it is one already."""
    press(client)
    assert "Take it back" in said(client.get(f"/desk/{make.WEEK}"))
    assert done(post(client, "take-back", reason="a typo, says ada@example.com")) == "taken-back"

    edition = found(services)
    assert (edition.state, edition.approved_hash) == (DRAFT, None)
    with services.database.reading() as session:
        assert editions.log_of(session, edition)[-1].why == "a typo, says (an address)"
    assert audited(services)[-1] == ("staff 1", "edition taken back")
    assert done(post(client, "take-back")) == "unchanged"
    assert "Take it back" not in said(client.get(f"/desk/{make.WEEK}"))


def test_too_late_to_take_back(client: TestClient, services: Services) -> None:
    """It is on its way: said, with the way to the sending page, and nothing is changed."""
    press(client)
    sending.prepare(services, make.WEEK, by="the clock", now=found(services).send_at)
    for act in ("take-back", "reopen", "skip"):
        answer = post(client, act, reason="a typo")
        assert answer.status_code == 409
        assert "it is on its way" in said(answer)
        assert f"/sending/{make.WEEK}" in answer.text
    assert found(services).state is SENDING
    assert "It can no longer be taken back here." in said(client.get(PAGE))
    assert post(client, "approve", hash="0", candidates="1", when="planned").status_code == 409


def test_skipped_and_reopened(client: TestClient, services: Services) -> None:
    """With a reason; twice is once; and back."""
    assert post(client, "skip").status_code == 422
    assert done(post(client, "skip", reason="a holiday")) == "skipped"
    assert done(post(client, "skip", reason="a holiday")) == "unchanged"
    assert found(services).state is SKIPPED
    words = said(client.get(PAGE))
    assert "A holiday" in words
    assert f"Make {make.WEEK} a draft again" in words
    assert post(client, "take-back").status_code == 409

    assert done(post(client, "reopen")) == "reopened"
    assert done(post(client, "reopen")) == "unchanged"
    assert [what for _, what in audited(services)] == ["edition skipped", "edition reopened"]


def test_an_approved_one_can_be_skipped(client: TestClient, services: Services) -> None:
    press(client)
    assert done(post(client, "skip", reason="a holiday")) == "skipped"

    assert (found(services).state, found(services).approved_hash) == (SKIPPED, None)


def test_halted_before_it_began_it_is_not_taken_back_here(client: TestClient, services: Services) -> None:
    press(client)
    with services.database.writing() as session:
        editions.hold(session, editions.find(session, make.WEEK), why="a doubt", by="otto", now=now())
    answer = post(client, "take-back")

    assert (answer.status_code, found(services).state) == (409, EditionState.HALTED)
    assert "Halted: nothing more is handed over until somebody resumes." in said(answer)


# — test mails —


@pytest.fixture
def posts(scripted: Services) -> Iterator[tuple[TestClient, Services, ScriptedTransport]]:
    """A program whose provider is scripted, with Edda signed in and Erik on the staff."""
    make.draft(scripted)
    assert isinstance(scripted.transport, ScriptedTransport)
    with TestClient(create_app(scripted), follow_redirects=False, raise_server_exceptions=False) as browser:
        sign_in(browser, scripted, Role.EDITOR)
        with scripted.database.writing() as session:
            add_staff(session, "erik@example.com", Role.EDITOR, now=now())
        yield browser, scripted, scripted.transport


def test_a_test_to_me_and_to_others(posts: tuple[TestClient, Services, ScriptedTransport]) -> None:
    browser, services, transport = posts
    assert "To me, edda@example.com" in said(browser.get(PAGE))
    assert done(post(browser, "test", to="1")) == "tested"
    assert done(post(browser, "test", to=["1", "2"], variant="all-text")) == "tested"

    assert [sorted(each.email for each in sent.outgoing.recipients) for sent in transport.taken] == [
        ["edda@example.com"],
        ["edda@example.com", "erik@example.com"],
    ]
    assert [sent.outgoing.paper.html is None for sent in transport.taken] == [False, True]
    assert all(sent.outgoing.paper.subject.startswith("[TEST] ") for sent in transport.taken)
    with services.database.reading() as session:
        assert stats.numbers(session, editions.find(session, make.WEEK)).deliveries == 0
    assert audited(services) == [("staff 1", "test mail")] * 2
    assert "was accepted. Whether it arrives" in said(browser.get(f"{PAGE}?done=tested"))


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        ({}, 422, "Say who shall get the test mail."),
        ({"to": "99"}, 422, "not on the staff any more"),
        ({"to": "ada@example.com"}, 422, "not on the staff any more"),
        ({"to": "1", "variant": "t-nonsense"}, 422, 'no variant "t-nonsense"'),
        ({"to": "1", "variant": "x" * 5000}, 422, "no variant"),
    ],
)
def test_a_test_that_is_none(
    posts: tuple[TestClient, Services, ScriptedTransport], form: dict[str, str], status: int, says: str
) -> None:
    browser, _, transport = posts
    answer = post(browser, "test", **form)

    assert (answer.status_code, transport.calls) == (status, [])
    assert says in said(answer)


def test_a_failure_of_the_provider_is_said(posts: tuple[TestClient, Services, ScriptedTransport]) -> None:
    """In one sentence, without an address; what nobody can know is not called refused."""
    browser, services, transport = posts
    transport.script = [Unavailable("It rests, says ada@example.com."), Uncertain("The answer did not come.")]
    first, second = post(browser, "test", to="1"), post(browser, "test", to="1")

    assert (first.status_code, second.status_code) == (502, 502)
    assert "It was not accepted: It rests, says (an address)" in said(first)
    assert "Nobody can know whether the test was accepted: The answer did not come." in said(second)
    assert audited(services) == []


def test_too_many_tests(posts: tuple[TestClient, Services, ScriptedTransport]) -> None:
    browser, _, _ = posts
    for _ in range(10):
        assert done(post(browser, "test", to=["1", "2"])) == "tested"
    answer = post(browser, "test", to="1")

    assert (answer.status_code, "20 test mails of one edition an hour are enough" in said(answer)) == (429, True)


def test_the_kill_switch_is_said(posts: tuple[TestClient, Services, ScriptedTransport]) -> None:
    browser, services, _ = posts
    with services.database.writing() as session:
        pauses.kill(session, because="a leak", by="staff 1", now=now())

    assert "The kill switch is on: nothing goes out" in said(browser.get(PAGE))
    assert post(browser, "test", to="1").status_code == 422
