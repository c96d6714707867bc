"""The `digest` command: its nouns, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import sys

import click
import typer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from database import WriteLockTimeout
from digest.cli import console
from digest.errors import DigestError
from digest.settings import SettingsProblem

app = typer.Typer(
    name="digest",
    help="The publisher of a weekly newsletter of AI tool verdicts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _register() -> None:
    from digest.cli import subscribers

    app.add_typer(subscribers.app, name="subscribers")


_register()


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Never a traceback: what went wrong is one sentence on stderr."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code of one command."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except click.exceptions.Abort:
        console.note("Stopped.")
        return 130
    except click.ClickException as problem:
        problem.show()
        return console.WRONG_USAGE
    except (SettingsProblem, console.WrongUsage) as problem:
        console.note(str(problem))
        return console.WRONG_USAGE
    except (DigestError, WriteLockTimeout) as problem:
        console.note(str(problem))
        return console.COULD_NOT
    except (SQLAlchemyError, OSError) as problem:
        console.note(_in_one_sentence(problem))
        return console.COULD_NOT
    return code if isinstance(code, int) else console.DONE


def _in_one_sentence(problem: SQLAlchemyError | OSError) -> str:
    if isinstance(problem, DBAPIError):
        first = str(problem.orig).strip().splitlines()[0]
        missing = "no such table" in first or "does not exist" in first
        mend = "run `digest db upgrade`" if missing else "see `digest doctor`"
        return f"The database said: {first} ({mend})."
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
