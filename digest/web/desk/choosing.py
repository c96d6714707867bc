"""Why each comparison is in or out, and what other rules would change."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
