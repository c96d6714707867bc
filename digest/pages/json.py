"""Comparisons in the machine shape: one JSON object, an array of them, or JSON Lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from digest.facts import ComparisonFacts
from digest.pages.lines import Unreadable

MOST_COMPARISONS = 5_000  # in one body

# Where it was found in the body ("" for the whole), and the comparison or what is wrong with it.
Found = tuple[str, ComparisonFacts | str]

_JSON_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
_JSON_FEED = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version", re.IGNORECASE)
_PERCENTS = frozenset({"score", "ship_percent", "panel_ship_percent"})
_TOOLS = 2
_LONGEST_SHOWN = 40


def looks_like_json(text: str) -> bool:
    """Whether the text begins as JSON does; `[Beta] A vs B` is a title."""
    return re.match(r'\s*+(?:\{|\[\s*+(?:[\]\[{"]|$))', text) is not None


def read_json(text: str, media_type: str = "") -> Iterator[Found]:
    """Every comparison of the body, good or bad. Raises Unreadable where the body as a whole is no JSON."""
    if media_type in _JSON_LINES or _are_lines(text):
        return _limited(_each_line(text), "line")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise Unreadable(f"This is not valid JSON: line {wrong.lineno}, column {wrong.colno}: {wrong.msg}.") from wrong
    if not isinstance(value, list):
        return iter([("", _comparison(value))])
    if not value:
        raise Unreadable("The JSON array is empty; it should hold comparisons.")
    return _limited(((i, _comparison(item)) for i, item in enumerate(value, 1)), "item")


def _are_lines(text: str) -> bool:
    """One object per line, rather than one object over several lines."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or not lines[0].startswith("{"):  # noqa: PLR2004 - one line is one object
        return False
    objects = sum(line.startswith("{") and line.endswith("}") for line in lines)
    return _is_object(lines[0]) or objects * 2 >= len(lines)


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _each_line(text: str) -> Iterator[tuple[int, ComparisonFacts | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, _comparison(orjson.loads(line))
        except orjson.JSONDecodeError as wrong:
            yield number, f"This is not valid JSON: column {wrong.colno}: {wrong.msg}."


def _limited(numbered: Iterator[tuple[int, ComparisonFacts | str]], unit: str) -> Iterator[Found]:
    for number, found in islice(numbered, MOST_COMPARISONS):
        yield f"{unit} {number}", found
    if (rest := next(numbered, None)) is not None:
        yield (
            f"{unit} {rest[0]}",
            f"This and what follows was not read: at most {MOST_COMPARISONS} comparisons at a time.",
        )


def _comparison(value: object) -> ComparisonFacts | str:
    if not isinstance(value, dict):
        return f"A comparison must be an object, got {_shown(value)}."
    if _JSON_FEED.match(str(value.get("version"))):
        return "This is a JSON Feed: it lists pages and is no comparison itself."
    stated = _stated(value)
    tools = stated.get("tools")
    if isinstance(tools, list) and len(tools) != _TOOLS:
        return f"tools must hold two tools, got {len(tools)}."
    try:
        return ComparisonFacts.model_validate_json(orjson.dumps(stated), strict=True)
    except ValidationError as wrong:
        return _sentence(wrong.errors(include_url=False))
    except orjson.JSONEncodeError:
        return "The comparison is nested too deeply to be one."


def _stated(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is null, which says as little as leaving it out: in the comparison, its tools and their takes."""
    stated = {key: inner for key, inner in value.items() if inner is not None}
    for part in ("tools", "takes"):
        if isinstance(stated.get(part), list):
            stated[part] = [_stated(inner) if isinstance(inner, dict) else inner for inner in stated[part]]
    return stated


# What is wrong, in one sentence


def _sentence(errors: list[ErrorDetails]) -> str:
    first: dict[str, ErrorDetails] = {}
    for error in errors:
        first.setdefault(_path(error), error)
    path, error = next(iter(first.items()))
    more = len(first) - 1
    also = f" ({more} more mistake{'s' if more > 1 else ''} after it)" if more else ""
    return f"{path} {_problem(error)}{also}."


def _path(error: ErrorDetails) -> str:
    steps = error["loc"]
    either = steps[-1] in {"int", "float"}  # a number may be written as either
    return ".".join(str(step) for step in (steps[:-1] if either else steps))


def _problem(error: ErrorDetails) -> str:
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return "must not be empty"
    if kind in {"too_long", "string_too_long"} and isinstance(given, str):
        return f"must be at most {context['max_length']} characters long, has {len(given)}"
    if kind == "too_long":
        return f"must hold at most {context['max_length']}, has {len(given)}"
    return f"must be {_expected(error)}, got {_shown(given)}"


def _expected(error: ErrorDetails) -> str:
    kind, context, steps = error["type"], error.get("ctx", {}), error["loc"]
    if kind in {"greater_than_equal", "less_than_equal"}:
        return "between 0 and 100" if steps[-1] in _PERCENTS else "between 0 and 1000000000"
    if kind in {"int_type", "float_type"}:
        return "a number" if steps[-1] in {"int", "float"} else "a whole number"
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind == "value_error":
        return str(context["error"]).removeprefix("must be ")
    if kind.startswith(("datetime", "timezone")):
        return "a time with its offset, such as 2026-11-18T09:00:00Z"
    return {
        "string_type": "text",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "model_type": "an object",
        "string_pattern_mismatch": "a slug (letters, digits and . _ ~ -, a letter or digit first)",
    }.get(kind, error["msg"])


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    shown = orjson.dumps(value).decode()
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
