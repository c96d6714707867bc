"""`digest events`: what the provider told, told again."""

from __future__ import annotations

from typing import Annotated

import typer

from digest import replaying_events
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened

app = typer.Typer(no_args_is_help=True, help="What the provider told of our mail.")


@app.callback()
def _commands() -> None:
    """Keeps `replay` a command of its own while it is the only one."""


@app.command()
def replay(
    check: Annotated[
        bool, typer.Option("--check", help="Compare and change nothing; exit 1 if something differs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell every stored event again: deliveries, batches and consent end as they say. Harmless to repeat."""
    with opened() as services:
        if not check:
            told = replaying_events.apply(services.database, now=console.real_now())
            if as_json:
                console.print_json({"events": told})
            else:
                console.say(f"{told:,} events told again")
            return
        found = replaying_events.check(services.database, now=console.real_now())
    if as_json:
        console.print_json({"events": found.events, "differences": found.count, "first": found.said})
    else:
        for sentence in found.said:
            console.say(sentence)
        if found.count > len(found.said):
            console.say(f"… and {found.count - len(found.said):,} more")
    if found.count:
        console.note("`digest events replay` mends what the events know; a time without an event is left as it is")
        console.stop(console.COULD_NOT)
    if not as_json:
        console.say(f"{found.events:,} events, and everything is as they say")
