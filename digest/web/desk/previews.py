"""The edition as it will arrive, in every dress a mail client may put on it."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
