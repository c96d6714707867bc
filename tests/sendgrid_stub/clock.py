"""The account's own time, which a test can move: hours of waiting in an instant."""

from __future__ import annotations

import time


class Clock:
    """Real time, and as far ahead of it as it was moved. It never goes back."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return time.time() + self._ahead

    def forward(self, seconds: float) -> None:
        """Raises ValueError for the way back."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._ahead += seconds
