"""The tables of the paper room. Each has one writer, named in its docstring; nothing here decides anything."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from database import Base, BigKey, UtcDateTime
from digest.facts import Verdict


def _words(states: type[StrEnum]) -> sa.Enum:
    """A state stored as its own word, readable in any database shell."""
    return sa.Enum(
        states,
        native_enum=False,
        length=16,
        create_constraint=False,
        values_callable=lambda e: [m.value for m in e],
    )


# — gathering —


class Tool(Base):
    """One reviewed product, keyed by slug; until an address is learned, by name and tagline. Writer: intake."""

    __tablename__ = "tools"
    __table_args__ = (sa.Index("ix_tools_name_tagline", "name", "tagline"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    slug: Mapped[str | None] = mapped_column(sa.String(400), unique=True)
    name: Mapped[str] = mapped_column(sa.String(300))
    tagline: Mapped[str | None] = mapped_column(sa.String(300))
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    """`facts.ToolFacts` without takes; a missing key is not known."""
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Take(Base):
    """One reviewer's score, call and remark on one tool. Writer: intake."""

    __tablename__ = "takes"
    __table_args__ = (sa.UniqueConstraint("tool_id", "reviewer"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    tool_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("tools.id", ondelete="CASCADE"))
    reviewer: Mapped[str] = mapped_column(sa.String(300))
    score: Mapped[float | None] = mapped_column(sa.Float)
    call: Mapped[str | None] = mapped_column(sa.String(8))
    remark: Mapped[str | None] = mapped_column(sa.Text)
    position: Mapped[int] = mapped_column(default=0)
    """The reviewer's place on the page."""


class Comparison(Base):
    """One published page: two tools side by side. Writer: intake."""

    __tablename__ = "comparisons"
    __table_args__ = (
        sa.Index("ix_comparisons_left_id_right_id", "left_id", "right_id"),
        sa.Index("ix_comparisons_first_seen_at", "first_seen_at"),
        # What stands for selection is what is new, in an archive that only grows.
        sa.Index("ix_comparisons_published_at", "published_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    slug: Mapped[str | None] = mapped_column(sa.String(400), unique=True)
    url: Mapped[str | None] = mapped_column(sa.String(2000))
    title: Mapped[str | None] = mapped_column(sa.String(600))
    left_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("tools.id"))
    right_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("tools.id"), index=True)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    loose_remarks: Mapped[list[str]] = mapped_column(sa.JSON)
    """Remarks shown without a reviewer, in page order; whose they are is resolved whenever facts are read."""
    content_hash: Mapped[str] = mapped_column(sa.String(64))
    """sha256 of the page's own facts as last read: reading the same page again changes nothing."""
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_because: Mapped[str | None] = mapped_column(sa.String(500))
    withdrawn_by: Mapped[str | None] = mapped_column(sa.String(320))
    """Who withdrew it; None where the page itself is gone, which ends when the page is back."""


class Source(Base):
    """One polled address: when it is due again and what its server told us to send back. Writer: intake."""

    __tablename__ = "sources"

    url: Mapped[str] = mapped_column(sa.String(2000), primary_key=True)
    etag: Mapped[str | None] = mapped_column(sa.String(500))
    last_modified: Mapped[str | None] = mapped_column(sa.String(100))
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """None: not polled by itself, only remembered for its validators."""
    last_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_problem: Mapped[str | None] = mapped_column(sa.Text)


# — making —


class EditionState(StrEnum):
    """The life of an edition; the moves between them stand in `editions.MOVES`."""

    DRAFT = "draft"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    HALTED = "halted"
    STOPPED = "stopped"
    SKIPPED = "skipped"


class Edition(Base):
    """One week's digest. Writer: editions; preparing and submitting move it through `editions.advance`."""

    __tablename__ = "editions"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    week: Mapped[str] = mapped_column(sa.String(8), unique=True)
    state: Mapped[EditionState] = mapped_column(_words(EditionState))
    why: Mapped[str | None] = mapped_column(sa.Text)
    """Why it is skipped, halted or stopped."""
    halted_from: Mapped[EditionState | None] = mapped_column(_words(EditionState))
    window_start: Mapped[datetime] = mapped_column(UtcDateTime)
    window_end: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """The week's own send time; an approval may choose another, and when it is void this one holds again."""
    send_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rules: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    subject: Mapped[str] = mapped_column(sa.String(400), default="")
    breath: Mapped[str] = mapped_column(sa.String(400), default="")
    subject_by_rule: Mapped[str] = mapped_column(sa.String(400), default="", server_default="")
    breath_by_rule: Mapped[str] = mapped_column(sa.String(400), default="", server_default="")
    """What the program wrote, beside what goes out: an editor's words differ from it, and can go back to it."""
    introduction: Mapped[str | None] = mapped_column(sa.Text)
    """In Markdown, see `rendering.introduction`."""
    also_compared: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many edits it has had; see `Edit`."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[str | None] = mapped_column(sa.String(320))
    approved_hash: Mapped[str | None] = mapped_column(sa.String(64))
    approved_candidates: Mapped[int | None]
    envelope: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    """`editions.Envelope` as approved: sender, headers' material and transport."""

    prepared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    candidates: Mapped[int | None]
    begun_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The first hand-over; the archive shows the edition from here on."""
    wave_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the rest may follow the first wave; None while that is not out, or where everything is one wave."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    journaled_begun_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the journal says it went out, where this ledger, restored from a backup, does not know to whom."""


class Considered(Base):
    """A comparison that stood for selection, with its score parts, rank and reason in words. Writer: editions."""

    __tablename__ = "considered"

    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), primary_key=True)
    comparison_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("comparisons.id"), primary_key=True)
    rank: Mapped[int]
    score: Mapped[int]
    parts: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    """`name`, `points` and `words` of each part of the score; the score is their sum."""
    deductions: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    """Points off while the edition was filled; they never change the score."""
    chosen: Mapped[bool]
    reason: Mapped[str] = mapped_column(sa.Text)


