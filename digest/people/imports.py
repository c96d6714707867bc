"""Lists of people uploaded by staff: kept compressed until they are checked and somebody has decided on them.

The row says what is due; `importing` does it.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, BinaryIO

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session

from database import claim
from digest.errors import DigestError
from digest.models import ImportState, ListImport
from subscribers.texts import one_line, shortened

LONGEST_FILE = 32 * 1024 * 1024
"""Octets, as uploaded."""
LONGEST_FILE_NAME, LONGEST_BASIS = 100, 500
MANY_LETTERS = 500
HIGHEST_NUMBER = 2**63 - 1
KEEP_CHECKED = timedelta(days=7)
"""How long a list waits for somebody to bring it in before it is left behind."""

_PIECE = 64 * 1024


class NoSuchImport(DigestError):
    """There is no import with that number."""


class NothingToDecide(DigestError):
    """This list is not waiting for a decision any more, so nothing was changed."""


class BadBasis(DigestError):
    """A basis of consent says in words how these people agreed, in at most 500 characters."""


class TooManyLetters(DigestError):
    """Without a basis of consent this writes to many people at once; that needs an explicit yes."""


class Tally(BaseModel):
    """What a run did, or would do, as it is kept in the row.

    lines = added + confirmed + earlier + unchanged + left there + duplicates + bad
    """

    lines: int = 0
    added: int = 0
    confirmed: int = 0
    earlier: int = 0
    """Brought in by this very import before it was interrupted and begun again."""
    unchanged: dict[str, int] = {}
    """People left as they are, by the reason."""
    left_there: dict[str, int] = {}
    """People whom the list itself does not show as subscribed, by the reason."""
    duplicates: int = 0
    bad: int = 0
    bad_lines: list[dict[str, Any]] = []
    """Only the first: `line` and `reason`."""
    letters: int = 0
    dialect: str = ""
    """Whose list it is."""
    caution: str | None = None
    """What such a list does not say."""

    @property
    def brought_in(self) -> int:
        return self.added + self.confirmed + self.earlier

    @property
    def left_as_they_are(self) -> int:
        return sum(self.unchanged.values())


def compressed(stream: BinaryIO) -> bytes:
    """A file as it is kept, read piece by piece."""
    kept = io.BytesIO()
    with gzip.GzipFile(fileobj=kept, mode="wb", mtime=0) as into:
        while piece := stream.read(_PIECE):
            into.write(piece)
    return kept.getvalue()


def receive(session: Session, content: bytes, *, file_name: str, by: str, now: datetime) -> ListImport:
    """Keep an uploaded list, `compressed`, to be checked. Nobody is added by it."""
    name = shortened(one_line(file_name), LONGEST_FILE_NAME) or "list.csv"
    found = ListImport(file_name=name, content=content, state=ImportState.CHECKING, by=by, made_at=now)
    session.add(found)
    session.flush()
    return found


def find(session: Session, number: int) -> ListImport:
    """One import without its content. Raises NoSuchImport."""
    found = session.get(ListImport, number) if number <= HIGHEST_NUMBER else None
    if found is None:
        raise NoSuchImport
    return found


def latest(session: Session, *, before: int | None = None, limit: int = 20) -> Sequence[ListImport]:
    """The newest imports, or those before one."""
    wanted = sa.select(ListImport).order_by(ListImport.id.desc()).limit(limit)
    return session.scalars(wanted if before is None else wanted.where(ListImport.id < before)).all()


def tally_of(found: ListImport) -> Tally | None:
    """The last run's report; None before there was one."""
    return None if found.report is None else Tally.model_validate(found.report)


def is_left_behind(found: ListImport) -> bool:
    """Checked, and then nobody wanted it: `problem` says who or what decided so."""
    return found.state is ImportState.CHECKED and found.finished_at is not None


def bring_in(session: Session, number: int, *, basis: str | None, write_to_many: bool, now: datetime) -> ListImport:
    """Have a checked list brought in; without a basis everybody new is pending and owed a letter.

    Raises NoSuchImport, NothingToDecide, BadBasis, and TooManyLetters unless `write_to_many`.
    """
    found = find(session, number)
    tally = tally_of(found)
    if found.state is not ImportState.CHECKED or found.finished_at is not None or tally is None:
        raise NothingToDecide
    basis = None if basis is None else one_line(basis)
    if basis is not None and not 0 < len(basis) <= LONGEST_BASIS:
        raise BadBasis
    if basis is None and tally.letters > MANY_LETTERS and not write_to_many:
        raise TooManyLetters(
            f"Without a basis of consent {tally.letters:,} people would get a letter at once. "
            "Tick that this is meant, or say how they agreed."
        )
    decided = {
        "state": ImportState.BRINGING_IN,
        "basis": basis,
        "lines_done": 0,
        "report": {**(found.report or {}), "begun_at": now.isoformat()},
    }
    _decide(session, number, decided)
    session.refresh(found)
    return found


def leave(session: Session, number: int, *, because: str, now: datetime) -> ListImport:
    """Drop the content of a list that nobody has brought in. Raises NoSuchImport and NothingToDecide."""
    found = find(session, number)
    _decide(session, number, {"content": None, "problem": because, "finished_at": now})
    session.refresh(found)
    return found


def forget_undecided(session: Session, *, now: datetime) -> int:
    """Leave behind what nobody has brought in for a week: such files hold addresses. Says how many."""
    undecided = (
        sa.update(ListImport)
        .where(*_AWAITED, ListImport.made_at < now - KEEP_CHECKED)
        .values(content=None, finished_at=now, problem=f"nobody brought it in within {KEEP_CHECKED.days} days")
    )
    return int(getattr(session.execute(undecided), "rowcount", 0))


_AWAITED = (ListImport.state == ImportState.CHECKED, ListImport.finished_at.is_(None))


def _decide(session: Session, number: int, values: dict[str, Any]) -> None:
    """Two people may press at the same moment: one of them decides."""
    if not claim(session, ListImport, ListImport.id == number, *_AWAITED, values=values):
        raise NothingToDecide
