"""The OpenAPI 3.1 description: every operation with every answer it may give, examples included."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from digest import pages
from digest.web.api import examples
from digest.web.api.problems import KINDS, MEDIA_TYPE, ProblemDetails

Schema = dict[str, Any]

DESCRIPTION = """\
For programs of the house: the site tells of its comparisons, asks for opt-ins, and reads what was sent.

Each request carries `Authorization: Bearer …` with a token that `digest staff token NAME --scope SCOPE` has made, and
that is good for its scopes only. A token may be used 600 times a minute.

Whatever is refused is answered as a problem (RFC 9457, `application/problem+json`): `detail` says what is wrong this
time, `errors` each thing by its place. An address that is not there answers 404, a method it does not take 405.

A write whose answer was lost is sent again with the same `Idempotency-Key`: it is done once, and answered the same.
Times are UTC. Bodies are JSON in UTF-8, not compressed."""

_HEADERS: dict[int, Schema] = {
    401: {"WWW-Authenticate": "How to show who you are (RFC 6750)."},
    403: {"WWW-Authenticate": "Names the scope that is missing (RFC 6750)."},
    409: {"Retry-After": "Seconds to wait."},
    429: {"Retry-After": "Seconds to wait."},
    503: {"Retry-After": "Seconds to wait."},
}


def answers(*statuses: int) -> dict[int | str, Schema]:
    """What else an operation may answer, as FastAPI's `responses` has it."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> Schema:
    kinds = [kind for kind in KINDS if kind.status == status]
    examples = {
        kind.name: {
            "summary": kind.title,
            "value": {
                "type": f"https://digest.example.com/api/docs#{kind.name}",
                "title": kind.title,
                "status": status,
                "detail": kind.mend,
            },
        }
        for kind in kinds
    }
    found: Schema = {
        "description": " Or: ".join(f"{kind.title}. {kind.mend}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": _ref("ProblemDetails"), "examples": examples}},
    }
    if status in _HEADERS:
        found["headers"] = {
            name: {"description": words, "required": True, "schema": {"type": "string"}}
            for name, words in _HEADERS[status].items()
        }
    return found


def said(status: int, headers: Mapping[str, str]) -> dict[int | str, Schema]:
    """What an answer may say in its headers."""
    return {
        status: {"headers": {n: {"description": words, "schema": {"type": "string"}} for n, words in headers.items()}}
    }


def body(model: type[BaseModel]) -> Schema:
    """A JSON body that the handler reads by itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _ref(model.__name__)}}}}


COMPARISONS_BODY: Schema = {
    "requestBody": {
        "required": True,
        "description": "One comparison, an array of them, or one a line.",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/SentComparison"},
                        {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 5_000,
                            "items": {"$ref": "#/components/schemas/SentComparison"},
                        },
                    ]
                },
                "examples": {
                    "one": {"summary": "One comparison", "value": examples.COMPARISON},
                    "gone": {
                        "summary": "A page that is gone",
                        "value": examples.WITHDRAWN,
                    },
                },
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "One comparison a line."},
                "example": examples.JSON_LINES,
            },
        },
    }
}

SCHEMA_ANSWER: dict[int | str, Schema] = {
    200: {
        "description": "A JSON Schema.",
        "content": {"application/schema+json": {"schema": {"type": "object"}}},
    }
}


def document(app: FastAPI, *, title: str, bodies: list[type[BaseModel]]) -> Schema:
    """The description of an application that is mounted at /api. `bodies` are the models its handlers read."""
    found = get_openapi(
        title=title,
        version="1",
        openapi_version="3.1.0",
        summary="Comparisons in, opt-ins asked for, editions out.",
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": "/api"}],
        tags=[
            {"name": "comparisons", "description": "What the site has published."},
            {"name": "subscribers", "description": "Who wants the newsletter."},
            {"name": "editions", "description": "What was, is and will be sent."},
        ],
    )
    for item in found["paths"].values():
        for told in item.values():
            _show(told)
    components = found.setdefault("components", {}).setdefault("schemas", {})
    components.update(_models([ProblemDetails, *bodies]))
    components.update(_comparison())
    found["components"]["schemas"] = dict(sorted(components.items()))
    return found


def _show(told: Schema) -> None:
    """Put the samples in. Not with the routes: the framework would leave out every null in them."""
    for status, sample in examples.ANSWERS.get(told["operationId"], {}).items():
        told["responses"][status]["content"]["application/json"]["example"] = sample


def _models(models: list[type[BaseModel]]) -> Schema:
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    definitions: Schema = found["$defs"]
    return definitions


def _comparison() -> Schema:
    """The published schema of a comparison, its parts as components."""
    whole = copy.deepcopy(pages.json_schema())
    parts = whole.pop("$defs")
    del whole["$schema"]
    names = {key: f"Sent{''.join(word.title() for word in part['title'].split())}" for key, part in parts.items()}
    named = {"SentComparison": whole} | {names[key]: part for key, part in parts.items()}
    moved: Schema = _pointing(named, {f"#/$defs/{key}": f"#/components/schemas/{name}" for key, name in names.items()})
    return moved


def _pointing(value: Any, moved: dict[str, str]) -> Any:
    """The same with every reference that has moved."""
    if isinstance(value, list):
        return [_pointing(each, moved) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: moved[inner] if key == "$ref" else _pointing(inner, moved) for key, inner in value.items()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


WRITE_PROBLEMS = answers(400, 401, 403, 409, 413, 415, 422, 429, 500, 503)
