"""`digest doctor`: what is well, what is not, and how to mend it."""

from __future__ import annotations

from digest import examination, settings
from digest.cli import console
from digest.cli.console import AsJson
from digest.cli.services import opened

MARKS = {True: "ok  ", False: "FAIL", None: "note"}


def doctor(as_json: AsJson = False) -> None:
    """Check settings, database, migrations, clock, keys, templates and the way out; exit 1 if anything is wrong."""
    with opened(migrate=False) as services:
        findings = examination.examine(services, now=console.real_now())
    findings += [
        examination.Finding("settings", None, f"{name} is not a setting; is it spelled right?")
        for name in settings.unknown_names()
    ]
    if as_json:
        console.print_json([{"name": f.name, "ok": f.ok, "words": f.words} for f in findings])
    else:
        for finding in findings:
            console.say(f"{MARKS[finding.ok]}  {finding.name}: {finding.words}")
    if any(finding.ok is False for finding in findings):
        console.stop(console.COULD_NOT)
