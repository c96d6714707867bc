"""What an editor is told of the audience is what preparing then does."""

from __future__ import annotations

import random
import re
import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from digest import approving, audience_panel, audiences, editions, envelopes, progress, proofs, sending, stats
from digest.audience_panel import Panel
from digest.bootstrap import Services
from digest.models import Edition, RenderingRow
from digest.variants import EntryCopy
from subscribers.models import Rhythm, State, Subscriber
from tests import make

WEEK = timedelta(weeks=1)
TOPICS = ("", "", "Health", "Gaming", "Gaming\nHealth", "Poetry", "Developer Tools\nHealth")


def people(services: Services, chance: random.Random, count: int, first: int) -> None:
    """Anybody there can be: topics, formats, rhythms, pauses to come and over, and who is not active."""
    with services.database.writing() as session:
        for number in range(first, first + count):
            paused = chance.choice((None, None, None, make.SEND + timedelta(days=chance.randint(-9, 30))))
            person = make.subscriber(
                session,
                f"reader{number}@example.com",
                topics=chance.choice(TOPICS),
                plain_text=chance.random() < 0.3,
                rhythm=chance.choice(list(Rhythm)),
                paused_until=paused,
            )
            if chance.random() < 0.1:
                person.state = chance.choice([State.PENDING, State.UNSUBSCRIBED, State.SUPPRESSED])


def change_their_minds(services: Services, chance: random.Random) -> None:
    """Some of those who had the last edition want it monthly by now, and some of these a pause."""
    with services.database.writing() as session:
        for person in session.scalars(sa.select(Subscriber).order_by(Subscriber.id)):
            if chance.random() < 0.4:
                person.rhythm = chance.choice(list(Rhythm))
                person.paused_until = chance.choice((None, make.SEND + timedelta(days=chance.randint(1, 30))))


def draft(services: Services, week: str, later: timedelta) -> None:
    """Entries of different categories, so that topics make variants."""
    with services.database.writing() as session:
        facts = [
            make.comparison(
                make.tool(f"{category} {week} one", category=category),
                make.tool(f"{category} {week} two", category=category),
            )
            for category in ("Health", "Gaming", "Developer Tools")
        ]
        make.taken_in(session, *facts, now=make.CUTOFF + later - timedelta(days=1))
    make.draft(services, entries=1, week=week, now=make.CUTOFF + later)


def before_approval(services: Services, week: str) -> Panel:
    with services.database.reading() as session:
        edition = editions.find(session, week)
        proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
        return panel(services, edition, [each.variant for each in proof.renderings])


def panel(services: Services, edition: Edition, variants: list[str]) -> Panel:
    rules = audiences.rules_in_force(services)
    with services.database.reading() as session:
        return audience_panel.panel(
            session, edition, variants, rules, send_at=edition.send_at, prepared_at=edition.send_at
        )


def send(services: Services, week: str, now: datetime) -> None:
    sending.send_now(services, week, by="t", clock=lambda: now, now=now, skip_undo=True, stop=threading.Event())


@pytest.mark.parametrize("seed", range(4))
def test_the_panel_tells_what_preparing_does(scripted: Services, seed: int) -> None:
    """Two weeks in one month, with anybody in the audience: the same candidates, reasons, variants and first wave."""
    chance = random.Random(seed)
    services = make.with_settings(scripted, digest_first_wave=chance.choice(["auto", 0, 7, 10_000]))
    for number, week in enumerate(("2026-W46", "2026-W47")):
        later = WEEK * (number - 1)
        people(services, chance, 40, 40 * number)
        change_their_minds(services, chance)
        draft(services, week, later)
        told = before_approval(services, week)
        approving.approve(services, week, by="edda", send_at=None, seen_hash=None, now=make.APPROVED + later)
        with services.database.reading() as session:
            edition = editions.find(session, week)
            frozen = list(session.scalars(sa.select(RenderingRow.variant).where(RenderingRow.edition_id == edition.id)))
        assert panel(services, edition, frozen) == told

        now = make.SEND + later
        send(services, week, now)

        with services.database.reading() as session:
            edition = editions.find(session, week)
            numbers, waves = stats.numbers(session, edition), progress.waves(session, edition)
            by_variant = progress.by_variant(session, edition)
        expected = told.expected
        assert (expected.candidates, expected.deliveries) == (numbers.candidates, numbers.deliveries)
        assert expected.left_out == numbers.left_out_by
        assert {each.variant: each.people for each in expected.served if each.people} == by_variant
        assert expected.first_wave == (waves[1].deliveries if len(waves) > 1 else 0)
        assert any(why.startswith("paused") for why in expected.left_out)
    assert any(why == "monthly: had 2026-W46" for why in expected.left_out)
    assert len(by_variant) > 4


