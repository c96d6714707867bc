"""`digest staff …` and `digest audit …`, run in this process on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from database import Database
from digest import migrations, rehearsal, staff
from digest.bootstrap import Services
from digest.cli.app import run
from digest.models import Role
from digest.safekeeping import backups
from digest.staff import audit, sessions, tokens
from subscribers.links import Links
from tests.subscribers.cast import EARLIER, NOW

Shell = Callable[..., int]


@pytest.fixture
def shell(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DIGEST_SECRET_KEY", "a secret for tests only")
    monkeypatch.chdir(tmp_path)
    yield lambda *arguments: run([*([] if arguments[0] == "audit" else ["staff"]), *arguments])
    structlog.reset_defaults()  # the command's log holds this test's stderr, which is closed now


def test_staff_come_change_and_go(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """Added with a role, changed by adding again, listed, and removed."""
    assert shell("add", "edda@example.com", "--role", "editor") == 0
    assert shell("add", "otto@example.com", "--role", "operator") == 0
    assert shell("add", "EDDA@example.com", "--role", "admin") == 0
    capsys.readouterr()

    assert shell("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["email"], each["role"]) for each in listed] == [
        ("edda@example.com", "admin"),
        ("otto@example.com", "operator"),
    ]
    assert shell("remove", "edda@example.com") == 0
    assert "no longer" in capsys.readouterr().out
    assert shell("list") == 0
    assert "edda" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["remove", "nobody@example.com"], 1, "not on the staff"),
        (["remove", "nobody"], 2, "@-sign"),
        (["add", "nobody", "--role", "editor"], 2, "@-sign"),
        (["add", "edda@example.com"], 2, "--role"),
        (["add", "edda@example.com", "--role", "king"], 2, "king"),
        (["link", "nobody@example.com"], 1, "not on the staff"),
        (["link", "nobody"], 2, "@-sign"),
        (["token", "the site"], 2, "--scope"),
        (["token", "the site", "--scope", "everything"], 2, 'no scope "everything"'),
        (["token", " ", "--scope", "editions:read"], 2, "needs a name"),
        (["revoke", "7"], 1, "no token 7"),
        (["revoke", "x"], 2, "'ID'"),
        (["revoke", "9" * 30], 2, "'ID'"),
        (["audit", "verify", "--backup", "nowhere.db"], 2, "nowhere.db"),
    ],
)
def test_what_cannot_be_is_said(
    shell: Shell, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    """One sentence on stderr and the exit code of its kind."""
    assert shell(*arguments) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("last", [["remove", "edda@example.com"], ["add", "edda@example.com", "--role", "editor"]])
def test_nobody_left_to_administer_is_said(shell: Shell, capsys: pytest.CaptureFixture[str], last: list[str]) -> None:
    """The last admin may go, or get another role; how to name the next is said on stderr, and only then."""
    for email, role in (("edda@example.com", "admin"), ("ida@example.com", "admin"), ("otto@example.com", "operator")):
        shell("add", email, "--role", role)
    assert shell("remove", "ida@example.com") == shell("remove", "otto@example.com") == 0
    assert "administer" not in capsys.readouterr().err

    assert shell(*last, "--json") == 0
    captured = capsys.readouterr()
    assert "nobody on the staff can administer now" in captured.err
    assert "digest staff add EMAIL --role admin" in captured.err
    assert json.loads(captured.out)["email"] == "edda@example.com"


def test_somebody_removed_may_come_back(database: Database) -> None:
    """With a new date; removing twice is refused."""
    with database.writing() as session:
        edda = staff.add_staff(session, "edda@example.com", Role.EDITOR, now=EARLIER)
        staff.remove_staff(session, "edda@example.com", now=EARLIER)
        assert list(staff.on_staff(session)) == []
        with pytest.raises(staff.NotOnTheStaff):
            staff.remove_staff(session, "edda@example.com", now=NOW)
        again = staff.add_staff(session, "edda@example.com", Role.ADMIN, now=NOW)

        assert again is edda
        assert (edda.role, edda.added_at, edda.removed_at) == (Role.ADMIN, NOW, None)


def test_notices_can_be_addressed_to_staff(database: Database) -> None:
    """An address is kept as mail servers take it."""
    with database.writing() as session:
        edda = staff.add_staff(session, "Edda@Bücher.example", Role.EDITOR, now=NOW)

        assert edda.email == "Edda@xn--bcher-kva.example"
        assert list(staff.on_staff(session)) == [edda]


def test_a_link_signs_in(shell: Shell, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed alone on stdout, good for fifteen minutes and for its owner; made anew each time."""
    shell("add", "otto@example.com", "--role", "operator")
    capsys.readouterr()
    assert shell("link", "OTTO@example.com") == 0
    printed = capsys.readouterr()
    assert shell("link", "otto@example.com", "--json") == 0
    again = json.loads(capsys.readouterr().out)

    url = printed.out.strip()
    assert url.startswith("http://127.0.0.1:8000/sign-in/")
    assert url != again["url"]
    assert "otto@example.com" in printed.err
    assert ("otto@example.com", {"email", "url", "expires_at"}) == (again["email"], set(again))
    link_id = Links("http://127.0.0.1:8000", ["a secret for tests only"]).read_sign_in(
        url.rpartition("/")[2], datetime.now(UTC)
    )
    assert link_id is not None
    with database.writing() as session:
        assert sessions.open_with(session, link_id, now=datetime.now(UTC), user_agent=None) is not None


