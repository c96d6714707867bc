"""`digest subscribers import` and `export`: whole lists of people."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO

import orjson
import typer
from sqlalchemy.orm import Session

from digest import postman
from digest.bootstrap import Services
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.errors import DigestError
from subscribers import consent, roster, transfer
from subscribers.errors import PeopleError
from subscribers.letters import LetterOwed
from subscribers.policy import State
from subscribers.spreadsheets import BadLine
from subscribers.transfer import Report

OnLine = Callable[[BadLine], None]

SHELL = "command line"
MANY_LETTERS = 500
STDIN = Path("-")

ConfirmedBy = Annotated[
    str | None, typer.Option("--confirmed-by", metavar="TEXT", help="The basis of consent: how they agreed, in words.")
]
InState = Annotated[State | None, typer.Option("--state", help="Only people in this state.")]


def _is_there(file: Path) -> Path:
    # The checks of typer's own paths take "-" for the name of a file.
    if file != STDIN and not file.exists():
        raise typer.BadParameter(f"there is no file {file}.")
    if file != STDIN and (file.is_dir() or not os.access(file, os.R_OK)):
        raise typer.BadParameter(f"{file} is a folder, or cannot be read.")
    return file


ListFile = Annotated[Path, typer.Argument(metavar="FILE", callback=_is_there, help="A CSV file, or - for stdin.")]


class Form(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    JSONL = "jsonl"


class Unusable(DigestError):
    """What was given cannot be used."""


class TooManyLetters(console.WrongUsage):
    """That would write to many people at once."""


def bring_in(
    file: ListFile,
    confirmed_by: ConfirmedBy = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report by line and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"Write to more than {MANY_LETTERS} people.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring in a CSV list with an email column (and perhaps name, topics, created_at). Safe to run again.

    The exports of listmonk, Mailchimp, Ghost, Substack and Buttondown are taken as they are; whom they do not show as
    subscribed is left there.
    """
    bad: list[BadLine] = []
    left: list[BadLine] = []
    must_ask = confirmed_by is None and not (dry_run or yes)
    with opened() as services, _readable(file, twice=must_ask) as stream:
        if must_ask:
            _ask_before_writing_to_many(services, file, stream)
        # Said as they come, so that a list of nothing but bad lines needs no memory either.
        on_bad, on_left_there = (
            (bad.append, left.append) if as_json else (_say_line, _say_line if dry_run else _nothing)
        )
        report = _brought_in(
            services, file, stream, basis=confirmed_by, on_bad=on_bad, on_left_there=on_left_there, dry_run=dry_run
        )
    if as_json:
        lines = {"bad_lines": bad, "left_there_lines": left}
        console.print_json({"dry_run": dry_run, **_counted(report), **lines})
    else:
        _print_report(report, dry_run=dry_run)
    stop_unless_whole(bad=report.bad, of=report.lines)


def export(
    state: InState = None,
    form: Annotated[Form, typer.Option("--format", help="csv is safe to open in a spreadsheet.")] = Form.CSV,
    as_json: AsJson = False,
) -> None:
    """Everybody's record to standard output, as CSV, JSON Lines or (--json) one JSON array."""
    with opened() as services, services.database.reading() as session:
        people = roster.everybody(session, state=state)
        if as_json:
            print_array(map(transfer.record, people))
        elif form is Form.JSONL:
            sys.stdout.writelines(f"{_json(transfer.record(person))}\n" for person in people)
        else:
            transfer.write_csv(people, sys.stdout)


@contextmanager
def _readable(file: Path, *, twice: bool) -> Iterator[BinaryIO]:
    """The list from its beginning. What can be read only once, such as a pipe, is copied first where that is needed."""
    with nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb") as stream:
        if not twice or (file != STDIN and file.is_file()):
            yield stream
            return
        with TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            yield copy


def _nothing(_: BadLine) -> None:
    """Counted, and that is enough."""


def _ask_before_writing_to_many(services: Services, file: Path, stream: BinaryIO) -> None:
    """A list without a basis of consent writes to everybody on it: count them first, and go back to its beginning."""
    letters = _brought_in(services, file, stream, basis=None, dry_run=True).letters
    stream.seek(0)
    if letters <= MANY_LETTERS:
        return
    said = f"{letters:,} people would get a confirmation letter."
    if not sys.stdin.isatty():
        raise TooManyLetters(f"{said} Add --yes to write to them, or --confirmed-by with the basis of their consent.")
    typer.confirm(f"{said} Write to them?", abort=True, err=True)


def _brought_in(
    services: Services,
    file: Path,
    stream: BinaryIO,
    *,
    basis: str | None,
    on_bad: OnLine = _nothing,
    on_left_there: OnLine = _nothing,
    dry_run: bool,
) -> Report:
    now = console.real_now()
    name = "standard input" if file == STDIN else file.name
    what = "checking" if dry_run else "bringing in"
    with console.progress_bar(f"{what} {name}", None) as advance:
        try:
            return transfer.bring_in(
                services.database,
                stream,
                basis=basis,
                now=now,
                source=f"import of {name}, {SHELL}",
                owe=lambda session, letters: owe(session, letters, now),
                on_bad=on_bad,
                on_left_there=on_left_there,
                on_chunk=advance,
                dry_run=dry_run,
            )
        except consent.NoBasis as why:
            raise console.WrongUsage(f"--confirmed-by: {why}") from None
        except PeopleError as why:
            raise Unusable(str(why)) from None


def _say_line(line: BadLine) -> None:
    console.note(f"line {line.line}: {line.reason}")


def _counted(report: Report) -> dict[str, Any]:
    return {
        "dialect": report.dialect,
        "lines": report.lines,
        "added": report.added,
        "confirmed": report.confirmed,
        "unchanged": report.unchanged.total(),
        "unchanged_by": dict(report.unchanged),
        "left_there": report.left_there.total(),
        "left_there_by": dict(report.left_there),
        "duplicates": report.duplicates,
        "bad": report.bad,
        "letters": report.letters,
    }


def _print_report(report: Report, *, dry_run: bool) -> None:
    counted = _counted(report)
    words = {"left_there": "left there"}
    parts = [
        f"{counted[part]:,} {words.get(part, part)}"
        for part in ("added", "confirmed", "unchanged", "left_there", "duplicates", "bad")
        if counted[part] or part not in words
    ]
    console.say(f"{'nothing written: ' if dry_run else ''}{report.lines:,} lines: {', '.join(parts)}")
    for why, people in report.unchanged.most_common():
        console.say(f"  {people:,} left as they are: each {why}")
    for why, people in report.left_there.most_common():
        console.say(f"  {people:,} left there ({report.dialect}): each {why}")
    if report.letters:
        console.say(f"  {report.letters:,} confirmation letters {'would be owed' if dry_run else 'owed'}")
    if report.caution:
        console.note(report.caution)


def owe(session: Session, letters: Sequence[LetterOwed], now: datetime) -> None:
    """Queue them in the transaction that gives the reason."""
    postman.queue_all(session, letters, now=now)


def stop_unless_whole(*, bad: int, of: int) -> None:
    """End with the exit code for inputs of which some, or all, were bad."""
    if bad:
        console.stop(console.COULD_NOT if bad == of else console.IN_PART)


def _json(record: dict[str, Any]) -> str:
    return orjson.dumps(record).decode()


def print_array(records: Iterable[dict[str, Any]]) -> None:
    """One JSON array, written as it is read: a million people need no memory."""
    sys.stdout.writelines(_array_lines(records))


def _array_lines(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for number, record in enumerate(records):
        yield f"{',' if number else ''}\n{_json(record)}"
    yield "\n]\n"
