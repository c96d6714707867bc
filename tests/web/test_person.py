"""One person's page: who may do what to whom, what is left of it, and that nothing else changes anybody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response
from markupsafe import escape

from digest import postman
from digest.bootstrap import Services
from digest.models import AuditLine, Letter, LetterState, Role
from digest.people.dossiers import shown_name
from digest.web import person as person_page
from subscribers import consent, roster
from subscribers.addresses import parse
from subscribers.models import ConsentEvent, State, Subscriber
from subscribers.policy import Act
from tests import make
from tests.web.staff_client import sign_in

REASON = {"reason": "they wrote to us"}
ACTS = {"unsubscribe": REASON, "suppress": REASON, "lift": REASON, "erase": {"sure": "yes"}}


@pytest.fixture
def cast(services: Services) -> dict[str, Subscriber]:
    """Ada, Ben, Cleo and Dov, and Emil, who complained."""
    with services.database.writing() as session:
        people = make.cast(session)
        emil = make.subscriber(session, "emil@example.com")
        consent.suppress(session, emil, Act.COMPLAIN, because="reported", now=make.SEEN, source="provider")
        return {**people, "emil": emil}


def page_of(person: Subscriber, act: str = "") -> str:
    return f"/people/{person.id}/{act}".rstrip("/")


def everything(services: Services) -> tuple[object, ...]:
    """What an act could change: people, events, letters, the log."""
    with services.database.reading() as session:
        people = session.execute(sa.select(Subscriber.id, Subscriber.state, Subscriber.changed_at)).all()
        rows = [session.scalar(sa.select(sa.func.count()).select_from(table)) for table in (ConsentEvent, Letter)]
        return (*people, *rows, session.scalar(sa.select(sa.func.count()).select_from(AuditLine)))


def state_of(services: Services, person: Subscriber) -> State | None:
    with services.database.reading() as session:
        found = session.get(Subscriber, person.id)
        return found.state if found else None


def lines(services: Services) -> list[AuditLine]:
    with services.database.reading() as session:
        found = session.scalars(sa.select(AuditLine).where(AuditLine.by.like("staff %")).order_by(AuditLine.id)).all()
        return [line for line in found if "subscriber" in line.what]


def done(answer: Response) -> str:
    return answer.headers["location"].partition("done=")[2]


# — who may —


@pytest.mark.parametrize("role", [None, Role.EDITOR])
def test_only_operators_may(
    client: TestClient, services: Services, cast: dict[str, Subscriber], role: Role | None
) -> None:
    """Signed out one is led to the door, an editor is refused; in neither case does anybody change."""
    if role:
        sign_in(client, services, role)
    before = everything(services)
    pages = [client.get(path) for path in (page_of(cast["ada"]), page_of(cast["ada"], "erase"), "/people/add")]
    pressed = [client.post(page_of(person, act), data=given) for person in cast.values() for act, given in ACTS.items()]
    pressed.append(client.post("/people/add", data={"email": "new@example.com"}))

    assert {403 if role else 303} == {answer.status_code for answer in pages}
    assert {403} == {answer.status_code for answer in pressed}
    assert not any("ada@example.com" in answer.text for answer in (*pages, *pressed))
    assert before == everything(services)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.org"}])
def test_no_other_site_presses_a_button(
    client: TestClient, services: Services, cast: dict[str, Subscriber], headers: dict[str, str]
) -> None:
    """A form on another site, sent by a signed-in operator's browser, changes nothing."""
    sign_in(client, services)
    before = everything(services)
    answers = [client.post(page_of(cast["ada"], act), data=given, headers=headers) for act, given in ACTS.items()]

    assert {403} == {answer.status_code for answer in answers}
    assert before == everything(services)


