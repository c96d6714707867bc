"""The stand-in's account: batch ids, scheduled sends, and the answers that never change unless a test changes them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.sendgrid_stub.judge import error
from tests.sendgrid_stub.limits import MOST_CANCELLED


@dataclass(frozen=True, slots=True)
class Reply:
    """`document` None: no body."""

    status: int
    document: Any = None


NOT_FOUND = Reply(404, {"errors": [error("not found")]})

_STANDING = {
    "scopes": {"scopes": ["mail.send", "mail.batch.create", "user.scheduled_sends.create", "suppression.read"]},
    "verified_senders/steps_completed": {"results": {"sender_verified": False, "domain_verified": True}},
    "whitelabel/domains": [{"id": 1, "domain": "example.com", "subdomain": "em", "valid": True, "default": True}],
    "tracking_settings/subscription": {"enabled": False},
    "user/webhooks/event/settings/all": {"max_allowed": 2, "webhooks": []},
    "user/credits": {"remain": 100_000, "total": 100_000, "overage": 0, "used": 0, "reset_frequency": "monthly"},
    "suppression/bounces": [],
    "suppression/blocks": [],
    "suppression/spam_reports": [],
    "suppression/invalid_emails": [],
    "suppression/unsubscribes": [],
}


class Account:
    """Not locked: the server holds its lock around every call."""

    def __init__(self, *, seed: int) -> None:
        self._random = random.Random(seed)
        self._batches: set[str] = set()
        self._scheduled: dict[str, str] = {}
        self._canned: dict[str, Reply] = {}

    def new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"[:22]

    def knows_batch(self, batch_id: object) -> bool:
        return isinstance(batch_id, str) and batch_id in self._batches

    def can(self, what: str, status: int, document: Any) -> None:
        """Answer `what` ("GET /v3/scopes") so from now on."""
        self._canned[what] = Reply(status, document)

    def reply(self, method: str, path: str, document: Any) -> Reply:
        """The answer to anything under /v3/ but Mail Send. `path` has no /v3/ before it."""
        if canned := self._canned.get(f"{method} /v3/{path}"):
            return canned
        if path.startswith("mail/batch"):
            return self._batch(method, path.removeprefix("mail/batch").strip("/"))
        if path.startswith("user/scheduled_sends"):
            return self._schedule(method, path.removeprefix("user/scheduled_sends").strip("/"), document)
        if path in _STANDING and method == "GET":
            return Reply(200, _STANDING[path])
        return NOT_FOUND

    def _batch(self, method: str, batch_id: str) -> Reply:
        if method == "POST" and not batch_id:
            batch_id = self.new_id()
            self._batches.add(batch_id)
            return Reply(201, {"batch_id": batch_id})
        if method == "GET" and batch_id in self._batches:
            return Reply(200, {"batch_id": batch_id})
        return Reply(400, {"errors": [error("invalid batch id")]})

    def _schedule(self, method: str, batch_id: str, document: Any) -> Reply:
        asked = document if isinstance(document, dict) else {}
        match method:
            case "GET" if batch_id:
                return Reply(200, [one for one in self._shown() if one["batch_id"] == batch_id])
            case "GET":
                return Reply(200, self._shown())
            case "POST":
                return self._new_schedule(asked.get("batch_id"), asked.get("status"))
            case "PATCH" if batch_id in self._scheduled and asked.get("status") in ("cancel", "pause"):
                self._scheduled[batch_id] = asked["status"]
                return Reply(204)
            case "DELETE" if batch_id in self._scheduled:
                del self._scheduled[batch_id]
                return Reply(204)
            case _:
                return NOT_FOUND

    def _new_schedule(self, batch_id: Any, status: Any) -> Reply:
        if not self.knows_batch(batch_id):
            return Reply(400, {"errors": [error("invalid batch id", "batch_id")]})
        if status not in ("cancel", "pause"):
            return Reply(400, {"errors": [error("status must be cancel or pause", "status")]})
        if batch_id in self._scheduled:
            return Reply(400, {"errors": [error("a status was already set for this batch id")]})
        if len(self._scheduled) >= MOST_CANCELLED:
            return Reply(400, {"errors": [error("too many cancelled or paused batches")]})
        self._scheduled[batch_id] = status
        return Reply(201, {"batch_id": batch_id, "status": status})

    def _shown(self) -> list[dict[str, str]]:
        return [{"batch_id": batch_id, "status": status} for batch_id, status in self._scheduled.items()]
