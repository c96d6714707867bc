"""The pages of the staff about themselves: where one is signed in; for admins, who else may enter and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from digest import staff
from digest.errors import DigestError
from digest.models import AuditLine, Role, Staff
from digest.staff import Right, audit, sessions, tokens
from digest.web import forms
from digest.web.pages import services_of
from digest.web.sign_in import signed_out
from digest.web.staff_door import Admin, Anybody, Visitor
from digest.web.staff_pages import staff_page

router = APIRouter()

LINES_A_PAGE = 100
LARGEST_KEY = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=LARGEST_KEY)]

DONE = {
    "ended": "That browser is signed out.",
    "added": "They are on the staff now.",
    "role": "The new role counts from this moment on.",
    "removed": "They are no longer on the staff, and signed out everywhere.",
    "revoked": "The token is worth nothing any more.",
}
"""What a page says after it was done; the address names it by its key."""


class NotYourself(DigestError):
    """Another admin must change your own role or take you off the staff, so that somebody always stays."""


@router.get("/staff")
def own_page(request: Request, visitor: Anybody, done: str = "") -> Response:
    """Where one is signed in; for admins also the staff and the tokens."""
    return _own_page(request, visitor, said=DONE.get(done))


@router.post("/staff/sessions/end")
def end_everywhere(request: Request, visitor: Anybody) -> Response:
    """Sign out of every browser, this one too."""
    with services_of(request).database.writing() as session:
        sessions.revoke_all(session, visitor.staff_id, now=_now(), by=visitor.by)
    return signed_out(request)


@router.post("/staff/sessions/{number}/end")
def end_one(request: Request, visitor: Anybody, number: Number) -> Response:
    """Sign out of one browser of one's own."""
    with services_of(request).database.writing() as session:
        theirs = {each.id for each in sessions.open_ones(session, visitor.staff_id, now=_now())}
        if number in theirs:
            sessions.revoke(session, number, now=_now(), by=visitor.by)
    return signed_out(request) if number == visitor.session_id else _done("ended")


@router.post("/staff/people")
def add(request: Request, visitor: Admin, form: forms.Form) -> Response:
    """Put somebody on the staff."""
    email = forms.word(form, "email")
    try:
        with services_of(request).database.writing() as session:
            role = _role(form)
            if staff.is_member(session, email):
                raise staff.OnTheStaffAlready
            staff.add_staff(session, email, role, now=_now(), by=visitor.by)
    except DigestError as why:
        return _own_page(request, visitor, problem=str(why), status=422, email=email)
    return _done("added")


@router.post("/staff/people/{number}/role")
def change_role(request: Request, visitor: Admin, number: Number, form: forms.Form) -> Response:
    """Let somebody do more, or less, from now on."""
    try:
        with services_of(request).database.writing() as session:
            somebody = _other(session, visitor, number)
            staff.add_staff(session, somebody.email, _role(form), now=_now(), by=visitor.by)
    except DigestError as why:
        return _own_page(request, visitor, problem=str(why), status=422)
    return _done("role")


@router.post("/staff/people/{number}/remove")
def remove(request: Request, visitor: Admin, number: Number) -> Response:
    """Take somebody off the staff."""
    try:
        with services_of(request).database.writing() as session:
            somebody = _other(session, visitor, number)
            staff.remove_staff(session, somebody.email, now=_now(), by=visitor.by)
    except DigestError as why:
        return _own_page(request, visitor, problem=str(why), status=422)
    return _done("removed")


@router.post("/staff/tokens/{number}/revoke")
def revoke_token(request: Request, visitor: Admin, number: Number) -> Response:
    """Make a token worthless."""
    try:
        with services_of(request).database.writing() as session:
            tokens.revoke(session, number, now=_now(), by=visitor.by)
    except DigestError as why:
        return _own_page(request, visitor, problem=str(why), status=422)
    return _done("revoked")


@router.get("/staff/audit")
def audit_log(
    request: Request, visitor: Admin, before: Annotated[int | None, Query(ge=1, le=LARGEST_KEY)] = None
) -> Response:
    """What was done, by whom, newest first."""
    services = services_of(request)
    with services.database.reading() as session:
        found = audit.lines(session, before=before, limit=LINES_A_PAGE + 1)
        known = staff.names(session) | tokens.names(session)
    shown, zone = found[:LINES_A_PAGE], services.settings.digest_timezone
    lines = [_shown(line, known, zone) for line in shown]
    older = shown[-1].id if len(found) > LINES_A_PAGE else None
    return staff_page(request, visitor, "staff/audit.html", lines=lines, older=older, newest=before is None)


def _own_page(
    request: Request,
    visitor: Visitor,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
    email: str = "",
) -> Response:
    services, now = services_of(request), _now()
    zone = services.settings.digest_timezone
    with services.database.reading() as session:
        own = [
            {
                "id": each.id,
                "browser": browser_named(each.user_agent),
                "since": each.made_at.astimezone(zone),
                "seen": each.seen_at.astimezone(zone),
            }
            for each in sessions.open_ones(session, visitor.staff_id, now=now)
        ]
        for_admins = Right.ADMINISTER in visitor.rights
        people = staff.on_staff(session) if for_admins else ()
        every_token = tokens.every(session) if for_admins else ()
    return staff_page(
        request,
        visitor,
        "staff/own.html",
        status=status,
        said=said,
        problem=problem,
        sessions=own,
        people=people,
        tokens=every_token,
        roles=list(Role),
        email=email,
        sign_in=f"{services.settings.digest_site_url}/sign-in",
        zone=zone,
    )


def browser_named(agent: str | None) -> str:
    """A browser as its owner would call it: "Firefox on Linux"."""
    # In this order: what comes first also calls itself by the names below it.
    names = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    places = {
        "Android": "Android",
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Windows": "Windows",
        "Mac OS X": "macOS",
        "Linux": "Linux",
    }
    text = agent or ""
    name = next((names[sign] for sign in names if sign in text), "A browser")
    place = next((places[sign] for sign in places if sign in text), None)
    return f"{name} on {place}" if place else name


def _other(session: Session, visitor: Visitor, number: Number) -> Staff:
    """Somebody else on the staff. Raises NotYourself, NotOnTheStaff."""
    if number == visitor.staff_id:
        raise NotYourself
    return staff.numbered(session, number)


def _role(form: forms.Form) -> Role:
    """Raises HTTPException for what no form of ours sends."""
    try:
        return Role(forms.word(form, "role"))
    except ValueError:
        raise HTTPException(422, "There is no such role.") from None


def _in_words(details: Mapping[str, object]) -> str:
    def spelled(value: object) -> str:
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

    return " · ".join(f"{name.replace('_', ' ')}: {spelled(value)}" for name, value in details.items())


def _shown(line: AuditLine, known: Mapping[str, str], zone: tzinfo) -> dict[str, object]:
    """One line, with the names behind its numbers."""
    kind, _, number = (line.about or "").partition(" ")
    return {
        "id": line.id,
        "at": line.at.astimezone(zone),
        "by": known.get(line.by, line.by),
        "what": line.what,
        "about": known.get(line.about or "", line.about),
        "person": number if kind == "subscriber" else None,
        "details": _in_words(line.details),
    }


def _done(key: str) -> Response:
    return RedirectResponse(f"/staff?done={key}", status_code=303)


def _now() -> datetime:
    return datetime.now(UTC)
