"""Golden renders: a change of the mail shows up in review as a diff.

`DIGEST_REFRESH_GOLDEN=1 pytest tests/digest/test_rendering_golden.py` writes them anew.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from digest.personal import fill, substitutions
from digest.rendering import EditionCopy, render
from digest.rendering.html_finish import HTML_WARNS, STYLE_BLOCKS, style_bytes
from digest.variants import variant_of
from tests import make_mail as make

FOLDER = Path(__file__).parent.parent / "golden"
WEEK = make.week()
EDITIONS = {
    "plain": (make.edition(), None),
    "week": (WEEK, None),
    "week-images": (WEEK, {"Image Generation"}),
    "far": (make.far_edition(), None),
}


@pytest.mark.parametrize("name", EDITIONS)
def test_the_mail_is_the_one_reviewed(name: str) -> None:
    """Bytes of both parts, filled in for Ada."""
    copy, topics = EDITIONS[name]
    for ending, part in _parts(copy, topics).items():
        golden = FOLDER / f"{name}.{ending}"
        if os.environ.get("DIGEST_REFRESH_GOLDEN"):
            FOLDER.mkdir(exist_ok=True)
            golden.write_text(part, encoding="utf-8", newline="\n")
        assert golden.read_bytes().decode() == part, f"{golden.name} differs: see the module's docstring"


@pytest.mark.parametrize("name", EDITIONS)
def test_the_mail_passes_the_gates(name: str) -> None:
    """Whole in every inbox, personal fields at their longest; and a table of contents for whoever listens to it."""
    copy, topics = EDITIONS[name]
    rendering = render(copy, make.IMPRINT, variant_of(copy.entries, topics))
    tree = LexborHTMLParser(rendering.html or "")
    levels = [int((node.tag or "h0")[1]) for node in tree.css("h1,h2,h3,h4,h5,h6")]

    assert rendering.html_bytes <= HTML_WARNS
    assert style_bytes(rendering.html or "") <= STYLE_BLOCKS
    assert tree.root is not None
    assert tree.root.attributes["lang"] == "en"
    assert (title := tree.css_first("head title")) is not None
    assert title.text().startswith(copy.subject)
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))


def _parts(copy: EditionCopy, topics: set[str] | None) -> dict[str, str]:
    rendering = render(copy, make.IMPRINT, variant_of(copy.entries, topics))
    fields = substitutions(copy.week, make.ADA)
    assert rendering.html is not None
    return {"html": fill(rendering.html, fields), "txt": fill(rendering.text, fields)}
