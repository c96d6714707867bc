"""Mail providers that are easily mistyped: what somebody most likely meant. Pure, so it cannot depend on who is known.

It only ever asks, and asks about nobody's own domain: a guess is made for the few providers that many people have, and
only where the name is one slip away from theirs (two in a long name), or the ending is a known slip for theirs.
"""

from __future__ import annotations

from subscribers.addresses import Address

# Name and ending of the providers most lists are full of.
PROVIDERS = {
    "gmail": "com",
    "googlemail": "com",
    "hotmail": "com",
    "outlook": "com",
    "yahoo": "com",
    "icloud": "com",
    "protonmail": "com",
    "fastmail": "com",
    "t-online": "de",
    "posteo": "de",
}

# One slip away from one of those, and somebody's all the same.
REAL = frozenset({"mail.com", "email.com", "ymail.com", "cloud.com"})

# Slips for an ending, each beside what was meant. Two letters are a country's own: those count only behind a name
# that is spelled right.
ENDINGS = {
    **dict.fromkeys(("con", "cmo", "ocm", "comm", "vom", "xom", "cpm", "cim", "coom", "copm", "co", "cm", "om"), "com"),
    **dict.fromkeys(("ed", "dee", "dw"), "de"),
}
COUNTRY = 2

LONG = 7
"""Letters from which on a name may be two slips away."""


def meant(address: Address) -> str | None:
    """The whole address with its domain as most likely meant; None where there is nothing to ask."""
    domain = address.key.rpartition("@")[2]
    guess = None if domain in REAL else _meant(*domain.partition(".")[::2])
    return None if guess in (None, domain) else f"{address.typed.rpartition('@')[0]}@{guess}"


def _meant(name: str, typed: str) -> str | None:
    ending = ENDINGS.get(typed, typed)
    if name in PROVIDERS:
        return f"{name}.{ending}"
    if ending != typed and len(typed) == COUNTRY:
        return None
    slips = {known: distance(name, known) for known, its_ending in PROVIDERS.items() if its_ending == ending}
    nearest = min(slips, key=lambda known: slips[known], default=None)
    if nearest is None or slips[nearest] > (2 if len(nearest) >= LONG else 1):
        return None
    return f"{nearest}.{ending}"


def distance(left: str, right: str) -> int:
    """How many letters were left out, put in, exchanged, or swapped with their neighbour."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, start=1):
        above, row = rows[-1], [i]
        for j, b in enumerate(right, start=1):
            slips = [above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b)]
            if i > 1 and j > 1 and (a, left[i - 2]) == (right[j - 2], b):
                slips.append(rows[-2][j - 2] + 1)
            row.append(min(slips))
        rows.append(row)
    return rows[-1][-1]
