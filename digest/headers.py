"""The headers a careful newsletter carries, one of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote


def of_edition(
    *, week: str, variant: str, list_id: str, list_name: str, reply_to: str, site_url: str
) -> dict[str, str]:
    """What every recipient of a variant gets alike: RFC 2919 and RFC 2369, and Feedback-ID for complaint loops."""
    return {
        "List-ID": f"{_phrase(list_name)} <{list_id}>",
        "List-Help": f"<mailto:{quote(reply_to, safe='@+')}?subject=help>",
        "List-Archive": f"<{site_url}/archive>",
        "Feedback-ID": f"{week.lower()}:{variant}:digest:{list_id.split('.', maxsplit=1)[0]}",
        "Precedence": "bulk",
    }


def of_recipient(unsubscribe_url: str, unsubscribe_email: str | None) -> dict[str, str]:
    """One-click unsubscribing as RFC 8058 wants it; the mailbox only where somebody reads it.

    The letter to that mailbox has the token of the link as its subject.
    """
    ways = f"<{unsubscribe_url}>"
    if unsubscribe_email:
        token = unsubscribe_url.rpartition("/")[2]
        ways += f", <mailto:{quote(unsubscribe_email, safe='@+')}?subject={quote(token)}>"
    return {"List-Unsubscribe": ways, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def of_letter() -> Mapping[str, str]:
    """A letter answers something a person or the program did (RFC 3834): no autoresponder should answer it."""
    return {"Auto-Submitted": "auto-generated"}


def _phrase(name: str) -> str:
    """The display name as RFC 5322 lets it stand in a header: ASCII, quoted."""
    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/")
    return f'"{plain}"'
