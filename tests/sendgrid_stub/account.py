"""The stand-in's account: batch ids, scheduled sends, and the answers that never change unless a test changes them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sendgrid_stub.judge import error
from tests.sendgrid_stub.schedule import Schedule, WrongMove
from tests.sendgrid_stub.suppressions import Suppressions


@dataclass(frozen=True, slots=True)
class Reply:
    """`document` None: no body."""

    status: int
    document: Any = None


NOT_FOUND = Reply(404, {"errors": [error("not found")]})

_STANDING = {
    "scopes": {
        "scopes": [
            "mail.send",
            "mail.batch.create",
            "user.scheduled_sends.create",
            "user.scheduled_sends.read",
            "user.scheduled_sends.delete",
            "suppression.read",
        ]
    },
    "verified_senders/steps_completed": {"results": {"sender_verified": False, "domain_verified": True}},
    "whitelabel/domains": [{"id": 1, "domain": "example.com", "subdomain": "em", "valid": True, "default": True}],
    "tracking_settings/subscription": {"enabled": False},
    "user/webhooks/event/settings/all": {"max_allowed": 2, "webhooks": []},
    "user/credits": {"remain": 100_000, "total": 100_000, "overage": 0, "used": 0, "reset_frequency": "monthly"},
}


class Account:
    """Not locked: the server holds its lock around every call."""

    def __init__(self, *, seed: int, margin: float) -> None:
        self._random = random.Random(seed)
        self._canned: dict[str, Reply] = {}
        self.schedule = Schedule(margin=margin)
        self.suppressions = Suppressions()

    def new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"[:22]

    def can(self, what: str, status: int, document: Any) -> None:
        """Answer `what` ("GET /v3/scopes") so from now on."""
        self._canned[what] = Reply(status, document)

    def as_usual(self, what: str) -> None:
        """No longer."""
        self._canned.pop(what, None)

    def reply(self, method: str, path: str, document: Any, *, query: Mapping[str, str], now: float) -> Reply:
        """The answer to anything under /v3/ but Mail Send. `path` has no /v3/ before it."""
        if canned := self._canned.get(f"{method} /v3/{path}"):
            return canned
        if path.startswith("mail/batch"):
            return self._batch(method, path.removeprefix("mail/batch").strip("/"))
        if path.startswith("user/scheduled_sends"):
            return self._schedule(method, path.removeprefix("user/scheduled_sends").strip("/"), document, now)
        if path.startswith("suppression/") and method == "GET":
            return self._suppressed(path.removeprefix("suppression/"), query)
        if path in _STANDING and method == "GET":
            return Reply(200, _STANDING[path])
        return NOT_FOUND

    def _batch(self, method: str, batch_id: str) -> Reply:
        if method == "POST" and not batch_id:
            batch_id = self.new_id()
            self.schedule.give_out(batch_id)
            return Reply(201, {"batch_id": batch_id})
        if method == "GET" and self.schedule.knows(batch_id):
            return Reply(200, {"batch_id": batch_id})
        return Reply(400, {"errors": [error("invalid batch id")]})

    def _schedule(self, method: str, batch_id: str, document: Any, now: float) -> Reply:
        asked = document if isinstance(document, dict) else {}
        try:
            match method:
                case "GET" if batch_id:
                    return Reply(200, [one for one in self.schedule.shown() if one["batch_id"] == batch_id])
                case "GET":
                    return Reply(200, self.schedule.shown())
                case "POST":
                    self.schedule.stop(asked.get("batch_id"), asked.get("status"), now)
                    return Reply(201, {"batch_id": asked["batch_id"], "status": asked["status"]})
                case "PATCH":
                    self.schedule.change(batch_id, asked.get("status"))
                    return Reply(204)
                case "DELETE":
                    self.schedule.release(batch_id, now)
                    return Reply(204)
        except WrongMove as wrong:
            return Reply(400, {"errors": [error(str(wrong), wrong.field)]})
        except KeyError:
            pass
        return NOT_FOUND

    def _suppressed(self, name: str, query: Mapping[str, str]) -> Reply:
        try:
            return Reply(200, self.suppressions.page(name, query))
        except KeyError:
            return NOT_FOUND
        except ValueError as wrong:
            return Reply(400, {"errors": [error(str(wrong))]})
