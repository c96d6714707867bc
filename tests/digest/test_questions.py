"""What the editor is asked about a page that contradicts itself."""

from __future__ import annotations

import pytest

from digest.facts import Community, ToolFacts
from digest.verdicts import questions
from digest.verdicts.figures import NO_BREAK
from tests.digest.verdict_facts import panel, take, tool

FINE = tool("Northbeam", 3, 1, badge="ship", entry="Free", pricing="Free (MIT)")


@pytest.mark.parametrize(
    ("odd", "question"),
    [
        (
            tool("T", 3, 1, entry="Paid", pricing="Open Source"),
            "T: the entry label says “Paid”, the pricing text “Open Source”. The mail prints the pricing text.",
        ),
        (
            tool("T", 3, 1, entry="Free", pricing="$20 per month"),
            "T: the entry label says “Free”, the pricing text “$20 per month”. The mail prints the pricing text.",
        ),
        (tool("T", 2, 1, badge="ship"), "T: the badge says ship, the figures (67 %) mean mixed."),
        (
            tool("T", 4, 0, percent=75),
            "T: the page states 75 % and a split of 4 ship, 0 skip, which do not agree.",
        ),
        (
            tool("T", percent=75, takes=panel((80, "ship"), (40, "skip"))),
            "T: the takes shown are 1 ship, 1 skip, but the page states 75 % and no split.",
        ),
        (
            tool("T", 3, 1, takes=panel((80, "ship"), (40, "skip"), (40, "skip"))),
            "T: the takes shown are 1 ship, 2 skip, but the page states a split of 3 ship, 1 skip.",
        ),
        (
            tool("T", 0, 0, percent=0),
            "T: the page states a split of 0 ship, 0 skip. The mail treats the split as unknown.",
        ),
        (
            tool("T", 3, 1, community=Community(ship_percent=60, votes=0)),
            "T: the page states 60 % of 0 community votes. The mail says that there are none.",
        ),
        (
            tool("T", 3, 1, community=Community(votes=7)),
            "T: there are 7 community votes, but the page does not say how they went.",
        ),
        (
            tool("T", 3, 1, takes=(take("Builder", 80), take("builder", 60))),
            "T: Builder appears more than once; each take counts in the average.",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_contradiction_is_asked_about_in_words(odd: ToolFacts, question: str) -> None:
    """Once, and on whichever side it stands."""
    asked = tuple(text.replace(NO_BREAK, " ") for text in questions.about((odd, FINE)))

    assert asked == (question,)
    assert questions.about((FINE, odd)) == questions.about((odd, FINE))


@pytest.mark.parametrize(
    "fine",
    [
        tool("T", 3, 1, badge="ship", entry="Free", pricing="Free (MIT)"),
        tool("T"),
        tool("T", 2, 1, percent=66, badge="mixed"),
        tool("T", 3, 1, takes=panel((80, "ship"), (80, "ship"))),
        tool("T", percent=75, takes=(take("Builder", 80), take("Skeptic", 40))),
        tool("T", 3, 1, community=Community()),
        tool("T", 3, 1, community=Community(ship_percent=0)),
        tool("T", 1, 3, badge="skip", entry="Paid", pricing="$20 per month"),
    ],
)
def test_what_fits_together_is_not_asked_about(fine: ToolFacts) -> None:
    """Rounded percentages, missing takes, unknown calls and no votes contradict nothing."""
    assert questions.about((fine, FINE)) == ()


def test_namesakes_are_pointed_out() -> None:
    """The sentence tells them apart, but the editor should look."""
    asked = questions.about((tool("Um", slug="a"), tool("um", slug="b")))

    assert asked == ("Both tools are called Um: is it clear from the sentence which is meant?",)
