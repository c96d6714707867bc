"""Editors change an edition: kept with who and when, taken back, and never over another's words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from digest import approving, drafting, editing, editions, manuscript, merging
from digest.bootstrap import Services
from digest.manuscript import Manuscript
from digest.models import Comparison, Correction, Edition, EditionState, Featured
from digest.selection import Rules
from digest.weeks import Week
from tests import make

EDDA, ERIK = "staff 1", "staff 2"
NOW = make.CUTOFF + timedelta(minutes=30)
SOON = NOW + timedelta(seconds=20)
LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def desk(services: Services) -> Services:
    """A draft of three entries, with two more comparisons passed over."""
    found = make.with_settings(services, digest_max_entries=3)
    make.draft(found, entries=5)
    return found


def read(desk: Services) -> Manuscript:
    with desk.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK))


def state(desk: Services) -> EditionState:
    with desk.database.reading() as session:
        return editions.find(session, make.WEEK).state


def write(
    desk: Services, part: str, words: str, *, was: str | None = None, by: str = EDDA, now: datetime = NOW
) -> editing.Saved:
    seen = manuscript.words_of(read(desk), part) if was is None else was
    return editing.write(desk.database, make.WEEK, part, was=seen, words=words, by=by, now=now)


def passed_over(desk: Services) -> int:
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        return next(row.comparison_id for row, _ in editions.considered_by_name(session, edition) if not row.chosen)


def test_what_is_written_is_kept(desk: Services) -> None:
    first = read(desk).order[0]

    write(desk, "subject", "One subject for a week of tools")
    write(desk, f"headline {first}", "A headline of our own")
    write(desk, "introduction", "Good *morning*.\r\n\r\nTwo paragraphs.")

    found = read(desk)
    assert found.subject == "One subject for a week of tools"
    assert found.entry(first).summary.headline == "A headline of our own"
    assert found.entry(first).headline_by_rule != "A headline of our own"
    assert found.introduction == "Good *morning*.\n\nTwo paragraphs."


def test_the_mail_says_what_was_written(desk: Services) -> None:
    first = read(desk).order[0]
    write(desk, f"headline {first}", "A headline of our own")

    with desk.database.reading() as session:
        copy = editions.copy_of(session, editions.find(session, make.WEEK), desk.settings.digest_timezone)

    assert copy.entries[0].summary.headline == "A headline of our own"


def test_another_persons_words_are_never_overwritten(desk: Services) -> None:
    seen = read(desk).subject
    write(desk, "subject", "Edda was quicker", by=EDDA)

    with pytest.raises(editing.Overtaken) as refused:
        write(desk, "subject", "Erik had begun before", was=seen, by=ERIK, now=LATER)

    assert (refused.value.current, refused.value.by, refused.value.at) == ("Edda was quicker", EDDA, NOW)
    assert read(desk).subject == "Edda was quicker"


def test_two_people_in_two_places_both_keep_theirs(desk: Services) -> None:
    before = read(desk)
    write(desk, "subject", "Edda's subject for the week", was=before.subject, by=EDDA)
    write(desk, "introduction", "Erik's introduction.", was="", by=ERIK)

    assert (read(desk).subject, read(desk).introduction) == ("Edda's subject for the week", "Erik's introduction.")


def test_saving_the_same_twice_is_harmless(desk: Services) -> None:
    seen = read(desk).subject
    first = write(desk, "subject", "The same words twice", was=seen)
    again = write(desk, "subject", "The same words twice", was=seen)

    assert (first.changed, again.changed, first.revision) == (True, False, again.revision)


def test_an_order_seen_before_somebody_elses_is_refused(desk: Services) -> None:
    was = read(desk).order
    editing.reorder(desk.database, make.WEEK, was=was, order=was[::-1], by=EDDA, now=NOW)

    with pytest.raises(editing.Overtaken) as refused:
        editing.reorder(desk.database, make.WEEK, was=was, order=[was[1], was[0], was[2]], by=ERIK, now=NOW)

    assert refused.value.current == list(was[::-1])


def test_typing_is_one_edit(desk: Services) -> None:
    """A log of letters would hide the changes; a pause, another place or another person begins a new one."""
    write(desk, "subject", "One letter after")
    write(desk, "subject", "One letter after the other", now=SOON)
    write(desk, "subject", "Much later, the same subject", now=LATER)
    write(desk, "breath", "Another place of the mail.", now=LATER)
    write(desk, "breath", "Another person in that place.", by=ERIK, now=LATER)

    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        kept = [(edit.by, edit.revision, list(edit.after)) for edit in editing.edits_of(session, edition)]
        logged = [line.why for line in editions.log_of(session, edition) if line.what == "edited"]
    assert kept == [
        (ERIK, 5, ["breath"]),
        (EDDA, 4, ["breath"]),
        (EDDA, 3, ["subject"]),
        (EDDA, 2, ["subject"]),
    ]
    assert logged == ["subject", "subject", "breath", "breath"]


def test_undo_takes_back_ones_own_last_change(desk: Services) -> None:
    before = read(desk)
    write(desk, "subject", "Edda's subject for the week")
    write(desk, "introduction", "Erik's introduction.", by=ERIK)

    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)

    assert (read(desk).subject, read(desk).introduction) == (before.subject, "Erik's introduction.")
    with pytest.raises(editing.NothingToUndo):
        editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)


def test_undo_of_an_undo_does_it_again(desk: Services) -> None:
    write(desk, "subject", "Edda's subject for the week")
    undone = editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)

    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER, revision=undone.revision)

    assert read(desk).subject == "Edda's subject for the week"
    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)
    assert read(desk).subject == read(desk).subject_by_rule


def test_undo_never_takes_others_words(desk: Services) -> None:
    write(desk, "subject", "Edda's subject for the week")
    write(desk, "subject", "Erik made it better since", by=ERIK)

    with pytest.raises(editing.NotUndone):
        editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)

    assert read(desk).subject == "Erik made it better since"


def test_entries_go_and_come_back(desk: Services) -> None:
    before, other = read(desk), passed_over(desk)

    editing.drop(desk.database, make.WEEK, before.order[1], by=EDDA, now=NOW)
    editing.bring_in(desk.database, make.WEEK, other, position=1, by=EDDA, now=NOW)

    assert read(desk).order == (other, before.order[0], before.order[2])
    editing.undo(desk.database, make.WEEK, by=EDDA, now=NOW)
    editing.undo(desk.database, make.WEEK, by=EDDA, now=NOW)
    assert before == read(desk)


def test_undo_brings_nothing_back_that_stands_elsewhere(desk: Services) -> None:
    """Taken out here and drafted for the next week meanwhile: readers would get it twice."""
    gone = read(desk).order[0]
    editing.drop(desk.database, make.WEEK, gone, by=EDDA, now=NOW)
    with desk.database.writing() as session:
        later = make.CUTOFF + timedelta(weeks=1)
        drafting.draft(session, Week.parse("2026-W48"), desk.settings, by="test", now=later)

    with pytest.raises(editing.NotBroughtIn, match="2026-W48"):
        editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)

    assert gone not in read(desk).order


def merged(desk: Services, comparison: int) -> int:
    """It turns out to be another page that was read since; returns the number of that one."""
    with desk.database.writing() as session:
        old = session.get_one(Comparison, comparison)
        columns = {column.key: getattr(old, column.key) for column in sa.inspect(Comparison).columns}
        twin = Comparison(**{**columns, "id": None, "slug": f"twin-of-{comparison}"})
        session.add(twin)
        session.flush()
        merging.merge_comparisons(session, into=twin, other=old)
        return twin.id


def test_edits_follow_a_page_that_is_merged_with_another(desk: Services) -> None:
    """What was taken out comes back under the number it has now, and earlier versions can still be read."""
    before = read(desk)
    first, second, *_ = before.order
    write(desk, f"headline {second}", "A headline of our own")
    editing.drop(desk.database, make.WEEK, first, by=EDDA, now=NOW)

    now_first, now_second = merged(desk, first), merged(desk, second)

    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)
    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)
    assert read(desk).order[:2] == (now_first, now_second)
    assert read(desk).entries[1].summary == before.entries[1].summary
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert editing.at_revision(session, edition, 1).entries[1].summary.headline == "A headline of our own"


def test_who_takes_back_anothers_words_writes(desk: Services) -> None:
    """Taking back one's own leaves nothing of oneself in it."""
    write(desk, "subject", "Erik's subject for the week", by=ERIK)
    write(desk, "introduction", "Edda's introduction.", by=EDDA)
    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)
    with desk.database.reading() as session:
        assert editing.authors(session, editions.find(session, make.WEEK)) == {ERIK}

    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER, revision=1)

    with desk.database.reading() as session:
        assert editing.authors(session, editions.find(session, make.WEEK)) == {EDDA}


