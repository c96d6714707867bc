"""What a reader sees of a mail without opening it, and where its links lead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

_ADDRESS = re.compile(r"https?://[^\s<>]+")


@dataclass(frozen=True, slots=True)
class Inbox:
    """One kind of inbox: about how many characters of each part it shows. Letters differ in width, so about."""

    name: str
    is_wide: bool
    """One line across a whole screen; else a narrow list."""
    sender: int
    subject: int
    preheader: int


INBOXES = (
    Inbox("Narrow phone, Gmail app", is_wide=False, sender=22, subject=33, preheader=38),
    Inbox("iPhone, Mail", is_wide=False, sender=26, subject=41, preheader=90),
    Inbox("Outlook, list beside the mail", is_wide=False, sender=30, subject=55, preheader=50),
    Inbox("Gmail in a browser", is_wide=True, sender=20, subject=70, preheader=60),
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Words as far as a place shows them, and the rest."""

    shown: str
    lost: str


@dataclass(frozen=True, slots=True)
class Row:
    """A mail in one inbox."""

    inbox: Inbox
    sender: Cut
    subject: Cut
    preheader: Cut


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a mail, by its words. In plain text an address stands for itself."""

    words: str
    address: str


def rows(*, sender: str, subject: str, html: str | None, text: str) -> list[Row]:
    """The mail in every kind of inbox. What stands beside the subject is what the mail begins with."""
    begins = opening(html, text)
    return [
        Row(inbox, cut(sender, inbox.sender), cut(subject, inbox.subject), cut(begins, inbox.preheader))
        for inbox in INBOXES
    ]


def opening(html: str | None, text: str) -> str:
    """The first words of a mail on one line, more than any inbox shows."""
    if html is None:
        return " ".join(text.split())[:_LONGEST_OPENING]
    body = LexborHTMLParser(html).body
    return " ".join(body.text(separator=" ").split())[:_LONGEST_OPENING] if body else ""


_LONGEST_OPENING = 300


def cut(words: str, most: int) -> Cut:
    """At most so many characters, an ellipsis among them."""
    if len(words) <= most:
        return Cut(words, "")
    shown = words[: most - 1].rstrip()
    return Cut(f"{shown}…", words[len(shown) :].strip())


def links(html: str | None, text: str) -> list[Link]:
    """Every link in the order it stands in, each pair of words and address once."""
    found = _in_html(html) if html is not None else _in_text(text)
    return list(dict.fromkeys(found))


def _in_html(html: str) -> Iterator[Link]:
    for link in LexborHTMLParser(html).css("a[href]"):
        yield Link(" ".join(link.text().split()), link.attributes.get("href") or "")


def _in_text(text: str) -> Iterator[Link]:
    for found in _ADDRESS.finditer(text):
        yield Link(found[0], found[0])
