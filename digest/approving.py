"""An editor fixes the exact bytes that will go out; whatever would change them later voids it or halts the edition."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import checking, editions, envelopes, overrides, proofs
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, EditionState, RenderingRow
from digest.preflight import Problem


class ContentChanged(DigestError):
    """The edition is no longer what you looked at, so it was not approved. Look again."""


class SendTimePassed(DigestError):
    """The send time of this edition has passed, so it was not approved."""


class Blocked(DigestError):
    """Something in this edition must be mended before it can be approved."""

    def __init__(self, week: str, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = "1 problem blocks" if len(problems) == 1 else f"{len(problems)} problems block"
        super().__init__(f"{count} the approval of {week}:\n{lines}")


def approve(
    services: Services, week: str, *, by: str, send_at: datetime | None, seen_hash: str | None, now: datetime
) -> Edition:
    """Freeze subject, HTML and text of every variant the audience needs.

    `send_at` None keeps the planned time. Raises ContentChanged when `seen_hash` is no longer the edition's,
    SendTimePassed when it should have left already, Blocked when preflight says so, NotThatMove unless it is a draft,
    WentOutBefore where only the journal knows that it has begun.
    """
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        edition = editions.find(session, week)
        if edition.journaled_begun_at is not None:
            raise editions.WentOutBefore(edition)
        if edition.state is not EditionState.DRAFT:
            raise editions.NotThatMove(f"Edition {edition.week} is {edition.state}; only a draft can be approved.")
        leaves = send_at or edition.send_at
        envelope = envelopes.current(services)
        proof = proofs.proof(session, edition, envelope, zone)
        if seen_hash not in (None, proof.content_hash):
            raise ContentChanged
        if leaves.astimezone(zone).date() != proof.copy.dated:
            # The mail carries the day it leaves, which is not the day that was planned and looked at.
            proof = proofs.proof(session, edition, envelope, zone, send_at=leaves)
        problems = checking.check(session, edition, proof, services, now=now)
        blocking = [problem for problem in problems if problem.blocks]
    if leaves <= now and send_at is None:
        raise SendTimePassed(
            f"Edition {edition.week} should have left {edition.send_at:%Y-%m-%d %H:%M} UTC. "
            f"Approve it with --at now, or with the time it shall leave."
        )
    if blocking:
        raise Blocked(edition.week, blocking)
    with services.database.writing() as session:
        edition = editions.find(session, edition.week)
        _freeze(session, edition, proof, services, by=by, send_at=leaves, now=now)
        if not overrides.stand(session, edition, problems):
            raise ContentChanged("Somebody has just lifted an override, so this edition was not approved. Look again.")
        return edition


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


def _refuse_changed(session: Session, edition: Edition, proof: proofs.Proof, services: Services) -> None:
    if editions.copy_of(session, edition, services.settings.digest_timezone) != proof.copy:
        raise ContentChanged
    if editions.withdrawn_entries(session, edition):
        raise ContentChanged("A comparison of this edition was withdrawn just now, so it was not approved. Look again.")
