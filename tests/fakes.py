"""A scripted transport with the real interface: says what it is told to, and remembers what it took."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from digest.transport import Accepted, Fencing, Outgoing, Request, TransportError


@dataclass
class ScriptedTransport:
    """Answers each call with the next line of the script, then with yes."""

    kind: str = "scripted"
    script: list[TransportError | None] = field(default_factory=list)
    before_post: Callable[[Request], None] = lambda _: None
    taken: list[Request] = field(default_factory=list)
    """What was accepted."""
    calls: list[Request] = field(default_factory=list)
    fencing: Fencing | None = None
    found: bool | None = None
    """What `evidence` says."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def build(self, outgoing: Outgoing) -> Request:
        names = ",".join(f"{each.delivery}:{each.email}" for each in outgoing.recipients)
        body, deliveries = names.encode(), [each.delivery for each in outgoing.recipients]
        return Request(outgoing, body=body, digest=hashlib.sha256(body).hexdigest(), deliveries=deliveries)

    def post(self, request: Request) -> Accepted:
        self.before_post(request)
        with self._lock:
            self.calls.append(request)
            answer = self.script.pop(0) if self.script else None
            if answer is not None:
                raise answer
            self.taken.append(request)
            return Accepted(message_id=f"message-{len(self.taken)}")

    def evidence(self, *, edition: str, batch: int, attempt: int) -> bool | None:  # noqa: ARG002 - the real interface
        return self.found

    def close(self) -> None:
        """Nothing is open."""

    def deliveries(self) -> Counter[int]:
        """How often each delivery was accepted."""
        return Counter(each.delivery for request in self.taken for each in request.outgoing.recipients)

    def addresses(self) -> list[str]:
        """Everybody accepted, in order."""
        return [each.email for request in self.taken for each in request.outgoing.recipients]
