"""Everything the stand-in knows, behind one lock, and what follows from what."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from tests.sendgrid_stub import door, events
from tests.sendgrid_stub.account import Account, Reply
from tests.sendgrid_stub.clock import Clock
from tests.sendgrid_stub.events import Happening, Mail
from tests.sendgrid_stub.faults import FOR_ACCOUNT, Fault, Faults
from tests.sendgrid_stub.fortunes import Fortunes
from tests.sendgrid_stub.hook import Hook
from tests.sendgrid_stub.judge import Judged, judge
from tests.sendgrid_stub.memory import OUT, Memory, Taken

REMEMBERED_REQUESTS = 200
CANCEL_MARGIN = 600.0

# The suppression list that SendGrid puts an address on, by what became of a mail to it.
LISTED = {
    "bounce": "bounces",
    "late-bounce": "bounces",
    "blocked": "blocks",
    "spamreport": "spam_reports",
    "unsubscribe": "unsubscribes",
}


class World:
    """One account and its mail. `key` None takes any key that looks like one; `margin` as in schedule.py."""

    def __init__(
        self, *, key: str | None = None, seed: int = 0, whole_bodies: int = 16, margin: float = CANCEL_MARGIN
    ) -> None:
        self._lock = threading.Lock()
        self._key = key
        self._seed = seed
        self._whole_bodies = whole_bodies
        self._margin = margin
        self._begin()

    def _begin(self) -> None:
        self.memory: Memory = Memory(whole_bodies=self._whole_bodies)
        self.account: Account = Account(seed=self._seed, margin=self._margin)
        self.faults: Faults = Faults(seed=self._seed)
        self.account_faults: Faults = Faults(seed=self._seed, names=FOR_ACCOUNT)
        self.fortunes: Fortunes = Fortunes(seed=self._seed)
        self.clock: Clock = Clock()
        self.hook: Hook = Hook(self.clock, seed=self._seed)
        self.requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_REQUESTS)
        self._answers = Counter[str]()
        self._connections = 0
        self._mail_requests = 0
        self._followed = 0

    def forget(self) -> None:
        """As if it had just been started."""
        self.hook.close(wait=False)
        self._begin()

    def close(self) -> None:
        self.hook.close(wait=True)

    def opened(self) -> None:
        """A connection carried its first call of the API; the test's own connections do not count."""
        with self._lock:
            self._connections += 1

    def knows(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        return scheme == "Bearer" and (key == self._key if self._key else key.startswith("SG."))

    def asked(self, method: str, path: str, headers: dict[str, str]) -> None:
        with self._lock:
            self.requests.append({"method": method, "path": path, "headers": headers})

    def answered(self, how: str) -> None:
        """A status or, where none was given, the fault's name."""
        with self._lock:
            self._answers[how] += 1

    def followed(self) -> None:
        with self._lock:
            self._followed += 1

    def draw(self) -> Fault:
        """How the Mail Send request that has just arrived will be treated."""
        with self._lock:
            self._mail_requests += 1
            return self.faults.draw()

    def draw_for_account(self) -> Fault:
        """The same for any other request."""
        with self._lock:
            return self.account_faults.draw()

    def judge(self, body: bytes) -> Judged:
        return judge(body, now=self.clock.now(), knows_batch=self.account.schedule.knows)

    def take(self, judged: Judged, body: bytes) -> str:
        """Remember the mail, unless it was for the sandbox, and give it a message id."""
        with self._lock:
            message_id = self.account.new_id()
            if not judged.sandbox:
                self.pass_time()
                with_args = self.hook.wanted or self.fortunes.told
                taken = self.memory.take(judged, body, message_id, with_args=with_args)
                if self.account.schedule.take(taken, self.clock.now()):
                    self._goes_out(taken)
            return message_id

    def reply(self, method: str, path: str, query: Mapping[str, str], document: Any) -> Reply:
        with self._lock:
            self.pass_time()
            reply = self.account.reply(method, path, document, query=query, now=self.clock.now())
            self.pass_time()
            return reply

    def control(self, method: str, path: str, query: dict[str, str], document: Any) -> Reply:
        """The test's own door, `/_stub/<path>`."""
        with self._lock:
            self.pass_time()
            if method == "POST":
                return door.change(self, path, document if isinstance(document, dict) else {})
            return door.show(self, path, query)

    # What follows. The lock is held.

    def pass_time(self) -> None:
        """What waited for a time that has come goes out."""
        for taken in self.account.schedule.pass_time(self.clock.now()):
            self._goes_out(taken)
        self.hook.look()

    def _goes_out(self, taken: Taken) -> None:
        for mail in taken.mails():
            dropped = self.account.suppressions.why_dropped(mail.email)
            self._becomes(mail, [Happening("dropped", dropped)] if dropped else self.fortunes.of(mail))

    def happen(self, address: str, texts: Sequence[str]) -> None:
        """These events of the newest mail that has gone out to this address. Raises ValueError where there is none."""
        happenings = [events.parse(text) for text in texts]
        for taken in reversed(self.memory.taken):
            for mail in taken.mails() if taken.fate == OUT else ():
                if mail.email.lower() == address.lower():
                    self._becomes(mail, happenings, after=len(self.memory.taken) + self.hook.made)
                    return
        raise ValueError(f"no mail has gone out to {address} since there was a webhook")

    def _becomes(self, mail: Mail, happenings: Sequence[Happening], *, after: int = 0) -> None:
        """`after` numbers what happens to a mail that had events before."""
        now = self.clock.now()
        for happening in happenings:
            self._list(mail, happening, int(now))
        if self.hook.wanted:
            self.hook.put(
                (
                    events.event(mail, happening, at=int(now) + number, number=after + number, seed=self._seed)
                    for number, happening in enumerate(happenings)
                ),
                due=now,
            )

    def _list(self, mail: Mail, happening: Happening, at: int) -> None:
        """On the suppression list that follows from it."""
        name = LISTED.get(happening.kind)
        if happening.kind == "dropped" and happening.value == "Invalid":
            name = "invalid_emails"
        if name is None:
            return
        event = events.event(mail, happening, at=at, number=0)
        more = {word: event[word] for word in ("reason", "status") if word in event}
        self.account.suppressions.add(name, mail.email, at=at, **more)

    def state(self) -> dict[str, Any]:
        return {
            "connections": self._connections,
            "mail_requests": self._mail_requests,
            "taken_requests": len(self.memory.taken),
            "recipients": self.memory.recipients,
            "fates": self.memory.fates(),
            "answers": dict(self._answers),
            "followed_redirects": self._followed,
        }
