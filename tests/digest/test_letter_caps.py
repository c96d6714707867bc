"""Nobody is written to too often, whatever is asked for, in any order, through any door."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from database import Database
from digest import letter_caps, postman, tidying
from digest.bootstrap import Services
from digest.letter_caps import CONFIRMING, MOST, Written
from digest.models import Letter, LetterState, RequestKind
from digest.people import erasing, reminding, requests
from digest.transport import Unavailable
from subscribers import addresses, consent, policy, roster, secrecy
from subscribers.consent import Newcomer, Proof
from subscribers.letters import LetterKind, LetterOwed
from subscribers.links import CONFIRM_WITHIN
from subscribers.models import Subscriber
from tests import make
from tests.fakes import ScriptedTransport
from tests.make import SEEN as NOW

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KINDS: list[LetterKind] = [*sorted(CONFIRMING), "links", "my-data", "welcome", "address-changed"]
PROMISED = [(1, HOUR), (2, 7 * DAY), (3, 30 * DAY)]
"""What the requirements say of letters that ask for a confirmation, and an hour between two of them."""


def most_within(times: Sequence[datetime], per: timedelta) -> int:
    """The most letters in any stretch of time of this length, open at its beginning."""
    return max((sum(end - per < at <= end for at in times) for end in times), default=0)


# — the decision —

steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 80)), max_size=60)


@given(steps)
def test_no_order_of_asking_gets_more(asked: list[tuple[LetterKind, int]]) -> None:
    """Whatever is asked for at whatever times, in no stretch of time are there more than promised."""
    written: list[Written] = []
    now = NOW
    for kind, hours in asked:
        now += hours * HOUR
        if not letter_caps.is_enough(kind, written, now):
            written.append(Written(kind, now))

    confirming = [each.at for each in written if each.kind in CONFIRMING]
    assert all(most_within(confirming, per) <= most for most, per in PROMISED)
    for kind, most, per in (("links", 1, 7 * DAY), ("my-data", 3, DAY)):
        assert most_within([each.at for each in written if each.kind == kind], per) <= most


@given(st.sampled_from(KINDS), steps)
def test_the_first_letter_is_always_owed(kind: LetterKind, asked: list[tuple[LetterKind, int]]) -> None:
    """What an address got of other kinds keeps no letter from it, and after the longest window nothing does."""
    alike = CONFIRMING if kind in CONFIRMING else {kind}
    others = [Written(other, NOW) for other, _ in asked if other not in alike]
    longest = max((per for caps in MOST.values() for _, per in caps), default=DAY)

    assert not letter_caps.is_enough(kind, others, NOW)
    assert not letter_caps.is_enough(kind, [Written(each, NOW) for each, _ in asked], NOW + longest)


@pytest.mark.parametrize("kind", ["welcome", "address-changed"])
def test_an_answer_to_a_pressed_button_is_never_withheld(kind: LetterKind) -> None:
    """The letter before it was counted, so this one need not be."""
    assert not letter_caps.is_enough(kind, [Written(kind, NOW)] * 99, NOW)


def test_somebody_who_lost_the_letter_gets_another() -> None:
    """Within the hour the first is on its way; after it a second comes, and then no third for a week."""
    asked = [timedelta(), 59 * MINUTE, HOUR, DAY, 6 * DAY, 7 * DAY, 8 * DAY, 14 * DAY, 30 * DAY]
    written: list[Written] = []
    for after in asked:
        if not letter_caps.is_enough("confirm", written, NOW + after):
            written.append(Written("confirm", NOW + after))

    assert [each.at - NOW for each in written] == [timedelta(), HOUR, 7 * DAY, 30 * DAY]


# — the rows —

_numbers = itertools.count()


class Mailbox:
    """One address, everything that can be done to it, and what arrived."""

    def __init__(self, services: Services) -> None:
        self.services, self.now = services, NOW
        self.address = addresses.parse(f"box{next(_numbers)}@example.com")

    def do(self, what: str) -> None:
        getattr(self, what.replace(" ", "_"))()

    def sign_up(self) -> None:
        self._ask(RequestKind.SIGN_UP)

    def api(self) -> None:
        self._ask(RequestKind.ADD)

    def data(self) -> None:
        self._ask(RequestKind.MY_DATA)

    def move_here(self) -> None:
        """Somebody else asks to move to this address."""
        with self.services.database.writing() as session:
            somebody = make.subscriber(session, f"mover{next(_numbers)}@example.com")
            letter = consent.ask_to_change_address(session, somebody, self.address, now=self.now, source="my data")
            if letter is not None:
                postman.queue(session, letter, now=self.now)

    def _ask(self, kind: RequestKind) -> None:
        with self.services.database.writing() as session:
            requests.ask(session, kind, self.address, now=self.now, source="form", proof=Proof())
        while requests.settle_next(self.services, now=self.now):
            pass

    def import_(self) -> None:
        with self.services.database.writing() as session:
            added = consent.add_all(session, [Newcomer(self.address)], basis=None, now=self.now, source="import")
            postman.queue_all(session, [each.letter for each in added if each.letter], now=self.now)

    def remind(self) -> None:
        reminding.remind_unconfirmed(self.services, now=self.now, stopped=lambda: False)

    def tidy(self) -> None:
        tidying.tidy(self.services, now=self.now, stopped=lambda: False)

    def post(self) -> None:
        postman.post_due(self.services, now=self.now)

    def post_in_vain(self) -> None:
        assert isinstance(self.services.transport, ScriptedTransport)
        self.services.transport.script = [Unavailable("no connection")] * 3
        self.post()
        self.services.transport.script = []

    def bounce_and_lift(self) -> None:
        with self.services.database.writing() as session:
            if person := roster.find(session, self.address.typed):
                consent.suppress(session, person, policy.Act.BOUNCE, because="550", now=self.now, source="test")
                outcome = consent.lift(session, person, because="a mistake", now=self.now, source="test")
                if outcome.letter:
                    postman.queue(session, outcome.letter, now=self.now)

    def unsubscribe(self) -> None:
        with self.services.database.writing() as session:
            if person := roster.find(session, self.address.typed):
                consent.unsubscribe(session, person, now=self.now, source="test")

    def erase(self) -> None:
        with self.services.database.writing() as session:
            if person := roster.find(session, self.address.typed):
                erasing.erase(session, person, now=self.now, by="staff 3")

    def turn_keys(self) -> None:
        keys = [f"a new secret, number {next(_numbers)}", make.SECRET]
        secrecy.equip(self.services.database, keys)

    def posted(self) -> dict[str, list[datetime]]:
        """When letters were accepted, by kind."""
        hashed = secrecy.KeyedHashes((make.SECRET,)).of(self.address.key)
        assert isinstance(self.services.transport, ScriptedTransport)
        found: dict[str, list[datetime]] = {}
        with self.services.database.reading() as session:
            letters = sa.select(Letter.kind, Letter.accepted_at).where(
                Letter.address_hash == hashed, Letter.state == LetterState.ACCEPTED
            )
            for kind, at in session.execute(letters):
                assert at is not None
                found.setdefault(kind, []).append(at)
        return found

    def arrived(self) -> int:
        assert isinstance(self.services.transport, ScriptedTransport)
        return self.services.transport.addresses().count(self.address.on_the_wire)


DOABLE = [
    "sign up",
    "api",
    "data",
    "move here",
    "import_",
    "remind",
    "tidy",
    "post",
    "post in vain",
    "bounce and lift",
    "unsubscribe",
    "erase",
]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(DOABLE), st.integers(0, 60)), min_size=5, max_size=40))
@example([("sign up", 0), ("post", 1), ("erase", 0)] * 40)
@example([("import_", 5), ("post", 0), ("erase", 0), ("sign up", 30), ("post", 0), ("remind", 50), ("post", 0)] * 8)
@example([("sign up", 50), ("remind", 0), ("post", 1)] * 20)
@example([("move here", 0), ("move here", 2), ("sign up", 2), ("post", 0)] * 10)
def test_no_order_of_doors_gets_more(scripted_sqlite: Services, steps: list[tuple[str, int]]) -> None:
    """Sign-ups, imports, API, moves, reminders, lifts, erasures and late postmen in any order: counted by the times at
    which letters were accepted, an address never gets more than promised."""
    box = Mailbox(scripted_sqlite)
    for what, hours in steps:
        box.now += hours * HOUR
        box.do(what)
    box.now += 3 * HOUR
    box.post()
    posted = box.posted()

    confirming = [at for kind in CONFIRMING for at in posted.get(kind, ())]
    assert all(most_within(confirming, per) <= most for most, per in PROMISED)
    assert most_within(posted.get("links", []), 7 * DAY) <= 1
    assert most_within(posted.get("my-data", []), DAY) <= 3


@pytest.fixture
def scripted_sqlite(sqlite: Database, tmp_path: Path) -> Services:
    return make.services(sqlite, tmp_path, transport=ScriptedTransport())


def owed(address: str, subscriber: int, kind: LetterKind = "confirm") -> LetterOwed:
    return LetterOwed(kind, address, subscriber, {"asked_at": NOW.isoformat(), "asked_through": "test"})


def queued(services: Services) -> list[tuple[str, str]]:
    with services.database.reading() as session:
        return [(kind, email) for kind, email in session.execute(sa.select(Letter.kind, Letter.email))]


def test_a_turned_key_forgets_no_letter(services: Services) -> None:
    """What was counted under an older key still counts under the new one."""
    box = Mailbox(services)
    box.sign_up()
    box.turn_keys()
    box.sign_up()

    assert len(queued(services)) == 1


def test_a_letter_that_waits_counts_as_of_now(services: Services) -> None:
    """Held back for weeks by a provider that is away, it may go any moment: nothing more is owed beside it."""
    box = Mailbox(services)
    for days in (0, 3, 10, 20, 25):
        box.now = NOW + days * DAY
        box.sign_up()

    assert len(queued(services)) == 1


def test_spelling_an_address_differently_gets_nothing_more(services: Services) -> None:
    """Upper case, an IDN typed or in its ASCII form: one mailbox, one letter."""
    with services.database.writing() as session:
        for spelled in ("Ada@xn--bcher-kva.example", "ada@XN--BCHER-KVA.example"):
            postman.queue(session, owed(spelled, 1), now=NOW)
        postman.queue_all(session, [owed("ADA@xn--bcher-kva.example", 1)] * 3, now=NOW)

    assert queued(services) == [("confirm", "Ada@xn--bcher-kva.example")]


def test_the_log_says_it_without_the_address(services: Services) -> None:
    """That somebody was written to enough is said for operators, not who."""
    with structlog.testing.capture_logs() as said, services.database.writing() as session:
        for _ in range(3):
            postman.queue(session, owed("ada@example.com", 1), now=NOW)

    assert [(line["event"], line["times"]) for line in said] == [("letter not owed again: asked too often", 1)] * 2
    assert "ada" not in repr(said)


def test_a_list_is_owed_its_letters_in_few_statements(services: Services) -> None:
    """Two statements for five hundred people, whoever they are; each gets one letter, those counted already none."""
    people = [owed(f"reader{n}@example.com", n) for n in range(1_200)]
    said: list[str] = []
    with services.database.writing() as session:
        postman.queue_all(session, people[:100], now=NOW)
        sa.event.listen(services.database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        assert postman.queue_all(session, people, now=NOW) == 1_100
    kinds = [statement.split()[0] for statement in said]

    assert kinds == ["SELECT", "INSERT"] * 3
    assert sorted(email for _, email in queued(services)) == sorted(each.email for each in people)


def test_nothing_is_owed_to_nobody(services: Services) -> None:
    """A list without letters costs nothing."""
    with services.database.writing() as session:
        assert postman.queue_all(session, [], now=NOW) == 0


def test_two_who_want_the_same_address_at_once(services: Services) -> None:
    """Eight readers ask at the same moment to move to one address: it gets one letter, as it would one by one."""
    with services.database.writing() as session:
        make.audience(session, 8)
    together = threading.Barrier(8)

    def wish(number: int) -> None:
        together.wait()
        with services.database.writing() as session:
            person = roster.find(session, f"reader{number}@example.com")
            assert person is not None
            new = addresses.parse("new@example.com")
            letter = consent.ask_to_change_address(session, person, new, now=NOW, source="my data")
            assert letter is not None
            postman.queue(session, letter, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(wish, range(8)))

    assert queued(services) == [("change-address", "new@example.com")]


# — the reminder —


def reminded(services: Services, at: datetime) -> int:
    return reminding.remind_unconfirmed(services, now=at, stopped=lambda: False)


def test_who_did_not_confirm_is_reminded_once(services: Services) -> None:
    """After two days, not before, never a second time; it says when and where they asked."""
    box = Mailbox(services)
    box.sign_up()
    box.post()

    assert reminded(services, NOW + policy.REMIND_AFTER - SECOND) == 0
    assert reminded(services, NOW + policy.REMIND_AFTER) == 1
    for days in range(2, 31):
        assert reminded(services, NOW + days * DAY + HOUR) == 0
    with services.database.reading() as session:
        letter = session.scalars(sa.select(Letter).where(Letter.kind == "confirm-again")).one()
    assert letter.email == box.address.on_the_wire
    assert letter.context == {"asked_at": NOW.isoformat(), "asked_through": "form"}


def test_who_asked_twice_is_not_reminded(services: Services) -> None:
    """Their second letter was the other one of that week."""
    box = Mailbox(services)
    box.sign_up()
    box.post()
    box.now += 2 * HOUR
    box.sign_up()

    assert [kind for kind, _ in queued(services)] == ["confirm", "confirm"]
    assert reminded(services, NOW + 3 * DAY) == 0


def test_who_is_still_owed_the_first_letter_is_not_reminded(services: Services) -> None:
    """It waited three days for a provider: the two days are those in which its link works."""
    box = Mailbox(services)
    box.sign_up()
    assert reminded(services, NOW + 3 * DAY) == 0
    box.now += 3 * DAY
    box.post()

    assert reminded(services, box.now + policy.REMIND_AFTER - SECOND) == 0
    assert reminded(services, box.now + policy.REMIND_AFTER) == 1


def test_only_who_asked_themselves_is_reminded(services: Services) -> None:
    """Not who was brought by a list or a program, was let in again after a bounce, confirmed, or left."""
    with services.database.writing() as session:
        make.cast(session)  # of whom Ben is pending
    for how in ("import_", "api"):
        Mailbox(services).do(how)
    lifted = Mailbox(services)
    lifted.sign_up()
    lifted.bounce_and_lift()
    left = Mailbox(services)
    left.sign_up()
    left.unsubscribe()
    lifted.post()

    assert reminded(services, NOW + 3 * DAY) == 1
    assert [email for kind, email in queued(services) if kind == "confirm-again"] == ["ben@example.com"]


def test_who_came_back_by_themselves_is_reminded(services: Services) -> None:
    """Added by an operator, then asked themselves: it is their own request that waits."""
    with services.database.writing() as session:
        newcomer = Newcomer(addresses.parse("ada@example.com"))
        consent.add(session, newcomer, basis=None, now=NOW, source="import")
        consent.sign_up(session, newcomer.address, now=NOW + HOUR, source="form")

    assert reminded(services, NOW + 3 * DAY) == 1


def test_nobody_is_reminded_of_what_is_about_to_be_forgotten(services: Services) -> None:
    """The link in a reminder works for 48 hours, and as long the request is kept."""
    box = Mailbox(services)
    box.sign_up()
    box.post()

    assert reminded(services, NOW + policy.GIVE_UP_AFTER - CONFIRM_WITHIN) == 0
    assert reminded(services, NOW + policy.GIVE_UP_AFTER - CONFIRM_WITHIN - SECOND) == 1


def test_two_clocks_remind_each_once(services: Services) -> None:
    """More people than fit one transaction, four clocks at once: one reminder each."""
    many = 2 * reminding.PEOPLE_AT_ONCE + 1
    with services.database.writing() as session:
        for number in range(many):
            consent.sign_up(session, addresses.parse(f"reader{number}@example.com"), now=NOW, source="form")
    together = threading.Barrier(4)

    def work(_: int) -> int:
        together.wait()
        return reminded(services, NOW + 3 * DAY)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == many
    assert len(set(queued(services))) == len(queued(services)) == many
    with services.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Subscriber)) == many
