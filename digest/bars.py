"""One bar of parts, as inline SVG that needs no colour and no script. Pure.

Each part has a pattern of its own; its colour is a class for the style sheet (`sending.css`), so light and dark are
its business. The page says the same figures in words beside it, so the bar itself is not read out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WHOLE = 100.0
LEAST = 0.7
"""Per cent of the bar. However few they are among a million: a part with anybody in it can be seen."""

# By name: what is drawn in the ink of a part over its paper. Solid and empty need nothing.
_PATTERNS = {
    "solid": Markup(),
    "empty": Markup(),
    "hatched": Markup('<path class="stroke" d="M-1.5 1.5 1.5 -1.5M0 6 6 0M4.5 7.5 7.5 4.5"/>'),
    "dotted": Markup('<circle class="on" cx="1.5" cy="1.5" r="1.1"/><circle class="on" cx="4.5" cy="4.5" r="1.1"/>'),
    "lined": Markup('<path class="stroke" d="M0 1.5H6M0 4.5H6"/>'),
    "crossed": Markup('<path class="stroke" d="M0 0 6 6M6 0 0 6"/>'),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its word, which is its class too, how many, and the name of its pattern."""

    word: str
    count: int
    pattern: str

    @property
    def kind(self) -> str:
        return self.word.replace(" ", "-")


def bar(parts: Sequence[Part], key: str) -> Markup:
    """All of them side by side, each as wide as its share. `key` is unique on the page: ids are made of it."""
    drawn = []
    left = 0.0
    for part, width in zip(parts, widths([part.count for part in parts]), strict=True):
        if width:
            drawn.append(_rect(part, key, left, width))
        left += width
    return _svg("bar", [part for part in parts if part.count], key, Markup().join(drawn))


def swatch(part: Part, key: str) -> Markup:
    """The pattern of one part, for the words beside the bar."""
    return _svg("bar swatch", [part], key, _rect(part, key, 0, WHOLE))


def widths(counts: Sequence[int]) -> list[float]:
    """How wide each part is, in per cent and `WHOLE` in all: by its share, but never too thin to be seen."""
    total = sum(counts)
    natural = [WHOLE * count / total if total else 0.0 for count in counts]
    thin = [0 < width < LEAST for width in natural]
    wide = sum(width for width, is_thin in zip(natural, thin, strict=True) if not is_thin)
    room = WHOLE - LEAST * sum(thin)
    return [
        LEAST if is_thin else (width * room / wide if wide else 0.0)
        for width, is_thin in zip(natural, thin, strict=True)
    ]


def _svg(kind: str, parts: Sequence[Part], key: str, body: Markup) -> Markup:
    patterns = [
        Markup(
            '<pattern id="{}-{}" class="{}" width="6" height="6" patternUnits="userSpaceOnUse">'
            '<rect class="off" width="6" height="6"/>{}</pattern>'
        ).format(key, part.kind, part.kind, _PATTERNS[part.pattern])
        for part in parts
        if _PATTERNS[part.pattern]
    ]
    return Markup('<svg class="{}" aria-hidden="true" focusable="false">{}{}</svg>').format(
        kind, Markup("<defs>{}</defs>").format(Markup().join(patterns)) if patterns else Markup(), body
    )


def _rect(part: Part, key: str, left: float, width: float) -> Markup:
    filled = Markup(' fill="url(#{}-{})"').format(key, part.kind) if _PATTERNS[part.pattern] else Markup()
    return Markup('<rect class="{} {}"{} x="{:.2f}%" y="0" width="{:.2f}%" height="100%"/>').format(
        part.pattern, part.kind, filled, left, width
    )
