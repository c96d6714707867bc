"""Each kind of letter carries its own links, to the right person, and only while it is still owed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Base, Database
from digest import postman
from digest.bootstrap import Services
from digest.models import Letter
from digest.people import erasing
from digest.postman import Posted
from digest.staff import sessions
from subscribers import addresses, consent, roster
from subscribers.letters import LetterKind, LetterOwed
from subscribers.models import AddressChange, State, Subscriber
from tests import make
from tests.digest.test_postman import mails, words
from tests.make import SEEN as NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ADA, BEN, NEW = "ada@example.com", "ben@example.com", "new.ada@example.org"

# Of each kind: who it goes to, and what its links are called in the address.
LINKS: dict[LetterKind, tuple[str, list[str]]] = {
    "confirm": (BEN, ["confirm"]),
    "confirm-again": (BEN, ["confirm"]),
    "welcome": (ADA, ["preferences", "unsubscribe"]),
    "links": (ADA, ["preferences", "unsubscribe"]),
    "my-data": (ADA, ["my-data"]),
    "change-address": (NEW, ["change-address"]),
    "address-changed": (ADA, []),
}


def find(session: Session, address: str) -> Subscriber:
    person = roster.find(session, address)
    assert person is not None
    return person


def owe(services: Services, kind: LetterKind) -> None:
    """One letter of this kind: to Ada, who is active and wishes to move, or to Ben, who is pending."""
    address, _ = LINKS[kind]
    with services.database.writing() as session:
        make.cast(session)
        ada = find(session, ADA)
        consent.ask_to_change_address(session, ada, addresses.parse(NEW), now=NOW, source="my data")
        person = find(session, BEN) if address == BEN else ada
        context = {"asked_at": NOW.isoformat(), "asked_through": "the sign-up form"}
        postman.queue(session, LetterOwed(kind, address, person.id, context), now=NOW)


def links_in(services: Services, text: str) -> dict[str, str]:
    """The tokens in a letter by the first part of their path; the bare address of the site is no link of ours."""
    found = re.findall(rf"{re.escape(services.settings.digest_site_url)}/([a-z-]+)/([\w-]+)", text)
    return dict(found)


@pytest.mark.parametrize("kind", LINKS)
def test_a_letter_carries_its_own_links_and_no_others(kind: LetterKind, services: Services, tmp_path: Path) -> None:
    """In both parts, each read by its own door alone; no other token of any kind, and nothing left unfilled."""
    owe(services, kind)
    assert postman.post_due(services, now=NOW + MINUTE) == Posted(accepted=1)
    (mail,) = mails(tmp_path)
    address, expected = LINKS[kind]

    assert mail["To"] == address
    assert mail["Auto-Submitted"] == "auto-generated"
    assert services.settings.digest_newsletter_name in mail["Subject"]
    for part in ("plain", "html"):
        assert sorted(links_in(services, words(mail, part))) == expected
        assert "{{" not in words(mail, part)
    assert links_in(services, words(mail, "plain")) == links_in(services, words(mail, "html"))


def test_the_links_name_the_right_person(services: Services, tmp_path: Path) -> None:
    """What each door reads from its token is that person, that request, or that change."""
    readers: dict[LetterKind, Callable[[str], object]] = {
        "confirm-again": lambda token: getattr(services.links.read_confirm(token), "link_id", None),
        "links": services.links.read_unsubscribe,
        "my-data": lambda token: services.links.read_my_data(token, NOW + HOUR),
        "change-address": lambda token: services.links.read_change_address(token, NOW + HOUR),
    }
    owe(services, "confirm-again")
    with services.database.writing() as session:
        ada, ben = find(session, ADA), find(session, BEN)
        change = session.scalars(sa.select(AddressChange)).one()
        for kind, person, to in (("links", ada, ADA), ("my-data", ada, ADA), ("change-address", ada, NEW)):
            context = {"asked_at": NOW.isoformat(), "asked_through": "x"}
            postman.queue(session, LetterOwed(kind, to, person.id, context), now=NOW)  # type: ignore[arg-type]
    postman.post_due(services, now=NOW + MINUTE)
    named = {
        "confirm-again": ben.link_id,
        "links": ada.link_id,
        "my-data": ada.link_id,
        "change-address": change.link_id,
    }

    for (kind, reads), mail in zip(readers.items(), mails(tmp_path), strict=True):
        token = links_in(services, words(mail, "plain"))[LINKS[kind][1][-1]]
        assert reads(token) == named[kind]


# — no longer owed —


def becomes(state: State) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        for address in (ADA, BEN):
            find(session, address).state = state

    return change


def moves(session: Session) -> None:
    """Ada and Ben are at other addresses now; the letters are still to the old ones."""
    for address in (ADA, BEN):
        person = find(session, address)
        person.email = person.email_key = f"moved.{address}"


def is_erased(session: Session) -> None:
    for address in (ADA, BEN):
        erasing.erase(session, find(session, address), now=NOW, by="staff 3")


def wishes_something_else(session: Session) -> None:
    """A later wish to move to yet another address."""
    consent.ask_to_change_address(session, find(session, ADA), addresses.parse(BEN), now=NOW, source="my data")


OWED_WHILE: dict[LetterKind, set[State]] = {
    "confirm": {State.PENDING},
    "confirm-again": {State.PENDING},
    "welcome": {State.ACTIVE},
    "links": {State.ACTIVE},
    "my-data": set(State),
    "change-address": {State.ACTIVE},
    "address-changed": set(State),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", LINKS)
def test_a_letter_is_posted_only_in_the_states_it_is_for(
    kind: LetterKind, state: State, sqlite: Database, tmp_path: Path
) -> None:
    """Who confirmed, left or was suppressed meanwhile gets no link for who they no longer are."""
    services = make.services(sqlite, tmp_path)
    owe(services, kind)
    with services.database.writing() as session:
        becomes(state)(session)
    expected = Posted(accepted=1) if state in OWED_WHILE[kind] else Posted(given_up=1)

    assert postman.post_due(services, now=NOW + MINUTE) == expected


@pytest.mark.parametrize("meanwhile", [moves, is_erased, wishes_something_else])
@pytest.mark.parametrize("kind", LINKS)
def test_no_power_goes_to_an_address_that_is_no_longer_theirs(
    kind: LetterKind, meanwhile: Callable[[Session], None], sqlite: Database, tmp_path: Path
) -> None:
    """Moved: no letter with a link goes to the old address. Erased: none at all. Another wish: the old one is void."""
    services = make.services(sqlite, tmp_path)
    owe(services, kind)
    with services.database.writing() as session:
        meanwhile(session)
    still_owed = {
        "moves": kind in ("change-address", "address-changed"),
        "is_erased": False,
        "wishes_something_else": kind != "change-address",
    }[meanwhile.__name__]
    posted = postman.post_due(services, now=NOW + MINUTE)

    assert posted.accepted == still_owed
    assert len(mails(tmp_path)) == still_owed


def test_a_change_done_already_needs_no_letter(services: Services) -> None:
    """The wish is fulfilled or withdrawn: its letter has nothing to confirm."""
    owe(services, "change-address")
    with services.database.writing() as session:
        change = session.scalars(sa.select(AddressChange)).one()
        assert consent.change_address(session, change, now=NOW, source="link").changed

    assert postman.post_due(services, now=NOW + MINUTE) == Posted(given_up=1)


# — secrets —


@pytest.mark.parametrize("kind", LINKS)
def test_no_token_of_any_letter_lies_in_the_database(kind: LetterKind, sqlite: Database, tmp_path: Path) -> None:
    """Links are made when the letter is posted: whoever reads the database can press no button for anybody."""
    services = make.services(sqlite, tmp_path)
    owe(services, kind)
    postman.post_due(services, now=NOW + MINUTE)
    tokens = links_in(services, words(mails(tmp_path)[0], "plain")).values()
    with services.database.reading() as session:
        stored = [repr(row) for table in Base.metadata.sorted_tables for row in session.execute(sa.select(table))]

    assert stored
    assert not [row for row in stored for token in tokens if token in row or token[-32:] in row]


# — the way in for staff —


def test_the_way_in_opens_the_door_once_posted(services: Services, tmp_path: Path) -> None:
    """To that member of staff alone, with a link that our own door reads."""
    with services.database.writing() as session:
        make.staff(session, "edda@example.com")
        make.staff(session, "otto@example.com")
        sessions.offer_sign_in(session, addresses.parse("EDDA@example.com"), now=NOW)
    assert postman.post_due(services, now=NOW + SECOND) == Posted(accepted=1)
    (mail,) = mails(tmp_path)
    token = links_in(services, words(mail, "plain"))["sign-in"]
    with services.database.reading() as session:
        context = session.scalars(sa.select(Letter)).one().context

    assert mail["To"] == "edda@example.com"
    assert token == links_in(services, words(mail, "html"))["sign-in"]
    assert services.links.read_sign_in(token, NOW + MINUTE) == context["link_id"]
    assert services.links.read_sign_in(token, NOW + HOUR) is None
    assert token not in repr(context)


def test_a_way_in_that_has_expired_is_not_posted(services: Services, tmp_path: Path) -> None:
    """Held up for a quarter of an hour: the link would open nothing."""
    with services.database.writing() as session:
        make.staff(session, "edda@example.com")
        sessions.offer_sign_in(session, addresses.parse("edda@example.com"), now=NOW)

    assert postman.post_due(services, now=NOW + 15 * MINUTE) == Posted(given_up=1)
    assert mails(tmp_path) == []


def test_every_kind_is_tried() -> None:
    """A kind that consent can owe has a template, and is tried above."""
    folder = Path(__file__).parents[2] / "templates" / "email"

    assert set(LINKS) == set(get_args(LetterKind))
    assert all((folder / kind / "body.txt").exists() for kind in LINKS)
