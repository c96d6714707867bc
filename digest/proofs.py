"""An edition as it would go out now: every variant rendered, its envelope, and one hash over all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from digest import editions, personal
from digest.models import Edition, RenderingRow
from digest.rendering import Imprint, Rendering, render
from digest.variants import EVERYTHING, EditionCopy, Variant, variant_of
from subscribers import roster

MOST_VARIANTS = 64

LOOK_AGAIN = "Resume and reopen the edition, look at it again, and approve it again."


class Envelope(BaseModel):
    """Everything outside the words that an approval vouches for, frozen with it."""

    model_config = ConfigDict(frozen=True)

    from_email: str
    from_name: str
    reply_to: str
    list_id: str
    newsletter_name: str
    postal_address: str | None
    site_url: str
    transport: str
    audience: str = ""
    """Who gets it, see `audiences.definition`. Empty where a program approved it that did not vouch for that."""
    key_ids: tuple[str, ...]
    """The keys links were signed with: while mails with them are about, none of these keys may vanish."""

    @property
    def imprint(self) -> Imprint:
        return Imprint(newsletter_name=self.newsletter_name, site_url=self.site_url, postal_address=self.postal_address)


ENVELOPE_WORDS = {
    "from_email": "the sender's address",
    "from_name": "the sender's name",
    "reply_to": "the reply address",
    "list_id": "the List-ID",
    "newsletter_name": "the newsletter's name",
    "postal_address": "the postal address",
    "site_url": "the site's address",
    "transport": "the way out",
}


@dataclass(frozen=True)
class Proof:
    """An edition as it would be approved now: every variant the audience needs, and the hash over all of it."""

    copy: EditionCopy
    renderings: tuple[Rendering, ...]
    audience: dict[str, int]
    """Subscribers per variant; those whose variant would be one too many count for `all`."""
    candidates: int
    content_hash: str

    @property
    def everything(self) -> Rendering:
        """The variant with every entry in full."""
        return self.renderings[0]


def proof(
    session: Session, edition: Edition, envelope: Envelope, zone: ZoneInfo, *, send_at: datetime | None = None
) -> Proof:
    """Render the edition as approval would freeze it, leaving when planned or at `send_at`. Reads only."""
    copy = editions.copy_of(session, edition, zone, send_at=send_at)
    variants, audience = variants_needed(session, copy)
    renderings = tuple(render(copy, envelope.imprint, variant) for variant in variants)
    return Proof(
        copy=copy,
        renderings=renderings,
        audience=audience,
        candidates=roster.count_active(session),
        content_hash=_content_hash({each.variant: each.sha256 for each in renderings}, envelope),
    )


def changed_since(session: Session, edition: Edition, envelope: Envelope) -> str | None:
    """What differs between the approval and what would go out now, in words; None when nothing does."""
    frozen = Envelope.model_validate(edition.envelope)
    if frozen.audience != envelope.audience:
        return f"Since the approval the rule of who gets an edition changed. {LOOK_AGAIN}"
    for field, words in ENVELOPE_WORDS.items():
        before, after = getattr(frozen, field), getattr(envelope, field)
        if before != after:
            return f"Since the approval {words} changed from {before!r} to {after!r}; put it back and resume."
    rows = session.scalars(sa.select(RenderingRow).where(RenderingRow.edition_id == edition.id)).all()
    sealed = {row.variant: frozen_rendering(edition, row).sha256 for row in rows}
    if _content_hash(sealed, frozen) != edition.approved_hash:
        return f"What is stored is not what was approved. {LOOK_AGAIN}"
    return None


def frozen_rendering(edition: Edition, row: RenderingRow) -> Rendering:
    """A stored variant as the value it was when it was rendered."""
    return Rendering(edition.week, row.variant, row.subject, row.html, row.text)


def _content_hash(sealed: dict[str, str], envelope: Envelope) -> str:
    """One hash over every variant's bytes, the wording of personal fields, and the envelope but for its keys."""
    vouched = {
        "renderings": sealed,
        "personal": personal.wording(),
        "envelope": envelope.model_dump(mode="json", exclude={"key_ids"}),
    }
    return hashlib.sha256(orjson.dumps(vouched, option=orjson.OPT_SORT_KEYS)).hexdigest()


def variants_needed(session: Session, copy: EditionCopy) -> tuple[Sequence[Variant], dict[str, int]]:
    """`all`, its text, and every further variant somebody wishes, the most wanted first, at most 64 in all."""
    base = [variant_of(copy.entries, None), variant_of(copy.entries, None, text_only=True)]
    wanted: dict[str, int] = {variant.key: 0 for variant in base}
    by_key = {variant.key: variant for variant in base}
    for topics, plain_text, people in roster.wishes(session):
        variant = variant_of(copy.entries, topics.splitlines() or None, text_only=plain_text)
        by_key.setdefault(variant.key, variant)
        wanted[variant.key] = wanted.get(variant.key, 0) + people
    further = sorted((key for key in wanted if key not in {v.key for v in base}), key=lambda key: (-wanted[key], key))
    kept = [variant.key for variant in base] + further[: MOST_VARIANTS - len(base)]
    audience = {key: wanted[key] for key in kept}
    for key in further[MOST_VARIANTS - len(base) :]:
        audience[f"{EVERYTHING}-text" if by_key[key].text_only else EVERYTHING] += wanted[key]
    return [by_key[key] for key in kept], audience
