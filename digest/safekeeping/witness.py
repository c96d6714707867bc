"""What the database that is being replaced still knows: a second witness beside the journal, in the same words.

An old copy of the journal looks whole. Where the database that was there before can still be read, nothing that it
knows is forgotten: which editions began to go out, who is out, and which addresses are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from database import Database
from digest import migrations
from digest.errors import DigestError
from digest.models import Edition
from digest.safekeeping.journal import Line
from digest.safekeeping.replaying import ACTS
from subscribers.models import ConsentEvent, RefusedAddress, State, Subscriber
from subscribers.notes import Note, What
from subscribers.policy import Act, Refusal
from subscribers.secrecy import hashes

_WHAT: dict[str, What] = {
    **{str(act): what for what, act in ACTS.items()},
    str(Act.CONFIRM): "confirmed",
    str(Act.LIFT): "lifted",
}
# Whether they complained or staff said so is not remembered: it is taken for what nothing takes back.
_REFUSED: dict[Refusal, What] = {Refusal.ERASED: "erased", Refusal.LEFT: "left", Refusal.FOR_EVER: "complained"}
ROWS_AT_ONCE = 5_000


class NoWitness(DigestError):
    """What was there before could not be asked who left and what went out."""


def ask(database: Database) -> list[Line]:
    """Everything it knows, as lines of a journal in the order of their times. Raises NoWitness."""
    try:
        if migrations.revision(database) != migrations.head():
            raise NoWitness(f"{NoWitness.__doc__} It is not of this version of the program.")
        with database.reading() as session:
            notes = [*_begun(session), *_out(session), *_refused(session)]
    except (sa.exc.SQLAlchemyError, ValueError, TypeError, LookupError):
        raise NoWitness(f"{NoWitness.__doc__} It could not be read.") from None
    finally:
        database.dispose()
    return [Line(note) for note in sorted(notes, key=lambda note: note.at)]


def _begun(session: Session) -> Iterator[Note]:
    began = sa.func.coalesce(Edition.begun_at, Edition.journaled_begun_at, type_=Edition.begun_at.type)
    for week, at in session.execute(sa.select(Edition.week, began).where(began.is_not(None))):
        yield Note("begun", at, week=week)


def _out(session: Session) -> Iterator[Note]:
    """The whole story of everybody who may not be written to, as the journal would tell it."""
    keyed = hashes(session)
    story = (
        sa.select(Subscriber.link_id, Subscriber.email_key, ConsentEvent.kind, ConsentEvent.happened_at)
        .join(ConsentEvent, ConsentEvent.subscriber_id == Subscriber.id)
        .where(Subscriber.state != State.ACTIVE, ConsentEvent.kind.in_(_WHAT))
        .order_by(ConsentEvent.id)
    )
    for link_id, key, kind, at in session.execute(story, execution_options={"yield_per": ROWS_AT_ONCE}):
        yield Note(_WHAT[kind], at, person=keyed.of(link_id), address=keyed.of(key))


def _refused(session: Session) -> Iterator[Note]:
    """Known by the address alone."""
    for row in session.execute(sa.select(RefusedAddress.address_hash, RefusedAddress.because, RefusedAddress.since)):
        yield Note(_REFUSED[row.because], row.since, address=row.address_hash)
