"""Editors change an edition: each change is kept with who and when, can be taken back, and never overwrites another's.

Whoever writes says what stood there when they began. Where something else stands by now nothing is changed, and they
are told whose words came between. A change of an approved edition voids the approval in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database, claim
from digest import editions, intake, library, manuscript, reselecting
from digest.errors import DigestError
from digest.facts import ComparisonFacts
from digest.manuscript import Also, Manuscript, Parts, Placed
from digest.models import Comparison, Considered, Correction, Edit, Edition, EditionLog, EditionState, Entry
from digest.selection import Rules

TYPING = timedelta(minutes=2)
"""Changes of one text by one person, no further apart than this, are one edit."""
LONGEST_WHAT = 400
LARGEST_REVISION = 2**31 - 1
"""PostgreSQL cannot even look for a larger one."""
EDITED = "edited"
"""The line in the edition's log: one for each edit, in the same order."""

_STANDING = (Edit.undone_in.is_(None), Edit.undoes.is_(None))

Change = Callable[[Session, Edition, Manuscript], tuple[Manuscript, str]]


class NotEditable(DigestError):
    """The edition is no draft, so nothing was changed."""


class Overtaken(DigestError):
    """Somebody else has changed this since you began, so yours was not saved.

    `current` is what stands there now; `by` and `at` say whose it is, where that is known.
    """

    def __init__(self, part: str, current: object, by: str | None, at: datetime | None) -> None:
        super().__init__()
        self.part, self.current, self.by, self.at = part, current, by, at


class NothingToUndo(DigestError):
    """There is no change of yours to take back."""


class NotUndone(DigestError):
    """Somebody has gone on since, so this change was not taken back."""


class NotBroughtIn(DigestError):
    """This comparison cannot be brought in."""


class NotPrinted(DigestError):
    """This correction is in another edition, or is one of this edition itself."""


@dataclass(frozen=True)
class Saved:
    """What became of a change. `changed` False: it was so already. `voided`: an approval went with it."""

    revision: int
    what: str
    changed: bool
    voided: bool


# — reading —


def read(session: Session, edition: Edition) -> Manuscript:
    """The edition as it stands."""
    printed = sa.select(Correction.id).where(Correction.printed_in == edition.id).order_by(Correction.id)
    return Manuscript(
        week=edition.week,
        subject=edition.subject,
        breath=edition.breath,
        subject_by_rule=edition.subject_by_rule,
        breath_by_rule=edition.breath_by_rule,
        introduction=edition.introduction or "",
        entries=tuple(_placed(entry) for entry in editions.entries_of(session, edition)),
        also_compared=tuple(Also.model_validate(line) for line in edition.also_compared),
        corrections=tuple(session.scalars(printed)),
        rules=Rules.model_validate(edition.rules),
    )


def at_revision(session: Session, edition: Edition, revision: int) -> Manuscript:
    """The edition as it stood after that edit; 0 is as it was drafted."""
    parts = manuscript.parts_of(read(session, edition))
    later = sa.select(Edit).where(Edit.edition_id == edition.id, Edit.revision > revision)
    for edit in session.scalars(later.order_by(Edit.revision.desc())):
        parts = {name: value for name, value in {**parts, **edit.before}.items() if value is not None}
    return manuscript.made_of(parts, edition.week)


def edits_of(session: Session, edition: Edition) -> Sequence[Edit]:
    """Every change, the newest first."""
    return session.scalars(sa.select(Edit).where(Edit.edition_id == edition.id).order_by(Edit.revision.desc())).all()


def undoable(session: Session, edition: Edition, *, by: str) -> Edit | None:
    """The last change of this person that stands; None where there is none."""
    own = sa.select(Edit).where(Edit.edition_id == edition.id, Edit.by == by, *_STANDING)
    return session.scalars(own.order_by(Edit.revision.desc()).limit(1)).one_or_none()


def authors(session: Session, edition: Edition) -> set[str]:
    """Who wrote in it, as far as their changes stand.

    Taking back what somebody else wrote is writing, too; taking back one's own is not.
    """
    standing = sa.select(Edit).where(Edit.edition_id == edition.id, Edit.undone_in.is_(None))
    made_by = dict(session.execute(sa.select(Edit.revision, Edit.by).where(Edit.edition_id == edition.id)).all())
    return {edit.by for edit in session.scalars(standing) if edit.undoes is None or made_by[edit.undoes] != edit.by}


def offered(session: Session, edition: Edition) -> Sequence[Correction]:
    """Notes on earlier editions that no edition prints which went out or may yet go, and those this one prints."""
    printing = sa.exists().where(Edition.id == Correction.printed_in, editions.holds_entries())
    wanted = sa.select(Correction).where(
        Correction.edition_id != edition.id, sa.or_(Correction.printed_in == edition.id, sa.not_(printing))
    )
    return session.scalars(wanted.order_by(Correction.id)).all()


