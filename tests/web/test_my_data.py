"""What is held about somebody: behind a fresh link mailed to the address, and behind nothing else."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import sending
from digest.bootstrap import Services
from digest.models import AuditLine, Delivery, Letter, Request
from digest.people import limits, my_data, requests
from subscribers import addresses, consent, roster
from subscribers.models import AddressChange, ConsentEvent, RefusedAddress, State, Subscriber
from tests import make
from tests.web.forms import token_in, without_token

DOORS = ("GET /my-data/{}", "POST /my-data/{}/export", "GET /my-data/{}/erase", "POST /my-data/{}/erase")


def now() -> datetime:
    return datetime.now(UTC)


def path_of(services: Services, person: Subscriber, *, made: datetime | None = None) -> str:
    return services.links.my_data_url(person.link_id, made or now()).removeprefix(services.settings.digest_site_url)


def form(services: Services, email: str) -> dict[str, str]:
    return {"email": email, "token": services.links.form_token(now() - timedelta(seconds=10))}


def letters(services: Services) -> list[tuple[str, str]]:
    with services.database.reading() as session:
        return [
            (kind, email) for kind, email in session.execute(sa.select(Letter.kind, Letter.email).order_by(Letter.id))
        ]


def person_of(services: Services, email: str) -> Subscriber | None:
    with services.database.reading() as session:
        return roster.find(session, email)


# — asking —


def test_asking_is_answered_alike_and_known_people_get_a_letter(client: TestClient, services: Services) -> None:
    """Byte for byte, known in any state or not at all; the letter goes to the stored address."""
    with services.database.writing() as session:
        make.cast(session)
    people = [f"{name}@example.com" for name in ("ADA", "ben", "cleo", "dov", "stranger")]
    answers = [client.post("/my-data", data=form(services, email)) for email in people]
    while requests.settle_next(services, now=now()):
        pass

    assert 1 == len({(answer.status_code, answer.content) for answer in answers})
    assert [("my-data", f"{name}@example.com") for name in ("ada", "ben", "cleo", "dov")] == letters(services)


def test_the_same_care_as_at_the_front_door(client: TestClient, services: Services) -> None:
    """A bad address, a slip and a stale form bring the form back; a trap and a full counter change nothing to see."""
    bad = client.post("/my-data", data=form(services, "ada@"))
    slip = client.post("/my-data", data=form(services, "ada@gmial.com"))
    stale = client.post("/my-data", data={"email": "ada@example.com"})
    trapped = client.post("/my-data", data=form(services, "ada@example.com") | {"website": "x"})
    answers = [client.post("/my-data", data=form(services, "ada@example.com")) for _ in range(8)]

    assert (422, 200, 200) == (bad.status_code, slip.status_code, stale.status_code)
    assert 'aria-describedby="address-problem"' in bad.text
    assert "Use ada@gmail.com" in slip.text
    assert "once more" in stale.text
    assert token_in(stale.text)
    assert {trapped.content} == {answer.content for answer in answers}
    with services.database.reading() as session:
        assert limits.ONE_MAILBOX[0][0] == len(session.scalars(sa.select(Request)).all())


# — seeing —


def test_the_page_shows_everything(client: TestClient, scripted: Services) -> None:
    """Record, proof, editions and letters; of nobody else anything."""
    with scripted.database.writing() as session:
        ada = make.subscriber(session, "ada@example.com", name="Ada Quist", topics="Design")
        make.subscriber(session, "ben@example.com", name="Ben Other")
        consent.ask_to_change_address(session, ada, addresses.parse("ada@example.org"), now=now(), source="test")
    make.approved(scripted)
    sending.send_now(scripted, make.WEEK, by="t", clock=now, now=make.SEND, skip_undo=True, stop=threading.Event())
    page = client.get(path_of(scripted, ada)).text

    for held in ("ada@example.com", "Ada Quist", "Design", make.BASIS, "ada@example.org", make.WEEK, "accepted"):
        assert held in page
    assert "ben" not in page.lower()


def test_the_export_holds_all_of_it(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A JSON file with every column of every row about the person."""
    client.post("/my-data", data=form(services, "ada@example.com"))
    requests.settle_next(services, now=now())
    answer = client.post(f"{path_of(services, ada)}/export")
    found = answer.json()

    assert 'attachment; filename="my-data.json"' == answer.headers["content-disposition"]
    assert ("ada@example.com", "Ada Quist", "active") == (found["email"], found["name"], found["state"])
    assert ["added with a basis"] == [event["what"] for event in found["events"]]
    assert ["Link to your data"] == [letter["what"] for letter in found["letters"]]
    assert [] == found["deliveries"]
    assert answer.text.count("\n") > 20


