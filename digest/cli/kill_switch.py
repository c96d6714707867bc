"""`digest kill-switch`: no call to the provider begins any more, for editions and letters alike, until it is lifted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from digest import editions, pauses
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.models import Pause
from digest.staff import audit

app = typer.Typer(invoke_without_command=True, help="Stop every mail of every process at once, and start again.")

Why = Annotated[str, typer.Option("--why", help="Kept in the audit log.", callback=console.reason)]
By = Annotated[
    str, typer.Option("--by", metavar="EMAIL", help="Who does it; kept as given.", callback=console.somebody)
]


@app.callback()
def shown(context: typer.Context, as_json: AsJson = False) -> None:
    """Whether it is on, since when, by whom and why."""
    if context.invoked_subcommand is not None:
        return
    with opened() as services, services.database.reading() as session:
        pause = pauses.kill_switch(session)
    if as_json:
        console.print_json(_document(pause))
    elif pause is None:
        console.say("the kill switch is off: mails go out")
    else:
        console.say(f"the kill switch is on since {pause.since:%Y-%m-%d %H:%M:%S} UTC by {pause.by}: {pause.because}")


@app.command()
def on(why: Why, by: By = editions.NAMELESS) -> None:
    """No call begins any more, within five seconds in every process; those under way are answered."""
    with opened() as services:
        now = console.real_now()
        with services.database.writing() as session:
            pauses.kill(session, because=why, by=by, now=now)
            _note(session, "kill switch on", why, now)
    console.say("the kill switch is on: nothing goes out, no letter either")
    console.note("calls that had begun are still answered; `digest kill-switch off --why TEXT` lifts it")


@app.command()
def off(why: Why) -> None:
    """Mails go out again."""
    with opened() as services, services.database.writing() as session:
        pauses.lift(session)
        _note(session, "kill switch off", why, console.real_now())
    console.say("the kill switch is off: mails go out again")


def _document(pause: Pause | None) -> dict[str, Any]:
    if pause is None:
        return {"on": False, "since": None, "by": None, "why": None}
    return {"on": True, "since": pause.since, "by": pause.by, "why": pause.because}


def _note(session: Session, what: str, why: str, now: datetime) -> None:
    audit.note(session, by=audit.COMMAND_LINE, what=what, about=None, now=now, why=audit.without_addresses(why))
