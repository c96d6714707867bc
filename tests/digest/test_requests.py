"""What strangers ask for: stored blindly, settled exactly once, and never in the way of the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from database import Database
from digest import jobs
from digest.bootstrap import Services
from digest.models import Letter, Request, RequestKind
from digest.people import erasing, requests
from digest.people.requests import FIRST_RETRY, LONGEST_LOOK, MOST_ATTEMPTS
from subscribers import addresses, consent, policy, roster
from subscribers.consent import Proof
from subscribers.models import ConsentEvent, State, Subscriber
from tests import make
from tests.make import SEEN as NOW

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SIGN_UP, MY_DATA, SIGN_IN, ADD = RequestKind
PROOF = Proof("Send it to me.", "2026-11", "203.0.113.9", "Browser 5")
HOSTILE = "Mozilla\x00\ud800 \u202e(x)\r\nX: y " + "z" * 900


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def ask(services: Services, address: str, kind: RequestKind = SIGN_UP, *, at: datetime = NOW, **more: object) -> None:
    with services.database.writing() as session:
        given = {"source": "the sign-up form", "proof": PROOF, **more}
        requests.ask(session, kind, addresses.parse(address), now=at, **given)  # type: ignore[arg-type]


def settle(services: Services, *, at: datetime = NOW) -> list[str]:
    """Everything that is due."""
    became: list[str] = []
    while word := requests.settle_next(services, now=at):
        became.append(word)
    return became


def waiting(services: Services) -> list[Request]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Request).order_by(Request.id)))


def letters(services: Services) -> list[tuple[str, str]]:
    """Kind and address of all letters."""
    with services.database.reading() as session:
        found = session.execute(sa.select(Letter.kind, Letter.email).order_by(Letter.id))
        return [(kind, email) for kind, email in found]


def states(services: Services) -> dict[str, State]:
    with services.database.reading() as session:
        return dict(session.execute(sa.select(Subscriber.email_key, Subscriber.state)).all())


def events(session: Session, address: str) -> list[ConsentEvent]:
    person = roster.find(session, address)
    assert person is not None
    return list(roster.dossier(session, person).events)


# — at the door —


def test_asking_is_the_same_for_everybody(services: Services) -> None:
    """Unknown, active, pending, unsubscribed, suppressed, erased or odd: the same one INSERT, and no more."""
    with services.database.writing() as session:
        make.cast(session)
        erasing.erase(session, make.subscriber(session, "erased@example.com"), now=NOW, by="staff 3")
    said: list[list[str]] = []
    sa.event.listen(services.database.engine, "before_cursor_execute", lambda *given: said[-1].append(given[2]))
    names = ("ada", "ben", "cleo", "dov", "erased", "nobody", "O'Neil+tag")
    for address in [f"{name}@example.com" for name in names] + ["x@bücher.example"]:
        said.append([])
        ask(services, address)

    assert all(each == said[0] for each in said)
    assert [statement.split()[0] for statement in said[0] if statement.split()[0] != "BEGIN"] == ["INSERT"]
    assert letters(services) == []


def test_a_request_is_stored_as_it_came(services: Services) -> None:
    """The address as typed and the whole proof; what is too long or unprintable is cut to what the table holds."""
    ask(services, " Ada.L@Example.com ")
    proof = Proof("w" * 9000, "2026-11", "2001:db8::9", HOSTILE)
    ask(services, "b@example.com", ADD, source="s" * 900, proof=proof, name=f"Ben {HOSTILE}", topics=["a\nb", " ", "c"])
    plain, odd = waiting(services)

    assert (plain.email, plain.asked_at, plain.not_before, plain.source) == (
        "Ada.L@Example.com",
        NOW,
        NOW,
        "the sign-up form",
    )
    assert Proof(plain.wording, plain.wording_version, plain.ip, plain.user_agent) == PROOF
    assert (odd.topics, odd.wording) == ("a b\nc", "w" * 9000)
    assert (len(odd.source), len(odd.name or ""), len(odd.user_agent or "")) == (200, 200, 400)
    assert "\x00" not in f"{odd.user_agent}{odd.name}"


# — what follows —


def test_a_sign_up_becomes_a_pending_person_and_a_letter(services: Services) -> None:
    """The proof is the door's: its wording, version, address, agent and time; the request is gone."""
    ask(services, "ada@example.com")

    assert settle(services, at=NOW + 3 * SECOND) == ["settled"]
    assert waiting(services) == []
    assert letters(services) == [("confirm", "ada@example.com")]
    with services.database.reading() as session:
        (event,) = events(session, "ada@example.com")
        letter = session.scalars(sa.select(Letter)).one()
        person = roster.find(session, "ada@example.com")
    assert person is not None
    assert (person.state, person.pending_since) == (State.PENDING, NOW)
    assert Proof(event.wording, event.wording_version, event.ip, event.user_agent) == PROOF
    assert (event.kind, event.happened_at, event.source) == ("signed up", NOW, "the sign-up form")
    assert letter.context == {"asked_at": NOW.isoformat(), "asked_through": "the sign-up form"}
    assert (letter.queued_at, letter.not_before) == (NOW + 3 * SECOND, NOW + 3 * SECOND)


