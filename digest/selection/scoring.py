"""How much a comparison is worth reading: an additive score of seven parts, each with its reason in words. Pure.

Each part measures one thing from 0 to 1,000 and earns that share of its weight, rounded half up to whole points; the
score is their sum. The page is judged on what it says: a measure it does not give is left out of its part, a part with
no measure at all earns nothing, and of a panel that the page contradicts itself about nothing is concluded.

`docs/decisions/002-selection.md` says why these parts and these weights.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from digest.facts import ComparisonFacts, TakeFacts, Verdict
from digest.selection.judged import FULL, Judged
from digest.selection.standing import Known, Standing
from digest.verdicts import figures
from digest.weeks import Week

PartName = Literal["disagreement", "preference", "distance", "community", "newness", "change", "completeness"]

# What earns a measure in full, or stops it from counting.
WIDEST_DISSENT = 50  # points between two reviewers of one tool
WIDEST_AVERAGES = 40  # points between the averages of the two tools
USUAL_PANEL = 4  # two critics of both tools who differ are half as divided as four
VOTE_STEPS = (1, 5, 20, 50, 100, 250)  # each one passed is a sixth of the interest
WIDE_RIFT = 200  # thousandths between readers and panel from which the words mention it
RECOVERY_WEEKS = 12  # after which a tool our readers have seen is as fresh as it gets
RECOVERED = 750  # which is less fresh than one they have never seen
ONE_STEP = 600  # ship to mixed, mixed to skip; from ship to skip is FULL
_STEPS: dict[Verdict, int] = {"skip": 0, "mixed": 1, "ship": 2}

Weight = Annotated[int, Field(ge=0, le=1000)]


class Weights(BaseModel):
    """The points each part can earn at most; the defaults add up to 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    disagreement: Weight = 24
    preference: Weight = 12
    distance: Weight = 18
    community: Weight = 12
    newness: Weight = 16
    change: Weight = 10
    completeness: Weight = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One summand of a score. `strength` is the share of its weight it earned, in thousandths."""

    name: PartName
    points: int
    words: str
    strength: int


Measured = tuple[int | None, str]
Pair = tuple[Judged, Judged]


def score(standing: Standing, sides: Pair, *, week: Week, weights: Weights) -> tuple[Part, ...]:
    """The parts of one comparison's score, in the order of `Weights`, for the edition of `week`."""
    known = standing.left, standing.right
    return (
        _part("disagreement", weights.disagreement, *_disagreement(sides)),
        _part("preference", weights.preference, *_preference(sides)),
        _part("distance", weights.distance, *_distance(sides)),
        _part("community", weights.community, *_community(sides)),
        _part("newness", weights.newness, *_newness(sides, known, week)),
        _part("change", weights.change, *_change(sides, known)),
        _part("completeness", weights.completeness, *_completeness(standing.facts, sides)),
    )


