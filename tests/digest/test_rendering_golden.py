"""Golden renders: a change of the mail shows up in review as a diff.

`DIGEST_REFRESH_GOLDEN=1 pytest tests/digest/test_rendering_golden.py` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from digest.personal import fill, substitutions
from digest.rendering import EditionCopy, render
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


def _parts(copy: EditionCopy, topics: set[str] | None) -> dict[str, str]:
    rendering = render(copy, make.IMPRINT, variant_of(copy.entries, topics))
    fields = substitutions(copy.week, make.ADA)
    assert rendering.html is not None
    return {"html": fill(rendering.html, fields), "txt": fill(rendering.text, fields)}
