"""What mail clients do to a mail before anybody reads it, done to its HTML here. Pure; every one is a simulation.

They rewrite only tags, style sheets and attributes as our own renderer writes them, never the words between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Rewrite = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Simulation:
    """One way of showing a mail. `words` say whose habit it is and what is done."""

    key: str
    name: str
    words: str
    rewrite: Rewrite


# --- style sheets and tags ------------------------------------------------------------------------------------------

_SHEET = re.compile(r"(<style\b[^>]*>)(.*?)(</style>)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"""<[a-zA-Z](?:[^<>"]|"[^"]*")*>""")
_HEAD_ENDS = re.compile(r"</head\s*>", re.IGNORECASE)
_STYLED = re.compile(r"""(\sstyle=")([^"]*)(")""", re.IGNORECASE)


def _in_sheets(html: str, change: Callable[[str], str]) -> str:
    return _SHEET.sub(lambda found: found[1] + change(found[2]) + found[3], html)


def _in_tags(html: str, change: Callable[[str], str]) -> str:
    return _TAG.sub(lambda found: change(found[0]), html)


def _with_sheet(html: str, rules: str) -> str:
    """With one more style sheet, behind those of the mail."""
    end = _HEAD_ENDS.search(html)
    at = end.start() if end else 0
    return f"{html[:at]}<style>{rules}</style>{html[at:]}"


# --- light and dark, as the mail itself has them --------------------------------------------------------------------

_PREFERS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_SCHEME_RULE = re.compile(r"((?:color-scheme|supported-color-schemes)\s*:)[^;}]*", re.IGNORECASE)
_SCHEME_META = re.compile(
    r"""(<meta\s+name="(?:color-scheme|supported-color-schemes)"\s+content=")[^"]*""", re.IGNORECASE
)
_ALWAYS, _NEVER = "(min-width:0px)", "(max-width:-1px)"


def _preferring(html: str, scheme: str) -> str:
    """As on a machine that prefers light, or dark, whatever the machine is that looks."""

    def decided(sheet: str) -> str:
        sheet = _PREFERS.sub(lambda found: _ALWAYS if found[1].lower() == scheme else _NEVER, sheet)
        # A selector may be called so too, but no rule of ours begins with one.
        return _SCHEME_RULE.sub(rf"\g<1>{scheme}", sheet)

    return _SCHEME_META.sub(rf"\g<1>{scheme}", _in_sheets(html, decided))


def _light(html: str) -> str:
    return _preferring(html, "light")


def _dark(html: str) -> str:
    return _preferring(html, "dark")


# --- dark by force --------------------------------------------------------------------------------------------------

# How light #333333 is in CIELAB, from 0 to 100: the darkest paper. Microsoft's open editor RoosterJS, part of Outlook
# on the web, keeps the hue of a colour and maps its lightness L to 100 - L, squeezed between this and 100.
DARKEST = 21.247
_PAPER, _INK = "#333333", "#ffffff"
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?![0-9a-zA-Z])")
_DECLARED = re.compile(r"(:)([^;{}]*)")
_ATTRIBUTE = re.compile(r"""(\s(?:bgcolor|color)=")([^"]*)(")""", re.IGNORECASE)
_INK_DECLARED = re.compile(r"(?:^|[;\s])color\s*:", re.IGNORECASE)
_PAPER_DECLARED = re.compile(r"(?:^|[;\s])background(?:-color)?\s*:[^;]*#", re.IGNORECASE)


@lru_cache(maxsize=512)
def turned_over(colour: str) -> str:
    """A colour `#rgb` or `#rrggbb` with its lightness turned over, its hue kept."""
    lightness, a, b = _to_lab(colour)
    return _from_lab((100 - lightness) * (100 - DARKEST) / 100 + DARKEST, a, b)


def _forced_dark(html: str) -> str:
    """Every colour turned over, in style sheets too; the mail's own dark rules are not heard."""
    html = _in_tags(_in_sheets(_light(html), _turn_declared), _turn_tag)
    return _with_sheet(html, f":root{{color-scheme:dark;background-color:{_PAPER};color:{_INK}}}")


def _outlook_dark(html: str) -> str:
    """The colours in elements turned over and the elements marked, so that the mail's rules for that client apply."""
    html = _in_tags(_light(html), lambda tag: _marked(tag, _turn_tag(tag)))
    return _with_sheet(html, f":root{{color-scheme:dark;background-color:{_PAPER};color:{_INK}}}")


def _turn(text: str) -> str:
    return _COLOUR.sub(lambda found: turned_over(found[0]), text)


def _turn_declared(sheet: str) -> str:
    """In values only: a selector may name an id that looks like a colour."""
    return _DECLARED.sub(lambda found: found[1] + _turn(found[2]), sheet)


def _turn_tag(tag: str) -> str:
    if "#" not in tag:
        return tag
    tag = _STYLED.sub(lambda found: found[1] + _turn_declared(found[2]) + found[3], tag)
    return _ATTRIBUTE.sub(lambda found: found[1] + _turn(found[2]) + found[3], tag)


