"""One variant as a reader meets it: its visible words, its links, and which entries it ought to show. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from selectolax.lexbor import LexborHTMLParser

from digest.facts import clean
from digest.preflight.painting import Painted, painted
from digest.preflight.sheet import Sheet
from digest.rendering import Rendering
from digest.rendering.introduction import plain
from digest.variants import Arrangement, EntryCopy, arrange, variant_key, wishes_there_can_be

HEADINGS = "h1,h2,h3,h4,h5,h6"

# They fence off text that reads from right to left: where they stand is a matter of layout, as with blanks.
_MARKS = re.compile(r"[\u061c\u200e\u200f\u2066-\u2069]")


@lru_cache(maxsize=1024)
def squeezed(copy: str) -> str:
    """Words of the copy as they are looked for: no markup and no end of a line can come between them."""
    return _without_layout(clean(copy))


def _without_layout(text: str) -> str:
    text = "".join(text.split())
    return text if text.isascii() else _MARKS.sub("", text)


@dataclass(frozen=True)
class Part:
    """HTML or plain text of one variant, as words (blanks between them as they come) and the addresses it links to.

    `headings` are without layout; None in plain text, which has none.
    """

    name: Literal["HTML", "text"]
    visible: str
    links: frozenset[str]
    headings: frozenset[str] | None = None

    @cached_property
    def words(self) -> str:
        return _without_layout(self.visible)

    def has(self, words: str) -> bool:
        return squeezed(words) in self.words

    def has_heading(self, words: str) -> bool:
        return self.has(words) if self.headings is None else squeezed(words) in self.headings


@dataclass(frozen=True)
class View:
    """One variant. `shown` None: its key stands for no selection of entries that could be found out.

    `copy_words` is everything the copy says, squeezed: what is in there may be in the mail.
    """

    sheet: Sheet
    rendering: Rendering
    shown: Arrangement | None
    copy_words: str

    @cached_property
    def tree(self) -> LexborHTMLParser | None:
        return LexborHTMLParser(self.rendering.html) if self.rendering.html else None

    @cached_property
    def painted(self) -> list[Painted]:
        """Every piece of its visible text as it looks; nothing for plain text."""
        return list(painted(self.tree)) if self.tree else []

    @cached_property
    def hrefs(self) -> tuple[str, ...]:
        links = self.tree.css("a[href]") if self.tree else []
        return tuple(link.attributes.get("href") or "" for link in links)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """HTML first; a part that is missing altogether is left out."""
        parts: list[Part] = []
        if self.tree is not None:
            body = self.tree.body.text(separator=" ") if self.tree.body else ""
            headings = frozenset(_without_layout(heading.text()) for heading in self.tree.css(HEADINGS))
            parts.append(Part("HTML", body, frozenset(self.hrefs), headings))
        if self.rendering.text.strip():
            parts.append(Part("text", self.rendering.text, frozenset(self.rendering.text.split())))
        return tuple(parts)


def views(sheet: Sheet) -> list[View]:
    """Every variant with the arrangement that its key stands for."""
    keys = {_selection(rendering) for rendering in sheet.renderings}
    arranged = _arrangements(sheet.copy.entries, keys)
    strings = [*_strings(sheet.copy.model_dump()), plain(sheet.copy.introduction)]
    copy_words = "\n".join(map(squeezed, strings))
    return [View(sheet, each, arranged.get(_selection(each)), copy_words) for each in sheet.renderings]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)


def _selection(rendering: Rendering) -> str:
    return rendering.variant.removesuffix("-text")


def _arrangements(entries: Sequence[EntryCopy], keys: Collection[str]) -> dict[str, Arrangement]:
    """By key. A rendering knows its key but not its topics, so the wishes that differ are tried until all are found."""
    found: dict[str, Arrangement] = {}
    for topics in wishes_there_can_be(entries):
        key = variant_key(entries, topics, text_only=False)
        if key in keys and key not in found:
            found[key] = arrange(entries, topics)
        if len(found) == len(keys):
            break
    return found
