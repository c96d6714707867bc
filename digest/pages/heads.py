"""Which line of a tool's card is its name. Pure.

Above a card's percentage stand, in this order: an avatar letter, the category, the name, the tagline, the badge; some
may be missing, and a name may be spelled like any of the others. So every way to read both cards is weighed. The page's
title, which is made of the two names, decides; where there is none, the decision table's head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from digest.facts import Verdict
from digest.pages.lines import NAMES_APART, Unreadable, badge

_REACH = 6  # lines above a percentage among which the name is looked for
_LONGEST_AVATAR = 2
_LONGEST_CATEGORY = 60


@dataclass(frozen=True)
class Head:
    """One way to read the lines above a percentage. `start` is where the card begins in them."""

    name: str
    start: int
    category: str | None = None
    tagline: str | None = None
    badge: Verdict | None = None
    avatar: str | None = None
    spare: int = 0


def choose(
    left: Sequence[str],
    right: Sequence[str],
    *,
    titles: Sequence[str],
    table: tuple[str, str] | None,
    spaced: bool,
) -> tuple[Head, Head, str | None]:
    """The likeliest heads, and the title that names both (None where no title does).

    `left` and `right` are the lines above the two percentages; `table` the names of the decision table, where shown.
    Raises Unreadable where nothing tells the names from the other lines.
    """
    ones, others = list(_readings(left)), list(_readings(right))
    names, title = _names(ones, others, titles=titles, table=table)
    pairs = [
        (one, other)
        for one, other in product(ones, others)
        if (one.name, other.name) == names or (names is None and _full(one) and _full(other))
    ]
    if not pairs:
        raise Unreadable("The names of the two tools could not be told from the other lines of the page.")

    def likelihood(pair: tuple[Head, Head]) -> int:
        one, other = pair
        return (
            _worth(one, spaced=spaced)
            + _worth(other, spaced=spaced)
            + _likeness(one, other)
            - 20 * (one.category == title)
        )

    one, other = max(pairs, key=likelihood)
    return one, other, title


def _names(
    ones: Sequence[Head], others: Sequence[Head], *, titles: Sequence[str], table: tuple[str, str] | None
) -> tuple[tuple[str, str] | None, str | None]:
    """The two names and the title made of them; None where neither title nor decision table has any of these."""
    # Of several that a title fits, the longest: `A vs B | vs C` also begins like a title of A and B.
    possible = sorted({(one.name, other.name) for one, other in product(ones, others)}, key=_longest_first)
    for names in possible:
        if title := _title(titles, names):
            return names, title
    return (table, None) if table in possible else (None, None)


def _longest_first(names: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    return -len(names[0]) - len(names[1]), names


def _title(titles: Sequence[str], names: tuple[str, str]) -> str | None:
    """A title may be followed by the site's name, set off by a sign: `A vs B | Site`."""
    expected = NAMES_APART.join(names)
    for title in titles:
        rest = title[len(expected) :].lstrip()
        if title.startswith(expected) and (not rest or rest[0] in "|–—·-"):
            return expected
    return None


def _readings(lines: Sequence[str]) -> Iterator[Head]:
    for at in range(max(0, len(lines) - _REACH), len(lines)):
        for tagline, seal, spare in _endings(lines[at + 1 :]):
            for category, avatar, start in _beginnings(lines, at):
                yield Head(lines[at], start, category, tagline, seal, avatar, spare)


def _endings(after: Sequence[str]) -> Iterator[tuple[str | None, Verdict | None, int]]:
    """Tagline, badge, and how many lines are then left over."""
    if not after:
        yield None, None, 0
        return
    yield after[0], None, len(after) - 1
    if seal := badge(after[-1]):
        yield after[0] if len(after) > 1 else None, seal, max(0, len(after) - 2)


def _beginnings(lines: Sequence[str], at: int) -> Iterator[tuple[str | None, str | None, int]]:
    """Category, avatar, and where the card then begins."""
    for start in (at - 1, at):
        category = lines[start] if 0 <= start < at else None
        if start < at and not (category and 1 < len(category) <= _LONGEST_CATEGORY):
            continue
        yield category, None, start
        if start > 0 and len(lines[start - 1]) <= _LONGEST_AVATAR:
            yield category, lines[start - 1], start - 1


def _worth(head: Head, *, spaced: bool) -> int:
    worth = -4 * head.spare
    worth += 6 if head.category else 0
    worth += 3 if head.tagline else 0
    worth += 2 if head.avatar and head.name.casefold().startswith(head.avatar.casefold()) else 0
    if head.badge:  # the layout without blank lines and avatars has no badges: there it is a tagline
        worth += 4 if spaced or head.avatar else -2
    return worth


def _likeness(one: Head, other: Head) -> int:
    """Both cards of one page are made alike."""
    return (
        6 * (bool(one.badge) == bool(other.badge))
        + (bool(one.tagline) == bool(other.tagline))
        + (bool(one.avatar) == bool(other.avatar))
    )


def _full(head: Head) -> bool:
    return bool(head.category and head.tagline and not head.spare)
