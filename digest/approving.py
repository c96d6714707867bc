"""An editor fixes the exact bytes that will go out; whatever would change them later voids it or halts the edition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import (
    audience_panel,
    audiences,
    checking,
    drift,
    editing,
    editions,
    envelopes,
    overrides,
    proofs,
    staff,
)
from digest.audience_panel import Moved
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, EditionState, RenderingRow, Staff
from digest.preflight import Problem
from digest.staff import RIGHTS, Right, audit

FARTHEST = timedelta(days=60)
"""How far ahead an edition may leave; further is a slip of the pen."""
AUTOMATIC = "automatic approval"
"""Who approves where the settings ask for nobody."""
_NUMBERED = re.compile(r"staff [0-9]+")


class ContentChanged(DigestError):
    """The edition is no longer what you looked at, so it was not approved. Look again."""


class SendTimePassed(DigestError):
    """The send time of this edition has passed, so it was not approved."""


class AudienceChanged(DigestError):
    """These are not the readers you saw, so it was not approved."""

    def __init__(self, seen: int, candidates: int) -> None:
        super().__init__(
            f"You saw {seen:,} candidates and there are {candidates:,} now, so it was not approved. Look again."
        )


class AudienceMoved(DigestError):
    """The audience is far from last time's, and nobody has said that this is right."""

    def __init__(self, moved: Sequence[Moved]) -> None:
        super().__init__(
            f"The audience is far from last time's, so somebody must say that this is right: "
            f"{'; '.join(map(str, moved))}. It was not approved."
        )


class NeedsAnother(DigestError):
    """It takes a second person, who may approve and wrote nothing in it."""

    def __init__(self, because: str, others: Sequence[str]) -> None:
        who = f"These may: {', '.join(others)}." if others else "Nobody else on the staff may approve as yet."
        super().__init__(f"{because}, so it was not approved. {who}")


