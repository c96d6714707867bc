"""What there is to say about two tools side by side: the situation, and the words its phrasings need. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from digest.verdicts import figures, phrasebook
from digest.verdicts.figures import Reading
from digest.verdicts.phrasebook import Phrases

_CLOSE = 1
_LEVEL = {
    "sweep": "two sweeps",
    "ship": "two ships",
    "half": "two halves",
    "mixed": "two mixed",
    "skip": "two skips",
    "shutout": "two shutouts",
}
_RUNG = {"sweep": "sweep", "ship": "ship", "half": "mixed", "mixed": "mixed", "skip": "skip", "shutout": "shutout"}
# Nobody writes "mixed over shutout" differently from "mixed over skip".
_SAME = {"mixed over shutout": "mixed over skip", "skip over shutout": "skip over skip"}


@dataclass(frozen=True)
class Scene:
    """`situation` is a key of `phrasebook.SUBJECTS`; `phrases` may stand here, `closing` after them."""

    situation: str
    phrases: Phrases
    slots: dict[str, str]
    closing: Phrases = ()


@dataclass(frozen=True)
class _Tool:
    name: str
    panel: Reading

    @property
    def known(self) -> bool:
        return self.panel.share is not None or self.panel.verdict is not None


def scene(left: Reading, right: Reading, names: tuple[str, str]) -> Scene:
    """The situation of one comparison. `names` as the sentence shall use them."""
    here, there = _Tool(names[0], left), _Tool(names[1], right)
    found = _scene(here, there)
    return replace(found, slots={**found.slots, "left": names[0], "right": names[1]})


def _scene(left: _Tool, right: _Tool) -> Scene:
    if not (left.panel.sound and right.panel.sound):
        return _plain("doubt", left, right)
    if not (left.known or right.known):
        return _no_verdict(left, right)
    if not (left.known and right.known):
        return _plain("one verdict", *((left, right) if left.known else (right, left)))
    if left.panel.share is None or right.panel.share is None:
        return _badges(left, right)
    if 1 in (left.panel.votes, right.panel.votes):
        return _thin(left, right)
    if figures.level(left.panel, right.panel):
        return _level(left, right)
    return _apart(*((left, right) if left.panel.share > right.panel.share else (right, left)))


# The page does not say enough


def _plain(situation: str, lead: _Tool, trail: _Tool) -> Scene:
    slots = {
        "lead": lead.name,
        "trail": trail.name,
        "does": outcome(lead.name, lead.panel),
        "done": outcome(trail.name, trail.panel),
    }
    return Scene(situation, phrasebook.ELSE[situation], slots)


def _no_verdict(left: _Tool, right: _Tool) -> Scene:
    ranked = _by_average(left, right)
    if ranked is None:
        return Scene("no verdict", phrasebook.ELSE["no verdict"], {})
    situation = "no verdict, scores alike" if _gap(*ranked) == 0 else "no verdict, scores"
    return Scene(situation, phrasebook.ELSE[situation], _average_slots(*ranked))


def _badges(left: _Tool, right: _Tool) -> Scene:
    if left.panel.verdict == right.panel.verdict:
        slots = {"verdict": str(left.panel.verdict)}
        return Scene("two badges, alike", phrasebook.ELSE["two badges, alike"], slots)
    return _plain("badge", left, right)


def _thin(left: _Tool, right: _Tool) -> Scene:
    """One vote is a vote, not a panel: it neither sweeps nor leads."""
    if left.panel.votes != right.panel.votes:
        full, thin = (right, left) if left.panel.votes == 1 else (left, right)
        found = _plain("one vote", full, thin)
        return replace(found, slots={**found.slots, "call": _single_call(thin.panel)})
    calls = _single_call(left.panel), _single_call(right.panel)
    situation = "one vote each, divided" if calls[0] != calls[1] else f"one vote each, {calls[0]}"
    return _plain(situation, *((left, right) if calls[0] == "ship" else (right, left)))


# Level


def _level(left: _Tool, right: _Tool) -> Scene:
    situation = _LEVEL[str(left.panel.standing)]
    ranked = _by_average(left, right)
    slots = _level_slots(left.panel, right.panel) | (_average_slots(*ranked) if ranked else {})
    return Scene(situation, phrasebook.LEVEL[situation], slots, phrasebook.AVERAGES[_averages(ranked)])


def _level_slots(left: Reading, right: Reading) -> dict[str, str]:
    rounded = left if left.split is None else right
    if left.split and left.split == right.split:
        tally = figures.tally(left.split)
        return {"share": figures.in_words(left), "by": tally, "each": f", {tally} each"}
    percent = figures.percent_of(rounded)
    spoken = left.share == right.share and figures.is_spoken(left.share)
    return {"share": figures.in_words(left) if spoken else percent, "by": f"on {percent}", "each": ""}


def _averages(ranked: tuple[_Tool, _Tool] | None) -> str:
    if ranked is None:
        return "unknown"
    gap = _gap(*ranked)
    if gap == 0:
        return "alike"
    if gap == 1:
        return "one point"
    return "close" if gap < _CLOSE else "apart"


# Apart


def _apart(lead: _Tool, trail: _Tool) -> Scene:
    counted = bool(lead.panel.split and trail.panel.split)
    book = phrasebook.BY_COUNT if counted else phrasebook.BY_SHARE
    slots = _apart_slots(lead, trail)
    ranked = _by_average(lead, trail)
    if ranked and ranked[0] is trail:
        situation, phrases = _votes_against_scores(lead, book)
        return Scene(situation, phrases, slots | _average_slots(*ranked))
    situation = f"{_RUNG[str(lead.panel.standing)]} over {_RUNG[str(trail.panel.standing)]}"
    situation = _SAME.get(situation, situation)
    return Scene(situation, book[situation] + _special(situation, lead.panel, trail.panel), slots)


def _votes_against_scores(lead: _Tool, book: dict[str, Phrases]) -> tuple[str, Phrases]:
    situation = "votes against scores"
    if lead.panel.standing == "skip":
        situation = "votes against scores, both skips"
        return situation, book[situation]
    if lead.panel.standing in ("sweep", "ship"):
        return situation, book["votes against scores, a ship"] + book[situation]
    return situation, book[situation]


def _special(situation: str, lead: Reading, trail: Reading) -> Phrases:
    if not (lead.split and trail.split):
        return ()
    if situation == "ship over mixed" and lead.votes == trail.votes and lead.split.ship == trail.split.ship + 1:
        return phrasebook.BY_COUNT["one vote apart"]
    if situation == "ship over skip" and (lead.split.ship, lead.split.skip) == (trail.split.skip, trail.split.ship):
        return phrasebook.BY_COUNT["mirror image"]
    return ()


def _apart_slots(lead: _Tool, trail: _Tool) -> dict[str, str]:
    high, low = lead.panel, trail.panel
    lead_share, trail_share = figures.in_words(high), figures.in_words(low)
    slots = {
        "lead": lead.name,
        "trail": trail.name,
        "lead_share": lead_share,
        "trail_share": trail_share,
        "Lead_share": _opening(lead_share),
        "Trail_share": _opening(trail_share),
    }
    if high.split and low.split:
        figure = figures.tally(high.split), figures.tally(low.split)
        after = f" {figure[0]}", f" {figure[1]}"
    else:
        figure = figures.percent_of(high), figures.percent_of(low)
        after = "" if high.standing == "sweep" else f" on {figure[0]}", f" on {figure[1]}"
    return slots | {"L": figure[0], "T": figure[1], "L_by": after[0], "T_by": after[1]}


# Averages: compared as they are printed, so that nobody leads 81.8 to 81.8


def _by_average(left: _Tool, right: _Tool) -> tuple[_Tool, _Tool] | None:
    if left.panel.average is None or right.panel.average is None:
        return None
    return (right, left) if _printed(right) > _printed(left) else (left, right)


def _average_slots(ahead: _Tool, behind: _Tool) -> dict[str, str]:
    return {
        "ahead": ahead.name,
        "behind": behind.name,
        "high": figures.one_decimal(ahead.panel.average or Fraction(0)),
        "low": figures.one_decimal(behind.panel.average or Fraction(0)),
    }


def _gap(ahead: _Tool, behind: _Tool) -> Fraction:
    return _printed(ahead) - _printed(behind)


def _printed(tool: _Tool) -> Fraction:
    return Fraction(figures.one_decimal(tool.panel.average or Fraction(0)))


# One tool


def outcome(name: str, panel: Reading) -> str:
    """What the panel made of one tool, as a clause: "Axolotl ships 3–1"."""
    if not panel.sound:
        return f"{name} {_as_the_page_has_it(panel)}"
    if panel.votes == 1:
        return f"{name} has a single vote, to {_single_call(panel)}"
    if panel.standing is None:
        return f"{name} {f'gets a {panel.verdict} verdict' if panel.verdict else 'has no panel verdict'}"
    return f"{name} {_verb(panel)}"


def _single_call(panel: Reading) -> str:
    return "ship" if panel.share else "skip"


def _verb(panel: Reading) -> str:
    if panel.split:
        tally = figures.tally(panel.split)
        return {
            "sweep": f"sweeps the panel {tally}",
            "ship": f"ships {tally}",
            "half": f"divides the panel {tally}",
            "mixed": f"divides the panel {tally}",
            "skip": f"falls {tally}",
            "shutout": f"falls {tally}",
        }[str(panel.standing)]
    share = figures.percent_of(panel)
    return {
        "sweep": "sweeps the panel",
        "ship": f"ships on {share}",
        "half": "divides the panel in half",
        "mixed": f"divides the panel, with {share} in favour",
        "skip": f"falls short on {share}",
        "shutout": "wins no vote",
    }[str(panel.standing)]


def _as_the_page_has_it(panel: Reading) -> str:
    """The contradiction itself: "is marked ship on 67 %"."""
    parts = []
    if panel.percent is not None:
        parts.append(f"on {figures.percent_of(panel)}")
    if panel.split:
        parts.append(f"with a {figures.tally(panel.split)} split")
    return " ".join([f"is marked {panel.verdict}" if panel.verdict else "stands", *parts])


def _opening(share: str) -> str:
    """A share as a sentence begins with it: never with a figure."""
    if share[0].isdigit():
        return f"Of the panel, {share.removesuffix(' of the panel')}"
    return share[0].upper() + share[1:]
