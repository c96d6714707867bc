"""Whatever a command is given, the answer is one sentence that says how to mend it, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from digest.cli import app

SAMPLES = Path(__file__).parent.parent.parent / "digest" / "samples"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in this process and a folder of its own: its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DIGEST_SECRET_KEY", "a secret for tests only and long enough")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str, **environ: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patched:
            for name, value in environ.items():
                patched.setenv(name, value)
            code = app.run(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["edition", "show", "latest"], 1, "There is no edition yet; `digest edition draft` makes the first one."),
        (["edition", "show", "2026-W99"], 1, "There is no week 2026-W99"),
        (["edition", "show", "last week"], 1, "is not a week; write it like 2026-W47"),
        (["edition", "draft", "2031-W01"], 1, "lies too far ahead"),
        (["edition", "send", "latest"], 1, "There is no edition yet"),
        (["edition", "approve", "latest"], 2, "Missing option '--by'"),
        (["edition", "override", "latest", "0badc0de"], 2, "Missing option '--by'"),
        (["edition", "override", "latest", "0badc0de", "--by", "edda@example.com"], 2, "--why says why"),
        (["edition", "override", "latest", "0badc0de", "--by", "e", "--why", "x"], 1, "There is no edition yet"),
        (["edition", "draft", "--now", "soon"], 2, "--now takes a time such as"),
        (["edition", "preview", "latest", "--out", "x"], 1, "There is no edition yet"),
        (["edition", "correct", "latest", "--by", "edda", "--words", "x"], 1, "There is no edition yet"),
        (["edition", "correct", "latest", "--words", "x"], 2, "Missing option '--by'"),
        (["batches", "settle", "7", "--accepted", "--why", "x"], 1, "There is no batch 7"),
        (["batches", "settle", "7", "--why", "x"], 2, "Say either --accepted or --resend."),
        (["batches", "settle", "seven", "--accepted", "--why", "x"], 2, "valid integer"),
        (["batches", "2026-W50"], 1, "There is no edition of 2026-W50"),
        (["comparisons", "withdraw", "nothing", "--why", "x"], 1, 'No comparison "nothing"'),
        (["comparisons", "--since", "long ago"], 2, "--since takes a day or time"),
        (["ingest", "a", "b", "--url", "https://site.example.com/compare/a-vs-b"], 2, "name exactly one source"),
        (["ingest", "/nowhere/at/all"], 1, "there is no such file or folder"),
        (["ingest", "ftp://site.example.com/"], 1, "only files, folders, http and https"),
        (["ingest", "http://127.0.0.1:9/"], 1, "DIGEST_FETCH_ALLOW"),
        (["frobnicate"], 2, "No such command"),
        (["serve", "--port", "99999999"], 2, "65535"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_a_sentence(run: Run, command: list[str], code: int, says: str) -> None:
    """The code is right, the sentence helps, and there is no traceback."""
    ended, out, err = run(*command)

    assert code == ended
    assert says in out + err
    assert "Traceback" not in out + err


BY_ME: list[list[str]] = [
    ["edition", "approve", "latest"],
    ["edition", "override", "latest", "0badc0de", "--why", "x"],
    ["edition", "hold", "latest", "--why", "x"],
    ["edition", "resume", "latest", "--why", "x"],
    ["edition", "stop", "latest", "--why", "x"],
    ["edition", "correct", "latest", "--words", "x"],
    ["kill-switch", "on", "--why", "x"],
]


@pytest.mark.parametrize(
    "name", ["automatic approval", "The  Clock", "command line", "the breaker", "staff 2", "ＳＴＡＦＦ 2"]
)
@pytest.mark.parametrize("command", BY_ME, ids=" ".join)
def test_nobody_passes_for_the_program(run: Run, command: list[str], name: str) -> None:
    """Nor for a member of staff by number: the session vouches for those. Refused before anything is looked at."""
    code, out, err = run(*command, "--by", name)

    assert (code, out) == (2, "")
    assert "--by names a person" in err
    assert "Traceback" not in err


def test_a_name_that_only_sounds_like_staff_is_no_way_into_the_audit_log(run: Run) -> None:
    """The old crash: an address behind the word "staff"."""
    code, _, err = run("edition", "approve", "latest", "--by", "staff mary@x.example")

    assert (code, "Traceback" in err) == (2, False)
    assert run("edition", "approve", "latest", "--by", "staff@example.com")[0] == 1  # there is no edition


def test_settings_are_all_wrong_at_once(run: Run) -> None:
    """Exit 2, every name, nothing done."""
    code, _, err = run("edition", "draft", DIGEST_BATCH_SIZE="0", DIGEST_CUTOFF="x")

    assert 2 == code
    assert "2 settings need attention:" in err
    assert "DIGEST_BATCH_SIZE" in err
    assert "DIGEST_CUTOFF" in err


def test_ingest_says_what_became_of_each(run: Run, tmp_path: Path) -> None:
    """New, then unchanged; with a bad one among them exit 3, with nothing but bad ones exit 1."""
    page = next(SAMPLES.glob("*.html"))
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"\x00\x01\x02" * 100)

    assert 0 == run("ingest", str(page))[0]
    code, out, _ = run("ingest", str(page), str(bad))
    assert 3 == code
    assert "1 unchanged, 1 bad" in out
    assert 1 == run("ingest", str(bad))[0]


def test_a_week_by_hand(run: Run) -> None:
    """Draft, check, show, preview, approve, send, status: each prints what it should, as text and as JSON."""
    run("ingest", str(SAMPLES), "--now", "2026-11-17T10:00:00Z")
    at = ("--now", "2026-11-19T18:05:00Z")
    drafted = json.loads(run("edition", "draft", "2026-W47", "--json", *at)[1])
    assert ("2026-W47", "draft", True) == (drafted["week"], drafted["state"], drafted["made"])
    assert sum(one["chosen"] for one in drafted["considered"]) == len(drafted["entries"]) == 8
    assert all(
        one["score"] == sum(part["points"] for part in one["parts"]) and one["reason"] for one in drafted["considered"]
    )
    assert not json.loads(run("edition", "draft", "2026-W47", "--json", *at)[1])["made"]

    checked = json.loads(run("edition", "check", "2026-W47", "--json")[1])
    assert all(problem["level"] != "block" for problem in checked["problems"])
    run("subscribers", "add", "ada@example.com", "--confirmed-by", "a test")
    stale = run("edition", "approve", "2026-W47", "--by", "edda", "--hash", "0" * 64, *at)
    assert (1, True) == (stale[0], "no longer what you looked at" in stale[2])
    content = json.loads(run("edition", "check", "2026-W47", "--json")[1])["hash"]
    others = run("edition", "approve", "2026-W47", "--by", "edda", "--hash", content, "--candidates", "20", *at)
    assert (1, True) == (others[0], "You saw 20 candidates and there are 1 now" in others[2])
    assert 0 == run("edition", "approve", "2026-W47", "--by", "edda", "--hash", content, *at)[0]

    late = ("--now", "2026-11-20T09:00:00Z")
    assert 2 == run("edition", "send", "2026-W47", *late)[0]
    early = run("edition", "send", "2026-W47", "--yes", *at)
    assert (1, True) == (early[0], "can still be taken back" in early[2])
    code, out, _ = run("edition", "send", "2026-W47", "--yes", "--json", *late)
    assert 0 == code
    numbers = json.loads(out)
    assert ("sent", 1, 1, True) == (
        numbers["state"],
        numbers["candidates"],
        numbers["accepted"],
        numbers["adds_up"],
    )
    assert 0 == run("edition", "show", "2026-W47")[0]
    note = ("edition", "correct", "2026-W47", "--by", "edda@example.com", "--words", "It is $9 a week.")
    published = run(*note)
    assert (0, True) == (published[0], "published on http://127.0.0.1:8000/archive/2026-W47" in published[1])
    assert "nothing was changed" in run(*note)[1]


def test_an_audience_far_from_last_times_is_said(run: Run, tmp_path: Path) -> None:
    """Approved all the same: a shell is trusted, but told."""
    run("ingest", str(SAMPLES), "--now", "2026-11-17T10:00:00Z")
    run("subscribers", "add", "ada@example.com", "--confirmed-by", "a test")
    for week, day in (("2026-W47", 20), ("2026-W48", 27)):
        at, leaves = ("--now", f"2026-11-{day - 1}T18:05:00Z"), ("--now", f"2026-11-{day}T09:00:00Z")
        run("edition", "draft", week, *at)
        approved = run("edition", "approve", week, "--by", "edda", *at)
        assert 0 == approved[0]
        run("edition", "send", week, "--yes", *leaves)
        many = tmp_path / "many.csv"
        many.write_text("email\n" + "".join(f"reader{number}@example.com\n" for number in range(60)))
        run("subscribers", "import", str(many), "--confirmed-by", "a test")

    assert "2026-W47 had 1. Is this right?" in approved[2]
    assert 0 == run("audit", "verify")[0]
    assert "batch 1  2026-W47  accepted" in run("batches", "2026-W47")[1]
    assert 0 == run("db", "check")[0]


def test_preview_writes_five_files(run: Run, tmp_path: Path) -> None:
    """What is in them is the mail, and preflight's opinion of it."""
    run("ingest", str(SAMPLES))
    run("edition", "draft")
    assert 0 == run("edition", "preview", "latest", "--out", "out")[0]

    names = {"subject.txt", "email.html", "email.txt", "email.eml", "preflight.json"}
    assert names == {path.name for path in (tmp_path / "out").iterdir()}
    assert "problems" in orjson.loads((tmp_path / "out" / "preflight.json").read_bytes())
    unknown = run("edition", "preview", "latest", "--out", "out", "--variant", "none")
    assert (1, True) == (unknown[0], 'no variant "none"' in unknown[2])
    stranger = run("edition", "preview", "latest", "--out", "out", "--as", "who@example.com")
    assert (1, True) == (stranger[0], "has not signed up" in stranger[2])