@pytest.mark.parametrize("revision", [0, 99, 2**31, 2**63, -1])
def test_there_is_no_such_change(desk: Services, revision: int) -> None:
    with pytest.raises(editing.NothingToUndo):
        editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER, revision=revision)


def test_tools_shown_follow_the_entries(desk: Services) -> None:
    editing.drop(desk.database, make.WEEK, read(desk).order[0], by=EDDA, now=NOW)

    shown = {tool.identity for entry in read(desk).entries for tool in entry.facts.tools}
    with desk.database.reading() as session:
        assert shown == set(session.scalars(sa.select(Featured.identity)))


def test_only_what_stood_can_be_brought_in(desk: Services) -> None:
    with pytest.raises(editing.NotBroughtIn):
        editing.bring_in(desk.database, make.WEEK, 4711, by=EDDA, now=NOW)


def test_a_pin_is_kept(desk: Services) -> None:
    editing.pin(desk.database, make.WEEK, read(desk).order[1], on=True, by=EDDA, now=NOW)

    assert [entry.pinned for entry in read(desk).entries] == [False, True, False]


def test_an_earlier_version_can_be_read(desk: Services) -> None:
    versions = [read(desk)]
    write(desk, "subject", "Edda's subject for the week")
    versions.append(read(desk))
    editing.drop(desk.database, make.WEEK, read(desk).order[0], by=ERIK, now=NOW)
    versions.append(read(desk))

    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        assert versions == [editing.at_revision(session, edition, revision) for revision in range(3)]


