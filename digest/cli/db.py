"""`digest db`: the database's shape."""

from __future__ import annotations

import typer

from digest import integrity, migrations
from digest.cli import console
from digest.cli.services import opened

app = typer.Typer(no_args_is_help=True, help="The database: bring it up to date, check it.")


@app.command()
def upgrade() -> None:
    """Bring the database to the newest shape; harmless when it already is."""
    with opened(migrate=False) as services:
        before = migrations.revision(services.database)
        migrations.upgrade(services.database)
        after = migrations.revision(services.database)
    console.say("already up to date" if before == after else f"upgraded from {before or 'empty'} to {after}")


@app.command()
def check() -> None:
    """Look for what should never be: orphans, sums that do not add up, batches that overlap."""
    with opened() as services, services.database.reading() as session:
        findings = integrity.findings(session)
    for finding in findings:
        console.say(finding)
    if findings:
        console.stop(console.COULD_NOT)
    console.say("nothing wrong found")
