"""One person's dossier: all that is known, of one instant, told as the numbers tell it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Database
from digest import editions, postman, sending, stats
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Delivery, Edition, Letter, LetterState, Role
from digest.people import dossiers
from digest.people import words as people_words
from digest.people.dossiers import Dossier, Happening
from digest.people.words import Fate
from digest.staff import add_staff
from subscribers import addresses, consent, policy
from subscribers.consent import Proof
from subscribers.links import Links
from subscribers.models import Subscriber
from subscribers.policy import Act, Refusal, Standing, State
from subscribers.wishes import Rhythm, Wishes
from tests import make

BERLIN = ZoneInfo("Europe/Berlin")
ASKED = make.SEEN
CONFIRMED = ASKED + timedelta(minutes=4)
SHOWN = Proof("Get one edition a week.", "sign-up 3", "203.0.113.9", "A browser")
PRESSED = Proof("Yes, send me one a week.", "confirm 2", "203.0.113.10", "Another browser")


def of(session: Session, person: Subscriber, *, now: datetime = make.SEND) -> Dossier:
    found = dossiers.dossier(session, person.id, now=now, zone=BERLIN)
    assert found is not None
    return found


def facts(happening: Happening) -> dict[str, str | datetime]:
    return {fact.label: fact.value for fact in happening.facts}


def told(dossier: Dossier) -> list[str]:
    return [each.what for each in dossier.timeline]


def confirmed(session: Session, email: str = "ada@example.com") -> Subscriber:
    """Somebody who asked and confirmed, with both letters."""
    links = Links("https://news.example.com", (make.SECRET,))
    asked = consent.sign_up(session, addresses.parse(email), now=ASKED, source="sign-up form", proof=SHOWN)
    assert asked.letter is not None
    postman.queue(session, asked.letter, now=ASKED)
    person = asked.subscriber
    url = links.confirm_url(person.link_id, person.pending_since or ASKED, ASKED)
    link = links.read_confirm(url.rpartition("/")[2])
    assert link is not None
    outcome = consent.confirm(session, person, link, now=CONFIRMED, source="confirm link", proof=PRESSED)
    assert outcome.letter is not None
    postman.queue(session, outcome.letter, now=CONFIRMED)
    session.flush()
    return person


def prepared(services: Services, *, readers: int = 0) -> None:
    """An edition prepared for everybody active, in batches of two."""
    small = make.with_settings(services, digest_batch_size=2)
    make.approved(small, readers=readers)
    sending.prepare(small, make.WEEK, by="test", now=make.SEND)


def test_nobody_has_no_dossier(database: Database) -> None:
    """A number that is nobody's is answered with nothing."""
    with database.reading() as session:
        assert dossiers.dossier(session, 17, now=make.SEND, zone=BERLIN) is None


def test_everything_stands_in_one_timeline_the_latest_first(services: Services) -> None:
    """Consent, letters and editions in the order they happened, turned around, at equal instants too."""
    with services.database.writing() as session:
        ada = confirmed(session)
    prepared(services)

    with services.database.reading() as session:
        dossier = of(session, ada)
    assert [
        "Edition 2026-W47: waiting",
        "Welcome letter: waiting to be posted",
        "Confirmed",
        "Confirmation letter: waiting to be posted",
        "Signed up",
    ] == told(dossier)
    assert ["delivery", "letter", "consent", "letter", "consent"] == [each.kind for each in dossier.timeline]


def test_the_proof_is_what_was_shown_and_who_pressed(database: Database) -> None:
    """Exact wording and version, time, door, address and program: of the yes, and of the request it answers."""
    with database.writing() as session:
        ada = confirmed(session)

    with database.reading() as session:
        yes, asked = of(session, ada).proof
    assert ("Confirmed", CONFIRMED, "Signed up", ASKED) == (yes.what, yes.at, asked.what, asked.at)
    assert {
        "Through": "confirm link",
        "Shown": "Yes, send me one a week.",
        "Version": "confirm 2",
        "IP address": "203.0.113.10",
        "Program": "Another browser",
    } == facts(yes)
    assert ("Get one edition a week.", "sign-up 3") == (facts(asked)["Shown"], facts(asked)["Version"])


def test_a_basis_is_proof_by_itself(database: Database) -> None:
    """Who was added with a basis has that, in the operator's words, and no request beside it."""
    with database.writing() as session:
        ada = make.subscriber(session)

    with database.reading() as session:
        (yes,) = of(session, ada).proof
    assert ("Added with a basis", make.BASIS) == (yes.what, facts(yes)["Basis"])


