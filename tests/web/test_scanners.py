"""Programs follow every link of every mail, often before its reader does: nothing may change by it."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest import postman, sending
from digest.bootstrap import Services
from digest.models import Letter, RequestKind, Role
from digest.people import requests
from digest.transport import Request
from subscribers import addresses, consent, roster
from subscribers.consent import LetterOwed, Proof
from subscribers.letters import LetterKind
from tests import make
from tests.web.scanning import dump, paths_in


def now() -> datetime:
    return datetime.now(UTC)


def links_in(mail: Request, site: str) -> Iterator[str]:
    """The paths of our own links, in either part and in the headers of each copy."""
    paper = mail.outgoing.paper
    fields = [[*each.substitutions.values(), *each.headers.values()] for each in mail.outgoing.recipients]
    yield from paths_in("\n".join([paper.text, paper.html or "", *itertools.chain(*fields)]), site)


@pytest.fixture
def mails(scripted: Services) -> list[Request]:
    """One letter of every kind, one notice with a way in, and an edition, as they were handed over."""
    with scripted.database.writing() as session:
        make.staff(session, "edda@example.com", Role.EDITOR)
        people = make.cast(session)
        ada, ben = people["ada"], people["ben"]
        consent.ask_to_change_address(session, ada, addresses.parse("ada@example.org"), now=now(), source="test")
        context = {"asked_at": now().isoformat(), "asked_through": "test"}
        kinds: list[tuple[LetterKind, Any, str]] = [
            ("confirm", ben, "ben@example.com"),
            ("welcome", ada, "ada@example.com"),
            ("links", ada, "ada@example.com"),
            ("my-data", ada, "ada@example.com"),
            ("change-address", ada, "ada@example.org"),
            ("address-changed", ada, "ada@old.example.com"),
        ]
        postman.queue_all(session, [LetterOwed(kind, email, who.id, context) for kind, who, email in kinds], now=now())
        again = consent.sign_up(session, addresses.parse("fay@example.com"), now=now(), source="test").subscriber
        postman.queue(session, LetterOwed("confirm-again", again.email, again.id, context), now=now())
        sign_in = addresses.parse("edda@example.com")
        requests.ask(session, RequestKind.SIGN_IN, sign_in, now=now(), source="test", proof=Proof())
    while requests.settle_next(scripted, now=now()):
        pass
    make.approved(scripted)
    sending.send_now(scripted, make.WEEK, by="test", clock=now, now=make.SEND, skip_undo=True, stop=threading.Event())
    postman.post_due(scripted, now=now() + timedelta(seconds=1))
    with scripted.database.reading() as session:
        assert 8 == len(set(session.scalars(sa.select(Letter.kind).where(Letter.accepted_at.is_not(None)))))
    taken: list[Request] = scripted.transport.taken  # type: ignore[attr-defined]
    return taken


def test_following_every_link_changes_nothing(client: TestClient, scripted: Services, mails: list[Request]) -> None:
    """GET, HEAD and OPTIONS of every link of every mail: not one row of one table differs afterwards."""
    paths = sorted({path for mail in mails for path in links_in(mail, scripted.settings.digest_site_url)})
    doors = {path.split("/")[1] for path in paths}
    before = dump(scripted)
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "GET"):
            assert client.request(method, path).status_code < 400, (method, path)

    assert {"unsubscribe", "preferences", "confirm", "my-data", "change-address", "sign-in", "archive"} <= doors
    assert before == dump(scripted)


def test_following_the_links_of_our_pages_changes_nothing(
    client: TestClient, scripted: Services, mails: list[Request]
) -> None:
    """A scanner that goes on from page to page, wherever they lead, reads and does nothing else."""
    todo = {path for mail in mails for path in links_in(mail, scripted.settings.digest_site_url)}
    done: set[str] = set()
    before = dump(scripted)
    while todo:
        path = todo.pop()
        done.add(path)
        found = client.get(path)
        if "html" in found.headers.get("content-type", ""):
            todo |= {urlsplit(link).path for link in re.findall(r'href="(/[^"]*)"', found.text)} - done

    assert {"/", "/archive", "/my-data", "/embed", f"/archive/{make.WEEK}"} <= done
    assert before == dump(scripted)


PUBLIC = ("/", "/subscribe", "/subscribe/token", "/embed", "/archive", "/archive/feed.xml", "/my-data", "/sign-in")


@pytest.mark.parametrize("path", PUBLIC)
def test_head_and_options_tell_and_do_nothing(client: TestClient, services: Services, path: str) -> None:
    """HEAD answers as GET does, without the body; OPTIONS names the methods there are."""
    get, head, options = (client.request(method, path) for method in ("GET", "HEAD", "OPTIONS"))

    assert (get.status_code, b"") == (head.status_code, head.content)
    assert get.headers["content-type"] == head.headers["content-type"]
    assert get.headers["content-length"] == head.headers["content-length"]
    assert (204, b"") == (options.status_code, options.content)
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["allow"].split(", "))


def test_what_is_not_there_is_not_there_for_any_method(client: TestClient) -> None:
    """404 for HEAD and OPTIONS too."""
    assert [404, 404] == [client.request(method, "/nothing").status_code for method in ("HEAD", "OPTIONS")]


def test_a_link_pressed_twice_by_hand_still_finds_its_person(
    client: TestClient, scripted: Services, mails: list[Request]
) -> None:
    """The links themselves work: what a scanner saw is still there for the reader."""
    with scripted.database.reading() as session:
        ada = roster.find(session, "ada@example.com")
    assert ada is not None
    paths = {path for mail in mails for path in links_in(mail, scripted.settings.digest_site_url)}
    (data,) = (path for path in paths if path.startswith("/my-data/"))

    assert "ada@example.com" in client.get(data).text
