"""Letters to subscribers about their own subscription, and notices to staff.

The door queues in the transaction that gives the reason; the postman posts. Interrupted, a letter is posted once
more: twice is better than never, for letters and notices only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from database import claim
from digest import headers, letter_caps, letter_links, pauses
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.letter_caps import Written
from digest.letter_links import NoLongerOwed
from digest.models import Letter, LetterState, Staff
from digest.rendering import Imprint, Mail, render_mail
from digest.settings import Settings
from digest.transport import Outgoing, Paper, Recipient, Refused, Sender, Unavailable, Uncertain
from subscribers import addresses
from subscribers.letters import LetterOwed
from subscribers.secrecy import hashes

log = structlog.get_logger()

LONGEST_CALL = timedelta(minutes=3)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
MOST_ATTEMPTS = 8  # about four hours of trying
ALL_BUT_ONE = MOST_ATTEMPTS - 1
CHUNK = 500  # letters looked up and stored in one statement
INTERRUPTED = "the process that was posting it ended before it could note the answer"


def queue(session: Session, letter: LetterOwed, *, now: datetime) -> None:
    """Owe somebody a letter; it is posted after the commit. Whose address was written to enough gets none."""
    if session.get_bind().dialect.name == "postgresql":
        # Two who have the same address written to at the same moment must each see what the other one owes it.
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_of(hashes(session).of(_key(letter))))))
    queue_all(session, [letter], now=now)


def queue_all(session: Session, letters: Sequence[LetterOwed], *, now: datetime) -> int:
    """Like `queue` for many at once; says how many are owed. The caller holds the rows of the people they are for."""
    pieces = (letters[start : start + CHUNK] for start in range(0, len(letters), CHUNK))
    return sum(_queue_chunk(session, piece, now) for piece in pieces)


def _queue_chunk(session: Session, letters: Sequence[LetterOwed], now: datetime) -> int:
    """Two statements, however many they are."""
    keyed = hashes(session)
    known_as = {letter.email: keyed.all_of(_key(letter)) for letter in letters}
    before = _written(session, {hashed for each in known_as.values() for hashed in each}, now)
    rows, enough = [], Counter[str]()
    for letter in letters:
        names = known_as[letter.email]
        if letter_caps.is_enough(letter.kind, [one for name in names for one in before.get(name, ())], now):
            enough[letter.kind] += 1
            continue
        before.setdefault(names[0], []).append(Written(letter.kind, now))
        rows.append(_row(letter, names[0], now))
    if rows:
        session.execute(sa.insert(Letter), rows)
    for kind, times in enough.items():
        log.info("letter not owed again: asked too often", kind=kind, times=times)
    return len(rows)


def _key(letter: LetterOwed) -> str:
    return addresses.parse(letter.email).key


def _lock_of(address_hash: str) -> int:
    """A number as PostgreSQL's advisory locks take it: 60 bits of the hash."""
    return int(address_hash[:15], 16)


def _written(session: Session, address_hashes: Collection[str], now: datetime) -> dict[str, list[Written]]:
    """What these addresses were written lately, of the kinds that are counted."""
    found = session.execute(
        sa.select(
            Letter.address_hash, Letter.kind, Letter.state, Letter.queued_at, Letter.not_before, Letter.accepted_at
        ).where(Letter.address_hash.in_(address_hashes), Letter.kind.in_(letter_caps.MOST))
    )
    written: dict[str, list[Written]] = {}
    for row in found:
        # One that waits may go at any moment; of one given up, the last attempt may have arrived.
        last_attempt = max(row.queued_at, row.not_before)
        at = now if row.state is LetterState.QUEUED else row.accepted_at or last_attempt
        written.setdefault(str(row.address_hash), []).append(Written(row.kind, at))
    return written


def _row(letter: LetterOwed, address_hash: str, now: datetime) -> dict[str, Any]:
    return {
        "kind": letter.kind,
        "email": letter.email,
        "address_hash": address_hash,
        "subscriber_id": letter.subscriber_id,
        "context": dict(letter.context),
        "state": LetterState.QUEUED,
        "queued_at": now,
        "not_before": now,
    }


def tell_staff(session: Session, *, kind: str, context: Mapping[str, Any], now: datetime) -> None:
    """Owe everybody on the staff a notice. With nobody on the staff the log line is all there is."""
    log.warning("notice to staff", kind=kind, **context)
    for email in session.scalars(sa.select(Staff.email).where(Staff.removed_at.is_(None))):
        session.add(
            Letter(
                kind=kind,
                email=email,
                subscriber_id=None,
                context=dict(context),
                state=LetterState.QUEUED,
                queued_at=now,
                not_before=now,
            )
        )


@dataclass(frozen=True)
class Posted:
    """What one round of the postman did."""

    accepted: int = 0
    put_off: int = 0
    given_up: int = 0


Became = Literal["posted", "put off", "given up"]


def post_due(services: Services, *, now: datetime, most: int = 500) -> Posted:
    """Post every letter that is due, one by one; a failed one is tried again later and never stops the others."""
    tally = Counter(takewhile(bool, (post_next(services, now=now) for _ in range(most))))
    return Posted(tally["posted"], tally["put off"], tally["given up"])


