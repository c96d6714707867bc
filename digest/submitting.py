"""Hand the prepared batches over, each exactly once.

The order of steps is the promise (docs/decisions/001):

1. claim the batch for a lease, **commit**;
2. build the request for the people who were in it then;
3. read consent once more, note who is withheld, write `called_at`, **commit**: that read is the hand-over;
4. call the provider at once;
5. record the answer, **commit**.

A process that dies before 3 leaves a batch that is free again when its lease is dead. One that dies after 3 leaves a
batch nobody can know the fate of: uncertain, settled only by evidence (`settling`, `fences`).

One thread, the ledger, touches the database; a few posters wait for the network. Its transactions are shared: one
records the answers that are there, hands over the batch that is built, and claims the next one, which is built while
the call is on its way. At most as many batches are called as there are posters, so a crash leaves no more uncertain.
"""

from __future__ import annotations

import contextlib
import gc
import math
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from digest import batches, fences, finishing, recording, settling, watching, workers
from digest.batches import Claimed, HandOver, Reader
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.fences import Supply
from digest.posting import Answer, Call, Clock, Posters
from digest.presses import Press, press_of
from digest.transport import Fence, Fencing, Outgoing, Request, TransportError

KEPT_PRESSES = 4


class FenceTooShort(DigestError):
    """DIGEST_FENCE_MINUTES leaves no time to call an attempt back whose answer was waited for."""


@dataclass(frozen=True, slots=True)
class Built:
    """A claimed batch whose request waits for its hand-over. `request` None: nobody is left in it."""

    claimed: Claimed
    people: Sequence[Reader]
    request: Request | None


