"""Exactly what would be sent: on screen, as files, or as a test mail. The bytes shown are the bytes sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import audiences, checking, editions, envelopes, personal, proofs, wording
from digest.batches import Reader
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Batch, Delivery, Edition, EditionState, RenderingRow, Staff
from digest.personas import SAMPLE, Persona
from digest.presses import paper_of, press
from digest.proofs import Envelope
from digest.rendering import Rendering, render
from digest.transport import Outgoing, Paper, Recipient, message_for
from digest.variants import (
    EVERYTHING,
    EditionCopy,
    Variant,
    positions_in_full,
    served_by,
    topics_of,
    variant_called,
)
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


@dataclass(frozen=True)
class Preview:
    """One variant as one reader gets it. `rendering` is what an approval freezes, before any personal field."""

    rendering: Rendering
    paper: Paper
    recipient: Recipient

    @cached_property
    def subject(self) -> str:
        return personal.fill(self.rendering.subject, self.recipient.substitutions)

    @cached_property
    def html(self) -> str | None:
        """None: this variant is plain text only."""
        if self.rendering.html is None:
            return None
        return personal.fill(self.rendering.html, self.recipient.substitutions)

    @cached_property
    def text(self) -> str:
        return personal.fill(self.rendering.text, self.recipient.substitutions)


@dataclass(frozen=True, slots=True)
class Share:
    """One variant, who gets it, and what it shows. `topics` None: everything; empty: none of the edition's topics."""

    key: str
    people: int
    is_text_only: bool
    in_full: tuple[int, ...]
    topics: tuple[str, ...] | None


# --- one variant for one reader -------------------------------------------------------------------------------------


def preview(session: Session, edition: Edition, services: Services, *, variant: str, reader: Reader) -> Preview:
    """Renders that variant alone. Raises NoSuchVariant, and what rendering raises."""
    envelope = _envelope(edition, services)
    rendering = _rendering(session, edition, services, envelope, variant)
    paper = paper_of(rendering, edition.week, envelope)
    (recipient,) = press(paper, edition.week, services).recipients([reader])
    return Preview(rendering, paper, recipient)


def made_up(persona: Persona, *, now: datetime) -> Reader:
    """A reader whose links lead nowhere, who confirmed just now."""
    return Reader(0, SAMPLE_EMAIL, persona.name, SAMPLE_LINK, wording.quarter(now), persona.basis)


def reader_of(person: Subscriber) -> Reader:
    """A subscriber as the outbox would print for them."""
    confirmed = wording.quarter(person.confirmed_at) if person.confirmed_at else None
    return Reader(0, person.email, person.name, person.link_id, confirmed, person.basis)


def without_links(reader: Reader) -> Reader:
    """The same reader with a token that does nothing: whoever looks must not be able to unsubscribe them."""
    return reader._replace(link_id=SAMPLE_LINK)


def variant_for(session: Session, edition: Edition, services: Services, person: Subscriber) -> str:
    """The variant this subscriber has got, or would get."""
    had = sa.select(Delivery.variant).where(Delivery.edition_id == edition.id, Delivery.subscriber_id == person.id)
    fixed = session.scalars(had).one_or_none()
    if fixed is not None:
        return fixed
    if not person.topics:
        return served_by((), (), "", plain_text=person.plain_text)
    copy = editions.copy_of(session, edition, services.settings.digest_timezone)
    keys = _frozen(session, edition) or {variant.key for variant in proofs.variants_needed(session, copy)[0]}
    return served_by(copy.entries, keys, person.topics, plain_text=person.plain_text)


def shares(session: Session, edition: Edition, services: Services) -> list[Share]:
    """Every variant of the edition with how many get it: fixed once it is prepared, else as wishes are now."""
    copy = editions.copy_of(session, edition, services.settings.digest_timezone)
    frozen = _frozen(session, edition)
    if not frozen:
        variants, people = proofs.variants_needed(session, copy)
        return [_share(copy, variant, people[variant.key]) for variant in variants]
    people = _fixed(session, edition) if edition.prepared_at else _wished(session, copy, frozen)
    found = [_share(copy, find_variant(session, copy, key), people.get(key, 0)) for key in frozen]
    return sorted(
        found, key=lambda each: (each.topics is not None, 0 if each.topics is None else -each.people, each.key)
    )


def why_not(session: Session, edition: Edition, services: Services, person: Subscriber, now: datetime) -> str | None:
    """Why this subscriber has not got, or would not get, the edition; None where they do."""
    if edition.prepared_at is None:
        return audiences.why_not(session, edition, person, services.settings.digest_timezone, now)
    delivery = session.scalars(
        sa.select(Delivery).where(Delivery.edition_id == edition.id, Delivery.subscriber_id == person.id)
    ).one_or_none()
    if delivery is None:
        return "left out when it was prepared"
    return delivery.withheld_because or delivery.refused_because


def find(session: Session, email: str) -> Subscriber:
    """The subscriber with this address. Raises NotASubscriber and addresses.BadAddress."""
    person = roster.find(session, email)
    if person is None:
        raise NotASubscriber
    return person


def _rendering(session: Session, edition: Edition, services: Services, envelope: Envelope, key: str) -> Rendering:
    """The frozen bytes where there is an approval, else as they would be frozen now."""
    if _is_frozen(edition):
        frozen = _frozen(session, edition)
        if key not in frozen:
            raise _no_such(edition.week, key, frozen)
        return proofs.frozen_rendering(edition, session.get_one(RenderingRow, (edition.id, key)))
    copy = editions.copy_of(session, edition, services.settings.digest_timezone)
    return render(copy, envelope.imprint, find_variant(session, copy, key))


