"""What the provider told of one person: shown to them and to operators, and gone when they are erased."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from database import Base
from digest import tidying
from digest.bootstrap import Services
from digest.models import ProviderEvent
from digest.people import dossiers, erasing, my_data, reports
from subscribers import addresses, consent
from subscribers.models import AddressChange, Refusal, RefusedAddress, Subscriber
from tests import make
from tests.make_events import TOLD, Reader, event, sent, tell, times


def everything(services: Services) -> str:
    """Every cell of every table, case folded."""
    with services.database.reading() as session:
        rows = [row for table in Base.metadata.sorted_tables for row in session.execute(sa.select(table))]
    return repr(rows).casefold()


def erase(services: Services, reader: Reader) -> None:
    with services.database.writing() as session:
        erasing.erase(session, session.get_one(Subscriber, reader.subscriber), now=TOLD, by="staff 3")


def moved(services: Services, reader: Reader, to: str) -> None:
    with services.database.writing() as session:
        person = session.get_one(Subscriber, reader.subscriber)
        consent.ask_to_change_address(session, person, addresses.parse(to), now=make.SEND, source="test")
        consent.change_address(session, session.scalars(sa.select(AddressChange)).one(), now=TOLD, source="test")


def full_life(services: Services) -> tuple[Reader, Reader]:
    """Ada Quist, who was told of in every way and has moved since, and another reader."""
    with services.database.writing() as session:
        make.subscriber(session, "ada.quist@example.com")
        make.subscriber(session, "ben@example.com")
    ada, ben = sent(services, 0)
    tell(
        services,
        event(ada, "delivered", after=5, response="250 ok ada.quist@example.com", ip="203.0.113.77"),
        event(ada, "open", after=9, useragent="Quistbrowser 5", ip="203.0.113.77"),
        event(ada, "click", after=10, url="https://example.com/for/quist"),
        event(ada, "bounce", after=20, type="blocked", reason="421 <ada.quist@example.com> greylisted"),
        event(None, "delivered", email="ada.quist@example.com", vd_letter="4", vd_attempt="1"),
        event(None, "delivered", email="ADA.Quist@example.com"),
        event(ben, "delivered", after=7, response="250 ok for ben"),
    )
    moved(services, ada, "quist.new@example.org")
    tell(services, event(None, "processed", email="quist.new@example.org", vd_letter="5", vd_attempt="1"))
    return ada, ben


def test_the_address_in_stored_events_is_gone_after_erasing(services: Services) -> None:
    """By delivery for an address they had before, by its hash for letters; the stamps stay, and so do other people."""
    ada, ben = full_life(services)
    before = times(services, ada.delivery)
    erase(services, ada)

    left = everything(services)
    assert not [trace for trace in ("quist", "203.0.113.77") if trace in left]
    assert "250 ok for ben" in left
    assert before == times(services, ada.delivery)
    assert {"delivered_at": 7} == times(services, ben.delivery)


def test_what_is_told_of_somebody_after_they_were_erased_brings_nothing_back(services: Services) -> None:
    """The stamp is written, the address is not."""
    ada, _ben = full_life(services)
    erase(services, ada)
    tell(
        services,
        event(ada, "deferred", after=2, email="quist.new@example.org", response="for quist.new"),
        event(None, "delivered", email="Quist.New@example.org", vd_letter="5"),
    )

    assert 2 == times(services, ada.delivery)["deferred_at"]
    assert "quist.new" not in everything(services)


def test_an_event_that_slipped_in_while_somebody_was_erased_is_emptied_by_the_next_tidying(services: Services) -> None:
    """Found by the hash that keeps them refused."""
    full_life(services)
    tell(services, event(None, "delivered", email="late.quist@example.org", vd_letter="6"))
    with services.database.writing() as session:
        late = session.scalars(sa.select(ProviderEvent).order_by(ProviderEvent.id.desc())).first()
        assert late is not None
        assert late.address_hash is not None
        consent.refuse(session, late.address_hash, Refusal.ERASED, since=TOLD)
    gone = tidying.tidy(services, now=TOLD, stopped=lambda: False)

    assert 1 == gone["late events"]
    assert "late.quist" not in everything(services)


def test_a_complaint_that_comes_after_the_erasure_is_remembered_for_ever(services: Services) -> None:
    """Nobody is to write there again, whoever signs them up."""
    _ada, ben = full_life(services)
    erase(services, ben)
    tell(services, event(ben, "spamreport"))

    with services.database.reading() as session:
        assert Refusal.FOR_EVER is session.scalars(sa.select(RefusedAddress.because)).one()


def test_old_events_are_forgotten_and_their_stamps_are_not(services: Services) -> None:
    """After four hundred days, the oldest first."""
    ada, *_ = sent(services)
    tell(services, event(ada, "delivered", after=5))
    tell(services, event(ada, "open", after=9), now=TOLD + timedelta(days=2))
    gone = tidying.tidy(services, now=TOLD + tidying.KEEP_EVENTS + timedelta(days=1), stopped=lambda: False)

    assert 1 == gone["events"]
    assert {"delivered_at": 5, "opened_at": 9} == times(services, ada.delivery)
    with services.database.reading() as session:
        assert ["open"] == list(session.scalars(sa.select(ProviderEvent.kind)))


def test_operators_see_each_event_in_the_timeline(services: Services) -> None:
    """In words, with what was said of it."""
    ada, _ = full_life(services)
    with services.database.reading() as session:
        found = dossiers.dossier(session, ada.subscriber, now=TOLD, zone=ZoneInfo("UTC"))
    assert found is not None
    events = {
        each.what: {fact.label: fact.value for fact in each.facts} for each in found.timeline if each.kind == "event"
    }

    assert {"Delivered to the mailbox", "Opened", "Clicked", "Bounced this time", "Taken on by the provider"} == set(
        events
    )
    assert "edition 2026-W47" == events["Bounced this time"]["Of"]
    assert "421 <ada.quist@example.com> greylisted" == events["Bounced this time"]["Said"]
    assert "https://example.com/for/quist" == events["Clicked"]["Address clicked"]
    assert "letter 5" == events["Taken on by the provider"]["Of"]


def test_a_persons_own_data_has_them_in_words_and_exactly(services: Services) -> None:
    """Theirs, and nobody else's."""
    ada, ben = full_life(services)
    with services.database.reading() as session:
        everything_held = my_data.held(session, session.get_one(Subscriber, ada.subscriber))
        bens = my_data.held(session, session.get_one(Subscriber, ben.subscriber))
    document = orjson.loads(my_data.to_take_along(everything_held, newsletter="Verdicts", now=TOLD))

    assert ["Delivered to the mailbox", "Opened", "Clicked", "Bounced this time"] == [
        each["what"] for each in document["reports"] if each["edition"] == make.WEEK
    ]
    assert "Quistbrowser 5" in "".join(each["exactly"] for each in document["reports"])
    assert ["Delivered to the mailbox"] == [each.what for each in bens.reports]


def test_a_number_given_again_shows_nobody_elses_events(services: Services) -> None:
    """A delivery's number from before a restored backup was another person's, in another week."""
    ada, ben = full_life(services)
    tell(
        services,
        event(ben, "click", url="https://example.com/secret", vd_week="2026-W40", vd_delivery=str(ada.delivery)),
    )
    with services.database.reading() as session:
        hers = reports.of(session, session.get_one(Subscriber, ada.subscriber))

    assert "https://example.com/secret" not in [report.event.detail for report in hers]