def _marked(tag: str, turned: str) -> str:
    """With `data-ogsc` where ink was turned over and `data-ogsb` where paper was, as Outlook on the web marks them."""
    if turned == tag:
        return tag
    style = _STYLED.search(tag)
    declared = style[2] if style else ""
    marks = " data-ogsc" if _INK_DECLARED.search(declared) else ""
    if _PAPER_DECLARED.search(declared) or "bgcolor=" in tag.lower():
        marks += " data-ogsb"
    end = len(turned) - (2 if turned.endswith("/>") else 1)
    return turned[:end].rstrip() + marks + turned[end:]


# From sRGB to CIELAB and back, white D65 (CSS Color 4, without its adaptation to D50: there and back is the same).
_WHITE = (0.95047, 1.0, 1.08883)
_EDGE = 6 / 29


def _to_lab(colour: str) -> tuple[float, float, float]:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])  # noqa: PLR2004
    red, green, blue = (_linear(int(digits[at : at + 2], 16) / 255) for at in (0, 2, 4))
    x, y, z = (
        0.4124564 * red + 0.3575761 * green + 0.1804375 * blue,
        0.2126729 * red + 0.7151522 * green + 0.0721750 * blue,
        0.0193339 * red + 0.1191920 * green + 0.9503041 * blue,
    )
    fx, fy, fz = (_root(value / white) for value, white in zip((x, y, z), _WHITE, strict=True))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _from_lab(lightness: float, a: float, b: float) -> str:
    fy = (lightness + 16) / 116
    x, y, z = (_cube(f) * white for f, white in zip((fy + a / 500, fy, fy - b / 200), _WHITE, strict=True))
    channels = (
        3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
        -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
        0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
    )
    return "#" + "".join(f"{round(255 * _gamma(min(max(channel, 0.0), 1.0))):02x}" for channel in channels)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004


def _gamma(channel: float) -> float:
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055  # noqa: PLR2004


def _root(t: float) -> float:
    return t ** (1 / 3) if t > _EDGE**3 else t / (3 * _EDGE**2) + 4 / 29


def _cube(f: float) -> float:
    return f**3 if f > _EDGE else 3 * _EDGE**2 * (f - 4 / 29)


# --- what is dropped ------------------------------------------------------------------------------------------------

_IMAGE = re.compile(r"<img\b", re.IGNORECASE)
_SOURCE = re.compile(r"""\s(?:src|srcset|background)="[^"]*\"""", re.IGNORECASE)
_URL = re.compile(r"url\([^)]*\)", re.IGNORECASE)
_WHOLE_SHEET = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
_LOOKS = re.compile(
    r"""\s(?:style|class|bgcolor|color|background|align|valign|width|height|border|cellpadding|cellspacing)="[^"]*\"""",
    re.IGNORECASE,
)


def _no_images(html: str) -> str:
    """An image without a source shows its alt text, as clients do that wait for a yes."""

    def without(tag: str) -> str:
        return (
            _URL.sub("none", _SOURCE.sub("", tag))
            if _IMAGE.match(tag) or "url(" in tag or "background=" in tag
            else tag
        )

    return _in_tags(_in_sheets(_light(html), lambda sheet: _URL.sub("none", sheet)), without)


def _no_style_sheets(html: str) -> str:
    return _SCHEME_META.sub(r"\g<1>light", _WHOLE_SHEET.sub("", html))


def _no_styles(html: str) -> str:
    return _in_tags(_no_style_sheets(html), lambda tag: _LOOKS.sub("", tag))


# --- all of them ----------------------------------------------------------------------------------------------------

LIGHT = "light"
SIMULATIONS: Mapping[str, Simulation] = {
    each.key: each
    for each in (
        Simulation(
            LIGHT,
            "Light",
            "As on a machine set to light: the mail’s own dark rules are switched off, whatever yours is set to.",
            _light,
        ),
        Simulation(
            "dark",
            "Dark",
            "As in clients that follow the mail’s own dark palette, such as Apple Mail: its dark rules always apply.",
            _dark,
        ),
        Simulation(
            "forced-dark",
            "Dark by force",
            "As in apps that do not ask: the dark rules are ignored and the lightness of every colour is turned over, "
            "here by the arithmetic of Microsoft’s RoosterJS. Each such app has arithmetic of its own.",
            _forced_dark,
        ),
        Simulation(
            "outlook-dark",
            "Outlook.com dark",
            "As on Outlook.com: the colours in the elements are turned over, the elements are marked with data-ogsc "
            "and data-ogsb, and the mail’s rules for those marks apply.",
            _outlook_dark,
        ),
        Simulation(
            "no-images",
            "Images off",
            "As before a reader lets images load: each shows its alternative text. Light.",
            _no_images,
        ),
        Simulation(
            "no-style-sheets",
            "Style sheets off",
            "As in clients that drop every style sheet, such as the Gmail app with an account from elsewhere: what "
            "stands in the elements themselves remains.",
            _no_style_sheets,
        ),
        Simulation(
            "no-styles",
            "No styles at all",
            "All styles, colours and widths dropped: what remains is the order of the words, and must make sense.",
            _no_styles,
        ),
    )
}
