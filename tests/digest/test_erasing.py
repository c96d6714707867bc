"""Erased means gone: from every table, in every spelling, and the numbers still add up."""

from __future__ import annotations

import gzip
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Base, Database
from digest import editions, integrity, postman, sending, stats, tidying
from digest.bootstrap import Services
from digest.models import (
    Delivery,
    EditionState,
    ImportState,
    Letter,
    LetterState,
    ListImport,
    Request,
    RequestKind,
)
from digest.people import erasing, importing, imports, limits, requests
from digest.staff import audit
from subscribers import addresses, consent, policy, roster
from subscribers.consent import Gone, Proof
from subscribers.models import AddressChange, State, Subscriber
from tests import make
from tests.fakes import ScriptedTransport
from tests.make import SEEN as NOW
from tests.make import SEND, WEEK

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PROOF = Proof("Send it to me.", "2026-11", "203.0.113.77", "Quistbrowser 5")


def everything(services: Services) -> str:
    """Every cell of every table, case folded."""
    with services.database.reading() as session:
        cells = [
            gzip.decompress(cell).decode() if isinstance(cell, bytes) and cell.startswith(b"\x1f\x8b") else str(cell)
            for table in Base.metadata.sorted_tables
            for row in session.execute(sa.select(table))
            for cell in row
        ]
    return " ".join(cells).casefold()


def ask(
    services: Services,
    address: str,
    kind: RequestKind = RequestKind.SIGN_UP,
    *,
    at: datetime = NOW,
    settled: bool = True,
) -> None:
    with services.database.writing() as session:
        requests.ask(session, kind, addresses.parse(address), now=at, source="form", proof=PROOF)
    while settled and requests.settle_next(services, now=at):
        pass


def find(session: Session, address: str) -> Subscriber:
    person = roster.find(session, address)
    assert person is not None
    return person


def confirm(services: Services, address: str, *, at: datetime = NOW) -> None:
    with services.database.writing() as session:
        person = find(session, address)
        assert person.pending_since is not None
        url = services.links.confirm_url(person.link_id, person.pending_since, at)
        link = services.links.read_confirm(url.rpartition("/")[2])
        assert link is not None
        outcome = consent.confirm(session, person, link, now=at, source="confirm link", proof=PROOF)
        assert outcome.letter is not None
        postman.queue(session, outcome.letter, now=at)


def erase(services: Services, address: str, *, at: datetime = NOW) -> None:
    with services.database.writing() as session:
        erasing.erase(session, find(session, address), now=at, by="staff 3")


def letters(services: Services) -> list[Letter]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Letter).order_by(Letter.id)))


# — without a trace —

TYPED = "Ada.Quist+news@Bücher.example"
SPELLINGS = ("ada.quist", "bücher", "xn--bcher-kva", "quistbrowser", "203.0.113.77", "quist")


@pytest.mark.parametrize("typed", [TYPED, "ada.quist@example.com", "ADA.QUIST@EXAMPLE.COM"])
def test_nothing_is_left_of_who_was_erased(services: Services, typed: str) -> None:
    """After a full life (asked, confirmed, moved here, mailed, data asked for, wishing to move, asking again in other
    spellings, with a letter under way) no table holds the address, a name, an IP address or the link's id."""
    local, _, domain = typed.rpartition("@")
    ask(services, "old.quist@example.org")
    confirm(services, "old.quist@example.org")
    with services.database.writing() as session:
        person = find(session, "old.quist@example.org")
        person.name = "Ada Quist"
        letter = consent.ask_to_change_address(session, person, addresses.parse(typed), now=NOW, source="my data")
        assert letter is not None
        postman.queue(session, letter, now=NOW)
        change = session.scalars(sa.select(AddressChange)).one()
        outcome = consent.change_address(session, change, now=NOW + MINUTE, source="link", proof=PROOF)
        assert outcome.letter is not None
        postman.queue(session, outcome.letter, now=NOW + MINUTE)
        link_id = person.link_id
    make.approved(services, readers=3)
    sending.send_due(services, clock=lambda: SEND, stop=threading.Event())
    postman.post_due(services, now=NOW + HOUR)
    with services.database.writing() as session:
        person, otto = find(session, typed), find(session, "reader0@example.com")
        consent.ask_to_change_address(session, person, addresses.parse("next.quist@example.com"), now=SEND, source="x")
        # Somebody else typed this address into their own form.
        change_letter = consent.ask_to_change_address(session, otto, addresses.parse(typed), now=SEND, source="x")
        assert change_letter is not None
        postman.queue(session, change_letter, now=SEND)
        limits.take(session, limits.by_address("sign-up", person.email_key), now=SEND)
        letter_of_theirs = sa.select(Letter).where(Letter.subscriber_id == person.id).limit(1)
        session.scalars(letter_of_theirs).one().last_problem = f"550 no such user {typed}"
        session.execute(sa.update(Delivery).where(Delivery.subscriber_id == person.id).values(refused_because=typed))
    ask(services, typed, RequestKind.MY_DATA, at=SEND)
    ask(services, typed, at=SEND, settled=False)
    ask(services, f"{local.swapcase()}@{domain.upper()}", at=SEND, settled=False)
    ask(services, typed, RequestKind.ADD, at=SEND, settled=False)
    for checked in (True, False):
        upload(services, f"email,name,created_at\n{typed},Ada Quist,{typed}\n", checked=checked)
    assert all(word in everything(services) for word in ("quist", "quistbrowser", "203.0.113.77", link_id.casefold()))

    erase(services, typed, at=SEND)

    left = everything(services)
    assert [word for word in (*SPELLINGS, link_id.casefold()) if word in left] == []
    assert postman.post_due(services, now=SEND + HOUR).accepted == 0
    assert requests.settle_next(services, now=SEND + HOUR) is None