def test_doctor_finds_what_is_wrong(run: Run, tmp_path: Path) -> None:
    """All well is exit 0; an outbox that cannot be written is said, with the setting."""
    assert 0 == run("doctor")[0]
    (tmp_path / "in-the-way").write_text("")
    code, out, _ = run("doctor", DIGEST_OUTBOX_DIR="in-the-way/outbox")
    assert (1, True) == (code, "DIGEST_OUTBOX_DIR" in out)
    assert "DIGEST_FENCE is not a setting" in run("doctor", DIGEST_FENCE="1")[1]


def test_rehearsing_never_sends_for_real(run: Run, tmp_path: Path) -> None:
    """`edition send --now` is refused while mails would really go out."""
    real = {
        "SENDGRID_API_KEY": "SG.test",
        "DIGEST_SITE_URL": "https://news.example.com",
        "DIGEST_FROM_EMAIL": "verdicts@example.com",
        "DIGEST_FROM_NAME": "Verdicts",
        "DIGEST_REPLY_TO": "editors@example.com",
        "DIGEST_POSTAL_ADDRESS": "1 Test Street",
        "DIGEST_JOURNAL": str(tmp_path / "journal.jsonl"),
    }
    code, _, err = run("edition", "send", "latest", "--yes", "--now", "2026-11-20T09:00:00Z", **real)

    assert (1, True) == (code, "for rehearsals" in err)


