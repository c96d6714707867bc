"""What an edition can be compared with: the state of it that was tested, approved or typed, and the editions before."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from digest import approving, earlier, editing, editions, manuscript
from digest.bootstrap import Services
from digest.earlier import Version
from digest.manuscript import Manuscript
from digest.models import Edition
from digest.rendering import variant_of
from tests import make

EDDA = "staff 1"
NOW = make.CUTOFF + timedelta(minutes=30)


@pytest.fixture
def desk(services: Services) -> Services:
    make.draft(services, entries=3)
    return services


def read(desk: Services) -> Manuscript:
    with desk.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK))


def write(desk: Services, words: str, *, after: timedelta = timedelta(0)) -> None:
    editing.write(desk.database, make.WEEK, "subject", was=read(desk).subject, words=words, by=EDDA, now=NOW + after)


def version(desk: Services, against: str) -> Version:
    with desk.database.reading() as session:
        return earlier.version(session, editions.find(session, make.WEEK), against)


def subject(desk: Services, against: str) -> str:
    return version(desk, against).manuscript.subject


def log(desk: Services, what: str) -> None:
    with desk.database.writing() as session:
        editions.log(session, editions.find(session, make.WEEK), by=EDDA, what=what, now=NOW)


def test_the_state_after_each_edit(desk: Services) -> None:
    drafted = read(desk).subject
    write(desk, "The first words of an editor")
    write(desk, "The second words of an editor", after=timedelta(hours=1))

    assert [subject(desk, against) for against in ("drafted", "r0", "r1", "r2")] == [
        drafted,
        drafted,
        "The first words of an editor",
        "The second words of an editor",
    ]


def test_what_was_tested_is_told_from_what_was_typed_after_it(desk: Services) -> None:
    """Seconds later the same person goes on in the same place: that is another edit, or the test would be forgotten."""
    write(desk, "What the test mail said")
    log(desk, "test mail")
    write(desk, "What was typed right after it")

    assert subject(desk, "test") == "What the test mail said"


def test_what_was_approved_is_told_from_what_voided_it(desk: Services) -> None:
    write(desk, "What was approved at the desk")
    approving.approve(desk, make.WEEK, by="e@example.com", send_at=None, seen_hash=None, now=NOW)
    write(desk, "An afterthought within seconds")

    assert subject(desk, "approval") == "What was approved at the desk"


def test_the_newest_test_counts(desk: Services) -> None:
    log(desk, "test mail")
    write(desk, "What the second test said")
    log(desk, "test mail")

    assert subject(desk, "test") == "What the second test said"


def sent(desk: Services, week: str = "2026-W46") -> None:
    make.draft(desk, week=week, now=make.CUTOFF - timedelta(weeks=1))
    with desk.database.writing() as session:
        session.execute(sa.update(Edition).where(Edition.week == week).values(begun_at=NOW))


@pytest.fixture
def second(services: Services) -> Services:
    """A draft after an edition that went out."""
    sent(services)
    make.draft(services, entries=3)
    return services


@pytest.mark.parametrize("against", ["", "last", "2026-W46"])
def test_the_last_edition_that_went_out_comes_first(second: Services, against: str) -> None:
    assert version(second, against).edition.week == "2026-W46"
    assert version(second, against).revision is None


def test_without_one_it_is_the_draft(desk: Services) -> None:
    assert version(desk, "").key == "drafted"


@pytest.mark.parametrize(
    "against",
    [
        "last",
        "test",
        "approval",
        "r1",
        "r999999999",
        "r9999999999999999999999",
        "r-1",
        "r",
        "r²",
        "2026-W46",
        "2026-W99",
        "2026-W47",
        "2027-W01",
        "x" * 40,
        "'; --",
        "١",
    ],
)
def test_what_there_is_not_is_said(desk: Services, against: str) -> None:
    with pytest.raises(earlier.NoSuchVersion):
        version(desk, against)


def test_the_copy_of_a_manuscript_is_the_copy_of_its_edition(desk: Services) -> None:
    """So that the mail of an earlier state is the mail that would have been sent then."""
    write(desk, "The words of an editor")
    zone = desk.settings.digest_timezone
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        copy = editions.copy_of(session, edition, zone)

    assert copy == manuscript.copy_of(read(desk), dated=copy.dated, corrections=copy.corrections)
    assert variant_of(copy.entries, None).key == "all"


def test_the_mail_of_an_earlier_state_says_what_it_said(desk: Services) -> None:
    first = read(desk).entries[0]
    part = f"headline {first.comparison}"
    editing.write(
        desk.database, make.WEEK, part, was=first.summary.headline, words="A headline of ours", by=EDDA, now=NOW
    )
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        then, now = (
            earlier.mail(session, earlier.version(session, edition, against), desk, now=NOW) for against in ("r0", "r1")
        )

    assert "A headline of ours" in now
    assert "A headline of ours" not in then


def test_the_mail_of_an_earlier_edition_is_the_frozen_one(services: Services) -> None:
    """Whatever the templates make of its entries by now."""
    make.approved(services, week=make.WEEK)
    with services.database.writing() as session:
        session.execute(sa.text("UPDATE renderings SET html = '<p>as it was frozen</p>' WHERE variant = 'all'"))
        session.execute(sa.update(Edition).values(begun_at=NOW))
    later = make.draft(services, week="2026-W48", now=make.CUTOFF + timedelta(weeks=1))
    with services.database.reading() as session:
        found = earlier.version(session, editions.find(session, later.week), "last")

        assert earlier.mail(session, found, services, now=NOW) == "<p>as it was frozen</p>"