def upload(services: Services, text: str, *, checked: bool) -> int:
    with services.database.writing() as session:
        content = imports.compressed(io.BytesIO(text.encode()))
        number = imports.receive(session, content, file_name="list.csv", by="staff 1", now=NOW).id
    if checked:
        importing.work_next(services.database, clock=lambda: NOW)
    return number


def uploads(services: Services) -> dict[int, tuple[ImportState, str | None, bool]]:
    """Of each upload where it is, what is wrong with it, and whether its content is kept."""
    with services.database.reading() as session:
        rows = session.execute(sa.select(ListImport.id, ListImport.state, ListImport.problem, ListImport.content))
        return {row.id: (row.state, row.problem, row.content is not None) for row in rows}


@pytest.mark.parametrize("spelled", [TYPED, "ada.quist+news@xn--bcher-kva.example", "ADA.QUIST+NEWS@BÜCHER.EXAMPLE"])
def test_an_undecided_list_with_somebody_erased_is_dropped(services: Services, spelled: str) -> None:
    """Checked or not yet, in any spelling, anywhere in the file; lists without them, or with a like address, stay."""
    ask(services, TYPED)
    text = f'email,note\nben@example.org,{spelled}\n"{spelled}",x\n'
    theirs = upload(services, text, checked=True)
    others = upload(services, f"email\nben@example.org\nx{spelled}\n{spelled}.example\n", checked=True)
    waiting = upload(services, text, checked=False)

    erase(services, TYPED)

    said = uploads(services)
    assert said[theirs] == (ImportState.CHECKED, imports.SOMEBODY_ERASED, False)
    assert (said[waiting][0], said[waiting][2]) == (ImportState.FAILED, False)
    assert "erased meanwhile" in (said[waiting][1] or "")
    assert said[others] == (ImportState.CHECKED, None, True)
    assert importing.work_next(services.database, clock=lambda: NOW + HOUR) is None
    with services.database.writing() as session, pytest.raises(imports.NothingToDecide):
        imports.bring_in(session, theirs, basis="they said so", write_to_many=False, now=NOW)


def test_a_check_under_way_ends_when_somebody_on_the_list_is_erased(services: Services) -> None:
    """Its worker finds the list gone, and what it had read is written nowhere."""
    ask(services, "ada.quist@example.com")
    number = upload(services, "email\nada.quist@example.com\nnobody\n", checked=False)
    times = iter([NOW, NOW])

    def clock() -> datetime:
        found = next(times, None)
        if found is None and uploads(services)[number][2]:
            erase(services, "ada.quist@example.com")
        return NOW

    said = importing.work_next(services.database, clock=clock)

    assert said == f"import {number} left to somebody else"
    assert (uploads(services)[number][0], uploads(services)[number][2]) == (ImportState.FAILED, False)
    assert "quist" not in everything(services)


