"""What strangers ask for at the public doors: stored as it came, the same for every address, and settled right after.

The door learns nothing about the address and so cannot tell anything. A request is settled exactly once: whoever
deletes it does, in the same transaction, what follows from it.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from digest import postman
from digest.bootstrap import Services
from digest.models import Request, RequestKind
from digest.staff import sessions
from subscribers import addresses, consent, roster
from subscribers.addresses import Address
from subscribers.consent import AddressRefused, LetterOwed, Newcomer, Proof
from subscribers.rows import LONGEST_AGENT, LONGEST_SOURCE
from subscribers.texts import one_line, shortened

log = structlog.get_logger()

LONGEST_NAME, LONGEST_IP, LONGEST_VERSION = 200, 45, 40
LONGEST_LOOK = timedelta(minutes=1)
"""Longer than settling one request ever takes: until then nobody else takes it up."""
FIRST_RETRY = timedelta(seconds=5)
MOST_ATTEMPTS = 8  # the waits grow fourfold: about seven and a half hours in all

Became = Literal["settled", "refused", "put off", "dropped"]


def ask(
    session: Session,
    kind: RequestKind,
    address: Address,
    *,
    now: datetime,
    source: str,
    proof: Proof,
    name: str | None = None,
    topics: Sequence[str] = (),
) -> None:
    """Store what somebody asked for: one statement, whoever they are. What follows comes within seconds."""
    session.add(
        Request(
            kind=kind,
            email=address.typed,
            asked_at=now,
            not_before=now,
            source=shortened(source, LONGEST_SOURCE),
            name=shortened(name or "", LONGEST_NAME) or None,
            topics="\n".join(filter(None, map(one_line, topics))),
            wording=proof.wording,
            wording_version=proof.wording_version and shortened(proof.wording_version, LONGEST_VERSION),
            ip=proof.ip and proof.ip[:LONGEST_IP],
            user_agent=shortened(proof.user_agent or "", LONGEST_AGENT) or None,
        )
    )
    session.flush()


def settle_next(services: Services, *, now: datetime) -> Became | None:
    """Do what follows from the request that has waited longest; says what became of it, None when none is due.

    "refused": somebody of whom it is remembered that nobody writes to them. It is no failure.
    """
    request = _claim_due(services, now)
    if request is None:
        return None
    if request.attempts > MOST_ATTEMPTS:
        return _put_off(services, request, "it ended the process that settled it", now)
    try:
        with services.database.writing() as session:
            return _settle(session, request, now)
    except Exception as why:  # noqa: BLE001 - whatever it is about this request, the others are not to wait for it
        # Where it failed and not in which words: a database's words may hold the address.
        where = traceback.format_tb(why.__traceback__)[-1].strip()
        said = {"kind": str(request.kind), "why": type(why).__name__, "where": where}
        log.error("a request failed", request=request.id, **said)  # noqa: TRY400
        return _put_off(services, request, type(why).__name__, now)


def _claim_due(services: Services, now: datetime) -> Request | None:
    """Moved ahead, so that nobody else settles it while we do, and so that one that kills us does not come first."""
    with services.database.writing() as session:
        due = (
            sa.select(Request)
            .where(Request.not_before <= now)
            .order_by(Request.not_before, Request.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        request = session.scalars(due).one_or_none()
        if request is not None:
            request.attempts, request.not_before = request.attempts + 1, now + LONGEST_LOOK
        return request


def _is_ours(request: Request) -> tuple[sa.ColumnElement[bool], ...]:
    return (Request.id == request.id, Request.attempts == request.attempts)


def _settle(session: Session, request: Request, now: datetime) -> Became:
    gone = session.execute(sa.delete(Request).where(*_is_ours(request)).execution_options(synchronize_session=False))
    if getattr(gone, "rowcount", 0) != 1:
        return "settled"  # it took us longer than anybody waits, and somebody else has taken it up
    address = addresses.parse(request.email)
    # When it was asked, not when we got round to it: that is what the proof and the letter say. Never in the future.
    asked_at = min(request.asked_at, now)
    try:
        _follow(session, request, address, asked_at=asked_at, now=now)
    except AddressRefused:
        return "refused"
    return "settled"


def _follow(session: Session, request: Request, address: Address, *, asked_at: datetime, now: datetime) -> None:
    if request.kind is RequestKind.SIGN_IN:
        sessions.offer_sign_in(session, address, now=now)
        return
    letter = _letter(session, request, address, asked_at)
    if letter is not None:
        postman.queue(session, letter, now=now)


def _letter(session: Session, request: Request, address: Address, asked_at: datetime) -> LetterOwed | None:
    """What consent makes of it, and which letter it owes."""
    match request.kind:
        case RequestKind.SIGN_UP:
            proof = Proof(request.wording, request.wording_version, request.ip, request.user_agent)
            return consent.sign_up(session, address, now=asked_at, source=request.source, proof=proof).letter
        case RequestKind.ADD:
            newcomer = Newcomer(address, name=request.name, topics=tuple(request.topics.splitlines()))
            return consent.add(session, newcomer, basis=None, now=asked_at, source=request.source).letter
        case _:
            return _my_data(session, request, asked_at)


def _my_data(session: Session, request: Request, asked_at: datetime) -> LetterOwed | None:
    """Whoever is known here, in any state, may see what is held."""
    person = roster.find(session, request.email)
    if person is None:
        return None
    context = {"asked_at": asked_at.isoformat(), "asked_through": request.source}
    return LetterOwed("my-data", addresses.on_the_wire(person.email, person.email_key), person.id, context)


def _put_off(services: Services, request: Request, why: str, now: datetime) -> Became:
    """Tried again later, unless every attempt is used up."""
    with services.database.writing() as session:
        if request.attempts >= MOST_ATTEMPTS:
            session.execute(sa.delete(Request).where(*_is_ours(request)))
            log.error("a request was given up", request=request.id, kind=str(request.kind), why=why)
            return "dropped"
        not_before = now + FIRST_RETRY * 4 ** (request.attempts - 1)
        session.execute(sa.update(Request).where(*_is_ours(request)).values(not_before=not_before))
    return "put off"
