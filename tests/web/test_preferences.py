"""The page behind a mail's preferences link: wishes change by a pressed button, and nothing else ever does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest.bootstrap import Services
from digest.people import limits
from digest.web import subscription
from digest.web.app import create_app
from digest.web.wordings import PREFERENCES
from subscribers import consent, policy
from subscribers.models import ConsentEvent, Subscriber
from subscribers.transfer import record
from subscribers.wishes import Rhythm
from tests import make
from tests.web.forms import without_token

FORM = {"scope": "everything", "rhythm": "weekly", "pause": "no"}


@pytest.fixture(autouse=True)
def topics(services: Services) -> None:
    """Tools of two categories have been taken in."""
    with services.database.writing() as session:
        make.taken_in(session, make.comparison(make.tool("Plumb", category="Design"), make.tool("Gauge")))


def page_of(services: Services, person: Subscriber) -> str:
    return "/preferences/" + services.links.preferences_url(person.link_id).rpartition("/")[2]


def row_of(services: Services, person: Subscriber) -> Subscriber:
    with services.database.reading() as session:
        return session.get_one(Subscriber, person.id)


def events_of(services: Services, person: Subscriber) -> list[ConsentEvent]:
    with services.database.reading() as session:
        events = sa.select(ConsentEvent).where(ConsentEvent.subscriber_id == person.id)
        return list(session.scalars(events.order_by(ConsentEvent.id)))


def undo_in(page: str) -> str:
    found = re.search(r'name="undo" value="([^"]+)"', page)
    assert found
    return found[1]


def in_weeks(weeks: int) -> str:
    """The day from which on editions come again after a pause of so many weeks."""
    return (datetime.now(UTC).date() + timedelta(weeks=weeks, days=1)).isoformat()


# — opening —


def test_the_page_shows_what_comes_now(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Topics of the tools we know, the person's own beside them, and everything as it is, preselected."""
    with services.database.writing() as session:
        person = session.merge(ada)
        person.topics, person.rhythm, person.plain_text = "Design\nSealing wax", Rhythm.MONTHLY, True
    page = client.get(page_of(services, ada)).text
    chosen = re.findall(r'value="([^"]+)"[^>]* (?:checked|selected)>', page)

    assert ["only", "Design", "Sealing wax", "monthly", "no", "yes"] == chosen
    assert 'value="Developer Tools">' in page
    assert '<bdi>Sealing wax</bdi> <span class="quiet">(no tool at present)' in page
    assert PREFERENCES.text in page


def test_looking_changes_nothing(client: TestClient, services: Services, ada: Subscriber) -> None:
    """GET, HEAD and OPTIONS, any number of times, whatever the query says."""
    before = (record(ada), len(events_of(services, ada)))
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        client.request(method, page_of(services, ada), params=FORM | {"rhythm": "monthly"})

    assert before == (record(row_of(services, ada)), len(events_of(services, ada)))