def test_a_token_is_shown_once(shell: Shell, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """Alone on stdout when it is made, and nowhere afterwards."""
    assert shell("token", "the site", "--scope", "comparisons:write", "--scope", "editions:read") == 0
    text = capsys.readouterr().out.strip()
    with database.reading() as session:
        assert tokens.find(session, text, now=NOW) is not None
    assert shell("tokens", "--json") == 0
    listed = capsys.readouterr().out
    assert shell("tokens") == 0
    listed += capsys.readouterr().out

    assert text not in listed
    assert ["comparisons:write", "editions:read"] == json.loads(listed.rpartition("]")[0] + "]")[0]["scopes"]
    assert "last used never" in listed
    assert shell("revoke", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["revoked_at"]
    with database.reading() as session:
        assert tokens.find(session, text, now=NOW) is None
    assert shell("revoke", "1") == 1


def test_what_the_command_line_does_is_noted(shell: Shell, database: Database) -> None:
    """Every change, by "command line", without an address."""
    for command in (
        ("add", "otto@example.com", "--role", "operator"),
        ("add", "otto@example.com", "--role", "admin"),
        ("link", "otto@example.com"),
        ("token", "the site", "--scope", "editions:read"),
        ("revoke", "1"),
        ("remove", "otto@example.com"),
    ):
        assert shell(*command) == 0
    with database.reading() as session:
        lines = list(reversed(audit.lines(session)))

    assert {"command line"} == {line.by for line in lines}
    assert [
        "staff added",
        "staff role changed",
        "sign-in link made",
        "token made",
        "token revoked",
        "staff removed",
    ] == [line.what for line in lines]


def test_the_log_can_be_verified(
    shell: Shell, services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole: exit 0 and how many lines; otherwise exit 1 and a sentence that names the first line that is wrong."""
    assert shell("audit", "verify") == 0
    assert "0 lines" in capsys.readouterr().out
    for name in ("edda", "otto", "anna"):
        shell("add", f"{name}@example.com", "--role", "editor")
    backup = tmp_path / "a backup.db"
    backups.make(services, backup, by=audit.COMMAND_LINE, now=NOW, replace=False)
    with services.database.reading() as session:
        head = audit.head(session)
    capsys.readouterr()
    assert shell("audit", "verify", "--backup", str(backup), "--json") == 0
    assert {"whole": True, "lines": 4, "head": head.hash, "broken": None} == json.loads(capsys.readouterr().out)

    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_log WHERE id > 2")
    assert shell("audit", "verify") == 0
    assert shell("audit", "verify", "--backup", str(backup)) == 1
    assert "Line 3 of the audit log is wrong: it is missing" in capsys.readouterr().err
    with services.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_log SET what = 'nothing' WHERE id = 2")
    assert shell("audit", "verify", "--json") == 1
    assert json.loads(capsys.readouterr().out)["broken"]["line"] == 2
    other = tmp_path / "other.db"
    other.write_text("no backup")
    assert shell("audit", "verify", "--backup", str(other)) == 1
    assert "not a backup of this program" in capsys.readouterr().err


def test_the_demo_shows_the_way_in(tmp_path: Path) -> None:
    """A link that opens the pages at the port they are served at."""
    services = rehearsal.services_in(tmp_path / "demo", port=8765)
    migrations.ensure_current(services.database)
    with services.database.writing() as session:
        staff.add_staff(session, rehearsal.EDITOR, Role.ADMIN, now=NOW)
    url = rehearsal.way_in(services, now=NOW)
    services.close()

    assert url.startswith("http://127.0.0.1:8765/sign-in/")
