"""Every setting of the program, read once at start. The only module that reads the environment.

All mistakes are reported at once, by name, each with what is wrong and how to mend it.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cryptography.exceptions import UnsupportedAlgorithm
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy.exc import ArgumentError

from database import driver_url
from digest import weeks
from digest.errors import DigestError
from digest.sources import reach

SHORTEST_KEY = 16
LONGEST_COUNT = 9
"""Digits of a number of deliveries."""
SHORTEST_FENCE = 20
"""Minutes: the provider cancels until ten before the time, and an answer may be waited for that long."""
SENDGRID_API = "https://api.sendgrid.com"


@dataclass(frozen=True)
class Mistake:
    """One setting that needs attention."""

    name: str
    what: str


class SettingsProblem(DigestError):
    """Some settings need attention."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        widest = max(len(mistake.name) for mistake in mistakes)
        count = "1 setting needs" if len(mistakes) == 1 else f"{len(mistakes)} settings need"
        lines = [f"  {mistake.name:<{widest}}  {mistake.what}" for mistake in mistakes]
        super().__init__("\n".join([f"{count} attention:", *lines]))


def _database_url(value: str) -> str:
    try:
        url = driver_url(value)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise ValueError("must be a database URL such as sqlite:///digest.db or postgresql://host/name") from None
    if backend not in ("sqlite", "postgresql"):
        raise ValueError(f"must start with sqlite:// or postgresql://, got {backend}://")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file, such as sqlite:///digest.db: a database in memory forgets who was mailed")
    return value


def _web_base(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'must be an address such as https://news.example.com, got "{value}"')
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must have no query, fragment or user name")
    return value.rstrip("/")


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError as why:
        raise ValueError(f'must be an e-mail address, got "{value}": {why}') from None


def _zone(value: Any) -> Any:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        raise ValueError(f'must be an IANA time zone such as Europe/Berlin, got "{value}"') from None


def _week_time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return weeks.WeekTime.parse(value)
    except DigestError as why:
        raise ValueError(str(why)) from None


def _words(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


def _places(value: Any) -> Any:
    places = value.split() if isinstance(value, str) else value
    return tuple(reach.place(each) for each in places)


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(map(_network, value.replace(",", " ").split()))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f'must be networks such as 10.0.0.0/8 or 127.0.0.1, got "{text}"') from None
    if network.prefixlen == 0:
        raise ValueError(f"must name your own proxies: {text} would believe what anybody writes")
    return network


def _one_line(value: str) -> str:
    if re.search(r"[\r\n]", value):
        raise ValueError("must be one line")
    return value.strip()


def _keys(value: Any) -> Any:
    if isinstance(value, str):
        value = tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())
    if any(len(key.get_secret_value()) < SHORTEST_KEY for key in value):
        raise ValueError("must have at least 16 characters in each key; `openssl rand -hex 32` makes one")
    return value


def _first_wave(value: Any) -> Any:
    if value == "auto" or isinstance(value, int):
        return value
    if not (isinstance(value, str) and value.isascii() and value.isdecimal()):
        raise ValueError(f'must be "auto" or a whole number (0: no first wave), got "{value}"')
    if len(value) > LONGEST_COUNT:
        raise ValueError(f"must be at most {10**LONGEST_COUNT - 1}, got {value[:20]}…")
    return int(value)


def _public_key(value: Any) -> Any:
    """The key as SendGrid shows it: base64 of a P-256 public key, perhaps in the frame of a PEM file."""
    text = "".join(line for line in str(value).splitlines() if not line.startswith("-----")).strip()
    # At need: the command line must not wait for the library to load.
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return text
    raise ValueError("must be the verification key SendGrid shows for the signed event webhook, copied whole")


def _metrics_token(value: Any) -> Any:
    if isinstance(value, str) and (len(value) < SHORTEST_KEY or not value.isascii() or not value.isprintable()):
        raise ValueError("must have at least 16 printable ASCII characters; `openssl rand -hex 32` makes one")
    return value


Line = Annotated[str, BeforeValidator(_one_line), Field(min_length=1, max_length=200)]
Email = Annotated[str, BeforeValidator(_email)]
Places = Annotated[tuple[str, ...], BeforeValidator(_places)]
Networks = Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], BeforeValidator(_networks)]


