"""A program of the house as the API has it: a client with a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from digest.bootstrap import Services
from digest.staff import tokens


def bearer(services: Services, scopes: Iterable[str] = tokens.SCOPES) -> dict[str, str]:
    """The header that carries a new token."""
    with services.database.writing() as session:
        _, text = tokens.make(session, "the site", scopes, now=datetime.now(UTC))
    return {"Authorization": f"Bearer {text}"}


class Program:
    """Speaks to the API under one token."""

    def __init__(self, client: TestClient, headers: Mapping[str, str]) -> None:
        self.client = client
        self.headers = dict(headers)

    def get(self, path: str, **params: str | int) -> Response:
        answer: Response = self.client.get(f"/api/v1/{path}", params=params, headers=self.headers)
        return answer

    def post(self, path: str, value: Any = None, *, content: Any = None, **headers: str) -> Response:
        """`value` goes as JSON, `content` as it is; `content_type=…` and `idempotency_key=…` are headers."""
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        body = {"json": value} if content is None else {"content": content}
        answer: Response = self.client.post(f"/api/v1/{path}", headers=self.headers | more, **body)
        return answer


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "tagline": f"{name} in a line", **more}


def comparison(left: str = "Alder", right: str = "Birch", **more: Any) -> dict[str, Any]:
    """One in the machine shape."""
    return {"slug": f"{left}-vs-{right}".lower(), "tools": [tool(left), tool(right)], **more}
