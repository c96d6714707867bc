"""`digest subscribers …`, run in this process on both databases."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from database import Database
from digest.cli.app import run
from digest.models import Letter
from subscribers import consent, roster
from subscribers.links import Links
from subscribers.models import ConsentEvent
from subscribers.policy import Act, State
from tests.subscribers.cast import ADA, BEN, CLEO, DOV, everyone

SECRET = "a secret for tests only"


class Shell:
    """Runs a command and keeps what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.folder = folder
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        code = run(["subscribers", *arguments])
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *arguments: str, code: int = 0) -> Any:
        assert self(*arguments, "--json") == code
        return json.loads(self.out)

    def file(self, text: str, name: str = "list.csv") -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DIGEST_SECRET_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    yield Shell(capsys, tmp_path)
    structlog.reset_defaults()  # the command's log holds this test's stderr, which is closed now


@pytest.fixture
def cast(database: Database) -> Database:
    """Ada, Ben, Cleo and Dov are there."""
    with database.writing() as session:
        everyone(session)
    return database


def states(database: Database) -> dict[str, State]:
    with database.reading() as session:
        return {person.email: person.state for person in roster.everybody(session)}


def letters(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(sa.select(Letter.email).order_by(Letter.id)))


def test_add_writes_to_people_without_a_basis(shell: Shell, database: Database) -> None:
    """Each is pending and has a confirmation letter queued, in the same transaction."""
    assert shell("add", ADA, BEN) == 0

    assert states(database) == {ADA: State.PENDING, BEN: State.PENDING}
    assert letters(database) == [ADA, BEN]
    assert shell.out.splitlines()[0] == "pending      ada@example.com  added; a confirmation letter is owed"


def test_add_takes_the_operators_word_with_a_basis(shell: Shell, database: Database) -> None:
    """Active at once, no letter; --json says what became of each."""
    said = shell.json("add", ADA, "--name", "Ada L.", "--confirmed-by", "paper form of 3 May")

    assert said == [{"email": ADA, "state": "active", "changed": True, "why": "added with a basis of consent"}]
    assert letters(database) == []
    assert shell.json("show", ADA)["basis"] == "paper form of 3 May"
    assert shell.json("show", ADA)["name"] == "Ada L."


def test_add_says_whom_it_did_not_add(shell: Shell, cast: Database) -> None:
    """Bad addresses and refused people are named; the others are added: done in part."""
    before = states(cast)
    said = shell.json("add", "new@example.com", ADA, BEN, CLEO, DOV, "nobody", "--confirmed-by", "fair", code=3)

    assert [(each["state"], each["changed"]) for each in said] == [
        ("active", True),
        ("active", False),
        ("pending", False),
        ("unsubscribed", False),
        ("suppressed", False),
        (None, False),
    ]
    assert states(cast) == before | {"new@example.com": State.ACTIVE}


