"""What may happen to somebody's consent, and why not."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import policy
from subscribers.policy import Act, Decision, Refusal, Standing, State

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
PENDING, ACTIVE, UNSUBSCRIBED, SUPPRESSED = State

histories = st.lists(st.sampled_from(Act), max_size=14)


def lived_through(acts: list[Act]) -> list[Decision]:
    """Everything recorded when these acts happen to one unknown person, one after the other."""
    state: State | None = None
    latest: dict[Act, int] = {}
    decisions = []
    for number, act in enumerate(acts, start=1):
        stands = Standing(None) if state is None else policy.standing(state, latest)
        decision = policy.decide(act, stands)
        if decision.recorded:
            state = decision.after
            latest[act] = number
        decisions.append(decision)
    return decisions


# From unknown, pending, active, unsubscribed and (after a bounce) suppressed, for people who asked themselves.
TABLE = {
    Act.SIGN_UP: (PENDING, PENDING, ACTIVE, PENDING, SUPPRESSED),
    Act.CONFIRM: (None, ACTIVE, ACTIVE, UNSUBSCRIBED, SUPPRESSED),
    Act.UNSUBSCRIBE: (None, UNSUBSCRIBED, UNSUBSCRIBED, UNSUBSCRIBED, SUPPRESSED),
    Act.ADD: (PENDING, PENDING, ACTIVE, UNSUBSCRIBED, SUPPRESSED),
    Act.ADD_WITH_BASIS: (ACTIVE, PENDING, ACTIVE, UNSUBSCRIBED, SUPPRESSED),
    Act.BOUNCE: (None, SUPPRESSED, SUPPRESSED, SUPPRESSED, SUPPRESSED),
    Act.SUPPRESS: (None, SUPPRESSED, SUPPRESSED, SUPPRESSED, SUPPRESSED),
    Act.COMPLAIN: (None, SUPPRESSED, SUPPRESSED, SUPPRESSED, SUPPRESSED),
    Act.LIFT: (None, PENDING, ACTIVE, UNSUBSCRIBED, ACTIVE),
    Act.GIVE_UP: (None, UNSUBSCRIBED, ACTIVE, UNSUBSCRIBED, SUPPRESSED),
    Act.CHANGE_ADDRESS: (None, PENDING, ACTIVE, UNSUBSCRIBED, SUPPRESSED),
}


@pytest.mark.parametrize("act", Act)
def test_every_act_leads_somewhere_known(act: Act) -> None:
    """One row of the table per act: where it leads from each state."""
    for state, after in zip((None, *State), TABLE[act], strict=True):
        bounced = Act.BOUNCE if state is SUPPRESSED else None
        stands = Standing(state, suppressed_by=bounced, confirmed=state is not None)
        assert policy.decide(act, stands).after is after


def test_whoever_becomes_pending_is_owed_a_confirmation_letter() -> None:
    """And nobody else: who is active already gets their links, who confirms a welcome, who moves a word of it."""
    others = {(Act.SIGN_UP, ACTIVE): "links", (Act.CONFIRM, PENDING): "welcome"}
    others[(Act.CHANGE_ADDRESS, ACTIVE)] = "address-changed"
    for act, state in itertools.product(Act, (None, *State)):
        decision = policy.decide(act, Standing(state, by_operators_only=True))
        owed = decision.recorded and decision.after is PENDING
        assert ("confirm" if owed else others.get((act, state))) == decision.letter


@given(histories)
def test_a_decision_not_recorded_changes_nothing_and_says_why(acts: list[Act]) -> None:
    """Nothing happens without a record; every decision has a reason in words."""
    for decision in lived_through(acts):
        assert decision.why
        if not decision.recorded:
            assert decision.before is decision.after
            assert decision.letter in (None, "links")


@given(histories)
def test_nothing_but_their_own_confirmation_brings_anybody_back(acts: list[Act]) -> None:
    """After an opt-out, by the person or by staff for them, only a confirmation makes active again."""
    said_no = False
    for act, decision in zip(acts, lived_through(acts), strict=True):
        if decision.recorded and act in (Act.UNSUBSCRIBE, Act.SUPPRESS, Act.COMPLAIN):
            said_no = True
        if decision.recorded and act is Act.CONFIRM:
            said_no = False
        assert not (said_no and decision.after is ACTIVE)


@given(histories)
def test_a_complaint_is_for_ever(acts: list[Act]) -> None:
    """Whatever happens after a complaint, the person stays suppressed and is written to no more."""
    complained = False
    for act, decision in zip(acts, lived_through(acts), strict=True):
        complained = complained or (act is Act.COMPLAIN and decision.recorded)
        if complained:
            assert decision.after is SUPPRESSED
            assert decision.letter is None


@given(histories)
def test_only_a_yes_makes_active(acts: list[Act]) -> None:
    """The step into active is a confirmation, a first addition with a basis, or the lift of a bounce after one."""
    yes = False
    for act, decision in zip(acts, lived_through(acts), strict=True):
        yes = yes or (decision.recorded and act in (Act.CONFIRM, Act.ADD_WITH_BASIS))
        if decision.recorded and decision.after is ACTIVE and decision.before is not ACTIVE:
            assert act in (Act.CONFIRM, Act.ADD_WITH_BASIS, Act.LIFT)
            assert yes


@given(histories)
def test_the_same_act_twice_is_recorded_once(acts: list[Act]) -> None:
    """Only asking again is worth a second record, it owes another letter; and moving to another address again."""
    twice = [act for act in acts for _ in range(2)]
    decisions = lived_through(twice)
    for act, again in zip(twice[1::2], decisions[1::2], strict=True):
        assert not again.recorded or act in (Act.SIGN_UP, Act.CHANGE_ADDRESS)


@pytest.mark.parametrize(
    ("acts", "after"),
    [
        ([Act.ADD, Act.ADD_WITH_BASIS], ACTIVE),
        ([Act.SIGN_UP, Act.ADD_WITH_BASIS], PENDING),
        ([Act.ADD, Act.SIGN_UP, Act.ADD_WITH_BASIS], PENDING),
        ([Act.SIGN_UP, Act.CONFIRM, Act.UNSUBSCRIBE, Act.SIGN_UP, Act.ADD_WITH_BASIS], PENDING),
        ([Act.ADD, Act.BOUNCE, Act.LIFT, Act.ADD_WITH_BASIS], PENDING),
    ],
)
def test_a_basis_confirms_only_those_whom_operators_alone_have_touched(acts: list[Act], after: State) -> None:
    """Somebody who asked (or for whom somebody asked) has to confirm; the operator's word does not replace it."""
    assert lived_through(acts)[-1].after is after


