"""Lay out one edition for preflight: what its entries said when they were frozen, and what is known of them now."""

from __future__ import annotations

from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import editions, library
from digest.bootstrap import Services
from digest.facts import ComparisonFacts
from digest.models import Comparison, Edition, Entry, Featured
from digest.preflight import Earlier, Problem, Sheet
from digest.preflight import check as preflight
from digest.proofs import Proof


def check(session: Session, edition: Edition, proof: Proof, services: Services) -> list[Problem]:
    """Every problem of an edition as it would go out now, the worst first."""
    entries = editions.entries_of(session, edition)
    facts = {entry.position: ComparisonFacts.model_validate(entry.facts) for entry in entries}
    now_known = {found.id: found.facts for found in library.comparisons(session, _in_edition(edition))}
    settings = services.settings
    return preflight(
        Sheet(
            copy=proof.copy,
            renderings=proof.renderings,
            facts=facts,
            withdrawn=editions.withdrawn_entries(session, edition),
            changed=frozenset(
                entry.position
                for entry in entries
                if now_known.get(entry.comparison_id, facts[entry.position]) != facts[entry.position]
            ),
            earlier=_earlier(session, edition),
            candidates=proof.candidates,
            own_host=urlsplit(settings.digest_site_url).hostname or "",
            postal_address=settings.digest_postal_address,
            from_email=settings.from_email,
            through_provider=settings.through_sendgrid,
        )
    )


def _in_edition(edition: Edition) -> sa.ColumnElement[bool]:
    return sa.exists().where(Entry.edition_id == edition.id, Entry.comparison_id == Comparison.id)


def _earlier(session: Session, edition: Edition) -> dict[str, Earlier]:
    """Each tool's last appearance in an earlier edition that went out."""
    rows = session.execute(
        sa.select(Featured.identity, Edition.week, Featured.verdict)
        .join(Edition, Edition.id == Featured.edition_id)
        .where(Edition.begun_at.is_not(None), Edition.week < edition.week)
        .order_by(Edition.week)
    )
    return {identity: Earlier(week, verdict) for identity, week, verdict in rows}
