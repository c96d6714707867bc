"""Seeded chance that does not depend on the order in which threads ask: the same question has the same answer."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

_ALL = 2**64


def luck(seed: int, *about: object) -> float:
    """A number from 0 up to 1."""
    return int.from_bytes(digest(seed, *about, size=8), "big") / _ALL


def digest(seed: int, *about: object, size: int) -> bytes:
    return blake2b(repr((seed, *about)).encode(), digest_size=size).digest()


def checked(chances: Mapping[str, float]) -> dict[str, float]:
    """Raises ValueError for what is no chance."""
    for what, chance in chances.items():
        if not isinstance(chance, int | float) or not 0 <= chance <= 1:
            raise ValueError(f"the chance of {what!r} must be from 0 to 1, got {chance!r}")
    return dict(chances)
