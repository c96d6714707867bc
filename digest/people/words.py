"""What a dossier says of one person, in words: where they stand, what may be done with them, what became of their mail.

Pure: plain values in, sentences out. Sentences about a person leave out who it is: the page has said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from digest.rendering.typography import spoken_day
from subscribers import policy
from subscribers.policy import Act, Decision, Standing, State
from subscribers.wishes import CHANGED, Rhythm, Wishes


class Fate(StrEnum):
    """What became of one delivery: the six words that every edition's numbers are made of."""

    WAITING = "waiting"
    IN_FLIGHT = "in flight"
    ACCEPTED = "accepted"
    WITHHELD = "withheld"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


FATE_OF_BATCH = {
    "pending": Fate.WAITING,
    "submitting": Fate.IN_FLIGHT,
    "accepted": Fate.ACCEPTED,
    "refused": Fate.REFUSED,
    "uncertain": Fate.UNCERTAIN,
}
"""By the batch's state, for a delivery that was not itself set aside."""


def fate(*, withheld: bool, refused: bool, batch_state: str) -> Fate:
    """One delivery's fate, by the rule that the numbers count by."""
    if withheld:
        return Fate.WITHHELD
    return Fate.REFUSED if refused else FATE_OF_BATCH[batch_state]


def bucket(*, dropped: bool, bounced: bool, delivered: bool) -> str:
    """What events told of an accepted delivery, in the precedence that the numbers count by."""
    if dropped:
        return "dropped"
    if bounced:
        return "bounced"
    return "delivered" if delivered else "unreported"


LETTERS = {
    "confirm": "Confirmation letter",
    "confirm-again": "Reminder to confirm",
    "welcome": "Welcome letter",
    "links": "Letter with their own links",
    "my-data": "Letter with the link to their data",
    "change-address": "Letter to the new address",
    "address-changed": "Letter to the old address",
}

EVENTS = {
    "processed": "Taken on by the provider",
    "delivered": "Delivered to the mailbox",
    "deferred": "Put off by the receiving side",
    "dropped": "Dropped by the provider",
    "bounce": "Bounced",
    "open": "Opened",
    "click": "Clicked",
    "spamreport": "Reported as spam",
    "unsubscribe": "Unsubscribed at the provider",
    "group_unsubscribe": "Unsubscribed at the provider",
    "group_resubscribe": "Taken back at the provider: changes nothing here",
}


def event_in_words(kind: str, *, hard: bool, by_machine: bool) -> str:
    """One event of the provider. `hard`: of a bounce, that the mail will never arrive."""
    if kind == "bounce":
        return "Bounced for good" if hard else "Bounced this time"
    if kind == "open" and by_machine:
        return "Opened by a program, read or not"
    return EVENTS.get(kind, f"Event “{kind}”")


LABELS: dict[str, str] = {
    Act.ADD_WITH_BASIS: "Basis",
    Act.BOUNCE: "Evidence",
    Act.COMPLAIN: "Evidence",
    Act.SUPPRESS: "Reason",
    Act.LIFT: "Reason",
    CHANGED: "Change",
}
"""What the words kept with an event are. Of all others they are what was shown beside the button."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing an operator may want to do. `words`: what it does, or why it cannot be done."""

    act: Act
    possible: bool
    words: str


def choices(stands: Standing) -> tuple[Choice, ...]:
    """What may be done with somebody who stands like this, and what not."""
    return tuple(_choice(act, stands) for act in (Act.UNSUBSCRIBE, Act.SUPPRESS, Act.LIFT))


def _choice(act: Act, stands: Standing) -> Choice:
    decision = policy.decide(act, stands)
    if decision.recorded:
        return Choice(act, possible=True, words=effect(act, decision))
    if act is Act.LIFT and stands.state is not State.SUPPRESSED:
        return Choice(act, possible=False, words="There is no suppression to lift.")
    return Choice(act, possible=False, words=f"This person {decision.why}.")


ONLY_THEY = "Only their own sign-up and confirmation brings them back."

_LIFTED = {
    State.ACTIVE: "They get editions again: what is lifted took no consent away.",
    State.UNSUBSCRIBED: "They may sign up again. Until they have confirmed, nothing is sent to them.",
    State.PENDING: "They get a new confirmation letter, and nothing else until they confirm.",
}


def effect(act: Act, decision: Decision) -> str:
    """What an act does, said before it is done. `decision` must be one that is recorded."""
    if act is Act.LIFT and decision.after is not None:
        return _LIFTED[decision.after]
    if act is Act.SUPPRESS:
        return "Nothing is written to this address again, and signing up does nothing, until staff lift it."
    if decision.before is State.SUPPRESSED:
        return "They stay suppressed. When that is lifted, they do not get editions again."
    if decision.before is State.PENDING:
        return f"The link in their confirmation letter stops working. {ONLY_THEY}"
    return f"No further edition is handed over to them, not of a running one either. {ONLY_THEY}"


def state_in_words(stands: Standing, wishes: Wishes, pending_since: date | None) -> str:
    """What the state means for the mail this person gets. `wishes` as they are now."""
    if stands.state is State.ACTIVE:
        return _active(wishes)
    if stands.state is State.PENDING:
        asked = f" since {spoken_day(pending_since)}" if pending_since else ""
        return f"Waiting{asked} for their own confirmation. No edition is sent to them."
    if stands.state is State.UNSUBSCRIBED:
        return f"No edition is sent to them. {ONLY_THEY}"
    return _suppressed(stands)


def _active(wishes: Wishes) -> str:
    if wishes.paused_until:
        return f"Editions pause and come again from {spoken_day(wishes.paused_until.date())} on."
    often = "the first edition of each month" if wishes.rhythm is Rhythm.MONTHLY else "every edition"
    return f"Gets {often}."


def _suppressed(stands: Standing) -> str:
    because = {
        Act.BOUNCE: "Nothing is sent: this mailbox refused our mail for good. Staff may lift that.",
        Act.SUPPRESS: "Nothing is sent: staff said never to write here. Staff may lift that.",
        Act.COMPLAIN: "Nothing is ever sent here again: our mail was reported as spam. Nobody can lift that.",
    }
    return because[stands.suppressed_by] if stands.suppressed_by else "Nothing is sent to this address."


def remembered(stands: Standing) -> str | None:
    """What is remembered of the address from before this record, if anything."""
    if stands.refused is None:
        return None
    return {
        policy.Refusal.ERASED: "Somebody with this address was erased before; this record is from a later sign-up.",
        policy.Refusal.LEFT: "Somebody with this address had left when this database was restored from a backup.",
        policy.Refusal.FOR_EVER: "This address was erased after a complaint, or after staff said never to write here.",
    }[stands.refused]


def wishes_in_words(wishes: Wishes) -> tuple[tuple[str, str], ...]:
    """What somebody wants to get, as label and words. `wishes` as they are now, its times in the zone to show."""
    until = wishes.paused_until
    return (
        ("Topics", ", ".join(sorted(wishes.topics)) or "every topic"),
        ("Rhythm", "the first edition of each month" if wishes.rhythm is Rhythm.MONTHLY else "every week"),
        ("Format", "plain text only" if wishes.plain_text else "HTML and text"),
        ("Pause", f"until {spoken_day(until.date())}" if until else "none"),
    )