class Entry(Base):
    """A comparison placed in an edition, its copy frozen. Writer: editions."""

    __tablename__ = "entries"
    __table_args__ = (sa.UniqueConstraint("edition_id", "comparison_id"),)

    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    comparison_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("comparisons.id"), index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    summary: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    """`verdicts.Summary` as it goes out."""
    headline_by_rule: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    sentence_by_rule: Mapped[str] = mapped_column(sa.Text, default="", server_default="")
    """What the program wrote where an editor's words may stand in the summary."""
    pinned: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Keeps its place when the edition is selected again by other rules."""


class Edit(Base):
    """One change of an edition by a person: the parts it touched, before and after. Writer: editing.

    Going back through them from the newest gives the edition as it was at any time.
    """

    __tablename__ = "edits"
    __table_args__ = (sa.UniqueConstraint("edition_id", "revision"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"))
    revision: Mapped[int]
    """The edition's revision that it made; letters typed one after the other are one edit with the last of theirs."""
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(sa.String(320))
    what: Mapped[str] = mapped_column(sa.String(400))
    before: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    after: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    """By name of the part, see `manuscript.parts_of`; a null: that entry was not there."""
    undoes: Mapped[int | None]
    """The revision that it took back."""
    undone_in: Mapped[int | None]
    """The revision that took it back."""


class Override(Base):
    """A blocking problem that a person answers for: this problem in these words, no other. Writer: overrides."""

    __tablename__ = "overrides"

    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), primary_key=True)
    problem_key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """`preflight.Problem.key`."""
    code: Mapped[str] = mapped_column(sa.String(40))
    problem: Mapped[str] = mapped_column(sa.Text)
    why: Mapped[str] = mapped_column(sa.Text)
    by: Mapped[str] = mapped_column(sa.String(320))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class LinkCheck(Base):
    """What an address a draft links to answered when it was last asked. Writer: link_checks."""

    __tablename__ = "link_checks"

    url: Mapped[str] = mapped_column(sa.String(2000), primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    alive: Mapped[bool]
    why: Mapped[str | None] = mapped_column(sa.Text)
    """What it answered instead of a page, as a clause."""
    failures: Mapped[int] = mapped_column(default=0)
    """How often in a row it gave no page: one failure may be the network's."""


class Examined(Base):
    """What the clock found out about the way out: key, scopes, sender's domain. Writer: examining."""

    __tablename__ = "examined"

    name: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    ok: Mapped[bool | None]
    words: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Correction(Base):
    """A dated note on an edition that went out: on its archive page, in the feeds, and offered to the editions that
    follow. Never changed; a mistake in it is corrected by another. Writer: corrections."""

    __tablename__ = "corrections"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(sa.String(320))
    words: Mapped[str] = mapped_column(sa.Text)
    printed_in: Mapped[int | None] = mapped_column(BigKey, sa.ForeignKey("editions.id"))
    """The later edition that carries it. Writer: editing."""


class Featured(Base):
    """One tool shown in one edition, with the verdict it had there: what entries say of it, to be found by tool.

    Entries hold whole pages; reading those of every week ever sent to know a few tools takes longer each week.
    Writer: drafting, with the entries.
    """

    __tablename__ = "featured"

    identity: Mapped[str] = mapped_column(sa.String(700), primary_key=True)
    """`facts.ToolFacts.identity` as it was then."""
    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), primary_key=True, autoincrement=False)
    verdict: Mapped[Verdict | None] = mapped_column(sa.String(8))