def test_nothing_is_dated_into_the_future(services: Services) -> None:
    """A door whose clock is ahead of ours: settled when it is due here, and the proof says no later time than ours."""
    ask(services, "ada@example.com", at=NOW + MINUTE)

    assert settle(services, at=NOW) == []
    with services.database.writing() as session:
        session.execute(sa.update(Request).values(not_before=NOW))
    assert settle(services, at=NOW) == ["settled"]
    with services.database.reading() as session:
        assert events(session, "ada@example.com")[0].happened_at == NOW


def test_what_a_sign_up_does_depends_on_who_it_is(services: Services) -> None:
    """Active: their own links. Pending: the letter once more. Unsubscribed: a new confirmation. Suppressed: nothing."""
    with services.database.writing() as session:
        make.cast(session)
    before = states(services)
    for name in ("ada", "ben", "cleo", "dov"):
        ask(services, f"{name}@example.com")

    assert settle(services) == ["settled"] * 4
    assert letters(services) == [
        ("links", "ada@example.com"),
        ("confirm", "ben@example.com"),
        ("confirm", "cleo@example.com"),
    ]
    assert states(services) == {**before, "cleo@example.com": State.PENDING}


def test_who_is_refused_for_ever_is_no_error(services: Services) -> None:
    """Somebody who complained and was erased: nothing is written, tried again or logged as wrong."""
    with services.database.writing() as session:
        person = make.subscriber(session)
        consent.suppress(session, person, policy.Act.COMPLAIN, because="spam", now=NOW, source="test")
        erasing.erase(session, person, now=NOW, by="staff 3")
    for kind in (SIGN_UP, ADD, MY_DATA):
        ask(services, "ada@example.com", kind)
    with structlog.testing.capture_logs() as said:
        assert settle(services) == ["refused", "refused", "settled"]

    assert (states(services), letters(services), waiting(services)) == ({}, [], [])
    assert [line for line in said if line["log_level"] in ("error", "critical")] == []


def test_whoever_is_known_may_see_their_data(services: Services) -> None:
    """In any state, at the address as it stands here; whoever is not known gets nothing."""
    with services.database.writing() as session:
        make.cast(session)
    before = states(services)
    for name in ("ADA", "ben", "cleo", "dov", "nobody"):
        ask(services, f"{name}@example.com", MY_DATA)

    assert settle(services) == ["settled"] * 5
    assert letters(services) == [("my-data", f"{name}@example.com") for name in ("ada", "ben", "cleo", "dov")]
    assert states(services) == before


def test_only_staff_get_a_way_in(services: Services) -> None:
    """A subscriber is no staff, and staff are no subscribers."""
    with services.database.writing() as session:
        make.staff(session, "edda@example.com")
        make.subscriber(session, "ada@example.com")
    for name in ("edda", "ada", "nobody"):
        ask(services, f"{name}@example.com", SIGN_IN)

    assert settle(services) == ["settled"] * 3
    assert letters(services) == [("sign-in", "edda@example.com")]


def test_the_api_revives_nobody(services: Services) -> None:
    """The unknown become pending, with name and topics; nobody else changes, and nobody else gets a letter."""
    with services.database.writing() as session:
        make.cast(session)
        erasing.erase(session, make.subscriber(session, "erased@example.com"), now=NOW, by="staff 3")
    before = states(services)
    for name in ("ada", "ben", "cleo", "dov", "erased", "new"):
        ask(services, f"{name}@example.com", ADD, name="Nell", topics=["Design", "Agents"])

    assert settle(services) == ["settled"] * 4 + ["refused", "settled"]
    assert states(services) == {**before, "new@example.com": State.PENDING}
    assert letters(services) == [("confirm", "new@example.com")]
    with services.database.reading() as session:
        new = roster.find(session, "new@example.com")
        assert new is not None
        assert (new.name, new.wishes.topics) == ("Nell", frozenset({"Design", "Agents"}))


# — exactly once —


def test_four_clocks_settle_each_request_once(services: Services) -> None:
    """Forty requests of twenty people, by four clocks at once: each person once, one letter each."""
    for number in range(40):
        ask(services, f"reader{number % 20}@example.com")
    together = threading.Barrier(4)

    def work(_: int) -> list[str]:
        together.wait()
        return settle(services)

    with ThreadPoolExecutor(4) as pool:
        became = [word for words in pool.map(work, range(4)) for word in words]
    # Two that met at one person may have had to try again.
    became += settle(services, at=NOW + MINUTE)

    assert became.count("settled") == 40
    assert waiting(services) == []
    assert sorted(email for _, email in letters(services)) == sorted(f"reader{n}@example.com" for n in range(20))
    assert len(states(services)) == 20


