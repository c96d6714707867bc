"""`digest backup` and `digest restore`: what is left when the database is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from digest import settings
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.safekeeping import backups, restoring
from digest.safekeeping.replaying import MOVED, Replayed
from digest.safekeeping.restoring import Restored
from digest.staff import audit

STAFF_ARE_BACK = "staff removed and tokens revoked since the backup are back: `digest staff list`"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.", dir_okay=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Although a backup of that name exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write one consistent snapshot of the database. It holds people's addresses: keep it where nobody else reads."""
    with opened() as services, _bar("backing up") as progress:
        info = backups.make(
            services,
            file,
            by=audit.COMMAND_LINE,
            now=console.real_now(),
            replace=replace,
            needed=settings.files_read(),
            progress=progress,
        )
    if as_json:
        console.print_json({"file": str(file), "made_at": info.made_at, "rows": info.counts})
        return
    people = info.counts["subscribers"]
    console.say(f"{file}: {people:,} subscribers, {info.counts['editions']:,} editions, {file.stat().st_size:,} bytes")
    console.note("It holds people's addresses: keep it where nobody else reads.")
    if info.journal:
        console.note("Keep the journal as long as you keep this file: a restore needs both.")
    else:
        console.note("No journal is kept here, so a restore could bring people back: see DIGEST_JOURNAL.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `digest backup` wrote.", dir_okay=False)],
    journals: Annotated[
        list[Path] | None,
        typer.Option("--journal", metavar="J", help="A journal besides the one of the settings; one for each host."),
    ] = None,
    no_journal: Annotated[
        bool, typer.Option("--no-journal", help="It is lost: whoever left since the backup may come back.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", "--yes", help="Although the database is not empty.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the database's place: every approved or sending edition halted, and the journals obeyed."""
    if journals and no_journal:
        raise console.WrongUsage("Say either --journal or --no-journal.")
    with opened(migrate=False) as services, _bar("restoring") as progress:
        done = restoring.restore(
            services,
            file,
            journals=journals or [],
            without_journal=no_journal,
            replace=replace,
            by=audit.COMMAND_LINE,
            now=console.real_now(),
            progress=progress,
        )
    if as_json:
        console.print_json(_document(done))
        return
    for line in _lines(done):
        console.say(line)
    for warning in done.warnings:
        console.note(f"Warning: {warning}")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of a hundred parts; a second pass over the same rows begins it anew."""
    shown = 0
    with console.progress_bar(f"{what}, in hundredths", 100) as advance:

        def tell(done: int, total: int) -> None:
            nonlocal shown
            part = 100 * done // max(total, 1)
            advance(part - shown)
            shown = part

        yield tell


def _document(done: Restored) -> dict[str, Any]:
    return {
        "made_at": done.info.made_at,
        "journals": [
            {"file": str(each.path), "last_line": each.last, "newer_lines": each.newer} for each in done.journals
        ],
        "lines_of_what_was_there": done.witness,
        "warnings": list(done.warnings),
        "halted": done.editions.halted,
        "never_again": done.editions.went_out,
        "skipped": done.editions.skipped,
        "drafts": done.editions.drafts,
        "uncertain_batches": done.editions.uncertain,
        "people": dict(done.people.became),
        "refused": done.people.refused,
        "confirmed_since": done.people.confirmed_since,
        "letters_given_up": done.editions.letters,
        "requests_dropped": done.editions.requests,
        "imports_failed": done.editions.imports,
        "staff": STAFF_ARE_BACK,
        "kept_aside": done.kept_aside and str(done.kept_aside),
    }


def _lines(done: Restored) -> Iterator[str]:
    editions, held = done.editions, done.info.counts["subscribers"]
    yield f"restored the backup of {done.info.made_at:%Y-%m-%d %H:%M} UTC, which holds {held:,} subscribers"
    for each in done.journals:
        last = f"its last line is of {each.last:%Y-%m-%d %H:%M} UTC" if each.last else "it has no line"
        yield f"journal {each.path}: {last}; {each.newer:,} lines were written after the backup was made"
    if done.witness is not None:
        yield f"what was there before was asked too: {done.witness:,} lines, as a journal would tell them"
    yield from _lines_of_people(done.people, is_told=bool(done.journals or done.witness))
    for week in editions.halted:
        yield f"{week} is halted: look at it, then `digest edition resume {week}` or `digest edition stop {week}`"
    for week in editions.went_out:
        yield f"{week} never goes out again: it may have gone out since; `digest edition stop {week}` ends it"
    for week in editions.skipped:
        yield f"{week} is skipped: nobody knows whether it went out since"
    for week in editions.drafts:
        yield f"{week} is a draft: make sure that it has not gone out since, before you approve it"
    if editions.uncertain:
        yield f"{editions.uncertain:,} batches are uncertain: `digest batches`"
    waited = {
        "letters": editions.letters,
        "requests from the public doors": editions.requests,
        "unfinished imports": editions.imports,
    }
    if dropped := ", ".join(f"{count:,} {what}" for what, count in waited.items() if count):
        yield f"given up, whoever needs them can ask again: {dropped}"
    yield STAFF_ARE_BACK
    if done.kept_aside:
        yield f"what was there before is kept as {done.kept_aside}; it holds people's addresses"


def _lines_of_people(people: Replayed, *, is_told: bool) -> Iterator[str]:
    if is_told:
        became = sorted((word, count) for word, count in people.became.items() if word != MOVED)
        again = ", ".join(f"{count:,} {word}" for word, count in became) or "nobody"
        yield f"by the journal: {again}; {people.refused:,} addresses without a record stay refused"
    if moved := people.became[MOVED]:
        yield f"{moved:,} people moved to another address since: they must sign up again there"
    if people.confirmed_since:
        yield f"{people.confirmed_since:,} confirmed since the backup and must confirm again"
