"""Letters to subscribers about their own subscription, and notices to staff.

The door queues in the transaction that gives the reason; the postman posts. Interrupted, a letter is posted once
more: twice is better than never, for letters and notices only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from database import claim
from digest import headers
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Letter, LetterState, Staff
from digest.rendering import Imprint, Mail, render_mail
from digest.settings import Settings
from digest.transport import Outgoing, Paper, Recipient, Refused, Sender, TransportError
from subscribers.consent import LetterOwed
from subscribers.models import State, Subscriber

log = structlog.get_logger()

LONGEST_CALL = timedelta(minutes=3)
FIRST_RETRY = timedelta(minutes=1)
MOST_ATTEMPTS = 8  # about four hours of trying


class NoLongerOwed(DigestError):
    """The person it was for is gone or has decided otherwise, so the letter was not posted."""


def queue(session: Session, letter: LetterOwed, *, now: datetime) -> None:
    """Owe somebody a letter; it is posted after the commit."""
    session.add(
        Letter(
            kind=letter.kind,
            email=letter.email,
            subscriber_id=letter.subscriber_id,
            context=dict(letter.context),
            state=LetterState.QUEUED,
            queued_at=now,
            not_before=now,
        )
    )


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


def post_due(services: Services, *, now: datetime, most: int = 500) -> Posted:
    """Post every letter that is due, one by one; a failed one is tried again later and never stops the others."""
    tally = {"accepted": 0, "put_off": 0, "given_up": 0}
    for _ in range(most):
        letter = _claim_due(services, now)
        if letter is None:
            break
        tally[_post(services, letter, now)] += 1
    return Posted(**tally)


def _claim_due(services: Services, now: datetime) -> Letter | None:
    """The oldest letter due, moved ahead so that nobody else posts it while we do."""
    with services.database.writing() as session:
        due = (
            sa.select(Letter)
            .where(Letter.state == LetterState.QUEUED, Letter.not_before <= now)
            .order_by(Letter.not_before, Letter.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        letter = session.scalars(due).one_or_none()
        if letter is None:
            return None
        ours = claim(
            session,
            Letter,
            Letter.id == letter.id,
            Letter.state == LetterState.QUEUED,
            Letter.not_before == letter.not_before,
            values={"not_before": now + LONGEST_CALL, "attempts": letter.attempts + 1},
        )
        session.refresh(letter)
        return letter if ours else None


def _post(services: Services, letter: Letter, now: datetime) -> str:
    try:
        outgoing = _outgoing(services, letter, now)
        services.transport.post(services.transport.build(outgoing))
    except (Refused, NoLongerOwed) as why:
        return _note(services, letter, LetterState.GIVEN_UP, now, problem=str(why))
    except (TransportError, DigestError) as why:
        if letter.attempts >= MOST_ATTEMPTS:
            return _note(services, letter, LetterState.GIVEN_UP, now, problem=str(why))
        return _note(services, letter, LetterState.QUEUED, now, problem=str(why))
    return _note(services, letter, LetterState.ACCEPTED, now)


def _note(services: Services, letter: Letter, state: LetterState, now: datetime, *, problem: str | None = None) -> str:
    wait = FIRST_RETRY * 2 ** min(letter.attempts, 8) if state is LetterState.QUEUED else timedelta(0)
    with services.database.writing() as session:
        session.execute(
            sa.update(Letter)
            .where(Letter.id == letter.id)
            .values(
                state=state,
                not_before=now + wait,
                accepted_at=now if state is LetterState.ACCEPTED else None,
                last_problem=problem,
            )
        )
    word = {LetterState.ACCEPTED: "accepted", LetterState.QUEUED: "put_off"}.get(state, "given_up")
    event = "letter " + word.replace("_", " ")
    log.info(event, kind=letter.kind, letter=letter.id, **({"why": problem} if problem else {}))
    return word


def _outgoing(services: Services, letter: Letter, now: datetime) -> Outgoing:
    settings = services.settings
    words = {**_in_words(letter.context, settings), **_links(services, letter, now)}
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


def _links(services: Services, letter: Letter, now: datetime) -> dict[str, str]:
    """Tokens are made when the letter is posted, so that none lies in the database. Raises NoLongerOwed."""
    if letter.subscriber_id is None:
        return {}
    with services.database.reading() as session:
        person = session.get(Subscriber, letter.subscriber_id)
    if person is None:
        raise NoLongerOwed
    if letter.kind == "confirm":
        if person.state is not State.PENDING or person.pending_since is None:
            raise NoLongerOwed
        return {"confirm_url": services.links.confirm_url(person.link_id, person.pending_since, now)}
    return {
        "unsubscribe_url": services.links.unsubscribe_url(person.link_id),
        "preferences_url": services.links.preferences_url(person.link_id),
    }


def imprint_of(settings: Settings) -> Imprint:
    """What every mail says about its sender."""
    return Imprint(
        newsletter_name=settings.digest_newsletter_name,
        site_url=settings.digest_site_url,
        postal_address=settings.digest_postal_address,
    )