@pytest.mark.parametrize(
    ("acts", "after"),
    [
        ([Act.SIGN_UP, Act.CONFIRM, Act.BOUNCE, Act.LIFT], ACTIVE),
        ([Act.SIGN_UP, Act.BOUNCE, Act.LIFT], PENDING),
        ([Act.SIGN_UP, Act.CONFIRM, Act.BOUNCE, Act.UNSUBSCRIBE, Act.LIFT], UNSUBSCRIBED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.UNSUBSCRIBE, Act.BOUNCE, Act.LIFT], UNSUBSCRIBED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.UNSUBSCRIBE, Act.SIGN_UP, Act.BOUNCE, Act.LIFT], UNSUBSCRIBED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.SUPPRESS, Act.LIFT], UNSUBSCRIBED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.SUPPRESS, Act.LIFT, Act.SIGN_UP, Act.BOUNCE, Act.LIFT], UNSUBSCRIBED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.BOUNCE, Act.SUPPRESS, Act.LIFT], UNSUBSCRIBED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.BOUNCE, Act.COMPLAIN, Act.LIFT], SUPPRESSED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.COMPLAIN, Act.LIFT], SUPPRESSED),
        ([Act.SIGN_UP, Act.CONFIRM, Act.LIFT], ACTIVE),
    ],
)
def test_a_lift_leads_to_where_consent_stood(acts: list[Act], after: State) -> None:
    """A bounce takes no consent away; a no stays a no; a complaint is never lifted."""
    assert lived_through(acts)[-1].after is after


def test_a_weightier_reason_takes_the_place_of_a_lighter_one() -> None:
    """A complaint after a bounce is recorded; a bounce after a complaint says nothing new."""
    assert lived_through([Act.ADD, Act.BOUNCE, Act.COMPLAIN])[-1].recorded
    assert not lived_through([Act.ADD, Act.COMPLAIN, Act.BOUNCE])[-1].recorded
    assert not lived_through([Act.ADD, Act.COMPLAIN, Act.SUPPRESS])[-1].recorded


