"""Looking at what is reported of an edition: harm stops it within one look, once, and a person may go on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from database import Database
from digest import breaker, editions, halting, sending, watching
from digest.bootstrap import Services
from digest.models import Delivery, Edition, EditionLog, EditionState, Letter
from digest.submitting import Submitter
from digest.transport import Request
from subscribers.models import Subscriber
from tests import make
from tests.fakes import ScriptedTransport
from tests.make_outcomes import handed_over, stamp

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def being_sent(services: Services, *, readers: int, batches: int) -> list[int]:
    """An edition being sent, its first batches accepted; the ids of their deliveries."""
    with services.database.writing() as session:
        make.staff(session)
    make.approved(services, readers=readers)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=now()))
    return handed_over(services, batches=batches)


def edition(services: Services) -> Edition:
    with services.database.reading() as session:
        return editions.find(session, make.WEEK)


def notices(services: Services) -> list[str]:
    """The kinds of the notices to staff, in order."""
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter.kind).order_by(Letter.id)))


def resume(services: Services, *, by: str = "otto@example.com") -> None:
    with services.database.writing() as session:
        editions.resume(session, editions.find(session, make.WEEK), why="I looked", by=by, now=now())


def at_domain(services: Services, domain: str, deliveries: list[int]) -> None:
    """These readers have their mailbox there."""
    with services.database.writing() as session:
        people = sa.select(Delivery.subscriber_id).where(Delivery.id.in_(deliveries))
        key = sa.func.replace(Subscriber.email_key, "@example.com", f"@{domain}")
        session.execute(
            sa.update(Subscriber).where(Subscriber.id.in_(people)).values(email_key=key),
            execution_options={"synchronize_session": False},
        )


def stop_with_bounces(services: Services, ids: list[int]) -> None:
    """Of 20 reported, 12 hard bounces."""
    stamp(services, "delivered_at", deliveries=ids[:8])
    stamp(services, "bounced_at", "hard_bounced_at", deliveries=ids[8:20])


def test_an_edition_that_bounces_stops_within_one_look(scripted: Services) -> None:
    """While it is handed over, bounces come in: the look halts it, and no further batch begins."""
    transport = scripted.transport
    assert isinstance(transport, ScriptedTransport)
    with scripted.database.writing() as session:
        make.staff(session)
    make.approved(scripted, readers=200)
    sending.prepare(scripted, make.WEEK, by="test", now=make.SEND)
    scripted = make.with_settings(scripted, digest_send_concurrency=1)

    def bounce_after_three(request: Request) -> None:
        if len(transport.calls) == 3:
            gone = [each.delivery for call in transport.taken for each in call.outgoing.recipients]
            stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=gone)
            assert len(watching.look(scripted, now())) == 1

    transport.before_post = bounce_after_three
    Submitter(scripted, clock=now).run()
    Submitter(scripted, clock=now).run()

    assert len(transport.calls) == 4  # the one under way when it stopped is the last
    halted = edition(scripted)
    assert halted.state is EditionState.HALTED
    assert halted.why == "30 hard bounces in 30 reported (100.00 %): a healthy list would not reach 9."
    assert ["halted"] == notices(scripted)


def test_a_healthy_edition_goes_on(scripted: Services) -> None:
    """A complaint and a few bounces are what every list has."""
    ids = being_sent(scripted, readers=300, batches=20)
    stamp(scripted, "delivered_at", deliveries=ids[:195])
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[195:])
    stamp(scripted, "complained_at", deliveries=ids[:1])

    assert [] == watching.look(scripted, now())
    assert edition(scripted).state is EditionState.SENDING
    assert [] == notices(scripted)


def test_complaints_alarm_before_they_stop(scripted: Services) -> None:
    """Staff hear of four complaints in 200 once, however often and at whatever count one looks; seven stop."""
    ids = being_sent(scripted, readers=300, batches=20)
    stamp(scripted, "delivered_at", deliveries=ids)
    stamp(scripted, "complained_at", deliveries=ids[:4])
    said = watching.look(scripted, now())
    stamp(scripted, "complained_at", deliveries=ids[:5])
    again = [watching.look(scripted, now()), watching.look(scripted, now())]

    assert [
        f"{make.WEEK}: 4 complaints in 200 that arrived (2.00 %): a healthy list seldom reaches 4, and 7 would stop it"
    ] == said
    assert [[], []] == again
    assert ["alarm"] == notices(scripted)
    stamp(scripted, "complained_at", deliveries=ids[:7])
    watching.look(scripted, now())
    assert edition(scripted).state is EditionState.HALTED
    assert ["alarm", "halted"] == notices(scripted)


def test_an_alarm_of_one_measure_does_not_silence_the_other(scripted: Services) -> None:
    """Complaints were said; then bounces are said too."""
    ids = being_sent(scripted, readers=300, batches=20)
    stamp(scripted, "delivered_at", deliveries=ids[:190])
    stamp(scripted, "complained_at", deliveries=ids[:4])
    watching.look(scripted, now())
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[190:])
    watching.look(scripted, now())

    assert ["alarm", "alarm"] == notices(scripted)


def test_another_process_says_nothing_twice(scripted: Services, database_url: str, tmp_path: Path) -> None:
    """One that remembers nothing of earlier looks finds in the log that it was said."""
    ids = being_sent(scripted, readers=300, batches=20)
    stamp(scripted, "delivered_at", deliveries=ids)
    stamp(scripted, "complained_at", deliveries=ids[:4])
    watching.look(scripted, now())
    another = make.services(Database(database_url), tmp_path)

    assert [] == watching.look(another, now())
    another.close()
    assert ["alarm"] == notices(scripted)


def test_many_who_look_at_once_halt_it_once(scripted: Services) -> None:
    """Four threads, one halt, one notice."""
    stop_with_bounces(scripted, being_sent(scripted, readers=40, batches=2))
    threads = [threading.Thread(target=watching.look, args=[scripted, now()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["halted"] == notices(scripted)


def test_a_storm_at_one_provider_only_alarms(scripted: Services) -> None:
    """Microsoft sends everything back, 460 others took it: said once, and the edition goes on."""
    ids = being_sent(scripted, readers=600, batches=52)
    at_domain(scripted, "hotmail.com", ids[:40])
    at_domain(scripted, "outlook.de", ids[40:60])
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[:60])
    stamp(scripted, "delivered_at", deliveries=ids[60:])
    (said,) = watching.look(scripted, now())

    assert "But it is only Microsoft, with 60 hard bounces in 60 reported" in said
    assert "0 hard bounces in 460 reported (0.00 %) elsewhere are healthy" in said
    assert edition(scripted).state is EditionState.SENDING
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[60:62])
    assert [] == watching.look(scripted, now() + MINUTE)
    assert ["alarm"] == notices(scripted)
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[62:90])
    watching.look(scripted, now() + 2 * MINUTE)
    assert edition(scripted).state is EditionState.HALTED


def test_the_breaker_is_answered_by_name(scripted: Services) -> None:
    """What it halted nobody resumes namelessly; a hold by a person anybody may."""
    stop_with_bounces(scripted, being_sent(scripted, readers=40, batches=2))
    watching.look(scripted, now())
    with pytest.raises(editions.NeedsAName, match="--by EMAIL"):
        resume(scripted, by=editions.NAMELESS)
    resume(scripted)
    with scripted.database.writing() as session:
        editions.hold(session, editions.find(session, make.WEEK), why="lunch", by="otto@example.com", now=now())
    resume(scripted, by=editions.NAMELESS)

    assert edition(scripted).state is EditionState.SENDING


def test_what_a_person_has_judged_does_not_halt_again(scripted: Services) -> None:
    """Resumed, late bounces of what was handed over before change nothing; those of what follows do."""
    ids = being_sent(scripted, readers=100, batches=4)
    stop_with_bounces(scripted, ids)
    watching.look(scripted, now())
    resume(scripted)
    assert [] == watching.look(scripted, now())
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids)
    assert [] == watching.look(scripted, now())
    assert edition(scripted).state is EditionState.SENDING

    fresh = handed_over(scripted, batches=2)
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=fresh)
    watching.look(scripted, now())
    assert edition(scripted).state is EditionState.HALTED
    assert (edition(scripted).why or "").startswith("20 hard bounces in 20 reported (100.00 %)")
    assert ["halted", "halted"] == notices(scripted)


def test_a_hold_by_a_person_forgets_no_evidence(scripted: Services) -> None:
    """Held and resumed for another reason, what came before still counts."""
    ids = being_sent(scripted, readers=40, batches=2)
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[:5])
    with scripted.database.writing() as session:
        editions.hold(session, editions.find(session, make.WEEK), why="lunch", by="otto@example.com", now=now())
    resume(scripted)
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids[5:10])
    watching.look(scripted, now())

    assert edition(scripted).state is EditionState.HALTED


def test_after_it_is_out_staff_are_told(scripted: Services) -> None:
    """For seven days, and once; then nobody looks any more."""
    ids = being_sent(scripted, readers=20, batches=2)
    with scripted.database.writing() as session:
        sent = editions.find(session, make.WEEK)
        editions.advance(session, sent, EditionState.SENT, by="the sender", now=now(), finished_at=now())
    stop_with_bounces(scripted, ids)
    assert [] == watching.look(scripted, now() + 8 * DAY)
    (said,) = watching.look(scripted, now() + 6 * DAY)

    assert "a healthy list would not reach" in said
    assert [] == watching.look(scripted, now() + 6 * DAY)
    assert (edition(scripted).state, notices(scripted)) == (EditionState.SENT, ["alarm"])


def test_what_it_halted_is_left_to_people(scripted: Services) -> None:
    """More bounces of a halted edition are no news; nor are they once it is stopped for good."""
    ids = being_sent(scripted, readers=40, batches=3)
    stop_with_bounces(scripted, ids)
    watching.look(scripted, now())
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids)
    assert [] == watching.look(scripted, now())
    with scripted.database.writing() as session:
        editions.stop(session, editions.find(session, make.WEEK), why="bad list", by="otto@example.com", now=now())

    assert [] == watching.look(scripted, now() + MINUTE)
    assert ["halted"] == notices(scripted)


def test_a_look_overtaken_by_a_resume_halts_nothing(scripted: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its counting and its halt another process halted and a person resumed: its evidence is judged."""
    stop_with_bounces(scripted, being_sent(scripted, readers=40, batches=2))
    judge_apart = breaker.judge_apart

    def slowly(*arguments: object) -> breaker.Verdict:
        monkeypatch.undo()
        with scripted.database.writing() as session:
            halting.halt(session, edition(scripted).id, why="bounces", by=breaker.NAME, now=now())
        resume(scripted)
        return judge_apart(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(breaker, "judge_apart", slowly)

    assert [] == watching.look(scripted, now())
    assert edition(scripted).state is EditionState.SENDING


def test_a_look_with_nothing_new_reads_no_deliveries(scripted: Services) -> None:
    """The walk through the edition is made once; more deliveries without more complaints need none."""
    ids = being_sent(scripted, readers=300, batches=20)
    stamp(scripted, "delivered_at", deliveries=ids[:100])
    stamp(scripted, "complained_at", deliveries=ids[:4])
    walks: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "JOIN deliveries" in statement:
            walks.append(statement)

    sa.event.listen(scripted.database.engine, "before_cursor_execute", note)
    watching.look(scripted, now())
    assert len(walks) == 1
    stamp(scripted, "delivered_at", deliveries=ids)
    watching.look(scripted, now())
    assert len(walks) == 1
    stamp(scripted, "complained_at", deliveries=ids[:5])
    watching.look(scripted, now())
    assert len(walks) == 2


def test_alarms_stand_in_the_log_with_what_raised_them(scripted: Services) -> None:
    """Who reads the edition's log sees the measure and the line."""
    ids = being_sent(scripted, readers=300, batches=20)
    stamp(scripted, "delivered_at", deliveries=ids)
    stamp(scripted, "complained_at", deliveries=ids[:4])
    watching.look(scripted, now())
    with scripted.database.reading() as session:
        by = session.scalars(sa.select(EditionLog.by).where(EditionLog.what == halting.ALARM)).one()

    assert by == "the breaker: complaints, alarm line"