@dataclass(slots=True)
class Round:
    """What one transaction of the ledger thread came to."""

    handed: HandOver | None = None
    """None: nothing was there to hand over, or nobody free to call."""
    at: datetime | None = None
    claimed: Claimed | None = None
    people: Sequence[Reader] = ()


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
        self._timing = services.timing
        self._clock = clock
        self._stop = stop or threading.Event()
        self._progress = progress
        self._owner = workers.owner_name(secrets.token_hex(4))
        self._presses: dict[tuple[int, str], Press] = {}
        self._supply: Supply | None = None
        self._unbuilt: list[Answer] = []
        self._looked_at = clock()

    def run(self, week: str | None = None) -> None:
        """Hand over everything that is free now, of one edition or of all; then finish what is complete."""
        settling.rescue(self._services, now=self._clock())
        with self._at_work() as posters, _what_lives_long_left_alone():
            again = True
            while again:
                fences.call_back(self._services, now=self._clock())
                self._hand_over_all(week, posters)
                again = not self._stop.is_set() and fences.call_back(self._services, now=self._clock()) > 0
        finishing.finish(self._services, now=self._clock())

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[Posters]:
        """The posters, and in fenced mode a supply of batch ids."""
        count = self._services.settings.digest_send_concurrency
        with contextlib.ExitStack() as stack:
            if fencing := self._fencing():
                supply = Supply(fencing, ahead=count + 1, patience=self._timing.backoff)
                self._supply = stack.enter_context(supply)
            yield stack.enter_context(Posters(self._services.transport, count, clock=self._clock))

    def _fencing(self) -> Fencing | None:
        """Raises FenceTooShort."""
        ahead = timedelta(minutes=self._services.settings.digest_fence_minutes)
        fencing = self._services.transport.fencing
        if not ahead or fencing is None:
            return None
        needed = self._timing.cancel_margin + self._timing.call + self._timing.call
        if ahead < needed:
            minutes = math.ceil(needed / timedelta(minutes=0.1)) / 10
            raise FenceTooShort(f"{FenceTooShort.__doc__} Set it to {minutes:g} or more, or to 0.")
        return fencing

    def _hand_over_all(self, week: str | None, posters: Posters) -> None:
        built: Built | None = None
        idle = False
        while True:
            answers = posters.answers(wait=posters.free == 0 or idle) + self._take_unbuilt()
            if built is not None and self._is_stale(built):
                built = self._build(built.claimed, built.people)
            done = self._one_round(answers, built, week, may_call=posters.free > 0)
            self._say(answers)
            if done.handed is not None:
                built = self._after_hand_over(done, built, posters)
            if done.claimed is not None:
                built = self._build(done.claimed, done.people)
            idle = built is None and not self._unbuilt
            if idle and posters.free == posters.count and done.claimed is None:
                return
            self._look_around()

    def _one_round(self, answers: Sequence[Answer], built: Built | None, week: str | None, *, may_call: bool) -> Round:
        """One transaction: record, hand over, claim."""
        done = Round()
        with self._database.writing() as session:
            for answer in answers:
                recording.record(session, answer, self._services, now=self._clock())
            if built is not None and self._stop.is_set():
                batches.give_back(session, built.claimed)
                done.handed = HandOver(ours=False)
            elif built is not None and may_call:
                done.at = self._clock()
                done.handed = self._hand_over(session, built, done.at)
            room = built is None or (done.handed is not None and not done.handed.gone)
            if room and not self._stop.is_set():
                self._claim(session, week, done)
        return done

    def _hand_over(self, session: Session, built: Built, now: datetime) -> HandOver:
        request = built.request
        handed = batches.hand_over(
            session,
            built.claimed,
            [reader.delivery for reader in built.people],
            body_sha256=request.digest if request else "",
            now=now,
            lease=self._timing.lease,
            fence=request.outgoing.fence if request else None,
        )
        if request is None and handed.ours:
            why = "nobody in it was left to hand over to"
            batches.accepted(session, built.claimed, message_id=None, now=now, why=why)
        elif not (handed.ours or handed.gone):
            batches.give_back(session, built.claimed)
        return handed

    def _claim(self, session: Session, week: str | None, done: Round) -> None:
        now = self._clock()
        wait = timedelta(minutes=self._services.settings.digest_wave_minutes)
        done.claimed = self._claim_next(session, week, now)
        if done.claimed is None and finishing.end_first_waves(session, wait=wait, now=now):
            done.claimed = self._claim_next(session, week, now)
        if done.claimed is not None:
            done.people = batches.readers(session, done.claimed)

    def _claim_next(self, session: Session, week: str | None, now: datetime) -> Claimed | None:
        return batches.claim_next(session, owner=self._owner, now=now, lease=self._timing.lease, week=week)

    def _after_hand_over(self, done: Round, built: Built | None, posters: Posters) -> Built | None:
        """Call, or build again without whoever left meanwhile."""
        if built is None or done.handed is None or done.at is None or built.request is None:
            return None
        if done.handed.gone:
            left = [reader for reader in built.people if reader.delivery not in done.handed.gone]
            return self._build(built.claimed, left)
        if done.handed.ours:
            posters.post(Call(built.request, built.claimed, self._begin_by(built.request, done.at)))
        return None

    def _begin_by(self, request: Request, handed_over: datetime) -> datetime:
        """The last instant at which a call may begin that ends within its lease, and before its fence opens."""
        latest = handed_over + self._timing.lease - self._timing.call
        fence = request.outgoing.fence
        return latest if fence is None else min(latest, fence.send_at - self._timing.cancel_margin - self._timing.call)

    def _is_stale(self, built: Built) -> bool:
        """Whether it has waited so long for a poster that its fence is about to open."""
        now = self._clock()
        fenced = built.request is not None and built.request.outgoing.fence is not None
        return fenced and built.request is not None and self._begin_by(built.request, now) <= now

    def _build(self, claimed: Claimed, people: Sequence[Reader]) -> Built | None:
        """The request for these people; what keeps it from being built is recorded in the next round."""
        if not people:
            return Built(claimed, people, None)
        press = self._press(claimed)
        with _collector_at_rest():
            outgoing = press.outgoing(claimed, people, at=self._clock())
            return self._built(claimed, people, outgoing)

    def _built(self, claimed: Claimed, people: Sequence[Reader], outgoing: Outgoing) -> Built | None:
        try:
            if self._supply is not None:
                outgoing = replace(outgoing, fence=self._fence(self._supply))
            return Built(claimed, people, self._services.transport.build(outgoing))
        except TransportError as problem:
            nothing = Request(outgoing, body=b"", digest="", deliveries=[reader.delivery for reader in people])
            self._unbuilt.append(Answer(nothing, claimed, problem))
            return None

    def _fence(self, supply: Supply) -> Fence:
        ahead = timedelta(minutes=self._services.settings.digest_fence_minutes)
        batch_id = supply.take()
        return Fence(batch_id, send_at=(self._clock() + ahead).replace(microsecond=0))

    def _take_unbuilt(self) -> list[Answer]:
        taken, self._unbuilt = self._unbuilt, []
        return taken

    def _press(self, claimed: Claimed) -> Press:
        """The frozen paper of a variant, read once: the latest few variants stay in memory."""
        key = (claimed.edition_id, claimed.variant)
        if key not in self._presses:
            if len(self._presses) >= KEPT_PRESSES:
                self._presses.pop(next(iter(self._presses)))
            with self._database.reading() as session:
                self._presses[key] = press_of(session, *key, self._services)
        return self._presses[key]

    def _say(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._progress(len(answer.request.deliveries))

    def _look_around(self) -> None:
        """Every so often: what can be called back must not wait for the end of a long edition, nor must the breaker,
        which no clock may look after where an edition is sent by hand."""
        now = self._clock()
        if now >= self._looked_at + self._timing.look_around:
            self._looked_at = now
            fences.call_back(self._services, now=now)
            watching.look(self._services, now)


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """A batch is ten thousand small objects that live and die together, none of them in a cycle. Without this the
    collector looks at them a dozen times, which takes a fifth of the whole time."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


@contextlib.contextmanager
def _what_lives_long_left_alone() -> Iterator[None]:
    """Nor is the program itself looked through again and again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
