"""The links in a letter, made at the moment it is posted, so that none lies in the database.

Here it is also decided that a letter is no longer owed: its person has gone, moved or decided otherwise meanwhile.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Letter
from subscribers import addresses
from subscribers.links import Links
from subscribers.models import AddressChange, State, Subscriber

EXPIRED = "The link had expired before the letter could be posted."


class NoLongerOwed(DigestError):
    """The person it was for is gone or has decided otherwise, so the letter was not posted."""


def links_of(services: Services, letter: Letter, now: datetime) -> dict[str, str]:
    """By the names its template knows them by. Raises NoLongerOwed."""
    if letter.kind == "sign-in":
        return _sign_in(services.links, letter, now)
    if letter.subscriber_id is None:
        return {}
    with services.database.reading() as session:
        person = session.get(Subscriber, letter.subscriber_id)
        if person is None:
            raise NoLongerOwed
        return _links(session, services.links, letter, person, now)


def _links(session: Session, links: Links, letter: Letter, person: Subscriber, now: datetime) -> dict[str, str]:
    match letter.kind:
        case "change-address":
            return {"change_address_url": links.change_address_url(_change(session, letter, person), now)}
        case "address-changed":
            return {}  # it goes to the old address, where nothing more is to be had
    if addresses.parse(letter.email).key != person.email_key:
        raise NoLongerOwed
    match letter.kind:
        case "my-data":
            return {"my_data_url": links.my_data_url(person.link_id, now)}
        case "confirm" | "confirm-again":
            if person.state is not State.PENDING or person.pending_since is None:
                raise NoLongerOwed
            return {"confirm_url": links.confirm_url(person.link_id, person.pending_since, now)}
    if person.state is not State.ACTIVE:
        raise NoLongerOwed
    return {
        "unsubscribe_url": links.unsubscribe_url(person.link_id),
        "preferences_url": links.preferences_url(person.link_id),
    }


def _change(session: Session, letter: Letter, person: Subscriber) -> str:
    """The link id of the change this letter is about, while it is still wished for."""
    waiting = sa.select(AddressChange).where(AddressChange.subscriber_id == person.id)
    change = session.scalars(waiting).one_or_none()
    if change is None or addresses.parse(letter.email).key != change.email_key or person.state is not State.ACTIVE:
        raise NoLongerOwed
    return change.link_id


def _sign_in(links: Links, letter: Letter, now: datetime) -> dict[str, str]:
    expires_at = datetime.fromisoformat(letter.context["expires_at"])
    if expires_at <= now:
        raise NoLongerOwed(EXPIRED)
    return {"sign_in_url": links.sign_in_url(letter.context["link_id"], expires_at)}
