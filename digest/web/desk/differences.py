"""What is not as it was: against the last edition, an earlier one, or this one as it stood."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