# — changing —


def write(database: Database, week: str, part: str, *, was: str, words: str, by: str, now: datetime) -> Saved:
    """Other words in one part, for who saw that `was` stood there.

    Raises Overtaken, NotEditable, and what `manuscript.written` raises.
    """

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        changed = manuscript.written(found, part, words)
        stands = manuscript.words_of(found, part)
        seen = manuscript.words_of(manuscript.written(found, part, was), part)
        if stands not in (seen, manuscript.words_of(changed, part)):
            raise _overtaken(session, edition, part, stands)
        return changed, manuscript.spoken(found, part)

    return _apply(database, week, change, by=by, now=now, is_typing=True)


def restore(database: Database, week: str, part: str, *, was: str | None = None, by: str, now: datetime) -> Saved:
    """Back to what the program wrote, for who saw that `was` stood there. Raises Overtaken, as `write` does."""

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        words, stands = manuscript.words_by_rule(found, part), manuscript.words_of(found, part)
        if was is not None and stands not in (words, manuscript.words_of(manuscript.written(found, part, was), part)):
            raise _overtaken(session, edition, part, stands)
        return manuscript.written(found, part, words), f"{manuscript.spoken(found, part)} as the program wrote it"

    return _apply(database, week, change, by=by, now=now)


def reorder(
    database: Database, week: str, *, was: Sequence[int], order: Sequence[int], by: str, now: datetime
) -> Saved:
    """Another order, for who saw the order `was`. Raises Overtaken or NotThatOrder."""

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        if found.order not in (tuple(was), tuple(order)):
            raise _overtaken(session, edition, "order", list(found.order))
        return manuscript.reordered(found, order), "order of the entries"

    return _apply(database, week, change, by=by, now=now)