@pytest.mark.parametrize("email", ["nobody", CLEO, DOV])
def test_add_that_adds_nobody_could_not_be_done(shell: Shell, cast: Database, email: str) -> None:
    """When every address is bad or refused, the exit code is 1."""
    assert shell("add", email, "--confirmed-by", "fair") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["add"],
        ["add", ADA, BEN, "--name", "Both"],
        ["add", ADA, "--confirmed-by", " "],
        ["unsubscribe"],
        ["unsubscribe", ADA, "--token", "x"],
        ["suppress", ADA],
        ["list", "--state", "gone"],
        ["import", "missing.csv"],
        ["import", "."],
        ["export", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_apart(shell: Shell, arguments: list[str]) -> None:
    """Exit code 2 and a sentence on stderr, nothing on stdout."""
    assert shell(*arguments) == 2
    assert shell.err
    assert shell.out == ""


def test_list_shows_everybody_or_some(shell: Shell, cast: Database) -> None:
    """A line for each person; --state and --containing narrow it; --json is an array."""
    assert shell("list") == 0
    assert [line.split()[0] for line in shell.out.splitlines()] == ["active", "pending", "unsubscribed", "suppressed"]
    assert [each["email"] for each in shell.json("list", "--state", "pending")] == [BEN]
    assert [each["email"] for each in shell.json("list", "--containing", "Example.ORG")] == [CLEO, DOV]
    assert shell.json("list", "--containing", "nobody") == []


def test_show_is_the_whole_record(shell: Shell, cast: Database) -> None:
    """The row and the proof of consent, for people and for machines."""
    document = shell.json("show", "CLEO@example.org")
    assert document["state"] == "unsubscribed"
    assert [event["kind"] for event in document["events"]] == ["signed up", "confirmed", "unsubscribed"]

    assert shell("show", CLEO) == 0
    assert "unsubscribed: one-click" in shell.out


@pytest.mark.parametrize("command", ["show", "unsubscribe", "suppress", "lift"])
@pytest.mark.parametrize(("email", "said"), [("nobody@example.com", "Nobody here"), ("nobody", "@-sign")])
def test_somebody_unknown_is_said(shell: Shell, command: str, email: str, said: str) -> None:
    """One sentence on stderr, exit code 1."""
    why = ["--why", "because"] if command in ("suppress", "lift") else []

    assert shell(command, email, *why) == 1
    assert said in shell.err
    assert "Traceback" not in shell.err


def test_unsubscribe_by_address_is_heard_once(shell: Shell, cast: Database) -> None:
    """The second time nothing changes, which is no failure."""
    assert shell.json("unsubscribe", ADA)["changed"]
    assert not shell.json("unsubscribe", ADA)["changed"]
    assert states(cast)[ADA] is State.UNSUBSCRIBED


def test_unsubscribe_by_token_needs_no_address(shell: Shell, cast: Database) -> None:
    """The token of a mailed-in opt-out, or the whole link, names the person; any other text does not."""
    links = Links("https://news.example.com", [SECRET])
    with cast.reading() as session:
        people = {person.email: links.unsubscribe_url(person.link_id) for person in roster.everybody(session)}
    assert shell("unsubscribe", "--token", people[ADA].rpartition("/")[2]) == 0
    assert shell("unsubscribe", "--token", people[BEN]) == 0
    assert shell("unsubscribe", "--token", people[DOV][:-1] + "x") == 1
    assert "not one of ours" in shell.err

    assert states(cast) == {
        ADA: State.UNSUBSCRIBED,
        BEN: State.UNSUBSCRIBED,
        CLEO: State.UNSUBSCRIBED,
        DOV: State.SUPPRESSED,
    }


def test_suppress_keeps_its_reason(shell: Shell, cast: Database) -> None:
    """The reason stands in the record, and no import undoes it."""
    assert shell("suppress", ADA, "--why", "asked by telephone") == 0
    assert shell.json("show", ADA)["suppressed_because"] == "asked by telephone"

    shell("add", ADA, "--confirmed-by", "fair")
    assert states(cast)[ADA] is State.SUPPRESSED


def test_lift_takes_back_a_bounce_and_never_a_complaint(shell: Shell, cast: Database) -> None:
    """What cannot be lifted exits with 1 and the reason."""
    assert shell("lift", DOV, "--why", "mailbox works again") == 0
    assert states(cast)[DOV] is State.ACTIVE
    with cast.writing() as session:
        dov = roster.find(session, DOV)
        assert dov is not None
        consent.suppress(session, dov, Act.COMPLAIN, because="abuse", now=dov.changed_at, source="SendGrid")

    assert shell("lift", DOV, "--why", "please") == 1
    assert "for ever" in shell.out


def test_stats_add_up(shell: Shell, cast: Database) -> None:
    """The four states and their total; recent events by kind."""
    shell("add", "new@example.com")
    said = shell.json("stats")

    assert said["total"] == sum(said[state] for state in State) == 5
    assert said["last_30_days"]["added"] == 1
    assert shell("stats") == 0
    assert "total" in shell.out


def test_import_reports_every_bad_line(shell: Shell, database: Database) -> None:
    """Good lines come in, bad ones are named by number on stderr, and the exit code is 3."""
    path = shell.file("email,name\nada@example.com,Ada\nnobody,\nADA@example.com,\n")
    assert shell("import", path, "--confirmed-by", "fair") == 3

    assert shell.err.splitlines() == ["line 3: An email address must have an @-sign."]
    assert shell.out == "3 lines: 1 added, 0 confirmed, 0 unchanged, 1 duplicates, 1 bad\n"
    assert states(database) == {ADA: State.ACTIVE}


def test_import_for_machines_is_one_document(shell: Shell, cast: Database) -> None:
    """Counts, the reasons of those left alone, and the bad lines."""
    path = shell.file(f"email\n{CLEO}\nnew@example.com\nbad\n")
    said = shell.json("import", path, "--confirmed-by", "fair", code=3)

    why = "has unsubscribed; only their own sign-up and confirmation brings them back"
    assert said == {
        "dry_run": False,
        "dialect": "plain CSV",
        "lines": 3,
        "added": 1,
        "confirmed": 0,
        "unchanged": 1,
        "unchanged_by": {why: 1},
        "left_there": 0,
        "left_there_by": {},
        "duplicates": 0,
        "bad": 1,
        "letters": 0,
        "bad_lines": [{"line": 4, "reason": "An email address must have an @-sign."}],
        "left_there_lines": [],
    }


def test_import_says_whom_it_left_there_and_why(shell: Shell, database: Database) -> None:
    """Counted by reason; by line in a dry run and for machines; what such an export does not say comes with it."""
    path = shell.file(
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        "a,ada@example.com,Ada,{},enabled,2024-03-01 09:30:00.123456 +0000 UTC,2024-03-01 09:30:00 +0000 UTC\n"
        "b,ben@example.com,Ben,{},blocklisted,2024-03-01 09:30:00 +0000 UTC,2024-03-01 09:30:00 +0000 UTC\n"
    )
    assert shell("import", path, "--confirmed-by", "the old list", "--dry-run") == 0
    assert "line 3: This person had been suppressed, blocked or removed there.\n" in shell.err

    said = shell.json("import", path, "--confirmed-by", "the old list")
    assert said["left_there_lines"] == [
        {"line": 3, "reason": "This person had been suppressed, blocked or removed there."}
    ]
    assert shell("import", path, "--confirmed-by", "the old list") == 0
    assert shell.out.splitlines() == [
        "2 lines: 0 added, 0 confirmed, 1 unchanged, 1 left there, 0 duplicates, 0 bad",
        "  1 left as they are: each is subscribed already",
        "  1 left there (listmonk): each had been suppressed, blocked or removed there",
    ]
    assert "listmonk" in shell.err
    assert states(database) == {ADA: State.ACTIVE}


def test_import_without_a_basis_queues_letters(shell: Shell, database: Database) -> None:
    """One each, once, however often the list is imported."""
    path = shell.file("email\nada@example.com\nben@example.com\n")
    assert shell("import", path) == 0
    assert shell("import", path) == 0

    assert letters(database) == [ADA, BEN]
    assert "2 left as they are: each is waiting for their own confirmation" in shell.out


def test_import_asks_before_writing_to_many(shell: Shell, database: Database) -> None:
    """More than 500 letters need --yes; a basis or a dry run needs none."""
    path = shell.file("email\n" + "".join(f"p{number}@example.com\n" for number in range(501)))
    assert shell("import", path) == 2
    assert "501 people would get a confirmation letter" in shell.err
    assert states(database) == {}

    assert shell("import", path, "--dry-run") == 0
    assert "nothing written" in shell.out
    assert "501 confirmation letters would be owed" in shell.out
    assert states(database) == {}

    assert shell("import", path, "--yes") == 0
    assert len(letters(database)) == 501
    assert shell("import", path) == 0


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Gives the next command its standard input through a pipe, which can be read only once."""
    with ExitStack() as pipes:

        def pipe(text: str) -> None:
            reading, writing = os.pipe()
            with os.fdopen(writing, "w") as into:
                into.write(text)
            monkeypatch.setattr(sys, "stdin", pipes.enter_context(os.fdopen(reading)))

        yield pipe


@pytest.mark.parametrize("options", [[], ["--yes"], ["--confirmed-by", "fair"]])
def test_import_reads_standard_input(
    shell: Shell, database: Database, piped: Callable[[str], None], options: list[str]
) -> None:
    """Whether its letters are counted first or not; everybody on it is brought in, and the proof says from where."""
    piped(f"email\n{ADA}\n{BEN}\n")
    assert shell("import", "-", *options) == 0

    assert set(states(database)) == {ADA, BEN}
    with database.reading() as session:
        assert set(session.scalars(sa.select(ConsentEvent.source))) == {"import of standard input, command line"}


def test_import_of_standard_input_asks_before_writing_to_many(
    shell: Shell, database: Database, piped: Callable[[str], None]
) -> None:
    """As of a file: nobody is written to without --yes."""
    many = "email\n" + "".join(f"p{number}@example.com\n" for number in range(501))
    piped(many)
    assert shell("import", "-") == 2
    assert "501 people would get a confirmation letter" in shell.err
    assert states(database) == {}

    piped(many)
    assert shell("import", "-", "--yes") == 0
    assert len(letters(database)) == 501


def test_import_of_exactly_as_many_as_allowed_does_not_ask(shell: Shell, database: Database) -> None:
    """500 letters are not yet many."""
    path = shell.file("email\n" + "".join(f"p{number}@example.com\n" for number in range(500)))

    assert shell("import", path) == 0
    assert len(letters(database)) == 500


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("name\nAda\n", "no column called email")])
def test_import_of_something_else_is_refused(shell: Shell, text: str, said: str) -> None:
    """One sentence, exit code 1."""
    assert shell("import", shell.file(text)) == 1
    assert said in shell.err
    assert len(shell.err.splitlines()) == 1


def test_import_of_bad_lines_only_could_not_be_done(shell: Shell) -> None:
    """Exit code 1 when no line was good, 0 when there was no line at all."""
    assert shell("import", shell.file("email\nbad\nworse\n")) == 1
    assert shell("import", shell.file("email\n")) == 0


def test_import_takes_the_operators_basis_in_words(shell: Shell) -> None:
    """An empty basis is wrong usage."""
    assert shell("import", shell.file("email\nada@example.com\n"), "--confirmed-by", "") == 2
    assert "--confirmed-by" in shell.err


def test_export_is_what_import_takes(shell: Shell, cast: Database) -> None:
    """CSV, JSON Lines and one JSON array hold the same people; --state narrows all of them."""
    assert shell("export") == 0
    from_csv = [row["email"] for row in csv.DictReader(io.StringIO(shell.out))]
    path = shell.file(shell.out)
    assert shell("export", "--format", "jsonl") == 0
    from_lines = [json.loads(line)["email"] for line in shell.out.splitlines()]
    from_array = [each["email"] for each in shell.json("export")]

    assert from_csv == from_lines == from_array == [ADA, BEN, CLEO, DOV]
    assert [each["email"] for each in shell.json("export", "--state", "active")] == [ADA]
    again = shell.json("import", path)
    assert (again["dialect"], again["unchanged"], again["left_there"]) == ("our own export", 1, 3)


def test_hostile_names_do_not_reach_the_terminal_or_a_spreadsheet(shell: Shell) -> None:
    """No escape sequence, markup or formula survives the way in and out."""
    shell("add", ADA, "--confirmed-by", "fair", "--name", "=1+1 \x1b[31m[bold]\r\nred")

    assert shell("list") == 0
    assert shell.out.rstrip().endswith("=1+1 [31m[bold] red")
    assert shell("export") == 0
    assert ",'=1+1 [31m[bold] red," in shell.out


def test_list_finds_people_as_a_search_does(shell: Shell, cast: Database) -> None:
    """By any part of the address or the name, and in one state."""
    shell("add", "erin@example.com", "--confirmed-by", "fair", "--name", "Érin Straße")

    assert [each["email"] for each in shell.json("list", "--containing", "éRIN STRASSE")] == ["erin@example.com"]
    assert [each["email"] for each in shell.json("list", "--containing", "EXAMPLE.ORG")] == [CLEO, DOV]
    assert [each["email"] for each in shell.json("list", "--containing", "example", "--state", "pending")] == [BEN]
    assert shell.json("list", "--containing", "%%%") == []


def test_show_tells_which_letters_somebody_was_written(shell: Shell, database: Database) -> None:
    """The kind, when it was owed, and how far it is."""
    shell("add", ADA)

    assert [(each["kind"], each["state"]) for each in shell.json("show", ADA)["letters"]] == [("confirm", "queued")]
    assert shell("show", ADA) == 0
    assert "letter “confirm”: queued" in shell.out


def test_erase_leaves_nothing_but_the_refusal(shell: Shell, database: Database) -> None:
    """Gone with their letters; nobody but themselves can bring them back: `add` and `import` are told why not."""
    shell("add", ADA, BEN)
    assert shell("erase", ADA) == 2
    assert "--yes" in shell.err
    assert set(states(database)) == {ADA, BEN}

    assert shell.json("erase", " ADA@example.com", "--yes") == {"email": ADA, "erased": True}
    assert set(states(database)) == {BEN}
    assert letters(database) == ["", BEN]
    assert shell("erase", ADA, "--yes") == 1
    assert shell.err == f"Nobody here has the address {ADA}.\n"

    assert shell("add", ADA, "--confirmed-by", "fair") == 1
    assert "This address was erased; only their own sign-up and confirmation brings them back." in shell.out
    why = "was erased; only their own sign-up and confirmation brings them back"
    assert shell.json("import", shell.file(f"email\n{ADA}\n"))["unchanged_by"] == {why: 1}
    assert set(states(database)) == {BEN}
