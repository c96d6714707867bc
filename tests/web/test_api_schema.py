"""The real application asked everything its description allows, and much that it does not: it keeps to its word."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.specs.openapi import checks as kept

from database import Database
from digest.web.app import create_app
from tests import make
from tests.web.api_program import bearer

OPERATIONS = (
    ("POST", "/v1/comparisons"),
    ("GET", "/v1/comparison.schema.json"),
    ("POST", "/v1/subscribers"),
    ("GET", "/v1/editions"),
    ("GET", "/v1/editions/{week}"),
)

MODES = [
    (method, path, mode)
    for method, path in OPERATIONS
    for mode in GenerationMode
    # Where there is nothing to send, nothing can be sent wrong.
    if mode is GenerationMode.POSITIVE or path != "/v1/comparison.schema.json"
]

EXAMPLES = 40  # for each operation, mode and token: about a thousand requests in all

# A description cannot say that two tools must differ, or that a day lies within reason.
BEYOND_A_SCHEMA: list[CheckFunction] = [kept.positive_data_acceptance]
# One bad comparison among good ones is told of in a 200.
GOOD_ONES_ARE_KEPT: list[CheckFunction] = [kept.negative_data_rejection]


@schemathesis.serializer("application/x-ndjson")
def _lines(_: Any, value: Any) -> Any:
    return {"content": value.encode("utf-8", "replace") if isinstance(value, str) else b""}


@dataclass(frozen=True)
class World:
    """The application, its description as schemathesis reads it, and a good token."""

    app: FastAPI
    described: Any
    token: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[World]:
    """Without limits on how often: this is one program asking for a minute."""
    folder = tmp_path_factory.mktemp("schema")
    shutil.copy(_migrated_sqlite, folder / "digest.db")
    services = make.services(Database(f"sqlite:///{folder / 'digest.db'}"), folder)
    make.draft(services, entries=2)
    with pytest.MonkeyPatch.context() as unlimited:
        unlimited.setattr("digest.people.limits.take", lambda *_, **__: None)
        app = create_app(services)
        yield World(app, schemathesis.openapi.from_asgi("/api/openapi.json", app), bearer(services))
    services.close()


def test_nothing_is_left_unasked(world: World) -> None:
    """The operations below are all there are."""
    found = {(each.ok().method.upper(), each.ok().path) for each in world.described.get_all_operations()}

    assert set(OPERATIONS) == found


@pytest.mark.parametrize(("method", "path", "mode"), MODES)
@pytest.mark.parametrize("with_token", [True, False])
def test_the_description_is_kept(world: World, method: str, path: str, mode: GenerationMode, with_token: bool) -> None:
    """No 5xx and no undescribed status, type, header or body, whether or not what is sent fits the description."""
    operation = world.described[path][method]
    headers = world.token if with_token else {}
    excluded = BEYOND_A_SCHEMA + (GOOD_ONES_ARE_KEPT if path == "/v1/comparisons" else [])

    @effort(
        max_examples=EXAMPLES,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case: Case[Any] = data.draw(operation.as_strategy(mode))
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    ask()
