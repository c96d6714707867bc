"""`digest audit …`: whether the log of what staff did is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.safekeeping import backups
from digest.staff import audit

app = typer.Typer(no_args_is_help=True, help="The log of what staff and programs did.")


@app.callback()
def _commands() -> None:
    """Keeps `verify` a command of its own while it is the only one."""


@app.command()
def verify(
    backup: Annotated[
        Path | None,
        typer.Option("--backup", exists=True, dir_okay=False, help="A backup whose last line must be there."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the whole log and say whether every line is as it was written."""
    kept = backups.read_info(backup).audit if backup else None
    with opened() as services, services.database.reading() as session:
        broken = audit.verify(session, kept=kept)
        head = audit.head(session)
    if as_json:
        wrong = {"line": broken.line, "why": broken.why} if broken else None
        console.print_json({"whole": broken is None, "lines": head.id, "head": head.hash, "broken": wrong})
    elif broken is None:
        console.say(f"{head.id} lines, all as they were written{f', {kept.id} of them in the backup' if kept else ''}")
    if broken is None and kept is None:
        console.note("whether lines at the end are missing shows only beside a backup: --backup FILE")
    if broken is not None:
        console.note(f"Line {broken.line} of the audit log is wrong: {broken.why}.")
        console.stop(console.COULD_NOT)
