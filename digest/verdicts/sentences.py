"""Writing: which phrasing says it this time. Pure; the same edition always reads the same."""

from __future__ import annotations

from collections import Counter

from digest.verdicts.phrasebook import Phrases
from digest.verdicts.scenes import Scene

_ENDS = (".", "!", "?", "…", "。", "！", "？")


class Voice:
    """Remembers what one edition has said, so that it says it differently the next time.

    `turn` (the week, say) decides which phrasing comes first, so that two editions do not open alike.
    """

    def __init__(self, turn: int = 0) -> None:
        self._turn = turn
        self._said: Counter[str] = Counter()
        self._openings: Counter[str] = Counter()
        self._last_opening: str | None = None

    def verdict(self, scene: Scene) -> str:
        """The verdict sentence of one comparison, of which the edition's earlier sentences are remembered."""
        phrase = self._choose(scene.phrases)
        self._last_opening = _opening(phrase)
        self._openings[self._last_opening] += 1
        closing = self._choose(scene.closing) if scene.closing else ""
        return finished((phrase + closing).format_map(scene.slots))

    def _choose(self, phrases: Phrases) -> str:
        """The one said least; of those, one that opens unlike the last sentence and like few others; then by turn."""
        start = self._turn % len(phrases)
        in_turn = phrases[start:] + phrases[:start]
        chosen = min(in_turn, key=self._staleness)
        self._said[chosen] += 1
        return chosen

    def _staleness(self, phrase: str) -> tuple[int, bool, int]:
        opening = _opening(phrase)
        return self._said[phrase], opening == self._last_opening, self._openings[opening]


def _opening(phrase: str) -> str:
    return phrase.split(maxsplit=1)[0]


def finished(sentence: str) -> str:
    """One full stop, even after a name that ends in one ("Example Inc.")."""
    if sentence.endswith(".") and sentence[:-1].endswith(_ENDS):
        return sentence[:-1]
    return sentence
