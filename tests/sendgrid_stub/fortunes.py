"""What becomes of whom: as scripted for an address, else by seeded chance, else it is processed and delivered.

Chances are for happenings as events.py writes them. Of `dropped`, `bounce` and `blocked` at most one comes true, and
it keeps the mail from being delivered; what a reader does (`open`, `click`, `spamreport` …) follows a delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.sendgrid_stub.events import Happening, Mail, parse
from tests.sendgrid_stub.luck import checked, luck

PROCESSED, DELIVERED = Happening("processed"), Happening("delivered")
ENDS = ("dropped", "bounce", "blocked")
"""What happens instead of a delivery."""


class Fortunes:
    """Not locked: the server holds its lock around every call."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._chances: dict[Happening, float] = {}
        self._script: dict[str, list[Happening]] = {}

    @property
    def told(self) -> bool:
        """Whether anything but proper service was asked for."""
        return bool(self._chances or self._script)

    def chances(self, chances: Mapping[str, float], *, seed: int | None) -> None:
        """Raises ValueError."""
        self._chances = {parse(text): chance for text, chance in checked(chances).items()}
        if seed is not None:
            self._seed = seed

    def script(self, address: str, happenings: Sequence[str]) -> None:
        """What becomes of every mail to this address from now on. Raises ValueError."""
        self._script[address.lower()] = [parse(text) for text in happenings]

    def of(self, mail: Mail) -> list[Happening]:
        if (scripted := self._script.get(mail.email.lower())) is not None:
            return scripted
        if not self._chances:
            return [PROCESSED, DELIVERED]
        end = self._end(mail)
        if end is not None and end.kind == "dropped":
            return [end]
        before = self._drawn(mail, lambda kind: kind == "deferred")
        if end is not None:
            return [PROCESSED, *before, end]
        after = self._drawn(mail, lambda kind: kind not in (*ENDS, "deferred", "processed", "delivered"))
        return [PROCESSED, *before, DELIVERED, *after]

    def _end(self, mail: Mail) -> Happening | None:
        point = luck(self._seed, *_about(mail), "end")
        for happening, chance in self._chances.items():
            if happening.kind not in ENDS:
                continue
            if point < chance:
                return happening
            point -= chance
        return None

    def _drawn(self, mail: Mail, wanted: Callable[[str], bool]) -> list[Happening]:
        return [
            happening
            for happening, chance in self._chances.items()
            if wanted(happening.kind) and luck(self._seed, *_about(mail), happening) < chance
        ]


def _about(mail: Mail) -> tuple[object, ...]:
    """Not its message id, which depends on who came first."""
    return mail.email, *mail.args.items()
