"""Lay out one edition for preflight: what its entries said when they were frozen, and what is known of them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions, envelopes, examining, library, link_checks, overrides, proofs
from digest.bootstrap import Services
from digest.facts import ComparisonFacts
from digest.models import Edition, Entry, Featured
from digest.preflight import Earlier, Problem, Senders, Sheet
from digest.preflight import check as preflight
from digest.proofs import Proof
from digest.settings import is_loopback


@dataclass(frozen=True)
class Checked:
    """An edition as it would go out now, with every problem it has."""

    edition: Edition
    proof: Proof
    problems: list[Problem]


def look(services: Services, week: str, *, now: datetime) -> Checked:
    """Render an edition and check it. Raises what `editions.find` raises."""
    with services.database.reading() as session:
        edition = editions.find(session, week)
        proof = proofs.proof(session, edition, envelopes.current(services), services.settings.digest_timezone)
        return Checked(edition, proof, check(session, edition, proof, services, now=now))


def check(session: Session, edition: Edition, proof: Proof, services: Services, *, now: datetime) -> list[Problem]:
    """Every problem of an edition as it would go out now, the worst first, with who answers for it."""
    return overrides.applied(session, edition, preflight(_sheet(session, edition, proof, services, now)))


def _sheet(session: Session, edition: Edition, proof: Proof, services: Services, now: datetime) -> Sheet:
    entries = editions.entries_of(session, edition)
    facts = {entry.position: ComparisonFacts.model_validate(entry.facts) for entry in entries}
    positions = {entry.comparison_id: entry.position for entry in entries}
    elsewhere = editions.held_elsewhere(session, edition, positions)
    changed = library.changed(session, {entry.comparison_id: facts[entry.position] for entry in entries})
    settings = services.settings
    own_host = urlsplit(settings.digest_site_url).hostname or ""
    return Sheet(
        copy=proof.copy,
        renderings=proof.renderings,
        facts=facts,
        withdrawn=editions.withdrawn_entries(session, edition),
        changed=frozenset(positions[comparison] for comparison in changed),
        earlier=_earlier(session, edition),
        candidates=proof.candidates,
        own_host=own_host,
        postal_address=settings.digest_postal_address,
        from_email=settings.from_email,
        through_provider=settings.through_sendgrid,
        senders=Senders(
            from_name=settings.from_name,
            reply_to=settings.reply_to,
            list_id=settings.list_id,
            site_url=settings.digest_site_url,
            unsubscribe_email=settings.digest_unsubscribe_email,
            rehearses=is_loopback(settings.sendgrid_host),
        ),
        own_words=_own_words(edition, entries),
        by_rule=_by_rule(edition, entries),
        links=link_checks.answers(session, link_checks.linked_in(session, edition, own_host=own_host), now=now),
        comparisons={position: comparison for comparison, position in positions.items()},
        elsewhere={positions[comparison]: week for comparison, week in elsewhere.items()},
        way_out=examining.way_out(session, services, now=now),
    )


def _own_words(edition: Edition, entries: Sequence[Entry]) -> dict[str, str]:
    """What editors wrote, by place: all that is not as the program wrote it."""
    found = {
        "subject": (edition.subject, edition.subject_by_rule),
        "opening": (edition.breath, edition.breath_by_rule),
        "introduction": (edition.introduction or "", ""),
    }
    for entry in entries:
        for part, by_rule in (("headline", entry.headline_by_rule), ("sentence", entry.sentence_by_rule)):
            found[f"entry {entry.position}, {part}"] = (str(entry.summary[part]), by_rule)
    return {where: words for where, (words, by_rule) in found.items() if words != by_rule}


def _by_rule(edition: Edition, entries: Sequence[Entry]) -> list[str]:
    of_entries = [words for entry in entries for words in (entry.headline_by_rule, entry.sentence_by_rule)]
    return [words for words in (edition.subject_by_rule, edition.breath_by_rule, *of_entries) if words]


def _earlier(session: Session, edition: Edition) -> dict[str, Earlier]:
    """Each tool's last appearance in an earlier edition that went out."""
    rows = session.execute(
        sa.select(Featured.identity, Edition.week, Featured.verdict)
        .join(Edition, Edition.id == Featured.edition_id)
        .where(Edition.begun_at.is_not(None), Edition.week < edition.week)
        .order_by(Edition.week)
    )
    return {identity: Earlier(week, verdict) for identity, week, verdict in rows}
