"""Each change of consent is a row and its proof, together."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from subscribers import addresses, consent, roster
from subscribers.consent import Gone, LetterOwed, NoBasis, Outcome, Proof
from subscribers.links import Links
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import Act, State
from tests.subscribers.cast import (
    ADA,
    BEN,
    CLEO,
    DOV,
    NOW,
    confirmed,
    everyone,
    good_link,
    kinds,
    newcomer,
    signed_up,
    suppressed,
    unsubscribed,
)

HOUR = timedelta(hours=1)


def test_a_sign_up_waits_for_its_confirmation(database: Database) -> None:
    """A new person is pending, is owed a confirmation letter, and the proof says what, when, how and from where."""
    proof = Proof(wording="Weekly, from Example.", ip="192.0.2.7", user_agent="Browser/1.0")
    with database.writing() as session:
        outcome = consent.sign_up(session, addresses.parse("Ada@Example.com"), now=NOW, source="the form", proof=proof)

    with database.reading() as session:
        ada = roster.find(session, ADA)
        assert ada is not None
        event = roster.dossier(session, ada).events[0]
    assert (ada.email, ada.state, ada.pending_since, ada.confirmed_at) == ("Ada@Example.com", State.PENDING, NOW, None)
    assert (event.kind, event.happened_at, event.source) == ("signed up", NOW, "the form")
    assert (event.wording, event.ip, event.user_agent) == ("Weekly, from Example.", "192.0.2.7", "Browser/1.0")
    context = {"asked_at": "2026-11-20T09:00:00+00:00", "asked_through": "the form"}
    assert outcome.letter == LetterOwed("confirm", "Ada@Example.com", ada.id, context)
    assert outcome.changed


def test_a_letter_is_addressed_as_mail_servers_take_it(sqlite: Database) -> None:
    """The row keeps an international domain as typed; the letter has its ASCII form."""
    with sqlite.writing() as session:
        outcome = consent.sign_up(session, addresses.parse("Ada@Bücher.example"), now=NOW, source="form")

        assert outcome.subscriber.email == "Ada@Bücher.example"
    assert outcome.letter is not None
    assert outcome.letter.email == "Ada@xn--bcher-kva.example"


def test_a_confirmation_makes_active(database: Database) -> None:
    """The button behind the link makes the person active, from now."""
    with database.writing() as session:
        ben = signed_up(session, BEN, NOW - HOUR)
        outcome = consent.confirm(session, ben, good_link(ben), now=NOW, source="confirm page")

    assert (ben.state, ben.confirmed_at, ben.pending_since, ben.basis) == (State.ACTIVE, NOW, None, None)
    assert outcome.changed
    assert outcome.letter is not None
    assert outcome.letter.kind == "welcome"


def test_a_link_made_from_the_row_confirms_it(database: Database) -> None:
    """The time in a link is the time in the row, to the microsecond, on both databases."""
    links = Links("https://news.example.com", ["a secret for tests only"])
    with database.writing() as session:
        signed_up(session, BEN, NOW + timedelta(microseconds=123_457))
    with database.writing() as session:
        ben = roster.find(session, BEN)
        assert ben is not None
        assert ben.pending_since is not None
        link = links.read_confirm(links.confirm_url(ben.link_id, ben.pending_since, NOW).rpartition("/")[2])
        assert link is not None
        assert consent.confirm(session, ben, link, now=NOW + HOUR, source="confirm page").changed


def test_a_second_press_is_harmless(database: Database) -> None:
    """Confirming twice with one link records one confirmation and says that it is done."""
    with database.writing() as session:
        ben = signed_up(session, BEN, NOW - HOUR)
        link = good_link(ben)
        consent.confirm(session, ben, link, now=NOW, source="confirm page")
        again = consent.confirm(session, ben, link, now=NOW + HOUR, source="confirm page")

        assert (again.changed, again.why) == (False, "is subscribed already")
        assert kinds(session, ben) == ["signed up", "confirmed"]
        assert ben.confirmed_at == NOW


def test_a_used_link_brings_nobody_back(database: Database) -> None:
    """Whoever confirmed and then unsubscribed is not revived by the old letter, in time or not."""
    with database.writing() as session:
        ben = signed_up(session, BEN, NOW)
        link = good_link(ben)
        consent.confirm(session, ben, link, now=NOW, source="confirm page")
        consent.unsubscribe(session, ben, now=NOW + HOUR, source="one-click")
        again = consent.confirm(session, ben, link, now=NOW + 2 * HOUR, source="confirm page")
        signed_up(session, BEN, NOW + 3 * HOUR)
        old = consent.confirm(session, ben, link, now=NOW + 4 * HOUR, source="confirm page")

    assert (again.changed, old.changed) == (False, False)
    assert "newer letter" in old.why
    assert ben.state is State.PENDING


def test_an_expired_link_asks_for_a_new_letter(sqlite: Database) -> None:
    """After 48 hours the link changes nothing and says why."""
    with sqlite.writing() as session:
        ben = signed_up(session, BEN, NOW)
        late = consent.confirm(session, ben, good_link(ben), now=NOW + 48 * HOUR, source="confirm page")

    assert (late.changed, ben.state) == (False, State.PENDING)
    assert "expired" in late.why


def test_asking_again_keeps_earlier_letters_good(sqlite: Database) -> None:
    """Somebody who signs up twice can use either letter."""
    with sqlite.writing() as session:
        ben = signed_up(session, BEN, NOW)
        first = good_link(ben)
        again = consent.sign_up(session, addresses.parse(BEN), now=NOW + HOUR, source="form")

        assert again.letter is not None
        assert consent.confirm(session, ben, first, now=NOW + 2 * HOUR, source="confirm page").changed


def test_nobody_confirms_with_somebody_elses_link(sqlite: Database) -> None:
    """A door that mixes up two people is stopped."""
    with sqlite.writing() as session:
        ada, ben = signed_up(session, ADA), signed_up(session, BEN)
        with pytest.raises(ValueError, match="somebody else's"):
            consent.confirm(session, ben, good_link(ada), now=NOW, source="confirm page")


def test_an_opt_out_is_recorded_once(database: Database) -> None:
    """However often one-click is posted, there is one event and the person stays unsubscribed."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        first = consent.unsubscribe(session, ada, now=NOW, source="one-click")
        second = consent.unsubscribe(session, ada, now=NOW + HOUR, source="one-click")

        assert (first.changed, second.changed) == (True, False)
        assert kinds(session, ada)[-2:] == ["confirmed", "unsubscribed"]
    assert ada.state is State.UNSUBSCRIBED