def test_test_mails_go_to_staff_only(run: Run, tmp_path: Path) -> None:
    """A stranger gets none; Edda gets one, marked, with the one-click headers, and no number changes."""
    run("ingest", str(SAMPLES))
    run("edition", "draft")
    assert 1 == run("edition", "test", "latest", "--to", "edda@example.com")[0]
    run("staff", "add", "edda@example.com", "--role", "editor")
    assert 0 == run("edition", "test", "latest", "--to", "edda@example.com")[0]

    [mail] = tmp_path.glob("outbox/*-test/*/*.eml")
    text = mail.read_text()
    assert "Subject: [TEST] " in text
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in text
    assert 0 == json.loads(run("edition", "status", "latest", "--json")[1])["deliveries"]


@pytest.mark.parametrize(
    "command",
    [
        ("edition", "hold", "latest"),
        ("edition", "resume", "latest"),
        ("edition", "stop", "latest"),
        ("batches", "settle", "1", "--accepted"),
        ("kill-switch", "on"),
    ],
)
def test_a_reason_is_one(run: Run, command: tuple[str, ...]) -> None:
    """What stops or settles something wants a reason: an empty one is wrong usage, and nothing is changed."""
    code, _, err = run(*command, "--why", "  ")

    assert (2, True) == (code, "--why says why" in err)


def test_a_reason_keeps_nobody_s_address(run: Run) -> None:
    """It stands in logs that no erasing reaches, and its lines cannot be taken for others."""
    run("ingest", str(SAMPLES))
    run("edition", "draft")
    assert 0 == run("edition", "skip", "latest", "--why", "asked by\n2026-11-20 09:00 ada@example.com: approved")[0]
    shown = run("edition", "show", "latest")[1]

    assert "ada@example.com" not in shown
    assert "asked by 2026-11-20 09:00 (an address) approved" in shown


def test_a_number_that_no_batch_can_have_is_wrong_usage(run: Run) -> None:
    """Not a traceback of the database."""
    code, _, err = run("batches", "settle", "99999999999999999999", "--accepted", "--why", "y")

    assert (2, True) == (code, "Traceback" not in err)