def test_staff_are_named_where_they_acted(database: Database) -> None:
    """An event knows a number; who reads it knows people."""
    with database.writing() as session:
        ada = make.subscriber(session)
        otto = add_staff(session, "otto@example.com", Role.OPERATOR, now=ASKED)
        consent.unsubscribe(session, ada, now=CONFIRMED, source=f"staff {otto.id}")

    with database.reading() as session:
        latest = of(session, ada).timeline[0]
    assert f"otto@example.com (staff {otto.id})" == facts(latest)["Through"]


def test_who_never_confirmed_has_no_proof(database: Database) -> None:
    """A sign-up proves nothing."""
    with database.writing() as session:
        ben = make.cast(session)["ben"]

    with database.reading() as session:
        assert () == of(session, ben).proof


def test_a_change_of_wishes_is_no_wording(database: Database) -> None:
    """What changed is called a change, so that nobody takes it for what they agreed to."""
    with database.writing() as session:
        ada = make.subscriber(session)
        wanted = Wishes(frozenset({"Design"}), Rhythm.MONTHLY)
        consent.choose_wishes(session, ada, wanted, now=CONFIRMED, source="preferences page")

    with database.reading() as session:
        latest = of(session, ada).timeline[0]
    assert "Design (was every topic); monthly (was weekly)" == facts(latest)["Change"]


def test_a_letter_tells_what_became_of_it(database: Database) -> None:
    """Given up: when it was owed, how often it was tried and why it ended. Accepted: when."""
    with database.writing() as session:
        ada = confirmed(session)
        first, second = session.scalars(sa.select(Letter).order_by(Letter.id)).all()
        first.state, first.accepted_at = LetterState.ACCEPTED, ASKED + timedelta(seconds=9)
        second.state, second.attempts, second.last_problem = LetterState.GIVEN_UP, 8, "550 no such user"

    with database.reading() as session:
        given_up, _, accepted, _ = of(session, ada).timeline
    assert ("Welcome letter: given up", "bad") == (given_up.what, given_up.tone)
    assert {"Queued": CONFIRMED, "Tried": "8 times", "Why": "550 no such user"} == facts(given_up)
    assert ("Confirmation letter: accepted", ASKED + timedelta(seconds=9)) == (
        accepted.what,
        facts(accepted)["Accepted"],
    )


def test_a_letter_to_another_address_says_so(database: Database) -> None:
    """The letter about a move names where it went, and the wish to move stands in the summary."""
    with database.writing() as session:
        ada = make.subscriber(session)
        new = addresses.parse("ada@new.example.org")
        letter = consent.ask_to_change_address(session, ada, new, now=CONFIRMED, source="preferences page")
        assert letter is not None
        postman.queue(session, letter, now=CONFIRMED)

    with database.reading() as session:
        dossier = of(session, ada)
    assert dossier.moving is not None
    assert "ada@new.example.org" == dossier.moving.email
    assert "ada@new.example.org" == facts(dossier.timeline[0])["To"]


TIMES = {
    "delivered_at": ("Delivered", "accepted, delivered", "good"),
    "bounced_at": ("Bounced", "accepted, bounced", "bad"),
    "dropped_at": ("Dropped", "accepted, dropped", "bad"),
    "complained_at": ("Reported as spam", "accepted, unreported, reported as spam", "bad"),
    "deferred_at": ("Put off", "accepted, unreported", "quiet"),
    "opened_at": ("Opened", "accepted, unreported", "quiet"),
    "clicked_at": ("Clicked", "accepted, unreported", "quiet"),
    "unsubscribed_at": ("Unsubscribed", "accepted, unreported", "quiet"),
}


def changed(services: Services, batch: BatchState, **delivery: object) -> Happening:
    """Ada's one delivery, with its batch in this state and these columns."""
    with services.database.writing() as session:
        ada = make.subscriber(session)
    prepared(services)
    with services.database.writing() as session:
        session.execute(
            sa.update(Batch).values(state=batch, called_at=make.SEND, accepted_at=make.SEND, why="the line was cut")
        )
        if delivery:
            session.execute(sa.update(Delivery).values(**delivery))
    with services.database.reading() as session:
        return of(session, ada).timeline[0]


@pytest.mark.parametrize("column", TIMES)
def test_every_time_a_provider_reported_is_shown(scripted: Services, column: str) -> None:
    """Each of the eight, under its own name."""
    at = make.SEND + timedelta(minutes=7)
    label, became, tone = TIMES[column]
    happening = changed(scripted, BatchState.ACCEPTED, **{column: at})

    assert (f"Edition {make.WEEK}: {became}", tone, at) == (happening.what, happening.tone, facts(happening)[label])


