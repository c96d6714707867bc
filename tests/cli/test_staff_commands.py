"""`digest staff …`, run in this process on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from database import Database
from digest import staff
from digest.cli.app import run
from digest.models import Role
from tests.subscribers.cast import EARLIER, NOW

Shell = Callable[..., int]


@pytest.fixture
def shell(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DIGEST_SECRET_KEY", "a secret for tests only")
    monkeypatch.chdir(tmp_path)
    yield lambda *arguments: run(["staff", *arguments])
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
        (["remove", "nobody"], 1, "@-sign"),
        (["add", "nobody", "--role", "editor"], 1, "@-sign"),
        (["add", "edda@example.com"], 2, "--role"),
        (["add", "edda@example.com", "--role", "king"], 2, "king"),
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
