"""Subscribers and the append-only proof of their consent."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, BigKey, UtcDateTime
from subscribers.policy import Refusal, State
from subscribers.wishes import Rhythm, Wishes

__all__ = ["AddressChange", "ConsentEvent", "Refusal", "RefusedAddress", "Rhythm", "State", "Subscriber"]


class Subscriber(Base):
    """One address and its consent."""

    __tablename__ = "subscribers"
    # Ids are never used again: a link made for somebody erased must not reach whoever comes next.
    __table_args__ = (
        sa.Index("ix_subscribers_state_id", "state", "id"),
        # All that a search reads, in the order it pages: no row is looked up but those found.
        sa.Index("ix_subscribers_search", "id", "state", "search"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    link_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    """Random, and all that a link says about a person: no address and no number that can be counted up."""
    email: Mapped[str] = mapped_column(sa.String(320))
    """As typed."""
    email_key: Mapped[str] = mapped_column(sa.String(320), unique=True)
    """The one normal form addresses are compared in, see `addresses`."""
    name: Mapped[str | None] = mapped_column(sa.String(200))
    search: Mapped[str] = mapped_column(sa.Text, default="")
    """What a search looks through: address and name, case-folded here, because SQLite folds only ASCII."""
    state: Mapped[State] = mapped_column(
        sa.Enum(
            State,
            native_enum=False,
            length=16,
            values_callable=lambda e: [m.value for m in e],
            create_constraint=False,
        )
    )
    topics: Mapped[str] = mapped_column(sa.Text, default="")
    """Categories wanted, one a line in sorted order; empty for everything."""
    plain_text: Mapped[bool] = mapped_column(default=False)
    rhythm: Mapped[Rhythm] = mapped_column(
        sa.Enum(
            Rhythm,
            native_enum=False,
            length=16,
            values_callable=lambda e: [m.value for m in e],
            create_constraint=False,
        ),
        default=Rhythm.WEEKLY,
    )
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pending_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When this person last confirmed, or was added with a basis."""
    basis: Mapped[str | None] = mapped_column(sa.String(500))
    """The basis of consent an operator gave; None where the person pressed the button themselves."""
    suppressed_because: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def wishes(self) -> Wishes:
        """Four columns as one value."""
        return Wishes(frozenset(self.topics.splitlines()), self.rhythm, self.plain_text, self.paused_until)


class ConsentEvent(Base):
    """What happened to one person's consent, when, how, from where, and under which wording. Never changed."""

    __tablename__ = "consent_events"
    __table_args__ = (
        # One person's history, the kinds of it without looking up a row.
        sa.Index("ix_consent_events_subscriber_id_id_kind", "subscriber_id", "id", "kind"),
        # What happened in one week, for the numbers over time.
        sa.Index("ix_consent_events_kind_happened_at", "kind", "happened_at", "subscriber_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("subscribers.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(40))
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(sa.String(200))
    """The door it came through, and who stood there: "import by …", "one-click", "command line"."""
    wording: Mapped[str | None] = mapped_column(sa.Text)
    """The exact text shown beside the button, or the basis an operator gave."""
    wording_version: Mapped[str | None] = mapped_column(sa.String(40))
    """Which version of our own wording that was; None for words that are not ours."""
    ip: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(400))


class RefusedAddress(Base):
    """An address, as a keyed hash, that only its owner can bring back, or nobody. Written only by `consent`."""

    __tablename__ = "refused_addresses"

    address_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    because: Mapped[Refusal] = mapped_column(
        sa.Enum(
            Refusal,
            native_enum=False,
            length=16,
            values_callable=lambda e: [m.value for m in e],
            create_constraint=False,
        )
    )
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class AddressChange(Base):
    """A new address somebody active asked for, until they confirm it there. Written only by `consent`."""

    __tablename__ = "address_changes"

    subscriber_id: Mapped[int] = mapped_column(
        BigKey, sa.ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    link_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    email: Mapped[str] = mapped_column(sa.String(320))
    email_key: Mapped[str] = mapped_column(sa.String(320))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
