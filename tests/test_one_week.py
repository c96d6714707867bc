"""One week as people live it: published on Monday, chosen on Thursday, read on Friday; then somebody leaves."""

from __future__ import annotations

import email
import email.policy
import threading
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from digest import approving, editions, gathering, jobs, stats
from digest.bootstrap import Services
from digest.models import EditionState
from digest.sources.fetching import Fetcher
from digest.web.app import create_app
from tests import make

SAMPLES = Path(__file__).parent.parent / "digest" / "samples"
MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
THURSDAY = datetime(2026, 11, 19, 18, 1, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 20, 9, 1, tzinfo=UTC)


@pytest.fixture
def newsroom(services: Services) -> Services:
    with services.database.writing() as session:
        make.cast(session)
        make.subscriber(session, "eve@example.com", name="Eve", plain_text=True)
        make.staff(session)
    return services


def at(moment: datetime) -> jobs.Shift:
    return jobs.Shift(clock=lambda: moment, stop=threading.Event())


def mails(services: Services, folder: str) -> dict[str, EmailMessage]:
    """Everything in the outbox, by recipient."""
    found = {}
    for path in sorted((services.settings.digest_outbox_dir / folder).glob("*/*.eml")):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        found[str(mail["To"])] = mail
    return found


def test_one_week(newsroom: Services) -> None:
    """From pages to a mail in each reader's hands, to a reader who leaves, to the next week without them."""
    # Monday: the site publishes.
    with Fetcher() as fetcher:
        outcomes = list(gathering.gather(newsroom.database, str(SAMPLES), fetcher=fetcher, now=MONDAY))
    assert 15 == sum(outcome.news == "new" for outcome in outcomes)
    assert "" == jobs.draft(newsroom, at(MONDAY + timedelta(days=1)))

    # Thursday evening: the draft is made, and Edda is told.
    assert "2026-W47 made as draft" in jobs.draft(newsroom, at(THURSDAY))
    assert "1 posted" in jobs.letters(newsroom, at(THURSDAY))
    assert "Draft of 2026-W47" in mails(newsroom, "letters")["edda@example.com"]["Subject"]

    # She approves. Nothing leaves before its time.
    approving.approve(newsroom, "2026-W47", by="edda@example.com", send_at=None, seen_hash=None, now=THURSDAY)
    assert "" == jobs.send(newsroom, at(THURSDAY + timedelta(hours=1)))

    # Friday morning: it does, to Ada and Eve, and to nobody who did not ask.
    assert "prepared 2026-W47, 2 deliveries answered" == jobs.send(newsroom, at(FRIDAY))
    handed = mails(newsroom, "2026-W47")
    assert {"ada@example.com", "eve@example.com"} == set(handed)
    ada, eve = handed["ada@example.com"], handed["eve@example.com"]
    assert ["text/plain", "text/html"] == [part.get_content_type() for part in ada.iter_parts()]
    assert "text/plain" == eve.get_content_type()
    words = " ".join(eve.get_content().split())
    assert "Hello Eve, you get this because you were added" in words
    assert "List-Unsubscribe=One-Click" == ada["List-Unsubscribe-Post"]

    with newsroom.database.reading() as session:
        edition = editions.find(session, "2026-W47")
        numbers = stats.numbers(session, edition)
        entries = editions.copy_of(session, edition, newsroom.settings.digest_timezone).entries
    assert (EditionState.SENT, 2, True) == (edition.state, numbers.accepted, numbers.adds_up)
    for entry in entries:
        assert entry.summary.headline.split(" vs ")[0] in words

    # Ada leaves by the link in her mail; whoever missed the mail reads the archive.
    with TestClient(create_app(newsroom)) as client:
        link = ada["List-Unsubscribe"].strip("<>").removeprefix("http://127.0.0.1:8000")
        assert 200 == client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code
        assert edition.subject.split(" ")[0] in client.get("/archive/2026-W47").text

    # The next week she gets nothing, and what was sent does not come again.
    week = timedelta(weeks=1)
    with newsroom.database.writing() as session:
        make.taken_in(session, make.comparison(), now=MONDAY + week)
    jobs.draft(newsroom, at(THURSDAY + week))
    approving.approve(newsroom, "2026-W48", by="edda", send_at=None, seen_hash=None, now=THURSDAY + week)
    jobs.send(newsroom, at(FRIDAY + week))
    assert {"eve@example.com"} == set(mails(newsroom, "2026-W48"))
    with newsroom.database.reading() as session:
        later = editions.copy_of(session, editions.find(session, "2026-W48"), newsroom.settings.digest_timezone)
    assert {entry.summary.headline for entry in later.entries}.isdisjoint({entry.summary.headline for entry in entries})
