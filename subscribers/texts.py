"""Short texts that strangers give us, made safe to store on both databases and to print on one line."""

from __future__ import annotations

import re
import unicodedata

# Controls, lone surrogates, and the bidirectional overrides that can turn a sentence around.
# Joiners stay: emoji and Persian are spelled with them.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")


def one_line(text: str) -> str:
    """One line of visible text: NFC, nothing unseen, runs of white space folded to one space."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return _BLANKS.sub(" ", _UNSEEN.sub(" ", unicodedata.normalize("NFC", text))).strip()


def shortened(text: str, longest: int) -> str:
    """One line of at most `longest` characters; an ellipsis says that something was cut off."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def searchable(email: str, key: str, name: str | None) -> str:
    """What a search for somebody looks through: their address as compared and, where it reads otherwise, as typed."""
    typed = email.casefold()
    return " ".join([key, *([typed] if typed != key else []), *([name.casefold()] if name else [])])