def test_the_numbers_still_add_up(services: Services) -> None:
    """Who was mailed and then erased is still counted; their delivery names nobody, and nothing hangs in the air."""
    make.approved(services, readers=5)
    sending.send_due(services, clock=lambda: SEND, stop=threading.Event())
    with services.database.reading() as session:
        before = stats.numbers(session, editions.find(session, WEEK))
    for number in range(3):
        erase(services, f"reader{number}@example.com", at=SEND + DAY)

    with services.database.reading() as session:
        assert stats.numbers(session, editions.find(session, WEEK)) == before
        assert before.accepted == 5
        assert integrity.findings(session) == []
        nameless = session.scalar(sa.select(sa.func.count()).where(Delivery.subscriber_id.is_(None)))
        assert nameless == 3


def test_who_is_erased_inside_a_running_send_gets_nothing(database: Database, tmp_path: Path) -> None:
    """Prepared, not yet handed over: withheld, and said why; the sum holds."""
    transport = ScriptedTransport()
    one_by_one = {"DIGEST_BATCH_SIZE": "5", "DIGEST_SEND_CONCURRENCY": "1"}
    scripted = make.services(database, tmp_path, transport=transport, **one_by_one)
    make.approved(scripted, readers=25)

    def erase_the_last(_: object) -> None:
        transport.before_post = lambda _: None
        erase(scripted, "reader24@example.com", at=SEND)

    transport.before_post = erase_the_last
    sending.send_due(scripted, clock=lambda: SEND, stop=threading.Event())
    with scripted.database.reading() as session:
        found = stats.numbers(session, editions.find(session, WEEK))

    assert found.state == EditionState.SENT
    assert (found.accepted, dict(found.withheld_by)) == (24, {"erased meanwhile": 1})
    assert found.gaps() == []
    mailed = {recipient.email for call in transport.calls for recipient in call.outgoing.recipients}
    assert "reader24@example.com" not in mailed


def test_deliveries_are_found_without_looking_at_all_of_them(services: Services) -> None:
    """Through the index that keeps anybody from getting an edition twice; a table of many millions is never scanned."""
    if not services.database.is_sqlite:
        pytest.skip("a planner that knows that the table is empty may scan it")
    said: list[tuple[str, object]] = []
    with services.database.writing() as session:
        make.subscriber(session)
        sa.event.listen(services.database.engine, "before_cursor_execute", lambda *given: said.append(given[2:4]))
        erasing.erase(session, find(session, "ada@example.com"), now=NOW, by="staff 3")
    update = next(each for each in said if each[0].startswith("UPDATE deliveries"))
    with services.database.engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {update[0]}", update[1]).all())  # type: ignore[arg-type]

    assert "SEARCH deliveries USING" in plan
    assert "SCAN deliveries" not in plan


def test_the_audit_log_says_that_it_was_done(services: Services) -> None:
    """By whom and to which number, in the same transaction, and the chain is whole."""
    with services.database.writing() as session:
        number = make.subscriber(session).id
    erase(services, "ada@example.com")
    with services.database.reading() as session:
        line = audit.lines(session, limit=1)[0]

        assert (line.by, line.what, line.about) == ("staff 3", "subscriber erased", f"subscriber {number}")
        assert audit.verify(session) is None


def test_it_is_all_or_nothing(services: Services) -> None:
    """When the audit line cannot be written, nobody is erased and no letter is emptied."""
    ask(services, "ada@example.com")
    before = everything(services)
    with pytest.raises(ValueError, match="no address"), services.database.writing() as session:
        erasing.erase(session, find(session, "ada@example.com"), now=NOW, by="edda@example.com")

    assert everything(services) == before


def test_nobody_is_erased_twice(services: Services) -> None:
    """Two who press the button at once: one erases, the other hears that it is done."""
    with services.database.writing() as session:
        make.subscriber(session)
    together = threading.Barrier(2)

    def press() -> str:
        with services.database.reading() as session:
            person = find(session, "ada@example.com")
        together.wait()
        try:
            with services.database.writing() as session:
                session.add(person)
                erasing.erase(session, person, now=NOW, by="staff 3")
        except Gone:
            return "gone"
        return "erased"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(future.result() for future in [pool.submit(press) for _ in range(2)]) == ["erased", "gone"]