class EditionLog(Base):
    """Who did what to an edition, and why. Writer: editions."""

    __tablename__ = "edition_log"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(sa.String(320))
    what: Mapped[str] = mapped_column(sa.String(200))
    why: Mapped[str | None] = mapped_column(sa.Text)


class RenderingRow(Base):
    """One variant's exact subject, HTML and text, frozen on approval. Writer: editions."""

    __tablename__ = "renderings"

    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), primary_key=True)
    variant: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(400))
    html: Mapped[str | None] = mapped_column(sa.Text)
    text: Mapped[str] = mapped_column(sa.Text)
    sha256: Mapped[str] = mapped_column(sa.String(64))


# — sending —


class Delivery(Base):
    """One edition to one subscriber; its state follows from these times and its batch. Writer: preparing, submitting.

    No foreign keys: three of them make preparing a million rows five times slower, and one to subscribers would
    scan this table at every erasure. `digest db check` looks for orphans instead.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("edition_id", "subscriber_id"),
        sa.Index(
            "ix_deliveries_set_aside",
            "edition_id",
            "id",
            sqlite_where=sa.text("withheld_because IS NOT NULL OR refused_because IS NOT NULL"),
            postgresql_where=sa.text("withheld_because IS NOT NULL OR refused_because IS NOT NULL"),
        ),
        # What the breaker counts every few seconds. Only what went wrong is in them: preparing writes nothing there.
        sa.Index(
            "ix_deliveries_complained",
            "edition_id",
            "id",
            sqlite_where=sa.text("complained_at IS NOT NULL"),
            postgresql_where=sa.text("complained_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_deliveries_hard_bounced",
            "edition_id",
            "id",
            sqlite_where=sa.text("hard_bounced_at IS NOT NULL"),
            postgresql_where=sa.text("hard_bounced_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    edition_id: Mapped[int] = mapped_column(BigKey)
    subscriber_id: Mapped[int | None] = mapped_column(BigKey)
    """None once the person was erased; the row stays so that the numbers add up."""
    variant: Mapped[str] = mapped_column(sa.String(40))
    withheld_because: Mapped[str | None] = mapped_column(sa.String(200))
    refused_because: Mapped[str | None] = mapped_column(sa.String(500))
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deferred_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dropped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """It did not arrive, hard or soft."""
    hard_bounced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """It never will, so the receiving side said: what the breaker counts. `bounced_at` has these too."""
    complained_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    clicked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LeftOut(Base):
    """How many candidates got no delivery of an edition, by reason. Writer: preparing."""

    __tablename__ = "left_out"

    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(200), primary_key=True)
    count: Mapped[int]


class BatchState(StrEnum):
    """The life of a batch; the moves between them stand in `batches.MOVES`."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


