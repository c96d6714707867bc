"""Whether the process lives, and whether it is fit to work."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from digest import job_runs, migrations
from digest.bootstrap import Services
from digest.web.pages import services_of

log = structlog.get_logger()
router = APIRouter()

CLOCK_MAY_BE_SILENT = timedelta(minutes=3)


@router.get("/healthz")
def healthz() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"ok": True})


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Database, migrations, clock and journal; 503 when any of them is not well, with what is wrong."""
    checks = _checks(services_of(request), datetime.now(UTC))
    ready = all(said == "ok" for said in checks.values())
    return JSONResponse({"ready": ready, **checks}, status_code=200 if ready else 503)


def _checks(services: Services, now: datetime) -> dict[str, str]:
    try:
        found = migrations.revision(services.database)
        if found != migrations.head():
            return {
                "database": "ok",
                "migrations": f"at {found}, should be {migrations.head()}: run `digest db upgrade`",
            }
        with services.database.reading() as session:
            beat = job_runs.last_heartbeat(session)
    except SQLAlchemyError as why:
        # What the driver says may name hosts and users: it goes to the log, not to whoever asks.
        log.warning("not ready", why=str(why).splitlines()[0])
        return {"database": "cannot be reached"}
    kept = {"journal": journal(services.journal.path)} if services.journal is not None else {}
    return {"database": "ok", "migrations": "ok", "clock": _clock(beat, now), **kept}


def journal(path: Path) -> str:
    """No opt-out can be stored without it. Opened as for a line more, but nothing is written or begun."""
    try:
        if path.exists() or not os.access(path.parent, os.W_OK | os.X_OK):
            os.close(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC))
    except OSError as why:
        # Where it lies is for the log, as what the driver says is.
        log.warning("not ready", why=f"the journal {path} cannot be written: {why.strerror}")
        return "cannot be written: see DIGEST_JOURNAL"
    return "ok"


def _clock(beat: datetime | None, now: datetime) -> str:
    if beat is None:
        return "has never run: start `digest serve` or `python scheduler.py`"
    silent = now - beat
    if silent > CLOCK_MAY_BE_SILENT:
        return f"silent for {int(silent.total_seconds() // 60)} minutes"
    return "ok"
