"""`digest subscribers …`: people and their consent, from the command line."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from sqlalchemy.orm import Session

from digest.bootstrap import Services
from digest.cli import console, subscriber_lists
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.cli.subscriber_lists import SHELL, ConfirmedBy, InState, Unusable, owe, print_array, stop_unless_whole
from digest.errors import DigestError
from digest.models import Letter
from digest.people import erasing
from subscribers import addresses, consent, roster, transfer
from subscribers.addresses import BadAddress
from subscribers.consent import Newcomer, Outcome
from subscribers.models import Subscriber
from subscribers.policy import Act, State

app = typer.Typer(no_args_is_help=True, help="People and their consent.")

RECENTLY = timedelta(days=30)

Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept with the person's record.")]


class NotOurs(DigestError):
    """This token is not one of ours, or the person it was made for is gone."""


class Unknown(DigestError):
    """Nobody here has that address."""


app.command(name="import")(subscriber_lists.bring_in)
app.command()(subscriber_lists.export)


@app.command()
def add(
    emails: Annotated[list[str], typer.Argument(metavar="EMAIL…")],
    confirmed_by: ConfirmedBy = None,
    name: Annotated[str | None, typer.Option("--name", help="For one address.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add people: active with a basis of consent, else pending and owed a confirmation letter."""
    if name and len(emails) > 1:
        raise console.WrongUsage("--name goes with one address.")
    now = console.real_now()
    with opened() as services, services.database.writing() as session:
        done = [_added(session, email, confirmed_by, name, now) for email in emails]
    if as_json:
        console.print_json(done)
    else:
        for each in done:
            console.say(f"{each['state'] or 'not added':<12} {each['email']}  {each['why']}")
    refused = [each for each in done if each["state"] not in (State.PENDING, State.ACTIVE)]
    stop_unless_whole(bad=len(refused), of=len(done))


@app.command(name="list")
def listed(
    state: InState = None,
    containing: Annotated[str, typer.Option("--containing", help="Part of the address or the name.")] = "",
    as_json: AsJson = False,
) -> None:
    """Everybody, in the order they came."""
    with opened() as services, services.database.reading() as session:
        people = roster.everybody(session, state=state, containing=containing)
        if as_json:
            print_array(map(transfer.record, people))
            return
        for person in people:
            console.say(f"{person.state:<12} {person.created_at:%Y-%m-%d}  {_named(person)}")


@app.command()
def show(email: Email, as_json: AsJson = False) -> None:
    """One person's record, with the proof of their consent."""
    with opened() as services, services.database.reading() as session:
        dossier = roster.dossier(session, _person(session, email))
        letters = _letters(session, dossier.subscriber)
    record = transfer.record(dossier.subscriber)
    events = [
        {
            "happened_at": event.happened_at,
            "kind": event.kind,
            "source": event.source,
            "wording": event.wording,
            "ip": event.ip,
            "user_agent": event.user_agent,
        }
        for event in dossier.events
    ]
    if as_json:
        console.print_json({**record, "events": events, "letters": letters})
        return
    for field, value in record.items():
        console.say(f"{field.replace('_', ' '):<19} {_shown(value)}")
    for event in events:
        seen = ", ".join(str(event[part]) for part in ("source", "wording", "ip", "user_agent") if event[part])
        console.say(f"{event['happened_at']:%Y-%m-%d %H:%M}    {event['kind']}: {seen}")
    for letter in letters:
        console.say(f"{letter['queued_at']:%Y-%m-%d %H:%M}    letter “{letter['kind']}”: {letter['state']}")


@app.command()
def unsubscribe(
    email: Annotated[str | None, typer.Argument(metavar="[EMAIL]")] = None,
    token: Annotated[str | None, typer.Option("--token", help="Of an unsubscribe link, or the link itself.")] = None,
    as_json: AsJson = False,
) -> None:
    """Unsubscribe one person. Nothing but their own new confirmation brings them back."""
    if (email is None) == (token is None):
        raise console.WrongUsage("Give an address or a --token: one of the two.")
    with opened() as services, services.database.writing() as session:
        person = _person(session, email) if email else _person_of(session, services, token or "")
        source = SHELL if email else f"unsubscribe token, {SHELL}"
        outcome = consent.unsubscribe(session, person, now=console.real_now(), source=source)
    _print_outcome(outcome, as_json=as_json)