def test_a_forwarded_mail_tells_nothing(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Neither address nor name stands on the page, before or after saving."""
    path = page_of(services, ada)
    pages = [client.get(path).text, client.post(path, data=FORM | {"rhythm": "monthly"}).text]

    for personal in ("ada@", "ada quist", "quist", "example.com", make.BASIS):
        assert not [page for page in pages if personal in page.lower()]


# — saving —


def test_saving_stores_the_wishes_and_the_proof(client: TestClient, services: Services, ada: Subscriber) -> None:
    """In one canonical form, with one event that says what changed and what stood beside the button."""
    wanted = {"scope": "only", "topics": ["Developer Tools", "Design"], "rhythm": "monthly", "plain_text": "yes"}
    answer = client.post(page_of(services, ada), data=wanted | {"pause": in_weeks(3)}, headers={"user-agent": "Tester"})
    stored, event = row_of(services, ada), events_of(services, ada)[-1]

    assert 200 == answer.status_code
    assert "Rhythm: monthly" in answer.text
    assert ("Design\nDeveloper Tools", Rhythm.MONTHLY, True) == (stored.topics, stored.rhythm, stored.plain_text)
    assert stored.paused_until is not None
    assert in_weeks(3) + "T00:00:00+00:00" == stored.paused_until.isoformat()
    assert ("wishes changed", "preferences page", "Tester") == (event.kind, event.source, event.user_agent)
    assert event.wording is not None
    assert event.wording.startswith("Design, Developer Tools (was every topic); monthly (was weekly); plain text only")
    assert event.wording.endswith(f"; shown: {PREFERENCES.text}")


def test_the_same_again_records_nothing(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A second press says that it is like that already, and offers nothing to undo."""
    wanted = FORM | {"rhythm": "monthly", "pause": in_weeks(2)}
    first, second = (client.post(page_of(services, ada), data=wanted) for _ in range(2))

    assert "Saved." in first.text
    assert "Nothing to save." in second.text
    assert 'name="undo"' not in second.text
    assert ["added with a basis", "wishes changed"] == [event.kind for event in events_of(services, ada)]


def test_every_topic_wins_over_single_ones(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Boxes ticked earlier are still posted when they are no longer shown."""
    client.post(page_of(services, ada), data=FORM | {"scope": "only", "topics": "Design"})
    client.post(page_of(services, ada), data=FORM | {"scope": "everything", "topics": "Design"})

    assert "" == row_of(services, ada).topics


def test_the_pause_there_is_stays_until_another_is_chosen(
    client: TestClient, services: Services, ada: Subscriber
) -> None:
    """To the second, wherever it came from; choosing no pause ends it."""
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(weeks=40, hours=5)
    with services.database.writing() as session:
        session.merge(ada).paused_until = until
    page = client.get(page_of(services, ada)).text
    (chosen,) = re.findall(r'<option value="([^"]+)" selected>As now, to ', page)
    client.post(page_of(services, ada), data=FORM | {"rhythm": "monthly", "pause": chosen})
    kept = row_of(services, ada).paused_until
    client.post(page_of(services, ada), data=FORM)

    assert (until, None) == (kept, row_of(services, ada).paused_until)


# — undoing —


def test_undo_gives_everything_back(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Also a topic that nobody offers any more; pressing twice is harmless, and an undo can be undone."""
    with services.database.writing() as session:
        session.merge(ada).topics = "Sealing wax"
    before = row_of(services, ada).wishes
    saved = client.post(page_of(services, ada), data=FORM | {"rhythm": "monthly"}).text
    after = row_of(services, ada).wishes
    undone = client.post(page_of(services, ada), data={"undo": undo_in(saved)}).text

    assert "Topics: Sealing wax" in undone
    assert before == row_of(services, ada).wishes
    assert "Nothing to save." in client.post(page_of(services, ada), data={"undo": undo_in(saved)}).text
    client.post(page_of(services, ada), data={"undo": undo_in(undone)})
    assert after == row_of(services, ada).wishes
    assert ["wishes changed"] * 3 == [event.kind for event in events_of(services, ada)[1:]]


def test_nobody_undoes_with_somebody_elses_button(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Nor with a made-up one: one clear sentence, and nothing changes."""
    with services.database.writing() as session:
        ben = make.subscriber(session, "ben@example.com", topics="Secret garden")
    theirs = undo_in(client.post(page_of(services, ben), data=FORM).text)
    for token in (theirs, theirs[:-1] + "0", "x", "💥"):
        answer = client.post(page_of(services, ada), data={"undo": token})
        assert 422 == answer.status_code
        assert "Nothing was changed." in answer.text
        assert "Secret" not in answer.text
    assert "" == row_of(services, ada).topics
    assert ["added with a basis"] == [event.kind for event in events_of(services, ada)]


# — who is not there, or gets nothing —


def test_a_link_that_is_not_ours_opens_the_same_page_as_one_of_somebody_erased(
    client: TestClient, services: Services, ada: Subscriber
) -> None:
    """Made up, made for another purpose, or of somebody gone: nobody learns which."""
    links = services.links
    foreign = links.unsubscribe_url(ada.link_id).rpartition("/")[2]
    gone = links.preferences_url("g" * 22).rpartition("/")[2]
    answers = [
        client.request(method, f"/preferences/{token}", data=FORM if method == "POST" else None)
        for token in (foreign, gone, "x", "a" * 60)
        for method in ("GET", "POST")
    ]

    assert {404} == {answer.status_code for answer in answers}
    assert 1 == len({without_token(answer.text) for answer in answers})
    assert ["added with a basis"] == [event.kind for event in events_of(services, ada)]


def test_nobody_is_revived(client: TestClient, services: Services) -> None:
    """Pending, unsubscribed or suppressed: one page says that no edition comes, and pressing changes nothing."""
    with services.database.writing() as session:
        cast = make.cast(session)
        complained = make.subscriber(session, "eve@example.com")
        consent.suppress(session, complained, policy.Act.COMPLAIN, because="abuse", now=make.SEEN, source="test")
    people = [cast["ben"], cast["cleo"], cast["dov"], complained]
    before = [(record(person), len(events_of(services, person))) for person in people]
    answers = [client.get(page_of(services, person)) for person in people]
    answers += [client.post(page_of(services, person), data=FORM | {"rhythm": "monthly"}) for person in people]

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len({without_token(answer.text) for answer in answers})
    assert "new confirmation letter" in answers[0].text
    assert before == [(record(row_of(services, person)), len(events_of(services, person))) for person in people]


def test_an_undo_revives_nobody(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Left in between, the old page's button does nothing."""
    saved = client.post(page_of(services, ada), data=FORM | {"rhythm": "monthly"}).text
    with services.database.writing() as session:
        consent.unsubscribe(session, session.merge(ada), now=datetime.now(UTC), source="test")
    before = record(row_of(services, ada))
    answer = client.post(page_of(services, ada), data={"undo": undo_in(saved)})

    assert "No edition comes to you" in answer.text
    assert before == record(row_of(services, ada))


def test_the_way_out_stands_beside_saving(client: TestClient, services: Services, ada: Subscriber) -> None:
    """The page links to the one button that unsubscribes."""
    (path,) = re.findall(r'href="(/unsubscribe/[^"]+)"', client.get(page_of(services, ada)).text)
    client.post(path)

    assert "unsubscribed" == row_of(services, ada).state


# — hostile —

HOSTILE = [
    {},
    {"scope": "everything"},
    FORM | {"scope": "both"},
    FORM | {"scope": "only"},
    FORM | {"scope": "only", "topics": "design"},
    FORM | {"scope": "only", "topics": ["Design", "Nonsense"]},
    FORM | {"scope": "only", "topics": "Design\nDeveloper Tools"},
    FORM | {"scope": "only", "topics": "<script>alert(1)</script>"},
    FORM | {"scope": "only", "topics": '"><img src=x onerror=alert(1)>'},
    FORM | {"scope": "only", "topics": "{{7*7}}"},
    FORM | {"scope": "only", "topics": "\x00"},
    FORM | {"scope": "only", "topics": "\u202egnp.exe"},
    FORM | {"scope": "only", "topics": "x" * 10_000},
    FORM | {"scope": "only", "topics": [str(n) for n in range(900)]},
    FORM | {"rhythm": "hourly"},
    FORM | {"rhythm": "WEEKLY"},
    FORM | {"pause": "27"},
    FORM | {"pause": "-1"},
    FORM | {"pause": "9999-12-31"},
    FORM | {"pause": "2026-13-01"},
    FORM | {"pause": "<b>"},
    FORM | {"pause": "1" * 5_000},
]


def test_what_the_page_does_not_offer_is_refused(client: TestClient, services: Services, ada: Subscriber) -> None:
    """One clear sentence on the page, nothing changed, and no word of it comes back as markup."""
    before = record(row_of(services, ada))
    for form in HOSTILE:
        answer = client.post(page_of(services, ada), data=form)
        marks = [mark for mark in ("<script", "<img", "<b>", "{{", ">49<", "\u202e", "x" * 100) if mark in answer.text]

        assert (form, 422, 1, []) == (form, answer.status_code, answer.text.count("Nothing was changed."), marks)
    assert before == record(row_of(services, ada))
    assert ["added with a basis"] == [event.kind for event in events_of(services, ada)]


def test_hostile_names_of_topics_are_inert(client: TestClient, services: Services, ada: Subscriber) -> None:
    """A site may call its categories what it likes: they can be chosen, and they are words."""
    name = """<script>"'&amp;</script> صور"""
    with services.database.writing() as session:
        make.taken_in(session, make.comparison(make.tool("Odd", category=name)))
    answer = client.post(page_of(services, ada), data=FORM | {"scope": "only", "topics": name})

    assert 200 == answer.status_code
    assert "<script" not in answer.text
    assert name == row_of(services, ada).topics


def pieces() -> Iterator[bytes]:
    """A form without an end, sent without saying how long it is."""
    yield b"scope=everything&topics="
    yield from (b"x" * 8_000 for _ in range(20))


URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="topics"\r\n\r\n'


FILE = b'--x\r\nContent-Disposition: form-data; name="topics"; filename="a"\r\n\r\nx\r\n--x--\r\n'
BODIES: list[tuple[Callable[[], bytes | Iterator[bytes]], str, int]] = [
    (lambda: b"scope=" + b"x" * 70_000, URLENCODED, 413),
    (pieces, URLENCODED, 413),
    (lambda: PART + b"x" * 70_000 + b"\r\n--x--\r\n", MULTIPART, 413),
    (lambda: b"&".join([b"topics=x"] * 2_000), URLENCODED, 400),
    (lambda: FILE, MULTIPART, 400),
    (lambda: b"nonsense", MULTIPART, 400),
    (lambda: PART, "multipart/form-data", 400),
    (lambda: PART, MULTIPART, 422),
    (lambda: b"%zz=%00&\xff\xfe=\xff&&&=;=", URLENCODED, 422),
    (lambda: b'{"scope": "everything"}', "application/json", 422),
    (lambda: b"", "", 422),
]


def test_no_body_trips_the_page(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Too long (said or not), broken, of another kind, or none: an answer in words, and nothing changes."""
    for number, (body, kind, status) in enumerate(BODIES):
        answer = client.post(page_of(services, ada), content=body(), headers={"content-type": kind})

        assert (number, status) == (number, answer.status_code)
        assert "<h1>" in answer.text
    assert ["added with a basis"] == [event.kind for event in events_of(services, ada)]


def test_our_own_failure_saves_nothing_and_says_so(client: TestClient, services: Services, ada: Subscriber) -> None:
    """Without its proof no wish is stored: 503, and the row is as it was."""
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE consent_events")
    answer = client.post(page_of(services, ada), data=FORM | {"rhythm": "monthly"})

    assert 503 == answer.status_code
    assert Rhythm.WEEKLY == row_of(services, ada).rhythm


def test_nobody_fills_the_record_with_changes(
    services: Services, ada: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 with the time to wait once a network has pressed too often, and nothing changes any more."""
    moment = datetime.now(UTC)  # all in one window, however long the test takes
    monkeypatch.setattr(subscription, "_now", lambda: moment)
    client = TestClient(create_app(services), client=("192.0.2.7", 4000))
    for number in range(limits.ONE_ADDRESS[0][0]):
        rhythm = ("weekly", "monthly")[number % 2]
        assert 200 == client.post(page_of(services, ada), data=FORM | {"rhythm": rhythm}).status_code
    before = record(row_of(services, ada))
    answer = client.post(page_of(services, ada), data=FORM | {"plain_text": "yes"})

    assert 429 == answer.status_code
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert before == record(row_of(services, ada))
