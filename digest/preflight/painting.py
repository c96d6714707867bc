"""How each piece of a mail's text looks once it is painted, in light and in dark. Pure.

Worked out from the rendered HTML itself as a mail client does: the style sheets' rules (selectolax finds what they
select), attributes such as bgcolor, inline styles, and what elements inherit. A mail is looked at in pieces, each
within the open tags around it: most pieces are the same in every variant, and those are painted once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from digest.preflight.colours import BLACK, NOTHING, WHITE, Colour, colour
from digest.preflight.style_sheets import Rule, declarations, rules

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

#: Octets; a larger element is painted child by child.
PIECE = 6_000

_UNPAINTED = frozenset({"head", "style", "script", "title", "meta", "link", "template"})
_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark")
_NARROW_OR_PRINT = re.compile(r"max-width|max-device-width|\bprint\b|prefers-color-scheme")
_WEIGHTS = {"normal": 400, "bold": 700, "bolder": 700, "lighter": 300}
_BOLD = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})
_SIZES = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h5": 0.83, "h6": 0.67, "small": 0.83, "sub": 0.83, "sup": 0.83}
_KEYWORDS = {
    "xx-small": 9.0,
    "x-small": 10.0,
    "small": 13.0,
    "medium": 16.0,
    "large": 18.0,
    "x-large": 24.0,
    "xx-large": 32.0,
    "smaller": -0.83,
    "larger": -1.2,
}
_LENGTH = re.compile(r"(\d{0,6}(?:\.\d{1,6})?)(px|pt|em|rem|%)?")
_ROOT_SIZE = 16.0
_LINK_IN_LIGHT, _LINK_IN_DARK = Colour(0, 0, 238), Colour(158, 158, 255)
# What a client that understands `color-scheme: dark` puts under a mail that paints nothing itself.
_DARK_CANVAS = Colour(18, 18, 18)
_WHERE_A_COLOUR_STANDS = re.compile(r"#[0-9a-f]+\b|(?:rgb|hsl)a?\([^)]*\)|\b[a-z]+\b", re.IGNORECASE)
_INHERITED = frozenset({"inherit", "unset", "currentcolor", "revert"})


@dataclass(frozen=True, slots=True)
class Look:
    """How a piece of text stands there; None for a colour that is written so that it cannot be judged."""

    colour: Colour | None
    background: Colour | None
    size: float
    weight: int
    underlined: bool
    link: str | None = None
    """The address of the link that it is in."""
    unknown: str = ""
    """The colour that cannot be judged, as it is written."""


@dataclass(frozen=True, slots=True)
class Painted:
    """Some words as they look in light and in dark."""

    words: str
    light: Look
    dark: Look

    def look(self, scheme: Scheme) -> Look:
        return self.light if scheme == "light" else self.dark


def painted(tree: LexborHTMLParser) -> Iterator[Painted]:
    """All visible words of a mail, in their order."""
    if tree.body is None:
        return
    sheets = tuple(
        (style.text(), style.attributes.get("media") or "") for style in tree.css("style") if style.text().strip()
    )
    around = f"<html{_attributes(tree.root)}>" if tree.root else "<html>"
    for piece in pieces(tree.body, around):
        yield from _paint(piece, sheets)


def pieces(node: LexborNode, around: str) -> Iterator[str]:
    """An element in pieces of a handy size, each a document of its own within the open tags around it."""
    html = node.html or ""
    children = list(node.iter())
    if len(html) <= PIECE or not children or node.text(deep=False).strip():
        yield around + html
        return
    within = f"{around}<{node.tag}{_attributes(node)}>"
    if node.tag in ("table", "tbody", "thead", "tr"):
        yield around + html  # a part of a table is none without the rest
        return
    for child in children:
        yield from pieces(child, within)


def _attributes(node: LexborNode | None) -> str:
    attributes = node.attributes if node is not None else {}
    return "".join(f' {name}="{escape(value or "")}"' for name, value in attributes.items())


@lru_cache(maxsize=1024)
def _paint(piece: str, sheets: tuple[tuple[str, str], ...]) -> tuple[Painted, ...]:
    tree = LexborHTMLParser(piece)
    if tree.root is None:
        return ()
    selected = _selected(tree, sheets)
    light = Look(BLACK, WHITE, _ROOT_SIZE, _WEIGHTS["normal"], underlined=False)
    dark = replace(light, colour=WHITE, background=_DARK_CANVAS)
    return tuple(_walk(tree.root, {"light": light, "dark": dark}, selected))


Selected = Mapping[int, list[Rule]]


def _selected(tree: LexborHTMLParser, sheets: tuple[tuple[str, str], ...]) -> Selected:
    """The rules that have a say in how text looks, by element, in their order."""
    found: dict[int, list[Rule]] = {}
    for css, media in sheets:
        for rule in _rules_of_looks(css, media):
            try:
                nodes = tree.css(rule.selector)
            except SelectolaxError:
                continue  # a selector of one client's own, such as ::-moz-…: no other reads the rule
            for node in nodes:
                found.setdefault(node.mem_id, []).append(rule)
    return found


_OF_LOOKS = frozenset(
    {"color", "background", "background-color", "font", "font-size", "font-weight", "display", "visibility"}
    | {"text-decoration", "text-decoration-line"}
)


@lru_cache(maxsize=64)
def _rules_of_looks(css: str, media: str) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in rules(css, media)
        if not _OF_LOOKS.isdisjoint(rule.declarations) and (_DARK.search(rule.media) or not _off(rule.media))
    )


def _off(media: str) -> bool:
    """Whether a rule is for another medium than a wide screen. Phones get what is bigger, not what is fainter."""
    return bool(_NARROW_OR_PRINT.search(media))


def _walk(node: LexborNode, around: Mapping[Scheme, Look], selected: Selected) -> Iterator[Painted]:
    if node.tag in _UNPAINTED:
        return
    looks: dict[Scheme, Look] = {}
    of_node = selected.get(node.mem_id, [])
    for scheme in SCHEMES:
        applied = _cascade(node, of_node, scheme)
        if applied.get("display") == "none" or applied.get("visibility") == "hidden":
            return
        looks[scheme] = _look(node, around[scheme], applied, scheme)
    own = node.text(deep=False)
    if own.strip():
        yield Painted(" ".join(own.split()), looks["light"], looks["dark"])
    for child in node.iter():
        yield from _walk(child, looks, selected)


def _cascade(node: LexborNode, of_node: list[Rule], scheme: Scheme) -> dict[str, str]:
    """What is declared for an element, the strongest last: attributes, rules, its own style, what is important."""
    attributes = node.attributes
    applied: dict[str, str] = {}
    if attributes.get("bgcolor"):
        applied["background-color"] = attributes["bgcolor"] or ""
    if node.tag == "font" and attributes.get("color"):
        applied["color"] = attributes["color"] or ""
    in_order = sorted(
        (rule for rule in of_node if scheme == "dark" or not _DARK.search(rule.media)),
        key=lambda rule: rule.specificity,
    )
    layers = [rule.declarations for rule in in_order]
    if attributes.get("style"):
        layers.append(declarations(attributes["style"] or ""))
    for only_important in (False, True):
        for layer in layers:
            for name, (value, important) in layer.items():
                if important is only_important and name in _OF_LOOKS:
                    # A shorthand sets anew what it stands for, and is set anew by what comes behind it.
                    name = {"background": "background-color", "text-decoration": "text-decoration-line"}.get(name, name)  # noqa: PLW2901
                    applied[name] = value.lower()
    return applied


def _look(node: LexborNode, around: Look, applied: Mapping[str, str], scheme: Scheme) -> Look:
    href = node.attributes.get("href") if node.tag == "a" else None
    inherited = around.colour
    if href:
        inherited = _LINK_IN_DARK if scheme == "dark" else _LINK_IN_LIGHT
    ink, odd_ink = _coloured(applied.get("color"), inherited)
    paper, odd_paper = _coloured(_colour_in(applied.get("background-color")), NOTHING)
    background = None if paper is None or around.background is None else paper.over(around.background)
    if paper is not None and paper.alpha == 1:
        background = paper
    line = applied.get("text-decoration-line")
    underlined = (around.underlined or bool(href)) if line is None else "underline" in line
    return Look(
        colour=ink,
        background=background,
        size=_size(node.tag or "", applied.get("font-size"), around.size),
        weight=_weight(node.tag or "", applied.get("font-weight"), around.weight),
        underlined=underlined,
        link=href or around.link,
        unknown=odd_ink or odd_paper or ("" if ink and background else around.unknown),
    )


def _coloured(written: str | None, otherwise: Colour | None) -> tuple[Colour | None, str]:
    """A colour, and what is written where that cannot be told."""
    if written is None or written in _INHERITED:
        return otherwise, ""
    found = colour(written)
    return found, "" if found else written


def _colour_in(background: str | None) -> str | None:
    """The colour in a shorthand; None where it has none."""
    if background is None or colour(background) is not None:
        return background
    words: list[str] = _WHERE_A_COLOUR_STANDS.findall(background)
    if not words or background in ("none", "initial", *_INHERITED):
        return None
    return next((word for word in words if colour(word) is not None), background)


def _size(tag: str, written: str | None, around: float) -> float:
    if written is None:
        return around * _SIZES.get(tag, 1.0)
    if written in _KEYWORDS:
        known = _KEYWORDS[written]
        return known if known > 0 else around * -known
    found = _LENGTH.fullmatch(written.strip())
    if found is None or not found[1]:
        return around
    number = float(found[1])
    factor = {"px": 1.0, None: 1.0, "pt": 4 / 3, "em": around, "rem": _ROOT_SIZE, "%": around / 100}[found[2]]
    return number * factor


def _weight(tag: str, written: str | None, around: int) -> int:
    if written is None:
        return _WEIGHTS["bold"] if tag in _BOLD else around
    if written in _WEIGHTS:
        return _WEIGHTS[written]
    return int(written) if written.isascii() and written.isdecimal() else around
