"""What may happen to somebody's consent, and why not. Pure: a standing goes in, a decision comes out.

One rule stands above the table: nothing but the person's own new confirmation brings an unsubscribed person back, and
a complaint is for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.letters import LetterKind

RENEW_AFTER = timedelta(days=7)
"""How long one request stands. Asked again before that, the links in letters already on their way keep working."""

GIVE_UP_AFTER = timedelta(days=30)
"""How long an unconfirmed request is kept at all."""

REMIND_AFTER = timedelta(hours=48)
"""When somebody who asked and did not confirm is reminded, once: the link in their first letter has just expired."""


class State(StrEnum):
    """The four consent states. Only `active` is ever mailed an edition."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


class Refusal(StrEnum):
    """Why an address without a row is refused: known by its hash, after an erasure or a restored backup."""

    ERASED = "erased"
    LEFT = "left"
    FOR_EVER = "for ever"  # they complained, or staff said never to write here again


class Act(StrEnum):
    """What can happen to somebody's consent; the kind of a consent event."""

    SIGN_UP = "signed up"
    CONFIRM = "confirmed"
    UNSUBSCRIBE = "unsubscribed"
    ADD = "added"
    ADD_WITH_BASIS = "added with a basis"
    BOUNCE = "bounced"
    SUPPRESS = "suppressed by staff"
    COMPLAIN = "complained"
    LIFT = "suppression lifted"
    GIVE_UP = "request expired"
    CHANGE_ADDRESS = "address changed"


PENDING, ACTIVE, UNSUBSCRIBED, SUPPRESSED = State

# From where each act leads where. What is not here does not happen. None: an address we do not know.
MOVES: dict[Act, dict[State | None, State]] = {
    Act.SIGN_UP: {None: PENDING, PENDING: PENDING, UNSUBSCRIBED: PENDING},
    Act.CONFIRM: {PENDING: ACTIVE},  # with the link of this very request, in time
    Act.UNSUBSCRIBE: {PENDING: UNSUBSCRIBED, ACTIVE: UNSUBSCRIBED, SUPPRESSED: SUPPRESSED},  # kept in mind for a lift
    Act.ADD: {None: PENDING},
    Act.ADD_WITH_BASIS: {None: ACTIVE, PENDING: ACTIVE},  # pending only where no one but an operator ever did anything
    # Whoever has left too: an opt-out and a bounce come in any order, and must end the same.
    Act.BOUNCE: {PENDING: SUPPRESSED, ACTIVE: SUPPRESSED, UNSUBSCRIBED: SUPPRESSED},
    Act.SUPPRESS: {PENDING: SUPPRESSED, ACTIVE: SUPPRESSED, UNSUBSCRIBED: SUPPRESSED, SUPPRESSED: SUPPRESSED},
    Act.COMPLAIN: {PENDING: SUPPRESSED, ACTIVE: SUPPRESSED, UNSUBSCRIBED: SUPPRESSED, SUPPRESSED: SUPPRESSED},
    Act.LIFT: {SUPPRESSED: UNSUBSCRIBED},  # after a bounce: back to where their consent stood
    Act.GIVE_UP: {PENDING: UNSUBSCRIBED},  # who once said no goes back to that; of all others nothing is kept
    Act.CHANGE_ADDRESS: {ACTIVE: ACTIVE},  # confirmed at the new address
}

# Each weighs more than those before it: a complaint takes the place of a bounce as the reason, never the reverse.
SUPPRESSING = (Act.BOUNCE, Act.SUPPRESS, Act.COMPLAIN)

YES = (Act.CONFIRM, Act.ADD_WITH_BASIS)
NO = (Act.UNSUBSCRIBE, Act.SUPPRESS, Act.COMPLAIN)

_LETTERS: dict[Act, LetterKind] = {
    Act.SIGN_UP: "confirm",
    Act.ADD: "confirm",
    Act.CONFIRM: "welcome",
    Act.CHANGE_ADDRESS: "address-changed",
}

_DONE = {
    Act.SIGN_UP: "asked for it; a confirmation letter is owed",
    Act.CONFIRM: "confirmed",
    Act.UNSUBSCRIBE: "unsubscribed",
    Act.ADD: "added; a confirmation letter is owed",
    Act.ADD_WITH_BASIS: "added with a basis of consent",
    Act.BOUNCE: "suppressed after a hard bounce",
    Act.SUPPRESS: "suppressed by staff",
    Act.COMPLAIN: "suppressed for ever after a complaint",
    Act.LIFT: "the suppression is lifted",
    Act.GIVE_UP: "did not confirm in time",
    Act.CHANGE_ADDRESS: "gets it at the new address",
}

_STAYS = {
    PENDING: "is waiting for their own confirmation",
    ACTIVE: "is subscribed already",
    UNSUBSCRIBED: "has unsubscribed; only their own sign-up and confirmation brings them back",
    SUPPRESSED: "is suppressed",
}

_SUPPRESSED_BY = {
    None: _STAYS[SUPPRESSED],
    Act.BOUNCE: "is suppressed after a hard bounce, which staff may lift",
    Act.SUPPRESS: "is suppressed by staff",
    Act.COMPLAIN: "is suppressed after a complaint, for ever",
}