class Batch(Base):
    """A range of delivery ids handed over in one call. Writer: preparing creates, submitting moves and may split."""

    __tablename__ = "batches"
    __table_args__ = (sa.Index("ix_batches_edition_id_state_id", "edition_id", "state", "id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    edition_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("editions.id"))
    variant: Mapped[str] = mapped_column(sa.String(40))
    wave: Mapped[int] = mapped_column(default=1, server_default="1")
    """1 goes at once; 2 waits until `Edition.wave_until`."""
    first_delivery: Mapped[int] = mapped_column(BigKey)
    last_delivery: Mapped[int] = mapped_column(BigKey)
    state: Mapped[BatchState] = mapped_column(_words(BatchState))
    attempt: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None] = mapped_column(sa.String(100))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When this attempt was handed over: a dead lease with it is uncertain, without it the batch is free again."""
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    body_sha256: Mapped[str | None] = mapped_column(sa.String(64))
    message_id: Mapped[str | None] = mapped_column(sa.String(200))
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    why: Mapped[str | None] = mapped_column(sa.Text)


class FencedAttempt(Base):
    """One attempt that can be called back until shortly before `send_at`. Writer: batches, fences.

    The provider keeps what it took under `provider_batch_id` until then; cancelled, it throws that away.
    """

    __tablename__ = "fenced_attempts"

    batch_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("batches.id"), primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    provider_batch_id: Mapped[str] = mapped_column(sa.String(100), unique=True)
    send_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When we were about to cancel it: from here on a late yes to the attempt settles nothing."""
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the provider confirmed that nothing of it goes out."""
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the cancelling was taken out of the provider's books, long after `send_at`: it keeps only so many."""


class PauseKind(StrEnum):
    """What stops all calls."""

    RATE_LIMIT = "rate limit"
    KILL_SWITCH = "kill switch"


class Pause(Base):
    """Why no call may begin, for whom, until when; shared by all processes. Writer: pauses."""

    __tablename__ = "pauses"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    kind: Mapped[PauseKind] = mapped_column(_words(PauseKind), server_default="rate limit")
    edition_id: Mapped[int | None] = mapped_column(BigKey, sa.ForeignKey("editions.id"))
    """None: no call at all."""
    because: Mapped[str] = mapped_column(sa.Text)
    by: Mapped[str | None] = mapped_column(sa.String(320))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)


# — outcomes —


class ProviderEvent(Base):
    """One event as the provider told it, once. Writer: outcomes.

    No foreign keys, as deliveries have none: an event may come for what is gone, or was never ours.
    """

    __tablename__ = "provider_events"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    event_key: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Of the provider's own id for it."""
    content_key: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Of what it says: the id has been seen to change on a retry."""
    post: Mapped[int] = mapped_column(sa.BigInteger)
    """Which call of the webhook brought it."""
    kind: Mapped[str] = mapped_column(sa.String(40))
    """The provider's word; one we do not know is kept all the same."""
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    delivery_id: Mapped[int | None] = mapped_column(BigKey, index=True)
    batch_id: Mapped[int | None] = mapped_column(BigKey)
    attempt: Mapped[int | None]
    address_hash: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    """Keyed: how the events of one person are found, to be shown to them or erased. None once they were erased."""
    raw: Mapped[str] = mapped_column(sa.Text)
    """JSON, value by value as it came; without anything personal once the person was erased."""


class SuppressionSync(Base):
    """How far one of the provider's suppression lists has been read. Writer: suppression_sync."""

    __tablename__ = "suppression_syncs"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    read_until: Mapped[datetime] = mapped_column(UtcDateTime)
    """Entries made before are known."""
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LetterState(StrEnum):
    """The life of a letter or notice."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    GIVEN_UP = "given up"


class Letter(Base):
    """A letter or notice owed to one person. Interrupted, it is posted once more. Writer: postman, and sessions for
    the notice with a way in."""

    __tablename__ = "letters"
    __table_args__ = (
        sa.Index("ix_letters_state_not_before", "state", "not_before"),
        sa.Index("ix_letters_address_hash_queued_at", "address_hash", "queued_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(40))
    email: Mapped[str] = mapped_column(sa.String(320))
    """Empty once the person was erased; the row stays, so that its address is not written to too often."""
    address_hash: Mapped[str | None] = mapped_column(sa.String(64))
    """Keyed, of the address in its normal form; None for a notice to staff."""
    subscriber_id: Mapped[int | None] = mapped_column(BigKey, index=True)
    """None for a notice to staff, and once the person was erased."""
    context: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    state: Mapped[LetterState] = mapped_column(_words(LetterState))
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    """Due from here on; moved ahead while somebody is posting it, and after a failure."""
    attempts: Mapped[int] = mapped_column(default=0)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_problem: Mapped[str | None] = mapped_column(sa.Text)


# — doors —


class Role(StrEnum):
    """What somebody on the staff may do."""

    EDITOR = "editor"
    OPERATOR = "operator"
    ADMIN = "admin"


class Staff(Base):
    """Somebody who signs in. Writer: staff."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(320))
    email_key: Mapped[str] = mapped_column(sa.String(320), unique=True)
    role: Mapped[Role] = mapped_column(_words(Role))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RequestKind(StrEnum):
    """What a stranger can ask for at a public door by giving an address."""

    SIGN_UP = "sign-up"
    MY_DATA = "my-data"
    SIGN_IN = "sign-in"
    ADD = "add"  # through the API, by the site's own program


