"""The colours, in light, in dark, and turned around by a mail program."""

from __future__ import annotations

import colorsys

import pytest

from digest.rendering.look import DARK, LIGHT, Palette, contrast

ENOUGH_FOR_TEXT = 4.5
PAIRS = [
    *((ink, paper) for ink in ("ink", "quiet", "link") for paper in ("paper", "card")),
    *(("on_badge", badge) for badge in ("ship", "mixed", "skip", "quiet", "link")),
    *((verdict, "card") for verdict in ("ship", "mixed", "skip")),
]


def test_contrast_is_the_ratio_of_the_guidelines() -> None:
    """Black on white is 21, a colour on itself 1."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.01)
    assert contrast("#17693f", "#17693f") == 1


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_everything_written_can_be_read(palette: Palette, ink: str, paper: str) -> None:
    """At least 4.5 to 1 in both palettes."""
    assert contrast(getattr(palette, ink), getattr(palette, paper)) >= ENOUGH_FOR_TEXT


@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_everything_can_still_be_read_when_a_client_inverts_by_force(ink: str, paper: str) -> None:
    """Some turn the lightness of each colour of a light mail around and ask nobody."""
    assert contrast(_inverted(getattr(LIGHT, ink)), _inverted(getattr(LIGHT, paper))) >= ENOUGH_FOR_TEXT


def _inverted(colour: str) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))
    return "#" + "".join(f"{round(part * 255):02x}" for part in colorsys.hls_to_rgb(hue, 1 - lightness, saturation))