def _part(name: PartName, weight: int, strength: int | None, words: str) -> Part:
    strength = strength or 0
    return Part(name, (weight * strength + FULL // 2) // FULL, words, strength)


def _disagreement(sides: Pair) -> Measured:
    """Two thirds how evenly the panel splits, the more contested tool counting double; one third the widest dissent."""
    splits = sorted((side.split for side in sides if side.split is not None), reverse=True)
    contested = _mean(*zip((2, 1), splits, strict=False))
    widest = max((side.dissent for side in sides if side.dissent is not None), default=None)
    dissent = None if widest is None else min(FULL, widest * FULL // WIDEST_DISSENT)
    by_contest = sorted(sides, key=lambda side: side.split or 0, reverse=True)
    told = [side.contest_in_words for side in by_contest if side.split] or [
        side.contest_in_words for side in sides if side.sharp
    ]
    if told:
        words = listed(told)
    elif len(splits) == len(sides):
        words = "the panel is of one mind on both"
    else:
        words = "the page does not say how the panel splits"
    contradictory = [side.name for side in sides if not side.panel.sound]
    if contradictory:
        words += f", and the page contradicts itself about {listed(contradictory)}"
    return _mean((2, contested), (1, dissent)), words


def _preference(sides: Pair) -> Measured:
    """Two thirds how evenly the critics divide over which is better; one third when split and averages disagree."""
    left, right = sides
    leanings = [
        leaning
        for reviewer, take in left.takes.items()
        if reviewer in right.takes and (leaning := _leaning(take, right.takes[reviewer])) is not None
    ]
    lefts, rights = leanings.count(-1), leanings.count(1)
    divided = min(FULL, 2 * FULL * min(lefts, rights) // max(lefts + rights, USUAL_PANEL)) if leanings else None
    twist = _twist(left, right)
    words = _preferred(left, right, lefts, rights, len(leanings))
    if twist:
        words += f", and the panel ships {twist[0].name} more often but scores {twist[1].name} higher"
    return _mean((2, divided), (1, FULL if twist else 0)), words


def _leaning(left: TakeFacts, right: TakeFacts) -> int | None:
    """-1: this critic prefers the left tool; by score, else by call; None where neither is known for both."""
    if left.score is not None and right.score is not None:
        return (right.score > left.score) - (right.score < left.score)
    if left.call is not None and right.call is not None:
        return (right.call == "ship") - (left.call == "ship")
    return None


def _preferred(left: Judged, right: Judged, lefts: int, rights: int, both: int) -> str:
    """What the critics of both tools make of them; `both` is how many there are."""
    if not both:
        return "no critic judged both tools"
    if lefts and rights:
        return f"{_prefer(lefts)} {left.name}, {figures.number(rights)} {right.name}"
    if not lefts and not rights:
        return f"{'the only critic' if both == 1 else 'all critics'} of both saw no difference"
    winner = (left if lefts else right).name
    if lefts + rights < both:
        return f"{_prefer(lefts + rights)} {winner}, none the other"
    return f"the only critic of both prefers {winner}" if both == 1 else f"all critics of both prefer {winner}"


def _prefer(count: int) -> str:
    return f"{figures.number(count)} {'critic prefers' if count == 1 else 'critics prefer'}"


def _twist(left: Judged, right: Judged) -> Pair | None:
    """The tool with the better split and the one with the better average, where these are two."""
    if left.ships is None or right.ships is None or left.average is None or right.average is None:
        return None
    if (left.ships - right.ships) * (left.average - right.average) >= 0:
        return None
    return (left, right) if left.ships > right.ships else (right, left)


def _distance(sides: Pair) -> Measured:
    """Three fifths the gap between the percentages, two fifths the gap between the averages."""
    left, right = sides
    gap = averages = None
    words = []
    if left.ships is not None and right.ships is not None:
        gap = abs(left.ships - right.ships)
        words.append(_against(left.ships_in_words, right.ships_in_words))
    if left.average is not None and right.average is not None:
        averages = min(FULL, abs(left.average - right.average) // WIDEST_AVERAGES)
        words.append(f"averages {_against(left.average_in_words, right.average_in_words)}")
    return _mean((3, gap), (2, averages)), ", ".join(words) or "the page gives no figures to compare"


def _against(left: str, right: str) -> str:
    return f"level at {left}" if left == right else f"{left} against {right}"


def _community(sides: Pair) -> Measured:
    """Half how many voted, in steps; half how far readers and panel differ on one tool."""
    said = [side.tool.community for side in sides if side.tool.community is not None]
    votes = sum(community.votes or 0 for community in said)
    uncounted = any(community.votes is None and community.ship_percent is not None for community in said)
    if votes:
        words = "one vote" if votes == 1 else f"{votes:,} votes"
    elif uncounted:
        words = "votes, but the page does not say how many"
    elif len(said) == len(sides):
        words = "no community votes yet"
    else:
        words = "the page does not say how the community voted"
    interest = bisect_right(VOTE_STEPS, votes) * FULL // len(VOTE_STEPS) if votes else None
    torn = max((side for side in sides if side.rift is not None), key=lambda side: side.rift or 0, default=None)
    rift = torn.rift if torn else None
    if torn and rift and rift >= WIDE_RIFT:
        words += f", {torn.rift_in_words}"
    return _mean((1, interest), (1, rift)), words


def _newness(sides: Pair, known: Sequence[Known], week: Week) -> Measured:
    """The mean of both: full for a tool never featured, less the more recently it was."""
    if all(one.new for one in known):
        words = "both tools new to our readers"
    else:
        words = ", ".join(_seen(side, one) for side, one in zip(sides, known, strict=True))
    return sum(_fresh(one, week) for one in known) // len(known), words


def _fresh(known: Known, week: Week) -> int:
    if known.new:
        return FULL
    ago = RECOVERY_WEEKS if known.last_week is None else week.since(known.last_week)
    return RECOVERED * max(0, min(ago, RECOVERY_WEEKS)) // RECOVERY_WEEKS


def _seen(side: Judged, known: Known) -> str:
    if known.new:
        return f"{side.name} new to our readers"
    times = max(1, known.times_featured)
    often = {1: "once", 2: "twice"}.get(times, f"{figures.number(times)} times")
    if known.last_week is None:
        return f"{side.name} featured {often} before"
    return f"{side.name} featured {often}, {'in' if times == 1 else 'last in'} {known.last_week}"


def _change(sides: Pair, known: Sequence[Known]) -> Measured:
    """A verdict that is no longer what our readers were told: by its steps between skip, mixed and ship."""
    told = [
        (side, one, side.verdict, one.last_verdict)
        for side, one in zip(sides, known, strict=True)
        if side.verdict and one.last_verdict
    ]
    if not told:
        return None, "no earlier verdict of ours to compare with"
    steps = [abs(_STEPS[now] - _STEPS[then]) for _, _, now, then in told]
    changes = [
        f"{side.name} was {then}{f' in {one.last_week}' if one.last_week else ''} and is {now} now"
        for side, one, now, then in told
        if now != then
    ]
    strength = min(FULL, sum((0, ONE_STEP, FULL)[step] for step in steps))
    return strength, ", ".join(changes) or "verdicts as our readers know them"


def _completeness(facts: ComparisonFacts, sides: Pair) -> Measured:
    """What an entry is made of: for each tool two scores, a remark of a named reviewer and a price; and the link."""
    missing = [f"{listed(side.lacking)} of {side.name}" for side in sides if side.lacking]
    if not facts.url:
        missing.append("the link")
    needed = 3 * len(sides) + 1
    present = needed - sum(len(side.lacking) for side in sides) - (not facts.url)
    return FULL * present // needed, f"missing: {', '.join(missing)}" if missing else "nothing is missing"


def listed(items: Sequence[str]) -> str:
    """A, B and C."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]


def _mean(*measures: tuple[int, int | None]) -> int | None:
    """The weighted mean of the measures that are known, rounded down; None where none is."""
    total = weights = 0
    for weight, measure in measures:
        if measure is not None:
            total += weight * measure
            weights += weight
    return total // weights if weights else None
