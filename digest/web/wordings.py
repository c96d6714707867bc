"""What stands beside each button that changes somebody's consent. The text shown is the text stored as proof.

A changed text needs a new version: the month it was changed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from digest.settings import Settings


@dataclass(frozen=True, slots=True)
class Wording:
    """One text beside a button, and which version of it this is."""

    text: str
    version: str

    def filled(self, settings: Settings) -> Wording:
        """With the newsletter's name and its sender in their places; a text without such places stays as it is."""
        sender = f"{settings.from_name} ({settings.from_email})"
        text = self.text.replace("{newsletter}", settings.digest_newsletter_name).replace("{sender}", sender)
        return replace(self, text=text)


SIGN_UP = Wording(
    "Send me {newsletter}: once a week, verdicts on AI tools, compared in pairs, by mail from {sender}. "
    "Each mail has a link that ends it.",
    "2026-11",
)
CONFIRM = Wording("Yes, send me one edition a week: verdicts on AI tools, compared in pairs.", "2026-11")
UNSUBSCRIBE = Wording("Unsubscribe: no further edition comes to this address.", "2026-11")
PREFERENCES = Wording("What you save here counts from the next edition on.", "2026-11")
UNDO = Wording("Undo: as it was before", "2026-11")
ERASE = Wording(
    "Erase everything held about me. It cannot be brought back, and nobody but me can add this address again.",
    "2026-11",
)
CHANGE_ADDRESS = Wording("Send it to this address from now on, and no longer to the old one.", "2026-11")
