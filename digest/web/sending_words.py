"""What the sending pages say, in words: the state of an edition, what it waits for, and what each act would do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from markupsafe import Markup, escape

from digest.models import Edition, EditionState
from digest.progress import LATELY, Progress, Wave
from digest.rendering.typography import spoken_day
from digest.staff import audit
from digest.variants import EVERYTHING

# How each state stands out beside its word: going well, to be looked at, gone wrong, or neither.
TONES: Mapping[EditionState, str] = {
    EditionState.DRAFT: "",
    EditionState.APPROVED: "warn",
    EditionState.SENDING: "warn",
    EditionState.SENT: "good",
    EditionState.HALTED: "bad",
    EditionState.STOPPED: "bad",
    EditionState.SKIPPED: "",
}

STATES: Mapping[EditionState, str] = {
    EditionState.DRAFT: "A draft: nobody has approved it.",
    EditionState.APPROVED: "Approved, and not begun.",
    EditionState.SENDING: "Being handed over to the provider.",
    EditionState.SENT: "Nothing is left to hand over.",
    EditionState.HALTED: "Halted: nothing more is handed over until somebody resumes.",
    EditionState.STOPPED: "Stopped: whoever has not got it never will.",
    EditionState.SKIPPED: "Skipped: this week has no edition.",
}

STANDS_STILL = "Begun, and standing still at this moment."

# Each state a delivery can be in: what its word means, said once beside the numbers.
MEANINGS = {
    "accepted": "the provider said yes; whether they arrived, events tell",
    "in flight": "being handed over at this moment",
    "waiting": "not handed over yet",
    "uncertain": "nobody can know yet whether the provider took them",
    "withheld": "not handed over, for the reasons below",
    "refused": "the provider will never take them as they are",
}

_CODE = re.compile(r"`([^`]+)`")

_A_MINUTE = 60
_AN_HOUR = 60 * _A_MINUTE
_A_DAY = 24 * _AN_HOUR


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that keeps an edition from going on. `until` None: only a person ends it."""

    what: str
    why: str
    until: datetime | None = None
    since: datetime | None = None
    by: str | None = None


def counted(number: int, one: str, many: str) -> str:
    """1 batch, 2,000 batches."""
    return f"{number:,} {one if number == 1 else many}"


def fine_share(part: int, whole: int) -> str:
    """A part of a whole where a thousandth matters; where there is no whole there is no share."""
    return f"{100 * part / whole:.2f}\u00a0%" if whole else "–"


def sentence_of(why: str | None) -> Markup:
    """Somebody's or something's reason as it stands by itself: without an address, beginning as sentences do, and what
    it puts between backticks as code."""
    words = audit.without_addresses(why or "nobody noted why")
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(words[:1].upper() + words[1:]))))  # noqa: S704 - escaped


def span(length: timedelta) -> str:
    """About how long, in the largest unit that still says something: 40 seconds, 12 minutes, 3 hours, 9 days."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 2 * _A_MINUTE:
        return counted(seconds, "second", "seconds")
    if seconds < 2 * _AN_HOUR:
        return f"{round(seconds / _A_MINUTE)} minutes"
    if seconds < 2 * _A_DAY:
        return f"{round(seconds / _AN_HOUR)} hours"
    return f"{round(seconds / _A_DAY):,} days"


def at(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """A time to act by, to the second: 09:47:30 CET, with its day where that is another one."""
    local = moment.astimezone(zone)
    day = "" if local.date() == now.astimezone(zone).date() else f"{spoken_day(local.date())}, "
    return f"{day}{local:%H:%M:%S %Z}"


def pace(progress: Progress, lately: int) -> str | None:
    """How fast it goes and how long the rest takes at that pace; None where nothing was accepted of late."""
    left = progress.waiting + progress.in_flight
    if not lately or not left:
        return None
    return f"{lately:,} accepted in the last minute; at that pace the rest takes {span(LATELY * (left / lately))}."


def wave(waves: Mapping[int, Wave], edition: Edition, minutes: float, zone: tzinfo, now: datetime) -> str | None:
    """The first wave and what waits behind it; None where everything goes at once."""
    if len(waves) < 2:  # noqa: PLR2004 - one wave is none
        return None
    first = waves[min(waves)]
    rest = sum(each.deliveries for number, each in waves.items() if number != min(waves))
    size = counted(first.deliveries, "delivery", "deliveries")
    if edition.wave_until is None:
        return (
            f"A first wave of {size} goes ahead. The other {rest:,} follow {minutes:g} minutes after all of it is out, "
            f"if bounces and complaints stay below their limits."
        )
    until = at(edition.wave_until, zone, now)
    if edition.wave_until > now:
        return (
            f"The first wave of {size} is out. The other {rest:,} wait until {until}, "
            f"{span(edition.wave_until - now)} from now, to hear of bounces and complaints first."
        )
    return f"The first wave of {size} is out; the other {rest:,} could follow from {until} on."


def variant(key: str) -> str:
    """What the readers of one variant get; those of some topics are told apart by its key."""
    shown = key.removesuffix("-text")
    what = "everything" if shown == EVERYTHING else f"some topics, {shown}"
    return what if shown == key else f"{what}, text only"


def spoken(edition: Edition, progress: Progress) -> str:
    """What is read out when it changes, and so no more often than somebody wants to hear it."""
    if not progress.deliveries:
        return f"{edition.week} is {edition.state}."
    quarters = 4 * progress.accepted // progress.deliveries
    doubt = f" {progress.uncertain:,} uncertain." if progress.uncertain else ""
    share = "All" if quarters == 4 else f"{25 * quarters} per cent or more" if quarters else "Less than 25 per cent"  # noqa: PLR2004 - of four
    return f"{edition.week} is {edition.state}. {share} of {progress.deliveries:,} deliveries accepted.{doubt}"


def resuming(edition: Edition, waiting: int, uncertain_batches: int, zone: tzinfo, now: datetime) -> str:
    """What pressing resume does."""
    if edition.halted_from is EditionState.APPROVED:
        if edition.send_at > now:
            return f"It is approved again and leaves {at(edition.send_at, zone, now)}."
        return "Its time has passed, so that it leaves at once."
    words = []
    if waiting:
        words.append(f"The {counted(waiting, 'delivery', 'deliveries')} still waiting are handed over.")
    elif not uncertain_batches:
        words.append("Nothing is left to hand over, so that it is sent.")
    if uncertain_batches:
        left = counted(uncertain_batches, "batch stays", "batches stay")
        words.append(f"{left} uncertain: until all are settled it is halted again when everything else is out.")
    return " ".join(words)


def stopping(edition: Edition, progress: Progress, candidates: int) -> str:
    """Who never gets it, said before it is so."""
    if edition.prepared_at is None:
        return (
            f"It was never begun: none of the {counted(candidates, 'reader', 'readers')} active now gets it. "
            f"Its comparisons stand for selection again."
        )
    if not progress.waiting:
        return "Everybody has been handed over already: stopping only ends it."
    return (
        f"{counted(progress.waiting, 'reader', 'readers')} of {progress.deliveries:,} have not been handed over "
        f"and never get this edition."
    )
