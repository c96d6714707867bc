"""Lists of people uploaded by staff: kept compressed until they are checked and somebody has decided on them.

The row says what is due; `importing` does it.
"""

from __future__ import annotations

import gzip
import io
import re
import unicodedata
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

SOMEBODY_ERASED = "somebody on this list was erased meanwhile, so it would have to be uploaded again"

_PIECE = 64 * 1024
# Some reasons speak of "the @-sign".
_ADDRESS = re.compile(r"(?!@-sign\b)\S*@\S*")


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
    name = shortened(without_addresses(one_line(file_name)), LONGEST_FILE_NAME) or "list.csv"
    found = ListImport(file_name=name, content=content, state=ImportState.CHECKING, by=by, made_at=now)
    session.add(found)
    session.flush()
    return found


def without_addresses(text: str) -> str:
    """Words about a list, fit to be kept: they stay when the people in it are erased."""
    return _ADDRESS.sub("(an address)", text)


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


def forget_with(session: Session, email_key: str, *, now: datetime) -> int:
    """Drop the content of every undecided list that holds an address, by its key; says how many.

    A list that is being brought in is left to its end, which drops it too and refuses whoever was erased.
    """
    undecided = sa.select(ListImport.id).where(
        ListImport.state.in_([ImportState.CHECKING, ImportState.CHECKED]), ListImport.content.is_not(None)
    )
    spellings = _spellings(email_key)
    theirs = [number for number in session.scalars(undecided).all() if _holds(_content(session, number), spellings)]
    given_up = {"content": None, "finished_at": now}
    for number in theirs:
        by_number = ListImport.id == number
        checking = by_number, ListImport.state == ImportState.CHECKING
        failed = {"state": ImportState.FAILED, "lease_until": None, "lines_done": 0}
        problem = f"{SOMEBODY_ERASED[0].upper()}{SOMEBODY_ERASED[1:]}."
        if not claim(session, ListImport, *checking, values={**given_up, **failed, "problem": problem}):
            claim(session, ListImport, by_number, *_AWAITED, values={**given_up, "problem": SOMEBODY_ERASED})
    return len(theirs)


def _content(session: Session, number: int) -> bytes:
    """One at a time: each may be many megabytes."""
    return session.scalars(sa.select(ListImport.content).where(ListImport.id == number)).one() or b""


def _spellings(email_key: str) -> frozenset[str]:
    """An address as lists spell it, case folded: the domain in its ASCII form or in its own script."""
    local, _, domain = email_key.rpartition("@")
    try:
        own_script = domain.encode().decode("idna")
    except UnicodeError:
        own_script = domain
    return frozenset({email_key, f"{local}@{own_script}".casefold()})


def _holds(content: bytes, spellings: frozenset[str]) -> bool:
    """Whether a compressed list has one of these addresses in it, and not only as the end or beginning of another."""
    whole = re.compile(rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, spellings))})(?![\w-]|\.\w)")
    file = gzip.GzipFile(fileobj=io.BytesIO(content))
    with io.TextIOWrapper(io.BufferedReader(file), encoding="utf-8", errors="replace") as lines:
        for line in lines:
            folded = unicodedata.normalize("NFC", line).casefold()
            if any(spelling in folded for spelling in spellings) and whole.search(folded):
                return True
    return False


_AWAITED = (ListImport.state == ImportState.CHECKED, ListImport.finished_at.is_(None))


def _decide(session: Session, number: int, values: dict[str, Any]) -> None:
    """Two people may press at the same moment: one of them decides."""
    if not claim(session, ListImport, ListImport.id == number, *_AWAITED, values=values):
        raise NothingToDecide
