"""Who may pass where: every route of the staff, every role; and no request that another site made."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from database import Database
from digest import staff
from digest.bootstrap import Services
from digest.models import AuditLine, Role, Staff, StaffSession
from digest.staff import RIGHTS, Right, add_staff, audit, sessions, tokens
from digest.web import sign_in as sign_in_routes
from digest.web import staff as staff_routes
from digest.web.app import create_app
from digest.web.staff import browser_named
from digest.web.staff_door import is_same_origin
from tests import make
from tests.web.staff_client import NAMES, sign_in

HERE = "http://testserver"
STAFF_PLACES = ("/staff", "/people", "/desk", "/sending", "/sign-out")

# What each role may do, written down a second time on purpose.
MAY = {
    Role.EDITOR: {Right.EDIT, Right.APPROVE},
    Role.OPERATOR: {Right.OPERATE},
    Role.ADMIN: {Right.EDIT, Right.APPROVE, Right.OPERATE, Right.ADMINISTER},
}

# Whom each route of ours is for. A new route of the staff must be written down here.
FOR = {
    ("GET", "/staff"): set(Role),
    ("POST", "/staff/sessions/end"): set(Role),
    ("POST", "/staff/sessions/{number}/end"): set(Role),
    ("POST", "/staff/people"): {Role.ADMIN},
    ("POST", "/staff/people/{number}/role"): {Role.ADMIN},
    ("POST", "/staff/people/{number}/remove"): {Role.ADMIN},
    ("POST", "/staff/tokens/{number}/revoke"): {Role.ADMIN},
    ("GET", "/staff/audit"): {Role.ADMIN},
    ("POST", "/sign-out"): set(Role),
}
FOR_EVERYBODY = {
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/{token}"),
    ("POST", "/sign-in/{token}"),
}


def routes(router: APIRouter) -> set[tuple[str, str]]:
    paths = [route for route in router.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in paths for method in route.methods or ()}


def now() -> datetime:
    return datetime.now(UTC)


def somebody(services: Services, email: str, role: Role = Role.EDITOR) -> Staff:
    with services.database.writing() as session:
        return add_staff(session, email, role, now=now())


@pytest.fixture
def services(sqlite: Database, tmp_path: Path) -> Services:
    """On one database: who may pass does not depend on which."""
    return make.services(sqlite, tmp_path)


# — rights —


def test_roles_have_their_rights() -> None:
    """Editors edit and approve, operators operate, admins do everything."""
    assert {role: set(rights) for role, rights in RIGHTS.items()} == MAY


def test_every_route_of_the_staff_is_written_down() -> None:
    """None is added without saying whom it is for."""
    assert set(FOR) | FOR_EVERYBODY == routes(staff_routes.router) | routes(sign_in_routes.router)


@pytest.mark.parametrize("role", [*Role, None])
@pytest.mark.parametrize(("method", "path"), sorted(FOR))
def test_a_route_lets_in_whom_it_is_for(
    client: TestClient, services: Services, method: str, path: str, role: Role | None
) -> None:
    """Everybody else is refused before anything is looked at: 403, or for a page the way to the door."""
    client.headers["Origin"] = HERE
    if role is not None:
        sign_in(client, services, role)
    before = counted(services)
    answer = client.request(method, path.replace("{number}", "77"))

    if role in FOR[method, path]:
        assert answer.status_code in (200, 303, 422)
        assert answer.headers.get("location", "/staff").partition("?")[0] in ("/staff", "/sign-in")
        return
    assert before == counted(services)
    if role is None and method == "GET":
        assert (303, f"/sign-in?next={path}") == (answer.status_code, answer.headers["location"])
    else:
        assert answer.status_code == 403


def counted(services: Services) -> tuple[int, ...]:
    with services.database.reading() as session:
        return tuple(
            session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (Staff, StaffSession, AuditLine)
        )


def test_no_page_of_the_staff_stands_outside_the_door(client: TestClient, services: Services) -> None:
    """Every route under these places asks who is there and where a request came from, whoever wrote it."""
    described = create_app(services).openapi()["paths"]
    found = [
        (method.upper(), re.sub(r"\{[^}]+\}", "1", path))
        for path, methods in described.items()
        for method in methods
        if path.startswith(STAFF_PLACES)
    ]
    assert len(found) > len(FOR)
    for method, path in found:
        answer = client.request(method, path, headers={"Origin": HERE})
        assert (303 if method == "GET" else 403) == answer.status_code, path
        assert "no-store" == answer.headers["cache-control"], path
    sign_in(client, services, Role.ADMIN)
    for method, path in found:
        if method != "GET":
            answer = client.request(method, path, headers={"Origin": "https://evil.example"})
            assert (403, True) == (answer.status_code, "nothing was changed" in answer.text), path


def test_a_changed_role_counts_at_the_next_page(client: TestClient, services: Services) -> None:
    """An admin who is made an editor is one at once; one who is removed is out."""
    anna = sign_in(client, services, Role.ADMIN)
    assert client.get("/staff/audit").status_code == 200
    somebody(services, anna.email, Role.EDITOR)
    assert client.get("/staff/audit").status_code == 403
    with services.database.writing() as session:
        staff.remove_staff(session, anna.email, now=now())

    assert client.get("/staff").status_code == 303


# — where a request comes from —


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://news.example.com"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://news.example.com"}, False),
        ({"origin": "https://news.example.com"}, True),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"referer": "https://news.example.com/staff?x=y"}, True),
        ({"origin": "null"}, False),
        ({"origin": "null", "referer": "https://news.example.com/staff"}, False),
        ({"origin": "https://news.example.com.evil.example"}, False),
        ({"origin": "http://news.example.com"}, False),
        ({"origin": "https://news.example.com:444"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "", "referer": ""}, False),
        ({"referer": "https://evil.example/https://news.example.com/"}, False),
        ({"origin": "http://["}, False),
        ({}, False),
    ],
)
def test_only_our_own_pages_change_anything(headers: dict[str, str], ours: bool) -> None:
    """What the browser says counts; without a word of it a request is not from a form of ours."""
    assert ours == is_same_origin({"host": "127.0.0.1:8000", **headers}, "https://news.example.com")


@given(st.dictionaries(st.sampled_from(["origin", "referer", "host", "sec-fetch-site"]), st.text()))
def test_any_headers_are_judged(headers: dict[str, str]) -> None:
    """Rubbish is refused, not failed on."""
    assert not is_same_origin({**headers, "sec-fetch-site": "cross-site"}, "https://news.example.com")
    assert is_same_origin(headers, "https://news.example.com") in (True, False)


@pytest.mark.parametrize(("method", "path"), sorted(key for key in set(FOR) | FOR_EVERYBODY if key[0] == "POST"))
def test_another_sites_form_changes_nothing(client: TestClient, services: Services, method: str, path: str) -> None:
    """With the cookie of an admin along: 403, and every row as it was."""
    sign_in(client, services, Role.ADMIN)
    before = counted(services)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.request(method, path.replace("{number}", "1").replace("{token}", "x"), headers=headers)
        assert answer.status_code == 403
        assert "nothing was changed" in answer.text

    assert before == counted(services)


@pytest.mark.parametrize("path", ["/staff", "/staff/audit", "/sign-in"])
@pytest.mark.parametrize("role", [Role.ADMIN, Role.EDITOR, None])
def test_pages_of_the_staff_are_kept_from_everybody_else(
    client: TestClient, services: Services, path: str, role: Role | None
) -> None:
    """Pages, refusals and redirects: not stored, not framed, not indexed, no script but ours, no cross-site sharing."""
    if role is not None:
        sign_in(client, services, role)
    headers = client.get(path).headers

    assert ("no-store", "same-origin", "DENY", "noindex") == (
        headers["cache-control"],
        headers["referrer-policy"],
        headers["x-frame-options"],
        headers["x-robots-tag"],
    )
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for name in headers if name.startswith("access-control")]


# — one's own page —


def test_one_sees_and_ends_ones_own_sessions(client: TestClient, services: Services) -> None:
    """Another browser is signed out alone; everywhere means this one too."""
    otto = sign_in(client, services, Role.OPERATOR)
    with services.database.writing() as session:
        link = sessions.sign_in_link(session, otto, now=now())
        sessions.open_with(session, link.link_id, now=now(), user_agent="Mozilla/5.0 (iPhone) Safari/604.1")
    assert "Safari on iPhone" in client.get("/staff").text
    assert "/staff?done=ended" == client.post("/staff/sessions/2/end").headers["location"]
    shown = client.get("/staff?done=ended").text
    assert "Safari on iPhone" not in shown
    assert "That browser is signed out." in shown

    assert "/sign-in" == client.post("/staff/sessions/end").headers["location"]
    assert client.get("/staff").status_code == 303


def test_nobody_ends_the_sessions_of_others(client: TestClient, services: Services) -> None:
    """However they count the numbers."""
    sign_in(client, services, Role.ADMIN)
    cookie = client.cookies["digest"]
    sign_in(client, services, Role.EDITOR)
    client.post("/staff/sessions/1/end")
    with services.database.reading() as session:
        assert sessions.who(session, cookie, now=now()) is not None


def test_only_admins_see_the_staff(client: TestClient, services: Services) -> None:
    """Addresses of others, tokens and the log are theirs alone."""
    somebody(services, "edna@example.com")
    with services.database.writing() as session:
        tokens.make(session, "the site", ["editions:read"], now=now())
    sign_in(client, services, Role.OPERATOR)
    assert not [word for word in ("edna@", "the site", "/staff/audit") if word in client.get("/staff").text]
    sign_in(client, services, Role.ADMIN)

    assert not [word for word in ("edna@", "the site", "/staff/audit") if word not in client.get("/staff").text]


# — what admins do —


def test_an_admin_looks_after_the_staff(client: TestClient, services: Services) -> None:
    """Adds, changes and removes; each leaves a line with the admin's number."""
    anna = sign_in(client, services, Role.ADMIN)
    added = client.post("/staff/people", data={"email": "edna@example.com", "role": "editor"})
    assert "/staff?done=added" == added.headers["location"]
    with services.database.reading() as session:
        edna = staff.member(session, "edna@example.com")
    client.post(f"/staff/people/{edna.id}/role", data={"role": "operator"})
    with services.database.reading() as session:
        assert staff.member(session, "edna@example.com").role is Role.OPERATOR
    client.post(f"/staff/people/{edna.id}/remove")
    with services.database.reading() as session:
        assert not staff.is_member(session, "edna@example.com")
        newest = [(line.by, line.what, line.about) for line in audit.lines(session, limit=3)]

    assert [
        (f"staff {anna.id}", f"staff {what}", f"staff {edna.id}") for what in ("removed", "role changed", "added")
    ] == newest


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/staff/people", {"email": "no address", "role": "editor"}, "@-sign"),
        ("/staff/people", {"email": "edna@example.com", "role": "king"}, "no such role"),
        ("/staff/people", {"email": "anna@example.com", "role": "editor"}, "on the staff already"),
        ("/staff/people/{me}/role", {"role": "editor"}, "Another admin"),
        ("/staff/people/{me}/remove", {}, "Another admin"),
        ("/staff/people/999/remove", {}, "not on the staff any more"),
        ("/staff/people/999/role", {"role": "editor"}, "not on the staff any more"),
        ("/staff/tokens/999/revoke", {}, "no token 999"),
        ("/staff/people/0/remove", {}, ""),
        ("/staff/tokens/99999999999999999999/revoke", {}, ""),
    ],
)
def test_what_cannot_be_is_said(
    client: TestClient, services: Services, path: str, form: dict[str, str], said: str
) -> None:
    """In a sentence on the page, with nothing changed; the last admin cannot lock everybody out."""
    anna = sign_in(client, services, Role.ADMIN)
    before = counted(services)
    answer = client.post(path.replace("{me}", str(anna.id)), data=form)

    assert answer.status_code == 422
    assert said in answer.text
    assert before == counted(services)