def drop(database: Database, week: str, comparison: int, *, by: str, now: datetime) -> Saved:
    """Take an entry out; nothing changes where it is out already."""

    def change(_session: Session, _edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        if comparison not in found.order:
            return found, "taken out"
        return manuscript.dropped(found, comparison), f"taken out: {found.entry(comparison).facts.headline}"

    return _apply(database, week, change, by=by, now=now)


def bring_in(
    database: Database, week: str, comparison: int, *, position: int | None = None, by: str, now: datetime
) -> Saved:
    """Put in a comparison that stood for selection, as its page is now. Raises NotBroughtIn."""

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        if comparison in found.order:
            return found, "brought in"
        facts = _facts_to_bring_in(session, edition, comparison)
        return manuscript.brought_in(found, comparison, facts, position), f"brought in: {facts.headline}"

    return _apply(database, week, change, by=by, now=now, brings_in=True)


def pin(database: Database, week: str, comparison: int, *, on: bool, by: str, now: datetime) -> Saved:
    """Let an entry keep its place whatever other rules would choose, or no longer. Raises NotInIt."""

    def change(_session: Session, _edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        what = "pinned" if on else "no longer pinned"
        return manuscript.pinned(found, comparison, on), f"{what}: {found.place(comparison)}"

    return _apply(database, week, change, by=by, now=now)


def refresh(database: Database, week: str, comparison: int, *, by: str, now: datetime) -> Saved:
    """Take over what the page of an entry says now. Raises NotInIt or NotBroughtIn."""

    def change(session: Session, _edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        place = found.place(comparison)
        facts = _facts(session, comparison)
        if facts == found.entry(comparison).facts:
            return found, place
        return manuscript.refreshed(found, comparison, facts), f"page read again: {place}"

    return _apply(database, week, change, by=by, now=now)


def take_up(database: Database, week: str, correction: int, *, on: bool, by: str, now: datetime) -> Saved:
    """Print a note on an earlier edition in this one, or not. Raises NotPrinted."""

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        if correction not in {each.id for each in offered(session, edition)}:
            raise NotPrinted
        what = f"{'prints' if on else 'does not print'} correction {correction}"
        return manuscript.with_correction(found, correction, on), what

    return _apply(database, week, change, by=by, now=now)


def select_again(
    database: Database,
    week: str,
    choose: Callable[[Session, Edition, Manuscript], Manuscript],
    *,
    seen_revision: int,
    by: str,
    now: datetime,
) -> Saved:
    """The entries that other rules choose, for who saw what that changes at `seen_revision`. Raises Overtaken."""

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        if edition.revision != seen_revision:
            raise _overtaken(session, edition, None, list(found.order))
        return choose(session, edition, found), "selected again by other rules"

    return _apply(database, week, change, by=by, now=now, brings_in=True)


def undo(database: Database, week: str, *, by: str, now: datetime, revision: int | None = None) -> Saved:
    """Take back the last change of this person, or the one that made a revision.

    Raises NothingToUndo, or NotUndone where others have gone on from it.
    """
    undone: list[Edit] = []

    def change(session: Session, edition: Edition, found: Manuscript) -> tuple[Manuscript, str]:
        edit = undoable(session, edition, by=by) if revision is None else _edit(session, edition, revision)
        if edit is None or edit.undone_in is not None:
            raise NothingToUndo
        parts, in_the_way = manuscript.put_back(manuscript.parts_of(found), edit.before, edit.after)
        if in_the_way:
            raise NotUndone(f"“{edit.what}” was not taken back: others have gone on from it since.")
        undone.append(edit)
        back = manuscript.made_of(parts, edition.week)
        if "order" in edit.after:
            back = manuscript.composed(back, back.entries)
        if back.rules != found.rules:
            reselecting.weigh_again(session, edition, back)
        return back, _shortened(f"taken back: {edit.what}")

    return _apply(database, week, change, by=by, now=now, undone=undone, brings_in=True)


def _apply(
    database: Database,
    week: str,
    change: Change,
    *,
    by: str,
    now: datetime,
    is_typing: bool = False,
    undone: Sequence[Edit] = (),
    brings_in: bool = False,
) -> Saved:
    with database.writing() as session:
        if brings_in:
            # Before the edition, as everybody does who drafts, takes in or merges: no comparison moves meanwhile.
            intake.one_at_a_time(session)
        edition = _locked(session, week)
        found = read(session, edition)
        changed, what = change(session, edition, found)
        _refuse_taken(session, edition, set(changed.order) - set(found.order))
        if changed == found:
            _mark(session, edition, undone)
            return Saved(edition.revision, what, changed=False, voided=False)
        voided = edition.state is EditionState.APPROVED
        if voided:
            editions.reopen(session, edition, why=f"changed: {what}", by=by, now=now)
        before, as_it_is = manuscript.difference(manuscript.parts_of(found), manuscript.parts_of(changed))
        edition.revision += 1
        _store(session, edition, found, changed)
        joined = is_typing and _joined(session, edition, as_it_is, by=by, now=now)
        if not joined:
            undoes = undone[0].revision if undone else None
            _note(session, edition, what, before, as_it_is, undoes=undoes, by=by, now=now)
        _mark(session, edition, undone)
        session.flush()
        return Saved(edition.revision, what, changed=True, voided=voided)


def _locked(session: Session, week: str) -> Edition:
    """The edition, which nobody else approves, prepares or edits until we are done. Raises NotEditable.

    A row written first, even with what it has: on PostgreSQL that is what makes the others wait.
    """
    edition = editions.find(session, week)
    open_states = (EditionState.DRAFT, EditionState.APPROVED)
    ours = claim(
        session,
        Edition,
        Edition.id == edition.id,
        Edition.state.in_(open_states),
        values={"revision": Edition.revision},
    )
    session.refresh(edition)
    if not ours:
        raise NotEditable(f"Edition {edition.week} is {edition.state}, so nothing was changed.")
    return edition


def _store(session: Session, edition: Edition, before: Manuscript, after: Manuscript) -> None:
    edition.subject, edition.breath = after.subject, after.breath
    edition.subject_by_rule, edition.breath_by_rule = after.subject_by_rule, after.breath_by_rule
    edition.introduction = after.introduction or None
    edition.also_compared = [line.model_dump(mode="json") for line in after.also_compared]
    edition.rules = after.rules.model_dump(mode="json")
    if before.entries != after.entries:
        _store_entries(session, edition, after.entries)
    if before.corrections != after.corrections:
        _store_corrections(session, edition, before.corrections, after.corrections)
    session.flush()


def _store_entries(session: Session, edition: Edition, entries: Sequence[Placed]) -> None:
    """All of them anew: a place is part of a row's key, so that two entries cannot change places in one statement."""
    session.execute(sa.delete(Entry).where(Entry.edition_id == edition.id).execution_options(synchronize_session=False))
    for known in [each for each in session.identity_map.values() if isinstance(each, Entry)]:
        session.expunge(known)
    if entries:
        session.execute(sa.insert(Entry), [_row(edition, entry, at) for at, entry in enumerate(entries, start=1)])
    editions.note_featured(session, edition, [entry.facts for entry in entries])


def _store_corrections(session: Session, edition: Edition, before: Collection[int], after: Collection[int]) -> None:
    for correction in set(before) - set(after):
        claim(session, Correction, Correction.id == correction, values={"printed_in": None})
    for correction in set(after) - set(before):
        claim(session, Correction, Correction.id == correction, values={"printed_in": edition.id})


def _row(edition: Edition, entry: Placed, position: int) -> dict[str, object]:
    return {
        "edition_id": edition.id,
        "position": position,
        "comparison_id": entry.comparison,
        "facts": entry.facts.model_dump(mode="json"),
        "summary": entry.summary.model_dump(mode="json"),
        "headline_by_rule": entry.headline_by_rule,
        "sentence_by_rule": entry.sentence_by_rule,
        "pinned": entry.pinned,
    }


def _placed(entry: Entry) -> Placed:
    return Placed.model_validate(
        {
            "comparison": entry.comparison_id,
            "facts": entry.facts,
            "summary": entry.summary,
            "headline_by_rule": entry.headline_by_rule,
            "sentence_by_rule": entry.sentence_by_rule,
            "pinned": entry.pinned,
        }
    )


# — the record —


def _joined(session: Session, edition: Edition, after: Parts, *, by: str, now: datetime) -> bool:
    """Whether this change goes on with the last one: the same person still typing in the same place."""
    last = session.scalars(
        sa.select(Edit).where(Edit.edition_id == edition.id).order_by(Edit.revision.desc()).limit(1)
    ).one_or_none()
    if last is None or last.by != by or last.undone_in is not None or last.undoes is not None:
        return False
    if _happened_since(session, edition):
        return False
    if last.after.keys() != after.keys() or now - last.at > TYPING:
        return False
    last.after, last.at, last.revision = after, now, edition.revision
    return True


def _happened_since(session: Session, edition: Edition) -> bool:
    """Whether the edition was approved, tested or anything else since it was last edited.

    What was looked at then must be told from what came after, so no edit goes on beyond it.
    """
    newest = sa.select(EditionLog.what).where(EditionLog.edition_id == edition.id).order_by(EditionLog.id.desc())
    return session.scalars(newest.limit(1)).one_or_none() != EDITED


def _mark(session: Session, edition: Edition, undone: Sequence[Edit]) -> None:
    """What was taken back says in which revision; where it had itself taken something back, that stands again."""
    for edit in undone:
        edit.undone_in = edition.revision
        if edit.undoes is not None and (first := _edit(session, edition, edit.undoes)):
            first.undone_in = None


def _note(
    session: Session,
    edition: Edition,
    what: str,
    before: Parts,
    after: Parts,
    *,
    undoes: int | None,
    by: str,
    now: datetime,
) -> None:
    what = _shortened(what)
    session.add(
        Edit(
            edition_id=edition.id,
            revision=edition.revision,
            began_at=now,
            at=now,
            by=by,
            what=what,
            before=before,
            after=after,
            undoes=undoes,
        )
    )
    editions.log(session, edition, by=by, what=EDITED, why=what, now=now)


def _overtaken(session: Session, edition: Edition, part: str | None, current: object) -> Overtaken:
    """Whose change of that part is the last; of anything where no part is named."""
    for edit in edits_of(session, edition):
        if part is None or part in edit.after:
            return Overtaken(part or "entries", current, edit.by, edit.at)
    return Overtaken(part or "entries", current, None, None)


def _edit(session: Session, edition: Edition, revision: int) -> Edit | None:
    if revision > LARGEST_REVISION:
        return None
    wanted = sa.select(Edit).where(Edit.edition_id == edition.id, Edit.revision == revision)
    return session.scalars(wanted).one_or_none()


def _shortened(what: str) -> str:
    return what if len(what) <= LONGEST_WHAT else f"{what[: LONGEST_WHAT - 1]}…"


# — comparisons —


def _facts_to_bring_in(session: Session, edition: Edition, comparison: int) -> ComparisonFacts:
    if session.get(Considered, (edition.id, comparison)) is None:
        raise NotBroughtIn("This comparison did not stand for this edition, so it cannot be brought in.")
    facts = _facts(session, comparison)
    if facts.withdrawn:
        raise NotBroughtIn("The page of this comparison is withdrawn, so it cannot be brought in.")
    return facts


def _refuse_taken(session: Session, edition: Edition, come: Collection[int]) -> None:
    """Whatever brings them in, an undo too: readers get no comparison twice. Raises NotBroughtIn."""
    if come and (weeks := editions.held_elsewhere(session, edition, come).values()):
        raise NotBroughtIn(f"This comparison stands in {min(weeks)}; readers would get it twice.")


def _facts(session: Session, comparison: int) -> ComparisonFacts:
    found = library.comparisons(session, Comparison.id == comparison)
    if not found:
        raise NotBroughtIn("This comparison is not known any more.")
    # Through JSON, so that it is what an entry read from the database is.
    return ComparisonFacts.model_validate(found[0].facts.model_dump(mode="json"))
