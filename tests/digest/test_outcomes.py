"""What events do: each once, whatever their order, to the right delivery, the right person and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from digest import batches, editions, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Edition, EditionLog, EditionState, FencedAttempt, Letter, ProviderEvent
from subscribers import addresses, consent, roster
from subscribers.models import AddressChange, ConsentEvent, State, Subscriber
from subscribers.policy import Act
from tests import make
from tests.make_events import TOLD, bounce, consent_of, event, sent, tell, times


def stored(services: Services) -> list[ProviderEvent]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(ProviderEvent).order_by(ProviderEvent.id)))


def edition(services: Services) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, make.WEEK)


def numbers(services: Services) -> stats.Numbers:
    with services.database.reading() as session:
        return stats.numbers(session, editions.find(session, make.WEEK))


def notices(services: Services) -> list[tuple[str, str]]:
    with services.database.reading() as session:
        found = session.scalars(sa.select(Letter).where(Letter.subscriber_id.is_(None)).order_by(Letter.id))
        return [(letter.kind, letter.context["why"]) for letter in found]


# — deliveries —


def test_each_kind_stamps_its_own_column_with_the_earliest_time(services: Services) -> None:
    """And the sums of the edition are as they should be."""
    ada, ben, cleo, dov = sent(services, 4)
    tell(
        services,
        event(ada, "processed", after=1),
        event(ada, "deferred", after=2, attempt="1", response="try later"),
        event(ada, "deferred", after=5, attempt="2"),
        event(ada, "delivered", after=9),
        event(ada, "open", after=20),
        event(ada, "open", after=15, sg_machine_open=True),
        event(ada, "click", after=30, url="https://example.com/a"),
        bounce(ben, after=3),
        event(cleo, "bounce", after=4, type="blocked", reason="421 greylisted"),
        event(dov, "dropped", after=1, reason="Bounced Address"),
    )

    assert {"deferred_at": 2, "delivered_at": 9, "opened_at": 20, "clicked_at": 30} == times(services, ada.delivery)
    assert {"bounced_at": 3, "hard_bounced_at": 3} == times(services, ben.delivery)
    assert {"bounced_at": 4} == times(services, cleo.delivery)
    assert {"dropped_at": 1} == times(services, dov.delivery)
    found = numbers(services)
    assert (1, 2, 1, 0) == (found.dropped, found.bounced, found.delivered, found.unreported)
    assert found.adds_up


def test_a_later_report_of_an_earlier_time_wins(services: Services) -> None:
    """The earliest time stays, whichever post brings it."""
    ada, *_ = sent(services)
    for after in (50, 20, 30):
        tell(services, event(ada, "delivered", after=after))

    assert {"delivered_at": 20} == times(services, ada.delivery)


def test_an_event_counts_once_by_its_id_and_by_what_it_says(services: Services) -> None:
    """The same id again is nothing new, nor is the same content under another id, within a post and across posts."""
    ada, *_ = sent(services)
    first = event(ada, "click", after=5, url="https://example.com/a")
    again = first | {"sg_event_id": "another"}
    elsewhere = first | {"sg_event_id": "a third", "url": "https://example.com/b"}

    assert (3, 1) == (tell(services, first, first, again).received, len(stored(services)))
    assert 0 == tell(services, again, first).new
    assert 1 == tell(services, elsewhere).new


def test_a_deliverys_number_means_nothing_without_its_week(services: Services) -> None:
    """After a restored backup numbers are given again. What was said of an edition that is lost stamps nobody's
    delivery; but whoever it names by address is heard."""
    ada, ben, _ = sent(services)
    tell(services, event(ada, "spamreport", email=ben.email, vd_week="2026-W40"), event(ada, "delivered", vd_week=None))

    assert 2 == len(stored(services))
    assert {} == times(services, ada.delivery)
    assert State.ACTIVE is consent_of(services, ada.subscriber)[0]
    assert State.SUPPRESSED is consent_of(services, ben.subscriber)[0]


def test_other_mail_of_the_account_is_kept_and_changes_nothing(services: Services) -> None:
    """Even for an address we know, and even a complaint."""
    ada, *_ = sent(services)
    others = [event(None, kind, email=ada.email) for kind in ("bounce", "spamreport", "unsubscribe", "made up")]
    tell(services, *others, bounce(None, email=ada.email), event(None, "dropped", reason="Spam Content"))

    assert 6 == len(stored(services))
    assert {} == times(services, ada.delivery)
    assert (State.ACTIVE, None, False) == consent_of(services, ada.subscriber)
    assert EditionState.SENDING is edition(services).state


# — consent —


@pytest.mark.parametrize(
    ("kind", "said", "act"),
    [
        ("bounce", {"type": "bounce"}, Act.BOUNCE),
        ("bounce", {"type": "bounce", "bounce_classification": "Reputation"}, None),
        ("bounce", {"type": "blocked"}, None),
        ("dropped", {"reason": "Spam Reporting Address"}, Act.COMPLAIN),
        ("spamreport", {}, Act.COMPLAIN),
    ],
)
def test_signals_reach_consent(services: Services, kind: str, said: dict[str, Any], act: Act | None) -> None:
    """Each as the policy says: whose mailbox is gone and who complained is suppressed, and nobody else."""
    ada, *_ = sent(services)
    tell(services, event(ada, kind, **said))

    state = State.SUPPRESSED if act else State.ACTIVE
    assert (state, act) == consent_of(services, ada.subscriber)[:2]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("unsubscribe", {}), ("group_unsubscribe", {}), ("dropped", {"reason": "Unsubscribed Address"})],
)
def test_a_no_at_the_provider_is_a_no(services: Services, kind: str, said: dict[str, Any]) -> None:
    """Unsubscribed, with the event's own time as the proof's."""
    ada, *_ = sent(services)
    tell(services, event(ada, kind, after=7, **said))

    assert (State.UNSUBSCRIBED, None, True) == consent_of(services, ada.subscriber)
    with services.database.reading() as session:
        proof = session.scalars(sa.select(ConsentEvent).where(ConsentEvent.kind == Act.UNSUBSCRIBE)).one()
        assert ("SendGrid", make.SEND + timedelta(seconds=7)) == (proof.source, proof.happened_at)


def test_the_evidence_of_a_bounce_is_kept_in_words(services: Services) -> None:
    """What the receiving server said."""
    ada, *_ = sent(services)
    tell(services, bounce(ada))

    with services.database.reading() as session:
        assert "hard bounce: 550 5.1.1 no such user" == session.get_one(Subscriber, ada.subscriber).suppressed_because


def test_what_was_overtaken_by_a_new_confirmation_does_nothing_but_a_complaint_always_acts(services: Services) -> None:
    """A bounce and an opt-out from before the last yes come too late."""
    ada, ben, cleo = sent(services)
    with services.database.writing() as session:
        for each in (ada, ben, cleo):
            person = session.get_one(Subscriber, each.subscriber)
            consent.suppress(session, person, Act.BOUNCE, because="550", now=make.SEND, source="test")
            consent.lift(session, person, because="mended", now=TOLD, source="test")
    tell(services, bounce(ada, after=3), event(ben, "unsubscribe", after=3), event(cleo, "spamreport", after=3))

    assert State.ACTIVE is consent_of(services, ada.subscriber)[0]
    assert State.ACTIVE is consent_of(services, ben.subscriber)[0]
    assert (State.SUPPRESSED, Act.COMPLAIN) == consent_of(services, cleo.subscriber)[:2]


def moved(services: Services, subscriber: int, to: str) -> None:
    with services.database.writing() as session:
        person = session.get_one(Subscriber, subscriber)
        consent.ask_to_change_address(session, person, addresses.parse(to), now=make.SEND, source="test")
        consent.change_address(session, session.scalars(sa.select(AddressChange)).one(), now=TOLD, source="test")


def test_a_mailbox_they_have_left_says_nothing_of_the_one_they_have_now(services: Services) -> None:
    """A late bounce of the old address stamps the delivery only; a no or a complaint is the person's all the same."""
    ada, ben, cleo = sent(services)
    for number, each in enumerate((ada, ben, cleo)):
        moved(services, each.subscriber, f"new{number}@example.org")
    tell(services, bounce(ada), event(ben, "unsubscribe"), event(cleo, "spamreport"))

    assert State.ACTIVE is consent_of(services, ada.subscriber)[0]
    assert {"bounced_at", "hard_bounced_at"} == set(times(services, ada.delivery))
    assert State.UNSUBSCRIBED is consent_of(services, ben.subscriber)[0]
    assert State.SUPPRESSED is consent_of(services, cleo.subscriber)[0]


