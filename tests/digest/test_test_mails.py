"""Test mails: to the staff only, everything real but the numbers, noted, and not too many."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest import editions, pauses, previewing, stats, test_mails
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Delivery, EditionLog
from digest.staff import audit
from digest.transport import Unavailable, Uncertain
from subscribers.models import Subscriber
from tests import make
from tests.fakes import ScriptedTransport

NOW = make.APPROVED
EDDA, ERIK = "edda@example.com", "erik@example.com"


@pytest.fixture
def desk(scripted: Services) -> Services:
    """A draft, two readers, Edda and Erik on the staff."""
    with scripted.database.writing() as session:
        make.audience(session, 2)
        make.staff(session, EDDA)
        make.staff(session, ERIK)
    make.draft(scripted)
    return scripted


def transport(of: Services) -> ScriptedTransport:
    assert isinstance(of.transport, ScriptedTransport)
    return of.transport


def noted(of: Services) -> list[tuple[str, str | None]]:
    with of.database.reading() as session:
        lines = session.scalars(sa.select(EditionLog).where(EditionLog.what == test_mails.WHAT)).all()
    return [(line.by, line.why) for line in lines]


def test_a_test_is_real_but_for_its_mark_and_its_numbers(desk: Services) -> None:
    """The bytes of the preview behind [TEST], all the headers, a token of nobody's; no delivery; both logs tell."""
    assert [EDDA, ERIK] == test_mails.send(desk, make.WEEK, to=[EDDA, ERIK], by="staff 1", now=NOW, variant="all-text")

    (request,) = transport(desk).taken
    outgoing = request.outgoing
    assert outgoing.category == "test"
    assert outgoing.paper.subject.startswith("[TEST] ")
    assert outgoing.paper.html is None
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert outgoing.paper.subject == f"[TEST] {edition.subject}"
        tokens = {each.headers["List-Unsubscribe"] for each in outgoing.recipients}
        assert "One-Click" in outgoing.recipients[0].headers["List-Unsubscribe-Post"]
        assert all(previewing.SAMPLE_LINK in token for token in tokens)
        links = session.scalars(sa.select(Subscriber.link_id)).all()
        assert not any(link in token for link in links for token in tokens)
        numbers = stats.numbers(session, edition)
        assert session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == 0
        (line,) = (each for each in audit.lines(session) if each.what == test_mails.WHAT)
    assert (numbers.deliveries, numbers.accepted) == (0, 0)
    assert noted(desk) == [("staff 1", "accepted for 2 of the staff, variant all-text")]
    assert (line.by, line.about, line.details) == ("staff 1", make.WEEK, {"recipients": 2, "variant": "all-text"})


def test_a_stranger_gets_none(desk: Services) -> None:
    """Not even beside somebody who may; and a variant that does not exist goes to nobody."""
    with pytest.raises(previewing.NotOnTheStaff):
        test_mails.send(desk, make.WEEK, to=[EDDA, "reader0@example.com"], by="staff 1", now=NOW)
    with pytest.raises(previewing.NoSuchVariant):
        test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW, variant="t-nonsense")
    with pytest.raises(test_mails.NobodyNamed):
        test_mails.send(desk, make.WEEK, to=[], by="staff 1", now=NOW)

    assert (transport(desk).calls, noted(desk)) == ([], [])


def test_twenty_an_hour_are_enough(desk: Services) -> None:
    """Mails are counted, not presses; what is refused counts nothing; the next hour begins anew."""
    for _ in range(9):
        test_mails.send(desk, make.WEEK, to=[EDDA, ERIK], by="staff 1", now=NOW)
    test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)
    with pytest.raises(test_mails.TooMany, match="20 test mails of one edition an hour are enough"):
        test_mails.send(desk, make.WEEK, to=[EDDA, ERIK], by="staff 1", now=NOW)
    test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)
    assert len(transport(desk).taken) == 11

    test_mails.send(desk, make.WEEK, to=[EDDA, ERIK], by="staff 1", now=NOW + timedelta(hours=1))


def test_what_is_refused_uses_nothing_up(desk: Services) -> None:
    """Strangers, variants that are none, a provider that said no: twenty may follow. One that may have gone counts."""
    transport(desk).script = [Unavailable("The provider is resting.")] * 5
    with_a_stranger, resting = ([EDDA, ERIK, "reader0@example.com"], "all"), ([EDDA], "all")
    for to, variant in [*[with_a_stranger, ([EDDA], "t-nonsense")] * 12, *[resting] * 5]:
        with pytest.raises(DigestError):
            test_mails.send(desk, make.WEEK, to=to, by="staff 1", now=NOW, variant=variant)
    transport(desk).script = [Uncertain("No answer came.")]
    with pytest.raises(Uncertain):
        test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)

    for _ in range(19):
        test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)
    with pytest.raises(test_mails.TooMany):
        test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)


def test_pressed_by_many_at_once_no_more_than_twenty_go(desk: Services) -> None:
    """Counted before anything is handed over."""

    def press(number: int) -> bool:
        try:
            test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW + timedelta(milliseconds=number))
        except test_mails.TooMany:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(press, range(25))) == test_mails.MOST
    assert len(transport(desk).taken) == test_mails.MOST


def test_who_is_named_twice_gets_one(desk: Services) -> None:
    """And it counts once, however it is spelled."""
    named = [EDDA, EDDA.upper()] * 15
    assert len(test_mails.send(desk, make.WEEK, to=named, by="staff 1", now=NOW)) == 1


def test_what_the_provider_did_not_take_is_not_noted_as_taken(desk: Services) -> None:
    transport(desk).script = [Unavailable("The provider is resting.")]
    with pytest.raises(Unavailable, match="resting"):
        test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)

    assert noted(desk) == []


def test_the_kill_switch_stops_tests_too(desk: Services) -> None:
    """Nothing at all goes out."""
    with desk.database.writing() as session:
        pauses.kill(session, because="a leak", by="staff 1", now=NOW)
    with pytest.raises(test_mails.NothingGoesOut):
        test_mails.send(desk, make.WEEK, to=[EDDA], by="staff 1", now=NOW)

    assert transport(desk).calls == []


def test_two_tests_in_one_second_are_two_mails(services: Services) -> None:
    """Of two variants, to the same folder."""
    with services.database.writing() as session:
        make.staff(session, EDDA)
    make.draft(services)
    for number, variant in enumerate(("all", "all-text")):
        now = NOW + timedelta(milliseconds=number)
        test_mails.send(services, make.WEEK, to=[EDDA], by="staff 1", now=now, variant=variant)

    mails = list(Path(services.settings.digest_outbox_dir).glob("*-test/*/*.eml"))
    assert sorted(bool(re.search(rb"text/html", mail.read_bytes())) for mail in mails) == [False, True]
