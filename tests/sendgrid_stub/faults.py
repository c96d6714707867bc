"""How the stand-in misbehaves: a script for the next requests, then seeded chance.

A fault is written `[accept-]NAME[:VALUE]`. With `accept-` the mail is taken first, and so the sender's question is
whether it can know. The names:

    ok                proper service                      slow:SECONDS   waits, then proper service
    429:SECONDS       rate limit that ends in SECONDS     close          proper answer, then the line is closed
    413               refusal in HTML                     400:FIELD      refusal that names FIELD
    401, 503 …        that status, with errors[]          early:STATUS   that status before the body is read
    200, 204 …        that status, empty                  no-id          202 without a message id
    redirect          307 to a place that says 202        garbage        bytes that are not HTTP
    cut               the line cut without an answer      half           the line cut inside the answer
    hang              no answer, line open                drip:SECONDS   an answer, one byte each SECONDS
    midway            the line cut while the body is being read

Those of Mail Send have a script and chances of their own. Anything else under /v3/ knows ok, slow, cut and statuses.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NAMES = frozenset(
    {"ok", "slow", "close", "early", "no-id", "redirect", "garbage", "cut", "half", "hang", "drip", "midway"}
)
FOR_ACCOUNT = frozenset({"ok", "slow", "cut"})


@dataclass(frozen=True, slots=True)
class Fault:
    """`status` 0: not a plain status."""

    name: str
    value: str = ""
    accept: bool = False

    @property
    def status(self) -> int:
        return int(self.name) if self.name.isdecimal() else 0

    @property
    def seconds(self) -> float:
        return float(self.value or 0)


OK = Fault("ok")


def parse(text: str, names: frozenset[str] = NAMES) -> Fault:
    """Raises ValueError for a name there is not."""
    accept = text.startswith("accept-")
    name, _, value = text.removeprefix("accept-").partition(":")
    if name not in names and not (name.isdecimal() and len(name) == 3):
        raise ValueError(f"there is no fault {text!r}")
    return Fault(name, value, accept)


class Faults:
    """The script first; when it is used up, each request draws its fault by chance. Not locked."""

    def __init__(self, *, seed: int, names: frozenset[str] = NAMES) -> None:
        self._names = names
        self._script: deque[Fault] = deque()
        self._chances: dict[Fault, float] = {}
        self._random = random.Random(seed)

    def script(self, texts: Iterable[str]) -> None:
        self._script.extend([parse(text, self._names) for text in texts])

    def chances(self, chances: Mapping[str, float], *, seed: int | None) -> None:
        self._chances = {parse(text, self._names): chance for text, chance in chances.items()}
        if seed is not None:
            self._random.seed(seed)

    def draw(self) -> Fault:
        if self._script:
            return self._script.popleft()
        point = self._random.random()
        for fault, chance in self._chances.items():
            if point < chance:
                return fault
            point -= chance
        return OK
