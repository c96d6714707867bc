"""The mail as a reader has it on screen. What axe says of it: `test_every_mail_on_screen`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest

from digest.personal import fill, substitutions
from digest.rendering import AlsoCompared, EditionCopy, render, render_web
from tests import make_mail as make
from tests.browser.conftest import NewPage

pytestmark = pytest.mark.browser

LONG = "x" * 300


def mail(copy: EditionCopy) -> str:
    html = render(copy, make.IMPRINT, make.ALL).html
    assert html is not None
    return fill(html, substitutions(copy.week, make.ADA))


def letter(kind: str) -> str:
    return make.letter(kind).html


def wordy() -> str:
    """Names of three hundred letters without a blank, wherever a name can stand."""
    left = make.side(LONG, identity="a", short_name=LONG, price=LONG, best_for=LONG, category=LONG)
    said = make.quotation(LONG, LONG, words=LONG)
    entry = make.entry(1, make.summary(left, make.side("墨" * 300, identity="b"), said=said), categories=[LONG])
    return mail(make.edition(entry, breath=LONG, also_compared=[AlsoCompared(title=LONG, url=entry.url)]))


def introduced() -> str:
    """Everything an editor's introduction may have."""
    address = "https://compare.example.com/compare/a-vs-b"
    return mail(
        make.edition(
            introduction=f"Two of these tools say *open*, and **only one** of them [prints its licence]({address}) "
            f"where the price is. We asked both.\n\n- The first answered within the hour.\n- The second pointed at "
            f"[a page of forty screens]({address}) that does not mention it:\n  1. not in the text\n  2. not below it"
            f"\n\nRead the second one first.  \nThen the price.\n\n[{LONG}]({address}) <b>{LONG}</b>"
        )
    )


MAILS: dict[str, Callable[[], str]] = {
    "week": lambda: mail(make.week()),
    "far": lambda: mail(make.far_edition()),
    "wordy": wordy,
    "introduced": introduced,
    "web": lambda: render_web(make.week(), make.IMPRINT, previous="2026-W46", following="2026-W48"),
    **{kind: partial(letter, kind) for kind in make.LETTERS},
}
every_mail = pytest.mark.parametrize("name", MAILS)


@every_mail
def test_nobody_scrolls_sideways(new_page: NewPage, name: str) -> None:
    """Not even to a name of three hundred letters."""
    page = new_page(MAILS[name]())
    for width in (320, 375, 600, 1200):
        page.set_viewport_size({"width": width, "height": 800})

        assert page.evaluate("document.documentElement.scrollWidth") == width


@every_mail
def test_opening_it_asks_the_network_for_nothing(new_page: NewPage, fetched: list[str], name: str) -> None:
    """No font, no pixel, no picture."""
    new_page(MAILS[name]()).wait_for_load_state("load")

    assert fetched == []


@every_mail
def test_text_is_large_enough_and_links_can_be_tapped(new_page: NewPage, name: str) -> None:
    """Nothing under 14 pixels, running text at least 16, every link at least 44 high."""
    page = new_page(MAILS[name](), width=320)

    sizes = page.evaluate("""() => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), sizes = [];
        while (walker.nextNode()) {
            const parent = walker.currentNode.parentElement, box = parent.getBoundingClientRect();
            if (walker.currentNode.data.trim().length > 1 && box.height > 0)
                sizes.push([parseFloat(getComputedStyle(parent).fontSize), !!parent.closest('table:not([role]), .q')]);
        }
        return sizes;
    }""")
    heights = page.evaluate("[...document.links].map(link => link.getBoundingClientRect().height)")

    assert min(size for size, _ in sizes) >= 14
    assert min(size for size, in_table_or_aside in sizes if not in_table_or_aside) >= 16
    assert min(heights, default=44) >= 44


def test_two_columns_stack_on_a_phone(new_page: NewPage) -> None:
    """Beside each other where there is room."""
    tops = "[...document.querySelectorAll('h3')].slice(0, 2).map(heading => heading.getBoundingClientRect().top)"

    wide, narrow = (new_page(mail(make.week()), width=width).evaluate(tops) for width in (600, 375))

    assert wide[0] == wide[1]
    assert narrow[0] < narrow[1]


def test_dark_mode_has_its_own_paper_and_ink(new_page: NewPage) -> None:
    """Both the page and the cards turn dark, and a badge keeps its meaning."""
    page = new_page(mail(make.week()), color_scheme="dark")
    colour = "selector => getComputedStyle(document.querySelector(selector)).backgroundColor"

    assert page.evaluate(colour, "body") == "rgb(19, 18, 17)"
    assert page.evaluate(colour, ".cd") == "rgb(30, 28, 26)"
    assert page.evaluate(colour, ".cd > table") == "rgb(30, 28, 26)"
    assert page.evaluate(colour, "b.vs") == "rgb(124, 207, 158)"


def test_without_style_sheets_it_reads_in_the_same_order(new_page: NewPage) -> None:
    """Some clients drop them: the same words, still one column, still no sideways scroll."""
    styled = mail(make.week())
    stripped = re.sub(r"<style.*?</style>", "", styled, flags=re.DOTALL)

    words = "document.body.innerText.replace(/\\s+/g, ' ')"
    page = new_page(stripped, width=375)

    assert page.evaluate(words) == new_page(styled, width=375).evaluate(words)
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_the_whole_week_is_on_one_phone_screen(new_page: NewPage) -> None:
    """The scoreboard of five tools takes less than half of one."""
    page = new_page(mail(make.week()), width=375)

    assert page.locator("td.sb > table").bounding_box()["height"] < 400  # type: ignore[index]