@pytest.mark.parametrize("known", [False, True])
def test_eight_clocks_at_one_address(services: Services, *, known: bool) -> None:
    """The same address eight times in two spellings, known before or not, all at once: one person, one letter."""
    if known:
        with services.database.writing() as session:
            make.cast(session)
    address = "cleo@example.com"
    for number in range(8):
        ask(services, address if number % 2 else address.upper())
    together = threading.Barrier(8)

    def work(_: int) -> str | None:
        together.wait()
        return requests.settle_next(services, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == ["settled"] * 8

    assert [kind for kind, _ in letters(services)] == ["confirm"]
    assert states(services)[address] is State.PENDING


def test_who_is_too_slow_does_nothing(services: Services) -> None:
    """A clock that slept longer than anybody waits finds its request taken: what was done is not done again."""
    ask(services, "ada@example.com", MY_DATA)
    with services.database.writing() as session:
        make.subscriber(session)
    slow = requests._claim_due(services, NOW)
    assert slow is not None
    assert settle(services, at=NOW + LONGEST_LOOK - SECOND) == []
    assert settle(services, at=NOW + LONGEST_LOOK) == ["settled"]

    with services.database.writing() as session:
        requests._settle(session, slow, NOW + LONGEST_LOOK)
    assert letters(services) == [("my-data", "ada@example.com")]


# — failures —


def break_down(database: Database, how: BaseException) -> None:
    """From now on no transaction in which consent changed can be committed."""

    def fail(session: Session) -> None:
        if session.scalar(sa.select(sa.exists().where(Subscriber.email_key == "ada@example.com"))):
            raise how

    database.before_commit.append(fail)


def test_a_request_that_fails_stops_nobody(services: Services) -> None:
    """It is put off, the one behind it is settled at once, and nothing half done is left."""
    ask(services, "ada@example.com")
    ask(services, "ben@example.com")
    break_down(services.database, OSError("the disk is full"))

    assert settle(services) == ["put off", "settled"]
    assert letters(services) == [("confirm", "ben@example.com")]
    services.database.before_commit.clear()
    assert settle(services, at=NOW + FIRST_RETRY) == ["settled"]
    assert letters(services)[1] == ("confirm", "ada@example.com")


def test_it_is_tried_ever_more_rarely_and_then_dropped(services: Services) -> None:
    """Eight attempts over some hours, each wait four times the last; then one error line, without the address."""
    ask(services, "ada@example.com")
    break_down(services.database, ValueError("ada@example.com is the trouble"))
    waits: list[timedelta] = []
    now = NOW
    with structlog.testing.capture_logs() as said:
        while waiting(services):
            assert settle(services, at=now) == ["dropped" if len(waits) == MOST_ATTEMPTS - 1 else "put off"]
            for request in waiting(services):
                assert settle(services, at=request.not_before - SECOND) == []
                waits.append(request.not_before - now)
                now = request.not_before

    assert waits == [FIRST_RETRY * 4**n for n in range(MOST_ATTEMPTS - 1)]
    assert 6 * HOUR < now - NOW < 12 * HOUR
    assert [line["event"] for line in said if line["log_level"] == "error"][-1] == "a request was given up"
    assert "ada" not in repr(said)
    assert states(services) == {}


def test_what_the_database_says_does_not_reach_the_log(services: Services) -> None:
    """An error that carries a statement with its values, as SQLAlchemy's do, is logged by its name and place."""
    ask(services, "ada@example.com")
    break_down(services.database, sa.exc.OperationalError("INSERT …", {"email": "ada@example.com"}, Exception("busy")))
    with structlog.testing.capture_logs() as said:
        assert settle(services) == ["put off"]

    assert "OperationalError" in repr(said)
    assert "ada" not in repr(said)


def test_an_address_that_cannot_be_read_is_dropped_in_the_end(services: Services) -> None:
    """A row that some other hand wrote: it ends, and the others go on."""
    ask(services, "ada@example.com")
    with services.database.writing() as session:
        session.execute(sa.update(Request).values(email="no address at all"))
    ask(services, "ben@example.com")
    assert settle(services) == ["put off", "settled"]
    for number in range(MOST_ATTEMPTS):
        settle(services, at=NOW + (number + 1) * DAY)

    assert waiting(services) == []


def test_a_request_that_ends_the_process_is_not_tried_for_ever(services: Services) -> None:
    """Killed each time: nothing of it is kept, the others come first meanwhile, and in the end it is dropped."""
    ask(services, "ada@example.com")
    ask(services, "ben@example.com")
    break_down(services.database, Killed())
    for attempt in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            settle(services, at=NOW + attempt * LONGEST_LOOK)
        assert settle(services, at=NOW + attempt * LONGEST_LOOK) == (["settled"] if attempt == 0 else [])

    assert settle(services, at=NOW + MOST_ATTEMPTS * LONGEST_LOOK) == ["dropped"]
    assert (waiting(services), set(states(services))) == ([], {"ben@example.com"})


# — the job —


def test_the_clock_settles_what_was_asked(services: Services) -> None:
    """One look settles all that is due and says so; told to stop, it begins none."""
    stop = threading.Event()
    shift = jobs.Shift(clock=lambda: NOW, stop=stop)
    for number in range(3):
        ask(services, f"reader{number}@example.com")
    stop.set()
    assert jobs.settle_requests(services, shift) == ""
    stop.clear()

    assert jobs.settle_requests(services, shift) == "3 settled"
    assert jobs.settle_requests(services, shift) == ""
