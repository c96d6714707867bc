"""`digest batches`: what has been handed over, and what a person must settle."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
import typer
import typer.core

from digest import batches as ledger
from digest import editions, settling
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened
from digest.models import Batch, Edition, EditionState, FencedAttempt


class _WeekOrCommand(typer.core.TyperGroup):
    """`digest batches 2026-W47` lists a week; `digest batches settle …` is a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["--week", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_WeekOrCommand, invoke_without_command=True, help="Batches, and settling the uncertain ones.")


@app.callback()
def listed(
    context: typer.Context,
    week: Annotated[str | None, typer.Option("--week", metavar="WEEK", hidden=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Every batch that is not accepted; with WEEK, every batch of that edition."""
    if context.invoked_subcommand is not None:
        return
    with opened() as services, services.database.reading() as session:
        fence = sa.and_(FencedAttempt.batch_id == Batch.id, FencedAttempt.attempt == Batch.attempt)
        query = (
            sa.select(Batch, Edition.week, FencedAttempt)
            .join(Edition, Edition.id == Batch.edition_id)
            .outerjoin(FencedAttempt, fence)
            .order_by(Batch.id)
        )
        if week is None:
            query = query.where(Batch.state.in_((ledger.UNCERTAIN, ledger.REFUSED, ledger.SUBMITTING)))
        else:
            query = query.where(Batch.edition_id == editions.find(session, week).id)
        found = [_document(*row) for row in session.execute(query)]
    if as_json:
        console.print_json(found)
        return
    for each in found:
        console.say(_line(each))
    console.note(f"{len(found)} batches" if found else "no batch is uncertain, refused or in flight")


def _document(batch: Batch, week: str, fence: FencedAttempt | None) -> dict[str, Any]:
    fields = ("id", "variant", "wave", "state", "attempt", "owner", "called_at", "not_before", "body_sha256")
    answered = ("message_id", "accepted_at", "why")
    known = {field: getattr(batch, field) for field in (*fields, *answered)}
    return {
        **known,
        "week": week,
        "deliveries": [batch.first_delivery, batch.last_delivery],
        "fence": fence
        and {
            "batch_id": fence.provider_batch_id,
            "send_at": fence.send_at,
            "asked_at": fence.asked_at,
            "cancelled_at": fence.cancelled_at,
        },
    }


def _line(each: dict[str, Any]) -> str:
    first, last = each["deliveries"]
    called = f", called {each['called_at']:%Y-%m-%d %H:%M:%S} UTC" if each["called_at"] else ""
    fenced = f", can be called back until shortly before {each['fence']['send_at']:%H:%M:%S}" if each["fence"] else ""
    why = f": {each['why']}" if each["why"] else ""
    about = f"deliveries {first}–{last}, attempt {each['attempt']}"
    return f"batch {each['id']}  {each['week']}  {each['state']}  {about}{called}{fenced}{why}"


@app.command()
def settle(
    batch: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1)],
    why: Annotated[str, typer.Option("--why", help="How you know.", callback=console.reason)],
    accepted: Annotated[bool, typer.Option("--accepted", help="The provider has it.")] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="The provider does not have it; hand it over again.")
    ] = False,
) -> None:
    """Say what became of an uncertain batch."""
    if accepted == resend:
        raise console.WrongUsage("Say either --accepted or --resend.")
    with opened() as services, services.database.writing() as session:
        settled = settling.settle(
            session, batch, was_accepted=accepted, why=why, by="command line", now=console.real_now()
        )
        edition = session.get_one(Edition, settled.edition_id)
        console.say(f"batch {batch} is {settled.state}")
        week = edition.week
        if edition.state is EditionState.HALTED:
            console.note(f'when all are settled: digest edition resume {week} --why "…" && digest edition send {week}')
