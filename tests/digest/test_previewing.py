"""Preview = test mail = approval = what the provider received, for every variant; and who gets which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import approving, drafting, editions, previewing, sending, wording
from digest.bootstrap import Services
from digest.models import Delivery, Edition, EditionState, RenderingRow, Role
from digest.personal import Person, substitutions
from digest.personal import fill as filled
from digest.personas import PERSONAS, SAMPLE
from digest.previewing import NoSuchVariant, NotASubscriber, Preview, Share
from digest.proofs import frozen_rendering
from digest.sendgrid_send import SendGrid
from digest.submitting import Submitter
from digest.variants import EntryCopy, variant_key
from digest.web.app import create_app
from digest.weeks import Week
from subscribers.models import Rhythm, Subscriber
from tests import make
from tests.sendgrid_stub import KEY, Stub, running_stub
from tests.web.staff_client import NAMES, sign_in

NOW = make.CUTOFF + timedelta(minutes=30)
READERS: dict[str, dict[str, Any]] = {
    "ada": {},
    "tom": {"plain_text": True},
    "ida": {"topics": "Gaming"},
    "tia": {"topics": "Gaming", "plain_text": True},
    "kit": {"topics": "Knitting"},
}


@pytest.fixture
def desk(services: Services) -> Services:
    """A draft with an entry on gaming and one on health, and readers whose wishes differ."""
    with services.database.writing() as session:
        make.taken_in(
            session,
            *(
                make.comparison(make.tool(f"{topic} A", category=topic), make.tool(f"{topic} B", category=topic))
                for topic in ("Gaming", "Health")
            ),
            now=make.CUTOFF - timedelta(days=1),
        )
        drafting.draft(session, Week.parse(make.WEEK), services.settings, by="test", now=make.CUTOFF)
        for name, wishes in READERS.items():
            make.subscriber(session, f"{name}@example.com", name=name.title(), **wishes)
    return services


def edition(session: sa.orm.Session) -> Edition:
    return editions.find(session, make.WEEK)


def shown(desk: Services, variant: str = "all") -> Preview:
    with desk.database.reading() as session:
        reader = previewing.made_up(SAMPLE, now=NOW)
        return previewing.preview(session, edition(session), desk, variant=variant, reader=reader)


def shares(desk: Services) -> list[Share]:
    with desk.database.reading() as session:
        return previewing.shares(session, edition(session), desk)


def variant_for(desk: Services, name: str) -> str:
    with desk.database.reading() as session:
        person = previewing.find(session, f"{name}@example.com")
        return previewing.variant_for(session, edition(session), desk, person)


def approve(desk: Services) -> None:
    approving.approve(desk, make.WEEK, by="edda@example.com", send_at=make.SEND, seen_hash=None, now=make.APPROVED)


# --- the proof ------------------------------------------------------------------------------------------------------


@contextmanager
def through_sendgrid(desk: Services) -> Iterator[tuple[Services, Stub]]:
    with running_stub(whole_bodies=64) as stub:
        program = replace(desk, transport=SendGrid(KEY, host=stub.url, connect=2, send=2, read=5))
        yield program, stub
        program.transport.close()


def test_what_is_shown_is_what_arrives(desk: Services, tmp_path: Path) -> None:
    """On screen, as files, as a test mail, frozen, and at the provider: the same bytes, in every variant."""
    with through_sendgrid(desk) as (program, stub), TestClient(create_app(program)) as client:
        sign_in(client, program, Role.EDITOR)
        keys = [share.key for share in shares(program)]
        assert len(keys) == 5
        on_screen = {key: client.get(f"/desk/{make.WEEK}/mail", params={"variant": key}) for key in keys}
        hashes = {key: answer.headers["X-Rendering-SHA256"] for key, answer in on_screen.items()}
        for key in keys:
            files = written(program, tmp_path / key, key)
            sample = shown_now(program, key)
            assert (files["email.txt"], files.get("email.html")) == (sample.text, sample.html)
            assert files["subject.txt"] == f"{sample.subject}\n"
            assert on_screen[key].text == sample.html or sample.html is None
            assert hashes[key] == sample.rendering.sha256
            test = as_a_test_mail(program, stub, key)
            assert test == {"subject": f"[TEST] {sample.subject}", "html": sample.html, "text": sample.text}

        approve(program)
        with program.database.reading() as session:
            rows = session.scalars(sa.select(RenderingRow)).all()
            frozen = {row.variant: frozen_rendering(edition(session), row) for row in rows}
        assert hashes == {key: each.sha256 for key, each in frozen.items()}

        sending.prepare(program, make.WEEK, by="the clock", now=make.SEND)
        Submitter(program, clock=lambda: make.SEND + timedelta(seconds=1)).run()
        arrived = {name: stub.mail(f"{name}@example.com") for name in READERS}
        for name, mail in arrived.items():
            key = variant_for(program, name)
            fields = fields_of(program, name)
            assert mail is not None
            assert mail["subject"] == filled(frozen[key].subject, fields)
            assert mail["text"] == filled(frozen[key].text, fields)
            assert mail.get("html") == (filled(html, fields) if (html := frozen[key].html) else None)
        assert {variant_for(program, name) for name in READERS} == set(keys)


def written(program: Services, out: Path, key: str) -> dict[str, str]:
    with program.database.reading() as session:
        paths = previewing.write(
            session, edition(session), program, out=out, email=None, variant=key, now=datetime.now(UTC)
        )
    return {path.name: path.read_bytes().decode() for path in paths}


def shown_now(program: Services, key: str) -> Preview:
    with program.database.reading() as session:
        reader = previewing.made_up(SAMPLE, now=datetime.now(UTC))
        return previewing.preview(session, edition(session), program, variant=key, reader=reader)


def as_a_test_mail(program: Services, stub: Stub, key: str) -> dict[str, str | None]:
    to = NAMES[Role.EDITOR]
    with program.database.reading() as session:
        previewing.send_test(session, edition(session), program, to=[to], now=datetime.now(UTC), variant=key)
    mail = stub.mail(to)
    assert mail is not None
    return {part: mail.get(part) for part in ("subject", "html", "text")}


def fields_of(program: Services, name: str) -> dict[str, str]:
    """What is this reader's own, from what is known of them."""
    with program.database.reading() as session:
        person = previewing.find(session, f"{name}@example.com")
    why = wording.why_you_get_this(person.confirmed_at, person.basis, zone=program.settings.digest_timezone)
    links = program.links
    return substitutions(
        make.WEEK,
        Person(person.name, why, links.unsubscribe_url(person.link_id), links.preferences_url(person.link_id)),
    )


