"""Somebody active moves to another address: asked for at the old one, confirmed at the new one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from subscribers import policy, rows, standings
from subscribers.addresses import Address, on_the_wire
from subscribers.consent.outcomes import NO_PROOF, Outcome, carry_out, letter_to, no_longer_refused, note
from subscribers.letters import LetterOwed
from subscribers.links import CONFIRM_WITHIN, new_link_id
from subscribers.models import AddressChange, Subscriber
from subscribers.policy import Act, Refusal, State
from subscribers.rows import Gone, Proof
from subscribers.texts import searchable


def ask_to_change_address(
    session: Session, subscriber: Subscriber, address: Address, *, now: datetime, source: str
) -> LetterOwed | None:
    """Owe a letter to the new address; a later wish takes the place of an earlier one. None for who is not active.

    The same wish again keeps its link: the letter that went may be the only one that address is sent. Who has that
    address already is not looked at: the answer would tell.
    """
    rows.lock(session, subscriber)
    if subscriber.state is not State.ACTIVE:
        return None
    theirs = AddressChange.subscriber_id == subscriber.id
    link_id = session.scalar(sa.select(AddressChange.link_id).where(theirs, AddressChange.email_key == address.key))
    session.execute(sa.delete(AddressChange).where(theirs))
    session.add(
        AddressChange(
            subscriber_id=subscriber.id,
            link_id=link_id or new_link_id(),
            email=address.typed,
            email_key=address.key,
            asked_at=now,
        )
    )
    session.flush()
    return letter_to("change-address", address.on_the_wire, subscriber.id, now=now, through=source)


def change_address(
    session: Session, change: AddressChange, *, now: datetime, source: str, proof: Proof = NO_PROOF
) -> Outcome:
    """The button behind the link in the letter to the new address was pressed. Owes a letter to the old one.

    Nothing changes where the new address has a record of its own, or is refused for ever. Raises Gone.
    """
    subscriber = session.get(Subscriber, change.subscriber_id)
    if subscriber is None:
        raise Gone
    rows.lock(session, subscriber)
    standing = standings.of(session, subscriber)
    stands_there = standings.by_key(session, [change.email_key]).get(change.email_key)
    taken = stands_there is not None and stands_there[0] not in (0, subscriber.id)
    if taken or (stands_there is not None and stands_there[1].refused is Refusal.FOR_EVER):
        decision = policy.nothing(standing, "cannot move to that address")
    else:
        decision = policy.decide(Act.CHANGE_ADDRESS, standing)
    if not decision.recorded:
        return carry_out(session, subscriber, decision, Act.CHANGE_ADDRESS, now=now, source=source, proof=proof)
    before = on_the_wire(subscriber.email, subscriber.email_key)
    note(session, subscriber, "moved", at=now)  # with the old address, the only one a backup may know
    subscriber.email, subscriber.email_key = change.email, change.email_key
    subscriber.search = searchable(subscriber.email, subscriber.email_key, subscriber.name)
    no_longer_refused(session, change.email_key)
    session.execute(sa.delete(AddressChange).where(AddressChange.subscriber_id == subscriber.id))
    outcome = carry_out(session, subscriber, decision, Act.CHANGE_ADDRESS, now=now, source=source, proof=proof)
    letter = letter_to("address-changed", before, subscriber.id, now=now, through=source)
    return Outcome(outcome.subscriber, letter, changed=True, why=outcome.why)


def forget_changes(session: Session, *, now: datetime) -> int:
    """Forget addresses that were never confirmed, once no link to do so works any more; says how many.

    A letter may have waited up to two days for its post, and its link then works as long again.
    """
    dead = AddressChange.asked_at <= now - 2 * CONFIRM_WITHIN
    gone = session.execute(sa.delete(AddressChange).where(dead).execution_options(synchronize_session=False))
    return int(getattr(gone, "rowcount", 0))
