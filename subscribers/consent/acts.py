"""What people and staff do to one person's consent, one act a function."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from subscribers import policy, rows, standings, wishes
from subscribers.addresses import Address
from subscribers.consent.adding import Newcomer, row_of
from subscribers.consent.outcomes import (
    LONGEST_REASON,
    NO_PROOF,
    AddressRefused,
    Chosen,
    Outcome,
    carry_out,
    decide,
    evidence,
    no_longer_refused,
    there,
)
from subscribers.links import Confirmation
from subscribers.models import Subscriber
from subscribers.policy import Act, State
from subscribers.rows import Proof
from subscribers.texts import shortened
from subscribers.wishes import Wishes


def sign_up(session: Session, address: Address, *, now: datetime, source: str, proof: Proof = NO_PROOF) -> Outcome:
    """Somebody, most likely the person, asks for the newsletter at this address.

    Owes a confirmation letter; to somebody active, one with their own links. Raises AddressRefused where nobody is
    ever to be written to again and no row says so.
    """
    refused = standings.refusals(session, [address.key]).get(address.key)
    decision = policy.decide(Act.SIGN_UP, policy.Standing(None, refused=refused))
    if not decision.recorded and standings.by_key(session, [address.key])[address.key][0] == 0:
        raise AddressRefused(f"This address {decision.why}.")
    is_new = bool(rows.insert(session, [row_of(Newcomer(address), basis=None, now=now)]))
    subscriber = there(session, address.key)
    rows.lock(session, subscriber)
    standing = policy.Standing(None, refused=refused) if is_new else standings.of(session, subscriber)
    decision = policy.decide(Act.SIGN_UP, standing)
    if decision.recorded:
        subscriber.pending_since = policy.pending_since(standing, subscriber.pending_since, now)
    return carry_out(session, subscriber, decision, Act.SIGN_UP, now=now, source=source, proof=proof)


def confirm(
    session: Session,
    subscriber: Subscriber,
    link: Confirmation,
    *,
    now: datetime,
    source: str,
    proof: Proof = NO_PROOF,
) -> Outcome:
    """The person pressed the button behind a confirm link. A second press is harmless."""
    if link.link_id != subscriber.link_id:
        raise ValueError("this link is somebody else's")
    rows.lock(session, subscriber)
    standing = standings.of(session, subscriber)
    problem = policy.link_problem(
        waiting_since=subscriber.pending_since, link_since=link.pending_since, expires_at=link.expires_at, now=now
    )
    if standing.state is State.PENDING and problem:
        decision = policy.nothing(standing, problem)
    else:
        decision = policy.decide(Act.CONFIRM, standing)
    if decision.recorded:
        subscriber.confirmed_at = now
        subscriber.basis = None
        no_longer_refused(session, subscriber.email_key)
    return carry_out(session, subscriber, decision, Act.CONFIRM, now=now, source=source, proof=proof)


def unsubscribe(
    session: Session,
    subscriber: Subscriber,
    *,
    now: datetime,
    source: str,
    proof: Proof = NO_PROOF,
    reported_at: datetime | None = None,
) -> Outcome:
    """Stored, it counts: from the commit on no batch is handed over with this person in it.

    `reported_at`: when the provider says it happened; an opt-out older than the last confirmation does nothing.
    """
    rows.lock(session, subscriber)
    decision = decide(session, subscriber, Act.UNSUBSCRIBE, reported_at)
    return carry_out(
        session, subscriber, decision, Act.UNSUBSCRIBE, now=now, source=source, proof=proof, reported_at=reported_at
    )


def suppress(
    session: Session,
    subscriber: Subscriber,
    act: Act,
    *,
    because: str,
    now: datetime,
    source: str,
    reported_at: datetime | None = None,
) -> Outcome:
    """Never write here again: `act` is one of `policy.SUPPRESSING`, `because` its evidence in words.

    `reported_at`: when the provider says it happened; a bounce older than the last confirmation or lift does nothing.
    """
    if act not in policy.SUPPRESSING:
        raise ValueError(f"“{act}” suppresses nobody")
    rows.lock(session, subscriber)
    decision = decide(session, subscriber, act, reported_at)
    if decision.recorded:
        subscriber.suppressed_because = shortened(because, LONGEST_REASON)
    return carry_out(
        session, subscriber, decision, act, now=now, source=source, proof=evidence(because), reported_at=reported_at
    )


def lift(session: Session, subscriber: Subscriber, *, because: str, now: datetime, source: str) -> Outcome:
    """Staff take a suppression back, never a complaint. Nobody who said no becomes active by it."""
    rows.lock(session, subscriber)
    decision = decide(session, subscriber, Act.LIFT, None)
    if decision.recorded:
        subscriber.suppressed_because = None
        subscriber.pending_since = now
    return carry_out(session, subscriber, decision, Act.LIFT, now=now, source=source, proof=evidence(because))


def choose_wishes(
    session: Session, subscriber: Subscriber, wanted: Wishes, *, now: datetime, source: str, proof: Proof = NO_PROOF
) -> Chosen:
    """Somebody active says what they want to get. It changes wishes and nothing else; of others it changes nothing."""
    rows.lock(session, subscriber)
    before, after = subscriber.wishes.at(now), wanted.at(now)
    if subscriber.state is not State.ACTIVE or before == after:
        return Chosen(before, before)
    subscriber.topics = wishes.stored_topics(after.topics)
    subscriber.rhythm = after.rhythm
    subscriber.plain_text = after.plain_text
    subscriber.paused_until = after.paused_until
    subscriber.changed_at = now
    session.flush()
    said = [wishes.in_words(before, after), *([f"shown: {proof.wording}"] if proof.wording else [])]
    proof = replace(proof, wording="; ".join(said))
    rows.record(session, [subscriber.id], wishes.CHANGED, happened_at=now, source=source, proof=proof)
    return Chosen(before, after)