def test_an_admin_revokes_a_token(client: TestClient, services: Services) -> None:
    """From the list, which goes on to show when."""
    with services.database.writing() as session:
        made, text = tokens.make(session, "the site", ["editions:read"], now=now())
    sign_in(client, services, Role.ADMIN)
    client.post(f"/staff/tokens/{made.id}/revoke")

    assert tokens.shown(services.database, text, now=now()) is None
    assert "revoked" in client.get("/staff").text


def test_the_log_is_shown_with_names_and_in_pages(client: TestClient, services: Services) -> None:
    """Numbers become the people behind them when it is shown; older lines are a page away."""
    sign_in(client, services, Role.ADMIN)
    with services.database.writing() as session:
        for number in range(150):
            audit.note(session, by="staff 1", what="looked", about=f"subscriber {number}", now=now(), rows=[1, 2])
    newest = client.get("/staff/audit").text
    assert newest.count("<tr>") == 101
    assert NAMES[Role.ADMIN] in newest
    assert "rows: 1, 2" in newest
    assert '<a href="/people/149">subscriber 149</a>' in newest
    older = newest.partition("/staff/audit?before=")[2].partition('"')[0]
    page = client.get(f"/staff/audit?before={older}").text

    assert page.count("<tr>") == 1 + 150 + 2 - 100
    assert "signed in" in page
    assert "Older" not in page


@pytest.mark.parametrize("before", ["x", "0", "-1", "9" * 30])
def test_a_page_of_the_log_that_cannot_be_is_refused(client: TestClient, services: Services, before: str) -> None:
    """422, not a failure."""
    sign_in(client, services, Role.ADMIN)

    assert client.get("/staff/audit", params={"before": before}).status_code == 422


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/128.0 Safari/537.36 Edg/128.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/128.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.6 Safari/605.1.15", "Safari on macOS"),
        ("curl/8", "A browser"),
        (None, "A browser"),
    ],
)
def test_browsers_are_called_by_their_names(agent: str | None, name: str) -> None:
    """As their owners know them."""
    assert name == browser_named(agent)
