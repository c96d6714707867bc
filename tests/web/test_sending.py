"""Editions on their way: what is shown to whom, what can be pressed, and that nothing is done twice or by looking."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

from digest import breaker, editions, pauses, sending, stats
from digest.bootstrap import Services
from digest.breaker import COMPLAINTS, HARD_BOUNCES, Counted
from digest.models import (
    AuditLine,
    Batch,
    BatchState,
    Comparison,
    Delivery,
    Edition,
    EditionLog,
    EditionState,
    FencedAttempt,
    LeftOut,
    Pause,
    PauseKind,
    ProviderEvent,
    Role,
)
from digest.submitting import Submitter
from tests import make
from tests.web.scanning import dump
from tests.web.staff_client import sign_in

PAGE = f"/sending/{make.WEEK}"
WHY = {"reason": "the sender name is wrong"}
READER = "reader7@example.com"
HOSTILE = """<script>alert(1)</script> "><img src=x> {{7*7777}} \u202e\x00 it's"""


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def prepared(scripted: Services) -> Services:
    """Being sent to 45 readers in five batches, and nothing handed over."""
    make.approved(scripted, readers=45)
    sending.prepare(scripted, make.WEEK, by="the clock", now=make.SEND)
    return scripted


@pytest.fixture
def doubtful(prepared: Services) -> Services:
    """Halted: batch 1 is accepted, 2 is uncertain, 3 refused, 4 and 5 wait; one reader withheld, one refused."""
    with prepared.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        for number, state in {1: BatchState.ACCEPTED, 2: BatchState.UNCERTAIN, 3: BatchState.REFUSED}.items():
            batch = session.get_one(Batch, number)
            batch.state, batch.attempt, batch.called_at = state, 1, now() - timedelta(minutes=3)
            batch.why = None if state is BatchState.ACCEPTED else f"no answer about {READER} came in time"
            batch.owner, batch.body_sha256 = "mill-1/4711/ab12.cd34", "c0de" * 16
        session.execute(sa.update(Delivery).where(Delivery.id == 31).values(withheld_because="unsubscribed meanwhile"))
        session.execute(sa.update(Delivery).where(Delivery.id == 32).values(refused_because=f"550 <{READER}> unknown"))
        session.execute(sa.update(Delivery).where(Delivery.id <= 6).values(delivered_at=now()))
        session.execute(sa.update(Delivery).where(Delivery.id == 7).values(bounced_at=now()))
        session.execute(sa.update(Delivery).where(Delivery.id == 8).values(dropped_at=now()))
        session.execute(sa.update(Delivery).where(Delivery.id == 1).values(complained_at=now()))
        edition.begun_at = now()
        editions.hold(session, edition, why="1 batch is uncertain", by="the sender", now=now())
    return prepared


def edition_of(services: Services) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, make.WEEK)


def batch_of(services: Services, number: int = 2) -> Batch:
    with services.database.reading() as session:
        return session.get_one(Batch, number)


def notes(services: Services) -> list[tuple[str, str, str | None]]:
    """What the audit log has of this."""
    with services.database.reading() as session:
        lines = session.scalars(sa.select(AuditLine).order_by(AuditLine.id)).all()
        return [
            (line.by, line.what, line.about)
            for line in lines
            if not line.what.startswith(("staff", "signed", "edition approved"))
        ]


def log_of(services: Services) -> EditionLog:
    """The last line of the edition's log."""
    with services.database.reading() as session:
        return editions.log_of(session, editions.find(session, make.WEEK))[-1]


def text(answer: Response) -> str:
    """The words of a page as somebody reads them, each run of white space one space."""
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


def done(answer: Response) -> str:
    return answer.headers["location"].partition("done=")[2]


# — who may —

LOOK = ("/sending", PAGE, "/sending/latest", f"{PAGE}?fragment=live")
FOR_OPERATORS = (f"{PAGE}/stop", f"{PAGE}/batches/2/again")
PRESSED_BY_OPERATORS = (
    f"{PAGE}/stop",
    f"{PAGE}/batches/2/accepted",
    f"{PAGE}/batches/2/again",
    "/sending/kill-switch/on",
    "/sending/kill-switch/off",
)
PRESSED_BY_BOTH = (f"{PAGE}/hold", f"{PAGE}/resume")
SURE = {**WHY, "sure": "yes", "attempt": "1"}