def test_against_last_time(services: Services) -> None:
    """The edition prepared last before it, with its candidates and deliveries; none where there was none."""
    with services.database.writing() as session:
        make.audience(session, 300)
        make.subscriber(session, "ada@example.com", paused_until=make.SEND + WEEK)
    make.draft(services, week="2026-W46", now=make.CUTOFF - WEEK)
    assert before_approval(services, "2026-W46").last_time is None
    approving.approve(services, "2026-W46", by="edda", send_at=None, seen_hash=None, now=make.APPROVED - WEEK)
    sending.prepare(services, "2026-W46", by="test", now=make.SEND - WEEK)
    make.draft(services)

    found = before_approval(services, make.WEEK)
    assert found.last_time == audience_panel.LastTime("2026-W46", candidates=301, deliveries=300)
    assert found.moved == []

    with services.database.writing() as session:
        make.audience(session, 61, first=300)
    assert [str(each) for each in before_approval(services, make.WEEK).moved] == [
        "362 candidates, after 301 in 2026-W46",
        "361 deliveries, after 300 in 2026-W46",
    ]


def entry(position: int, *categories: str) -> EntryCopy:
    return EntryCopy.model_construct(position=position, url=None, categories=categories)


@pytest.mark.parametrize(
    ("variant", "topics", "name"),
    [
        ("all", None, "Everything"),
        ("all-text", None, "Everything, as text only"),
        ("t-1", {"Health"}, "Health: entry 1 in full"),
        ("t-1-text", {"Health", "Gaming", "Poetry"}, "Gaming and Health, as text only: entries 1 and 2 in full"),
        ("t-1", {"Poetry"}, "Other topics: one line each"),
        ("t-1", None, "Some topics: nobody wishes them any more"),
    ],
)
def test_a_variant_is_named_by_what_its_readers_get(variant: str, topics: set[str] | None, name: str) -> None:
    """No keys: topics of this edition, and which entries stand in full."""
    entries = [entry(1, "Health"), entry(2, "Gaming"), entry(3, "Developer Tools")]
    chosen = None if topics is None else frozenset(topics)

    assert audience_panel.name_of(entries, variant, chosen) == name


def test_the_definition_is_the_conditions(services: Services) -> None:
    """Who changes a condition sees this fail, and changes `audiences.definition` too: so old approvals are void."""
    make.draft(services, week="2026-W46", now=make.CUTOFF - WEEK)
    with services.database.writing() as session:
        editions.find(session, "2026-W46").begun_at = make.SEND - WEEK
        session.flush()
        edition = Edition(id=99, week=make.WEEK, send_at=make.SEND)
        who = audiences._who(session, edition, ZoneInfo("UTC"), send_at=make.SEND, now=make.SEND)
        conditions = re.sub(r"\s+", " ", " AND ".join(map(str, who.willing)))
    assert conditions == (
        "subscribers.state = :state_1 AND "
        "NOT (subscribers.paused_until IS NOT NULL AND subscribers.paused_until > :paused_until_1) AND "
        "NOT (subscribers.rhythm = :rhythm_1 AND (EXISTS (SELECT * FROM deliveries, subscribers WHERE "
        "deliveries.edition_id IN (__[POSTCOMPILE_edition_id_1]) AND deliveries.subscriber_id = subscribers.id AND "
        "deliveries.withheld_because IS NULL AND deliveries.refused_because IS NULL)))"
    )
    assert audiences.definition(ZoneInfo("Europe/Berlin")) == (
        "Everybody who is active when it is prepared, but not who is paused then, and no monthly reader who was handed "
        "another edition in the calendar month it leaves in (by the clock of Europe/Berlin). Each gets the variant of "
        "their topics and format; where that one was not approved, everything in their format."
    )
