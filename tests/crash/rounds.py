"""Rounds of killing: an edition begins, its processes die again and again, and in the end it is whole."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle, islice

import sqlalchemy as sa

from digest import editions, settling
from digest.models import Batch, BatchState
from tests import make, running
from tests.crash import boundaries, checks
from tests.crash.checks import Violation
from tests.crash.scene import FENCE_MINUTES, Child, Nursery, Scene

SEND = ("edition", "send", make.WEEK, "--yes", "--skip-undo")
CLOCK, ONE_LOOK = ("clock",), ("clock", "--once", "send")
DONE, COULD_NOT, IN_PART = 0, 1, 3
MOST_RUNS = 12
KILLS_A_ROUND = 15
ANY_MOMENT = "any moment"
ENDED_BY_DEATH = "the process that made the call ended"

FAULTS = {
    "slow:0.02": 0.15,
    "close": 0.05,
    "drip:0.002": 0.02,
    "429:1": 0.01,
    "413": 0.02,
    "400:personalizations.0.to": 0.02,
    "401": 0.004,
    "503": 0.02,
    "accept-503": 0.02,
    "early:503": 0.02,
    "midway": 0.03,
    "cut": 0.02,
    "accept-cut": 0.03,
    "half": 0.01,
    "accept-half": 0.01,
    "accept-garbage": 0.01,
    "no-id": 0.01,
    "redirect": 0.01,
    "hang": 0.004,
    "accept-hang": 0.004,
}
ACCOUNT_FAULTS = {"slow:0.02": 0.1, "503": 0.05, "accept-503": 0.05, "cut": 0.03, "accept-cut": 0.05}


@dataclass
class Tally:
    """What happened so far."""

    kills: int = 0
    rounds: int = 0
    uncertain: int = 0
    at: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Plan:
    """One process and how it ends: at a boundary, or `after` so many seconds from its start or its first batch."""

    command: tuple[str, ...]
    boundary: str | None
    nth: int
    after: float
    once: str = ""


class Player:
    """Plays rounds on one scene. `number` is the signal that ends processes."""

    def __init__(self, scene: Scene, nursery: Nursery, *, processes: int, number: int, seed: int) -> None:
        self._scene, self._nursery = scene, nursery
        self._processes, self._signal = processes, number
        self._chance = random.Random(seed)
        self._seed = seed
        self._middle = cycle((*boundaries.MIDDLE, *(boundaries.FENCED if scene.fenced else ())))
        self._beginning, self._ending = cycle((*boundaries.BEGINNING, None)), cycle((*boundaries.ENDING, None))
        self.tally = Tally()

    def play(self, kills: int) -> Tally:
        """Round after round until so many processes were ended. Raises Violation."""
        while self.tally.kills < kills:
            self._round(kills)
        return self.tally

    def _round(self, kills: int) -> None:
        self.tally.rounds += 1
        self._scene.again()
        self._scene.stub.faults(chances=FAULTS, seed=self._seed + self.tally.rounds)
        self._scene.stub.account_faults(chances=ACCOUNT_FAULTS, seed=self._seed + self.tally.rounds)
        if first := next(self._beginning):
            self._until_all_ended([Plan(SEND, first, 1, after=3)])
        plans = self._plans()
        enough = min(kills, self.tally.kills + KILLS_A_ROUND)
        while self.tally.kills < enough and self._is_open():
            self._until_all_ended([next(plans) for _ in range(self._processes)], then=plans)
        self.to_the_end()

    # the plans

    def _plans(self) -> Iterator[Plan]:
        """Every fourth dies at any moment, the others at each boundary in turn."""
        number = 0
        while True:
            number += 1
            command = self._command()
            if number % 4 == 0:
                once = "batch " if self._chance.random() < 0.7 else ""
                yield Plan(command, None, 0, after=self._chance.uniform(0, 0.1 if once else 0.3), once=once)
            else:
                yield Plan(command, next(self._middle), self._chance.randint(1, 4), after=3)

    def _command(self) -> tuple[str, ...]:
        clocks = 0.6 if self._processes > 1 else 0.3
        return self._chance.choice((CLOCK, ONE_LOOK)) if self._chance.random() < clocks else SEND

    # the killing

    def _until_all_ended(self, plans: Sequence[Plan], *, then: Iterable[Plan] = ()) -> None:
        """All of them at a time, until each has died of its plan or ended by itself; some die young, and others follow.

        When one is done, for there is nothing left to do, the others are ended.
        """
        living = [self._start(plan) for plan in plans]
        open_ = True
        while living:
            for child in list(living):
                child.hasten(self._signal)
                if child.process.code is None:
                    child.must_end()
                    continue
                living.remove(child)
                self._ended(child)
                open_ = open_ and child.died and self._is_open()
                if open_ and living and self._chance.random() < 0.5:
                    living += [self._start(plan) for plan in islice(then, 1)]
            if not open_:
                for child in living:
                    child.end(self._signal)
            time.sleep(0.003)
        self._after()

    def _start(self, plan: Plan) -> Running:
        fate = (plan.boundary, plan.nth, self._signal) if plan.boundary else None
        return Running(plan, self._nursery.start(plan.command, fate=fate))

    def _ended(self, child: Running) -> None:
        code = child.process.code
        child.died = child.process.met_its_fate
        documented = {DONE, -self._signal}
        if child.plan.command == SEND:
            documented |= {IN_PART, COULD_NOT}
        if code not in documented:
            raise Violation(f"{' '.join(child.plan.command)} ended with {code}:\n{child.process.said()[-2000:]}")
        if child.died:
            self.tally.kills += 1
            self.tally.at[ANY_MOMENT if child.asked else str(child.plan.boundary)] += 1

    def _after(self) -> None:
        """No process is left."""
        found = checks.at_any_time(self._scene)
        if self._signal != signal.SIGKILL:
            if found.in_flight:
                raise Violation(f"asked to stop, it left {found.in_flight} in flight")
            self._nobody_died()
        if found.state == "halted" and not found.uncertain:
            self._resume()  # the provider refused our key for a moment

    def _nobody_died(self) -> None:
        with self._scene.services.database.reading() as session:
            died = session.scalars(sa.select(Batch.id).where(Batch.why.startswith(ENDED_BY_DEATH))).all()
        if died:
            raise Violation(f"asked to stop, it gave up the calls of batches {died}")

    def _is_open(self) -> bool:
        return running.numbers(self._scene.services).state in ("approved", "sending")

    # the end

    def to_the_end(self, *, nobody_lives: bool = True) -> None:
        """The same command again, which may die while it ends; what is uncertain is settled by what is true.

        `nobody_lives` False: other processes are still there, and the provider is at rest all the same.
        """
        dies = next(self._ending)
        seen: set[int] = set()
        for _ in range(MOST_RUNS):
            fate = (dies, 1, self._signal) if dies else None
            code = 0
            if self._is_open():
                child = Running(Plan(SEND, dies, 1, after=60), self._nursery.start(SEND, fate=fate))
                code = child.process.wait()
                self._ended(child)
                dies = None
                self._after()
            found = running.numbers(self._scene.services)
            if found.state == "sent":
                break
            if found.state == "halted":
                self._settle(seen, nobody_lives=nobody_lives)
                self._resume()
        else:
            raise Violation(f"after {MOST_RUNS} runs it is not sent; the last ended with {code}")
        self.tally.uncertain += len(seen)
        if self._scene.fenced:
            self._scene.stub.forward(float(FENCE_MINUTES) * 60 + 60)
        checks.at_the_end(self._scene, nobody_lives=nobody_lives)

    def _settle(self, seen: set[int], *, nobody_lives: bool) -> None:
        """As a person would who can ask the provider."""
        uncertain = checks.when_nothing_runs(self._scene, nobody_lives=nobody_lives).uncertain
        if self._scene.fenced:
            self._must_be_called_back(uncertain)
            return
        seen |= uncertain
        there = self._scene.stub.deliveries()
        with self._scene.services.database.writing() as session:
            for batch in session.scalars(sa.select(Batch).where(Batch.state == BatchState.UNCERTAIN)).all():
                its = uncertain & set(range(batch.first_delivery, batch.last_delivery + 1))
                if its & there and its - there:
                    raise Violation(f"of batch {batch.id} the provider has only some: {sorted(its & there)}")
                settling.settle(
                    session, batch.id, was_accepted=bool(its & there), why="its log", by="otto", now=datetime.now(UTC)
                )

    def _must_be_called_back(self, uncertain: set[int]) -> None:
        """Halted for another reason, it may still hold some; halted because of them it wants a person."""
        with self._scene.services.database.reading() as session:
            why = editions.find(session, make.WEEK).why or ""
        if uncertain and "uncertain" in why:
            raise Violation(f"fenced, and yet a person is to settle {sorted(uncertain)}: {why}")

    def _resume(self) -> None:
        with self._scene.services.database.writing() as session:
            edition = editions.find(session, make.WEEK)
            if edition.state == "halted":
                editions.resume(session, edition, why="settled", by="otto", now=datetime.now(UTC))


@dataclass
class Running:
    """A process on its way to its end."""

    plan: Plan
    process: Child
    began: float = field(default_factory=time.monotonic)
    asked: bool = False
    died: bool = False
    fated_at: float | None = None

    def hasten(self, number: int) -> None:
        """End it from outside when its time has come."""
        if self.process.met_its_fate:
            return
        if self.plan.once:
            said = self.process.said()
            if self.plan.once not in said and time.monotonic() - self.began < 3:
                return
            self.plan = Plan(self.plan.command, None, 0, self.plan.after)
            self.began = time.monotonic()
        if time.monotonic() - self.began >= self.plan.after:
            self.end(number)

    def must_end(self) -> None:
        """Raises Violation for one that was asked to and does not."""
        if self.fated_at is None and self.process.met_its_fate:
            self.fated_at = time.monotonic()
        if self.fated_at is not None and time.monotonic() - self.fated_at > running.PATIENCE:
            raise Violation(f"{' '.join(self.plan.command)} does not end:\n{self.process.said()[-2000:]}")

    def end(self, number: int) -> None:
        """Once: a second signal would not let it finish."""
        self.asked = self.process.end(number) or self.asked
