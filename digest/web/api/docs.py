"""The description of the API, for machines and for people. The page is made from the same document, without scripts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import Markup, escape

from digest.web.api import problems
from digest.web.pages import environment, services_of

router = APIRouter(include_in_schema=False)

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the API does, as the page shows it."""

    anchor: str
    method: str
    path: str
    scopes: tuple[str, ...]
    told: dict[str, Any]


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi(), headers={"Cache-Control": "public, max-age=3600"})


@router.get("/docs")
def docs(request: Request) -> Response:
    """The same for people."""
    document = request.app.openapi()
    settings = services_of(request).settings
    html = (
        environment()
        .get_template("api/docs.html")
        .render(
            newsletter_name=settings.digest_newsletter_name,
            postal_address=settings.digest_postal_address,
            site_url=settings.digest_site_url,
            document=document,
            operations=operations(document),
            kinds=problems.KINDS,
            words=words,
            coded=coded,
            example=example,
            shape=shape,
        )
    )
    return HTMLResponse(html, headers={"Cache-Control": "public, max-age=3600"})


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of the document, in its order."""
    base = document["servers"][0]["url"]
    return [
        Operation(
            anchor=f"{method}-{path.strip('/').replace('/', '-').strip('{}')}",
            method=method.upper(),
            path=base + path,
            scopes=tuple(
                scope for needed in told.get("security", []) for scopes in needed.values() for scope in scopes
            ),
            told=told,
        )
        for path, item in document["paths"].items()
        for method, told in item.items()
        if method in METHODS
    ]


def words(text: str) -> Markup:
    """A description as paragraphs: only `code` is marked up in them."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip())
    return Markup("\n").join(Markup("<p>{}</p>").format(coded(each)) for each in paragraphs)


def coded(text: str) -> Markup:
    """One line of a description."""
    pieces = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def example(value: Any) -> str:
    """A sample as it goes over the wire."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def shape(schema: dict[str, Any]) -> Markup:
    """A schema in a few words, with links to what it is made of."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return Markup('<a href="#{0}">{0}</a>').format(name)
    if several := schema.get("anyOf"):
        return Markup(" or ").join(shape(each) for each in several)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(", ").join(Markup("<code>{}</code>").format(json.dumps(each)) for each in values)
    kind = schema.get("type", "anything")
    if kind == "array" or (isinstance(kind, list) and "array" in kind):
        empty = " or null" if isinstance(kind, list) else ""
        if tuple_of := schema.get("prefixItems"):
            return Markup("list of {}{}").format(Markup(", ").join(shape(each) for each in tuple_of), empty)
        return Markup("list of {}{}").format(shape(schema.get("items", {})), empty)
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(shape(inner))
    named = " or ".join(kind) if isinstance(kind, list) else kind
    return Markup("{}").format(f"{named} ({schema['format']})" if "format" in schema else named)
