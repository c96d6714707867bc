"""A browser for tests that look at the screen: the Chromium on PATH, started once, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

NewPage = Callable[..., Page]

_deselected = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser these tests step aside and say so; DIGEST_REQUIRE_BROWSER=1 makes that a failure."""
    global _deselected  # noqa: PLW0603 - told by the two hooks below
    if CHROMIUM:
        return
    if os.environ.get("DIGEST_REQUIRE_BROWSER") == "1":
        raise pytest.UsageError("DIGEST_REQUIRE_BROWSER=1, but there is no Chromium on PATH.")
    asked = [item for item in items if item.get_closest_marker("browser")]
    _deselected = len(asked)
    items[:] = [item for item in items if item not in asked]
    config.hook.pytest_deselected(items=asked)


def pytest_report_collectionfinish() -> list[str]:
    return [f"browser: {_deselected} tests left out, no Chromium on PATH"] if _deselected else []


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def fetched() -> list[str]:
    """Every address a page asked for and did not get."""
    return []


@pytest.fixture
def new_page(chromium: Browser, fetched: list[str]) -> Iterator[NewPage]:
    """A page of some HTML at a width, in light or dark; whatever it asks the network for is noted and refused."""
    pages: list[Page] = []

    def refuse(route: Route) -> None:
        fetched.append(route.request.url)
        route.abort()

    def new(html: str, *, width: int = 600, **context: Any) -> Page:
        page = chromium.new_page(viewport={"width": width, "height": 800}, **context)
        pages.append(page)
        page.route("**/*", refuse)
        page.set_content(html)
        return page

    yield new
    for page in pages:
        page.close()
