"""SendGrid's scheduled sends as a fence: what was taken under a batch id can be cancelled until ten minutes before its
time. https://www.twilio.com/docs/sendgrid/api-reference/cancel-scheduled-sends
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from digest.transport import Unavailable

CREATED, OK, NO_CONTENT, NOT_FOUND = 201, 200, 204, 404
CANCELLED = "cancel"
_BATCH_ID = re.compile(r"[!-~]{1,100}")


class Told(NamedTuple):
    """A status and what came with it, as plain values; None where that was no JSON."""

    status: int
    document: Any
    sentence: str
    """The status in words, for whoever has to be told that it is not what was hoped for."""


Tell = Callable[[str, str, dict[str, str] | None], Told]
"""(method, path, document); raises Unavailable or Misconfigured."""


class SendGridFences:
    """A `transport.Fencing`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def new(self) -> str:
        told = self._tell("post", "mail/batch", {})
        found = told.document.get("batch_id") if isinstance(told.document, dict) else None
        if told.status == CREATED and isinstance(found, str) and _BATCH_ID.fullmatch(found):
            return found
        raise Unavailable(f"SendGrid gave no batch id: {told.sentence}")

    def cancel(self, batch_id: str) -> None:
        """Asks for it, then asks whether it is so: a cancelling whose answer was lost counts as well."""
        asked = self._tell("post", "user/scheduled_sends", {"batch_id": batch_id, "status": CANCELLED})
        shown = self._tell("get", f"user/scheduled_sends/{batch_id}", None)
        entries = shown.document if isinstance(shown.document, list) else [shown.document]
        if shown.status == OK and any(_is_cancelled(entry, batch_id) for entry in entries):
            return
        raise Unavailable(f"SendGrid has not cancelled the batch id: {asked.sentence}")

    def release(self, batch_id: str) -> None:
        told = self._tell("delete", f"user/scheduled_sends/{batch_id}", None)
        if told.status not in (NO_CONTENT, NOT_FOUND):
            raise Unavailable(f"SendGrid has not released the batch id: {told.sentence}")


def _is_cancelled(entry: Any, batch_id: str) -> bool:
    return isinstance(entry, dict) and entry.get("batch_id") == batch_id and entry.get("status") == CANCELLED
