"""`digest edition …`: draft, look, approve, send, and everything that can happen in between."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from digest import (
    approving,
    audience_panel,
    checking,
    corrections,
    drafting,
    drift,
    editions,
    envelopes,
    overrides,
    previewing,
    proofs,
    sending,
    standings,
    stats,
    test_mails,
)
from digest.bootstrap import Services
from digest.cli import console, numbers_words
from digest.cli.console import AsJson, At
from digest.cli.sending_bar import send_with_bar
from digest.cli.services import opened
from digest.errors import DigestError
from digest.models import Edition
from digest.preflight import Problem
from digest.settings import is_loopback
from digest.staff import audit
from digest.weeks import Week

app = typer.Typer(no_args_is_help=True, help="One week's digest, from draft to numbers.")

WeekArgument = Annotated[str, typer.Argument(metavar="WEEK", help="Such as 2026-W47, or latest.")]
Why = Annotated[str, typer.Option("--why", help="Kept in the edition's log.", callback=console.reason)]
By = Annotated[
    str, typer.Option("--by", metavar="EMAIL", help="Who does it; kept as given.", callback=console.somebody)
]
SHELL = editions.NAMELESS
LOOPBACK, BENCH_PORT = "127.0.0.1", 8010


class NotRehearsing(DigestError):
    """`edition send --now` is for rehearsals: it is refused while mails would really go out."""


class NobodySaidYes(console.WrongUsage):
    """There is no terminal to ask on; add --yes to hand the edition over."""


@app.command()
def draft(
    week: Annotated[
        str | None, typer.Argument(metavar="[WEEK]", help="Such as 2026-W47; left out: the next one.")
    ] = None,
    as_json: AsJson = False,
    now: At = None,
) -> None:
    """Make the draft of a week. Never touches an existing edition."""
    at = console.editorial_now(now)
    with opened() as services:
        with services.database.writing() as session:
            wanted = (
                Week.parse(week)
                if week not in (None, "latest")
                else drafting.week_to_draft(session, services.settings, now=at)
            )
            drafted = drafting.draft(session, wanted, services.settings, by=SHELL, now=at)
            document = _described(session, drafted.edition)
        if as_json:
            console.print_json({"made": drafted.made, **document})
        else:
            _print_draft(document, made=drafted.made)


@app.command()
def show(week: WeekArgument, as_json: AsJson = False) -> None:
    """Entries, everything considered with score parts and reasons, problems, log."""
    with opened() as services, services.database.reading() as session:
        edition = editions.find(session, week)
        document = _described(session, edition)
        problems, unchecked = _problems(session, edition, services)
        document["unchecked"] = unchecked
        document["problems"] = [problem.described() for problem in problems]
        document["log"] = [
            {"at": line.at, "by": line.by, "what": line.what, "why": line.why}
            for line in editions.log_of(session, edition)
        ]
    if as_json:
        console.print_json(document)
        return
    _print_draft(document, made=False)
    for problem in problems:
        console.say(str(problem))
    if unchecked:
        console.say(f"it cannot be checked as it is: {unchecked}")
    for line in document["log"]:
        console.say(
            f"{line['at']:%Y-%m-%d %H:%M} {line['by']}: {line['what']}{' · ' + line['why'] if line['why'] else ''}"
        )


@app.command()
def preview(
    week: WeekArgument,
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the five files.", file_okay=False)] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Show it on a page that reloads on every change.")] = False,
    as_email: Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="As this subscriber gets it.")] = None,
    variant: Annotated[str, typer.Option("--variant", metavar="KEY")] = "all",
    host: Annotated[str | None, typer.Option("--host", help="With --serve; 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="With --serve; 8010. 0: one that is free.")
    ] = None,
    templates: Annotated[
        Path | None, typer.Option("--templates", metavar="DIR", help="With --serve: other mail templates.")
    ] = None,
) -> None:
    """Write exactly what would be sent, subject.txt email.html email.txt email.eml preflight.json; or --serve it."""
    if serve == (out is not None):
        raise console.WrongUsage("Say either --out DIR, to write the files, or --serve, to look at them as you write.")
    with opened() as services:
        if serve:
            _serve(services, week, as_email, variant, host=host, port=port, templates=templates)
            return
        if (host, port, templates) != (None, None, None):
            raise console.WrongUsage("--host, --port and --templates go with --serve.")
        with services.database.reading() as session:
            edition = editions.find(session, week)
            written = previewing.write(
                session, edition, services, out=out or Path(), email=as_email, variant=variant, now=console.real_now()
            )
    for path in written:
        console.say(str(path))


def _serve(
    services: Services,
    week: str,
    email: str | None,
    variant: str,
    *,
    host: str | None,
    port: int | None,
    templates: Path | None,
) -> None:
    from digest.cli.serve import serve_bench
    from digest.rendering import TEMPLATES
    from digest.template_bench import Bench

    bench = Bench(services, week, variant, email, templates or TEMPLATES)
    serve_bench(bench, host=host or LOOPBACK, port=BENCH_PORT if port is None else port)


@app.command()
def check(week: WeekArgument, as_json: AsJson = False) -> None:
    """Preflight: exit 1 if anything blocks that nobody answers for."""
    with opened() as services:
        checked = checking.look(services, week, now=console.real_now())
    edition, problems, content_hash = checked.edition, checked.problems, checked.proof.content_hash
    if as_json:
        described = [problem.described() for problem in problems]
        console.print_json({"week": edition.week, "state": edition.state, "hash": content_hash, "problems": described})
    else:
        for problem in problems:
            console.say(f"{problem}{_way_to_override(edition, problem)}")
        blocking = sum(problem.blocks for problem in problems)
        overridden = sum(problem.overridden is not None for problem in problems)
        answered = f", {overridden} overridden" if overridden else ""
        console.say(f"{edition.week} · {len(problems)} to look at, {blocking} blocking{answered} · hash {content_hash}")
    if any(problem.blocks for problem in problems):
        console.stop(console.COULD_NOT)


def _way_to_override(edition: Edition, problem: Problem) -> str:
    """What to type where somebody wants to answer for it."""
    if not problem.blocks:
        return ""
    return (
        " (cannot be overridden)" if problem.final else f" (or: digest edition override {edition.week} {problem.key})"
    )


@app.command()
def override(
    week: WeekArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Of the problem, as `digest edition check` shows it.")],
    by: Annotated[
        str,
        typer.Option("--by", metavar="EMAIL", help="Who answers for it; kept as given.", callback=console.somebody),
    ],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept with the name.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Let it block again.")] = False,
) -> None:
    """Answer for a problem that blocks, in exactly these words; or let it block again."""
    if not lift and not why.strip():
        raise console.WrongUsage("--why says why; it cannot be empty.")
    now = console.real_now()
    with opened() as services:
        problems = [] if lift else checking.look(services, week, now=now).problems
        with services.database.writing() as session:
            edition = editions.find(session, week)
            if not lift:
                problem = overrides.put(session, edition, problems, key, why=why, by=by, now=now)
                said = f"overridden: {problem.where}: {problem.what}"
            elif overrides.lift(session, edition, key, by=by, now=now):
                said = "the override is lifted: the problem blocks again"
            else:
                said = "nothing was changed: nobody had overridden a problem with that key"
    console.say(f"{edition.week} · {said}")


@app.command()
def test(week: WeekArgument, to: Annotated[list[str], typer.Option("--to", metavar="EMAIL")]) -> None:
    """Send a test, marked [TEST] and not counted."""
    with opened() as services:
        with services.database.reading() as session:
            edition = editions.find(session, week)
        accepted = test_mails.send(services, edition.week, to=to, by=SHELL, now=console.real_now())
    for email in accepted:
        console.say(f"test of {edition.week} accepted for {email}")


@app.command()
def approve(
    week: WeekArgument,
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="EMAIL", help="Who approves; on the staff, where it takes two.", callback=console.somebody
        ),
    ],
    *,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME|now", help="When it leaves, if not as planned.")
    ] = None,
    seen_hash: Annotated[
        str | None, typer.Option("--hash", metavar="H", help="Refuse if the content is not this.")
    ] = None,
    seen_candidates: Annotated[
        int | None, typer.Option("--candidates", metavar="N", min=0, help="Refuse if the audience is not about this.")
    ] = None,
    now: At = None,
) -> None:
    """Freeze the exact bytes that will go out."""
    moment = console.editorial_now(now)
    with opened() as services:
        edition = approving.approve(
            services,
            week,
            by=by,
            send_at=_send_at(at, moment),
            seen_hash=seen_hash,
            seen_candidates=seen_candidates,
            now=moment,
        )
        leaves = sending.leaves_at(edition, services)
        with services.database.reading() as session:
            before = audience_panel.last_time(session, edition)
    seen = edition.approved_candidates or 0
    people = "1 candidate" if seen == 1 else f"{seen:,} candidates"
    console.say(f"{edition.week} approved by {by} for {people} · hash {edition.approved_hash}")
    if before is not None and drift.FAR.is_passed(before.candidates, seen):
        console.note(f"{before.week} had {before.candidates:,}. Is this right? `digest edition reopen` takes it back.")
    console.say(f"it leaves {leaves:%A %d %B %Y, %H:%M} UTC by the clock; now: `digest edition send {edition.week}`")


@app.command()
def send(
    week: WeekArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    skip_undo: Annotated[bool, typer.Option("--skip-undo", help="Do not wait for the undo window.")] = False,
    as_json: AsJson = False,
    now: At = None,
) -> None:
    """Prepare and hand over until nothing is left to do. Safe to run again after any crash: it resumes."""
    with opened() as services:
        _refuse_rehearsal(services, now)
        with services.database.reading() as session:
            edition = editions.find(session, week)
            candidates = stats.audience(session)
        _ask(edition, candidates, services, yes=yes)
        send_with_bar(services, edition.week, by=SHELL, now=console.editorial_now(now), skip_undo=skip_undo)
        with services.database.reading() as session:
            edition = editions.find(session, edition.week)
            numbers = stats.numbers(session, edition)
            standing = standings.standing(session, edition, now=console.real_now())
    numbers_words.report(numbers, edition, standing, as_json=as_json)
    numbers_words.judge(numbers, edition)


@app.command()
def status(week: WeekArgument, as_json: AsJson = False) -> None:
    """The numbers, each in the words of the ledger, and what it waits for. Exit 1 if they do not add up."""
    with opened() as services, services.database.reading() as session:
        edition = editions.find(session, week)
        numbers = stats.numbers(session, edition)
        standing = standings.standing(session, edition, now=console.real_now())
    numbers_words.report(numbers, edition, standing, as_json=as_json)
    if not numbers.adds_up:
        console.stop(console.COULD_NOT)


@app.command()
def hold(week: WeekArgument, why: Why, by: By = SHELL) -> None:
    """Approved or sending → halted: nothing more begins."""
    _move(week, why, editions.hold, by=by)


@app.command()
def resume(
    week: WeekArgument,
    why: Why,
    by: By = SHELL,
    stale: Annotated[bool, typer.Option("--stale", help="Although a newer one has begun.")] = False,
) -> None:
    """Halted → back to the state before. What the breaker halted needs --by."""
    with opened() as services, services.database.writing() as session:
        edition = editions.find(session, week)
        editions.resume(session, edition, why=why, by=by, now=console.real_now(), stale=stale)
        console.say(f"{edition.week} is {edition.state}")


@app.command()
def stop(week: WeekArgument, why: Why, by: By = SHELL) -> None:
    """Halted → stopped: the rest is withheld for good."""
    _move(week, why, editions.stop, by=by)


@app.command()
def skip(week: WeekArgument, why: Why) -> None:
    """Draft or approved → skipped."""
    _move(week, why, editions.skip)


@app.command()
def reopen(week: WeekArgument, why: Why) -> None:
    """Approved or skipped → draft."""
    _move(week, why, editions.reopen)


@app.command()
def correct(
    week: WeekArgument,
    words: Annotated[str, typer.Option("--words", metavar="TEXT", help="What was wrong, and what is right.")],
    by: Annotated[
        str, typer.Option("--by", metavar="EMAIL", help="Who corrects; kept as given.", callback=console.somebody)
    ],
) -> None:
    """Publish a dated note on an edition that went out. It cannot be changed or taken back."""
    now = console.real_now()
    with opened() as services:
        with services.database.writing() as session:
            edition = editions.find(session, week)
            added = corrections.add(session, edition, words=words, by=by, now=now)
            if added:
                audit.note(session, by=audit.COMMAND_LINE, what="edition corrected", about=edition.week, now=now)
        where = f"{services.settings.digest_site_url}/archive/{edition.week}"
    console.say(f"{'published on' if added else 'nothing was changed: that stands already on'} {where}")


def _move(week: str, why: str, move: Any, *, by: str = SHELL) -> None:
    with opened() as services, services.database.writing() as session:
        edition = editions.find(session, week)
        move(session, edition, why=why, by=by, now=console.real_now())
        console.say(f"{edition.week} is {edition.state}")


# — what is asked and said —


def _send_at(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    if text == "now":
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise console.WrongUsage(f'--at takes "now" or a time such as 2026-11-20T09:00:00Z, got "{text}"') from None
    if moment.tzinfo is None:
        raise console.WrongUsage(f"--at needs a time zone, such as {text}Z or {text}+01:00.")
    if moment < now - timedelta(minutes=1):
        raise console.WrongUsage(f"--at {text} has passed; give a time to come, or now.")
    if moment > now + approving.FARTHEST:
        raise console.WrongUsage(f"--at {text} is more than {approving.FARTHEST.days} days away; is the date right?")
    return moment


def _refuse_rehearsal(services: Services, now: str | None) -> None:
    if now is not None and services.transport.kind != "outbox" and not is_loopback(services.settings.sendgrid_host):
        raise NotRehearsing


def _ask(edition: Edition, candidates: int, services: Services, *, yes: bool) -> None:
    """A person on a terminal is asked; a script must say --yes. Resuming what was begun asks nothing new."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise NobodySaidYes
    way = "to the outbox" if services.transport.kind == "outbox" else f"through {services.transport.kind}"
    typer.confirm(f"Hand {edition.week} over to {candidates:,} candidates {way}?", abort=True)


