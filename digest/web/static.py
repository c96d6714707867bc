"""Our own style sheet and scripts, each at an address with a hash of its content, so that it may be kept for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

import digest
from digest.rendering import look

router = APIRouter()

FOLDER = Path(digest.__file__).parent.parent / "templates" / "pages" / "static"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served; `address` is its place on this site."""

    address: str
    body: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """Every file in the folder, by its name there."""
    files = (path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)
    return {path.name: _asset(path) for path in files}


def asset(name: str) -> str:
    """Where pages find a file. Raises KeyError for one that is not there."""
    return assets()[name].address


@router.get("/static/{file}")
def static(file: str) -> Response:
    """One file. Under another version's address it comes all the same, but is not kept: two versions may be running."""
    stem, _, rest = file.partition(".")
    found = assets().get(f"{stem}.{rest.rpartition('.')[2]}")
    if found is None:
        raise HTTPException(404, "There is no file with that address.")
    kept = FOR_EVER if found.address.endswith(f"/{file}") else "no-store"
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": kept})


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    if path.suffix == ".css":
        body = _colours().encode() + body
    version = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/static/{path.stem}.{version}{path.suffix}", body, MEDIA_TYPES[path.suffix])


def _colours() -> str:
    """The palette of the mail and its fonts, as variables, in light and in dark."""
    fonts = f"--serif:{look.SERIF};--sans:{look.SANS}"
    return (
        f":root{{color-scheme:light dark;{_variables(look.LIGHT)};{fonts}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(look.DARK)}}}}}\n"
    )


def _variables(palette: look.Palette) -> str:
    return ";".join(f"--{each.name.replace('_', '-')}:{getattr(palette, each.name)}" for each in fields(palette))