def test_the_address_is_compared_in_its_normal_form(services: Services) -> None:
    """The provider may write it in lower case, or with the domain in its ASCII form."""
    with services.database.writing() as session:
        make.subscriber(session, "Ada.L@Bücher.example")
    ada = sent(services, 0)[0]
    tell(services, bounce(ada, email="ada.l@xn--bcher-kva.example"))

    assert State.SUPPRESSED is consent_of(services, ada.subscriber)[0]


def test_a_letter_that_bounces_is_about_whoever_has_that_address(services: Services) -> None:
    """Letters carry a number of their own, which names no delivery."""
    with services.database.writing() as session:
        ben = consent.sign_up(session, addresses.parse("ben@example.com"), now=make.SEEN, source="form").subscriber
        ada = make.subscriber(session, "ada@example.com")
    tell(
        services,
        bounce(None, email="Ben@example.com", vd_letter="7", vd_attempt="1"),
        event(None, "spamreport", email="ada@example.com", vd_letter="8", vd_attempt="1"),
        bounce(None, email="nobody@example.com", vd_letter="9", vd_attempt="1"),
    )

    assert (State.SUPPRESSED, Act.BOUNCE) == consent_of(services, ben.id)[:2]
    assert (State.SUPPRESSED, Act.COMPLAIN) == consent_of(services, ada.id)[:2]
    assert [None] * 3 == [row.delivery_id for row in stored(services)]