class Request(Base):
    """What somebody asked for at a public door, as it came in. Writer: requests.

    The door stores it and nothing else, the same for every address; what follows from it is found out afterwards.
    Gone once it is settled.
    """

    __tablename__ = "requests"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    kind: Mapped[RequestKind] = mapped_column(_words(RequestKind))
    email: Mapped[str] = mapped_column(sa.String(320))
    """As typed."""
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """Moved ahead after a failure."""
    attempts: Mapped[int] = mapped_column(default=0)
    source: Mapped[str] = mapped_column(sa.String(200))
    name: Mapped[str | None] = mapped_column(sa.String(200))
    topics: Mapped[str] = mapped_column(sa.Text, default="")
    """One a line, for "add" only."""
    wording: Mapped[str | None] = mapped_column(sa.Text)
    wording_version: Mapped[str | None] = mapped_column(sa.String(40))
    ip: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(400))


class Limit(Base):
    """How often one subject did one thing in one window; shared by all processes. Writer: limits."""

    __tablename__ = "limits"

    what: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """A keyed hash: nobody's network or address stands here."""
    window: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """When it began, in seconds since 1970."""
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    count: Mapped[int]


class SignInLink(Base):
    """A way in for one member of staff: once, within fifteen minutes. Writer: sessions."""

    __tablename__ = "sign_in_links"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    link_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    """Random; the link seals it, so that who reads this table cannot make one."""
    staff_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("staff.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffSession(Base):
    """One browser in which one member of staff is signed in. Writer: sessions."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    staff_id: Mapped[int] = mapped_column(BigKey, sa.ForeignKey("staff.id"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    user_agent: Mapped[str | None] = mapped_column(sa.String(400))


class ApiToken(Base):
    """A bearer token for one program, never for more than its scopes name. Writer: tokens."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IdempotencyKey(Base):
    """What one write through the API was answered, for whoever sends it again. Writer: the API."""

    __tablename__ = "idempotency_keys"

    token_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    key_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    request_hash: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AuditLine(Base):
    """What one member of staff did, chained to the line before. It names nobody's address. Writer: audit."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    """1, 2, 3 … without a gap: the chain shows when one is missing."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(sa.String(100))
    """`staff 3`, `command line`, `token 2`."""
    what: Mapped[str] = mapped_column(sa.String(100))
    about: Mapped[str | None] = mapped_column(sa.String(100))
    """`subscriber 17`, `staff 3`, `2026-W47`: a number, never an address."""
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    previous: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))


class ImportState(StrEnum):
    """The life of a list brought in through the pages."""

    CHECKING = "checking"
    CHECKED = "checked"
    BRINGING_IN = "bringing in"
    DONE = "done"
    FAILED = "failed"


class ListImport(Base):
    """A list of people uploaded by staff: checked first, then brought in. Writer: imports."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    file_name: Mapped[str] = mapped_column(sa.String(200))
    content: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    """Compressed; gone once it was brought in or left behind."""
    basis: Mapped[str | None] = mapped_column(sa.String(500))
    state: Mapped[ImportState] = mapped_column(_words(ImportState))
    by: Mapped[str] = mapped_column(sa.String(100))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lines_done: Mapped[int] = mapped_column(default=0)
    report: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    """The last run's counts and its first bad lines."""
    problem: Mapped[str | None] = mapped_column(sa.Text)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JobRun(Base):
    """One run of one job and what it said; quiet runs after each other are one row. Writer: scheduler."""

    __tablename__ = "job_runs"
    __table_args__ = (sa.Index("ix_job_runs_job_finished_at", "job", "finished_at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    job: Mapped[str] = mapped_column(sa.String(40))
    process: Mapped[str] = mapped_column(sa.String(200))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int] = mapped_column(default=1)
    ok: Mapped[bool]
    said: Mapped[str] = mapped_column(sa.Text)