def find_variant(session: Session, copy: EditionCopy, key: str) -> Variant:
    """The variant behind a key. Raises NoSuchVariant."""
    found = variant_called(copy.entries, key)
    if found is None:
        # With very many categories not every wish there can be is tried.
        wishes = (frozenset(topics.splitlines()) or None for topics, _ in roster.wishes_there_are(session))
        found = variant_called(copy.entries, key, wishes)
    if found is None:
        raise _no_such(copy.week, key, [variant.key for variant in proofs.variants_needed(session, copy)[0]])
    return found


def _no_such(week: str, key: str, known: Sequence[str]) -> NoSuchVariant:
    return NoSuchVariant(f'Edition {week} has no variant "{key}"; it has {", ".join(known)}.')


def _is_frozen(edition: Edition) -> bool:
    return edition.approved_hash is not None and edition.state is not EditionState.DRAFT


def _frozen(session: Session, edition: Edition) -> list[str]:
    """The keys of what an approval froze; none where there is no approval."""
    if not _is_frozen(edition):
        return []
    return sorted(session.scalars(sa.select(RenderingRow.variant).where(RenderingRow.edition_id == edition.id)))


def _share(copy: EditionCopy, variant: Variant, people: int) -> Share:
    shown = positions_in_full(copy.entries, variant.topics)
    topics = None if variant.topics is None else topics_of(copy.entries, variant)
    return Share(variant.key, people, variant.text_only, tuple(sorted(shown)), topics)


def _fixed(session: Session, edition: Edition) -> dict[str, int]:
    """Deliveries by variant, from the batches: a batch is one range of one variant."""
    people = sa.func.sum(Batch.last_delivery - Batch.first_delivery + 1)
    rows = session.execute(
        sa.select(Batch.variant, people).where(Batch.edition_id == edition.id).group_by(Batch.variant)
    )
    return {variant: int(count) for variant, count in rows}


def _wished(session: Session, copy: EditionCopy, keys: Sequence[str]) -> dict[str, int]:
    people: dict[str, int] = {}
    for topics, plain_text, count in roster.wishes(session):
        key = served_by(copy.entries, keys, topics, plain_text=plain_text)
        people[key] = people.get(key, 0) + count
    return people


def _envelope(edition: Edition, services: Services) -> Envelope:
    if edition.envelope is not None:
        return Envelope.model_validate(edition.envelope)
    return envelopes.current(services)


# --- as files, as a test mail ---------------------------------------------------------------------------------------


def write(
    session: Session, edition: Edition, services: Services, *, out: Path, email: str | None, variant: str, now: datetime
) -> list[Path]:
    """Write `subject.txt email.html email.txt email.eml preflight.json`; returns what was written.

    With `email`, as that subscriber gets it, in the variant that serves their wishes.
    """
    reader, key = made_up(SAMPLE, now=now), variant
    if email:
        person = _known(session, email)
        reader, key = reader_of(person), variant_for(session, edition, services, person)
    found = preview(session, edition, services, variant=key, reader=reader)
    outgoing = Outgoing(
        edition=edition.week,
        batch=0,
        attempt=0,
        paper=found.paper,
        recipients=[found.recipient],
        category="preview",
        at=edition.send_at,
    )
    proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
    problems = checking.check(session, edition, proof, services, now=now)
    described = [problem.described() for problem in problems]
    files = {
        "subject.txt": found.subject.encode() + b"\n",
        "email.txt": found.text.encode(),
        "email.eml": bytes(message_for(outgoing, found.recipient)),
        "preflight.json": orjson.dumps(
            {"hash": proof.content_hash, "variant": found.rendering.variant, "problems": described},
            option=orjson.OPT_INDENT_2,
        ),
    }
    if found.html is not None:
        files["email.html"] = found.html.encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return [out / name for name in sorted(files)]


def send_test(
    session: Session,
    edition: Edition,
    services: Services,
    *,
    to: Sequence[str],
    now: datetime,
    variant: str = EVERYTHING,
) -> list[str]:
    """Hand a test over to people on the staff: everything real but the subject's mark and a token that does nothing.

    Raises NotOnTheStaff or NoSuchVariant before anything is handed over.
    """
    keys = {addresses.parse(email).key: email for email in to}
    known = set(session.scalars(sa.select(Staff.email_key).where(Staff.removed_at.is_(None))))
    strangers = [email for key, email in keys.items() if key not in known]
    if strangers:
        raise NotOnTheStaff(
            f"{', '.join(strangers)}: test mails go only to people on the staff; `digest staff add` puts them there."
        )
    found = preview(session, edition, services, variant=variant, reader=made_up(SAMPLE, now=now))
    outgoing = Outgoing(
        edition=f"{edition.week}-test",
        batch=int(now.timestamp() * 1000),  # two in one second are two
        attempt=1,
        paper=replace(found.paper, subject=f"[TEST] {found.paper.subject}"),
        recipients=[
            Recipient(number, email, found.recipient.substitutions, found.recipient.headers)
            for number, email in enumerate(keys.values(), start=1)
        ],
        category="test",
        at=now,
    )
    services.transport.post(services.transport.build(outgoing))
    return list(keys.values())


def _known(session: Session, email: str) -> Subscriber:
    try:
        return find(session, email)
    except NotASubscriber:
        raise NotASubscriber(f"{email} has not signed up; leave --as out for a sample reader.") from None
