"""One honest button: who gets what, and when; taking it back; test mails to staff."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
