"""What the provider said of a batch, written down in the ledger's own terms."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from digest import batches, halting, pauses
from digest.bootstrap import Services
from digest.posting import Answer
from digest.transport import Accepted, Misconfigured, Refused, TransportError, Unavailable

log = structlog.get_logger()

SENDER = "the sender"


def record(session: Session, answer: Answer, services: Services, *, now: datetime) -> None:
    """Write down what the provider said, and pause or halt where it asks us to."""
    claimed, outcome = answer.claimed, answer.outcome
    words = str(outcome) if isinstance(outcome, TransportError) else ""
    match outcome:
        case Accepted():
            batches.accepted(session, claimed, message_id=outcome.message_id, now=now)
        case Unavailable():
            # A provider's clock that is far off must not put the edition off for ever.
            latest = now + services.timing.longest_pause
            until = min(outcome.until or now + _backoff(claimed.attempt, services), latest)
            batches.later(session, claimed, why=words, not_before=until)
            if outcome.everybody:
                pauses.limit_rate(session, because=words, until=until, now=now)
        case Refused(recipient=int(index)):
            delivery = answer.request.deliveries[index]
            batches.set_aside(session, claimed, delivery, why=words)
        case Refused(too_large=True):
            batches.halve(session, claimed, why=words)
        case Refused():
            batches.refused(session, claimed, why=words)
        case Misconfigured():
            batches.later(session, claimed, why=words, not_before=None)
            halting.halt(session, claimed.edition_id, why=words, by=SENDER, now=now)
        case _:
            batches.uncertain(session, claimed, why=words)
    event = f"batch {_past(outcome)}"
    log.info(
        event,
        edition=claimed.week,
        batch=claimed.id,
        attempt=claimed.attempt,
        deliveries=len(answer.request.deliveries),
        **({"why": words} if words else {}),
    )


def _past(outcome: Accepted | TransportError) -> str:
    return {
        Accepted: "accepted",
        Unavailable: "put off",
        Refused: "refused",
        Misconfigured: "halted",
    }.get(type(outcome), "uncertain")


def _backoff(attempt: int, services: Services) -> timedelta:
    timing = services.timing
    wait: timedelta = timing.backoff * 2 ** min(attempt - 1, 10)
    return min(wait, timing.longest_backoff)
