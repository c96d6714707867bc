"""What the doctor finds of the way out, asked by the clock and kept: preflight must not wait for the provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from digest import examination
from digest.bootstrap import Services
from digest.models import Examined
from digest.preflight import WayOut

ASK_EVERY = timedelta(minutes=55)
"""The clock looks every hour; several clocks ask no more often."""
STALE = timedelta(days=1)

_NEEDED = frozenset({"SendGrid key", "SendGrid sender", "SendGrid fences"})
"""Without these the provider takes no mail of ours; the others tell us less of what becomes of it."""


def look(services: Services, *, now: datetime) -> list[examination.Finding]:
    """Ask the account what can be asked without handing anything over; nothing where no account is used, or lately."""
    if not services.settings.through_sendgrid:
        return []
    with services.database.reading() as session:
        last = session.scalar(sa.select(sa.func.max(Examined.at)))
    if last is not None and last > now - ASK_EVERY:
        return []
    found = list(examination.way_out(services, with_sandbox_mail=False))
    with services.database.writing() as session:
        _keep(session, found, now)
    return found


def _keep(session: Session, found: Sequence[examination.Finding], now: datetime) -> None:
    """In place of what was known. A provider that does not answer does not make a bad key an unknown one."""
    known = {each.name: each for each in session.scalars(sa.select(Examined))}
    for finding in found:
        before = known.pop(finding.name, None)
        if before is None:
            session.add(Examined(name=finding.name, ok=finding.ok, words=finding.words, at=now))
        elif finding.ok is not None or before.ok is None or before.at <= now - STALE:
            before.ok, before.words, before.at = finding.ok, finding.words, now
    for gone in known.values():
        session.delete(gone)


def way_out(session: Session, services: Services, *, now: datetime) -> list[WayOut] | None:
    """What was found out within a day; None where no account is used."""
    if not services.settings.through_sendgrid:
        return None
    lately = sa.select(Examined).where(Examined.at > now - STALE).order_by(Examined.name)
    return [WayOut(each.name, each.ok, each.words, each.name in _NEEDED) for each in session.scalars(lately)]
