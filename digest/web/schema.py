"""What the machine shape of a comparison is, for whoever writes one."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from digest import pages

router = APIRouter()


@router.get("/api/v1/comparison.schema.json")
def comparison_schema() -> Response:
    """The JSON Schema of one comparison, as `digest ingest` reads it."""
    return JSONResponse(
        pages.json_schema(), media_type="application/schema+json", headers={"Cache-Control": "public, max-age=3600"}
    )
