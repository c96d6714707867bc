"""Hand the prepared batches over, each exactly once.

The order of steps is the promise (docs/decisions/001):

1. claim the batch for a lease, **commit**;
2. read the people in it and build the request;
3. read consent once more, note who is withheld, write `called_at`, **commit**: that read is the hand-over;
4. call the provider at once;
5. record the answer in the same transaction as the next claim, **commit**.

A process that dies before 3 leaves a batch that is free again when its lease is dead. One that dies after 3 leaves a
batch nobody can know the fate of: uncertain, settled only by evidence.

One thread, the ledger, touches the database; a few posters wait for the network. No more batches are claimed than
posters are free, so a crash leaves at most that many uncertain.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from digest import batches, editions, halting, headers, pauses, personal, settling, wording, workers
from digest.batches import Claimed, Reader
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Edition, EditionState, RenderingRow
from digest.proofs import Envelope, frozen_rendering
from digest.rendering import Rendering
from digest.transport import (
    Accepted,
    Misconfigured,
    Outgoing,
    Paper,
    Recipient,
    Refused,
    Request,
    Sender,
    Transport,
    TransportError,
    Unavailable,
    Uncertain,
)

log = structlog.get_logger()

Clock = Callable[[], datetime]

SENDER = "the sender"

# How long the ledger thread waits for an answer before it looks up whether it was asked to stop.
GLANCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one call."""

    request: Request
    claimed: Claimed
    outcome: Accepted | TransportError


