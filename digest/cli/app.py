"""The `digest` command: its nouns, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys

import typer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from database import WriteLockTimeout
from digest.cli import console
from digest.errors import DigestError
from digest.settings import SettingsProblem
from subscribers.errors import PeopleError

app = typer.Typer(
    name="digest",
    help="The publisher of a weekly newsletter of AI tool verdicts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _register() -> None:
    from digest.cli import (
        audit,
        backup,
        batches,
        db,
        demo,
        doctor,
        edition,
        events,
        gathering,
        kill_switch,
        serve,
        staff,
        subscribers,
    )

    app.command()(demo.demo)
    app.command()(gathering.ingest)
    app.add_typer(gathering.comparisons, name="comparisons")
    app.add_typer(edition.app, name="edition")
    app.add_typer(batches.app, name="batches")
    app.add_typer(events.app, name="events")
    app.add_typer(kill_switch.app, name="kill-switch")
    app.add_typer(subscribers.app, name="subscribers")
    app.add_typer(staff.app, name="staff")
    app.add_typer(audit.app, name="audit")
    app.command()(doctor.doctor)
    app.add_typer(db.app, name="db")
    app.command()(backup.backup)
    app.command()(backup.restore)
    app.command()(serve.serve)


_register()


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Never a traceback: what went wrong is one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no “–” shows a question mark rather than ending the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code of one command."""
    try:
        code = app(args=arguments, standalone_mode=False)
    except typer.Abort:
        console.note("Stopped.")
        return 130
    except typer.TyperException as problem:
        show = getattr(problem, "show", None)
        if show:
            show()  # usage errors know the command they belong to, and say how to get its help
        else:
            console.note(problem.format_message())
        return console.WRONG_USAGE
    except (SettingsProblem, console.WrongUsage) as problem:
        console.note(str(problem))
        return console.WRONG_USAGE
    except (DigestError, PeopleError, WriteLockTimeout) as problem:
        console.note(str(problem))
        return console.COULD_NOT
    except BrokenPipeError:
        # Whoever read our output has read enough (`… | head`); nothing more is to be written, at exit neither.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open to the end
        return console.DONE
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
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename or 'The system'}: {problem.strerror}."
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
