"""A JSON array taken apart without being understood, so that one bad element does not cost the others. Pure."""

from __future__ import annotations

import re

# Strings whole, so that what stands in them is not taken for structure. What is left open at the end is no string.
_MARK = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


def of_array(text: str) -> list[str] | None:
    """The text of each element of an array; None for text that is no array. An element may still be no JSON."""
    text = text.strip("\ufeff \t\r\n")
    if not (text.startswith("[") and text.endswith("]")):
        return None
    pieces, depth, begins = [], 0, 1
    for mark in _MARK.finditer(text):
        found = mark[0]
        if found in ("[", "{"):
            depth += 1
        elif found in ("]", "}"):
            depth -= 1
        elif found == "," and depth == 1:
            pieces.append(text[begins : mark.start()])
            begins = mark.end()
    pieces.append(text[begins:-1])
    return [piece.strip() for piece in pieces if piece.strip()]