class Blocked(DigestError):
    """Something in this edition must be mended before it can be approved."""

    def __init__(self, week: str, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = "1 problem blocks" if len(problems) == 1 else f"{len(problems)} problems block"
        super().__init__(f"{count} the approval of {week}:\n{lines}")


def approve(
    services: Services,
    week: str,
    *,
    by: str,
    send_at: datetime | None,
    seen_hash: str | None,
    now: datetime,
    seen_candidates: int | None = None,
    although_moved: bool = True,
) -> Edition:
    """Freeze subject, HTML and text of every variant the audience needs.

    `send_at` None keeps the planned time. `although_moved`: an audience far from last time's is right.

    Raises NotThatMove unless it is a draft, and WentOutBefore where only the journal knows that it has begun;
    NeedsAnother for whoever is not among `who_may`, where it takes two; ContentChanged when `seen_hash` is no longer
    the edition's, and AudienceChanged when `seen_candidates` are no longer about its candidates; SendTimePassed when
    it should have left already, Blocked when preflight says so, and AudienceMoved.
    """
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        edition = editions.find(session, week)
        if edition.journaled_begun_at is not None:
            raise editions.WentOutBefore(edition)
        if edition.state is not EditionState.DRAFT:
            raise editions.NotThatMove(f"Edition {edition.week} is {edition.state}; only a draft can be approved.")
        _refuse_authors(session, edition, services, by)
        leaves = send_at or edition.send_at
        envelope = envelopes.current(services)
        proof = proofs.proof(session, edition, envelope, zone)
        if seen_hash not in (None, proof.content_hash):
            raise ContentChanged
        if seen_candidates is not None and drift.SEEN.is_passed(seen_candidates, proof.candidates):
            raise AudienceChanged(seen_candidates, proof.candidates)
        if leaves.astimezone(zone).date() != proof.copy.dated:
            # The mail carries the day it leaves, which is not the day that was planned and looked at.
            proof = proofs.proof(session, edition, envelope, zone, send_at=leaves)
        problems = checking.check(session, edition, proof, services, now=now)
        blocking = [problem for problem in problems if problem.blocks]
        moved = [] if although_moved else _moved(session, edition, proof, services, leaves)
    if leaves <= now and send_at is None:
        raise SendTimePassed(
            f"Edition {edition.week} should have left {edition.send_at:%Y-%m-%d %H:%M} UTC. "
            f"Approve it with --at now, or with the time it shall leave."
        )
    if blocking:
        raise Blocked(edition.week, blocking)
    if moved:
        raise AudienceMoved(moved)
    with services.database.writing() as session:
        edition = editions.find(session, edition.week)
        _freeze(session, edition, proof, services, by=by, send_at=leaves, now=now)
        if not overrides.stand(session, edition, problems):
            raise ContentChanged("Somebody has just lifted an override, so this edition was not approved. Look again.")
        return edition


def who_may(session: Session, edition: Edition, services: Services) -> list[Staff]:
    """Everybody on the staff who may approve this edition: where it takes two, nobody who wrote in it."""
    wrote = editing.authors(session, edition) if services.settings.digest_two_person else set()
    return [
        each
        for each in staff.on_staff(session)
        if Right.APPROVE in RIGHTS[each.role] and f"staff {each.id}" not in wrote
    ]


def wrote_in_it(session: Session, edition: Edition, by: str) -> bool:
    """Whether changes of theirs stand in it. `by` is "staff 3" or an address."""
    authors = {staff.known_as(session, author) for author in editing.authors(session, edition)}
    return staff.known_as(session, by) in authors


def _refuse_authors(session: Session, edition: Edition, services: Services, by: str) -> None:
    """Where it takes two, a name that nobody can be held to is no second person."""
    if not services.settings.digest_two_person:
        return
    may = who_may(session, edition, services)
    if staff.known_as(session, by) in {f"staff {each.id}" for each in may}:
        return
    because = (
        "You wrote in this edition, and here nobody approves their own words"
        if wrote_in_it(session, edition, by)
        else "Here it takes somebody on the staff who may approve, named by their address alone"
    )
    raise NeedsAnother(because, [each.email for each in may])


def _moved(
    session: Session, edition: Edition, proof: proofs.Proof, services: Services, leaves: datetime
) -> list[Moved]:
    before = audience_panel.last_time(session, edition)
    if before is None:
        return []
    rules = audiences.rules_in_force(services)
    variants = [each.variant for each in proof.renderings]
    expected = audiences.expected(session, edition, variants, rules, send_at=leaves, prepared_at=leaves)
    return audience_panel.moved_since(before, expected)


def _freeze(
    session: Session,
    edition: Edition,
    proof: proofs.Proof,
    services: Services,
    *,
    by: str,
    send_at: datetime,
    now: datetime,
) -> None:
    """Written in one transaction that looks once more: rendering took a moment, and somebody may have edited."""
    editions.advance(
        session,
        edition,
        EditionState.APPROVED,
        by=by,
        now=now,
        approved_at=now,
        approved_by=by,
        approved_hash=proof.content_hash,
        approved_candidates=proof.candidates,
        envelope=envelopes.current(services).model_dump(mode="json"),
        send_at=send_at,
    )
    # Looked at after the move, which makes others wait: what is withdrawn from here on finds an approved edition.
    _refuse_changed(session, edition, proof, services)
    _refuse_authors(session, edition, services, by)
    session.execute(
        sa.insert(RenderingRow),
        [
            {
                "edition_id": edition.id,
                "variant": each.variant,
                "subject": each.subject,
                "html": each.html,
                "text": each.text,
                "sha256": each.sha256,
            }
            for each in proof.renderings
        ],
    )
    audit.note(
        session,
        by=_on_the_record(session, by),
        what="edition approved",
        about=edition.week,
        now=now,
        content=proof.content_hash,
        candidates=proof.candidates,
        leaves=send_at.isoformat(timespec="seconds"),
    )


def _on_the_record(session: Session, by: str) -> str:
    """Who it was as the audit log names people; a name given on the command line may be anybody's."""
    known = staff.known_as(session, by)
    return known if known == AUTOMATIC or _NUMBERED.fullmatch(known) else audit.COMMAND_LINE


def _refuse_changed(session: Session, edition: Edition, proof: proofs.Proof, services: Services) -> None:
    if editions.copy_of(session, edition, services.settings.digest_timezone) != proof.copy:
        raise ContentChanged
    if editions.withdrawn_entries(session, edition):
        raise ContentChanged("A comparison of this edition was withdrawn just now, so it was not approved. Look again.")
