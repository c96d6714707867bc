"""Colours as mails write them, and how well one stands out from another (WCAG 2.2, 1.4.3). Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_HEX = re.compile(r"#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_PART = r"(\d{1,3}(?:\.\d{1,6})?%?|\.\d{1,6})"
_RGB = re.compile(rf"rgba?\(\s*{_PART}[\s,]+{_PART}[\s,]+{_PART}(?:\s*[,/]\s*{_PART})?\s*\)")
# The sixteen that every client knows, and what else is written where a colour may stand.
_NAMED = {
    "black": "000000",
    "silver": "c0c0c0",
    "gray": "808080",
    "grey": "808080",
    "white": "ffffff",
    "maroon": "800000",
    "red": "ff0000",
    "purple": "800080",
    "fuchsia": "ff00ff",
    "green": "008000",
    "lime": "00ff00",
    "olive": "808000",
    "yellow": "ffff00",
    "navy": "000080",
    "blue": "0000ff",
    "teal": "008080",
    "aqua": "00ffff",
    "orange": "ffa500",
    "transparent": "00000000",
}
_SHORT = (3, 4)
_OPAQUE = 6
_FULL = 255
_LINEAR_BELOW = 0.04045


class Colour(NamedTuple):
    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def over(self, below: Colour) -> Colour:
        """As it is seen where something else, which hides all behind it, is below."""
        red, green, blue = (
            above * self.alpha + under * (1 - self.alpha) for above, under in zip(self[:3], below[:3], strict=True)
        )
        return Colour(red, green, blue)

    def __str__(self) -> str:
        return "#" + "".join(f"{round(part):02x}" for part in self[:3])


WHITE, BLACK = Colour(255, 255, 255), Colour(0, 0, 0)
NOTHING = Colour(0, 0, 0, 0)


@lru_cache(maxsize=512)
def colour(written: str) -> Colour | None:
    """What is written as a colour; None for what cannot be told."""
    text = written.strip().lower()
    text = _NAMED.get(text, text)
    if found := _HEX.fullmatch(text):
        return _from_hex(found[1])
    if found := _RGB.fullmatch(text):
        red, green, blue = (_part(part, _FULL) for part in found.group(1, 2, 3))
        return Colour(red, green, blue, 1.0 if found[4] is None else _part(found[4], 1))
    return None


def _from_hex(digits: str) -> Colour:
    if len(digits) in _SHORT:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue, *alpha = (int(digits[at : at + 2], 16) for at in range(0, len(digits), 2))
    return Colour(red, green, blue, alpha[0] / _FULL if len(digits) > _OPAQUE else 1.0)


def _part(written: str, whole: float) -> float:
    value = float(written.rstrip("%"))
    return min(whole, value * whole / 100 if written.endswith("%") else value)


@lru_cache(maxsize=1024)
def contrast(one: Colour, other: Colour) -> float:
    """From 1, which cannot be read, to 21, black on white."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(of: Colour) -> float:
    red, green, blue = (_linear(part / _FULL) for part in of[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4
