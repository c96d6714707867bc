"""`digest staff …`: who gets notices and test mails."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from digest import staff
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.models import Role, Staff

app = typer.Typer(no_args_is_help=True, help="People who look after the newsletter.")

Email = Annotated[str, typer.Argument(metavar="EMAIL")]


@app.command()
def add(
    email: Email, role: Annotated[Role, typer.Option("--role", help="What they may do.")], as_json: AsJson = False
) -> None:
    """Put somebody on the staff, or change their role."""
    with opened() as services, services.database.writing() as session:
        added = _described(staff.add_staff(session, email, role, now=console.real_now()))
    if as_json:
        console.print_json(added)
    else:
        console.say(f"{added['email']} is on the staff as {added['role']}")


@app.command(name="list")
def listed(as_json: AsJson = False) -> None:
    """Everybody on the staff."""
    with opened() as services, services.database.reading() as session:
        people = [_described(each) for each in staff.on_staff(session)]
    if as_json:
        console.print_json(people)
        return
    for each in people:
        console.say(f"{each['role']:<9} {each['email']}  since {each['added_at']:%Y-%m-%d}")
    if not people:
        console.note("nobody yet: digest staff add EMAIL --role admin")


@app.command()
def remove(email: Email, as_json: AsJson = False) -> None:
    """Take somebody off the staff."""
    with opened() as services, services.database.writing() as session:
        removed = _described(staff.remove_staff(session, email, now=console.real_now()))
    if as_json:
        console.print_json(removed)
    else:
        console.say(f"{removed['email']} is no longer on the staff")


def _described(person: Staff) -> dict[str, Any]:
    return {
        "email": person.email,
        "role": person.role,
        "added_at": person.added_at,
        "removed_at": person.removed_at,
    }
