"""Prices: what the page says, briefly, and where its label and its text disagree. Pure; never a word of our own."""

from __future__ import annotations

import re

from digest.facts import ToolFacts

LONGEST_BRIEF = 40
_ROOM = LONGEST_BRIEF - len(" …")

_CUTS = re.compile(r" / |\s*[(（]|\s*;")
_FREE = re.compile(r"\b(?:free(?!\s+trial)|open[\s-]source|no cost)\b|[$€£¥]\s?0(?![\d.,])", re.IGNORECASE)
_COSTS = re.compile(
    r"[$€£¥]\s?\d|\d\s?[$€£¥]|\b(?:paid|subscription|per (?:month|seat|user|year)|usd|eur)\b", re.IGNORECASE
)


def disagree(tool: ToolFacts) -> bool:
    """The entry label says paid and the pricing text begins with free, or the other way round."""
    label, pricing = tool.entry or "", tool.pricing or ""
    if "paid" in label.casefold():
        return _FREE.match(pricing) is not None
    return bool(_FREE.search(label) and _COSTS.search(pricing) and not _FREE.search(pricing))


def in_brief(tool: ToolFacts) -> str | None:
    """At most 40 characters, with an ellipsis where something is left out; None only where the page states no price.

    The pricing text, cut before a "/", a bracket or a ";"; where that is not possible the entry label, unless it
    disagrees or is long itself; else the text cut between two words.
    """
    price = tool.pricing or tool.entry
    if price is None or len(price) <= LONGEST_BRIEF:
        return price
    cuts = [cut.start() for cut in _CUTS.finditer(price) if _outside_brackets(price[: cut.start()])]
    brief = max((price[:cut].rstrip() for cut in cuts if 0 < cut <= _ROOM), key=len, default="")
    if not brief and tool.entry and len(tool.entry) <= LONGEST_BRIEF and not disagree(tool):
        return tool.entry
    return f"{brief or _whole_words(price)} …"


def _whole_words(text: str) -> str:
    """As many as there is room for; of one endless word its beginning."""
    return text[: _ROOM + 1].rpartition(" ")[0].rstrip() or text[:_ROOM]


def _outside_brackets(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count("（") == text.count("）")
