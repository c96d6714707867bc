"""The application as a client has it, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from database import Database
from digest.bootstrap import Services
from digest.web.app import create_app
from subscribers.models import Subscriber
from tests import make


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), follow_redirects=False, raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def sqlite_client(sqlite: Database, tmp_path: Path) -> Iterator[TestClient]:
    """For facts that no database can change."""
    with TestClient(create_app(make.services(sqlite, tmp_path)), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def ada(services: Services) -> Subscriber:
    """Active, gets everything every week."""
    with services.database.writing() as session:
        return make.subscriber(session, "ada@example.com", name="Ada Quist")