def test_coming_back_takes_a_new_confirmation(database: Database) -> None:
    """An unsubscribed person who signs up is pending, with a letter, and active only once confirmed."""
    with database.writing() as session:
        cleo = unsubscribed(session, CLEO)
        outcome = consent.sign_up(session, addresses.parse(CLEO), now=NOW, source="form")

        assert (cleo.state, cleo.pending_since) == (State.PENDING, NOW)
        assert outcome.letter is not None
        consent.confirm(session, cleo, good_link(cleo), now=NOW + HOUR, source="confirm page")
    assert (cleo.state, cleo.confirmed_at) == (State.ACTIVE, NOW + HOUR)


@pytest.mark.parametrize("act", [Act.BOUNCE, Act.COMPLAIN, Act.SUPPRESS])
def test_a_suppressed_person_gets_no_letter(database: Database, act: Act) -> None:
    """A sign-up with a suppressed address changes nothing and writes to nobody."""
    with database.writing() as session:
        dov = suppressed(session, DOV, act)
        outcome = consent.sign_up(session, addresses.parse(DOV), now=NOW, source="form")

    assert (outcome.changed, outcome.letter, dov.state) == (False, None, State.SUPPRESSED)


def test_a_suppression_keeps_its_evidence(database: Database) -> None:
    """The reason stands in the row, and the evidence in the event with the provider's own time."""
    with database.writing() as session:
        ada = confirmed(session, ADA)
        consent.suppress(
            session, ada, Act.BOUNCE, because="550 5.1.1\r\nunknown", now=NOW + HOUR, source="SendGrid", reported_at=NOW
        )
        event = roster.dossier(session, ada).events[-1]

    assert ada.suppressed_because == "550 5.1.1 unknown"
    assert (event.kind, event.happened_at, event.wording) == ("bounced", NOW, "550 5.1.1 unknown")


def test_a_complaint_replaces_a_bounce_as_the_reason(database: Database) -> None:
    """A complaint after a bounce counts, and makes the suppression last."""
    with database.writing() as session:
        dov = suppressed(session, DOV)
        consent.suppress(session, dov, Act.COMPLAIN, because="abuse report", now=NOW, source="SendGrid")
        lifted = consent.lift(session, dov, because="asked us to", now=NOW, source="otto@example.com")

    assert (dov.state, dov.suppressed_because) == (State.SUPPRESSED, "abuse report")
    assert (lifted.changed, lifted.why) == (False, "is suppressed after a complaint, for ever")


