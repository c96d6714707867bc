"""Our own pages: templates found beside the program, filled with care, never with a subscriber's address."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import digest
from digest.bootstrap import Services
from digest.rendering import look
from digest.rendering.typography import spoken_day, spoken_moment
from digest.web.static import asset
from subscribers.roster import SHORTEST_PART

# Not a package path: `python -m digest` in a folder with its own `templates/` must not pick that up.
TEMPLATES = Path(digest.__file__).parent.parent / "templates" / "pages"

# What a page about one person must never do: be kept, be indexed, or tell the next site where the reader came from.
PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


@cache
def environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(day=spoken_day, moment=spoken_moment)
    found.globals.update(asset=asset, light=look.LIGHT, dark=look.DARK, shortest_part=SHORTEST_PART)
    return found


def services_of(request: Request) -> Services:
    """The services the application was made with."""
    services: Services = request.app.state.services
    return services


def page(request: Request, template: str, *, status: int = 200, private: bool = False, **values: Any) -> Response:
    """One public page. `private`: it is about one person, or behind a link that only they were given."""
    settings = services_of(request).settings
    common = {
        "newsletter_name": settings.digest_newsletter_name,
        "postal_address": settings.digest_postal_address,
        "site_url": settings.digest_site_url,
    }
    html = environment().get_template(f"public/{template}").render(common | values)
    return HTMLResponse(html, status_code=status, headers=PRIVATE if private else None)
