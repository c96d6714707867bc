"""What `digest edition status` says besides the numbers, and how a terminal shows all of it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from digest import editions, pauses, sending, standings, watching
from digest.bootstrap import Services
from digest.models import Batch, Delivery, Edition
from digest.standings import Standing
from tests import make, running
from tests.conftest import Program
from tests.make_outcomes import handed_over, stamp

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def standing(services: Services) -> Standing:
    with services.database.reading() as session:
        return standings.standing(session, editions.find(session, make.WEEK), now=now())


def prepared(services: Services, *, readers: int) -> None:
    make.approved(services, readers=readers)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=now(), wave_until=None))
        session.execute(sa.update(Batch).values(wave=1))


def test_an_edition_in_one_wave_has_no_first(scripted: Services) -> None:
    """Nothing to wait for, nothing paused, nothing reported."""
    prepared(scripted, readers=30)
    found = standing(scripted)

    assert (found.wave, found.waits, found.paused) == (None, None, [])
    assert (found.breaker.halted, found.breaker.complaints.of, found.breaker.complaints.says) == (False, 0, "nothing")


def test_the_first_wave_goes_out_is_waited_for_and_is_over(scripted: Services) -> None:
    """Its size in deliveries, and until when the rest waits."""
    prepared(scripted, readers=50)
    with scripted.database.writing() as session:
        second = sorted(session.scalars(sa.select(Batch.id)))[2:]
        session.execute(sa.update(Batch).where(Batch.id.in_(second)).values(wave=2))
    going = standing(scripted).wave
    handed_over(scripted, batches=2)
    with scripted.database.writing() as session:
        session.execute(sa.update(Edition).values(wave_until=now() + HOUR))
    waited_for = standing(scripted).wave
    with scripted.database.writing() as session:
        session.execute(sa.update(Edition).values(wave_until=now() - HOUR))
    over = standing(scripted).wave

    assert [each and (each.size, each.state) for each in (going, waited_for, over)] == [
        (20, "going out"),
        (20, "being waited for"),
        (20, "over"),
    ]


def test_what_it_waits_for_is_said(scripted: Services) -> None:
    """Not due yet; paused by the kill switch; halted: why, and until when where that is known."""
    make.approved(scripted, readers=30)
    with scripted.database.writing() as session:
        session.execute(sa.update(Edition).values(send_at=now() + HOUR))
    not_due = standing(scripted).waits
    with scripted.database.writing() as session:
        session.execute(sa.update(Edition).values(send_at=make.SEND))
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    with scripted.database.writing() as session:
        pauses.kill(session, because="wrong links", by="otto@example.com", now=now())
    paused = standing(scripted)
    with scripted.database.writing() as session:
        pauses.lift(session)
        editions.hold(session, editions.find(session, make.WEEK), why="lunch", by="otto@example.com", now=now())
    halted = standing(scripted)

    assert not_due is not None
    assert (not_due.why, not_due.until is None) == ("it is not due yet", False)
    assert paused.waits is not None
    assert (paused.waits.why, paused.waits.until) == ("wrong links", None)
    assert [(each.kind, each.by) for each in paused.paused] == [("kill switch", "otto@example.com")]
    assert (halted.waits and halted.waits.why, halted.paused) == ("lunch", [])


def test_the_breaker_shows_its_counts_and_lines(scripted: Services) -> None:
    """Of all deliveries; after a named person resumed, of those handed over since."""
    prepared(scripted, readers=100)
    ids = handed_over(scripted, batches=3)
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[:20])
    stamp(scripted, "delivered_at", deliveries=ids[20:])
    before = standing(scripted).breaker
    watching.look(scripted, now())
    halted = standing(scripted).breaker
    with scripted.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        editions.resume(session, edition, why="an old list", by="otto@example.com", now=now())
    fresh = handed_over(scripted)
    stamp(scripted, "delivered_at", deliveries=fresh)
    after = standing(scripted).breaker

    assert (before.hard_bounces.counted, before.hard_bounces.of, before.hard_bounces.says) == (20, 30, "stop")
    assert (before.hard_bounces.alarms_at, before.hard_bounces.stops_at) == (5, 9)
    assert (before.halted, halted.halted, after.halted) == (False, True, False)
    assert (after.since is None, after.hard_bounces.counted, after.hard_bounces.of) == (False, 0, 10)


def test_status_names_each_number_with_its_denominator(program: Program) -> None:
    """For people in lines, for programs in one document; a gap is said in capitals, with exit code 1."""
    with closing(running.to_the_outbox(program, DIGEST_BATCH_SIZE="10")) as services:
        prepared(services, readers=30)
        ids = handed_over(services, batches=2)
        stamp(services, "delivered_at", deliveries=ids[:16])
        stamp(services, "complained_at", deliveries=ids[:1])
        stamp(services, "bounced_at", "hard_bounced_at", deliveries=ids[16:18])
        shown = program("edition", "status", make.WEEK)
        told = json.loads(program("edition", "status", make.WEEK, "--json").stdout)
        with services.database.writing() as session:
            session.execute(sa.update(Delivery).where(Delivery.id == ids[0]).values(withheld_because="left"))
        gap = program("edition", "status", make.WEEK)

    assert shown.returncode == 0
    for line in (
        "deliveries 30 = waiting 10 + in flight 0 + accepted 20 + withheld 0 + refused 0 + uncertain 0",
        "accepted 20 = dropped 0 + bounced 2 + delivered 16 + unreported 2",
        "  complained 1 of 16 delivered (6.25 %)",
        "  hard bounced 2 of 18 reported (11.11 %)",
        "breaker: 1 complaint in 16 that arrived (6.25 %): 3 would be an alarm, 7 a stop",
        "batches: 2 accepted, 1 pending",
    ):
        assert line in shown.stdout.splitlines()
    assert (told["hard_bounced"], told["adds_up"], told["wave"], told["waits"], told["paused"]) == (
        2,
        True,
        None,
        None,
        [],
    )
    assert told["breaker"]["hard_bounces"] == {
        "counted": 2,
        "of": 18,
        "alarms_at": 4,
        "stops_at": 8,
        "says": "nothing",
        "why": "2 hard bounces in 18 reported (11.11 %): 4 would be an alarm",
    }
    assert gap.returncode == 1
    assert "DOES NOT ADD UP: 1 delivery that is not accepted is reported by the provider all the same" in gap.stdout


def test_resume_and_hold_take_a_name(program: Program) -> None:
    """Kept in the edition's log as given; what the breaker halted is not resumed without one."""
    with closing(running.to_the_outbox(program, DIGEST_BATCH_SIZE="10")) as services:
        prepared(services, readers=30)
        ids = handed_over(services, batches=2)
        stamp(services, "bounced_at", "hard_bounced_at", deliveries=ids)
        watching.look(services, now())
        nameless = program("edition", "resume", make.WEEK, "--why", "I looked")
        named = program("edition", "resume", make.WEEK, "--why", "I looked", "--by", "otto@example.com")
        program("edition", "hold", make.WEEK, "--why", "lunch", "--by", "edda@example.com")
        with services.database.reading() as session:
            log = [(line.by, line.what) for line in editions.log_of(session, editions.find(session, make.WEEK))]

    assert (nameless.returncode, named.returncode) == (1, 0)
    assert nameless.stderr == (
        f"The breaker halted {make.WEEK}, so a person must answer for going on: "
        f"digest edition resume {make.WEEK} --by EMAIL --why TEXT\n"
    )
    assert log[-2:] == [("otto@example.com", "halted → sending"), ("edda@example.com", "sending → halted")]