def test_a_lifted_bounce_is_active_again(database: Database) -> None:
    """Staff give a mended address back its subscription; the reason is gone from the row and kept in the events."""
    with database.writing() as session:
        dov = suppressed(session, DOV)
        outcome = consent.lift(session, dov, because="the mailbox works again", now=NOW, source="otto@example.com")

        assert kinds(session, dov) == ["signed up", "confirmed", "bounced", "suppression lifted"]
    assert (dov.state, dov.suppressed_because, dov.pending_since) == (State.ACTIVE, None, None)
    assert outcome.letter is None


def test_an_opt_out_during_a_bounce_survives_its_lift(database: Database) -> None:
    """Somebody who unsubscribes while suppressed is unsubscribed after the lift."""
    with database.writing() as session:
        dov = suppressed(session, DOV)
        out = consent.unsubscribe(session, dov, now=NOW, source="one-click")
        assert (out.changed, dov.state) == (True, State.SUPPRESSED)
        consent.lift(session, dov, because="works again", now=NOW, source="otto@example.com")

    assert dov.state is State.UNSUBSCRIBED


def test_what_a_provider_reports_late_is_outdated(database: Database) -> None:
    """A bounce or opt-out from before the last confirmation does nothing; a complaint always counts."""
    with database.writing() as session:
        ada = confirmed(session, ADA, NOW)

        def report(act: Act, reported_at: datetime) -> Outcome:
            return consent.suppress(session, ada, act, because="?", now=NOW, source="SendGrid", reported_at=reported_at)

        assert not report(Act.BOUNCE, NOW - HOUR).changed
        late = consent.unsubscribe(session, ada, now=NOW, source="SendGrid", reported_at=NOW - HOUR)
        assert not late.changed
        assert kinds(session, ada)[-1] == "confirmed"
        assert report(Act.COMPLAIN, NOW - HOUR).changed
    assert ada.state is State.SUPPRESSED


def test_a_lift_overtakes_the_bounces_before_it(database: Database) -> None:
    """A bounce from before the lift, reported after it, does not suppress again; a new one does."""
    with database.writing() as session:
        dov = suppressed(session, DOV)
        consent.lift(session, dov, because="works again", now=NOW, source="otto@example.com")
        old = consent.suppress(
            session, dov, Act.BOUNCE, because="550", now=NOW, source="SendGrid", reported_at=NOW - HOUR
        )
        assert not old.changed
        new = consent.suppress(
            session, dov, Act.BOUNCE, because="550", now=NOW + HOUR, source="SendGrid", reported_at=NOW + HOUR
        )
        assert new.changed


def test_only_a_reason_to_suppress_suppresses(sqlite: Database) -> None:
    """Any other act is a mistake of the caller."""
    with sqlite.writing() as session:
        ada = confirmed(session, ADA)
        with pytest.raises(ValueError, match="suppresses nobody"):
            consent.suppress(session, ada, Act.SIGN_UP, because="?", now=NOW, source="test")


def test_an_operator_adds_with_a_basis(database: Database) -> None:
    """With a basis of consent a person is active at once, the basis is kept, and no letter goes out."""
    with database.writing() as session:
        outcome = consent.add(session, newcomer(ADA, "Ada"), basis=" paper  form, 3 May ", now=NOW, source="cli")
        ada = outcome.subscriber

        assert (ada.state, ada.confirmed_at, ada.basis, ada.name) == (State.ACTIVE, NOW, "paper form, 3 May", "Ada")
        assert (outcome.letter, outcome.changed) == (None, True)
        event = roster.dossier(session, ada).events[0]
    assert (event.kind, event.wording) == ("added with a basis", "paper form, 3 May")


def test_an_operator_adds_without_a_basis(sqlite: Database) -> None:
    """Without one the person is pending and owed a confirmation letter, once."""
    with sqlite.writing() as session:
        outcome = consent.add(session, newcomer(ADA), basis=None, now=NOW, source="cli")
        again = consent.add(session, newcomer(ADA), basis=None, now=NOW + HOUR, source="cli")

        assert (outcome.subscriber.state, outcome.subscriber.pending_since) == (State.PENDING, NOW)
        assert outcome.letter is not None
        assert outcome.letter.context["asked_through"] == "by the people who make this newsletter"
        assert (again.letter, again.changed) == (None, False)
        assert kinds(session, outcome.subscriber) == ["added"]


