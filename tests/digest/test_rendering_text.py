"""The text part: written to be read in a fixed-width font."""

from __future__ import annotations

import pytest

from digest.personal import fill, substitutions
from digest.rendering import EditionCopy, render
from digest.text_layout import WIDTH, columns
from tests import make_mail as make


def text_of(copy: EditionCopy) -> str:
    return fill(render(copy, make.IMPRINT, make.TEXT_ONLY).text, substitutions(copy.week, make.ADA))


@pytest.mark.parametrize(
    "copy",
    [make.edition(), make.week(), make.far_edition(), make.rich_edition(panel=7)],
    ids=["plain", "week", "far", "rich"],
)
def test_only_addresses_are_wider_than_the_page(copy: EditionCopy) -> None:
    """78 columns, and an address on a line of its own."""
    for line in text_of(copy).split("\n"):
        assert columns(line) <= WIDTH or line.startswith("https://"), line
        assert "https://" not in line or line.startswith("https://")
        assert line == line.rstrip()


def test_the_scoreboard_lines_up() -> None:
    """Verdicts under "Verdict", averages flush right under "Average"."""
    lines = text_of(make.week()).split("\n")
    head = next(line for line in lines if line.startswith("Tool "))
    rows = [line for line in lines if " ship · " in line and not line.startswith(" ")]

    assert [row[head.index("Verdict") :].split()[0] for row in rows] == ["Ship", "Ship", "Mixed", "Skip"]
    assert [row[: head.index("Average") + len("Average")].split()[-1] for row in rows] == [
        "81.8",
        "71.3",
        "61.5",
        "44.0",
    ]


def test_the_parts_of_an_entry_stand_in_their_order() -> None:
    """Verdict first, then figures, the critics, the dissent in its own words, the address."""
    text = text_of(make.edition())
    parts = [
        "1. Brackish 3.0 vs Corbelkit 1.2",
        "takes it with a clean sweep",
        "Ship · 3 ship · 1 skip · average 71.3",
        "Price: Open Source",
        "Builder    80 ship",
        "Where they split",
        "Creator on Brackish 3.0: 45, skip",
        "Read Brackish 3.0 vs Corbelkit 1.2 in full:\nhttps://",
    ]

    places = [text.index(part) for part in parts]

    assert places == sorted(places)


def test_blank_lines_never_pile_up() -> None:
    """One parts what belongs apart."""
    assert "\n\n\n" not in text_of(make.week())
    assert text_of(make.week()).endswith("Germany\n")
