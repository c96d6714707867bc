"""Sign-in links and sessions: once, for a while, for whoever is on the staff now."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from database import Database
from digest import staff
from digest.bootstrap import Services
from digest.models import AuditLine, Letter, Role, SignInLink, Staff, StaffSession
from digest.staff import sessions
from digest.staff.sessions import IDLE, LONGEST, SEEN_NOTED_EVERY
from subscribers import addresses
from subscribers.links import SIGN_IN_WITHIN

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def otto(database: Database) -> Staff:
    with database.writing() as session:
        return staff.add_staff(session, "Otto@example.com", Role.OPERATOR, now=NOW)


def a_link(database: Database, somebody: Staff, now: datetime = NOW) -> str:
    with database.writing() as session:
        return sessions.sign_in_link(session, somebody, now=now).link_id


def opened(database: Database, link_id: str, now: datetime = NOW) -> str | None:
    with database.writing() as session:
        return sessions.open_with(session, link_id, now=now, user_agent="Firefox/130 " + "x" * 1000)


def signed_in(database: Database, somebody: Staff, now: datetime = NOW) -> str:
    secret = opened(database, a_link(database, somebody, now), now)
    assert secret is not None
    return secret


def is_in(database: Database, secret: str, now: datetime) -> bool:
    with database.reading() as session:
        return sessions.who(session, secret, now=now) is not None


def noted(database: Database) -> list[tuple[str, str, str | None]]:
    with database.reading() as session:
        return [
            (line.by, line.what, line.about) for line in session.scalars(sa.select(AuditLine).order_by(AuditLine.id))
        ]


# — asking —


def test_staff_are_offered_a_link(database: Database, otto: Staff) -> None:
    """However they write their address: one notice, good for fifteen minutes."""
    with database.writing() as session:
        sessions.offer_sign_in(session, addresses.parse("otto@EXAMPLE.com"), now=NOW)
    with database.reading() as session:
        letter = session.scalars(sa.select(Letter)).one()
        link = session.scalars(sa.select(SignInLink)).one()

    assert ("sign-in", "Otto@example.com", None) == (letter.kind, letter.email, letter.subscriber_id)
    assert letter.context == {
        "link_id": link.link_id,
        "expires_at": (NOW + SIGN_IN_WITHIN).isoformat(),
        "asked_at": NOW.isoformat(),
    }


def test_strangers_and_former_staff_are_offered_nothing(database: Database, otto: Staff) -> None:
    """No letter, no link."""
    with database.writing() as session:
        staff.remove_staff(session, "otto@example.com", now=NOW)
        for email in ("otto@example.com", "ada@example.com"):
            sessions.offer_sign_in(session, addresses.parse(email), now=NOW)

        assert [] == session.scalars(sa.select(Letter)).all()
        assert [] == session.scalars(sa.select(SignInLink)).all()


def test_an_address_of_the_link_can_be_read_back(services: Services) -> None:
    """What `sign_in_url` makes, the seal vouches for: this link and no other."""
    with services.database.writing() as session:
        somebody = staff.add_staff(session, "otto@example.com", Role.OPERATOR, now=NOW)
        url = sessions.sign_in_url(session, services.links, somebody, NOW)
        link = session.scalars(sa.select(SignInLink)).one()
    token = url.rpartition("/")[2]

    assert url.startswith("http://127.0.0.1:8000/sign-in/")
    assert link.link_id == services.links.read_sign_in(token, NOW)
    assert services.links.read_sign_in(token, NOW + SIGN_IN_WITHIN) is None
    assert ("command line", "sign-in link made", "staff 1") == noted(services.database)[-1]


# — coming in —


def test_a_link_opens_one_session(database: Database, otto: Staff) -> None:
    """The second press opens nothing; of the secret the table has only a hash."""
    link_id = a_link(database, otto)
    secret = opened(database, link_id)

    assert secret is not None
    assert len(secret) == 43
    assert opened(database, link_id) is None
    with database.reading() as session:
        row = session.scalars(sa.select(StaffSession)).one()
        found = sessions.who(session, secret, now=NOW)
    assert secret not in (row.token_hash, row.user_agent)
    assert row.user_agent is not None
    assert len(row.user_agent) == 400
    assert found is not None
    assert (otto.id, "Otto@example.com", Role.OPERATOR) == (found.staff_id, found.email, found.role)
    assert ("staff 1", "signed in", "session 1") == noted(database)[-1]


def test_two_presses_at_once_open_one_session(database: Database, otto: Staff) -> None:
    """Whoever marks the link as used is in, and nobody else."""
    link_id = a_link(database, otto)
    secrets: list[str | None] = []
    together = threading.Barrier(4)

    def press() -> None:
        together.wait(10)
        secrets.append(opened(database, link_id))

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(secret is None for secret in secrets) == [False, True, True, True]


def test_an_old_or_unknown_link_opens_nothing(database: Database, otto: Staff) -> None:
    """To the second: fifteen minutes."""
    link_id = a_link(database, otto)

    assert opened(database, link_id, NOW + SIGN_IN_WITHIN) is None
    assert opened(database, "x" * 22) is None
    assert opened(database, link_id, NOW + SIGN_IN_WITHIN - SECOND) is not None


# — staying —


def test_a_session_ends_when_it_is_not_used(database: Database, otto: Staff) -> None:
    """Twelve hours after it was last used; use within them keeps it open."""
    secret = signed_in(database, otto)

    assert is_in(database, secret, NOW + IDLE - SECOND)
    assert not is_in(database, secret, NOW + IDLE)
    assert sessions.shown(database, secret, now=NOW + IDLE - SECOND) is not None
    assert is_in(database, secret, NOW + IDLE + IDLE - 2 * SECOND)


def test_a_session_ends_after_two_weeks(database: Database, otto: Staff) -> None:
    """However busy it is."""
    secret = signed_in(database, otto)
    moment = NOW
    while moment < NOW + LONGEST:
        assert sessions.shown(database, secret, now=moment) is not None
        moment += IDLE - SECOND

    assert not is_in(database, secret, NOW + LONGEST)


def test_use_is_noted_every_five_minutes(database: Database, otto: Staff) -> None:
    """Reading a page must not cost a write each time."""
    secret = signed_in(database, otto)

    def seen_after(moment: datetime) -> datetime:
        sessions.shown(database, secret, now=moment)
        with database.reading() as session:
            return session.scalars(sa.select(StaffSession.seen_at)).one()

    assert seen_after(NOW + SEEN_NOTED_EVERY - SECOND) == NOW
    assert seen_after(NOW + SEEN_NOTED_EVERY) == NOW + SEEN_NOTED_EVERY


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 100_000, "ü\x00"])
def test_anything_else_is_nobody(database: Database, otto: Staff, cookie: str) -> None:
    """Rubbish in a cookie is no failure."""
    signed_in(database, otto)

    assert not is_in(database, cookie, NOW)


# — what ends it —


def test_a_role_changes_at_once(database: Database, otto: Staff) -> None:
    """The open session has the new one."""
    secret = signed_in(database, otto)
    with database.writing() as session:
        staff.add_staff(session, "otto@example.com", Role.EDITOR, now=NOW)
        found = sessions.who(session, secret, now=NOW)

    assert found is not None
    assert found.role is Role.EDITOR


def test_whoever_is_removed_is_out_at_once(database: Database, otto: Staff) -> None:
    """And neither an old session nor a link under way lets them in when they come back."""
    secret, under_way = signed_in(database, otto), a_link(database, otto)
    with database.writing() as session:
        staff.remove_staff(session, "otto@example.com", now=NOW)
    assert not is_in(database, secret, NOW)
    with database.writing() as session:
        staff.add_staff(session, "otto@example.com", Role.OPERATOR, now=NOW)

    assert not is_in(database, secret, NOW)
    assert opened(database, under_way) is None


def test_a_link_made_while_somebody_was_removed_opens_nothing(database: Database, otto: Staff) -> None:
    """Whoever looks them up a moment before and writes the link a moment after must not let them in."""
    link_id = a_link(database, otto)
    with database.writing() as session:
        session.execute(sa.update(Staff).values(removed_at=NOW))

    assert opened(database, link_id) is None


def test_signing_out_ends_one_session(database: Database, otto: Staff) -> None:
    """The other browser stays; ending it again is harmless and leaves no second line."""
    here, there = signed_in(database, otto), signed_in(database, otto)
    with database.writing() as session:
        assert sessions.revoke(session, 1, now=NOW, by="staff 1")
        assert not sessions.revoke(session, 1, now=NOW, by="staff 1")

    assert not is_in(database, here, NOW)
    assert is_in(database, there, NOW)
    assert 1 == noted(database).count(("staff 1", "signed out", "session 1"))


def test_signing_out_everywhere_ends_all_of_ones_own(database: Database, otto: Staff) -> None:
    """And leaves everybody else's alone."""
    with database.writing() as session:
        edda = staff.add_staff(session, "edda@example.com", Role.EDITOR, now=NOW)
    mine, hers = [signed_in(database, otto) for _ in range(3)], signed_in(database, edda)
    with database.writing() as session:
        assert len(sessions.open_ones(session, otto.id, now=NOW)) == 3
        assert sessions.revoke_all(session, otto.id, now=NOW, by="staff 1") == 3
        assert [] == list(sessions.open_ones(session, otto.id, now=NOW))

    assert not any(is_in(database, secret, NOW) for secret in mine)
    assert is_in(database, hers, NOW)
    assert ("staff 1", "signed out everywhere", "staff 1") == noted(database)[-1]


def test_whoever_changes_the_staff_is_noted(database: Database) -> None:
    """Added, changed, removed: one line each; what changes nothing leaves none."""
    with database.writing() as session:
        staff.add_staff(session, "edda@example.com", Role.EDITOR, now=NOW)
        staff.add_staff(session, "EDDA@example.com", Role.EDITOR, now=NOW)
        staff.add_staff(session, "edda@example.com", Role.ADMIN, now=NOW, by="staff 7")
        staff.remove_staff(session, "edda@example.com", now=NOW)

    assert noted(database) == [
        ("command line", "staff added", "staff 1"),
        ("staff 7", "staff role changed", "staff 1"),
        ("command line", "staff removed", "staff 1"),
    ]
