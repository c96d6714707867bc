"""What the doctor says of the doors and the letters: all is well, or what is not and where to look."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from digest import breaker, editions, examination, outcomes, pauses, postman, sending
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Letter, RequestKind, Role
from digest.people import erasing, requests
from digest.transport import Refused
from subscribers import addresses, roster
from subscribers.consent import Proof
from tests import make, make_events
from tests.fakes import ScriptedTransport
from tests.make import SEEN as NOW

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def finding(services: Services, name: str, *, after: timedelta = timedelta()) -> tuple[bool | None, str]:
    (found,) = [each for each in examination.examine(services, now=NOW + after) if each.name == name]
    return found.ok, found.words


def sign_up(services: Services, address: str) -> None:
    with services.database.writing() as session:
        asked = addresses.parse(address)
        requests.ask(session, RequestKind.SIGN_UP, asked, now=NOW, source="form", proof=Proof())


def test_who_is_kept_waiting_is_counted(services: Services) -> None:
    """A request that nobody settles within five minutes is said, with since when; settled, all is well again."""
    assert finding(services, "requests")[0] is True
    sign_up(services, "ada@example.com")
    sign_up(services, "ben@example.com")

    assert finding(services, "requests", after=4 * MINUTE)[0] is True
    ok, words = finding(services, "requests", after=6 * MINUTE)
    assert ok is False
    assert words.startswith("2 wait to be settled, the oldest since 2026-11-17 10:00 UTC")
    while requests.settle_next(services, now=NOW):
        pass
    assert finding(services, "requests", after=6 * MINUTE)[0] is True


def test_letters_that_could_not_be_posted_are_said(scripted: Services) -> None:
    """With the last reason, without an address, for a day."""
    sign_up(scripted, "ada@example.com")
    requests.settle_next(scripted, now=NOW)
    assert finding(scripted, "letters")[0] is True
    assert isinstance(scripted.transport, ScriptedTransport)
    scripted.transport.script = [Refused("550 <ada@example.com> is not known\nat all")]
    postman.post_due(scripted, now=NOW)

    ok, words = finding(scripted, "letters", after=MINUTE)
    assert (ok, words.startswith("1 given up within a day, the last one because: 550")) == (False, True)
    assert "ada@example.com" not in words
    assert finding(scripted, "letters", after=2 * DAY)[0] is True


def test_letters_that_nobody_was_owed_any_more_are_no_trouble(services: Services) -> None:
    """Somebody confirmed or was erased before the letter left, or a way in expired: nothing needs mending."""
    with services.database.writing() as session:
        make.staff(session)
    for name in ("ada", "ben"):
        sign_up(services, f"{name}@example.com")
    with services.database.writing() as session:
        edda = addresses.parse("edda@example.com")
        requests.ask(session, RequestKind.SIGN_IN, edda, now=NOW, source="form", proof=Proof())
    while requests.settle_next(services, now=NOW):
        pass
    with services.database.writing() as session:
        ada, ben = (roster.find(session, f"{name}@example.com") for name in ("ada", "ben"))
        assert ada is not None
        assert ben is not None
        erasing.erase(session, ada, now=NOW, by="staff 1")
        session.delete(ben)

    assert postman.post_due(services, now=NOW + 20 * MINUTE).given_up == 2
    with services.database.reading() as session:
        assert set(session.scalars(sa.select(Letter.state))) == {"given up"}
    assert finding(services, "letters", after=20 * MINUTE)[0] is True


def test_whether_events_come_is_said(scripted: Services) -> None:
    """Without a key none are taken; an hour after a batch was accepted the first must have come."""
    ok, words = finding(scripted, "events")
    assert (ok, "SENDGRID_WEBHOOK_PUBLIC_KEY" in words) == (False, True)
    listening = make.with_settings(scripted, sendgrid_webhook_public_key="as SendGrid shows it")
    assert (True, "none are due yet") == finding(listening, "events")

    ada, *_ = make_events.sent(listening)
    soon = make_events.ACCEPTED - NOW + 30 * MINUTE
    assert finding(listening, "events", after=soon)[0] is True
    ok, words = finding(listening, "events", after=soon + DAY)
    assert (ok, "none has come since" in words) == (False, True)
    make_events.tell(listening, make_events.event(ada, "processed"))
    assert (True, "the last came 2026-11-20 09:10 UTC") == finding(listening, "events", after=soon + DAY)


def test_posts_whose_signature_did_not_fit_are_counted_by_the_day(scripted: Services) -> None:
    """Either somebody is trying, or our key is the wrong one."""
    listening = make.with_settings(scripted, sendgrid_webhook_public_key="as SendGrid shows it")
    outcomes.count_forged(listening.database, now=NOW)
    outcomes.count_forged(listening.database, now=NOW)
    said = [each.words for each in examination.examine(listening, now=NOW) if each.name == "events"]

    assert said[0].startswith("2 posts were refused today")
    assert finding(listening, "events", after=DAY)[0] is True


def test_a_folder_is_told_of_nothing(services: Services) -> None:
    """Where mails go to the outbox, no events are due."""
    assert "events" not in [each.name for each in examination.examine(services, now=NOW)]


def findings(services: Services) -> dict[str, tuple[bool | None, str]]:
    return {each.name: (each.ok, each.words) for each in examination.examine(services, now=NOW)}


def test_nothing_in_trouble_is_said_to_be_well(services: Services) -> None:
    """No halted edition, no uncertain batch, no kill switch."""
    found = findings(services)

    assert [found[name][0] for name in ("editions", "batches", "kill switch")] == [True, True, True]


@pytest.mark.parametrize(("by", "needs"), [("otto@example.com", "resume 2026-W47 --why"), (breaker.NAME, "--by EMAIL")])
def test_a_halted_edition_is_said_with_its_mend(scripted: Services, by: str, needs: str) -> None:
    """Why it is halted, and how to go on: with a name, where the breaker did it."""
    make.approved(scripted, readers=30)
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    with scripted.database.writing() as session:
        editions.hold(session, editions.find(session, make.WEEK), why="Too many bounces.", by=by, now=make.SEND)
    ok, words = findings(scripted)["edition"]

    assert ok is False
    assert words.startswith("2026-W47 is halted: Too many bounces; `digest edition resume 2026-W47")
    assert needs in words


def test_uncertain_batches_are_said_with_their_mend(scripted: Services) -> None:
    """How many, of which edition."""
    make.approved(scripted, readers=30)
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    with scripted.database.writing() as session:
        session.execute(sa.update(Batch).values(state=BatchState.UNCERTAIN))
    ok, words = findings(scripted)["batches"]

    assert ok is False
    assert words.startswith("3 batches are uncertain in 2026-W47: `digest batches 2026-W47` shows what is known")


def test_a_kill_switch_left_on_is_said_with_its_mend(services: Services) -> None:
    """Since when, by whom, why."""
    with services.database.writing() as session:
        pauses.kill(session, because="wrong links", by="otto@example.com", now=NOW)

    ok, words = findings(services)["kill switch"]

    assert ok is False
    assert words.startswith("on since 2026-11-17 10:00 UTC by otto@example.com: wrong links; nothing goes out until")


def test_two_people_need_two_people(services: Services) -> None:
    """Where nobody approves their own words, one who may approve is one too few."""
    two = make.with_settings(services, digest_two_person=True)
    with services.database.writing() as session:
        make.staff(session, "edda@example.com")
        make.staff(session, "otto@example.com", Role.OPERATOR)
    ok, words = finding(two, "second person")
    assert (ok, "needs two on the staff who may approve" in words) == (False, True)
    with services.database.writing() as session:
        make.staff(session, "erik@example.com")

    assert finding(two, "second person") == (True, "2 on the staff may approve")
    assert "second person" not in {each.name for each in examination.examine(services, now=NOW)}
