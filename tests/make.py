"""Plain functions that make what a test needs, with sensible defaults. The cast: Ada active, Ben pending, Cleo
unsubscribed, Dov suppressed; Edda is an editor, Otto an operator."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from database import Database
from digest import approving, drafting, intake
from digest.bootstrap import Services, Timing
from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts
from digest.models import Edition, Role
from digest.settings import Settings
from digest.staff import add_staff
from digest.transport import Outbox, Transport
from digest.weeks import Week
from subscribers import addresses, consent, policy, secrecy
from subscribers.links import Links
from subscribers.models import Subscriber

WEEK = "2026-W47"
SEEN = datetime(2026, 11, 17, 10, tzinfo=UTC)
CUTOFF = datetime(2026, 11, 19, 18, tzinfo=UTC)
APPROVED = CUTOFF + timedelta(hours=1)
SEND = datetime(2026, 11, 20, 9, tzinfo=UTC)
SECRET = "a secret for tests only and long enough"
BASIS = "you signed up for this test"

#: Seconds in tests where the program takes minutes.
QUICK = Timing(
    connect=timedelta(seconds=1),
    send=timedelta(seconds=1),
    read=timedelta(seconds=2),
    lease=timedelta(seconds=6),
    cancel_margin=timedelta(seconds=1),
    backoff=timedelta(seconds=0.05),
    longest_backoff=timedelta(seconds=0.2),
    look_around=timedelta(seconds=0.5),
)

_numbers = itertools.count(1)


def settings(database: Database, folder: Path, **given: str) -> Settings:
    """Settings around a database; names as in the environment."""
    environ = {
        "DATABASE_URL": database.url.render_as_string(hide_password=False),
        "DIGEST_SECRET_KEY": SECRET,
        "DIGEST_OUTBOX_DIR": str(folder / "outbox"),
        "DIGEST_POSTAL_ADDRESS": "1 Test Street, 10115 Berlin",
    }
    return Settings.from_env({**environ, **given})


def services(database: Database, folder: Path, *, transport: Transport | None = None, **given: str) -> Services:
    """A wired program around a test's database, with quick timing and an outbox unless told otherwise."""
    found = settings(database, folder, **given)
    secrecy.equip(database, (SECRET,))
    return Services(
        settings=found,
        database=database,
        transport=transport or Outbox(found.digest_outbox_dir),
        links=Links(found.digest_site_url, (SECRET,)),
        timing=QUICK,
    )


def take(reviewer: str | None = "Builder", score: int | None = 80, call: Any = "ship", **more: Any) -> TakeFacts:
    """One take, with a remark of its own."""
    remark = more.pop("remark", f"The {reviewer} ran it for a week and would keep it. The logs are honest.")
    return TakeFacts(reviewer=reviewer, score=score, call=call, remark=remark, **more)


def tool(name: str = "Plumb 2.0", **more: Any) -> ToolFacts:
    """A tool whose panel ships it 3–1."""
    slug = more.pop("slug", name.lower().replace(" ", "-").replace(".", "-"))
    facts: dict[str, Any] = {
        "slug": slug,
        "name": name,
        "tagline": f"{name} in one line",
        "category": "Developer Tools",
        "description": f"{name} does one thing.",
        "entry": "Paid",
        "pricing": "$10 a month",
        "best_for": "people with one thing to do",
        "panel_ship_percent": 75,
        "verdict": "ship",
        "split": Split(ship=3, skip=1),
        "community": Community(ship_percent=None, votes=0),
        "takes": (
            take("Builder", 80),
            take("Skeptic", 70),
            take("Futurist", 75),
            take("Creator", 40, "skip", remark="The Creator could not draw a line with it."),
        ),
    }
    return ToolFacts(**{**facts, **more})


def comparison(left: ToolFacts | None = None, right: ToolFacts | None = None, **more: Any) -> ComparisonFacts:
    """A comparison of two tools nobody else in the test has, unless given."""
    number = next(_numbers)
    tools = (left or tool(f"Alder {number}.0"), right or tool(f"Birch {number}.0", panel_ship_percent=75))
    slug = more.pop("slug", f"{tools[0].slug}-vs-{tools[1].slug}")
    url = more.pop("url", f"https://site.example.com/compare/{slug}")
    return ComparisonFacts(slug=slug, url=url, title=f"{tools[0].name} vs {tools[1].name}", tools=tools, **more)


def taken_in(session: Session, *facts: ComparisonFacts, now: datetime = SEEN) -> list[intake.Taken]:
    """Comparisons as if their pages had been read."""
    return [intake.take_in(session, each, now=now) for each in facts or (comparison(),)]


def subscriber(session: Session, email: str = "ada@example.com", **given: Any) -> Subscriber:
    """An active subscriber; other columns as given."""
    person = consent.add(
        session, consent.Newcomer(addresses.parse(email)), basis=BASIS, now=SEEN, source="test"
    ).subscriber
    for column, value in given.items():
        setattr(person, column, value)
    session.flush()
    return person


def cast(session: Session) -> dict[str, Subscriber]:
    """Ada, Ben, Cleo and Dov."""
    ada, cleo, dov = (subscriber(session, f"{name}@example.com") for name in ("ada", "cleo", "dov"))
    ben = consent.sign_up(session, addresses.parse("ben@example.com"), now=SEEN, source="test").subscriber
    consent.unsubscribe(session, cleo, now=SEEN, source="test")
    consent.suppress(session, dov, policy.Act.BOUNCE, because="550 no such user", now=SEEN, source="test")
    return {"ada": ada, "ben": ben, "cleo": cleo, "dov": dov}


def audience(session: Session, count: int, *, first: int = 0, **given: Any) -> None:
    """Many active subscribers at once, numbered from `first` on."""
    numbers = range(first, first + count)
    newcomers = [consent.Newcomer(addresses.parse(f"reader{n}@example.com"), **given) for n in numbers]
    consent.add_all(session, newcomers, basis=BASIS, now=SEEN, source="test")


def staff(session: Session, email: str = "edda@example.com", role: Role = Role.EDITOR) -> None:
    add_staff(session, email, role, now=SEEN)


def draft(of: Services, *, entries: int = 2, week: str = WEEK, now: datetime = CUTOFF) -> Edition:
    """A drafted edition of comparisons of its own."""
    with of.database.writing() as session:
        taken_in(session, *(comparison() for _ in range(entries)), now=now - timedelta(days=1))
        return drafting.draft(session, Week.parse(week), of.settings, by="test", now=now).edition


def approved(of: Services, *, entries: int = 2, week: str = WEEK, readers: int = 0) -> Edition:
    """An approved edition, due at SEND, with that many readers beside whoever is there."""
    if readers:
        with of.database.writing() as session:
            audience(session, readers)
    draft(of, entries=entries, week=week)
    return approving.approve(of, week, by="edda@example.com", send_at=SEND, seen_hash=None, now=APPROVED)


def with_settings(of: Services, **changes: Any) -> Services:
    """The same program with some settings changed."""
    return replace(of, settings=of.settings.model_copy(update=changes))
