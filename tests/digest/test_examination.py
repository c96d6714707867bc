"""What the doctor says of the doors and the letters: all is well, or what is not and where to look."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from digest import examination, postman
from digest.bootstrap import Services
from digest.models import Letter, RequestKind
from digest.people import erasing, requests
from digest.transport import Refused
from subscribers import addresses, roster
from subscribers.consent import Proof
from tests import make
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
