"""The backup commands say in their document what they say in their lines."""

from __future__ import annotations

import json

from tests.conftest import Program


def test_a_restore_warns_of_staff_in_its_document_too(program: Program) -> None:
    """Whom somebody removed since the backup is back: a script that reads the document must know."""
    program.environ["DIGEST_JOURNAL"] = str(program.folder / "journal.jsonl")
    assert 0 == program("db", "upgrade").returncode
    assert 0 == program("backup", "backup.db").returncode
    lines = program("restore", "backup.db", "--replace")
    document = program("restore", "backup.db", "--replace", "--json")

    assert (0, 0) == (lines.returncode, document.returncode)
    assert json.loads(document.stdout)["staff"] in lines.stdout.splitlines()
