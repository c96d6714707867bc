"""Notes on editions that went out: published once, never changed, offered to the next edition."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from digest import corrections, editing, editions
from digest.bootstrap import Services
from digest.corrections import NothingSaid, NotOutYet, TooLong
from digest.models import Correction, EditionState
from digest.personal import TagInCopy
from tests import make
from tests.digest.drafts import W47, moved
from tests.make_events import sent

NOW = make.SEND + timedelta(days=4)
WORDS = "We gave the price as $9 a month. It is $9 a week."


def corrected(services: Services, words: str = WORDS, *, week: str = make.WEEK, days: int = 0) -> bool:
    with services.database.writing() as session:
        edition = editions.find(session, week)
        return corrections.add(session, edition, words=words, by="edda@example.com", now=NOW + timedelta(days=days))


def notes(services: Services, week: str = make.WEEK) -> list[tuple[str, str | None]]:
    with services.database.reading() as session:
        found = corrections.notes_on(session, editions.find(session, week))
        return [(note.words, note.printed_in) for note in found]


def test_a_note_is_kept_with_its_time_and_logged(services: Services) -> None:
    sent(services)

    assert corrected(services, f"  {WORDS}\r\n\u202e ")

    with services.database.reading() as session:
        (kept,) = session.scalars(sa.select(Correction)).all()
        assert (kept.words, kept.at, kept.by) == (WORDS, NOW, "edda@example.com")
        last = editions.log_of(session, editions.find(session, make.WEEK))[-1]
        assert (last.what, last.why, last.by) == ("corrected", WORDS, "edda@example.com")


def test_the_newest_stands_first(services: Services) -> None:
    sent(services)
    corrected(services, "First.")
    corrected(services, "Second.", days=1)

    assert notes(services) == [("Second.", None), ("First.", None)]


def test_the_same_words_are_published_once(services: Services) -> None:
    """A form may be sent twice, and a note cannot be taken back."""
    sent(services)

    assert corrected(services)
    assert not corrected(services, f" {WORDS} ")
    assert len(notes(services)) == 1


def test_a_press_waits_for_the_one_before(services: Services) -> None:
    """Two at once publish one note: the second looks only when the first is durable."""
    sent(services)
    with ThreadPoolExecutor() as pool:
        with services.database.writing() as session:
            edition = editions.find(session, make.WEEK)
            assert corrections.add(session, edition, words=WORDS, by="edda@example.com", now=NOW)
            session.flush()
            second = pool.submit(corrected, services)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
        assert not second.result()

    assert len(notes(services)) == 1


@pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.APPROVED])
def test_what_has_not_gone_out_is_changed_instead(services: Services, state: EditionState) -> None:
    make.draft(services)
    if state is EditionState.APPROVED:
        moved(services, W47, EditionState.APPROVED)

    with pytest.raises(NotOutYet, match="has not gone out yet"):
        corrected(services)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [("", NothingSaid), (" \n\u202e ", NothingSaid), ("x" * 1001, TooLong), ("see -vd2026w48whyhtml-", TagInCopy)],
)
def test_what_is_no_note_is_refused(services: Services, words: str, refusal: type[Exception]) -> None:
    sent(services)

    with pytest.raises(refusal):
        corrected(services, words)

    assert notes(services) == []


def test_a_thousand_characters_are_a_note(services: Services) -> None:
    sent(services)

    assert corrected(services, "x" * 1000)


def test_the_next_edition_is_offered_it_and_says_that_it_prints_it(services: Services) -> None:
    """Until that edition is skipped: then it is free for another."""
    sent(services)
    corrected(services)
    make.draft(services, week="2026-W48", now=make.CUTOFF + timedelta(days=7))
    with services.database.reading() as session:
        (offered,) = editing.offered(session, editions.find(session, "2026-W48"))

    editing.take_up(services.database, "2026-W48", offered.id, on=True, by="edda@example.com", now=NOW)
    assert notes(services) == [(WORDS, "2026-W48")]

    with services.database.writing() as session:
        editions.skip(session, editions.find(session, "2026-W48"), why="test", by="edda@example.com", now=NOW)
    assert notes(services) == [(WORDS, None)]