def post_next(services: Services, *, now: datetime, newest: bool = False) -> Became | None:
    """Post the letter that has been due longest, or shortest; None when none is due, or when no call may begin.

    Who takes both in turn keeps nobody at the door waiting for a list of thousands that was brought in before.
    """
    letter = _claim_due(services, now, newest=newest)
    if letter is None:
        return None
    if letter.attempts > MOST_ATTEMPTS:
        return _give_up(services, letter, INTERRUPTED)
    try:
        outgoing = _outgoing(services, letter, now)
        services.transport.post(services.transport.build(outgoing))
    except (Refused, NoLongerOwed) as why:
        return _give_up(services, letter, str(why))
    except Unavailable as why:
        if why.everybody:
            _pause_everybody(services, why, now)
        return _put_off(services, letter, str(why), not_before=now + _backoff(letter))
    except Uncertain as why:
        return _once_more(services, letter, str(why), now)
    except DigestError as why:
        return _put_off(services, letter, str(why), not_before=now + _backoff(letter))
    except Exception as why:
        # Whatever it is about this letter, the others are not to wait for it.
        log.exception("a letter failed in an unforeseen way", letter=letter.id)
        return _once_more(services, letter, f"it failed in an unforeseen way: {type(why).__name__}", now)
    _note(services, letter, LetterState.ACCEPTED, accepted_at=now, last_problem=None)
    return "posted"


def _claim_due(services: Services, now: datetime, *, newest: bool) -> Letter | None:
    """The oldest or newest letter due, moved ahead so that nobody else posts it while we do.

    Until its answer is noted it says that it was interrupted. One that is found saying so may have been posted
    already: it gets one more attempt and no other.
    """
    with services.database.writing() as session:
        due = (
            sa.select(Letter)
            .where(Letter.state == LetterState.QUEUED, Letter.not_before <= now, sa.not_(pauses.stops_everything(now)))
            .order_by(*((Letter.not_before.desc(), Letter.id.desc()) if newest else (Letter.not_before, Letter.id)))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        letter = session.scalars(due).one_or_none()
        if letter is not None:
            used = ALL_BUT_ONE if letter.last_problem == INTERRUPTED else 0
            letter.attempts = max(letter.attempts, used) + 1
            letter.not_before, letter.last_problem = now + LONGEST_CALL, INTERRUPTED
        return letter


def _pause_everybody(services: Services, why: Unavailable, now: datetime) -> None:
    # A provider's clock that is far off must not silence us for ever.
    until = min(why.until or now + FIRST_RETRY, now + LONGEST_PAUSE)
    with services.database.writing() as session:
        pauses.limit_rate(session, because=str(why), until=until, now=now)


def _backoff(letter: Letter) -> timedelta:
    wait: timedelta = FIRST_RETRY * 2 ** min(letter.attempts, MOST_ATTEMPTS)
    return wait


def _put_off(services: Services, letter: Letter, why: str, *, not_before: datetime, used: int = 0) -> Became:
    """Tried again later, unless every attempt is used up. `used` counts where one call was worth several."""
    attempts = max(letter.attempts, used)
    if attempts >= MOST_ATTEMPTS:
        return _give_up(services, letter, why)
    _note(services, letter, LetterState.QUEUED, not_before=not_before, attempts=attempts, last_problem=why)
    return "put off"


def _once_more(services: Services, letter: Letter, why: str, now: datetime) -> Became:
    """It may have been taken, so it is posted once more and no oftener: people count the letters they get."""
    return _put_off(services, letter, why, not_before=now + _backoff(letter), used=ALL_BUT_ONE)


def _give_up(services: Services, letter: Letter, why: str) -> Became:
    _note(services, letter, LetterState.GIVEN_UP, last_problem=why)
    return "given up"


def _note(services: Services, letter: Letter, state: LetterState, **values: Any) -> None:
    """Write down what became of one attempt. A yes counts whenever it comes; anything else only from the latest."""
    still = [Letter.id == letter.id, Letter.state == LetterState.QUEUED]
    if state is not LetterState.ACCEPTED:
        still.append(Letter.attempts == letter.attempts)
    with services.database.writing() as session:
        claim(session, Letter, *still, values={"state": state, **values})
    words = {LetterState.ACCEPTED: "accepted", LetterState.QUEUED: "put off", LetterState.GIVEN_UP: "given up"}
    event, why = f"letter {words[state]}", values["last_problem"]
    log.info(event, kind=letter.kind, letter=letter.id, **({"why": why} if why else {}))


def _outgoing(services: Services, letter: Letter, now: datetime) -> Outgoing:
    settings = services.settings
    words = {**_in_words(letter.context, settings), **letter_links.links_of(services, letter, now)}
    mail = render_mail(letter.kind, imprint_of(settings), words)
    return letter_to(letter.email, mail, settings, number=letter.id, attempt=letter.attempts, at=now)


def _in_words(context: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A letter's context with its times in the newsletter's zone, as its readers know them."""
    if "asked_at" not in context:
        return dict(context)
    asked = datetime.fromisoformat(context["asked_at"]).astimezone(settings.digest_timezone)
    return {**context, "asked_at": asked}


def letter_to(email: str, mail: Mail, settings: Settings, *, number: int, attempt: int, at: datetime) -> Outgoing:
    """One letter as a transport takes it: a batch of one, in a category of its own."""
    return Outgoing(
        edition="letters",
        batch=number,
        attempt=attempt,
        paper=Paper(
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            sender=Sender(settings.from_email, settings.from_name, settings.reply_to),
            headers=headers.of_letter(),
        ),
        recipients=[Recipient(delivery=number, email=email, substitutions={}, headers={})],
        category="letter",
        at=at,
    )


def imprint_of(settings: Settings) -> Imprint:
    """What every mail says about its sender."""
    return Imprint(
        newsletter_name=settings.digest_newsletter_name,
        site_url=settings.digest_site_url,
        postal_address=settings.digest_postal_address,
    )