class Settings(BaseModel):
    """One field per setting, named as in the environment, in lower case."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    database_url: Annotated[str, BeforeValidator(_database_url)] = "sqlite:///digest.db"
    digest_site_url: Annotated[str, BeforeValidator(_web_base)] = "http://127.0.0.1:8000"
    digest_secret_key: Annotated[tuple[SecretStr, ...], BeforeValidator(_keys)] = ()
    digest_newsletter_name: Line = "Weekly AI Tool Verdicts"
    digest_from_email: Email | None = None
    digest_from_name: Line | None = None
    digest_reply_to: Email | None = None
    digest_postal_address: Line | None = None
    digest_list_id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$")] = None
    sendgrid_api_key: SecretStr | None = None
    sendgrid_host: Annotated[str, BeforeValidator(_web_base)] = SENDGRID_API
    sendgrid_webhook_public_key: Annotated[str | None, BeforeValidator(_public_key)] = None
    digest_outbox_dir: Path = Path("outbox")
    digest_timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("UTC")
    digest_cutoff: Annotated[weeks.WeekTime, BeforeValidator(_week_time)] = weeks.WeekTime.parse("thu 18:00")
    digest_send_at: Annotated[weeks.WeekTime, BeforeValidator(_week_time)] = weeks.WeekTime.parse("fri 09:00")
    digest_approval: Literal["required", "auto"] = "required"
    digest_two_person: bool = False
    digest_late_hours: Annotated[float, Field(gt=0, le=168)] = 6
    digest_undo_minutes: Annotated[float, Field(ge=0, le=1440)] = 10
    digest_new_days: Annotated[int, Field(ge=1, le=3650)] = 14
    digest_min_entries: Annotated[int, Field(ge=1, le=50)] = 1
    digest_max_entries: Annotated[int, Field(ge=1, le=50)] = 8
    digest_batch_size: Annotated[int, Field(ge=1, le=1000)] = 500
    digest_send_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    digest_fence_minutes: Annotated[float, Field(ge=0, le=2880, allow_inf_nan=False)] = 0
    digest_first_wave: Annotated[int | Literal["auto"], BeforeValidator(_first_wave)] = "auto"
    digest_wave_minutes: Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)] = 15
    digest_unsubscribe_email: Email | None = None
    digest_sources: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    digest_fetch_allow: Places = ()
    digest_trusted_proxies: Networks = ()
    digest_metrics_token: Annotated[SecretStr | None, BeforeValidator(_metrics_token)] = None
    digest_journal: Path | None = None
    digest_log: Literal["console", "json"] | None = None

    @property
    def through_sendgrid(self) -> bool:
        return self.sendgrid_api_key is not None

    @property
    def journal(self) -> Path | None:
        """Where opt-outs, erasures and begun editions are written besides; None where nothing needs it."""
        url = driver_url(self.database_url)
        if self.digest_journal or url.get_backend_name() != "sqlite":
            return self.digest_journal
        return Path(url.database or "digest.db").resolve().parent / "digest-journal.jsonl"

    @property
    def list_id(self) -> str:
        """RFC 2919: a constant name under the site's own host."""
        host = urlsplit(self.digest_site_url).hostname or "localhost"
        return self.digest_list_id or f"weekly-verdicts.{host if not _is_address(host) else 'localhost'}"

    @property
    def from_email(self) -> str:
        """The sender; only the outbox may do without a real one."""
        return self.digest_from_email or "verdicts@example.com"

    @property
    def from_name(self) -> str:
        return self.digest_from_name or self.digest_newsletter_name

    @property
    def reply_to(self) -> str:
        return self.digest_reply_to or self.from_email

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsProblem with every mistake found."""
        given, mistakes = _given(cls, environ)
        try:
            settings = cls.model_validate(given)
        except ValidationError as problem:
            wrong = {str(error["loc"][0]): _in_words(error) for error in problem.errors()}
            mistakes += [Mistake(name.upper(), what) for name, what in wrong.items()]
            settings = cls.model_validate({key: value for key, value in given.items() if key not in wrong})
        named = {mistake.name for mistake in mistakes}
        mistakes += [mistake for mistake in _contradictions(settings) if mistake.name not in named]
        if mistakes:
            raise SettingsProblem(mistakes)
        return settings


def load(directory: Path | None = None) -> Settings:
    """The settings of this process: the environment, and a `.env` file in the working directory below it."""
    return Settings.from_env({**_env_file((directory or Path.cwd()) / ".env"), **os.environ})


def _env_file(path: Path) -> dict[str, str]:
    """What a `.env` file sets. Raises SettingsProblem where a line cannot be read: it would be a setting lost."""
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        reason = why.strerror if isinstance(why, OSError) else "it is not UTF-8 text"
        raise SettingsProblem([Mistake(".env", f"cannot be read: {reason}")]) from why
    broken = [each.original.line for each in parse_stream(StringIO(text)) if each.error]
    if broken:
        raise SettingsProblem(
            [Mistake(".env", f"line {line} cannot be read; is a quote not closed?") for line in broken]
        )
    return {key: value or "" for key, value in dotenv_values(stream=StringIO(text)).items()}


def unknown_names() -> list[str]:
    """Names in this process's environment or `.env` that look like ours and are not: most likely spelled wrong."""
    environ = {**_env_file(Path.cwd() / ".env"), **os.environ}
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    return sorted(name for name in environ if re.match(r"(DIGEST|SENDGRID)_", name) and name not in known)


def files_read() -> list[Path]:
    """The files this process's settings come from: `.env`, and those that `X_FILE` names."""
    below = Path.cwd() / ".env"
    environ = {**_env_file(below), **os.environ}
    named = (environ.get(f"{name.upper()}_FILE") for name in Settings.model_fields)
    return [below, *(Path(path) for path in named if path)]


