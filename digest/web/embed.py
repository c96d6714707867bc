"""The sign-up form to copy into a page of one's own: plain HTML that needs no script of ours and no style."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from digest.web import wordings
from digest.web.pages import environment, page, services_of

router = APIRouter()


@router.get("/embed")
def embed(request: Request) -> Response:
    """The snippet, to copy and to look at. What it posts has no form token, so our own form asks once more."""
    settings = services_of(request).settings
    snippet = (
        environment()
        .get_template("public/_snippet.html")
        .render(site_url=settings.digest_site_url, sign_up_wording=wordings.SIGN_UP.filled(settings).text)
    )
    return page(request, "embed.html", snippet=snippet.strip())
