"""What the desk says in words: when something was, whose it was, and what an edition waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from digest.editing import Overtaken
from digest.models import Edition, EditionState
from digest.progress import Progress
from digest.rendering.typography import spoken_day
from digest.web import sending_words

Named = Callable[[str], str]
"""An address for "staff 3"."""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_BY_RULE = " as the program wrote it"
_DID = (
    ("taken out: ", "took out "),
    ("brought in: ", "brought in "),
    ("pinned: ", "pinned "),
    ("no longer pinned: ", "unpinned "),
    ("page read again: ", "refreshed "),
    ("prints correction ", "took up correction "),
    ("does not print correction ", "left out correction "),
    ("selected again", "selected again"),
    ("taken back: ", "took back a change: "),
)


def clock(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """14:03; on another day with that day: Friday 20 November 2026, 14:03."""
    local = moment.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return f"{_DAYS[local.weekday()]} {spoken_day(local.date())}, {local:%H:%M}"


def on_day(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """at 14:03; on another day: on Friday 20 November 2026, 14:03."""
    said = clock(moment, zone, now)
    return f"on {said}" if "," in said else f"at {said}"


def overtaken(by_whom: Overtaken, named: Named, reader: str, zone: tzinfo, now: datetime) -> str:
    """Whose words came between, in a sentence without its end: Otto changed this at 14:03."""
    if by_whom.by is None or by_whom.at is None:
        return "Somebody changed this"
    who = "You, in another window," if by_whom.by == reader else named(by_whom.by)
    return f"{who} changed this {on_day(by_whom.at, zone, now)}"


def changed(who: str, what: str) -> str:
    """What somebody did, without its end: Otto changed the subject. `what` is as edits keep it."""
    for kept, did in _DID:
        if what.startswith(kept):
            return f"{who} {did}{what.removeprefix(kept)}"
    if what.endswith(_BY_RULE):
        return f"{who} put back the {what}"
    return f"{who} changed the {what}"


def next_step(edition: Edition, found: Progress, named: Named, zone: tzinfo, now: datetime) -> str:
    """What an editor does about it, or what happens by itself."""
    leaves = clock(edition.send_at, zone, now)
    accepted = f"{found.accepted:,} of {found.deliveries:,} accepted"
    by = named(edition.approved_by) if edition.approved_by else "somebody"
    if edition.state is EditionState.DRAFT and edition.send_at <= now:
        return f"Waits for approval. Its time, {leaves}, has passed, so that approving asks for a new one."
    return {
        EditionState.DRAFT: f"Waits for approval until {leaves}.",
        EditionState.APPROVED: f"Approved by {by}; leaves {leaves}.",
        EditionState.SENDING: f"On its way: {accepted}.",
        EditionState.SENT: f"Sent: {accepted}.",
        EditionState.HALTED: "Halted: nothing more is handed over until somebody resumes.",
        EditionState.STOPPED: f"Stopped: {accepted}, and the rest never get it."
        if found.deliveries
        else "Stopped before anybody got it.",
        EditionState.SKIPPED: "Skipped: this week has no edition.",
    }[edition.state]


def way_on(edition: Edition) -> tuple[str, str]:
    """Where that is done, and what the link says."""
    week = edition.week
    if edition.state in (EditionState.SENDING, EditionState.HALTED):
        return f"/sending/{week}", "Watch it" if edition.state is EditionState.SENDING else "See why, and resume"
    if edition.begun_at is not None:
        return f"/desk/{week}", "Read its report"
    if edition.state is EditionState.DRAFT:
        return f"/desk/{week}", "Go on editing"
    if edition.state is EditionState.APPROVED:
        return f"/desk/{week}/approval", "See the approval"
    return f"/desk/{week}", "See why"


def locked(edition: Edition, named: Named, zone: tzinfo, now: datetime) -> str:
    """Why nothing can be written here; empty for a draft."""
    if edition.state is EditionState.DRAFT:
        return ""
    if edition.state is EditionState.APPROVED:
        by = named(edition.approved_by) if edition.approved_by else "somebody"
        when = f" {on_day(edition.approved_at, zone, now)}" if edition.approved_at else ""
        return f"Approved by {by}{when}. A change voids the approval, so take it back first."
    return str(sending_words.STATES[edition.state])