@pytest.mark.parametrize("basis", ["", " \n ", "x" * 501])
def test_a_basis_is_words(sqlite: Database, basis: str) -> None:
    """An empty or endless basis is refused before anything is written."""
    with pytest.raises(NoBasis), sqlite.writing() as session:
        consent.add(session, newcomer(ADA), basis=basis, now=NOW, source="cli")
    with sqlite.reading() as session:
        assert roster.find(session, ADA) is None


def test_adding_again_revives_nobody_and_changes_no_wish(database: Database) -> None:
    """Of the four, with and without a basis, nobody's state, name or topics change."""
    with database.writing() as session:
        cast = everyone(session)
        before = {email: (p.state, p.name, p.topics, p.changed_at, p.basis) for email, p in cast.items()}
    for basis in (None, "they agreed at the fair"):
        with database.writing() as session:
            people = [newcomer(email.upper(), "Somebody Else", ("Design",)) for email in cast]
            added = consent.add_all(session, people, basis=basis, now=NOW, source="import")
            assert [one.decision.recorded for one in added] == [False] * 4
            assert [one.letter for one in added] == [None] * 4

    with database.reading() as session:
        found = {p.email: (p.state, p.name, p.topics, p.changed_at, p.basis) for p in roster.everybody(session)}
        assert found == before


def test_a_basis_confirms_those_an_operator_added(database: Database) -> None:
    """Pending only because of an import: active with the basis, keeping name and topics; and its letter is dead."""
    with database.writing() as session:
        person = consent.add(
            session, newcomer(ADA, "Ada", ("Design",)), basis=None, now=NOW, source="import"
        ).subscriber
        link = good_link(person)
        outcome = consent.add(session, newcomer(ADA, "X", ("Y",)), basis="paper form", now=NOW + HOUR, source="import")

        assert outcome.changed
        assert (person.state, person.basis, person.pending_since) == (State.ACTIVE, "paper form", None)
        assert (person.name, person.topics, person.confirmed_at) == ("Ada", "Design", NOW + HOUR)
        assert not consent.confirm(session, person, link, now=NOW + HOUR, source="confirm page").changed


def test_a_confirmation_replaces_an_operators_basis(sqlite: Database) -> None:
    """Whoever comes back by their own button is no longer there on an operator's word."""
    with sqlite.writing() as session:
        ada = consent.add(session, newcomer(ADA), basis="paper form", now=NOW, source="import").subscriber
        consent.unsubscribe(session, ada, now=NOW, source="one-click")
        signed_up(session, ADA, NOW + HOUR)
        consent.confirm(session, ada, good_link(ada), now=NOW + HOUR, source="confirm page")

    assert (ada.state, ada.basis) == (State.ACTIVE, None)


def test_many_are_added_as_one_would_be(database: Database) -> None:
    """In order: new, known, new; topics sorted, each once; the sign-up date given is kept."""
    long_ago = NOW - timedelta(days=900)
    with database.writing() as session:
        confirmed(session, ADA)
        ben = consent.Newcomer(addresses.parse(BEN), topics=("B", "A", "B"), created_at=long_ago)
        added = consent.add_all(
            session, [ben, newcomer(ADA), newcomer(CLEO)], basis="fair 2026", now=NOW, source="import"
        )

        assert [(one.newcomer.address.typed, one.decision.recorded) for one in added] == [
            (BEN, True),
            (ADA, False),
            (CLEO, True),
        ]
        found = roster.find(session, BEN)
    assert found is not None
    assert (found.topics, found.created_at, found.confirmed_at) == ("A\nB", long_ago, NOW)


def test_a_forecast_writes_nothing_and_comes_true(database: Database) -> None:
    """What it says of each person is what adding them then does."""
    with database.writing() as session:
        everyone(session)
    people = [newcomer(email) for email in (ADA, BEN, CLEO, DOV, "new@example.com")]
    for basis in (None, "paper form"):
        with database.reading() as session:
            said = consent.forecast(session, people, basis=basis)
            assert roster.counts(session)[State.ACTIVE] == 1
        with database.writing() as session:
            assert [one.decision for one in consent.add_all(session, people, basis=basis, now=NOW, source="x")] == said
            session.rollback()


def test_adding_nobody_writes_nothing(database: Database) -> None:
    """An empty list is no statement at all."""
    with database.writing() as session:
        assert consent.add_all(session, [], basis=None, now=NOW, source="import") == []
        assert sum(roster.counts(session).values()) == 0


