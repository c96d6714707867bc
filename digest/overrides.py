"""An editor answers for a blocking problem: with a reason and their name, for exactly this problem in these words.

Where the words change, the override holds no longer, and the problem blocks again. Nothing here changes what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import claim
from digest import editions
from digest.errors import DigestError
from digest.models import Edition, EditionState, Override
from digest.preflight import Overridden, Problem
from digest.staff import audit
from subscribers.texts import shortened

LONGEST_REASON = 500
_LONGEST_LINE = 200


class NoSuchProblem(DigestError):
    """This edition has no such problem, or no longer in these words. Look again; nothing was changed."""


class NotToBeOverridden(DigestError):
    """This problem cannot be overridden: mend it. Nothing was changed."""


class NoReason(DigestError):
    """Give a reason: it is kept with your name. Nothing was changed."""


class NotADraft(DigestError):
    """Only a draft's problems can be overridden. Nothing was changed."""


def put(
    session: Session, edition: Edition, problems: Iterable[Problem], key: str, *, why: str, by: str, now: datetime
) -> Problem:
    """Let an edition go in spite of one of its `problems`, as they stand now. A second time changes nothing.

    Raises NoReason, NoSuchProblem, NotToBeOverridden or NotADraft.
    """
    reason = audit.without_addresses(shortened(why, LONGEST_REASON))
    if not reason:
        raise NoReason
    problem = next((each for each in problems if each.key == key), None)
    if problem is None:
        raise NoSuchProblem
    if problem.final:
        raise NotToBeOverridden(f"“{problem.what}” cannot be overridden. {problem.mend} Nothing was changed.")
    if problem.level != "block":
        raise NotToBeOverridden(f"“{problem.what}” does not block anything, so there is nothing to override.")
    _lock_draft(session, edition)
    if session.get(Override, (edition.id, key)) is None:
        session.add(
            Override(
                edition_id=edition.id,
                problem_key=key,
                code=problem.code,
                problem=f"{problem.where}: {problem.what}",
                why=reason,
                by=by,
                at=now,
            )
        )
        _log(session, edition, f"overridden: {problem.where}: {problem.what}", why=reason, by=by, now=now)
        _note(session, edition, "problem overridden", problem.code, by=by, now=now)
    return problem


def lift(session: Session, edition: Edition, key: str, *, by: str, now: datetime) -> bool:
    """Let the problem block again; False where nobody had overridden it. Raises NotADraft."""
    _lock_draft(session, edition)
    found = next((each for each in of(session, edition) if each.problem_key == key), None)
    if found is None:
        return False
    session.delete(found)
    _log(session, edition, f"blocks again: {found.problem}", why=None, by=by, now=now)
    _note(session, edition, "override lifted", found.code, by=by, now=now)
    return True


def of(session: Session, edition: Edition) -> Sequence[Override]:
    """Everything that was overridden in an edition, whether it still stands in these words or not; the oldest first."""
    wanted = sa.select(Override).where(Override.edition_id == edition.id)
    return session.scalars(wanted.order_by(Override.at, Override.problem_key)).all()


def applied(session: Session, edition: Edition, problems: Iterable[Problem]) -> list[Problem]:
    """The problems, each with who answers for it. What is final stays as it is, whatever the table says."""
    known = {each.problem_key: Overridden(each.by, each.why, each.at) for each in of(session, edition)}
    return [
        problem if problem.final or problem.level != "block" else replace(problem, overridden=known.get(problem.key))
        for problem in problems
    ]


def stand(session: Session, edition: Edition, problems: Iterable[Problem]) -> bool:
    """Whether everything that was overridden in these problems is so still."""
    relied_on = {problem.key for problem in problems if problem.overridden}
    return relied_on <= {each.problem_key for each in of(session, edition)}


def _lock_draft(session: Session, edition: Edition) -> None:
    """Nobody approves it until we are done: a row written first is what makes others wait on PostgreSQL."""
    ours = claim(
        session,
        Edition,
        Edition.id == edition.id,
        Edition.state == EditionState.DRAFT,
        values={"revision": Edition.revision},
    )
    session.refresh(edition)
    if not ours:
        mend = "; reopen it first" if edition.state in (EditionState.APPROVED, EditionState.SKIPPED) else ""
        raise NotADraft(f"Edition {edition.week} is {edition.state}{mend}. Nothing was changed.")


def _log(session: Session, edition: Edition, what: str, *, why: str | None, by: str, now: datetime) -> None:
    what = shortened(audit.without_addresses(what), _LONGEST_LINE)
    editions.log(session, edition, by=by, what=what, why=why, now=now)


def _note(session: Session, edition: Edition, what: str, code: str, *, by: str, now: datetime) -> None:
    """Members of staff stand in the audit log by number; whom the command line names is in the edition's log."""
    noted = audit.COMMAND_LINE if "@" in by else by
    audit.note(session, by=noted, what=what, about=edition.week, now=now, code=code)