def test_many_signals_in_one_post_all_arrive(services: Services) -> None:
    """More than one transaction is to hold, in pieces that are each whole."""
    readers = sent(services, 120)
    told = tell(services, *(event(each, "unsubscribe") for each in readers), *(event(each, "open") for each in readers))

    assert (240, 240, 120) == (told.received, told.new, told.changed)
    with services.database.reading() as session:
        assert {State.UNSUBSCRIBED: 120} == {state: n for state, n in roster.counts(session).items() if n}


# — us —


def test_bounces_that_are_our_fault_raise_one_alarm_and_suppress_nobody(services: Services) -> None:
    """However many there are; another class is another alarm. The edition goes on."""
    with services.database.writing() as session:
        make.staff(session)
    ada, ben, cleo = sent(services)
    tell(services, bounce(ada, classification="Reputation"), bounce(ben, classification="Reputation"))
    tell(services, bounce(cleo, classification="Content"), bounce(ben, classification="Reputation", after=9))

    alarms = [why for kind, why in notices(services) if kind == "alarm"]
    assert 2 == len(alarms)
    assert "“Reputation”" in alarms[0]
    assert EditionState.SENDING is edition(services).state
    with services.database.reading() as session:
        assert 3 == session.scalar(sa.select(sa.func.count()).where(Subscriber.state == State.ACTIVE))


@pytest.mark.parametrize(
    "reason",
    ["Recipient List over Package Quota", "Invalid SMTPAPI header", "Spam Content (if Spam Checker app is enabled)"],
)
def test_what_would_drop_the_others_too_halts_the_edition(services: Services, reason: str) -> None:
    """Staff are told in the provider's words."""
    with services.database.writing() as session:
        make.staff(session)
    ada, ben, _ = sent(services)
    tell(services, event(ada, "dropped", reason=reason), event(ben, "dropped", reason=reason))

    assert EditionState.HALTED is edition(services).state
    assert reason in (edition(services).why or "")
    assert ["halted"] == [kind for kind, _ in notices(services)]
    assert State.ACTIVE is consent_of(services, ada.subscriber)[0]


def test_a_reason_nobody_foresaw_raises_an_alarm_without_the_address_it_quotes(services: Services) -> None:
    """The log of an edition and the letters to staff hold no subscriber's address."""
    ada, *_ = sent(services)
    tell(services, event(ada, "dropped", reason=f"No idea what to do with <{ada.email}> today"))

    with services.database.reading() as session:
        said = session.scalars(sa.select(EditionLog.why).where(EditionLog.what == "alarm")).one()
    assert "No idea what to do with <…> today" in (said or "")


def test_a_change_of_the_account_halts_whatever_is_being_sent(services: Services) -> None:
    """It names no mail and nobody. With nothing being sent it is an alarm."""
    with services.database.writing() as session:
        make.staff(session)
    sent(services)
    change: dict[str, Any] = {
        "event": "account_status_change",
        "type": "compliance_suspend",
        "timestamp": int(make.SEND.timestamp()),
    }
    tell(services, change | {"sg_event_id": "a"})
    tell(services, change | {"sg_event_id": "b", "timestamp": change["timestamp"] + 5})

    assert EditionState.HALTED is edition(services).state
    assert [("halted", True), ("alarm", True)] == [
        (kind, "compliance_suspend" in why) for kind, why in notices(services)
    ]


# — batches —


def test_an_event_settles_the_batch_it_names(services: Services) -> None:
    """Whatever it says of the mail: the provider had that attempt."""
    ada, *_ = sent(services, accepted=False)
    tell(services, event(ada, "processed"))

    with services.database.reading() as session:
        batch = session.get_one(Batch, ada.batch)
        assert (batches.ACCEPTED, TOLD) == (batch.state, batch.accepted_at)


def test_an_event_of_a_cancelled_attempt_halts_the_edition(services: Services) -> None:
    """Somebody may get it twice, and staff must know."""
    ada, *_ = sent(services, accepted=False)
    with services.database.writing() as session:
        fence = {"provider_batch_id": "b-1", "send_at": make.SEND, "asked_at": make.SEND, "cancelled_at": make.SEND}
        session.add(FencedAttempt(batch_id=ada.batch, attempt=1, **fence))
    tell(services, event(ada, "delivered"))

    assert EditionState.HALTED is edition(services).state


def test_an_event_of_an_attempt_cancelled_in_vain_settles_it(services: Services) -> None:
    """The provider never confirmed the cancelling, and the event says that it went out."""
    ada, *_ = sent(services, accepted=False)
    with services.database.writing() as session:
        fence = {"provider_batch_id": "b-1", "send_at": make.SEND, "asked_at": make.SEND}
        session.add(FencedAttempt(batch_id=ada.batch, attempt=1, **fence))
    tell(services, event(ada, "delivered"))

    assert EditionState.SENDING is edition(services).state
    with services.database.reading() as session:
        assert BatchState.ACCEPTED is session.get_one(Batch, ada.batch).state
