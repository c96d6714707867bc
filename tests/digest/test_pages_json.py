"""Comparisons in the machine shape: bodies of one and of many, mistakes in words, and the published schema."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import pages
from digest.facts import Community, ComparisonFacts, Facts, Split, TakeFacts, ToolFacts
from tests.digest.page_samples import comparison

ONE = orjson.loads(comparison().model_dump_json())


def read(value: object, **told: str) -> pages.Reading:
    return pages.read(orjson.dumps(value), **told)


def changed(path: str, value: object) -> dict[str, Any]:
    """The sample with one value replaced."""
    copy: dict[str, Any] = orjson.loads(orjson.dumps(ONE))
    *steps, last = path.split(".")
    place: Any = copy
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    return copy


def test_one_object_an_array_and_lines_say_the_same() -> None:
    """The three forms the interface names, and an object spread over lines."""
    page = pages.Page(comparison())
    assert read(ONE) == pages.Reading((page,))
    assert read([ONE, ONE]) == pages.Reading((page, page))
    assert pages.read(orjson.dumps(ONE) + b"\n\n" + orjson.dumps(ONE) + b"\n") == pages.Reading((page, page))
    assert pages.read(json.dumps(ONE, indent=2).encode()) == pages.Reading((page,))
    assert pages.read(orjson.dumps(ONE), media_type="application/x-ndjson").pages == (page,)


def test_two_names_are_enough() -> None:
    """Everything else may be missing, and null says as little."""
    small = {"tools": [{"name": "A"}, {"name": "B"}]}
    assert read(small).pages[0].facts == ComparisonFacts(tools=(ToolFacts(name="A"), ToolFacts(name="B")))
    nulls: dict[str, Any] = dict.fromkeys(ComparisonFacts.model_fields)
    tool = dict.fromkeys(ToolFacts.model_fields)
    nulls["tools"] = [{**tool, "name": "A"}, {**tool, "name": "B", "takes": [dict.fromkeys(TakeFacts.model_fields)]}]
    assert read(nulls).pages[0].facts.tools[1] == ToolFacts(name="B", takes=(TakeFacts(),))


def test_no_votes_is_said_and_is_not_zero() -> None:
    """The interface's own example."""
    found = read(changed("tools.0.community", {"ship_percent": None, "votes": 0})).pages[0].facts.tools[0]
    assert found.community == Community(ship_percent=None, votes=0)
    assert read(changed("tools.0.community", None)).pages[0].facts.tools[0].community is None


def test_unknown_fields_are_no_mistake() -> None:
    """A newer site may say more."""
    assert read({**ONE, "mood": ["sunny"]}) == read(ONE)


def test_one_bad_comparison_does_not_spoil_the_others() -> None:
    """Each is named by where it stands."""
    reading = read([ONE, 5, {"tools": []}, ONE])
    assert len(reading.pages) == 2
    assert reading.bad == (
        pages.Bad("item 2", "A comparison must be an object, got 5."),
        pages.Bad("item 3", "tools must hold two tools, got 0."),
    )
    lines = pages.read(orjson.dumps(ONE) + b'\n{"tools": \n\n' + orjson.dumps(ONE))
    assert len(lines.pages) == 2
    assert [bad.where for bad in lines.bad] == ["line 2"]
    assert lines.bad[0].why.startswith("This is not valid JSON: column ")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("tools.1.takes.0.score", 180, "tools.1.takes.0.score must be between 0 and 100, got 180."),
        ("tools.1.takes.0.score", -0.5, "tools.1.takes.0.score must be between 0 and 100, got -0.5."),
        ("tools.1.takes.0.score", "80", 'tools.1.takes.0.score must be a number, got "80".'),
        ("tools.1.takes.0.score", True, "tools.1.takes.0.score must be a number, got true."),
        ("tools.1.takes.0.call", "Ship", 'tools.1.takes.0.call must be "ship" or "skip", got "Ship".'),
        ("tools.1.takes.0", 7, "tools.1.takes.0 must be an object, got 7."),
        ("tools.1.takes", {}, "tools.1.takes must be a list, got an object."),
        ("tools.1.takes", [{}] * 51, "tools.1.takes must hold at most 50, has 51."),
        ("tools.0.name", None, "tools.0.name is missing."),
        ("tools.0.name", "  ", "tools.0.name must not be empty."),
        ("tools.0.name", ["Otter"], "tools.0.name must be text, got a list."),
        ("tools.0.name", "x" * 301, "tools.0.name must be at most 300 characters long, has 301."),
        ("tools.0.tagline", "x" * 301, "tools.0.tagline must be at most 300 characters long, has 301."),
        ("tools.0.verdict", "great", 'tools.0.verdict must be "ship", "mixed" or "skip", got "great".'),
        ("tools.0.community.votes", -1, "tools.0.community.votes must be between 0 and 1000000000, got -1."),
        ("tools.0.community.votes", 1.5, "tools.0.community.votes must be a whole number, got 1.5."),
        ("tools.0.split", {"ship": 3}, "tools.0.split.skip is missing."),
        (
            "tools.0.slug",
            "a b",
            'tools.0.slug must be a slug (letters, digits and . _ ~ -, a letter or digit first), got "a b".',
        ),
        ("tools", None, "tools is missing."),
        ("tools", [ONE["tools"][0]] * 3, "tools must hold two tools, got 3."),
        ("tools", "A vs B", 'tools must be a list, got "A vs B".'),
        ("url", "ftp://example.com", 'url must be an http or https address, got "ftp://example.com".'),
        ("url", "http://[", 'url must be an http or https address, got "http://[".'),
        ("url", "https://example.com/ x", 'url must be an http or https address, got "https://example.com/ x".'),
        ("withdrawn", "yes", 'withdrawn must be true or false, got "yes".'),
        (
            "published_at",
            "2026-11-18",
            'published_at must be a time with its offset, such as 2026-11-18T09:00:00Z, got "2026-11-18".',
        ),
        (
            "published_at",
            "9999-12-31T23:59:59-12:00",
            'published_at must be a time between the years 1990 and 2199, got "9999-12-31T23:59:59-12:00".',
        ),
        ("loose_remarks", [""], "loose_remarks.0 must not be empty."),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_field(path: str, value: object, sentence: str) -> None:
    """What must be there, and what is there instead."""
    assert read(changed(path, value)) == pages.Reading(bad=(pages.Bad("", sentence),))


