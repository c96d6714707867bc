"""What clients do to a mail, simulated: each does what it says, and none touches a word."""

from __future__ import annotations

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from digest.personal import fill, substitutions
from digest.rendering import render
from digest.rendering.look import DARK, LIGHT
from digest.rendering.simulations import SIMULATIONS, turned_over
from digest.variants import EditionCopy
from tests import make_mail as make

NASTY = 'A <style>p{color:#ffffff}</style> style="color:#fff" <img src="x"> (prefers-color-scheme:dark) #ffffff'


def mail(copy: EditionCopy) -> str:
    html = render(copy, make.IMPRINT, make.ALL).html
    assert html is not None
    return fill(html, substitutions(copy.week, make.ADA))


WEEK = mail(make.week())


def simulated(key: str, html: str = WEEK) -> str:
    return SIMULATIONS[key].rewrite(html)


def words(html: str) -> list[str]:
    body = LexborHTMLParser(html).body
    assert body is not None
    return body.text(separator=" ").split()


def colours(html: str) -> set[str]:
    """Those a browser would use: not what stands in comments for Outlook."""
    return set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)))


@pytest.mark.parametrize("key", SIMULATIONS)
@pytest.mark.parametrize("copy", [make.week(), make.edition(breath=NASTY, introduction=NASTY)], ids=["week", "nasty"])
def test_no_simulation_touches_a_word(key: str, copy: EditionCopy) -> None:
    """Not even where the words look like markup, or like a colour."""
    html = mail(copy)

    assert words(simulated(key, html)) == words(html)


@pytest.mark.parametrize("key", SIMULATIONS)
def test_links_lead_where_they_led(key: str) -> None:
    html = WEEK.replace('href="https://compare.example.com', 'href="https://compare.example.com/#ffffff')

    assert re.findall(r'href="([^"]*)"', simulated(key, html)) == re.findall(r'href="([^"]*)"', html)


@pytest.mark.parametrize(("key", "scheme"), [("light", "light"), ("dark", "dark"), ("forced-dark", "light")])
def test_no_machine_decides_any_more(key: str, scheme: str) -> None:
    """What asked how the machine is set is decided, and says so once and for all."""
    html = simulated(key)

    assert "prefers-color-scheme" in WEEK
    assert "prefers-color-scheme" not in html
    assert f'<meta name="color-scheme" content="{scheme}"' in html
    assert f":root{{color-scheme:{scheme};supported-color-schemes:{scheme}}}" in html


def test_by_force_every_colour_is_turned_over() -> None:
    """Those of the light palette are gone but where the turning leads back to one."""
    html = simulated("forced-dark")
    turned = {turned_over(colour) for colour in colours(simulated("light"))}

    assert colours(html) == turned | {"#333333", "#ffffff"}
    assert turned_over(LIGHT.paper) in html


@pytest.mark.parametrize(
    ("light", "dark"),
    [
        ("#ffffff", "#333333"),
        ("#fff", "#333333"),
        ("#000000", "#ffffff"),
        ("#51a7f9", "#0076c2"),
        ("#6fc040", "#217a00"),
        ("#f5d427", "#5d4d00"),
        ("#f3901d", "#ab5500"),
        ("#ed5c57", "#df504d"),
        ("#b36ae2", "#ab63da"),
    ],
)
def test_colours_are_turned_as_the_model_turns_them(light: str, dark: str) -> None:
    """Pairs that RoosterJS's own tests expect; a channel may differ by one, by rounding."""
    found = turned_over(light)

    assert all(abs(int(found[at : at + 2], 16) - int(dark[at : at + 2], 16)) <= 1 for at in (1, 3, 5))


def test_outlook_marks_what_it_turned() -> None:
    """Ink and paper each by its mark, so that the mail's own rules for them apply."""
    html = '<p class="a" style="color:#1d1b18">a</p><td bgcolor="#ffffff">b</td><i style="margin:0">c</i>'

    assert simulated("outlook-dark", html).endswith(
        f'<p class="a" style="color:{turned_over("#1d1b18")}" data-ogsc>a</p>'
        '<td bgcolor="#333333" data-ogsb>b</td><i style="margin:0">c</i>'
    )
    assert f"[data-ogsc] .q{{color:{DARK.quiet}!important}}" in simulated("outlook-dark").replace("\n", "")


def test_a_selector_is_no_colour() -> None:
    html = "<head><style>#add a{color:#000}#outlook{padding:0}</style></head>"

    assert "#add a{color:#ffffff}#outlook{padding:0}" in simulated("forced-dark", html)


def test_images_give_way_to_their_words() -> None:
    html = '<head><style>a{background:url(x.png)}</style></head><img src="a.png" alt="A chart"><td background="b.png">'

    found = simulated("no-images", html)

    assert '<img alt="A chart">' in found
    assert ".png" not in found


def test_without_style_sheets_elements_keep_their_own() -> None:
    found = simulated("no-style-sheets")

    assert "<style" not in found
    assert 'style="' in found


def test_without_styles_nothing_is_left_but_structure() -> None:
    found = re.sub(r"<!--.*?-->", "", simulated("no-styles"), flags=re.DOTALL)

    assert not re.search(r'<style|\s(?:style|class|bgcolor|width|align)="', found)
    assert 'role="presentation"' in found
    assert 'content="width=device-width' in found