def test_nobody_signed_out_sees_or_presses_anything(client: TestClient, doubtful: Services) -> None:
    """Pages lead to the door, buttons are refused."""
    before = dump(doubtful)

    assert {303} == {client.get(path).status_code for path in (*LOOK, *FOR_OPERATORS)}
    assert {403} == {client.post(path, data=SURE).status_code for path in (*PRESSED_BY_OPERATORS, *PRESSED_BY_BOTH)}
    assert before == dump(doubtful)


def test_an_editor_looks_holds_and_resumes_and_no_more(client: TestClient, doubtful: Services) -> None:
    """Stopping, settling and the kill switch are for operators: refused, and not offered."""
    sign_in(client, doubtful, Role.EDITOR)
    client.get("/sending")
    before = dump(doubtful)

    assert {200} == {client.get(path).status_code for path in LOOK}
    assert {403} == {client.get(path).status_code for path in FOR_OPERATORS}
    assert {403} == {client.post(path, data=SURE).status_code for path in PRESSED_BY_OPERATORS}
    assert before == dump(doubtful)
    shown = client.get(PAGE).text
    assert [f"{PAGE}/resume"] == [form for form in re.findall(r'action="([^"]*)"', shown) if form != "/sign-out"]
    assert "for operators and admins" in shown
    assert "resumed" == done(client.post(f"{PAGE}/resume", data=WHY))
    assert "held" == done(client.post(f"{PAGE}/hold", data=WHY))


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.org"}])
def test_no_other_site_presses_a_button(client: TestClient, doubtful: Services, headers: dict[str, str]) -> None:
    """A form on another site, sent by a signed-in admin's browser, changes nothing."""
    sign_in(client, doubtful, Role.ADMIN)
    client.get("/sending")
    before = dump(doubtful)
    for path in (*PRESSED_BY_OPERATORS, *PRESSED_BY_BOTH):
        assert 403 == client.post(path, data=SURE, headers=headers).status_code

    assert before == dump(doubtful)


def test_looking_changes_nothing(client: TestClient, doubtful: Services) -> None:
    """GET, HEAD and OPTIONS of every page and of every button, any number of times."""
    sign_in(client, doubtful)
    client.get("/sending")
    before = dump(doubtful)
    for path in (*LOOK, *FOR_OPERATORS, *PRESSED_BY_OPERATORS, *PRESSED_BY_BOTH):
        for method in ("GET", "HEAD", "OPTIONS", "GET"):
            assert client.request(method, path).status_code in (200, 204, 404, 405), (method, path)

    assert before == dump(doubtful)


# — hold, resume, stop —


def test_hold_and_resume(client: TestClient, prepared: Services) -> None:
    """Each is done once, with its reason in the edition's log and a line in the audit log; pressed twice it says so."""
    staff = sign_in(client, prepared)
    for act, word, state in (("hold", "held", EditionState.HALTED), ("resume", "resumed", EditionState.SENDING)):
        first, second = (client.post(f"{PAGE}/{act}", data=WHY) for _ in range(2))

        assert (303, word, 303, "unchanged") == (first.status_code, done(first), second.status_code, done(second))
        assert state is edition_of(prepared).state
        line = log_of(prepared)
        assert (f"staff {staff.id}", WHY["reason"]) == (line.by, line.why)
    assert [(f"staff {staff.id}", f"edition {word}", make.WEEK) for word in ("held", "resumed")] == notes(prepared)
    shown = text(client.get(f"{PAGE}?done=unchanged"))
    assert "had been done already" in shown
    assert "by otto@example.com" in shown


