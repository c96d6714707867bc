"""The JSON Schema (draft 2020-12) of one comparison in the machine shape, as it is published. Pure.

Written for those who push comparisons to us; tests hold it against what the reader accepts.
"""

from __future__ import annotations

from typing import Any

from digest.facts import (
    LONGEST_ADDRESS,
    LONGEST_NAME,
    LONGEST_SLUG,
    LONGEST_TEXT,
    MOST_LOOSE_REMARKS,
    MOST_TAKES,
    SLUG,
    WEB_ADDRESS,
)

Schema = dict[str, Any]

_OPTIONAL = "May be left out or null: then it is unknown."


def json_schema() -> Schema:
    """A fresh copy; it has no `$id`, since the address it is published at differs by installation."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Comparison",
        "description": "One published page that sets two tools side by side. Only `tools`, and in each its `name`, "
        "are required. Unknown fields are ignored. What is left out or null is unknown, and overwrites nothing.",
        "type": "object",
        "required": ["tools"],
        "properties": {
            "slug": _slug("The last part of the page's address: both tools' slugs in alphabetical order, `a-vs-b`."),
            "url": _address("The address of the page."),
            "title": _text("The page's heading, `A vs B`.", LONGEST_NAME),
            "published_at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the page was published, with the offset from UTC.",
                "examples": ["2026-11-18T09:00:00Z"],
            },
            "withdrawn": {
                "type": ["boolean", "null"],
                "default": False,
                "description": "True: the page is gone and must not be sent to anybody any more.",
            },
            "tools": {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": {"$ref": "#/$defs/tool"},
                "description": "The two tools, in the order of the page.",
            },
            "loose_remarks": {
                "type": ["array", "null"],
                "maxItems": MOST_LOOSE_REMARKS,
                "items": _line("A remark.", LONGEST_TEXT),
                "description": "Remarks shown without saying whose they are, in the order of the page.",
            },
        },
        "$defs": {"tool": _tool(), "take": _take(), "community": _community(), "split": _split()},
    }


def _tool() -> Schema:
    return {
        "title": "Tool",
        "description": "One reviewed tool as the page shows it.",
        "type": "object",
        "required": ["name"],
        "properties": {
            "slug": _slug("The last part of the tool's own address. It identifies the tool: names repeat."),
            "name": _line("The tool's name. Without a slug, name and tagline identify the tool.", LONGEST_NAME),
            "tagline": _text("What the tool is, in a line.", LONGEST_NAME),
            "category": _text("The site's category, such as Developer Tools.", LONGEST_NAME),
            "description": _text("One paragraph about the tool.", LONGEST_TEXT),
            "entry": _text("The entry label, such as Free or Paid.", LONGEST_NAME),
            "pricing": _text("The pricing in words; it may say more than the entry label.", LONGEST_NAME),
            "best_for": _text("Who or what the tool is best for.", LONGEST_NAME),
            "panel_ship_percent": _out_of_100("The share of the panel that says ship, in percent."),
            "verdict": {
                "enum": ["ship", "mixed", "skip", None],
                "description": f"The panel's verdict as the page's badge states it. {_OPTIONAL}",
            },
            "split": _part("split", "How the panel's votes are divided."),
            "community": _part("community", "How the readers voted."),
            "takes": {
                "type": ["array", "null"],
                "maxItems": MOST_TAKES,
                "items": {"$ref": "#/$defs/take"},
                "description": "What each reviewer of the panel says.",
            },
        },
    }


def _take() -> Schema:
    return {
        "title": "Take",
        "description": "One reviewer's score, call and remark on one tool.",
        "type": "object",
        "properties": {
            "reviewer": _text("The reviewer's name, such as Builder.", LONGEST_NAME),
            "score": _out_of_100("The score out of 100."),
            "call": {"enum": ["ship", "skip", None], "description": f"The reviewer's call. {_OPTIONAL}"},
            "remark": _text("The reviewer's words, without quotation marks around them.", LONGEST_TEXT),
        },
    }


def _community() -> Schema:
    return {
        "title": "Community vote",
        "description": "The readers' vote. A `ship_percent` of null says that nobody has voted yet; 0 is a real zero.",
        "type": "object",
        "properties": {
            "ship_percent": _out_of_100("The share of the readers that says ship, in percent."),
            "votes": {**_count("How many readers have voted."), "type": ["integer", "null"]},
        },
    }


def _split() -> Schema:
    return {
        "title": "Split",
        "description": "How many of the panel say ship, and how many say skip.",
        "type": "object",
        "required": ["ship", "skip"],
        "properties": {"ship": _count("Votes to ship."), "skip": _count("Votes to skip.")},
    }


def _line(description: str, longest: int) -> Schema:
    return {
        "type": "string",
        "pattern": r"\S",
        "minLength": 1,
        "maxLength": longest,
        "description": description,
    }


def _text(description: str, longest: int) -> Schema:
    return {"type": ["string", "null"], "maxLength": longest, "description": f"{description} {_OPTIONAL}"}


def _slug(description: str) -> Schema:
    return {
        "type": ["string", "null"],
        "maxLength": LONGEST_SLUG,
        "pattern": SLUG,
        "description": f"{description} {_OPTIONAL}",
    }


def _address(description: str) -> Schema:
    return {
        "type": ["string", "null"],
        "maxLength": LONGEST_ADDRESS,
        "pattern": WEB_ADDRESS,
        "description": f"{description} {_OPTIONAL}",
    }


def _out_of_100(description: str) -> Schema:
    return {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 100,
        "description": f"{description} {_OPTIONAL}",
    }


def _count(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "maximum": 1_000_000_000, "description": description}


def _part(name: str, description: str) -> Schema:
    return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}], "description": f"{description} {_OPTIONAL}"}