class Posters:
    """A few threads that do nothing but call the provider and put the answer in a queue."""

    def __init__(self, transport: Transport, count: int) -> None:
        self.free = count
        self._transport = transport
        self._work: SimpleQueue[tuple[Request, Claimed] | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        # Daemons: a second Ctrl-C must not wait for the network.
        self._threads = [threading.Thread(target=self._post_all, daemon=True, name=f"poster-{n}") for n in range(count)]
        for thread in self._threads:
            thread.start()

    def post(self, request: Request, claimed: Claimed) -> None:
        self.free -= 1
        self._work.put((request, claimed))

    def answers(self, *, wait: bool) -> list[Answer]:
        """Every answer that is there; with `wait`, at least one if it comes within a glance."""
        found: list[Answer] = []
        try:
            if wait:
                found.append(self._answers.get(timeout=GLANCE_SECONDS))
            while True:
                found.append(self._answers.get_nowait())
        except Empty:
            self.free += len(found)
            return found

    def close(self) -> None:
        for _ in self._threads:
            self._work.put(None)

    def _post_all(self) -> None:
        while (work := self._work.get()) is not None:
            self._answers.put(Answer(*work, outcome=self._post(work[0])))

    def _post(self, request: Request) -> Accepted | TransportError:
        try:
            return self._transport.post(request)
        except TransportError as problem:
            return problem
        except Exception as problem:
            log.exception("the call ended in an unforeseen way", batch=request.outgoing.batch)
            return Uncertain(f"The call ended in an unforeseen way: {type(problem).__name__}.")


class Submitter:
    """The ledger thread of one process."""

    def __init__(
        self,
        services: Services,
        *,
        clock: Clock,
        stop: threading.Event | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._services = services
        self._database = services.database
        self._clock = clock
        self._stop = stop or threading.Event()
        self._progress = progress
        self._owner = workers.owner_name(secrets.token_hex(4))
        self._papers: dict[tuple[int, str], Press] = {}

    def run(self, week: str | None = None) -> None:
        """Hand over everything that is free now, of one edition or of all; then finish what is complete."""
        settling.rescue(self._services, now=self._clock())
        posters = Posters(self._services.transport, self._services.settings.digest_send_concurrency)
        concurrency = posters.free
        try:
            while True:
                answers = posters.answers(wait=posters.free == 0)
                claimed = self._record_and_claim(answers, week, may_claim=posters.free > 0)
                if claimed is not None:
                    self._hand_over(claimed, posters)
                elif posters.free < concurrency:
                    self._record(posters.answers(wait=True))
                else:
                    break
        finally:
            posters.close()
        finish(self._services, now=self._clock())

    def _record_and_claim(self, answers: list[Answer], week: str | None, *, may_claim: bool) -> Claimed | None:
        with self._database.writing() as session:
            for answer in answers:
                _record(session, answer, self._services, now=self._clock())
            claimed = (
                batches.claim_next(
                    session, owner=self._owner, now=self._clock(), lease=self._services.timing.lease, week=week
                )
                if may_claim and not self._stop.is_set()
                else None
            )
        self._say(answers)
        return claimed

    def _record(self, answers: list[Answer]) -> None:
        if not answers:
            return
        with self._database.writing() as session:
            for answer in answers:
                _record(session, answer, self._services, now=self._clock())
        self._say(answers)

    def _say(self, answers: list[Answer]) -> None:
        for answer in answers:
            self._progress(len(answer.request.outgoing.recipients))

    def _hand_over(self, claimed: Claimed, posters: Posters) -> None:
        """Build, read consent for the last time, and give the request to a poster."""
        press = self._press(claimed)
        with self._database.reading() as session:
            people = batches.readers(session, claimed)
        while people:
            outgoing = press.outgoing(claimed, people, at=self._clock())
            try:
                request = self._services.transport.build(outgoing)
            except TransportError as problem:
                answer = Answer(Request(outgoing=outgoing, body=b"", digest=""), claimed, problem)
                with self._database.writing() as session:
                    _record(session, answer, self._services, now=self._clock())
                return
            with self._database.writing() as session:
                step = batches.hand_over(
                    session,
                    claimed,
                    [person.delivery for person in people],
                    body_sha256=request.digest,
                    now=self._clock(),
                    lease=self._services.timing.lease,
                )
            if not step.built_again:
                break
            with self._database.reading() as session:
                people = batches.readers(session, claimed)
        else:
            self._nobody_left(claimed)
            return
        if step.ours:
            posters.post(request, claimed)
        else:
            with self._database.writing() as session:
                batches.give_back(session, claimed)

    def _nobody_left(self, claimed: Claimed) -> None:
        """Everybody in the batch is withheld or refused: nothing to call, and nothing left to wait for."""
        with self._database.writing() as session:
            batches.hand_over(
                session, claimed, [], body_sha256="", now=self._clock(), lease=self._services.timing.lease
            )
            batches.accepted(
                session, claimed, message_id=None, now=self._clock(), why="nobody in it was left to hand over to"
            )

    def _press(self, claimed: Claimed) -> Press:
        """The frozen paper of a variant, read once: the latest few variants stay in memory."""
        key = (claimed.edition_id, claimed.variant)
        if key not in self._papers:
            if len(self._papers) >= KEPT_PAPERS:
                self._papers.pop(next(iter(self._papers)))
            with self._database.reading() as session:
                self._papers[key] = press_of(session, claimed, self._services)
        return self._papers[key]


KEPT_PAPERS = 4


@dataclass(frozen=True, slots=True)
class Press:
    """Prints one variant for any number of readers."""

    paper: Paper
    services: Services

    def outgoing(self, claimed: Claimed, people: list[Reader], *, at: datetime) -> Outgoing:
        return Outgoing(
            edition=claimed.week,
            batch=claimed.id,
            attempt=claimed.attempt,
            paper=self.paper,
            recipients=[recipient_of(claimed.week, person, self.services) for person in people],
            at=at,
        )


def recipient_of(week: str, reader: Reader, services: Services) -> Recipient:
    """One reader's address, personal fields and one-click headers."""
    unsubscribe_url = services.links.unsubscribe_url(reader.link_id)
    person = personal.Person(
        name=reader.name,
        why=wording.why_you_get_this(reader.confirmed_at, reader.basis, zone=services.settings.digest_timezone),
        unsubscribe_url=unsubscribe_url,
        preferences_url=services.links.preferences_url(reader.link_id),
    )
    return Recipient(
        delivery=reader.delivery,
        email=reader.email,
        substitutions=personal.substitutions(week, person),
        headers=headers.of_recipient(
            unsubscribe_url=unsubscribe_url,
            unsubscribe_email=services.settings.digest_unsubscribe_email,
            token=unsubscribe_url.rpartition("/")[2],
        ),
    )


def press_of(session: Session, claimed: Claimed, services: Services) -> Press:
    """The frozen paper of a claimed batch, ready to be printed."""
    edition = session.get_one(Edition, claimed.edition_id)
    row = session.get_one(RenderingRow, (claimed.edition_id, claimed.variant))
    envelope = Envelope.model_validate(edition.envelope)
    return Press(paper_of(frozen_rendering(edition, row), edition.week, envelope), services)


def paper_of(rendering: Rendering, week: str, envelope: Envelope) -> Paper:
    """One variant in its envelope."""
    return Paper(
        subject=rendering.subject,
        text=rendering.text,
        html=rendering.html,
        sender=Sender(envelope.from_email, envelope.from_name, envelope.reply_to),
        headers=headers.of_edition(
            week=week,
            variant=rendering.variant,
            list_id=envelope.list_id,
            list_name=envelope.newsletter_name,
            reply_to=envelope.reply_to,
            site_url=envelope.site_url,
        ),
    )


def _record(session: Session, answer: Answer, services: Services, *, now: datetime) -> None:
    """Write down what the provider said, by the table in SENDGRID's terms turned into ours."""
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
            delivery = answer.request.outgoing.recipients[index].delivery
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
        deliveries=len(answer.request.outgoing.recipients),
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


def finish(services: Services, *, now: datetime) -> None:
    """Editions with nothing left to hand over: sent, or halted while any batch is uncertain."""
    sending = sa.select(Edition).where(Edition.state == EditionState.SENDING).order_by(Edition.id)
    with services.database.writing() as session:
        # Skipped when locked: then another worker is finishing it at this moment.
        for edition in session.scalars(sending.with_for_update(skip_locked=True)).all():
            _finish(session, edition, now=now)


def _finish(session: Session, edition: Edition, *, now: datetime) -> None:
    by_state = sa.select(Batch.state, sa.func.count()).where(Batch.edition_id == edition.id).group_by(Batch.state)
    counted = {state: count for state, count in session.execute(by_state)}
    if counted.get(BatchState.PENDING) or counted.get(BatchState.SUBMITTING):
        return
    unknown = counted.get(BatchState.UNCERTAIN, 0)
    if unknown:
        which = "batch is" if unknown == 1 else "batches are"
        halting.halt(
            session,
            edition.id,
            why=f"{unknown} {which} uncertain; see `digest batches {edition.week}`, settle them, then resume.",
            by=SENDER,
            now=now,
        )
        return
    editions.advance(session, edition, EditionState.SENT, by=SENDER, now=now, finished_at=now)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why nothing can be handed over at this moment, and when it can again (None: only a person can tell)."""

    why: str
    until: datetime | None


def waiting(session: Session, edition: Edition, *, now: datetime) -> Waiting | None:
    """What an edition being sent waits for; None when nothing is left or something is free now."""
    if edition.state is not EditionState.SENDING:
        return None
    for pause in pauses.standing(session, edition, now=now):
        return Waiting(pause.because, pause.until)
    unfinished = (BatchState.PENDING, BatchState.SUBMITTING)
    times = session.execute(
        sa.select(Batch.state, Batch.not_before, Batch.lease_until, Batch.why)
        .where(Batch.edition_id == edition.id, Batch.state.in_(unfinished))
        .order_by(Batch.not_before)
    ).all()
    if not times or any(row.state is BatchState.PENDING and (row.not_before or now) <= now for row in times):
        return None
    soonest = min(
        (row.not_before or row.lease_until or now, row.why or "another process is handing over") for row in times
    )
    return Waiting(soonest[1], soonest[0])
