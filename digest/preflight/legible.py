"""Checks of how the text of a mail looks once it is painted: colours, sizes, links; and of its tables."""

from __future__ import annotations

from collections.abc import Iterator

from digest.preflight import colours
from digest.preflight.painting import Look, Scheme
from digest.preflight.sheet import Problem
from digest.preflight.view import View
from digest.text_layout import shorten

_MEND = "Mend templates/email."
_LONGEST_EXCERPT = 60

SMALLEST = 14.0  # px
# WCAG 2.2, 1.4.3: large is 18 pt, or 14 pt and bold.
_LEAST, _LEAST_IF_LARGE = 4.5, 3.0
_LARGE, _LARGE_IF_BOLD = 24.0, 18.66
_BOLD = 700


def contrast(view: View) -> Iterator[Problem]:
    """Each pair of colours is said once, by the first words that stand in it."""
    yield from _contrast(view, "light", "contrast")


def contrast_in_dark(view: View) -> Iterator[Problem]:
    """As clients show it that follow the mail’s own rules for the dark; others turn colours as they like."""
    yield from _contrast(view, "dark", "contrast-dark")


def _contrast(view: View, scheme: Scheme, code: str) -> Iterator[Problem]:
    faint: dict[tuple[str, str, float], str] = {}
    for piece in view.painted:
        look = piece.look(scheme)
        if look.colour is None or look.background is None:
            continue
        ink, least = look.colour.over(look.background), _least(look)
        if colours.contrast(ink, look.background) < least:
            faint.setdefault((str(ink), str(look.background), least), piece.words)
    for (written, paper, least), words in faint.items():
        # Rounded down: 4.49 is not 4.5.
        found = int(10 * colours.contrast(_known(written), _known(paper))) / 10
        what = (
            f"“{_short(words)}” stands out by {found:.1f} to 1 in {scheme} ({written} on {paper}); it takes {least:g} "
            "to be read by everybody."
        )
        yield Problem("block", code, "HTML", what, _MEND)


def _least(look: Look) -> float:
    is_large = look.size >= _LARGE or (look.size >= _LARGE_IF_BOLD and look.weight >= _BOLD)
    return _LEAST_IF_LARGE if is_large else _LEAST


def _known(written: str) -> colours.Colour:
    return colours.colour(written) or colours.BLACK


def unknown_colours(view: View) -> Iterator[Problem]:
    """What cannot be judged is said, not taken for good."""
    odd: dict[str, str] = {}
    for piece in view.painted:
        for written in {piece.light.unknown, piece.dark.unknown} - {""}:
            odd.setdefault(written, piece.words)
    for written, words in odd.items():
        what = f"The colour {shorten(written, _LONGEST_EXCERPT)} of “{_short(words)}” cannot be judged."
        yield Problem("warn", "colour-unknown", "HTML", what, "Write it as #rrggbb.")


def small_text(view: View) -> Iterator[Problem]:
    small: dict[float, str] = {}
    for piece in view.painted:
        if piece.light.size < SMALLEST:
            small.setdefault(piece.light.size, piece.words)
    for size, words in small.items():
        what = f"“{_short(words)}” is {size:.3g} px tall; {SMALLEST:g} is the least that can be read."
        yield Problem("warn", "small-text", "HTML", what, _MEND)


def underlined_links(view: View) -> Iterator[Problem]:
    """A link is told by its line, not by its colour alone; a button, which has a paper of its own, by that."""
    around: Look | None = None
    for piece in view.painted:
        look = piece.light
        if look.link is None:
            around = look
        elif not look.underlined and (around is None or look.background == around.background):
            what = f"The link “{_short(piece.words)}” is not underlined."
            yield Problem("warn", "link-underline", "HTML", what, _MEND)


def layout_tables(view: View) -> Iterator[Problem]:
    """A screen reader reads out rows and columns of every table that does not say it is only for layout."""
    for table in view.tree.css("table:not([role])") if view.tree else []:
        if table.css_first("th") is None and table.css_first("caption") is None:
            words = " ".join(table.text(separator=" ").split())
            what = f"A table without headers does not say that it is for layout: “{_short(words)}”"
            yield Problem("warn", "layout-table", "HTML", what, 'Give it role="presentation".')


def _short(words: str) -> str:
    return shorten(words, _LONGEST_EXCERPT)
