"""What a score is made of, as one bar of inline SVG: a field for each part, as wide as it weighs, filled as far as it
earned. Pure.

Each part has its own place, so that bars beneath each other are read like columns, without colours. The page says the
same figures in words, so the bar itself is not read out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WHOLE = 100.0
GAP = 0.5
"""Per cent between two fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a score: the points it earned, of how many at most."""

    name: str
    points: int
    most: int
    words: str


def score_bar(fields: Sequence[Field], kind: str = "score-bar") -> Markup:
    """All parts side by side; one that can earn nothing has no field."""
    drawn, left = [], 0.0
    shown = [field for field in fields if field.most > 0]
    room = WHOLE - GAP * max(0, len(shown) - 1)
    total = sum(field.most for field in shown)
    for field in shown:
        width = room * field.most / total
        drawn.append(_drawn(field, left, width))
        left += width + GAP
    return Markup('<svg class="{}" aria-hidden="true" focusable="false">{}</svg>').format(kind, Markup().join(drawn))


def _drawn(field: Field, left: float, width: float) -> Markup:
    earned = width * min(field.points, field.most) / field.most
    return Markup(
        "<g><title>{}: {} of {}. {}</title>"
        '<rect class="most" x="{:.2f}%" y="0" width="{:.2f}%" height="100%"/>'
        '<rect class="earned" x="{:.2f}%" y="0" width="{:.2f}%" height="100%"/></g>'
    ).format(field.name, field.points, field.most, field.words, left, width, left, earned)