def test_no_column_about_a_person_is_forgotten() -> None:
    """A new column of somebody's rows must be shown to them, or be left out here on purpose."""
    shown: dict[Any, tuple[Any, dict[str, str], set[str]]] = {
        Subscriber: (my_data.Held, {"id": "number", "pending_since": "asked_at"}, {"email_key", "search"}),
        ConsentEvent: (
            my_data.HeldEvent,
            {"kind": "what", "happened_at": "at", "source": "through", "ip": "ip_address", "user_agent": "program"},
            {"id", "subscriber_id"},
        ),
        Delivery: (
            my_data.HeldDelivery,
            {"edition_id": "week", "withheld_because": "because", "refused_because": "because"},
            {"id", "subscriber_id", "variant"},
        ),
    }
    for table, (value, renamed, left_out) in shown.items():
        columns = {column.name for column in table.__table__.columns} - left_out
        assert {renamed.get(name, name) for name in columns} <= {field.name for field in dataclasses.fields(value)}, (
            table.__name__
        )


def test_links_of_other_kinds_open_nothing(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Nor do old ones, nor nonsense: all get one page, with the form for a fresh link, and nothing changes."""
    links, site = services.links, services.settings.digest_site_url
    others = [
        links.unsubscribe_url(ada.link_id).rpartition("/")[2],
        links.preferences_url(ada.link_id).rpartition("/")[2],
        links.confirm_url(ada.link_id, now(), now()).rpartition("/")[2],
        path_of(services, ada, made=now() - timedelta(hours=24, seconds=1)).rpartition("/")[2],
        links.my_data_url("x" * 22, now()).removeprefix(f"{site}/my-data/"),
        "nonsense",
        "💥",
    ]
    answers = [client.request(*door.format(token).split(" ")) for token in others for door in DOORS]

    assert {404} == {answer.status_code for answer in answers}
    assert 1 == len({without_token(answer.text) for answer in answers})
    assert "Mail me a link" in answers[0].text
    assert person_of(services, "ada@example.com") is not None


def test_looking_changes_nothing(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Nor does taking along; and no answer is kept, indexed or tells where it was opened."""
    path = path_of(services, ada)
    for method, place in (("GET", path), ("HEAD", path), ("GET", f"{path}/erase"), ("POST", f"{path}/export")):
        answer = client.request(method, place)
        assert 200 == answer.status_code
        assert ("no-store", "noindex") == (answer.headers["cache-control"], answer.headers["x-robots-tag"])
        assert "no-referrer" == answer.headers["referrer-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]

    stored = person_of(services, "ada@example.com")
    assert stored is not None
    assert ada.changed_at == stored.changed_at


# — erasing —


def test_erasing_leaves_nothing_but_a_hash(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A second page says what it means; its button does it; a second press is harmless."""
    path = path_of(services, ada)
    client.post("/my-data", data=form(services, "ada@example.com"))
    requests.settle_next(services, now=now())
    asked = client.get(f"{path}/erase")
    assert person_of(services, "ada@example.com") is not None
    first, second = (client.post(f"{path}/erase") for _ in range(2))

    assert "for good" in asked.text
    assert "Everything is erased" in first.text
    assert 404 == second.status_code
    assert person_of(services, "ada@example.com") is None
    with services.database.reading() as session:
        assert 1 == len(session.scalars(sa.select(RefusedAddress)).all())
        assert [] == session.scalars(sa.select(ConsentEvent)).all()
        assert [""] == session.scalars(sa.select(Letter.email)).all()
        assert ["themselves"] == session.scalars(sa.select(AuditLine.by)).all()


# — moving —


def test_an_address_moves_when_it_is_confirmed_there(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Asked for here, confirmed there by a button, told to the old one; the wishes stay."""
    asked = client.post(f"{path_of(services, ada)}/change-address", data={"email": "Ada@example.org"})
    assert [("change-address", "Ada@example.org")] == letters(services)
    with services.database.reading() as session:
        change = session.scalars(sa.select(AddressChange)).one()
    link = services.links.change_address_url(change.link_id, now()).removeprefix(services.settings.digest_site_url)
    client.get(link)
    assert person_of(services, "ada@example.com") is not None
    moved, again = client.post(link), client.post(link)

    assert "new mailbox" in asked.text
    assert "is changed" in moved.text
    assert "Nothing was changed" in again.text
    found = person_of(services, "ada@example.org")
    assert found is not None
    assert (ada.id, "Ada@example.org", State.ACTIVE) == (found.id, found.email, found.state)
    assert ("address-changed", "ada@example.com") == letters(services)[-1]
    assert 404 != client.get(path_of(services, found)).status_code


def test_a_taken_address_cannot_be_told_from_a_free_one(
    client: TestClient, services: Services, ada: Subscriber
) -> None:
    """Asking gives one answer; the button at the address itself then changes nothing."""
    with services.database.writing() as session:
        make.subscriber(session, "ben@example.com")
    path = f"{path_of(services, ada)}/change-address"
    answers = [client.post(path, data={"email": email}) for email in ("new@example.com", "ben@example.com")]
    with services.database.reading() as session:
        change = session.scalars(sa.select(AddressChange)).one()
    link = services.links.change_address_url(change.link_id, now()).removeprefix(services.settings.digest_site_url)

    assert 1 == len({answer.content for answer in answers})
    assert "Nothing was changed" in client.post(link).text
    assert person_of(services, "ada@example.com") is not None


def test_a_slip_in_the_new_address_is_caught(client: TestClient, services: Services, ada: Subscriber) -> None:
    """At the field, on the page that shows everything; a slip is asked about."""
    path = f"{path_of(services, ada)}/change-address"
    bad = client.post(path, data={"email": "ada@"})
    slip = client.post(path, data={"email": "ada@gmial.com"})

    assert 422 == bad.status_code
    assert 'aria-describedby="new-address-problem"' in bad.text
    assert "Use ada@gmail.com" in slip.text
    assert [] == letters(services)
    client.post(path, data={"email": "ada@gmial.com", "sure": "yes"})
    assert [("change-address", "ada@gmial.com")] == letters(services)


def test_asking_to_move_is_limited(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A new address gets one letter, whose button works however often it was asked for; whoever asks sees no
    difference."""
    path = f"{path_of(services, ada)}/change-address"
    answers = [client.post(path, data={"email": "new@example.org"})]
    with services.database.reading() as session:
        change = session.scalars(sa.select(AddressChange)).one()
    answers += [client.post(path, data={"email": "new@example.org"}) for _ in range(7)]

    assert 1 == len({(answer.status_code, answer.content) for answer in answers})
    assert [("change-address", "new@example.org")] == letters(services)
    link = services.links.change_address_url(change.link_id, now()).removeprefix(services.settings.digest_site_url)
    assert "is changed" in client.post(link).text


def test_who_wants_to_move_and_who_signs_up_are_one_to_a_mailbox(
    client: TestClient, services: Services, ada: Subscriber
) -> None:
    """Three people who ask to move to one address, and a sign-up with it: one letter."""
    with services.database.writing() as session:
        others = [make.subscriber(session, f"{name}@example.com") for name in ("ben", "cleo")]
    for person in (ada, *others):
        client.post(f"{path_of(services, person)}/change-address", data={"email": "vic@example.org"})
    client.post("/subscribe", data=form(services, "vic@example.org"))
    assert requests.settle_next(services, now=now())

    assert [("change-address", "vic@example.org")] == letters(services)


def test_who_is_not_active_has_nowhere_to_move(client: TestClient, services: Services, ada: Subscriber) -> None:
    """The page offers no move, and posting one changes nothing."""
    with services.database.writing() as session:
        consent.unsubscribe(session, session.merge(ada), now=now(), source="test")
    path = path_of(services, ada)

    assert "Change your address" not in client.get(path).text
    client.post(f"{path}/change-address", data={"email": "new@example.org"})
    assert [] == letters(services)


@pytest.mark.parametrize("token", ["x", "a" * 5000, "%00", "é", "💥"])
def test_nonsense_is_answered_calmly(client: TestClient, token: str) -> None:
    """No token, however odd, is an error of ours."""
    for door in (*DOORS, "POST /my-data/{}/change-address", "GET /change-address/{}", "POST /change-address/{}"):
        assert client.request(*door.format(token).split(" ")).status_code < 500
