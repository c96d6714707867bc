"""What every command shares: results to stdout, progress and complaints to stderr, and the exit codes.

0 done · 1 could not be done · 2 wrong usage or settings · 3 done in part.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from digest.errors import DigestError
from digest.staff import audit
from subscribers.texts import one_line, shortened

LONGEST_REASON = 500

DONE, COULD_NOT, WRONG_USAGE, IN_PART = 0, 1, 2, 3

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
At = Annotated[
    str | None,
    typer.Option("--now", metavar="ISO8601", help="Move the editorial clock only: a rehearsal's time."),
]

# As logs name staff, tokens and the parts of the program: nobody passes for one of them.
_OUR_NAMES = re.compile(r"(staff|token|import|the)( .*)?|command line|automatic approval|intake|themselves|demo")


class WrongUsage(DigestError):
    """That is not how this command is used."""


def print_json(document: Any) -> None:
    """One JSON document on stdout, whatever the terminal."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def say(text: str) -> None:
    """A result, printed as it is: names may hold brackets that rich would read as markup."""
    out.print(text, markup=False)


def note(text: str) -> None:
    """Progress and remarks: not part of the result."""
    err.print(text, markup=False)


def somebody(context: typer.Context, option: typer.CallbackParam, given: str) -> str:
    """Who `--by` names, without the spaces around it. Raises WrongUsage where it names nobody, or the program."""
    source = context.get_parameter_source(option.name or "")
    if source is not None and source.name == "DEFAULT":
        return given
    who = one_line(given)
    if not who:
        raise WrongUsage("--by says who does this; it cannot be empty.")
    if _OUR_NAMES.fullmatch(unicodedata.normalize("NFKC", who).casefold()):
        raise WrongUsage(f'--by names a person, such as edda@example.com; "{who}" is a name this program gives itself.')
    return who


def reason(given: str) -> str:
    """Why, in one line without anybody's address: it is kept where no erasing reaches. Raises WrongUsage for none."""
    why = audit.without_addresses(shortened(given, LONGEST_REASON))
    if not why:
        raise WrongUsage("--why says why; it cannot be empty.")
    return why


def stop(code: int) -> NoReturn:
    raise typer.Exit(code)


def real_now() -> datetime:
    return datetime.now(UTC)


def editorial_now(at: str | None) -> datetime:
    """The time of a rehearsal, or the real one. Raises WrongUsage for text that is no time."""
    if at is None:
        return real_now()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise WrongUsage(f'--now takes a time such as 2026-11-19T18:00:00Z, got "{at}"') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Any]:
    """A bar on a terminal, nothing elsewhere. Yields a function that takes how many more are done."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
