"""Settings: every mistake at once, by name, with the mend; and nothing undocumented."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest import settings
from digest.settings import Settings, SettingsProblem

ROOT = Path(__file__).parent.parent.parent
SENDGRID = {
    "SENDGRID_API_KEY": "SG.test",
    "DIGEST_SITE_URL": "https://news.example.com",
    "DIGEST_FROM_EMAIL": "verdicts@example.com",
    "DIGEST_FROM_NAME": "Weekly AI Tool Verdicts",
    "DIGEST_REPLY_TO": "editors@example.com",
    "DIGEST_POSTAL_ADDRESS": "1 Test Street, 10115 Berlin",
}


def complaints(**environ: str) -> dict[str, str]:
    with pytest.raises(SettingsProblem) as problem:
        Settings.from_env(environ)
    return {mistake.name: mistake.what for mistake in problem.value.mistakes}


def test_nothing_need_be_set() -> None:
    """An empty environment is a program that works on one machine."""
    settings = Settings.from_env({})

    assert "sqlite:///digest.db" == settings.database_url
    assert not settings.through_sendgrid


def test_every_mistake_is_said_at_once() -> None:
    """Five wrong settings are five lines, each with its name."""
    said = complaints(
        DIGEST_BATCH_SIZE="5000",
        DIGEST_CUTOFF="someday",
        DIGEST_TIMEZONE="Mars/Olympus",
        DIGEST_APPROVAL="maybe",
        DIGEST_SITE_URL="example.org",
    )

    assert {"DIGEST_BATCH_SIZE", "DIGEST_CUTOFF", "DIGEST_TIMEZONE", "DIGEST_APPROVAL", "DIGEST_SITE_URL"} == set(said)
    assert 'must be at most 1000, got "5000"' == said["DIGEST_BATCH_SIZE"]
    assert 'must be an IANA time zone such as Europe/Berlin, got "Mars/Olympus"' == said["DIGEST_TIMEZONE"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "not a url"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "sqlite://"),
        ("DIGEST_TIMEZONE", "../../etc/passwd"),
        ("DIGEST_TIMEZONE", """ \x00"""),
        ("DIGEST_SEND_AT", "fri 25:00"),
        ("DIGEST_LATE_HOURS", "soon"),
        ("DIGEST_LATE_HOURS", "nan"),
        ("DIGEST_UNDO_MINUTES", "-1"),
        ("DIGEST_MIN_ENTRIES", "0"),
        ("DIGEST_MIN_ENTRIES", "9"),
        ("DIGEST_BATCH_SIZE", "1.5"),
        ("DIGEST_FROM_EMAIL", "nobody"),
        ("DIGEST_FROM_NAME", "two\nlines"),
        ("DIGEST_LIST_ID", "no dots"),
        ("DIGEST_SECRET_KEY", "short"),
        ("DIGEST_SECRET_KEY_FILE", "/nowhere/at/all"),
        ("DIGEST_LOG", "xml"),
        ("SENDGRID_HOST", "http://127.0.0.1:4010"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(name: str, value: str) -> None:
    """Whatever is wrong, the line names the setting, holds no traceback and no class name."""
    said = complaints(**{name: value})

    [(complained, words)] = said.items()
    assert complained in (name, "SENDGRID_API_KEY")
    assert "\n" not in words
    assert "pydantic" not in words
    assert "Error" not in words


def test_sendgrid_needs_a_sender_and_an_address_people_can_reach() -> None:
    """With a key, what only a real mail needs is asked for, all at once."""
    assert {
        "DIGEST_FROM_EMAIL",
        "DIGEST_FROM_NAME",
        "DIGEST_REPLY_TO",
        "DIGEST_POSTAL_ADDRESS",
        "DIGEST_SITE_URL",
    } == set(complaints(SENDGRID_API_KEY="SG.test"))
    assert Settings.from_env(SENDGRID).through_sendgrid


@pytest.mark.parametrize("site", ["http://news.example.com", "https://127.0.0.1", "https://localhost"])
def test_real_mail_never_links_to_a_place_nobody_can_reach(site: str) -> None:
    """https and not loopback, unless the provider is a stand-in on loopback."""
    assert ["DIGEST_SITE_URL"] == list(complaints(**{**SENDGRID, "DIGEST_SITE_URL": site}))
    assert Settings.from_env({**SENDGRID, "DIGEST_SITE_URL": site, "SENDGRID_HOST": "http://127.0.0.1:4010"})


def test_the_key_never_travels_in_the_open() -> None:
    """A host off loopback must be https."""
    assert ["SENDGRID_HOST"] == list(complaints(**{**SENDGRID, "SENDGRID_HOST": "http://api.example.com"}))


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    """X_FILE names the file that holds X; its line end does not count."""
    (tmp_path / "key").write_text("SG.from-a-file\n")
    settings = Settings.from_env({**SENDGRID, "SENDGRID_API_KEY": "", "SENDGRID_API_KEY_FILE": str(tmp_path / "key")})

    assert settings.sendgrid_api_key is not None
    assert "SG.from-a-file" == settings.sendgrid_api_key.get_secret_value()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "cannot be read: it is not UTF-8 text"),
        (b'DIGEST_TIMEZONE="Europe/Berlin\n', "line 1 cannot be read; is a quote not closed?"),
    ],
)
def test_a_broken_env_file_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    """A line that cannot be read is a setting lost, so the program does not go on without it."""
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsProblem, match="1 setting needs attention") as problem:
        settings.load(tmp_path)

    assert says in str(problem.value)


def test_secrets_do_not_show() -> None:
    """Printing the settings prints no key."""
    settings = Settings.from_env({**SENDGRID, "DIGEST_SECRET_KEY": "0123456789abcdef,fedcba9876543210"})

    assert "SG.test" not in repr(settings)
    assert "0123456789abcdef" not in repr(settings)


def test_a_second_person_and_no_person_contradict_each_other() -> None:
    """Two people and automatic approval cannot both be meant; each alone can."""
    both = complaints(DIGEST_TWO_PERSON="true", DIGEST_APPROVAL="auto")
    assert both == {"DIGEST_TWO_PERSON": "contradicts DIGEST_APPROVAL=auto: a program is no second person; choose one"}
    assert Settings.from_env({"DIGEST_TWO_PERSON": "true"}).digest_two_person
    assert not Settings.from_env({"DIGEST_APPROVAL": "auto"}).digest_two_person


def test_yes_and_no_are_read_as_written() -> None:
    """A safeguard whose value cannot be read is not taken for off."""
    assert complaints(DIGEST_TWO_PERSON="maybe") == {"DIGEST_TWO_PERSON": 'must be true or false, got "maybe"'}
    assert not Settings.from_env({"DIGEST_TWO_PERSON": "false"}).digest_two_person


def test_postgresql_needs_a_secret_of_its_own() -> None:
    """There is no folder beside it in which one could be made."""
    assert ["DIGEST_SECRET_KEY"] == list(complaints(DATABASE_URL="postgresql://host/name"))


def test_a_journal_that_outlives_the_database() -> None:
    """Beside a SQLite database by itself; with PostgreSQL it must be named as soon as mails really go out."""
    postgresql = {"DATABASE_URL": "postgresql://host/name", "DIGEST_SECRET_KEY": "a secret for tests only"}

    assert (
        Path("/data/digest-journal.jsonl") == Settings.from_env({"DATABASE_URL": "sqlite:////data/digest.db"}).journal
    )
    assert Settings.from_env(postgresql).journal is None
    assert ["DIGEST_JOURNAL"] == list(complaints(**postgresql, **SENDGRID))
    assert Path("j") == Settings.from_env({**postgresql, **SENDGRID, "DIGEST_JOURNAL": "j"}).journal


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_is_explained(field: str) -> None:
    """.env.example lists it, and so it is copied by whoever starts."""
    assert f"\n{field.upper()}=" in (ROOT / ".env.example").read_text()


def test_the_example_is_a_working_file() -> None:
    """Read as it stands, it makes a program that works."""
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line and line[0] != "#"]
    Settings.from_env(dict(line.split("=", 1) for line in lines))


# — sending —


@pytest.mark.parametrize("value", ["-1", "some", "2.5", "٣"])
def test_a_first_wave_is_auto_or_a_number(value: str) -> None:
    """0 switches it off."""
    assert 'must be "auto" or a whole number' in complaints(DIGEST_FIRST_WAVE=value)["DIGEST_FIRST_WAVE"]
    assert Settings.from_env({"DIGEST_FIRST_WAVE": "0"}).digest_first_wave == 0
    assert Settings.from_env({"DIGEST_FIRST_WAVE": "auto"}).digest_first_wave == "auto"


def test_a_fence_leaves_time_to_cancel() -> None:
    """Below twenty minutes the real provider could not be asked in time; on loopback anything may be rehearsed."""
    journal = {"DIGEST_JOURNAL": "journal.jsonl"}
    assert "at least 20" in complaints(**SENDGRID, DIGEST_FENCE_MINUTES="19")["DIGEST_FENCE_MINUTES"]
    assert "needs SendGrid" in complaints(DIGEST_FENCE_MINUTES="30")["DIGEST_FENCE_MINUTES"]
    near = {**SENDGRID, **journal, "SENDGRID_HOST": "http://127.0.0.1:4010", "DIGEST_FENCE_MINUTES": "0.5"}
    assert Settings.from_env(near).digest_fence_minutes == 0.5


@pytest.mark.parametrize("value", ["nonsense", "AAAA", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"])
def test_a_webhook_key_is_the_one_the_provider_shows(value: str) -> None:
    """A wrong one would refuse every event, so it is refused at the start."""
    assert "copied whole" in complaints(SENDGRID_WEBHOOK_PUBLIC_KEY=value)["SENDGRID_WEBHOOK_PUBLIC_KEY"]


def test_a_metrics_token_cannot_be_guessed() -> None:
    """Sixteen characters at the least."""
    assert "at least 16" in complaints(DIGEST_METRICS_TOKEN="short")["DIGEST_METRICS_TOKEN"]