def test_looking_changes_nothing(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """Every page of everybody may be read any number of times, and no act is done by GET or HEAD."""
    sign_in(client, services)
    before = everything(services)
    for person in cast.values():
        assert 200 == client.get(page_of(person)).status_code
        assert 200 == client.get(page_of(person, "erase")).status_code
        for act in ("unsubscribe", "suppress", "lift"):
            assert 405 == client.get(page_of(person, act)).status_code
            client.head(page_of(person, act))

    assert before == everything(services)


def test_nothing_of_anybody_is_kept_by_the_browser(
    client: TestClient, services: Services, cast: dict[str, Subscriber]
) -> None:
    """No copy in a cache, and no other script than our own."""
    sign_in(client, services)
    headers = client.get(page_of(cast["ada"])).headers

    assert "no-store" == headers["cache-control"]
    assert "script-src 'self'" in headers["content-security-policy"]


# — what happens —

AFTER = {
    ("ada", "unsubscribe"): State.UNSUBSCRIBED,
    ("ben", "unsubscribe"): State.UNSUBSCRIBED,
    ("dov", "unsubscribe"): State.SUPPRESSED,  # kept in mind for a lift
    ("emil", "unsubscribe"): None,  # a complaint was a no already
    ("cleo", "unsubscribe"): None,
    ("ada", "suppress"): State.SUPPRESSED,
    ("ben", "suppress"): State.SUPPRESSED,
    ("cleo", "suppress"): State.SUPPRESSED,
    ("dov", "suppress"): State.SUPPRESSED,  # takes the place of the bounce
    ("emil", "suppress"): None,
    ("ada", "lift"): None,
    ("ben", "lift"): None,
    ("cleo", "lift"): None,
    ("dov", "lift"): State.ACTIVE,
    ("emil", "lift"): None,
}


@pytest.mark.parametrize("act", ["unsubscribe", "suppress", "lift"])
def test_each_act_on_each_state(client: TestClient, services: Services, cast: dict[str, Subscriber], act: str) -> None:
    """What is possible is done and noted once; what is not changes nothing and says so; twice is as once."""
    staff = sign_in(client, services)
    for name, person in cast.items():
        before, noted = everything(services), len(lines(services))
        first = client.post(page_of(person, act), data=REASON)
        once = everything(services)
        second = client.post(page_of(person, act), data=REASON)

        assert (303, 303, "unchanged") == (first.status_code, second.status_code, done(second)), name
        assert once == everything(services), name
        expected = AFTER[name, act]
        if expected is None:
            assert ("unchanged", before) == (done(first), once), name
            continue
        assert expected is state_of(services, person), name
        assert "unchanged" != done(first), name
        line = lines(services)[noted:]
        assert [(f"staff {staff.id}", f"subscriber {person.id}")] == [(each.by, each.about) for each in line], name
        assert person_page.SAID[done(first)] in client.get(first.headers["location"]).text


def test_an_act_is_proof_with_who_and_why(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """The event names the member of staff and keeps the reason; the log keeps no word of it."""
    staff = sign_in(client, services)
    client.post(page_of(cast["ada"], "suppress"), data={"reason": "ada@example.com wrote: never again"})

    with services.database.reading() as session:
        event = roster.dossier(session, cast["ada"]).events[-1]
    assert ("suppressed by staff", f"staff {staff.id}", "ada@example.com wrote: never again") == (
        event.kind,
        event.source,
        event.wording,
    )
    assert "never again" in client.get(page_of(cast["ada"])).text
    (line,) = lines(services)
    assert "never" not in f"{line.what}{line.details}"


def test_a_reason_is_asked_for(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """Without one nothing is done, and the page says where it is missing."""
    sign_in(client, services)
    before = everything(services)
    for act in ("suppress", "lift"):
        for reason in ("", "   ", "\u202e\u0000"):
            answer = client.post(page_of(cast["dov"], act), data={"reason": reason})
            assert 422 == answer.status_code
            assert "Give a reason" in answer.text
            assert 'aria-invalid="true"' in answer.text

    assert before == everything(services)


def test_unsubscribing_needs_no_reason(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """A no is a no."""
    sign_in(client, services)

    assert "unsubscribed" == done(client.post(page_of(cast["ada"], "unsubscribe")))
    assert State.UNSUBSCRIBED is state_of(services, cast["ada"])


def test_a_lift_that_asks_again_owes_the_letter(
    client: TestClient, services: Services, cast: dict[str, Subscriber]
) -> None:
    """Who was pending before a bounce is asked once more, with the letter queued in the same breath."""
    sign_in(client, services)
    with services.database.writing() as session:
        ben = session.get_one(Subscriber, cast["ben"].id)
        consent.suppress(session, ben, Act.BOUNCE, because="550", now=datetime.now(UTC), source="provider")
    client.post(page_of(ben, "lift"), data=REASON)

    with services.database.reading() as session:
        letters = session.scalars(sa.select(Letter).where(Letter.subscriber_id == ben.id)).all()
    assert (State.PENDING, ["confirm"]) == (state_of(services, ben), [letter.kind for letter in letters])


def test_a_letter_that_is_not_sent_is_not_promised(
    client: TestClient, services: Services, cast: dict[str, Subscriber]
) -> None:
    """Whose address was written to often enough waits, and the page says so instead of “on its way”."""
    sign_in(client, services)
    now = datetime.now(UTC)
    with services.database.writing() as session:
        for _ in range(3):
            asked = consent.sign_up(session, parse("ben@example.com"), now=now, source="test")
            assert asked.letter is not None
            postman.queue(session, asked.letter, now=now)
        consent.suppress(session, asked.subscriber, Act.BOUNCE, because="550", now=now, source="provider")
    lifted = client.post(page_of(cast["ben"], "lift"), data=REASON)

    assert "no-letter" == done(lifted)
    assert "none is sent now" in client.get(lifted.headers["location"]).text
    assert State.PENDING is state_of(services, cast["ben"])


def test_a_long_history_unfolds(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """The latest at once, the earlier ones under a heading that counts them."""
    sign_in(client, services)
    letter = {
        "kind": "links",
        "email": "ada@example.com",
        "subscriber_id": cast["ada"].id,
        "context": {},
        "state": LetterState.ACCEPTED,
        "queued_at": make.SEEN,
        "not_before": make.SEEN,
    }
    with services.database.writing() as session:
        session.execute(sa.insert(Letter), [letter] * (person_page.SHOWN_AT_ONCE + 4))
    text = client.get(page_of(cast["ada"])).text

    assert "<summary>5 earlier</summary>" in text
    assert person_page.SHOWN_AT_ONCE + 4 == text.count("Letter with their own links: accepted")


BUTTONS = {
    "ada": {"unsubscribe", "suppress"},
    "ben": {"unsubscribe", "suppress"},
    "cleo": {"suppress"},
    "dov": {"unsubscribe", "suppress", "lift"},
    "emil": set[str](),
}


def test_buttons_stand_only_where_something_would_happen(
    client: TestClient, services: Services, cast: dict[str, Subscriber]
) -> None:
    """The rest is said in words; erasing is always possible."""
    sign_in(client, services)
    for who, buttons in BUTTONS.items():
        text = client.get(page_of(cast[who])).text
        acts = ("unsubscribe", "suppress", "lift")
        assert buttons == {act for act in acts if f'action="{page_of(cast[who], act)}"' in text}
        assert 3 - len(buttons) == text.count("not possible.")
        assert page_of(cast[who], "erase") in text


# — erasing —


def test_erasing_asks_first(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """The second page says what goes and what stays; without the tick nothing is erased."""
    sign_in(client, services)
    before = everything(services)
    asked = client.get(page_of(cast["ada"], "erase"))
    unticked = client.post(page_of(cast["ada"], "erase"))

    assert "What goes" in asked.text
    assert "their own sign-up and confirmation lifts it" in asked.text
    assert (422, True) == (unticked.status_code, "Nothing was erased" in unticked.text)
    assert before == everything(services)


def test_erased_is_gone_and_twice_is_once(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """The person and every word of them; the list says so, and says that nobody is there the second time."""
    sign_in(client, services)
    first = client.post(page_of(cast["ada"], "erase"), data={"sure": "yes"})
    second = client.post(page_of(cast["ada"], "erase"), data={"sure": "yes"})

    assert ("/people?done=erased", "/people?done=gone") == (first.headers["location"], second.headers["location"])
    assert state_of(services, cast["ada"]) is None
    assert 404 == client.get(page_of(cast["ada"])).status_code
    assert "Erased." in client.get("/people?done=erased").text
    assert 1 == len(lines(services))


def test_erasing_after_a_complaint_says_that_it_is_for_ever(
    client: TestClient, services: Services, cast: dict[str, Subscriber]
) -> None:
    """What stays is said before it is done."""
    sign_in(client, services)

    assert "refused for ever" in client.get(page_of(cast["emil"], "erase")).text


# — nonsense —

NONSENSE = ("0", "9" * 18, "9" * 19, "9" * 5000, "-1", "1e3", "0x1", "1.0", "null", "%00", "１", "1;2")


def test_a_number_that_is_nobody_s_is_not_here(client: TestClient, services: Services) -> None:
    """404 for whatever it is, to look at or to act on; never a failure of ours."""
    sign_in(client, services)
    for number in NONSENSE:
        answers = [client.get(f"/people/{number}"), client.get(f"/people/{number}/erase")]
        answers += [client.post(f"/people/{number}/{act}", data=REASON) for act in ("unsubscribe", "suppress", "lift")]
        assert {404} == {answer.status_code for answer in answers}, number
        assert client.post(f"/people/{number}/erase", data={"sure": "yes"}).status_code in (303, 404), number


def test_a_form_may_hold_anything(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """Endless, broken and surprising forms are answered with a sentence."""
    sign_in(client, services)
    path = page_of(cast["dov"], "suppress")
    boundary = {"content-type": "multipart/form-data; boundary=x"}

    assert 413 == client.post(path, data={"reason": "x" * 70_000}).status_code
    assert client.post(path, content=b"--x\r\nbroken", headers=boundary).status_code in (400, 422)
    assert client.post(path, files={"reason": ("a.txt", b"x")}).status_code in (400, 422)
    long = client.post(path, data={"reason": "x" * 60_000})
    assert "suppressed" == done(long)
    with services.database.reading() as session:
        assert 500 == len(session.get_one(Subscriber, cast["dov"].id).suppressed_because or "")


HOSTILE = (
    '<script>alert(1)</script>"><img src=x onerror=alert(1)>',
    "{{7*7}} {% raw %}",
    "\u202egro.elpmaxe@live\u202c",
    "Z\u0338\u0321" * 60,
    "عبد الرحمن",
)


def test_hostile_names_are_inert_and_isolated(client: TestClient, services: Services) -> None:
    """In the list and on the page: text inside its own direction, and nothing else."""
    sign_in(client, services)
    for number, name in enumerate(HOSTILE):
        with services.database.writing() as session:
            person = make.subscriber(session, f"h{number}@example.com", name=name)
            consent.suppress(session, person, Act.BOUNCE, because=name, now=make.SEEN, source=name)
        for path in ("/people", page_of(person), page_of(person, "erase")):
            text = client.get(path).text
            assert "<script>alert" not in text, name
            assert "<img" not in text, name
            assert ">49" not in text, name
            assert not set("\u202a\u202b\u202c\u202d\u202e") & set(text), name
        assert f"<bdi>{escape(shown_name(name))}</bdi>" in client.get(page_of(person)).text, name


def test_a_name_nobody_can_see_is_said_to_be_one(client: TestClient, services: Services) -> None:
    """Not an empty place that looks like a mistake."""
    sign_in(client, services)
    with services.database.writing() as session:
        person = make.subscriber(session, name="\u200b\u2060")

    assert "a name that cannot be seen" in client.get(page_of(person)).text


# — adding —


def add(client: TestClient, **given: str) -> Response:
    answer: Response = client.post("/people/add", data=given)
    return answer


def test_adding_somebody_asks_them_first(client: TestClient, services: Services) -> None:
    """Without a basis: pending, a confirmation letter queued, a line in the log, and their page opens."""
    staff = sign_in(client, services)
    answer = add(client, email=" Zoë.Quist@Exämple.com ".replace("ë", "e"), name="Zoe")

    with services.database.reading() as session:
        person = session.scalars(sa.select(Subscriber)).one()
        letter = session.scalars(sa.select(Letter)).one()
    assert f"/people/{person.id}?done=added" == answer.headers["location"]
    assert (State.PENDING, "Zoe", "confirm", person.id) == (
        person.state,
        person.name,
        letter.kind,
        letter.subscriber_id,
    )
    assert [(f"staff {staff.id}", "subscriber added")] == [(line.by, line.what) for line in lines(services)]


def test_a_basis_makes_active(client: TestClient, services: Services) -> None:
    """At once for somebody new, and for who was only waiting because staff added them; no letter is owed."""
    sign_in(client, services)
    add(client, email="zoe@example.com")
    upgraded = add(client, email="zoe@example.com", basis="you signed our list at the fair")
    new = add(client, email="yan@example.com", basis="you signed our list at the fair")

    with services.database.reading() as session:
        people = session.scalars(sa.select(Subscriber).order_by(Subscriber.id)).all()
        assert 1 == session.scalar(sa.select(sa.func.count()).select_from(Letter))
    assert [State.ACTIVE, State.ACTIVE] == [person.state for person in people]
    assert ("given-basis", "added-active") == (done(upgraded), done(new))
    assert "you signed our list at the fair" in client.get(new.headers["location"]).text


@pytest.mark.parametrize("basis", ["", "they asked"])
def test_adding_never_changes_who_is_known(
    client: TestClient, services: Services, cast: dict[str, Subscriber], basis: str
) -> None:
    """Neither name nor state, whatever it is; one is shown who it is."""
    sign_in(client, services)
    before = everything(services)
    for person in cast.values():
        answer = add(client, email=person.email, name="Somebody else", basis=basis)
        assert (f"/people/{person.id}", "known") == (answer.headers["location"].partition("?")[0], done(answer))

    assert before == everything(services)


def test_the_erased_are_not_added_again(client: TestClient, services: Services, cast: dict[str, Subscriber]) -> None:
    """With or without a basis: refused, in words."""
    sign_in(client, services)
    client.post(page_of(cast["ada"], "erase"), data={"sure": "yes"})
    for basis in ("", "they asked"):
        answer = add(client, email="ADA@example.com", basis=basis)
        assert (422, True) == (answer.status_code, "was erased" in answer.text)

    assert state_of(services, cast["ada"]) is None


UNFIT: list[tuple[dict[str, str], str]] = [
    ({"email": "no address"}, "email"),
    ({"email": ""}, "email"),
    ({}, "email"),
    ({"email": "x" * 9_000}, "email"),
    ({"email": "a@example.com\r\nBcc: b@example.com"}, "email"),
    ({"email": "zoe@example.com", "basis": "x" * 501}, "basis"),
]


def test_what_cannot_be_added_is_said_beside_it(client: TestClient, services: Services) -> None:
    """Tied to the field; nobody is added."""
    sign_in(client, services)
    for given, part in UNFIT:
        answer = add(client, **given)
        assert 422 == answer.status_code, given
        assert f'aria-describedby="{part}-wrong"' in answer.text, given

    with services.database.reading() as session:
        assert [] == session.scalars(sa.select(Subscriber)).all()