def test_long_and_hostile_texts_are_cut_to_their_columns(database: Database) -> None:
    """A source, reason or browser of any length and content is stored as one line that fits."""
    bad = "x\x00\r\n\u202e\udcff" * 2_000
    with database.writing() as session:
        proof = Proof(ip="::1" * 50, user_agent=bad)
        outcome = consent.sign_up(session, addresses.parse(ADA), now=NOW, source=bad, proof=proof)
        consent.suppress(session, outcome.subscriber, Act.SUPPRESS, because=bad, now=NOW, source="cli")
        first, second = roster.dossier(session, outcome.subscriber).events

    assert len(first.source) == 200
    assert first.user_agent is not None
    assert first.user_agent.isprintable()
    assert (len(first.user_agent), len(first.ip or "")) == (400, 45)
    assert len(second.wording or "") == 2_000
    assert len(outcome.subscriber.suppressed_because or "") == 500


def test_somebody_erased_meanwhile_is_gone(database: Database) -> None:
    """A row read before an erasure cannot be written back by a later decision."""
    with database.writing() as session:
        confirmed(session, ADA)
    with database.reading() as session:
        ada = roster.find(session, ADA)
    assert ada is not None
    with database.writing() as session:
        session.execute(sa.delete(ConsentEvent))
        session.execute(sa.delete(Subscriber))
    with pytest.raises(Gone, match="erased a moment ago"), database.writing() as session:
        consent.unsubscribe(session, session.merge(ada, load=False), now=NOW, source="one-click")


def test_a_decision_is_made_on_the_row_as_it_is_now(database: Database) -> None:
    """A row read before somebody else's opt-out is read again, so a stale page revives nobody."""
    with database.writing() as session:
        ben = signed_up(session, BEN, NOW)
        link = good_link(ben)
    with database.reading() as session:
        stale = roster.find(session, BEN)
    assert stale is not None
    with database.writing() as session:
        there = roster.find(session, BEN)
        assert there is not None
        consent.unsubscribe(session, there, now=NOW, source="one-click")
    with database.writing() as session:
        outcome = consent.confirm(session, session.merge(stale, load=False), link, now=NOW, source="confirm page")

    assert (outcome.changed, outcome.subscriber.state) == (False, State.UNSUBSCRIBED)


def test_one_address_signed_up_by_many_at_once_is_one_person(database: Database) -> None:
    """Ten simultaneous sign-ups make one row, each with its own event."""
    problems: list[BaseException] = []

    def ask() -> None:
        try:
            with database.writing() as session:
                consent.sign_up(session, addresses.parse(ADA), now=NOW, source="form")
        except BaseException as problem:  # noqa: BLE001 - shown below, in the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    with database.reading() as session:
        ada = roster.find(session, ADA)
        assert ada is not None
        assert kinds(session, ada) == ["signed up"] * 10


def test_an_opt_out_and_an_import_at_once_leave_a_no(database: Database) -> None:
    """Whichever comes first, somebody who unsubscribes during an import with a basis ends unsubscribed."""
    for number in range(6):
        email = f"person{number}@example.com"
        with database.writing() as session:
            consent.add(session, newcomer(email), basis=None, now=NOW, source="import")
        threads = [
            threading.Thread(target=_import_again, args=(database, email)),
            threading.Thread(target=_opt_out, args=(database, email)),
        ]
        for thread in threads[:: 1 if number % 2 else -1]:
            thread.start()
        for thread in threads:
            thread.join()
        with database.reading() as session:
            person = roster.find(session, email)
            assert person is not None
            assert person.state is State.UNSUBSCRIBED


def _import_again(database: Database, email: str) -> None:
    with database.writing() as session:
        consent.add(session, newcomer(email), basis="paper form", now=NOW, source="import")


def _opt_out(database: Database, email: str) -> None:
    with database.writing() as session:
        person = roster.find(session, email)
        assert person is not None
        consent.unsubscribe(session, person, now=NOW, source="one-click")


def test_nothing_is_kept_of_a_transaction_that_failed(database: Database) -> None:
    """Row, event and letter stand or fall together."""
    with pytest.raises(RuntimeError), database.writing() as session:
        _sign_up_and_fail(session)

    with database.reading() as session:
        assert roster.find(session, ADA) is None
        assert session.scalar(sa.select(sa.func.count()).select_from(ConsentEvent)) == 0


def _sign_up_and_fail(session: Session) -> None:
    consent.sign_up(session, addresses.parse(ADA), now=NOW, source="form")
    raise RuntimeError
