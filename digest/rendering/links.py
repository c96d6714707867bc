"""Addresses a mail may link to. Pure."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

LONGEST_ADDRESS = 900


def safe_link(url: str | None) -> str | None:
    """The address as printable ASCII if it is one a mail may link to (http or https, at most 900 octets), else None."""
    if url is None or not url.isprintable() or any(character.isspace() for character in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.netloc.encode("ascii") if parts.netloc.isascii() else parts.netloc.encode("idna")
    except (ValueError, UnicodeError):
        return None
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        return None
    kept = "/:?#[]@!$&'()*+,;=%~-._"
    path, query, fragment = (quote(part, safe=kept) for part in (parts.path, parts.query, parts.fragment))
    address = urlunsplit((parts.scheme.lower(), quote(host.decode(), safe=kept), path, query, fragment))
    return address if len(address) <= LONGEST_ADDRESS else None
