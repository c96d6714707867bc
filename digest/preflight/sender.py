"""Checks of who sends it, and to whom."""

from __future__ import annotations

from collections.abc import Iterator

from digest.preflight.sheet import Problem, Sheet

# RFC 2606 and RFC 6761: nobody can own a name in these.
_NOBODYS = (".example", ".example.com", ".example.net", ".example.org", ".test", ".invalid", ".localhost", ".local")


def postal_address(sheet: Sheet) -> Iterator[Problem]:
    """The law asks for it in every mail to a list; nobody asks for it in a folder."""
    if not (sheet.postal_address or "").strip():
        yield Problem(
            "block" if sheet.through_provider else "info",
            "no-postal-address",
            "footer",
            "There is no postal address, which every mail to a list must carry.",
            "Set DIGEST_POSTAL_ADDRESS.",
        )


def from_address(sheet: Sheet) -> Iterator[Problem]:
    domain = sheet.from_email.rpartition("@")[2].lower().rstrip(".")
    if sheet.through_provider and f".{domain}".endswith(_NOBODYS):
        yield Problem(
            "warn",
            "from-address",
            "sender",
            f"{sheet.from_email} is an address for examples; nobody can prove that its mail is genuine.",
            "Set DIGEST_FROM_EMAIL to an address of a domain you have authenticated.",
        )


def audience(sheet: Sheet) -> Iterator[Problem]:
    if not sheet.candidates:
        yield Problem(
            "warn",
            "nobody",
            "audience",
            "There is no active subscriber: nobody would get it.",
            "Check with digest subscribers list.",
        )
