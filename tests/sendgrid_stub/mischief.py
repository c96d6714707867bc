"""What goes wrong between the account and our webhook, by seeded chance. Pure.

    twice              the same event in another post         again            the same with another sg_event_id
    late[:SECONDS]     posted so much later (default: 60)     unknown          beside it, a kind nobody has heard of
    strangers          beside it, an event of other mail      shuffled         a round of events in any order
    replayed           a whole signed post once more          forged           beside a post, one that is not ours

The first five are drawn for each event, `shuffled` for each round, the last two for each post. Forged posts say that
everybody in the true one complained; they have a bad signature, a body changed after signing, another key, or no
signature at all, in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from tests.sendgrid_stub.events import Fields, event_id, of_a_stranger
from tests.sendgrid_stub.luck import checked, digest, luck
from tests.signing import SIGNATURE, TIMESTAMP, Signer

NAMES = frozenset({"twice", "again", "late", "unknown", "strangers", "shuffled", "replayed", "forged"})
LATE_SECONDS = 60.0


def body_of(events: Sequence[Fields]) -> bytes:
    """As it is on the wire: one event a line, and the line end that the signature covers too."""
    return b"[" + b",\r\n".join(map(orjson.dumps, events)) + b"]\r\n"


@dataclass
class Mischief:
    """Chances by name; without any, every event is posted once and in order."""

    seed: int = 0
    late_seconds: float = LATE_SECONDS
    _chances: dict[str, float] = field(default_factory=dict)

    def set(self, chances: Mapping[str, float], *, seed: int | None) -> None:
        """Raises ValueError."""
        found: dict[str, float] = {}
        late = LATE_SECONDS
        for text, chance in checked(chances).items():
            name, _, value = text.partition(":")
            if name not in NAMES or (value and name != "late"):
                raise ValueError(f"there is no mischief {text!r}")
            late = float(value) if value else late
            found[name] = chance
        self._chances, self.late_seconds = found, late
        self.seed = self.seed if seed is None else seed

    def strikes(self, name: str, *about: object) -> bool:
        chance = self._chances.get(name, 0)
        return chance > 0 and luck(self.seed, name, *about) < chance

    def with_company(self, event: Fields) -> Iterator[tuple[Fields, float]]:
        """The event and what comes with it, each with how many seconds later it is posted."""
        own = str(event.get("sg_event_id", ""))
        delay = self.late_seconds if self.strikes("late", own) else 0.0
        yield event, delay
        if self.strikes("twice", own):
            yield event, delay + luck(self.seed, "after", own)
        if self.strikes("again", own):
            yield event | {"sg_event_id": event_id(self.seed, own, "again")}, delay + luck(self.seed, "after", own)
        if self.strikes("unknown", own):
            yield event | {"sg_event_id": event_id(self.seed, own, "unknown"), "event": "pondered"}, delay
        if self.strikes("strangers", own):
            number = int.from_bytes(digest(self.seed, own, size=4), "big")
            yield of_a_stranger(number, at=event.get("timestamp", 0), seed=self.seed), delay


def forged(
    events: Sequence[Fields], number: int, *, key: Signer, other: Signer, timestamp: str
) -> tuple[bytes, dict[str, str]]:
    """A post that nobody may believe: its body and headers."""
    lies = body_of(
        [each | {"event": "spamreport", "sg_event_id": f"forged-{number}-{n}"} for n, each in enumerate(events)]
    )
    match number % 4:
        case 0:
            return lies, key.headers(lies, timestamp=timestamp) | {SIGNATURE: "AAAA"}
        case 1:
            return lies, key.headers(body_of(events), timestamp=timestamp)
        case 2:
            return lies, other.headers(lies, timestamp=timestamp)
        case _:
            return lies, {TIMESTAMP: timestamp}


def signer(seed: int, whose: str = "the account's") -> Signer:
    """The same keys for the same seed: a rehearsal that is started again needs no new setting."""
    return Signer(int.from_bytes(digest(seed, "key", whose, size=31), "big") or 1)
