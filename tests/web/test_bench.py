"""The pages of the template bench: loopback only, and nothing but looking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from database import Database
from digest.template_bench import Bench
from digest.web.bench import create_bench
from tests import make
from tests.digest.drafts import drafted, seen


@pytest.fixture
def bench(sqlite: Database, tmp_path: Path) -> Iterator[TestClient]:
    services = make.services(sqlite, tmp_path)
    seen(services, make.SEEN, make.comparison(), make.comparison(), make.comparison())
    drafted(services)
    with TestClient(
        create_bench(Bench(services, make.WEEK), host="127.0.0.1"), base_url="http://127.0.0.1:8010"
    ) as found:
        yield found


def test_the_page_the_mail_and_the_state(bench: TestClient) -> None:
    page = bench.get("/")

    assert page.status_code == 200
    assert "The mail on a phone" in page.text
    assert page.text.count(f"state={bench.get('/state').json()['state']}") == 2
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    mail = bench.get("/mail")
    assert "The scoreboard" in mail.text
    assert "script" not in mail.headers["Content-Security-Policy"]


def test_light_and_dark_are_decided_whatever_the_machine_prefers(bench: TestClient) -> None:
    light, dark = (bench.get("/mail", params={"scheme": scheme}).text for scheme in ("light", "dark"))

    assert "prefers-color-scheme" not in light + dark
    assert "@media (max-width:-1px)" in light
    assert "@media (min-width:0px)" in dark
    assert 'name="color-scheme" content="dark"' in dark
    assert bench.get("/mail", params={"scheme": "blue"}).status_code == 422


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1"])
def test_it_answers_to_its_own_name_only(bench: TestClient, host: str) -> None:
    """A page elsewhere whose name leads here must not read what a subscriber gets."""
    assert bench.get("/mail", headers={"Host": host}).status_code == 421
    assert bench.get("/mail", headers={"Host": "localhost:8010"}).status_code == 200
    assert bench.get("/mail", headers={"Host": "[::1]:8010"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_there(bench: TestClient, method: str) -> None:
    assert bench.request(method, "/").status_code == 405
