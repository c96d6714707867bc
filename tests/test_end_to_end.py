"""The commands a publisher types, as processes of their own, to the outbox and through SendGrid's stand-in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Program
from tests.sendgrid_stub import stub_process

REAL_PAGES = Path(__file__).parent.parent.parent / "shared" / "pages"
SAMPLES = Path(__file__).parent.parent / "digest" / "samples"
PAGES = REAL_PAGES if REAL_PAGES.is_dir() else SAMPLES


def done(program: Program, *arguments: str, **environ: str) -> str:
    """What a command printed; it must have succeeded."""
    ended = program(*arguments, **environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def people(program: Program, count: int) -> None:
    path = program.folder / "people.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name"])
        writer.writerows([f"reader{n}@example.com", f"Reader {n}"] for n in range(count))
    done(program, "subscribers", "import", str(path), "--confirmed-by", "they asked for this test")


def published(program: Program, count: int, **environ: str) -> dict[str, object]:
    """A week from pages to numbers."""
    done(program, "ingest", str(PAGES), **environ)
    people(program, count)
    done(program, "edition", "draft", **environ)
    done(program, "edition", "approve", "latest", "--by", "edda@example.com", **environ)
    done(program, "edition", "send", "latest", "--yes", "--skip-undo", **environ)
    numbers: dict[str, object] = json.loads(done(program, "edition", "status", "latest", "--json", **environ))
    return numbers


@pytest.mark.parametrize("count", [3, 1_000])
def test_to_the_outbox(program: Program, count: int) -> None:
    """Ingest, draft, approve, send: a file for each reader, and the numbers add up."""
    numbers = published(program, count)

    assert ("sent", count, True) == (numbers["state"], numbers["accepted"], numbers["adds_up"])
    assert count == len(list(program.folder.glob("outbox/*/*/*.eml")))


@pytest.mark.parametrize("count", [3, 5_000])
def test_through_sendgrid(program: Program, count: int) -> None:
    """The same through the official client: every reader once, one call per batch, the frozen bytes."""
    with stub_process() as stub:
        environ = {
            "SENDGRID_API_KEY": "SG.test",
            "SENDGRID_HOST": stub.url,
            "DIGEST_JOURNAL": "digest-journal.jsonl",
            "DIGEST_FROM_EMAIL": "verdicts@example.com",
            "DIGEST_FROM_NAME": "Weekly AI Tool Verdicts",
            "DIGEST_REPLY_TO": "editors@example.com",
            "DIGEST_POSTAL_ADDRESS": "1 Test Street, 10115 Berlin",
            "DIGEST_FIRST_WAVE": "0",
        }
        numbers = published(program, count, **environ)
        out = program.folder / "preview"
        done(program, "edition", "preview", "latest", "--out", str(out), "--as", "reader1@example.com", **environ)
        mail = stub.mail("reader1@example.com")

        assert ("sent", count, True) == (numbers["state"], numbers["accepted"], numbers["adds_up"])
        assert count == stub.distinct()
        assert {} == stub.twice()
        assert -(-count // 500) == stub.state()["mail_requests"]
        assert mail is not None
        assert (out / "email.html").read_text() == mail["html"]
        assert (out / "email.txt").read_text() == mail["text"]
