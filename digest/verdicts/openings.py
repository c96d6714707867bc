"""What a reader sees first: the subject, and the edition in one breath. Pure; facts of the mail, no teasing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from digest.facts import Verdict
from digest.verdicts import phrasebook, scenes
from digest.verdicts.figures import Reading, number, one_decimal, percent_of, plain, spoken, tally
from digest.verdicts.quotations import Found
from digest.verdicts.scenes import Scene
from digest.verdicts.sentences import finished

SHORTEST_SUBJECT, LONGEST_SUBJECT = 10, 78
LONGEST_BREATH = 200

# A phone's inbox shows about 33 characters: after a longer name than this the verb would be out of sight.
_LONG_NAME = 24
_PAIR = ("both", "neither")
_NOTHING = "No new verdicts this week"

_VERBS: dict[Verdict | None, tuple[str, str]] = {
    "ship": ("ships", "ship"),
    "mixed": ("is mixed", "are mixed"),
    "skip": ("is skipped", "are skipped"),
    None: ("has no verdict", "have no verdict"),
}


@dataclass(frozen=True)
class Told:
    """One comparison as the openings tell it: `names` short, `scene` made with them."""

    identities: tuple[str, str]
    names: tuple[str, str]
    panels: tuple[Reading, Reading]
    scene: Scene
    quotation: Found | None


# The subject


def subject(entries: Sequence[Told]) -> str:
    """10 to 78 characters: the most newsworthy situation of the edition, of two alike the earlier entry.

    Where its names are too long, the next situation whose names fit; then the first situation without names.
    """
    return next(line for line in _subjects(entries) if SHORTEST_SUBJECT <= len(line) <= LONGEST_SUBJECT)


def _subjects(entries: Sequence[Told]) -> Iterator[str]:
    ranked = by_news(entries)
    for entry in ranked:
        yield from _in_sight(entry.scene)
    for entry in ranked:
        yield phrasebook.NAMELESS[entry.scene.situation]
    yield _NOTHING


def _in_sight(scene: Scene) -> list[str]:
    """Its subjects, those first whose verb can be seen on a phone."""
    phrases = sorted(phrasebook.SUBJECTS[scene.situation], key=lambda phrase: _opens_with_long_name(phrase, scene))
    return [phrase.format_map(scene.slots) for phrase in phrases]


def _opens_with_long_name(phrase: str, scene: Scene) -> bool:
    return phrase.startswith("{") and len(phrase.split(maxsplit=1)[0].format_map(scene.slots)) > _LONG_NAME


def by_news(entries: Sequence[Told]) -> list[Told]:
    return sorted(entries, key=lambda entry: phrasebook.NEWS.index(entry.scene.situation))


# The breath


@dataclass(frozen=True)
class _Line:
    """A sentence that the breath has if there is room. `news` mentions tools that no line before it mentioned."""

    words: str
    about: frozenset[str]
    news: bool = False


def breath(entries: Sequence[Told], leader: str | None) -> str:
    """At most 200 characters: how the tools came out, who leads, and what else was decided, as far as it fits.

    `leader` is the identity of the one tool ahead of all others; None where nobody is.
    """
    if not entries:
        return f"{_NOTHING}."
    said, mentioned = _count(entries), set[str]()
    for line in _more(entries, leader):
        if len(said) + 1 + len(line.words) > LONGEST_BREATH or (line.news and line.about & mentioned):
            continue
        said = f"{said} {line.words}"
        mentioned |= line.about
    return said


def _count(entries: Sequence[Told]) -> str:
    verdicts = {
        identity: panel.verdict
        for entry in reversed(entries)
        for identity, panel in zip(entry.identities, entry.panels, strict=True)
    }
    comparisons = "comparison" if len(entries) == 1 else "comparisons"
    tools = "tool" if len(verdicts) == 1 else "tools"
    outcomes = _outcomes(Counter(verdicts.values()))
    return f"{number(len(entries)).capitalize()} {comparisons}, {number(len(verdicts))} {tools}: {outcomes}."


def _outcomes(counts: Counter[Verdict | None]) -> str:
    groups = [(verdict, counts[verdict]) for verdict in _VERBS if counts[verdict]]
    if len(groups) == 1:
        return _unanimous(*groups[0])
    said = [f"{_alike(count, counts)} {_VERBS[verdict][count > 1]}" for verdict, count in groups]
    return ", ".join(said) if len(said) == len(_PAIR) else f"{', '.join(said[:-1])} and {said[-1]}"


def _alike(count: int, counts: Counter[Verdict | None]) -> str:
    """In words, unless one of its neighbours needs figures."""
    return number(count) if all(map(spoken, counts.values())) else str(count)


def _unanimous(verdict: Verdict | None, count: int) -> str:
    if count == 1:
        return f"it {_VERBS[verdict][0]}"
    everyone, nobody = _PAIR if count == len(_PAIR) else ("all", "none")
    if verdict in ("skip", None):
        return f"{nobody} {'ships' if verdict else 'has a verdict'}"
    return f"{everyone} {_VERBS[verdict][1]}"


def _more(entries: Sequence[Told], leader: str | None) -> Iterator[_Line]:
    """What to add, the weightiest first."""
    first = next((entry for entry in entries if leader in entry.identities), None)
    if first and leader:
        at = first.identities.index(leader)
        yield _Line(f"{first.names[at]} leads, {_in_figures(first.panels[at])}.", frozenset((leader,)))
        if len(entries) == 1:
            yield _other(first, 1 - at)
    for entry in by_news(entries):
        if entry.scene.situation in phrasebook.DECIDED:
            yield _news(entry)
    for entry in entries:
        yield from _lone_dissent(entry)


def _in_figures(panel: Reading) -> str:
    vote = tally(panel.split) if panel.split else percent_of(panel) if panel.share is not None else "a ship"
    return vote if panel.average is None else f"{vote} with an average of {one_decimal(panel.average)}"


def _other(entry: Told, at: int) -> _Line:
    said = scenes.outcome(entry.names[at], entry.panels[at])
    average = entry.panels[at].average
    with_average = said if average is None else f"{said} and averages {one_decimal(average)}"
    return _Line(finished(f"{with_average}."), frozenset((entry.identities[at],)))


def _news(entry: Told) -> _Line:
    words = phrasebook.SUBJECTS[entry.scene.situation][0].format_map(entry.scene.slots)
    return _Line(finished(f"{words}."), frozenset(entry.identities), news=True)


def _lone_dissent(entry: Told) -> Iterator[_Line]:
    """The one critic against the rest of a panel, if the entry quotes that one and the score is known."""
    found = entry.quotation
    if found is None or found.kind != "dissent" or found.take.score is None:
        return
    at = entry.identities.index(found.tool.identity)
    panel = entry.panels[at]
    if panel.sound and panel.split and min(votes := (panel.split.ship, panel.split.skip)) == 1 < max(votes):
        words = f"Lone dissent: {found.take.reviewer}, {plain(found.take.score)} for {entry.names[at]}."
        yield _Line(finished(words), frozenset())
