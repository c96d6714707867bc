"""How staff come in and go out: an address is given, a link comes by mail, one pressed button opens a session.

Whoever is not on the staff gets the same answers, and the door makes the same writes for them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from digest.models import RequestKind, Role
from digest.staff import RIGHTS, Right, sessions
from digest.web import asking, forms
from digest.web.asking import Sheet
from digest.web.pages import services_of
from digest.web.staff_door import Anybody, cookie_name, door_page, from_our_pages, is_secure, local_path
from digest.web.wordings import Wording
from subscribers.links import SIGN_IN_WITHIN

# The check on where a request comes from is on the router: no route of this file can go without it.
router = APIRouter(dependencies=[Depends(from_our_pages)])

NEXT = "digest-next"
"""The cookie that remembers where somebody wanted to go while the link is on its way to them."""

WORDING = Wording("Send me a link that signs me in.", "2026-11")


@router.get("/sign-in")
def ask_for_link(request: Request, next: str = "") -> Response:  # noqa: A002 - its name in the address
    """The form, with where to go on to."""
    return _form(request, asking.fresh(request, _now()), local_path(next, otherwise=""))


@router.post("/sign-in")
def send_link(request: Request, form: forms.Form) -> Response:
    """Store that a link was asked for; who is on the staff is looked up afterwards, and elsewhere."""
    goes_to = local_path(forms.word(form, "next"), otherwise="")
    sheet = asking.take(request, form, RequestKind.SIGN_IN, WORDING, source="sign-in page", now=_now())
    if sheet is not None:
        return _form(request, sheet, goes_to)
    answer = door_page(request, "sign_in_sent.html")
    _set(request, answer, NEXT, goes_to, int(SIGN_IN_WITHIN.total_seconds()))
    return answer


@router.get("/sign-in/{token}")
def show_button(request: Request, token: str) -> Response:
    """One button, the same for every token: programs that follow the links of a mail use up nothing."""
    request.state.has_token = True
    return door_page(request, "sign_in_button.html", token=token)


@router.post("/sign-in/{token}")
def come_in(request: Request, token: str) -> Response:
    """Use up the link and open a session."""
    link_id = services_of(request).links.read_sign_in(token, _now())
    opened = _opened(request, link_id) if link_id else None
    if opened is None:
        return door_page(request, "sign_in_again.html", status=410)
    secret, role = opened
    goes_to = local_path(request.cookies.get(NEXT, ""), otherwise=home_of(role))
    answer = RedirectResponse(goes_to, status_code=303)
    _set(request, answer, _cookie(request), secret, int(sessions.LONGEST.total_seconds()))
    answer.delete_cookie(NEXT)
    return answer


def home_of(role: Role) -> str:
    """Where somebody begins who did not want to go anywhere else: at what they look after."""
    return "/people" if Right.OPERATE in RIGHTS[role] else "/desk"


def _opened(request: Request, link_id: str) -> tuple[str, Role] | None:
    """The secret of a new session and whose role it has; the session this browser had before is ended."""
    now = _now()
    with services_of(request).database.writing() as session:
        secret = sessions.open_with(session, link_id, now=now, user_agent=request.headers.get("user-agent"))
        before = sessions.who(session, request.cookies.get(_cookie(request), ""), now=now) if secret else None
        if before is not None:
            sessions.revoke(session, before.session_id, now=now, by=f"staff {before.staff_id}")
        opened = sessions.who(session, secret, now=now) if secret else None
    return (secret, opened.role) if secret and opened else None


@router.post("/sign-out")
def go_out(request: Request, visitor: Anybody) -> Response:
    """End this browser's session."""
    with services_of(request).database.writing() as session:
        sessions.revoke(session, visitor.session_id, now=_now(), by=visitor.by)
    return signed_out(request)


def signed_out(request: Request) -> Response:
    """Back at the door, without the cookie."""
    secure = is_secure(services_of(request).settings.digest_site_url)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(_cookie(request), path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def _form(request: Request, sheet: Sheet, goes_to: str) -> Response:
    answer = door_page(request, "sign_in.html", status=sheet.status, sheet=sheet, goes_to=goes_to, trap=asking.TRAP)
    if sheet.retry_after is not None:
        answer.headers["Retry-After"] = str(sheet.retry_after)
    return answer


def _set(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    secure = is_secure(services_of(request).settings.digest_site_url)
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")


def _cookie(request: Request) -> str:
    return cookie_name(services_of(request).settings.digest_site_url)


def _now() -> datetime:
    return datetime.now(UTC)
