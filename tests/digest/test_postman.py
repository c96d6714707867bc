"""Letters and notices: owed with the change that gives the reason, posted once, and never forgotten."""

from __future__ import annotations

import email
import email.policy
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Base, Database
from digest import jobs, postman
from digest.bootstrap import Services
from digest.models import Letter, Pause
from digest.postman import LONGEST_CALL, MOST_ATTEMPTS, Posted
from digest.staff import remove_staff
from digest.transport import Misconfigured, Refused, Request, TransportError, Unavailable, Uncertain
from subscribers import addresses, consent
from subscribers.letters import LetterKind, LetterOwed
from subscribers.models import State, Subscriber
from tests import make
from tests.fakes import ScriptedTransport
from tests.make import SEEN as NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HALTED = {"week": make.WEEK, "why": "the API key is not accepted"}
ONE, NONE = Posted(accepted=1), Posted()


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def owe(services: Services, *, to: str = "edda@example.com", kind: str = "halted", **context: Any) -> None:
    """One notice for one person."""
    with services.database.writing() as session:
        make.staff(session, to)
        postman.tell_staff(session, kind=kind, context=context or HALTED, now=NOW)
        remove_staff(session, to, now=NOW)


def sign_up(session: Session, address: str = "ben@example.com", *, source: str = "the sign-up form") -> Subscriber:
    outcome = consent.sign_up(session, addresses.parse(address), now=NOW, source=source)
    assert outcome.letter is not None
    postman.queue(session, outcome.letter, now=NOW)
    return outcome.subscriber


def letters(services: Services) -> list[Letter]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter).order_by(Letter.id)))


def states(services: Services) -> list[str]:
    return [str(letter.state) for letter in letters(services)]


def scripted_of(services: Services, *script: TransportError | None) -> ScriptedTransport:
    assert isinstance(services.transport, ScriptedTransport)
    services.transport.script = list(script)
    return services.transport


def mails(folder: Path) -> list[EmailMessage]:
    """Every mail in the outbox, oldest batch first."""
    found = []
    for path in sorted((folder / "outbox").glob("letters/*/*.eml")):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        found.append(mail)
    return found