# --- one variant ----------------------------------------------------------------------------------------------------


def test_an_approved_edition_shows_what_was_frozen(desk: Services) -> None:
    """Whatever became of its entries since, the bytes are those of the approval."""
    before = shown(desk)
    approve(desk)
    with desk.database.writing() as session:
        edition(session).subject = "Changed behind the approval's back"

    assert shown(desk).rendering == before.rendering


def test_a_new_wish_after_the_approval_gets_an_approved_variant(desk: Services) -> None:
    """A subscriber whose own variant was not frozen is shown everything, as they will get it."""
    approve(desk)
    with desk.database.writing() as session:
        make.subscriber(session, "new@example.com", topics="Health")

    assert variant_for(desk, "new") == "all"
    with pytest.raises(NoSuchVariant):
        shown(desk, variant_key(entries(desk), frozenset({"Health"}), text_only=False))


def entries(desk: Services) -> tuple[EntryCopy, ...]:
    with desk.database.reading() as session:
        return editions.copy_of(session, edition(session), desk.settings.digest_timezone).entries


@pytest.mark.parametrize("key", ["", "none", "t-00000000", "t-00000000-text", "all-text-text", "\x00", "x" * 5_000])
@pytest.mark.parametrize("is_approved", [False, True])
def test_there_is_no_such_variant(desk: Services, key: str, is_approved: bool) -> None:
    if is_approved:
        approve(desk)

    with pytest.raises(NoSuchVariant, match="it has all"):
        shown(desk, key)


