"""The account's suppression lists: filled by what became of mails, or by hand, and read page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LISTS = ("bounces", "blocks", "spam_reports", "invalid_emails", "unsubscribes")
LONGEST_PAGE = 500
FOR_EVER = 2**62

# Mail to an address on one of these is not even tried; SendGrid says why in these words.
DROPPED_BECAUSE = {
    "bounces": "Bounced Address",
    "invalid_emails": "Invalid",
    "spam_reports": "Spam Reporting Address",
    "unsubscribes": "Unsubscribed Address",
}


class Suppressions:
    """Not locked: the server holds its lock around every call."""

    def __init__(self) -> None:
        self._lists: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in LISTS}

    def add(self, name: str, email: str, *, at: int, **more: Any) -> None:
        """An address is on a list once, with its first time. Raises KeyError for a list there is not."""
        self._lists[name].setdefault(email.lower(), {"created": at, "email": email, **more})

    def why_dropped(self, email: str) -> str | None:
        """What keeps mail from this address, in SendGrid's words."""
        normal = email.lower()
        return next((why for name, why in DROPPED_BECAUSE.items() if normal in self._lists[name]), None)

    def page(self, name: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """The newest first. Raises ValueError for what is no number, or for too long a page; KeyError as `add`."""
        start, end = int(query.get("start_time", 0)), int(query.get("end_time", FOR_EVER))
        limit, offset = int(query.get("limit", LONGEST_PAGE)), int(query.get("offset", 0))
        if not 0 < limit <= LONGEST_PAGE:
            raise ValueError(f"limit must be 1 to {LONGEST_PAGE}")
        if offset < 0:
            raise ValueError("offset must not be negative")
        found = [one for one in self._lists[name].values() if start <= one["created"] <= end]
        found.sort(key=lambda one: (-one["created"], one["email"]))
        return found[offset : offset + limit]
