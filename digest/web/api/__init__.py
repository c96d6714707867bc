"""The API for programs: an application of its own, mounted at /api, in which every error is a problem document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from digest.bootstrap import Services
from digest.web.api import comparisons, docs, editions, openapi, problems, subscribers
from digest.web.api.subscribers import NewSubscriber


def create_api(services: Services) -> FastAPI:
    """The API around one set of services."""
    title = f"{services.settings.digest_newsletter_name}: API"
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    for part in (comparisons.router, subscribers.router, editions.router, docs.router):
        app.include_router(part)
    problems.install(app)
    described: dict[str, Any] = openapi.document(app, title=title, bodies=[NewSubscriber])
    app.openapi = lambda: described  # type: ignore[method-assign]
    return app
