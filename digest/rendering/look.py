"""The colours of every mail, in light and in dark. Pure; a test holds each pair of ink and paper to its contrast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """Six-digit colours. `ship`, `mixed` and `skip` colour verdicts and nothing else; `on_badge` is written on them."""

    paper: str
    card: str
    ink: str
    quiet: str
    rule: str
    link: str
    ship: str
    mixed: str
    skip: str
    on_badge: str


# What every reader has already; short, because they stand in every block.
SERIF = "Georgia,serif"
SANS = "-apple-system,Segoe UI,Roboto,Arial,sans-serif"

LIGHT = Palette(
    paper="#f5f1e8",
    card="#ffffff",
    ink="#1d1b18",
    quiet="#5f5a52",
    rule="#ddd6c8",
    link="#1a4f9c",
    ship="#17693f",
    mixed="#865200",
    skip="#ad2a1f",
    on_badge="#ffffff",
)
DARK = Palette(
    paper="#131211",
    card="#1e1c1a",
    ink="#ece6db",
    quiet="#b5aea2",
    rule="#3d3934",
    link="#9fc3ff",
    ship="#7ccf9e",
    mixed="#f0b85a",
    skip="#ff9d92",
    on_badge="#131211",
)


def contrast(ink: str, paper: str) -> float:
    """The ratio of WCAG 2.2 between two six-digit colours: 1 (the same) to 21 (black on white)."""
    lighter, darker = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)  # noqa: PLR2004
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
