"""Answering for a problem on the command line: what `check` shows, what `override` takes, and what becomes of both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from database import Database
from digest import editing, editions, manuscript
from tests import make
from tests.cli.test_commands import SAMPLES, Run, run  # noqa: F401 - the fixture

WEEK = make.WEEK
BY = ("--by", "edda@example.com")


@pytest.fixture
def blocked(run: Run, database_url: str) -> Run:  # noqa: F811
    """A draft with a placeholder in its introduction."""
    now = "2026-11-19T18:30:00Z"
    assert run("ingest", str(SAMPLES), "--now", "2026-11-17T10:00:00Z")[0] in (0, 1)
    assert run("edition", "draft", WEEK, "--now", now)[0] == 0
    database = Database(database_url)
    with database.reading() as session:
        seen = manuscript.words_of(editing.read(session, editions.find(session, WEEK)), "introduction")
    editing.write(database, WEEK, "introduction", was=seen, words="TODO", by="staff 1", now=make.CUTOFF)
    database.dispose()
    return run


def checked(run: Run) -> tuple[int, dict[str, Any]]:  # noqa: F811
    """The exit code, and the one problem that is blocked or overridden."""
    code, out, _ = run("edition", "check", WEEK, "--json")
    (found,) = [problem for problem in json.loads(out)["problems"] if problem["code"] == "placeholder"]
    return code, found


def test_an_override_lets_the_check_pass_and_shows_who_and_why(blocked: Run) -> None:
    """And its lifting lets it fail again."""
    code, found = checked(blocked)
    assert (code, found["overridden"], found["final"]) == (1, None, False)
    assert f"(or: digest edition override {WEEK} {found['key']})" in blocked("edition", "check", WEEK)[1]

    assert blocked("edition", "override", WEEK, found["key"], "--why", "a song", *BY)[0] == 0
    code, overridden = checked(blocked)
    assert code == 0
    assert {name: overridden["overridden"][name] for name in ("by", "why")} == {"by": BY[1], "why": "a song"}
    words = blocked("edition", "check", WEEK)[1]
    assert f"[overridden] introduction: {found['what']} Overridden by {BY[1]}: a song" in words
    assert "0 blocking, 1 overridden" in words

    assert "the problem blocks again" in blocked("edition", "override", WEEK, found["key"], "--lift", *BY)[1]
    assert "nothing was changed" in blocked("edition", "override", WEEK, found["key"], "--lift", *BY)[1]
    assert checked(blocked)[0] == 1


def test_a_key_that_is_no_problems_is_said(blocked: Run) -> None:
    code, _, said = blocked("edition", "override", WEEK, "0badc0de", "--why", "x", *BY)

    assert (code, "has no such problem" in said) == (1, True)


def test_what_cannot_be_rendered_is_shown_all_the_same(blocked: Run, database_url: str) -> None:
    """Entries and log, with the sentence in place of the problems."""
    database = Database(database_url)
    words = "Click -vd2026w47unsubscribeurl- now."
    editing.write(database, WEEK, "introduction", was="TODO", words=words, by="staff 1", now=make.CUTOFF)
    database.dispose()

    code, out, _ = blocked("edition", "show", WEEK)
    assert code == 0
    assert "it cannot be checked as it is: The edition's own text contains “-vd2026w47" in out
    assert "1. " in out
    assert "command line: made" in out
    document = json.loads(blocked("edition", "show", WEEK, "--json")[1])
    assert (document["problems"], bool(document["log"])) == ([], True)
    assert document["unchecked"].startswith("The edition's own text")
