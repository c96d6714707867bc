"""Every form of ours posted anything at all, by strangers and by staff: an answer in words, never a 5xx."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from database import Database
from digest.bootstrap import Services
from digest.models import Role
from digest.web.app import create_app
from tests import make
from tests.web.staff_client import sign_in

MULTIPART = "multipart/form-data; boundary=x"
KINDS = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    MULTIPART,
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "application/json",
    "text/plain",
    "nonsense;;;=",
    "",
)
FIELDS = (
    *(
        "basis",
        "choice",
        "confirm",
        "email",
        "file",
        "list",
        "name",
        "next",
        "page",
        "pause",
        "plain_text",
        "q",
        "reason",
    ),
    *(
        "reason",
        "rhythm",
        "scope",
        "state",
        "sure",
        "text",
        "token",
        "topics",
        "undo",
        "what",
        "why",
        "List-Unsubscribe",
    ),
)
WORDS = st.text(max_size=30) | st.sampled_from(
    ["ada@example.com", "yes", "on", "One-Click", "9" * 30, "-1", "\x00", "2026-W47", "monthly", "erase", "everything"]
)
FORMS = st.lists(st.tuples(st.sampled_from(FIELDS) | st.text(max_size=8), WORDS), max_size=8)
SHORT = effort(max_examples=12, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class House:
    """The whole application with people in it, somebody who calls, and what fits into the gaps of an address."""

    client: TestClient
    services: Services
    gaps: Mapping[str, str]
    posts: tuple[str, ...]


def build(folder: Path, template: Path) -> House:
    shutil.copy(template, folder / "digest.db")
    services = make.services(Database(f"sqlite:///{folder / 'digest.db'}"), folder)
    now = datetime.now(UTC)
    with services.database.writing() as session:
        ada = make.subscriber(session)
    make.draft(services)
    last = {
        "/unsubscribe/": services.links.unsubscribe_url(ada.link_id),
        "/preferences/": services.links.preferences_url(ada.link_id),
        "/confirm/": services.links.confirm_url(ada.link_id, now, now),
        "/my-data/": services.links.my_data_url(ada.link_id, now),
        "/change-address/": services.links.change_address_url(ada.link_id, now),
        "/sign-in/": services.links.sign_in_url(ada.link_id, now + timedelta(minutes=15)),
        "/people/": f"/{ada.id}",
        "/sending/": f"/{make.WEEK}",
    }
    app = create_app(services)
    # No form: without a key in the settings it answers 503, whatever comes.
    takes_nothing = {"/webhooks/sendgrid"}
    posts = tuple(path for path, item in app.openapi()["paths"].items() if "post" in item and path not in takes_nothing)
    gaps = {start: url.rpartition("/")[2] for start, url in last.items()}
    return House(TestClient(app, follow_redirects=False, raise_server_exceptions=False), services, gaps, posts)


@pytest.fixture(scope="module", params=["a stranger", "an admin"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path
) -> Iterator[House]:
    """Without limits on how often: they would answer before the form is read."""
    with pytest.MonkeyPatch.context() as unlimited:
        unlimited.setattr("digest.people.limits.take", lambda *_, **__: None)
        found = build(tmp_path_factory.mktemp("fuzzed"), _migrated_sqlite)
        with found.client:
            if request.param == "an admin":
                sign_in(found.client, found.services, Role.ADMIN)
            yield found
        found.services.close()


def fitting(house: House, path: str, anything: str | None) -> str:
    """The address of a route, its gaps filled with what belongs there or with anything."""
    start, gap, rest = path.partition("{")
    if not gap:
        return path
    right = next((value for begins, value in house.gaps.items() if path.startswith(begins)), "1")
    part = right if anything is None else quote(anything.encode("utf-8", "surrogatepass"), safe="")
    return fitting(house, f"{start}{part}{rest.partition('}')[2]}", anything)


def judge(answer: Response, path: str) -> None:
    assert answer.status_code < 500, (path, answer.status_code, answer.text[:200])
    assert "Traceback" not in answer.text, path


def test_there_are_forms(house: House) -> None:
    """The list below is made from the application, and holds the doors that everybody knows."""
    assert {"/subscribe", "/unsubscribe/{token}", "/preferences/{token}", "/confirm/{token}", "/sign-in"} <= set(
        house.posts
    )
    assert not [path for path in house.posts if path.startswith("/api/")]


@SHORT
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(KINDS) | st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    gap=st.none() | st.text(min_size=1, max_size=20),
    accept=st.sampled_from(["text/html", "application/json", "*/*"]),
)
@example(body=b'{"email": "\\ud800@example.com", "token": "\\u0000"}', kind="application/json", gap=None, accept="*/*")
@example(body=b"[" * 50_000, kind="application/json", gap=None, accept="application/json")
@example(body=b"email=%00&email=%ff&%=&&", kind=KINDS[0], gap="\x00", accept="text/html")
@example(body=b'--x\r\nContent-Disposition: form-data; name="email"; filename="\x00"\r\n\r\n\x00\r\n--x--', kind=MULTIPART, gap=None, accept="text/html")  # fmt: skip  # noqa: E501
def test_any_bytes_as_any_type(house: House, body: bytes, kind: str, gap: str | None, accept: str) -> None:
    """Every route that takes a POST, with bytes that are no form, or not the form they say they are."""
    for path in house.posts:
        address = fitting(house, path, gap)
        judge(house.client.post(address, content=body, headers={"content-type": kind, "accept": accept}), path)


@SHORT
@given(fields=FORMS, gap=st.none() | st.text(min_size=1, max_size=20), as_parts=st.booleans())
def test_any_fields(house: House, fields: list[tuple[str, str]], gap: str | None, as_parts: bool) -> None:
    """Well-made forms with fields that are missing, several, of another kind or of another form."""
    for path in house.posts:
        address = fitting(house, path, gap)
        body, kind = parts(fields) if as_parts else (encoded(fields), KINDS[0])
        judge(house.client.post(address, content=body, headers={"content-type": kind}), path)


def encoded(fields: list[tuple[str, str]]) -> bytes:
    return urlencode([(n.encode("utf-8", "replace"), v.encode("utf-8", "replace")) for n, v in fields]).encode()


def parts(fields: list[tuple[str, str]]) -> tuple[bytes, str]:
    made = [
        f'--x\r\nContent-Disposition: form-data; name="{quote(name, errors="replace")}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    return ("".join(made) + "--x--\r\n").encode("utf-8", "replace"), MULTIPART


HEADERS = (
    ("user-agent", "é" * 2_000),
    ("user-agent", "\x80\xff"),
    ("cookie", "digest=\xff\x80; ;;=; digest-next=//elsewhere.example"),
    ("x-forwarded-for", "not, an, address, ::, 999.1.1.1"),
    ("content-length", "9" * 5_000),
    ("content-length", "-1"),
    ("content-encoding", "gzip"),
    ("accept", "application/json;q=\xff"),
    ("origin", "null"),
    ("referer", "http://[::1"),
    ("origin", "http://[::1"),
    ("host", "[::1"),
    ("accept-language", "\xff"),
    ("last-event-id", "x" * 5_000),
)


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_any_headers(house: House, name: str, value: str) -> None:
    """What stands beside the form is a stranger's as well."""
    headers = {"content-type": KINDS[0], name: value.encode("latin-1")}
    for path in house.posts:
        judge(
            house.client.post(fitting(house, path, None), content=iter([b"email=ada%40example.com"]), headers=headers),
            path,
        )


PIECE, PIECES = b"x" * 100_000, 1_000


def test_every_form_has_a_limit(house: House) -> None:
    """A body of 100 MB in pieces that announce nothing: nobody takes it all, and the answer is in words."""
    for path in house.posts:
        # In a thread: a browser driven by an earlier test leaves a loop running in this one.
        with ThreadPoolExecutor(1) as aside:
            taken, status = aside.submit(asyncio.run, pour(house, fitting(house, path, None))).result()

        assert taken < PIECES, f"{path} took it all"
        assert status < 500, path


async def pour(house: House, path: str) -> tuple[int, int]:
    """How many pieces of an endless form were taken before the answer, and its status.

    A test client would hand them over all at once.
    """
    taken, status = 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": PIECE, "more_body": taken < PIECES}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    cookies = "; ".join(f"{name}={value}" for name, value in house.client.cookies.items())
    said = {"content-type": KINDS[0], "host": "testserver", "origin": "http://testserver", "cookie": cookies}
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in said.items()]}
    scope |= {"scheme": "http", "server": ("testserver", 80), "client": ("192.0.2.1", 1), "root_path": ""}
    await house.client.app({**scope, "http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send)
    return taken, status
