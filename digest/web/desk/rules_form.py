"""The rules of selection as a form: each box with its name, its limits and its default, and what was typed into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from digest.errors import DigestError
from digest.selection import Rules, Weights

LONGEST = 40


class Nonsense(DigestError):
    """These rules cannot be applied. `at_fault` is the box."""

    def __init__(self, message: str, at_fault: str) -> None:
        super().__init__(message)
        self.at_fault = at_fault


@dataclass(frozen=True, slots=True)
class Box:
    """One rule. `group` is what it belongs to."""

    name: str
    label: str
    hint: str
    group: str
    default: int
    least: int
    most: int
    in_force: int
    given: str

    @property
    def is_other(self) -> bool:
        return self.given != str(self.in_force)


CAPS, COSTS, WEIGHTS = "How much", "What repeating costs", "What a score is made of"

_WORDS = {
    "max_entries": ("Entries at most", "How many the edition holds.", CAPS),
    "min_entries": ("Entries at least", "With fewer there is no edition.", CAPS),
    "per_tool": ("Entries with one tool", "At most, counting pinned ones.", CAPS),
    "near_misses": ("Near misses", "Lines under Also compared.", CAPS),
    "repeated_tool": ("A repeated tool", "Points off for each entry that has it already.", COSTS),
    "crowded_category": ("A crowded category", "Points off for each entry already in it.", COSTS),
    "disagreement": ("Disagreement", "How evenly the panel splits.", WEIGHTS),
    "preference": ("Preference", "How the critics divide over which is better.", WEIGHTS),
    "distance": ("Distance", "How far the two tools lie apart.", WEIGHTS),
    "community": ("Community", "Votes, and how they differ from the panel.", WEIGHTS),
    "newness": ("Newness", "Tools our readers have not seen lately.", WEIGHTS),
    "change": ("Change", "A verdict that is no longer what readers know.", WEIGHTS),
    "completeness": ("Completeness", "Scores, remarks, prices and the link.", WEIGHTS),
}
NAMES = tuple(_WORDS)
WEIGHT_NAMES = tuple(Weights.model_fields)


def label_of(name: str) -> str:
    """What a rule is called."""
    return _WORDS[name][0]


def values_of(rules: Rules) -> dict[str, int]:
    """Each rule by its name, weights among them."""
    return rules.model_dump(exclude={"weights"}) | rules.weights.model_dump()


def boxes(in_force: Rules, given: Mapping[str, str]) -> list[Box]:
    """Every rule, with what was typed or else what is in force."""
    current, defaults = values_of(in_force), values_of(Rules())
    return [
        Box(
            name,
            label,
            hint,
            group,
            defaults[name],
            *_limits()[name],
            current[name],
            given.get(name, str(current[name])),
        )
        for name, (label, hint, group) in _WORDS.items()
    ]


def read(in_force: Rules, given: Mapping[str, str]) -> Rules:
    """The rules that somebody typed; a box that was not sent is as it is. Raises Nonsense."""
    values = values_of(in_force)
    for name in NAMES:
        if name in given:
            values[name] = _number(name, given[name])
    if values["min_entries"] > values["max_entries"]:
        raise Nonsense(
            f"Entries at least ({values['min_entries']}) must not be more than entries at most "
            f"({values['max_entries']}).",
            "min_entries",
        )
    weights = Weights(**{name: values.pop(name) for name in WEIGHT_NAMES})
    return Rules(**values, weights=weights)


def changed(before: Rules, after: Rules) -> list[tuple[str, int, int]]:
    """What each rule that is not the same is called, then and now."""
    then, now = values_of(before), values_of(after)
    return [(label_of(name), then[name], now[name]) for name in NAMES if then[name] != now[name]]


def _number(name: str, text: str) -> int:
    least, most = _limits()[name]
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < LONGEST and least <= int(text) <= most:
        return int(text)
    got = f"“{text[:LONGEST]}”" if text else "nothing"
    raise Nonsense(f"{label_of(name)} must be a whole number from {least} to {most:,}, not {got}.", name)


@cache
def _limits() -> dict[str, tuple[int, int]]:
    """The least and the most of each rule, from the rules themselves."""
    return {name: limits for model in (Rules, Weights) for name, limits in _limits_in(model.model_json_schema())}


def _limits_in(schema: dict[str, dict[str, dict[str, int]]]) -> Iterator[tuple[str, tuple[int, int]]]:
    for name, told in schema["properties"].items():
        if "minimum" in told:
            yield name, (told["minimum"], told["maximum"])
