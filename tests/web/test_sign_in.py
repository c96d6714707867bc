"""Signing in: the same answers for everybody, one press, and a cookie that says nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as mail_policy
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st

from digest import postman
from digest.bootstrap import Services
from digest.models import AuditLine, Letter, Limit, Request, Role, SignInLink, StaffSession
from digest.people import limits, requests
from digest.staff import add_staff, sessions
from digest.web.app import create_app
from digest.web.staff_door import local_path
from tests import make
from tests.web.staff_client import sign_in

SITE = "http://testserver"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def browser(client: TestClient, services: Services) -> TestClient:
    """A browser that sends its forms from our pages; Otto is on the staff."""
    client.headers["Origin"] = SITE
    with services.database.writing() as session:
        add_staff(session, "otto@example.com", Role.OPERATOR, now=now())
    return client


def form(services: Services, email: str, **more: str) -> dict[str, str]:
    """What the form sends three seconds after it was shown."""
    return {"email": email, "token": services.links.form_token(now() - timedelta(seconds=3)), "website": "", **more}


def way_in(services: Services, email: str = "otto@example.com", role: Role = Role.OPERATOR) -> str:
    with services.database.writing() as session:
        somebody = add_staff(session, email, role, now=now())
        url = sessions.sign_in_url(session, services.links, somebody, now())
    return url.removeprefix(services.settings.digest_site_url)


def count(services: Services, table: type) -> int:
    with services.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


# — asking for a link —


def test_the_way_of_a_link(browser: TestClient, services: Services) -> None:
    """Asked for at the form, offered by the job, pressed, and one stands where one wanted to go."""
    shown = browser.get("/sign-in", params={"next": "/people?q=ada"})
    assert shown.status_code == 200
    assert 'value="/people?q=ada"' in shown.text
    sent = browser.post("/sign-in", data=form(services, "otto@example.com", next="/people?q=ada"))
    assert sent.status_code == 200
    assert count(services, Letter) == 0

    assert "settled" == requests.settle_next(services, now=now())
    assert "posted" == postman.post_next(services, now=now())
    mail = next(services.settings.digest_outbox_dir.rglob("*.eml")).read_bytes()
    text = message_from_bytes(mail, policy=mail_policy).get_body(("plain",))
    assert text is not None
    path = urlsplit(re.findall(r"http\S+/sign-in/\S+", text.get_content())[0]).path
    assert browser.get(path).status_code == 200
    pressed = browser.post(path)

    assert (303, "/people?q=ada") == (pressed.status_code, pressed.headers["location"])
    assert browser.get("/staff").status_code == 200


def test_no_answer_tells_who_is_on_the_staff(browser: TestClient, services: Services) -> None:
    """The same bytes, headers and writes for staff, subscribers and strangers."""
    with services.database.writing() as session:
        make.subscriber(session, "ada@example.com")
    answers = []
    for email in ("otto@example.com", "ada@example.com", "nobody@example.com"):
        before = count(services, Request), count(services, Letter), count(services, SignInLink)
        answer = browser.post("/sign-in", data=form(services, email))
        after = count(services, Request), count(services, Letter), count(services, SignInLink)
        answers.append((answer.status_code, answer.text, sorted(answer.headers.items()), after[0] - before[0]))
        assert before[1:] == after[1:]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0][3] == 1


def test_a_likely_slip_is_asked_about(browser: TestClient, services: Services) -> None:
    """Whoever says that it is right is believed."""
    asked = browser.post("/sign-in", data=form(services, "otto@gmial.com"))
    sure = browser.post("/sign-in", data=form(services, "otto@gmial.com", sure="yes"))

    assert "otto@gmail.com" in asked.text
    assert 'name="sure"' in asked.text
    assert "Look into your mail" in sure.text


@pytest.mark.parametrize("shown_ago", [0.0, 3 * 3600.0, None])
def test_a_form_too_fresh_too_old_or_not_ours_is_shown_again(
    browser: TestClient, services: Services, shown_ago: float | None
) -> None:
    """Filled in as it was, with a fresh token; nothing is stored."""
    token = "x" if shown_ago is None else services.links.form_token(now() - timedelta(seconds=shown_ago))
    answer = browser.post("/sign-in", data={**form(services, "otto@example.com"), "token": token})

    assert 'value="otto@example.com"' in answer.text
    assert "once more" in answer.text
    assert count(services, Request) == 0


def test_what_is_no_address_is_said_beside_the_field(browser: TestClient, services: Services) -> None:
    """And what was typed stays there."""
    answer = browser.post("/sign-in", data=form(services, "otto<example.com"))

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "otto&lt;example.com" in answer.text


def test_a_program_that_fills_in_everything_gets_the_usual_answer(browser: TestClient, services: Services) -> None:
    """And nothing is stored."""
    usual = browser.post("/sign-in", data=form(services, "otto@example.com"))
    trapped = browser.post("/sign-in", data=form(services, "otto@example.com", website="http://spam.example.com"))

    assert (usual.status_code, usual.text) == (trapped.status_code, trapped.text)
    assert count(services, Request) == 1


def test_one_address_is_asked_for_a_few_times_only(browser: TestClient, services: Services) -> None:
    """Beyond the limit the answer stays the same, and nothing more is stored."""
    most = limits.ONE_MAILBOX[0][0]
    texts = {browser.post("/sign-in", data=form(services, "otto@example.com")).text for _ in range(most + 2)}

    assert len(texts) == 1
    assert count(services, Request) == most


def test_too_many_are_told_to_wait(browser: TestClient, services: Services) -> None:
    """Beyond the limits of a network or of everybody, whoever is asked for."""
    browser.post("/sign-in", data=form(services, "otto@example.com"))
    with services.database.writing() as session:
        session.execute(sa.update(Limit).values(count=10**6))
    for email in ("otto@example.com", "nobody@example.com"):
        answer = browser.post("/sign-in", data=form(services, email))
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert "asked too often" in answer.text


# — pressing it —


def test_following_a_link_signs_nobody_in(browser: TestClient, services: Services) -> None:
    """Scanners follow every link of a mail; afterwards the button still works."""
    path = way_in(services)
    before = count(services, AuditLine)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        assert "set-cookie" not in browser.request(method, path).headers
    assert (0, before) == (count(services, StaffSession), count(services, AuditLine))

    assert browser.post(path).status_code == 303


@pytest.mark.parametrize("token", ["x", "a" * 70, "ü", "%00"])
def test_a_used_or_made_up_link_opens_nothing(browser: TestClient, services: Services, token: str) -> None:
    """Both are answered alike; the page before the press is the same for every token."""
    path = way_in(services)
    assert browser.post(path).status_code == 303
    browser.cookies.clear()
    used, made_up = browser.post(path), browser.post(f"/sign-in/{token}")

    assert (410, used.text) == (made_up.status_code, made_up.text)
    assert "set-cookie" not in used.headers
    assert count(services, StaffSession) == 1


def test_signing_in_again_ends_the_session_before(browser: TestClient, services: Services) -> None:
    """Whoever takes over a browser leaves nothing open behind."""
    browser.post(way_in(services))
    first = browser.cookies["digest"]
    browser.post(way_in(services, "edda@example.com"))
    with services.database.reading() as session:
        assert sessions.who(session, first, now=now()) is None


@pytest.mark.parametrize(
    ("site", "name", "secure"),
    [("http://127.0.0.1:8000", "digest", False), ("https://news.example.com", "__Host-digest", True)],
)
def test_the_cookie_is_kept_from_others(
    services: Services, tmp_path: object, site: str, name: str, secure: bool
) -> None:
    """HttpOnly, Lax, for the whole site; over https also Secure, under a name that no subdomain can set."""
    over = make.with_settings(services, digest_site_url=site)
    with TestClient(create_app(over), base_url=site, follow_redirects=False) as client:
        answer = client.post(way_in(services), headers={"Origin": site})
        morsel = SimpleCookie(answer.headers.get_list("set-cookie")[0])[name]
        assert (True, "lax", "/", "") == (
            morsel["httponly"],
            morsel["samesite"].lower(),
            morsel["path"],
            morsel["domain"],
        )
        assert secure == bool(morsel["secure"])
        assert str(14 * 24 * 3600) == morsel["max-age"]
        assert client.get("/staff").status_code == 200


def test_signing_out_ends_the_session(browser: TestClient, services: Services) -> None:
    """The cookie goes, and what somebody kept of it opens nothing."""
    sign_in(browser, services)
    kept = browser.cookies["digest"]
    answer = browser.post("/sign-out")
    browser.cookies.set("digest", kept)

    assert (303, "/sign-in") == (answer.status_code, answer.headers["location"])
    assert browser.get("/staff").status_code == 303


# — going on —


def drops(url: str) -> str:
    """An address as browsers read it: without tabs, line ends and leading controls, `\\` as `/`."""
    kept = "".join(each for each in url if each not in "\t\r\n").lstrip("".join(map(chr, range(0x21))))
    return kept.replace("\\", "/")


@given(st.one_of(st.text(), st.text(alphabet="/\\\t\r\n.:@ aehtp%2f\x00"), st.text().map("/".__add__)))
@example("//evil.example")
@example("/\\evil.example")
@example("/\t/evil.example")
@example("\\/evil.example")
@example("https:evil.example")
@example(" /evil")
@example("/ok?q=a%20b&c=//x#y")
def test_one_never_goes_on_to_another_site(wanted: str) -> None:
    """Whatever a link says: the answer is a path here, fit for a header."""
    path = local_path(wanted, otherwise="/staff")

    assert urlsplit(urljoin(SITE, drops(path))).netloc == "testserver"
    assert path.startswith("/")
    assert path.isascii()
    assert path.isprintable()


def test_plain_paths_are_gone_on_to() -> None:
    """With their question and their part."""
    for path in ("/", "/people?q=ada%40example.com&after=3", "/desk/2026-W47#entry-2"):
        assert path == local_path(path, otherwise="/staff")


def test_the_cookie_for_going_on_is_not_believed(browser: TestClient, services: Services) -> None:
    """Whoever could set it gains nothing."""
    browser.cookies.set("digest-next", "//evil.example")

    assert browser.post(way_in(services)).headers["location"] == "/people"


@pytest.mark.parametrize(
    ("role", "home"), [(Role.OPERATOR, "/people"), (Role.ADMIN, "/people"), (Role.EDITOR, "/desk")]
)
def test_one_begins_at_what_one_looks_after(browser: TestClient, services: Services, role: Role, home: str) -> None:
    """Who asked for a link without wanting to go anywhere; who wanted to be at their own page comes there."""
    with services.database.writing() as session:
        add_staff(session, "eve@example.com", role, now=now())
    for wanted, reached in ((None, home), ("/staff", "/staff")):
        browser.get("/sign-in")
        sent = form(services, "eve@example.com")
        assert 200 == browser.post("/sign-in", data=sent | ({"next": wanted} if wanted else {"next": ""})).status_code
        assert reached == browser.post(way_in(services, "eve@example.com", role)).headers["location"]


def test_the_address_of_a_token_page_travels_nowhere(client: TestClient) -> None:
    """Not even to our own pages: the way in stands in it."""
    answer = client.get("/sign-in/any-token-at-all")

    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
