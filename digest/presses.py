"""Prints one variant for any number of readers: the frozen paper, and what is each reader's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from digest import headers, personal, wording
from digest.batches import Claimed, Reader
from digest.bootstrap import Services
from digest.models import Edition, RenderingRow
from digest.proofs import Envelope, frozen_rendering
from digest.rendering import Rendering
from digest.transport import Fence, Outgoing, Paper, Recipient, Sender


@dataclass(frozen=True, slots=True)
class Press:
    """One variant of one edition, ready to be printed."""

    paper: Paper
    week: str
    zone: ZoneInfo
    unsubscribe_urls: Callable[[Sequence[str]], list[str]]
    preferences_urls: Callable[[Sequence[str]], list[str]]
    unsubscribe_email: str | None

    def outgoing(
        self, claimed: Claimed, people: Sequence[Reader], *, at: datetime, fence: Fence | None = None
    ) -> Outgoing:
        """One attempt of a batch."""
        return Outgoing(
            edition=claimed.week,
            batch=claimed.id,
            attempt=claimed.attempt,
            paper=self.paper,
            recipients=self.recipients(people),
            at=at,
            fence=fence,
        )

    def recipients(self, people: Sequence[Reader]) -> list[Recipient]:
        """Each reader's address, personal fields and one-click headers: column by column, the hot path of a send."""
        link_ids = [reader.link_id for reader in people]
        unsubscribe_urls = self.unsubscribe_urls(link_ids)
        substitutions = personal.substitutions_of(
            self.week,
            [reader.name for reader in people],
            [wording.why_you_get_this_since(reader.confirmed, reader.basis, self.zone) for reader in people],
            unsubscribe_urls,
            self.preferences_urls(link_ids),
        )
        own = [headers.of_recipient(url, self.unsubscribe_email) for url in unsubscribe_urls]
        deliveries, emails = [reader.delivery for reader in people], [reader.email for reader in people]
        return list(map(Recipient, deliveries, emails, substitutions, own))


def press_of(session: Session, edition_id: int, variant: str, services: Services) -> Press:
    """The frozen paper of one variant of an approved edition."""
    edition = session.get_one(Edition, edition_id)
    row = session.get_one(RenderingRow, (edition_id, variant))
    envelope = Envelope.model_validate(edition.envelope)
    return press(paper_of(frozen_rendering(edition, row), edition.week, envelope), edition.week, services)


def press(paper: Paper, week: str, services: Services) -> Press:
    """A press for any paper."""
    return Press(
        paper=paper,
        week=week,
        zone=services.settings.digest_timezone,
        unsubscribe_urls=services.links.unsubscribe_urls,
        preferences_urls=services.links.preferences_urls,
        unsubscribe_email=services.settings.digest_unsubscribe_email,
    )


def paper_of(rendering: Rendering, week: str, envelope: Envelope) -> Paper:
    """One variant in its envelope."""
    return Paper(
        subject=rendering.subject,
        text=rendering.text,
        html=rendering.html,
        sender=Sender(envelope.from_email, envelope.from_name, envelope.reply_to),
        headers=headers.of_edition(
            week=week,
            variant=rendering.variant,
            list_id=envelope.list_id,
            list_name=envelope.newsletter_name,
            reply_to=envelope.reply_to,
            site_url=envelope.site_url,
        ),
    )