def _given(settings: type[Settings], environ: Mapping[str, str]) -> tuple[dict[str, str], list[Mistake]]:
    """What was given, by field; an empty value counts as not given. `X_FILE` names a file that holds X."""
    given: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for field in settings.model_fields:
        name = field.upper()
        if environ.get(name):
            given[field] = environ[name]
        elif path := environ.get(f"{name}_FILE"):
            try:
                given[field] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as why:
                reason = why.strerror if isinstance(why, OSError) else "it is not text"
                mistakes.append(Mistake(f"{name}_FILE", f"names {path}, which cannot be read: {reason}"))
    return given, mistakes


def _in_words(error: Any) -> str:
    """One clause per mistake, in the voice of the other messages."""
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f'must be {context["expected"]}, got "{value}"'
    if kind in ("int_parsing", "int_from_float"):
        return f'must be a whole number, got "{value}"'
    if kind == "bool_parsing":
        return f'must be true or false, got "{value}"'
    if kind in ("float_parsing", "finite_number"):
        return f'must be a number, got "{value}"'
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "less_than_equal": ("at most", "le"),
        "greater_than": ("more than", "gt"),
    }
    if kind in bounds:
        words, key = bounds[kind]
        return f'must be {words} {context[key]:g}, got "{value}"'
    if kind == "string_pattern_mismatch":
        return f'must be a name with dots such as verdicts.example.com, got "{value}"'
    return str(error["msg"])


def _contradictions(settings: Settings) -> list[Mistake]:
    """What no single setting can show."""
    found: list[Mistake] = []
    if settings.digest_min_entries > settings.digest_max_entries:
        found.append(
            Mistake(
                "DIGEST_MIN_ENTRIES",
                f"is {settings.digest_min_entries}, more than DIGEST_MAX_ENTRIES ({settings.digest_max_entries})",
            )
        )
    if settings.digest_two_person and settings.digest_approval == "auto":
        found.append(
            Mistake("DIGEST_TWO_PERSON", "contradicts DIGEST_APPROVAL=auto: a program is no second person; choose one")
        )
    if not settings.database_url.startswith("sqlite") and not settings.digest_secret_key:
        found.append(
            Mistake(
                "DIGEST_SECRET_KEY",
                "is missing; `openssl rand -hex 32` makes one (or set DIGEST_SECRET_KEY_FILE)",
            )
        )
    if 0 < settings.digest_fence_minutes < SHORTEST_FENCE and not is_loopback(settings.sendgrid_host):
        found.append(
            Mistake(
                "DIGEST_FENCE_MINUTES",
                f"must be 0 or at least {SHORTEST_FENCE}: SendGrid cancels nothing that leaves within ten minutes",
            )
        )
    if settings.digest_fence_minutes and not settings.through_sendgrid:
        found.append(Mistake("DIGEST_FENCE_MINUTES", "needs SendGrid: the outbox is its own evidence, set it to 0"))
    if settings.through_sendgrid and settings.journal is None:
        found.append(
            Mistake(
                "DIGEST_JOURNAL",
                "is missing and needed with PostgreSQL and SendGrid: a file of this host that outlives the database, "
                "so that a restored backup mails nobody twice",
            )
        )
    if settings.through_sendgrid:
        found += _missing_for_sendgrid(settings)
    elif settings.sendgrid_host != SENDGRID_API:
        found.append(
            Mistake("SENDGRID_API_KEY", "is missing although SENDGRID_HOST is set (or set SENDGRID_API_KEY_FILE)")
        )
    return found


def _missing_for_sendgrid(settings: Settings) -> list[Mistake]:
    needed = {
        "DIGEST_FROM_EMAIL": (settings.digest_from_email, "the sender's address"),
        "DIGEST_FROM_NAME": (settings.digest_from_name, "the sender's name"),
        "DIGEST_REPLY_TO": (settings.digest_reply_to, "where replies go"),
        "DIGEST_POSTAL_ADDRESS": (settings.digest_postal_address, "shown in every mail"),
    }
    found = [
        Mistake(name, f"is missing and needed with SendGrid: {why}")
        for name, (value, why) in needed.items()
        if not value
    ]
    host = urlsplit(settings.sendgrid_host)
    if is_loopback(settings.sendgrid_host):
        return found
    if host.scheme != "https":
        found.append(
            Mistake("SENDGRID_HOST", "must start with https:// off loopback: the key would travel in the open")
        )
    if "digest_site_url" not in settings.model_fields_set:
        found.append(
            Mistake("DIGEST_SITE_URL", "is missing and needed with SendGrid: all links in mails start with it")
        )
    elif not settings.digest_site_url.startswith("https://") or is_loopback(settings.digest_site_url):
        found.append(
            Mistake(
                "DIGEST_SITE_URL",
                f'must start with https:// and be reachable with SendGrid, got "{settings.digest_site_url}"',
            )
        )
    return found


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