@pytest.mark.parametrize(
    ("batch", "delivery", "became", "why"),
    [
        (BatchState.PENDING, {}, "waiting", "the line was cut"),
        (BatchState.SUBMITTING, {}, "in flight", "the line was cut"),
        (BatchState.ACCEPTED, {}, "accepted, unreported", None),
        (BatchState.UNCERTAIN, {}, "uncertain", "the line was cut"),
        (BatchState.REFUSED, {}, "refused", "the line was cut"),
        (BatchState.ACCEPTED, {"withheld_because": "unsubscribed"}, "withheld", "unsubscribed"),
        (BatchState.ACCEPTED, {"refused_because": "bad address"}, "refused", "bad address"),
    ],
)
def test_a_delivery_tells_what_became_of_it_and_why(
    scripted: Services, batch: BatchState, delivery: dict[str, str], became: str, why: str | None
) -> None:
    """Its own reason where it was set aside, its batch's otherwise."""
    happening = changed(scripted, batch, **delivery)

    assert (f"Edition {make.WEEK}: {became}", why) == (happening.what, facts(happening).get("Why"))


def test_all_dossiers_together_are_the_edition_s_numbers(scripted: Services) -> None:
    """A fate told to one operator is counted the same way for all: no second arithmetic."""
    prepared(scripted, readers=24)
    later = make.SEND + timedelta(minutes=1)
    with scripted.database.writing() as session:
        batches = session.scalars(sa.select(Batch).order_by(Batch.id)).all()
        for place, batch in enumerate(batches):
            batch.state = list(BatchState)[place % len(BatchState)]
        for place, delivery in enumerate(session.scalars(sa.select(Delivery).order_by(Delivery.id))):
            delivery.withheld_because = "unsubscribed" if place % 7 == 0 else None
            delivery.refused_because = "bad address" if place % 11 == 1 and place % 7 else None
            (batch,) = (each for each in batches if each.first_delivery <= delivery.id <= each.last_delivery)
            if batch.state is not BatchState.ACCEPTED or delivery.withheld_because or delivery.refused_because:
                continue  # told of all the same, it would be a gap
            delivery.delivered_at = later if place % 2 else None
            delivery.bounced_at = later if place % 3 == 0 else None
            delivery.dropped_at = later if place % 5 == 0 else None

    with scripted.database.reading() as session:
        everybody = session.scalars(sa.select(Subscriber)).all()
        counted = Counter[str]()
        for person in everybody:
            counted.update(each.what.partition(": ")[2] for each in of(session, person).timeline if is_paper(each))
        numbers = stats.numbers(session, editions.find(session, make.WEEK))
        fates = sum((of(session, person).fates for person in everybody), Counter[Fate]())
    assert numbers.adds_up
    for bucket in ("dropped", "bounced", "delivered", "unreported"):
        assert getattr(numbers, bucket) == counted[f"accepted, {bucket}"]
    for fate in Fate:
        assert getattr(numbers, fate.value.replace(" ", "_")) == fates[fate]
    assert min(fates[fate] for fate in Fate) > 0


def is_paper(happening: Happening) -> bool:
    return happening.kind == "delivery"


def test_deliveries_are_found_by_their_key(sqlite: Database) -> None:
    """Somebody's deliveries among millions are looked up, never searched for."""
    plans: list[str] = []

    def explained(connection: sa.Connection, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if "FROM deliveries" in statement and not plans:
            plans.append("begun")
            plans.extend(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values))

    with sqlite.writing() as session:
        ada = make.subscriber(session)
        rules = {"week": make.WEEK, "state": "sent", "rules": {}, "subject": "", "breath": "", "also_compared": []}
        moments = dict.fromkeys(("window_start", "window_end", "planned_at", "send_at", "created_at"), make.SEND)
        session.add(Edition(**rules, **moments, prepared_at=make.SEND))
    with sqlite.reading() as session:
        sa.event.listen(session.connection(), "before_cursor_execute", explained)
        dossiers.deliveries_of(session, ada)
    assert any("deliveries" in step for step in plans)
    assert [] == [step for step in plans if step.startswith("SCAN") and "deliveries" in step]