@app.command()
def suppress(email: Email, why: Why, as_json: AsJson = False) -> None:
    """Never write to this person again, whoever asks for it."""
    with opened() as services, services.database.writing() as session:
        person = _person(session, email)
        outcome = consent.suppress(session, person, Act.SUPPRESS, because=why, now=console.real_now(), source=SHELL)
    _print_outcome(outcome, as_json=as_json)


@app.command()
def lift(email: Email, why: Why, as_json: AsJson = False) -> None:
    """Take back a suppression, never one after a complaint. Whoever said no stays unsubscribed."""
    now = console.real_now()
    with opened() as services, services.database.writing() as session:
        outcome = consent.lift(session, _person(session, email), because=why, now=now, source=SHELL)
        owe(session, [outcome.letter] if outcome.letter else [], now)
    _print_outcome(outcome, as_json=as_json)
    if not outcome.changed:
        console.stop(console.COULD_NOT)


@app.command()
def erase(
    email: Email,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove everything held about one person. Only their own sign-up and confirmation brings them back."""
    with opened() as services:
        with services.database.reading() as session:
            address = _person(session, email).email
        if not yes:
            _ask_before_erasing(address)
        with services.database.writing() as session:
            try:
                erasing.erase(session, _person(session, email), now=console.real_now(), by=SHELL)
            except consent.Gone:
                raise Unknown(f"Nobody here has the address {email}.") from None
    if as_json:
        console.print_json({"email": address, "erased": True})
    else:
        console.say(f"{'erased':<12} {address}")


@app.command()
def stats(as_json: AsJson = False) -> None:
    """How many people are in each state, and what happened in the last 30 days."""
    with opened() as services, services.database.reading() as session:
        counts = roster.counts(session)
        recent = roster.events_since(session, console.real_now() - RECENTLY)
    if as_json:
        by_state = {state.value: people for state, people in counts.items()}
        console.print_json({**by_state, "total": sum(counts.values()), "last_30_days": recent})
        return
    for state, people in counts.items():
        console.say(f"{state:<12} {people:>9,}")
    console.say(f"{'total':<12} {sum(counts.values()):>9,}")
    if recent:
        console.say("in the last 30 days: " + ", ".join(f"{times:,} {kind}" for kind, times in recent.items()))


def _ask_before_erasing(address: str) -> None:
    if not sys.stdin.isatty():
        raise console.WrongUsage("Erasing cannot be undone. Add --yes to do it without being asked.")
    typer.confirm(f"Everything held about {address} will be gone for good. Erase it?", abort=True, err=True)


def _added(session: Session, email: str, basis: str | None, name: str | None, now: datetime) -> dict[str, Any]:
    try:
        newcomer = Newcomer(addresses.parse(email), name=name)
        outcome = consent.add(session, newcomer, basis=basis, now=now, source=SHELL)
    except (BadAddress, consent.AddressRefused) as why:
        return {"email": email, "state": None, "changed": False, "why": str(why)}
    except consent.NoBasis as why:
        raise console.WrongUsage(f"--confirmed-by: {why}") from None
    owe(session, [outcome.letter] if outcome.letter else [], now)
    return _said(outcome)


def _letters(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    theirs = sa.select(Letter).where(Letter.subscriber_id == person.id).order_by(Letter.id)
    return [
        {"kind": letter.kind, "queued_at": letter.queued_at, "state": letter.state.value}
        for letter in session.scalars(theirs)
    ]


def _person(session: Session, email: str) -> Subscriber:
    try:
        person = roster.find(session, email)
    except BadAddress as why:
        raise Unusable(str(why)) from None
    if person is None:
        raise Unknown(f"Nobody here has the address {email}.")
    return person


def _person_of(session: Session, services: Services, token: str) -> Subscriber:
    link_id = services.links.read_unsubscribe(token.strip().rpartition("/")[2])
    person = roster.by_link_id(session, link_id) if link_id else None
    if person is None:
        raise NotOurs
    return person


def _print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    said = _said(outcome)
    if as_json:
        console.print_json(said)
    else:
        console.say(f"{said['state']:<12} {said['email']}  {said['why']}")


def _said(outcome: Outcome) -> dict[str, Any]:
    person = outcome.subscriber
    return {"email": person.email, "state": person.state, "changed": outcome.changed, "why": outcome.why}


def _named(person: Subscriber) -> str:
    return f"{person.email}  {person.name}" if person.name else person.email


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, list):
        return ", ".join(value) or "all"
    return {None: "–", True: "yes", False: "no"}.get(value, str(value))
