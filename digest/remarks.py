"""Whose remark is it? Gives remarks that a page shows without reviewer and tool back to both. Pure.

What settles it: the same remark known from another page of a tool, or the number of the panel's votes. The order on
the page settles nothing: left, right, left, left is a legal page, whose last two reviewers have no take on the right
tool. What is not settled stays unassigned. No reviewer, score or call is ever guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digest.facts import Split, TakeFacts, clean

_QUOTES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"'})


@dataclass(frozen=True)
class Known:
    """What other pages say of one tool.

    `split` is its panel's, and counts only as long as it agrees with `panel_ship_percent`, the percentage on the page
    whose remarks are resolved (None: not compared): a panel may have voted again.
    """

    takes: tuple[TakeFacts, ...] = ()
    split: Split | None = None
    panel_ship_percent: int | float | None = None


@dataclass(frozen=True)
class Resolution:
    """Where each remark went; every tuple in page order.

    `left_takes` and `right_takes` are recognised: the known takes themselves. Of the `…_unattributed` the tool is
    certain but not the reviewer; of the `unassigned` neither, so they are not to be quoted.
    """

    left_takes: tuple[TakeFacts, ...] = ()
    right_takes: tuple[TakeFacts, ...] = ()
    left_unattributed: tuple[str, ...] = ()
    right_unattributed: tuple[str, ...] = ()
    unassigned: tuple[str, ...] = ()


def resolve(loose: Sequence[str], left: Known, right: Known) -> Resolution:
    """Resolve a page's loose remarks (page order). The order in which takes became known makes no difference."""
    if not loose:
        return Resolution()
    lefts, rights = _signed(left.takes), _signed(right.takes)
    is_left, is_right, rest = _divided([_key(remark) for remark in loose], lefts, rights)
    if _is_full(left, is_left) and _has_room(right, [*is_right, *rest]):
        is_right, rest = sorted([*is_right, *rest]), []
    elif _is_full(right, is_right) and _has_room(left, [*is_left, *rest]):
        is_left, rest = sorted([*is_left, *rest]), []
    left_takes, left_unattributed = _attributed([loose[at] for at in is_left], lefts)
    right_takes, right_unattributed = _attributed([loose[at] for at in is_right], rights)
    unassigned = tuple(loose[at] for at in rest)
    return Resolution(left_takes, right_takes, left_unattributed, right_unattributed, unassigned)


Signed = Mapping[str, Sequence[TakeFacts]]


def _key(remark: str) -> str:
    """What two printings of one remark have in common."""
    return clean(remark).translate(_QUOTES)


def _signed(takes: Sequence[TakeFacts]) -> Signed:
    """The takes that have both reviewer and remark, by remark; one per reviewer, in an order of their own."""
    found: defaultdict[str, dict[str, TakeFacts]] = defaultdict(dict)
    for take in sorted(takes, key=repr):
        if take.reviewer and take.remark:
            found[_key(take.remark)].setdefault(take.reviewer, take)
    return {key: tuple(by_reviewer.values()) for key, by_reviewer in found.items()}


def _divided(keys: Sequence[str], lefts: Signed, rights: Signed) -> tuple[list[int], list[int], list[int]]:
    """Where the remarks stand that are certainly the left tool's, the right tool's, and the rest.

    Where both tools are known to have the very same remark, only as many are certain as the other cannot account for.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, key in enumerate(keys):
        places[key].append(at)
    is_left: list[int] = []
    is_right: list[int] = []
    for key, alike in places.items():
        of_left, of_right = len(lefts.get(key, ())), len(rights.get(key, ()))
        surely_left = max(0, min(of_left, len(alike) - of_right))
        surely_right = max(0, min(of_right, len(alike) - of_left))
        is_left += alike[:surely_left]
        is_right += alike[surely_left : surely_left + surely_right]
    rest = set(range(len(keys))) - set(is_left) - set(is_right)
    return sorted(is_left), sorted(is_right), sorted(rest)


def _votes(known: Known) -> int | None:
    """How many have voted, and so how many takes there are; None where it is unknown or out of date."""
    split = known.split
    if split is None:
        return None
    total = split.ship + split.skip
    if known.panel_ship_percent is not None and total:
        # The page rounds, and nobody says which way.
        return total if abs(known.panel_ship_percent - 100 * split.ship / total) < 1 else None
    return total


def _is_full(known: Known, remarks: Sequence[int]) -> bool:
    return _votes(known) == len(remarks)


def _has_room(known: Known, remarks: Sequence[int]) -> bool:
    """Counts that contradict each other settle nothing."""
    votes = _votes(known)
    return votes is None or len(remarks) <= votes


def _attributed(remarks: Sequence[str], signed: Signed) -> tuple[tuple[TakeFacts, ...], tuple[str, ...]]:
    """One tool's remarks as takes, where every reviewer known to have said so is accounted for."""
    keys = [_key(remark) for remark in remarks]
    counts = Counter(keys)
    speakers = {key: iter(signed[key]) for key in counts if key in signed and counts[key] >= len(signed[key])}
    takes: list[TakeFacts] = []
    unattributed: list[str] = []
    for remark, key in zip(remarks, keys, strict=True):
        take = next(speakers[key], None) if key in speakers else None
        if take is None:
            unattributed.append(remark)
        else:
            takes.append(take)
    return tuple(takes), tuple(unattributed)
