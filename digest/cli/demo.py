"""`digest demo`: one command, a whole week, files to look at."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from digest import logs, rehearsal
from digest.cli import console
from digest.cli.serve import serve_services


def demo(
    directory: Annotated[Path, typer.Option("--dir", help="A fresh folder.", file_okay=False)] = Path("digest-demo"),
    serve: Annotated[bool, typer.Option("--serve", help="Then open the pages.")] = False,
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8000,
) -> None:
    """A whole week on sample pages, delivered to an outbox in a fresh folder."""
    logs.configure(None, quiet=True)
    services = rehearsal.services_in(directory, port=port)
    try:
        found = rehearsal.rehearse(services, directory.resolve(), clock=console.real_now, say=console.note)
        _say(found)
        if serve:
            console.say(f"sign in:      {rehearsal.way_in(services, now=console.real_now())}")
            serve_services(services, host="127.0.0.1", port=port, with_clock=True)
    finally:
        services.close()


def _say(found: rehearsal.Rehearsed) -> None:
    console.say("")
    console.say(f"{found.week}: {found.subject}")
    console.say("")
    console.say(f"  the mail       {found.preview / 'email.html'}")
    console.say(f"  its text part  {found.preview / 'email.txt'}")
    console.say(f"  as handed over {found.outbox}")
    console.say(f"  the ledger     {found.database}")
    console.say("")
    numbers = found.numbers
    sums = "the numbers add up" if numbers.adds_up else "THE NUMBERS DO NOT ADD UP"
    console.say(f"accepted {numbers.accepted} of {numbers.deliveries} deliveries; {sums}")
    command = _how_to_call()
    console.say(f"look around:  cd {shlex.quote(str(found.folder))} && {command} edition show {found.week}")


def _how_to_call() -> str:
    """The command as it can be typed from another folder, however this one was started."""
    if shutil.which("digest"):
        return "digest"
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m digest"
    return shlex.quote(str(Path(sys.argv[0]).resolve()))
