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
    unsubscribe_url: Callable[[str], str]
    preferences_url: Callable[[str], str]
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
        """Each reader's address, personal fields and one-click headers. The hot path of a hand-over."""
        tags = personal.tags(self.week)
        unsubscribe_url, preferences_url, zone, email = (
            self.unsubscribe_url,
            self.preferences_url,
            self.zone,
            self.unsubscribe_email,
        )
        why, values, own = wording.why_you_get_this_since, personal.values, headers.of_recipient
        return [
            Recipient(
                reader.delivery,
                reader.email,
                values(
                    tags,
                    reader.name,
                    why(reader.confirmed, reader.basis, zone),
                    url := unsubscribe_url(reader.link_id),
                    preferences_url(reader.link_id),
                ),
                own(url, email),
            )
            for reader in people
        ]


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
        unsubscribe_url=services.links.unsubscribe_url,
        preferences_url=services.links.preferences_url,
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
