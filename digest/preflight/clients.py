"""Checks of what Outlook for Windows (which lays out with Word) and Gmail make of a mail's styles.

What they drop is from caniemail.com's tables and, for whole style sheets, github.com/hteumeuleu/email-bugs (21, 90).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from selectolax.lexbor import LexborNode

from digest.preflight.sheet import Problem
from digest.preflight.style_sheets import Rule, blocks, declarations, rules
from digest.preflight.view import View
from digest.text_layout import shorten

_LONGEST_EXCERPT = 60
_TABLES = "Mend the template: lay out with tables, and give plain values."

# Each a property and what of its values is lost; sources: caniemail.com, css-<name>, Outlook 2007 to 2019 "n".
_DROPPED = (
    (re.compile(r"display$"), re.compile(r"\b(?:inline-)?(?:flex|grid)\b")),
    (re.compile(r"(?:flex|grid)(?:-\w+)*$|(?:align|justify|place)-\w+$|gap$"), re.compile("")),
    (re.compile(r"position$"), re.compile(r"relative|absolute|fixed|sticky")),
    (re.compile(r"float$"), re.compile(r"left|right")),
    (re.compile(r"opacity$"), re.compile(r"^0?\.\d")),
    (re.compile(r"background(?:-image)?$"), re.compile(r"url\(|gradient\(")),
    (re.compile(r"margin(?:-\w+)?$"), re.compile(r"(?:^|\s)-[\d.]")),
    (re.compile(r"--[\w-]+$"), re.compile("")),
    (re.compile(r""), re.compile(r"\b(?:calc|var|min|max|clamp)\(|\b(?:rgb|hsl)a\(|#(?:[0-9a-f]{8}|[0-9a-f]{4})\b")),
)
_AT = re.compile(r"@[\w-]")
_BLANKS_IN_COLOUR = re.compile(r"\b(?:rgb|hsl)a?\(\s*[\d.]+%?\s+[\d.]")
# Outlook.com itself puts these attributes where it darkens; every other client is to pass over such a rule.
_ATTRIBUTE = re.compile(r"\[(?!data-ogs[cb]\])[^\]]*\]")


def outlook(view: View) -> Iterator[Problem]:
    """Styles of elements, and rules for every medium: those within @media are extras that Outlook never reads."""
    if view.tree is None:
        return
    for rule in _everywhere(view):
        yield from (_lost(f"{rule.selector} {{…}}", style) for style in _dropped(_written(rule.declarations)))
    for node in view.tree.css("[style]"):
        style = node.attributes.get("style") or ""
        for lost in _dropped(style):
            yield _lost(f"<{node.tag}>", lost)
        declared = declarations(style)
        if node.tag == "span" and any(name.startswith("margin") for name in declared):
            yield _lost("<span>", "margin")
        if "max-width" in declared and _is_unbounded(node):
            yield _lost(f"<{node.tag}>", "max-width without a width")


def _everywhere(view: View) -> Iterator[Rule]:
    for style in view.tree.css("style") if view.tree else []:
        for rule in rules(style.text(), style.attributes.get("media") or ""):
            if not rule.media:
                yield rule


def _written(declared: Mapping[str, tuple[str, bool]]) -> str:
    return ";".join(f"{name}:{value}" for name, (value, _) in declared.items())


@lru_cache(maxsize=2048)
def _dropped(style: str) -> tuple[str, ...]:
    """What of these declarations is lost, as it is written."""
    return tuple(
        shorten(f"{name}:{value}", _LONGEST_EXCERPT)
        for name, (value, _) in declarations(style).items()
        if any(prop.match(name) and lost.search(value.lower()) for prop, lost in _DROPPED)
    )


def _is_unbounded(node: LexborNode) -> bool:
    """An image or a table that is only held by max-width stands there as wide as it can be."""
    style = declarations(node.attributes.get("style") or "")
    return node.tag in ("img", "table") and "width" not in style and not node.attributes.get("width")


def _lost(where: str, style: str) -> Problem:
    return Problem("warn", "outlook", "HTML", f"Outlook for Windows drops what {where} says: {style}.", _TABLES)


def gmail_style(view: View) -> Iterator[Problem]:
    """What makes Gmail drop a whole style sheet, and with it what it holds for dark mode and phones."""
    if view.tree is None:
        return
    for style in view.tree.css("style"):
        why = _why_dropped(style.text())
        if why:
            excerpt = shorten(" ".join(style.text().split()), _LONGEST_EXCERPT)
            what = f"Gmail drops the style sheet “{excerpt}” whole: {why}."
            yield Problem("block", "gmail-style", "HTML", what, "Mend the template: part it, or write it otherwise.")
    if view.tree.css("body style"):
        what = "A style sheet stands in the body; Gmail and Outlook read none there."
        yield Problem("block", "gmail-style", "HTML", what, "Mend the template: put it into the head.")


@lru_cache(maxsize=64)
def _why_dropped(css: str) -> str:
    if any(prelude.startswith("@") and _AT.search(body) for prelude, body in blocks(css)):
        return "it has an @-rule within an @-rule"
    if "<" in css:
        return "it has a “<”"
    if _BLANKS_IN_COLOUR.search(css):
        return "it has a colour whose parts stand without commas"
    return ""


def gmail_rules(view: View) -> Iterator[Problem]:
    """What Gmail drops one by one: a rule for an attribute, a style attribute with a colour that it cannot read."""
    if view.tree is None:
        return
    for rule in _everywhere(view):
        if _ATTRIBUTE.search(rule.selector):
            what = f"Gmail drops the rule for {shorten(rule.selector, _LONGEST_EXCERPT)}: it selects by an attribute."
            yield Problem("warn", "gmail-rule", "HTML", what, "Mend the template: select by a class.")
    for node in view.tree.css("[style]"):
        style = node.attributes.get("style") or ""
        if "(" in style and _BLANKS_IN_COLOUR.search(style):
            what = f"Gmail drops everything that <{node.tag}> says of its style, for a colour: {_short(style)}"
            yield Problem("warn", "gmail-rule", "HTML", what, "Mend the template: write the colour as #rrggbb.")


def _short(style: str) -> str:
    return shorten(style, _LONGEST_EXCERPT)
