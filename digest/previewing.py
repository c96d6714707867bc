"""Exactly what would be sent, as files or as a test mail. The bytes shown are the bytes sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import checking, envelopes, personal, proofs, wording
from digest.batches import Reader
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, EditionState, RenderingRow, Staff
from digest.presses import paper_of, press
from digest.proofs import Envelope
from digest.rendering import Rendering
from digest.transport import Outgoing, Paper, Recipient, message_for
from subscribers import addresses, roster
from subscribers.models import Subscriber

SAMPLE_LINK = "sample"
SAMPLE_EMAIL = "reader@example.com"


class NoSuchVariant(DigestError):
    """This edition has no such variant."""


class NotOnTheStaff(DigestError):
    """Test mails go only to people on the staff; `digest staff add` puts them there."""


class NotASubscriber(DigestError):
    """Nobody with that address has signed up."""


def write(
    session: Session, edition: Edition, services: Services, *, out: Path, email: str | None, variant: str, now: datetime
) -> list[Path]:
    """Write `subject.txt email.html email.txt email.eml preflight.json`; returns what was written.

    With `email`, as that subscriber gets it, in the variant that serves their wishes.
    """
    proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
    person = _find(session, email) if email else None
    rendering = _chosen(session, edition, proof, variant, person)
    envelope = _envelope(edition, services)
    paper = paper_of(rendering, edition.week, envelope)
    recipient = _recipient(paper, edition.week, person, services, now)
    outgoing = Outgoing(
        edition=edition.week,
        batch=0,
        attempt=0,
        paper=paper,
        recipients=[recipient],
        category="preview",
        at=edition.send_at,
    )
    problems = checking.check(session, edition, proof, services, now=now)
    described = [problem.described() for problem in problems]
    fields = recipient.substitutions
    files = {
        "subject.txt": personal.fill(rendering.subject, fields).encode() + b"\n",
        "email.txt": personal.fill(rendering.text, fields).encode(),
        "email.eml": bytes(message_for(outgoing, recipient)),
        "preflight.json": orjson.dumps(
            {"hash": proof.content_hash, "variant": rendering.variant, "problems": described},
            option=orjson.OPT_INDENT_2,
        ),
    }
    if rendering.html is not None:
        files["email.html"] = personal.fill(rendering.html, fields).encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return [out / name for name in sorted(files)]


def send_test(session: Session, edition: Edition, services: Services, *, to: Sequence[str], now: datetime) -> list[str]:
    """Hand a test over to people on the staff: everything real but the subject's mark and a token that does nothing.

    Raises NotOnTheStaff before anything is handed over.
    """
    keys = {addresses.parse(email).key: email for email in to}
    known = set(session.scalars(sa.select(Staff.email_key).where(Staff.removed_at.is_(None))))
    strangers = [email for key, email in keys.items() if key not in known]
    if strangers:
        raise NotOnTheStaff(
            f"{', '.join(strangers)}: test mails go only to people on the staff; `digest staff add` puts them there."
        )
    proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
    rendering = _chosen(session, edition, proof, "all", None)
    paper = paper_of(rendering, edition.week, _envelope(edition, services))
    template = _recipient(paper, edition.week, None, services, now)
    outgoing = Outgoing(
        edition=f"{edition.week}-test",
        batch=int(now.timestamp()),
        attempt=1,
        paper=replace(paper, subject=f"[TEST] {paper.subject}"),
        recipients=[
            Recipient(number, email, template.substitutions, template.headers)
            for number, email in enumerate(keys.values(), start=1)
        ],
        category="test",
        at=now,
    )
    services.transport.post(services.transport.build(outgoing))
    return list(keys.values())


def _chosen(
    session: Session, edition: Edition, proof: proofs.Proof, variant: str, person: Subscriber | None
) -> Rendering:
    """The frozen bytes where there is an approval, else as they would be frozen now."""
    key = variant if person is None else proofs.served_variant(proof, person.topics, plain_text=person.plain_text)
    if edition.approved_hash and edition.state is not EditionState.DRAFT:
        row = session.get(RenderingRow, (edition.id, key))
        if row is not None:
            return proofs.frozen_rendering(edition, row)
    for rendering in proof.renderings:
        if rendering.variant == key:
            return rendering
    known = ", ".join(rendering.variant for rendering in proof.renderings)
    raise NoSuchVariant(f'Edition {edition.week} has no variant "{key}"; it has {known}.')


def _envelope(edition: Edition, services: Services) -> Envelope:
    if edition.envelope is not None:
        return Envelope.model_validate(edition.envelope)
    return envelopes.current(services)


def _find(session: Session, email: str) -> Subscriber:
    person = roster.find(session, email)
    if person is None:
        raise NotASubscriber(f"{email} has not signed up; leave --as out for a sample reader.")
    return person


def _recipient(paper: Paper, week: str, person: Subscriber | None, services: Services, now: datetime) -> Recipient:
    """That subscriber, or a sample reader whose links lead nowhere."""
    if person is None:
        reader = Reader(0, SAMPLE_EMAIL, "Sample Reader", SAMPLE_LINK, wording.quarter(now), None)
    else:
        confirmed = wording.quarter(person.confirmed_at) if person.confirmed_at else None
        reader = Reader(0, person.email, person.name, person.link_id, confirmed, person.basis)
    (recipient,) = press(paper, week, services).recipients([reader])
    return recipient
