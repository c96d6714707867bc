"""Everything the stand-in knows, behind one lock, and the words in which it tells a test."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

from tests.sendgrid_stub.account import NOT_FOUND, Account, Reply
from tests.sendgrid_stub.faults import Fault, Faults
from tests.sendgrid_stub.judge import Judged, judge
from tests.sendgrid_stub.memory import Memory

REMEMBERED_REQUESTS = 200


class World:
    """One account and its mail. `key` None takes any key that looks like one."""

    def __init__(self, *, key: str | None = None, seed: int = 0, whole_bodies: int = 16) -> None:
        self._lock = threading.Lock()
        self._key = key
        self._seed = seed
        self._whole_bodies = whole_bodies
        self._forget()

    def _forget(self) -> None:
        self._memory = Memory(whole_bodies=self._whole_bodies)
        self._account = Account(seed=self._seed)
        self._faults = Faults(seed=self._seed)
        self._answers = Counter[str]()
        self._connections = 0
        self._mail_requests = 0
        self._followed = 0
        self._requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_REQUESTS)

    def opened(self) -> None:
        """A connection carried its first call of the API; the test's own connections do not count."""
        with self._lock:
            self._connections += 1

    def knows(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        return scheme == "Bearer" and (key == self._key if self._key else key.startswith("SG."))

    def asked(self, method: str, path: str, headers: dict[str, str]) -> None:
        with self._lock:
            self._requests.append({"method": method, "path": path, "headers": headers})

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
            return self._faults.draw()

    def judge(self, body: bytes) -> Judged:
        return judge(body, now=time.time(), knows_batch=self._account.knows_batch)

    def take(self, judged: Judged, body: bytes) -> str:
        """Remember the mail, unless it was for the sandbox, and give it a message id."""
        with self._lock:
            message_id = self._account.new_id()
            if not judged.sandbox:
                self._memory.take(judged, body, message_id)
            return message_id

    def reply(self, method: str, path: str, document: Any) -> Reply:
        with self._lock:
            return self._account.reply(method, path, document)

    def control(self, method: str, path: str, query: dict[str, str], document: Any) -> Reply:
        """The test's own door, `/_stub/<path>`."""
        with self._lock:
            if method == "POST":
                return self._change(path, document)
            return self._show(path, query)

    def _change(self, path: str, document: Any) -> Reply:
        match path:
            case "faults":
                try:
                    self._faults.script(document.get("next", ()))
                    if "chances" in document:
                        self._faults.chances(document["chances"], seed=document.get("seed"))
                except ValueError as wrong:
                    return Reply(400, {"error": str(wrong)})
            case "answers":
                self._account.can(document["to"], document["status"], document["with"])
            case "reset":
                self._forget()
            case _:
                return NOT_FOUND
        return Reply(200, {})

    def _show(self, path: str, query: dict[str, str]) -> Reply:
        match path:
            case "state":
                return Reply(200, self._state())
            case "taken" if "delivery" in query:
                return Reply(200, self._memory.of_delivery(int(query["delivery"])))
            case "taken" if "address" in query:
                return Reply(200, self._memory.of_address(query["address"]))
            case "taken":
                return Reply(200, [one.summary() for one in self._memory.taken])
            case "twice":
                return Reply(200, self._memory.twice())
            case "mail":
                return Reply(200, {"mail": self._memory.mail(query.get("address", ""))})
            case "requests":
                return Reply(200, list(self._requests))
            case _:
                return NOT_FOUND

    def _state(self) -> dict[str, Any]:
        return {
            "connections": self._connections,
            "mail_requests": self._mail_requests,
            "taken_requests": len(self._memory.taken),
            "recipients": self._memory.recipients,
            "answers": dict(self._answers),
            "followed_redirects": self._followed,
        }