@pytest.mark.parametrize("refused", [Refusal.ERASED, Refusal.LEFT])
def test_only_they_themselves_bring_back_whom_a_hash_remembers(refused: Refusal) -> None:
    """No operator adds them, with a basis or without; their own sign-up and confirmation do."""
    for state in (None, PENDING):
        stands = Standing(state, refused=refused, by_operators_only=True)
        for act in (Act.ADD, Act.ADD_WITH_BASIS):
            decision = policy.decide(act, stands)
            assert (decision.recorded, decision.letter) == (False, None)
            assert "own sign-up and confirmation" in decision.why
        assert policy.decide(Act.SIGN_UP, stands).after is PENDING
    assert policy.decide(Act.CONFIRM, Standing(PENDING, refused=refused)).after is ACTIVE


def test_who_is_refused_for_ever_is_never_written_to() -> None:
    """Not even by their own sign-up: they complained, or staff said never again, before their record went."""
    for act, state in itertools.product(Act, (None, PENDING)):
        decision = policy.decide(act, Standing(state, refused=Refusal.FOR_EVER))
        assert decision.letter is None
        assert decision.after is not ACTIVE


def test_erasing_forgets_a_bounce_and_remembers_a_complaint() -> None:
    """The hash that is left says "for ever" where nobody was ever to write again."""
    assert policy.refusal_after_erasing(Standing(ACTIVE)) is Refusal.ERASED
    assert policy.refusal_after_erasing(Standing(SUPPRESSED, suppressed_by=Act.BOUNCE)) is Refusal.ERASED
    for act in (Act.COMPLAIN, Act.SUPPRESS):
        assert policy.refusal_after_erasing(Standing(SUPPRESSED, suppressed_by=act)) is Refusal.FOR_EVER
    assert policy.refusal_after_erasing(Standing(PENDING, refused=Refusal.FOR_EVER)) is Refusal.FOR_EVER


def test_a_refusal_names_its_reason() -> None:
    """An operator reads why somebody was left as they are."""
    assert "own sign-up" in policy.decide(Act.ADD_WITH_BASIS, Standing(UNSUBSCRIBED)).why
    assert "complaint" in policy.decide(Act.LIFT, Standing(SUPPRESSED, suppressed_by=Act.COMPLAIN)).why
    assert "own confirmation" in policy.decide(Act.ADD_WITH_BASIS, Standing(PENDING)).why
    assert "not known" in policy.decide(Act.UNSUBSCRIBE, Standing(None)).why


@pytest.mark.parametrize(
    ("waiting", "made", "now", "problem"),
    [
        (0, 0, 47, None),
        (0, 0, 48, "expired"),
        (1, 0, 2, "newer letter"),
        (None, 0, 1, "has been used"),
        (None, 0, 72, "has been used"),
    ],
)
def test_a_confirm_link_answers_one_request_in_time(
    waiting: int | None, made: int, now: int, problem: str | None
) -> None:
    """Times in hours: the row must still wait for the very request the link was made for."""
    hour = timedelta(hours=1)
    found = policy.link_problem(
        waiting_since=None if waiting is None else NOW + waiting * hour,
        link_since=NOW + made * hour,
        expires_at=NOW + 48 * hour,
        now=NOW + now * hour,
    )

    assert found is None if problem is None else problem in (found or "")


def test_asking_again_within_a_week_keeps_the_links_on_their_way_alive() -> None:
    """A request is renewed after seven days, and whenever somebody is not waiting already."""
    waiting = Standing(PENDING)
    day = timedelta(days=1)

    assert policy.pending_since(waiting, NOW - 6 * day, NOW) == NOW - 6 * day
    assert policy.pending_since(waiting, NOW - 7 * day, NOW) == NOW
    assert policy.pending_since(waiting, None, NOW) == NOW
    assert policy.pending_since(Standing(UNSUBSCRIBED), NOW - day, NOW) == NOW
    assert policy.pending_since(Standing(None), None, NOW) == NOW


def test_a_report_older_than_the_last_yes_is_outdated_unless_it_is_a_complaint() -> None:
    """What a provider reports counts only if it happened after the person last said yes."""
    second = timedelta(seconds=1)

    assert policy.is_outdated(Act.BOUNCE, happened_at=NOW, last_yes=NOW)
    assert policy.is_outdated(Act.UNSUBSCRIBE, happened_at=NOW - second, last_yes=NOW)
    assert not policy.is_outdated(Act.BOUNCE, happened_at=NOW + second, last_yes=NOW)
    assert not policy.is_outdated(Act.BOUNCE, happened_at=NOW, last_yes=None)
    assert not policy.is_outdated(Act.COMPLAIN, happened_at=NOW - second, last_yes=NOW)
