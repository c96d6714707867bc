"""Nothing that opens a door, and nobody's address, reaches the log: not from us, from a library, or in a failure."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import pytest
import structlog
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from digest import logs, postman
from digest.bootstrap import Services
from digest.models import Role
from digest.people import requests
from digest.staff import add_staff, tokens
from digest.transport import Refused, Unavailable
from digest.web.app import create_app
from tests.fakes import ScriptedTransport

ADA, NEW, OTTO = "ada.quist@example.com", "ada.new@example.org", "otto@example.com"
THIRD = "ada.third@example.org"
LINK = re.compile(r"/(confirm|unsubscribe|preferences|my-data|change-address|sign-in)/([0-9A-Za-z_-]{40,})")
Form = Literal["console", "json"]


class Ear(logging.Handler):
    """Hears what any library says through the standard library's logging, at any level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # The test's own client says where it goes, as a client does.
        if not record.name.startswith(("httpx", "httpcore")):
            self.heard.append(self.format(record))


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Everything at DEBUG, as somebody sets it who looks for a fault; afterwards all is as it was."""
    root, level, before, found = logging.getLogger(), logging.getLogger().level, structlog.get_config(), Ear()
    handlers = list(root.handlers)
    root.addHandler(found)
    root.setLevel(logging.DEBUG)
    yield found
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


class Life:
    """A subscriber and somebody on the staff, from the first form to the last; keeps every secret they were given."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.transport = cast("ScriptedTransport", services.transport)
        self.client = TestClient(create_app(services), follow_redirects=False, raise_server_exceptions=False)
        self.client.headers["Origin"] = "http://testserver"
        self.secrets = {ADA, NEW, THIRD, OTTO}
        self.statuses: dict[str, int] = {}

    def post(self, path: str, **fields: str) -> None:
        shown = self.services.links.form_token(datetime.now(UTC) - timedelta(seconds=5))
        self.secrets.add(shown)
        self.note(path, self.client.post(path, data={"token": shown, **fields}).status_code)

    def get(self, path: str) -> None:
        self.note(path, self.client.get(path).status_code)

    def note(self, path: str, status: int) -> None:
        self.statuses[path if len(path) < 40 else path[:20]] = status

    def letters(self) -> None:
        """Settle what was asked and post what is owed."""
        now = datetime.now(UTC)
        while requests.settle_next(self.services, now=now):
            pass
        postman.post_due(self.services, now=datetime.now(UTC) + timedelta(seconds=1))

    def link(self, kind: str) -> str:
        """The newest link of a kind that came by mail, as a path."""
        mails = "\n".join(repr(request.outgoing) for request in self.transport.taken)
        for found in LINK.finditer(mails):
            self.secrets.add(found[2])
        return next(f"/{found[1]}/{found[2]}" for found in reversed(list(LINK.finditer(mails))) if found[1] == kind)

    def subscriber(self) -> None:
        self.get("/")
        self.post("/subscribe", email=ADA)
        self.transport.script = [
            Unavailable(f"421 try {ADA} later"),
        ]
        self.letters()
        postman.post_due(self.services, now=datetime.now(UTC) + timedelta(hours=1))
        for _ in range(2):
            self.get(self.link("confirm"))
            self.post(self.link("confirm"))
        self.post("/my-data", email=ADA)
        self.letters()
        mine = self.link("my-data")
        self.get(mine)
        self.post(f"{mine}/export")
        self.post(f"{mine}/change-address", email=NEW)
        self.letters()
        self.post(self.link("change-address"))
        self.letters()
        leave = self.link("unsubscribe")
        self.get(leave)
        self.client.post(leave, content=b"List-Unsubscribe=One-Click")
        self.post(f"{mine}/erase")

    def staff(self) -> None:
        with self.services.database.writing() as session:
            add_staff(session, OTTO, Role.ADMIN, now=datetime.now(UTC))
        self.post("/sign-in", email=OTTO)
        self.letters()
        self.get(self.link("sign-in"))
        self.post(self.link("sign-in"))
        self.secrets |= {value for value in self.client.cookies.values() if len(value) > 20}
        self.get(f"/people?q={ADA}")
        self.post("/people/add", email=ADA, basis=f"{ADA} said so")
        self.get("/staff")
        self.post("/sign-out")

    def program(self) -> None:
        with self.services.database.writing() as session:
            _, text = tokens.make(session, "the site", tokens.SCOPES, now=datetime.now(UTC))
        self.secrets |= {text, "vd_" + "x" * 43}
        for token in (text, "vd_" + "x" * 43):
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": ADA}
            answer = self.client.post("/api/v1/subscribers", json={"email": ADA, "name": "Ada"}, headers=headers)
            self.note(f"api {answer.status_code}", answer.status_code)
        self.letters()

    def misfortune(self) -> None:
        """Letters that fail in every way, and a database that is no longer whole."""
        links = [self.link(kind) for kind in ("confirm", "unsubscribe", "preferences", "my-data", "sign-in")]
        self.post("/subscribe", email=ADA)
        self.transport.script = [Refused(f"550 <{ADA}>: no such user")]
        self.letters()
        self.post("/subscribe", email=THIRD)
        self.transport.script = [cast("Any", RuntimeError(f"could not write to {THIRD}: {links[0]}"))]
        self.letters()
        with self.services.database.engine.begin() as connection:
            for table in ("consent_events", "sign_in_links", "requests", "subscribers"):
                cascade = "" if self.services.database.is_sqlite else " CASCADE"
                connection.exec_driver_sql(f"DROP TABLE {table}{cascade}")
        links[3] += "/export"
        for path in (*links, "/subscribe"):
            self.post(path, email=ADA)
            assert 503 == self.statuses[path if len(path) < 40 else path[:20]]


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_life_leaves_no_trace_in_the_log(
    scripted: Services, ear: Ear, form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sign-up to erasure, staff, a program, failing letters, a failing database; all logged that can be."""
    logs.configure(form)
    life = Life(scripted)
    life.subscriber()
    life.staff()
    life.program()
    life.misfortune()
    written = capsys.readouterr()
    said = written.err + written.out + "\n".join(ear.heard)

    assert {"/subscribe": 503, "/people/add": 303, "/sign-out": 303, "api 202": 202, "api 401": 401}.items() <= (
        life.statuses.items()
    )
    assert len(life.secrets) > 15
    assert "letter put off" in said
    assert "the database failed" in said
    assert "could not write to" in said
    assert [] == [secret for secret in life.secrets if secret in said]


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_broken_form_of_a_stranger_is_not_logged(
    scripted: Services, form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is answered; the parser's own words about it, a line for each, stand nowhere."""
    logs.configure(form)
    headers = {"Content-Type": "multipart/form-data; boundary=y"}
    with TestClient(create_app(scripted), raise_server_exceptions=False) as client:
        assert 400 == client.post("/subscribe", content=b"--x\r\nbroken", headers=headers).status_code
    written = capsys.readouterr()

    assert "boundary" not in written.err + written.out


def test_what_libraries_say_is_masked(ear: Ear, capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback that the web server writes goes out without the address its message quotes."""
    logs.configure("json")
    try:
        raise ValueError(f"cannot do {ADA}")  # noqa: TRY301
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    said = capsys.readouterr().err

    assert "cannot do (address)" in said
    assert ADA not in said


NAMES = st.text(alphabet="abcXYZ019._+-'é", min_size=1, max_size=20).filter(lambda name: not name.startswith("'"))
AROUND = st.sampled_from(["", " ", "<", ">", "'", '"', "(", ")", ",", ";", ":", "=", "\n", ". ", "mailto:", "[", "]"])


@given(before=AROUND, name=NAMES, after=AROUND)
def test_an_address_is_masked_wherever_it_stands(before: str, name: str, after: str) -> None:
    """In quotation marks, brackets, headers or the end of a sentence: nothing of it is left."""
    said = logs.masked(f"a letter to{before} {name}@mail.example.com{after}")

    assert name + "@" not in said
    assert "example" not in said
    assert "(address)" in said


@given(st.text(max_size=300))
def test_masking_again_changes_nothing(text: str) -> None:
    """And it never fails."""
    once = logs.masked(text)

    assert once == logs.masked(once)
