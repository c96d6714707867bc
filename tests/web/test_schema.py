"""The published schema is the one the reader keeps."""

from __future__ import annotations

from fastapi.testclient import TestClient

from digest import pages
from digest.bootstrap import Services
from digest.web.app import create_app


def test_the_schema_is_published(services: Services) -> None:
    """A machine that writes comparisons finds their shape where the interface says."""
    with TestClient(create_app(services)) as client:
        answer = client.get("/api/v1/comparison.schema.json")

    assert 200 == answer.status_code
    assert "application/schema+json" == answer.headers["content-type"]
    assert pages.json_schema() == answer.json()
