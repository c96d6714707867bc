"""Signs somebody in: their browser as a client, with the cookie, and the Origin that a form of ours is sent with."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi.testclient import TestClient

from digest.bootstrap import Services
from digest.models import Role, Staff
from digest.staff import add_staff, sessions
from digest.web.staff_door import cookie_name

NAMES = {Role.EDITOR: "edda@example.com", Role.OPERATOR: "otto@example.com", Role.ADMIN: "anna@example.com"}
"""Edda edits, Otto operates, Anna may do everything."""


def sign_in(client: TestClient, services: Services, role: Role = Role.OPERATOR) -> Staff:
    """Put somebody with this role on the staff and sign them in with this client, whoever it was before."""
    now = datetime.now(UTC)
    with services.database.writing() as session:
        somebody = add_staff(session, NAMES[role], role, now=now)
        link = sessions.sign_in_link(session, somebody, now=now)
        secret = sessions.open_with(session, link.link_id, now=now, user_agent="a test")
    assert secret is not None
    client.cookies.clear()
    client.cookies.set(cookie_name(services.settings.digest_site_url), secret)
    client.headers["Origin"] = str(client.base_url).rstrip("/")
    return somebody