def _problems(session: Any, edition: Edition, services: Services) -> tuple[list[Problem], str | None]:
    """What preflight finds, and why it could not look: a mail that cannot be rendered hides no entry and no log."""
    if not editions.entries_of(session, edition):
        return [], None
    try:
        proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
        return checking.check(session, edition, proof, services, now=console.real_now()), None
    except DigestError as why:
        return [], str(why)


def _described(session: Any, edition: Edition) -> dict[str, Any]:
    """One edition as `draft` and `show` print it."""
    return {
        "week": edition.week,
        "state": edition.state,
        "why": edition.why,
        "window": {"start": edition.window_start, "end": edition.window_end},
        "send_at": edition.send_at,
        "subject": edition.subject,
        "breath": edition.breath,
        "approved": None
        if edition.approved_at is None
        else {"at": edition.approved_at, "by": edition.approved_by, "hash": edition.approved_hash},
        "entries": [
            {
                "position": copy.position,
                "headline": copy.summary.headline,
                "sentence": copy.summary.sentence,
                "url": copy.url,
                "questions": list(copy.summary.questions),
            }
            for copy in (editions.entry_copy(entry) for entry in editions.entries_of(session, edition))
        ],
        "considered": [
            {
                "rank": row.rank,
                "comparison": name,
                "score": row.score,
                "chosen": row.chosen,
                "reason": row.reason,
                "parts": row.parts,
                "deductions": row.deductions,
            }
            for row, name in editions.considered_by_name(session, edition)
        ],
    }


def _print_draft(document: dict[str, Any], *, made: bool) -> None:
    why = f": {document['why']}" if document["why"] else ""
    console.say(f"{document['week']} is {document['state']}{' (made now)' if made else ''}{why}")
    if document["subject"]:
        console.say(f"subject: {document['subject']}")
    for entry in document["entries"]:
        console.say(f"{entry['position']}. {entry['headline']}: {entry['sentence']}")
    considered = document["considered"]
    console.say(f"considered {len(considered)}, chosen {sum(one['chosen'] for one in considered)}")
    for one in considered:
        console.say(f"  {one['rank']:>3}. {one['score']:>4} points  {one['comparison']}: {one['reason']}")
