"""What an edition can be compared with: itself as it stood, and the editions before it, each with the mail it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editing, editions, envelopes, manuscript, personal, presses, previewing, proofs, test_mails, wording
from digest.batches import Reader
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.manuscript import Manuscript
from digest.models import Correction, Edit, Edition, EditionLog, EditionState, Entry, RenderingRow
from digest.rendering import Rendering, render, variant_of
from digest.variants import EVERYTHING
from digest.weeks import BadWeek, Week

APPROVED = f"→ {EditionState.APPROVED}"
"""How the log's lines of approvals end."""
MOST_EDITIONS = 60
MOST_EDITS = 100


class NoSuchVersion(DigestError):
    """There is no such version to compare with."""


@dataclass(frozen=True, slots=True)
class Version:
    """One edition at one time. `key` finds it again; `revision` None: as it stands now. `at`, `by`: of what made it."""

    key: str
    edition: Edition
    manuscript: Manuscript
    revision: int | None = None
    at: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be asked for. `test` and `approval` None: there was none yet."""

    last: Edition | None
    editions: Sequence[Edition]
    edits: Sequence[Edit]
    test: EditionLog | None
    approval: EditionLog | None


def choices(session: Session, edition: Edition) -> Choices:
    """The newest first. An edition without entries has nothing to compare with."""
    with_entries = sa.exists().where(Entry.edition_id == Edition.id)
    earlier = sa.select(Edition).where(Edition.week < edition.week, with_entries).order_by(Edition.week.desc())
    return Choices(
        last=session.scalars(earlier.where(editions.has_begun()).limit(1)).one_or_none(),
        editions=session.scalars(earlier.limit(MOST_EDITIONS)).all(),
        edits=editing.edits_of(session, edition)[:MOST_EDITS],
        test=_newest_line(session, edition, EditionLog.what == test_mails.WHAT),
        approval=_newest_line(session, edition, EditionLog.what.endswith(APPROVED)),
    )


def version(session: Session, edition: Edition, against: str) -> Version:
    """The one asked for: "last", "2026-W46", "drafted", "test", "approval", or "r12" for the state after an edit.

    Empty: the last edition that went out, or where none did this one as it was drafted. Raises NoSuchVersion, and
    NotToBeHad where an earlier state cannot be put together any more.
    """
    found = choices(session, edition)
    if against == "last" or (not against and found.last):
        return _of_edition(session, found.last, "No edition with entries went out before this one.")
    if against in ("", "drafted"):
        return _at_revision(session, edition, 0, key="drafted", at=edition.created_at, by=None)
    if against == "test":
        return _at_line(
            session, edition, found.test, key=against, otherwise="No test mail of this edition was sent yet."
        )
    if against == "approval":
        return _at_line(session, edition, found.approval, key=against, otherwise="This edition was never approved yet.")
    if (revision := _revision(against)) is not None:
        return _after_edit(session, edition, revision)
    return _of_edition(session, _earlier(session, edition, against), "No edition before this one has that week.")


def _after_edit(session: Session, edition: Edition, revision: int) -> Version:
    if revision > edition.revision:
        raise NoSuchVersion(f"This edition is at revision {edition.revision}, so there is no revision {revision} yet.")
    made_it = sa.select(Edit).where(Edit.edition_id == edition.id, Edit.revision <= revision)
    edit = session.scalars(made_it.order_by(Edit.revision.desc()).limit(1)).one_or_none()
    at, by = (edit.at, edit.by) if edit else (edition.created_at, None)
    return _at_revision(session, edition, revision, key=f"r{revision}", at=at, by=by)


def _at_line(session: Session, edition: Edition, line: EditionLog | None, *, key: str, otherwise: str) -> Version:
    if line is None:
        raise NoSuchVersion(otherwise)
    return _at_revision(session, edition, _revision_at(session, line), key=key, at=line.at, by=line.by)


def _at_revision(
    session: Session, edition: Edition, revision: int, *, key: str, at: datetime | None, by: str | None
) -> Version:
    return Version(key, edition, editing.at_revision(session, edition, revision), revision, at, by)


def _of_edition(session: Session, edition: Edition | None, otherwise: str) -> Version:
    if edition is None:
        raise NoSuchVersion(otherwise)
    return Version(edition.week, edition, editing.read(session, edition), at=edition.begun_at)


def _earlier(session: Session, edition: Edition, week: str) -> Edition | None:
    try:
        named = str(Week.parse(week))
    except BadWeek:
        raise NoSuchVersion from None
    wanted = sa.select(Edition).where(Edition.week == named, Edition.week < edition.week)
    return session.scalars(wanted).one_or_none()


def _revision(against: str) -> int | None:
    """12 for r12."""
    number = against.removeprefix("r")
    plain = against.startswith("r") and number.isascii() and number.isdecimal()
    return int(number) if plain and len(number) < 10 else None  # noqa: PLR2004 - more than there can be


def _newest_line(session: Session, edition: Edition, which: sa.ColumnElement[bool]) -> EditionLog | None:
    wanted = sa.select(EditionLog).where(EditionLog.edition_id == edition.id, which)
    return session.scalars(wanted.order_by(EditionLog.id.desc()).limit(1)).one_or_none()


def _revision_at(session: Session, line: EditionLog) -> int:
    """Where the edition stood at a line of its log, by the order of its lines: clocks of two machines may differ."""
    before = sa.select(sa.func.count()).where(
        EditionLog.edition_id == line.edition_id, EditionLog.what == editing.EDITED, EditionLog.id < line.id
    )
    count = session.scalar(before) or 0
    made = sa.select(Edit.revision).where(Edit.edition_id == line.edition_id).order_by(Edit.revision)
    return session.scalars(made.offset(count - 1).limit(1)).one_or_none() or 0 if count else 0


# — its mail —


def mail(session: Session, version: Version, services: Services, *, now: datetime) -> str:
    """The HTML of its variant `all`, for a sample reader: as frozen where it is an edition with an approval."""
    envelope = _envelope(version.edition, services)
    rendering = _rendering(session, version, envelope, services)
    paper = presses.paper_of(rendering, version.edition.week, envelope)
    reader = Reader(0, previewing.SAMPLE_EMAIL, "Sample Reader", previewing.SAMPLE_LINK, wording.quarter(now), None)
    (recipient,) = presses.press(paper, version.edition.week, services).recipients([reader])
    return personal.fill(rendering.html or "", recipient.substitutions)


def _rendering(session: Session, version: Version, envelope: proofs.Envelope, services: Services) -> Rendering:
    edition, zone = version.edition, services.settings.digest_timezone
    frozen = session.get(RenderingRow, (edition.id, EVERYTHING)) if version.revision is None else None
    if frozen is not None:
        return proofs.frozen_rendering(edition, frozen)
    notes = editions.correction_notes(session, Correction.id.in_(version.manuscript.corrections), zone)
    dated = edition.send_at.astimezone(zone).date()
    copy = manuscript.copy_of(version.manuscript, dated=dated, corrections=notes)
    return render(copy, envelope.imprint, variant_of(copy.entries, None))


def _envelope(edition: Edition, services: Services) -> proofs.Envelope:
    return proofs.Envelope.model_validate(edition.envelope) if edition.envelope else envelopes.current(services)