def test_a_change_voids_the_approval(desk: Services) -> None:
    approving.approve(desk, make.WEEK, by="e@example.com", send_at=None, seen_hash=None, now=make.APPROVED)

    saved = write(desk, "subject", "An afterthought about tools")

    assert (saved.voided, state(desk)) == (True, EditionState.DRAFT)


def test_no_change_voids_nothing(desk: Services) -> None:
    approving.approve(desk, make.WEEK, by="e@example.com", send_at=None, seen_hash=None, now=make.APPROVED)

    saved = write(desk, "subject", read(desk).subject)

    assert (saved.voided, state(desk)) == (False, EditionState.APPROVED)


def test_what_is_on_its_way_is_not_edited(desk: Services) -> None:
    with desk.database.writing() as session:
        editions.skip(session, editions.find(session, make.WEEK), why="a holiday", by=EDDA, now=NOW)

    with pytest.raises(editing.NotEditable):
        write(desk, "subject", "Too late for this one")


def test_corrections_are_offered_printed_and_given_back(desk: Services) -> None:
    with desk.database.writing() as session:
        earlier = Edition(
            week="2026-W40",
            state=EditionState.SENT,
            begun_at=NOW,
            window_start=NOW,
            window_end=NOW,
            planned_at=NOW,
            send_at=NOW,
            rules=Rules().model_dump(mode="json"),
            created_at=NOW,
        )
        session.add(earlier)
        session.flush()
        session.add(Correction(edition_id=earlier.id, at=NOW, by=EDDA, words="Plumb costs 9 dollars, not 90."))
        session.flush()
        (number,) = session.scalars(sa.select(Correction.id))

    editing.take_up(desk.database, make.WEEK, number, on=True, by=EDDA, now=NOW)

    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        copy = editions.copy_of(session, edition, desk.settings.digest_timezone)
        assert copy.corrections == ("Edition of 19 November 2026: Plumb costs 9 dollars, not 90.",)
        assert [number] == [each.id for each in editing.offered(session, edition)]
    editing.undo(desk.database, make.WEEK, by=EDDA, now=NOW)
    assert read(desk).corrections == ()


def together(*acts: Callable[[], object]) -> list[BaseException | object]:
    """Begun at one moment by as many threads: what each gave or raised."""
    gate, found = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number: int, act: Callable[[], object]) -> None:
        gate.wait()
        try:
            found[number] = act()  # type: ignore[call-overload]
        except Exception as why:  # noqa: BLE001 - handed on to the test
            found[number] = why  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(found)


@pytest.mark.parametrize("attempt", range(3))
def test_an_edit_beside_an_approval(desk: Services, attempt: int) -> None:
    """Whoever is first: never is something approved that is not what stands there."""

    def approve() -> object:
        return approving.approve(desk, make.WEEK, by="e@example.com", send_at=None, seen_hash=None, now=make.APPROVED)

    outcome = together(lambda: write(desk, "subject", "An afterthought about tools", by=ERIK), approve)

    assert not isinstance(outcome[0], BaseException), outcome
    assert read(desk).subject == "An afterthought about tools"
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        if edition.state is EditionState.APPROVED:
            frozen = session.scalars(sa.text("SELECT subject FROM renderings")).all()
            assert set(frozen) == {"An afterthought about tools"}
        else:
            assert edition.approved_hash is None


def test_two_people_at_one_moment_lose_nothing(desk: Services) -> None:
    was = read(desk).subject

    outcome = together(
        lambda: write(desk, "subject", "The words of one of them", was=was, by=EDDA),
        lambda: write(desk, "subject", "The words of the other", was=was, by=ERIK),
    )

    refused = [each for each in outcome if isinstance(each, editing.Overtaken)]
    assert len(refused) == 1
    assert refused[0].current == read(desk).subject