def test_of_several_mistakes_the_first_is_named_and_the_others_counted() -> None:
    """One sentence, however much is wrong."""
    tools = [{"name": 5, "entry": 5}, {"name": "B", "takes": [{"score": "x"}]}]
    assert read({"tools": tools}).bad[0].why == "tools.0.name must be text, got 5 (2 more mistakes after it)."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"tools": [\n  {"name": "A"},\n]}', "line 2, column 16: trailing comma is not allowed."),
        (b'{"tools"', "This is not valid JSON: line 1, column "),
        (b"[" * 100_000, "This is not valid JSON"),
        (b"[]", "The JSON array is empty"),
        (b'{"tools": [' + b'{"x":' * 900 + b"1" + b"}" * 900 + b', {"name": "B"}]}', "nested too deeply"),
        (b'{"tools": NaN}', "This is not valid JSON"),
    ],
)
def test_broken_json_is_told_with_its_place(body: bytes, sentence: str) -> None:
    """Line and column, as an editor counts them."""
    reading = pages.read(body)
    assert reading.pages == ()
    assert sentence in reading.bad[0].why


def test_a_body_of_too_many_comparisons_is_read_up_to_the_limit() -> None:
    """And says where it stopped."""
    reading = pages.read(b"[" + b",".join([b'{"tools":[{"name":"A"},{"name":"B"}]}'] * 5_002) + b"]")
    assert len(reading.pages) == 5_000
    assert reading.bad == (
        pages.Bad("item 5001", "This and what follows was not read: at most 5000 comparisons at a time."),
    )


def test_whatever_is_read_is_printed_and_read_again_unchanged() -> None:
    """The machine shape holds everything the plain values hold."""
    facts = read(ONE).pages[0].facts
    assert pages.read(facts.model_dump_json().encode()).pages[0].facts == facts


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(
    ["slug", "url", "title", "published_at", "withdrawn", "tools", "loose_remarks", "tools.0", "tools.1.takes"]
    + [f"tools.0.{field}" for field in ToolFacts.model_fields]
    + [f"tools.0.takes.1.{field}" for field in TakeFacts.model_fields]
)


@given(PATHS, JSON_VALUES)
def test_any_value_anywhere_is_read_or_refused_in_one_short_sentence(path: str, value: object) -> None:
    """Nothing of the machinery shows."""
    body = json.dumps(changed(path, value)).encode()
    reading = pages.read(body)
    assert len(reading.pages) + len(reading.bad) == 1
    for bad in reading.bad:
        assert len(bad.why) < 250
        assert "\n" not in bad.why
        assert "pydantic" not in bad.why
        assert "Input should" not in bad.why


# The published schema


def test_the_schema_names_every_field_and_no_other() -> None:
    """At every level, with a description each."""
    schema = pages.json_schema()
    parts: list[tuple[dict[str, Any], type[Facts]]] = [
        (schema, ComparisonFacts),
        (schema["$defs"]["tool"], ToolFacts),
        (schema["$defs"]["take"], TakeFacts),
        (schema["$defs"]["community"], Community),
        (schema["$defs"]["split"], Split),
    ]
    for part, facts in parts:
        assert list(part["properties"]) == list(facts.model_fields)
        assert part["title"]
        assert part["description"]
        assert all(field["description"] for field in part["properties"].values())
        required = {name for name, field in facts.model_fields.items() if field.is_required()}
        assert set(part.get("required", ())) == required
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in schema


@given(PATHS, JSON_VALUES | st.sampled_from([0, 100, 101, -1, 0.5, "ship", "mixed", "a-vs-b", "https://example.com/x"]))
def test_what_the_schema_allows_is_read(path: str, value: object) -> None:
    """Whoever validates before pushing is not refused; checked by a validator written by others."""
    validator = pytest.importorskip("jsonschema_rs").validator_for(pages.json_schema(), validate_formats=True)
    candidate = changed(path, value)
    if validator.is_valid(candidate):
        assert pages.read(json.dumps(candidate).encode()).bad == ()


def test_what_the_reader_takes_is_allowed_by_the_schema() -> None:
    """The sample, two bare names, and the interface's example."""
    validator = pytest.importorskip("jsonschema_rs").validator_for(pages.json_schema(), validate_formats=True)
    for value in (ONE, {"tools": [{"name": "A"}, {"name": "B"}]}, changed("tools.0.community", {"ship_percent": None})):
        assert validator.is_valid(value)
        assert read(value).bad == ()
    assert not validator.is_valid(changed("tools.1.takes.0.score", 180))
    assert not validator.is_valid({"tools": [{"name": "A"}]})
