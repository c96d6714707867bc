"""`digest staff …`: who gets notices, who signs in, and which programs may do what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from digest import staff
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.models import ApiToken, Role, Staff
from digest.staff import sessions, tokens
from subscribers.links import SIGN_IN_WITHIN

app = typer.Typer(no_args_is_help=True, help="People who look after the newsletter, and programs that help them.")

NO_ADMIN = "nobody on the staff can administer now; whoever shall: digest staff add EMAIL --role admin"

Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Scopes = Annotated[list[str], typer.Option("--scope", help=f"One of {', '.join(tokens.SCOPES)}; may come again.")]


@app.command()
def add(
    email: Email, role: Annotated[Role, typer.Option("--role", help="What they may do.")], as_json: AsJson = False
) -> None:
    """Put somebody on the staff, or change their role."""
    with opened() as services, _usage(), services.database.writing() as session:
        could_administer = _somebody_can_administer(session)
        added = _described(staff.add_staff(session, email, role, now=console.real_now()))
        was_last = could_administer and not _somebody_can_administer(session)
    if as_json:
        console.print_json(added)
    else:
        console.say(f"{added['email']} is on the staff as {added['role']}")
    if was_last:
        console.note(NO_ADMIN)


@app.command()
def link(email: Email, as_json: AsJson = False) -> None:
    """Print a way in for somebody on the staff: it works once, within 15 minutes, and needs no mail."""
    with opened() as services, _usage(), services.database.writing() as session:
        now = console.real_now()
        somebody = staff.member(session, email)
        url = sessions.sign_in_url(session, services.links, somebody, now)
    if as_json:
        console.print_json({"email": somebody.email, "url": url, "expires_at": now + SIGN_IN_WITHIN})
    else:
        console.say(url)
        console.note(f"whoever opens it within 15 minutes is signed in as {somebody.email}, once")


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
    """Take somebody off the staff, and out of every browser they are signed in with."""
    with opened() as services, _usage(), services.database.writing() as session:
        could_administer = _somebody_can_administer(session)
        removed = _described(staff.remove_staff(session, email, now=console.real_now()))
        was_last = could_administer and not _somebody_can_administer(session)
    if as_json:
        console.print_json(removed)
    else:
        console.say(f"{removed['email']} is no longer on the staff")
    if was_last:
        console.note(NO_ADMIN)


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the program is called.")],
    scope: Scopes,
    as_json: AsJson = False,
) -> None:
    """Make a token for a program. It is shown here, once, and kept nowhere."""
    with opened() as services, _usage(), services.database.writing() as session:
        made, text = tokens.make(session, name, scope, now=console.real_now())
    if as_json:
        console.print_json({**_token(made), "token": text})
    else:
        console.say(text)
        console.note(f"token {made.id} for {made.name}, good for {', '.join(made.scopes)}; it is not shown again")


@app.command(name="tokens")
def listed_tokens(as_json: AsJson = False) -> None:
    """Every token, without its text."""
    with opened() as services, services.database.reading() as session:
        found = [_token(each) for each in tokens.every(session)]
    if as_json:
        console.print_json(found)
        return
    for each in found:
        used = f"{each['last_used_at']:%Y-%m-%d %H:%M}" if each["last_used_at"] else "never"
        ended = f"revoked {each['revoked_at']:%Y-%m-%d}" if each["revoked_at"] else f"last used {used}"
        console.say(f"{each['id']:>4}  {each['name']}  {', '.join(each['scopes'])}  {ended}")
    if not found:
        console.note("none yet: digest staff token NAME --scope editions:read")


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="As `digest staff tokens` has it.")],
    as_json: AsJson = False,
) -> None:
    """Make a token worthless."""
    with opened() as services, services.database.writing() as session:
        revoked = _token(tokens.revoke(session, number, now=console.real_now()))
    if as_json:
        console.print_json(revoked)
    else:
        console.say(f"token {revoked['id']} for {revoked['name']} is worth nothing any more")


@contextmanager
def _usage() -> Iterator[None]:
    """What nobody can be called, and what no token can be good for, is wrong usage."""
    try:
        yield
    except (staff.NotAnAddress, tokens.BadToken) as why:
        raise console.WrongUsage(str(why)) from None


def _somebody_can_administer(session: Session) -> bool:
    return any(staff.Right.ADMINISTER in staff.RIGHTS[each.role] for each in staff.on_staff(session))


def _described(person: Staff) -> dict[str, Any]:
    return {
        "email": person.email,
        "role": person.role,
        "added_at": person.added_at,
        "removed_at": person.removed_at,
    }


def _token(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "made_at": token.made_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
