"""The editors' desk: what will be sent, why, what would embarrass us, and one honest button."""

from __future__ import annotations

from digest.web.desk import approval, checks, choosing, differences, previews, report, shelf, writing, writing_acts

ROUTERS = (
    shelf.router,
    previews.router,
    choosing.router,
    checks.router,
    differences.router,
    approval.router,
    report.router,
    writing.router,
    writing_acts.router,
)
