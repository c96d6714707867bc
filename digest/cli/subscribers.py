"""`digest subscribers …`: people and their consent, from the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from digest import postman
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from subscribers import addresses, consent

app = typer.Typer(no_args_is_help=True, help="People and their consent.")


@app.command()
def add(
    emails: Annotated[list[str], typer.Argument(metavar="EMAIL…")],
    confirmed_by: Annotated[str | None, typer.Option("--confirmed-by", help="How they agreed, in words.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add people: active with a basis of consent, else pending and owed a confirmation letter."""
    now = console.real_now()
    done = []
    with opened() as services, services.database.writing() as session:
        for email in emails:
            newcomer = consent.Newcomer(addresses.parse(email))
            outcome = consent.add(session, newcomer, basis=confirmed_by, now=now, source="command line")
            if outcome.letter:
                postman.queue(session, outcome.letter, now=now)
            done.append({"email": outcome.subscriber.email, "state": outcome.subscriber.state, "why": outcome.why})
    if as_json:
        console.print_json(done)
        return
    for each in done:
        console.say(f"{each['email']} is {each['state']}: {each['why']}")
