"""Prices: what the page says, briefly, and where its label and its text disagree. Pure; never a word of our own."""

from __future__ import annotations

import re

from digest.facts import ToolFacts

LONGEST_BRIEF = 40

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
    """At most 40 characters: the pricing text, cut only before a "/", a bracket or a ";" and then with an ellipsis;
    where it cannot be cut, the entry label unless it disagrees; else None."""
    if tool.pricing is None:
        return tool.entry if tool.entry and len(tool.entry) <= LONGEST_BRIEF else None
    if len(tool.pricing) <= LONGEST_BRIEF:
        return tool.pricing
    cuts = [cut.start() for cut in _CUTS.finditer(tool.pricing) if _outside_brackets(tool.pricing[: cut.start()])]
    brief = max((tool.pricing[:cut].rstrip() for cut in cuts if 0 < cut <= LONGEST_BRIEF - 2), key=len, default="")
    if brief:
        return f"{brief} …"
    return tool.entry if tool.entry and len(tool.entry) <= LONGEST_BRIEF and not disagree(tool) else None


def _outside_brackets(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count("（") == text.count("）")
