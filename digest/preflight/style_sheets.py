"""Style sheets of a mail as rules: as much of CSS as mails use, without guessing at the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_QUOTED_OR_COMMA = re.compile(r"""\([^()]*\)|\[[^\]]*\]|"[^"]*"|'[^']*'|,""")
_DECLARATION_END = re.compile(r"""\([^()]*\)|"[^"]*"|'[^']*'|;""")
_IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.IGNORECASE)
_STRINGS = re.compile(r"""\[[^\]]*\]|:not\(|\)""")
_ID, _CLASS = re.compile(r"#[\w-]+"), re.compile(r"\.[\w-]+|\[[^\]]*\]|(?<!:):(?!:)(?!not\()[\w-]+(?:\([^()]*\))?")
_ELEMENT = re.compile(r"(?:^|[\s>+~])(?![.#:\[*])([a-zA-Z][\w-]*)|::[\w-]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One selector with its declarations. `media`: every condition around it, in lower case; "" for none.

    `specificity` is (ids, classes, elements), as the cascade weighs it.
    """

    selector: str
    media: str
    declarations: Mapping[str, tuple[str, bool]]
    """By property, in lower case: the value and whether it is important."""
    specificity: tuple[int, int, int]


@lru_cache(maxsize=32)
def rules(sheet: str, media: str = "") -> tuple[Rule, ...]:
    """Every rule of a style sheet in its order; `media` is that of the whole sheet."""
    return tuple(_rules(_COMMENT.sub(" ", sheet), media.strip().lower()))


def _rules(css: str, media: str) -> Iterator[Rule]:
    for prelude, body in blocks(css):
        if prelude.startswith("@"):
            name, _, condition = prelude.partition(" ")
            if name.lower() in ("@media", "@supports"):
                yield from _rules(body, f"{media} {condition.strip().lower()}".strip())
            continue
        declared = declarations(body)
        for selector in _split(prelude, _QUOTED_OR_COMMA, ","):
            yield Rule(selector, media, declared, _specificity(selector))


def blocks(css: str) -> Iterator[tuple[str, str]]:
    """What stands before each pair of braces, and what is in it; statements such as @import are left out."""
    at = start = depth = opened = 0
    prelude = ""
    for found in re.finditer(r"[{};]", css):
        at = found.start()
        if found[0] == "{":
            if depth == 0:
                prelude, opened = css[start:at].strip(), at + 1
            depth += 1
        elif found[0] == "}":
            depth = max(0, depth - 1)
            if depth == 0:
                if prelude:
                    yield prelude, css[opened:at]
                prelude, start = "", at + 1
        elif depth == 0:
            start = at + 1


@lru_cache(maxsize=4096)
def declarations(text: str) -> Mapping[str, tuple[str, bool]]:
    """Of a rule or a style attribute; of a property said twice the last, but for an important one before it."""
    found: dict[str, tuple[str, bool]] = {}
    for each in _split(text, _DECLARATION_END, ";"):
        name, colon, value = each.partition(":")
        if not colon:
            continue
        plain = _IMPORTANT.sub("", value).strip()
        important = plain != value.strip()
        name = name.strip().lower()
        if important or not found.get(name, ("", False))[1]:
            found[name] = (plain, important)
    return found


def _split(text: str, pattern: re.Pattern[str], mark: str) -> Iterator[str]:
    """At a mark outside brackets and quotation marks."""
    start = 0
    for found in pattern.finditer(text):
        if found[0] == mark:
            if text[start : found.start()].strip():
                yield text[start : found.start()].strip()
            start = found.end()
    if text[start:].strip():
        yield text[start:].strip()


def _specificity(selector: str) -> tuple[int, int, int]:
    return (
        len(_ID.findall(_STRINGS.sub(" ", selector))),
        len(_CLASS.findall(selector)),
        len(_ELEMENT.findall(_CLASS.sub("", selector))),
    )
