"""What would embarrass us, where, and how to mend it."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
