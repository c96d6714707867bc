"""Consent lived through at random, held against what a careful person would have written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from database import Base, Database
from subscribers import addresses, consent, roster, secrecy
from subscribers.consent import AddressRefused, Outcome
from subscribers.links import CONFIRM_WITHIN, Confirmation
from subscribers.models import Subscriber
from subscribers.policy import Act, State
from tests import make
from tests.subscribers.cast import NOW, good_link, newcomer

_numbers = count()


@dataclass
class Known:
    """What the careful person knows of one address."""

    email: str
    said_yes: bool = False
    """By their own button or an operator's basis, and no no since."""
    complained: bool = False
    touched: bool = False
    """Anything but an operator's addition ever happened."""
    erased: bool = False
    """Erased, and no confirmation of their own since."""
    dead_links: int = 0
    """How many of the links, from the first, must do nothing any more."""
    links: list[Confirmation] = field(default_factory=list)
    written: list[tuple[int, str, datetime, str]] = field(default_factory=list)
    name: str | None = None


class ConsentOverTime(RuleBasedStateMachine):
    """Three people, every operation, any order; each step a transaction of its own."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.people = [Known(f"person{next(_numbers)}@example.com") for _ in range(3)]
        self.now = NOW

    who = st.integers(0, 2)

    @rule(hours=st.integers(1, 200))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(who=who)
    def sign_up(self, who: int) -> None:
        known = self.people[who]
        with self.database.writing() as session:
            address = addresses.parse(known.email.upper())
            try:
                outcome = consent.sign_up(session, address, now=self.now, source="form")
            except AddressRefused:
                assert known.complained
                assert not known.written
                return
            letters = {State.PENDING: "confirm", State.ACTIVE: "links"}
            assert (outcome.letter.kind if outcome.letter else None) == letters.get(outcome.subscriber.state)
            known.touched = known.touched or outcome.changed
            self._take_letter(known, outcome)

    @rule(who=who, basis=st.sampled_from([None, "paper form"]), name=st.sampled_from(["Ada", "Ben"]))
    def add(self, who: int, basis: str | None, name: str) -> None:
        known = self.people[who]
        with self.database.writing() as session:
            before = self._find(session, known)
            try:
                outcome = consent.add(session, newcomer(known.email, name), basis=basis, now=self.now, source="import")
            except AddressRefused:
                assert known.erased
                return
            assert before is None or not (outcome.changed and known.touched)
            assert not (outcome.changed and known.erased)
            known.name = name if before is None else known.name
            if basis is not None and outcome.changed:
                known.said_yes = True
                known.dead_links = len(known.links)
            self._take_letter(known, outcome)

    @rule(who=who, which=st.integers(0, 20))
    def press_confirm(self, who: int, which: int) -> None:
        known = self.people[who]
        if not known.links:
            return
        number = which % len(known.links)
        link = known.links[number]

        def confirm(session: Session, person: Subscriber) -> Outcome:
            outcome = consent.confirm(session, person, link, now=self.now, source="confirm page")
            if outcome.changed:
                assert self.now < link.expires_at
                assert number >= known.dead_links
                known.said_yes, known.erased = True, False
            return outcome

        self._with(known, confirm)

    @rule(who=who)
    def erase(self, who: int) -> None:
        known = self.people[who]
        with self.database.writing() as session:
            person = self._find(session, known)
            if person is not None:
                known.complained = known.complained or "suppressed by staff" in (person.suppressed_because or "")
                consent.erase(session, person, now=self.now)
                self._is_gone(known)
                known.erased = True

    @rule()
    def forget_the_unconfirmed(self) -> None:
        """Nothing of them is left, unless they once said yes or no."""
        with self.database.writing() as session:
            for person in consent.unconfirmed(session, now=self.now, most=10):
                known = next(known for known in self.people if known.email == person.email_key)
                if consent.forget_unconfirmed(session, person, now=self.now) is None:
                    assert person.state is State.UNSUBSCRIBED
                    known.dead_links = len(known.links)
                else:
                    assert not any(kind in ("confirmed", "unsubscribed") for _, kind, _, _ in known.written)
                    self._is_gone(known)

    def _is_gone(self, known: Known) -> None:
        known.said_yes = known.touched = False
        known.name, known.written, known.links, known.dead_links = None, [], [], 0

    @rule(who=who)
    def unsubscribe(self, who: int) -> None:
        known = self.people[who]

        def leave(session: Session, person: Subscriber) -> Outcome:
            known.said_yes = False
            return consent.unsubscribe(session, person, now=self.now, source="one-click")

        self._with(known, leave)

    @rule(who=who, act=st.sampled_from([Act.BOUNCE, Act.SUPPRESS, Act.COMPLAIN]))
    def suppress(self, who: int, act: Act) -> None:
        known = self.people[who]

        def end(session: Session, person: Subscriber) -> Outcome:
            outcome = consent.suppress(session, person, act, because=str(act), now=self.now, source="SendGrid")
            known.complained = known.complained or act is Act.COMPLAIN
            known.said_yes = known.said_yes and (act is Act.BOUNCE or not outcome.changed)
            assert outcome.letter is None
            return outcome

        self._with(known, end)

    @rule(who=who)
    def lift(self, who: int) -> None:
        known = self.people[who]

        def let_in(session: Session, person: Subscriber) -> Outcome:
            outcome = consent.lift(session, person, because="mended", now=self.now, source="otto@example.com")
            self._take_letter(known, outcome)
            return outcome

        self._with(known, let_in)

    @rule()
    @precondition(lambda self: any(known.written or known.erased for known in self.people))
    def import_everybody_again(self) -> None:
        """An import without a basis changes nobody known."""
        before = self._states()
        with self.database.writing() as session:
            people = [newcomer(known.email, "Zoe") for known in self.people if known.written or known.erased]
            added = consent.add_all(session, people, basis=None, now=self.now, source="import")
            assert not any(one.decision.recorded or one.letter for one in added)
        assert self._states() == before

    @invariant()
    def everything_adds_up(self) -> None:
        with self.database.reading() as session:
            for known in self.people:
                person = self._find(session, known)
                if person is None:
                    assert not known.written
                    continue
                self._check(known, person)
                self._check_events(session, known, person)

    def _check(self, known: Known, person: Subscriber) -> None:
        if person.state is State.ACTIVE:
            assert known.said_yes
            assert person.confirmed_at is not None
        if known.complained:
            assert person.state is State.SUPPRESSED
        assert (person.state is State.PENDING) == (person.pending_since is not None)
        assert (person.state is State.SUPPRESSED) == (person.suppressed_because is not None)
        assert person.name == known.name

    def _check_events(self, session: Session, known: Known, person: Subscriber) -> None:
        """Events are only ever added."""
        events = [(e.id, e.kind, e.happened_at, e.source) for e in roster.dossier(session, person).events]
        assert events[: len(known.written)] == known.written
        known.written = events

    def _take_letter(self, known: Known, outcome: Outcome) -> None:
        if outcome.letter is not None and outcome.letter.kind == "confirm":
            assert outcome.letter.subscriber_id == outcome.subscriber.id
            known.links.append(good_link(outcome.subscriber, at=self.now))
            assert known.links[-1].expires_at == self.now + CONFIRM_WITHIN

    def _with(self, known: Known, act: Callable[[Session, Subscriber], Outcome]) -> None:
        self.now += timedelta(seconds=1)
        with self.database.writing() as session:
            person = self._find(session, known)
            if person is not None:
                before = person.state
                outcome = act(session, person)
                assert outcome.changed or person.state is before
                if outcome.changed:
                    known.touched = True
                    known.dead_links = len(known.links) - (person.state is State.PENDING)

    def _find(self, session: Session, known: Known) -> Subscriber | None:
        return roster.find(session, known.email)

    def _states(self) -> list[State | None]:
        with self.database.reading() as session:
            found = [self._find(session, known) for known in self.people]
            return [person.state if person else None for person in found]


def test_consent_over_time_is_what_a_careful_person_would_have_written_down() -> None:
    """Whatever happens in whatever order: no revival, no forgotten complaint, no lost or changed event."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'people.db'}")
        secrecy.equip(database, (make.SECRET,))
        Base.metadata.create_all(database.engine)
        ConsentOverTime.database = database
        try:
            run_state_machine_as_test(
                ConsentOverTime, settings=settings(max_examples=30, stateful_step_count=20, deadline=None)
            )
        finally:
            database.dispose()