def words(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def token_in(mail: EmailMessage) -> str:
    """Of the one confirm link in the text part."""
    (token,) = re.findall(r"/confirm/(\S+)", words(mail, "plain"))
    return str(token)


@pytest.fixture
def sqlite_services(sqlite: Database, tmp_path: Path) -> Services:
    """For words that no database can change."""
    return make.services(sqlite, tmp_path)


# — owed —


def test_what_was_rolled_back_is_not_owed(services: Services, tmp_path: Path) -> None:
    """The sign-up failed after the letter was queued: neither is there, and nothing is posted."""
    with pytest.raises(RuntimeError), services.database.writing() as session:
        sign_up(session)
        raise RuntimeError

    assert postman.post_due(services, now=NOW) == NONE
    assert (letters(services), mails(tmp_path)) == ([], [])


def test_everybody_on_the_staff_is_told_and_nobody_else(services: Services) -> None:
    """Not who was taken off; with nobody on the staff there is no letter."""
    with services.database.writing() as session:
        postman.tell_staff(session, kind="halted", context=HALTED, now=NOW)
        for address in ("edda@example.com", "otto@example.com", "left@example.com"):
            make.staff(session, address)
        remove_staff(session, "left@example.com", now=NOW)
        postman.tell_staff(session, kind="halted", context=HALTED, now=NOW)

    assert sorted(letter.email for letter in letters(services)) == ["edda@example.com", "otto@example.com"]


# — posted —


def test_a_letter_is_posted_once(scripted: Services) -> None:
    """Posted when it is due, noted as accepted, and left alone from then on."""
    owe(scripted)

    assert postman.post_due(scripted, now=NOW - SECOND) == NONE
    assert postman.post_due(scripted, now=NOW) == ONE
    assert postman.post_due(scripted, now=NOW + 24 * HOUR) == NONE
    letter = letters(scripted)[0]
    assert (letter.state, letter.accepted_at, letter.attempts, letter.last_problem) == ("accepted", NOW, 1, None)


def test_two_postmen_post_each_letter_once(scripted: Services) -> None:
    """Four at once on one database: twenty letters, twenty calls."""
    for number in range(20):
        owe(scripted, to=f"staff{number}@example.com")
    together = threading.Barrier(4)

    def round_() -> int:
        together.wait()
        return postman.post_due(scripted, now=NOW).accepted

    with ThreadPoolExecutor(4) as pool:
        accepted = sum(future.result() for future in [pool.submit(round_) for _ in range(4)])
    posted = [request.outgoing.recipients[0].email for request in scripted_of(scripted).calls]

    assert accepted == 20
    assert sorted(posted) == sorted(f"staff{number}@example.com" for number in range(20))


def test_a_provider_that_is_away_is_tried_again_ever_more_rarely(scripted: Services) -> None:
    """Each wait is twice the last; after the last attempt it is given up, with what was said."""
    owe(scripted)
    transport = scripted_of(scripted, *[Unavailable("no connection")] * MOST_ATTEMPTS)
    waits, now = [], NOW
    for _ in range(MOST_ATTEMPTS - 1):
        assert postman.post_due(scripted, now=now) == Posted(put_off=1)
        due = letters(scripted)[0].not_before
        assert postman.post_due(scripted, now=due - SECOND) == NONE
        waits.append(due - now)
        now = due

    assert waits == [MINUTE * 2**n for n in range(1, MOST_ATTEMPTS)]
    assert postman.post_due(scripted, now=now) == Posted(given_up=1)
    assert postman.post_due(scripted, now=now + 24 * HOUR) == NONE
    assert (len(transport.calls), letters(scripted)[0].last_problem) == (MOST_ATTEMPTS, "no connection")


def test_a_provider_that_comes_back_gets_it(scripted: Services) -> None:
    """Put off twice, for want of a connection and of a key, then accepted."""
    owe(scripted)
    scripted_of(scripted, Unavailable("no connection"), Misconfigured("the key is not accepted"))
    for hours in range(3):
        postman.post_due(scripted, now=NOW + hours * HOUR)

    assert states(scripted) == ["accepted"]


def test_what_is_refused_is_given_up_at_once(scripted: Services) -> None:
    """An address the provider will never take costs one call."""
    owe(scripted)
    transport = scripted_of(scripted, Refused("not a valid address"))

    assert postman.post_due(scripted, now=NOW) == Posted(given_up=1)
    assert postman.post_due(scripted, now=NOW + 24 * HOUR) == NONE
    assert len(transport.calls) == 1


@pytest.mark.parametrize(
    ("kind", "context"), [("no-such-kind", HALTED), ("halted", {"week": make.WEEK})], ids=["no template", "no words"]
)
def test_a_bad_letter_never_stops_the_others(scripted: Services, kind: str, context: dict[str, str]) -> None:
    """One that cannot be written is put off and in the end given up; the one behind it is posted at once."""
    owe(scripted, kind=kind, **context)
    owe(scripted, to="otto@example.com")

    assert postman.post_due(scripted, now=NOW) == Posted(accepted=1, put_off=1)
    for days in range(1, MOST_ATTEMPTS + 1):
        postman.post_due(scripted, now=NOW + days * 24 * HOUR)
    assert states(scripted) == ["given up", "accepted"]
    assert letters(scripted)[0].last_problem


def test_an_unforeseen_error_never_stops_the_others(scripted: Services) -> None:
    """Whatever the client raises, the letter behind it is posted; the first is tried once more and no oftener."""
    owe(scripted)
    owe(scripted, to="otto@example.com")

    def burst(request: Request) -> None:
        if request.outgoing.recipients[0].email == "edda@example.com":
            raise ZeroDivisionError

    transport = scripted_of(scripted)
    transport.before_post = burst
    assert postman.post_due(scripted, now=NOW) == Posted(accepted=1, put_off=1)
    assert postman.post_due(scripted, now=NOW + 24 * HOUR) == Posted(given_up=1)
    assert "ZeroDivisionError" in str(letters(scripted)[0].last_problem)


def test_nobody_at_the_door_waits_for_a_long_list(scripted: Services) -> None:
    """Sixty letters were owed an hour ago; one owed now is the second that is posted, and none is left over."""
    with scripted.database.writing() as session:
        make.audience(session, 60)
        readers = session.execute(sa.select(Subscriber.email, Subscriber.id))
        people = [LetterOwed("welcome", email, number, {}) for email, number in readers]
        postman.queue_all(session, people, now=NOW - HOUR)
        sign_up(session)
    shift = jobs.Shift(clock=lambda: NOW, stop=threading.Event())

    assert jobs.letters(scripted, shift) == "61 posted"
    assert scripted_of(scripted).addresses()[1] == "ben@example.com"


# — interrupted —


def kill_next(transport: ScriptedTransport) -> None:
    """The process ends in the next call, after the provider has it or before: nobody can tell."""

    def kill(_: Request) -> None:
        transport.before_post = lambda _: None
        raise Killed

    transport.before_post = kill


def test_an_interrupted_letter_is_posted_once_more(scripted: Services) -> None:
    """Killed in the call: left alone while the call could still be going on, then posted, then done with."""
    owe(scripted)
    transport = scripted_of(scripted)
    kill_next(transport)
    with pytest.raises(Killed):
        postman.post_due(scripted, now=NOW)

    assert postman.post_due(scripted, now=NOW + LONGEST_CALL - SECOND) == NONE
    assert postman.post_due(scripted, now=NOW + LONGEST_CALL) == ONE
    assert postman.post_due(scripted, now=NOW + 24 * HOUR) == NONE
    assert len(transport.calls) == 1


def test_a_letter_that_kills_the_postman_is_given_up(scripted: Services) -> None:
    """Killed in both calls: it may have been posted twice, and is not posted a third time."""
    owe(scripted)
    transport = scripted_of(scripted)
    for attempt in range(2):
        kill_next(transport)
        with pytest.raises(Killed):
            postman.post_due(scripted, now=NOW + attempt * HOUR)

    assert postman.post_due(scripted, now=NOW + 2 * HOUR) == Posted(given_up=1)
    assert (states(scripted), transport.calls) == (["given up"], [])


def test_what_may_have_been_taken_is_posted_once_more(scripted: Services) -> None:
    """Two answers lost: two calls in all, however long one waits."""
    owe(scripted)
    transport = scripted_of(scripted, *[Uncertain("it had left")] * 5)
    became = [postman.post_next(scripted, now=NOW + hours * HOUR) for hours in range(5)]

    assert became == ["put off", "given up", None, None, None]
    assert len(transport.calls) == 2


@pytest.mark.parametrize("late", [None, Unavailable("no connection"), Refused("no"), Uncertain("lost")], ids=str)
def test_a_late_answer_does_not_undo_a_newer_one(scripted: Services, late: TransportError | None) -> None:
    """A call outlived its time, another postman posted the letter meanwhile: it stays accepted whatever comes late."""
    owe(scripted)
    transport = scripted_of(scripted, None, late)

    def meanwhile(_: Request) -> None:
        transport.before_post = lambda _: None
        assert postman.post_next(scripted, now=NOW + LONGEST_CALL) == "posted"

    transport.before_post = meanwhile
    postman.post_next(scripted, now=NOW)

    assert states(scripted) == ["accepted"]
    assert postman.post_due(scripted, now=NOW + 24 * HOUR) == NONE


def test_a_late_answer_does_not_end_a_newer_call(scripted: Services) -> None:
    """A call outlived its time and is refused while another postman's call is out: the newer answer counts."""
    owe(scripted)
    transport = scripted_of(scripted, Refused("no"), None)
    first_called, second_called = threading.Event(), threading.Event()
    slow = threading.Thread(target=postman.post_next, args=[scripted], kwargs={"now": NOW})

    def overlap(request: Request) -> None:
        if request.outgoing.attempt == 1:
            first_called.set()
            second_called.wait(30)
        else:
            second_called.set()
            slow.join(30)

    transport.before_post = overlap
    slow.start()
    assert first_called.wait(30)

    assert postman.post_next(scripted, now=NOW + LONGEST_CALL) == "posted"
    assert states(scripted) == ["accepted"]


# — when nobody may call —


def pause(services: Services, *, until: datetime | None, edition: int | None = None) -> None:
    with services.database.writing() as session:
        session.add(Pause(edition_id=edition, because="kill switch", since=NOW, until=until))


def test_no_letter_leaves_while_every_call_is_paused(scripted: Services) -> None:
    """The kill switch is for letters too; when it is lifted they go."""
    owe(scripted)
    pause(scripted, until=None)
    pause(scripted, until=NOW + HOUR)

    assert postman.post_due(scripted, now=NOW) == NONE
    with scripted.database.writing() as session:
        session.execute(sa.delete(Pause).where(Pause.until.is_(None)))
    assert postman.post_due(scripted, now=NOW + HOUR - SECOND) == NONE
    assert postman.post_due(scripted, now=NOW + HOUR) == ONE


def test_a_paused_edition_holds_no_letters(scripted: Services) -> None:
    """A pause of one edition is about that edition."""
    owe(scripted)
    edition = make.draft(scripted)
    pause(scripted, until=None, edition=edition.id)

    assert postman.post_due(scripted, now=NOW) == ONE


@pytest.mark.parametrize(
    ("named", "until"),
    [(NOW + 5 * MINUTE, NOW + 5 * MINUTE), (None, NOW + MINUTE), (NOW + 900 * HOUR, NOW + HOUR)],
    ids=["as named", "unnamed", "far off"],
)
def test_a_rate_limit_pauses_everybody(scripted: Services, named: datetime | None, until: datetime) -> None:
    """After a 429 the round ends and no call of anybody begins before the time it named, within reason."""
    owe(scripted)
    owe(scripted, to="otto@example.com")
    transport = scripted_of(scripted, Unavailable("too many requests", until=named, everybody=True))

    assert postman.post_due(scripted, now=NOW) == Posted(put_off=1)
    assert len(transport.calls) == 1
    with scripted.database.reading() as session:
        assert session.scalars(sa.select(Pause.until)).one() == until
    assert postman.post_due(scripted, now=until - SECOND) == NONE
    assert postman.post_next(scripted, now=until) == "posted"


# — the confirmation letter —


def test_who_no_longer_waits_gets_no_confirmation_letter(scripted: Services) -> None:
    """Confirmed, suppressed or erased before the letter left: it is not posted."""
    with scripted.database.writing() as session:
        people = [sign_up(session, f"{name}@example.com") for name in ("ada", "dov", "cleo")]
        people[0].state, people[1].state = State.ACTIVE, State.SUPPRESSED
        session.delete(people[2])

    assert postman.post_due(scripted, now=NOW + MINUTE) == Posted(given_up=3)
    assert scripted_of(scripted).calls == []


def test_the_confirmation_letter_confirms(services: Services, tmp_path: Path) -> None:
    """It answers a request, says when and where it was made, and its link confirms that person."""
    with services.database.writing() as session:
        ben = sign_up(session)
    postman.post_due(services, now=NOW + MINUTE)
    mail = mails(tmp_path)[0]

    assert mail["To"] == "ben@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert services.settings.digest_newsletter_name in mail["Subject"]
    for kind in ("plain", "html"):
        said = " ".join(words(mail, kind).split())
        assert "17 November 2026, 10:00 UTC" in said
        assert "the sign-up form" in said
        assert "If it was not you" in said
        assert f"{services.settings.digest_site_url}/confirm/{token_in(mail)}" in said
    link = services.links.read_confirm(token_in(mail))
    assert link is not None
    with services.database.writing() as session:
        person = session.get_one(Subscriber, ben.id)
        assert consent.confirm(session, person, link, now=NOW + HOUR, source="link").changed
        assert person.state is State.ACTIVE


def test_the_time_of_asking_is_the_readers(sqlite: Database, tmp_path: Path) -> None:
    """In the newsletter's zone, with its name."""
    services = make.services(sqlite, tmp_path, DIGEST_TIMEZONE="Europe/Berlin")
    with services.database.writing() as session:
        sign_up(session)
    postman.post_due(services, now=NOW)

    assert "17 November 2026, 11:00 CET" in " ".join(words(mails(tmp_path)[0], "plain").split())


def test_no_token_lies_in_the_database(services: Services, tmp_path: Path) -> None:
    """Links are made when the letter is posted: whoever reads the database cannot confirm for anybody."""
    with services.database.writing() as session:
        sign_up(session)
    postman.post_due(services, now=NOW + MINUTE)
    token = token_in(mails(tmp_path)[0])
    with services.database.reading() as session:
        stored = [repr(row) for table in Base.metadata.sorted_tables for row in session.execute(sa.select(table))]

    assert len(token) > 60
    assert stored
    assert not [row for row in stored if token in row or token[-32:] in row]


# — notices —

DRAFTED = {
    "week": make.WEEK,
    "subject_line": "Alder & Birch <tie>",
    "why": "",
    "send_at": "Friday 20 November 2026, 09:00 UTC",
    "site_url": "https://verdicts.example.com",
}
NOTICES: dict[str, tuple[dict[str, Any], str]] = {
    "drafted": (DRAFTED, "https://verdicts.example.com/desk/2026-W47"),
    "skipped": ({**DRAFTED, "why": "Nothing stands for selection."}, 'digest edition reopen 2026-W47 --why "…"'),
    "reminder": ({**DRAFTED, "passed": False}, 'digest edition skip 2026-W47 --why "…"'),
    "voided": (
        {**DRAFTED, "who": "edda@example.com", "why": "changed: the <tie>", "passed": False},
        "https://verdicts.example.com/desk/2026-W47/approval",
    ),
    "not-approved": ({"week": make.WEEK, "why": "1 problem blocks:\n  a <b>"}, "digest edition approve 2026-W47"),
    "halted": (HALTED, "digest edition status 2026-W47"),
    "alarm": (HALTED, 'digest edition hold 2026-W47 --why "…"'),
}


def test_there_is_a_test_for_each_kind() -> None:
    """Every template of a notice is tried below; those of letters with a link are tried in `test_letter_links`."""
    folder = Path(__file__).parents[2] / "templates" / "email"
    kinds = {path.name for path in folder.iterdir()} - {"_shared", "edition"}

    assert kinds == {*NOTICES, *get_args(LetterKind), "sign-in"}


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_says_what_and_how_to_mend(kind: str, sqlite_services: Services, tmp_path: Path) -> None:
    """Subject and both parts name the week; the text part names the command; nothing is left unfilled."""
    context, command = NOTICES[kind]
    owe(sqlite_services, kind=kind, **context)
    postman.post_due(sqlite_services, now=NOW)
    (mail,) = mails(tmp_path)

    assert make.WEEK in mail["Subject"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert command in words(mail, "plain")
    for part in ("plain", "html"):
        assert make.WEEK in words(mail, part)
        assert "{{" not in words(mail, part)
    if context.get("why"):
        assert context["why"].split("\n")[0].rstrip(".:") in " ".join(words(mail, "plain").split())
    assert "<tie>" not in words(mail, "html")
    assert "a <b>" not in words(mail, "html")


def test_the_reminder_knows_whether_it_is_too_late(sqlite_services: Services, tmp_path: Path) -> None:
    """After the send time it says that an approval needs a new time, and the command has it."""
    owe(sqlite_services, kind="reminder", **DRAFTED, passed=True)
    postman.post_due(sqlite_services, now=NOW)

    assert "--at now" in words(mails(tmp_path)[0], "plain")
