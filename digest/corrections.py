"""Notes on editions that went out: dated, public at once, and never changed or taken back.

What was printed stays printed; so does what was said of it. A mistake in a note is corrected by another note.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions
from digest.errors import DigestError
from digest.facts import clean
from digest.models import Correction, Edition
from digest.personal import refuse_tags

LONGEST = 1000
"""Characters."""


class NotOutYet(DigestError):
    """This edition has not gone out yet: change it instead of correcting it."""


class NothingSaid(DigestError):
    """Say what was wrong, and what is right. Nothing was published."""


class TooLong(DigestError):
    """This correction is too long. Nothing was published."""


@dataclass(frozen=True, slots=True)
class Note:
    """One correction as everybody may read it; `printed_in` is the week of the later edition that carries it."""

    at: datetime
    words: str
    printed_in: str | None


def add(session: Session, edition: Edition, *, words: str, by: str, now: datetime) -> bool:
    """Publish a note. False where the same words stand there already: a form may be sent twice, a note not taken back.

    Raises NotOutYet, NothingSaid, TooLong, or TagInCopy for what a later mail would fill in with somebody's data.
    """
    plain = clean(words)
    _check(edition, plain)
    # One after the other, so that of two that come at once the second sees the first.
    session.execute(sa.select(Edition.id).where(Edition.id == edition.id).with_for_update())
    there = sa.select(Correction.id).where(Correction.edition_id == edition.id, Correction.words == plain)
    if session.scalars(there).first() is not None:
        return False
    session.add(Correction(edition_id=edition.id, at=now, by=by, words=plain))
    editions.log(session, edition, by=by, what="corrected", now=now, why=plain)
    return True


def notes_on(session: Session, edition: Edition) -> Sequence[Note]:
    """The notes on one edition, the newest first."""
    return notes_by_edition(session, [edition.id])[edition.id]


def notes_by_edition(session: Session, edition_ids: Collection[int]) -> Mapping[int, Sequence[Note]]:
    """The same for many editions at once; nothing for one that was never corrected."""
    rows = session.execute(
        sa.select(Correction.edition_id, Correction.at, Correction.words, Edition.week)
        .join(Edition, sa.and_(Edition.id == Correction.printed_in, editions.holds_entries()), isouter=True)
        .where(Correction.edition_id.in_(edition_ids))
        .order_by(Correction.at.desc(), Correction.id.desc())
    )
    found: defaultdict[int, list[Note]] = defaultdict(list)
    for edition_id, at, words, week in rows:
        found[edition_id].append(Note(at, words, week))
    return found


def _check(edition: Edition, words: str) -> None:
    if edition.begun_at is None:
        raise NotOutYet(f"Edition {edition.week} has not gone out yet: change it instead of correcting it.")
    if not words:
        raise NothingSaid
    if len(words) > LONGEST:
        raise TooLong(
            f"This correction has {len(words):,} characters; at most {LONGEST:,} are taken. Nothing was published."
        )
    refuse_tags(words)