def test_two_presses_at_one_moment_hold_once(client: TestClient, prepared: Services) -> None:
    """The second finds it done by the first, on whichever line between the two it comes."""
    sign_in(client, prepared)
    answers: list[Response] = []
    threads = [threading.Thread(target=lambda: answers.append(client.post(f"{PAGE}/hold", data=WHY))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["held", "unchanged", "unchanged", "unchanged"] == sorted(map(done, answers))
    assert 1 == len(notes(prepared))


def test_a_held_approval_comes_back_and_says_when_it_leaves(client: TestClient, scripted: Services) -> None:
    """Held before it began, it is approved again; past its time the page says that it leaves at once."""
    make.approved(scripted, readers=3)
    sign_in(client, scripted)
    client.post(f"{PAGE}/hold", data=WHY)

    shown = text(client.get(PAGE))
    due = edition_of(scripted).send_at <= now()
    assert ("leaves at once" if due else "approved again and leaves") in shown
    client.post(f"{PAGE}/resume", data=WHY)
    assert EditionState.APPROVED is edition_of(scripted).state


def test_an_entry_withdrawn_meanwhile_is_said_before_resuming(client: TestClient, scripted: Services) -> None:
    """Resuming makes it a draft then, which whoever presses knows beforehand."""
    make.approved(scripted, readers=3)
    sign_in(client, scripted)
    client.post(f"{PAGE}/hold", data=WHY)
    with scripted.database.writing() as session:
        comparison = session.scalars(sa.select(Comparison)).first()
        assert comparison
        comparison.withdrawn_at, comparison.withdrawn_because = now(), "the page is gone"

    assert "the page is gone" in text(client.get(PAGE))
    client.post(f"{PAGE}/resume", data=WHY)
    assert EditionState.DRAFT is edition_of(scripted).state


def test_an_older_edition_is_resumed_only_when_somebody_says_so(client: TestClient, doubtful: Services) -> None:
    """A newer one has begun: a box is offered, and without its tick nothing happens."""
    sign_in(client, doubtful)
    assert 'name="stale"' not in client.get(PAGE).text
    with doubtful.database.writing() as session:
        newer = make.WEEK.replace("47", "48")
        same = {each.key: getattr(editions.find(session, make.WEEK), each.key) for each in sa.inspect(Edition).attrs}
        session.add(Edition(**{**same, "id": None, "week": newer, "state": EditionState.SENT, "halted_from": None}))
    assert 'name="stale"' in client.get(PAGE).text
    refused = client.post(f"{PAGE}/resume", data=WHY)

    assert 409 == refused.status_code
    assert "A newer edition has gone out" in refused.text
    assert WHY["reason"] in refused.text
    assert "--stale" not in refused.text
    assert EditionState.HALTED is edition_of(doubtful).state
    assert "resumed" == done(client.post(f"{PAGE}/resume", data={**WHY, "stale": "yes"}))


def test_what_only_the_journal_knows_to_have_begun_is_never_resumed(client: TestClient, doubtful: Services) -> None:
    """No button; pressed all the same, the sentence that says why."""
    sign_in(client, doubtful)
    with doubtful.database.writing() as session:
        editions.find(session, make.WEEK).journaled_begun_at = now()

    assert f'action="{PAGE}/resume"' not in client.get(PAGE).text
    answer = client.post(f"{PAGE}/resume", data=WHY)
    assert 409 == answer.status_code
    assert "never goes out again" in text(answer)


def test_stopping_says_how_many_never_get_it(client: TestClient, doubtful: Services) -> None:
    """Before it is done, and with a tick and a reason; the rest is withheld with that reason, and twice is as once."""
    staff = sign_in(client, doubtful)
    asked = text(client.get(f"{PAGE}/stop"))
    assert "13 readers of 45 have not been handed over and never get this edition" in asked
    assert "10 deliveries are accepted already" in asked
    assert "10 deliveries stay uncertain" in asked
    before = dump(doubtful)
    for given, problem in ((WHY, "Tick the box"), ({"sure": "yes"}, "Give a reason")):
        refused = client.post(f"{PAGE}/stop", data=given)
        assert 422 == refused.status_code
        assert problem in refused.text
    assert before == dump(doubtful)

    assert ["stopped", "unchanged"] == [done(client.post(f"{PAGE}/stop", data=SURE)) for _ in range(2)]
    assert "unchanged" == done(client.get(f"{PAGE}/stop"))
    with doubtful.database.reading() as session:
        numbers = stats.numbers(session, editions.find(session, make.WEEK))
    assert {"unsubscribed meanwhile": 1, f"stopped: {WHY['reason']}": 13} == numbers.withheld_by
    assert [(f"staff {staff.id}", "edition stopped", make.WEEK)] == notes(doubtful)
    assert f"stopped: {WHY['reason']}" in text(client.get(PAGE))


def test_what_was_never_begun_can_be_stopped_too(client: TestClient, scripted: Services) -> None:
    """Then it is everybody who would get it now."""
    make.approved(scripted, readers=12)
    sign_in(client, scripted)
    client.post(f"{PAGE}/hold", data=WHY)

    assert "none of the 12 readers active now gets it" in text(client.get(f"{PAGE}/stop"))
    assert "stopped" == done(client.post(f"{PAGE}/stop", data=SURE))


def test_an_act_that_is_not_possible_any_more_is_a_sentence(client: TestClient, prepared: Services) -> None:
    """Nothing is changed, no traceback is shown, and what was written is not lost."""
    sign_in(client, prepared)
    assert 409 == client.get(f"{PAGE}/stop").status_code
    Submitter(prepared, clock=now).run()
    before = dump(prepared)

    for act in ("hold", "stop"):
        answer = client.post(f"{PAGE}/{act}", data=SURE)
        assert 409 == answer.status_code
        assert f"Edition {make.WEEK} is sent" in text(answer)
    assert before == dump(prepared)


def test_a_reason_is_asked_for(client: TestClient, doubtful: Services) -> None:
    """Without one nothing is done, and the form it is missing from is open."""
    sign_in(client, doubtful)
    client.get("/sending")
    before = dump(doubtful)
    for path in (*PRESSED_BY_BOTH, *PRESSED_BY_OPERATORS):
        for reason in ("", "   ", "\u202e\u0000"):
            answer = client.post(path, data={**SURE, "reason": reason})
            assert 422 == answer.status_code, path
            assert "Give a reason" in answer.text, path

    assert before == dump(doubtful)


# — uncertain batches —


def test_all_that_is_known_of_an_uncertain_batch_is_shown(client: TestClient, doubtful: Services) -> None:
    """Which call, when, by whom, of what, why, behind which fence, for how many, and what events say of them."""
    sign_in(client, doubtful)
    shown = text(client.get(PAGE))
    assert "1 uncertain batch, 10 readers" in shown
    for known in ("Batch 2", "attempt 1", "mill-1/4711/ab12.cd34", "c0de" * 16, "No answer about (an address)"):
        assert known in shown, known
    assert "this attempt cannot be called back" in shown
    assert "none so far; the first one that names this attempt settles it by itself" in shown
    with doubtful.database.writing() as session:
        session.add(FencedAttempt(batch_id=2, attempt=1, provider_batch_id="NmIxZjhk", send_at=now()))
        for number, (delivery, batch, kind) in enumerate(
            [(11, 2, "delivered"), (12, 2, "delivered"), (13, 9, "bounce"), (21, 3, "open")]
        ):
            keys = {"event_key": f"e{number}", "content_key": f"c{number}", "post": 1, "raw": "{}"}
            when = {"happened_at": now(), "received_at": now()}
            session.add(ProviderEvent(kind=kind, delivery_id=delivery, batch_id=batch, attempt=0, **keys, **when))

    for path in (PAGE, f"{PAGE}/batches/2/again"):
        shown = text(client.get(path))
        assert "NmIxZjhk , not called back; what was taken goes out" in shown
        assert "2 delivered of attempt 0; 1 bounce of batch 9, attempt 0" in shown
        assert " open " not in shown


@pytest.mark.parametrize(
    ("act", "state", "note"),
    [
        ("accepted", BatchState.ACCEPTED, "batch settled as accepted"),
        ("again", BatchState.PENDING, "batch settled to be handed over again"),
    ],
)
def test_a_person_settles(client: TestClient, doubtful: Services, act: str, state: BatchState, note: str) -> None:
    """With a reason that stays with the batch and in the log; pressed twice it is done once."""
    staff = sign_in(client, doubtful)
    first, second = (client.post(f"{PAGE}/batches/2/{act}", data=SURE) for _ in range(2))

    assert (act, "unchanged") == (done(first), done(second))
    batch, line = batch_of(doubtful), log_of(doubtful)
    assert (state, f"settled by staff {staff.id}: {WHY['reason']}") == (batch.state, batch.why)
    assert (f"staff {staff.id}", WHY["reason"]) == (line.by, line.why)
    assert [(f"staff {staff.id}", note, make.WEEK)] == notes(doubtful)
    assert "uncertain batch" not in text(client.get(PAGE))


def test_handing_over_again_says_what_happens_if_that_is_wrong(client: TestClient, doubtful: Services) -> None:
    """On a page of its own, with a box to tick; without the tick nothing is done."""
    sign_in(client, doubtful)
    asked = text(client.get(f"{PAGE}/batches/2/again"))
    assert "10 readers get 2026-W47 twice, and nobody can take that back" in asked
    refused = client.post(f"{PAGE}/batches/2/again", data={**WHY, "attempt": "1"})

    assert 422 == refused.status_code
    assert "Tick the box" in refused.text
    assert WHY["reason"] in refused.text
    assert BatchState.UNCERTAIN is batch_of(doubtful).state


@pytest.mark.parametrize("act", ["accepted", "again"])
def test_a_press_counts_for_the_attempt_that_was_looked_at(client: TestClient, doubtful: Services, act: str) -> None:
    """Handed over again and uncertain again meanwhile: who presses late has not seen that attempt."""
    sign_in(client, doubtful)
    with doubtful.database.writing() as session:
        session.get_one(Batch, 2).attempt = 2
    answer = client.post(f"{PAGE}/batches/2/{act}", data=SURE)

    assert 409 == answer.status_code
    assert "no longer as you saw it" in answer.text
    assert BatchState.UNCERTAIN is batch_of(doubtful).state


def test_what_is_being_called_back_is_not_called_accepted(client: TestClient, doubtful: Services) -> None:
    """The provider may throw it away at any moment: its readers would be lost. Once its time has passed, it may be."""
    sign_in(client, doubtful)
    fence = FencedAttempt(batch_id=2, attempt=1, provider_batch_id="x", send_at=now() + timedelta(hours=1))
    with doubtful.database.writing() as session:
        fence.asked_at = now()
        session.add(fence)
    assert f'action="{PAGE}/batches/2/accepted"' not in client.get(PAGE).text
    answer = client.post(f"{PAGE}/batches/2/accepted", data=SURE)
    assert 409 == answer.status_code
    assert "is being called back" in answer.text
    assert BatchState.UNCERTAIN is batch_of(doubtful).state
    with doubtful.database.writing() as session:
        session.get_one(FencedAttempt, (2, 1)).send_at = now()

    assert f'action="{PAGE}/batches/2/accepted"' in client.get(PAGE).text
    assert "accepted" == done(client.post(f"{PAGE}/batches/2/accepted", data=SURE))


def test_settled_meanwhile_is_a_sentence(client: TestClient, doubtful: Services) -> None:
    """An event proved the contrary while somebody read: nothing is changed."""
    sign_in(client, doubtful)
    with doubtful.database.writing() as session:
        session.get_one(Batch, 2).state = BatchState.ACCEPTED
    pages = [client.get(f"{PAGE}/batches/2/again"), client.post(f"{PAGE}/batches/2/again", data=SURE)]

    assert [409, 409] == [page.status_code for page in pages]
    assert all("Batch 2 is accepted; only an uncertain one" in text(page) for page in pages)
    assert BatchState.ACCEPTED is batch_of(doubtful).state


def test_a_stopped_edition_hands_nothing_over_again(client: TestClient, doubtful: Services) -> None:
    """Its uncertain batch may be found to be accepted; the other way is neither offered nor taken."""
    sign_in(client, doubtful)
    client.post(f"{PAGE}/stop", data=SURE)

    assert f'href="{PAGE}/batches/2/again"' not in client.get(PAGE).text
    assert {409} == {
        answer.status_code
        for answer in (client.get(f"{PAGE}/batches/2/again"), client.post(f"{PAGE}/batches/2/again", data=SURE))
    }
    assert BatchState.UNCERTAIN is batch_of(doubtful).state
    assert "accepted" == done(client.post(f"{PAGE}/batches/2/accepted", data=SURE))


@pytest.mark.parametrize("number", ["77", "0", "x", "9" * 30])
def test_a_batch_of_another_edition_is_not_here(client: TestClient, doubtful: Services, number: str) -> None:
    """Nor one that is none, nor what is no number."""
    sign_in(client, doubtful)
    client.get("/sending")
    before = dump(doubtful)

    assert client.get(f"{PAGE}/batches/{number}/again").status_code in (404, 422)
    for act in ("accepted", "again"):
        assert client.post(f"{PAGE}/batches/{number}/{act}", data=SURE).status_code in (404, 422)
    assert before == dump(doubtful)


# — the kill switch —


def test_the_kill_switch_stands_on_every_page(client: TestClient, prepared: Services) -> None:
    """On and off with a reason each, by name, from the list and from an edition; twice is as once."""
    staff = sign_in(client, prepared)
    for week, back in (("", "/sending"), (make.WEEK, PAGE)):
        on, again = (client.post("/sending/kill-switch/on", data={**WHY, "week": week}) for _ in range(2))
        assert [f"{back}?done=killed", f"{back}?done=unchanged"] == [
            answer.headers["location"] for answer in (on, again)
        ]
        for path in LOOK:
            shown = text(client.get(path))
            assert "The kill switch is on" in shown, path
            assert "by otto@example.com" in shown, path
            assert WHY["reason"] in shown, path
        Submitter(prepared, clock=now).run()
        assert EditionState.SENDING is edition_of(prepared).state
        off, again = (client.post("/sending/kill-switch/off", data={**WHY, "week": week}) for _ in range(2))
        assert [f"{back}?done=lifted", f"{back}?done=unchanged"] == [
            answer.headers["location"] for answer in (off, again)
        ]
        assert "The kill switch is on" not in text(client.get(PAGE))
    noted = [(f"staff {staff.id}", f"kill switch {word}", None) for word in ("on", "off")]
    assert noted * 2 == notes(prepared)


def test_turned_on_twice_it_is_turned_off_by_one_press(client: TestClient, prepared: Services) -> None:
    """Two processes may have turned it on at one moment."""
    sign_in(client, prepared)
    with prepared.database.writing() as session:
        for _ in range(2):
            session.add(Pause(kind=PauseKind.KILL_SWITCH, because="twice", by="command line", since=now()))
    client.post("/sending/kill-switch/off", data=WHY)

    with prepared.database.reading() as session:
        assert not pauses.standing(session, now=now())


# — what is shown —


def test_the_sums_stand_there_as_sums(client: TestClient, doubtful: Services) -> None:
    """Every number of the ledger with its word and its share of what it is a part of; they add up, and it says so."""
    sign_in(client, doubtful)
    with doubtful.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        edition.candidates = 50
        session.add(LeftOut(edition_id=edition.id, reason="paused until 2026-12-13", count=5))
    shown = text(client.get(PAGE))

    assert "The sums add up" in shown
    assert "50 candidates = 5 left out 10.0 % + 45 deliveries 90.0 %" in shown
    assert (
        "45 deliveries = 13 waiting 28.9 % + 0 in flight 0.0 % + 10 accepted 22.2 % + 1 withheld 2.2 % "
        "+ 11 refused 24.4 % + 10 uncertain 22.2 %"
    ) in shown
    assert ("10 accepted = 1 dropped 10.0 % + 1 bounced 10.0 % + 6 delivered 60.0 % + 2 unreported 20.0 %") in shown
    assert "Of 6 delivered complained 1 16.67 % unsubscribed 0 0.00 %" in shown
    assert "Of 45 deliveries everything 45 100.0 %" in shown
    assert "Of 50 candidates paused until 2026-12-13 5 10.0 %" in shown
    assert "Of 45 deliveries unsubscribed meanwhile 1 2.2 %" in shown
    assert "Of 45 deliveries 550 (an address) unknown 1 2.2 %" in shown
    assert "1 batch refused whole" in shown


def test_the_breaker_shows_its_counts_and_its_lines(client: TestClient, doubtful: Services) -> None:
    """How many went wrong of how many, at how many it would alarm and halt, and which line is passed."""
    sign_in(client, doubtful)
    shown = text(client.get(PAGE))
    assert "Circuit breaker What would halt this edition." in shown
    for measure, counted in ((COMPLAINTS, Counted(1, 6)), (HARD_BOUNCES, Counted(0, 8))):
        lines = f"An alarm to staff at {measure.alarms_at(counted.of)} A halt at {measure.stops_at(counted.of)}"
        what = f"{measure.name.capitalize()} Of {counted.of} {measure.of} {counted.wrong} "
        assert re.search(rf"{what}[\d.]+ % {lines}", shown), shown
    assert "past the" not in shown

    with doubtful.database.writing() as session:
        session.execute(sa.update(Delivery).where(Delivery.id <= 4).values(complained_at=now()))
    assert "Complaints past the alarm line" in text(client.get(PAGE))


def test_who_resumes_after_the_breaker_answers_for_it(client: TestClient, prepared: Services) -> None:
    """That is said before it is pressed; afterwards it counts only what follows."""
    sign_in(client, prepared)
    with prepared.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        edition.begun_at = now()
        editions.hold(session, edition, why="9 complaints in 40 delivered.", by=breaker.NAME, now=now())
    shown = text(client.get(PAGE))
    assert "you answer for going on" in shown
    assert "It has halted this edition" in shown

    assert "resumed" == done(client.post(f"{PAGE}/resume", data=WHY))
    assert "when somebody went on after its halt" in text(client.get(PAGE))


def test_accepted_is_never_called_sent(client: TestClient, doubtful: Services) -> None:
    """Only the state of the edition is; of a delivery nobody says so."""
    sign_in(client, doubtful)
    for path in ("/sending", PAGE, f"{PAGE}/stop"):
        assert not re.search(r"\bsent\b", text(client.get(path))), path


def lose_a_delivery(services: Services) -> None:
    with services.database.writing() as session:
        session.execute(sa.delete(Delivery).where(Delivery.id == 40))


def lose_a_batch(services: Services) -> None:
    with services.database.writing() as session:
        session.execute(sa.delete(Batch).where(Batch.id == 5))


@pytest.mark.parametrize("lose", [lose_a_delivery, lose_a_batch])
def test_a_gap_is_shown_and_not_hidden(
    client: TestClient, doubtful: Services, lose: Callable[[Services], None]
) -> None:
    """Somebody is missing: the page says so loudly, with the sums that do not come out."""
    sign_in(client, doubtful)
    lose(doubtful)
    answer = client.get(PAGE)

    assert 'role="alert"' in answer.text
    assert "The numbers do not add up" in text(answer)
    assert "The sums do not add up" in text(answer)
    assert re.search(r"deliveries is \d+ but", text(answer))


def test_what_it_waits_for_is_said(client: TestClient, prepared: Services) -> None:
    """A rest the provider asks for, with its end; a first wave, with how many wait behind it and until when."""
    sign_in(client, prepared)
    assert "Being handed over to the provider" in text(client.get(PAGE))
    with prepared.database.writing() as session:
        pauses.limit_rate(session, because="429 Too Many Requests", until=now() + timedelta(minutes=3), now=now())
    shown = text(client.get(PAGE))
    assert "Begun, and standing still" in shown
    assert re.search(r"No call of any edition begins before .* UTC \. 429 Too Many Requests", shown)

    with prepared.database.writing() as session:
        session.execute(sa.delete(Pause))
        session.execute(sa.update(Batch).where(Batch.id > 1).values(wave=2))
    assert "A first wave of 10 deliveries goes ahead. The other 35 follow 15 minutes" in text(client.get(PAGE))
    with prepared.database.writing() as session:
        session.execute(sa.update(Batch).where(Batch.id == 1).values(state=BatchState.ACCEPTED, accepted_at=now()))
        editions.find(session, make.WEEK).wave_until = now() + timedelta(minutes=12, seconds=5)
    shown = text(client.get(PAGE))
    assert "The first wave of 10 deliveries is out. The other 35 wait until" in shown
    assert "12 minutes from now" in shown
    assert "Begun, and standing still" in shown


def test_why_it_is_as_it_is_stands_first(client: TestClient, doubtful: Services) -> None:
    """The state in words, since when, by whom and why."""
    sign_in(client, doubtful)
    shown = text(client.get(PAGE))

    assert "Halted: nothing more is handed over until somebody resumes." in shown
    assert re.search(r"Since .* by the sender : “? ?1 batch is uncertain", shown)
    assert "1 batch stays uncertain: until all are settled it is halted again" in shown


def test_the_list_has_every_edition_with_its_sum(client: TestClient, doubtful: Services) -> None:
    """The newest first, each with its state, a link and one line; twenty a page."""
    sign_in(client, doubtful)
    with doubtful.database.writing() as session:
        same = {each.key: getattr(editions.find(session, make.WEEK), each.key) for each in sa.inspect(Edition).attrs}
        for week in range(1, 25):
            other = {"id": None, "week": f"2026-W{week:02}", "state": EditionState.SKIPPED, "halted_from": None}
            session.add(Edition(**{**same, **other}))
    first = client.get("/sending")
    links = re.findall(r'href="/sending/(2026-W\d\d)"', first.text)

    assert [make.WEEK, *(f"2026-W{week:02}" for week in range(24, 5, -1))] == links
    assert ("45 deliveries = 13 waiting + 0 in flight + 10 accepted + 1 withheld + 11 refused + 10 uncertain") in text(
        first
    )
    (older,) = re.findall(r'href="(/sending\?before=[^"]*)"', first.text)
    assert [f"2026-W0{week}" for week in range(5, 0, -1)] == re.findall(
        r'href="/sending/(2026-W\d\d)"', client.get(older).text
    )


@pytest.mark.parametrize("week", ["2026-W46", "2026-W99", "nothing", "2026-W47x", "%00"])
def test_an_edition_that_is_not_there_is_not_here(client: TestClient, doubtful: Services, week: str) -> None:
    """404, for the acts on it too."""
    sign_in(client, doubtful)
    for path in (f"/sending/{week}", f"/sending/{week}?fragment=live", f"/sending/{week}/stop"):
        assert 404 == client.get(path).status_code, path
    assert 404 == client.post(f"/sending/{week}/hold", data=WHY).status_code
    assert 404 == client.post("/sending/kill-switch/on", data={**WHY, "week": week}).status_code


@pytest.mark.parametrize("before", ["nothing", "%00", "2026-W99", ""])
def test_a_page_of_the_list_that_begins_nowhere_is_the_first(
    client: TestClient, doubtful: Services, before: str
) -> None:
    """Whatever somebody puts into the address."""
    sign_in(client, doubtful)

    assert f'href="{PAGE}"' in client.get(f"/sending?before={before}").text


def test_before_the_first_edition(client: TestClient, services: Services) -> None:
    """The list says so; there is no latest one."""
    sign_in(client, services)

    assert "There is no edition yet" in client.get("/sending").text
    assert 404 == client.get("/sending/latest").status_code


def test_every_state_has_its_page(client: TestClient, scripted: Services) -> None:
    """Draft, approved, being sent, sent, skipped: each says what it is, and offers only what is possible."""
    offered: dict[str, set[str]] = {
        "draft": set(),
        "approved": {"hold"},
        "sending": {"hold"},
        "halted": {"resume"},
        "sent": set(),
        "skipped": set(),
    }
    sign_in(client, scripted)
    make.draft(scripted)
    for state, acts in offered.items():
        with scripted.database.writing() as session:
            session.execute(sa.update(Edition).values(state=EditionState(state), halted_from=EditionState.APPROVED))
        answer = client.get(PAGE)

        assert 200 == answer.status_code
        assert state in text(answer)
        assert acts == set(re.findall(rf'action="{PAGE}/(\w+)"', answer.text)), state


def test_the_live_part_is_the_part_that_changes(client: TestClient, doubtful: Services) -> None:
    """No form is in it, so that nobody's typing is lost; it says whether looking again is worth it."""
    sign_in(client, doubtful)
    fragment = client.get(f"{PAGE}?fragment=live").text
    whole = client.get(PAGE).text

    assert "<form" not in fragment
    assert "<html" not in fragment
    assert 'data-going="no"' in fragment
    assert 'id="live"' in whole
    client.post(f"{PAGE}/resume", data=WHY)
    assert 'data-going="yes"' in client.get(f"{PAGE}?fragment=live").text


def test_hostile_words_are_inert(client: TestClient, doubtful: Services) -> None:
    """Reasons of staff, of the provider and of the ledger, wherever they stand."""
    sign_in(client, doubtful)
    with doubtful.database.writing() as session:
        session.get_one(Batch, 2).why = session.get_one(Batch, 3).why = HOSTILE.replace("\x00", "")
        session.get_one(Batch, 2).owner = HOSTILE.replace("\x00", "")
        session.execute(sa.update(Delivery).where(Delivery.id == 32).values(refused_because="<script>alert(2)"))
    client.post(f"{PAGE}/resume", data={"reason": HOSTILE})
    client.post(f"{PAGE}/hold", data={"reason": HOSTILE})
    client.post("/sending/kill-switch/on", data={"reason": HOSTILE})
    for path in (*LOOK, *FOR_OPERATORS):
        shown = client.get(path).text
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert "54439" not in shown
    refused = client.post(f"{PAGE}/stop", data={"reason": HOSTILE}).text
    assert "<script>alert" not in refused
    assert "\u202e" not in refused


def test_nobodys_address_is_shown_or_kept(client: TestClient, doubtful: Services) -> None:
    """What the provider says names readers, and staff may write whom they heard it from: neither stands here."""
    sign_in(client, doubtful)
    told = {**SURE, "reason": f"{READER} called and got it"}
    client.post(f"{PAGE}/resume", data=told)
    client.post(f"{PAGE}/hold", data=told)
    client.post("/sending/kill-switch/on", data=told)
    for path in (*LOOK, *FOR_OPERATORS):
        shown = client.get(path)
        assert 200 == shown.status_code, path
        assert "reader" not in re.findall(r"(\w+)@", shown.text), path
    client.post(f"{PAGE}/batches/2/accepted", data=told)
    client.post(f"{PAGE}/stop", data=told)

    kept = dump(doubtful)
    for table in ("edition_log", "audit_log", "pauses"):
        assert not [row for row in kept[table] if READER in row], table
    assert not [row for row in kept["batches"] if f"settled by staff 1: {READER}" in row]
    assert "(an address) called and got it" in (edition_of(doubtful).why or "")
