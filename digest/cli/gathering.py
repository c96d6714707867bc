"""`digest ingest` and `digest comparisons`: take pages in, and list what has been taken in."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import typer

from digest import gathering, intake, library
from digest.cli import console
from digest.cli.console import AsJson, At
from digest.cli.services import opened

comparisons = typer.Typer(invoke_without_command=True, help="What has been taken in.")

ORDER: tuple[gathering.News, ...] = ("new", "changed", "unchanged", "withdrawn", "bad")


def ingest(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="Files, folders, addresses, or - for stdin.")],
    url: Annotated[str | None, typer.Option("--url", help="The address of a single stored page.")] = None,
    as_json: AsJson = False,
    now: At = None,
) -> None:
    """Take in comparisons; prints what is new, changed, unchanged or bad, with reasons."""
    at = console.editorial_now(now)
    if url is not None and len(sources) != 1:
        raise console.WrongUsage("--url gives the address of one stored page; name exactly one source with it.")
    outcomes: list[gathering.Outcome] = []
    with opened() as services, gathering.fetcher_of(services.settings) as fetcher:
        for source in sources:
            for outcome in gathering.gather(
                services.database, source, fetcher=fetcher, now=at, url=url, stdin=sys.stdin.buffer
            ):
                outcomes.append(outcome)
                if not as_json:
                    console.say(_line(outcome))
    counted = Counter(outcome.news for outcome in outcomes)
    if as_json:
        console.print_json(
            {
                **{news: counted[news] for news in ORDER},
                "found": [{"name": o.name, "news": o.news, "why": o.why} for o in outcomes],
            }
        )
    else:
        console.say(", ".join(f"{counted[news]} {news}" for news in ORDER if counted[news]) or "nothing found")
    good = sum(counted[news] for news in ORDER if news != "bad")
    if counted["bad"]:
        console.stop(console.IN_PART if good else console.COULD_NOT)
    if not good:
        console.stop(console.COULD_NOT)


def _line(outcome: gathering.Outcome) -> str:
    return f"{outcome.news:<9}  {outcome.name}{': ' + outcome.why if outcome.why else ''}"


@comparisons.callback()
def listed(
    context: typer.Context,
    since: Annotated[str | None, typer.Option("--since", metavar="ISO8601", help="First seen from then on.")] = None,
    as_json: AsJson = False,
) -> None:
    """What has been taken in, newest first; --json in the machine shape that `ingest` reads."""
    if context.invoked_subcommand is not None:
        return
    with opened() as services, services.database.reading() as session:
        found = library.listed(session, since=_since(since))
    if as_json:
        console.print_json([_document(each) for each in found])
        return
    for each in found:
        name = each.facts.slug or "(address not known)"
        marks = " · withdrawn" if each.facts.withdrawn else ""
        console.say(f"{each.first_seen_at:%Y-%m-%d %H:%M}  {each.facts.headline}  {name}{marks}")
    console.note(f"{len(found)} comparisons")


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise console.WrongUsage(f'--since takes a day or time such as 2026-11-19, got "{text}"') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=console.real_now().tzinfo)


def _document(found: library.Found) -> dict[str, Any]:
    return found.stated.model_dump(mode="json", exclude_none=True)


@comparisons.command()
def withdraw(slug: str, why: Annotated[str, typer.Option("--why", help="Kept with it.")]) -> None:
    """Take a comparison out of every edition not yet handed over."""
    with opened() as services, services.database.writing() as session:
        comparison = intake.withdraw(session, slug, why=why, by="command line", now=console.real_now())
        console.say(f"{comparison.slug} is withdrawn: {why}")
