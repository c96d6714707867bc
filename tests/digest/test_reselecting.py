"""A draft selected again by other rules: seen before it is done, done as it was seen, taken back without a trace."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from digest import drafting, editing, editions, intake, reselecting
from digest.bootstrap import Services
from digest.facts import Split
from digest.manuscript import Manuscript
from digest.models import Comparison, Considered, Edit
from digest.reselecting import Proposal, Weighed
from digest.selection import Rules, Weights
from digest.weeks import Week
from tests import make

EDDA, ERIK = "staff 1", "staff 2"
NOW = make.CUTOFF + timedelta(minutes=30)
LATER = NOW + timedelta(minutes=10)
FEWER = Rules(max_entries=2, near_misses=1)
CONTESTED = Rules(max_entries=3, weights=Weights(disagreement=0, distance=1000))


@pytest.fixture
def desk(services: Services) -> Services:
    """A draft of three entries out of six comparisons, from the widest gap to the narrowest."""
    found = make.with_settings(services, digest_max_entries=3)
    with found.database.writing() as session:
        for ships in range(6):
            left = make.tool(f"Loom {ships}", split=Split(ship=5, skip=0), panel_ship_percent=100)
            right = make.tool(f"Reed {ships}", split=Split(ship=ships, skip=5 - ships), panel_ship_percent=20 * ships)
            make.taken_in(session, make.comparison(left, right))
        drafting.draft(session, Week.parse(make.WEEK), found.settings, by="test", now=make.CUTOFF)
    return found


def read(desk: Services) -> Manuscript:
    with desk.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK))


def propose(desk: Services, rules: Rules) -> Proposal:
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        return reselecting.propose(session, edition, editing.read(session, edition), rules, desk.settings)


def select(desk: Services, rules: Rules, *, seen: Proposal | None = None, revision: int | None = None) -> editing.Saved:
    with desk.database.reading() as session:
        current = editions.find(session, make.WEEK).revision
    again = reselecting.by_rules(rules, desk.settings, seen=(seen or propose(desk, rules)).mark)
    seen_revision = current if revision is None else revision
    return editing.select_again(desk.database, make.WEEK, again, seen_revision=seen_revision, by=EDDA, now=NOW)


def everything(desk: Services) -> list[object]:
    """All that is stored of an edition, but its log and its edits."""
    with desk.database.reading() as session:
        rows = session.scalars(sa.select(Considered).order_by(Considered.comparison_id))
        columns = [column.key for column in sa.inspect(Considered).columns]
        return [read(desk), *([getattr(row, column) for column in columns] for row in rows)]


def weighed(desk: Services) -> dict[int, Weighed]:
    with desk.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        found = editing.read(session, edition)
        listed = reselecting.weighed(session, edition, found, editing.edits_of(session, edition))
        session.expunge_all()
    return {each.comparison: each for each in listed}


def test_looking_changes_nothing(desk: Services) -> None:
    before = everything(desk)

    proposal = propose(desk, FEWER)

    assert proposal.after.order == read(desk).order[:2]
    assert before == everything(desk)


def test_the_rules_in_force_change_nothing(desk: Services) -> None:
    """The entries of this very edition stand for it, else all of them would be passed over."""
    proposal = propose(desk, read(desk).rules)

    assert proposal.after == proposal.before == read(desk)


@pytest.mark.parametrize("rules", [FEWER, CONTESTED, Rules(max_entries=6), Rules(max_entries=1, near_misses=0)])
def test_what_was_seen_is_what_is_done(desk: Services, rules: Rules) -> None:
    seen = propose(desk, rules)

    saved = select(desk, rules, seen=seen)

    assert saved.changed
    assert read(desk) == seen.after
    assert read(desk).rules == rules
    stored = {each.comparison: each.row for each in weighed(desk).values()}
    assert {(one.key, one.rank, one.score, one.sentence) for one in seen.selection.considered} == {
        (key, row.rank, row.score, row.reason) for key, row in stored.items() if row
    }


@pytest.mark.parametrize("rules", [FEWER, CONTESTED, Rules(max_entries=6)])
def test_taking_it_back_brings_back_exactly_what_was(desk: Services, rules: Rules) -> None:
    """Entries, words, lines, rules, and what was considered with every rank and reason."""
    editing.write(desk.database, make.WEEK, "introduction", was="", words="Good morning.", by=EDDA, now=make.CUTOFF)
    before = everything(desk)
    select(desk, rules)
    assert before != everything(desk)

    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)

    assert before == everything(desk)


def test_undone_and_done_again(desk: Services) -> None:
    """What was weighed follows the rules back and forth."""
    select(desk, FEWER)
    done = everything(desk)
    undone = editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER)

    editing.undo(desk.database, make.WEEK, by=EDDA, now=LATER, revision=undone.revision)

    assert done == everything(desk)


def test_pinned_entries_hold_their_places(desk: Services) -> None:
    *_, last = read(desk).order
    editing.pin(desk.database, make.WEEK, last, on=True, by=EDDA, now=NOW)

    select(desk, FEWER)

    assert read(desk).order[1] == last
    assert len(read(desk).order) == 2
    row = weighed(desk)[last].row
    assert row is not None
    assert row.reason.startswith("chosen: pinned by an editor")


def test_a_pinned_entry_that_stands_no_more_holds_too(desk: Services) -> None:
    """Its page is dated long before the window by now: it would not be chosen, and still takes its place."""
    first = read(desk).order[0]
    editing.pin(desk.database, make.WEEK, first, on=True, by=EDDA, now=NOW)
    with desk.database.writing() as session:
        session.execute(
            sa.update(Comparison).where(Comparison.id == first).values(published_at=make.SEEN - timedelta(days=400))
        )

    select(desk, FEWER)

    assert len(read(desk).order) == 2
    assert read(desk).order[0] == first


def test_words_of_entries_that_stay_are_kept(desk: Services) -> None:
    first = read(desk).order[0]
    part, was = f"headline {first}", read(desk).entry(first).summary.headline
    editing.write(desk.database, make.WEEK, part, was=was, words="A headline of ours", by=EDDA, now=NOW)

    select(desk, FEWER)

    assert read(desk).entry(first).summary.headline == "A headline of ours"


def test_who_saw_an_earlier_draft_changes_nothing(desk: Services) -> None:
    seen = propose(desk, FEWER)
    editing.drop(desk.database, make.WEEK, read(desk).order[0], by=ERIK, now=NOW)
    before = everything(desk)

    with pytest.raises(editing.Overtaken) as refused:
        select(desk, FEWER, seen=seen, revision=0)

    assert refused.value.by == ERIK
    assert before == everything(desk)


def test_a_page_read_meanwhile_changes_nothing(desk: Services) -> None:
    """The revision is the same, but one that would come in says something else now."""
    rules = Rules(max_entries=6)
    seen = propose(desk, rules)
    (newcomer, *_) = set(seen.after.order) - set(seen.before.order)
    facts = seen.after.entry(newcomer).facts
    tools = (facts.tools[0].model_copy(update={"pricing": "$99 a month"}), facts.tools[1])
    with desk.database.writing() as session:
        intake.take_in(session, facts.model_copy(update={"tools": tools}), now=LATER)
    before = everything(desk)

    with pytest.raises(reselecting.OtherThanSeen):
        select(desk, rules, seen=seen)

    assert before == everything(desk)


def test_too_few_are_refused(desk: Services) -> None:
    rules = Rules(max_entries=9, min_entries=9)
    before = everything(desk)

    with pytest.raises(reselecting.NotEnough, match=r"Only six .* needs at least nine\. Nothing was changed\."):
        select(desk, rules)

    assert before == everything(desk)


def test_what_another_edition_holds_stands_no_more(desk: Services) -> None:
    """A later draft took what this one had passed over: readers would get it twice."""
    taken = make.draft(desk, entries=1, week="2026-W48", now=make.CUTOFF + timedelta(weeks=1))
    with desk.database.reading() as session:
        theirs = {entry.comparison_id for entry in editions.entries_of(session, taken)}

    proposal = propose(desk, Rules(max_entries=6))

    assert theirs
    assert not theirs & {one.key for one in proposal.selection.considered}


def test_what_was_withdrawn_goes(desk: Services) -> None:
    first = read(desk).order[0]
    with desk.database.writing() as session:
        session.execute(
            sa.update(Comparison)
            .where(Comparison.id == first)
            .values(withdrawn_at=NOW, withdrawn_because="a test", withdrawn_by=EDDA)
        )

    assert first not in propose(desk, read(desk).rules).after.order


def test_what_editors_did_stands_beside_what_the_rules_chose(desk: Services) -> None:
    out = read(desk).order[0]
    inside = next(each for each in weighed(desk).values() if not each.by_rule and each.near_miss)
    editing.drop(desk.database, make.WEEK, out, by=EDDA, now=NOW)
    editing.bring_in(desk.database, make.WEEK, inside.comparison, position=1, by=ERIK, now=NOW)
    editing.pin(desk.database, make.WEEK, inside.comparison, on=True, by=EDDA, now=NOW)

    found = weighed(desk)

    def told(edit: Edit | None) -> str | None:
        return edit.by if edit else None

    assert (found[out].by_rule, found[out].at, told(found[out].moved)) == (True, None, EDDA)
    there = found[inside.comparison]
    assert (there.by_rule, there.at, there.near_miss) == (False, 1, False)
    assert (told(there.moved), told(there.pinned)) == (ERIK, EDDA)
    untouched = [each for each in found.values() if each.comparison not in (out, inside.comparison)]
    assert all(each.moved is None and each.pinned is None for each in untouched)


def test_an_entry_that_was_never_weighed_is_not_left_out(desk: Services) -> None:
    """Its row went with pages that turned out to be one."""
    first = read(desk).order[0]
    with desk.database.writing() as session:
        session.execute(sa.delete(Considered).where(Considered.comparison_id == first))

    assert (weighed(desk)[first].row, weighed(desk)[first].at) == (None, 1)
