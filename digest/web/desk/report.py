"""After sending: what became of it, and the notes that correct it."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