@pytest.mark.parametrize(
    ("who", "possible"),
    [
        ("ada", {Act.UNSUBSCRIBE, Act.SUPPRESS}),
        ("ben", {Act.UNSUBSCRIBE, Act.SUPPRESS}),
        ("cleo", {Act.SUPPRESS}),
        ("dov", {Act.UNSUBSCRIBE, Act.SUPPRESS, Act.LIFT}),
    ],
)
def test_only_what_is_possible_is_offered(database: Database, who: str, possible: set[Act]) -> None:
    """Active, pending, unsubscribed, suppressed after a bounce; the rest comes with the reason why not."""
    with database.writing() as session:
        person = make.cast(session)[who]

    with database.reading() as session:
        choices = of(session, person).choices
    assert possible == {choice.act for choice in choices if choice.possible}
    assert all(choice.words for choice in choices)


def test_a_complaint_cannot_be_lifted(database: Database) -> None:
    """And the dossier says why."""
    with database.writing() as session:
        ada = make.subscriber(session)
        consent.suppress(session, ada, Act.COMPLAIN, because="reported", now=CONFIRMED, source="provider")

    with database.reading() as session:
        dossier = of(session, ada)
    lift = next(choice for choice in dossier.choices if choice.act is Act.LIFT)
    assert (False, "This person is suppressed after a complaint, for ever.") == (lift.possible, lift.words)
    assert "Nobody can lift that" in dossier.state_in_words


standings = st.builds(
    Standing,
    state=st.sampled_from(State),
    suppressed_by=st.sampled_from([None, *policy.SUPPRESSING]),
    opted_out=st.booleans(),
    confirmed=st.booleans(),
    by_operators_only=st.booleans(),
    refused=st.sampled_from([None, *Refusal]),
)


@given(standings)
def test_what_is_offered_is_what_would_be_recorded(stands: Standing) -> None:
    """For whoever stands however: a choice is possible exactly when policy would carry it out."""
    for choice in people_words.choices(stands):
        assert choice.possible == policy.decide(choice.act, stands).recorded
        assert choice.words.endswith(".")


@given(standings, st.sampled_from([None, make.SEND.date()]), st.booleans(), st.sampled_from([None, make.SEND]))
def test_every_standing_has_words(stands: Standing, since: object, text: bool, until: datetime | None) -> None:
    """No state, however reached, is without a sentence; only the active are said to get anything."""
    wishes = Wishes(frozenset(), Rhythm.WEEKLY, text, until)
    words = people_words.state_in_words(stands, wishes, make.SEND.date() if since else None)

    assert words.endswith(".")
    assert ("Gets" in words or "come again" in words) == (stands.state is State.ACTIVE)
    assert (people_words.remembered(stands) is None) == (stands.refused is None)


def test_a_pause_that_is_over_is_none(database: Database) -> None:
    """The summary speaks of now."""
    with database.writing() as session:
        ada = make.subscriber(session, paused_until=make.SEND)

    with database.reading() as session:
        before, after = (of(session, ada, now=make.SEND + timedelta(hours=hours)) for hours in (-1, 1))
    assert ("until 20 November 2026", "none") == (dict(before.wishes)["Pause"], dict(after.wishes)["Pause"])
    assert ("Editions pause and come again from 20 November 2026 on.", "Gets every edition.") == (
        before.state_in_words,
        after.state_in_words,
    )


def test_why_they_get_it_is_said_to_the_active_alone(database: Database) -> None:
    """In the words of their own mails."""
    with database.writing() as session:
        cast = make.cast(session)

    with database.reading() as session:
        said = {name: of(session, person).why_they_get_it for name, person in cast.items()}
    assert "you were added on 17 November 2026: you signed up for this test" == said.pop("ada")
    assert {None} == set(said.values())


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(max_size=60))
def test_a_shown_name_is_one_line_that_can_be_seen(name: str) -> None:
    """Whatever a name is made of: no line end, no control, no override of direction, never blank."""
    shown = dossiers.shown_name(name)

    assert shown is None or shown.strip()
    for character in shown or "":
        assert unicodedata.category(character) != "Cc"
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u2060\u200b\u00ad", "\u3164\u3164", "\u2800", None])
def test_a_name_nobody_can_see_is_none(name: str | None) -> None:
    """Zero-width signs and letters that show nothing are no name."""
    assert dossiers.shown_name(name) is None


def test_one_person_s_wishes_in_words() -> None:
    """Topics in order, rhythm, format and pause."""
    wanted = Wishes(frozenset({"Design", "Agents"}), Rhythm.MONTHLY, plain_text=True)

    assert {
        "Topics": "Agents, Design",
        "Rhythm": "the first edition of each month",
        "Format": "plain text only",
        "Pause": "none",
    } == dict(people_words.wishes_in_words(wanted))
    assert "every topic" == dict(people_words.wishes_in_words(replace(wanted, topics=frozenset())))["Topics"]