def test_a_made_up_reader_is_filled_in_by_the_same_rules(desk: Services) -> None:
    """No name, too long a name, one from right to left, one full of markup: nothing breaks out."""
    with desk.database.reading() as session:
        found = {
            key: previewing.preview(
                session, edition(session), desk, variant="all", reader=previewing.made_up(persona, now=NOW)
            )
            for key, persona in PERSONAS.items()
        }

    assert "You get this because" in " ".join(found["nameless"].text.split())
    assert "Hello Johannes Chrysostomus" in " ".join(found["long-name"].text.split())
    assert "Getreidegasse" not in found["long-name"].text
    assert "<bdi>&#1500;" in (found["right-to-left"].html or "")
    assert "<script" not in (found["markup"].html or "")
    assert "you asked for the monthly letter" in " ".join(found["monthly"].text.split())


# --- who gets which -------------------------------------------------------------------------------------------------


def test_every_variant_with_its_readers(desk: Services) -> None:
    """How many get each, which entries stand in full there, and whose topics those are."""
    (gaming,) = (entry.position for entry in entries(desk) if entry.categories == ("Gaming",))
    found = [(each.topics, each.is_text_only, each.in_full, each.people) for each in shares(desk)]

    assert found[:2] == [(None, False, (1, 2), 1), (None, True, (1, 2), 1)]
    assert sorted(found[2:], key=str) == sorted(
        [(("Gaming",), False, (gaming,), 1), (("Gaming",), True, (gaming,), 1), ((), False, (), 1)], key=str
    )


def test_the_counts_stay_those_of_the_sums(desk: Services) -> None:
    """Before an approval, after it, and once the edition is prepared: the same people in the same variants."""
    before = {each.key: each.people for each in shares(desk)}
    approve(desk)
    approved = {each.key: each.people for each in shares(desk)}
    sending.prepare(desk, make.WEEK, by="the clock", now=make.SEND)
    with desk.database.writing() as session:
        make.subscriber(session, "late@example.com")

    assert before == approved == {each.key: each.people for each in shares(desk)}


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({}, None),
        ({"paused_until": make.SEND + timedelta(days=3)}, "paused until 2026-11-23"),
        ({"rhythm": Rhythm.MONTHLY}, "monthly: had 2026-W46"),
    ],
)
def test_who_would_not_get_it(desk: Services, changes: dict[str, object], because: str | None) -> None:
    """Told for one person as the sums tell it for all."""
    with desk.database.writing() as session:
        ada = previewing.find(session, "ada@example.com")
        for column, value in changes.items():
            setattr(ada, column, value)
        had_last_week(session, ada)

    assert why_not(desk) == because


def had_last_week(session: sa.orm.Session, person: Subscriber) -> None:
    at = make.SEND - timedelta(weeks=1)
    earlier = Edition(
        week="2026-W46",
        state=EditionState.SENT,
        window_start=at,
        window_end=at,
        planned_at=at,
        send_at=at,
        rules={},
        created_at=at,
        begun_at=at,
    )
    session.add(earlier)
    session.flush()
    session.add(Delivery(id=1, edition_id=earlier.id, subscriber_id=person.id, variant="all"))


def why_not(desk: Services, name: str = "ada") -> str | None:
    with desk.database.reading() as session:
        person = previewing.find(session, f"{name}@example.com")
        return previewing.why_not(session, edition(session), desk, person, NOW)


def test_once_it_is_prepared_the_ledger_tells(desk: Services) -> None:
    approve(desk)
    sending.prepare(desk, make.WEEK, by="the clock", now=make.SEND)
    with desk.database.writing() as session:
        make.subscriber(session, "late@example.com")
        previewing.find(session, "ada@example.com").topics = "Gaming"

    assert (why_not(desk), variant_for(desk, "ada")) == (None, "all")
    assert why_not(desk, "late") == "left out when it was prepared"


def test_somebody_unknown_is_said_to_be(desk: Services) -> None:
    with desk.database.reading() as session, pytest.raises(NotASubscriber, match="Nobody with that address"):
        previewing.find(session, "who@example.com")