def test_others_keep_what_is_theirs(services: Services) -> None:
    """Their letters, requests and records are as they were, letter for letter."""
    for name in ("ada", "ben"):
        ask(services, f"{name}@example.com")
    ask(services, "ben@example.com", settled=False)
    erase(services, "ada@example.com")
    mine, others = letters(services)

    assert (mine.email, mine.subscriber_id, mine.context, mine.state) == ("", None, {}, LetterState.GIVEN_UP)
    assert (others.email, others.state, others.last_problem) == ("ben@example.com", LetterState.QUEUED, None)
    assert others.subscriber_id is not None
    with services.database.reading() as session:
        assert session.scalars(sa.select(Request.email)).all() == ["ben@example.com"]


def test_an_accepted_letter_stays_accepted(services: Services) -> None:
    """What was posted was posted; only whom it was for is gone."""
    ask(services, "ada@example.com")
    postman.post_due(services, now=NOW)
    erase(services, "ada@example.com")
    (letter,) = letters(services)

    assert (letter.state, letter.accepted_at, letter.email) == (LetterState.ACCEPTED, NOW, "")


def test_being_erased_earns_nobody_more_letters(services: Services) -> None:
    """The caps count what an address got before it was erased: erase and ask again is no way around them."""
    for hours in range(0, 24 * 6, 12):
        ask(services, "ada@example.com", at=NOW + hours * HOUR)
        postman.post_due(services, now=NOW + hours * HOUR)
        erase(services, "ada@example.com", at=NOW + hours * HOUR + MINUTE)

    assert [letter.state for letter in letters(services)] == [LetterState.ACCEPTED] * 2


# — who never confirmed —


def tidy(services: Services, at: datetime) -> int:
    return tidying.forget_unconfirmed(services, now=at, stopped=lambda: False)


def test_who_never_confirmed_is_forgotten_without_a_trace(services: Services) -> None:
    """After 30 days, not a second before; the letter to them holds nothing of them, and no audit line is written."""
    ask(services, "ada.quist@example.com")
    postman.post_due(services, now=NOW)

    assert tidy(services, NOW + policy.GIVE_UP_AFTER - SECOND) == 0
    assert "quist" in everything(services)
    assert tidy(services, NOW + policy.GIVE_UP_AFTER) == 1
    assert [word for word in SPELLINGS if word in everything(services)] == []
    with services.database.reading() as session:
        assert audit.lines(session) == []


def test_who_asks_again_just_then_is_heard(services: Services) -> None:
    """The old request is forgotten, the new one stands and is settled as one from a stranger."""
    later = NOW + policy.GIVE_UP_AFTER
    ask(services, "ada@example.com")
    ask(services, "ada@example.com", at=later, settled=False)

    assert tidy(services, later) == 1
    assert requests.settle_next(services, now=later) == "settled"
    with services.database.reading() as session:
        person = find(session, "ada@example.com")
        assert (person.state, person.pending_since) == (State.PENDING, later)


def test_many_are_forgotten_in_small_transactions(services: Services) -> None:
    """More than one transaction's worth, by two clocks at once: each once, none left, nobody who said no forgotten."""
    many = 3 * tidying.PEOPLE_AT_ONCE + 1
    with services.database.writing() as session:
        newcomers = [consent.Newcomer(addresses.parse(f"never{n}@example.com")) for n in range(many)]
        consent.add_all(session, newcomers, basis=None, now=NOW, source="import")
        make.cast(session)
        cleo = find(session, "cleo@example.com")
        consent.sign_up(session, addresses.parse("cleo@example.com"), now=NOW, source="form")
        assert cleo.state is State.PENDING
    with ThreadPoolExecutor(2) as pool:
        later = NOW + 2 * policy.GIVE_UP_AFTER
        forgotten = [future.result() for future in [pool.submit(tidy, services, later) for _ in range(2)]]

    assert sum(forgotten) == many + 1  # and Ben
    with services.database.reading() as session:
        left = dict(session.execute(sa.select(Subscriber.email, Subscriber.state)).all())
    assert left == {
        "ada@example.com": State.ACTIVE,
        "cleo@example.com": State.UNSUBSCRIBED,
        "dov@example.com": State.SUPPRESSED,
    }


def test_tidying_ends_when_it_is_told_to(services: Services) -> None:
    """A clock that is asked to stop begins no further transaction."""
    ask(services, "ada@example.com")

    assert tidying.forget_unconfirmed(services, now=NOW + 90 * DAY, stopped=lambda: True) == 0