_REFUSED_BECAUSE: dict[Refusal | None, str] = {
    Refusal.ERASED: "was erased; only their own sign-up and confirmation brings them back",
    Refusal.LEFT: "left before this database was restored; only their own sign-up and confirmation brings them back",
    Refusal.FOR_EVER: "is refused for ever, after a complaint or by staff",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one person stands, as far as a decision needs to know."""

    state: State | None
    suppressed_by: Act | None = None
    """The weightiest reason in force; one of SUPPRESSING."""
    opted_out: bool = False
    """They said no after their last confirmation (or staff did for them), whatever came later."""
    confirmed: bool = False
    """They once confirmed, or were added with a basis."""
    by_operators_only: bool = False
    """No one but an operator ever did anything here: nobody asked, nothing bounced."""
    refused: Refusal | None = None
    """What is remembered of the address although nothing else is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens. `recorded` False: nothing does, and `why` says why not."""

    before: State | None
    after: State | None
    why: str
    recorded: bool
    letter: LetterKind | None = None


def standing(state: State, latest: Mapping[Act, int], refused: Refusal | None = None) -> Standing:
    """Where somebody stands by their state and by what happened before: the number of the latest event of each kind."""
    last_yes = max(latest.get(act, 0) for act in YES)
    last_lift = latest.get(Act.LIFT, 0)
    in_force = [act for act in SUPPRESSING if latest.get(act, 0) > last_lift]
    return Standing(
        state,
        suppressed_by=in_force[-1] if in_force and state is SUPPRESSED else None,
        opted_out=max(latest.get(act, 0) for act in NO) > last_yes,
        confirmed=last_yes > 0,
        by_operators_only=latest.keys() <= {Act.ADD},
        refused=refused,
    )


def decide(act: Act, stands: Standing) -> Decision:
    """What `act` does to somebody who stands like this. For CONFIRM, ask `link_problem` first."""
    if act is Act.SIGN_UP and stands.state is ACTIVE:
        return replace(nothing(stands), letter="links")
    if _is_refused(act, stands):
        return nothing(stands, _REFUSED_BECAUSE[stands.refused])
    after = MOVES[act].get(stands.state)
    if after is None or _does_nothing_new(act, stands):
        return nothing(stands)
    if act is Act.LIFT:
        return _lift(stands)
    return Decision(stands.state, after, _DONE[act], recorded=True, letter=_LETTERS.get(act))


def _is_refused(act: Act, stands: Standing) -> bool:
    """An erased person comes back by their own sign-up and confirmation, and by nobody else's."""
    if stands.refused is Refusal.FOR_EVER:
        return act in (Act.SIGN_UP, Act.CONFIRM, Act.ADD, Act.ADD_WITH_BASIS)
    return stands.refused is not None and act in (Act.ADD, Act.ADD_WITH_BASIS)


def nothing(stands: Standing, why: str | None = None) -> Decision:
    """The decision that nothing happens."""
    return Decision(stands.state, stands.state, why or _as_they_stand(stands), recorded=False)


def overtaken(decision: Decision) -> Decision:
    """The decision that nothing happens, because somebody else's came first."""
    return Decision(decision.before, decision.before, "has just come or changed by another way", recorded=False)


def link_problem(
    *, waiting_since: datetime | None, link_since: datetime, expires_at: datetime, now: datetime
) -> str | None:
    """Why a confirm link no longer does anything; None when it is good.

    It answers one request: once that is confirmed, given up or renewed, the link is used up.
    """
    if waiting_since != link_since:
        return "this link has been used, or a newer letter has taken its place"
    if expires_at <= now:
        return "this link has expired; ask for a new letter"
    return None


def pending_since(stands: Standing, since: datetime | None, now: datetime) -> datetime:
    """The request that a sign-up opens or repeats."""
    if stands.state is PENDING and since is not None and now - since < RENEW_AFTER:
        return since
    return now


def refusal_after_erasing(stands: Standing) -> Refusal:
    """What is remembered of somebody who is erased: that, or that nobody is ever to write there again."""
    if stands.refused is Refusal.FOR_EVER or stands.suppressed_by in (Act.COMPLAIN, Act.SUPPRESS):
        return Refusal.FOR_EVER
    return Refusal.ERASED


def is_outdated(act: Act, *, happened_at: datetime, last_yes: datetime | None) -> bool:
    """Whether a provider reports something that the person's last confirmation, or a lift, has overtaken.

    A complaint is never outdated.
    """
    return act is not Act.COMPLAIN and last_yes is not None and happened_at <= last_yes


def _does_nothing_new(act: Act, stands: Standing) -> bool:
    if stands.state is SUPPRESSED and act in SUPPRESSING:
        return not _outweighs(act, stands.suppressed_by)
    if stands.state is SUPPRESSED and act is Act.UNSUBSCRIBE:
        return stands.opted_out
    if stands.state is PENDING and act is Act.ADD_WITH_BASIS:
        return not stands.by_operators_only
    return act is Act.LIFT and stands.suppressed_by is Act.COMPLAIN


def _outweighs(act: Act, known: Act | None) -> bool:
    return known is None or SUPPRESSING.index(act) > SUPPRESSING.index(known)


def _lift(stands: Standing) -> Decision:
    """Staff asked us not to write: lifting that gives back the right to sign up. A bounce took no consent away."""
    after = UNSUBSCRIBED if stands.opted_out else ACTIVE if stands.confirmed else PENDING
    letter: LetterKind | None = "confirm" if after is PENDING else None
    return Decision(stands.state, after, _DONE[Act.LIFT], recorded=True, letter=letter)


def _as_they_stand(stands: Standing) -> str:
    if stands.state is None:
        return "is not known here"
    if stands.state is SUPPRESSED:
        return _SUPPRESSED_BY[stands.suppressed_by]
    return _STAYS[stands.state]
